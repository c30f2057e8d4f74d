//! The override database: which labels are disabled, a file a domain's owner; it outlives everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::knobs::Dialect;
use crate::launchd::{Launchd, may_change, one_target};
use crate::target::{Domain, Key, Target};
use crate::wire::Answer;

impl Launchd {
    fn overrides_file(&self, domain: Domain) -> PathBuf {
        self.folder.join(match domain {
            Domain::System => "disabled.plist".to_owned(),
            Domain::User(uid) | Domain::Gui(uid) => format!("disabled.{uid}.plist"),
        })
    }

    /// The labels that somebody has enabled (false) or disabled (true).
    pub(crate) fn overrides(&self, domain: Domain) -> BTreeMap<String, bool> {
        plist::from_file(self.overrides_file(domain)).unwrap_or_default()
    }

    /// What the data base says; without a word of it, what the plist hints at.
    pub(crate) fn is_disabled(&self, key: &Key, hint: bool) -> bool {
        self.overrides(key.0).get(&key.1).copied().unwrap_or(hint)
    }

    /// `enable`, `disable`: whether or not such a service exists. A job that runs stays as it is.
    pub(crate) fn set_disabled(&mut self, verb: &str, words: &[String], uid: u32) -> Answer {
        let (Target::Service(key), []) = (
            match one_target(words, uid) {
                Ok(target) => target,
                Err(answer) => return answer,
            },
            words.get(1..).unwrap_or_default(),
        ) else {
            return Answer::fails(64, format!("Usage: launchctl {verb} <service-target>"));
        };
        if let Err(answer) = may_change(key.0, uid) {
            return answer;
        }
        let mut overrides = self.overrides(key.0);
        overrides.insert(key.1, verb == "disable");
        match plist::to_file_xml(self.overrides_file(key.0), &overrides) {
            Ok(()) => Answer::done(),
            Err(error) => Answer::fails(5, format!("launchctl model: {error}")),
        }
    }

    /// `print-disabled DOMAIN`.
    pub(crate) fn print_disabled(&self, words: &[String], uid: u32) -> Answer {
        let domain = match one_target(words, uid) {
            Ok(Target::Domain(domain)) => domain,
            Ok(Target::Service(_)) => return Answer::fails(64, "Usage: launchctl print-disabled <domain-target>"),
            Err(answer) => return answer,
        };
        let mut text = String::from("disabled services = {\n");
        for (label, disabled) in self.overrides(domain) {
            let value = match (self.knobs.dialect, disabled) {
                (Dialect::Mojave, true) => "true",
                (Dialect::Mojave, false) => "false",
                (Dialect::Ventura | Dialect::Tahoe, true) => "disabled",
                (Dialect::Ventura | Dialect::Tahoe, false) => "enabled",
            };
            let _ = writeln!(text, "\t\"{label}\" => {value}");
        }
        text += "}\n";
        Answer::out(text)
    }
}
