//! The verbs of old. They guess the domain, and `load` and `unload` exit with 0 whatever happens.

use std::fmt::Write as _;
use std::path::Path;

use crate::codes;
use crate::definition::Definition;
use crate::job::{Phase, Reason, Then};
use crate::launchd::Launchd;
use crate::target::{Domain, Key};
use crate::verbs::Caller;
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn legacy(&mut self, verb: &str, words: &[String], cwd: &Path, caller: Caller) -> Answer {
        let domain = match caller.uid {
            0 => Domain::System,
            uid if self.knobs.session(caller.session_of) == "Aqua" => Domain::Gui(uid),
            uid => Domain::User(uid),
        };
        let key: Key = (domain, words.first().cloned().unwrap_or_default());
        match verb {
            "load" | "unload" => self.load_or_unload(verb == "load", words, cwd, domain, caller),
            "setenv" => match words {
                [name, value] => {
                    self.environment.insert((domain, name.clone()), value.clone());
                    Answer::done()
                }
                _ => Answer::fails(codes::USAGE, "Usage: launchctl setenv <name> <value>"),
            },
            "getenv" => {
                let value = self.environment.get(&(domain, key.1));
                value.map_or_else(Answer::done, |value| Answer::out(format!("{value}\n")))
            }
            _ if !self.jobs.contains_key(&key) => Answer::fails(codes::NO_PROCESS, ""),
            "remove" => {
                self.take_out(&key);
                Answer::done()
            }
            "start" => {
                if !matches!(self.jobs[&key].phase, Phase::Up { .. } | Phase::Ending { .. }) {
                    self.spawn(&key, Reason::Demand);
                }
                Answer::done()
            }
            _ => {
                self.end(&key, 15, Then::Rules);
                Answer::done()
            }
        }
    }

    fn load_or_unload(&mut self, load: bool, words: &[String], cwd: &Path, domain: Domain, caller: Caller) -> Answer {
        let mut answer = Answer::done();
        for word in words {
            if let Some(option) = word.strip_prefix('-') {
                if option == "w" {
                    continue;
                }
                return Answer::not_modelled(&format!("`load {word}`"));
            }
            let path = cwd.join(word);
            let label =
                std::fs::read(&path).ok().and_then(|bytes| Definition::read(&bytes).ok()).map(|read| read.label);
            if words.iter().any(|word| word == "-w")
                && let Some(label) = &label
            {
                let verb = if load { "enable" } else { "disable" };
                self.set_disabled(verb, &[format!("{domain}/{label}")], caller.uid);
            }
            let failed = if load {
                self.load(domain, &path, caller.session_of).is_err()
            } else {
                label.is_none_or(|label| self.take_out(&(domain, label)).code != 0)
            };
            if failed {
                let what = if load { ("Load", "bootstrap") } else { ("Unload", "bootout") };
                let _ = writeln!(
                    answer.err,
                    "{} failed: 5: Input/output error\nTry running `launchctl {}` as root for richer errors.",
                    what.0, what.1
                );
            }
        }
        answer
    }
}
