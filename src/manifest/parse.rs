//! From bytes to tables. Pure: the text alone.

use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::decode::{Decoder, Table};
use super::error::{ManifestError, ManifestErrors, shown};
use super::resolve;
use super::service::{Root, ServiceTable, Services};
use super::source::{Source, Span};

/// A larger file is no manifest: room for a hundred thousand services.
pub const MAX_SIZE: usize = 16 << 20;

/// A manifest as it was written, with the place of everything.
#[derive(Debug)]
pub struct Manifest {
    pub(crate) source: Arc<Source>,
    pub(crate) defaults: Option<Box<ServiceTable>>,
    pub(crate) services: Services,
}

impl Manifest {
    /// The services' names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.0.iter().map(|(name, _)| name.value.as_str())
    }

    /// The text, for faults that are found later.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }
}

/// Reads a manifest. `name` is what messages call the file. All faults of the file are reported together.
pub fn parse(text: &[u8], name: &Path) -> Result<Manifest, ManifestErrors> {
    let text = match text_of(text) {
        Ok(text) => text,
        Err((text, error)) => {
            return Err(ManifestErrors::new(Arc::new(Source::new(name, text)), vec![*error]));
        }
    };
    let source = Arc::new(Source::new(name, text.to_owned()));
    let (document, faults) = DeTable::parse_recoverable(source.text());
    let mut cx = Decoder::new(&source);
    let mut root = Root::default();
    for (key, value) in document.get_ref() {
        if !root.set(key.get_ref(), key.span().into(), value, &mut cx) {
            unknown_at_top(&mut root, key.get_ref(), key.span().into(), value, &mut cx);
        }
    }
    let services = root.service.take().map(|field| field.value);
    let mut errors = cx.errors;
    if faults.is_empty() {
        if errors.is_empty() && services.as_ref().is_none_or(|services| services.0.is_empty()) {
            errors.push(no_services(&source));
        }
    } else {
        errors = syntax(&source, &faults, errors);
    }
    let manifest = Manifest {
        source: Arc::clone(&source),
        defaults: root.defaults.map(|field| field.value),
        services: services.unwrap_or_default(),
    };
    if faults.is_empty() && !errors.is_empty() {
        // What can be told of contradictions without the unreadable parts is told too, all at once.
        errors.extend(resolve::contradictions(&manifest));
    }
    ManifestErrors::check(&source, errors)?;
    Ok(manifest)
}

/// A key beside `service`: one of a service's was probably meant for `[service.NAME]`.
fn unknown_at_top(root: &mut Root, name: &str, key: Span, value: &super::decode::Raw<'_>, cx: &mut Decoder<'_>) {
    if ServiceTable::NAMES.contains(&name) {
        let error = ManifestError::new(key, format!("`{name}` stands outside of a service"));
        cx.errors.push(
            error
                .expected("expected `manifest`, `defaults` or `service`")
                .hint("put it below `[service.NAME]` or `[defaults]`"),
        );
        root.set_broken();
    } else {
        root.set_other(name, key, value, cx);
    }
}

fn no_services(source: &Source) -> ManifestError {
    let what = if source.text().trim().is_empty() { "the manifest is empty" } else { "the manifest has no service" };
    ManifestError::new(Span::default(), what)
        .expected("expected at least one `[service.NAME]` with `exec`")
        .hint("`daemonctl init` writes one to start from")
}

/// Errors of TOML itself, and of what could be read in spite of them: nothing is said about a line that is broken.
fn syntax(source: &Source, faults: &[toml::de::Error], others: Vec<ManifestError>) -> Vec<ManifestError> {
    let mut errors: Vec<ManifestError> = faults.iter().map(|fault| syntax_error(source, fault)).collect();
    let broken: Vec<usize> = errors.iter().map(|error| source.position(error.at).line).collect();
    errors.extend(others.into_iter().filter(|error| !broken.contains(&source.position(error.at).line)));
    errors
}

fn syntax_error(source: &Source, fault: &toml::de::Error) -> ManifestError {
    let end = source.text().len();
    let at: Span = fault.span().unwrap_or(end..end).into();
    let (message, expected) = fault.message().split_once(", expected ").unwrap_or((fault.message(), ""));
    if message == "duplicate key" {
        let key = shown(source.slice(at));
        return ManifestError::new(at, format!("`{key}` is given twice"))
            .expected("the second one")
            .hint("remove one of the two");
    }
    let error = ManifestError::new(at, format!("this is no TOML: {message}"));
    if message.contains("recurs") {
        return error.expected("at most 80 levels of lists and tables");
    }
    if expected.is_empty() {
        error.expected("TOML, see https://toml.io")
    } else {
        error.expected(format!("expected {expected}"))
    }
}

/// The bytes as text; else the part of it that can be shown, with the fault.
fn text_of(bytes: &[u8]) -> Result<&str, (String, Box<ManifestError>)> {
    let nothing = |error: ManifestError| (String::new(), Box::new(error));
    let start = Span::default();
    if bytes.len() > MAX_SIZE {
        let message = format!("the manifest has {} MiB", bytes.len() >> 20);
        return Err(nothing(
            ManifestError::new(start, message)
                .expected(format!("at most {} MiB", MAX_SIZE >> 20))
                .hint("is this the right file?"),
        ));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let error = ManifestError::new(start, "the manifest is UTF-16");
        return Err(nothing(
            error.expected("expected UTF-8").hint("save it as UTF-8; in PowerShell: `Out-File -Encoding utf8`"),
        ));
    }
    if bytes.contains(&0) {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let shown = String::from_utf8_lossy(text).into_owned();
        let error =
            ManifestError::new(Span::new(shown.len(), shown.len()), "the manifest is binary: it has a NUL byte");
        return Err((shown, Box::new(error.expected("expected TOML, which is text").hint("is this the right file?"))));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = error.valid_up_to();
        let rest = &bytes[good..];
        let line_end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let shown = String::from_utf8_lossy(&bytes[..good + line_end]).into_owned();
        let at = Span::new(good, good + '\u{fffd}'.len_utf8());
        let error = ManifestError::new(at, format!("the manifest is not UTF-8: byte 0x{:02x}", bytes[good]));
        (shown, Box::new(error.expected("expected UTF-8 from here").hint("save it as UTF-8")))
    })
}
