//! daemonctl
pub mod backend;
pub mod error;
pub mod exit;
pub mod facts;
pub mod host;
pub mod key;
pub mod layout;
pub mod logs;
pub mod manifest;
pub mod quote;
pub mod report;
pub mod service;
pub mod system;

pub use error::{Error, Result};
pub use exit::Exit;
