//! The command line: one file a command, its arguments and one function that returns a [`Report`].
//!
//! To add a command: a file here with an `Args` and a `run`, and a line in [`Command`] and in [`dispatch`].

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::later::Later;
use crate::backend::{self, BackendKind};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::report::{Report, Style};
use crate::session::{self, Session};

pub mod check;
pub mod completions;
pub mod events;
pub mod host;
pub mod init;
pub mod install;
mod later;
pub mod list;
pub mod logs;
pub mod man;
pub mod output;
pub mod plan;
pub mod progress;
pub mod render;
pub mod run;
pub mod schema;
pub mod status;
mod status_view;
mod stretch;
pub mod style;
pub mod supervise;
pub mod support;
pub mod uninstall;
pub mod verbs;
pub mod views;

/// One manifest, one CLI: services on systemd, launchd, Windows, init scripts, or daemonctl's own supervisor.
#[derive(Debug, Parser)]
#[command(name = "daemonctl", version, propagate_version = false, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done / running · 1 failed · 2 wrong usage · 3 not running · 4 not installed · \
5 failed, crash-looping or gave up · 6 manifest invalid or refused by the backend · 7 not permitted · 8 timed out · \
10 plan --exit-code has changes";

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, Default, Args)]
pub struct Globals {
    /// The machine's services (the default for root)
    #[arg(long, conflicts_with = "user", help_heading = "Global options")]
    system: bool,
    /// This user's services (the default for anybody else)
    #[arg(long, help_heading = "Global options")]
    user: bool,
    /// The service manager, instead of the one that is detected
    #[arg(long, value_name = "NAME", value_parser = backends(), hide_possible_values = true, help_heading = "Global options")]
    backend: Option<BackendKind>,
    /// Put everything below DIR, without asking any manager: for images and packages
    #[arg(long, value_name = "DIR", help_heading = "Global options")]
    root: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, help_heading = "Global options")]
    json: bool,
    /// Only what was asked to be shown, and what failed
    #[arg(long, short, help_heading = "Global options")]
    quiet: bool,
}

/// The names of backends. Those that are not there yet are taken too, and refused by name later.
fn backends() -> impl TypedValueParser<Value = BackendKind> {
    let is_there = |kind: BackendKind| backend::ALL.iter().any(|backend| backend.kind() == kind);
    let names = BackendKind::ALL.map(|kind| PossibleValue::new(kind.name()).hide(!is_there(kind)));
    PossibleValuesParser::new(names)
        .try_map(|name| BackendKind::from_name(&name).ok_or_else(|| format!("there is no backend `{name}`")))
}

fn parse_time(text: &str) -> Result<std::time::Duration, String> {
    crate::manifest::parse_duration(text).map_err(|fault| format!("{fault}; write 30s, 5m or 1h30m"))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a starter manifest
    Init(Later<init::Args>),
    /// Check a manifest without changing anything
    Check(Later<check::Args>),
    /// Show the files that a manifest becomes, for any target
    Render(Later<render::Args>),
    /// Show what install would change
    Plan(Later<plan::Args>),
    /// Install a manifest's services and start them
    #[command(visible_alias = "apply")]
    Install(Later<install::Args>),
    /// Stop services and remove all that install made
    Uninstall(Later<uninstall::Args>),
    /// Start services and wait until they are ready
    Start(Later<verbs::Args>),
    /// Stop services and wait until every process is gone
    Stop(Later<verbs::Args>),
    /// Stop and start services
    Restart(Later<verbs::Args>),
    /// Have services read their configuration again
    Reload(Later<verbs::Args>),
    /// Start services at boot
    Enable(Later<verbs::Args>),
    /// Don't start services at boot
    Disable(Later<verbs::Args>),
    /// Show what services are doing
    Status(Later<status::Args>),
    /// List what is installed
    List(Later<list::Args>),
    /// Show what services wrote
    Logs(Later<logs::Args>),
    /// Show what happened to services: starts, ends, restarts, health, reloads
    Events(Later<events::Args>),
    /// Run a manifest's services in the foreground, with nothing installed
    Run(Later<run::Args>),
    /// Show how a target meets each key of a manifest
    Support(Later<support::Args>),
    /// Print the JSON Schema of manifests, or of a command's --json output
    Schema(Later<schema::Args>),
    /// Print a completion script for a shell
    Completions(Later<completions::Args>),
    /// Run daemonctl's own supervisor
    Supervise(Later<supervise::Args>),
    /// Run one service under a service manager (written into units by install)
    #[command(hide = true)]
    Host(Later<host::Args>),
    /// Print or write the manual pages
    Man(Later<man::Args>),
}

/// What every command is given.
pub struct Context {
    /// The global flags.
    pub globals: Globals,
    /// How text is dressed.
    pub style: Style,
}

impl Globals {
    /// `--json`.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// `--quiet`.
    #[must_use]
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    /// `--backend NAME`.
    #[must_use]
    pub const fn backend(&self) -> Option<BackendKind> {
        self.backend
    }

    /// With those behind the command, which count for more where both say something.
    fn and(self, behind: Self) -> Self {
        Self {
            system: self.system || behind.system,
            user: self.user || behind.user,
            backend: behind.backend.or(self.backend),
            root: behind.root.or(self.root),
            json: self.json || behind.json,
            quiet: self.quiet || behind.quiet,
        }
    }

    /// That they don't contradict each other. Where one stands before the command and the other behind it, the parser
    /// doesn't see that.
    fn check(&self) -> Result<()> {
        if self.system && self.user {
            return Err(Error::new(Exit::Usage, "`--system` and `--user` contradict each other"));
        }
        Ok(())
    }

    /// What `--target` and `--backend` mean together, for a command that has both.
    fn target(&self, target: Option<BackendKind>) -> Result<Option<BackendKind>> {
        match (target, self.backend) {
            (Some(target), Some(backend)) if target != backend => {
                let (target, backend) = (target.name(), backend.name());
                let text = format!("`--target {target}` and `--backend {backend}` contradict each other");
                Err(Error::new(Exit::Usage, text).hint("leave `--backend` out to see another machine's answer"))
            }
            _ => Ok(target),
        }
    }

    /// For a command that is daemonctl's own supervisor: no other backend, and nothing below `--root`, runs services.
    fn check_supervisor(&self, command: &str) -> Result<()> {
        if self.root.is_some() {
            return Err(Error::new(Exit::Usage, format!("`{command}` cannot take `--root`: nothing runs below it"))
                .hint("leave `--root` out to act on this machine"));
        }
        match self.backend {
            None | Some(BackendKind::Embedded) => Ok(()),
            Some(other) => {
                let text =
                    format!("`{command}` is daemonctl's own supervisor, which `--backend {}` is not", other.name());
                Err(Error::new(Exit::Usage, text).hint("leave `--backend` out, or say `--backend embedded`"))
            }
        }
    }

    /// The scope that was asked for.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        match (self.system, self.user) {
            (true, _) => Some(Scope::System),
            (_, true) => Some(Scope::User),
            _ => None,
        }
    }

    /// What a session needs of them.
    #[must_use]
    pub fn options(&self) -> session::Options {
        session::Options { scope: self.scope(), backend: self.backend, root: self.root.clone() }
    }
}

impl Context {
    /// Opens a session with the global flags.
    pub fn session(&self) -> Result<Session> {
        Session::open(self.globals.options())
    }
}

/// The whole program: parses, runs, prints, and returns the exit code.
#[must_use]
pub fn main() -> u8 {
    if let Some(name) = host::service_alone() {
        return match crate::host::run_service(&name, Scope::System) {
            Ok(exit) => exit.code(),
            Err(error) => {
                let context = Context { style: style::detect(false), globals: Globals::default() };
                output::error(&error, &context).code()
            }
        };
    }
    let (globals, command) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => return output::usage(error),
    };
    let context = Context { style: style::detect(globals.quiet), globals };
    match context.globals.check().and_then(|()| dispatch(command, &context)) {
        Ok(report) => match (output::report(&report, &context), report.passed_on) {
            // What could not be shown comes first.
            (exit, Some(status)) if exit == report.exit => status,
            (exit, _) => exit.code(),
        },
        Err(error) => output::error(&error, &context).code(),
    }
}

/// The global flags from both sides of the command, and the command.
fn parse() -> Result<(Globals, Command), clap::Error> {
    let mut matches = Cli::command().try_get_matches()?;
    let behind = matches.subcommand().map(|(_, given)| Globals::from_arg_matches(given)).transpose()?;
    let cli = Cli::from_arg_matches_mut(&mut matches)?;
    Ok((cli.globals.and(behind.unwrap_or_default()), cli.command))
}

fn dispatch(command: Command, context: &Context) -> Result<Report> {
    use crate::cli::verbs::Verb;
    match command {
        Command::Init(Later(args)) => init::run(&args, context),
        Command::Check(Later(args)) => check::run(&args, context),
        Command::Render(Later(args)) => render::run(&args, context),
        Command::Plan(Later(args)) => plan::run(&args, context),
        Command::Install(Later(args)) => install::run(&args, context),
        Command::Uninstall(Later(args)) => uninstall::run(&args, context),
        Command::Start(Later(args)) => verbs::run(Verb::Start, &args, context),
        Command::Stop(Later(args)) => verbs::run(Verb::Stop, &args, context),
        Command::Restart(Later(args)) => verbs::run(Verb::Restart, &args, context),
        Command::Reload(Later(args)) => verbs::run(Verb::Reload, &args, context),
        Command::Enable(Later(args)) => verbs::run(Verb::Enable, &args, context),
        Command::Disable(Later(args)) => verbs::run(Verb::Disable, &args, context),
        Command::Status(Later(args)) => status::run(&args, context),
        Command::List(Later(args)) => list::run(&args, context),
        Command::Logs(Later(args)) => logs::run(&args, context),
        Command::Events(Later(args)) => events::run(&args, context),
        Command::Run(Later(args)) => run::run(&args, context),
        Command::Supervise(Later(args)) => supervise::run(&args, context),
        Command::Host(Later(args)) => host::run(&args, context),
        Command::Support(Later(args)) => support::run(&args, context),
        Command::Schema(Later(args)) => schema::run(&args, context),
        Command::Completions(Later(args)) => completions::run(&args, context),
        Command::Man(Later(args)) => man::run(&args, context),
    }
}
