//! The event loop: one for all units of a scope.
//!
//! Everything that happens (a child's end, a line in a pipe, an answer to a probe, a request, a deadline) becomes an
//! [`Input`]; `machine::step` decides; [`act`] carries out. Tasks hold no state of units: they tell the loop. It sleeps
//! until the next event or the next deadline, and nothing ticks.
//!
//! `run` is the loop, `queue` the events that it carries out, `end` its end and `persist` the state file; `unit` is what is
//! kept of a unit, and `its` of its service; the hands are `act`, `spawn` with `setting` (who a process is run as) and
//! `credentials`, and `work` (conditions, hooks, commands); `pipes`, `keep`, `pump`, `pace` and
//! `capture` the output, and `archive` what becomes of rotated files; `jobs` and `advance` the requests that wait for units, `depend` the order, `load` the specs,
//! intents and the takeover, `events` what is told of units and `hooks` to whom with `calls`, `command`, `http`, `probe`, `watch` and
//! `notify` the senses, `sign` what webhooks are signed with, `sample` what services use, `files` the watched files, `tasks` the schedules, `serve`
//! the control socket.

mod act;
mod advance;
mod again;
mod archive;
mod calls;
mod capture;
mod command;
mod credentials;
mod depend;
mod end;
mod events;
mod files;
mod hooks;
mod http;
mod its;
mod jobs;
mod keep;
mod load;
mod notify;
mod pace;
mod persist;
mod pipes;
mod probe;
mod pump;
mod queue;
mod run;
mod sample;
mod serve;
mod setting;
mod sign;
mod spawn;
mod tasks;
mod tree;
mod unit;
mod watch;
mod work;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use self::command::Commands;
use self::jobs::Job;
use self::unit::Unit;
use super::logs::handover::Buffer;
use super::machine::{Event, Moment};
use super::sys;
use crate::exit::Exit;
use crate::layout::Layout;
use crate::service::Service;

/// A supervisor that was started on demand ends so long after its last unit was removed.
const EMPTY: Duration = Duration::from_secs(1);

/// Accounts by user and group.
type Accounts = HashMap<(Option<String>, Option<String>), sys::Account>;

/// So often the receipts are looked at again that are too young to be counted on.
const SURVEYS: u32 = 5;

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
    /// The same on standard error: our output is for something else.
    Aside,
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
    /// A log of a unit was rotated.
    Rotated(Id),
    /// An event hook of a unit did not take its event.
    HookFailed(Id, String),
    /// The reload action of a unit is done.
    Reloaded(Id, Result<(), String>),
    /// Something happened in watched folders.
    Touched(Vec<sys::Touch>),
    /// The wall clock was set.
    ClockSet,
    /// The keeper that is this process is gone.
    KeeperGone(i32),
    /// The check or command after a change of a run's files is done.
    Checked(Id, Rc<str>, Result<(), String>),
}

/// What the watchers of a run see.
enum Seen {
    Ready,
    Check {
        name: &'static str,
        ok: bool,
        message: Option<String>,
    },
    Unhealthy(String),
    Notify(String),
    /// Its program has had the time that programs take here until they run.
    Loaded,
    FarExit,
    /// It was asked to end and did not, for half of its time.
    StillThere,
}

/// What a run of the engine came to.
#[derive(Debug)]
pub struct Outcome {
    /// No unit failed or gave up.
    pub well: bool,
    /// The exit code that one which failed left, if any did.
    pub code: Option<i32>,
    /// This process is to become that program, with this socket.
    pub again: Option<(PathBuf, sys::Socket)>,
}

impl Outcome {
    /// What a command that waited for it exits with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        if self.well { Exit::Done } else { Exit::ServiceFailed }
    }
}

/// The loop and what it holds.
pub struct Engine {
    options: Options,
    /// What to begin with.
    given: Vec<Service>,
    units: BTreeMap<Id, Box<Unit>>,
    commons: its::Commons,
    /// Units that wait for one of a service's name.
    dependents: HashMap<String, Vec<Id>>,
    mains: HashMap<i32, Id>,
    clearing: BTreeSet<Id>,
    /// Units whose trees are to be looked at, and from when on they may be.
    unlooked: BTreeSet<Id>,
    look_from: Instant,
    deadlines: BTreeSet<(Moment, Id)>,
    queue: queue::Queue,
    /// Until then events are carried out in this turn of the loop; None: until none is left.
    turn_ends: Option<Instant>,
    commands: Commands,
    /// Those that were asked for, as this turn of the loop has seen them.
    accounts: RefCell<Accounts>,
    watches: files::Watches,
    /// When which task is due.
    runs_due: BTreeSet<(Moment, Id)>,
    /// It waits for changes of the wall clock; None: no task needs it.
    clock: Option<tokio::task::AbortHandle>,
    /// When which unit is looked at for its thresholds.
    samples: BTreeSet<(Moment, Id)>,
    jobs: Vec<Job>,
    /// Units of which the jobs are to hear.
    touched: BTreeSet<Id>,
    /// When those have lived for long enough that jobs wait for to be up.
    settling: BTreeSet<(Moment, Id)>,
    tx: mpsc::UnboundedSender<Input>,
    rx: mpsc::UnboundedReceiver<Input>,
    pumps: Rc<pump::Pumps>,
    /// Marks of our services start with it.
    mark: String,
    boot: String,
    dirty: bool,
    /// See [`StateFile::installed`](super::state::StateFile::installed).
    installed: Option<std::time::SystemTime>,
    /// See [`StateFile::enabled`](super::state::StateFile::enabled).
    enabled_at: Option<std::time::SystemTime>,
    /// How often those are tried again.
    surveys: u32,
    /// Events since memory was given back, and when that is to be done next.
    burst: u32,
    spared_at: Option<Instant>,
    /// What is wanted of some unit is not on disk.
    intents_unkept: bool,
    flushed: Instant,
    flush_cost: Duration,
    ending: Option<Ending>,
    /// Since when there is no unit any more.
    empty_since: Option<Instant>,
    hostname: String,
    random: u64,
    passed_on: Option<notify::Above>,
    events: events::Events,
    keeping: keep::Keeping,
    /// The control socket that the program before us left.
    socket: Option<sys::Socket>,
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
        let hostname = sys::hostname();
        let boot = sys::boot_id();
        let buffer = (options.persist && sys::SERVICES_OUTLIVE_HOST).then(|| {
            Buffer::in_folder(&options.runtime, &boot).unwrap_or_else(|error| {
                eprintln!(
                    "daemonctl host: output that is read and not yet written would go with this process: {error}"
                );
                Buffer::private()
            })
        });
        let buffer = buffer.unwrap_or_else(Buffer::private);
        Self {
            mark: load::mark(&options.runtime),
            passed_on: options.pass_on.then(notify::Above::find).flatten(),
            events: events::Events::new(&options),
            farewell: None,
            keeping: keep::Keeping::default(),
            socket: None,
            again: None,
            options,
            given: Vec::new(),
            units: BTreeMap::new(),
            commons: its::Commons::default(),
            dependents: HashMap::new(),
            mains: HashMap::new(),
            clearing: BTreeSet::new(),
            unlooked: BTreeSet::new(),
            look_from: Instant::now(),
            deadlines: BTreeSet::new(),
            queue: queue::Queue::default(),
            turn_ends: None,
            commands: Commands::default(),
            accounts: RefCell::default(),
            watches: files::Watches::default(),
            runs_due: BTreeSet::new(),
            clock: None,
            samples: BTreeSet::new(),
            jobs: Vec::new(),
            touched: BTreeSet::new(),
            settling: BTreeSet::new(),
            tx,
            rx,
            pumps: Rc::new(pump::Pumps::new(capture::Hands::new(buffer))),
            boot,
            dirty: true,
            installed: None,
            enabled_at: None,
            surveys: SURVEYS,
            burst: 0,
            spared_at: None,
            intents_unkept: false,
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
    pub fn go_on(&mut self, socket: sys::Socket) {
        self.socket = Some(socket);
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits of it are kept")]
    pub(super) fn roll(&mut self) -> f64 {
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
