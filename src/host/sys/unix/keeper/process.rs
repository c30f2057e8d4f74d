//! The keeper's own process: what it does from its fork on. It allocates nothing, as the process that it was forked from
//! may have threads; what it needs was made before.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::message::{self, LENGTH, Message, word};

/// Where no event tells that the runtime folder is gone, it is looked at so often while no supervisor is there.
const LOOK: i32 = 5000;

/// A supervisor has so long to take what it is given.
static PATIENCE: libc::timeval = libc::timeval { tv_sec: 5, tv_usec: 0 };

/// Services that have said something while no supervisor was there, at most; what each has said, at most.
const TALKERS: usize = 256;
const LONGEST: usize = 480;

/// Our descriptors once we have no others.
const LISTENER: RawFd = 3;
const LINK: RawFd = 4;

/// Something that is held.
struct Entry {
    key: u64,
    file: RawFd,
    /// The next supervisor wants it back. Else it is a pipe, which has a name: it lives for as long as we hold it.
    is_socket: bool,
    /// It has something in it and nobody writes to it any more.
    waits: bool,
    /// Where in `said` what came to it is.
    said: Option<u16>,
}

/// What came to a socket while no supervisor was there to read it. A queue would fill up, and then make its service wait.
struct Said {
    is_ready: bool,
    length: usize,
    status: [u8; LONGEST],
}

/// The keeper.
pub(super) struct Keeper {
    listener: RawFd,
    /// The supervisor's end; none: it is gone.
    link: Option<RawFd>,
    /// Tells when our socket's name is gone, while no supervisor is there.
    watch: Option<RawFd>,
    entries: Vec<Entry>,
    said: Vec<Said>,
    polled: Vec<libc::pollfd>,
    path: CString,
    /// Device and number of our socket's name.
    name: (u64, u64),
    ours: u32,
}

impl Keeper {
    /// One for so many descriptors.
    pub(super) fn new(listener: RawFd, link: RawFd, path: CString, most: usize) -> io::Result<Self> {
        let ours = nix::unistd::geteuid().as_raw();
        let name = name_at(&path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self {
            listener,
            link: Some(link),
            watch: None,
            entries: Vec::with_capacity(most),
            said: Vec::with_capacity(TALKERS),
            polled: Vec::with_capacity(most + 2),
            path,
            name,
            ours,
        })
    }

    /// What is done in the new process.
    pub(super) fn run(mut self) -> ! {
        self.settle_down();
        loop {
            if self.link.is_none() && !self.entries.iter().any(|entry| !entry.is_socket) {
                // No supervisor, and nothing in any pipe or anybody who could write to one.
                end();
            }
            self.wait();
        }
    }

    /// Lets go of everything but our two sockets: the lock, the terminal, whoever waits for the end of our output.
    fn settle_down(&mut self) {
        // SAFETY: system calls on numbers, on descriptors that only we have as it is our process alone, and on strings
        // that end with a zero. No handler of the program that we come from is left when signals are let through.
        unsafe {
            for signal in 1..32 {
                libc::signal(signal, if signal == libc::SIGPIPE { libc::SIG_IGN } else { libc::SIG_DFL });
            }
            libc::setsid();
            let (listener, link) = (libc::fcntl(self.listener, libc::F_DUPFD, 5), self.link.unwrap_or(-1));
            let link = libc::fcntl(link, libc::F_DUPFD, 5);
            if libc::dup2(listener, LISTENER) < 0 || libc::dup2(link, LINK) < 0 {
                end();
            }
            close_from(LINK + 1);
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            for output in 0..3 {
                libc::dup2(null, output);
            }
            if null > 2 {
                libc::close(null);
            }
            #[cfg(target_os = "linux")]
            libc::prctl(libc::PR_SET_NAME, c"daemonctl-keep".as_ptr());
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        }
        (self.listener, self.link) = (LISTENER, Some(LINK));
    }

    /// Waits for the supervisor's word or its end, for the next one, and while there is none for the end of services.
    fn wait(&mut self) {
        let is_alone = self.link.is_none();
        self.polled.clear();
        poll_for(&mut self.polled, self.listener, libc::POLLIN);
        poll_for(&mut self.polled, self.link.or(self.watch).unwrap_or(-1), libc::POLLIN);
        if is_alone {
            for entry in &self.entries {
                let file = if entry.waits { -1 } else { entry.file };
                // Of a pipe only its hang-up is told, which need not be asked for.
                poll_for(&mut self.polled, file, if entry.is_socket { libc::POLLIN } else { 0 });
            }
        }
        let timeout = if is_alone && self.watch.is_none() { LOOK } else { -1 };
        let count = libc::nfds_t::try_from(self.polled.len()).unwrap_or(2);
        // SAFETY: so many structures are there to be written to.
        let happened = unsafe { libc::poll(self.polled.as_mut_ptr(), count, timeout) };
        if happened <= 0 {
            if is_alone && !self.is_at_home() {
                end();
            }
            return;
        }
        let told = |polled: &[libc::pollfd], index: usize| polled.get(index).map_or(0, |one| one.revents);
        if is_alone {
            for index in (0..self.entries.len()).rev() {
                let events = told(&self.polled, index + 2);
                if events != 0 {
                    self.told(index, events);
                }
            }
        }
        if told(&self.polled, 1) != 0 {
            if is_alone {
                self.stop_watching();
                self.start_watching();
            } else {
                self.listen();
            }
        }
        if told(&self.polled, 0) != 0 {
            self.accept();
        }
    }

    /// Something is with an entry while no supervisor is there.
    fn told(&mut self, index: usize, events: i16) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        if entry.is_socket && events & libc::POLLIN != 0 {
            hear(entry, &mut self.said);
        } else if !entry.is_socket && events & libc::POLLHUP != 0 && has_content(entry.file) {
            entry.waits = true;
        } else {
            close(entry.file);
            self.entries.swap_remove(index);
        }
    }

    /// The next supervisor: it comes in place of the one that is there, as only one has the scope's lock.
    fn accept(&mut self) {
        // SAFETY: an address is not asked for.
        let socket = unsafe { libc::accept(self.listener, std::ptr::null_mut(), std::ptr::null_mut()) };
        if socket < 0 {
            return;
        }
        // SAFETY: it is open until we close it.
        let peer = message::peer(unsafe { BorrowedFd::borrow_raw(socket) });
        if !peer.is_ok_and(|uid| uid == self.ours || uid == 0) {
            return close(socket);
        }
        // SAFETY: the structure lives for ever, and has the length that is said.
        unsafe {
            let length = libc::socklen_t::try_from(size_of::<libc::timeval>()).unwrap_or(0);
            libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_SNDTIMEO, (&raw const PATIENCE).cast(), length);
        }
        // What the last one has said before its end counts.
        self.listen();
        if let Some(old) = self.link.replace(socket) {
            close(old);
        }
        self.stop_watching();
    }

    /// Takes what the supervisor has said.
    fn listen(&mut self) {
        while let Some(link) = self.link {
            let mut bytes = [0; LENGTH];
            match message::receive(link, &mut bytes, libc::MSG_DONTWAIT) {
                Ok((LENGTH, file)) => self.told_to(Message::from_bytes(bytes), file),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.be_alone(),
            }
        }
    }

    fn told_to(&mut self, message: Message, file: Option<OwnedFd>) {
        match (message.word, file) {
            (word::HOLD_PIPE | word::HOLD_SOCKET, Some(file)) => {
                self.forget(message.key);
                if self.entries.len() < self.entries.capacity() {
                    let (file, is_socket) = (file.into_raw_fd(), message.word == word::HOLD_SOCKET);
                    self.entries.push(Entry { key: message.key, file, is_socket, waits: false, said: None });
                }
            }
            (word::FORGET, _) => self.forget(message.key),
            (word::GIVE, _) => self.give().unwrap_or_else(|_| self.be_alone()),
            (word::END, _) => end(),
            // A word of another version.
            _ => {}
        }
    }

    fn forget(&mut self, key: u64) {
        if let Some(index) = self.entries.iter().position(|entry| entry.key == key) {
            close(self.entries.swap_remove(index).file);
        }
    }

    /// Gives the sockets, and what came to them meanwhile.
    fn give(&mut self) -> io::Result<()> {
        let link = self.link.ok_or(io::ErrorKind::NotConnected)?;
        for entry in &mut self.entries {
            entry.waits = false;
            if !entry.is_socket {
                continue;
            }
            message::send(link, &Message::new(word::SOCKET, entry.key).bytes(), Some(entry.file))?;
            let Some(said) = entry.said.take().and_then(|index| self.said.get(usize::from(index))) else { continue };
            let mut text = [0; LENGTH + 32 + LONGEST];
            let mut length = LENGTH;
            let ready: &[u8] = if said.is_ready { b"READY=1\n" } else { b"" };
            let status: &[u8] = if said.length > 0 { b"STATUS=" } else { b"" };
            for byte in ready.iter().chain(status).chain(said.status.get(..said.length).unwrap_or_default()) {
                if let Some(place) = text.get_mut(length) {
                    (*place, length) = (*byte, length + 1);
                }
            }
            let count = u32::try_from(length - LENGTH).unwrap_or(0);
            let header = Message { length: count, ..Message::new(word::SAID, entry.key) };
            for (place, byte) in text.iter_mut().zip(header.bytes()) {
                *place = byte;
            }
            message::send(link, text.get(..length).unwrap_or_default(), None)?;
        }
        self.said.clear();
        // SAFETY: it takes nothing and cannot fail.
        let own = u64::try_from(unsafe { libc::getpid() }).unwrap_or(0);
        message::send(link, &Message::new(word::ALL, own).bytes(), None)
    }

    /// The supervisor is gone.
    fn be_alone(&mut self) {
        if let Some(link) = self.link.take() {
            close(link);
        }
        self.start_watching();
    }

    /// The name of our socket still leads to us: the runtime folder is there, and no other keeper came in our place.
    fn is_at_home(&self) -> bool {
        name_at(&self.path) == Some(self.name)
    }

    fn start_watching(&mut self) {
        self.watch = watch_name(&self.path);
        // It may have gone before we watched.
        if !self.is_at_home() {
            end();
        }
    }

    fn stop_watching(&mut self) {
        if let Some(watch) = self.watch.take() {
            close(watch);
        }
    }
}

/// Notes what a service says that the next supervisor must know; a heartbeat counts only when it comes. Who may write to
/// the socket, its file's mode says.
fn hear(entry: &mut Entry, all: &mut Vec<Said>) {
    let mut buffer = [0; 4096];
    loop {
        let (room, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: so many bytes are ours to be written to.
        let count = unsafe { libc::recv(entry.file, room, length, libc::MSG_DONTWAIT) };
        let Ok(count) = usize::try_from(count) else { return };
        for line in buffer.get(..count).unwrap_or_default().split(|byte| *byte == b'\n') {
            let status = line.strip_prefix(b"STATUS=");
            if line != b"READY=1" && status.is_none() {
                continue;
            }
            if entry.said.is_none() && all.len() < all.capacity() {
                entry.said = u16::try_from(all.len()).ok();
                all.push(Said { is_ready: false, length: 0, status: [0; LONGEST] });
            }
            let Some(said) = entry.said.and_then(|index| all.get_mut(usize::from(index))) else { continue };
            if let Some(status) = status {
                said.length = status.len().min(LONGEST);
                said.status.iter_mut().zip(status).for_each(|(place, byte)| *place = *byte);
            } else {
                said.is_ready = true;
            }
        }
    }
}

fn poll_for(polled: &mut Vec<libc::pollfd>, fd: RawFd, events: i16) {
    if polled.len() < polled.capacity() {
        polled.push(libc::pollfd { fd, events, revents: 0 });
    }
}

/// Device and number of what is at a path.
fn name_at(path: &CString) -> Option<(u64, u64)> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the string ends with a zero, and the structure is ours to be written to.
    if unsafe { libc::lstat(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has filled it.
    let found = unsafe { found.assume_init() };
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "types differ by system")]
    Some((u64::try_from(found.st_dev).ok()?, u64::try_from(found.st_ino).ok()?))
}

/// What becomes readable when something becomes of a name.
#[cfg(target_os = "linux")]
fn watch_name(path: &CString) -> Option<RawFd> {
    // A name that is taken away counts as an attribute.
    let what = libc::IN_ATTRIB | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF;
    // SAFETY: numbers, and a string that ends with a zero.
    unsafe {
        let watch = libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK);
        if watch >= 0 && libc::inotify_add_watch(watch, path.as_ptr(), what) < 0 {
            close(watch);
            return None;
        }
        (watch >= 0).then_some(watch)
    }
}

/// Nothing: it is looked at.
#[cfg(not(target_os = "linux"))]
const fn watch_name(_: &CString) -> Option<RawFd> {
    None
}

fn has_content(pipe: RawFd) -> bool {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one `int` to where the pointer points.
    unsafe { libc::ioctl(pipe, libc::FIONREAD, &raw mut count) == 0 && count > 0 }
}

/// Closes every descriptor from this one on.
fn close_from(first: RawFd) {
    #[cfg(target_os = "linux")]
    // SAFETY: numbers; nothing in this process will use any of those.
    if unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // SAFETY: as above.
    unsafe {
        for fd in first..i32::try_from(libc::sysconf(libc::_SC_OPEN_MAX)).unwrap_or(65536).min(65536) {
            libc::close(fd);
        }
    }
}

fn close(fd: RawFd) {
    // SAFETY: it is ours, and nothing uses it any more.
    unsafe { libc::close(fd) };
}

fn end() -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(0) }
}

/// A descriptor, as a number.
pub(super) fn number(file: &impl AsFd) -> RawFd {
    use std::os::fd::AsRawFd;
    file.as_fd().as_raw_fd()
}
