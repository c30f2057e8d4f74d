//! Memory that is given back when a burst of work is over.

/// Has what is freed given back for good: one heap for all threads, so that what a thread frees is the next one's and the
/// heap's of the loop; and large pieces by themselves, as the buffers of compression are, whatever was freed before. To be
/// called while there is one thread.
pub fn be_frugal() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt(3) takes numbers. The threshold is not moved any more once it is set.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024);
    };
}

/// Gives back what was freed, and the pages of programs and libraries that are not needed now: they are read again, from
/// the page cache, when they are. What starts a supervisor is most of what it ever executes.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim(3) takes a number, and is safe at any time.
    unsafe {
        libc::malloc_trim(0)
    };
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    // SAFETY: the callback has the type that is asked for, and lives for ever.
    unsafe {
        libc::dl_iterate_phdr(Some(linux::forget_code), std::ptr::null_mut())
    };
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux {
    use std::ffi::{c_int, c_void};

    /// Forgets the pages of a loaded object that nobody can have written to.
    pub(super) unsafe extern "C" fn forget_code(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
        // SAFETY: the C library gives a living object, with that many headers.
        let (base, headers) = unsafe {
            let info = &*info;
            (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
        };
        // SAFETY: sysconf(3) takes a number.
        let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096).max(1);
        for header in headers {
            if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 || base == 0 {
                continue;
            }
            // Whole pages of it only: what shares a page with its end may be another segment's.
            let from = (base + header.p_vaddr).next_multiple_of(page);
            let to = (base + header.p_vaddr + header.p_memsz) / page * page;
            if let (Ok(address), Ok(length)) = (usize::try_from(from), usize::try_from(to.saturating_sub(from))) {
                // SAFETY: a private mapping of a file that is not writable: a page of it that is forgotten is read from
                // the file again, and has there what it had here.
                unsafe { libc::madvise(address as *mut c_void, length, libc::MADV_DONTNEED) };
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on() {
        let before: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        super::give_back();
        assert_eq!(before.iter().filter_map(|text| text.parse::<u32>().ok()).sum::<u32>(), 499_500);
    }
}
