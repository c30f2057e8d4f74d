//! Ctrl-C and polite kills as a flag, so that a command that changes the machine stops at a good moment.
//!
//! Only the first is taken: the second ends the process at once, as everybody expects of it, and the next command
//! recovers by the journal.

use std::sync::atomic::{AtomicBool, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C (SIGINT, SIGTERM, SIGHUP; Ctrl-Break) is kept for [`seen`].
pub fn watch() {
    sys::watch();
}

/// Whether there was one since [`watch`].
#[must_use]
pub fn seen() -> bool {
    SEEN.load(Ordering::Relaxed)
}

#[cfg(unix)]
mod sys {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    extern "C" fn on_signal(_: nix::libc::c_int) {
        super::SEEN.store(true, super::Ordering::Relaxed);
    }

    pub(super) fn watch() {
        // Without SA_RESTART, so that a call that waits comes back and its caller can look.
        let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESETHAND, SigSet::empty());
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
            let before = unsafe { sigaction(signal, &action) };
            // What was ignored when we started (`nohup`) stays so.
            if let Ok(before) = before
                && matches!(before.handler(), SigHandler::SigIgn)
            {
                // SAFETY: puts back what was there.
                let _ = unsafe { sigaction(signal, &before) };
            }
        }
    }
}

#[cfg(windows)]
mod sys {
    use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
    use windows_sys::core::BOOL;

    unsafe extern "system" fn on_event(_: u32) -> BOOL {
        // The first is ours; for the second, "not handled" means the default, which ends the process.
        BOOL::from(!super::SEEN.swap(true, super::Ordering::Relaxed))
    }

    pub(super) fn watch() {
        // SAFETY: the handler only touches an atomic and stays valid as long as the process.
        unsafe { SetConsoleCtrlHandler(Some(on_event), 1) };
    }
}

#[cfg(not(any(unix, windows)))]
mod sys {
    /// No such event here.
    pub(super) fn watch() {}
}
