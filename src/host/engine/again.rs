//! An upgrade: this process becomes another program, with its children, its lock and its control socket.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::serve::Server;
use super::{Ending, Engine};
use crate::error::{IoContext, Result};
use crate::host::control::{Answer, Trouble};
use crate::host::sys;

/// Requests under way have so long to come to their end; then they are told to ask again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it is to become, and who asked for that.
pub(super) struct Again {
    program: PathBuf,
    since: Instant,
    answer: mpsc::Sender<Answer>,
}

impl Again {
    /// The time that requests under way still have.
    pub(super) fn patience(&self) -> Duration {
        PATIENCE.saturating_sub(self.since.elapsed())
    }
}

impl Engine {
    pub(super) fn become_another(&mut self, program: PathBuf, answer: mpsc::Sender<Answer>) {
        let runs = program.is_absolute() && program.is_file() && sys::may_execute(&program);
        let why = match self.ending {
            Some(ending) => Some(format!("the supervisor is ending ({ending:?})")),
            None if !sys::SERVICES_OUTLIVE_HOST => {
                Some("a supervisor cannot become another program on this operating system".to_owned())
            }
            None if !runs => Some(format!("`{}` is no program", program.display())),
            None => None,
        };
        if let Some(why) = why {
            let _ = answer.try_send(Answer::Refused(Trouble::new(why)));
            let _ = answer.try_send(Answer::Done);
            return;
        }
        self.again = Some(Again { program, since: Instant::now(), answer });
        self.ending = Some(Ending::Again);
    }

    /// The last word of this program: who connects from now on is the next one's.
    pub(super) async fn leave_to(&mut self, again: Again, server: &Server) -> Result<(PathBuf, sys::Socket)> {
        server.pause().await;
        self.dismiss_jobs();
        let socket = server.listener.hand_over().doing("keep the control socket")?;
        let _ = again.answer.try_send(Answer::Done);
        Ok((again.program, socket))
    }
}
