//! Control groups: who runs in a unit's, read from the kernel without asking the manager.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::backend::systemd::names;
use crate::layout::Scope;
use crate::service::Service;
use crate::system::machine;

/// Where the manager keeps its units' control groups.
pub(super) struct Groups {
    root: Option<PathBuf>,
    prefix: &'static str,
}

impl Groups {
    pub(super) fn find(scope: Scope) -> Self {
        let uid = machine::euid();
        let (below, prefix) = match scope {
            Scope::System => ("system.slice".to_owned(), "system"),
            Scope::User => (format!("user.slice/user-{uid}.slice/user@{uid}.service/app.slice"), "app"),
        };
        let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]
            .iter()
            .map(|root| PathBuf::from(root).join(&below))
            .find(|path| path.is_dir());
        Self { root, prefix }
    }

    /// The process of a unit that has exactly one: it is the main process then. None: ask the manager.
    pub(super) fn only_process(&self, unit: &Service) -> Option<u32> {
        let root = self.root.as_ref()?;
        let mut path = root.clone();
        if names::is_template(unit) {
            // The manager puts a template's instances into a slice of their own; a dash would nest slices.
            path.push(format!("{}-{}.slice", self.prefix, unit.name.replace('-', "\\x2d")));
        }
        path.push(names::unit(&unit.id(), "service"));
        path.push("cgroup.procs");
        let text = short(&path)?;
        let mut lines = text.lines();
        let only = lines.next()?.parse().ok().filter(|pid| *pid != 0)?;
        lines.next().is_none().then_some(only)
    }
}

/// A short file of the kernel's in two reads: it does not tell its length, so without room it takes many.
pub(super) fn short(path: &Path) -> Option<String> {
    let mut text = String::with_capacity(1024);
    std::fs::File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}
