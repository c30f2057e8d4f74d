//! Events of files: `ReadDirectoryChangesW` on each folder.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OVERLAPPED, FILE_LIST_DIRECTORY, FILE_NOTIFY_CHANGE_CREATION,
    FILE_NOTIFY_CHANGE_DIR_NAME, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_NOTIFY_CHANGE_LAST_WRITE, FILE_NOTIFY_CHANGE_SIZE,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, ReadDirectoryChangesW,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::handle::{check, owned};
use super::wait::Wait;
use crate::host::sys::touch::{Touch, What};

const EVENTS: u32 = FILE_NOTIFY_CHANGE_FILE_NAME
    | FILE_NOTIFY_CHANGE_DIR_NAME
    | FILE_NOTIFY_CHANGE_SIZE
    | FILE_NOTIFY_CHANGE_LAST_WRITE
    | FILE_NOTIFY_CHANGE_CREATION;

/// More events than fit are told as "something, somewhere".
const ROOM: usize = 4096;

/// Any number of watches.
pub struct Watcher {
    folders: RefCell<HashMap<i32, Folder>>,
    numbers: RefCell<HashMap<PathBuf, i32>>,
    told: RefCell<Option<mpsc::UnboundedReceiver<i32>>>,
    tell: mpsc::UnboundedSender<i32>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

/// A read that is under way; the system writes to what it points to until it is over.
struct Folder {
    wait: Option<Wait>,
    file: File,
    event: OwnedHandle,
    read: Box<Read>,
}

struct Read {
    overlapped: OVERLAPPED,
    /// Aligned as the records in it are.
    buffer: [u32; ROOM],
}

impl Watcher {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        let (tell, told) = mpsc::unbounded_channel();
        Ok(Self { folders: RefCell::default(), numbers: RefCell::default(), told: RefCell::new(Some(told)), tell })
    }

    /// Watches a folder; one that is watched already gives the same number.
    pub fn add(&self, folder: &Path) -> io::Result<i32> {
        if let Some(number) = self.numbers.borrow().get(folder) {
            return Ok(*number);
        }
        let mut numbers = self.numbers.borrow_mut();
        let number = numbers.values().max().map_or(1, |last| last + 1);
        let file = File::options()
            .access_mode(FILE_LIST_DIRECTORY)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED)
            .open(folder)?;
        if !file.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        // SAFETY: neither attributes nor a name; the handle is ours.
        let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }?;
        let overlapped = OVERLAPPED { hEvent: event.as_raw_handle(), ..OVERLAPPED::default() };
        let tell = Arc::new(self.tell.clone());
        let wait = Wait::new(event.as_handle(), false, move || {
            let _ = tell.send(number);
        })?;
        let read = Box::new(Read { overlapped, buffer: [0; ROOM] });
        let mut watched = Folder { wait: Some(wait), file, event, read };
        watched.listen()?;
        self.folders.borrow_mut().insert(number, watched);
        numbers.insert(folder.to_owned(), number);
        Ok(number)
    }

    /// Watches no more; one that is over already is no error.
    pub fn remove(&self, watch: i32) {
        self.folders.borrow_mut().remove(&watch);
        self.numbers.borrow_mut().retain(|_, number| *number != watch);
    }

    /// Waits for events.
    pub async fn next(&self) -> io::Result<Vec<Touch>> {
        let Some(mut told) = self.told.take() else { return std::future::pending().await };
        let number = told.recv().await;
        *self.told.borrow_mut() = Some(told);
        let number = number.ok_or(io::ErrorKind::BrokenPipe)?;
        let touches = self.folders.borrow_mut().get_mut(&number).map(|folder| folder.take(number));
        let touches = touches.unwrap_or_default();
        if touches.iter().any(|touch| touch.what == What::Over) {
            self.remove(number);
        }
        Ok(touches)
    }
}

impl Folder {
    fn listen(&mut self) -> io::Result<()> {
        let bytes = u32::try_from(size_of_val(&self.read.buffer)).unwrap_or(0);
        // SAFETY: the folder is open; the buffer and the structure stay where they are until the read is over, which
        // `drop` waits for.
        check(unsafe {
            ReadDirectoryChangesW(
                self.file.as_raw_handle(),
                (&raw mut self.read.buffer).cast(),
                bytes,
                0,
                EVENTS,
                std::ptr::null_mut(),
                &raw mut self.read.overlapped,
                None,
            )
        })
    }

    /// What the read that is over has brought; another one begins.
    fn take(&mut self, number: i32) -> Vec<Touch> {
        let mut bytes = 0;
        // SAFETY: the structure is that of the read, whose event was signalled; it does not wait.
        let done = unsafe {
            GetOverlappedResult(self.file.as_raw_handle(), &raw const self.read.overlapped, &raw mut bytes, 0)
        };
        let watch = Some(number);
        let over = || vec![Touch { watch, name: None, what: What::Over }];
        if done == 0 {
            return over();
        }
        let names = names(&self.read.buffer, usize::try_from(bytes).unwrap_or(0));
        let mut touches: Vec<Touch> =
            names.into_iter().map(|name| Touch { watch, name: Some(name), what: What::Other }).collect();
        if touches.is_empty() {
            touches.push(Touch { watch: None, name: None, what: What::Other });
        }
        if self.listen().is_err() {
            touches.extend(over());
        }
        touches
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // First the wait, so that nobody is told of the end of the read.
        self.wait = None;
        let mut bytes = 0;
        // SAFETY: the read of this structure is cancelled, and waited for: nothing is written to it after this.
        unsafe {
            CancelIoEx(self.file.as_raw_handle(), &raw const self.read.overlapped);
            GetOverlappedResult(self.file.as_raw_handle(), &raw const self.read.overlapped, &raw mut bytes, 1);
        }
        let _ = &self.event;
    }
}

/// The names in a buffer of `FILE_NOTIFY_INFORMATION` records: offset of the next, action, length in bytes, name.
fn names(buffer: &[u32], bytes: usize) -> Vec<OsString> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some([next, _, length]) = buffer.get(at..).and_then(|rest| rest.first_chunk::<3>()) {
        let length = usize::try_from(*length).unwrap_or(0);
        if (at + 3) * 4 + length > bytes {
            break;
        }
        let units: Vec<u16> = buffer
            .get(at + 3..)
            .unwrap_or_default()
            .iter()
            .flat_map(|word| {
                let [a, b, c, d] = word.to_le_bytes();
                [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
            })
            .take(length / 2)
            .collect();
        found.push(OsString::from_wide(&units));
        if *next == 0 {
            break;
        }
        at += usize::try_from(*next).unwrap_or(usize::MAX / 8) / 4;
    }
    found
}

/// What a refusal to watch more means, where that is the reason.
#[must_use]
pub const fn watch_limit(_: &io::Error) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_each_record() {
        let record = |next: u32, name: &str| {
            let units: Vec<u16> = name.encode_utf16().collect();
            let mut words = vec![next, 1, u32::try_from(units.len() * 2).unwrap()];
            words.extend(units.chunks(2).map(|pair| u32::from(pair[0]) | u32::from(*pair.get(1).unwrap_or(&0)) << 16));
            words
        };
        let mut buffer = record(20, "ab");
        buffer.resize(5, 0);
        buffer.extend(record(0, "ü.toml"));
        let bytes = buffer.len() * 4;
        assert_eq!(names(&buffer, bytes), ["ab", "ü.toml"]);
        assert_eq!(names(&buffer, 0), Vec::<OsString>::new());
    }
}
