//! The file system as a service sees it, by a mount namespace of its own: `mount_namespaces(7)`, `mount_setattr(2)`.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::error::{Error, IoContext, Result};

/// The system itself, and the kernel's settings.
const READ_ONLY: [&str; 14] = [
    "/usr",
    "/boot",
    "/efi",
    "/etc",
    "/sys",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/latency_stats",
    "/proc/mtrr",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/fs",
    "/proc/irq",
    "/proc/bus",
];

/// The kernel's log, memory and symbols: nothing in their place.
const HIDDEN_FILES: [&str; 4] = ["/proc/kmsg", "/proc/kcore", "/proc/kallsyms", "/dev/kmsg"];

/// The kernel's modules.
const HIDDEN_FOLDERS: [&str; 2] = ["/usr/lib/modules", "/lib/modules"];

/// Places for what is not to last.
const PRIVATE: [&str; 2] = ["/tmp", "/var/tmp"];

/// `MOUNT_ATTR_RDONLY`.
const RDONLY: u64 = 1;

/// `AT_RECURSIVE`.
const RECURSIVE: libc::c_uint = 0x8000;

/// One change of the name space.
#[derive(Debug, Clone)]
enum Step {
    /// Shows the first at the second, with all that is mounted below it.
    Bind(CString, CString),
    /// Makes a mount and all below it read-only, or writable again.
    ReadOnly(CString, bool),
    /// An empty folder.
    Empty(CString, CString),
}

/// The changes, in order.
#[derive(Debug, Clone)]
pub(super) struct Mounts(Vec<Step>);

impl Mounts {
    /// Those of `standard`, with exceptions.
    pub(super) fn standard(read_write: &[PathBuf]) -> Result<Self> {
        let mut steps = Vec::new();
        for path in there(&READ_ONLY) {
            let path = c_string(&path)?;
            steps.push(Step::Bind(path.clone(), path.clone()));
            steps.push(Step::ReadOnly(path, true));
        }
        for path in read_write {
            let path = path.canonicalize().doing(format_args!("find `{}` of `security.read_write`", path.display()))?;
            let path = c_string(&path)?;
            steps.push(Step::Bind(path.clone(), path.clone()));
            steps.push(Step::ReadOnly(path, false));
        }
        let null = c_string(Path::new("/dev/null"))?;
        for path in there(&HIDDEN_FILES) {
            steps.push(Step::Bind(null.clone(), c_string(&path)?));
        }
        let mut hidden = there(&HIDDEN_FOLDERS);
        hidden.dedup();
        for path in hidden {
            steps.push(Step::Empty(c_string(&path)?, c"mode=000,size=4k".to_owned()));
        }
        for path in there(&PRIVATE) {
            steps.push(Step::Empty(c_string(&path)?, c"mode=1777".to_owned()));
        }
        Ok(Self(steps))
    }

    /// Makes them, for this process and what comes of it.
    pub(super) fn apply(&self) -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        // What is mounted later outside shows in here, and nothing of ours outside.
        mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&CStr>)?;
        self.0.iter().try_for_each(Step::apply)
    }
}

impl Step {
    fn apply(&self) -> io::Result<()> {
        match self {
            Self::Bind(from, to) => {
                let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
                mount(Some(&**from), &**to, None::<&CStr>, flags, None::<&CStr>)?;
            }
            Self::Empty(at, options) => {
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount(Some(c"tmpfs"), &**at, Some(c"tmpfs"), flags, Some(&**options))?;
            }
            Self::ReadOnly(at, on) => {
                let attr = Attr {
                    set: if *on { RDONLY } else { 0 },
                    clear: if *on { 0 } else { RDONLY },
                    propagation: 0,
                    user_namespace: 0,
                };
                // SAFETY: the path ends with a NUL, and the size is that of the struct, which lives.
                let result = unsafe {
                    libc::syscall(
                        libc::SYS_mount_setattr,
                        libc::AT_FDCWD,
                        at.as_ptr(),
                        RECURSIVE,
                        &raw const attr,
                        size_of::<Attr>(),
                    )
                };
                if result == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
        }
        Ok(())
    }
}

/// `struct mount_attr`.
#[repr(C)]
struct Attr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Those that this machine has, by their own names.
fn there(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().filter_map(|path| Path::new(path).canonicalize().ok()).collect()
}

fn c_string(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::failed(format!("`{}` has a NUL character in it", path.display())))
}
