//! Making a child: in a job from its first moment, with a console of its own that nobody sees, and nothing inherited but
//! what is meant.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::Win32::System::Threading::{
    ABOVE_NORMAL_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW,
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DETACHED_PROCESS, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetCurrentProcess, IDLE_PRIORITY_CLASS, InitializeProcThreadAttributeList,
    NORMAL_PRIORITY_CLASS, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOEXW, TerminateProcess, UpdateProcThreadAttribute,
};

use super::handle::{check, size_of_it, wide};
use super::job::Group;
use crate::host::sys::launch::{Launch, Output};
use crate::quote::windows::CommandLine;
use crate::service::{Priority, StopSignal};

/// Runs the program, and returns its process id.
pub fn spawn(launch: Launch<'_>) -> io::Result<i32> {
    let Some((program, args)) = launch.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"));
    };
    let program = find(program, &launch.env)?;
    let (application, line) = command_line(&program, args)?;
    let (application, mut line) = (wide(application)?, wide(line)?);
    let environment = environment(launch.env);
    let dir = wide(&launch.dir)?;
    let own_job = if launch.group.is_none() { Some(Group::new()?) } else { None };
    let job = launch.group.or(own_job.as_ref()).ok_or(io::ErrorKind::InvalidInput)?;

    let stdin = match launch.stdin {
        Some(file) => inheritable(file.as_handle())?,
        None => inheritable(File::open("NUL")?.as_handle())?,
    };
    let stdout = output(launch.stdout, io::stdout().as_handle())?;
    let stderr = match launch.stderr {
        Output::Stdout => inheritable(stdout.as_handle())?,
        other => output(other, io::stderr().as_handle())?,
    };
    let handles = [stdin.as_raw_handle(), stdout.as_raw_handle(), stderr.as_raw_handle()];
    let jobs = [job.raw()];
    let mut attributes = Attributes::new(2)?;
    attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &jobs)?;
    attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &handles)?;

    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of_it::<STARTUPINFOEXW>();
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    [startup.StartupInfo.hStdInput, startup.StartupInfo.hStdOutput, startup.StartupInfo.hStdError] = handles;
    startup.lpAttributeList = attributes.raw();
    let mut flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW;
    flags |= launch.priority.map_or(0, class);
    if super::console::way(launch.stop) == StopSignal::CtrlBreak {
        flags |= CREATE_NEW_PROCESS_GROUP;
    }
    let mut made = PROCESS_INFORMATION::default();
    // SAFETY: all texts end with a zero (the environment with two), the command line is ours to be written to, and what
    // the attributes point to lives until the call returns.
    check(unsafe {
        CreateProcessW(
            application.as_ptr(),
            line.as_mut_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            1,
            flags,
            environment.as_ptr().cast(),
            dir.as_ptr(),
            (&raw const startup).cast(),
            &raw mut made,
        )
    })?;
    // SAFETY: both were just given to us.
    let (process, _thread) =
        unsafe { (OwnedHandle::from_raw_handle(made.hProcess), OwnedHandle::from_raw_handle(made.hThread)) };
    let pid = i32::try_from(made.dwProcessId).map_err(io::Error::other)?;
    let for_failure = process.try_clone()?;
    super::process::keep_child(pid, process, job.try_clone()?, own_job.is_some()).inspect_err(|_| {
        // One whose end would not be seen must not live.
        // SAFETY: the handle is open.
        unsafe { TerminateProcess(for_failure.as_raw_handle(), 1) };
    })?;
    Ok(pid)
}

/// The program's file: where the child's `PATH` has it, if it is only named.
fn find(program: &str, env: &[(String, String)]) -> io::Result<PathBuf> {
    const ENDINGS: [&str; 4] = ["exe", "com", "bat", "cmd"];
    let path = Path::new(program);
    let with_endings = |path: &Path| {
        let mut all = vec![path.to_owned()];
        all.extend(ENDINGS.map(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(ending);
            PathBuf::from(name)
        }));
        all.into_iter().find(|path| path.is_file())
    };
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such file");
    if path.components().count() > 1 {
        return with_endings(path).ok_or_else(missing);
    }
    let search =
        env.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("PATH")).map_or("", |(_, value)| value.as_str());
    std::env::split_paths(search).find_map(|folder| with_endings(&folder.join(path))).ok_or_else(missing)
}

/// What is executed, and its command line. A batch file is read by `cmd.exe`, which takes its line apart by rules of its
/// own: what could mean something else there is refused. See <https://kb.cert.org/vuls/id/123335>.
fn command_line(program: &Path, args: &[String]) -> io::Result<(PathBuf, String)> {
    let text = program.to_str().ok_or_else(|| io::Error::other("its path is not Unicode"))?;
    let ending = program.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !matches!(ending.as_str(), "bat" | "cmd") {
        return Ok((program.to_owned(), CommandLine { program: text, args }.to_string()));
    }
    let safe = |c: char| c.is_alphanumeric() || " -_./\\:=@+,~#".contains(c);
    for part in std::iter::once(text).chain(args.iter().map(String::as_str)) {
        if !part.chars().all(safe) || part.ends_with('\\') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{part}` cannot be handed to a batch file unharmed; run the program that it runs instead"),
            ));
        }
    }
    let system = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    let shell = system.join(r"System32\cmd.exe");
    let parts: Vec<String> = args.iter().map(|part| format!(" \"{part}\"")).collect();
    Ok((shell, format!("cmd.exe /e:ON /v:OFF /d /c \"\"{text}\"{}\"", parts.concat())))
}

/// `NAME=value`, sorted by name without regard to case, each with a zero at its end, and one more. Of names that differ in
/// case only, the last counts.
fn environment(variables: Vec<(String, String)>) -> Vec<u16> {
    let sorted: BTreeMap<String, (String, String)> =
        variables.into_iter().map(|(name, value)| (name.to_uppercase(), (name, value))).collect();
    let mut block = Vec::new();
    for (name, value) in sorted.into_values() {
        block.extend(format!("{name}={value}").encode_utf16().filter(|unit| *unit != 0));
        block.push(0);
    }
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

const fn class(priority: Priority) -> u32 {
    match priority {
        Priority::Idle => IDLE_PRIORITY_CLASS,
        Priority::Low => BELOW_NORMAL_PRIORITY_CLASS,
        Priority::Normal => NORMAL_PRIORITY_CLASS,
        Priority::High => ABOVE_NORMAL_PRIORITY_CLASS,
    }
}

fn output(output: Output, ours: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    match output {
        Output::File(file) => inheritable(file.as_handle()),
        Output::Inherit if !ours.as_raw_handle().is_null() => inheritable(ours),
        Output::Inherit | Output::Stdout | Output::Null => {
            inheritable(File::options().write(true).open("NUL")?.as_handle())
        }
    }
}

/// A copy that a child inherits.
fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut copy: HANDLE = std::ptr::null_mut();
    // SAFETY: the pseudo handle of our process is always good; the copy is ours.
    unsafe {
        let own = GetCurrentProcess();
        check(DuplicateHandle(own, handle.as_raw_handle(), own, &raw mut copy, 0, 1, DUPLICATE_SAME_ACCESS))?;
        Ok(OwnedHandle::from_raw_handle(copy))
    }
}

/// What a process is made with beyond the usual.
struct Attributes(Vec<usize>);

impl Attributes {
    fn new(count: u32) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a buffer it only tells the size.
        unsafe { InitializeProcThreadAttributeList(std::ptr::null_mut(), count, 0, &raw mut size) };
        let mut buffer = vec![0usize; size.div_ceil(size_of::<usize>()).max(1)];
        // SAFETY: the buffer has that size, and stays where it is.
        check(unsafe { InitializeProcThreadAttributeList(buffer.as_mut_ptr().cast(), count, 0, &raw mut size) })?;
        Ok(Self(buffer))
    }

    /// The values must live until the process is made.
    fn set(&mut self, attribute: u32, values: &[HANDLE]) -> io::Result<()> {
        let attribute = usize::try_from(attribute).unwrap_or(0);
        // SAFETY: the list was made above; the values are an array of handles of that many bytes.
        check(unsafe {
            UpdateProcThreadAttribute(
                self.raw(),
                0,
                attribute,
                values.as_ptr().cast(),
                size_of_val(values),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        })
    }

    fn raw(&mut self) -> *mut std::ffi::c_void {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and is used no more.
        unsafe { DeleteProcThreadAttributeList(self.raw()) };
    }
}

/// Whoever started us gave us streams that children would inherit: who waits for their end would wait for the children.
fn keep_own_streams() {
    for stream in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: it takes numbers only; what is no handle is an error that changes nothing.
        unsafe { SetHandleInformation(GetStdHandle(stream), HANDLE_FLAG_INHERIT, 0) };
    }
}

/// Detaches a command that is about to be run from our console.
pub fn in_own_session(command: &mut Command) {
    keep_own_streams();
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// The first line of an output; None: it ended, or took too long.
pub fn first_line(out: ChildStdout, timeout: Duration) -> io::Result<Option<String>> {
    use std::io::BufRead;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::BufReader::new(out).read_line(&mut line).map(|_| line);
        // Nobody waits any more when it took too long.
        let _ = sender.send(read);
    });
    match receiver.recv_timeout(timeout) {
        Ok(line) => line.map(|line| Some(line.trim_end().to_owned())),
        Err(_) => Ok(None),
    }
}

/// Whoever started us may have told us to ignore Ctrl-C, and our children would inherit that. Of handles they inherit those
/// that they are given.
pub fn forget_inherited() {
    keep_own_streams();
    // SAFETY: it takes numbers only.
    unsafe { SetConsoleCtrlHandler(None, 0) };
}

/// Nobody reads our standard output any more: what would go there goes nowhere.
pub fn close_stdout() {
    use std::os::windows::io::IntoRawHandle;
    // SAFETY: the pseudo handle of our process is always good.
    let ours = io::stdout().as_raw_handle();
    if let Ok(null) = File::options().write(true).open("NUL") {
        // SAFETY: the handle is open and stays so; the old one is ours, and nothing uses it any more.
        unsafe {
            SetStdHandle(STD_OUTPUT_HANDLE, null.into_raw_handle());
            if !ours.is_null() {
                drop(OwnedHandle::from_raw_handle(ours));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_sorted_and_names_differ_by_more_than_case() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let block = environment(vec![pair("Path", "a"), pair("b", "2"), pair("PATH", "c"), pair("A", "1")]);
        assert_eq!(String::from_utf16(&block).unwrap(), "A=1\0b=2\0PATH=c\0\0");
        assert_eq!(environment(Vec::new()), [0, 0]);
    }

    #[test]
    fn a_batch_file_gets_only_what_cannot_harm() {
        let of = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|part| (*part).to_owned()).collect();
            command_line(Path::new(r"C:\a b\x.cmd"), &args)
        };
        let (program, line) = of(&["one", "two words"]).unwrap();
        assert!(program.ends_with("cmd.exe"));
        assert_eq!(line, r#"cmd.exe /e:ON /v:OFF /d /c ""C:\a b\x.cmd" "one" "two words"""#);
        for harmful in ["a\"b", "%PATH%", "a&b", "a^b", "a\\", "a\nb", "!x!"] {
            assert!(of(&[harmful]).is_err(), "{harmful}");
        }
    }
}
