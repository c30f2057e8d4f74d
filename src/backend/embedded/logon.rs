//! A user's supervisor on Windows starts at logon: a value of the registry's `Run` key, which needs no administrator.

use windows_registry::CURRENT_USER;

use crate::backend::Target;
use crate::error::{Error, IoContext, Result};
use crate::layout::Scope;
use crate::quote::windows::CommandLine;

const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";

/// The value's name.
const NAME: &str = "daemonctl";

/// Its program goes to the background, so that no console stays open.
fn line(target: &Target) -> String {
    let args = ["supervise", "--detach", "--user"].map(str::to_owned);
    CommandLine { program: &target.host_binary.to_string_lossy(), args: &args }.to_string()
}

/// Whether this build starts at logon. None: the machine's supervisor, which no logon starts.
pub(super) fn starts(target: &Target) -> Option<bool> {
    if target.scope == Scope::System {
        return None;
    }
    let said = CURRENT_USER.open(RUN).and_then(|key| key.get_string(NAME)).ok();
    Some(said.is_some_and(|said| said == line(target)))
}

/// Has it start at logon, or not.
pub(super) fn set(target: &Target, on: bool) -> Result<()> {
    if target.scope == Scope::System {
        return Err(Error::failed("the machine's supervisor does not start at logon"));
    }
    let key = CURRENT_USER.create(RUN);
    let done = key.and_then(|key| {
        if on {
            key.set_string(NAME, line(target))
        } else {
            // That somebody removed it already is as good.
            key.remove_value(NAME).or(Ok(()))
        }
    });
    done.map_err(std::io::Error::from).doing("change what starts when you log on")
}
