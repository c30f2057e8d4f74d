//! `daemonctl init`: a starter manifest.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, views};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::facts::{Facts, PathKind};
use crate::manifest::{self, Starter};
use crate::report::Report;
use crate::system::{self, files};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program (a binary, a script, a name in PATH) and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// What sort of service
    #[arg(long, value_enum, default_value_t = Kind::Worker)]
    kind: Kind,
    /// The service's name; without it: the program's
    #[arg(long)]
    name: Option<String>,
    /// Where to write; - prints it
    #[arg(long, short, value_name = "FILE", default_value = "manifest.toml")]
    output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// The starters.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A server with readiness and health checks
    Web,
    /// A program that runs until it is stopped
    Worker,
    /// A program that runs on a schedule
    Task,
    /// Two services, one depending on the other
    Two,
}

/// `init --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Written {
    /// The file that was written; null where the manifest was only printed.
    file: Option<PathBuf>,
    /// The manifest that was printed; null where it was written.
    manifest: Option<String>,
}

/// Writes the manifest.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let exec = if args.command.is_empty() { vec!["./my-program".to_owned()] } else { detected(&args.command)? };
    let name = args.name.clone().unwrap_or_else(|| name_of(&exec));
    if let Some(fault) = args.name.as_deref().and_then(manifest::name::fault) {
        return Err(Error::new(Exit::Usage, format!("`{name}` is no name for a service: {fault}")));
    }
    let kind = match args.kind {
        Kind::Web => Starter::Web,
        Kind::Worker => Starter::Worker,
        Kind::Task => Starter::Task,
        Kind::Two => Starter::Two,
    };
    let text = manifest::starter(kind, &name, &exec);
    if args.output == Path::new("-") {
        return Ok(Report::done(views::said(
            text.clone(),
            views::to_json(&Written { file: None, manifest: Some(text) }),
        )));
    }
    let path = system::absolute(&args.output)?;
    if !args.force && files::look(&path)? != files::Found::Absent {
        return Err(Error::failed(format!("`{}` exists already", args.output.display()))
            .hint("`--force` replaces it, `--output FILE` writes another"));
    }
    files::replace(&path, text.as_bytes(), 0o644, None)?;
    let shown = args.output.display();
    let said = if context.style.quiet {
        String::new()
    } else {
        format!("wrote {shown}\nlook at it, then: daemonctl check {shown}; daemonctl install {shown}\n")
    };
    Ok(Report::done(views::said(said, views::to_json(&Written { file: Some(path), manifest: None }))))
}

/// The command as a manifest should have it: a program that exists becomes absolute, a script without an execute bit
/// gets its interpreter.
fn detected(command: &[String]) -> Result<Vec<String>> {
    let program = &command[0];
    let machine = system::machine::Local::new(system::machine::default_scope());
    if !program.contains(['/', '\\']) {
        // `python` means the one in the search path, whatever lies here; `app.py` means the file here.
        let here = system::exists(Path::new(program));
        let found = if here && Path::new(program).extension().is_some() { None } else { machine.program(program) };
        match found {
            Some(path) => return Ok(with_program(path.to_string_lossy().into_owned(), command)),
            None if here => {}
            None => {
                return Err(Error::new(
                    Exit::Usage,
                    format!("there is no program `{program}` here or in the search path"),
                )
                .hint("give its path, or leave it out to get a manifest to fill in"));
            }
        }
    }
    let path = system::absolute(Path::new(program))?;
    let shown = path.to_string_lossy().into_owned();
    match machine.path(&path) {
        Some(PathKind::Executable) => Ok(with_program(shown, command)),
        Some(PathKind::File) => {
            let mut exec = interpreter(&path)?;
            exec.extend(with_program(shown, command));
            Ok(exec)
        }
        Some(PathKind::Folder) => Err(Error::new(Exit::Usage, format!("`{program}` is a folder, not a program"))),
        _ => Err(Error::new(Exit::Usage, format!("there is no program `{program}`"))
            .hint("give its path, or leave it out to get a manifest to fill in")),
    }
}

fn with_program(program: String, command: &[String]) -> Vec<String> {
    std::iter::once(program).chain(command[1..].iter().cloned()).collect()
}

/// What runs a file that is not executable: the first line's interpreter, else the one usual for its ending.
fn interpreter(path: &Path) -> Result<Vec<String>> {
    let content = files::read(path)?.unwrap_or_default();
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(line) = first.strip_prefix(b"#!")
        && let Ok(line) = std::str::from_utf8(line)
    {
        return match line.trim().split_once(char::is_whitespace) {
            // Each word of `env -S` is an argument, elsewhere all that follows the interpreter is one.
            Some((env, rest)) if env.ends_with("/env") => {
                let rest = rest.trim_start().strip_prefix("-S").unwrap_or(rest);
                Ok(rest.split_whitespace().map(str::to_owned).collect())
            }
            Some((program, rest)) => Ok(vec![program.to_owned(), rest.trim().to_owned()]),
            None if !line.trim().is_empty() => Ok(vec![line.trim().to_owned()]),
            None => Err(no_program(path)),
        };
    }
    let usual = [
        ("sh", "sh"),
        ("bash", "bash"),
        ("py", "python3"),
        ("js", "node"),
        ("rb", "ruby"),
        ("pl", "perl"),
        ("php", "php"),
    ];
    path.extension()
        .and_then(|ending| usual.iter().find(|(known, _)| ending == *known))
        .map(|(_, program)| vec![(*program).to_owned()])
        .ok_or_else(|| no_program(path))
}

fn no_program(path: &Path) -> Error {
    Error::new(Exit::Usage, format!("`{}` is not executable, and nothing tells what runs it", path.display()))
        .hint(format!("`chmod +x {}`, or put its interpreter in front of it", path.display()))
}

/// The program's name without its ending; of an interpreter's script, the script's.
fn name_of(exec: &[String]) -> String {
    let script = exec.iter().skip(1).find(|word| word.contains('/') && !word.starts_with('-'));
    let interpreted =
        ["sh", "bash", "python3", "node", "ruby", "perl", "php"].iter().any(|known| exec[0].ends_with(known));
    let word = script.filter(|_| interpreted).unwrap_or(&exec[0]);
    Path::new(word).file_stem().map_or_else(|| "my-service".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
