//! The pipe between a service and whoever captures its output. The host keeps an end for writing as well, so that it never
//! reports an end while services come and go.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_PIPE_CONNECTED};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_INBOUND, ReadFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::control::with_private_access;
use super::handle::{check, owned, wide};
use super::wait::Wait;
use crate::error::{IoContext, Result};

/// What the system keeps of what nobody has read yet.
const ROOM: u32 = 256 * 1024;

/// What is read at a time.
const PIECE: usize = 64 * 1024;

/// Our end of a service's pipe, in the event loop.
///
/// A read is under way whenever there is nothing to give, and its end is told by an event. So what was written can also be
/// taken without the loop, as when a service has ended.
#[derive(Debug)]
pub struct PipeEnd(Rc<Reader>);

/// Reads what is there.
struct Reader {
    /// First, so that nobody is told any more when the rest goes.
    _wait: Wait,
    told: Arc<Notify>,
    piece: RefCell<Box<Piece>>,
    pipe: OwnedHandle,
    _event: OwnedHandle,
}

/// A read, and what it brought. The system writes to it while the read is under way.
struct Piece {
    overlapped: OVERLAPPED,
    /// With room for a piece, which is memory only as far as somebody has written to it.
    bytes: Vec<u8>,
    under_way: bool,
    from: usize,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

impl Reader {
    fn new(pipe: OwnedHandle) -> io::Result<Self> {
        // SAFETY: neither attributes nor a name; the handle is ours.
        let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }?;
        let told = Arc::new(Notify::new());
        let tell = Arc::clone(&told);
        let wait = Wait::new(event.as_handle(), false, move || tell.notify_one())?;
        let overlapped = OVERLAPPED { hEvent: event.as_raw_handle(), ..OVERLAPPED::default() };
        let piece = Box::new(Piece { overlapped, bytes: Vec::with_capacity(PIECE), under_way: false, from: 0 });
        Ok(Self { _wait: wait, told, piece: RefCell::new(piece), pipe, _event: event })
    }

    /// Whether there is something to give; else a read is under way.
    fn fill(&self) -> io::Result<bool> {
        let mut piece = self.piece.borrow_mut();
        let piece = &mut **piece;
        if piece.from < piece.bytes.len() {
            return Ok(true);
        }
        let pipe = self.pipe.as_raw_handle();
        if !piece.under_way {
            piece.bytes.clear();
            let length = u32::try_from(PIECE).unwrap_or(0);
            // SAFETY: the structure is in a box of its own, and so are the bytes; both stay where they are until the read is over, which `drop` waits for.
            let read = check(unsafe {
                ReadFile(pipe, piece.bytes.as_mut_ptr(), length, std::ptr::null_mut(), &raw mut piece.overlapped)
            });
            match read {
                Err(error) if !is(&error, ERROR_IO_PENDING) => return Err(error),
                _ => piece.under_way = true,
            }
        }
        let mut count = 0;
        // SAFETY: the structure is that of the read that is under way; it does not wait.
        match check(unsafe { GetOverlappedResult(pipe, &raw const piece.overlapped, &raw mut count, 0) }) {
            Err(error) if is(&error, ERROR_IO_INCOMPLETE) => return Ok(false),
            ended => {
                piece.under_way = false;
                ended?;
            }
        }
        piece.from = 0;
        // SAFETY: the read has written so many bytes into the room of a piece, and is over.
        unsafe { piece.bytes.set_len(usize::try_from(count).unwrap_or(0).min(PIECE)) };
        Ok(count > 0)
    }
}

impl Read for &Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.fill()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut piece = self.piece.borrow_mut();
        let left = piece.bytes.get(piece.from..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        piece.from += count;
        Ok(count)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let piece = self.piece.get_mut();
        if piece.under_way {
            let mut count = 0;
            // SAFETY: the read of this structure is cancelled, and waited for: nothing is written to it after this.
            unsafe {
                CancelIoEx(self.pipe.as_raw_handle(), &raw const piece.overlapped);
                GetOverlappedResult(self.pipe.as_raw_handle(), &raw const piece.overlapped, &raw mut count, 1);
            }
        }
    }
}

impl PipeEnd {
    /// Whether a read of so much into so much room leaves it open that there is more: one read gives a piece at most.
    #[must_use]
    pub const fn fills(count: usize, room: usize) -> bool {
        count >= room || count >= PIECE
    }

    /// How many bytes can be read at once.
    pub fn waiting(&self) -> io::Result<usize> {
        let there = self.0.fill()?;
        let piece = self.0.piece.borrow();
        Ok(if there { piece.bytes.len() - piece.from } else { 0 })
    }

    /// Reads, without waiting.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }

    /// It holds as much as it was made for.
    pub fn resize(&self, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has the event loop listen to it until that is dropped.
    pub fn listen(&self) -> io::Result<Listening> {
        Ok(Listening(Rc::clone(&self.0)))
    }
}

/// The event loop listens to a pipe.
#[derive(Debug)]
pub struct Listening(Rc<Reader>);

impl Listening {
    /// Returns when there is something to be read, or reading fails.
    pub async fn until_more(&mut self) -> io::Result<()> {
        while !self.0.fill()? {
            self.0.told.notified().await;
        }
        Ok(())
    }
}

/// Where the service's end is had.
#[derive(Debug, Clone)]
pub struct ChildEnd(Arc<File>);

impl ChildEnd {
    /// The service's end, once more.
    pub fn open(&self) -> Result<File> {
        self.0.try_clone().doing("open a pipe")
    }

    /// Its name is known to nobody, and goes with its ends.
    pub const fn remove(&self) {}
}

/// A new pipe: both its ends.
pub fn log_pipe(_: &Path, _: Option<(u32, u32)>) -> Result<(PipeEnd, ChildEnd)> {
    make().doing("make a pipe")
}

fn make() -> io::Result<(PipeEnd, ChildEnd)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(r"\\.\pipe\daemonctl-log-{}-{number}", std::process::id());
    let wide_name = wide(&name)?;
    let pipe = with_private_access(|attributes| {
        // SAFETY: the name ends with a zero; the attributes and their descriptor live until the call returns.
        unsafe {
            owned(CreateNamedPipeW(
                wide_name.as_ptr(),
                PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                1,
                0,
                ROOM,
                0,
                attributes.cast(),
            ))
        }
    })?;
    let child = File::options().write(true).open(&name)?;
    let reader = Reader::new(pipe)?;
    {
        let mut piece = reader.piece.borrow_mut();
        // SAFETY: the structure stays where it is; the call has nothing to wait for, as our other end is connected.
        let connected = check(unsafe { ConnectNamedPipe(reader.pipe.as_raw_handle(), &raw mut piece.overlapped) });
        connected.or_else(|error| if is(&error, ERROR_PIPE_CONNECTED) { Ok(()) } else { Err(error) })?;
    }
    Ok((PipeEnd(Rc::new(reader)), ChildEnd(Arc::new(child))))
}

/// The end of a pipe that has this in it, and then ends.
pub fn holding(input: &[u8]) -> io::Result<File> {
    let (read, mut write) = io::pipe()?;
    write.write_all(input)?;
    Ok(OwnedHandle::from(read).into())
}
