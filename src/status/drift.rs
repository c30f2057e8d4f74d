//! Drift: how far the machine and the manifest are from what was installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::layout::Layout;
use crate::receipt::{self, Fingerprint, Receipt};
use crate::report::Drift;
use crate::service::Service;
use crate::session::Session;
use crate::system::files::{self, Found};

/// What was installed, as it is now.
pub(super) struct Files<'a> {
    pub(super) layout: &'a Layout,
    /// What became of each manifest since: its hash, or why there is none.
    pub(super) manifests: BTreeMap<PathBuf, Result<Option<String>, String>>,
}

/// How far the machine is from what was installed.
pub(super) struct Drifted {
    pub(super) what: Drift,
    pub(super) files: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Drifted {
    /// Adds what the manager says of artifacts that are no files.
    pub(super) fn entries(&mut self, session: &mut Session, unit: &Service, receipt: &Receipt) -> Result<()> {
        let id = unit.id();
        for installed in receipt.artifacts.iter().filter(|installed| installed.unit.as_ref() == Some(&id)) {
            let Fingerprint::Scm(config) = &installed.what else { continue };
            let path = installed.path.display().to_string();
            match session.manager(receipt.backend)?.entry(&installed.path, Some(config)) {
                Ok(None) => {
                    self.what = Drift::Missing;
                    self.files.insert(0, path);
                }
                Ok(Some(there)) if there != **config => {
                    if self.what != Drift::Missing {
                        self.what = Drift::Artifact;
                    }
                    self.files.push(path);
                    for (field, wanted, there) in config.differences(&there) {
                        self.notes.push(format!("{field}: installed was `{wanted}`, there is `{there}`"));
                    }
                }
                Ok(Some(_)) => {}
                Err(error) => self.notes.push(format!("drift is not fully known: {error}")),
            }
        }
        Ok(())
    }
}

impl Files<'_> {
    /// A file that is gone weighs more than one that was changed, and that more than a changed manifest.
    pub(super) fn drift(&mut self, unit: &Service, receipt: &Receipt) -> Drifted {
        let id = unit.id();
        let others: Vec<String> =
            receipt.service.each_unit().map(|unit| unit.id()).filter(|other| *other != id).collect();
        let (mut changed, mut gone, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for installed in &receipt.artifacts {
            if installed.unit.as_ref().is_some_and(|unit| others.contains(unit)) {
                continue;
            }
            if matches!(installed.what, Fingerprint::Scm(_)) {
                // The manager tells.
                continue;
            }
            match files::look(&self.layout.on_disk(&installed.path)) {
                Ok(Found::Absent) => gone.push(installed.path.display().to_string()),
                Ok(found) if installed.what.matches(&found) => {}
                Ok(_) => changed.push(installed.path.display().to_string()),
                Err(error) => notes.push(format!("drift is not fully known: {error}")),
            }
        }
        let manifest = match self.manifest(&receipt.manifest) {
            Ok(Some(sha256)) => *sha256 != receipt.manifest_sha256,
            Ok(None) => {
                notes.push(format!("the manifest `{}` is gone", receipt.manifest.display()));
                false
            }
            Err(why) => {
                notes.push(format!("whether the manifest has changed is not known: {why}"));
                false
            }
        };
        let what = match (gone.is_empty(), changed.is_empty(), manifest) {
            (false, _, _) => Drift::Missing,
            (true, false, _) => Drift::Artifact,
            (true, true, true) => Drift::Manifest,
            (true, true, false) => Drift::None,
        };
        Drifted { what, files: gone.into_iter().chain(changed).collect(), notes }
    }

    fn manifest(&mut self, path: &Path) -> &Result<Option<String>, String> {
        self.manifests.entry(path.to_owned()).or_insert_with(|| {
            // As the user named it: a manifest may well be a link.
            match crate::system::read_following(path) {
                Ok(content) => Ok(content.map(|content| receipt::sha256(&content))),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Scope;

    /// A receipt of a service with two instances, with its files and its manifest in a folder.
    fn receipt(folder: &Path) -> Receipt {
        use crate::backend::{BackendKind, Hosting, Target};
        use crate::receipt::{FORMAT, Fingerprint, Installed};
        let text = b"[service.web]\nexec = [\"/bin/true\"]\ninstances = [\"a\", \"b\"]\n";
        let manifest = folder.join("web.toml");
        std::fs::write(&manifest, text).unwrap();
        let target = Target::elsewhere(BackendKind::Systemd, Scope::System);
        let parsed = crate::manifest::parse(text, &manifest).unwrap();
        let dirs = crate::manifest::ResolveDirs { manifest_dir: "/srv".into() };
        let service = crate::manifest::resolve(&parsed, &target, &crate::facts::Foreign, &dirs).unwrap().remove(0);
        let installed = |name: &str, unit: Option<&str>| {
            files::replace(&folder.join(name), name.as_bytes(), 0o644, None).unwrap();
            Installed {
                path: folder.join(name),
                what: Fingerprint::File { sha256: receipt::sha256(name.as_bytes()), mode: 0o644 },
                unit: unit.map(str::to_owned),
                definition: true,
                replaced: None,
            }
        };
        Receipt {
            format: FORMAT,
            service,
            manifest,
            manifest_sha256: receipt::sha256(text),
            backend: BackendKind::Systemd,
            scope: Scope::System,
            hosting: Hosting::Native,
            host_binary: None,
            artifacts: vec![
                installed("shared", None),
                installed("of-a", Some("web@a")),
                installed("of-b", Some("web@b")),
            ],
            folders: Vec::new(),
            enabled: None,
            linger: false,
            installed_at: "2026-01-01T00:00:00Z".to_owned(),
            daemonctl: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn an_answer_about_one_service_reads_no_more_than_its_order_takes() {
        use crate::service::Dependency;
        let root = tempfile::tempdir().unwrap();
        let layout = crate::system::machine::layout(Scope::System, Some(root.path().to_owned())).unwrap();
        let folder = layout.on_disk(&layout.receipts());
        files::make_folders(&folder, 0o755).unwrap();
        let example = receipt(root.path());
        for (name, before) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "missing")] {
            let mut receipt = example.clone();
            receipt.service.name = name.to_owned();
            receipt.service.requires = vec![Dependency::Service(before.to_owned())];
            files::replace(&folder.join(format!("{name}.json")), &receipt.to_bytes(), 0o644, None).unwrap();
        }
        files::replace(&folder.join("broken.json"), b"{", 0o644, None).unwrap();
        let read = |names: &[&str]| -> Vec<String> {
            receipt::of(&layout, names.iter().copied()).unwrap().into_keys().collect()
        };
        assert_eq!(read(&["a"]), ["a", "b", "c"]);
        assert_eq!(read(&["d", "nowhere", "", "..", "x/y", &"n".repeat(300)]), ["d"]);
        assert!(receipt::of(&layout, ["broken"]).is_err());
    }

    fn drift_of_a(receipt: &Receipt) -> (Option<Drift>, Vec<String>, Vec<String>) {
        let layout = Layout::unix_system();
        let mut installed = Files { layout: &layout, manifests: BTreeMap::new() };
        let drifted = installed.drift(&receipt.service.units()[0], receipt);
        (Some(drifted.what), drifted.files, drifted.notes)
    }

    #[test]
    fn drift_is_the_worst_of_what_changed() {
        let folder = tempfile::tempdir().unwrap();
        let receipt = receipt(folder.path());
        let at = |name: &str| folder.path().join(name);
        let path = |name: &str| at(name).display().to_string();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::None), vec![], vec![]));
        // Another instance's file is none of its business.
        std::fs::remove_file(at("of-b")).unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::None), vec![], vec![]));
        std::fs::write(at("web.toml"), "changed").unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::Manifest), vec![], vec![]));
        std::fs::write(at("shared"), "changed").unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::Artifact), vec![path("shared")], vec![]));
        std::fs::remove_file(at("of-a")).unwrap();
        std::fs::remove_file(at("web.toml")).unwrap();
        let (drift, drifted, notes) = drift_of_a(&receipt);
        assert_eq!((drift, drifted), (Some(Drift::Missing), vec![path("of-a"), path("shared")]));
        assert!(notes[0].ends_with("web.toml` is gone"), "{notes:?}");
    }
}
