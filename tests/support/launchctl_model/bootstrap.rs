//! `bootstrap`: reads a definition once, checks it, and starts what wants to be started.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use nix::unistd::geteuid;
use serde_json::json;

use crate::codes;
use crate::definition::{Bad, Definition};
use crate::job::{Job, Phase, Reason};
use crate::launchd::{Launchd, may_change, one_target};
use crate::target::{Domain, Key, Target};
use crate::verbs::Caller;
use crate::wire::Answer;

impl Launchd {
    pub(crate) fn bootstrap(&mut self, words: &[String], cwd: &Path, caller: Caller) -> Answer {
        let domain = match one_target(words, caller.uid) {
            Ok(Target::Domain(domain)) => domain,
            Ok(Target::Service(_)) => {
                return Answer::fails(codes::USAGE, "Usage: launchctl bootstrap <domain-target> ...");
            }
            Err(answer) => return answer,
        };
        let paths = &words[1..];
        if let Some(option) = paths.iter().find(|path| path.starts_with('-')) {
            return Answer::fails(codes::USAGE, format!("Unrecognized option: {option}"));
        }
        if paths.is_empty() {
            return Answer::not_modelled("a bootstrap of a whole domain");
        }
        if may_change(domain, caller.uid).is_err() {
            return self.refused(codes::NOT_PERMITTED, caller);
        }
        if !self.is_there(domain) {
            return self.refused(codes::BAD_DOMAIN, caller);
        }
        let mut failed = Vec::new();
        for path in paths {
            if let Err(bad) = self.load(domain, &cwd.join(path), caller.session_of) {
                failed.push((path, bad));
            }
        }
        let Some((path, bad)) = failed.first() else { return Answer::done() };
        if bad.code == codes::NOT_MODELLED {
            return Answer::not_modelled(&bad.why);
        }
        let code = if failed.len() > 1 { 133 } else { bad.code };
        let mut answer = self.refused(code, caller);
        if answer.code == code {
            // Only root is told what it was, each path on a line.
            let lines: Vec<_> = failed.iter().map(|(path, bad)| format!("{path}: {}\n", bad.why)).collect();
            answer.err = lines.concat() + &answer.err;
        }
        self.note("refused", &json!({ "path": path, "code": bad.code }));
        answer
    }

    /// Who is not root gets error 5 for nearly everything.
    fn refused(&self, code: i32, caller: Caller) -> Answer {
        let told = caller.uid == 0 && !self.knobs.opaque;
        let mut answer =
            Answer::verb_failed("Bootstrap", if told || code == codes::BAD_DOMAIN { code } else { codes::IO });
        if caller.uid != 0 && answer.code == codes::IO {
            answer.err += "Try re-running the command as root for richer errors.\n";
        }
        answer
    }

    /// Loads one definition into a domain.
    pub(crate) fn load(&mut self, domain: Domain, path: &Path, session_of: u32) -> Result<(), Bad> {
        let bad = |code: i32| Bad { code, why: codes::words(code).to_owned() };
        let meta = std::fs::symlink_metadata(path).map_err(|_| bad(codes::NO_ENTRY))?;
        if meta.is_dir() {
            return Err(Bad { code: codes::NOT_MODELLED, why: "a folder of definitions".to_owned() });
        }
        if !meta.is_file() || meta.mode() & 0o022 != 0 || !self.owners(domain).contains(&meta.uid()) {
            return Err(bad(codes::BAD_OWNER));
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|_| bad(codes::IO))?;
        let definition = Definition::read(&bytes)?;
        let session = domain.session();
        let wanted = |kind: &String| kind == session;
        let fits = match domain {
            _ if definition.sessions.iter().any(wanted) => true,
            // A definition that names no session is for the machine, or for who is logged in at the window server.
            Domain::System | Domain::Gui(_) => definition.sessions.is_empty(),
            Domain::User(_) => false,
        };
        if !fits {
            return Err(bad(codes::BAD_SESSION));
        }
        let key: Key = (domain, definition.label.clone());
        if self.is_disabled(&key, definition.disabled) {
            return Err(bad(codes::DISABLED));
        }
        if let Some(there) = self.jobs.get(&key) {
            let dying = matches!(there.phase, Phase::Ending { .. });
            let code = if dying { codes::ALREADY } else { self.knobs.already_code };
            return Err(Bad { code, why: "service already bootstrapped".to_owned() });
        }
        let starts = definition.starts_when_loaded();
        let mut job = Job::new(definition, path.to_owned());
        job.next_interval = job.definition.interval.map(|seconds| Instant::now() + self.knobs.spawn_seconds(seconds));
        // From a session that is not the domain's, nothing is started that nobody demands.
        job.held = matches!(domain, Domain::Gui(_)) && self.knobs.session(session_of) != "Aqua" && session_of != 0;
        self.jobs.insert(key.clone(), job);
        self.note("loaded", &json!({ "label": key.1, "domain": domain.to_string() }));
        if starts {
            self.want(&key, Reason::Speculative);
        }
        Ok(())
    }

    /// The accounts that may own a definition of that domain.
    fn owners(&self, domain: Domain) -> [u32; 2] {
        let own = geteuid().as_raw();
        // A model that is not run by root plays it.
        let root = if self.knobs.one_account { own } else { 0 };
        match domain {
            Domain::System => [root, root],
            Domain::User(uid) | Domain::Gui(uid) => [root, if self.knobs.one_account { own } else { uid }],
        }
    }
}
