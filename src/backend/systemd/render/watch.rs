//! `[watch]`: the `.path` file, and the service that it starts at a change.

use askama::Template;

use super::service::{env_files, variables};
use super::{Value, own};
use crate::backend::Target;
use crate::backend::systemd::{names, raw};
use crate::layout::Scope;
use crate::quote::systemd::{Command, Line, PathLine, Variable};
use crate::service::{Service, Watch, WatchAction};

#[derive(Template)]
#[template(path = "systemd/path.txt", escape = "none")]
pub(super) struct PathUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    of: String,
    paths: Vec<PathLine<'a>>,
    unit: String,
    raw: Vec<raw::Directive>,
}

#[derive(Template)]
#[template(path = "systemd/watch.txt", escape = "none")]
pub(super) struct WatchUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    command: Value<'a>,
    folder: Option<PathLine<'a>>,
    user: Option<Line<'a>>,
    group: Option<Line<'a>>,
    env: Vec<Variable<'a>>,
    env_files: Vec<String>,
}

/// The file whose paths are watched.
pub(super) fn path<'a>(service: &'a Service, watch: &'a Watch, file: &'a str, description: &'a str) -> PathUnit<'a> {
    PathUnit {
        file,
        description: Line(description),
        of: own(service, "service"),
        paths: watch.paths.iter().map(|path| PathLine(path.as_ref())).collect(),
        unit: names::watch_file(service).replace("@.", "@%i."),
        raw: raw::directives(&service.native, "Path"),
    }
}

/// The service that a change starts.
pub(super) fn unit<'a>(
    service: &'a Service,
    action: &'a WatchAction,
    file: &'a str,
    description: &'a str,
    target: &Target,
) -> WatchUnit<'a> {
    let user_flag = if target.scope == Scope::User { "--user " } else { "" };
    let unit = own(service, "service");
    let command: Value<'a> = match action {
        WatchAction::Reload => Box::new(format!("/bin/systemctl {user_flag}--no-block reload {unit}")),
        WatchAction::Restart => Box::new(format!("/bin/systemctl {user_flag}--no-block try-restart {unit}")),
        WatchAction::Command(argv) => Box::new(Command { prefix: "", argv }),
    };
    let own_command = matches!(action, WatchAction::Command(_));
    WatchUnit {
        file,
        description: Line(description),
        command,
        folder: service.working_dir.as_deref().filter(|_| own_command).map(PathLine),
        user: service.user.as_deref().filter(|_| own_command).map(Line),
        group: service.group.as_deref().filter(|_| own_command).map(Line),
        env: if own_command && service.env_files.is_empty() { variables(service) } else { Vec::new() },
        env_files: if own_command { env_files(service, true, target) } else { Vec::new() },
    }
}
