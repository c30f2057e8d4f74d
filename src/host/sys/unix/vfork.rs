//! A child that shares our memory until it executes its program, as with `vfork`: a fork would copy our page tables, and
//! then each page that we write to while it lives. Our open files are not copied either, but for the first few: the
//! child leaves the others as it leaves our table (`CLOSE_RANGE_UNSHARE`, Linux 5.9), so that making the thousandth
//! child costs what making the first did.
//!
//! Between `clone` and `execve` the child makes system calls only. All signals are blocked meanwhile, so none of our
//! handlers runs in it; an error is left in memory, where we find it when `clone` returns: we do not run until then.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

use super::becomes::Becomes;
use crate::host::sys::launch::{Launch, Output};

const STACK: usize = 32 * 1024;

/// What making children needs again and again. Behind a lock, as the numbers of the descriptors are shared.
static TOOLS: Mutex<Option<Tools>> = Mutex::new(None);

struct Tools {
    null: File,
    /// Copies of `null` with the lowest numbers that were free, which are replaced by a child's standard streams.
    streams: [File; 3],
    stack: Vec<u8>,
    /// The kernel can leave our table of open files.
    unshares: bool,
}

impl Tools {
    fn new() -> io::Result<Self> {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let streams = [null.try_clone()?, null.try_clone()?, null.try_clone()?];
        Ok(Self { null, streams, stack: vec![0; STACK], unshares: true })
    }

    /// The first number that is above all streams; what is open from there on, a child does not get. What is open below
    /// is closed by execve, the supervisor's lock among it, which was there before: who finds us killed and takes the
    /// lock finds the program.
    fn above(&self) -> RawFd {
        self.streams.iter().map(AsRawFd::as_raw_fd).max().map_or(3, |highest| highest + 1)
    }
}

/// What the child has, prepared before it is made.
struct Program {
    /// Where it may be: one, or one for each folder of the PATH.
    paths: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
    dir: CString,
}

pub(super) fn spawn(launch: &Launch<'_>, becomes: &Becomes) -> io::Result<i32> {
    let program = Program::of(launch)?;
    let mut guard = TOOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let tools = match &mut *guard {
        Some(tools) => tools,
        empty => empty.insert(Tools::new()?),
    };
    let wanted = [
        Some(launch.stdin.as_ref().unwrap_or(&tools.null)),
        target(&launch.stdout, &launch.stdout, &tools.null),
        target(&launch.stderr, &launch.stdout, &tools.null),
    ];
    for (place, file) in tools.streams.iter().zip(wanted) {
        if let Some(file) = file {
            replace(place, file)?;
        }
    }
    let inherited = wanted.map(|file| file.is_none());
    let made = make(tools, inherited, &program, becomes);
    for place in &tools.streams {
        // The child's end of a pipe is not ours to hold.
        replace(place, &tools.null)?;
    }
    made
}

/// The file that a stream goes to; None: ours.
const fn target<'a>(output: &'a Output, stdout: &'a Output, null: &'a File) -> Option<&'a File> {
    match (output, stdout) {
        (Output::Null, _) | (Output::Stdout, Output::Null) => Some(null),
        (Output::File(file), _) | (Output::Stdout, Output::File(file)) => Some(file),
        (Output::Inherit, _) | (Output::Stdout, Output::Inherit | Output::Stdout) => None,
    }
}

fn replace(place: &File, file: &File) -> io::Result<()> {
    // SAFETY: both are open files of ours; what stood at `place` is a copy that nobody else uses.
    let done = unsafe { libc::dup3(file.as_raw_fd(), place.as_raw_fd(), libc::O_CLOEXEC) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn make(tools: &mut Tools, inherited: [bool; 3], program: &Program, becomes: &Becomes) -> io::Result<i32> {
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    let mut made = Err(io::ErrorKind::Unsupported.into());
    if tools.unshares {
        made = make_once(tools, true, inherited, program, becomes);
        // An old kernel, or a filter of system calls that does not know this one.
        if matches!(&made, Err(error) if error.kind() == io::ErrorKind::Unsupported) {
            tools.unshares = false;
        }
    }
    if !tools.unshares {
        made = make_once(tools, false, inherited, program, becomes);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    made
}

fn make_once(
    tools: &mut Tools,
    unshare: bool,
    inherited: [bool; 3],
    program: &Program,
    becomes: &Becomes,
) -> io::Result<i32> {
    let above = tools.above();
    let places = tools.streams.each_ref().map(AsRawFd::as_raw_fd);
    let (paths, mut args, env) = (&program.paths, pointers(&program.args), pointers(&program.env));
    // Room for a script without a `#!` line, which a shell runs: `sh SCRIPT ARGS`.
    args.insert(0, std::ptr::null());
    let mut failed: Result<(), Errno> = Ok(());
    let mut child = || -> isize {
        let error = (|| -> io::Result<()> {
            nix::unistd::chdir(program.dir.as_c_str())?;
            becomes.apply()?;
            if unshare {
                // SAFETY: the range is above the files that are needed from here on, and the table becomes our own.
                let done = unsafe { libc::syscall(libc::SYS_close_range, above, libc::c_uint::MAX, UNSHARE) };
                if done == -1 {
                    return Err(io::ErrorKind::Unsupported.into());
                }
            }
            for (number, (place, inherited)) in (0..).zip(places.into_iter().zip(inherited)) {
                // SAFETY: the table is our own; the copy is not closed by execve.
                if !inherited && unsafe { libc::dup2(place, number) } == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            Err(execute(paths, &mut args, &env).into())
        })();
        let errno = match error {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Errno::ENOSYS,
            Err(error) => error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw),
            Ok(()) => Errno::UnknownErrno,
        };
        failed = Err(errno);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(127) }
    };
    let mut flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    if unshare {
        flags |= CloneFlags::CLONE_FILES;
    }
    // SAFETY: the child runs on a stack of its own, which lives until `clone` returns; that is when it has executed its
    // program or ended, so that nothing is done at the same time to the memory that both have. It allocates nothing,
    // takes no lock, and neither returns nor unwinds.
    let pid = unsafe { nix::sched::clone(Box::new(&mut child), &mut tools.stack, flags, Some(libc::SIGCHLD)) }?;
    if let Err(errno) = failed {
        let _ = nix::sys::wait::waitpid(pid, None);
        return Err(errno.into());
    }
    Ok(pid.as_raw())
}

/// `CLOSE_RANGE_UNSHARE`.
const UNSHARE: libc::c_uint = 1 << 1;

/// Tries each place as execvp(3) does; gives what kept the last one from it.
fn execute(paths: &[CString], args: &mut [*const libc::c_char], env: &[*const libc::c_char]) -> Errno {
    const SHELL: &std::ffi::CStr = c"/bin/sh";
    let mut denied = false;
    let mut last = Errno::ENOENT;
    for path in paths {
        let plain = args.get(1..).map_or(std::ptr::null(), <[_]>::as_ptr);
        // SAFETY: arrays of living strings, each ended by a null pointer.
        unsafe { libc::execve(path.as_ptr(), plain, env.as_ptr()) };
        last = Errno::last();
        if last == Errno::ENOEXEC {
            if let [shell, script, ..] = args {
                (*shell, *script) = (SHELL.as_ptr(), path.as_ptr());
            }
            // SAFETY: as above.
            unsafe { libc::execve(SHELL.as_ptr(), args.as_ptr(), env.as_ptr()) };
            return Errno::last();
        }
        match last {
            Errno::EACCES => denied = true,
            Errno::ENOENT | Errno::ENOTDIR | Errno::ESTALE | Errno::ENODEV | Errno::ETIMEDOUT => {}
            _ => return last,
        }
    }
    if denied { Errno::EACCES } else { last }
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

impl Program {
    fn of(launch: &Launch<'_>) -> io::Result<Self> {
        let text =
            |bytes: &[u8]| CString::new(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error));
        let args = launch.argv.iter().map(|arg| text(arg.as_bytes())).collect::<io::Result<Vec<_>>>()?;
        let name = launch.argv.first().map_or("", String::as_str);
        let paths = if name.contains('/') || name.is_empty() {
            vec![text(name.as_bytes())?]
        } else {
            let path = launch.env.iter().find(|(name, _)| name == "PATH").map_or("/bin:/usr/bin", |(_, path)| path);
            // An empty entry is the folder that the child starts in.
            let place = |folder: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            path.split(':').map(|folder| text(place(folder).as_bytes())).collect::<io::Result<_>>()?
        };
        let mut env = Vec::with_capacity(launch.env.len() + 1);
        for (name, value) in &launch.env {
            env.push(text([name.as_bytes(), b"=", value.as_bytes()].concat().as_slice())?);
        }
        Ok(Self { paths, args, env, dir: text(launch.dir.as_os_str().as_bytes())? })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::account::own_account;
    use super::super::spawn::spawn;
    use super::*;
    use crate::service::{Signal, StopSignal};

    fn output(script: &str, change: impl FnOnce(&mut Launch<'_>)) -> io::Result<String> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let account = own_account();
        let (mut read, write) = io::pipe()?;
        let mut launch = Launch {
            argv: &argv,
            env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("NAME".into(), "a value".into())],
            dir: "/".into(),
            umask: None,
            account: &account,
            group: None,
            open_files: None,
            stop: StopSignal::Signal(Signal::Term),
            priority: None,
            mark: "",
            sandbox: None,
            stdin: None,
            stdout: Output::File(std::os::fd::OwnedFd::from(write).into()),
            stderr: Output::Stdout,
        };
        change(&mut launch);
        let pid = spawn(launch)?;
        let mut text = String::new();
        read.read_to_string(&mut text)?;
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None)?;
        Ok(text)
    }

    #[test]
    fn a_child_has_its_streams_its_environment_and_its_folder() {
        let text = output("echo $NAME; pwd; echo wrong >&2; cat; umask", |launch| {
            launch.dir = "/usr".into();
            launch.umask = Some(0o27);
        });
        assert_eq!(text.expect("run"), "a value\n/usr\nwrong\n0027\n");
    }

    #[test]
    fn it_has_no_files_of_ours_and_ignores_and_blocks_no_signal() {
        // What the tests were started with may be anything; a supervisor forgets it as it starts.
        super::super::process::forget_inherited();
        let many: Vec<File> = (0..200).map(|_| File::open("/dev/null").expect("open")).collect();
        // The shell reads by itself: while it starts a program it blocks signals.
        let script = "ls /proc/$$/fd; while read -r name bits; do \
                      case $name in SigBlk:|SigIgn:) echo $name $bits;; esac; done </proc/$$/status";
        let text = output(script, |_| {}).expect("run");
        drop(many);
        let files: Vec<&str> = text.lines().take_while(|line| !line.starts_with("Sig")).collect();
        assert_eq!(files, ["0", "1", "2"], "{text}");
        for line in text.lines().filter(|line| line.starts_with("Sig")) {
            let bits =
                line.split_whitespace().last().and_then(|bits| u64::from_str_radix(bits, 16).ok()).expect("bits");
            // The real-time signals are the C library's.
            assert_eq!(bits & 0x7fff_ffff, 0, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_an_error_and_leaves_no_child() {
        let run = |argv: &[&str], dir: &str| {
            let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
            let mut kind = None;
            let result = output("", |launch| {
                // The strings live as long as the test.
                launch.argv = Box::leak(argv.into_boxed_slice());
                launch.dir = dir.into();
            });
            if let Err(error) = result {
                kind = Some(error.kind());
            }
            kind
        };
        assert_eq!(run(&["/no/such/program"], "/"), Some(io::ErrorKind::NotFound));
        assert_eq!(run(&["no-such-program"], "/"), Some(io::ErrorKind::NotFound));
        assert_eq!(run(&["/etc/passwd"], "/"), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(run(&["true"], "/no/such/folder"), Some(io::ErrorKind::NotFound));
        assert_eq!(run(&["true"], "/"), None);
    }

    #[test]
    fn a_script_without_a_first_line_is_run_by_a_shell() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("script");
        std::fs::write(&path, "echo $1-$2\n").expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let argv = [path.display().to_string(), "one".to_owned(), "two".to_owned()];
        let text = output("", |launch| launch.argv = Box::leak(argv.to_vec().into_boxed_slice()));
        assert_eq!(text.expect("run"), "one-two\n");
    }
}
