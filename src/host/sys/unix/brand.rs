//! A mark that a process cannot lose by accident: a number in a resource limit.
//!
//! `RLIMIT_LOCKS` limits nothing since Linux 2.4.25 (`getrlimit(2)`), and goes on to everything that a process makes or
//! executes, whatever that does to its session, its parents and its environment. So a daemon of a daemon that has cleared
//! all of those is still known for the service's.

/// The number of a run, by the mark of its environment. Neither zero nor "no limit".
#[must_use]
pub(super) fn of(mark: &str) -> Option<u64> {
    if mark.is_empty() {
        return None;
    }
    // FNV-1a; 62 bits of it, so that it is nobody's usual limit and below "none".
    let hash = mark
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Some(hash >> 2 | 1 << 40)
}

/// Puts it on this process. That it can't be is no reason not to run.
#[cfg(target_os = "linux")]
pub(super) fn put(number: u64) {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: what is asked for is written to a living struct of that shape, and read from it again.
    unsafe {
        if libc::getrlimit64(libc::RLIMIT_LOCKS, &raw mut limit) == 0 && number <= limit.rlim_max {
            limit.rlim_cur = number;
            let _ = libc::setrlimit64(libc::RLIMIT_LOCKS, &raw const limit);
        }
    }
}

/// That of a process; None: it is gone, or we may not look.
#[cfg(target_os = "linux")]
pub(super) fn on(pid: i32) -> Option<u64> {
    let mut found = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: nothing is set, and what is asked for is written to a living struct of that shape.
    let result = unsafe { libc::prlimit64(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut found) };
    (result == 0).then_some(found.rlim_cur)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn put(_: u64) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn on(_: i32) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_are_no_usual_limit() {
        let (one, other) = (of("a/web/1").unwrap(), of("a/web/2").unwrap());
        assert!(one != other && one > 1 << 40 && one < u64::MAX >> 1);
        assert_eq!(of(""), None);
    }
}
