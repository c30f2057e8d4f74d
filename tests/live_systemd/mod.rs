//! What only systemd has.

mod foreign_units;
mod notify;
