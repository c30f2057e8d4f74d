//! What is looked at before anything is changed: the property lists by a reader of property lists, their keys by the table
//! of keys, and the places that they name.

use std::path::PathBuf;

use crate::backend::launchd::{keys, places};
use crate::backend::{Artifact, Body, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;

/// Refuses what launchd would; gives remarks on what it would take, and the operator should know.
pub(super) fn verify(files: &[Artifact], target: &Target, disk: &dyn places::Places) -> Result<Vec<String>> {
    let mut remarks = Vec::new();
    let mut refused: Option<Error> = None;
    let mut refuse = |error: Error| {
        refused = Some(match refused.take() {
            None => error,
            Some(first) => first.and(error),
        });
    };
    for artifact in files {
        let Body::File { content, definition, .. } = &artifact.body else { continue };
        let shown = artifact.path.display();
        let named = if *definition {
            let list: serde_json::Value = match plist::from_bytes(content) {
                Ok(list) => list,
                Err(error) => {
                    refuse(Error::failed(format!("`{shown}` would be no property list: {error}")));
                    continue;
                }
            };
            if let Err(why) = keys::check_rendered(&list) {
                refuse(Error::failed(format!("launchd would not understand `{shown}`: {why}")));
                continue;
            }
            if let Some(fault) = places::of_folders(disk, &artifact.path, target.scope) {
                match target.scope {
                    Scope::System => {
                        let why = format!("launchd would not load `{shown}`: {}", fault.why);
                        refuse(Error::failed(why).hint(fault.remedy));
                    }
                    Scope::User => {
                        remarks.push(format!("{}: who can do that can have `{shown}` run theirs", fault.why));
                    }
                }
            }
            Named::by_list(&list)
        } else if artifact.unit.as_ref().is_some_and(|unit| target.layout.spec(unit) == artifact.path) {
            serde_json::from_slice(content).ok().and_then(|spec| Named::by_spec(&spec))
        } else {
            None
        };
        let Some(named) = named else { continue };
        if let Some(fault) = places::of_program(disk, &named.program) {
            refuse(Error::new(Exit::Failed, fault.why).hint(fault.remedy));
        }
        if target.scope == Scope::System
            && named.as_root
            && let Some(remark) = places::root_by(disk, &named.program)
        {
            remarks.push(format!("{remark}: who can do that can become root; give it a `user`, or move the program"));
        }
        if target.os == "macos" {
            for folder in named.paths.iter().chain([&named.program]).filter_map(|path| places::protected(path)) {
                remarks.push(format!(
                    "macOS keeps services out of `{}` unless their program has Full Disk Access: `{shown}` names it",
                    folder.display()
                ));
            }
        }
    }
    remarks.sort();
    remarks.dedup();
    match refused {
        Some(error) => Err(error),
        None => Ok(remarks),
    }
}

/// What a job, or the spec of one under the host, has run and opened.
struct Named {
    program: PathBuf,
    as_root: bool,
    paths: Vec<PathBuf>,
}

impl Named {
    fn by_list(list: &serde_json::Value) -> Option<Self> {
        Self::of(
            &list["ProgramArguments"],
            &list["UserName"],
            &[&list["WorkingDirectory"], &list["StandardOutPath"], &list["StandardErrorPath"]],
        )
    }

    fn by_spec(spec: &serde_json::Value) -> Option<Self> {
        Self::of(&spec["exec"], &spec["user"], &[&spec["working_dir"]])
    }

    fn of(argv: &serde_json::Value, user: &serde_json::Value, paths: &[&serde_json::Value]) -> Option<Self> {
        Some(Self {
            program: argv[0].as_str()?.into(),
            as_root: user.as_str().is_none_or(|name| name == "root"),
            paths: paths.iter().filter_map(|path| path.as_str()).map(PathBuf::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::backend::Hosting;
    use crate::backend::launchd::places::{Fact, Kind, Places};
    use crate::backend::launchd::{render, sample};

    /// Root's folders and programs, but for one path.
    struct Disk {
        path: &'static str,
        fact: Fact,
    }

    impl Places for Disk {
        fn look(&self, path: &Path) -> Option<Fact> {
            let ours = Fact { kind: Kind::Folder, uid: 0, gid: 0, mode: 0o755, quarantined: false };
            Some(if path == Path::new(self.path) { self.fact } else { ours })
        }
        fn resolved(&self, path: &Path) -> Option<PathBuf> {
            Some(path.to_owned())
        }
        fn uid(&self) -> u32 {
            501
        }
    }

    fn disk(path: &'static str, kind: Kind, uid: u32, quarantined: bool) -> Disk {
        Disk { path, fact: Fact { kind, uid, gid: 20, mode: 0o755, quarantined } }
    }

    fn looked_at(hosting: Hosting, disk: &Disk) -> Result<Vec<String>> {
        let mut unit = sample::service();
        unit.exec = vec!["/opt/web/bin/web".to_owned()];
        unit.working_dir = Some("/Users/lab/Documents/web".into());
        unit.user = None;
        let target = sample::target();
        verify(&render::artifacts(&unit, hosting, &target).unwrap(), &target, disk)
    }

    #[test]
    fn a_program_is_looked_at_whoever_runs_it() {
        for hosting in [Hosting::Native, Hosting::Hosted] {
            let download = disk("/opt/web/bin/web", Kind::File, 0, true);
            let error = looked_at(hosting, &download).unwrap_err();
            assert!(error.to_string().contains("`/opt/web/bin/web`: it is marked as a download"), "{error}");
            let loose = disk("/opt/web", Kind::Folder, 501, false);
            let remarks = looked_at(hosting, &loose).unwrap().join("\n");
            assert!(
                remarks.contains("the user 501 may change `/opt/web`: who can do that can become root"),
                "{remarks}"
            );
            assert!(remarks.contains("macOS keeps services out of `/Users/lab/Documents`"), "{remarks}");
        }
    }

    #[test]
    fn a_folder_that_launchd_would_refuse_is_refused_before() {
        let foreign = disk("/Library/LaunchDaemons", Kind::Folder, 501, false);
        let error = looked_at(Hosting::Native, &foreign).unwrap_err();
        assert!(error.to_string().contains("would not load `/Library/LaunchDaemons/"), "{error}");
        assert_eq!(error.hints().len(), 1);
    }
}
