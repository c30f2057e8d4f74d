//! `daemonctl man`: the manual pages, made from the same definitions as `--help`.

use std::path::PathBuf;

use clap::{Command, CommandFactory};

use super::{Cli, Context, views};
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;
use crate::manifest;
use crate::report::Report;
use crate::system::files;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The command whose page is printed; none: daemonctl(1)
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Write every page into this folder instead: daemonctl.1, daemonctl-install.1, ...
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints one page, or writes them all.
pub fn run(args: &Args, _: &Context) -> Result<Report> {
    let pages = pages()?;
    if let Some(folder) = &args.dir {
        let folder = crate::system::absolute(folder)?;
        files::make_folders(&folder, 0o755)?;
        let mut batch = files::Batch::new();
        for (name, page) in &pages {
            batch.replace(&folder.join(format!("{name}.1")), page, 0o644, None)?;
        }
        batch.commit()?;
        return Ok(Report::done(views::text(format!("{} pages in {}\n", pages.len(), folder.display()))));
    }
    let wanted = args.command.as_ref().map_or_else(|| "daemonctl".to_owned(), |command| format!("daemonctl-{command}"));
    if let Some((_, page)) = pages.iter().find(|(name, _)| *name == wanted) {
        return Ok(Report::done(views::text(String::from_utf8_lossy(page).into_owned())));
    }
    let error = Error::new(Exit::Usage, format!("there is no page `{wanted}`"));
    // What all names begin with makes none of them more alike.
    let commands = pages.iter().filter_map(|(name, _)| name.strip_prefix("daemonctl-"));
    Err(match args.command.as_deref().and_then(|command| manifest::nearest(command, commands)) {
        Some(near) => error.hint(format!("there is `daemonctl-{near}`: `daemonctl man {near}`")),
        None => error.hint("`daemonctl --help` lists the commands"),
    })
}

/// Each page by its name.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut whole = Cli::command();
    whole.build();
    let mut pages = vec![page("daemonctl".to_owned(), whole.clone())?];
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        pages.push(page(format!("daemonctl-{}", command.get_name()), command.clone())?);
    }
    Ok(pages)
}

fn page(name: String, command: Command) -> Result<(String, Vec<u8>)> {
    let mut page = Vec::new();
    let version = concat!("daemonctl ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command)
        .source(version)
        .manual("daemonctl's manual")
        .render(&mut page)
        .doing(format_args!("make the page `{name}`"))?;
    Ok((name, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "daemonctl");
        assert!(names.contains(&"daemonctl-status"), "{names:?}");
        assert!(!names.contains(&"daemonctl-help"), "{names:?}");
        let main = String::from_utf8_lossy(&pages[0].1).into_owned();
        assert!(main.contains("Exit codes"), "{main}");
    }
}
