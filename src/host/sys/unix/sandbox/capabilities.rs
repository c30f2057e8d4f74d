//! Capabilities, capabilities(7).

use std::io;

/// By their numbers.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The clock, the kernel's log and its modules: what `standard` keeps from everybody.
const OF_THE_KERNEL: [&str; 4] = ["CAP_SYS_TIME", "CAP_WAKE_ALARM", "CAP_SYSLOG", "CAP_SYS_MODULE"];

/// Some capabilities, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    pub(super) const ALL: Self = Self(u64::MAX);
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of<T: AsRef<str>>(names: &[T]) -> Self {
        let bit = |name: &T| NAMES.iter().position(|known| *known == name.as_ref()).map_or(0, |number| 1 << number);
        Self(names.iter().map(bit).fold(0, |set, bit: u64| set | bit))
    }

    pub(super) fn of_the_kernel() -> Self {
        Self::of(&OF_THE_KERNEL)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn contains(self, name: &str) -> bool {
        Self::of(&[name]).without(self).is_empty()
    }

    /// Takes all others from what this process, and whatever it executes, can ever have.
    pub(super) fn bound(self) -> io::Result<()> {
        for number in 0..64_u32 {
            if self.0 >> number & 1 == 1 {
                continue;
            }
            // SAFETY: PR_CAPBSET_DROP takes a number.
            match unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) } {
                0 => {}
                // The kernel knows no more.
                _ if io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) => return Ok(()),
                _ => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }
}

/// What this process may do.
pub(super) fn own() -> Set {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Set(line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0))
}

/// Capabilities that outlive the change to another user, and the execution of a program that knows nothing of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    set: Set,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`, capset(2).
const VERSION: u32 = 0x2008_0522;

impl Kept {
    pub(super) const fn new(set: Set) -> Self {
        Self { set }
    }

    /// Before the change of user.
    #[expect(clippy::unused_self, reason = "it is a step of this one's")]
    pub(super) fn hold(self) -> io::Result<()> {
        nix::sys::prctl::set_keepcaps(true)?;
        Ok(())
    }

    /// After it. For root, whose programs get all of the bounding set by being root's, there is nothing to do.
    #[expect(clippy::cast_possible_truncation, reason = "it is taken in two halves")]
    pub(super) fn raise(self) -> io::Result<()> {
        if nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let half = |bits: u32| Data { effective: bits, permitted: bits, inheritable: bits };
        let header = Header { version: VERSION, pid: 0 };
        let data = [half(self.set.0 as u32), half((self.set.0 >> 32) as u32)];
        // SAFETY: both pointers are to living data of the shapes that this version has.
        if unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } == -1 {
            return Err(io::Error::last_os_error());
        }
        for number in 0..64_u32 {
            if self.set.0 >> number & 1 == 0 {
                continue;
            }
            let raise = libc::c_ulong::from(libc::PR_CAP_AMBIENT_RAISE.unsigned_abs());
            // SAFETY: PR_CAP_AMBIENT takes numbers.
            if unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(number), 0, 0) } == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(Set::of(&["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]), Set(1 | 1 << 10));
        assert_eq!(Set::of(&["CAP_CHECKPOINT_RESTORE"]), Set(1 << 40));
        assert_eq!(Set::of_the_kernel(), Set(1 << 25 | 1 << 35 | 1 << 34 | 1 << 16));
        assert!(Set::of::<&str>(&[]).is_empty());
        assert!(Set::ALL.contains("CAP_BPF") && !Set::ALL.without(Set::of(&["CAP_BPF"])).contains("CAP_BPF"));
    }
}
