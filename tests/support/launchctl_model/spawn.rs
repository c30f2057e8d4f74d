//! Starting processes, and what follows from their ends and from the clock.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, Uid, User, geteuid};
use serde_json::json;

use crate::job::{Ending, Job, Phase, Reason, Then};
use crate::launchd::Launchd;
use crate::proxy::{Account, Spec};
use crate::target::{Domain, Key};
use crate::wire::{self, Answer};

pub(crate) fn signal(pid: i32, number: i32) {
    if let Ok(signal) = Signal::try_from(number) {
        // It may be gone already.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

impl Launchd {
    /// A start that nobody demanded: it may be held back, and waits for the throttle.
    pub(crate) fn want(&mut self, key: &Key, reason: Reason) {
        let held_by_machine = self.knobs.pended;
        let Some(job) = self.jobs.get_mut(key) else { return };
        if job.held || held_by_machine {
            job.phase = Phase::Down;
            job.pended = Some(reason);
            self.note("pended", &json!({ "label": key.1, "reason": reason.words() }));
            return;
        }
        let throttle = self.knobs.spawn_seconds(job.definition.throttle);
        match job.started.map(|started| started + throttle) {
            Some(at) if at > Instant::now() => job.phase = Phase::Scheduled { at, reason },
            _ => self.spawn(key, reason),
        }
    }

    /// Starts the process now, whatever the throttle says.
    pub(crate) fn spawn(&mut self, key: &Key, reason: Reason) {
        let Some(job) = self.jobs.get(key) else { return };
        let spec = self.spec(key, job);
        let started = self.trampoline(&spec);
        let Some(job) = self.jobs.get_mut(key) else { return };
        let program = job.definition.path().to_owned();
        job.runs += 1;
        job.started = Some(Instant::now());
        job.reason = Some(reason);
        job.pended = None;
        let kicks = std::mem::take(&mut job.kicks);
        match started {
            Ok((pid, trouble)) => {
                job.phase = Phase::Up { pid };
                job.trouble = (!trouble.is_empty()).then_some(trouble);
                for (stream, number) in kicks {
                    let _ = wire::send(&stream, &Answer::out(if number { format!("{pid}\n") } else { String::new() }));
                }
                self.note(
                    "spawned",
                    &json!({
                        "domain": key.0.to_string(), "label": key.1, "program": program, "pid": pid, "reason": reason.words(),
                    }),
                );
            }
            Err(error) => {
                job.phase = Phase::Down;
                self.note("model trouble", &json!({ "label": key.1, "error": error.to_string() }));
            }
        }
    }

    /// Starts the trampoline and waits until it has become the program (or has said why it cannot).
    fn trampoline(&self, spec: &Spec) -> std::io::Result<(i32, String)> {
        let (mut report, end) = std::io::pipe()?;
        let child = Command::new(&self.program)
            .arg("--xpcproxy")
            .arg(serde_json::to_string(spec)?)
            .env_clear()
            .current_dir("/")
            // The trampoline's standard input is where it reports; the program's own is opened by it.
            .stdin(Stdio::from(end))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // The reaper waits for it, not we.
        let _ = self.spawned.send(());
        let mut trouble = String::new();
        report.read_to_string(&mut trouble)?;
        Ok((i32::try_from(child.id()).unwrap_or(0), trouble))
    }

    fn spec(&self, key: &Key, job: &Job) -> Spec {
        let definition = &job.definition;
        let mut environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin:/usr/sbin:/sbin".to_owned())]);
        let uid = key.0.uid();
        let real = if self.knobs.one_account { geteuid().as_raw() } else { uid };
        let passwd = User::from_uid(Uid::from_raw(real)).ok().flatten();
        let mut account = None;
        if key.0 == Domain::System {
            // Keys of daemons; agents ignore them.
            account = definition.user.clone().map(|user| Account {
                user,
                group: definition.group.clone(),
                init_groups: definition.init_groups,
            });
            if account.is_none() && definition.group.is_some() {
                account = Some(Account { user: "root".to_owned(), group: definition.group.clone(), init_groups: true });
            }
        } else {
            let home = self.knobs.homes.get(&uid).cloned().or_else(|| passwd.as_ref().map(|user| user.dir.clone()));
            let name = passwd.as_ref().map_or_else(|| format!("user{uid}"), |user| user.name.clone());
            for (variable, value) in [("USER", name.clone()), ("LOGNAME", name.clone()), ("TMPDIR", "/tmp".to_owned())]
            {
                environment.insert(variable.to_owned(), value);
            }
            environment.insert("HOME".to_owned(), home.unwrap_or_default().to_string_lossy().into_owned());
            if let Some(user) = &passwd {
                environment.insert("SHELL".to_owned(), user.shell.to_string_lossy().into_owned());
            }
            environment.extend(self.knobs.environment.clone());
            if real != geteuid().as_raw() {
                account = Some(Account { user: name, group: None, init_groups: true });
            }
        }
        let set = self.environment.iter().filter(|((domain, _), _)| *domain == key.0);
        environment.extend(set.map(|((_, name), value)| (name.clone(), value.clone())));
        environment.extend(definition.environment.clone());
        environment.insert("XPC_SERVICE_NAME".to_owned(), key.1.clone());
        Spec {
            program: definition.path().to_owned(),
            arguments: definition.arguments.clone(),
            environment,
            working_directory: definition.working_directory.clone(),
            umask: definition.umask,
            stdin: definition.stdin.clone(),
            stdout: definition.stdout.clone(),
            stderr: definition.stderr.clone(),
            nice: definition.nice,
            soft_limits: definition.soft_limits.clone(),
            hard_limits: definition.hard_limits.clone(),
            account,
        }
    }

    /// A process has ended.
    pub(crate) fn ended(&mut self, pid: i32, ending: Ending) {
        // What launchd inherits from those that have ended is nobody's.
        let Some(key) = self.jobs.iter().find(|(_, job)| job.pid() == Some(pid)).map(|(key, _)| key.clone()) else {
            return;
        };
        let domain = key.0.to_string();
        self.note("ended", &json!({ "domain": domain, "label": key.1, "pid": pid, "status": ending.raw() }));
        let down = self.knobs.disabled_stays_down
            && self.is_disabled(&key, self.jobs.get(&key).is_some_and(|job| job.definition.disabled));
        let throttle = |seconds| self.knobs.spawn_seconds(seconds);
        let Some(job) = self.jobs.get(&key) else { return };
        let (phase, abandon) = (job.phase, job.definition.abandon_group);
        let retry_at = job.started.unwrap_or_else(Instant::now) + throttle(job.definition.throttle);
        let Some(job) = self.jobs.get_mut(&key) else { return };
        job.last = Some(ending);
        job.crashes = if ending.is_crash() { job.crashes + 1 } else { 0 };
        job.phase = Phase::Down;
        if !abandon {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        match phase {
            Phase::Ending { then: Then::Forget, .. } => self.forget(&key),
            Phase::Ending { then: Then::Spawn, .. } => self.spawn(&key, Reason::Demand),
            _ if job.trouble.is_some() => {
                // It never became the program: tried again and again, whatever KeepAlive says.
                job.phase = Phase::Scheduled { at: retry_at, reason: Reason::Inefficient };
            }
            _ if down => {}
            _ => {
                if let Some(reason) = job.respawns(ending) {
                    self.want(&key, reason);
                }
            }
        }
    }

    /// Takes a service out.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(job) = self.jobs.remove(key) {
            for (stream, _) in job.kicks {
                let _ = wire::send(&stream, &Answer::fails(3, "No such process"));
            }
            self.note("forgotten", &json!({ "label": key.1, "domain": key.0.to_string() }));
        }
    }

    /// Tells a process to end: politely, and by force after its time.
    pub(crate) fn end(&mut self, key: &Key, number: i32, then: Then) {
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(pid) = job.pid() else { return };
        let grace = self.knobs.exit_seconds(job.definition.exit_timeout);
        let kill_at = grace.filter(|_| number != 9).map(|grace| Instant::now() + grace);
        job.phase = Phase::Ending { pid, signal: number, kill_at, then };
        signal(pid, number);
        self.note("signalled", &json!({ "label": key.1, "pid": pid, "signal": number }));
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        let keys: Vec<Key> = self.jobs.keys().cloned().collect();
        for key in keys {
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            match job.phase {
                Phase::Scheduled { at, reason } if at <= now => self.spawn(&key, reason),
                Phase::Ending { kill_at: Some(at), then, .. } if at <= now => self.end(&key, 9, then),
                _ => {}
            }
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            if let (Some(at), Some(seconds)) = (job.next_interval, job.definition.interval)
                && at <= now
            {
                job.next_interval = Some(now + self.knobs.spawn_seconds(seconds));
                // A run that is still going swallows the next one.
                if job.phase == Phase::Down {
                    self.want(&key, Reason::Demand);
                }
            }
        }
    }

    /// When something is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let times = |job: &Job| {
            let phase = match job.phase {
                Phase::Scheduled { at, .. } => Some(at),
                Phase::Ending { kill_at, .. } => kill_at,
                Phase::Down | Phase::Up { .. } => None,
            };
            [phase, job.next_interval]
        };
        self.jobs.values().flat_map(times).flatten().min()
    }
}
