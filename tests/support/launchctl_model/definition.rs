//! A service's plist as launchd takes it at `bootstrap`: typed, and never read again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plist::Value;

use crate::codes;

/// When it is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeepAlive {
    Never,
    Always,
    /// Any of these.
    When {
        successful_exit: Option<bool>,
        crashed: Option<bool>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) label: String,
    pub(crate) program: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: Option<PathBuf>,
    pub(crate) umask: Option<u32>,
    pub(crate) run_at_load: bool,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) throttle: u64,
    pub(crate) exit_timeout: u64,
    pub(crate) stdin: Option<PathBuf>,
    pub(crate) stdout: Option<PathBuf>,
    pub(crate) stderr: Option<PathBuf>,
    pub(crate) interval: Option<u64>,
    pub(crate) calendar: Vec<BTreeMap<String, i64>>,
    pub(crate) sessions: Vec<String>,
    pub(crate) process_type: Option<String>,
    pub(crate) nice: i32,
    pub(crate) soft_limits: BTreeMap<String, u64>,
    pub(crate) hard_limits: BTreeMap<String, u64>,
    pub(crate) abandon_group: bool,
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) init_groups: bool,
    pub(crate) once: bool,
    pub(crate) disabled: bool,
    /// Flags that `print` shows and that change nothing here.
    pub(crate) low_priority_io: bool,
}

/// Why a plist was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) code: i32,
    pub(crate) why: String,
}

fn bad(code: i32, why: impl Into<String>) -> Bad {
    Bad { code, why: why.into() }
}

fn mistyped(key: &str) -> Bad {
    bad(codes::BAD_PLIST, format!("`{key}` has the wrong type"))
}

fn string(key: &str, value: &Value) -> Result<String, Bad> {
    value.as_string().map(str::to_owned).ok_or_else(|| mistyped(key))
}

fn boolean(key: &str, value: &Value) -> Result<bool, Bad> {
    value.as_boolean().ok_or_else(|| mistyped(key))
}

fn number(key: &str, value: &Value) -> Result<u64, Bad> {
    value.as_unsigned_integer().ok_or_else(|| mistyped(key))
}

fn strings(key: &str, value: &Value) -> Result<Vec<String>, Bad> {
    value.as_array().ok_or_else(|| mistyped(key))?.iter().map(|item| string(key, item)).collect()
}

fn numbers(key: &str, value: &Value) -> Result<BTreeMap<String, u64>, Bad> {
    let dictionary = value.as_dictionary().ok_or_else(|| mistyped(key))?;
    dictionary.iter().map(|(name, value)| Ok((name.clone(), number(key, value)?))).collect()
}

fn keep_alive(value: &Value) -> Result<KeepAlive, Bad> {
    if let Some(always) = value.as_boolean() {
        return Ok(if always { KeepAlive::Always } else { KeepAlive::Never });
    }
    let dictionary = value.as_dictionary().ok_or_else(|| mistyped("KeepAlive"))?;
    let (mut successful_exit, mut crashed) = (None, None);
    for (key, value) in dictionary {
        match key.as_str() {
            "SuccessfulExit" => successful_exit = Some(boolean(key, value)?),
            "Crashed" => crashed = Some(boolean(key, value)?),
            other => return Err(bad(codes::NOT_MODELLED, format!("`KeepAlive.{other}` is not modelled"))),
        }
    }
    Ok(KeepAlive::When { successful_exit, crashed })
}

fn calendar(value: &Value) -> Result<Vec<BTreeMap<String, i64>>, Bad> {
    let one = |value: &Value| -> Result<BTreeMap<String, i64>, Bad> {
        let dictionary = value.as_dictionary().ok_or_else(|| mistyped("StartCalendarInterval"))?;
        dictionary
            .iter()
            .map(|(name, value)| {
                let known = ["Minute", "Hour", "Day", "Weekday", "Month"].contains(&name.as_str());
                let number = value.as_signed_integer().filter(|_| known);
                number.map(|number| (name.clone(), number)).ok_or_else(|| mistyped("StartCalendarInterval"))
            })
            .collect()
    };
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// A mask is an integer (decimal), or a string of octal digits on newer systems.
fn umask(value: &Value) -> Result<u32, Bad> {
    let mask = match value {
        Value::String(text) => u32::from_str_radix(text, 8).ok(),
        value => value.as_unsigned_integer().and_then(|mask| u32::try_from(mask).ok()),
    };
    mask.filter(|mask| *mask <= 0o777).ok_or_else(|| mistyped("Umask"))
}

impl Definition {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Bad> {
        let value = Value::from_reader(std::io::Cursor::new(bytes))
            .map_err(|error| bad(codes::BAD_PLIST, error.to_string()))?;
        let dictionary = value.as_dictionary().ok_or_else(|| mistyped("the root"))?;
        let label = dictionary.get("Label").ok_or_else(|| bad(codes::BAD_PLIST, "`Label` is missing"))?;
        let mut read = Self::empty(string("Label", label)?);
        let mut runs = false;
        for (key, value) in dictionary {
            match key.as_str() {
                "Label" => {}
                "Program" => read.program = Some(string(key, value)?),
                "ProgramArguments" => {
                    read.arguments = strings(key, value).map_err(|bad| Bad { code: codes::BAD_PROGRAM, ..bad })?;
                }
                "EnvironmentVariables" => {
                    let given = value.as_dictionary().ok_or_else(|| mistyped(key))?;
                    // What is no string is ignored.
                    let texts = given.iter().filter_map(|(name, value)| Some((name, value.as_string()?)));
                    read.environment = texts.map(|(name, value)| (name.clone(), value.to_owned())).collect();
                }
                "WorkingDirectory" => read.working_directory = Some(string(key, value)?.into()),
                "Umask" => read.umask = Some(umask(value)?),
                "RunAtLoad" => read.run_at_load = boolean(key, value)?,
                "KeepAlive" => read.keep_alive = keep_alive(value)?,
                "ThrottleInterval" => {
                    // 0 is ignored.
                    read.throttle = Some(number(key, value)?).filter(|seconds| *seconds > 0).unwrap_or(read.throttle);
                }
                "ExitTimeOut" => read.exit_timeout = number(key, value)?,
                "StandardInPath" => read.stdin = Some(string(key, value)?.into()),
                "StandardOutPath" => read.stdout = Some(string(key, value)?.into()),
                "StandardErrorPath" => read.stderr = Some(string(key, value)?.into()),
                "StartInterval" => read.interval = Some(number(key, value)?).filter(|seconds| *seconds > 0),
                "StartCalendarInterval" => read.calendar = calendar(value)?,
                "LimitLoadToSessionType" => {
                    read.sessions = match value {
                        Value::String(one) => vec![one.clone()],
                        value => strings(key, value)?,
                    }
                }
                "ProcessType" => {
                    let kind = string(key, value)?;
                    if !["Background", "Standard", "Adaptive", "Interactive"].contains(&kind.as_str()) {
                        return Err(mistyped(key));
                    }
                    read.process_type = Some(kind);
                }
                "Nice" => {
                    let nice = value.as_signed_integer().and_then(|nice| i32::try_from(nice).ok());
                    read.nice = nice.ok_or_else(|| mistyped(key))?;
                }
                "SoftResourceLimits" => read.soft_limits = numbers(key, value)?,
                "HardResourceLimits" => read.hard_limits = numbers(key, value)?,
                "AbandonProcessGroup" => read.abandon_group = boolean(key, value)?,
                "UserName" => read.user = Some(string(key, value)?),
                "GroupName" => read.group = Some(string(key, value)?),
                "InitGroups" => read.init_groups = boolean(key, value)?,
                "LaunchOnlyOnce" => read.once = boolean(key, value)?,
                "Disabled" => read.disabled = boolean(key, value)?,
                "LowPriorityIO" | "LowPriorityBackgroundIO" => read.low_priority_io = boolean(key, value)?,
                // Shown by other tools; launchd does nothing with them that the model could do.
                "AssociatedBundleIdentifiers" => {}
                "LegacyTimers" | "EnableTransactions" | "EnablePressuredExit" | "SessionCreate" => {
                    if boolean(key, value)? && key != "LegacyTimers" {
                        return Err(bad(codes::NOT_MODELLED, format!("`{key}` is not modelled")));
                    }
                }
                other => return Err(bad(codes::NOT_MODELLED, format!("`{other}` is not modelled"))),
            }
            runs |= matches!(key.as_str(), "Program" | "ProgramArguments");
        }
        if !runs || (read.program.is_none() && read.arguments.is_empty()) {
            return Err(bad(codes::BAD_PROGRAM, "neither `Program` nor `ProgramArguments`"));
        }
        if read.label.is_empty() || read.label.contains('/') {
            return Err(bad(codes::BAD_PLIST, "a `Label` that is no label"));
        }
        Ok(read)
    }

    fn empty(label: String) -> Self {
        Self {
            label,
            program: None,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            working_directory: None,
            umask: None,
            run_at_load: false,
            keep_alive: KeepAlive::Never,
            throttle: 10,
            exit_timeout: 5,
            stdin: None,
            stdout: None,
            stderr: None,
            interval: None,
            calendar: Vec::new(),
            sessions: Vec::new(),
            process_type: None,
            nice: 0,
            soft_limits: BTreeMap::new(),
            hard_limits: BTreeMap::new(),
            abandon_group: false,
            user: None,
            group: None,
            init_groups: true,
            once: false,
            disabled: false,
            low_priority_io: false,
        }
    }

    /// The program that is run.
    pub(crate) fn path(&self) -> &str {
        self.program.as_deref().or_else(|| self.arguments.first().map(String::as_str)).unwrap_or_default()
    }

    /// Whether loading it starts it: asked for, or because its condition counts before the first run too.
    pub(crate) fn starts_when_loaded(&self) -> bool {
        self.run_at_load
            || match self.keep_alive {
                KeepAlive::Never => false,
                KeepAlive::Always => true,
                KeepAlive::When { successful_exit, .. } => successful_exit.is_some(),
            }
    }
}
