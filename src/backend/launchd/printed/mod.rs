//! What `launchctl` prints, read with care: it is text for people, no two versions print alike, and the manual says that it
//! is no interface. So only what is needed is looked for, anything else is passed over, and what is not understood stays
//! unknown; it is never taken for "stopped".

pub(super) mod disabled;
pub(super) mod job;
pub(super) mod list;
pub(super) mod unified;
