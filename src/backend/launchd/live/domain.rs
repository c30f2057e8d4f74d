//! Where a job belongs: the machine's domain, a user's graphical session, or the user as such.
//!
//! `gui/UID` is there while the user is logged in at the screen, `user/UID` as long as anything of the user's runs. An agent
//! goes to the first unless its sessions (`LimitLoadToSessionType`) say otherwise. The same label can be in both.

use std::fmt;

use super::ctl::Ctl;
use crate::error::{Error, Result};
use crate::layout::Scope;

/// A domain of launchd's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Domain {
    System,
    Gui(u32),
    User(u32),
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Gui(uid) => write!(f, "gui/{uid}"),
            Self::User(uid) => write!(f, "user/{uid}"),
        }
    }
}

/// The domains of a scope that are there, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domains {
    pub(super) there: Vec<Domain>,
    scope: Scope,
    uid: u32,
}

impl Domains {
    /// Asks which of them are there.
    pub(super) fn probe(ctl: &dyn Ctl, scope: Scope, uid: u32) -> Result<Self> {
        let mut there = Vec::new();
        match scope {
            Scope::System => there.push(Domain::System),
            Scope::User => {
                for domain in [Domain::Gui(uid), Domain::User(uid)] {
                    if is_there(ctl, domain)? {
                        there.push(domain);
                    }
                }
            }
        }
        Ok(Self { there, scope, uid })
    }

    /// Every domain of the scope, there or not, for questions of what is on or off.
    pub(super) fn own(&self) -> Domain {
        self.there.first().copied().unwrap_or(match self.scope {
            Scope::System => Domain::System,
            Scope::User => Domain::User(self.uid),
        })
    }

    /// Where a job with these sessions (empty: nothing is said) is loaded.
    pub(super) fn of(&self, sessions: &[String]) -> Result<Domain> {
        if self.scope == Scope::System {
            return Ok(Domain::System);
        }
        let names = |session: &str| sessions.iter().any(|name| name == session);
        let gui = sessions.is_empty() || names("Aqua");
        let wanted = [(Domain::Gui(self.uid), gui), (Domain::User(self.uid), names("Background"))];
        let found = wanted.iter().find(|(domain, fits)| *fits && self.there.contains(domain));
        found.map(|(domain, _)| *domain).ok_or_else(|| self.none(gui))
    }

    fn none(&self, gui: bool) -> Error {
        let uid = self.uid;
        let mut error = if gui {
            Error::failed(format!("launchd has no graphical session for this user: there is no `gui/{uid}`"))
        } else {
            Error::failed(format!("launchd has no domain for this user: there is no `user/{uid}`"))
        };
        if uid == 0 {
            error = match crate::system::env("SUDO_USER") {
                Some(user) => {
                    error.hint(format!("a user's services are that user's: run it as `{user}`, without sudo"))
                }
                None => error.hint("root has no session of its own: use `--system`"),
            };
        }
        error
            .hint("log in at the screen, or install it for the machine: `--system`, with `user = \"NAME\"`")
            .hint("`LimitLoadToSessionType = [\"Background\"]` below `[service.NAME.launchd]` does without the screen")
    }
}

/// Whether a domain is there. A single no is not believed: what it means for a service is too much.
pub(super) fn is_there(ctl: &dyn Ctl, domain: Domain) -> Result<bool> {
    let mut noes = 0;
    for _ in 0..4 {
        let answer = ctl.call(&["print", &domain.to_string()])?;
        match answer.code {
            0 if !answer.stdout.trim().is_empty() => return Ok(true),
            112 | 113 | 124 | 125 => noes += 1,
            _ => {}
        }
        if noes > 1 {
            return Ok(false);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::ctl::Answer;
    use super::*;

    /// Answers one question after the other; the last answer again and again.
    struct Says(Mutex<Vec<i32>>);

    impl Ctl for Says {
        fn call(&self, words: &[&str]) -> Result<Answer> {
            assert_eq!(words[0], "print");
            let mut codes = self.0.lock().unwrap();
            let code = if codes.len() > 1 { codes.remove(0) } else { codes[0] };
            let stdout = if code == 0 { "gui/501 = {\n}\n" } else { "" };
            Ok(Answer { code, stdout: stdout.to_owned(), stderr: String::new() })
        }
    }

    /// A machine on which these domains are there.
    struct Machine(&'static [&'static str]);

    impl Ctl for Machine {
        fn call(&self, words: &[&str]) -> Result<Answer> {
            let there = self.0.contains(&words[1]);
            let stdout = if there { format!("{} = {{\n}}\n", words[1]) } else { String::new() };
            Ok(Answer { code: if there { 0 } else { 112 }, stdout, stderr: String::new() })
        }
    }

    fn of(machine: &'static [&'static str], uid: u32, sessions: &[&str]) -> Result<Domain> {
        let sessions: Vec<String> = sessions.iter().map(|session| (*session).to_owned()).collect();
        Domains::probe(&Machine(machine), Scope::User, uid)?.of(&sessions)
    }

    #[test]
    fn the_screen_comes_first_and_sessions_decide() {
        let both: &[&str] = &["gui/501", "user/501"];
        assert_eq!(of(both, 501, &[]).unwrap(), Domain::Gui(501));
        assert_eq!(of(both, 501, &["Background"]).unwrap(), Domain::User(501));
        assert_eq!(of(both, 501, &["Background", "Aqua"]).unwrap(), Domain::Gui(501));
        assert_eq!(of(&["user/501"], 501, &["Background", "Aqua"]).unwrap(), Domain::User(501));
        let system = Domains::probe(&Machine(&[]), Scope::System, 0).unwrap();
        assert_eq!((system.own(), system.of(&["Aqua".to_owned()]).unwrap()), (Domain::System, Domain::System));
    }

    #[test]
    fn who_is_not_at_the_screen_is_told_what_to_do() {
        let error = of(&["user/501"], 501, &[]).unwrap_err();
        assert!(error.to_string().contains("there is no `gui/501`"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("`--system`")), "{:?}", error.hints());
        let error = of(&[], 501, &["Background"]).unwrap_err();
        assert!(error.to_string().contains("there is no `user/501`"), "{error}");
        // Under sudo nothing of the user's is made as root's: there is no `gui/0`, and its remedy is not to be root.
        let error = of(&["gui/501", "user/501"], 0, &[]).unwrap_err();
        let hint = error.hints().first().cloned().unwrap_or_default();
        assert!(hint.contains("without sudo") || hint.contains("`--system`"), "{hint}");
    }

    #[test]
    fn a_single_no_is_not_believed() {
        for (codes, wanted) in [
            (vec![0], true),
            (vec![113, 0], true),
            (vec![1, 5, 0], true),
            (vec![112], false),
            (vec![125, 124], false),
            (vec![113, 1, 112], false),
            (vec![1], false),
        ] {
            let says = Says(Mutex::new(codes.clone()));
            assert_eq!(is_there(&says, Domain::Gui(501)).unwrap(), wanted, "{codes:?}");
        }
    }
}
