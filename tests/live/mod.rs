//! The contract of each verb, the same on every backend: one file a behaviour. What is tested by signals, permission bits or
//! a shell is tested where there are such.

#[cfg(unix)]
mod alerts;
#[cfg(unix)]
mod child;
mod concurrency;
mod crash_loop;
#[cfg(unix)]
mod crash_safety;
mod dependencies;
mod drift;
mod enable;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod health;
mod hooks;
#[cfg(unix)]
mod hosted;
mod hostile;
#[cfg(unix)]
mod instances;
mod log_files;
mod logs;
#[cfg(unix)]
mod main_job;
mod names;
#[cfg(unix)]
mod one_manifest;
mod oneshot;
mod ownership;
#[cfg(unix)]
mod reload;
mod removal;
mod schedule;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod security;
mod start;
mod stop;
mod watch;
