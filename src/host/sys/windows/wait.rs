//! Waiting for a kernel object in the event loop: the system's wait thread tells a task.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::sync::Arc;

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

use super::handle::check;

type Call = Box<dyn Fn() + Send + Sync>;

/// A call that is made when an object is signalled, until this is dropped.
pub(super) struct Wait {
    registered: HANDLE,
    /// What the wait thread calls: a box, so that its address stays.
    _call: Box<Call>,
    _object: OwnedHandle,
}

// SAFETY: a registered wait may be ended by any thread, and the call may be made by any.
unsafe impl Send for Wait {}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

impl Wait {
    /// Calls when the object is signalled. `once`: not again, as for a process that has ended; else each time, as for an
    /// event that resets itself.
    pub(super) fn new(
        object: BorrowedHandle<'_>,
        once: bool,
        call: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let object = object.try_clone_to_owned()?;
        let call: Box<Call> = Box::new(Box::new(call));
        let mut registered: HANDLE = std::ptr::null_mut();
        let flags = WT_EXECUTEINWAITTHREAD | if once { WT_EXECUTEONLYONCE } else { 0 };
        // SAFETY: the object's handle and the call live as long as the wait, which `drop` ends before them.
        check(unsafe {
            RegisterWaitForSingleObject(
                &raw mut registered,
                object.as_raw_handle(),
                Some(signalled),
                std::ptr::from_ref(&*call).cast(),
                INFINITE,
                flags,
            )
        })?;
        Ok(Self { registered, _call: call, _object: object })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: ours, and not ended before; the invalid handle has it wait until no call is under way.
        unsafe { UnregisterWaitEx(self.registered, INVALID_HANDLE_VALUE) };
    }
}

unsafe extern "system" fn signalled(call: *mut c_void, _: bool) {
    // SAFETY: it is the box of `Wait::new`, which outlives the wait.
    let call = unsafe { &*call.cast::<Call>() };
    call();
}

/// Returns when the object is signalled, which stays so.
pub(super) async fn until_signalled(object: BorrowedHandle<'_>) -> io::Result<()> {
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    let wait = Wait::new(object, true, move || tell.notify_one())?;
    told.notified().await;
    drop(wait);
    Ok(())
}
