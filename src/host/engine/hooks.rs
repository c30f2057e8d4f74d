//! Event hooks: commands and webhooks that are told what happened. Nobody waits for them.
//!
//! Each hook of each unit has a line of its own, so that it hears of events one after the other and in order, and a slow
//! one holds up no other. A line is bounded: a hook that is too slow for it misses events, and the next one that it gets
//! says how many.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::calls::Calls;
use super::command::{Commands, Setting};
use super::{Engine, Id, Input, http, sign};
use crate::events::Event;
use crate::host::words;
use crate::service::{Hook, HookAction, Secret};

/// Commands that run at once.
pub(super) const AT_ONCE: usize = 8;

/// When everything else is at rest, hooks have so long before the supervisor ends.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// One try of a webhook may take so long.
const TRY: Duration = Duration::from_secs(10);

/// The first and the longest pause before a webhook is tried again, within the hook's `timeout`.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Events that wait for a hook.
const LONGEST: usize = 64;

/// A hook's line: None when it has nothing to do.
#[derive(Default)]
pub(super) struct Line {
    sender: Option<mpsc::Sender<Task>>,
    missed: u64,
}

/// A hook to be told of an event.
struct Task {
    hook: Hook,
    event: Event,
    setting: Option<Setting>,
}

impl Engine {
    /// Tells a unit's hooks, and waits for none.
    pub(super) fn tell_hooks(&mut self, id: &Id, mut event: Event) {
        event.host = Some(self.hostname.clone());
        let setting = self.hook_setting(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        let hooks = unit.service.hooks.event.clone();
        let mut lines = std::mem::take(&mut unit.hooks);
        lines.resize_with(hooks.len(), Line::default);
        for (line, hook) in lines.iter_mut().zip(hooks) {
            event.missed = Some(line.missed).filter(|missed| *missed > 0);
            let task = Task { hook, event: event.clone(), setting: setting.clone() };
            let sent = match &line.sender {
                Some(sender) => sender.try_send(task),
                None => Err(mpsc::error::TrySendError::Closed(task)),
            };
            match sent {
                Ok(()) => line.missed = 0,
                Err(mpsc::error::TrySendError::Full(_)) => line.missed += 1,
                Err(mpsc::error::TrySendError::Closed(task)) => {
                    *line = Line { sender: Some(self.open_line(id, task)), missed: 0 };
                }
            }
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.hooks = lines;
        }
    }

    /// A line that lives until it is empty.
    fn open_line(&self, id: &Id, first: Task) -> mpsc::Sender<Task> {
        let (sender, mut waiting) = mpsc::channel(LONGEST);
        let (commands, id, tx) = (self.commands.clone(), Rc::clone(id), self.tx.clone());
        let (slots, calls) = (Rc::clone(&self.events.slots), Rc::clone(&self.events.calls));
        let busy = Busy::new(&self.events.busy);
        tokio::task::spawn_local(async move {
            let mut next = Some(first);
            while let Some(task) = next {
                if let Err(why) = task.run(&commands, &slots, &calls).await {
                    let _ = tx.send(Input::HookFailed(Rc::clone(&id), why));
                }
                next = waiting.try_recv().ok();
            }
            drop(busy);
            let _ = tx.send(Input::Jobs);
        });
        sender
    }
}

/// Counted while it lives.
struct Busy(Rc<Cell<usize>>);

impl Busy {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Task {
    async fn run(self, commands: &Commands, slots: &Semaphore, calls: &Calls) -> Result<(), String> {
        match &self.hook.action {
            HookAction::Command(argv) => {
                let mut setting = self.setting.ok_or("its account is not known")?;
                setting.env.extend(variables(&self.event));
                let _slot = slots.acquire().await.map_err(|error| error.to_string())?;
                commands.run_with(argv, &setting, self.hook.timeout, Some(&self.event.line())).await
            }
            HookAction::Webhook(url) => {
                let work = deliver(url, self.hook.secret.as_ref(), &self.event, calls);
                let within = self.hook.timeout;
                let late = || format!("{url} did not take it within {}", words::duration(within));
                tokio::time::timeout(within, work).await.unwrap_or_else(|_| Err(late()))
            }
        }
    }
}

/// Posts an event until it is taken, or refused for good.
async fn deliver(url: &str, secret: Option<&Secret>, event: &Event, calls: &Calls) -> Result<(), String> {
    let body = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    let mut pause = AGAIN.0;
    loop {
        // Read and signed anew for each try: a key may be changed meanwhile, and an old signature is worth nothing.
        let headers = secret.map(|secret| sign::headers(secret, &body)).transpose()?.unwrap_or_default();
        let call = async { tokio::time::timeout(TRY, http::request_with("POST", url, &headers, &body)).await };
        let answer = calls.make(http::receiver(url), call).await?;
        match answer {
            Ok(Ok(200..=299)) => return Ok(()),
            // What is wrong with the request stays wrong; a busy or broken server may mend.
            Ok(Ok(status)) if status < 500 && !matches!(status, 408 | 425 | 429) => {
                return Err(format!("{url} answered {status}"));
            }
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(AGAIN.1);
    }
}

/// The event in a command's environment, beside what every command of the service has.
fn variables(event: &Event) -> Vec<(String, String)> {
    let mut found = vec![
        ("EVENT", event.event.name().to_owned()),
        ("STATE", event.state.name().to_owned()),
        ("TIME", event.time.to_string()),
        ("REASON", event.reason.clone().unwrap_or_default()),
    ];
    let numbers = [
        ("PID", event.pid.map(|pid| pid.to_string())),
        ("EXIT_CODE", event.code.map(|code| code.to_string())),
        ("SIGNAL", event.signal.clone()),
        ("DELAY", event.delay.map(|delay| delay.to_string())),
        ("RESTARTS", event.restarts.map(|restarts| restarts.to_string())),
        ("MEASURE", event.measured.map(|measured| measured.measure.name().to_owned())),
        ("VALUE", event.measured.map(|measured| measured.value.to_string())),
        ("THRESHOLD", event.measured.map(|measured| measured.threshold.to_string())),
        ("HOST", event.host.clone()),
        ("MISSED", event.missed.map(|missed| missed.to_string())),
    ];
    found.extend(numbers.into_iter().filter_map(|(name, value)| Some((name, value?))));
    found.into_iter().map(|(name, value)| (format!("DAEMONCTL_{name}"), value.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::What;
    use crate::report::State;

    #[test]
    fn the_environment_names_what_there_is() {
        let mut event = Event::new(jiff::Timestamp::UNIX_EPOCH, "web", What::Backoff, State::Backoff).because("died");
        event.delay = Some(0.5);
        let found = variables(&event);
        let of = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("DAEMONCTL_EVENT"), Some("backoff"));
        assert_eq!((of("DAEMONCTL_DELAY"), of("DAEMONCTL_REASON")), (Some("0.5"), Some("died")));
        assert_eq!(of("DAEMONCTL_EXIT_CODE"), None);
    }
}
