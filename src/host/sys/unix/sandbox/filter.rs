//! Filters of system calls, seccomp(2): what `standard` denies, and what `strict` allows. The groups are those of systemd.exec(5), so that the
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

use super::allowed::{ALLOWED, ALLOWED_HERE, ALLOWED_SINCE, UNKNOWN};
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

/// Kinds of sockets: to processes here, and to machines by IPv4 and IPv6.
const FAMILIES: [i32; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

/// The filters of `standard`.
pub(super) fn standard() -> Result<Vec<Filter>> {
    let hidden = BTreeMap::from([(libc::SYS_clone3, Vec::new()), (libc::SYS_openat2, Vec::new())]);
    let mut filters = vec![deny(denied()?, libc::EPERM)?, deny(hidden, libc::ENOSYS)?];
    if cfg!(target_arch = "x86_64") {
        filters.push(from_number_on(X32));
    }
    Ok(filters)
}

/// The filters of `strict`, which are those of `standard` and more.
pub(super) fn strict() -> Result<Vec<Filter>> {
    let mut filters = standard()?;
    filters.push(deny(other_sockets()?, libc::EAFNOSUPPORT)?);
    filters.push(deny(written_and_executed()?, libc::EPERM)?);
    let allowed = ALLOWED.into_iter().chain(ALLOWED_HERE).chain(ALLOWED_SINCE).map(|call| (call, Vec::new())).collect();
    filters.push(compile(allowed, denial(libc::EPERM), SeccompAction::Allow)?);
    // Of two filters that deny, the later one's answer counts: what nobody here knows is answered as an old kernel does.
    filters.push(from_number_on(UNKNOWN));
    Ok(filters)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Adds a rule for calls whose arguments, by their places, are such.
fn when(rules: &mut Rules, call: c_long, conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<()> {
    let conditions = conditions
        .iter()
        .map(|(argument, op, value)| SeccompCondition::new(*argument, Dword, op.clone(), *value))
        .collect::<std::result::Result<Vec<_>, _>>();
    let rule = conditions.and_then(SeccompRule::new).map_err(wrong)?;
    rules.entry(call).or_default().push(rule);
    Ok(())
}

fn other_sockets() -> Result<Rules> {
    let mut rules = Rules::new();
    let families = FAMILIES.map(|family| (0, Ne, u64::from(family.cast_unsigned())));
    when(&mut rules, libc::SYS_socket, &families)?;
    Ok(rules)
}

/// Memory that is both written and executed, or becomes executable later.
fn written_and_executed() -> Result<Rules> {
    let mut rules = Rules::new();
    let has =
        |argument, bits: i32| (argument, MaskedEq(u64::from(bits.cast_unsigned())), u64::from(bits.cast_unsigned()));
    when(&mut rules, libc::SYS_mmap, &[has(2, libc::PROT_WRITE | libc::PROT_EXEC)])?;
    when(&mut rules, libc::SYS_mprotect, &[has(2, libc::PROT_EXEC)])?;
    when(&mut rules, libc::SYS_pkey_mprotect, &[has(2, libc::PROT_EXEC)])?;
    when(&mut rules, libc::SYS_shmat, &[has(2, libc::SHM_EXEC)])?;
    Ok(rules)
}

fn denied() -> Result<Rules> {
    let mut rules: Rules = DENIED.into_iter().chain(DENIED_HERE).map(|call| (call, Vec::new())).collect();
    let mut when = |call, conditions: &[_]| when(&mut rules, call, conditions);
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

fn deny(rules: Rules, error: i32) -> Result<Filter> {
    compile(rules, SeccompAction::Allow, denial(error))
}

const fn denial(error: i32) -> SeccompAction {
    SeccompAction::Errno(error.cast_unsigned())
}

fn compile(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Result<Filter> {
    let arch = std::env::consts::ARCH.try_into().map_err(wrong)?;
    let filter = SeccompFilter::new(rules, otherwise, on_match, arch).map_err(wrong)?;
    let program: BpfProgram = filter.try_into().map_err(wrong)?;
    let own = |it: seccompiler::sock_filter| libc::sock_filter { code: it.code, jt: it.jt, jf: it.jf, k: it.k };
    Ok(Filter(program.into_iter().map(own).collect()))
}

/// The numbers of x32, by which every call could be made a second time.
const X32: u32 = 0x4000_0000;

/// Calls by this number and higher ones answer ENOSYS.
fn from_number_on(first: u32) -> Filter {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k };
    Filter(vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, first),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ])
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("cannot make a filter of system calls: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_are_no_longer_than_the_kernel_takes() {
        let (standard, strict) = (standard().unwrap(), strict().unwrap());
        assert!(standard.len() >= 2 && strict.len() == standard.len() + 4);
        assert!(strict.iter().all(|filter| (4..4096).contains(&filter.0.len())));
    }

    #[test]
    fn what_strict_allows_is_told_once_and_has_nothing_that_standard_denies_whole() {
        let mut all: Vec<c_long> = ALLOWED.into_iter().chain(ALLOWED_HERE).chain(ALLOWED_SINCE).collect();
        let denied: Vec<c_long> = DENIED.into_iter().chain(DENIED_HERE).filter(|call| all.contains(call)).collect();
        // systemd's group has it, and what `standard` denies it is denied whichever list has it.
        assert_eq!(denied, [libc::SYS_setns]);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|call| u32::try_from(*call).unwrap() < UNKNOWN));
    }
}
