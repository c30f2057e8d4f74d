//! `print`, in three dialects: text for people, which no two systems print alike.

use std::fmt::{Display, Write as _};

use crate::codes;
use crate::definition::KeepAlive;
use crate::job::{Ending, Job, Phase, Reason};
use crate::knobs::Dialect;
use crate::launchd::{Launchd, one_target};
use crate::target::{Domain, Key, Target};
use crate::wire::Answer;

/// Text with blocks.
#[derive(Default)]
struct Text {
    text: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{}{line}", "\t".repeat(self.depth));
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn field(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn field_if(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(key, value);
        }
    }

    fn block(&mut self, key: &str, inner: impl FnOnce(&mut Self)) {
        self.line(format_args!("{key} = {{"));
        self.depth += 1;
        inner(self);
        self.depth -= 1;
        self.line("}");
    }

    fn map<'a>(&mut self, key: &str, pairs: impl IntoIterator<Item = (&'a str, String)>) {
        self.block(key, |text| {
            for (name, value) in pairs {
                text.line(format_args!("{name} => {value}"));
            }
        });
        self.gap();
    }
}

impl Launchd {
    pub(crate) fn print(&self, words: &[String], uid: u32) -> Answer {
        if words.len() != 1 {
            return Answer::fails(codes::USAGE, "Usage: launchctl print <domain-target> | <service-target>");
        }
        match one_target(words, uid) {
            Err(answer) => answer,
            Ok(Target::Domain(domain)) if !self.is_there(domain) => self.no_domain(domain),
            Ok(Target::Domain(domain)) => Answer::out(self.print_domain(domain)),
            Ok(Target::Service(key)) => match self.find(&key) {
                Err(answer) => answer,
                Ok(job) => Answer::out(self.print_job(&key, job)),
            },
        }
    }

    fn print_domain(&self, domain: Domain) -> String {
        let mut text = Text::default();
        text.block(&domain.to_string(), |text| {
            let kind = match domain {
                Domain::System => "system",
                Domain::User(_) => "user",
                Domain::Gui(_) => "login",
            };
            text.field("type", kind);
            text.field("handle", domain.uid());
            text.field("creator", "launchd[1]");
            text.field_if("session", (domain != Domain::System).then(|| domain.session()));
            text.gap();
            text.block("services", |text| {
                for ((_, label), job) in self.jobs.iter().filter(|((of, _), _)| *of == domain) {
                    let pid = job.pid().unwrap_or(0);
                    let status = match job.last {
                        None => "-".to_owned(),
                        Some(Ending::Code(code)) => code.to_string(),
                        Some(Ending::Signal(signal)) => format!("-{signal}"),
                    };
                    text.line(format_args!("{pid:>10} {status:>6} \t{label}"));
                }
            });
        });
        text.text
    }

    fn print_job(&self, key: &Key, job: &Job) -> String {
        let dialect = self.knobs.dialect;
        let old = dialect == Dialect::Mojave;
        let mut text = Text::default();
        let head = if old { key.1.clone() } else { format!("{}/{}", key.0, key.1) };
        text.block(&head, |text| {
            text.field("active count", u8::from(job.pid().is_some()));
            text.field("path", job.path.display());
            let kind = if key.0 == Domain::System { "LaunchDaemon" } else { "LaunchAgent" };
            text.field_if("type", (!old).then_some(kind));
            text.field("state", state(job, dialect));
            text.gap();
            program(text, job);
            self.environments(text, key, job);
            self.origin(text, key, job);
            process(text, job, dialect);
            tail(text, key, job, dialect);
        });
        text.text
    }

    fn environments(&self, text: &mut Text, key: &Key, job: &Job) {
        if key.0 != Domain::System {
            let inherited = self.knobs.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
            text.map("inherited environment", inherited);
        }
        text.map("default environment", [("PATH", "/usr/bin:/bin:/usr/sbin:/sbin".to_owned())]);
        let given = job.definition.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
        text.map("environment", given.chain([("XPC_SERVICE_NAME", key.1.clone())]));
    }

    fn origin(&self, text: &mut Text, key: &Key, job: &Job) {
        let definition = &job.definition;
        let asid = |uid: u32| 100_000 + uid % 1000;
        match (self.knobs.dialect, key.0) {
            (Dialect::Mojave, Domain::System) => text.field("domain", "com.apple.xpc.launchd.domain.system"),
            (Dialect::Mojave, Domain::Gui(uid)) => {
                text.field("domain", format_args!("com.apple.xpc.launchd.user.domain.{uid}.{}.Aqua", asid(uid)));
            }
            (Dialect::Mojave, Domain::User(uid)) => {
                text.field("domain", format_args!("com.apple.xpc.launchd.user.domain.{uid}"));
            }
            (_, Domain::Gui(uid)) => text.field("domain", format_args!("{} [{}]", key.0, asid(uid))),
            (_, domain) => text.field("domain", domain),
        }
        if let Domain::Gui(uid) = key.0 {
            text.field("asid", asid(uid));
        }
        if key.0 == Domain::System {
            text.field_if("username", definition.user.as_ref());
            text.field_if("group", definition.group.as_ref());
        }
        text.field_if("umask", definition.umask.map(|mask| format!("{mask:o}")));
        text.field("minimum runtime", definition.throttle);
        if self.knobs.dialect == Dialect::Tahoe && definition.throttle != 10 {
            text.field("base minimum runtime", definition.throttle);
        }
        text.field("exit timeout", definition.exit_timeout);
        text.field_if("nice", (definition.nice != 0).then_some(definition.nice));
        text.field("runs", job.runs);
    }
}

fn state(job: &Job, dialect: Dialect) -> &'static str {
    match job.phase {
        Phase::Up { .. } => "running",
        Phase::Ending { signal: 9, .. } => "SIGKILLed",
        Phase::Ending { .. } => "SIGTERMed",
        Phase::Scheduled { .. } => "spawn scheduled",
        Phase::Down if dialect == Dialect::Mojave => "waiting",
        Phase::Down => "not running",
    }
}

fn program(text: &mut Text, job: &Job) {
    let definition = &job.definition;
    text.field("program", definition.path());
    if !definition.arguments.is_empty() {
        text.block("arguments", |text| {
            // As they are: what has several lines goes over several lines, wherever they begin.
            for argument in &definition.arguments {
                text.line(argument);
            }
        });
        text.gap();
    }
    text.field_if("working directory", definition.working_directory.as_ref().map(|path| path.display()));
    if definition.working_directory.is_some() {
        text.gap();
    }
    for (key, path) in
        [("stdin path", &definition.stdin), ("stdout path", &definition.stdout), ("stderr path", &definition.stderr)]
    {
        text.field_if(key, path.as_ref().map(|path| path.display()));
    }
}

fn process(text: &mut Text, job: &Job, dialect: Dialect) {
    if dialect == Dialect::Mojave || job.crashes > 0 {
        text.field("successive crashes", job.crashes);
    }
    if let Some(pid) = job.pid() {
        text.field("pid", pid);
        text.field_if("immediate reason", job.reason.map(Reason::words));
    }
    text.field("forks", 0);
    text.field("execs", job.runs.min(1));
    text.field("initialized", u8::from(job.runs > 0));
    text.field("trampolined", u8::from(job.runs > 0));
    text.field("started suspended", 0);
    text.field("proxy started suspended", 0);
    if dialect == Dialect::Tahoe {
        text.field("checked allocations", 0);
    }
    if dialect != Dialect::Mojave {
        text.field_if("pended nondemand spawn", job.pended.map(Reason::words));
    }
    match job.last {
        None => text.field("last exit code", "(never exited)"),
        Some(Ending::Code(code)) => match codes::exit_name(code) {
            Some(name) => text.field("last exit code", format_args!("{code}: {name}")),
            None => text.field("last exit code", code),
        },
        Some(Ending::Signal(signal)) => text.field("last terminating signal", codes::signal_words(signal)),
    }
    text.gap();
}

fn tail(text: &mut Text, key: &Key, job: &Job, dialect: Dialect) {
    let definition = &job.definition;
    if let KeepAlive::When { successful_exit, crashed } = definition.keep_alive {
        text.block("semaphores", |text| {
            for (name, value) in [("successful exit", successful_exit), ("after crash", crashed)] {
                if let Some(value) = value {
                    text.line(format_args!("{name} => {}", u8::from(value)));
                }
            }
        });
        text.gap();
    }
    text.block("event triggers", |text| {
        for (at, times) in definition.calendar.iter().enumerate() {
            text.line(format_args!("{}.{} => {{", key.1, 268_435_456 + at));
            text.depth += 1;
            text.field("keepalive", 0);
            text.field("service", &key.1);
            text.field("stream", "com.apple.launchd.calendarinterval");
            text.field("monitor", "com.apple.UserEventAgent-Aqua");
            text.block("descriptor", |text| {
                for (name, value) in times {
                    text.line(format_args!("\"{name}\" => {value}"));
                }
            });
            text.depth -= 1;
            text.line("}");
        }
    });
    text.gap();
    if dialect == Dialect::Mojave {
        for block in [
            "endpoints",
            "dynamic endpoints",
            "pid-local endpoints",
            "instance-specific endpoints",
            "event channels",
            "sockets",
        ] {
            text.block(block, |_| {});
            text.gap();
        }
    } else {
        for coalition in ["resource coalition", "jetsam coalition"] {
            text.block(coalition, |text| {
                text.field("ID", 4321);
                text.field("type", coalition.split(' ').next().unwrap_or_default());
                text.field("state", "active");
                text.field("active count", u8::from(job.pid().is_some()));
                text.field("name", &key.1);
            });
            text.gap();
        }
    }
    let kind = match definition.process_type.as_deref() {
        Some("Interactive") => ("interactive", 4),
        Some("Background") => ("background", 5),
        Some("Adaptive") => ("adaptive", 6),
        _ => ("daemon", 3),
    };
    if dialect == Dialect::Mojave {
        text.field("spawn type", kind.0);
        text.field("spawn role", "(null)");
    } else {
        text.field("spawn type", format_args!("{} ({})", kind.0, kind.1));
    }
    text.field("jetsam priority", if dialect == Dialect::Mojave { 3 } else { 40 });
    text.field("jetsam memory limit (active)", "(unlimited)");
    text.field("jetsam memory limit (inactive)", "(unlimited)");
    text.field("jetsamproperties category", "daemon");
    text.field("jetsam thread limit", 32);
    text.field("cpumon", "default");
    if dialect == Dialect::Tahoe && job.trouble.is_some() {
        text.field("job state", "spawn failed");
    }
    text.field_if("run interval", definition.interval.map(|seconds| format!("{seconds} seconds")));
    text.gap();
    let flags = [
        ("partial import", false),
        ("keepalive", definition.keep_alive == KeepAlive::Always),
        ("runatload", definition.run_at_load),
        ("low priority i/o", definition.low_priority_io),
        ("abandon process group", definition.abandon_group),
        ("pended non-demand spawn", job.pended.is_some()),
        ("launch only once", definition.once),
        ("inferred program", definition.program.is_none()),
        ("no initgroups", !definition.init_groups),
    ];
    if dialect == Dialect::Mojave {
        text.block("properties", |text| {
            for (name, value) in flags {
                text.field(name, u8::from(value));
            }
        });
    } else {
        let set: Vec<_> =
            flags.iter().filter(|(name, set)| *set && !name.starts_with("pended")).map(|(name, _)| *name).collect();
        text.field_if("properties", (!set.is_empty()).then(|| set.join(" | ")));
    }
}
