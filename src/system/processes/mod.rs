//! What a service's processes are and use up: for `status` of one, not for a table of hundreds.
//!
//! Which processes belong to a service is its cgroup's to say where the manager gave it one of its own; elsewhere it is
//! the main process' family: what it started, and what shares its session. Numbers come from `sysinfo`, asked for
//! just these processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::commands::{Command, Ended};
use crate::report::Process;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(target_os = "linux")]
use linux as sys;
#[cfg(not(target_os = "linux"))]
use portable as sys;

/// How it is told what belongs to a main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belonging {
    /// The manager gave the service a cgroup of its own.
    Cgroup,
    /// By descent and session.
    Family,
}

/// What a service's processes are and use up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage {
    /// Parents before their children.
    pub processes: Vec<Process>,
    /// Percent of one core, averaged over the life of each process.
    pub cpu: Option<f64>,
    /// Resident bytes of all.
    pub memory: Option<u64>,
    /// Processes and threads; None: not told here.
    pub tasks: Option<u64>,
    /// Listening: `tcp 127.0.0.1:80`.
    pub ports: Vec<String>,
    /// What could not be looked at.
    pub notes: Vec<String>,
}

/// A process as far as telling families apart needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Relation {
    pid: u32,
    parent: u32,
    session: u32,
}

/// How long each of these processes has run, in whole seconds that may be one too many; None where nobody tells us. Those
/// that are gone are left out.
#[must_use]
pub fn uptimes(pids: &[u32]) -> BTreeMap<u32, Option<Duration>> {
    let pids: Vec<Pid> = pids.iter().copied().map(Pid::from_u32).collect();
    if pids.is_empty() {
        return BTreeMap::new();
    }
    let mut system = System::new();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), false, ProcessRefreshKind::nothing());
    let of = |pid: &Pid| {
        let process = system.process(*pid).filter(|process| process.status() != ProcessStatus::Zombie)?;
        // macOS tells when a process of somebody else's began only to root.
        let known = process.start_time() > 0;
        Some((pid.as_u32(), known.then(|| Duration::from_secs(process.run_time())).or_else(|| asked_of_ps(*pid))))
    };
    pids.iter().filter_map(of).collect()
}

/// How long a process has run as `ps` has it, which may look at everybody's.
fn asked_of_ps(pid: Pid) -> Option<Duration> {
    if cfg!(not(unix)) {
        return None;
    }
    let ps = Command::new("/bin/ps").args(["-o", "etime=", "-p", &pid.to_string()]).limit(Duration::from_secs(5));
    elapsed(&ps.run().ok().filter(Ended::success)?.text())
}

/// `[[days-]hours:]minutes:seconds`.
fn elapsed(text: &str) -> Option<Duration> {
    let (days, clock) = text.trim().split_once('-').unwrap_or(("0", text.trim()));
    let days: u64 = days.parse().ok()?;
    let parts = clock.split(':').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    (2..=3).contains(&parts.len()).then_some(())?;
    let day = parts.iter().try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(*part))?;
    days.checked_mul(86_400)?.checked_add(day).map(Duration::from_secs)
}

/// The main process of a service, what it started, and what shares its session.
#[must_use]
pub fn family_of(main: u32) -> BTreeSet<u32> {
    family(main, &sys::relations())
}

/// The processes that have this variable in the environment that they were born with, as far as we may look, without us
/// and those that we came of.
#[must_use]
pub fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let mut system = System::new();
    system.refresh_processes_specifics(
        ProcessesToUpdate::All,
        false,
        ProcessRefreshKind::nothing().with_environ(UpdateKind::OnlyIfNotSet).without_tasks(),
    );
    let mut ours = BTreeSet::new();
    let mut next = Some(Pid::from_u32(std::process::id()));
    while let Some(pid) = next.filter(|pid| ours.insert(*pid)) {
        next = system.process(pid).and_then(sysinfo::Process::parent);
    }
    let wanted = format!("{name}={value}");
    system
        .processes()
        .iter()
        .filter(|(pid, process)| !ours.contains(pid) && process.status() != ProcessStatus::Zombie)
        .filter(|(_, process)| process.environ().iter().any(|variable| *variable == *wanted))
        .map(|(pid, _)| pid.as_u32())
        .collect()
}

/// One look at the machine's processes, for any number of services.
#[derive(Debug, Default)]
pub struct Look {
    system: System,
    relations: Option<Vec<Relation>>,
    sockets: sys::Sockets,
}

impl Look {
    /// Looks at nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What belongs to the main process of a service, and to the processes that the manager names besides.
    pub fn usage(&mut self, main: u32, known: &[u32], by: Belonging) -> Usage {
        let mut members: BTreeSet<u32> = known.iter().copied().collect();
        match (by, sys::cgroup_members(main)) {
            (Belonging::Cgroup, Some(cgroup)) => members.extend(cgroup),
            _ => members.extend(family(main, self.relations.get_or_insert_with(sys::relations))),
        }
        members.insert(main);
        let mut usage = self.numbers(&members);
        let pids: Vec<u32> = usage.processes.iter().map(|process| process.pid).collect();
        match self.sockets.listening(&pids) {
            Ok(ports) => usage.ports = ports,
            Err(why) => usage.notes.push(format!("ports are not shown: {why}")),
        }
        usage
    }

    fn numbers(&mut self, members: &BTreeSet<u32>) -> Usage {
        let pids: Vec<Pid> = members.iter().copied().map(Pid::from_u32).collect();
        let wanted =
            ProcessRefreshKind::nothing().with_memory().with_cpu().with_cmd(UpdateKind::OnlyIfNotSet).without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), false, wanted);
        let processes: Vec<Process> = pids.iter().filter_map(|pid| self.one(*pid, members)).collect();
        if processes.is_empty() {
            return Usage::default();
        }
        Usage {
            cpu: Some(processes.iter().map(|process| process.cpu).sum()),
            memory: Some(processes.iter().map(|process| process.memory).sum()),
            tasks: processes.iter().map(|process| sys::threads(process.pid)).sum(),
            processes: parents_first(processes),
            ..Usage::default()
        }
    }

    fn one(&self, pid: Pid, members: &BTreeSet<u32>) -> Option<Process> {
        let process = self.system.process(pid)?;
        // A zombie has ended; it only waits to be asked how.
        if process.status() == ProcessStatus::Zombie {
            return None;
        }
        let words: Vec<_> = process.cmd().iter().map(|word| word.to_string_lossy()).collect();
        let command =
            if words.is_empty() { format!("[{}]", process.name().to_string_lossy()) } else { words.join(" ") };
        // The clock of the two is whole seconds.
        let life = u32::try_from(process.run_time().max(1)).unwrap_or(u32::MAX);
        let used = u32::try_from(process.accumulated_cpu_time()).unwrap_or(u32::MAX);
        Some(Process {
            pid: pid.as_u32(),
            parent: process.parent().map(Pid::as_u32).filter(|parent| members.contains(parent)),
            command,
            memory: process.memory(),
            cpu: f64::from(used) / 10.0 / f64::from(life),
        })
    }
}

/// The main process, its descendants, and what shares its session if that is the service's own (its leader is the main
/// process): a child that outlived its parent is still found by that.
fn family(main: u32, relations: &[Relation]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for relation in relations {
        children.entry(relation.parent).or_default().push(relation.pid);
    }
    let in_session = relations.iter().filter(|relation| relation.session == main).map(|relation| relation.pid);
    let mut to_visit: Vec<u32> = in_session.chain([main]).collect();
    let mut family = BTreeSet::new();
    while let Some(pid) = to_visit.pop() {
        if family.insert(pid) {
            to_visit.extend(children.get(&pid).into_iter().flatten());
        }
    }
    family
}

/// Each process behind its parent; siblings by number.
fn parents_first(processes: Vec<Process>) -> Vec<Process> {
    fn take(parent: Option<u32>, left: &mut Vec<Process>, ordered: &mut Vec<Process>) {
        let (next, rest): (Vec<_>, Vec<_>) =
            std::mem::take(left).into_iter().partition(|process| process.parent == parent);
        *left = rest;
        for process in next {
            let pid = process.pid;
            ordered.push(process);
            take(Some(pid), left, ordered);
        }
    }
    let mut left = processes;
    left.sort_by_key(|process| process.pid);
    let known: BTreeSet<u32> = left.iter().map(|process| process.pid).collect();
    for process in &mut left {
        // The parent may have ended between two looks.
        process.parent = process.parent.filter(|parent| known.contains(parent));
    }
    let mut ordered = Vec::with_capacity(left.len());
    take(None, &mut left, &mut ordered);
    ordered.append(&mut left);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(pid: u32, parent: u32, session: u32) -> Relation {
        Relation { pid, parent, session }
    }

    #[test]
    fn who_lives_has_an_uptime_and_who_is_gone_has_none() {
        let own = std::process::id();
        // No process has so high a number.
        let seen = uptimes(&[own, 99_999_999]);
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [own]);
        assert!(seen[&own].is_some());
        #[cfg(unix)]
        assert!(asked_of_ps(Pid::from_u32(own)).is_some_and(|uptime| uptime < Duration::from_secs(86_400)));
    }

    #[test]
    fn ps_tells_the_time_like_a_clock() {
        let seconds = |text| elapsed(text).map(|time| time.as_secs());
        assert_eq!(seconds("      00:07\n"), Some(7));
        assert_eq!(seconds("01:02:03"), Some(3723));
        assert_eq!(seconds("2-00:00:09"), Some(172_809));
        for wrong in ["", "7", "a:b", "1-", "1:2:3:4", "-1:00"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_family_is_descent_and_session() {
        let relations = [
            relation(1, 0, 1),
            relation(10, 1, 10),
            relation(11, 10, 10),
            relation(12, 11, 12),
            // Its parent has ended.
            relation(13, 1, 10),
            relation(14, 13, 14),
            relation(20, 1, 20),
        ];
        assert_eq!(family(10, &relations), BTreeSet::from([10, 11, 12, 13, 14]));
        // Not the leader of its session: others of the session are none of its business.
        assert_eq!(family(11, &relations), BTreeSet::from([11, 12]));
        assert_eq!(family(99, &relations), BTreeSet::from([99]));
    }

    #[test]
    fn parents_come_before_their_children() {
        let process = |pid, parent| Process { pid, parent, command: String::new(), memory: 0, cpu: 0.0 };
        let ordered = parents_first(vec![
            process(5, Some(9)),
            process(3, None),
            process(9, Some(3)),
            process(4, Some(99)),
            process(8, Some(3)),
        ]);
        let pids: Vec<_> = ordered.iter().map(|process| (process.pid, process.parent)).collect();
        assert_eq!(pids, [(3, None), (8, Some(3)), (9, Some(3)), (5, Some(9)), (4, None)]);
    }

    #[cfg(unix)]
    #[test]
    fn a_real_family_is_looked_at() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo ready; wait"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let usage = Look::new().usage(child.id(), &[], Belonging::Family);
        for process in usage.processes.iter().rev() {
            let pid = i32::try_from(process.pid).unwrap();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        child.wait().unwrap();
        assert_eq!(usage.processes.len(), 2, "{usage:?}");
        assert_eq!(usage.processes[0].pid, child.id());
        assert_eq!(usage.processes[1].parent, Some(child.id()));
        assert!(usage.processes[0].command.starts_with("sh -c sleep 60"), "{usage:?}");
        assert!(usage.memory.unwrap() > 0);
        assert!(usage.tasks.is_none_or(|tasks| tasks == 2));
        let gone = Look::new().usage(child.id(), &[], Belonging::Family);
        assert_eq!(gone, Usage { ports: Vec::new(), notes: gone.notes.clone(), ..Usage::default() });
    }
}
