//! What a service and its commands are run with: account, environment, folder.

use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

use super::command::Setting;
use super::unit::Unit;
use super::{Engine, Id};
use crate::error::{Error, IoContext, Result};
use crate::host::env::{self, Environment};
use crate::host::sys::{self, Sandbox};
use crate::layout::Scope;
use crate::service::{Secret, Service};
use crate::system::files;

impl Engine {
    /// The account that a service asks for; looked up once in each turn of the loop, whoever asks.
    pub(super) fn account_of(&self, service: &Service) -> Result<sys::Account> {
        let asked = (service.user.clone(), service.group.clone());
        if let Some(known) = self.accounts.borrow().get(&asked) {
            return Ok(known.clone());
        }
        let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
        self.accounts.borrow_mut().insert(asked, account.clone());
        Ok(account)
    }

    /// What a unit's commands are run with, if that can be had.
    pub(super) fn setting(&self, id: &Id) -> Option<Setting> {
        self.try_setting(id).ok()
    }

    pub(super) fn try_setting(&self, id: &Id) -> Result<Setting> {
        let Some(unit) = self.units.get(id) else { return Err(Error::failed("the unit is gone")) };
        let service = &unit.service;
        let account = self.account_of(service)?;
        let env = environment(service, &account, self.options.pass_on)?;
        Ok(self.setting_of(id, unit, account, env, self.sandbox(service)?))
    }

    /// What a service and its commands are shut into.
    fn sandbox(&self, service: &Service) -> Result<Option<Rc<Sandbox>>> {
        let whole = self.options.layout.scope == Scope::System;
        Ok(Sandbox::of(service, whole)?.map(Rc::new))
    }

    /// What an event hook is run with. Who is to be told that an `env_file` is gone must not need that file.
    pub(super) fn hook_setting(&self, id: &Id) -> Option<Setting> {
        let unit = self.units.get(id)?;
        let account = self.account_of(&unit.service).ok()?;
        let env = environment(&unit.service, &account, self.options.pass_on)
            .unwrap_or_else(|_| env::base(&account.name, &account.home, &account.shell, crate::system::env));
        Some(self.setting_of(id, unit, account, env, self.sandbox(&unit.service).ok()?))
    }

    fn setting_of(
        &self,
        id: &Id,
        unit: &Unit,
        account: sys::Account,
        mut env: Environment,
        sandbox: Option<Rc<Sandbox>>,
    ) -> Setting {
        let service = &unit.service;
        env.insert("DAEMONCTL_UNIT".into(), id.to_string());
        env.insert("DAEMONCTL_INVOCATION".into(), unit.invocation.to_string());
        if let Some(main) = unit.main.filter(|_| unit.state.current.has_main()) {
            env.insert("MAINPID".into(), main.pid.to_string());
        }
        if let Some(socket) = &unit.notify {
            env.insert("NOTIFY_SOCKET".into(), socket.path.display().to_string());
        }
        if let Some(folder) = self.credentials_of(id, unit) {
            env.insert("CREDENTIALS_DIRECTORY".into(), folder.display().to_string());
        }
        Setting {
            env: env.into_iter().collect(),
            dir: service.working_dir.clone().unwrap_or_else(sys::neutral_folder),
            umask: service.effective_umask(),
            account,
            sandbox,
            output: unit.pipes.first().map(|pipe| pipe.child_end().clone()),
        }
    }
}

fn environment(service: &Service, account: &sys::Account, pass_on: bool) -> Result<Environment> {
    let mut env = env::base(&account.name, &account.home, &account.shell, crate::system::env);
    if pass_on {
        env::hand_on(&mut env, std::env::vars_os());
    }
    for file in &service.env_files {
        match given(&file.path) {
            Ok(text) => lay_over(&mut env, env::parse(&file.path, &text)?),
            Err(error) if file.optional && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing(format_args!("read env_file `{}`", file.path.display())),
        }
    }
    for (name, secret) in &service.security.secrets {
        // The backend refuses the other sources.
        if let Secret::File(path) = secret {
            let value = given(path).doing(format_args!("read the secret `{name}` from `{}`", path.display()))?;
            env::set(&mut env, name.clone(), value.strip_suffix('\n').unwrap_or(&value).to_owned());
        }
    }
    lay_over(&mut env, service.env.clone());
    Ok(env)
}

/// A file that the manifest names, which is read with our rights and handed to who has fewer.
fn given(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    files::open_given(path)?.take(files::MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

fn lay_over(env: &mut Environment, more: impl IntoIterator<Item = (String, String)>) {
    for (name, value) in more {
        env::set(env, name, value);
    }
}

/// Makes the folders of the service's own that are missing; those in the runtime folder are gone after a boot.
pub(super) fn make_own_folders(service: &Service, layout: &crate::layout::Layout) -> Result<()> {
    let folders = crate::manifest::folders(service, layout);
    if folders.is_empty() {
        return Ok(());
    }
    let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
    let owner = account.owner();
    folders.iter().try_for_each(|folder| files::make_folder_of(folder, 0o750, owner).map(drop))
}
