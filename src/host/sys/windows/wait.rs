//! Waiting for kernel objects in the event loop: a thread waits for them and tells tasks.
//!
//! The system has threads for that as well, two of them at the least. One can wait for 63 objects, which is more than one
//! service ever needs; a supervisor of many gets another one where the last is full.

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects, WaitForSingleObject,
};

use super::handle::owned;

/// For so many objects one thread can wait, beside the event that it hears of others by (`MAXIMUM_WAIT_OBJECTS`).
const ROOM: usize = 63;

/// What a thread needs to call others: it has no depth.
const STACK: usize = 128 * 1024;

type Call = Box<dyn Fn() + Send>;

/// An object that is waited for.
struct Entry {
    object: OwnedHandle,
    once: bool,
    /// Taken when nobody is to be told any more; held while somebody is.
    call: Mutex<Option<Call>>,
}

impl Entry {
    fn call(&self) -> MutexGuard<'_, Option<Call>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that waits.
struct Waiter {
    entries: Mutex<Vec<Arc<Entry>>>,
    /// Set when the entries have changed.
    changed: OwnedHandle,
}

static WAITERS: Mutex<Vec<Arc<Waiter>>> = Mutex::new(Vec::new());

impl Waiter {
    fn start() -> io::Result<Arc<Self>> {
        // SAFETY: neither attributes nor a name; the handle is ours.
        let changed = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }?;
        let waiter = Arc::new(Self { entries: Mutex::default(), changed });
        let own = Arc::clone(&waiter);
        std::thread::Builder::new().name("waits".into()).stack_size(STACK).spawn(move || own.work())?;
        Ok(waiter)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_of_change(&self) {
        // SAFETY: the event lives as long as the waiter.
        unsafe { SetEvent(self.changed.as_raw_handle()) };
    }

    fn remove(&self, entry: &Arc<Entry>) {
        self.entries().retain(|other| !Arc::ptr_eq(other, entry));
    }

    fn work(&self) {
        super::memory::give_back();
        loop {
            // What is waited for stays open meanwhile.
            let mut entries = self.entries().clone();
            let mut changed = false;
            while !changed {
                let handles: Vec<*mut c_void> = std::iter::once(self.changed.as_raw_handle())
                    .chain(entries.iter().map(|entry| entry.object.as_raw_handle()))
                    .collect();
                let count = u32::try_from(handles.len()).unwrap_or(0);
                // SAFETY: so many handles are there, and open as long as `entries` has them.
                let which = unsafe { WaitForMultipleObjects(count, handles.as_ptr(), 0, INFINITE) };
                changed = match usize::try_from(which - WAIT_OBJECT_0) {
                    Ok(0) => true,
                    Ok(number) if number <= entries.len() => {
                        let entry = Arc::clone(&entries[number - 1]);
                        self.tell(&entry);
                        // Where several are signalled, the first is told: its turn comes last now.
                        entries.rotate_left(number);
                        entry.once
                    }
                    // One of them cannot be waited for.
                    _ => self.tell_of_broken(&entries),
                };
            }
        }
    }

    fn tell(&self, entry: &Arc<Entry>) {
        if entry.once {
            self.remove(entry);
        }
        if let Some(call) = &*entry.call() {
            call();
        }
    }

    /// Whoever waits for what cannot be waited for is told at once, and sees what is wrong with it.
    fn tell_of_broken(&self, entries: &[Arc<Entry>]) -> bool {
        for entry in entries {
            // SAFETY: the handle is open; it does not wait.
            if unsafe { WaitForSingleObject(entry.object.as_raw_handle(), 0) } == WAIT_FAILED {
                self.remove(entry);
                self.tell(entry);
            }
        }
        true
    }
}

/// A call that is made when an object is signalled, until this is dropped.
pub(super) struct Wait {
    entry: Arc<Entry>,
    waiter: Arc<Waiter>,
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

impl Wait {
    /// Calls when the object is signalled. `once`: not again, as for a process that has ended; else each time, as for an
    /// event that resets itself. The call is short, and drops no wait.
    pub(super) fn new(object: BorrowedHandle<'_>, once: bool, call: impl Fn() + Send + 'static) -> io::Result<Self> {
        let call: Call = Box::new(call);
        let object = object.try_clone_to_owned()?;
        let entry = Arc::new(Entry { object, once, call: Mutex::new(Some(call)) });
        let mut waiters = WAITERS.lock().unwrap_or_else(PoisonError::into_inner);
        let with_room = waiters.iter().find(|waiter| waiter.entries().len() < ROOM).map(Arc::clone);
        let waiter = if let Some(waiter) = with_room {
            waiter
        } else {
            let waiter = Waiter::start()?;
            waiters.push(Arc::clone(&waiter));
            waiter
        };
        waiter.entries().push(Arc::clone(&entry));
        waiter.tell_of_change();
        Ok(Self { entry, waiter })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // When this lock is had, no call is under way; and none comes after it.
        self.entry.call().take();
        self.waiter.remove(&self.entry);
        self.waiter.tell_of_change();
    }
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

#[cfg(test)]
mod tests {
    use std::os::windows::io::AsHandle;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn event() -> OwnedHandle {
        // SAFETY: neither attributes nor a name; the handle is ours.
        unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }.unwrap()
    }

    fn set(event: &OwnedHandle) {
        // SAFETY: the event is open.
        unsafe { SetEvent(event.as_raw_handle()) };
    }

    /// How long something may take on a loaded machine.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn each_of_more_objects_than_one_thread_can_wait_for_is_told() {
        let (sender, told) = mpsc::channel();
        let events: Vec<OwnedHandle> = (0..150).map(|_| event()).collect();
        let waits: Vec<Wait> = events
            .iter()
            .enumerate()
            .map(|(number, event)| {
                let sender = sender.clone();
                Wait::new(event.as_handle(), false, move || sender.send(number).unwrap()).unwrap()
            })
            .collect();
        for _ in 0..2 {
            events.iter().for_each(set);
            let mut all: Vec<usize> = (0..events.len()).map(|_| told.recv_timeout(LONG).unwrap()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..events.len()).collect::<Vec<_>>());
        }
        drop(waits);
        events.iter().for_each(set);
        drop(sender);
        assert!(told.recv_timeout(LONG).is_err(), "told after the wait was over");
    }

    #[test]
    fn once_is_once_and_no_wait_is_none() {
        let (sender, told) = mpsc::channel();
        let event = event();
        let again = sender.clone();
        let once = Wait::new(event.as_handle(), true, move || again.send("once").unwrap()).unwrap();
        set(&event);
        assert_eq!(told.recv_timeout(LONG), Ok("once"));
        set(&event);
        // A later one has it.
        let _wait = Wait::new(event.as_handle(), false, move || sender.send("later").unwrap()).unwrap();
        assert_eq!(told.recv_timeout(LONG), Ok("later"));
        drop(once);
    }
}
