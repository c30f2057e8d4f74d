//! What is kept of a service: written whole, changed field by field, read back, and put back when something fails.

use super::*;
use crate::backend::windows::act::codes::Code;
use crate::backend::windows::act::scm::{Basic, Kind, Level, OWN_PROCESS, Registered, ScmApi, start};
use crate::backend::windows::config::EventSource;
use crate::plan::Step;

fn effect(planned: &Planned, name: &str) -> Effect {
    planned.units.iter().find(|(unit, _)| unit == name).unwrap().1
}

#[test]
fn an_install_writes_everything_and_a_second_one_nothing() {
    let machine = Box_::new();
    let text = r#"
        [service.web]
        description = "größer 日本"
        display_name = "Example Web"
        exec = ['C:\srv\web.exe', 'a b']
        start = "delayed"
        stop = { timeout = "20s" }
        windows = { sid_type = "restricted", required_privileges = ["SeChangeNotifyPrivilege"], failure_actions = ["restart 5s", "reboot 1m"], allow = ["BUILTIN\\Users: start stop"] }
    "#;
    machine.scm.machine.borrow_mut().accounts.insert(r"builtin\users".to_owned(), "S-1-5-32-545".to_owned());
    let (planned, _) = machine.install(text).unwrap();
    assert_eq!(effect(&planned, "web"), Effect::Installed);
    let web = machine.service("web").unwrap();
    assert!(machine.is_running("web"));
    assert_eq!((web.basic.display_name.as_str(), web.basic.account.as_str()), ("Example Web", r"NT SERVICE\web"));
    assert!(web.basic.image_path.starts_with('"') && web.basic.image_path.ends_with("\" host --service web"));
    assert_eq!((web.basic.start, &web.levels[&Kind::Delayed]), (start::AUTO, &Level::Delayed(true)));
    assert_eq!(web.levels[&Kind::Description], Level::Description("größer 日本".to_owned()));
    assert_eq!(web.levels[&Kind::SidType], Level::SidType(3));
    assert_eq!(web.levels[&Kind::Preshutdown], Level::Preshutdown(30_000));
    assert_eq!(web.levels[&Kind::FailureOnExit], Level::FailureOnExit(true));
    assert!(web.list.contains("(A;;0x30;;;S-1-5-32-545)") && web.list.contains(";;;S-1-5-32-544)"), "{}", web.list);
    assert_eq!(machine.scm.machine.borrow().sources["daemonctl-web"].owner.as_deref(), Some("web"));
    // The host runs as an account of its own: it may read its spec and write its folders, and nothing else.
    let sid = super::super::identity::service_sid("web");
    let let_at = machine.scm.machine.borrow().let_at.clone();
    assert!(let_at.contains(&(machine.spec("web"), sid.clone(), false)));
    assert!(let_at.contains(&(machine.layout.logs_of("web"), sid, true)));

    machine.scm.log();
    machine.scm.machine.borrow_mut().frozen = true;
    let (planned, effects) = machine.install(text).unwrap();
    assert_eq!((effect(&planned, "web"), effects.len()), (Effect::Unchanged, 0), "{:?}", planned.steps);
}

#[test]
fn only_what_differs_is_changed_and_restarted_only_where_it_must_be() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.log();
    let (planned, _) = machine.install(&format!("{WEB}display_name = 'Other'\n")).unwrap();
    assert_eq!(machine.scm.log(), ["change web: display_name"]);
    assert!(!planned.steps.iter().any(|step| matches!(step, Step::Restart { .. } | Step::Start { .. })));
    machine.install(&format!("{WEB}start = 'manual'\n")).unwrap();
    assert_eq!(machine.scm.log(), ["change web: start display_name"]);
    let (planned, _) = machine.install(&format!("{WEB}user = 'LocalService'\n")).unwrap();
    assert!(planned.steps.iter().any(|step| matches!(step, Step::Restart { .. })), "{:?}", planned.steps);
    let log = machine.scm.log();
    assert_eq!(log[0], "change web: start account", "{log:?}");
    // What a manual start says of delay is not looked at, so it is written when it counts again.
    assert_eq!(&log[1..], ["set web: Delayed", "stop web", "start web"]);
}

#[test]
fn what_an_old_windows_does_not_know_is_a_warning() {
    let machine = Box_::new();
    let unknown = [
        (Kind::Delayed, 124),
        (Kind::FailureOnExit, 124),
        (Kind::SidType, 120),
        (Kind::Privileges, 1733),
        (Kind::Failure, 87),
    ];
    machine.scm.machine.borrow_mut().unknown = unknown.into();
    let (planned, _) = machine.install(&format!("{WEB}start = 'delayed'\n")).unwrap();
    let notes = planned.notes.join("\n");
    assert!(notes.contains("does not have failure actions") && notes.contains("delayed starts"), "{notes}");
    machine.scm.machine.borrow_mut().frozen = true;
    let (planned, _) = machine.install(&format!("{WEB}start = 'delayed'\n")).unwrap();
    assert_eq!(effect(&planned, "web"), Effect::Unchanged);
}

#[test]
fn what_was_not_kept_fails_the_install_and_is_rolled_back() {
    let machine = Box_::new();
    machine.scm.machine.borrow_mut().forgetful.insert(Kind::Preshutdown);
    let error = machine.install(WEB).map(drop).unwrap_err();
    assert!(told(&error).contains("Preshutdown: wanted `40s`, it says `3m`"), "{}", told(&error));
    assert!(machine.service("web").is_none() && !machine.spec("web").exists());
    assert!(machine.scm.machine.borrow().sources.is_empty());
}

#[test]
fn a_program_that_fails_to_start_leaves_everything_as_before() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    let before = machine.service("web").unwrap();
    let program = super::super::scm::fake::Program { fails: Some((1066, 3)), ..Default::default() };
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().program = program;
    let changed = format!("{WEB}user = 'LocalService'\ndescription = 'new'\n");
    let error = machine.install(&changed).map(drop).unwrap_err();
    assert!(error.to_string().contains("exited with code 3"), "{error}");
    let after = machine.service("web").unwrap();
    assert_eq!((after.basic, after.levels, after.list), (before.basic, before.levels, before.list));
}

#[test]
fn names_that_are_taken_are_told_with_who_has_them() {
    let machine = Box_::new();
    machine.install(&format!("{WEB}display_name = 'Shown'\n")).unwrap();
    let error = machine
        .install("[service.web]\nexec = ['C:\\srv\\web.exe']\ndisplay_name = 'Shown'\n[service.two]\nexec = ['C:\\two.exe']\ndisplay_name = 'shown'\n")
        .map(drop)
        .unwrap_err();
    assert!(
        told(&error).contains("1078") && told(&error).contains("it is the service `web` (`Shown`)"),
        "{}",
        told(&error)
    );
    assert!(machine.service("two").is_none());
}

#[test]
fn a_locked_data_base_is_waited_for() {
    let machine = Box_::new();
    machine.scm.machine.borrow_mut().answers.insert("create", vec![1055; 5]);
    machine.install(WEB).unwrap();
    assert!(machine.is_running("web"));
    let other = Box_::new();
    other.scm.machine.borrow_mut().answers.insert("create", vec![1055; 1000]);
    let error = other.install(WEB).map(drop).unwrap_err();
    assert!(error.to_string().contains("1055"), "{error}");
}

fn foreign(machine: &Box_, service_type: u32) {
    let basic = Basic {
        service_type,
        start: start::DISABLED,
        error_control: 1,
        image_path: r"C:\old\web.exe -k".to_owned(),
        load_order_group: String::new(),
        dependencies: vec!["Tcpip".to_owned()],
        account: "LocalSystem".to_owned(),
        display_name: "Old".to_owned(),
    };
    let raw = machine.scm.create("web", &basic, None).unwrap();
    machine.scm.set_level(raw, &Level::Description("theirs".to_owned())).unwrap();
    machine.scm.close(raw);
    machine.scm.log();
}

#[test]
fn somebody_elses_service_is_a_conflict_is_adopted_and_comes_back() {
    let machine = Box_::new();
    foreign(&machine, OWN_PROCESS);
    let theirs = machine.service("web").unwrap();
    let error = machine.install(WEB).map(drop).unwrap_err();
    assert!(told(&error).contains(r"Services\web` exists and was not made by daemonctl"), "{}", told(&error));
    assert!(machine.scm.log().is_empty(), "it was touched");
    let adopt = Options { adopt: true, ..Options::default() };
    machine.install_with(WEB, &adopt).unwrap();
    assert_eq!(machine.service("web").unwrap().basic.account, r"NT SERVICE\web");
    machine.uninstall("web").unwrap();
    let back = machine.service("web").unwrap();
    assert_eq!((back.basic, back.levels), (theirs.basic, theirs.levels));
    assert!(machine.scm.machine.borrow().sources.is_empty());
}

#[test]
fn a_service_that_shares_its_process_is_not_taken_over() {
    let machine = Box_::new();
    foreign(&machine, 0x20);
    let adopt = Options { adopt: true, ..Options::default() };
    let error = machine.install_with(WEB, &adopt).map(drop).unwrap_err();
    assert!(error.to_string().contains("shares its process"), "{error}");
    assert_eq!(machine.service("web").unwrap().basic.display_name, "Old");
}

#[test]
fn a_dependency_that_is_not_there_is_told_before_anything_is_changed() {
    let machine = Box_::new();
    let error =
        machine.install(&format!("{WEB}windows = {{ dependencies = ['Nothing', '+NDIS'] }}\n")).map(drop).unwrap_err();
    assert!(error.to_string().contains("depends on `Nothing`"), "{error}");
    assert!(machine.scm.log().is_empty());
}

#[test]
fn an_event_source_of_somebody_else_is_left_alone() {
    let machine = Box_::new();
    let source = EventSource { name: "theirs".to_owned(), message_file: "x.dll".to_owned() };
    let registered = Registered { source, owner: None };
    machine.scm.machine.borrow_mut().sources.insert("theirs".to_owned(), registered.clone());
    let text = format!("{WEB}windows = {{ event_source = 'theirs' }}\n");
    let (planned, _) = machine.install(&text).unwrap();
    assert!(planned.notes.iter().any(|note| note.contains("used as it is")), "{:?}", planned.notes);
    machine.uninstall("web").unwrap();
    assert_eq!(machine.scm.machine.borrow().sources["theirs"], registered);
}

#[test]
fn rights_that_are_not_wanted_any_more_come_off_and_others_stay() {
    let machine = Box_::new();
    machine.install(&format!("{WEB}windows = {{ allow = ['S-1-5-32-545: start'] }}\n")).unwrap();
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().list.push_str("(A;;0x20;;;S-1-5-32-551)");
    machine.install(WEB).unwrap();
    let list = machine.service("web").unwrap().list;
    assert!(!list.contains("S-1-5-32-545") && list.contains("(A;;0x20;;;S-1-5-32-551)"), "{list}");
}

#[test]
fn what_strangers_may_write_is_refused_unless_told_otherwise() {
    let machine = Box_::new();
    let safe = "O:BAD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)";
    {
        let files = &mut machine.scm.machine.borrow_mut().files;
        files.insert(r"C:\srv\web.exe".into(), safe.to_owned());
        files.insert(r"C:\srv".into(), "O:BAD:AI(A;;FA;;;BA)(A;ID;0x1301bf;;;AU)".to_owned());
    }
    let error = machine.install(WEB).map(drop).unwrap_err();
    let said = told(&error);
    assert!(said.contains(r"`C:\srv` (a folder of the program of `web`): Authenticated Users"), "{said}");
    assert!(said.contains("--allow-writable"), "{said}");
    assert!(machine.scm.log().is_empty());
    let allow = Options { allow_writable: true, ..Options::default() };
    let (planned, _) = machine.install_with(WEB, &allow).unwrap();
    assert!(planned.notes.iter().any(|note| note.contains(r"`C:\srv`")), "{:?}", planned.notes);
}

#[test]
fn a_service_that_strangers_may_change_is_told() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    {
        let scm = &mut machine.scm.machine.borrow_mut();
        scm.services.get_mut("web").unwrap().list.push_str("(A;;DC;;;BU)");
        scm.keys.insert("web".to_owned(), "O:BAD:(A;;KA;;;BA)(A;;KW;;;WD)".to_owned());
    }
    let said = told(&machine.install(&format!("{WEB}display_name = 'x'\n")).map(drop).unwrap_err());
    assert!(said.contains("the service `web`: Users (S-1-5-32-545) may change its configuration"), "{said}");
    assert!(said.contains("the registry key of `web`: Everyone (S-1-1-0) may set its values"), "{said}");
}

#[test]
fn codes_are_told_with_their_names() {
    let machine = Box_::new();
    machine.scm.machine.borrow_mut().answers.insert("create", vec![5]);
    let error = machine.install(WEB).map(drop).unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::NotPermitted);
    assert!(told(&error).contains("Run as administrator") && error.to_string().contains("ERROR_ACCESS_DENIED"));
    assert!(Code::ACCESS_DENIED.name().is_some());
}
