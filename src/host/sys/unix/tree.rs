//! Which processes came of a service, wherever they have gone.
//!
//! A service's main process leads a session of its own, and its environment carries a mark that every run has for
//! itself. A process belongs to it when it descends from the main process, is in its session, or carries the mark: so
//! a child that called `setsid`, or that was orphaned and is now ours (we are its subreaper), is still found.

use std::time::Duration;

/// A process of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Process id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its session.
    pub session: i32,
}

/// The living processes of the machine that we may see.
#[must_use]
pub fn members() -> Vec<Member> {
    imp::members()
}

/// The living processes of a service, whose main process is or was `main`. `far`: the service is not ours by birth, so all of the machine's processes are looked at.
/// `other`: whether one of our children is known to belong to somebody else, so that it need not be looked into.
#[must_use]
pub fn tree_of(main: i32, mark: &str, far: bool, other: &dyn Fn(i32) -> bool) -> Vec<i32> {
    let mut found = Vec::new();
    // Where the kernel keeps no lists of children, everything is looked at.
    if far || !imp::tree_of(main, mark, other, &mut found) {
        found.clear();
        let table = members();
        let mut seeds: Vec<i32> = table
            .iter()
            .filter(|member| member.pid == main || member.session == main || has_mark(member.pid, mark))
            .map(|member| member.pid)
            .collect();
        while let Some(pid) = seeds.pop() {
            if !found.contains(&pid) {
                found.push(pid);
                seeds.extend(table.iter().filter(|member| member.parent == pid).map(|member| member.pid));
            }
        }
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    found.retain(|pid| *pid != own && *pid > 1);
    found.sort_unstable();
    found.dedup();
    found
}

/// Our children, by the kernel's own list; None: it keeps none.
#[must_use]
pub fn own_children() -> Option<Vec<i32>> {
    imp::children(i32::try_from(std::process::id()).ok()?)
}

/// No process and no session has this number.
pub const NOBODY: i32 = -1;

/// Process groups are there to be told.
pub const HAS_PROCESS_GROUPS: bool = true;

/// The living processes of a service that are in the process group of its main process.
#[must_use]
pub fn in_group_of(main: i32, far: bool, other: &dyn Fn(i32) -> bool) -> Vec<i32> {
    if !super::process::send_group(main, None) {
        return Vec::new();
    }
    let tree = tree_of(main, "", far, other);
    tree.into_iter().filter(|pid| super::process::group_of(*pid) == Some(main)).collect()
}

/// The value of the mark's variable in a process's environment; None: it has none, or we may not look.
#[must_use]
pub fn mark_of(pid: i32) -> Option<String> {
    let environment = imp::environment(pid)?;
    let prefix = concat!("DAEMONCTL_INVOCATION", "=");
    environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(prefix.as_bytes()))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Whether a process was started as root, as we are, or as `user`. A mark is only a variable: anybody can give their own
/// process that of another's service, and must not have it taken for that.
#[must_use]
pub fn is_run_by(pid: i32, user: Option<u32>) -> bool {
    let ours = nix::unistd::geteuid().as_raw();
    imp::user(pid).is_some_and(|real| real == 0 || real == ours || Some(real) == user)
}

fn has_mark(pid: i32, mark: &str) -> bool {
    // First what is one question.
    !mark.is_empty()
        && (super::brand::on(pid) == super::brand::of(mark) || mark_of(pid).is_some_and(|found| found == mark))
}

/// Every process whose mark starts with `prefix`, and its mark.
///
/// A process that is just executing its program has no environment for a moment: it is waited for, as who overlooks it
/// would start its service a second time.
#[must_use]
pub fn everyone_marked(prefix: &str) -> Vec<(Member, String)> {
    let mut found = Vec::new();
    let mut left = members();
    loop {
        left.retain(|member| {
            // Asked first: what has its environment by then is read with it.
            if member.session == member.pid && imp::is_executing(member.pid) {
                return true;
            }
            found.extend(mark_of(member.pid).filter(|mark| mark.starts_with(prefix)).map(|mark| (*member, mark)));
            false
        });
        if left.is_empty() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(target_os = "linux")]
pub(super) use imp::{children, stat};

#[cfg(target_os = "linux")]
mod imp {
    use super::Member;

    pub(in super::super) struct Stat {
        pub(in super::super) state: u8,
        pub(in super::super) parent: i32,
        pub(in super::super) session: i32,
        pub(in super::super) started: u64,
        /// Processor time, that of children that were waited for included, in clock ticks.
        pub(in super::super) ticks: u64,
        /// Resident memory.
        pub(in super::super) pages: u64,
        /// The kernel has put its environment where it is to be, be it empty. False too where we may not know.
        pub(in super::super) has_environment: bool,
    }

    /// `/proc/PID/stat`, proc(5). The name in it may hold anything, so fields count from the last parenthesis.
    pub(in super::super) fn stat(pid: i32) -> Option<Stat> {
        use std::io::Read as _;
        // It fits, and the kernel gives it in one piece.
        let mut buffer = [0; 1024];
        let count = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
        let text = buffer.get(..count)?;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&[u8]> = text.get(end + 2..)?.split(|byte| *byte == b' ').collect();
        let number =
            |index: usize| -> Option<u64> { std::str::from_utf8(fields.get(index)?).ok()?.trim().parse().ok() };
        Some(Stat {
            state: *fields.first()?.first()?,
            parent: i32::try_from(number(1)?).ok()?,
            session: i32::try_from(number(3)?).ok()?,
            started: number(19)?,
            ticks: (11..=14).filter_map(number).sum(),
            pages: number(21)?,
            has_environment: number(48).is_some_and(|end| end != 0),
        })
    }

    fn alive(pid: i32) -> Option<Stat> {
        stat(pid).filter(|stat| !matches!(stat.state, b'Z' | b'X'))
    }

    pub(super) fn members() -> Vec<Member> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid: i32| alive(pid).map(|stat| Member { pid, parent: stat.parent, session: stat.session }))
            .collect()
    }

    pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{pid}/environ")).ok()
    }

    /// The real user: who owns the files in `/proc/PID` is root for everything that must not be dumped.
    pub(super) fn user(pid: i32) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        ids.split_ascii_whitespace().next()?.parse().ok()
    }

    /// Whether it is in the middle of execve(2): young, and not yet told where its environment is, which a process that
    /// was given none is too.
    pub(super) fn is_executing(pid: i32) -> bool {
        let Some(stat) = alive(pid).filter(|stat| !stat.has_environment) else { return false };
        let age = super::super::clock::monotonic().saturating_sub(since_boot(stat.started));
        // Of whom we may not know that, we may not read it either.
        age < YOUNG && environment(pid).is_some()
    }

    /// No execve takes longer, as a rule; a supervisor must not wait for ever for one that hangs.
    const YOUNG: std::time::Duration = std::time::Duration::from_secs(10);

    fn since_boot(ticks: u64) -> std::time::Duration {
        // The kernel tells it in hundredths of a second on every architecture.
        std::time::Duration::from_millis(ticks.saturating_mul(10))
    }

    /// The children of a process, by the kernel's own list; None: this kernel has none.
    pub(in super::super) fn children(pid: i32) -> Option<Vec<i32>> {
        let mut all = Vec::new();
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let list = std::fs::read_to_string(task.path().join("children")).ok()?;
            all.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        Some(all)
    }

    /// The quick way, which looks at a few processes instead of all: descendants of the main process, and those of
    /// our own children that are of its session or carry its mark.
    pub(super) fn tree_of(main: i32, mark: &str, other: &dyn Fn(i32) -> bool, found: &mut Vec<i32>) -> bool {
        let Ok(own) = i32::try_from(std::process::id()) else { return false };
        let Some(ours) = children(own) else { return false };
        let mut seeds: Vec<i32> = ours
            .into_iter()
            .filter(|pid| {
                *pid == main
                    || !other(*pid)
                        && alive(*pid).is_some_and(|stat| stat.session == main || super::has_mark(*pid, mark))
            })
            .collect();
        while let Some(pid) = seeds.pop() {
            if alive(pid).is_some() && !found.contains(&pid) {
                found.push(pid);
            }
            seeds.extend(children(pid).unwrap_or_default());
        }
        true
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::Member;

    pub(super) fn members() -> Vec<Member> {
        use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
        let mut system = System::new();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
        let number = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).unwrap_or(0);
        system
            .processes()
            .iter()
            .filter(|(_, process)| process.status() != sysinfo::ProcessStatus::Zombie)
            .map(|(pid, process)| Member {
                pid: number(*pid),
                parent: process.parent().map_or(0, number),
                session: process.session_id().map_or(0, number),
            })
            .collect()
    }

    pub(super) fn children(_: i32) -> Option<Vec<i32>> {
        None
    }

    pub(super) fn is_executing(_: i32) -> bool {
        false
    }

    pub(super) fn environment(_: i32) -> Option<Vec<u8>> {
        None
    }

    /// Not asked: no environment, no mark.
    pub(super) fn user(_: i32) -> Option<u32> {
        None
    }

    pub(super) fn tree_of(_: i32, _: &str, _: &dyn Fn(i32) -> bool, _: &mut Vec<i32>) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    const STRANGER: u32 = 65_534;

    #[test]
    fn a_strangers_process_is_nobodys_but_theirs() {
        let own = i32::try_from(std::process::id()).expect("a pid");
        assert!(is_run_by(own, None));
        assert!(!is_run_by(NOBODY, None));
        if !crate::system::machine::is_root() {
            eprintln!("skipped: becoming somebody else needs root");
            return;
        }
        let mut child =
            std::process::Command::new("cat").uid(STRANGER).stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let pid = i32::try_from(child.id()).expect("a pid");
        assert!(!is_run_by(pid, None));
        assert!(!is_run_by(pid, Some(STRANGER - 1)));
        assert!(is_run_by(pid, Some(STRANGER)));
        drop(child.stdin.take());
        child.wait().expect("its end");
    }
}
