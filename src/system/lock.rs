//! One mutating command a scope at a time.
//!
//! The lock is the kernel's (`flock`, `LockFileEx`) on a file that stays: it ends with the process that holds it,
//! however that ends. The file's content says who holds it, for the one who waits; it decides nothing.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::files;
use crate::backend::Progress;
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;

/// While it waits, a command looks this often whether somebody pressed Ctrl-C. The lock itself is an event.
const LOOK_UP: Duration = Duration::from_millis(200);

/// The lock of a scope; free again when this is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock at `path`, whose folder exists, waiting at most `wait` for another command to be done.
    ///
    /// `command` is what the others are told about us: `install web.toml`.
    pub fn acquire(path: &Path, command: &str, wait: Duration, progress: &mut dyn Progress) -> Result<Self> {
        let file = files::open_lock(path)?;
        let doing = || format!("lock `{}`", path.display());
        let file = match file.try_lock() {
            Ok(()) => file,
            Err(TryLockError::Error(error)) => return Err(error).doing(doing()),
            Err(TryLockError::WouldBlock) => wait_for(file, path, wait, progress)?,
        };
        let mut lock = Self(file);
        // On a full disk nobody is told who we are; a service must be stoppable there too.
        let _ = lock.sign(command);
        Ok(lock)
    }

    fn sign(&mut self, command: &str) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        write!(self.0, "pid {}, `{command}`", std::process::id())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who waits next should not read about us. If that fails, the text is out of date and harmless.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

/// Whether somebody holds the lock, as far as we may know: where we may not look, it is taken for held.
#[must_use]
pub fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

fn wait_for(file: File, path: &Path, wait: Duration, progress: &mut dyn Progress) -> Result<File> {
    let until = Instant::now() + wait;
    let (done, granted) = mpsc::channel();
    // When we have given up, the file that this thread is granted later has nobody to go to, and is closed.
    std::thread::spawn(move || done.send(file.lock().map(|()| file)));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        progress.waiting("", &format!("another daemonctl ({})", holder(path)));
        match granted.recv_timeout(left.min(LOOK_UP)) {
            Ok(locked) => return locked.doing(format_args!("lock `{}`", path.display())),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::failed(format!(
                    "cannot lock `{}`: the wait ended without an answer",
                    path.display()
                )));
            }
            Err(RecvTimeoutError::Timeout) if progress.interrupted() => {
                return Err(Error::failed("interrupted while waiting for another daemonctl; nothing was changed"));
            }
            Err(RecvTimeoutError::Timeout) if left <= LOOK_UP => {
                return Err(Error::new(
                    Exit::TimedOut,
                    format!("another daemonctl holds `{}` ({})", path.display(), holder(path)),
                )
                .hint("run the command again when the other one is done"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Who says to hold it.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = files::open_lock(path).ok().and_then(|file| file.take(512).read_to_string(&mut text).ok());
    match read {
        Some(1..) => text.replace(char::is_control, " "),
        _ => "it does not say which".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Silent;

    #[derive(Default)]
    struct Told(Vec<String>, bool);

    impl Progress for Told {
        fn waiting(&mut self, _: &str, what: &str) {
            self.0.push(what.to_owned());
        }
        fn interrupted(&self) -> bool {
            self.1
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::acquire(&path, "install a.toml", LONG, &mut Silent).unwrap();
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut told = Told::default();
                let lock = Lock::acquire(&path, "install b.toml", LONG, &mut told).unwrap();
                (lock, told.0)
            }
        });
        // However late the waiter comes, it may only get the lock after this.
        std::thread::yield_now();
        drop(first);
        let (second, told) = waiter.join().unwrap();
        assert!(told.iter().all(|what| what.starts_with("another daemonctl (")), "{told:?}");
        assert!(std::fs::read_to_string(&path).unwrap().contains("`install b.toml`"));
        assert!(is_held(&path));
        drop(second);
        assert!(!is_held(&path));
        assert!(!is_held(&folder.path().join("nothing")));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn who_waits_too_long_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _first = Lock::acquire(&path, "install a.toml", LONG, &mut Silent).unwrap();
        let error = Lock::acquire(&path, "x", Duration::from_millis(1), &mut Silent).unwrap_err();
        assert_eq!(error.exit(), Exit::TimedOut);
        let expected = format!("(pid {}, `install a.toml`)", std::process::id());
        assert!(error.to_string().contains(&expected), "{error}");
        Lock::acquire(&folder.path().join("other"), "y", LONG, &mut Silent).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_lock_of_a_killed_process_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let Ok(mut holder) =
            std::process::Command::new("flock").arg("--no-fork").arg(&path).args(["sleep", "60"]).spawn()
        else {
            eprintln!("skipped: flock(1) is missing");
            return;
        };
        let until = Instant::now() + LONG;
        while !is_held(&path) {
            assert!(Instant::now() < until, "flock(1) never took the lock");
            std::thread::yield_now();
        }
        holder.kill().unwrap();
        holder.wait().unwrap();
        Lock::acquire(&path, "x", LONG, &mut Silent).unwrap();
    }

    #[test]
    fn ctrl_c_ends_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _first = Lock::acquire(&path, "install a.toml", LONG, &mut Silent).unwrap();
        let error = Lock::acquire(&path, "x", LONG, &mut Told(Vec::new(), true)).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        #[cfg(unix)]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lock");
            let elsewhere = folder.path().join("elsewhere");
            std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
            Lock::acquire(&path, "x", LONG, &mut Silent).unwrap_err();
            assert!(!elsewhere.exists());
        }
    }
}
