//! Filters of system calls, seccomp(2): what `standard` denies. The groups are those of systemd.exec(5), so that the
//! profile means the same under both.
//!
//! What is denied answers EPERM. Calls that hide their arguments in memory, where a filter can't look, answer ENOSYS, and
//! libraries fall back on those that can be judged. A foreign architecture's calls end the process.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{self, MaskedEq, Ne};
use seccompiler::{BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule};

use crate::error::{Error, Result};

/// A program for the kernel.
#[derive(Debug, Clone)]
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Puts it over this process and what comes of it, for ever.
    pub(super) fn install(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: the program lives, has that many instructions, and the kernel only reads it.
        let result = unsafe {
            libc::prctl(libc::PR_SET_SECCOMP, libc::c_ulong::from(libc::SECCOMP_MODE_FILTER), &raw const program, 0, 0)
        };
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// On every architecture: @clock, @debug, @module, @raw-io, @reboot, @swap, the machine's name, and the kernel's log.
const DENIED: [c_long; 20] = [
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_lookup_dcookie,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_sched_setattr,
    // Into whichever namespace: its file says which, and a filter sees no files.
    libc::SYS_setns,
];

/// @obsolete, @cpu-emulation and the rest of @raw-io, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: [c_long; 14] = [
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS__sysctl,
    libc::SYS_afs_syscall,
    libc::SYS_getpmsg,
    libc::SYS_putpmsg,
    libc::SYS_security,
    libc::SYS_sysfs,
    libc::SYS_tuxcall,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_vserver,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: [c_long; 0] = [];

/// The namespaces' flags of clone(2) and unshare(2).
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
    // CLONE_NEWTIME.
    0x80,
];

/// Policies of the scheduler that can keep everybody else from running: FIFO, RR, DEADLINE.
const REALTIME: [u32; 3] = [1, 2, 6];

/// What personality(2) is by default, and the question what it is.
const PERSONALITIES: [u32; 2] = [0, u32::MAX];

/// The filters of `standard`.
pub(super) fn standard() -> Result<Vec<Filter>> {
    let hidden = BTreeMap::from([(libc::SYS_clone3, Vec::new()), (libc::SYS_openat2, Vec::new())]);
    let mut filters = vec![compile(denied()?, libc::EPERM)?, compile(hidden, libc::ENOSYS)?];
    filters.extend(other_numbers());
    Ok(filters)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn denied() -> Result<Rules> {
    let mut rules: Rules = DENIED.into_iter().chain(DENIED_HERE).map(|call| (call, Vec::new())).collect();
    let mut when = |call: c_long, conditions: &[(u8, SeccompCmpOp, u64)]| -> Result<()> {
        let conditions = conditions
            .iter()
            .map(|(argument, op, value)| SeccompCondition::new(*argument, Dword, op.clone(), *value))
            .collect::<std::result::Result<Vec<_>, _>>();
        let rule = conditions.and_then(SeccompRule::new).map_err(wrong)?;
        rules.entry(call).or_default().push(rule);
        Ok(())
    };
    for flag in NAMESPACES {
        let flag = u64::from(flag.cast_unsigned());
        when(libc::SYS_unshare, &[(0, MaskedEq(flag), flag)])?;
        // In clone(2) this bit is a part of the signal.
        if flag != 0x80 {
            when(libc::SYS_clone, &[(0, MaskedEq(flag), flag)])?;
        }
    }
    for policy in REALTIME {
        when(libc::SYS_sched_setscheduler, &[(1, MaskedEq(0xff), u64::from(policy))])?;
    }
    let [usual, asked] = PERSONALITIES.map(u64::from);
    when(libc::SYS_personality, &[(0, Ne, usual), (0, Ne, asked)])?;
    for bit in [u64::from(libc::S_ISUID), u64::from(libc::S_ISGID)] {
        let set = |argument| (argument, MaskedEq(bit), bit);
        for (call, mode) in [(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (452, 2), (libc::SYS_mknodat, 2)] {
            when(call, &[set(mode)])?;
        }
        when(libc::SYS_mkdirat, &[set(2)])?;
        let create = u64::from(libc::O_CREAT.cast_unsigned());
        when(libc::SYS_openat, &[(2, MaskedEq(create), create), set(3)])?;
        #[cfg(target_arch = "x86_64")]
        {
            for (call, mode) in [(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mknod, 1), (libc::SYS_mkdir, 1)]
            {
                when(call, &[set(mode)])?;
            }
            when(libc::SYS_open, &[(1, MaskedEq(create), create), set(2)])?;
        }
    }
    Ok(rules)
}

fn compile(rules: Rules, error: i32) -> Result<Filter> {
    let arch = std::env::consts::ARCH.try_into().map_err(wrong)?;
    let answer = SeccompAction::Errno(error.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(wrong)?;
    let program: BpfProgram = filter.try_into().map_err(wrong)?;
    let own = |it: seccompiler::sock_filter| libc::sock_filter { code: it.code, jt: it.jt, jf: it.jf, k: it.k };
    Ok(Filter(program.into_iter().map(own).collect()))
}

/// The numbers of x32, by which every call could be made a second time, answer ENOSYS.
fn other_numbers() -> Option<Filter> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k };
    cfg!(target_arch = "x86_64").then(|| {
        Filter(vec![
            step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
            step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ])
    })
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("cannot make a filter of system calls: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_are_no_longer_than_the_kernel_takes() {
        let filters = standard().unwrap();
        assert!(filters.len() >= 2);
        assert!(filters.iter().all(|filter| (4..4096).contains(&filter.0.len())));
    }
}
