//! `sd_notify`: what services tell the host, and what the host as a shim tells the manager above.
//!
//! A datagram socket is gone with the last process that has it open. The embedded supervisor's keeper has each unit's too
//! (see `keep`), so that a `READY=1` or `STATUS=` between the end of a killed supervisor and the takeover by the next one is
//! heard by that; heartbeats of that time are of no use to it. A shim has no keeper, as there is one shim for each service:
//! there `sendto` fails then (`ECONNREFUSED`), `ready.timeout` ends the start, and the restart policy makes another.

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
    end: Rc<sys::NotifySocket>,
    task: AbortHandle,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Socket {
    /// Listens for messages of the run; `owner`: whom the service runs as; `kept`: what a keeper had of it.
    pub(super) fn open(
        path: PathBuf,
        owner: Option<(u32, u32)>,
        kept: Option<sys::Kept>,
        teller: Teller,
    ) -> std::io::Result<Self> {
        let socket = match kept {
            Some(mut kept) => {
                let said = std::mem::take(&mut kept.said);
                if !said.is_empty() {
                    teller.tell(Seen::Notify(said));
                }
                sys::NotifySocket::go_on(kept, owner)?
            }
            None => sys::NotifySocket::bind(&path, owner)?,
        };
        let socket = Rc::new(socket);
        let heard = Rc::clone(&socket);
        let task = tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let Ok(length) = heard.receive(&mut buffer).await else { return };
                if let Some(bytes) = buffer.get(..length) {
                    teller.tell(Seen::Notify(String::from_utf8_lossy(bytes).into_owned()));
                }
            }
        });
        Ok(Self { path, end: socket, task: task.abort_handle() })
    }

    /// Has it held by a keeper.
    pub(super) fn kept_by(&self, keeper: &sys::Keeper, key: u64) -> std::io::Result<()> {
        keeper.hold_socket(key, &self.end)
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
