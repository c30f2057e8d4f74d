//! `daemonctl render MANIFEST --target NAME`: the files that a manifest becomes, for any target, on any system.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Context, views};
use crate::backend::windows::config::ScmConfig;
use crate::backend::{Artifact, BackendKind, Body, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::facts::{Facts, Foreign};
use crate::install::Prepared;
use crate::layout::{Scope, without_root};
use crate::report::Report;
use crate::session::backend;
use crate::{prepare, system};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// For this service manager, on whatever machine; without it: this machine's
    #[arg(long, value_name = "NAME", value_parser = super::backends())]
    target: Option<BackendKind>,
    /// Write the files below DIR instead of printing them
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// `render --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Rendered {
    /// The backend it was rendered for.
    backend: String,
    /// The folder that they were written to, with `--output`.
    folder: Option<PathBuf>,
    /// Each file, in the order of the services.
    files: Vec<RenderedFile>,
}

/// A file that install would write.
#[derive(Debug, Serialize, JsonSchema)]
struct RenderedFile {
    /// Where it goes.
    path: String,
    /// The unit it belongs to; null: to what enables one.
    unit: Option<String>,
    /// Its mode in octal digits; null for a link.
    mode: Option<String>,
    /// What is in it; null for what has other fields.
    content: Option<String>,
    /// Where a link leads.
    link: Option<String>,
    /// The names of the secrets in it, whose values only install reads.
    secrets: Option<Vec<String>>,
    /// What the service control manager of Windows keeps.
    scm: Option<Box<ScmConfig>>,
}

/// The target that `--target`, or else this machine, means, with the window on it.
pub(super) fn target(context: &Context, kind: Option<BackendKind>) -> Result<(Target, Box<dyn Facts>)> {
    if let Some(kind) = context.globals.target(kind)? {
        backend(kind)?;
        let scope = context.globals.scope().unwrap_or(Scope::System);
        return Ok((Target::elsewhere(kind, scope), Box::new(Foreign)));
    }
    let mut session = context.session()?;
    let kind = session.choice()?.backend;
    let target = session.target(kind)?;
    let facts: Box<dyn Facts> =
        if target.local { Box::new(system::machine::Local::new(target.scope)) } else { Box::new(Foreign) };
    Ok((target, facts))
}

/// Renders every service.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let read = prepare::read(&args.manifest)?;
    let (target, _) = target(context, args.target)?;
    // Rendering never needs what is on the machine: a program that is not there yet is no reason not to see the unit.
    let prepared = prepare::prepare(&read, target, &Foreign)?;
    let backend = backend(prepared.target.backend)?;
    let mut artifacts = Vec::new();
    for (service, hosting) in &prepared.services {
        artifacts.extend(backend.render(service, *hosting, &prepared.target)?);
    }
    if let Some(folder) = &args.output {
        let folder = &system::absolute(folder)?;
        for artifact in &artifacts {
            let path = folder.join(place(artifact));
            if let Some(parent) = path.parent() {
                system::files::make_folders(parent, 0o755)?;
            }
            match &artifact.body {
                Body::File { content, mode, .. } => system::files::replace(&path, content, *mode, None)?,
                Body::Link { target } => system::files::replace_link(&path, target)?,
                Body::Scm(config) => {
                    let mut json = serde_json::to_vec_pretty(config)
                        .map_err(|error| Error::failed(format!("cannot write the configuration as JSON: {error}")))?;
                    json.push(b'\n');
                    system::files::replace(&path, &json, 0o644, None)?;
                }
                // Their values are read where the service is installed, never here.
                Body::Secrets { .. } => {}
            }
        }
        let text = if context.style.quiet {
            String::new()
        } else {
            format!("{} files below {}\n", artifacts.len(), folder.display())
        };
        return Ok(Report::done(views::said(text, as_json(&prepared, &artifacts, Some(folder), context))));
    }
    let mut text = String::with_capacity(artifacts.iter().map(|artifact| 96 + artifact.body.len()).sum());
    for artifact in artifacts.iter().filter(|_| !context.globals.json()) {
        as_text(artifact, &mut text);
    }
    if artifacts.is_empty() {
        return Err(Error::new(Exit::Manifest, format!("`{}` has no service", args.manifest.display())));
    }
    let json = as_json(&prepared, &artifacts, None, context);
    Ok(Report::done(views::said(text, json)))
}

/// All of them, where JSON is asked for.
fn as_json(prepared: &Prepared, artifacts: &[Artifact], folder: Option<&Path>, context: &Context) -> Value {
    if !context.globals.json() {
        return Value::Null;
    }
    let backend = prepared.target.backend.name().to_owned();
    let files = artifacts.iter().map(file).collect();
    views::to_json(&Rendered { backend, folder: folder.map(Path::to_owned), files })
}

/// An artifact's place below the folder that it is written to.
fn place(artifact: &Artifact) -> PathBuf {
    let path = artifact.path.to_string_lossy();
    match &artifact.body {
        Body::Scm(_) => format!("{}.json", path.replace('\\', "/")).into(),
        _ => without_root(&artifact.path),
    }
}

fn file(artifact: &Artifact) -> RenderedFile {
    let mut scm = None;
    let (mode, content, link, secrets) = match &artifact.body {
        Body::Scm(config) => {
            scm = Some(config.clone());
            (None, None, None, None)
        }
        Body::File { content, mode, .. } => {
            (Some(*mode), Some(String::from_utf8_lossy(content).into_owned()), None, None)
        }
        Body::Secrets { entries, .. } => (Some(0o600), None, None, Some(entries.keys().cloned().collect())),
        Body::Link { target } => (None, None, Some(target.display().to_string()), None),
    };
    RenderedFile {
        path: artifact.path.display().to_string(),
        unit: artifact.unit.clone(),
        mode: mode.map(|mode| format!("{mode:04o}")),
        content,
        link,
        secrets,
        scm,
    }
}

fn as_text(artifact: &Artifact, text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "# {}", artifact.path.display());
    match &artifact.body {
        Body::Link { target } => {
            let _ = writeln!(text, " -> {}", target.display());
        }
        Body::Secrets { entries, .. } => {
            let names: Vec<_> = entries.keys().map(String::as_str).collect();
            let _ = writeln!(text, " (mode 0600; install writes it from: {})", names.join(", "));
        }
        Body::Scm(config) => {
            let _ = write!(text, "\n{config}");
        }
        Body::File { content, mode, .. } => {
            if *mode != 0o644 {
                let _ = write!(text, " (mode {mode:04o})");
            }
            text.push('\n');
            match std::str::from_utf8(content) {
                Ok(content) => text.push_str(content),
                Err(_) => text.push_str(&String::from_utf8_lossy(content)),
            }
        }
    }
}
