//! The file system as a service sees it, by a mount namespace of its own: `mount_namespaces(7)`, `mount_setattr(2)`.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{mkdir, symlinkat};

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

/// What a program may expect of devices: nothing of the machine's own.
const DEVICES: [&str; 9] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "log", "pts"];

/// Names for what is elsewhere.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
];

/// Where people have what is theirs.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

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
    /// Makes a mount read-only, and none below it.
    ReadOnlyAlone(CString),
    /// An empty folder.
    Empty(CString, CString),
    /// A file, a folder to be covered, and a name for what is elsewhere.
    File(CString),
    Folder(CString),
    Link(CString, CString),
    /// Takes a mount from the first to the second.
    Move(CString, CString),
    /// Processes that the run may not look into are not to be seen, nor is the machine.
    Processes,
}

/// The changes, in order.
#[derive(Debug, Clone)]
pub(super) struct Mounts {
    spaces: CloneFlags,
    steps: Vec<Step>,
}

impl Mounts {
    /// Those of `standard`, with exceptions.
    pub(super) fn standard(read_write: &[PathBuf]) -> Result<Self> {
        let mut steps = Vec::new();
        for path in there(&READ_ONLY) {
            let path = c_string(&path)?;
            steps.push(Step::Bind(path.clone(), path.clone()));
            steps.push(Step::ReadOnly(path, true));
        }
        writable(&mut steps, read_write)?;
        let null = c_string(Path::new("/dev/null"))?;
        for path in there(&HIDDEN_FILES) {
            steps.push(Step::Bind(null.clone(), c_string(&path)?));
        }
        hide(&mut steps, &HIDDEN_FOLDERS)?;
        private(&mut steps)?;
        Ok(Self { spaces: CloneFlags::CLONE_NEWNS, steps })
    }

    /// Those of `strict`, with exceptions.
    pub(super) fn strict(read_write: &[PathBuf], lives_at_home: bool) -> Result<Self> {
        let mut steps = vec![Step::ReadOnly(c"/".to_owned(), true)];
        writable(&mut steps, read_write)?;
        devices(&mut steps)?;
        steps.push(Step::Processes);
        hide(&mut steps, &HIDDEN_FOLDERS)?;
        if !lives_at_home {
            hide(&mut steps, &HOMES)?;
        }
        private(&mut steps)?;
        Ok(Self { spaces: CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC, steps })
    }

    /// Makes them, for this process and what comes of it.
    pub(super) fn apply(&self) -> io::Result<()> {
        unshare(self.spaces)?;
        // What is mounted later outside shows in here, and nothing of ours outside.
        mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&CStr>)?;
        self.steps.iter().try_for_each(Step::apply)
    }
}

/// Whether the kernel has the calls for it, as far as a call that asks for nothing can tell.
pub(super) fn are_known() -> bool {
    // SAFETY: a path that ends with a NUL, and a structure of no size: the kernel refuses the call before it looks at more.
    let result = unsafe { libc::syscall(libc::SYS_mount_setattr, -1, c"".as_ptr(), 0, std::ptr::null::<Attr>(), 0) };
    result == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

fn writable(steps: &mut Vec<Step>, read_write: &[PathBuf]) -> Result<()> {
    for path in read_write {
        let path = path.canonicalize().doing(format_args!("find `{}` of `security.read_write`", path.display()))?;
        let path = c_string(&path)?;
        steps.push(Step::Bind(path.clone(), path.clone()));
        steps.push(Step::ReadOnly(path, false));
    }
    Ok(())
}

fn hide(steps: &mut Vec<Step>, folders: &[&str]) -> Result<()> {
    let mut hidden = there(folders);
    hidden.dedup();
    for path in hidden {
        steps.push(Step::Empty(c_string(&path)?, c"mode=000,size=4k".to_owned()));
    }
    Ok(())
}

fn private(steps: &mut Vec<Step>) -> Result<()> {
    for path in there(&PRIVATE) {
        steps.push(Step::Empty(c_string(&path)?, c"mode=1777".to_owned()));
    }
    Ok(())
}

/// A /dev of the run's own. It is made where a /tmp of its own comes later, as the real devices are needed for it.
fn devices(steps: &mut Vec<Step>) -> Result<()> {
    let Some(place) = there(&PRIVATE).into_iter().next() else {
        return Err(Error::failed("cannot make the sandbox of `security.profile`: there is no /tmp"));
    };
    steps.push(Step::Empty(c_string(&place)?, c"mode=755,size=64k".to_owned()));
    for name in DEVICES {
        let (from, to) = (Path::new("/dev").join(name), c_string(&place.join(name))?);
        let Ok(metadata) = from.symlink_metadata() else { continue };
        if metadata.is_symlink() {
            steps.push(Step::Link(c_string(&from.read_link().doing(format_args!("read `{}`", from.display()))?)?, to));
            continue;
        }
        steps.push(if metadata.is_dir() { Step::Folder(to.clone()) } else { Step::File(to.clone()) });
        steps.push(Step::Bind(c_string(&from)?, to));
    }
    for (to, name) in LINKS {
        steps.push(Step::Link(to.to_owned(), c_string(&place.join(name.to_string_lossy().as_ref()))?));
    }
    let shared = c_string(&place.join("shm"))?;
    steps.push(Step::Folder(shared.clone()));
    steps.push(Step::Empty(shared, c"mode=1777".to_owned()));
    let place = c_string(&place)?;
    steps.push(Step::ReadOnlyAlone(place.clone()));
    steps.push(Step::Move(place, c"/dev".to_owned()));
    Ok(())
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
            Self::ReadOnly(at, on) => read_only(at, *on, RECURSIVE)?,
            Self::ReadOnlyAlone(at) => read_only(at, true, 0)?,
            Self::File(at) => {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                drop(open(&**at, flags, Mode::S_IRUSR)?);
            }
            Self::Folder(at) => mkdir(&**at, Mode::S_IRWXU)?,
            Self::Link(to, at) => symlinkat(&**to, AT_FDCWD, &**at)?,
            Self::Move(from, to) => mount(Some(&**from), &**to, None::<&CStr>, MsFlags::MS_MOVE, None::<&CStr>)?,
            Self::Processes => {
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, Some(c"hidepid=invisible,subset=pid"))?;
            }
        }
        Ok(())
    }
}

fn read_only(at: &CStr, on: bool, flags: libc::c_uint) -> io::Result<()> {
    let attr = Attr {
        set: if on { RDONLY } else { 0 },
        clear: if on { 0 } else { RDONLY },
        propagation: 0,
        user_namespace: 0,
    };
    let size = size_of::<Attr>();
    // SAFETY: the path ends with a NUL, and the size is that of the struct, which lives.
    let result =
        unsafe { libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, at.as_ptr(), flags, &raw const attr, size) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
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
