//! From a service to its unit files. Pure: the same service gives the same bytes on every machine.

use std::fmt::Display;

use askama::Template;

mod service;
mod watch;

use super::{files, hosted, names, raw, timer};
use crate::backend::{Artifact, Body, Hosting, SecretFormat, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::quote::systemd::{Line, one_line};
use crate::service::{Service, Start};

/// A value of a line, of whichever kind.
type Value<'a> = Box<dyn Display + 'a>;

#[derive(Template)]
#[template(path = "systemd/timer.txt", escape = "none")]
struct TimerUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    lines: Vec<String>,
    raw: Vec<raw::Directive>,
}

/// Every artifact of a service.
pub(super) fn artifacts(service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>> {
    names::all(service, false)?;
    raw::check(&service.native)
        .map_err(|why| Error::new(Exit::Manifest, format!("the systemd table of `{}`: {why}", service.name)))?;
    let description = one_line(&service.description);
    let native = hosting == Hosting::Native;
    let watched = native && service.watch.is_some();
    let mut made = Vec::new();

    let file = names::file(service, "service");
    let host_argv = (!native).then(|| hosted::argv(service, target));
    let unit = service::unit(service, &file, &description, host_argv.as_deref(), target)?;
    made.push(definition(service, target, &file, &unit)?);
    if names::has_timer(service) {
        let file = names::file(service, "timer");
        let lines = timer::lines(service);
        let raw = raw::directives(&service.native, "Timer");
        made.push(definition(
            service,
            target,
            &file,
            &TimerUnit { file: &file, description: Line(&description), lines, raw },
        )?);
    }
    if let Some(watch) = service.watch.as_ref().filter(|_| watched) {
        let file = names::file(service, "path");
        made.push(definition(service, target, &file, &watch::path(service, watch, &file, &description))?);
        let file = names::watch_file(service);
        made.push(definition(
            service,
            target,
            &file,
            &watch::unit(service, &watch.action, &file, &description, target),
        )?);
    }
    for unit in service.each_unit() {
        let id = unit.id();
        if native && !unit.env.is_empty() && !unit.env_files.is_empty() {
            made.push(files::env(&unit, target));
        }
        let entries = files::environment_secrets(&unit);
        if !entries.is_empty() {
            let body = Body::Secrets { entries, format: SecretFormat::SystemdEnvironment };
            made.push(Artifact { path: files::secrets_path(target, &id), body, unit: Some(id.clone()) });
        }
        if !native {
            made.extend(hosted::spec(&unit, target));
        }
        if service.start != Start::Manual {
            made.push(link(service, &unit, target));
        }
    }
    Ok(made)
}

fn definition(service: &Service, target: &Target, file: &str, template: &impl Template) -> Result<Artifact> {
    let mut content = String::with_capacity(2048);
    template.render_into(&mut content).map_err(|error| Error::failed(format!("cannot render `{file}`: {error}")))?;
    // No larger than it is: a thousand units are kept until the last is rendered.
    let body = Body::File { content: content.as_bytes().to_vec(), mode: 0o644, definition: true };
    Ok(Artifact { path: files::unit_dir(target).join(file), body, unit: Some(service.name.clone()) })
}

/// What `systemctl enable` would do: so it shows the unit as enabled, and `disable` undoes it.
fn link(service: &Service, unit: &Service, target: &Target) -> Artifact {
    let suffix = if names::has_timer(service) { "timer" } else { "service" };
    let dir = files::unit_dir(target);
    let path = dir.join(format!("{}.wants", install_target(service, target))).join(names::unit(&unit.id(), suffix));
    Artifact { path, body: Body::Link { target: dir.join(names::file(service, suffix)) }, unit: None }
}

fn install_target(service: &Service, target: &Target) -> &'static str {
    match (names::has_timer(service), target.scope) {
        (true, _) => "timers.target",
        (false, Scope::System) => "multi-user.target",
        (false, Scope::User) => "default.target",
    }
}

/// The unit itself as its own files name it.
fn own(service: &Service, suffix: &str) -> String {
    names::file(service, suffix).replace("@.", "@%i.")
}
