//! Commands around a service, and what is told of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Argv, Secret};

/// A command around a service's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What is run.
    pub action: HookAction,
    /// Then it is killed, and has failed.
    pub timeout: Duration,
    /// What its failure means.
    pub on_failure: HookFailure,
    /// With a webhook: the key that its requests are signed with. Never a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookAction {
    /// A command.
    Command(Argv),
    /// A POST request; for `event` only.
    Webhook(String),
}

/// What a hook's failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookFailure {
    /// What it stands before does not happen.
    Abort,
    /// It is only told.
    Ignore,
}

/// Commands around a service's life, each list in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say when")]
pub struct Hooks {
    pub pre_start: Vec<Hook>,
    pub post_start: Vec<Hook>,
    pub pre_stop: Vec<Hook>,
    pub post_stop: Vec<Hook>,
    pub event: Vec<Hook>,
}
