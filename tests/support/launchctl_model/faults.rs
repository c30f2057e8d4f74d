//! Faults that a test injects: what goes wrong, at which call.

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// It fails with this code and does nothing.
    Fail(i32),
    /// It fails with this code, though it has done it.
    FailAfter(i32),
    /// It says that all is well and does nothing.
    Nothing,
    /// It never answers and does nothing.
    Hang,
    /// It never answers, though it has done it.
    HangAfter,
    /// It is done after so many milliseconds.
    Delay(u64),
    /// Only so many bytes of what it prints arrive.
    Truncate(usize),
    /// Its complaints are in these words.
    Words(String),
}

/// One fault.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) verb: String,
    /// Only calls one of whose words ends so.
    #[serde(default)]
    pub(crate) of: Option<String>,
    /// So many calls go well first.
    #[serde(default)]
    pub(crate) after: u32,
    /// So often; 0: always.
    #[serde(default)]
    pub(crate) times: u32,
    pub(crate) what: What,
    /// How often it struck.
    #[serde(default)]
    pub(crate) struck: u32,
    #[serde(default)]
    pub(crate) passed: u32,
}

/// The fault that strikes a call.
pub(crate) fn strike(faults: &mut [Fault], args: &[String]) -> Option<What> {
    let fits = |fault: &Fault| {
        args.first().is_some_and(|verb| *verb == fault.verb)
            && fault.of.as_ref().is_none_or(|end| args.iter().any(|word| word.ends_with(end.as_str())))
            && (fault.times == 0 || fault.struck < fault.times)
    };
    let fault = faults.iter_mut().find(|fault| fits(fault))?;
    if fault.passed < fault.after {
        fault.passed += 1;
        return None;
    }
    fault.struck += 1;
    Some(fault.what.clone())
}
