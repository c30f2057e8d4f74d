//! Where the output of jobs is: in the files that launchd has them write, in those of the host, and in the unified log for
//! those that say so.

use super::manager::Launchd;
use super::unified::Unified;
use crate::backend::embedded;
use crate::backend::launchd::render;
use crate::error::{Error, IoContext, Result};
use crate::logs::{LogQuery, Sink};
use crate::service::{LogFile, LogFormat, Service};
use crate::system::{files, machine};

/// Lines of its output that a failure is shown with.
const LAST_LINES: usize = 10;

/// Gives what the query asks for to the sink.
pub(super) fn logs(launchd: &Launchd, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
    let unified = Unified::of(launchd, units)?;
    let units: Vec<Service> = units.iter().map(|unit| as_written(launchd, unit)).collect();
    if let Some(unified) = unified {
        return unified.logs(&launchd.target.layout, &units, query, sink);
    }
    embedded::file_logs(&launchd.target.layout, &units, query, sink)
}

/// A unit with its files named as they are written: launchd adds nothing to a line.
fn as_written(launchd: &Launchd, unit: &Service) -> Service {
    let mut unit = unit.clone();
    if launchd.on_disk(&launchd.target.layout.spec(&unit.id())).exists() {
        return unit;
    }
    let (stdout, stderr) = render::outputs(&unit, &launchd.target);
    unit.logs.file = Some(if stdout == stderr { LogFile::One(stdout) } else { LogFile::Apart { stdout, stderr } });
    unit.logs.format = LogFormat::Raw;
    unit
}

/// A failure with the last that the service said.
pub(super) fn with_last_lines(launchd: &Launchd, error: Error, unit: &Service, hosted: bool) -> Error {
    let written = if hosted { unit.clone() } else { as_written(launchd, unit) };
    let lines = embedded::last_lines(&launchd.target.layout, &written, LAST_LINES);
    let error = if lines.is_empty() { error } else { error.detail(format!("its last lines:\n{}", lines.join("\n"))) };
    error.hint(format!("`daemonctl logs {}` shows more", unit.id()))
}

impl Launchd {
    /// The folder of the log files that are daemonctl's own: launchd makes files, no folders, and as the service's user.
    pub(super) fn make_log_folder(&self, unit: &Service) -> Result<()> {
        let folder = self.target.layout.logs_of(&unit.id());
        let on_disk = self.on_disk(&folder);
        if !on_disk.is_dir() {
            files::make_folders(&on_disk, 0o755)?;
            if unit.user.is_some() || unit.group.is_some() {
                let (uid, gid) = machine::account(unit.user.as_deref(), unit.group.as_deref())?;
                std::os::unix::fs::chown(&on_disk, Some(uid), Some(gid))
                    .doing(format_args!("give `{}` to the service's user", folder.display()))?;
            }
        }
        Ok(())
    }
}
