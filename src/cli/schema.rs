//! `daemonctl schema`: the shapes that other programs read and write, as JSON Schemas made from the same types.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Context, check, init, list, render, run, supervise, views};
use crate::error::Result;
use crate::exit::Exit;
use crate::logs::LogLine;
use crate::report::{Outcome, Report};
use crate::status::Statuses;
use crate::support::{General, Row};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_name = "WHAT", value_enum, default_value_t = What::Manifest)]
    what: What,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Manifests, for editors
    Manifest,
    /// status --json
    Status,
    /// list --json
    List,
    /// logs --json, each line
    Logs,
    /// events --json, each line; what event hooks get
    Events,
    /// plan --json, and install --dry-run --json
    Plan,
    /// install, uninstall, start, stop, restart, reload, enable and disable with --json
    Outcome,
    /// check --json
    Check,
    /// render --json
    Render,
    /// support MANIFEST --json
    Support,
    /// support --json
    SupportAll,
    /// init --json
    Init,
    /// run --json, and supervise --json in the foreground: what is said at the end
    Run,
    /// supervise --json with --detach, --stop or --reexec
    Supervise,
    /// completions --json and man --json
    Text,
    /// What any command prints with --json when it fails
    Error,
}

/// What a failed command prints with `--json`.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorOutput {
    /// The failure.
    error: ErrorBody,
}

/// A failure.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorBody {
    /// What was tried and what came back.
    message: String,
    /// The exit code's name.
    exit: Exit,
    /// The exit code.
    code: u8,
    /// What belongs to the message, such as a service's last lines.
    #[serde(default)]
    details: Vec<String>,
    /// What to do about it.
    #[serde(default)]
    hints: Vec<String>,
    /// Each fault of the manifest, where that is what is wrong.
    #[serde(default)]
    manifest: Vec<crate::manifest::ManifestErrorJson>,
}

/// Prints the schema.
pub fn run(args: &Args, _: &Context) -> Result<Report> {
    let json = schema(args.what);
    Ok(Report::done(views::said(format!("{json:#}\n"), json)))
}

fn schema(what: What) -> Value {
    match what {
        What::Manifest => crate::manifest::schema(),
        What::Status => of::<Statuses>(),
        What::List => of::<list::List>(),
        What::Logs => of::<LogLine>(),
        What::Events => of::<crate::events::Event>(),
        What::Plan => of::<views::PlanJson>(),
        What::Outcome => of::<Outcome>(),
        What::Check => of::<check::Checked>(),
        What::Render => of::<render::Rendered>(),
        What::Support => of::<Vec<Row>>(),
        What::SupportAll => of::<Vec<General>>(),
        What::Init => of::<init::Written>(),
        What::Run => of::<run::Ended>(),
        What::Supervise => of::<supervise::Done>(),
        What::Text => of::<views::TextJson>(),
        What::Error => of::<ErrorOutput>(),
    }
}

fn of<T: JsonSchema>() -> Value {
    views::to_json(&schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_shape_that_is_promised() {
        let schema = of::<ErrorOutput>();
        let told = super::super::output::error_json(&crate::error::Error::failed("x"));
        let body = &schema["$defs"]["ErrorBody"]["properties"];
        for key in told["error"].as_object().unwrap().keys() {
            assert!(body.get(key).is_some(), "{key} is in no schema: {schema:#}");
        }
    }

    #[test]
    fn every_field_of_a_schema_is_explained() {
        for schema in [
            of::<Statuses>(),
            of::<list::List>(),
            of::<LogLine>(),
            of::<views::PlanJson>(),
            of::<Outcome>(),
            of::<check::Checked>(),
            of::<render::Rendered>(),
            of::<init::Written>(),
            of::<run::Ended>(),
            of::<supervise::Done>(),
            of::<views::TextJson>(),
            of::<crate::events::Event>(),
        ] {
            let fields = schema["properties"].as_object().unwrap();
            for (name, field) in fields {
                assert!(field.get("description").is_some(), "{name}: {field}");
            }
        }
    }
}
