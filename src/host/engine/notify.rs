//! `sd_notify`: what services tell the host, and what the host as a shim tells the manager above.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::pump::Teller;
use super::{Engine, Id, Seen};
use crate::host::machine::Current;
use crate::host::sys;

/// A unit's socket.
pub(super) struct Socket {
    pub(super) path: PathBuf,
    task: AbortHandle,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Socket {
    /// Listens for messages of the run; `owner`: whom the service runs as.
    pub(super) fn open(path: PathBuf, owner: Option<(u32, u32)>, teller: Teller) -> std::io::Result<Self> {
        let ours = nix::unistd::geteuid().as_raw();
        let socket = sys::watched_datagram(sys::bind_datagram(&path, owner)?)?;
        let task = tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let Ok(mut ready) = socket.readable().await else { return };
                let Ok(Ok((length, sender))) = ready.try_io(|socket| sys::receive(socket.get_ref(), &mut buffer))
                else {
                    continue;
                };
                let known = sender.is_none_or(|uid| uid == 0 || uid == ours || Some(uid) == owner.map(|owner| owner.0));
                if known && let Some(bytes) = buffer.get(..length) {
                    teller.tell(Seen::Notify(String::from_utf8_lossy(bytes).into_owned()));
                }
            }
        });
        Ok(Self { path, task: task.abort_handle() })
    }
}

/// The manager above: `NOTIFY_SOCKET` as it gave it to us.
pub(super) struct Above {
    socket: UnixDatagram,
    path: PathBuf,
    said_ready: bool,
}

impl Above {
    pub(super) fn find() -> Option<Self> {
        let path = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        Some(Self { socket: UnixDatagram::unbound().ok()?, path: path.into(), said_ready: false })
    }

    fn send(&self, message: &str) {
        use std::os::unix::ffi::OsStrExt;
        let bytes = self.path.as_os_str().as_bytes();
        // A manager that does not listen is no reason to stop.
        if let Some(name) = bytes.strip_prefix(b"@") {
            #[cfg(target_os = "linux")]
            if let Ok(address) =
                <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
            {
                let _ = self.socket.send_to_addr(message.as_bytes(), &address);
            }
            #[cfg(not(target_os = "linux"))]
            let _ = name;
        } else {
            let _ = self.socket.send_to(message.as_bytes(), &self.path);
        }
    }
}

impl Engine {
    /// A message of a service.
    pub(super) fn notified(&mut self, id: &Id, message: &str) {
        let Some(unit) = self.units.get_mut(id) else { return };
        for line in message.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => self.queue.push_back((Rc::clone(id), crate::host::machine::Event::Ready)),
                Some(("STATUS", text)) => {
                    unit.says = Some(text.to_owned()).filter(|text| !text.is_empty());
                    self.dirty = true;
                    if let Some(above) = &self.passed_on {
                        above.send(&format!("STATUS={text}"));
                    }
                }
                Some(("WATCHDOG", "1")) => {
                    unit.beat.notify_one();
                    if let Some(above) = &self.passed_on {
                        above.send("WATCHDOG=1");
                    }
                }
                Some(("EXTEND_TIMEOUT_USEC", time)) => {
                    let Ok(micros) = time.parse() else { continue };
                    let extends = matches!(unit.state.current, Current::Unready | Current::Ending | Current::Asking);
                    if let Some(old) = unit.state.deadline.filter(|_| extends) {
                        let new = old.max(sys::monotonic() + Duration::from_micros(micros));
                        self.deadlines.remove(&(old, Rc::clone(id)));
                        self.deadlines.insert((new, Rc::clone(id)));
                        unit.state.deadline = Some(new);
                    }
                    if let Some(above) = &self.passed_on {
                        above.send(line);
                    }
                }
                _ => {}
            }
        }
    }

    /// Passes a unit's state on to the manager above.
    pub(super) fn tell_above(&mut self, id: &Id) {
        let (Some(above), Some(unit)) = (&mut self.passed_on, self.units.get(id)) else { return };
        match unit.state.current {
            Current::Running if !above.said_ready => {
                above.said_ready = true;
                above.send("READY=1");
            }
            Current::Running => above.send("STATUS=running"),
            Current::Backoff => above.send(&format!(
                "STATUS=waiting to start it again: {}",
                crate::host::words::ended(unit.state.last.as_ref(), unit.state.blame.as_deref())
            )),
            _ => {}
        }
    }

    pub(super) fn tell_above_stopping(&self) {
        if let Some(above) = &self.passed_on {
            above.send("STOPPING=1");
        }
    }
}
