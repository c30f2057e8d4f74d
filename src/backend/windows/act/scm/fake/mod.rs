//! A service control manager in memory, with the real one's rules: rights of handles, a deleted service that stays until
//! its last handle is closed, names and display names that must differ, pending states that take their time, levels that
//! an old Windows does not know. What no test has set up is a fault of the code under test, and panics.

mod machine;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use self::machine::down;
pub(in super::super) use self::machine::{DEFAULT_LIST, Machine, Program, Service};
use super::{Basic, Change, Kind, Level, Raw, Registered, ScmApi, Seen, Win, access, control, start, state};
use crate::backend::windows::act::codes::Code;
use crate::backend::windows::config::EventSource;
use crate::system::password::Password;

/// See the module. Clones are the same machine.
#[derive(Clone, Default)]
pub(in super::super) struct Fake {
    pub(in super::super) machine: Rc<RefCell<Machine>>,
    pauses: Rc<Cell<u32>>,
}

impl Fake {
    /// What was changed since the last time, in order.
    pub(in super::super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.machine.borrow_mut().log)
    }

    /// Handles that were never closed.
    pub(in super::super) fn open_handles(&self) -> usize {
        self.machine.borrow().handles.len()
    }

    fn with<T>(&self, service: Raw, right: u32, call: impl FnOnce(&mut Machine, &str) -> Win<T>) -> Win<T> {
        let mut machine = self.machine.borrow_mut();
        machine.advance();
        let Some((name, rights)) = machine.handles.get(&service.0).cloned() else {
            panic!("a handle that was closed is used");
        };
        if rights & right != right {
            return Err(Code::ACCESS_DENIED);
        }
        call(&mut machine, &name)
    }
}

impl ScmApi for Fake {
    fn create(&self, name: &str, basic: &Basic, password: Option<&Password>) -> Win<Raw> {
        let mut machine = self.machine.borrow_mut();
        machine.advance();
        machine.answer("create")?;
        if name.is_empty() || name.chars().count() > 256 || name.contains(['/', '\\']) {
            return Err(Code::INVALID_NAME);
        }
        if let Some(there) = machine.service(name) {
            return Err(if there.deleted { Code::SERVICE_MARKED_FOR_DELETE } else { Code::SERVICE_EXISTS });
        }
        if machine.taken(&basic.display_name, name) || machine.taken(name, name) {
            return Err(Code::DUPLICATE_SERVICE_NAME);
        }
        machine.check_account(&basic.account, password)?;
        machine.change(format!("create {name}"));
        let program = machine.programs.get(name).cloned().unwrap_or_default();
        let levels = [
            Level::Description(String::new()),
            Level::Delayed(false),
            Level::Failure { reset: 0, actions: vec![], command: String::new(), reboot_message: String::new() },
            Level::FailureOnExit(false),
            Level::SidType(0),
            Level::Privileges(vec![]),
            Level::Preshutdown(180_000),
        ];
        let service = Service {
            name: name.to_owned(),
            basic: basic.clone(),
            password: password.map(|password| password.reveal().to_owned()),
            levels: levels.map(|level| (level.kind(), level)).into(),
            list: DEFAULT_LIST.to_owned(),
            seen: down(Code::SERVICE_NEVER_STARTED.0, 0),
            program,
            next: None,
            deleted: false,
        };
        machine.services.insert(name.to_lowercase(), service);
        Ok(machine.handle(name, 0xf_01ff))
    }

    fn open(&self, name: &str, access: u32) -> Win<Raw> {
        let mut machine = self.machine.borrow_mut();
        machine.advance();
        machine.answer("open")?;
        if machine.service(name).is_none() {
            return Err(Code::SERVICE_DOES_NOT_EXIST);
        }
        Ok(machine.handle(name, access))
    }

    fn close(&self, service: Raw) {
        let mut machine = self.machine.borrow_mut();
        assert!(machine.handles.remove(&service.0).is_some(), "a handle is closed twice");
        machine.advance();
    }

    fn basic(&self, service: Raw) -> Win<Basic> {
        self.with(service, access::QUERY_CONFIG, |machine, name| Ok(machine.service(name).unwrap().basic.clone()))
    }

    fn change(&self, service: Raw, change: &Change<'_>) -> Win<()> {
        self.with(service, access::CHANGE_CONFIG, |machine, name| {
            machine.answer("change")?;
            if machine.service(name).unwrap().deleted {
                return Err(Code::SERVICE_MARKED_FOR_DELETE);
            }
            if change.display_name.is_some_and(|display| machine.taken(display, name)) {
                return Err(Code::DUPLICATE_SERVICE_NAME);
            }
            if let Some(account) = change.account {
                machine.check_account(account, change.password)?;
            }
            let mut fields = Vec::new();
            let service = machine.service(name).unwrap();
            let basic = &mut service.basic;
            macro_rules! set {
                ($($field:ident = $value:expr;)*) => {
                    $(if let Some(value) = $value {
                        fields.push(stringify!($field));
                        basic.$field = value;
                    })*
                };
            }
            set! {
                start = change.start;
                error_control = change.error_control;
                image_path = change.image_path.map(str::to_owned);
                load_order_group = change.load_order_group.map(str::to_owned);
                dependencies = change.dependencies.map(<[String]>::to_vec);
                account = change.account.map(str::to_owned);
                display_name = change.display_name.map(str::to_owned);
            }
            if let Some(password) = change.password {
                service.password = Some(password.reveal().to_owned());
                fields.push("password");
            }
            machine.change(format!("change {name}: {}", fields.join(" ")));
            Ok(())
        })
    }

    fn level(&self, service: Raw, kind: Kind) -> Win<Level> {
        self.with(service, access::QUERY_CONFIG, |machine, name| {
            if let Some(code) = machine.unknown.get(&kind) {
                return Err(Code(*code));
            }
            Ok(machine.service(name).unwrap().levels[&kind].clone())
        })
    }

    fn set_level(&self, service: Raw, level: &Level) -> Win<()> {
        let restarts = matches!(level, Level::Failure { actions, .. } if actions.iter().any(|(kind, _)| *kind == 1));
        let right = access::CHANGE_CONFIG | if restarts { access::START } else { 0 };
        self.with(service, right, |machine, name| {
            machine.answer("set_level")?;
            if let Some(code) = machine.unknown.get(&level.kind()) {
                return Err(Code(*code));
            }
            if matches!(level, Level::Delayed(_)) && machine.service(name).unwrap().basic.start != start::AUTO {
                return Err(Code::INVALID_PARAMETER);
            }
            machine.change(format!("set {name}: {:?}", level.kind()));
            if !machine.forgetful.contains(&level.kind()) {
                machine.service(name).unwrap().levels.insert(level.kind(), level.clone());
            }
            Ok(())
        })
    }

    fn seen(&self, service: Raw) -> Win<Seen> {
        self.with(service, access::QUERY_STATUS, |machine, name| Ok(machine.service(name).unwrap().seen))
    }

    fn start(&self, service: Raw) -> Win<()> {
        self.with(service, access::START, |machine, name| {
            machine.answer("start")?;
            let service = machine.service(name).unwrap().clone();
            if service.deleted {
                return Err(Code::SERVICE_MARKED_FOR_DELETE);
            }
            if service.seen.state != state::STOPPED {
                return Err(Code::SERVICE_ALREADY_RUNNING);
            }
            if service.basic.start == start::DISABLED {
                return Err(Code::SERVICE_DISABLED);
            }
            for needed in &service.basic.dependencies {
                if needed.starts_with('+') {
                    continue;
                }
                if machine.service(needed).is_none() {
                    return Err(Code::SERVICE_DEPENDENCY_DELETED);
                }
                if !machine.running(needed) {
                    return Err(Code::SERVICE_DEPENDENCY_FAIL);
                }
            }
            machine.change(format!("start {name}"));
            let (now, pid) = (machine.now, 1000 + u32::try_from(machine.log.len()).unwrap());
            machine.processes.insert(pid, u64::MAX);
            let service = machine.service(name).unwrap();
            let program = service.program.clone();
            service.seen =
                Seen { state: state::START_PENDING, accepts: 0, exit: 0, specific: 0, checkpoint: 1, hint: 2000, pid };
            let end = match program.fails {
                Some((exit, specific)) => down(exit, specific),
                None => Seen { state: state::RUNNING, accepts: 1 | 8, checkpoint: 0, hint: 0, ..service.seen },
            };
            service.next = Some((now + program.starts, end));
            Ok(())
        })
    }

    fn control(&self, service: Raw, control: u32) -> Win<()> {
        let right = if control == control::STOP { access::STOP } else { access::PAUSE_CONTINUE };
        self.with(service, right, |machine, name| {
            machine.answer("control")?;
            let seen = machine.service(name).unwrap().seen;
            match seen.state {
                state::STOPPED => return Err(Code::SERVICE_NOT_ACTIVE),
                state::RUNNING => {}
                _ => return Err(Code::SERVICE_CANNOT_ACCEPT_CTRL),
            }
            let others: Vec<Service> = machine.services.values().cloned().collect();
            let needed = others.iter().any(|other| {
                other.seen.state != state::STOPPED
                    && other.basic.dependencies.iter().any(|needed| needed.eq_ignore_ascii_case(name))
            });
            if control == control::STOP && needed {
                return Err(Code::DEPENDENT_SERVICES_RUNNING);
            }
            machine.change(format!("{} {name}", if control == control::STOP { "stop" } else { "paramchange" }));
            if control == control::STOP {
                let now = machine.now;
                let service = machine.service(name).unwrap();
                service.seen = Seen { state: state::STOP_PENDING, accepts: 0, checkpoint: 1, hint: 3000, ..seen };
                service.next = Some((now + service.program.stops, down(0, 0)));
            }
            Ok(())
        })
    }

    fn delete(&self, service: Raw) -> Win<()> {
        self.with(service, access::DELETE, |machine, name| {
            machine.answer("delete")?;
            if machine.service(name).unwrap().deleted {
                return Err(Code::SERVICE_MARKED_FOR_DELETE);
            }
            machine.change(format!("delete {name}"));
            machine.service(name).unwrap().deleted = true;
            Ok(())
        })
    }

    fn dependents(&self, service: Raw) -> Win<Vec<String>> {
        self.with(service, access::ENUMERATE_DEPENDENTS, |machine, name| {
            let needs = |service: &&Service| {
                service.seen.state != state::STOPPED
                    && service.basic.dependencies.iter().any(|needed| needed.eq_ignore_ascii_case(name))
            };
            Ok(machine.services.values().filter(needs).map(|service| service.name.clone()).collect())
        })
    }

    fn names(&self) -> Win<Vec<(String, String)>> {
        let machine = self.machine.borrow();
        Ok(machine.services.values().map(|s| (s.name.clone(), s.basic.display_name.clone())).collect())
    }

    fn security(&self, service: Raw) -> Win<String> {
        self.with(service, access::READ_CONTROL, |machine, name| Ok(machine.service(name).unwrap().list.clone()))
    }

    fn set_security(&self, service: Raw, sddl: &str) -> Win<()> {
        self.with(service, access::WRITE_DAC, |machine, name| {
            machine.change(format!("access {name}"));
            sddl.clone_into(&mut machine.service(name).unwrap().list);
            Ok(())
        })
    }

    fn source(&self, name: &str) -> Win<Option<Registered>> {
        Ok(self.machine.borrow().sources.get(name).cloned())
    }

    fn register_source(&self, source: &EventSource, owner: &str) -> Win<()> {
        let mut machine = self.machine.borrow_mut();
        machine.change(format!("source {}", source.name));
        let registered = Registered { source: source.clone(), owner: Some(owner.to_owned()) };
        machine.sources.insert(source.name.clone(), registered);
        Ok(())
    }

    fn remove_source(&self, name: &str) -> Win<()> {
        let mut machine = self.machine.borrow_mut();
        machine.change(format!("no source {name}"));
        machine.sources.remove(name).expect("a source that is not there is removed");
        Ok(())
    }

    fn machine(&self) -> String {
        "BOX".to_owned()
    }

    fn sid(&self, account: &str) -> Win<Option<String>> {
        assert!(!account.starts_with(r".\"), "look-ups do not know `{account}`");
        Ok(self.machine.borrow().accounts.get(&account.to_lowercase()).cloned())
    }

    fn own_sid(&self) -> Win<String> {
        Ok("S-1-5-21-1-2-3-500".to_owned())
    }

    fn may_log_on(&self, sid: &str) -> Win<bool> {
        Ok(self.machine.borrow().log_on.contains(sid))
    }

    fn let_log_on(&self, sid: &str, may: bool) -> Win<()> {
        let mut machine = self.machine.borrow_mut();
        machine.change(format!("{} {sid} log on", if may { "let" } else { "do not let" }));
        if may {
            machine.log_on.insert(sid.to_owned())
        } else {
            machine.log_on.remove(sid)
        };
        Ok(())
    }

    fn process_ended(&self, pid: u32, within: Duration) -> bool {
        let mut machine = self.machine.borrow_mut();
        let end = machine.processes.get(&pid).copied().expect("a process that never was is waited for");
        let latest = machine.now + u64::try_from(within.as_millis()).unwrap();
        machine.now = machine.now.max(end.min(latest));
        machine.now >= end
    }

    fn programs(&self) -> Vec<String> {
        self.machine.borrow().running.clone()
    }

    fn file_security(&self, path: &Path) -> Win<Option<String>> {
        Ok(self.machine.borrow().files.get(path).cloned())
    }

    fn key_security(&self, service: &str) -> Win<Option<String>> {
        Ok(self.machine.borrow().keys.get(service).cloned())
    }

    fn let_at_file(&self, path: &Path, sid: &str, change: bool) -> Win<()> {
        let mut machine = self.machine.borrow_mut();
        let entry = (path.to_owned(), sid.to_owned(), change);
        if !machine.let_at.contains(&entry) {
            machine.let_at.push(entry);
        }
        Ok(())
    }

    fn clock(&self) -> Duration {
        Duration::from_millis(self.machine.borrow().now)
    }

    fn pause(&self, time: Duration) {
        self.pauses.set(self.pauses.get() + 1);
        assert!(self.pauses.get() < 100_000, "it waits for ever");
        self.machine.borrow_mut().now += u64::try_from(time.as_millis()).unwrap().max(1);
    }
}
