//! What only launchd has: its faults, its sessions, its boots.

mod boot;
mod causes;
mod faults;
mod for_ever;
mod hangs;
mod inside;
mod pended;
mod reports_differ;
mod unified;
mod updates;
