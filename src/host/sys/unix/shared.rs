//! Memory that is a file: what was put there is still there when this process was killed.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Some words, and bytes behind them.
#[derive(Debug)]
pub struct Shared {
    map: NonNull<libc::c_void>,
    words: usize,
    bytes: usize,
}

impl Shared {
    /// In a file of ours at `path`, which is made with zeros unless it is there and as large.
    pub fn in_file(path: &Path, words: usize, bytes: usize) -> io::Result<Self> {
        let size = size_of::<AtomicU64>() * words + bytes;
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() || found.uid() != nix::unistd::geteuid().as_raw() || found.nlink() != 1 {
            return Err(io::Error::other("it is no file of ours"));
        }
        if usize::try_from(found.len()) != Ok(size) {
            // Written, not only stretched: a folder that is full must tell now, not by a SIGBUS later.
            file.set_len(0)?;
            file.write_all(&vec![0; size])?;
        }
        let length = NonZeroUsize::new(size).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at a place of the kernel's choice; the file is as long as the mapping.
        let map = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, &file, 0)?
        };
        let shared = Self { map, words, bytes };
        shared.touch();
        Ok(shared)
    }

    /// Has every page there, ready to be written to. A `read` into a page that is not may be broken off by a SIGKILL
    /// while it waits for the page, when part of what it read is out of the pipe already.
    fn touch(&self) {
        const PAGE: usize = 4096;
        let size = size_of::<AtomicU64>() * self.words + self.bytes;
        for offset in (0..size).step_by(PAGE) {
            // SAFETY: in our mapping, at a page's begin and so aligned, with a word at least behind it; nobody else has
            // a reference into it yet.
            let word = unsafe { AtomicU64::from_ptr(self.map.as_ptr().cast::<u8>().add(offset).cast()) };
            word.fetch_or(0, std::sync::atomic::Ordering::SeqCst);
        }
    }

    /// The words: atomic, so that each store happens, whole and in its place between the system calls.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping begins with so many words, at a page's begin; it lives as long as we do, any bits are a
        // valid AtomicU64, and the bytes behind them do not overlap.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), self.words) }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped behind the words, for as long as we live, and are only changed through the
        // exclusive borrow of `bytes_mut`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>().add(self.words).cast(), self.bytes) }
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and the borrow is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.map.as_ptr().cast::<AtomicU64>().add(self.words).cast(), self.bytes)
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: our mapping, as long as we made it; nobody borrows from it any more.
        let _ = unsafe { munmap(self.map, size_of::<AtomicU64>() * self.words + self.bytes) };
    }
}
