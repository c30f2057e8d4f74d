//! What happens to a service, and what is to be done about it.

use serde::{Deserialize, Serialize};

use super::{Ended, Moment};

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
