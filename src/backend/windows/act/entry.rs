//! What the service control manager keeps of a service: read, told in the words of what is wanted, written field by field,
//! and read back.

use std::time::Duration;

use super::codes::{Code, Tried};
use super::identity::{self, Logon};
use super::rights::Ledger;
use super::scm::{Basic, Change, Held, Kind, Level, OWN_PROCESS, Registered, ScmApi, Win, access, start};
use super::wait;
use crate::backend::windows::config::{
    ErrorControl, EventSource, Failure, FailureAction, FailureKind, Grant, ScmConfig, ServiceRight, SidType, StartType,
};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::system::access::sddl::{self, Descriptor};
use crate::system::password::Password;

/// A service as it is.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) config: ScmConfig,
    /// It has a process of its own, as all of daemonctl's have.
    pub(super) own_process: bool,
    /// Settings that this Windows does not tell.
    pub(super) unread: Vec<Kind>,
    /// Its access list, where we may see it.
    dacl: Option<Descriptor>,
}

/// What everything here is done with.
pub(super) struct Desk<'a> {
    pub(super) api: &'a dyn ScmApi,
    /// Which accounts were given the right to log on as a service.
    pub(super) ledger: &'a Ledger,
    /// What the receipt says was put there last.
    pub(super) installed: Option<&'a ScmConfig>,
}

const KINDS: [Kind; 7] = [
    Kind::Description,
    Kind::Delayed,
    Kind::Failure,
    Kind::FailureOnExit,
    Kind::SidType,
    Kind::Privileges,
    Kind::Preshutdown,
];

/// How long the data base may be locked by somebody else.
const LOCKED: Duration = Duration::from_secs(30);

impl Desk<'_> {
    /// The service as it is; None: there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Live>> {
        let tried = || format!("look at the service `{name}`");
        let held = match Held::open(self.api, name, access::QUERY_CONFIG | access::READ_CONTROL) {
            Err(Code::SERVICE_DOES_NOT_EXIST) => return Ok(None),
            // Who may see the configuration need not be allowed to see the access list.
            Err(Code::ACCESS_DENIED) => Held::open(self.api, name, access::QUERY_CONFIG),
            held => held,
        };
        let held = held.map_err(|code| code.error(tried()).hint_if_remote(code))?;
        let mut basic = self.api.basic(held.raw).tried(tried())?;
        if basic.dependencies.is_empty() {
            basic.dependencies = self.api.dependencies_in_registry(name).unwrap_or_default();
        }
        let mut live = Live {
            own_process: basic.service_type & 0xff == OWN_PROCESS,
            config: of_basic(name, &basic),
            unread: Vec::new(),
            dacl: self.api.security(held.raw).ok().and_then(|text| sddl::parse(&text)),
        };
        for kind in KINDS {
            match self.api.level(held.raw, kind) {
                Ok(level) => take(&mut live.config, level),
                Err(code) if code.is_unsupported() => live.unread.push(kind),
                Err(code) => return Err(code.error(tried())),
            }
        }
        Ok(Some(live))
    }

    /// The service as it is, in the words of what is wanted: what means the same is told the same, what cannot be seen is
    /// told as wanted.
    pub(super) fn told(&self, live: &Live, wanted: Option<&ScmConfig>) -> Result<ScmConfig> {
        let mut told = live.config.clone();
        let Some(model) = wanted.or(self.installed) else { return Ok(told) };
        if self.same_account(&told.account, &model.account)? {
            told.account.clone_from(&model.account);
        }
        if same_names(&told.dependencies, &model.dependencies) {
            told.dependencies.clone_from(&model.dependencies);
        }
        if same_names(&told.required_privileges, &model.required_privileges) {
            told.required_privileges.clone_from(&model.required_privileges);
        }
        for kind in &live.unread {
            match kind {
                Kind::Description => told.description.clone_from(&model.description),
                Kind::Delayed if told.start.at_boot() && model.start.at_boot() => told.start = model.start,
                Kind::Delayed => {}
                Kind::Failure => {
                    told.failure = Failure { on_exit: told.failure.on_exit, ..model.failure.clone() };
                }
                Kind::FailureOnExit => told.failure.on_exit = model.failure.on_exit,
                Kind::SidType => told.sid_type = model.sid_type,
                Kind::Privileges => told.required_privileges.clone_from(&model.required_privileges),
                Kind::Preshutdown => told.preshutdown_ms = model.preshutdown_ms,
            }
        }
        if model.preshutdown_ms.is_none() {
            told.preshutdown_ms = None;
        }
        told.allow = self.allowed(live, model)?;
        told.event_source = self.source(&told.name, model)?;
        Ok(told)
    }

    /// Whether two names are one account, whatever the language and the spelling.
    fn same_account(&self, one: &str, other: &str) -> Result<bool> {
        if one.eq_ignore_ascii_case(other) {
            return Ok(true);
        }
        match (self.sid(one)?, self.sid(other)?) {
            (Some(one), Some(other)) => Ok(one == other),
            _ => Ok(false),
        }
    }

    /// An account's security identifier.
    pub(super) fn sid(&self, name: &str) -> Result<Option<String>> {
        if let Some(sid) = identity::known_sid(name) {
            return Ok(Some(sid));
        }
        let name = identity::for_lookup(name, &self.api.machine());
        self.api.sid(&name).tried(format_args!("look up the account `{name}`"))
    }

    fn sid_of_grant(&self, grant: &Grant) -> Result<String> {
        self.sid(&grant.who)?.ok_or_else(|| {
            Error::new(Exit::Manifest, format!("`windows.allow` names `{}`, and there is no such account", grant.who))
                .hint("write `DOMAIN\\NAME`, `BUILTIN\\Users`, or a security identifier (`S-1-...`)")
        })
    }

    /// Of what is wanted, and of what was put there, what the access list says.
    fn allowed(&self, live: &Live, model: &ScmConfig) -> Result<Vec<Grant>> {
        let Some(entries) = live.dacl.as_ref().and_then(|dacl| dacl.entries.as_ref()) else {
            // Not to be seen (or there is no list, and everybody may everything).
            return Ok(model.allow.clone());
        };
        let gone = self.installed.map(|old| old.allow.as_slice()).unwrap_or_default();
        let mut told = Vec::new();
        for grant in model.allow.iter().chain(gone.iter().filter(|grant| !model.allow.contains(grant))) {
            if sddl::allows(entries, &self.sid_of_grant(grant)?, mask(grant)) {
                told.push(grant.clone());
            }
        }
        // Wine has an empty list whatever is written to it.
        Ok(if entries.is_empty() { model.allow.clone() } else { told })
    }

    /// The source of the Event Log: somebody else's of that name serves as well.
    fn source(&self, service: &str, model: &ScmConfig) -> Result<Option<EventSource>> {
        let old = self.installed.and_then(|old| old.event_source.as_ref());
        let Some(source) = model.event_source.as_ref().or(old) else { return Ok(None) };
        let registered = self.registered(&source.name)?;
        Ok(registered.and_then(|registered| match &registered.owner {
            Some(owner) if owner.eq_ignore_ascii_case(service) => Some(registered.source),
            _ => model.event_source.clone(),
        }))
    }

    fn registered(&self, name: &str) -> Result<Option<Registered>> {
        self.api.source(name).tried(format_args!("look at the event source `{name}`"))
    }

    /// Makes the service what is wanted: only what differs is changed. Tells what the operator should know.
    pub(super) fn put(&self, wanted: &ScmConfig, password: Option<&Password>) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        let grants = wanted
            .allow
            .iter()
            .map(|grant| Ok((self.sid_of_grant(grant)?, mask(grant))))
            .collect::<Result<Vec<_>>>()?;
        self.let_log_on(wanted, &mut notes)?;
        let live = self.read(&wanted.name)?;
        let told = live.as_ref().map(|live| self.told(live, Some(wanted))).transpose()?;
        match (&live, &told) {
            (Some(live), Some(told)) => {
                if !live.own_process {
                    return Err(Error::failed(format!(
                        "`{}` is a driver, or shares its process with other services: daemonctl cannot take it over",
                        wanted.name
                    ))
                    .hint("give the service another name"));
                }
                self.change(told, wanted, password)?;
            }
            _ => self.create(wanted, password)?,
        }
        self.levels(told.as_ref(), wanted, &mut notes)?;
        self.permit(told.as_ref(), wanted, &grants)?;
        self.register(told.as_ref(), wanted, &mut notes)?;
        self.ledger.release_others(self.api, &wanted.name, self.sid(&wanted.account)?.as_deref())?;
        self.read_back(wanted)?;
        Ok(notes)
    }

    /// Nothing is claimed that was not seen.
    fn read_back(&self, wanted: &ScmConfig) -> Result<()> {
        let live = self
            .read(&wanted.name)?
            .ok_or_else(|| Error::failed(format!("the service `{}` was made, and is not there", wanted.name)))?;
        let told = self.told(&live, Some(wanted))?;
        if told == *wanted {
            return Ok(());
        }
        let mut error = Error::failed(format!("the service control manager did not keep all of `{}`", wanted.name));
        for (field, wanted, there) in wanted.differences(&told) {
            error = error.detail(format!("{field}: wanted `{wanted}`, it says `{there}`"));
        }
        Err(error)
    }

    fn create(&self, wanted: &ScmConfig, password: Option<&Password>) -> Result<()> {
        let name = &wanted.name;
        let basic = Basic {
            service_type: OWN_PROCESS,
            start: start_number(wanted.start),
            error_control: wanted.error_control as u32,
            image_path: wanted.image_path.clone(),
            load_order_group: wanted.load_order_group.clone().unwrap_or_default(),
            dependencies: wanted.dependencies.clone(),
            account: wanted.account.clone(),
            display_name: wanted.display_name.clone(),
        };
        let made = self.unlocked(|| match self.api.create(name, &basic, password) {
            // It was deleted, and somebody still has it open.
            Err(Code::SERVICE_MARKED_FOR_DELETE) => Err(Code::SERVICE_MARKED_FOR_DELETE),
            made => made,
        });
        let made = match made {
            Err(Code::SERVICE_MARKED_FOR_DELETE) => {
                wait::until_forgotten(self.api, name)?;
                self.api.create(name, &basic, password)
            }
            made => made,
        };
        match made {
            Ok(raw) => {
                self.api.close(raw);
                Ok(())
            }
            Err(code) => Err(self.explained(code, wanted, &format!("make the service `{name}`"))),
        }
    }

    /// Changes what every service has, as far as it differs.
    fn change(&self, told: &ScmConfig, wanted: &ScmConfig, password: Option<&Password>) -> Result<()> {
        let mut change = Change::default();
        let (from, to) = (start_number(told.start), start_number(wanted.start));
        change.start = (from != to).then_some(to);
        change.error_control = (told.error_control != wanted.error_control).then_some(wanted.error_control as u32);
        change.image_path = (told.image_path != wanted.image_path).then_some(&wanted.image_path);
        change.load_order_group = (told.load_order_group != wanted.load_order_group)
            .then_some(wanted.load_order_group.as_deref().unwrap_or_default());
        change.dependencies = (told.dependencies != wanted.dependencies).then_some(&wanted.dependencies);
        change.display_name = (told.display_name != wanted.display_name).then_some(&wanted.display_name);
        if told.account != wanted.account || password.is_some() {
            change.account = Some(&wanted.account);
            change.password = password;
        }
        let nothing = change.start.is_none()
            && change.error_control.is_none()
            && change.image_path.is_none()
            && change.load_order_group.is_none()
            && change.dependencies.is_none()
            && change.display_name.is_none()
            && change.account.is_none();
        if nothing {
            return Ok(());
        }
        let tried = format!("change the service `{}`", wanted.name);
        let held = Held::open(self.api, &wanted.name, access::CHANGE_CONFIG).tried(&tried)?;
        self.unlocked(|| self.api.change(held.raw, &change)).map_err(|code| self.explained(code, wanted, &tried))
    }

    /// Sets the settings that differ.
    fn levels(&self, told: Option<&ScmConfig>, wanted: &ScmConfig, notes: &mut Vec<String>) -> Result<()> {
        let fresh = told.is_none();
        let from: Vec<Level> = told.map(levels_of).unwrap_or_default();
        let changed: Vec<Level> = levels_of(wanted)
            .into_iter()
            .filter(|level| !(from.contains(level) || fresh && is_default(level)))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let tried = || format!("change the service `{}`", wanted.name);
        // Actions that start it again may be set only by who may start it.
        let held = Held::open(self.api, &wanted.name, access::CHANGE_CONFIG | access::START).tried(tried())?;
        for level in &changed {
            match self.unlocked(|| self.api.set_level(held.raw, level)) {
                Ok(()) => {}
                Err(code) if code.is_unsupported() => notes.push(format!(
                    "`{}`: this Windows does not have {} ({code})",
                    wanted.name,
                    level.kind().name()
                )),
                Err(code) => return Err(self.explained(code, wanted, &tried())),
            }
        }
        Ok(())
    }

    /// Adds to the access list what is missing, and takes back what was added and is not wanted any more.
    fn permit(&self, told: Option<&ScmConfig>, wanted: &ScmConfig, grants: &[(String, u32)]) -> Result<()> {
        let gone: Vec<&Grant> =
            told.into_iter().flat_map(|told| &told.allow).filter(|grant| !wanted.allow.contains(grant)).collect();
        if grants.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let tried = || format!("change the access list of the service `{}`", wanted.name);
        let held = Held::open(self.api, &wanted.name, access::READ_CONTROL | access::WRITE_DAC).tried(tried())?;
        let text = self.api.security(held.raw).tried(tried())?;
        let mut list = sddl::parse(&text)
            .ok_or_else(|| Error::failed(format!("cannot {}: `{text}` is not understood", tried())))?;
        let mut changed = false;
        for grant in gone {
            changed |= sddl::take_back(&mut list, &self.sid_of_grant(grant)?, mask(grant));
        }
        for (sid, mask) in grants {
            changed |= sddl::add(&mut list, sid, *mask);
        }
        if changed { self.api.set_security(held.raw, &list.to_string()).tried(tried()) } else { Ok(()) }
    }

    fn register(&self, told: Option<&ScmConfig>, wanted: &ScmConfig, notes: &mut Vec<String>) -> Result<()> {
        let old = self.installed.and_then(|old| old.event_source.as_ref());
        if let Some(old) = old.filter(|old| wanted.event_source.as_ref().is_none_or(|new| new.name != old.name)) {
            self.unregister(&old.name, &wanted.name)?;
        }
        let Some(source) = &wanted.event_source else { return Ok(()) };
        if let Some(there) = self.registered(&source.name)? {
            if !there.owner.is_some_and(|owner| owner.eq_ignore_ascii_case(&wanted.name)) {
                notes.push(format!(
                    "`{}`: the event source `{}` is there already and is used as it is",
                    wanted.name, source.name
                ));
                return Ok(());
            }
            if told.is_some_and(|told| told.event_source == wanted.event_source) {
                return Ok(());
            }
        }
        self.api
            .register_source(source, &wanted.name)
            .tried(format_args!("register the event source `{}`", source.name))
    }

    fn unregister(&self, source: &str, service: &str) -> Result<()> {
        let ours =
            self.registered(source)?.and_then(|there| there.owner).is_some_and(|o| o.eq_ignore_ascii_case(service));
        if ours {
            self.api.remove_source(source).tried(format_args!("remove the event source `{source}`"))?;
        }
        Ok(())
    }

    /// The right to log on as a service, which the manager does not give by itself.
    fn let_log_on(&self, wanted: &ScmConfig, notes: &mut Vec<String>) -> Result<()> {
        if identity::logon(&wanted.account) == Logon::Own {
            return Ok(());
        }
        let sid = self.sid(&wanted.account)?.ok_or_else(|| {
            Error::failed(format!("`{}`: there is no account `{}`", wanted.name, wanted.account))
                .hint("make it first, or name another: `user`, or `windows.account`")
        })?;
        if self.ledger.let_log_on(self.api, &sid, &wanted.name)? {
            notes.push(format!(
                "`{}` was given the right to log on as a service; the last uninstall takes it back",
                wanted.account
            ));
        }
        Ok(())
    }

    /// Removes a service that is stopped, with all that was made for it, and waits until it is gone.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let tried = || format!("delete the service `{name}`");
        match Held::open(self.api, name, access::DELETE | access::CHANGE_CONFIG | access::QUERY_STATUS) {
            Err(Code::SERVICE_DOES_NOT_EXIST) => {}
            Err(code) => return Err(code.error(tried())),
            Ok(held) => {
                // So that no failure action that waits brings it back while it is taken away.
                let disabled = Change { start: Some(start::DISABLED), ..Change::default() };
                match self.unlocked(|| self.api.change(held.raw, &disabled)) {
                    Ok(()) | Err(Code::SERVICE_MARKED_FOR_DELETE) => {}
                    Err(code) => return Err(code.error(tried())),
                }
                match self.unlocked(|| self.api.delete(held.raw)) {
                    Ok(()) | Err(Code::SERVICE_MARKED_FOR_DELETE) => {}
                    Err(code) => return Err(code.error(tried())),
                }
            }
        }
        let installed = self.installed.and_then(|installed| installed.event_source.as_ref());
        let usual = crate::backend::windows::render::source_name(name);
        for source in installed.map(|source| source.name.clone()).into_iter().chain([usual]) {
            self.unregister(&source, name)?;
        }
        self.ledger.release_others(self.api, name, None)?;
        wait::until_forgotten(self.api, name)
    }

    /// Again while another program has the data base locked.
    fn unlocked<T>(&self, call: impl Fn() -> Win<T>) -> Win<T> {
        wait::unlocked(self.api, LOCKED, call)
    }

    /// The error of a code, with what there is to know about it.
    fn explained(&self, code: Code, wanted: &ScmConfig, tried: &str) -> Error {
        let error = code.error(tried);
        match code {
            Code::DUPLICATE_SERVICE_NAME => {
                let names = self.api.names().unwrap_or_default();
                let taken = |name: &str| {
                    name.eq_ignore_ascii_case(&wanted.display_name) || name.eq_ignore_ascii_case(&wanted.name)
                };
                match names
                    .iter()
                    .find(|(name, display)| !name.eq_ignore_ascii_case(&wanted.name) && (taken(name) || taken(display)))
                {
                    Some((name, display)) => error.detail(format!("it is the service `{name}` (`{display}`)")),
                    None => error,
                }
            }
            Code::CIRCULAR_DEPENDENCY | Code::SERVICE_DEPENDENCY_DELETED => {
                error.detail(format!("it depends on {}", wanted.dependencies.join(", ")))
            }
            Code::INVALID_SERVICE_ACCOUNT => error.detail(format!("the account is `{}`", wanted.account)),
            _ => error,
        }
    }
}

trait HintIfRemote {
    fn hint_if_remote(self, code: Code) -> Self;
}

impl HintIfRemote for Error {
    /// Who is logged on over the network and is no administrator may not even look.
    fn hint_if_remote(self, code: Code) -> Self {
        if code == Code::ACCESS_DENIED {
            self.hint("over ssh or WinRM only administrators may look at services")
        } else {
            self
        }
    }
}

fn mask(grant: &Grant) -> u32 {
    grant.rights.iter().map(|right| ServiceRight::bit(*right)).fold(0, |mask, bit| mask | bit)
}

fn same_names(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut names: Vec<String> = list.iter().map(|name| name.to_lowercase()).collect();
        names.sort_unstable();
        names
    };
    sorted(one) == sorted(other)
}

const fn start_number(start: StartType) -> u32 {
    match start {
        StartType::Automatic | StartType::AutomaticDelayed => start::AUTO,
        StartType::Manual => start::DEMAND,
        StartType::Disabled => start::DISABLED,
    }
}

fn of_basic(name: &str, basic: &Basic) -> ScmConfig {
    ScmConfig {
        name: name.to_owned(),
        display_name: basic.display_name.clone(),
        description: String::new(),
        image_path: basic.image_path.clone(),
        start: match basic.start {
            start::DEMAND => StartType::Manual,
            start::DISABLED => StartType::Disabled,
            _ => StartType::Automatic,
        },
        error_control: ErrorControl::WORDS
            .get(basic.error_control as usize)
            .map_or(ErrorControl::Normal, |(_, it)| *it),
        load_order_group: Some(basic.load_order_group.clone()).filter(|group| !group.is_empty()),
        dependencies: basic.dependencies.clone(),
        account: if basic.account.is_empty() { "LocalSystem".to_owned() } else { basic.account.clone() },
        sid_type: SidType::None,
        required_privileges: Vec::new(),
        preshutdown_ms: None,
        failure: Failure::default(),
        allow: Vec::new(),
        event_source: None,
    }
}

fn take(config: &mut ScmConfig, level: Level) {
    match level {
        Level::Description(text) => config.description = text,
        Level::Delayed(delayed) => {
            if delayed && config.start == StartType::Automatic {
                config.start = StartType::AutomaticDelayed;
            }
        }
        Level::Failure { reset, actions, command, reboot_message } => {
            let kind = |number: u32| FailureKind::WORDS.get(number as usize).map_or(FailureKind::None, |(_, it)| *it);
            config.failure = Failure {
                actions: actions
                    .into_iter()
                    .map(|(number, delay_ms)| FailureAction { kind: kind(number), delay_ms })
                    .collect(),
                reset_s: (reset != u32::MAX).then_some(reset),
                command,
                reboot_message,
                on_exit: config.failure.on_exit,
            };
        }
        Level::FailureOnExit(on) => config.failure.on_exit = on,
        Level::SidType(number) => {
            config.sid_type = match number {
                1 => SidType::Unrestricted,
                3 => SidType::Restricted,
                _ => SidType::None,
            };
        }
        Level::Privileges(names) => config.required_privileges = names,
        Level::Preshutdown(ms) => config.preshutdown_ms = Some(ms),
    }
}

fn levels_of(config: &ScmConfig) -> Vec<Level> {
    let mut levels = vec![
        Level::Description(config.description.clone()),
        Level::Failure {
            reset: config.failure.reset_s.unwrap_or(u32::MAX),
            actions: config.failure.actions.iter().map(|action| (action.kind as u32, action.delay_ms)).collect(),
            command: config.failure.command.clone(),
            reboot_message: config.failure.reboot_message.clone(),
        },
        Level::FailureOnExit(config.failure.on_exit),
        Level::SidType(match config.sid_type {
            SidType::None => 0,
            SidType::Unrestricted => 1,
            SidType::Restricted => 3,
        }),
        Level::Privileges(config.required_privileges.clone()),
    ];
    // Windows takes it for automatic starts only.
    if config.start.at_boot() {
        levels.push(Level::Delayed(config.start == StartType::AutomaticDelayed));
    }
    levels.extend(config.preshutdown_ms.map(Level::Preshutdown));
    levels
}

/// What a service has that was just made.
fn is_default(level: &Level) -> bool {
    match level {
        Level::Description(text) => text.is_empty(),
        Level::Delayed(on) => !on,
        Level::Privileges(names) => names.is_empty(),
        Level::SidType(number) => *number == 0,
        Level::Failure { actions, command, .. } => actions.is_empty() && command.is_empty(),
        // Written whatever it is: without it nobody knows what the actions mean.
        Level::FailureOnExit(_) | Level::Preshutdown(_) => false,
    }
}
