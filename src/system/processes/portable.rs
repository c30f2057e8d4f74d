//! Elsewhere: what `sysinfo` tells.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::Relation;

/// There are no cgroups here.
pub(super) fn cgroup_members(_: u32) -> Option<Vec<u32>> {
    None
}

/// Every process of the machine.
pub(super) fn relations() -> Vec<Relation> {
    let mut system = System::new();
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, ProcessRefreshKind::nothing());
    let number = |pid: Option<Pid>| pid.map_or(0, Pid::as_u32);
    system
        .processes()
        .iter()
        .map(|(pid, process)| Relation {
            pid: pid.as_u32(),
            parent: number(process.parent()),
            session: number(process.session_id()),
        })
        .collect()
}

/// Not told here.
pub(super) fn threads(_: u32) -> Option<u64> {
    None
}

/// Not told here.
#[derive(Debug, Default)]
pub(super) struct Sockets;

impl Sockets {
    #[expect(clippy::unused_self, reason = "the same signature on each system")]
    pub(super) fn listening(&mut self, _: &[u32]) -> Result<Vec<String>, String> {
        Err("this system does not tell which process a port belongs to".to_owned())
    }
}
