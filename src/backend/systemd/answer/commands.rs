//! What systemd executes: arguments that it can pass on, and hooks whose times it can keep.

use crate::backend::Answer;
use crate::backend::answer::{host, native, refused};
use crate::quote::systemd as quote;
use crate::service::{Hook, HookAction, HookFailure, Kind, Service};

pub(super) fn command(argv: Option<&Vec<String>>, by: &'static str) -> Answer {
    let Some(argv) = argv else { return native(by) };
    let program = argv.first().map_or("", String::as_str);
    if let Some(why) = argv.iter().find_map(|argument| quote::argument_refused(argument)) {
        return refused(format!("an argument {why}, which no program can be given"), "leave it out");
    }
    match quote::program_refused(program) {
        Some(why) => host(format!("the program's path {why}")),
        None => native(by),
    }
}

/// `TimeoutStartSec=` holds for each command of a start, and for readiness: one time for all.
pub(super) fn start_hooks(service: Option<&Service>, list: fn(&Service) -> &Vec<Hook>, by: &'static str) -> Answer {
    let Some(s) = service else { return native(by) };
    if let Some(bad) = commands(list(s), by) {
        return bad;
    }
    if !list(s).is_empty() && s.kind != Kind::Service {
        return host("TimeoutStartSec= would count the program's own run as well");
    }
    let ready = s.ready.as_ref().map(|ready| ready.timeout);
    let mut times = s.hooks.pre_start.iter().chain(&s.hooks.post_start).map(|hook| hook.timeout).chain(ready);
    let first = times.next();
    if times.all(|time| Some(time) == first) {
        native(by)
    } else {
        host("TimeoutStartSec= is one time for every hook and for readiness, and they differ here")
    }
}

pub(super) fn stop_hooks(service: Option<&Service>, list: fn(&Service) -> &Vec<Hook>, by: &'static str) -> Answer {
    let Some(s) = service else { return native(by) };
    if let Some(bad) = commands(list(s), by) {
        return bad;
    }
    if list(s).iter().any(|hook| hook.timeout != s.stop.timeout) {
        return host("TimeoutStopSec= is one time for every hook and the stop itself, and they differ here");
    }
    if by == "ExecStop=" && list(s).iter().any(|hook| hook.on_failure == HookFailure::Abort) {
        return native("ExecStop=; after a failure the rest of it is passed over and the signal follows");
    }
    native(by)
}

fn commands(hooks: &[Hook], by: &'static str) -> Option<Answer> {
    hooks.iter().find_map(|hook| match &hook.action {
        HookAction::Command(argv) => {
            Some(command(Some(argv), by)).filter(|answer| !matches!(answer, Answer::Native(_)))
        }
        HookAction::Webhook(_) => Some(host("systemd sends no requests")),
    })
}
