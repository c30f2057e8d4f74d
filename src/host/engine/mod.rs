//! The event loop: one for all units of a scope.
//!
//! Everything that happens (a child's end, a line in a pipe, an answer to a probe, a request, a deadline) becomes an
//! [`Input`]; `machine::step` decides; [`act`] carries out. Tasks hold no state of units: they tell the loop. It sleeps
//! until the next event or the next deadline, and nothing ticks.
//!
//! `unit` is what is kept of a unit, `act` the hands, `jobs` the requests that wait for units, `depend` the order,
//! `load` the specs, intents and the takeover, `pump` the output, `events` what is told of units and `hooks` to whom,
//! `command`, `http`, `probe`, `watch` and `notify` the senses, `files` the watched files, `tasks` the schedules, `serve`
//! the control socket.

mod act;
mod again;
mod command;
mod depend;
mod events;
mod files;
mod hooks;
mod http;
mod jobs;
mod load;
mod notify;
mod probe;
mod pump;
mod serve;
mod tasks;
mod tree;
mod unit;
mod watch;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::command::Commands;
use self::jobs::Job;
use self::unit::Unit;
use super::events::told::Cue;
use super::machine::{self, Current, Event, Moment, Now};
use super::state::{StateFile, VERSION};
use super::sys;
use crate::error::{IoContext, Result};
use crate::layout::Layout;
use crate::service::Service;

/// A supervisor that was started on demand ends so long after its last unit was removed.
const EMPTY: Duration = Duration::from_secs(1);

/// A unit's name.
type Id = Rc<str>;

/// Where captured output goes beside the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Nowhere.
    None,
    /// Our own output, as it is: a manager above reads it.
    Plain,
    /// Our own output, with the unit's name in front of each line.
    Named,
}

/// How the engine is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folders.
    pub layout: Layout,
    /// A folder for pipes and sockets: the scope's runtime folder, or one of this run.
    pub runtime: PathBuf,
    /// Answer requests, read specs, and keep intents on disk.
    pub serve: bool,
    /// Keep the state on disk, for readers and for the next one.
    pub persist: bool,
    /// End a moment after the last unit was removed.
    pub end_when_empty: bool,
    /// Output beside the files.
    pub echo: Echo,
    /// Write log files (those that the services ask for, or the default ones).
    pub files: bool,
    /// End when every unit is at rest.
    pub end_at_rest: bool,
    /// A service manager is above: tell it (`NOTIFY_SOCKET`) of the unit's readiness and life, and hand on the
    /// environment that it made.
    pub pass_on: bool,
}

/// Something that happened outside the loop.
enum Input {
    /// To a unit, for the machine.
    Event(Id, Event),
    /// A run's watcher saw this; it counts only for that run.
    Seen(Id, Rc<str>, Seen),
    /// A request.
    Request(super::control::Ask, mpsc::Sender<super::control::Answer>),
    /// Look again whether a unit's tree is gone.
    Recheck(Id),
    /// Look again at the jobs.
    Jobs,
    /// The time of a delayed start has come.
    Delayed(Id),
    /// A unit's output can't be written, or can again.
    LogTrouble(Id, Option<String>),
    /// An event hook of a unit did not take its event.
    HookFailed(Id, String),
    /// The reload action of a unit is done.
    Reloaded(Id, Result<(), String>),
    /// Something happened in watched folders.
    Touched(Vec<sys::Touch>),
    /// The wall clock was set.
    ClockSet,
    /// The check or command after a change of a run's files is done.
    Checked(Id, Rc<str>, Result<(), String>),
}

/// What the watchers of a run see.
enum Seen {
    Ready,
    Check { name: &'static str, ok: bool, message: Option<String> },
    Unhealthy(String),
    Notify(String),
    FarExit,
}

/// What a run of the engine came to.
#[derive(Debug)]
pub struct Outcome {
    /// No unit failed or gave up.
    pub well: bool,
    /// This process is to become that program, with this socket.
    pub again: Option<(PathBuf, std::os::fd::OwnedFd)>,
}

/// The loop and what it holds.
pub struct Engine {
    options: Options,
    /// What to begin with.
    given: Vec<Service>,
    units: BTreeMap<Id, Unit>,
    /// Units that wait for one of a service's name.
    dependents: HashMap<String, Vec<Id>>,
    mains: HashMap<i32, Id>,
    clearing: BTreeSet<Id>,
    deadlines: BTreeSet<(Moment, Id)>,
    queue: VecDeque<(Id, Event)>,
    commands: Commands,
    watches: files::Watches,
    /// When which task is due.
    runs_due: BTreeSet<(Moment, Id)>,
    /// It waits for changes of the wall clock; None: no task needs it.
    clock: Option<tokio::task::AbortHandle>,
    jobs: Vec<Job>,
    tx: mpsc::UnboundedSender<Input>,
    rx: mpsc::UnboundedReceiver<Input>,
    /// One for all pipes.
    buffer: Rc<RefCell<Vec<u8>>>,
    /// Marks of our services start with it.
    mark: String,
    boot: String,
    dirty: bool,
    flushed: Instant,
    flush_cost: Duration,
    ending: Option<Ending>,
    /// Since when there is no unit any more.
    empty_since: Option<Instant>,
    hostname: String,
    random: u64,
    passed_on: Option<notify::Above>,
    events: events::Events,
    /// The control socket that the program before us left.
    socket: Option<std::os::fd::OwnedFd>,
    again: Option<again::Again>,
    /// Since when nothing but event hooks is waited for.
    farewell: Option<Instant>,
}

/// How the supervisor is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// When every unit is down.
    Stopped,
    /// Now; the services live on.
    Leave,
    /// When nobody waits for an answer any more: this process becomes another program.
    Again,
}

impl Engine {
    /// Takes over what an earlier supervisor left, or begins anew.
    pub fn new(options: Options) -> Self {
        let (tx, rx) = mpsc::unbounded_channel();
        let hostname = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            mark: load::mark(&options.runtime),
            passed_on: options.pass_on.then(notify::Above::find).flatten(),
            events: events::Events::new(&options),
            farewell: None,
            socket: None,
            again: None,
            options,
            given: Vec::new(),
            units: BTreeMap::new(),
            dependents: HashMap::new(),
            mains: HashMap::new(),
            clearing: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            queue: VecDeque::new(),
            commands: Commands::default(),
            watches: files::Watches::default(),
            runs_due: BTreeSet::new(),
            clock: None,
            jobs: Vec::new(),
            tx,
            rx,
            buffer: Rc::new(RefCell::new(vec![0; 64 * 1024])),
            boot: sys::boot_id(),
            dirty: true,
            flushed: Instant::now(),
            flush_cost: Duration::ZERO,
            ending: None,
            empty_since: None,
            hostname,
            random: seed(),
        }
    }

    /// Has these units run, without specs on disk.
    pub fn give(&mut self, services: Vec<Service>) {
        self.given = services;
    }

    /// Goes on in place of the program that this process was, whose children and control socket are ours.
    pub fn go_on(&mut self, socket: std::os::fd::OwnedFd) {
        self.socket = Some(socket);
    }

    /// Runs until told to end. `ready` is called when requests are answered.
    pub async fn run(mut self, ready: impl FnOnce()) -> Result<Outcome> {
        let mut signals = Signals::new()?;
        sys::unblock_signals();
        if self.options.serve {
            // A spec that can't be read must not keep the others down; `load` tells of it.
            let _ = self.boot();
        } else {
            // After the signals are caught: a manager that hears READY=1 may send one at once.
            let given = std::mem::take(&mut self.given);
            self.begin(given);
        }
        self.pump();
        // Children that ended before we caught their signal.
        self.reap();
        self.flush()?;
        // Only now: who can connect reads a state file of ours.
        let server = if self.options.serve { Some(self.open_socket()?) } else { None };
        ready();
        loop {
            self.pump();
            self.tell_events();
            if self.is_over() {
                break;
            }
            let flush_at = self.dirty.then(|| self.flushed + Duration::from_millis(20).max(self.flush_cost * 10));
            if flush_at.is_some_and(|at| at <= Instant::now()) {
                // A full runtime folder must not end the supervision; readers see an old state until it has room.
                let _ = self.flush();
                continue;
            }
            let now = sys::monotonic();
            let timers = [self.deadlines.first(), self.watches.due.first(), self.runs_due.first()];
            let due = timers.into_iter().flatten().map(|(at, _)| at.saturating_sub(now)).min();
            let flush = flush_at.map(|at| at.saturating_duration_since(Instant::now()));
            let empty = self.empty_since.map(|since| EMPTY.saturating_sub(since.elapsed()));
            let farewell = self.farewell.map(|since| hooks::FAREWELL.saturating_sub(since.elapsed()));
            let again = self.again.as_ref().map(again::Again::patience);
            let sleep = due.into_iter().chain(flush).chain(empty).chain(farewell).chain(again).min();
            tokio::select! {
                biased;
                () = signals.child.recv_unit() => self.reap(),
                input = self.rx.recv() => {
                    if let Some(input) = input {
                        self.take(input);
                        // A burst is taken as one, so that the state is written once.
                        while let Ok(input) = self.rx.try_recv() {
                            self.take(input);
                        }
                    }
                }
                () = signals.end.recv_unit() => self.end(Ending::Stopped),
                () = signals.interrupt.recv_unit() => self.end(Ending::Stopped),
                () = signals.hangup.recv_unit() => self.hang_up(),
                () = nap(sleep) => self.fire(),
            }
        }
        let again = match (&server, self.again.take()) {
            (Some(server), Some(again)) => Some(self.leave_to(again, server).await?),
            _ => None,
        };
        if let Some(server) = server {
            server.close().await;
        }
        let outcome = self.finish()?;
        Ok(Outcome { again, ..outcome })
    }

    fn fire(&mut self) {
        let now = sys::monotonic();
        while let Some((at, id)) = self.deadlines.first().cloned().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, Rc::clone(&id)));
            self.queue.push_back((id, Event::Deadline));
        }
        self.look_at_files(now);
        self.run_tasks(now);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(id, event) => self.queue.push_back((id, event)),
            Input::Seen(id, run, seen) => {
                if self.units.get(&id).is_some_and(|unit| *unit.invocation == *run) {
                    self.seen(&id, seen);
                }
            }
            Input::Request(ask, answer) => self.ask(ask, answer),
            Input::Recheck(id) => self.recheck(&id),
            Input::Jobs => self.advance_jobs(),
            Input::Delayed(id) => {
                let unit = self.units.get(&id);
                if unit.is_some_and(|unit| unit.state.wanted == machine::Wanted::Up && unit.state.current.at_rest()) {
                    self.queue.push_back((id, Event::Start));
                }
            }
            Input::Reloaded(id, result) => {
                self.tell_reload(&id, &result);
                self.reloaded(&id, &result);
                self.change_done(&id, result);
            }
            Input::Touched(touches) => self.touched(touches),
            Input::ClockSet => self.clock_was_set(),
            Input::Checked(id, run, result) => {
                self.checked(&id, &run, result);
            }
            Input::LogTrouble(id, trouble) => self.log_trouble(&id, trouble),
            Input::HookFailed(id, why) => self.hook_failed(&id, why),
        }
        self.pump();
    }

    /// Gives every event that waits to the machine, and carries out what comes of it.
    fn pump(&mut self) {
        while let Some((id, event)) = self.queue.pop_front() {
            let roll = self.roll();
            let Some(unit) = self.units.get_mut(&id) else { continue };
            let now = Now { at: sys::monotonic(), roll };
            let before = (unit.state.current, unit.state.deadline);
            let cue = Cue::of(&event);
            let state = std::mem::replace(&mut unit.state, machine::State::new(machine::Wanted::Down, now.at));
            let (state, actions) = machine::step(&unit.policy, state, event, now);
            unit.state = state;
            let after = (unit.state.current, unit.state.deadline);
            if before.1 != after.1 {
                if let Some(at) = before.1 {
                    self.deadlines.remove(&(at, Rc::clone(&id)));
                }
                if let Some(at) = after.1 {
                    self.deadlines.insert((at, Rc::clone(&id)));
                }
            }
            if before.0 != Current::Clearing && after.0 != Current::Clearing {
                self.clearing.remove(&id);
            }
            self.dirty = true;
            if before.0 != after.0 {
                unit.waiting = None;
                // Before the actions: the first signal is the first line of the report.
                unit.stop_ladder(before.0);
            }
            self.tell_step(&id, cue, before.0);
            for action in actions {
                self.act(&id, action);
            }
            if before.0 != after.0 {
                self.changed(&id, before.0);
            }
            if self.queue.is_empty() {
                self.advance_jobs();
            }
        }
    }

    /// A unit went from one state to another.
    fn changed(&mut self, id: &Id, before: Current) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let current = unit.state.current;
        if before == Current::Clearing && current != Current::Clearing {
            self.clearing.remove(id);
        }
        let name = unit.service.name.clone();
        self.tell_above(id);
        self.follow_watch(id, before);
        self.follow_schedule(id, before);
        for dependent in self.dependents.get(&name).cloned().unwrap_or_default() {
            self.check_dependencies(&dependent);
        }
        if let Some(unit) = self.units.get_mut(id)
            && !before.at_rest()
            && (current.at_rest() || current == Current::Armed)
            && let Some(group) = unit.cgroup.take()
        {
            group.remove();
        }
        if current.at_rest() && self.units.get(id).is_some_and(|unit| unit.leaving) {
            self.forget(id);
        }
    }

    fn reap(&mut self) {
        while let Some((pid, ended)) = sys::reap() {
            if let Some(id) = self.mains.remove(&pid) {
                self.main_ended(&id, ended);
            } else {
                self.commands.ended(pid, ended);
            }
        }
        for id in self.clearing.clone() {
            self.recheck(&id);
        }
        self.pump();
    }

    fn main_ended(&mut self, id: &Id, ended: machine::Ended) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.ended_at = Some(jiff::Timestamp::now());
            for pipe in &unit.pipes {
                pipe.drain(&self.buffer);
            }
        }
        self.queue.push_back((Rc::clone(id), Event::Exited(ended)));
    }

    fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        if ending == Ending::Stopped {
            self.tell_above_stopping();
            self.stop_everything();
        }
        self.pump();
    }

    fn hang_up(&mut self) {
        if self.options.serve {
            // What is wrong with a spec is told to who asks by `load`.
            let _ = self.load();
        } else {
            let ids: Vec<Id> = self.units.keys().cloned().collect();
            self.queue.extend(ids.into_iter().map(|id| (id, Event::Reload)));
        }
        self.pump();
    }

    fn is_over(&mut self) -> bool {
        if !self.is_done() {
            self.farewell = None;
            return false;
        }
        // The last events still go to who asked for them, for a while.
        let since = *self.farewell.get_or_insert_with(Instant::now);
        self.ending == Some(Ending::Leave) || self.events.all_delivered() || since.elapsed() >= hooks::FAREWELL
    }

    fn is_done(&self) -> bool {
        let at_rest = || self.units.values().all(|unit| unit.state.current.at_rest());
        match self.ending {
            Some(Ending::Leave) => true,
            Some(Ending::Again) => {
                self.jobs.is_empty() || self.again.as_ref().is_none_or(|again| again.patience().is_zero())
            }
            Some(Ending::Stopped) => at_rest() && self.jobs.is_empty(),
            None if self.empty_since.is_some_and(|since| since.elapsed() >= EMPTY) => self.jobs.is_empty(),
            None => self.options.end_at_rest && at_rest(),
        }
    }

    fn finish(mut self) -> Result<Outcome> {
        self.tell_events();
        let well = !self.units.values().any(|unit| matches!(unit.state.current, Current::Failed | Current::GaveUp));
        let goes_on = matches!(self.ending, Some(Ending::Leave | Ending::Again));
        for unit in self.units.values_mut() {
            if goes_on {
                // The next one goes on in the middle of a line.
                unit.unfinished = unit.pipes.iter().map(|pipe| pipe.drain_whole(&self.buffer)).collect();
                continue;
            }
            for pipe in &unit.pipes {
                pipe.drain(&self.buffer);
            }
        }
        if self.options.serve && self.ending != Some(Ending::Again) {
            let _ = std::fs::remove_file(super::control::socket(&self.options.layout));
        }
        let state = super::state::in_folder(&self.options.runtime);
        if goes_on {
            self.flush()?;
        } else if self.options.pass_on && !well {
            // The manager above will know that its host ended, and not why: that is kept for who asks.
            self.flush()?;
            let ended = super::state::ended_in_folder(&self.options.runtime);
            std::fs::rename(&state, &ended).doing(format_args!("write `{}`", ended.display()))?;
            self.say_why();
        } else {
            // The next one begins by the intents, not where this one ended.
            let _ = std::fs::remove_file(state);
        }
        Ok(Outcome { well, again: None })
    }

    /// Tells the log of the manager above what the units came to.
    fn say_why(&self) {
        for (id, unit) in &self.units {
            let record = unit.record();
            let last = record.last_exit().map(|last| last.reason);
            let why: Vec<String> = unit.state.reason.iter().cloned().chain(last).collect();
            eprintln!("daemonctl host: `{id}` {}: {}", unit.state.word().name(), why.join("; it "));
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.dirty = false;
        if !self.options.persist {
            return Ok(());
        }
        let began = Instant::now();
        let result = self.write_state();
        self.flushed = Instant::now();
        self.flush_cost = began.elapsed();
        if result.is_err() {
            // Tried again until there is room, and in no hurry.
            self.dirty = true;
            self.flush_cost = Duration::from_millis(100);
        }
        result
    }

    fn write_state(&self) -> Result<()> {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let file = StateFile {
            version: VERSION,
            daemonctl: env!("CARGO_PKG_VERSION").to_owned(),
            boot: self.boot.clone(),
            supervisor: sys::identify(pid).unwrap_or(sys::Identity { pid, started: 0 }),
            units: self.units.iter().map(|(id, unit)| (id.to_string(), unit.record())).collect(),
        };
        let path = super::state::in_folder(&self.options.runtime);
        let unfinished = path.with_extension("json.new");
        let text = serde_json::to_vec(&file).unwrap_or_default();
        std::fs::write(&unfinished, text).doing(format_args!("write `{}`", unfinished.display()))?;
        std::fs::rename(&unfinished, &path).doing(format_args!("replace `{}`", path.display()))
    }

    /// A number from 0 to 1, by xorshift: jitter needs no better.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of it are kept")]
    fn roll(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() | 1
}

/// Sleeps so long; for ever without a time.
async fn nap(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

struct Signals {
    child: Signal,
    end: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let catch = |kind| signal(kind).doing("catch signals");
        Ok(Self {
            child: catch(SignalKind::child())?,
            end: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }
}

trait ReceiveUnit {
    async fn recv_unit(&mut self);
}

impl ReceiveUnit for Signal {
    async fn recv_unit(&mut self) {
        if self.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
