//! From a call to an answer: who calls, which fault strikes, which verb it is.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::json;

use crate::codes;
use crate::daemon::Event;
use crate::faults::{self, What};
use crate::launchd::Launchd;
use crate::target::Domain;
use crate::wire::{self, Answer, Request};

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// As launchd sees it.
    pub(crate) uid: u32,
    /// Whose session it is called in.
    pub(crate) session_of: u32,
}

/// What becomes of a call.
pub(crate) enum Outcome {
    Answer(Answer),
    /// It waits for the next process of this job; whether it wants its number.
    AtSpawn(crate::target::Key, bool),
    /// There is never an answer.
    Never,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// Verbs that launchctl has and the model has not.
const ELSEWHERE: &[&str] = &[
    "attach",
    "blame",
    "bslist",
    "bstree",
    "bsexec",
    "config",
    "debug",
    "dumpstate",
    "dumpjpcategory",
    "examine",
    "hostinfo",
    "limit",
    "plist",
    "procinfo",
    "reboot",
    "resolveport",
    "submit",
    "uncache",
    "unsetenv",
    "userswitch",
    "variant",
];

impl Launchd {
    pub(crate) fn asked(
        &mut self,
        request: Request,
        real: u32,
        stream: UnixStream,
        checked: bool,
        inbox: &Receiver<Event>,
    ) {
        if request.args.first().is_some_and(|verb| verb == "model") {
            let answer = self.control(&request.args[1..], inbox);
            let _ = wire::send(&stream, &answer);
            return;
        }
        let uid = request.uid.unwrap_or(if self.knobs.one_account { self.player() } else { real });
        let caller = Caller { uid, session_of: request.session_of.unwrap_or(uid) };
        let what = if checked { None } else { faults::strike(&mut self.faults, &request.args) };
        if let Some(what) = &what {
            self.note("fault", &json!({ "args": request.args, "fault": what }));
        }
        let outcome = match &what {
            Some(What::Fail(code)) => failing(&request, *code).into(),
            Some(What::Nothing) => Answer::done().into(),
            Some(What::Hang) => Outcome::Never,
            Some(What::Delay(ms)) => {
                let (later, ms, request) = (self.events.clone(), *ms, request);
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(ms));
                    let _ = later.send(Event::Asked { request, real, stream, checked: true });
                });
                return;
            }
            _ => self.done(&request, caller),
        };
        let outcome = match (what, outcome) {
            (Some(What::HangAfter), _) => Outcome::Never,
            (Some(What::FailAfter(code)), _) => failing(&request, code).into(),
            (Some(What::Truncate(bytes)), Outcome::Answer(mut answer)) => {
                answer.out =
                    String::from_utf8_lossy(answer.out.as_bytes().get(..bytes).unwrap_or_default()).into_owned();
                answer.into()
            }
            (Some(What::Words(words)), Outcome::Answer(mut answer)) if answer.code != 0 => {
                answer.err = words + "\n";
                answer.into()
            }
            (_, outcome) => outcome,
        };
        let code = if let Outcome::Answer(answer) = &outcome { Some(answer.code) } else { None };
        self.note("asked", &json!({ "args": request.args, "uid": caller.uid, "code": code }));
        match outcome {
            Outcome::Answer(answer) => {
                // Who has gone away does not hear it.
                let _ = wire::send(&stream, &answer);
            }
            Outcome::AtSpawn(key, number) => {
                if let Some(job) = self.jobs.get_mut(&key) {
                    job.kicks.push((stream, number));
                }
            }
            Outcome::Never => self.hung.push(stream),
        }
    }

    /// With one account for all, a caller who does not say who they are is the user who is there, or root.
    fn player(&self) -> u32 {
        self.knobs.gui.iter().chain(&self.knobs.user).next().copied().unwrap_or(0)
    }

    fn done(&mut self, request: &Request, caller: Caller) -> Outcome {
        let (verb, words) = match request.args.split_first() {
            Some((verb, words)) => (verb.as_str(), words),
            None => return Answer::fails(codes::USAGE, "Usage: launchctl <subcommand> ...").into(),
        };
        let uid = caller.uid;
        let own = if uid == 0 { Domain::System } else { Domain::Gui(uid) };
        match verb {
            "bootstrap" => self.bootstrap(words, &request.cwd, caller).into(),
            "bootout" => self.bootout(words, &request.cwd, caller).into(),
            "enable" | "disable" => self.set_disabled(verb, words, uid).into(),
            "kickstart" => self.kickstart(words, uid),
            "kill" => self.kill(words, uid).into(),
            "print" => self.print(words, uid).into(),
            "print-disabled" => self.print_disabled(words, uid).into(),
            "list" => self.list(words, own).into(),
            "error" => error(words).into(),
            "managername" => Answer::out(format!("{}\n", self.knobs.session(caller.session_of))).into(),
            "managerpid" => Answer::out("1\n").into(),
            "manageruid" => Answer::out(format!("{}\n", caller.session_of)).into(),
            "version" => Answer::out("Darwin Bootstrapper Version 7.0.0: a model\n").into(),
            "load" | "unload" | "start" | "stop" | "remove" | "setenv" | "getenv" => {
                self.legacy(verb, words, &request.cwd, caller).into()
            }
            other if ELSEWHERE.contains(&other) => Answer::not_modelled(&format!("`{other}`")).into(),
            other => Answer::fails(codes::USAGE, format!("Unrecognized subcommand: {other}")).into(),
        }
    }
}

/// The words that a failing verb has.
fn failing(request: &Request, code: i32) -> Answer {
    let verb = match request.args.first().map(String::as_str) {
        Some("bootstrap") => "Bootstrap",
        Some("bootout") => "Boot-out",
        Some(other) => other,
        None => "launchctl",
    };
    Answer::verb_failed(verb, code)
}

fn error(words: &[String]) -> Answer {
    match words {
        [code] if code.parse::<i32>().is_ok() => {
            Answer::out(format!("{code}: {}\n", codes::words(code.parse().unwrap_or_default())))
        }
        _ => Answer::fails(codes::USAGE, "Usage: launchctl error <code>"),
    }
}
