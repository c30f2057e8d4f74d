//! The model of launchd against what is known of launchd: each fact a test, so that what is shown with the model is worth
//! something. Facts are from launchctl(1), launchd.plist(5) and public captures; nothing here was run on macOS.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "launchd_model/bootout.rs"]
mod bootout;
#[path = "launchd_model/child.rs"]
mod child;
#[path = "launchd_model/definition.rs"]
mod definition;
#[path = "launchd_model/faults.rs"]
mod faults;
#[path = "launchd_model/kickstart.rs"]
mod kickstart;
#[path = "launchd_model/legacy.rs"]
mod legacy;
#[path = "launchd_model/overrides.rs"]
mod overrides;
#[path = "launchd_model/pended.rs"]
mod pended;
#[path = "launchd_model/print.rs"]
mod print;
#[path = "launchd_model/reboot.rs"]
mod reboot;
#[path = "launchd_model/refusals.rs"]
mod refusals;
#[path = "launchd_model/respawn.rs"]
mod respawn;

use std::path::PathBuf;

use serde_json::{Value, json};

use support::launchd::{Model, Said, quick, write_plist};

/// A model with a folder for definitions and whatever else.
struct Bench {
    model: Model,
    dir: PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("launchd-model-").tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let model = Model::start(&dir.join("launchd"));
        model.set(&quick());
        Self { model, dir, _folder: folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes `LABEL.plist` that runs the test child with these arguments; gives its path.
    fn define(&self, label: &str, arguments: &[&str], more: &Value) -> String {
        let child = support::child();
        let mut words = vec![child.to_str().unwrap().to_owned()];
        words.extend(arguments.iter().map(|word| word.replace("{dir}", self.dir.to_str().unwrap())));
        let mut keys = json!({ "Label": label, "ProgramArguments": words });
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = self.path(&format!("{label}.plist"));
        write_plist(&path, &keys);
        path.to_str().unwrap().to_owned()
    }

    fn gui(&self, args: &[&str]) -> Said {
        self.model.run_as(501, args)
    }

    fn root(&self, args: &[&str]) -> Said {
        self.model.run_as(0, args)
    }

    /// Defines it and loads it into `gui/501`.
    fn load(&self, label: &str, arguments: &[&str], more: &Value) {
        let path = self.define(label, arguments, more);
        self.gui(&["bootstrap", "gui/501", &path]).ok();
    }

    /// What `print` says of a key.
    fn shows(&self, label: &str, key: &str) -> Option<String> {
        let said = self.gui(&["print", &format!("gui/501/{label}")]).ok();
        support::launchd::printed(&said.out, key)
    }

    #[track_caller]
    fn wait_until_shows(&self, label: &str, key: &str, value: &str) {
        support::eventually(&format!("`{label}`: {key} = {value}"), || {
            self.shows(label, key).as_deref() == Some(value)
        });
    }
}
