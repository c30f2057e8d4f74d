//! The service control manager above: the host as a service of its.
//!
//! Nothing is done before the manager is told that we are there: it waits for that, and at boot others wait for it. Its
//! controls are taken by a handler that only tells the loop; the status is set by one task in the loop and, at the end, by
//! the thread that ran it, so its words come in order. While a start or a stop goes on, the checkpoint moves as long as the
//! loop does: one that hangs is seen as what it is. See
//! <https://learn.microsoft.com/windows/win32/services/service-servicemain-function>.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR,
};
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_ACCEPT_PARAMCHANGE, SERVICE_ACCEPT_PRESHUTDOWN, SERVICE_ACCEPT_SHUTDOWN,
    SERVICE_ACCEPT_STOP, SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PARAMCHANGE, SERVICE_CONTROL_PRESHUTDOWN,
    SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP, SERVICE_RUNNING, SERVICE_START_PENDING, SERVICE_STATUS,
    SERVICE_STATUS_CURRENT_STATE, SERVICE_STATUS_HANDLE, SERVICE_STOP_PENDING, SERVICE_STOPPED, SERVICE_TABLE_ENTRYW,
    SERVICE_WIN32_OWN_PROCESS, SetServiceStatus, StartServiceCtrlDispatcherW,
};
use windows_sys::core::PWSTR;

use super::handle::{check, wide};
use super::signals::TELL;
use crate::error::{Error, Result};
use crate::exit::Exit;

/// How often the checkpoint moves: well within what anybody waits for one to move.
const TICK: Duration = Duration::from_secs(2);

/// The first wait hint, and how much longer each next one is: some programs want to see that grow as well.
const HINT: (u32, u32) = (10_000, 1_000);

/// Stops that take longer than this need to be told of a shutdown earlier than the others.
const SHORT: Duration = Duration::from_secs(5);

/// What a service came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was asked to stop, or ended well.
    Well,
    /// With this code, which its program left or, where there was none, daemonctl's own exit code.
    Failed(u32),
}

type Work = Box<dyn FnOnce() -> End + Send>;

struct Link {
    handle: SERVICE_STATUS_HANDLE,
    checkpoint: AtomicU32,
    state: AtomicU32,
}

// SAFETY: the handle is a number that any thread may use.
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

static LINK: OnceLock<Link> = OnceLock::new();
static WORK: Mutex<Option<Work>> = Mutex::new(None);
/// A shutdown is heard of before the others.
static EARLY: AtomicBool = AtomicBool::new(false);

/// Whether the service control manager has started this process.
#[must_use]
pub fn is_service() -> bool {
    LINK.get().is_some()
}

/// Does the work as a service, and returns when it is stopped. An error: nobody started us as one.
pub fn run(work: impl FnOnce() -> End + Send + 'static) -> Result<()> {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(work));
    // The name means nothing where a process has one service.
    let mut name = [0u16];
    let table = [
        SERVICE_TABLE_ENTRYW { lpServiceName: name.as_mut_ptr(), lpServiceProc: Some(service_main) },
        SERVICE_TABLE_ENTRYW { lpServiceName: std::ptr::null_mut(), lpServiceProc: None },
    ];
    // This thread waits until the end.
    super::memory::give_back();
    // SAFETY: the table ends with an empty entry, and lives until the call returns, which is when the service has ended.
    check(unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) }).map_err(|error| {
        if error.raw_os_error() == Some(ERROR_FAILED_SERVICE_CONTROLLER_CONNECT.cast_signed()) {
            Error::new(Exit::Usage, "only the service control manager starts this (Win32 error 1063)")
                .hint("`daemonctl start NAME` has it do so; `daemonctl run MANIFEST` runs services in the foreground")
        } else {
            Error::io("connect to the service control manager", &error)
        }
    })
}

unsafe extern "system" fn service_main(_: u32, argv: *mut PWSTR) {
    // SAFETY: the manager gives the service's name as the first argument.
    let name = unsafe { argv.as_ref() }.copied();
    let Ok(empty) = wide("") else { return };
    // SAFETY: the name ends with a zero; the handler lives as long as the process.
    let handle = unsafe {
        RegisterServiceCtrlHandlerExW(name.unwrap_or(empty.as_ptr().cast_mut()), Some(control), std::ptr::null())
    };
    if handle.is_null() {
        return;
    }
    let link = LINK.get_or_init(|| Link { handle, checkpoint: AtomicU32::new(0), state: AtomicU32::new(0) });
    link.pending(SERVICE_START_PENDING);
    super::memory::give_back();
    let work = WORK.lock().unwrap_or_else(PoisonError::into_inner).take();
    let end = work.map_or(End::Well, |work| work());
    link.stopped(end);
}

/// It only tells the loop: while it has not returned, no control of any other service gets through.
unsafe extern "system" fn control(control: u32, _: u32, _: *mut c_void, _: *mut c_void) -> u32 {
    match control {
        SERVICE_CONTROL_STOP | SERVICE_CONTROL_SHUTDOWN | SERVICE_CONTROL_PRESHUTDOWN => TELL.end.notify_one(),
        SERVICE_CONTROL_PARAMCHANGE => TELL.hangup.notify_one(),
        SERVICE_CONTROL_INTERROGATE => {}
        _ => return ERROR_CALL_NOT_IMPLEMENTED,
    }
    NO_ERROR
}

impl Link {
    fn set(&self, state: SERVICE_STATUS_CURRENT_STATE, accepted: u32, end: End, checkpoint: u32) {
        let (win32, specific) = match end {
            End::Well => (NO_ERROR, 0),
            End::Failed(code) => (ERROR_SERVICE_SPECIFIC_ERROR, code),
        };
        let status = SERVICE_STATUS {
            dwServiceType: SERVICE_WIN32_OWN_PROCESS,
            dwCurrentState: state,
            dwControlsAccepted: accepted,
            dwWin32ExitCode: win32,
            dwServiceSpecificExitCode: specific,
            dwCheckPoint: checkpoint,
            dwWaitHint: if checkpoint == 0 { 0 } else { HINT.0 + HINT.1 * checkpoint },
        };
        self.state.store(state, Ordering::Relaxed);
        // SAFETY: the handle was given to us for this service, and the structure is complete.
        unsafe { SetServiceStatus(self.handle, &raw const status) };
    }

    /// Still at it.
    fn pending(&self, state: SERVICE_STATUS_CURRENT_STATE) {
        let checkpoint = self.checkpoint.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever has started it by mistake need not wait until it is up.
        let accepted = if state == SERVICE_START_PENDING && checkpoint > 1 { SERVICE_ACCEPT_STOP } else { 0 };
        self.set(state, accepted, End::Well, checkpoint);
    }

    fn running(&self) {
        self.checkpoint.store(0, Ordering::Relaxed);
        let shutdown = if EARLY.load(Ordering::Relaxed) { SERVICE_ACCEPT_PRESHUTDOWN } else { SERVICE_ACCEPT_SHUTDOWN };
        self.set(SERVICE_RUNNING, SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PARAMCHANGE | shutdown, End::Well, 0);
    }

    /// The last word: after it this process may be ended at any moment.
    fn stopped(&self, end: End) {
        self.set(SERVICE_STOPPED, 0, end, 0);
    }

    fn is(&self, state: SERVICE_STATUS_CURRENT_STATE) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }
}

/// The manager above, for the loop.
#[derive(Debug)]
pub struct Above {
    tick: tokio::task::AbortHandle,
}

impl Above {
    /// None: nobody is above. In the loop.
    #[must_use]
    pub fn find() -> Option<Self> {
        let link = LINK.get()?;
        let tick = tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(TICK).await;
                if link.is(SERVICE_START_PENDING) || link.is(SERVICE_STOP_PENDING) {
                    link.pending(link.state.load(Ordering::Relaxed));
                }
            }
        });
        link.pending(SERVICE_START_PENDING);
        Some(Self { tick: tick.abort_handle() })
    }

    /// It hears whether we are up, and no more.
    #[must_use]
    pub const fn hears_services(&self) -> bool {
        false
    }

    /// Says something in the words of `sd_notify`, as far as the manager has words for it.
    pub fn send(&self, message: &str) {
        let Some(link) = LINK.get() else { return };
        match message {
            "READY=1" if link.is(SERVICE_START_PENDING) => link.running(),
            "STOPPING=1" if !link.is(SERVICE_STOP_PENDING) => {
                link.checkpoint.store(0, Ordering::Relaxed);
                link.pending(SERVICE_STOP_PENDING);
            }
            _ => {}
        }
    }

    /// It waits before the next start. That is no state of the manager's: the service is up, as far as it goes.
    pub fn retries(&self) {
        if let Some(link) = LINK.get().filter(|link| link.is(SERVICE_START_PENDING)) {
            link.running();
        }
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        self.tick.abort();
    }
}

/// How long the stop of this service may take: a long one needs to hear of a shutdown early.
pub fn stop_takes(time: Duration) {
    EARLY.store(time > SHORT, Ordering::Relaxed);
}
