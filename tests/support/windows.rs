//! The service control manager as the tests see it, past daemonctl: its own calls.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::process::Command;

use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ControlService, CreateServiceW, DeleteService, OpenSCManagerW, OpenServiceW,
    QueryServiceStatusEx, SC_HANDLE, SC_MANAGER_ALL_ACCESS, SC_STATUS_PROCESS_INFO, SERVICE_ALL_ACCESS,
    SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, SERVICE_STATUS, SERVICE_STATUS_PROCESS, SERVICE_WIN32_OWN_PROCESS,
    StartServiceW,
};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_TERMINATE, TerminateProcess};

fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

fn last() -> u32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0).cast_unsigned()
}

/// Ends a process.
pub fn kill(pid: i32) {
    // SAFETY: it takes numbers only.
    let process = unsafe { OpenProcess(PROCESS_TERMINATE, 0, pid.cast_unsigned()) };
    assert!(!process.is_null(), "process {pid} cannot be opened: {}", last());
    // SAFETY: the handle was just given to us.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    // SAFETY: the handle is open for this.
    unsafe { TerminateProcess(process.as_raw_handle(), 9) };
}

/// Every key and value below `Services`, for "as before".
pub fn services() -> Vec<(PathBuf, String)> {
    let key = r"HKLM\SYSTEM\CurrentControlSet\Services";
    vec![(key.into(), registry(key))]
}

/// A key of the registry with all that is in it.
pub fn registry(key: &str) -> String {
    let output = Command::new("reg.exe").args(["query", key, "/s"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: ours, and used no more.
        unsafe { CloseServiceHandle(self.0) };
    }
}

fn manager() -> Handle {
    // SAFETY: neither machine nor data base is named: both are the usual ones.
    let handle = unsafe { OpenSCManagerW(std::ptr::null(), std::ptr::null(), SC_MANAGER_ALL_ACCESS) };
    assert!(!handle.is_null(), "no service control manager: {}", last());
    Handle(handle)
}

/// A service, by the manager's own calls. What was made by this is deleted with it.
pub struct Scm {
    name: String,
    made: bool,
    service: Handle,
    _manager: Handle,
}

impl Scm {
    /// Makes one that runs this command line.
    pub fn create(name: &str, command_line: &str) -> Self {
        let manager = manager();
        let (wide_name, path) = (wide(name), wide(command_line));
        let null = std::ptr::null();
        // SAFETY: the texts end with a zero, and what is null is as usual.
        let service = unsafe {
            CreateServiceW(
                manager.0,
                wide_name.as_ptr(),
                wide_name.as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_WIN32_OWN_PROCESS,
                SERVICE_DEMAND_START,
                SERVICE_ERROR_NORMAL,
                path.as_ptr(),
                null,
                std::ptr::null_mut(),
                null,
                null,
                null,
            )
        };
        assert!(!service.is_null(), "`{name}` cannot be made: {}", last());
        Self { name: name.to_owned(), made: true, service: Handle(service), _manager: manager }
    }

    /// One that is there. An error: the system's number.
    pub fn open(name: &str) -> Result<Self, u32> {
        let manager = manager();
        let wide_name = wide(name);
        // SAFETY: the text ends with a zero.
        let service = unsafe { OpenServiceW(manager.0, wide_name.as_ptr(), SERVICE_ALL_ACCESS) };
        if service.is_null() {
            return Err(last());
        }
        Ok(Self { name: name.to_owned(), made: false, service: Handle(service), _manager: manager })
    }

    /// Starts it; an error: the system's number.
    pub fn start(&self) -> Result<(), u32> {
        // SAFETY: the handle is open, and there are no arguments.
        if unsafe { StartServiceW(self.service.0, 0, std::ptr::null()) } == 0 { Err(last()) } else { Ok(()) }
    }

    /// Sends a control; an error: the system's number.
    pub fn control(&self, control: u32) -> Result<(), u32> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the handle is open, and the structure is one to be written to.
        if unsafe { ControlService(self.service.0, control, &raw mut status) } == 0 { Err(last()) } else { Ok(()) }
    }

    /// Deletes it, or marks it to be; an error: the system's number.
    pub fn delete(&self) -> Result<(), u32> {
        // SAFETY: the handle is open.
        if unsafe { DeleteService(self.service.0) } == 0 { Err(last()) } else { Ok(()) }
    }

    /// What the manager says of it.
    pub fn status(&self) -> SERVICE_STATUS_PROCESS {
        let mut status = SERVICE_STATUS_PROCESS::default();
        let size = u32::try_from(size_of::<SERVICE_STATUS_PROCESS>()).unwrap();
        let mut needed = 0;
        // SAFETY: the handle is open, and the buffer is a structure of that size.
        let done = unsafe {
            QueryServiceStatusEx(
                self.service.0,
                SC_STATUS_PROCESS_INFO,
                (&raw mut status).cast(),
                size,
                &raw mut needed,
            )
        };
        assert_ne!(done, 0, "`{}` cannot be asked: {}", self.name, last());
        status
    }

    /// Waits until it is in a state, and gives its status.
    #[track_caller]
    pub fn wait_for(&self, state: u32) -> SERVICE_STATUS_PROCESS {
        super::eventually(&format!("`{}` comes to state {state}", self.name), || self.status().dwCurrentState == state);
        self.status()
    }
}

impl Drop for Scm {
    fn drop(&mut self) {
        if self.made {
            let _ = self.control(windows_sys::Win32::System::Services::SERVICE_CONTROL_STOP);
            let _ = self.delete();
        }
    }
}
