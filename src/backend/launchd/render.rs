//! From a service to its property lists, one a unit. Pure: the same service gives the same bytes on every machine.

use std::path::{Path, PathBuf};

use plist::{Dictionary, Value};

use super::{calendar, hosted, keys, names};
use crate::backend::{Artifact, Body, Hosting, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::service::{KillScope, Kind, LogFile, Priority, RestartPolicy, Service, Start};

/// launchd gives a job 256 open files, fewer than any other manager; without a limit in the manifest this is given.
const OPEN_FILES: u64 = 1024;

/// Seconds before a host that died is started again, as few as launchd takes.
const HOST_THROTTLE: u64 = 1;

/// Every artifact of a service.
pub(super) fn artifacts(service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>> {
    names::all(service, target)?;
    keys::check(&service.native, target.scope).map_err(|fault| {
        Error::new(Exit::Manifest, format!("the launchd table of `{}`: {}", service.name, fault.why)).hint(fault.remedy)
    })?;
    let mut made = Vec::new();
    for unit in service.each_unit() {
        let list = match hosting {
            Hosting::Native => native(&unit, target),
            Hosting::Hosted => of_host(&unit, target),
        };
        let list = for_sessions(list, target);
        let body = Body::File { content: xml(list)?, mode: 0o644, definition: true };
        made.push(Artifact { path: names::file(&unit, &target.layout), body, unit: Some(unit.id()) });
        if hosting == Hosting::Hosted {
            made.extend(hosted::artifacts(&unit, target));
        }
    }
    Ok(made)
}

/// Without a word launchd loads an agent at a login at the screen only. Who has none gets one for the sessions there are;
/// for both it would be loaded twice by a later login at the screen.
fn for_sessions(mut list: Dictionary, target: &Target) -> Dictionary {
    const KEY: &str = "LimitLoadToSessionType";
    if target.background && target.scope == Scope::User && !list.contains_key(KEY) {
        list.insert(KEY.to_owned(), Value::String("Background".to_owned()));
    }
    list
}

/// A property list as XML, tabs for indentation as Apple's tools have it.
fn xml(list: Dictionary) -> Result<Vec<u8>> {
    let mut content = Vec::with_capacity(2048);
    plist::to_writer_xml(&mut content, &Value::Dictionary(list))
        .map_err(|error| Error::failed(format!("cannot write a property list: {error}")))?;
    content.push(b'\n');
    Ok(content)
}

fn text(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a String>) -> Value {
    Value::Array(texts.into_iter().map(|text| Value::String(text.clone())).collect())
}

/// The program itself as a job.
fn native(unit: &Service, target: &Target) -> Dictionary {
    let mut list = Dictionary::new();
    list.insert("Label".to_owned(), Value::String(names::label(unit)));
    if target.scope == Scope::System {
        for (key, name) in [("UserName", &unit.user), ("GroupName", &unit.group)] {
            if let Some(name) = name {
                list.insert(key.to_owned(), Value::String(name.clone()));
            }
        }
    }
    list.insert("ProgramArguments".to_owned(), strings(&unit.exec));
    if let Some(folder) = &unit.working_dir {
        list.insert("WorkingDirectory".to_owned(), text(folder));
    }
    if !unit.env.is_empty() {
        let variables = unit.env.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        list.insert("EnvironmentVariables".to_owned(), Value::Dictionary(variables));
    }
    if let Some(bits) = unit.umask {
        // A number in a property list is decimal: 18 is 0o022.
        list.insert("Umask".to_owned(), Value::from(u64::from(bits)));
    }
    when(unit, keep_alive(unit), &mut list);
    // Without it launchd takes five seconds; nothing would be no limit at all.
    list.insert("ExitTimeOut".to_owned(), Value::from(unit.stop.timeout.as_secs().max(1)));
    if unit.stop.kill == KillScope::Main {
        list.insert("AbandonProcessGroup".to_owned(), Value::Boolean(true));
    }
    limits(unit, &mut list);
    let (stdout, stderr) = outputs(unit, target);
    list.insert("StandardOutPath".to_owned(), text(&stdout));
    list.insert("StandardErrorPath".to_owned(), text(&stderr));
    raw(unit, &mut list);
    list
}

/// daemonctl's host as a job. What the program is given is in its spec; what the host's children inherit is here.
fn of_host(unit: &Service, target: &Target) -> Dictionary {
    let mut list = Dictionary::new();
    list.insert("Label".to_owned(), Value::String(names::label(unit)));
    list.insert("ProgramArguments".to_owned(), strings(&hosted::argv(unit, target)));
    let keep = (unit.kind == Kind::Service).then(|| successful_exit(false));
    when(unit, keep, &mut list);
    if unit.kind == Kind::Service {
        list.insert("ThrottleInterval".to_owned(), Value::from(HOST_THROTTLE));
    }
    list.insert("ExitTimeOut".to_owned(), Value::from(hosted::stop_timeout(unit).as_secs()));
    limits(unit, &mut list);
    let log = hosted::own_log(unit, target);
    list.insert("StandardOutPath".to_owned(), text(&log));
    list.insert("StandardErrorPath".to_owned(), text(&log));
    raw(unit, &mut list);
    list
}

/// When it is started, and started again.
fn when(unit: &Service, keep_alive: Option<Value>, list: &mut Dictionary) {
    match &unit.schedule {
        Some(schedule) if unit.kind == Kind::Task => calendar::insert(schedule, list),
        _ => {
            list.insert("RunAtLoad".to_owned(), Value::Boolean(unit.start != Start::Manual));
        }
    }
    if let Some(keep_alive) = keep_alive {
        list.insert("KeepAlive".to_owned(), keep_alive);
    }
}

fn keep_alive(unit: &Service) -> Option<Value> {
    match unit.restart.policy {
        RestartPolicy::Never => None,
        RestartPolicy::Always => Some(Value::Boolean(true)),
        RestartPolicy::OnFailure => Some(successful_exit(false)),
        RestartPolicy::OnSuccess => Some(successful_exit(true)),
    }
    .filter(|_| unit.kind != Kind::Task)
}

fn successful_exit(again: bool) -> Value {
    Value::Dictionary(Dictionary::from_iter([("SuccessfulExit", Value::Boolean(again))]))
}

fn limits(unit: &Service, list: &mut Dictionary) {
    let files = |count: u64| Value::Dictionary(Dictionary::from_iter([("NumberOfFiles", Value::from(count))]));
    list.insert("SoftResourceLimits".to_owned(), files(unit.limits.open_files.unwrap_or(OPEN_FILES)));
    if let Some(count) = unit.limits.open_files {
        list.insert("HardResourceLimits".to_owned(), files(count));
    }
    let (nice, slow_io): (Option<i64>, bool) = match unit.limits.priority {
        None | Some(Priority::Normal) => (None, false),
        Some(Priority::Idle) => (Some(19), true),
        Some(Priority::Low) => (Some(10), true),
        Some(Priority::High) => (Some(-10), false),
    };
    if let Some(nice) = nice {
        list.insert("Nice".to_owned(), Value::from(nice));
    }
    if slow_io {
        list.insert("LowPriorityIO".to_owned(), Value::Boolean(true));
    }
    if unit.limits.priority == Some(Priority::Idle) {
        list.insert("ProcessType".to_owned(), Value::String("Background".to_owned()));
    }
}

/// Where launchd has the program write.
pub(super) fn outputs(unit: &Service, target: &Target) -> (PathBuf, PathBuf) {
    match &unit.logs.file {
        None | Some(LogFile::Default) => {
            let own = target.layout.logs_of(&unit.id()).join("output.log");
            (own.clone(), own)
        }
        Some(LogFile::One(path)) => (path.clone(), path.clone()),
        Some(LogFile::Apart { stdout, stderr }) => (stdout.clone(), stderr.clone()),
    }
}

/// The folder of daemonctl's that launchd has the program write in. A start at boot must find it: without it launchd could
/// not even begin.
pub(super) fn own_log_folder(unit: &Service, hosting: Hosting, target: &Target) -> Option<PathBuf> {
    let own = target.layout.logs_of(&unit.id());
    let (stdout, stderr) = outputs(unit, target);
    let written = match hosting {
        Hosting::Native => [stdout, stderr],
        Hosting::Hosted => [hosted::own_log(unit, target), hosted::own_log(unit, target)],
    };
    written.iter().any(|file| file.parent() == Some(own.as_path())).then_some(own)
}

/// What the manifest says in launchd's own words. Tables are merged with those that are there.
fn raw(unit: &Service, list: &mut Dictionary) {
    for (key, value) in unit.native.as_object().into_iter().flatten() {
        let value = of_json(value);
        match (list.get_mut(key), value) {
            (Some(Value::Dictionary(there)), Value::Dictionary(more)) => there.extend(more),
            (_, value) => drop(list.insert(key.clone(), value)),
        }
    }
}

fn of_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Boolean(false),
        Json::Bool(yes) => Value::Boolean(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, real) => Value::Real(real.unwrap_or_default()),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(of_json).collect()),
        Json::Object(table) => {
            Value::Dictionary(table.iter().map(|(key, value)| (key.clone(), of_json(value))).collect())
        }
    }
}
