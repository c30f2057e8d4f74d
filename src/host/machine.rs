//! The heart of the host: what happens to one service. Pure: no clock, no process, no file.
//!
//! [`step`] takes the policy, the state, one event and the time, and gives the next state and what is to be done. The
//! state is a pair: what is wanted, and what is. Every legal pair:
//!
//! | current    | a process lives | wanted up                               | wanted down                      |
//! |------------|-----------------|-----------------------------------------|----------------------------------|
//! | `Stopped`  | no              | ended with success, and not restarted   | down, as wanted                  |
//! | `Completed`| no              | a oneshot that has succeeded            | -                                |
//! | `Failed`   | no              | ended with a failure, not restarted     | -                                |
//! | `GaveUp`   | no              | ended too often                         | -                                |
//! | `Armed`    | no              | a task that waits for its schedule      | -                                |
//! | `Held`     | no              | waits for other services                | -                                |
//! | `Waiting`  | no              | waits for its `wait_for` conditions     | -                                |
//! | `PreStart` | no              | its hooks run                           | -                                |
//! | `Spawning` | being made      | `Spawned` or `SpawnFailed` comes        | the same; it ends at once then   |
//! | `Unready`  | yes             | until it is ready (a oneshot: runs)     | -                                |
//! | `PostStart`| yes             | its hooks run                           | -                                |
//! | `Running`  | yes             | up and ready                            | -                                |
//! | `PreStop`  | yes             | a restart: its hooks run                | its hooks run                    |
//! | `Asking`   | yes             | the stop command runs, for a restart    | the stop command runs            |
//! | `Ending`   | yes             | has got the signal, for a restart       | has got the signal               |
//! | `Killing`  | yes             | has got SIGKILL, for a restart          | has got SIGKILL                  |
//! | `Clearing` | the rest of it  | the main process is gone, its tree not  | the same                         |
//! | `PostStop` | no              | its hooks run, before what comes next   | its hooks run, then `Stopped`    |
//! | `Backoff`  | no              | waits for the next start                | -                                |
//!
//! What comes after an end with wanted up is in [`After`]. Every state has at most one deadline, and what a deadline
//! means follows from the state: a timeout is just another event. States serialize, and their times count from the
//! machine's boot, so a supervisor that takes over goes on with [`Event::Resume`] where the last one was killed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report;
use crate::service::{HealthAction, Kind, Restart, RestartPolicy, Service};

#[cfg(test)]
mod model;

/// Time since the machine's boot.
pub type Moment = Duration;

/// After SIGKILL, and for what is left of a tree: the time until it is looked for and killed again.
pub const KILL_AGAIN: Duration = Duration::from_secs(1);

/// What is wanted. Kept on disk; nothing but a person changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Wanted {
    Up,
    Down,
}

/// What is. The table at the head of this file explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the table at the head of the file explains each")]
pub enum Current {
    Stopped,
    Completed,
    Failed,
    GaveUp,
    Armed,
    Held,
    Waiting,
    PreStart,
    Spawning,
    Unready,
    PostStart,
    Running,
    PreStop,
    Asking,
    Ending,
    Killing,
    Clearing,
    PostStop,
    Backoff,
}

impl Current {
    /// The word for it that every backend uses.
    #[must_use]
    pub const fn word(self) -> report::State {
        match self {
            Self::Stopped => report::State::Stopped,
            Self::Completed => report::State::Completed,
            Self::Failed => report::State::Failed,
            Self::GaveUp => report::State::GaveUp,
            Self::Armed => report::State::Running,
            Self::Held | Self::Waiting | Self::PreStart | Self::Spawning | Self::Unready | Self::PostStart => {
                report::State::Starting
            }
            Self::Running => report::State::Running,
            Self::PreStop | Self::Asking | Self::Ending | Self::Killing | Self::Clearing | Self::PostStop => {
                report::State::Stopping
            }
            Self::Backoff => report::State::Backoff,
        }
    }

    /// Nothing happens any more by itself.
    #[must_use]
    pub const fn at_rest(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed | Self::GaveUp)
    }

    /// The main process lives.
    #[must_use]
    pub const fn has_main(self) -> bool {
        matches!(
            self,
            Self::Unready
                | Self::PostStart
                | Self::Running
                | Self::PreStop
                | Self::Asking
                | Self::Ending
                | Self::Killing
        )
    }

    /// On the way down.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::PreStop | Self::Asking | Self::Ending | Self::Killing | Self::Clearing | Self::PostStop)
    }
}

/// What follows when a service that is wanted up has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// What the restart policy says.
    Policy,
    /// A start at once: somebody asked for it.
    Start,
    /// A start after the policy's delay, whatever the policy: it was unhealthy.
    Retry,
    /// Nothing: it was unhealthy, and is to stay down.
    Rest,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody could see how: it was another supervisor's child.
    Unseen,
    /// It never ran; the text says why.
    Never(String),
}

impl Ended {
    /// The exit code that the lists of codes mean; a signal counts as 128 and its number, as in a shell.
    const fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128 + *signal),
            Self::Unseen | Self::Never(_) => None,
        }
    }

    fn succeeded(&self, success_codes: &[i32]) -> bool {
        matches!(self, Self::Code(0)) || self.code().is_some_and(|code| success_codes.contains(&code))
    }
}

/// Where in a service's life hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say when")]
pub enum Stage {
    PreStart,
    PostStart,
    PreStop,
    PostStop,
}

/// What the machine must know of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Service, oneshot or task.
    pub kind: Kind,
    /// When and how soon it is started again.
    pub restart: Restart,
    /// It must become ready within this time; None: it is, as soon as it runs.
    pub ready: Option<Duration>,
    /// What an unhealthy one gets.
    pub health: HealthAction,
    /// It waits for others.
    pub depends: bool,
    /// It has conditions to wait for.
    pub conditions: bool,
    /// Which hooks it has.
    pub hooks: Vec<Stage>,
    /// It has a stop command.
    pub stop_command: bool,
    /// From asking it to end to killing it; each rung has this time.
    pub stop_timeout: Duration,
}

impl Policy {
    /// The policy of a service.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let hooks = &service.hooks;
        Self {
            kind: service.kind,
            restart: service.restart.clone(),
            ready: service.ready.as_ref().map(|ready| ready.timeout),
            health: service.health.as_ref().map_or(HealthAction::Event, |health| health.action),
            depends: !(service.after.is_empty() && service.requires.is_empty() && service.wants.is_empty()),
            conditions: !service.wait_for.is_empty(),
            hooks: [
                (Stage::PreStart, &hooks.pre_start),
                (Stage::PostStart, &hooks.post_start),
                (Stage::PreStop, &hooks.pre_stop),
                (Stage::PostStop, &hooks.post_stop),
            ]
            .into_iter()
            .filter_map(|(stage, list)| (!list.is_empty()).then_some(stage))
            .collect(),
            stop_command: service.stop.command.is_some(),
            stop_timeout: service.stop.timeout,
        }
    }

    fn has(&self, stage: Stage) -> bool {
        self.hooks.contains(&stage)
    }

    /// The delay before the next start when `attempts` were made in a row; `roll` is from 0 to 1.
    #[must_use]
    pub fn delay(&self, attempts: u32, roll: f64) -> Duration {
        let base = self.restart.delay.as_secs_f64() * self.restart.factor.max(1.0).powf(f64::from(attempts.min(1000)));
        let capped = base.min(self.restart.max_delay.max(self.restart.delay).as_secs_f64());
        Duration::try_from_secs_f64(capped * (1.0 + self.restart.jitter * roll)).unwrap_or(self.restart.max_delay)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it up, now.
    Start,
    /// The schedule of a task says that it is to run now.
    Due,
    /// Somebody wants it down. `forced`: no hook can call that off.
    Stop {
        /// Failing hooks are passed over.
        forced: bool,
    },
    /// Somebody wants it stopped and started.
    Restart,
    /// Somebody wants it to read its configuration again.
    Reload,
    /// The services it waits for are up.
    DependenciesReady,
    /// One that it requires is not coming up.
    DependencyFailed(String),
    /// The conditions are met, or not, and why.
    Conditions(Result<(), String>),
    /// The hooks of a stage are done; an error is one that calls off what they stand before.
    Hooks(Stage, Result<(), String>),
    /// The program runs.
    Spawned,
    /// The program could not be run.
    SpawnFailed(String),
    /// It is ready.
    Ready,
    /// Its health check failed too often.
    Unhealthy(String),
    /// The stop command is done, well or not.
    StopCommandDone,
    /// The main process ended.
    Exited(Ended),
    /// No process of its tree is left.
    Gone,
    /// The deadline of the state has passed.
    Deadline,
    /// Another supervisor takes over; `alive`: its main process lives.
    Resume {
        /// The main process of the state was found by its identity.
        alive: bool,
    },
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell by an event when the services it waits for are up.
    AwaitDependencies,
    /// Ask the conditions.
    AskConditions,
    /// Run the hooks of a stage.
    RunHooks(Stage),
    /// Forget the conditions, hooks or stop command under way.
    Abandon,
    /// Run the program.
    Spawn,
    /// Look for readiness.
    WatchReady,
    /// Check its health.
    WatchHealth,
    /// Look for neither any more.
    Unwatch,
    /// Run the stop command.
    StopCommand,
    /// Send the stop signal to the main process.
    Signal,
    /// Send the stop signal to what is left of the tree; `Gone` when nothing is.
    SignalRest,
    /// Send SIGKILL to all that the kill scope names; `Exited` and `Gone` come of it.
    Kill,
    /// Carry out the reload action.
    Reload,
}

/// The time, and a random number from 0 to 1 for jitter.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since boot.
    pub at: Moment,
    /// 0 to 1.
    pub roll: f64,
}

/// The state of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What is wanted.
    pub wanted: Wanted,
    /// What is.
    pub current: Current,
    /// What follows an end, if wanted up.
    pub after: After,
    /// When it came into this state.
    pub since: Moment,
    /// When [`Event::Deadline`] is due.
    pub deadline: Option<Moment>,
    /// When the main process was started; None: there is none.
    pub started: Option<Moment>,
    /// Delays in a row.
    pub attempts: u32,
    /// Restarts that the limit counts.
    pub recent: Vec<Moment>,
    /// Restarts since the last start by a person.
    pub restarts: u64,
    /// How the last run ended.
    pub last: Option<Ended>,
    /// Why it was made to end, where it did not by itself.
    pub blame: Option<String>,
    /// Why it is `Failed` or `GaveUp`.
    pub reason: Option<String>,
    /// A stop that no hook can call off.
    pub forced: bool,
}

impl State {
    /// A service that was never started.
    #[must_use]
    pub const fn new(wanted: Wanted, at: Moment) -> Self {
        Self {
            wanted,
            current: Current::Stopped,
            after: After::Policy,
            since: at,
            deadline: None,
            started: None,
            attempts: 0,
            recent: Vec::new(),
            restarts: 0,
            last: None,
            blame: None,
            reason: None,
            forced: false,
        }
    }

    /// The word for it that every backend uses.
    #[must_use]
    pub const fn word(&self) -> report::State {
        match self.current {
            // As a timer of systemd: up while it waits, and failed while its last run was.
            Current::Armed if self.reason.is_some() => report::State::Failed,
            current => current.word(),
        }
    }
}

/// One event: the next state, and what is to be done, in order.
#[must_use]
pub fn step(policy: &Policy, state: State, event: Event, now: Now) -> (State, Vec<Action>) {
    let mut step = Step { policy, state, now, actions: Vec::new() };
    step.take(event);
    (step.state, step.actions)
}

struct Step<'a> {
    policy: &'a Policy,
    state: State,
    now: Now,
    actions: Vec<Action>,
}

impl Step<'_> {
    fn take(&mut self, event: Event) {
        use Current as C;
        match (event, self.state.current) {
            (Event::Stop { forced }, _) => self.stop(forced),
            (Event::Restart, C::Unready | C::PostStart | C::Running) => {
                self.fresh();
                self.state.after = After::Start;
                self.pre_stop();
            }
            (Event::Start | Event::Restart, _) => self.start(),
            (Event::Due, C::Armed) => {
                self.state.attempts = 0;
                self.state.recent.clear();
                self.held();
            }
            (Event::Reload, C::Running) => self.actions.push(Action::Reload),

            (Event::DependenciesReady, C::Held) => self.conditions(),
            (Event::DependencyFailed(why), C::Held) => {
                self.never(why.clone());
                self.rest(C::Failed, Some(why));
            }
            (Event::Conditions(Ok(())), C::Waiting) => self.pre_start(),
            (Event::Hooks(Stage::PreStart, Ok(())), C::PreStart) => self.spawn(),
            (Event::Conditions(Err(why)), C::Waiting)
            | (Event::Hooks(Stage::PreStart, Err(why)), C::PreStart)
            | (Event::SpawnFailed(why), C::Spawning) => {
                self.never(why);
                self.settle();
            }
            (Event::Spawned, C::Spawning) => self.spawned(),
            (Event::Ready, C::Unready) if self.policy.kind == Kind::Service => self.post_start(),
            (Event::Hooks(Stage::PostStart, Ok(())), C::PostStart) => self.run(),
            (Event::Hooks(Stage::PostStart, Err(why)), C::PostStart) => self.end_for(why, After::Policy),
            (Event::Unhealthy(why), C::Running) => match self.policy.health {
                HealthAction::Event => {}
                HealthAction::Restart => self.end_for(why, After::Retry),
                HealthAction::Stop => self.end_for(why, After::Rest),
            },

            (Event::Hooks(Stage::PreStop, Err(_)), C::PreStop) if !self.state.forced => {
                // The stop does not happen: the hook has the last word, and the caller is told.
                self.state.wanted = Wanted::Up;
                self.state.after = After::Policy;
                self.run();
            }
            (Event::Hooks(Stage::PreStop, _), C::PreStop) => self.ask(),
            (Event::StopCommandDone, C::Asking) => self.signal(),
            (Event::Exited(ended), current) if current.has_main() => self.exited(ended, current),
            (Event::Gone, C::Clearing) => self.post_stop(),
            (Event::Hooks(Stage::PostStop, Ok(())), C::PostStop) => self.settle(),
            (Event::Hooks(Stage::PostStop, Err(why)), C::PostStop) => match self.state.wanted {
                Wanted::Down => self.rest(C::Stopped, None),
                Wanted::Up => self.rest(C::Failed, Some(why)),
            },

            (Event::Deadline, _) if self.state.deadline.is_some_and(|at| at <= self.now.at) => self.deadline(),
            (Event::Resume { alive }, current) => self.resume(alive, current),
            // What comes too late for the state it was meant for changes nothing.
            _ => {}
        }
    }

    fn enter(&mut self, current: Current, deadline: Option<Duration>) {
        self.state.current = current;
        self.state.since = self.now.at;
        self.state.deadline = deadline.map(|after| self.now.at.saturating_add(after));
    }

    fn rest(&mut self, current: Current, reason: Option<String>) {
        self.state.reason = reason;
        // However a run of a task ended, the schedule goes on.
        let armed = self.policy.kind == Kind::Task && self.state.wanted == Wanted::Up;
        self.enter(if armed { Current::Armed } else { current }, None);
    }

    /// Somebody wants a start: what went wrong before is forgiven.
    fn fresh(&mut self) {
        self.state.wanted = Wanted::Up;
        self.state.attempts = 0;
        self.state.recent.clear();
        self.state.restarts = 0;
        self.state.forced = false;
    }

    fn start(&mut self) {
        let current = self.state.current;
        if current.at_rest() && self.policy.kind == Kind::Task {
            self.fresh();
            self.rest(Current::Armed, None);
        } else if current.at_rest() || current == Current::Backoff {
            self.fresh();
            self.held();
        } else if current.is_ending() {
            self.fresh();
            self.state.after = After::Start;
        } else {
            self.state.wanted = Wanted::Up;
        }
    }

    fn stop(&mut self, forced: bool) {
        use Current as C;
        self.state.wanted = Wanted::Down;
        self.state.forced |= forced;
        match self.state.current {
            C::Stopped | C::Completed | C::Failed | C::GaveUp | C::Armed | C::Held | C::Backoff => {
                self.rest(C::Stopped, None);
            }
            C::Waiting | C::PreStart => {
                self.actions.push(Action::Abandon);
                self.rest(C::Stopped, None);
            }
            C::Unready | C::PostStart | C::Running => self.pre_stop(),
            C::Spawning | C::PreStop | C::Asking | C::Ending | C::Killing | C::Clearing | C::PostStop => {}
        }
    }

    fn held(&mut self) {
        self.state.reason = None;
        if self.policy.depends {
            self.enter(Current::Held, None);
            self.actions.push(Action::AwaitDependencies);
        } else {
            self.conditions();
        }
    }

    fn conditions(&mut self) {
        if self.policy.conditions {
            self.enter(Current::Waiting, None);
            self.actions.push(Action::AskConditions);
        } else {
            self.pre_start();
        }
    }

    fn pre_start(&mut self) {
        if self.policy.has(Stage::PreStart) {
            self.enter(Current::PreStart, None);
            self.actions.push(Action::RunHooks(Stage::PreStart));
        } else {
            self.spawn();
        }
    }

    fn spawn(&mut self) {
        self.state.after = After::Policy;
        self.enter(Current::Spawning, None);
        self.actions.push(Action::Spawn);
    }

    fn spawned(&mut self) {
        self.state.started = Some(self.now.at);
        if self.state.wanted == Wanted::Down {
            self.ask();
        } else if self.policy.kind != Kind::Service {
            self.enter(Current::Unready, self.policy.ready);
        } else if self.policy.ready.is_some() {
            self.enter(Current::Unready, self.policy.ready);
            self.actions.push(Action::WatchReady);
        } else {
            self.post_start();
        }
    }

    fn post_start(&mut self) {
        if self.policy.has(Stage::PostStart) {
            self.enter(Current::PostStart, None);
            self.actions.push(Action::RunHooks(Stage::PostStart));
        } else {
            self.run();
        }
    }

    fn run(&mut self) {
        self.enter(Current::Running, None);
        self.actions.push(Action::WatchHealth);
    }

    fn never(&mut self, why: String) {
        self.state.last = Some(Ended::Never(why));
        self.state.blame = None;
    }

    /// The way down that somebody asked for.
    fn pre_stop(&mut self) {
        self.state.blame = None;
        self.actions.push(Action::Unwatch);
        match self.state.current {
            Current::PostStart => self.actions.push(Action::Abandon),
            Current::Running if self.policy.has(Stage::PreStop) => {
                self.enter(Current::PreStop, None);
                self.actions.push(Action::RunHooks(Stage::PreStop));
                return;
            }
            _ => {}
        }
        self.ask();
    }

    /// The way down because something is wrong with it.
    fn end_for(&mut self, why: String, after: After) {
        self.actions.push(Action::Unwatch);
        self.state.blame = Some(why);
        self.state.after = after;
        self.ask();
    }

    fn ask(&mut self) {
        if self.policy.stop_command {
            self.enter(Current::Asking, Some(self.policy.stop_timeout));
            self.actions.push(Action::StopCommand);
        } else {
            self.signal();
        }
    }

    fn signal(&mut self) {
        self.enter(Current::Ending, Some(self.policy.stop_timeout));
        self.actions.push(Action::Signal);
    }

    fn kill(&mut self, current: Current) {
        self.enter(current, Some(KILL_AGAIN));
        self.actions.push(Action::Kill);
    }

    fn exited(&mut self, ended: Ended, current: Current) {
        self.state.last = Some(ended);
        if !current.is_ending() {
            self.state.blame = None;
        }
        let ran = self.state.started.take().map(|started| self.now.at.saturating_sub(started));
        if ran.is_some_and(|ran| ran >= self.policy.restart.reset_after) {
            self.state.attempts = 0;
        }
        self.actions.push(Action::Unwatch);
        if matches!(current, Current::PostStart | Current::PreStop | Current::Asking) {
            self.actions.push(Action::Abandon);
        }
        if current == Current::Ending {
            // Who outlives the main process is asked too, in the time that is left.
            let deadline = self.state.deadline;
            self.enter(Current::Clearing, None);
            self.state.deadline = deadline;
            self.actions.push(Action::SignalRest);
        } else {
            self.kill(Current::Clearing);
        }
    }

    fn post_stop(&mut self) {
        if self.policy.has(Stage::PostStop) {
            self.enter(Current::PostStop, None);
            self.actions.push(Action::RunHooks(Stage::PostStop));
        } else {
            self.settle();
        }
    }

    /// No process is left: what now?
    fn settle(&mut self) {
        if self.state.wanted == Wanted::Down {
            return self.rest(Current::Stopped, None);
        }
        match self.state.after {
            After::Start if self.policy.kind == Kind::Task => self.rest(Current::Armed, None),
            After::Start => self.held(),
            After::Retry => self.back_off(),
            After::Rest => self.rest(Current::Failed, self.state.blame.clone()),
            After::Policy => self.by_policy(),
        }
    }

    fn by_policy(&mut self) {
        let restart = &self.policy.restart;
        let ended = self.state.last.as_ref();
        let success = self.state.blame.is_none() && ended.is_some_and(|ended| ended.succeeded(&restart.success_codes));
        if success && self.policy.kind != Kind::Service {
            return self.rest(Current::Completed, None);
        }
        let code = ended.and_then(Ended::code);
        if !success && code.is_some_and(|code| restart.prevent_codes.contains(&code)) {
            let reason = format!("{}, after which it is never started again", self.how_it_ended());
            return self.rest(Current::Failed, Some(reason));
        }
        let again = match restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => !success,
            RestartPolicy::OnSuccess => success,
            RestartPolicy::Never => false,
        };
        match (again, success) {
            (true, _) => self.back_off(),
            (false, true) => self.rest(Current::Stopped, None),
            (false, false) => self.rest(Current::Failed, Some(self.how_it_ended())),
        }
    }

    fn back_off(&mut self) {
        let restart = &self.policy.restart;
        if let Some(limit) = restart.limit {
            let now = self.now.at;
            self.state.recent.retain(|at| now.saturating_sub(*at) < limit.within);
            if self.state.recent.len() >= limit.count as usize {
                let reason = format!(
                    "restarted {} times within {}; the last run {}",
                    limit.count,
                    super::words::duration(limit.within),
                    self.how_it_ended()
                );
                return self.rest(Current::GaveUp, Some(reason));
            }
            self.state.recent.push(now);
        }
        let delay = self.policy.delay(self.state.attempts, self.now.roll);
        self.state.attempts = self.state.attempts.saturating_add(1);
        self.enter(Current::Backoff, Some(delay));
    }

    fn how_it_ended(&self) -> String {
        super::words::ended(self.state.last.as_ref(), self.state.blame.as_deref())
    }

    fn deadline(&mut self) {
        use Current as C;
        self.state.deadline = None;
        match self.state.current {
            C::Backoff => {
                self.state.restarts += 1;
                self.held();
            }
            C::Unready => {
                let within = super::words::duration(self.policy.ready.unwrap_or_default());
                let what = if self.policy.kind == Kind::Service { "become ready" } else { "end" };
                self.end_for(format!("did not {what} within {within}"), After::Policy);
            }
            C::Asking => {
                self.actions.push(Action::Abandon);
                self.signal();
            }
            C::Ending | C::Killing => self.kill(C::Killing),
            C::Clearing => self.kill(C::Clearing),
            _ => {}
        }
    }

    /// Everything that was under way in the last supervisor is begun again, except what lives in the service.
    fn resume(&mut self, alive: bool, current: Current) {
        use Current as C;
        if current.has_main() && !alive {
            return self.exited(Ended::Unseen, current);
        }
        let action = match current {
            C::Held => Action::AwaitDependencies,
            C::Waiting => Action::AskConditions,
            C::PreStart => Action::RunHooks(Stage::PreStart),
            C::Spawning if alive => return self.spawned(),
            C::Spawning if self.state.wanted == Wanted::Down => return self.rest(C::Stopped, None),
            C::Spawning => Action::Spawn,
            C::Unready if self.policy.kind == Kind::Service => Action::WatchReady,
            C::Stopped | C::Completed | C::Failed | C::GaveUp | C::Armed | C::Backoff | C::Unready => return,
            C::PostStart => Action::RunHooks(Stage::PostStart),
            C::Running => Action::WatchHealth,
            C::PreStop => Action::RunHooks(Stage::PreStop),
            C::Asking => Action::StopCommand,
            C::Ending => Action::Signal,
            C::Killing | C::Clearing => Action::Kill,
            C::PostStop => Action::RunHooks(Stage::PostStop),
        };
        self.actions.push(action);
    }
}
