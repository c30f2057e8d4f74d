//! `kickstart` and `kill`: what a person demands of a loaded service.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::codes;
use crate::job::{Ending, Phase, Reason, Then};
use crate::launchd::{Launchd, may_change, one_target};
use crate::spawn::signal;
use crate::target::{Key, Target};
use crate::verbs::Outcome;
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn kickstart(&mut self, words: &[String], uid: u32) -> Outcome {
        let (mut kill, mut number) = (false, false);
        let mut rest = words;
        while let Some((option, more)) = rest.split_first().filter(|(word, _)| word.starts_with('-')) {
            match option.as_str() {
                "-k" => kill = true,
                "-p" => number = true,
                "-kp" | "-pk" => (kill, number) = (true, true),
                "-s" => return Answer::not_modelled("`kickstart -s`").into(),
                other => return Answer::fails(codes::USAGE, format!("Unrecognized option: {other}")).into(),
            }
            rest = more;
        }
        let key = match service(rest, uid, "kickstart [-k] [-p] <service-target>") {
            Ok(key) => key,
            Err(answer) => return answer.into(),
        };
        let (phase, broken) = match self.find(&key) {
            Ok(job) => (job.phase, job.trouble.is_some() || job.last == Some(Ending::Code(78))),
            Err(answer) => return answer.into(),
        };
        let number_of = |pid: i32| Answer::out(if number { format!("{pid}\n") } else { String::new() });
        match phase {
            Phase::Up { .. } if kill => {
                self.end(&key, self.knobs.kick_signal, Then::Spawn);
                Outcome::AtSpawn(key, number)
            }
            Phase::Up { pid } => number_of(pid).into(),
            Phase::Ending { .. } => Answer::fails(
                codes::ALREADY,
                format!("Could not kickstart service \"{}\": 37: {}", key.1, codes::words(codes::ALREADY)),
            )
            .into(),
            Phase::Scheduled { .. } if broken && self.knobs.kick_hangs_on_config => Outcome::Never,
            // The definition of `bootstrap`: what the file says now is not looked at.
            Phase::Down | Phase::Scheduled { .. } => {
                self.spawn(&key, Reason::Demand);
                self.jobs.get(&key).and_then(crate::job::Job::pid).map_or_else(Answer::done, number_of).into()
            }
        }
    }

    /// `kill SIGNAL TARGET`.
    pub(crate) fn kill(&mut self, words: &[String], uid: u32) -> Answer {
        let Some((name, rest)) = words.split_first() else {
            return Answer::fails(codes::USAGE, "Usage: launchctl kill <signame|signum> <service-target>");
        };
        let named = |name: &str| name.parse::<Signal>().ok().map(|signal| signal as i32);
        let parsed = name.parse::<i32>().ok().or_else(|| named(name)).or_else(|| named(&format!("SIG{name}")));
        let Some(which) = parsed else {
            return Answer::fails(codes::USAGE, format!("Unrecognized signal: {name}"));
        };
        let key = match service(rest, uid, "kill <signame|signum> <service-target>") {
            Ok(key) => key,
            Err(answer) => return answer,
        };
        match self.find(&key).map(crate::job::Job::pid) {
            Err(answer) => answer,
            Ok(None) => Answer::fails(codes::NO_PROCESS, "No process to signal."),
            Ok(Some(pid)) => {
                signal(pid, which);
                self.note("signalled", &json!({ "label": key.1, "pid": pid, "signal": which }));
                Answer::done()
            }
        }
    }
}

/// The words as one service that the caller may change.
fn service(words: &[String], uid: u32, usage: &str) -> Result<Key, Answer> {
    match (one_target(words, uid)?, words.len()) {
        (Target::Service(key), 1) => {
            may_change(key.0, uid)?;
            Ok(key)
        }
        _ => Err(Answer::fails(codes::USAGE, format!("Usage: launchctl {usage}"))),
    }
}
