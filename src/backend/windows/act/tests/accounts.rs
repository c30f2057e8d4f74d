//! Accounts: compared by who they are, with passwords that are given once, and rights that are taken back.

use super::*;

const SID: &str = "S-1-5-21-1-2-3-1007";

fn with_account() -> Box_ {
    let machine = Box_::new();
    machine.scm.machine.borrow_mut().accounts.insert(r"box\runner".to_owned(), SID.to_owned());
    machine
}

fn password(machine: &Box_, text: &str) -> Options {
    let path = machine.folder.path().join("password");
    std::fs::write(&path, text).unwrap();
    Options { password: Some(PasswordFrom::File(path)), ..Options::default() }
}

const RUNNER: &str = "[service.web]\nexec = ['C:\\srv\\web.exe']\nuser = '.\\runner'\n";

#[test]
fn a_password_is_given_once_and_the_right_to_log_on_is_taken_back() {
    let machine = with_account();
    let error = machine.install(RUNNER).map(drop).unwrap_err();
    assert!(told(&error).contains("--password-file"), "{}", told(&error));
    let (planned, _) = machine.install_with(RUNNER, &password(&machine, "s3cret\n")).unwrap();
    assert!(planned.notes.iter().any(|note| note.contains("right to log on as a service")), "{:?}", planned.notes);
    assert_eq!(machine.service("web").unwrap().password.as_deref(), Some("s3cret"));
    assert!(machine.scm.machine.borrow().log_on.contains(SID));
    for entry in std::fs::read_dir(machine.layout.receipts()).unwrap() {
        assert!(!std::fs::read_to_string(entry.unwrap().path()).unwrap().contains("s3cret"));
    }
    // Other fields change without it.
    machine.scm.log();
    machine.install(&format!("{RUNNER}display_name = 'x'\n")).unwrap();
    assert_eq!(machine.scm.log(), ["change web: display_name"]);
    machine.uninstall("web").unwrap();
    assert!(machine.scm.machine.borrow().log_on.is_empty());
    assert!(!machine.layout.state.join("rights.json").exists());
}

#[test]
fn a_right_that_was_there_stays_and_one_that_two_need_goes_with_the_last() {
    let machine = with_account();
    machine.scm.machine.borrow_mut().log_on.insert(SID.to_owned());
    machine.install_with(RUNNER, &password(&machine, "x")).unwrap();
    machine.uninstall("web").unwrap();
    assert!(machine.scm.machine.borrow().log_on.contains(SID), "it was somebody else's");
    machine.scm.machine.borrow_mut().log_on.clear();
    let two = format!("{RUNNER}[service.two]\nexec = ['C:\\two.exe']\nuser = '.\\runner'\n");
    machine.install_with(&two, &password(&machine, "x")).unwrap();
    machine.uninstall("two").unwrap();
    assert!(machine.scm.machine.borrow().log_on.contains(SID));
    machine.uninstall("web").unwrap();
    assert!(machine.scm.machine.borrow().log_on.is_empty());
}

#[test]
fn an_account_by_another_spelling_is_no_change() {
    let machine = with_account();
    machine.install_with(RUNNER, &password(&machine, "x")).unwrap();
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().basic.account = r"BOX\Runner".to_owned();
    machine.scm.machine.borrow_mut().frozen = true;
    let (planned, _) = machine.install(RUNNER).unwrap();
    assert!(planned.steps.is_empty(), "{:?}", planned.steps);
    let local = Box_::new();
    local.install("[service.web]\nexec = ['C:\\srv\\web.exe']\nuser = 'LocalService'\n").unwrap();
    local.scm.machine.borrow_mut().services.get_mut("web").unwrap().basic.account =
        r"NT AUTHORITY\LOCAL SERVICE".to_owned();
    local.scm.machine.borrow_mut().frozen = true;
    local.install("[service.web]\nexec = ['C:\\srv\\web.exe']\nuser = 'LocalService'\n").unwrap();
}

#[test]
fn an_account_that_is_not_there_is_told() {
    let machine = Box_::new();
    let error = machine.install_with(RUNNER, &password(&machine, "x")).map(drop).unwrap_err();
    assert!(error.to_string().contains(r"no account `.\runner`"), "{error}");
    assert!(machine.service("web").is_none());
}

#[test]
fn a_new_password_is_given_to_an_account_that_has_not_changed() {
    let machine = with_account();
    machine.install_with(RUNNER, &password(&machine, "old")).unwrap();
    machine.install_with(RUNNER, &password(&machine, "new")).unwrap();
    assert_eq!(machine.service("web").unwrap().password.as_deref(), Some("new"));
}

#[test]
fn a_managed_account_takes_the_right_and_no_password() {
    let machine = Box_::new();
    machine.scm.machine.borrow_mut().accounts.insert(r"contoso\web$".to_owned(), "S-1-5-21-9-9-9-1".to_owned());
    machine.install("[service.web]\nexec = ['C:\\srv\\web.exe']\nuser = 'CONTOSO\\web$$'\n").unwrap();
    assert_eq!(machine.service("web").unwrap().password, None);
    assert!(machine.scm.machine.borrow().log_on.contains("S-1-5-21-9-9-9-1"));
}
