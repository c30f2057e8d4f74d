//! Waiting for the service control manager. It tells of changes only to who asks again: Windows' own notifications come on
//! the thread that waits for nothing else, and are lost by who is slow.

use std::time::Duration;

use super::codes::Code;
use super::scm::{Held, ScmApi, Seen, Win, access, state};
use crate::backend::{Deadline, Progress};
use crate::error::{Error, Result};

/// The shortest, the usual and the longest time between two looks.
const SHORTEST: Duration = Duration::from_millis(10);
const OFTEN: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// How long a deleted service may take to be gone: until the last handle to it is closed.
const FORGOTTEN: Duration = Duration::from_secs(15);

/// Programs that keep handles to services open.
const HOLDERS: [(&str, &str); 9] = [
    ("mmc.exe", "the Services console (mmc)"),
    ("taskmgr.exe", "Task Manager"),
    ("procexp.exe", "Process Explorer"),
    ("procexp64.exe", "Process Explorer"),
    ("eventvwr.exe", "Event Viewer"),
    ("servermanager.exe", "Server Manager"),
    ("perfmon.exe", "Performance Monitor"),
    ("processhacker.exe", "Process Hacker"),
    ("systeminformer.exe", "System Informer"),
];

/// Again, with growing pauses, while the data base is locked.
pub(super) fn unlocked<T>(api: &dyn ScmApi, within: Duration, call: impl Fn() -> Win<T>) -> Win<T> {
    let end = api.clock() + within;
    let mut pause = SHORTEST;
    loop {
        match call() {
            Err(Code::SERVICE_DATABASE_LOCKED) if api.clock() < end => {
                api.pause(pause);
                pause = (pause * 2).min(LONGEST);
            }
            answer => return answer,
        }
    }
}

/// Waits until a deleted service is gone.
pub(super) fn until_forgotten(api: &dyn ScmApi, name: &str) -> Result<()> {
    let end = api.clock() + FORGOTTEN;
    let mut pause = SHORTEST;
    loop {
        match api.open(name, access::QUERY_STATUS) {
            Err(Code::SERVICE_DOES_NOT_EXIST) => return Ok(()),
            // The handle that asks is itself one that keeps it.
            Ok(held) => api.close(held),
            Err(Code::SERVICE_MARKED_FOR_DELETE) => {}
            Err(code) => return Err(code.error(format_args!("see whether `{name}` is gone"))),
        }
        if api.clock() >= end {
            let mut error = Code::SERVICE_MARKED_FOR_DELETE.error(format_args!("delete the service `{name}`"));
            let programs = api.programs();
            let mut told: Vec<&str> = Vec::new();
            for (program, called) in HOLDERS {
                if programs.iter().any(|running| running.eq_ignore_ascii_case(program)) && !told.contains(&called) {
                    told.push(called);
                }
            }
            if !told.is_empty() {
                error = error.detail(format!("running now, and known to hold services: {}", told.join(", ")));
            }
            return Err(error);
        }
        api.pause(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

/// Waits until what is seen of a service is what is waited for; gives it. `limit` bounds a wait without a deadline.
pub(super) fn until(
    held: &Held<'_>,
    unit: &str,
    deadline: Deadline,
    limit: Duration,
    progress: &mut dyn Progress,
    mut is: impl FnMut(&Seen) -> bool,
) -> Result<Seen> {
    let end = held.api.clock() + deadline.left().unwrap_or(limit);
    let mut told = None;
    let mut pause = SHORTEST;
    loop {
        let seen = held.api.seen(held.raw).map_err(|code| code.error(format_args!("look at `{unit}`")))?;
        if is(&seen) {
            return Ok(seen);
        }
        if progress.interrupted() {
            return Err(Error::failed(format!("interrupted; `{unit}` is {}", state::name(seen.state))));
        }
        if held.api.clock() >= end {
            return Err(Error::timed_out(format!(
                "`{unit}` is still {} (checkpoint {})",
                state::name(seen.state),
                seen.checkpoint
            ))
            .hint("`daemonctl status` shows how far it is; `--wait TIME` waits longer"));
        }
        if told != Some((seen.state, seen.checkpoint)) {
            told = Some((seen.state, seen.checkpoint));
            progress.waiting(unit, &format!("{} (checkpoint {})", state::name(seen.state), seen.checkpoint));
        }
        held.api.pause(pause);
        // Soon at first, then as often as the hint suggests: ten times within it.
        let tenth = Duration::from_millis(u64::from(seen.hint) / 10).clamp(OFTEN, LONGEST);
        pause = (pause * 2).min(tenth);
    }
}
