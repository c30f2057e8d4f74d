//! What only launchd has: its faults, its sessions, its boots.

mod boot;
mod causes;
mod faults;
mod for_ever;
mod hangs;
mod pended;
mod unified;
mod updates;
