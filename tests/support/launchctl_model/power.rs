//! Boot, login, logout and the end of everything.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::{Event, next};
use crate::launchd::Launchd;
use crate::spawn::signal;
use crate::target::{Domain, Key};

/// How long a service with a long `ExitTimeOut` may hold up a boot or a logout: launchd would wait for ever, a test must
/// not.
const PATIENCE: Duration = Duration::from_secs(30);

impl Launchd {
    /// Every process ends, services are forgotten, and what lies in the folders of daemons is loaded. Nobody is logged in.
    pub(crate) fn reboot(&mut self, inbox: &Receiver<Event>) {
        self.note("reboot", &json!({}));
        self.end_everything(PATIENCE, inbox);
        self.knobs.gui.clear();
        self.knobs.user.clear();
        self.environment.clear();
        for folder in self.knobs.daemons.clone() {
            self.load_folder(Domain::System, &folder);
        }
    }

    /// Somebody logs in at the window server (and has processes, so `user/UID` is there too).
    pub(crate) fn login(&mut self, uid: u32) {
        self.note("login", &json!({ "uid": uid }));
        self.knobs.user.insert(uid);
        self.knobs.gui.insert(uid);
        self.knobs.sessions.remove(&uid);
        let mut folders = self.knobs.agents.clone();
        let own = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
        let home = self.knobs.homes.get(&uid).cloned().or_else(|| own.map(|user| user.dir));
        folders.extend(home.map(|home| home.join("Library/LaunchAgents")));
        for folder in folders {
            self.load_folder(Domain::User(uid), &folder);
            self.load_folder(Domain::Gui(uid), &folder);
        }
    }

    /// The window server's session ends, and its services with it.
    pub(crate) fn logout(&mut self, uid: u32, inbox: &Receiver<Event>) {
        self.note("logout", &json!({ "uid": uid }));
        self.end_jobs(|key| key.0 == Domain::Gui(uid), PATIENCE, inbox);
        self.knobs.gui.remove(&uid);
    }

    /// What launchd finds by itself: files whose names end in `.plist`, and only those it accepts.
    fn load_folder(&mut self, domain: Domain, folder: &Path) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "plist")).collect();
        paths.sort();
        for path in paths {
            if let Err(bad) = self.load(domain, &path, domain.uid()) {
                self.note("not loaded", &json!({ "path": path, "code": bad.code, "why": bad.why }));
            }
        }
    }

    /// Ends these services as `bootout` does, and waits.
    fn end_jobs(&mut self, which: impl Fn(&Key) -> bool, patience: Duration, inbox: &Receiver<Event>) {
        let keys: Vec<Key> = self.jobs.keys().filter(|key| which(key)).cloned().collect();
        for key in &keys {
            self.take_out(key);
        }
        let until = Instant::now() + patience;
        while keys.iter().any(|key| self.jobs.contains_key(key)) {
            if Instant::now() >= until {
                for pid in keys.iter().filter_map(|key| self.jobs.get(key)?.pid()) {
                    signal(pid, 9);
                }
            }
            match next(inbox, Some(self.due().map_or(until, |due| due.min(until)))) {
                Some(Event::Ended(pid, ending)) => self.ended(pid, ending),
                // Who calls launchctl while a session ends is not answered.
                Some(Event::Asked { .. } | Event::Quit) | None => {}
            }
            self.tick();
        }
    }

    /// Ends every service, and then whatever they have left behind.
    pub(crate) fn end_everything(&mut self, patience: Duration, inbox: &Receiver<Event>) {
        self.end_jobs(|_| true, patience, inbox);
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let left = descendants();
            if left.is_empty() || Instant::now() >= until {
                return;
            }
            for pid in left {
                signal(pid, 9);
            }
            // Each end is an event; those whose parent still lives are nobody's event, so they are looked for again.
            let _ = next(inbox, Some(Instant::now() + Duration::from_millis(50)));
        }
    }
}

/// Every process below this one that has not ended.
fn descendants() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes: Vec<(i32, i32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut fields = rest.split(' ');
            let ended = matches!(fields.next()?, "Z" | "X");
            let parent = fields.next()?.parse().ok()?;
            (!ended).then_some((pid, parent))
        })
        .collect();
    let mut found = vec![i32::try_from(std::process::id()).unwrap_or(0)];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(processes.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}
