//! What the service control manager keeps of a service: read, told in the words of what is wanted, written field by field,
//! and read back.

mod look;
mod numbers;

use std::time::Duration;

use self::numbers::{is_default, levels_of, start_number};
use super::codes::{Code, Tried};
use super::identity::{self, Logon};
use super::rights::Ledger;
use super::scm::{Basic, Change, Held, Kind, Level, OWN_PROCESS, ScmApi, Win, access, start};
use super::wait;
use crate::backend::windows::config::{Grant, ScmConfig, ServiceRight};
use crate::error::{Error, Result};
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

/// How long the data base may be locked by somebody else.
const LOCKED: Duration = Duration::from_secs(30);

impl Desk<'_> {
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

fn mask(grant: &Grant) -> u32 {
    grant.rights.iter().map(|right| ServiceRight::bit(*right)).fold(0, |mask, bit| mask | bit)
}
