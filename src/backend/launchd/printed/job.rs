//! `launchctl print DOMAIN/LABEL`.
//!
//! The first line names the job, its fields are one level in (`key = value`), blocks of a field end with a brace on that
//! level. An argument of several lines is printed as it is, so any line may follow `arguments = {`, a brace or a field's
//! look-alike among them. What is printed before the arguments is therefore believed where it stands first, what is printed
//! after them where it stands last.

use std::collections::BTreeSet;

/// What a job is and does, as far as it was printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::backend::launchd) struct Printed {
    /// `running`, `spawn scheduled`...: launchd's own word.
    pub(in crate::backend::launchd) state: Option<String>,
    /// The property list that it was loaded from.
    pub(in crate::backend::launchd) path: Option<String>,
    pub(in crate::backend::launchd) program: Option<String>,
    /// Each line of the arguments; an argument of several lines is several here.
    pub(in crate::backend::launchd) arguments: Vec<String>,
    pub(in crate::backend::launchd) pid: Option<u32>,
    /// How often it was started since it was loaded.
    pub(in crate::backend::launchd) runs: Option<u64>,
    pub(in crate::backend::launchd) last: Last,
    /// Why launchd could not start it, or ended it: `OS_REASON_CODESIGNING`.
    pub(in crate::backend::launchd) reason: Option<String>,
    /// launchd holds its start back: `speculative`, `inefficient`, `semaphore`.
    pub(in crate::backend::launchd) pended: Option<String>,
    /// Seconds from SIGTERM to SIGKILL.
    pub(in crate::backend::launchd) exit_timeout: Option<u64>,
    /// Seconds that launchd keeps between two starts.
    pub(in crate::backend::launchd) minimum_runtime: Option<u64>,
    pub(in crate::backend::launchd) properties: BTreeSet<String>,
}

/// How its last process ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::backend::launchd) enum Last {
    /// Nothing is said of it.
    #[default]
    Unsaid,
    /// None has.
    Never,
    Code(i32),
    Signal(i32),
    /// launchd's own words, which mean neither.
    Other(String),
}

/// Reads it; None: this is no job, or not the whole of it.
pub(in crate::backend::launchd) fn parse(text: &str) -> Option<Printed> {
    let mut lines = text.lines();
    lines.find(|line| !line.trim().is_empty()).filter(|line| line.trim_end().ends_with(" = {"))?;
    text.trim_end().lines().next_back().filter(|line| line.trim_end() == "}")?;
    let mut printed = Printed::default();
    // One level in is a tab, or as many spaces as the first field has.
    let mut level: Option<String> = None;
    let mut block: Option<String> = None;
    let mut behind_arguments = false;
    for line in lines {
        let indent: String = line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        let content = line.trim();
        if content.is_empty() && block.is_none() {
            continue;
        }
        if level.is_none() && !indent.is_empty() {
            level = Some(if indent.starts_with('\t') { "\t".to_owned() } else { indent.clone() });
        }
        let own_level = level.as_deref() == Some(indent.as_str());
        if let Some(name) = &block {
            if own_level && content == "}" {
                behind_arguments |= name == "arguments";
                block = None;
            } else {
                inside(&mut printed, name, line, level.as_deref().unwrap_or_default());
            }
            continue;
        }
        if !own_level {
            continue;
        }
        let Some((key, value)) = content.split_once(" = ") else { continue };
        if value == "{" {
            block = Some(key.to_owned());
        } else {
            field(&mut printed, key, value, behind_arguments);
        }
    }
    // macOS 10.15 and older have no line for it, only a flag that does not tell why.
    if printed.pended.is_none() && printed.properties.contains("pended non-demand spawn") {
        printed.pended = Some("nondemand".to_owned());
    }
    Some(printed)
}

/// A line of a block, of which two are looked into.
fn inside(printed: &mut Printed, block: &str, line: &str, level: &str) {
    match block {
        "arguments" => {
            let argument = line.strip_prefix(level).and_then(|rest| rest.strip_prefix(level)).unwrap_or(line);
            printed.arguments.push(argument.to_owned());
        }
        // Up to 10.15: `keepalive = 0`, one a line.
        "properties" => {
            if let Some((name, "1")) = line.trim().split_once(" = ") {
                printed.properties.insert(name.to_owned());
            }
        }
        _ => {}
    }
}

fn field(printed: &mut Printed, key: &str, value: &str, behind_arguments: bool) {
    let first = |field: &mut Option<String>| {
        if field.is_none() && !behind_arguments {
            *field = Some(value.to_owned());
        }
    };
    match key {
        "state" => first(&mut printed.state),
        "path" => first(&mut printed.path),
        "program" => first(&mut printed.program),
        "pid" => printed.pid = value.parse().ok().filter(|pid| *pid > 0),
        "runs" => printed.runs = value.parse().ok(),
        "exit timeout" => printed.exit_timeout = value.parse().ok(),
        "minimum runtime" => printed.minimum_runtime = value.parse().ok(),
        "last exit code" => printed.last = last_code(value),
        "last terminating signal" => printed.last = last_signal(value),
        "last exit reason" => printed.reason = Some(value.to_owned()),
        "pended nondemand spawn" => printed.pended = Some(value.to_owned()),
        "properties" => printed.properties = value.split(" | ").map(str::to_owned).collect(),
        _ => {}
    }
}

/// `0`, `78: EX_CONFIG`, `(never exited)`.
fn last_code(value: &str) -> Last {
    let number = value.split_once(':').map_or(value, |(number, _)| number);
    match number.trim().parse() {
        Ok(code) => Last::Code(code),
        Err(_) if value == "(never exited)" => Last::Never,
        Err(_) => Last::Other(value.to_owned()),
    }
}

/// `Terminated: 15`.
fn last_signal(value: &str) -> Last {
    let number = value.rsplit_once(':').map_or(value, |(_, number)| number);
    number.trim().parse().map_or_else(|_| Last::Other(value.to_owned()), Last::Signal)
}

impl Printed {
    /// Whether daemonctl's host is what it runs.
    pub(in crate::backend::launchd) fn is_host(&self) -> bool {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        matches!(arguments.as_slice(), [_, "host", .., "--spec", _])
    }

    /// Whether it is being ended: signalled, and not gone yet.
    pub(in crate::backend::launchd) fn is_ending(&self) -> bool {
        matches!(self.state.as_deref(), Some("SIGTERMed" | "SIGKILLed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Printed {
        parse(text).expect("a job")
    }

    #[test]
    fn running_on_26() {
        let job = read(include_str!("fixtures/26-running.txt"));
        assert_eq!(job.state.as_deref(), Some("running"));
        assert_eq!(job.path.as_deref(), Some("/Users/lab/Library/LaunchAgents/com.example.web.plist"));
        assert_eq!(job.program.as_deref(), Some("/opt/web/bin/web"));
        assert_eq!(job.arguments, ["/opt/web/bin/web", "", "--port", "8080"]);
        assert_eq!((job.pid, job.runs), (Some(4711), Some(1)));
        assert_eq!((job.exit_timeout, job.minimum_runtime), (Some(60), Some(10)));
        assert_eq!(job.last, Last::Never);
        assert!(job.properties.contains("keepalive") && job.properties.contains("inferred program"));
        assert!(job.pended.is_none(), "`started suspended` is no pended start");
    }

    #[test]
    fn down_on_26() {
        let job = read(include_str!("fixtures/26-down.txt"));
        assert_eq!(job.state.as_deref(), Some("not running"));
        assert_eq!((job.pid, job.runs, job.last), (None, Some(2), Last::Code(0)));
    }

    #[test]
    fn a_crash_loop_is_told_by_its_own_level() {
        let job = read(include_str!("fixtures/26-crash-loop.txt"));
        assert_eq!(job.state.as_deref(), Some("spawn scheduled"), "`state = active` is that of a coalition");
        assert_eq!((job.runs, job.last), (Some(199_773), Last::Code(78)));
    }

    #[test]
    fn held_back_on_26() {
        let job = read(include_str!("fixtures/26-pended.txt"));
        assert_eq!(job.pended.as_deref(), Some("speculative"));
        assert_eq!((job.runs, job.last), (Some(0), Last::Never));
    }

    #[test]
    fn killed_by_the_system_on_15() {
        let job = read(include_str!("fixtures/15-codesigning.txt"));
        assert_eq!(job.last, Last::Signal(9));
        assert_eq!(job.reason.as_deref(), Some("OS_REASON_CODESIGNING"));
        assert!(job.is_host());
    }

    #[test]
    fn ending_on_13() {
        let job = read(include_str!("fixtures/13-ending.txt"));
        assert!(job.is_ending());
        assert_eq!(job.pid, Some(812));
        assert_eq!(job.last, Last::Signal(15));
    }

    #[test]
    fn of_10_14() {
        let job = read(include_str!("fixtures/10.14-waiting.txt"));
        assert_eq!(job.state.as_deref(), Some("waiting"));
        assert_eq!(job.last, Last::Code(1));
        assert_eq!(job.properties.iter().map(String::as_str).collect::<Vec<_>>(), ["runatload"]);
    }

    #[test]
    fn of_10_10() {
        let job = read(include_str!("fixtures/10.10-running.txt"));
        assert_eq!((job.state.as_deref(), job.pid), (Some("running"), Some(98)));
        assert_eq!(job.last, Last::Other("(abandoned)".to_owned()));
    }

    #[test]
    fn arguments_that_look_like_fields_are_not_believed() {
        let job = read(include_str!("fixtures/26-hostile-arguments.txt"));
        assert_eq!(job.state.as_deref(), Some("running"));
        assert_eq!(job.path.as_deref(), Some("/Library/LaunchDaemons/evil.plist"));
        assert_eq!((job.pid, job.runs, job.last), (Some(77), Some(3), Last::Code(1)));
        assert_eq!(job.exit_timeout, Some(30));
    }

    #[test]
    fn spaces_do_for_tabs() {
        let text = include_str!("fixtures/26-down.txt").replace('\t', "    ");
        assert_eq!(read(&text), read(include_str!("fixtures/26-down.txt")));
    }

    #[test]
    fn what_is_cut_short_or_no_job_is_not_believed() {
        let whole = include_str!("fixtures/26-running.txt").trim_end();
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_none(), "{}", &whole[..end]);
        }
        for other in ["", "\n", "Could not find service", "{\n", "{\n}\n", "Bad request.\n"] {
            assert!(parse(other).is_none(), "{other:?}");
        }
    }
}
