//! Asking processes to end: Ctrl-C, Ctrl-Break, and a message to their windows.
//!
//! A console event goes to whoever is attached to a console, its sender among them, and its delivery is asynchronous. So
//! each child has a console of its own that nobody sees, and a helper process of ours attaches to it, sends, and ends:
//! the host itself is attached to none, and what goes wrong there is not its business. See
//! <https://learn.microsoft.com/windows/console/generateconsolectrlevent>.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, LPARAM};
use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent, GetConsoleProcessList,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::DETACHED_PROCESS;
use windows_sys::Win32::UI::WindowsAndMessaging::{EnumWindows, GetWindowThreadProcessId, PostMessageW, WM_CLOSE};
use windows_sys::core::BOOL;

use super::handle::check;
use crate::service::{Signal, StopSignal};

/// The helper sends and stays for so long: an event whose sender has gone may not be delivered.
const DELIVERY: Duration = Duration::from_millis(100);

/// A helper that hangs ends by itself.
const HANGS: Duration = Duration::from_secs(10);

/// What is sent, in words.
#[must_use]
pub fn stop_name(signal: StopSignal) -> String {
    match way(signal) {
        StopSignal::CtrlBreak => "Ctrl-Break",
        StopSignal::Close => "WM_CLOSE",
        StopSignal::CtrlC | StopSignal::Signal(_) => "Ctrl-C",
    }
    .to_owned()
}

/// There are no signals here: those that mean a key on a terminal are that key, and the others Ctrl-C.
pub(super) const fn way(signal: StopSignal) -> StopSignal {
    match signal {
        StopSignal::Signal(Signal::Quit) => StopSignal::CtrlBreak,
        StopSignal::Signal(_) => StopSignal::CtrlC,
        way => way,
    }
}

/// What is asked next when half of the stop's time has passed: programs with windows know no console.
#[must_use]
pub const fn next_rung(signal: StopSignal) -> Option<StopSignal> {
    match signal {
        StopSignal::Close => None,
        _ => Some(StopSignal::Close),
    }
}

/// Asks these processes to end, by a helper.
pub fn ask_to_end(pids: &[i32], signal: StopSignal) {
    let Ok(program) = std::env::current_exe() else { return };
    let event = match way(signal) {
        StopSignal::CtrlBreak => "break",
        StopSignal::Close => "close",
        StopSignal::CtrlC | StopSignal::Signal(_) => "c",
    };
    // One that can't be run is made good by the next rung of the ladder.
    let _ = Command::new(program)
        .args(["host", "--console-event", event])
        .args(pids.iter().map(ToString::to_string))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir(super::neutral_folder())
        .creation_flags(DETACHED_PROCESS)
        .spawn();
}

/// The helper: sends an event to the consoles or windows of these processes. One that can't be reached is passed over.
pub fn console_event(event: &str, pids: &[u32]) -> io::Result<()> {
    std::thread::spawn(|| {
        std::thread::sleep(HANGS);
        std::process::exit(1);
    });
    let mut told: Vec<u32> = Vec::new();
    let mut result = Ok(());
    match event {
        "close" => result = close_windows(pids),
        _ => {
            for pid in pids {
                if !told.contains(pid) {
                    match send(event == "break", *pid) {
                        Ok(attached) => told.extend(attached),
                        Err(error) => result = Err(error),
                    }
                }
            }
        }
    }
    result
}

/// Sends to the console of a process; gives those that are attached to it.
fn send(r#break: bool, pid: u32) -> io::Result<Vec<u32>> {
    // SAFETY: these take numbers only, or nothing.
    unsafe {
        FreeConsole();
        check(AttachConsole(pid))?;
        SetConsoleCtrlHandler(None, 1);
    }
    let mut attached = vec![0; 256];
    // SAFETY: the buffer has as many elements as it is said to have.
    let count = unsafe { GetConsoleProcessList(attached.as_mut_ptr(), 256) };
    attached.truncate(usize::try_from(count).unwrap_or(0));
    // Ctrl-C goes to all that are attached, and to no group; Ctrl-Break to the group that the child leads.
    // SAFETY: it takes numbers only.
    let sent = check(unsafe {
        if r#break {
            GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, pid)
        } else {
            GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)
        }
    });
    std::thread::sleep(DELIVERY);
    // SAFETY: it takes nothing.
    unsafe { FreeConsole() };
    sent.map(|()| attached)
}

/// Asks every window of these processes to close.
fn close_windows(pids: &[u32]) -> io::Result<()> {
    // SAFETY: the parameter is a pointer to the slice, which lives longer than the call.
    check(unsafe { EnumWindows(Some(close_if_theirs), std::ptr::from_ref(&pids) as LPARAM) })
}

unsafe extern "system" fn close_if_theirs(window: HWND, pids: LPARAM) -> BOOL {
    // SAFETY: it is what `close_windows` gave.
    let pids = unsafe { *(pids as *const &[u32]) };
    let mut pid = 0;
    // SAFETY: a window that is gone meanwhile is an error that nobody asks for; the pointer is to a living integer.
    unsafe {
        GetWindowThreadProcessId(window, &raw mut pid);
        if pids.contains(&pid) {
            PostMessageW(window, WM_CLOSE, 0, 0);
        }
    }
    1
}
