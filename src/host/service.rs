//! `host --service NAME`: one service, as a service of the Windows service control manager.

use crate::error::Result;
use crate::exit::Exit;
use crate::layout::Scope;

/// Runs it until it is stopped or has given up.
#[cfg(windows)]
pub fn run_service(name: &str, scope: Scope) -> Result<Exit> {
    let name = name.to_owned();
    super::sys::scm::run(move || windows::work(&name, scope)).map(|()| Exit::Done)
}

/// Runs it until it is stopped or has given up.
#[cfg(not(windows))]
pub fn run_service(_: &str, _: Scope) -> Result<Exit> {
    Err(crate::error::Error::new(Exit::Usage, "only the service control manager of Windows starts this"))
}

/// Sends an event to the consoles (`c`, `break`) or windows (`close`) of processes: what the helper of a host does.
#[cfg(windows)]
pub fn console_event(event: &str, pids: &[u32]) -> Result<()> {
    use crate::error::IoContext;
    super::sys::console_event(event, pids).doing("reach a console")
}

/// Sends an event to the consoles of processes: there are none here.
#[cfg(not(windows))]
pub fn console_event(_: &str, _: &[u32]) -> Result<()> {
    Err(crate::error::Error::new(Exit::Usage, "only Windows has such consoles"))
}

#[cfg(windows)]
mod windows {
    use std::io::Write;

    use crate::error::{Error, Result};
    use crate::exit::Exit;
    use crate::host::engine::Outcome;
    use crate::host::sys;
    use crate::host::sys::scm::{self, End};
    use crate::layout::{Layout, Scope};
    use crate::system::machine;

    pub(super) fn work(name: &str, scope: Scope) -> End {
        let done = machine::layout(scope, None).and_then(|layout| {
            let ran = run(name, &layout);
            if let Err(error) = &ran {
                say(name, &layout, error);
            }
            ran
        });
        match done {
            Ok(outcome) if outcome.well => End::Well,
            Ok(outcome) => End::Failed(outcome.code.map_or(u32::from(Exit::ServiceFailed.code()), i32::cast_unsigned)),
            Err(error) => End::Failed(error.exit().code().into()),
        }
    }

    fn run(name: &str, layout: &Layout) -> Result<Outcome> {
        let service = crate::host::read_spec(&layout.spec(name))?;
        scm::stop_takes(service.stop.timeout);
        super::super::entry::run_shim(service, layout)
    }

    /// What kept the host itself from its work, where the service's log is: there is no console to say it on.
    fn say(name: &str, layout: &Layout, error: &Error) {
        let folder = layout.logs_of(name);
        let line = format!("{} {error}\n", crate::host::logs::format::stamp(jiff::Timestamp::now()));
        // Where that can't be written either, the exit code is all there is.
        let _ = sys::make_log_folder(&folder)
            .and_then(|()| sys::open_log(&folder.join("host.log"), None))
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
