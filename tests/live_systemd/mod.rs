//! What only systemd has.

mod foreign_units;
mod linger;
mod notify;
mod parser;
mod plain_user;
