//! Start, stop, restart, reload, enable and disable.

use super::super::scm::fake::Program;
use super::super::scm::{ScmApi, Seen, state};
use super::*;
use crate::exit::Exit;

const CHAIN: &str = "[service.db]\nexec = ['C:\\db.exe']\n[service.web]\nexec = ['C:\\web.exe']\nrequires = ['db']\n";

fn installed(text: &str) -> Box_ {
    let machine = Box_::new();
    machine.install_with(text, &Options { no_start: true, ..Options::default() }).unwrap();
    machine.scm.log();
    machine
}

fn effects(results: Vec<UnitResult>) -> Vec<(String, Effect)> {
    results
        .into_iter()
        .map(|(unit, result)| (unit, result.unwrap_or_else(|error| panic!("{}", told(&error)))))
        .collect()
}

fn both(effect: Effect) -> Vec<(String, Effect)> {
    vec![("db".to_owned(), effect), ("web".to_owned(), effect)]
}

#[test]
fn order_is_kept_both_ways_and_twice_is_unchanged() {
    let machine = installed(CHAIN);
    assert_eq!(effects(machine.verb(CHAIN, start)), both(Effect::Started));
    assert_eq!(effects(machine.verb(CHAIN, start)), both(Effect::Unchanged));
    assert_eq!(effects(machine.verb(CHAIN, stop)), both(Effect::Stopped));
    assert_eq!(effects(machine.verb(CHAIN, stop)), both(Effect::Unchanged));
    assert_eq!(machine.scm.log(), ["start db", "start web", "stop web", "stop db"]);
}

#[test]
fn a_restart_is_both() {
    let machine = installed(CHAIN);
    effects(machine.verb(CHAIN, start));
    let restart =
        |manager: &mut dyn Manager, units: &[Service]| manager.restart(units, Deadline::after(None), &mut Silent);
    assert_eq!(effects(machine.verb(CHAIN, restart)), both(Effect::Restarted));
    assert!(machine.is_running("db") && machine.is_running("web"));
}

#[test]
fn instances_roll_over_and_a_failure_leaves_the_others() {
    let text = "[service.web]\nexec = ['C:\\web.exe']\ninstances = ['a', 'b', 'c']\n";
    let machine = installed(text);
    effects(machine.verb(text, start));
    machine.scm.log();
    let restart =
        |manager: &mut dyn Manager, units: &[Service]| manager.restart(units, Deadline::after(None), &mut Silent);
    effects(machine.verb(text, restart));
    let rolled = ["stop web@a", "start web@a", "stop web@b", "start web@b", "stop web@c", "start web@c"];
    assert_eq!(machine.scm.log(), rolled);
    machine.scm.machine.borrow_mut().services.get_mut("web@b").unwrap().program =
        Program { fails: Some((1066, 3)), ..Program::default() };
    let results = machine.verb(text, restart);
    assert!(results[0].1.is_ok() && results[1].1.is_err());
    assert!(results[2].1.as_ref().unwrap_err().to_string().contains("was left as it is"));
    assert!(machine.is_running("web@c"));
}

#[test]
fn one_failure_names_what_it_held_up() {
    let machine = installed(CHAIN);
    machine.scm.machine.borrow_mut().services.get_mut("db").unwrap().program =
        Program { fails: Some((1066, 3)), ..Program::default() };
    let results = machine.verb(CHAIN, start);
    assert!(results[0].1.as_ref().unwrap_err().to_string().contains("exited with code 3"));
    assert!(results[1].1.as_ref().unwrap_err().to_string().contains("needs `db`"));
    assert_eq!(machine.scm.log(), ["start db"]);
}

#[test]
fn what_is_only_wanted_comes_first_and_may_fail() {
    let text = "[service.cache]\nexec = ['C:\\cache.exe']\n[service.first]\nexec = ['C:\\first.exe']\n\
                [service.web]\nexec = ['C:\\web.exe']\nafter = ['first']\nwants = ['cache']\n";
    let machine = installed(text);
    machine.scm.machine.borrow_mut().services.get_mut("first").unwrap().program =
        Program { starts: 20_000, ..Program::default() };
    effects(machine.verb(text, start));
    assert_eq!(machine.scm.log(), ["start cache", "start first", "start web"]);
    effects(machine.verb(text, stop));
    assert_eq!(machine.scm.log()[0], "stop web");
    machine.scm.machine.borrow_mut().services.get_mut("cache").unwrap().program =
        Program { fails: Some((1066, 3)), ..Program::default() };
    let results = machine.verb(text, start);
    assert!(results.iter().all(|(unit, result)| result.is_err() == (unit == "cache")));
}

#[test]
fn pending_states_are_waited_for() {
    let machine = installed(WEB);
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().program =
        Program { starts: 20_000, stops: 20_000, lingers: 2_000, fails: None };
    effects(machine.verb(WEB, start));
    assert!(machine.is_running("web"));
    let pid = machine.service("web").unwrap().seen.pid;
    effects(machine.verb(WEB, stop));
    assert!(machine.scm.process_ended(pid, std::time::Duration::ZERO), "the process outlived the stop");
}

#[test]
fn what_takes_too_long_is_a_timeout() {
    let machine = installed(WEB);
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().program =
        Program { starts: 3_600_000, ..Program::default() };
    let error = machine.verb(WEB, start).remove(0).1.unwrap_err();
    assert_eq!(error.exit(), Exit::TimedOut);
    assert!(error.to_string().contains("START_PENDING"), "{error}");
    // A stop while it starts is taken when it takes one, or times out as well.
    let error = machine.verb(WEB, stop).remove(0).1.unwrap_err();
    assert_eq!(error.exit(), Exit::TimedOut);
}

#[test]
fn answers_of_the_manager_have_their_meanings() {
    for (code, exit, says) in [
        (1053, Exit::TimedOut, "image path"),
        (1058, Exit::Failed, "enable"),
        (1069, Exit::Failed, "password"),
        (2, Exit::Failed, "image path"),
        (193, Exit::Failed, "image path"),
        (5, Exit::NotPermitted, "administrator"),
        (1068, Exit::Failed, "depends on"),
    ] {
        let machine = installed(WEB);
        machine.scm.machine.borrow_mut().answers.insert("start", vec![code]);
        let error = machine.verb(WEB, start).remove(0).1.unwrap_err();
        assert_eq!(error.exit(), exit, "{code}");
        assert!(told(&error).contains(says) && error.to_string().contains(&code.to_string()), "{}", told(&error));
    }
    let machine = installed(WEB);
    machine.scm.machine.borrow_mut().answers.insert("start", vec![1055, 1055]);
    assert_eq!(machine.verb(WEB, start).remove(0).1.unwrap_or(Effect::Failed), Effect::Started);
}

#[test]
fn a_stop_that_meets_a_stop_waits_and_one_that_comes_late_is_unchanged() {
    let machine = installed(WEB);
    effects(machine.verb(WEB, start));
    machine.scm.machine.borrow_mut().answers.insert("control", vec![1061, 1061]);
    effects(machine.verb(WEB, stop));
    effects(machine.verb(WEB, start));
    machine.scm.machine.borrow_mut().answers.insert("control", vec![1062]);
    effects(machine.verb(WEB, stop));
    assert!(!machine.is_running("web"));
}

#[test]
fn dependents_of_others_keep_it_up_and_are_named() {
    let machine = installed(CHAIN);
    effects(machine.verb(CHAIN, start));
    let db_only = "[service.db]\nexec = ['C:\\db.exe']\n";
    let error = machine.verb(db_only, stop).remove(0).1.unwrap_err();
    assert!(told(&error).contains("need it: web") && error.to_string().contains("1051"), "{}", told(&error));
    assert!(machine.is_running("db"));
}

#[test]
fn a_put_off_restart_of_a_crashed_host_comes_to_nothing() {
    let machine = installed(WEB);
    let crashed = Seen { state: state::STOPPED, accepts: 0, exit: 1067, specific: 0, checkpoint: 0, hint: 0, pid: 0 };
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().seen = crashed;
    assert_eq!(machine.verb(WEB, stop).remove(0).1.unwrap_or(Effect::Failed), Effect::Unchanged);
    assert_eq!(machine.scm.log(), ["change web: start", "change web: start"]);
    assert_eq!(machine.service("web").unwrap().basic.start, 2, "as it was");
    assert!(machine.scm.clock() >= std::time::Duration::from_secs(10), "it did not wait");
}

#[test]
fn what_is_not_installed_is_told_so() {
    let machine = Box_::new();
    for verb in [start, stop] {
        assert_eq!(machine.verb(WEB, verb).remove(0).1.unwrap_err().exit(), Exit::NotInstalled);
    }
}

#[test]
fn a_reload_is_delivered_to_what_runs() {
    let text = "[service.web]\nexec = ['C:\\web.exe']\nreload = { command = ['C:\\reload.exe'] }\n";
    let machine = installed(text);
    let reload =
        |manager: &mut dyn Manager, units: &[Service]| manager.reload_units(units, Deadline::after(None), &mut Silent);
    assert_eq!(machine.verb(text, reload).remove(0).1.unwrap_err().exit(), Exit::NotRunning);
    effects(machine.verb(text, start));
    assert_eq!(effects(machine.verb(text, reload)), [("web".to_owned(), Effect::Reloaded)]);
    assert_eq!(machine.scm.log(), ["start web", "paramchange web"]);
    assert!(machine.verb(WEB, reload).remove(0).1.unwrap_err().to_string().contains("has no `reload`"));
}

#[test]
fn enable_and_disable_change_the_start_and_nothing_else() {
    let machine = installed(&format!("{WEB}start = 'delayed'\n"));
    effects(machine.verb(WEB, start));
    machine.scm.log();
    let set = |on: bool| {
        let units = machine.units(WEB);
        let mut session = machine.session();
        crate::enablement::set(&mut session, BackendKind::Windows, &units, on, &mut Silent).unwrap()
    };
    assert_eq!(effects(set(false)), [("web".to_owned(), Effect::Disabled)]);
    assert_eq!(machine.scm.log(), ["change web: start"]);
    assert_eq!(effects(set(false)), [("web".to_owned(), Effect::Unchanged)]);
    assert_eq!(effects(set(true)), [("web".to_owned(), Effect::Enabled)]);
    let web = machine.service("web").unwrap();
    assert_eq!(
        web.levels[&super::super::scm::Kind::Delayed],
        super::super::scm::Level::Delayed(true),
        "as the manifest has it"
    );
    assert!(machine.is_running("web"));
}
