//! What processes use: resident memory and processor time.

use crate::host::threshold::Usage;

/// What these processes and all that descend from them use together. Memory that several share counts for each, as in
/// `status`; processor time of children that have ended counts with the parent that waited for them.
#[must_use]
pub fn usage(seeds: Vec<i32>) -> Usage {
    imp::usage(seeds)
}

/// A child of ours that was somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// Process id.
    pub pid: i32,
    /// Its session.
    pub session: i32,
}

/// Our children that are not `known`: they came to us when their parents ended.
#[must_use]
pub fn strays(known: &dyn Fn(i32) -> bool) -> Vec<Stray> {
    imp::strays(known)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::time::Duration;

    use super::super::tree::{children, stat};
    use super::{Stray, Usage};

    pub(super) fn strays(known: &dyn Fn(i32) -> bool) -> Vec<Stray> {
        let ours = i32::try_from(std::process::id()).ok().and_then(children).unwrap_or_default();
        let stray = |pid: i32| stat(pid).map(|stat| Stray { pid, session: stat.session });
        ours.into_iter().filter(|pid| !known(*pid)).filter_map(stray).collect()
    }

    pub(super) fn usage(mut seeds: Vec<i32>) -> Usage {
        let (mut pages, mut ticks) = (0, 0);
        let mut seen = Vec::new();
        while let Some(pid) = seeds.pop() {
            let Some(stat) = stat(pid).filter(|_| !seen.contains(&pid)) else { continue };
            seen.push(pid);
            pages += stat.pages;
            ticks += stat.ticks;
            seeds.extend(children(pid).unwrap_or_default());
        }
        let (page, tick) = units();
        Usage { memory: pages * page, cpu: Duration::from_micros(ticks.saturating_mul(1_000_000) / tick) }
    }

    /// Bytes of a page, and ticks of a second.
    fn units() -> (u64, u64) {
        let of = |name, usual| {
            let found = nix::unistd::sysconf(name).ok().flatten();
            found.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(usual)
        };
        (of(nix::unistd::SysconfVar::PAGE_SIZE, 4096), of(nix::unistd::SysconfVar::CLK_TCK, 100))
    }

    #[cfg(test)]
    mod tests {
        use std::time::Instant;

        use super::*;

        #[test]
        fn our_own_use_is_seen_and_a_sample_costs_little() {
            let own = i32::try_from(std::process::id()).unwrap();
            let block = std::hint::black_box(vec![1_u8; 64 << 20]);
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(60) {
                std::hint::spin_loop();
            }
            let used = usage(vec![own]);
            assert!(used.memory >= block.len() as u64, "{used:?}");
            assert!(used.cpu >= Duration::from_millis(30), "{used:?}");
            // The least of many: what is measured is the sample, not what else the machine does.
            let sample = || {
                let began = Instant::now();
                std::hint::black_box(usage(vec![own]));
                began.elapsed()
            };
            let cost = (0..200).map(|_| sample()).min().unwrap();
            eprintln!("a sample of a process: {cost:?}");
            // A test's process has several threads, each with a list of children of its own.
            assert!(cost < Duration::from_millis(2), "{cost:?}");
        }

        #[test]
        fn who_is_gone_uses_nothing() {
            assert_eq!(usage(vec![i32::MAX]), Usage::default());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::time::Duration;

    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    use super::super::tree::members;
    use super::{Stray, Usage};

    pub(super) fn strays(known: &dyn Fn(i32) -> bool) -> Vec<Stray> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let ours = members().into_iter().filter(|member| member.parent == own && !known(member.pid));
        ours.map(|member| Stray { pid: member.pid, session: member.session }).collect()
    }

    pub(super) fn usage(mut seeds: Vec<i32>) -> Usage {
        let table = members();
        let mut found: Vec<Pid> = Vec::new();
        while let Some(pid) = seeds.pop() {
            let Some(known) = u32::try_from(pid).ok().map(Pid::from_u32).filter(|pid| !found.contains(pid)) else {
                continue;
            };
            found.push(known);
            seeds.extend(table.iter().filter(|member| member.parent == pid).map(|member| member.pid));
        }
        let mut system = System::new();
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&found), true, what);
        let mut used = Usage::default();
        for process in found.iter().filter_map(|pid| system.process(*pid)) {
            used.memory += process.memory();
            used.cpu += Duration::from_millis(process.accumulated_cpu_time());
        }
        used
    }
}
