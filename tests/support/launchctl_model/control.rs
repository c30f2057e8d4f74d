//! `launchctl model ...`, which no launchctl has: how a test sets the machine up and looks at it.
//!
//! * `set JSON`: knobs, see [`crate::knobs`]; those that are not named stay.
//! * `fault JSON`: one more fault, see [`crate::faults`]. `clear`: none any more. `faults`: they and how often each struck.
//! * `reboot`, `login UID`, `logout UID`.
//! * `state`: the loaded services as JSON. `history`: what has happened, as JSON.
//! * `say TARGET TEXT`: a service's process writes to the unified log.
//! * `fire TARGET`: the calendar has come to a service's time.

use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use crate::codes;
use crate::daemon::Event;
use crate::faults::Fault;
use crate::job::{Phase, Reason};
use crate::launchd::Launchd;
use crate::target::{self, Target};
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn control(&mut self, words: &[String], inbox: &Receiver<Event>) -> Answer {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let done = match words[..] {
            ["set", text] => self.set(text),
            ["fault", text] => serde_json::from_str::<Fault>(text).map(|fault| self.faults.push(fault)),
            ["clear"] => {
                self.faults.clear();
                Ok(())
            }
            ["faults"] => return Answer::out(json!(self.faults).to_string()),
            ["state"] => return Answer::out(self.state().to_string()),
            ["history"] => return Answer::out(json!(self.history).to_string()),
            ["reboot"] => {
                self.reboot(inbox);
                Ok(())
            }
            ["login", uid] => uid.parse().map(|uid| self.login(uid)).map_err(serde::de::Error::custom),
            ["logout", uid] => uid.parse().map(|uid| self.logout(uid, inbox)).map_err(serde::de::Error::custom),
            ["say", target, text] => return self.say(target, text),
            ["fire", target] => return self.fire(target),
            _ => return Answer::fails(codes::NOT_MODELLED, format!("launchctl model: no such order: {words:?}")),
        };
        done.map_or_else(
            |error| Answer::fails(codes::NOT_MODELLED, format!("launchctl model: {error}")),
            |()| Answer::done(),
        )
    }

    fn set(&mut self, text: &str) -> serde_json::Result<()> {
        let given: Value = serde_json::from_str(text)?;
        let mut all = serde_json::to_value(&self.knobs)?;
        if let (Some(all), Value::Object(given)) = (all.as_object_mut(), given) {
            all.extend(given);
        }
        self.knobs = serde_json::from_value(all)?;
        Ok(())
    }

    fn state(&self) -> Value {
        let jobs: Vec<Value> = self
            .jobs
            .iter()
            .map(|((domain, label), job)| {
                let phase = match job.phase {
                    Phase::Down => "down",
                    Phase::Scheduled { .. } => "scheduled",
                    Phase::Up { .. } => "up",
                    Phase::Ending { .. } => "ending",
                };
                json!({
                    "domain": domain.to_string(), "label": label, "phase": phase, "pid": job.pid(), "runs": job.runs,
                    "pended": job.pended.map(Reason::words), "trouble": job.trouble, "path": job.path,
                })
            })
            .collect();
        json!(jobs)
    }

    fn say(&mut self, word: &str, text: &str) -> Answer {
        let Ok(Target::Service(key)) = target::parse(word, 0) else {
            return Answer::fails(codes::USAGE, "say TARGET TEXT");
        };
        match self.find(&key) {
            Err(answer) => answer,
            Ok(job) => {
                let (pid, program) = (job.pid(), job.definition.path().to_owned());
                self.note("said", &json!({ "pid": pid, "program": program, "message": text }));
                Answer::done()
            }
        }
    }

    fn fire(&mut self, word: &str) -> Answer {
        let Ok(Target::Service(key)) = target::parse(word, 0) else {
            return Answer::fails(codes::USAGE, "fire TARGET");
        };
        match self.find(&key) {
            Err(answer) => answer,
            Ok(job) if job.definition.calendar.is_empty() => Answer::fails(codes::USAGE, "it has no calendar"),
            Ok(_) => {
                self.want(&key, Reason::Demand);
                Answer::done()
            }
        }
    }
}
