//! What must not be writable by strangers, looked at before an install.

use std::path::{Path, PathBuf};

use super::codes::{Code, Tried};
use super::scm::{Held, ScmApi, access};
use crate::error::{Error, Result};
use crate::layout::{Layout, below};
use crate::service::Service;
use crate::system::access::judge::{self, Thing};
use crate::system::access::sddl;

/// The folders that a unit's host writes in: its log, its state of the run, its events, its intent.
pub(super) fn written_by_host(layout: &Layout, id: &str) -> [PathBuf; 3] {
    [layout.logs_of(id), below(&below(&layout.runtime, "hosts"), id), below(&layout.events(), "hosts")]
}

/// What a service runs or trusts, with what it is to it. Pure.
fn trusted(manifest: &Path, service: &Service) -> Vec<(&'static str, PathBuf)> {
    let mut found = vec![("the manifest", manifest.to_owned())];
    found.extend(service.trusts());
    found
}

/// Looks at all of it and at the folders above; what strangers could change is told, a line each.
pub(super) fn look(api: &dyn ScmApi, manifest: &Path, services: &[Service]) -> Result<Vec<String>> {
    let own = api.own_sid().tried("tell who asks")?;
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut weak = Vec::new();
    for service in services {
        for (what, path) in trusted(manifest, service) {
            for (depth, place) in ancestors(&path).into_iter().enumerate() {
                // A program's folder is looked at more closely than what is above another's.
                let thing = match depth {
                    0 => Thing::File,
                    1 if what != "the manifest" => Thing::Folder,
                    _ => Thing::Above,
                };
                if seen.contains(&place) && thing == Thing::Above {
                    break;
                }
                let tried = || format!("look at the access list of `{}`", place.display());
                let Some(text) = api.file_security(&place).tried(tried())? else { continue };
                let list = sddl::parse(&text)
                    .ok_or_else(|| Error::failed(format!("cannot {}: `{text}` is not understood", tried())))?;
                let said = match depth {
                    0 => format!("{what} of `{}`", service.name),
                    _ => format!("a folder of {what} of `{}`", service.name),
                };
                weak.extend(
                    judge::weaknesses(&list, thing, &own)
                        .into_iter()
                        .map(|why| format!("`{}` ({said}): {why}", place.display())),
                );
                seen.push(place);
            }
        }
    }
    for service in services {
        weak.extend(itself(api, &service.id(), &own)?);
    }
    weak.sort();
    weak.dedup();
    Ok(weak)
}

/// Who may change the service itself, where it is there already, or its key in the registry.
fn itself(api: &dyn ScmApi, id: &str, own: &str) -> Result<Vec<String>> {
    let mut weak = Vec::new();
    let mut judge = |text: &str, thing: Thing, what: &str| {
        if let Some(list) = sddl::parse(text).filter(|list| list.entries.as_ref().is_none_or(|list| !list.is_empty())) {
            let found = judge::weaknesses(&list, thing, own);
            weak.extend(found.into_iter().map(|why| format!("{what} `{id}`: {why}")));
        }
    };
    match Held::open(api, id, access::READ_CONTROL) {
        Ok(held) => {
            let text = api.security(held.raw).tried(format_args!("look at the access list of `{id}`"))?;
            judge(&text, Thing::Service, "the service");
        }
        Err(Code::SERVICE_DOES_NOT_EXIST) => return Ok(weak),
        Err(code) => return Err(code.error(format_args!("look at the access list of `{id}`"))),
    }
    if let Some(text) = api.key_security(id).tried(format_args!("look at the registry key of `{id}`"))? {
        judge(&text, Thing::RegistryKey, "the registry key of");
    }
    Ok(weak)
}

/// The path and what it lies in, up to but without the drive.
fn ancestors(path: &Path) -> Vec<PathBuf> {
    let Some(text) = path.to_str().filter(|text| crate::layout::is_windows(text)) else {
        return path.ancestors().filter(|place| place.parent().is_some()).map(Path::to_owned).collect();
    };
    let mut made = Vec::new();
    let mut rest = text.trim_end_matches('\\');
    while let Some((above, name)) = rest.rsplit_once('\\') {
        if name.is_empty() {
            break;
        }
        made.push(PathBuf::from(rest));
        rest = above;
    }
    made
}
