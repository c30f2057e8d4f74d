//! `list`: a table of the caller's domain, or one service as a dictionary of old.

use std::fmt::Write as _;

use crate::definition::KeepAlive;
use crate::job::{Ending, Job};
use crate::launchd::Launchd;
use crate::target::Domain;
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn list(&self, words: &[String], domain: Domain) -> Answer {
        let own = if self.is_there(domain) { domain } else { Domain::User(domain.uid()) };
        match words {
            [] => Answer::out(self.table(own)),
            [label] => match self.jobs.get(&(own, label.clone())) {
                Some(job) => Answer::out(dictionary(job, own)),
                None => Answer::fails(113, format!("Could not find service \"{label}\" in domain for port")),
            },
            _ => Answer::not_modelled("`list` with options"),
        }
    }

    fn table(&self, domain: Domain) -> String {
        let mut text = String::from("PID\tStatus\tLabel\n");
        for ((_, label), job) in self.jobs.iter().filter(|((of, _), _)| *of == domain) {
            let pid = job.pid().map_or_else(|| "-".to_owned(), |pid| pid.to_string());
            let status = match job.last {
                None => 0,
                Some(Ending::Code(code)) => code,
                Some(Ending::Signal(signal)) => -signal,
            };
            let _ = writeln!(text, "{pid}\t{status}\t{label}");
        }
        text
    }
}

fn dictionary(job: &Job, domain: Domain) -> String {
    let definition = &job.definition;
    let mut text = String::from("{\n");
    for (key, path) in [("StandardOutPath", &definition.stdout), ("StandardErrorPath", &definition.stderr)] {
        if let Some(path) = path {
            let _ = writeln!(text, "\t\"{key}\" = \"{}\";", path.display());
        }
    }
    let session = definition.sessions.first().map_or(domain.session(), String::as_str);
    let _ = writeln!(text, "\t\"LimitLoadToSessionType\" = \"{session}\";");
    let _ = writeln!(text, "\t\"Label\" = \"{}\";", definition.label);
    let _ = writeln!(text, "\t\"OnDemand\" = {};", definition.keep_alive == KeepAlive::Never);
    let _ = writeln!(text, "\t\"LastExitStatus\" = {};", job.last.map_or(0, Ending::raw));
    if let Some(pid) = job.pid() {
        let _ = writeln!(text, "\t\"PID\" = {pid};");
    }
    let _ = writeln!(text, "\t\"Program\" = \"{}\";", definition.path());
    text += "\t\"ProgramArguments\" = (\n";
    for argument in &definition.arguments {
        let _ = writeln!(text, "\t\t\"{argument}\";");
    }
    text += "\t);\n};\n";
    text
}
