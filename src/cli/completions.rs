//! `daemonctl completions SHELL`.

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Context, views};
use crate::error::Result;
use crate::report::Report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell; none: the one that SHELL names
    #[arg(value_name = "SHELL")]
    shell: Option<Shell>,
}

/// Prints the script.
pub fn run(args: &Args, _: &Context) -> Result<Report> {
    let shell = args.shell.or_else(Shell::from_env).unwrap_or(Shell::Bash);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "daemonctl", &mut script);
    Ok(Report::done(views::text(String::from_utf8_lossy(&script).into_owned())))
}

/// The command line without what `--help` doesn't show either, which scripts of most shells would offer. It is built before
/// it is looked at, since arguments come `later`; what building adds is added again.
fn shown() -> Command {
    let mut whole = Cli::command();
    whole.build();
    without_hidden(&whole)
}

/// Whether an argument is one that every command gets when it is built.
fn is_built(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
}

fn without_hidden(command: &Command) -> Command {
    // A command keeps its names for ever; the process ends with the script.
    let name = |name: &str| -> &'static str { name.to_owned().leak() };
    let mut kept = Command::new(name(command.get_name()));
    kept = match command.get_about() {
        Some(about) => kept.about(about.clone()),
        None => kept,
    };
    kept = match command.get_version() {
        Some(version) => kept.version(name(version)),
        None => kept,
    };
    kept.visible_aliases(command.get_visible_aliases().map(name))
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set() && !is_built(arg)).cloned())
        .subcommands(
            command
                .get_subcommands()
                .filter(|command| !command.is_hide_set() && command.get_name() != "help")
                .map(without_hidden),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn each_shell_gets_a_script_that_knows_the_verbs() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut shown(), "daemonctl", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("uninstall") && script.contains("restart"), "{shell}");
            let offered = script.contains("apply") && script.contains("embedded");
            assert!(offered || *shell != Shell::Bash, "{shell}");
            assert!(!script.contains("console-event") && !script.contains("on-demand"), "{shell}");
        }
    }
}
