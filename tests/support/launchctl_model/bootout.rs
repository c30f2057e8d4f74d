//! `bootout`: asks a service to end and forgets it when it has; it does not wait for that.

use std::path::Path;

use crate::codes;
use crate::definition::Definition;
use crate::job::{Phase, Then};
use crate::launchd::{Launchd, may_change, one_target};
use crate::target::{Key, Target};
use crate::verbs::Caller;
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn bootout(&mut self, words: &[String], cwd: &Path, caller: Caller) -> Answer {
        if let Some(option) = words.iter().find(|word| word.starts_with('-')) {
            // `--wait` is known to the newest only.
            return Answer::fails(codes::USAGE, format!("Unrecognized option: {option}"));
        }
        let key = match (one_target(words, caller.uid), &words[1.min(words.len())..]) {
            (Ok(Target::Service(key)), []) => key,
            (Ok(Target::Domain(domain)), [path]) => {
                let bytes = std::fs::read(cwd.join(path));
                let Ok(bytes) = bytes else { return Answer::verb_failed("Boot-out", codes::NO_ENTRY) };
                match Definition::read(&bytes) {
                    Ok(definition) => (domain, definition.label),
                    Err(bad) => return Answer::verb_failed("Boot-out", bad.code),
                }
            }
            (Ok(Target::Domain(_)), []) => return Answer::not_modelled("a bootout of a whole domain"),
            (Err(answer), _) => return answer,
            _ => return Answer::fails(codes::USAGE, "Usage: launchctl bootout <service-target>"),
        };
        if may_change(key.0, caller.uid).is_err() {
            return Answer::verb_failed("Boot-out", codes::NOT_PERMITTED);
        }
        if key.1.starts_with("com.apple.") {
            return Answer::verb_failed("Boot-out", codes::PROTECTED);
        }
        self.take_out(&key)
    }

    pub(crate) fn take_out(&mut self, key: &Key) -> Answer {
        match self.jobs.get(key).map(|job| job.phase) {
            None => Answer::verb_failed("Boot-out", self.knobs.not_loaded_code),
            Some(Phase::Ending { then: Then::Forget, .. }) => Answer::verb_failed("Boot-out", codes::IN_PROGRESS),
            Some(Phase::Up { .. } | Phase::Ending { .. }) => {
                self.end(key, 15, Then::Forget);
                match self.knobs.bootout_code {
                    0 => Answer::done(),
                    // A success that older systems word like a failure.
                    code => Answer::fails(code, codes::words(code)),
                }
            }
            Some(Phase::Down | Phase::Scheduled { .. }) => {
                self.forget(key);
                Answer::done()
            }
        }
    }
}
