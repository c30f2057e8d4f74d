//! `launchctl list LABEL`, an older way to ask, in the caller's own domain only: what is asked where `print` gives no
//! answer. The values are a property list as `NeXT` wrote them: `"PID" = 123;`.

use super::job::{Last, Printed};

/// Reads it; None: this is no job.
pub(in crate::backend::launchd) fn parse(text: &str) -> Option<Printed> {
    let mut printed = Printed::default();
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).filter(|line| *line == "{")?;
    // Lists and tables inside have lines of their own; only what is on the first level counts.
    let mut depth = 0_usize;
    for line in lines {
        match line.chars().last() {
            Some('(' | '{') => {
                depth += 1;
                continue;
            }
            _ if matches!(line, ");" | "};") => {
                let Some(less) = depth.checked_sub(1) else { break };
                depth = less;
                continue;
            }
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let Some((key, value)) = line.strip_suffix(';').and_then(|line| line.split_once(" = ")) else { continue };
        match key.trim_matches('"') {
            "PID" => printed.pid = value.parse().ok().filter(|pid| *pid > 0),
            "LastExitStatus" => printed.last = value.parse().map_or(Last::Unsaid, last),
            "Program" => printed.program = Some(value.trim_matches('"').to_owned()),
            _ => {}
        }
    }
    printed.state = Some(if printed.pid.is_some() { "running" } else { "not running" }.to_owned());
    Some(printed)
}

/// A status as wait(2) gives it: 256 is an exit with 1, 15 an end by SIGTERM.
const fn last(status: i32) -> Last {
    match status & 0x7f {
        0 => Last::Code((status >> 8) & 0xff),
        signal => Last::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_and_how_its_last_run_ended() {
        let text = |middle: &str| {
            format!(
                "{{\n\t\"LimitLoadToSessionType\" = \"Aqua\";\n\t\"Label\" = \"com.example.a\";\n\t\"OnDemand\" = true;\n{middle}\
                 \t\"Program\" = \"/opt/a\";\n\t\"ProgramArguments\" = (\n\t\t\"/opt/a\";\n\t\t\"PID\" = 9;\n\t);\n}};\n"
            )
        };
        let job = parse(&text("\t\"LastExitStatus\" = 256;\n")).unwrap();
        assert_eq!((job.pid, job.last), (None, Last::Code(1)));
        assert_eq!(job.state.as_deref(), Some("not running"));
        let job = parse(&text("\t\"LastExitStatus\" = 15;\n\t\"PID\" = 123;\n")).unwrap();
        assert_eq!((job.pid, job.last), (Some(123), Last::Signal(15)));
        assert_eq!(parse("Could not find service \"x\" in domain for port\n"), None);
    }
}
