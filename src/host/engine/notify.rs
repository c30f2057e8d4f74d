//! `sd_notify`: what services tell the host, and what the host as a shim tells the manager above.
//!
//! A datagram socket is gone with the process that has it open, so what a service says between the end of a killed host
//! and the takeover by the next one is lost, and `sendto` tells it so (`ECONNREFUSED`). Captured output is not: a FIFO
//! lives for as long as the service has its end open. To keep the socket too, the service would have to inherit it, or a
//! process of its own would have to hold it for every host; a `READY=1` that is lost in these milliseconds costs less:
//! `ready.timeout` ends that start, and the restart policy makes another.

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
        let mut socket = sys::NotifySocket::bind(&path, owner)?;
        let task = tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let Ok(length) = socket.receive(&mut buffer).await else { return };
                if let Some(bytes) = buffer.get(..length) {
                    teller.tell(Seen::Notify(String::from_utf8_lossy(bytes).into_owned()));
                }
            }
        });
        Ok(Self { path, task: task.abort_handle() })
    }

    /// Takes its name away.
    pub(super) fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The manager above, and whether it knows that we are up.
pub(super) struct Above {
    link: sys::Above,
    said_ready: bool,
}

impl Above {
    pub(super) fn find() -> Option<Self> {
        sys::Above::find().map(|link| Self { link, said_ready: false })
    }

    /// It hears what services say of themselves.
    pub(super) const fn hears_services(&self) -> bool {
        self.link.hears_services()
    }

    fn send(&self, message: &str) {
        self.link.send(message);
    }
}

impl Engine {
    /// A message of a service.
    pub(super) fn notified(&mut self, id: &Id, message: &str) {
        let Some(unit) = self.units.get_mut(id) else { return };
        for line in message.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => {
                    if std::mem::take(&mut unit.reloading) {
                        unit.waiting = None;
                        self.dirty = true;
                        if let Some(above) = &self.passed_on {
                            above.send("READY=1");
                        }
                    }
                    self.queue.push_back((Rc::clone(id), crate::host::machine::Event::Ready));
                }
                Some(("RELOADING", "1")) if unit.state.current == Current::Running => {
                    unit.reloading = true;
                    unit.waiting = Some("reads its configuration again".to_owned());
                    self.dirty = true;
                    if let Some(above) = &self.passed_on {
                        // With the time beside it, if it came with one: some managers want that.
                        let time = message.lines().find(|line| line.starts_with("MONOTONIC_USEC="));
                        above.send(&std::iter::once(line).chain(time).collect::<Vec<_>>().join("\n"));
                    }
                }
                Some(("STATUS", text)) => {
                    unit.says = Some(text.to_owned()).filter(|text| !text.is_empty());
                    self.dirty = true;
                    if let Some(above) = &self.passed_on {
                        above.send(&format!("STATUS={text}"));
                    }
                }
                Some(("WATCHDOG", "1")) => {
                    unit.beat.get_or_insert_default().notify_one();
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
            Current::Running if !unit.loaded => {}
            Current::Running | Current::Armed if !above.said_ready => {
                above.said_ready = true;
                above.send("READY=1");
            }
            Current::Running => above.send("STATUS=running"),
            Current::Backoff => {
                above.send(&format!(
                    "STATUS=waiting to start it again: {}",
                    crate::host::words::ended(unit.state.last.as_ref(), unit.state.blame.as_deref())
                ));
            }
            _ => {}
        }
        if unit.state.current == Current::Backoff && !above.link.hears_services() {
            // Who hears of the manager that it is up looks in the state file how it is.
            if self.options.persist {
                let _ = self.flush();
            }
            if let Some(above) = &self.passed_on {
                above.link.retries();
            }
        }
    }

    pub(super) fn tell_above_stopping(&self) {
        if let Some(above) = &self.passed_on {
            above.send("STOPPING=1");
        }
    }
}
