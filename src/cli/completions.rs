//! `daemonctl completions SHELL`.

use clap::CommandFactory;
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
    clap_complete::generate(shell, &mut Cli::command(), "daemonctl", &mut script);
    Ok(Report::done(views::text(String::from_utf8_lossy(&script).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn each_shell_gets_a_script_that_knows_the_verbs() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "daemonctl", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("uninstall") && script.contains("restart"), "{shell}");
        }
    }
}
