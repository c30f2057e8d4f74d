//! `[service.NAME.windows]`: what only the service control manager has, and how each key of it is written. Pure.

use std::time::Duration;

use serde_json::Value;

use super::config::{ErrorControl, FailureAction, FailureKind, Grant, ServiceRight, SidType};
use crate::manifest::parse_duration;

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text that this takes.
    Text(fn(&str) -> Result<(), String>),
    /// One of these words.
    Words(&'static [&'static str]),
    /// true or false.
    Flag,
    /// A list of texts that this takes each of.
    Texts(fn(&str) -> Result<(), String>),
    /// A list of numbers up to this one.
    Numbers(i64),
}

/// A key.
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is, for the schema and for messages.
    pub(crate) doc: &'static str,
    /// How it is written.
    pub(crate) shape: Shape,
}

const fn key(name: &'static str, doc: &'static str, shape: Shape) -> Setting {
    Setting { name, doc, shape }
}

/// Every key, in the order of the documentation.
pub(crate) const SETTINGS: &[Setting] = &[
    key(
        "account",
        r"The account: LocalSystem, LocalService, NetworkService, 'NT SERVICE\NAME' (the default), '.\user', 'DOMAIN\user' or 'DOMAIN\gmsa$'. Wins over `user`.",
        Shape::Text(account),
    ),
    key(
        "sid_type",
        r"How 'NT SERVICE\NAME' is put into the service's token; unrestricted unless given.",
        Shape::Words(&["none", "unrestricted", "restricted"]),
    ),
    key(
        "required_privileges",
        "The only privileges that it keeps: SeChangeNotifyPrivilege ...",
        Shape::Texts(privilege),
    ),
    key(
        "error_control",
        "What a start that fails at boot does; normal unless given.",
        Shape::Words(&["ignore", "normal", "severe", "critical"]),
    ),
    key("load_order_group", "The group by which services are ordered at boot.", Shape::Text(name)),
    key(
        "dependencies",
        "Services of Windows, and groups with a + in front, that must run first, beside `after` and `requires`.",
        Shape::Texts(dependency),
    ),
    key(
        "preshutdown_timeout",
        "How long it may take to stop before the machine goes down; as long as its stop takes unless given.",
        Shape::Text(duration),
    ),
    key(
        "failure_actions",
        "What the failures of the host bring about, the last for all that follow: restart 5s, command 1m, reboot 5m, none.",
        Shape::Texts(failure_action),
    ),
    key(
        "failure_reset",
        "Time without a failure after which they begin anew, or never; 1d unless given.",
        Shape::Text(reset),
    ),
    key("failure_command", "The command line of the action `command`.", Shape::Text(name)),
    key("failure_reboot_message", "Told to users before the action `reboot`.", Shape::Text(name)),
    key(
        "failure_on_exit",
        "The actions also follow when the service has failed for good or given up, not only when the host dies. True where \
         `failure_actions` are given.",
        Shape::Flag,
    ),
    key(
        "allow",
        r"Who else may do what with it: 'CONTOSO\ops: start stop status'. There are status, query, start, stop, pause and interrogate.",
        Shape::Texts(grant),
    ),
    key("event_source", "Its source in the Event Log; daemonctl-NAME unless given.", Shape::Text(source)),
    key("event_log", "Whether it has a source in the Event Log; true unless given.", Shape::Flag),
    key("allow_breakaway", "Whether its children may leave its job object; false unless given.", Shape::Flag),
    key("affinity", "The processors that it may run on, counted from 0.", Shape::Numbers(63)),
];

/// Keys that only the host reads. The others are none of its business.
pub(super) const OF_THE_HOST: [&str; 2] = ["allow_breakaway", "affinity"];

/// What people look for and does not exist here, with what to do.
pub(crate) const NOT_KEYS: [(&str, &str); 7] = [
    (
        "password",
        "a password never stands in a manifest: install asks for it, or takes it from `--password-file` or `--password-env`",
    ),
    ("launch_protected", "protected services need a certificate for anti-malware from Microsoft"),
    ("interactive", "services have had no desktop since Windows Vista"),
    ("environment", "use `env`: what stands in the registry can be read by everybody"),
    ("delayed", "write `start = \"delayed\"`"),
    (
        "encoding",
        "files keep the bytes as they were written; `logs` shows UTF-8, else what the consoles' code page makes of them",
    ),
    ("display_name", "it is a common key: write it into `[service.NAME]`"),
];

/// When failures begin to be counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reset {
    /// As nothing else is said.
    #[default]
    Usual,
    /// After so long without one.
    After(Duration),
    /// Never.
    Never,
}

/// The keys as values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settings {
    pub(super) account: Option<String>,
    pub(super) sid_type: Option<SidType>,
    pub(super) required_privileges: Vec<String>,
    pub(super) error_control: Option<ErrorControl>,
    pub(super) load_order_group: Option<String>,
    pub(super) dependencies: Vec<String>,
    pub(super) preshutdown: Option<Duration>,
    pub(super) failure_actions: Option<Vec<FailureAction>>,
    pub(super) failure_reset: Reset,
    pub(super) failure_command: Option<String>,
    pub(super) failure_reboot_message: Option<String>,
    pub(super) failure_on_exit: Option<bool>,
    pub(super) allow: Vec<Grant>,
    pub(super) event_source: Option<String>,
    pub(super) event_log: Option<bool>,
}

/// Reads the table of a resolved service; the error says what is wrong with it.
pub(super) fn read(native: &Value) -> Result<Settings, String> {
    let table = match native {
        Value::Null => return Ok(Settings::default()),
        Value::Object(table) => table,
        _ => return Err("it is no table".to_owned()),
    };
    for (name, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            return Err(format!("there is no key `{name}`"));
        };
        checked(setting, value).map_err(|why| format!("`{name}`: {why}"))?;
    }
    let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
    let flag = |name: &str| table.get(name).and_then(Value::as_bool);
    let texts = |name: &str| -> Option<Vec<&str>> {
        Some(table.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    };
    let strings = |name: &str| texts(name).unwrap_or_default().into_iter().map(str::to_owned).collect::<Vec<_>>();
    Ok(Settings {
        account: text("account"),
        sid_type: text("sid_type").and_then(|word| of_word(&SidType::WORDS, &word)),
        required_privileges: strings("required_privileges"),
        error_control: text("error_control").and_then(|word| of_word(&ErrorControl::WORDS, &word)),
        load_order_group: text("load_order_group"),
        dependencies: strings("dependencies"),
        preshutdown: text("preshutdown_timeout").and_then(|text| parse_duration(&text).ok()),
        failure_actions: texts("failure_actions")
            .map(|actions| actions.into_iter().filter_map(|text| parse_failure_action(text).ok()).collect()),
        failure_reset: match text("failure_reset").map(|text| parse_duration(&text)) {
            None => Reset::Usual,
            Some(Ok(time)) => Reset::After(time),
            Some(Err(_)) => Reset::Never,
        },
        failure_command: text("failure_command"),
        failure_reboot_message: text("failure_reboot_message"),
        failure_on_exit: flag("failure_on_exit"),
        allow: texts("allow").unwrap_or_default().into_iter().filter_map(|text| parse_grant(text).ok()).collect(),
        event_source: text("event_source"),
        event_log: flag("event_log"),
    })
}

fn checked(setting: &Setting, value: &Value) -> Result<(), String> {
    match setting.shape {
        Shape::Text(check) => check(value.as_str().ok_or("it is no text")?),
        Shape::Words(words) => match value.as_str() {
            Some(word) if words.contains(&word) => Ok(()),
            _ => Err(format!("expected one of {}", words.join(", "))),
        },
        Shape::Flag => value.as_bool().map(drop).ok_or_else(|| "expected true or false".to_owned()),
        Shape::Texts(check) => {
            let items = value.as_array().ok_or("it is no list")?;
            items.iter().try_for_each(|item| check(item.as_str().ok_or("it is no text")?))
        }
        Shape::Numbers(most) => {
            let items = value.as_array().ok_or("it is no list")?;
            let fits = |item: &Value| item.as_i64().is_some_and(|number| (0..=most).contains(&number));
            if items.iter().all(fits) { Ok(()) } else { Err(format!("expected numbers from 0 to {most}")) }
        }
    }
}

fn of_word<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

fn name(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.contains(char::is_control) { Err("it has a control character".to_owned()) } else { Ok(()) }
}

pub(super) fn account(text: &str) -> Result<(), String> {
    name(text)?;
    if text.contains('@') && !text.contains('\\') {
        return Err(format!(
            "the service control manager takes no `user@domain`: write `DOMAIN\\{}`",
            text.split('@').next().unwrap_or_default()
        ));
    }
    if text.len() > 200 || text.contains(['/', '[', ']', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '"']) {
        return Err("it is no name of an account".to_owned());
    }
    Ok(())
}

fn privilege(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if plain && text.starts_with("Se") && text.ends_with("Privilege") {
        return Ok(());
    }
    Err(format!("`{text}` is no name of a privilege, such as `SeChangeNotifyPrivilege`"))
}

fn dependency(text: &str) -> Result<(), String> {
    let service = text.strip_prefix('+').unwrap_or(text);
    name(service)?;
    if service.contains(['/', '\\', '+']) || service.chars().count() > 256 {
        return Err(format!("`{text}` is no name of a service (`Tcpip`) or of a group (`+NDIS`)"));
    }
    Ok(())
}

fn source(text: &str) -> Result<(), String> {
    name(text)?;
    if text.contains('\\') || text.chars().count() > 200 {
        return Err("a source of the Event Log has no `\\` and at most 200 characters".to_owned());
    }
    Ok(())
}

fn duration(text: &str) -> Result<(), String> {
    milliseconds(text).map(drop)
}

fn milliseconds(text: &str) -> Result<u32, String> {
    u32::try_from(parse_duration(text)?.as_millis()).map_err(|_| "it is longer than 49 days".to_owned())
}

fn reset(text: &str) -> Result<(), String> {
    if text == "never" { Ok(()) } else { parse_duration(text).map(drop) }
}

fn failure_action(text: &str) -> Result<(), String> {
    parse_failure_action(text).map(drop)
}

fn parse_failure_action(text: &str) -> Result<FailureAction, String> {
    let expected = || format!("`{text}` is no failure action: write `restart 5s`, `command 1m`, `reboot 5m` or `none`");
    let (word, delay) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), "0s"));
    let kind = of_word(&FailureKind::WORDS, word).ok_or_else(expected)?;
    let delay_ms = milliseconds(delay).map_err(|why| format!("{}: {why}", expected()))?;
    Ok(FailureAction { kind, delay_ms })
}

fn grant(text: &str) -> Result<(), String> {
    parse_grant(text).map(drop)
}

fn parse_grant(text: &str) -> Result<Grant, String> {
    let expected = || format!("`{text}` does not say who may do what: write `CONTOSO\\ops: start stop status`");
    let (who, words) = text.rsplit_once(':').ok_or_else(expected)?;
    let mut rights = Vec::new();
    for word in words.split([' ', ',']).filter(|word| !word.is_empty()) {
        let right = of_word(&ServiceRight::WORDS, word).ok_or_else(|| {
            let known: Vec<_> = ServiceRight::WORDS.iter().map(|(name, _)| *name).collect();
            format!("`{word}` is no right that can be given: there are {}", known.join(", "))
        })?;
        rights.push(right);
    }
    rights.sort_unstable();
    rights.dedup();
    if who.trim().is_empty() || rights.is_empty() {
        return Err(expected());
    }
    Ok(Grant { who: who.trim().to_owned(), rights })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_key_is_read() {
        let native = json!({
            "account": r"CONTOSO\web$", "sid_type": "restricted", "required_privileges": ["SeChangeNotifyPrivilege"],
            "error_control": "severe", "load_order_group": "G", "dependencies": ["Tcpip", "+NDIS"],
            "preshutdown_timeout": "2m", "failure_actions": ["restart 5s", "command", "reboot 1m"],
            "failure_reset": "never", "failure_command": "x.exe", "failure_reboot_message": "bye",
            "failure_on_exit": false, "allow": [r"CONTOSO\ops: stop start, status", "S-1-5-32-545: status"],
            "event_source": "web", "event_log": true, "allow_breakaway": true, "affinity": [0, 3],
        });
        assert_eq!(native.as_object().unwrap().len(), SETTINGS.len(), "a key has no test");
        let settings = read(&native).unwrap();
        assert_eq!(settings.sid_type, Some(SidType::Restricted));
        assert_eq!(settings.error_control, Some(ErrorControl::Severe));
        assert_eq!(settings.failure_reset, Reset::Never);
        assert_eq!(settings.failure_actions.unwrap()[2], FailureAction { kind: FailureKind::Reboot, delay_ms: 60_000 });
        assert_eq!(settings.allow[0].rights, [ServiceRight::Status, ServiceRight::Start, ServiceRight::Stop]);
        assert_eq!(read(&Value::Null).unwrap(), Settings::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (native, why) in [
            (json!({ "acount": "x" }), "no key `acount`"),
            (json!({ "account": "me@contoso.com" }), r"DOMAIN\me"),
            (json!({ "required_privileges": ["Debug"] }), "no name of a privilege"),
            (json!({ "failure_actions": ["restart 5"] }), "it has no unit"),
            (json!({ "failure_actions": ["explode 5s"] }), "no failure action"),
            (json!({ "allow": ["Users: change"] }), "no right that can be given"),
            (json!({ "allow": ["Users"] }), "who may do what"),
            (json!({ "affinity": [64] }), "0 to 63"),
            (json!({ "dependencies": ["a/b"] }), "no name of a service"),
        ] {
            let error = read(&native).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
