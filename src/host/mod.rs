//! The host: daemonctl's own supervisor. One event-driven loop for N services.
//!
//! `machine` decides, and is pure; the rest are its senses and its hands. `engine` is the loop, `logs` what services
//! write, `watch` the files whose change means something, `schedule` when
//! tasks run, `threshold` what of their use is worth an event, `wall` the clock that people read, `state` what others read of it, `control` and `client` how it
//! is talked to, `sys` what differs by operating
//! system.
//!
//! Where things lie (see [`Layout`](crate::layout::Layout)): in the runtime folder the lock, the control socket, `state.json` and each unit's
//! pipe; in the state folder the specs, and `intents.json` (what somebody wanted last) and `enabled/UNIT` (started with
//! the supervisor). A supervisor that is killed leaves its services running; the next one finds them in `state.json`,
//! and those it did not have the time to write down by the mark in their environment. What is in pipes and sockets at that
//! time is held by the supervisor's keeper, a small process that it forks at its start (`sys/unix/keeper`): a service and its
//! supervisor may be killed together, and the last line is still written. With PID 1 everything ends, `run` ends its
//! services, and a manager above starts a shim again and ends what is left of its service, or has one for each service: they
//! have no keeper.

pub mod client;
pub mod control;
pub mod engine;
pub mod env;
pub mod events;
pub mod glance;
pub mod intent;
pub mod logs;
pub mod machine;
pub mod schedule;
pub mod state;
pub mod sys;
pub mod threshold;
pub mod wall;
pub mod watch;
pub mod words;

mod entry;
mod service;
pub use client::{ensure, reexec, renew, shut_down};
pub use entry::{Supervise, read_spec, run_foreground, run_one, supervise};
pub use service::{console_event, run_service};
