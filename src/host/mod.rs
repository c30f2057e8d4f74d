//! The host: daemonctl's own supervisor.
//!
//! `machine` decides, and is pure; the rest are its senses and its hands.

pub mod env;
pub mod logs;
pub mod machine;
pub mod sys;
pub mod words;
