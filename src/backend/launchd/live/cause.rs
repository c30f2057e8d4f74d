//! Why launchd refused: its own codes where they say something, and where they do not (5 stands for anything), what daemonctl
//! finds by looking at each thing that is known to lead there.

use std::path::Path;

use super::ctl::Answer;
use super::domain::Domain;
use super::manager::Launchd;
use crate::backend::launchd::codes::{self, Meaning};
use crate::backend::launchd::{names, places};
use crate::error::Error;
use crate::exit::Exit;
use crate::service::Service;

/// Where launchd tells the reasons that launchctl keeps to itself.
const ITS_LOG: &str =
    "launchd's own log has its reason: `log show --last 5m --predicate 'subsystem == \"com.apple.xpc.launchd\"'`";

/// A failure in launchctl's own words.
pub(super) fn plain(verb: &str, target: &str, answer: &Answer) -> Error {
    let words = codes::words(answer.code).map_or_else(String::new, |words| format!(": {words}"));
    let message = format!("`launchctl {verb} {target}` failed with {}{words}", answer.code);
    let mut error = match codes::meaning(answer.code) {
        Meaning::NotPermitted => Error::not_permitted(message),
        _ => Error::failed(message),
    };
    if !answer.stderr.trim().is_empty() {
        error = error.detail(answer.stderr.trim_end());
    }
    match answer.code {
        150 => error.hint("macOS protects its own jobs; no other may have their labels"),
        1 | 13 => error.hint("only root may change the machine's services: run it with sudo"),
        134 => error.hint(
            "the property list's sessions (`LimitLoadToSessionType`) are not those of this domain: an agent without \
             any is for a login at the screen",
        ),
        125 => error.hint("nobody is logged in at the screen, or the domain takes no jobs now"),
        155 => error.hint("`xattr -d com.apple.quarantine PROGRAM` takes the mark of a download away"),
        5 => error.hint(ITS_LOG),
        _ => error,
    }
}

impl Launchd {
    /// Why a property list could not be loaded.
    pub(super) fn not_loaded(&self, unit: &Service, domain: Domain, answer: &Answer) -> Error {
        let id = unit.id();
        let path = names::file(unit, &self.target.layout);
        let found = match codes::meaning(answer.code) {
            Meaning::Opaque | Meaning::InFlux | Meaning::Other => self.found(unit, domain, &path),
            _ => None,
        };
        let error = plain("bootstrap", &format!("{domain} {}", path.display()), answer);
        match found {
            Some((why, remedy)) => {
                let made = Error::new(error.exit(), format!("launchd does not take `{id}`: {why}")).hint(remedy);
                made.detail(error.to_string())
            }
            None => error.context(format!("launchd does not take `{id}`")),
        }
    }

    /// The first cause that is there to be seen, and its remedy.
    fn found(&self, unit: &Service, domain: Domain, path: &Path) -> Option<(String, String)> {
        let label = names::label(unit);
        let on_disk = self.on_disk(path);
        if !on_disk.exists() {
            return Some((
                format!("there is no `{}`", path.display()),
                "install the manifest again: `daemonctl install MANIFEST`".to_owned(),
            ));
        }
        if let Ok(Some(printed)) = super::job::ask(self.ctl.as_ref(), domain, &label) {
            let from = printed.path.unwrap_or_else(|| "somewhere".to_owned());
            return Some(if Path::new(&from) == path {
                (
                    format!("the job `{label}` is loaded already"),
                    format!("`launchctl bootout {domain}/{label}` unloads it"),
                )
            } else {
                (
                    format!("the label `{label}` is taken by a job from `{from}`"),
                    "give the service another `label`, or unload that job first".to_owned(),
                )
            });
        }
        if self.disabled().is_ok_and(|disabled| disabled.get(&label) == Some(&true)) {
            return Some((
                format!("its label `{label}` is disabled"),
                "somebody switched it off in System Settings > General > Login Items, or with `launchctl disable`: \
                 `daemonctl enable` switches it on"
                    .to_owned(),
            ));
        }
        places::of_definition(&self.facts, &on_disk, self.target.scope).map(|fault| (fault.why, fault.remedy))
    }
}

/// An error for a call that got no answer, with what is there now.
pub(super) fn no_answer(error: Error, unit: &str, state: &str) -> Error {
    if error.exit() != Exit::TimedOut {
        return error;
    }
    Error::timed_out(format!("{error}; `{unit}` is {state} now"))
        .hint("launchd is busy or waits for something; `daemonctl status` shows how it goes on")
}
