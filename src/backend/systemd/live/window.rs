//! How long a start is looked at. A program without a sign of readiness counts as started when it has lived through a
//! window: its end is an event, that it goes on living is none.
//!
//! One window for all of a verb's units. A machine that is busy may not have let a program run yet when it is over; whoever
//! still works, rather than waits for something, is looked at longer. What ends later is told by `status`.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::link::Ask;
use super::manager::Systemd;
use crate::error::Result;
use crate::host::sys;

/// Long enough for a program that can't run at all to end; more would make every install slower.
const LEAST: Duration = Duration::from_millis(15);

/// For one that has not come to rest by then.
const MOST: Duration = Duration::from_millis(100);

/// So many are watched by a descriptor each, which is far from what a process may open; the others' time just passes.
const WATCHED: usize = 128;

/// A main process, and what becomes readable when it ends.
struct Running {
    pid: u32,
    end: Option<OwnedFd>,
}

/// Lets the window pass for services whose starts are done. Shorter where all of them end in it. Returns how long it was.
pub(super) fn pass(systemd: &mut Systemd, services: &[String]) -> Result<Duration> {
    if services.is_empty() {
        return Ok(Duration::ZERO);
    }
    let began = Instant::now();
    let pids = systemd.link.facts(services, Ask::MainPid)?.into_iter().filter_map(|facts| facts.main_pid);
    let watch = |(at, pid): (usize, u32)| {
        let end = i32::try_from(pid).ok().filter(|_| at < WATCHED).and_then(sys::end_of);
        Running { pid, end }
    };
    let mut running: Vec<Running> = pids.enumerate().map(watch).collect();
    wait(&mut running, began + LEAST);
    running.retain(|running| is_busy(running.pid));
    wait(&mut running, began + MOST);
    Ok(began.elapsed())
}

/// Waits until all have ended, or the time is over.
fn wait(running: &mut Vec<Running>, until: Instant) {
    while !running.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let ended: Vec<bool> = {
            let mut fds: Vec<PollFd<'_>> = running
                .iter()
                .filter_map(|running| running.end.as_ref())
                .map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN))
                .collect();
            // A part of a millisecond is waited for as a whole one.
            let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
            // An interrupted wait is taken up again.
            let _ = poll(&mut fds, timeout);
            let mut told = fds.iter().map(|fd| fd.any().unwrap_or_default());
            running.iter().map(|running| running.end.is_some() && told.next().unwrap_or_default()).collect()
        };
        let mut ended = ended.into_iter();
        running.retain(|_| !ended.next().unwrap_or_default());
    }
}

/// Whether it runs, or reads from a disk: it has not come to wait for anything.
fn is_busy(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| matches!(state(&stat), Some('R' | 'D')))
}

/// The letter behind the name, which may hold anything. See `proc_pid_stat(5)`.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state("12 (a) R) S 1 12"), Some('S'));
        assert_eq!(state("12 (sh) R 1 12"), Some('R'));
        assert_eq!(state(""), None);
    }

    #[test]
    fn a_wait_ends_with_the_last_process_and_with_its_time() {
        let running = |pid: u32| Running { pid, end: i32::try_from(pid).ok().and_then(sys::end_of) };
        let mut short = std::process::Command::new("true").spawn().unwrap();
        let mut long = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let far = Instant::now() + Duration::from_secs(60);
        let mut watched = vec![running(short.id())];
        wait(&mut watched, far);
        assert!(watched.is_empty() && Instant::now() < far);
        let soon = Instant::now() + Duration::from_millis(30);
        let mut watched = vec![running(long.id()), Running { pid: 1, end: None }];
        wait(&mut watched, soon);
        assert!(watched.len() == 2 && Instant::now() >= soon);
        long.kill().unwrap();
        long.wait().unwrap();
        short.wait().unwrap();
    }
}
