//! One TOML manifest says how a program runs as a service; `daemonctl` makes native services of it, or runs it under its
//! own supervisor where a machine has no service manager.
//!
//! Three promises, which every part of the code serves:
//! 1. **Nothing is dropped in silence.** Each key is met natively, met by the host, or refused with its position
//!    ([`backend::Answer`]).
//! 2. **Nothing is left half done.** The machine changes only by a [`plan`] whose way back stands in the [`journal`]
//!    before the first step; `uninstall` is the [`receipt`] played backwards.
//! 3. **Nothing is claimed that was not seen.** After the last step [`apply`] looks again: unless nothing is left to
//!    do, the command has failed, and everything is put back.
//!
//! # Data flow
//! ```text
//! manifest.toml
//!    |  manifest::parse         pure: the text alone; every value keeps its position
//!    v
//! Manifest
//!    |  manifest::resolve       pure, but for what `facts::Facts` tells: defaults, overrides, paths, order
//!    v
//! Service --Backend::render--> [Artifact]        pure                          daemonctl render
//!    |                            |
//!    |   support::decide: native, host or refused, key by key                  daemonctl support
//!    v                            v
//! Goal (files, units) ---- plan::converge(now, goal) ----> [Step]              daemonctl plan
//!                                                             |  apply         THE EDGE
//!                                                             v
//!                                               Report + Receipt  -->  cli::output: text | JSON
//! ```
//! Install, uninstall, enable, rollback and recovery after a crash are one thing: each names a [`goal::Goal`], and
//! [`plan::converge`] gives the steps from what is there to it. The journal holds the goal that describes the machine
//! as it was, so there is no separate undo for each step: reaching a goal is idempotent, and a recovery that is itself
//! killed is simply taken up by the next command.
//!
//! # The purity line
//! [`manifest`], [`service`], [`key`], [`goal`], [`plan`], [`quote`] and the backends' rendering take values and return
//! values. Only [`system`], [`host`], a backend's [`backend::Manager`] and `cli::output` touch files, processes, the
//! network or standard output; `tests/boundary.rs` holds that line.
//!
//! # To add ...
//! - **a key**: declare it in its table's file in [`manifest`], put it into [`key::Key`] and into [`service`]; every
//!   backend's `answer` then fails to compile until it has chosen.
//! - **a command**: a file in [`cli`] with an `Args` and a `run`, and a line in its list.
//! - **a backend**: a folder in [`backend`], its templates in `templates/`, and a line in [`backend::ALL`]. It renders
//!   on every operating system; only its manager is bound to one.
pub mod apply;
pub mod backend;
pub mod cli;
pub mod compat;
pub mod enablement;
pub mod error;
pub mod events;
pub mod exit;
pub mod facts;
mod faults;
pub mod goal;
pub mod host;
pub mod install;
pub mod journal;
pub mod key;
pub mod layout;
pub mod logs;
pub mod manifest;
pub mod plan;
pub mod preflight;
pub mod prepare;
pub mod quote;
pub mod receipt;
pub mod report;
pub mod rolling;
pub mod secrets;
pub mod service;
pub mod session;
pub mod status;
pub mod support;
pub mod system;

pub use error::{Error, Result};
pub use exit::Exit;
