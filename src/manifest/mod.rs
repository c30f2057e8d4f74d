//! The user's language: a TOML file that says how programs run as services.
//!
//! ```text
//! bytes --parse--> Manifest --resolve(target, facts)--> Vec<Service>
//! ```
//! Both are pure. [`parse()`] takes the text alone and tells every fault of it at once; [`resolve()`] lays defaults and
//! overrides over one another for one target, fills in `${...}`, makes paths absolute, finds contradictions and puts the
//! services in dependency order. [`schema()`] gives the JSON Schema and [`starter()`] what `init` writes. Reading the
//! file is `system::manifest_file`; whether what the services name is on this machine is `preflight::check`; what a
//! backend makes of each key is `support`.
//!
//! Each table of the manifest is a file here. Its `table!` declaration is the one place that names its keys: the macro
//! makes the struct, the decoder with positions, the list of keys and the schema of it. The function `build` beside it
//! turns the layers of the table ([`layers`]: `[defaults]`, the service, `[...on.OS]`, `[...on.BACKEND]`) into the part
//! of [`crate::service::Service`] that backends see, and says what contradicts itself.
//!
//! To add a key:
//! 1. a line in [`crate::key`], so that every backend must answer for it;
//! 2. a line in the table's declaration here, with its type and documentation. The type decodes and describes itself
//!    (`decode::Value`): `Text`, `PathText`, `Argv`, `Duration`, `Size`, `words!` for enums...;
//! 3. its field in [`crate::service`], filled in by `build`, with its default and what it contradicts;
//! 4. a line in MANIFEST.md and a case in `tests/golden/manifest-errors`.

mod argv;
mod build;
mod calendar;
mod decode;
mod env_file;
mod error;
mod folders;
mod health;
mod hooks;
mod instances;
mod interpolate;
mod layers;
mod limits;
mod logs;
pub mod name;
mod native;
mod on;
mod order;
mod parse;
mod paths;
mod probe;
mod ready;
mod reload;
mod resolve;
mod restart;
mod schedule;
mod schema;
mod security;
mod service;
mod source;
mod split;
mod starter;
mod stop;
#[cfg(test)]
mod tests;
mod text;
mod thresholds;
mod umask;
mod units;
mod watch;
mod windows;

pub use build::ResolveDirs;
pub use calendar::parse_calendar;
pub(crate) use error::nearest;
pub use error::{ManifestError, ManifestErrorJson, ManifestErrors, RelatedJson};
pub use folders::folders;
pub use parse::{MAX_SIZE, Manifest, parse};
pub use resolve::resolve;
pub use schema::schema;
pub use source::{Position, Source, Span};
pub use starter::{Starter, starter};
pub use units::{parse_duration, parse_size, show_duration, show_size};
