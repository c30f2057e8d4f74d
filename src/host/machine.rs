//! The heart of the host: what happens to one service. Pure: no clock, no process, no file.
//!
//! [`step()`] takes the policy, the state, one event and the time, and gives the next state and what is to be done. The
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

mod down;
mod event;
#[cfg(test)]
mod model;
mod next;
mod policy;
mod state;
mod step;
#[cfg(test)]
mod stories;
mod up;

pub use self::event::{Action, Event, Now, Stage};
pub use self::policy::Policy;
pub use self::state::{After, Current, Ended, Moment, State, Wanted};

/// After SIGKILL, and for what is left of a tree: the time until it is looked for and killed again.
pub const KILL_AGAIN: Duration = Duration::from_secs(1);

/// One event: the next state, and what is to be done, in order.
#[must_use]
pub fn step(policy: &Policy, state: State, event: Event, now: Now) -> (State, Vec<Action>) {
    let mut step = step::Step { policy, state, now, actions: Vec::new() };
    step.take(event);
    (step.state, step.actions)
}
