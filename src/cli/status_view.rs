//! How states look: one service in full, several as a table.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::style::{self, BOLD, Cells, Column, DIM, RED, YELLOW, clock, paint};
use crate::report::{Drift, LastExit, Process, State, Status, Style, Wanted};
use crate::status::Statuses;

/// A table.
pub(super) fn many(statuses: &Statuses, style: &Style) -> String {
    const COLUMNS: [Column; 11] = [
        Column::text("NAME"),
        Column::text("STATE"),
        Column::text("BOOT"),
        Column::number("PID"),
        Column::number("UPTIME"),
        Column::number("RESTARTS"),
        Column::number("CPU"),
        Column::number("MEMORY"),
        Column::text("BACKEND"),
        Column::text("DRIFT"),
        Column::text("WHY"),
    ];
    let mixed = statuses.services.iter().any(|status| Some(&status.backend) != statuses.backend.as_ref());
    let mut cells = Cells::default();
    for status in &statuses.services {
        row(&mut cells, status, mixed);
    }
    let none = statuses.services.is_empty();
    let mut text = if none { String::new() } else { style::table_of(&COLUMNS, &cells, style) };
    if none && !style.quiet {
        let _ = writeln!(text, "nothing is installed in {} scope", statuses.scope.name());
    }
    footer(&mut text, statuses, style);
    text
}

fn row(cells: &mut Cells, status: &Status, mixed: bool) {
    cells.add(&status.name);
    cells.add_painted(&state_word(status), style::of_state(status.state));
    cells.add(boot(status.enabled));
    cells.add_shown(status.pid);
    cells.add_shown(status.uptime.map(duration));
    cells.add_shown(status.restarts.filter(|restarts| *restarts > 0));
    cells.add_shown(status.cpu.map(|cpu| format!("{cpu:.1}%")));
    cells.add_shown(status.memory.map(bytes));
    cells.add(if mixed { &status.backend } else { "" });
    let (drift, paint) = drift_word(status.drift);
    cells.add_painted(drift, paint);
    cells.add(&style::harmless(&why(status)));
}

/// The state, and that it is running yet not ready or not well.
fn state_word(status: &Status) -> Cow<'static, str> {
    let name = status.state.name();
    match (status.state, status.healthy, status.ready) {
        (State::Running, Some(false), _) => format!("{name}, unhealthy").into(),
        (State::Running, _, Some(false)) => format!("{name}, not ready").into(),
        _ => name.into(),
    }
}

fn boot(enabled: Option<bool>) -> &'static str {
    match enabled {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "",
    }
}

const fn drift_word(drift: Option<Drift>) -> (&'static str, anstyle::Style) {
    match drift {
        None | Some(Drift::None) => ("", YELLOW),
        Some(Drift::Manifest) => ("manifest", YELLOW),
        Some(Drift::Artifact) => ("artifact", YELLOW),
        Some(Drift::Missing) => ("missing", RED),
    }
}

/// What a row says about a service that is not simply up or down.
fn why(status: &Status) -> String {
    let failing = matches!(status.state, State::Backoff | State::Failed | State::GaveUp);
    let last = status.last_exit.as_ref().filter(|_| failing).map(|last| last.reason.clone());
    let next = status.next_retry.as_deref().map(|at| format!("next try {}", clock(at)));
    let run = status.next_run.as_deref().map(|at| format!("next run {}", clock(at)));
    [last, next, run].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One service.
pub(super) fn one(status: &Status, statuses: &Statuses, style: &Style) -> String {
    let mut text = String::new();
    let word = paint(&state_word(status), style::of_state(status.state).bold(), style);
    let _ = writeln!(text, "{} {word}", paint(&status.name, BOLD, style));
    let mut field = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {} {}", paint(&format!("{name:>9}"), DIM, style), style::harmless(&value));
        }
    };
    let hosted = if status.hosted { ", run by daemonctl's host" } else { "" };
    let backend = format!("{}, {} scope{hosted}", status.backend, status.scope.name());
    field("backend", if status.state == State::NotInstalled { String::new() } else { backend });
    field("state", state_line(status));
    field("boot", boot(status.enabled).to_owned());
    field("pid", status.pid.map(|pid| pid.to_string()).unwrap_or_default());
    field("restarts", status.restarts.map(|restarts| restarts.to_string()).unwrap_or_default());
    field("next try", status.next_retry.as_deref().map(clock).unwrap_or_default());
    field("last exit", status.last_exit.as_ref().map(last_exit).unwrap_or_default());
    field("last run", status.last_run.as_deref().map(clock).unwrap_or_default());
    field("next run", status.next_run.as_deref().map(clock).unwrap_or_default());
    for check in &status.checks {
        let answer = match check.ok {
            Some(true) => "ok",
            Some(false) => "FAILS",
            None => "not asked yet",
        };
        let message = check.message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default();
        field(&check.name, format!("{answer}: {}{message}", check.what));
    }
    field("use", usage(status));
    field("ports", status.ports.join(", "));
    field("logs", status.logs.clone().unwrap_or_default());
    field("manifest", status.manifest.clone().unwrap_or_default());
    field("drift", drift_line(status));
    if !status.processes.is_empty() {
        field("processes", status.processes.len().to_string());
        for line in tree(&status.processes) {
            let line = format!("            {}", style::harmless(&line));
            let _ = writeln!(text, "{}", style.width.map_or(Cow::from(&line), |width| style::cut(&line, width)));
        }
    }
    text.push_str(&style::notes(&status.notes, style));
    footer(&mut text, statuses, style);
    text
}

fn state_line(status: &Status) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(status.raw_state.clone());
    parts.extend(status.since.as_deref().map(|since| format!("since {}", clock(since))));
    parts.extend(status.uptime.map(|uptime| format!("up {}", duration(uptime))));
    parts.extend(status.wanted.map(|wanted| match wanted {
        Wanted::Up => "wanted up".to_owned(),
        Wanted::Down => "wanted down".to_owned(),
    }));
    parts.join(", ")
}

fn last_exit(last: &LastExit) -> String {
    let at = last.at.as_deref().map(|at| format!(", {}", clock(at))).unwrap_or_default();
    format!("{}{at}", last.reason)
}

fn usage(status: &Status) -> String {
    let cpu = status.cpu.map(|cpu| format!("cpu {cpu:.1}%"));
    let memory = status.memory.map(|memory| format!("memory {}", bytes(memory)));
    let tasks = status.tasks.map(|tasks| format!("{tasks} task{}", if tasks == 1 { "" } else { "s" }));
    [cpu, memory, tasks].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn drift_line(status: &Status) -> String {
    let files = status.drift_files.join(", ");
    match status.drift {
        None => String::new(),
        Some(Drift::None) => "none".to_owned(),
        Some(Drift::Manifest) => "manifest: it has changed since; `install` brings the changes over".to_owned(),
        Some(Drift::Artifact) => format!("artifact: somebody changed {files}; `install` puts it back"),
        Some(Drift::Missing) => format!("missing: {files}; `install` puts it back"),
    }
}

/// The processes as a tree, parents first as they come.
fn tree(processes: &[Process]) -> Vec<String> {
    fn below(parent: Option<u32>, indent: &str, processes: &[Process], lines: &mut Vec<String>) {
        let children: Vec<&Process> = processes.iter().filter(|process| process.parent == parent).collect();
        for (place, process) in children.iter().enumerate() {
            let last = place + 1 == children.len();
            let (mark, deeper) = match (parent, last) {
                (None, _) => ("", ""),
                (_, true) => ("└─ ", "   "),
                (_, false) => ("├─ ", "│  "),
            };
            lines.push(format!("{indent}{mark}{} {}", process.pid, process.command));
            below(Some(process.pid), &format!("{indent}{deeper}"), processes, lines);
        }
    }
    let mut lines = Vec::new();
    below(None, "", processes, &mut lines);
    lines
}

fn footer(text: &mut String, statuses: &Statuses, style: &Style) {
    if style.quiet {
        return;
    }
    text.push_str(&style::notes(&statuses.notes, style));
    if let (Some(backend), Some(why)) = (&statuses.backend, &statuses.backend_why) {
        let line = format!("{backend}, {} scope: {why}", statuses.scope.name());
        let _ = writeln!(text, "{}", paint(&line, DIM, style));
    }
}

/// Bytes with a unit: `12.3 MiB`.
fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}

/// Seconds as a person says them: `3d 4h`, `5m 2s`.
fn duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded, and whole seconds are shown")]
    let seconds = seconds.clamp(0.0, 1e12) as u64;
    let parts = [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = parts[first..].iter().take(2).filter(|(count, unit)| *count > 0 || *unit == "s" && seconds == 0);
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Scope;

    const PLAIN: Style = Style { color: false, width: None, quiet: false };

    fn status(name: &str, state: State) -> Status {
        let mut status = Status::not_installed(name, "systemd", Scope::System);
        status.state = state;
        status
    }

    fn statuses(services: Vec<Status>) -> Statuses {
        Statuses {
            backend: Some("systemd".to_owned()),
            backend_why: Some("`/run/systemd/system` exists".to_owned()),
            scope: Scope::System,
            exit: 0,
            services,
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_table_shows_what_there_is() {
        let mut web = status("web", State::Running);
        web.pid = Some(42);
        web.uptime = Some(62.4);
        let mut db = status("db", State::Backoff);
        db.last_exit =
            Some(LastExit { code: Some(3), signal: None, reason: "exited with code 3".to_owned(), at: None });
        db.restarts = Some(7);
        assert_eq!(
            many(&statuses(vec![web, db]), &PLAIN),
            "NAME  STATE    PID  UPTIME  RESTARTS  WHY\n\
             web   running   42   1m 2s\n\
             db    backoff                      7  exited with code 3\n\
             systemd, system scope: `/run/systemd/system` exists\n"
        );
        assert_eq!(many(&statuses(Vec::new()), &Style { quiet: true, ..PLAIN }), "");
    }

    #[test]
    fn one_is_shown_with_its_tree() {
        let mut web = status("web", State::Running);
        web.healthy = Some(false);
        web.memory = Some(3 << 20);
        web.tasks = Some(1);
        let process =
            |pid, parent, command: &str| Process { pid, parent, command: command.to_owned(), memory: 0, cpu: 0.0 };
        web.processes = vec![
            process(1, None, "web"),
            process(2, Some(1), "a"),
            process(4, Some(2), "\u{1b}[2J"),
            process(3, Some(1), "b"),
        ];
        web.drift = Some(Drift::Missing);
        web.drift_files = vec!["/etc/x".to_owned()];
        let text = one(&web, &statuses(Vec::new()), &PLAIN);
        for line in [
            "web running, unhealthy",
            "    backend systemd, system scope",
            "        use memory 3.0 MiB, 1 task",
            "      drift missing: /etc/x; `install` puts it back",
            "            1 web",
            "            ├─ 2 a",
            "            │  └─ 4 \\u{1b}[2J",
            "            └─ 3 b",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5120.0 GiB");
        assert_eq!(duration(0.2), "0s");
        assert_eq!(duration(59.9), "59s");
        assert_eq!(duration(3600.0), "1h");
        assert_eq!(duration(90061.0), "1d 1h");
    }
}
