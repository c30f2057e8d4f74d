//! On Unix: what people who are not root could make of the machine's services, looked at before an install. Windows has
//! access lists, and its manager looks at them.

use crate::backend::{BackendKind, Hosting};
use crate::layout::Scope;
use crate::service::{LogFile, Service};
use crate::system::{machine, strangers};

use super::Prepared;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What gives root to people who have nothing to do with the service's being root's.
    pub(super) refused: Vec<String>,
    /// What the operator should know.
    pub(super) told: Vec<String>,
}

/// Looks at all services.
pub(super) fn look(prepared: &Prepared) -> Found {
    let target = &prepared.target;
    let mut found = Found::default();
    if cfg!(windows) || target.scope != Scope::System || !target.local || !machine::is_root() {
        return found;
    }
    for (unit, hosting) in prepared
        .services
        .iter()
        .flat_map(|(service, hosting)| service.units().into_iter().map(move |unit| (unit, *hosting)))
    {
        if is_root(&unit) {
            for (what, path) in unit.trusts() {
                let Some(who) = strangers::who_replaces(&path) else { continue };
                found.told.push(format!(
                    "`{}` runs as root, and {what} `{}` can be changed by who is not: {who}",
                    unit.id(),
                    path.display()
                ));
            }
        }
        if target.backend == BackendKind::Systemd && hosting == Hosting::Native {
            opened_by_systemd(&unit, &mut found);
        }
    }
    for list in [&mut found.told, &mut found.refused] {
        list.sort();
        list.dedup();
    }
    found
}

/// What systemd opens as root for a service, and by whatever link has the name.
fn opened_by_systemd(unit: &Service, found: &mut Found) {
    let files = match &unit.logs.file {
        Some(LogFile::One(path)) => vec![path],
        Some(LogFile::Apart { stdout, stderr }) => vec![stdout, stderr],
        None | Some(LogFile::Default) => Vec::new(),
    };
    for file in files {
        if let Some(who) = file.parent().and_then(strangers::who_adds_to) {
            found.refused.push(format!(
                "the log `{}` of `{}`: systemd opens it as root, and a link in its place leads to any file; {who}",
                file.display(),
                unit.id()
            ));
        }
    }
    if is_root(unit) {
        return;
    }
    for file in &unit.env_files {
        if let Some(who) = file.path.parent().and_then(strangers::who_adds_to) {
            found.told.push(format!(
                "systemd reads `{}` for `{}` as root, and a link in its place shows the service any file of variables: {who}",
                file.path.display(),
                unit.id()
            ));
        }
    }
}

fn is_root(unit: &Service) -> bool {
    unit.user.as_deref().is_none_or(|user| ["root", "0"].contains(&user))
}
