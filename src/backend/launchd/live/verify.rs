//! What is looked at before anything is changed: the property lists by a reader of property lists, their keys by the table
//! of keys, and the places that they name.

use std::path::Path;

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
        let Body::File { content, definition: true, .. } = &artifact.body else { continue };
        let shown = artifact.path.display();
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
        let Some(program) = list["ProgramArguments"][0].as_str().map(Path::new) else { continue };
        if let Some(fault) = places::of_program(disk, program) {
            refuse(Error::new(Exit::Failed, fault.why).hint(fault.remedy));
        }
        let as_root = target.scope == Scope::System && list["UserName"].as_str().is_none_or(|name| name == "root");
        if as_root && let Some(remark) = places::root_by(disk, program) {
            remarks.push(format!("{remark}: who can do that can become root; give it a `user`, or move the program"));
        }
        if target.os == "macos" {
            let mentioned = ["WorkingDirectory", "StandardOutPath", "StandardErrorPath"];
            let paths = mentioned.iter().filter_map(|key| list[key].as_str()).map(Path::new).chain([program]);
            for folder in paths.filter_map(places::protected) {
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
