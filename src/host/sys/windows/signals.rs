//! What the host itself is told: that a child ended, and that it is to end or to read its files again. Controls of the
//! service manager and keys of a console come to the same.

use std::cell::RefCell;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};
use tokio::sync::Notify;

use crate::error::{IoContext, Result};

/// What other threads tell the loop by.
pub(super) struct Tell {
    pub(super) child: Notify,
    pub(super) end: Notify,
    pub(super) hangup: Notify,
}

pub(super) static TELL: Tell =
    Tell { child: Notify::const_new(), end: Notify::const_new(), hangup: Notify::const_new() };

/// What the host is told.
#[derive(Debug)]
pub struct Signals {
    /// A child has ended.
    pub child: Told,
    /// End, with all services.
    pub end: Told,
    /// The same, from a keyboard.
    pub interrupt: Told,
    /// Read the files again.
    pub hangup: Told,
}

/// One of them.
#[derive(Debug)]
pub struct Told(From);

#[derive(Debug)]
enum From {
    Thread(&'static Notify),
    Console(Box<RefCell<Console>>),
    Nobody,
}

#[derive(Debug)]
struct Console {
    c: CtrlC,
    r#break: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Listens from now on. A service has no console of its own, and no keys to hear of.
    pub fn new() -> Result<Self> {
        let interrupt = if super::scm::is_service() {
            From::Nobody
        } else {
            let doing = "listen to the console";
            From::Console(Box::new(RefCell::new(Console {
                c: ctrl_c().doing(doing)?,
                r#break: ctrl_break().doing(doing)?,
                close: ctrl_close().doing(doing)?,
                shutdown: ctrl_shutdown().doing(doing)?,
            })))
        };
        Ok(Self {
            child: Told(From::Thread(&TELL.child)),
            end: Told(From::Thread(&TELL.end)),
            interrupt: Told(interrupt),
            hangup: Told(From::Thread(&TELL.hangup)),
        })
    }
}

impl Told {
    /// Returns after the next one.
    pub async fn next(&mut self) {
        match &mut self.0 {
            From::Thread(notify) => notify.notified().await,
            From::Console(console) => {
                let console = console.get_mut();
                tokio::select! {
                    _ = console.c.recv() => {}
                    _ = console.r#break.recv() => {}
                    _ = console.close.recv() => {}
                    _ = console.shutdown.recv() => {}
                }
            }
            From::Nobody => std::future::pending().await,
        }
    }
}
