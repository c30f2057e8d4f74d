//! The contract of each verb, the same on every backend: one file a behaviour.

mod child;
mod concurrency;
mod crash_loop;
mod crash_safety;
mod dependencies;
mod drift;
mod enable;
mod folders;
mod health;
mod hooks;
mod hosted;
mod hostile;
mod instances;
mod log_files;
mod logs;
mod main_job;
mod names;
mod oneshot;
mod ownership;
mod reload;
mod removal;
mod schedule;
mod secrets;
mod start;
mod stop;
mod watch;
