//! The registry: sources of the Event Log, and what Wine tells nowhere else.

use windows_registry::{Key, LOCAL_MACHINE};

use super::{Registered, Win};
use crate::backend::windows::act::codes::Code;
use crate::backend::windows::config::EventSource;

const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";
const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";

/// Whose it is; not a value that Windows knows.
const OWNER: &str = "DaemonctlService";

/// Errors, warnings and information.
const TYPES: u32 = 7;

/// The Win32 code within an HRESULT.
fn code(error: impl Into<std::io::Error>) -> Code {
    Code(error.into().raw_os_error().map_or(0, i32::cast_unsigned) & 0xffff)
}

/// What is not there is None.
fn absent<T>(found: Result<T, impl Into<std::io::Error>>) -> Win<Option<T>> {
    match found.map_err(code) {
        Ok(found) => Ok(Some(found)),
        Err(Code::FILE_NOT_FOUND | Code::PATH_NOT_FOUND) => Ok(None),
        Err(code) => Err(code),
    }
}

pub(super) fn source(name: &str) -> Win<Option<Registered>> {
    let Some(key) = absent(LOCAL_MACHINE.open(format!(r"{SOURCES}\{name}")))? else { return Ok(None) };
    let value = |name: &str| absent(key.get_string(name));
    let message_file = value("EventMessageFile")?.unwrap_or_default();
    Ok(Some(Registered { source: EventSource { name: name.to_owned(), message_file }, owner: value(OWNER)? }))
}

pub(super) fn register_source(source: &EventSource, owner: &str) -> Win<()> {
    let fill = |key: Key| {
        key.set_expand_string("EventMessageFile", &source.message_file)?;
        key.set_u32("TypesSupported", TYPES)?;
        key.set_string(OWNER, owner)
    };
    LOCAL_MACHINE.create(format!(r"{SOURCES}\{}", source.name)).and_then(fill).map_err(code)
}

pub(super) fn remove_source(name: &str) -> Win<()> {
    absent(LOCAL_MACHINE.remove_tree(format!(r"{SOURCES}\{name}"))).map(drop)
}

/// What a service depends on, groups among it.
pub(super) fn dependencies(service: &str) -> Option<Vec<String>> {
    let key = LOCAL_MACHINE.open(format!(r"{SERVICES}\{service}")).ok()?;
    let list = |name: &str| key.get_multi_string(name).unwrap_or_default();
    let groups = list("DependOnGroup").into_iter().map(|group| format!("+{}", group.trim_start_matches('+')));
    Some(list("DependOnService").into_iter().chain(groups).filter(|name| !name.is_empty()).collect())
}
