//! The keys of a property list that launchd reads, each with its type: `[service.NAME.launchd]` is checked against them,
//! and so is everything that is rendered, by the tests. After launchd.plist(5).

use serde_json::Value;

use super::text;
use crate::layout::Scope;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    /// A whole number, and the least that makes sense.
    Whole(i64),
    Text,
    Texts,
    TextOrTexts,
    TextOrWhole,
    TextTable,
    BoolOrTable,
    /// A table of whole numbers.
    WholeTable,
    Table,
    TableOrTables,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One or several of these words.
    Words(&'static [&'static str]),
}

/// Who may have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    Daemons,
    Agents,
    /// Nobody any more; the text says since when or what instead.
    Nobody(&'static str),
    /// daemonctl writes it from this key of the manifest.
    Ours(&'static str),
}

use For::{Agents, All, Daemons, Nobody, Ours};
use Shape::{
    Bool, BoolOrTable, Table, TableOrTables, Text, TextOrTexts, TextOrWhole, TextTable, Texts, Whole, WholeTable, Word,
    Words,
};

const SESSIONS: &[&str] = &["Aqua", "Background", "LoginWindow", "StandardIO", "System"];
const PROCESS_TYPES: &[&str] = &["Background", "Standard", "Adaptive", "Interactive"];

const KEYS: &[(&str, Shape, For)] = &[
    ("AbandonProcessGroup", Bool, Ours("stop.kill")),
    ("AssociatedBundleIdentifiers", TextOrTexts, All),
    ("BundleProgram", Text, Nobody("it works only in the bundle of an application that registers it")),
    ("Debug", Bool, Nobody("it is deprecated and does nothing")),
    ("Disabled", Bool, Ours("start")),
    ("EnableGlobbing", Bool, Nobody("it is deprecated and does nothing")),
    ("EnablePressuredExit", Bool, All),
    ("EnableTransactions", Bool, All),
    ("EnvironmentVariables", TextTable, Ours("env")),
    ("ExitTimeOut", Whole(1), Ours("stop.timeout")),
    ("GroupName", Text, Ours("group")),
    ("HardResourceLimits", WholeTable, All),
    ("HopefullyExitsFirst", Bool, Nobody("it is deprecated and does nothing")),
    ("HopefullyExitsLast", Bool, Nobody("it is deprecated and does nothing")),
    ("InitGroups", Bool, Daemons),
    ("KeepAlive", BoolOrTable, Ours("restart.policy")),
    ("Label", Text, Ours("label")),
    ("LaunchEvents", Table, All),
    ("LaunchOnlyOnce", Bool, All),
    ("LegacyTimers", Bool, All),
    ("LimitLoadFromHardware", Table, All),
    ("LimitLoadFromHosts", Texts, Nobody("it is no longer supported")),
    ("LimitLoadToHardware", Table, All),
    ("LimitLoadToHosts", Texts, Nobody("it is no longer supported")),
    ("LimitLoadToSessionType", Words(SESSIONS), Agents),
    ("LowPriorityBackgroundIO", Bool, All),
    ("LowPriorityIO", Bool, All),
    ("MachServices", Table, All),
    ("MaterializeDatalessFiles", Bool, All),
    ("Nice", Whole(-20), Ours("limits.priority")),
    ("OnDemand", Bool, Nobody("it is deprecated; `restart.policy` says the same")),
    ("ProcessType", Word(PROCESS_TYPES), All),
    ("Program", Text, Ours("exec")),
    ("ProgramArguments", Texts, Ours("exec")),
    ("QueueDirectories", Texts, All),
    ("RootDirectory", Text, Daemons),
    ("RunAtLoad", Bool, Ours("start")),
    ("ServiceIPC", Bool, Nobody("it is deprecated and does nothing")),
    ("SessionCreate", Bool, All),
    ("Sockets", Table, All),
    ("SoftResourceLimits", WholeTable, All),
    ("StandardErrorPath", Text, Ours("logs.stderr")),
    ("StandardInPath", Text, All),
    ("StandardOutPath", Text, Ours("logs.stdout")),
    ("StartCalendarInterval", TableOrTables, Ours("schedule.calendar")),
    ("StartInterval", Whole(1), Ours("schedule.every")),
    ("StartOnMount", Bool, All),
    ("ThrottleInterval", Whole(1), All),
    ("TimeOut", Whole(0), Nobody("launchd never implemented it; `stop.timeout` is what ends a stop")),
    ("Umask", TextOrWhole, Ours("umask")),
    ("UserEnvironment", TextTable, Nobody("it is deprecated and does nothing")),
    ("UserName", Text, Ours("user")),
    ("WaitForDebugger", Bool, Nobody("it would keep the job from running")),
    ("WatchPaths", Texts, All),
    ("WorkingDirectory", Text, Ours("working_dir")),
    ("inetdCompatibility", Table, All),
];

/// Resources of `SoftResourceLimits` and `HardResourceLimits`.
const RESOURCES: &[&str] = &[
    "CPU",
    "Core",
    "Data",
    "FileSize",
    "MemoryLock",
    "NumberOfFiles",
    "NumberOfProcesses",
    "ResidentSetSize",
    "Stack",
];

/// What is wrong with a table of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    pub(super) remedy: String,
}

fn fault(why: impl Into<String>, remedy: impl Into<String>) -> Result<(), Fault> {
    Err(Fault { why: why.into(), remedy: remedy.into() })
}

/// Whether the table may stand in a job of this scope, placed last.
pub(super) fn check(native: &Value, scope: Scope) -> Result<(), Fault> {
    let table = match native {
        Value::Null => return Ok(()),
        Value::Object(table) => table,
        _ => return fault("it is no table of keys", "write `[service.NAME.launchd]` as `Key = value`"),
    };
    for (key, value) in table {
        let Some((_, shape, whose)) = KEYS.iter().find(|(name, ..)| name == key) else {
            let meant = crate::manifest::nearest(key, KEYS.iter().map(|(name, ..)| *name));
            return fault(
                format!("launchd knows no key `{key}`"),
                meant.map_or_else(
                    || "launchd.plist(5) has the list".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                ),
            );
        };
        match (whose, scope) {
            (Nobody(why), _) => return fault(format!("`{key}`: {why}"), "leave it out"),
            (Ours(ours), _) => {
                return fault(format!("`{key}` is daemonctl's to write"), format!("use `{ours}` of the service"));
            }
            (Daemons, Scope::User) => {
                return fault(
                    format!("`{key}` is for daemons, and launchd passes it over in an agent"),
                    "leave it out, or install in system scope (`--system`)",
                );
            }
            (Agents, Scope::System) => {
                return fault(
                    format!("`{key}` is for agents: the system domain has no sessions"),
                    "leave it out, or install in user scope (`--user`)",
                );
            }
            (All, _) | (Daemons, Scope::System) | (Agents, Scope::User) => {}
        }
        if let Err(expected) = fits(*shape, value) {
            return fault(format!("`{key}` is {expected}"), "launchd.plist(5) has the types of the keys");
        }
        if let Some(why) = unwritable(value) {
            return fault(format!("a text of `{key}` {why}"), "leave it out");
        }
        if matches!(key.as_str(), "SoftResourceLimits" | "HardResourceLimits") {
            let mut names = value.as_object().into_iter().flat_map(|table| table.keys());
            if let Some(bad) = names.find(|name| !RESOURCES.contains(&name.as_str())) {
                return fault(
                    format!("`{key}` has no resource `{bad}`"),
                    format!("there are {}", RESOURCES.join(", ")),
                );
            }
            if value.get("NumberOfFiles").is_some() {
                return fault(
                    format!("`{key}.NumberOfFiles` is daemonctl's to write"),
                    "use `limits.open_files` of the service",
                );
            }
        }
    }
    Ok(())
}

/// Whether a whole property list has only keys that launchd reads, of the right types: the tests' own check of what is
/// rendered, and that of files before they are loaded.
#[cfg(unix)]
pub(super) fn check_rendered(list: &Value) -> Result<(), String> {
    let table = list.as_object().ok_or("it is no dictionary")?;
    for (key, value) in table {
        let (_, shape, whose) =
            KEYS.iter().find(|(name, ..)| name == key).ok_or_else(|| format!("launchd knows no key `{key}`"))?;
        if let Nobody(why) = whose {
            return Err(format!("`{key}`: {why}"));
        }
        fits(*shape, value).map_err(|expected| format!("`{key}` is {expected}"))?;
    }
    for needed in ["Label", "ProgramArguments", "ExitTimeOut"] {
        if !table.contains_key(needed) {
            return Err(format!("it has no `{needed}`"));
        }
    }
    Ok(())
}

/// An error says what is expected.
fn fits(shape: Shape, value: &Value) -> Result<(), String> {
    let words = |words: &[&str]| format!("one of {}", words.join(", "));
    let is_word = |value: &Value, known: &[&str]| value.as_str().is_some_and(|text| known.contains(&text));
    let list = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    let (fits, expected) = match shape {
        Bool => (value.is_boolean(), "true or false".to_owned()),
        Whole(least) => (value.as_i64().is_some_and(|n| n >= least), format!("a whole number, at least {least}")),
        Text => (value.is_string(), "a text".to_owned()),
        Texts => (list(value), "a list of texts".to_owned()),
        TextOrTexts => (value.is_string() || list(value), "a text or a list of texts".to_owned()),
        TextOrWhole => (value.is_string() || value.is_i64(), "a whole number or a text".to_owned()),
        TextTable => (
            value.as_object().is_some_and(|table| table.values().all(Value::is_string)),
            "a table of texts: launchd passes other values over".to_owned(),
        ),
        BoolOrTable => (value.is_boolean() || value.is_object(), "true, false or a table of conditions".to_owned()),
        WholeTable => (
            value.as_object().is_some_and(|table| table.values().all(Value::is_i64)),
            "a table of whole numbers".to_owned(),
        ),
        Table => (value.is_object(), "a table".to_owned()),
        TableOrTables => (
            value.is_object() || value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            "a table or a list of tables".to_owned(),
        ),
        Word(known) => (is_word(value, known), words(known)),
        Words(known) => (
            is_word(value, known)
                || value
                    .as_array()
                    .is_some_and(|items| !items.is_empty() && items.iter().all(|item| is_word(item, known))),
            format!("{}, or a list of them", words(known)),
        ),
    };
    if fits { Ok(()) } else { Err(expected) }
}

fn unwritable(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(text) => text::refused(text),
        Value::Array(items) => items.iter().find_map(unwritable),
        Value::Object(table) => table.iter().find_map(|(key, value)| text::refused(key).or_else(|| unwritable(value))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(native: &Value, scope: Scope) -> String {
        check(native, scope).unwrap_err().why
    }

    #[test]
    fn the_table_is_in_order_and_has_no_key_twice() {
        assert!(KEYS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn what_has_no_key_of_the_manifest_is_passed_through() {
        let native = json!({
            "ProcessType": "Interactive", "SessionCreate": true, "WatchPaths": ["/etc/x"], "ThrottleInterval": 30,
            "MachServices": { "com.example": true }, "SoftResourceLimits": { "Core": 0 },
        });
        assert_eq!(check(&native, Scope::System), Ok(()));
        assert_eq!(check(&Value::Null, Scope::User), Ok(()));
        assert_eq!(check(&json!({ "LimitLoadToSessionType": ["Aqua", "Background"] }), Scope::User), Ok(()));
    }

    #[test]
    fn what_launchd_would_pass_over_is_refused() {
        for (native, scope, expected) in [
            (json!({ "ProcesType": "x" }), Scope::System, "launchd knows no key `ProcesType`"),
            (json!({ "ProcessType": "Fast" }), Scope::System, "`ProcessType` is one of"),
            (json!({ "SessionCreate": "yes" }), Scope::System, "`SessionCreate` is true or false"),
            (json!({ "ThrottleInterval": 0 }), Scope::System, "a whole number, at least 1"),
            (json!({ "OnDemand": false }), Scope::System, "deprecated"),
            (json!({ "TimeOut": 3 }), Scope::System, "never implemented"),
            (json!({ "InitGroups": true }), Scope::User, "for daemons"),
            (json!({ "LimitLoadToSessionType": "Aqua" }), Scope::System, "for agents"),
            (json!({ "KeepAlive": true }), Scope::System, "daemonctl's to write"),
            (json!({ "SoftResourceLimits": { "Files": 1 } }), Scope::System, "no resource `Files`"),
            (json!({ "SoftResourceLimits": { "NumberOfFiles": 1 } }), Scope::System, "daemonctl's to write"),
            (json!({ "WatchPaths": ["a\u{1}"] }), Scope::System, "control character"),
            (json!([1]), Scope::System, "no table"),
        ] {
            let why = why(&native, scope);
            assert!(why.contains(expected), "{native}: {why}");
        }
        let fault = check(&json!({ "ProcesType": "x" }), Scope::System).unwrap_err();
        assert_eq!(fault.remedy, "did you mean `ProcessType`?");
    }
}
