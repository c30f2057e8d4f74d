//! The control pipe: for its owner, the system and administrators only, and for nobody on another machine.
//!
//! Its name is made of the path that the socket has elsewhere, so who knows the folder knows the pipe.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, HANDLE, HLOCAL, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::SECURITY_IDENTIFICATION;
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, WaitNamedPipeW};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::Socket;
use super::handle::{check, owned, size_of_it, wide};

/// The reading half of a connection.
pub type ReadEnd = ReadHalf<NamedPipeServer>;

/// The writing half of a connection.
pub type WriteEnd = WriteHalf<NamedPipeServer>;

/// The system's own account.
const SYSTEM: &str = "S-1-5-18";

/// A client waits so long for the pipe to be free.
const BUSY: Duration = Duration::from_secs(2);

/// The name of a pipe in place of that path.
pub(super) fn pipe_name(path: &Path) -> String {
    use std::fmt::Write as _;
    let path = path.to_string_lossy().to_lowercase();
    let mut name = r"\\.\pipe\daemonctl-".to_owned();
    for byte in Sha256::digest(path.as_bytes()).iter().take(16) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The pipe, while it listens.
#[derive(Debug)]
pub struct Listener {
    name: String,
    /// Who the next client is connected to.
    next: RefCell<Option<NamedPipeServer>>,
}

impl Listener {
    /// Makes it. Another one of that name is an error: it would hear what is meant for us.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let name = pipe_name(path);
        let next = RefCell::new(Some(server(&name, true)?));
        Ok(Self { name, next })
    }

    /// Itself: its name is there for as long as it is.
    pub fn again(self: &Rc<Self>, _: &Path) -> io::Result<Rc<Self>> {
        Ok(Rc::clone(self))
    }

    /// Never called, as nothing is ever left to us.
    pub fn go_on(socket: Socket) -> io::Result<Self> {
        match socket {}
    }

    /// The next client. Nobody is lost if it is dropped: who waits then is the next one's.
    pub async fn accept(&self) -> io::Result<Stream> {
        let waiting = self.next.take();
        let mut waiting =
            Waiting { listener: self, server: Some(waiting.map_or_else(|| server(&self.name, false), Ok)?) };
        let connected = match &waiting.server {
            Some(server) => server.connect().await,
            None => Ok(()),
        };
        let taken = waiting.server.take();
        // Somebody must listen before this one is talked to.
        *self.next.borrow_mut() = server(&self.name, false).ok();
        connected.and(taken.map(Stream).ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }

    /// No other process can have it.
    pub fn hand_over(&self) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A pipe that waits for its client, and goes back to its listener if it waited in vain.
struct Waiting<'a> {
    listener: &'a Listener,
    server: Option<NamedPipeServer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            *self.listener.next.borrow_mut() = Some(server);
        }
    }
}

fn server(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first).reject_remote_clients(true);
    with_private_access(|attributes| {
        // SAFETY: the attributes and their descriptor live until the call returns.
        unsafe { options.create_with_security_attributes_raw(name, attributes.cast()) }
    })
}

/// Gives a call security attributes by which only we, the system and administrators have access.
pub(super) fn with_private_access<T>(call: impl FnOnce(*mut std::ffi::c_void) -> io::Result<T>) -> io::Result<T> {
    let access = format!("D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;{})", own_sid()?);
    let access = wide(access)?;
    let mut descriptor: PSECURITY_DESCRIPTOR = std::ptr::null_mut();
    // SAFETY: the text ends with a zero; the descriptor is freed below.
    check(unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            access.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            std::ptr::null_mut(),
        )
    })?;
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: size_of_it::<SECURITY_ATTRIBUTES>(),
        lpSecurityDescriptor: descriptor,
        bInheritHandle: 0,
    };
    let result = call((&raw mut attributes).cast());
    // SAFETY: it was given to us to be freed so, and nothing uses it any more.
    unsafe { LocalFree(descriptor as HLOCAL) };
    result
}

fn own_sid() -> io::Result<String> {
    // SAFETY: the pseudo handle of our own process is always good, and never closed.
    sid_of(unsafe { GetCurrentProcess() })
}

/// Who a process runs as.
fn sid_of(process: HANDLE) -> io::Result<String> {
    let mut token: HANDLE = std::ptr::null_mut();
    // SAFETY: the handle is open, and the token's handle is ours.
    check(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: it was just given to us.
    let token = unsafe { owned(token) }?;
    // Aligned for the structure at its beginning; the SID lies behind that.
    let mut buffer = [0u64; 32];
    let length = u32::try_from(size_of_val(&buffer)).unwrap_or(0);
    let mut written = 0;
    // SAFETY: the buffer has that many bytes.
    check(unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenUser, buffer.as_mut_ptr().cast(), length, &raw mut written)
    })?;
    // SAFETY: the call has put that structure there.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    let mut text = std::ptr::null_mut();
    // SAFETY: the SID lies in the buffer; the text is freed below.
    check(unsafe { ConvertSidToStringSidW(user.User.Sid, &raw mut text) })?;
    let mut units = Vec::new();
    let mut at = text;
    // SAFETY: the text ends with a zero, and is freed after its last use.
    unsafe {
        while *at != 0 {
            units.push(*at);
            at = at.add(1);
        }
        LocalFree(text as HLOCAL);
    }
    Ok(String::from_utf16_lossy(&units))
}

/// A client's connection.
#[derive(Debug)]
pub struct Stream(NamedPipeServer);

impl Stream {
    /// The system and ourselves. The pipe's own list keeps others out; whom we may not look at, it has let in.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        let mut pid = 0;
        // SAFETY: the pipe is open, and the pointer is to a living integer.
        if unsafe { GetNamedPipeClientProcessId(self.0.as_raw_handle(), &raw mut pid) } == 0 {
            return false;
        }
        // SAFETY: it takes numbers only, and the handle is ours.
        let Ok(process) = (unsafe { owned(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid)) }) else {
            return true;
        };
        sid(&process).is_none_or(|sid| sid == SYSTEM || own_sid().is_ok_and(|own| own == sid) || is_administrator())
    }

    /// Its halves.
    #[must_use]
    pub fn split(self) -> (ReadEnd, WriteEnd) {
        tokio::io::split(self.0)
    }
}

fn sid(process: &OwnedHandle) -> Option<String> {
    sid_of(process.as_raw_handle()).ok()
}

/// Another administrator may talk to the machine's own supervisor.
fn is_administrator() -> bool {
    crate::system::machine::is_root()
}

/// A pipe is closed as a whole: who does not write any more does not listen either.
pub async fn still_listens(_: &WriteEnd) -> bool {
    false
}

/// A client's end, blocking.
#[derive(Debug)]
pub struct Caller {
    pipe: File,
    /// What another thread reads; made with the first look, as a blocking read holds up what is written.
    read: Option<mpsc::Receiver<io::Result<Vec<u8>>>>,
    left: Vec<u8>,
}

impl Caller {
    /// Connects. `NotFound`: nobody listens.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let name = pipe_name(path);
        let open = || {
            // Whoever has made a pipe of that name must not act in our name.
            File::options().read(true).write(true).security_qos_flags(SECURITY_IDENTIFICATION).open(&name)
        };
        let pipe = match open() {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) => {
                let name = wide(&name)?;
                // SAFETY: the text ends with a zero.
                unsafe { WaitNamedPipeW(name.as_ptr(), u32::try_from(BUSY.as_millis()).unwrap_or(0)) };
                open()?
            }
            opened => opened?,
        };
        Ok(Self { pipe, read: None, left: Vec::new() })
    }

    /// Sends all of it. Before the first [`line`](Self::line).
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pipe.write_all(bytes)
    }

    /// Adds what comes up to the end of a line; 0: there is no more. `TimedOut`: not within the time.
    pub fn line(&mut self, line: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<usize> {
        loop {
            if let Some(end) = self.left.iter().position(|byte| *byte == b'\n') {
                let rest = self.left.split_off(end + 1);
                line.append(&mut self.left);
                self.left = rest;
                return Ok(line.len());
            }
            if self.read.is_none() {
                self.read = Some(reader(self.pipe.try_clone()?));
            }
            let Some(read) = &self.read else { return Ok(0) };
            let got = match timeout {
                None => read.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(timeout) => read.recv_timeout(timeout),
            };
            match got {
                Ok(bytes) => self.left.extend(bytes?),
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let count = self.left.len();
                    line.append(&mut self.left);
                    return Ok(count);
                }
            }
        }
    }
}

fn reader(mut pipe: File) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let read = match pipe.read(&mut buffer) {
                Ok(0) => return,
                // The other end is closed.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
                Ok(count) => Ok(buffer.get(..count).unwrap_or_default().to_vec()),
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}
