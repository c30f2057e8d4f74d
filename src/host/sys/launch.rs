//! What a child is made of, whatever makes it.

use std::fs::File;
use std::path::PathBuf;

use super::{Account, Group, Sandbox};
use crate::service::{Priority, StopSignal};

/// Where a child's output goes.
#[derive(Debug)]
pub enum Output {
    /// Nowhere.
    Null,
    /// To this file or pipe.
    File(File),
    /// For standard error: where standard output goes.
    Stdout,
    /// Where ours goes.
    Inherit,
}

/// A child to be made.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub dir: PathBuf,
    /// Permission bits that its files lose. Not on Windows: there they inherit the access list of their folder.
    pub umask: Option<u32>,
    /// Who it runs as. On Windows that is who we run as.
    pub account: &'a Account,
    /// The control group or job, with its limits, that it joins.
    pub group: Option<&'a Group>,
    /// The mark of its run; empty: none. On Windows its job is its mark.
    pub mark: &'a str,
    /// What it is shut into.
    pub sandbox: Option<&'a Sandbox>,
    /// Most open files. Windows has no such limit.
    pub open_files: Option<u64>,
    /// How it will be asked to end: on Windows Ctrl-Break needs a process group, which knows no Ctrl-C.
    pub stop: StopSignal,
    /// How it is scheduled.
    pub priority: Option<Priority>,
    /// Standard input; None: it is empty.
    pub stdin: Option<File>,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
}
