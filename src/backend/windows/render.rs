//! A service as what the service control manager keeps, and the spec that its host reads. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::{ErrorControl, EventSource, Failure, FailureAction, FailureKind, ScmConfig, SidType, StartType};
use super::settings::{self, OF_THE_HOST, Reset, Settings};
use crate::backend::{Artifact, Body, SecretFormat, Target, signing};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::key::Key;
use crate::layout::below;
use crate::quote::windows::{CommandLine, program_refused};
use crate::service::{Dependency, Hook, LogFile, LogFormat, Secret, Service, Start};

/// What the host may need beyond the sum of its waits.
pub(super) const MARGIN: Duration = Duration::from_secs(10);

/// Texts of events without a message file of our own: it has one for each number from 1 to 1000, which is `%1`.
const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// The longest name that the service control manager takes.
const LONGEST_NAME: usize = 256;

pub(super) fn artifacts(service: &Service, target: &Target) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for unit in service.units() {
        artifacts.extend(files(&unit, target));
        let config = config(&unit, target)?;
        let path = config.path();
        artifacts.push(Artifact { path, body: Body::Scm(Box::new(config)), unit: Some(unit.id()) });
    }
    Ok(artifacts)
}

/// The spec and the files of secrets.
fn files(unit: &Service, target: &Target) -> Vec<Artifact> {
    let id = unit.id();
    let mut spec = unit.clone();
    let mut artifacts = Vec::new();
    // What a file holds is read from it at each start; the other sources are there only while `install` runs.
    for (name, secret) in &mut spec.security.secrets {
        if matches!(secret, Secret::Env(_) | Secret::Command(_)) {
            let path = below(&below(&target.layout.secrets(), &id), name);
            let source = std::mem::replace(secret, Secret::File(path.clone()));
            let body = Body::Secrets { entries: BTreeMap::from([(name.clone(), source)]), format: SecretFormat::Plain };
            artifacts.push(Artifact { path, body, unit: Some(id.clone()) });
        }
    }
    let folder = below(&target.layout.secrets(), &id);
    artifacts.extend(signing::keys(&mut spec, |name| below(&folder, name)));
    // In the host's own files each line has its time, so that `logs` can merge and search by it.
    let own_file = matches!(unit.logs.file, None | Some(LogFile::Default));
    if own_file && !unit.gives(Key::LogsFormat) {
        spec.logs.format = LogFormat::Timestamped;
    }
    // What the manager does is no reason to restart a service, nor is where a key stands.
    spec.given.clear();
    spec.start = Start::Manual;
    spec.user = None;
    spec.description = String::new();
    (spec.display_name, spec.label) = (None, None);
    if let serde_json::Value::Object(table) = &mut spec.native {
        table.retain(|key, _| OF_THE_HOST.contains(&key.as_str()));
        if table.is_empty() {
            spec.native = serde_json::Value::Null;
        }
    }
    let mut content = serde_json::to_vec_pretty(&spec).unwrap_or_default();
    content.push(b'\n');
    artifacts.push(Artifact {
        path: target.layout.spec(&id),
        body: Body::File { content, mode: 0o600, definition: true },
        unit: Some(id),
    });
    artifacts
}

/// What the manager keeps of a unit.
pub(super) fn config(unit: &Service, target: &Target) -> Result<ScmConfig> {
    let name = unit.id();
    let refuse = |why: String| Error::new(Exit::Manifest, format!("`{name}`: {why}"));
    let settings = settings::read(&unit.native).map_err(|why| refuse(format!("`windows`: {why}")))?;
    let program = target.host_binary.to_string_lossy();
    if let Some(why) = program_refused(&program) {
        return Err(refuse(format!("the path of daemonctl's host `{program}` {why}"))
            .hint("set ProgramFiles to a folder with a plain name"));
    }
    let args = ["host", "--service", &name].map(str::to_owned);
    let image_path = CommandLine { program: &program, args: &args }.to_string();
    let display_name = match (&unit.display_name, &unit.instance) {
        (Some(display), Some(instance)) => format!("{display} ({instance})"),
        (Some(display), None) => display.clone(),
        (None, _) => name.clone(),
    };
    if display_name.chars().count() > LONGEST_NAME {
        return Err(refuse(format!("the display name has more than {LONGEST_NAME} characters")));
    }
    let event_source = settings.event_log.unwrap_or(true).then(|| EventSource {
        name: settings.event_source.clone().unwrap_or_else(|| source_name(&name)),
        message_file: MESSAGES.to_owned(),
    });
    let preshutdown = settings.preshutdown.unwrap_or_else(|| stop_time(unit));
    Ok(ScmConfig {
        display_name,
        description: unit.description.clone(),
        image_path,
        start: match unit.start {
            Start::Boot => StartType::Automatic,
            Start::Delayed => StartType::AutomaticDelayed,
            Start::Manual => StartType::Manual,
        },
        error_control: settings.error_control.unwrap_or(ErrorControl::Normal),
        load_order_group: settings.load_order_group.clone(),
        dependencies: dependencies(unit, &settings),
        account: settings
            .account
            .clone()
            .or_else(|| unit.user.clone())
            .map_or_else(|| format!(r"NT SERVICE\{name}"), |account| super::account::for_the_manager(&account)),
        sid_type: settings.sid_type.unwrap_or(SidType::Unrestricted),
        required_privileges: settings.required_privileges.clone(),
        preshutdown_ms: Some(u32::try_from(preshutdown.as_millis()).unwrap_or(u32::MAX - 1)),
        failure: failure(&settings),
        allow: settings.allow,
        event_source,
        name,
    })
}

/// The source of the Event Log of a service whose manifest names none.
pub(super) fn source_name(service: &str) -> String {
    format!("daemonctl-{service}")
}

/// A net below the host: if its process dies, the manager starts it again. What the *program* does is the host's to
/// answer, by the manifest's restart policy: a service that has given up, or whose policy is `never`, ends with an exit
/// code that monitors see, and which by default is no reason to start it again. Who writes failure actions of their own
/// wants them to follow that too.
fn failure(settings: &Settings) -> Failure {
    let restart = |seconds: u32| FailureAction { kind: FailureKind::Restart, delay_ms: seconds * 1000 };
    let reset = match settings.failure_reset {
        Reset::Usual => Some(Duration::from_secs(86_400)),
        Reset::After(time) => Some(time),
        Reset::Never => None,
    };
    Failure {
        actions: settings.failure_actions.clone().unwrap_or_else(|| vec![restart(1), restart(5), restart(10)]),
        reset_s: reset.map(|reset| u32::try_from(reset.as_secs()).unwrap_or(u32::MAX - 1)),
        command: settings.failure_command.clone().unwrap_or_default(),
        reboot_message: settings.failure_reboot_message.clone().unwrap_or_default(),
        on_exit: settings.failure_on_exit.unwrap_or(settings.failure_actions.is_some()),
    }
}

fn dependencies(unit: &Service, settings: &Settings) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    };
    for dependency in &unit.requires {
        match dependency {
            // Refused by `answer`: it belongs to another manager.
            Dependency::Foreign(_) => {}
            Dependency::Service(name) => match unit.instances_of.get(name) {
                Some(instances) => instances.iter().for_each(|instance| add(format!("{name}@{instance}"))),
                None => add(name.clone()),
            },
        }
    }
    settings.dependencies.iter().cloned().for_each(add);
    names
}

fn total(hooks: &[Hook]) -> Duration {
    hooks.iter().map(|hook| hook.timeout).sum()
}

/// Longer than everything that the host may wait for before it is ready.
#[cfg(any(windows, test))]
pub(super) fn start_time(unit: &Service) -> Duration {
    let waits: Duration = unit.wait_for.iter().map(|wait| wait.timeout).sum();
    let ready = unit.ready.as_ref().map_or(Duration::ZERO, |ready| ready.timeout);
    waits + total(&unit.hooks.pre_start) + ready + total(&unit.hooks.post_start) + MARGIN
}

/// Longer than the host's whole ladder.
pub(super) fn stop_time(unit: &Service) -> Duration {
    let rungs = if unit.stop.command.is_some() { 2 } else { 1 };
    total(&unit.hooks.pre_stop) + unit.stop.timeout * rungs + total(&unit.hooks.post_stop) + MARGIN
}
