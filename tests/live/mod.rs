//! The contract of each verb, the same on every backend: one file a behaviour.

mod concurrency;
mod crash_loop;
mod crash_safety;
mod enable;
mod hosted;
mod hostile;
mod instances;
mod logs;
mod main_job;
mod names;
mod ownership;
mod schedule;
mod start;
mod stop;
mod watch;
