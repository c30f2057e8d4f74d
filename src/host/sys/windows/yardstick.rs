//! How long programs take here until they run.
//!
//! When a process has been made, its libraries are not loaded yet and its console is not there, and nothing tells when they
//! are. On a busy machine, or where a scanner looks at each file, that takes far longer than usual. So another program is
//! started a little later, which ends at once: when it has, the first one has had its chance.

use std::os::windows::io::AsHandle;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

/// One that hangs is no reason to wait for ever.
const HANGS: Duration = Duration::from_secs(10);

/// Returns when a program that is started now, with a console of its own, has run.
pub async fn until_another_ran() {
    let Ok(program) = std::env::current_exe() else { return };
    let child = Command::new(program)
        .args(["host", "--console-event", "none"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir(super::neutral_folder())
        .creation_flags(CREATE_NO_WINDOW)
        .spawn();
    // Where none can be started there is nothing to measure by.
    if let Ok(child) = child {
        let _ = tokio::time::timeout(HANGS, super::wait::until_signalled(child.as_handle())).await;
    }
}
