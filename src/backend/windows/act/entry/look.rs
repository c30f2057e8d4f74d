//! What is there: read, and told in the words of what is wanted.

use super::super::codes::{Code, Tried};
use super::super::identity;
use super::super::scm::{Held, Kind, OWN_PROCESS, Registered, access};
use super::numbers::{of_basic, take};
use super::{Desk, Live, mask};
use crate::backend::windows::config::{EventSource, Failure, Grant, ScmConfig};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::system::access::sddl;

const KINDS: [Kind; 7] = [
    Kind::Description,
    Kind::Delayed,
    Kind::Failure,
    Kind::FailureOnExit,
    Kind::SidType,
    Kind::Privileges,
    Kind::Preshutdown,
];

impl Desk<'_> {
    /// The service as it is; None: there is none.
    pub(in super::super) fn read(&self, name: &str) -> Result<Option<Live>> {
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
    pub(in super::super) fn told(&self, live: &Live, wanted: Option<&ScmConfig>) -> Result<ScmConfig> {
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
    pub(in super::super) fn sid(&self, name: &str) -> Result<Option<String>> {
        if let Some(sid) = identity::known_sid(name) {
            return Ok(Some(sid));
        }
        let name = identity::for_lookup(name, &self.api.machine());
        self.api.sid(&name).tried(format_args!("look up the account `{name}`"))
    }

    pub(super) fn sid_of_grant(&self, grant: &Grant) -> Result<String> {
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

    pub(super) fn registered(&self, name: &str) -> Result<Option<Registered>> {
        self.api.source(name).tried(format_args!("look at the event source `{name}`"))
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

fn same_names(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut names: Vec<String> = list.iter().map(|name| name.to_lowercase()).collect();
        names.sort_unstable();
        names
    };
    sorted(one) == sorted(other)
}
