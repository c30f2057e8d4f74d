//! The verbs against a `launchctl` that knows its lines: each call must be the one that is expected, and an unexpected one
//! fails the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::ctl::{Answer, Ctl};
use super::manager::Launchd;
use crate::backend::launchd::sample;
use crate::backend::{Deadline, Manager, Silent, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::{Effect, State};
use crate::service::{RestartPolicy, Service};

/// A call that is expected, and its answer.
struct Line {
    words: &'static str,
    answer: Result<Answer>,
    /// However often, until the next one comes.
    many: bool,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<Line>>>);

impl Script {
    fn says(self, words: &'static str, code: i32, stdout: &str) -> Self {
        self.add(words, Ok(Answer { code, stdout: stdout.to_owned(), stderr: String::new() }), false)
    }

    fn keeps_saying(self, words: &'static str, code: i32, stdout: &str) -> Self {
        self.add(words, Ok(Answer { code, stdout: stdout.to_owned(), stderr: String::new() }), true)
    }

    fn hangs(self, words: &'static str) -> Self {
        let error = Error::timed_out(format!("`launchctl {words}` did not answer within 10s"));
        self.add(words, Err(error), false)
    }

    fn add(self, words: &'static str, answer: Result<Answer>, many: bool) -> Self {
        self.0.lock().unwrap().push_back(Line { words, answer, many });
        self
    }

    #[track_caller]
    fn is_done(&self) {
        let left: Vec<_> = self.0.lock().unwrap().iter().filter(|line| !line.many).map(|line| line.words).collect();
        assert!(left.is_empty(), "never called: {left:?}");
    }
}

impl Ctl for Script {
    fn call(&self, words: &[&str]) -> Result<Answer> {
        let words = words.join(" ");
        let mut lines = self.0.lock().unwrap();
        if lines.front().is_some_and(|line| line.many && line.words != words) {
            lines.pop_front();
        }
        let Some(line) = lines.front() else { panic!("unexpected: launchctl {words}") };
        assert_eq!(line.words, words, "unexpected");
        let again = match &line.answer {
            Ok(answer) => Ok(answer.clone()),
            Err(error) => Err(Error::new(error.exit(), error.to_string())),
        };
        if !line.many {
            lines.pop_front();
        }
        again
    }
}

struct Stage {
    launchd: Launchd,
    script: Script,
    _root: tempfile::TempDir,
}

const LIST: &str = "/Library/LaunchDaemons/web.plist";
const NONE: &str = "disabled services = {\n}\n";

/// launchd in system scope below a folder of its own, with the property list of `web` installed or not.
fn stage(script: Script, installed: bool) -> Stage {
    let root = tempfile::tempdir().unwrap();
    let target = Target { local: true, ..sample::target() };
    let layout = target.layout.clone().under(Some(root.path().to_owned()));
    if installed {
        let path = layout.on_disk(LIST.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "<plist version=\"1.0\"><dict/></plist>").unwrap();
    }
    let mut launchd = Launchd::new(Box::new(script.clone()), Target { layout, ..target });
    launchd.uptimes = |pids| pids.iter().map(|pid| (*pid, Some(std::time::Duration::from_secs(60)))).collect();
    Stage { launchd, script, _root: root }
}

/// `print` of a job.
fn job(state: &str, more: &str) -> String {
    format!("system/web = {{\n\tpath = {LIST}\n\tstate = {state}\n\texit timeout = 30\n{more}}}\n")
}

fn running() -> String {
    // No process has so high a number.
    job("running", "\truns = 1\n\tpid = 99999999\n")
}

#[track_caller]
fn one(results: Vec<crate::backend::UnitResult>) -> Result<Effect> {
    let mut results = results;
    assert_eq!(results.len(), 1);
    results.remove(0).1
}

#[track_caller]
fn start(stage: &mut Stage, unit: &Service) -> Result<Effect> {
    let result = one(stage.launchd.start(std::slice::from_ref(unit), Deadline::after(None), &mut Silent));
    stage.script.is_done();
    result
}

#[test]
fn a_start_loads_and_looks() {
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 0, "")
        .keeps_saying("print system/web", 0, &running());
    assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Started);
}

#[test]
fn what_runs_is_left_alone() {
    let script = Script::default().says("print system/web", 0, &running());
    assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Unchanged);
}

#[test]
fn a_process_that_has_ended_between_two_looks_is_asked_for_again() {
    let ended = job("not running", "\truns = 1\n\tlast exit code = 3\n");
    let script = Script::default().says("print-disabled system", 0, NONE).says("print system/web", 0, &running()).says(
        "print system/web",
        0,
        &ended,
    );
    let mut stage = stage(script, true);
    stage.launchd.uptimes = |_| std::collections::BTreeMap::new();
    let seen = stage.launchd.observe(&[sample::service()]).unwrap();
    assert_eq!(seen[0].state, State::Failed);
    stage.script.is_done();
    // What launchd starts for ever is in its loop, whether a process is there or not.
    let looping = job("running", "\truns = 5\n\tpid = 99999999\n\tlast terminating signal = Segmentation fault: 11\n");
    stage.launchd.ctl =
        Box::new(Script::default().says("print-disabled system", 0, NONE).says("print system/web", 0, &looping));
    let status = stage.launchd.status(&[sample::service()], crate::backend::Detail::Table).unwrap();
    assert_eq!((status[0].state, status[0].restarts, status[0].pid), (State::Backoff, Some(4), None));
    assert_eq!(status[0].last_exit.as_ref().unwrap().reason, "killed by SIGSEGV");
}

#[test]
fn what_is_not_installed_is_not_started() {
    let script = Script::default().says("print system/web", 113, "");
    let error = start(&mut stage(script, false), &sample::service()).unwrap_err();
    assert_eq!(error.exit(), Exit::NotInstalled);
}

#[test]
fn what_is_held_back_is_demanded() {
    let held = job("not running", "\truns = 0\n\tpended nondemand spawn = speculative\n");
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 0, "")
        .says("print system/web", 0, &held)
        .says("print system/web", 0, &held)
        .says("kickstart system/web", 0, "")
        .keeps_saying("print system/web", 0, &running());
    assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Started);
}

#[test]
fn a_refusal_that_says_nothing_is_tried_again() {
    for code in [5, 36, 37, 17] {
        let script = Script::default()
            .says("print system/web", 113, "")
            .says("print-disabled system", 0, NONE)
            .says("bootstrap system /Library/LaunchDaemons/web.plist", code, "")
            .says("print system/web", 113, "")
            .says("bootstrap system /Library/LaunchDaemons/web.plist", 0, "")
            .keeps_saying("print system/web", 0, &running());
        assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Started, "{code}");
    }
}

#[test]
fn a_failure_that_did_it_all_the_same_is_a_success() {
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 5, "")
        .keeps_saying("print system/web", 0, &running());
    assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Started);
}

#[test]
fn a_label_that_somebody_has_taken_is_named() {
    let other = running().replace(LIST, "/Library/LaunchDaemons/other.plist");
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 5, "")
        .keeps_saying("print system/web", 0, &other);
    let error = start(&mut stage(script, true), &sample::service()).unwrap_err();
    assert!(error.to_string().contains("is taken by a job from `/Library/LaunchDaemons/other.plist`"), "{error}");
}

#[test]
fn a_code_that_says_something_is_believed_at_once() {
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 150, "")
        .says("print system/web", 113, "");
    let error = start(&mut stage(script, true), &sample::service()).unwrap_err();
    assert_eq!(error.exit(), Exit::NotPermitted);
    assert!(error.to_string().contains("System Integrity Protection"), "{error}");
}

#[test]
fn a_program_that_ends_at_once_is_a_failed_start() {
    let ended = job("not running", "\truns = 1\n\tlast exit code = 3\n");
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 0, "")
        .keeps_saying("print system/web", 0, &ended);
    let mut unit = sample::service();
    unit.restart.policy = RestartPolicy::Never;
    let error = start(&mut stage(script, true), &unit).unwrap_err();
    assert!(error.to_string().contains("`web` did not start: exited with code 3"), "{error}");
}

#[test]
fn a_disabled_label_is_disabled_again_after_its_start() {
    let off = "disabled services = {\n\t\"web\" => disabled\n}\n";
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, off)
        .says("enable system/web", 0, "")
        .says("print-disabled system", 0, NONE)
        .says("bootstrap system /Library/LaunchDaemons/web.plist", 0, "")
        .keeps_saying("print system/web", 0, &running())
        .says("disable system/web", 0, "")
        .says("print-disabled system", 0, off);
    assert_eq!(start(&mut stage(script, true), &sample::service()).unwrap(), Effect::Started);
}

#[test]
fn a_launchctl_that_hangs_is_told_with_the_true_state() {
    let script = Script::default()
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, NONE)
        .hangs("bootstrap system /Library/LaunchDaemons/web.plist")
        .says("print system/web", 113, "");
    let error = start(&mut stage(script, true), &sample::service()).unwrap_err();
    assert_eq!(error.exit(), Exit::TimedOut);
    assert!(
        error.to_string().contains("did not answer") && error.to_string().contains("`web` is stopped now"),
        "{error}"
    );
}

#[test]
fn a_stop_waits_until_the_job_is_gone() {
    let ending = job("SIGTERMed", "\truns = 1\n\tpid = 99999999\n");
    let script = Script::default()
        .says("print system/web", 0, &running())
        .says("bootout system/web", 0, "")
        .says("print system/web", 0, &ending)
        .says("print system/web", 0, &ending)
        .says("print system/web", 113, "");
    let mut stage = stage(script, true);
    let result = one(stage.launchd.stop(&[sample::service()], Deadline::after(None), &mut Silent));
    assert_eq!(result.unwrap(), Effect::Stopped);
    stage.script.is_done();
}

#[test]
fn what_is_down_is_not_stopped() {
    let script = Script::default().says("print system/web", 113, "");
    let mut stage = stage(script, true);
    let result = one(stage.launchd.stop(&[sample::service()], Deadline::after(None), &mut Silent));
    assert_eq!(result.unwrap(), Effect::Unchanged);
}

#[test]
fn a_host_is_told_to_end_and_stays_loaded() {
    let host = |state: &str, more: &str| {
        job(state, &format!("\targuments = {{\n\t\t/bin/daemonctl\n\t\thost\n\t\t--spec\n\t\t/x.json\n\t}}\n{more}"))
    };
    let script = Script::default()
        .says("print system/web", 0, &host("running", "\truns = 1\n\tpid = 99999999\n"))
        .says("print system/web", 0, &host("running", "\truns = 1\n\tpid = 99999999\n"))
        .says("kill SIGTERM system/web", 0, "")
        .says("print system/web", 0, &host("running", "\truns = 1\n\tpid = 99999999\n"))
        .says("print system/web", 0, &host("not running", "\truns = 1\n\tlast exit code = 0\n"));
    let mut stage = stage(script, true);
    let result = one(stage.launchd.stop(&[sample::service()], Deadline::after(None), &mut Silent));
    assert_eq!(result.unwrap(), Effect::Stopped);
    stage.script.is_done();
}

#[test]
fn to_forget_is_to_unload_and_to_clear_the_override() {
    let off = "disabled services = {\n\t\"web\" => true\n}\n";
    let script = Script::default()
        .says("print system/web", 0, &job("not running", "\truns = 1\n\tlast exit code = 0\n"))
        .says("bootout system/web", 0, "")
        .says("print system/web", 113, "")
        .says("print-disabled system", 0, off)
        .says("enable system/web", 0, "")
        .says("print-disabled system", 0, NONE);
    let mut stage = stage(script, false);
    stage.launchd.forget(&[sample::service()]).unwrap();
    stage.script.is_done();
}

#[test]
fn an_override_that_did_not_take_is_no_success() {
    let script = Script::default()
        .says("disable system/web", 0, "")
        .says("print-disabled system", 0, NONE)
        .says("disable system/web", 0, "")
        .says("print-disabled system", 0, NONE)
        .says("disable system/web", 0, "")
        .says("print-disabled system", 0, NONE);
    let error = stage(script, true).launchd.disable(&[sample::service()]).unwrap_err();
    assert!(error.to_string().contains("it is as it was"), "{error}");
}

#[test]
fn an_answer_that_nobody_understands_is_not_taken_for_down() {
    let script = Script::default()
        .says("print-disabled system", 0, NONE)
        .says("print system/web", 0, "system/web = {\n\tsta")
        .says("print system/web", 0, "")
        .says("print system/web", 0, "???")
        .says("list web", 64, "");
    let error = stage(script, true).launchd.observe(&[sample::service()]).unwrap_err();
    assert!(error.to_string().contains("no answer that daemonctl understands"), "{error}");
}

#[test]
fn an_older_question_is_asked_where_the_new_one_fails() {
    let script = Script::default()
        .says("print-disabled system", 0, NONE)
        .says("print system/web", 64, "")
        .says("print system/web", 64, "")
        .says("print system/web", 64, "")
        .says("list web", 0, "{\n\t\"Label\" = \"web\";\n\t\"PID\" = 99999999;\n};\n");
    let seen = stage(script, true).launchd.observe(&[sample::service()]).unwrap();
    assert_eq!((seen[0].state, seen[0].pid, seen[0].enabled), (State::Running, Some(99_999_999), true));
}
