//! `[service.NAME.logs]`: where output goes.

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{Decoder, Defs, Raw, Value, table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::source::Span;
use super::text::{Number, PathText, Set};
use super::units::{Size, SomeTime};
use crate::backend::BackendKind;
use crate::service::{Archive, Compress, LogFile, LogFormat, Logs};

/// Rotation of files that the host writes where nothing is said: a log nobody thought of never fills a disk.
const MAX_SIZE: u64 = 10 << 20;
const KEEP: u32 = 10;

table! {
    /// Where output goes.
    LogsTable "logs" "[service.NAME.logs]" {
        /// native (journald, Event Log, unified log, syslog), file, or both.
        to: Set<To> = LogsTo,
        /// One file for both streams.
        file: PathText = LogsFile in "logs",
        /// A file for standard output; with stderr.
        stdout: PathText = LogsStdout in "logs",
        /// A file for standard error; with stdout.
        stderr: PathText = LogsStderr in "logs",
        /// What a line looks like; raw unless given.
        format: LogFormat = LogsFormat,
        /// A file larger than this is rotated.
        max_size: Size = LogsMaxSize,
        /// A file older than this is rotated, and a rotated one that old is deleted.
        max_age: SomeTime = LogsMaxAge,
        /// Rotated files kept.
        keep: Number<0, 100_000> = LogsKeep,
        /// Bytes of all files together.
        total: Size = LogsTotal,
        /// How rotated files are kept; none unless given.
        compress: Compress = LogsCompress,
        /// A folder where rotated files move, or a command (a list) that takes them over, each by its path as the last argument and
        /// on standard input: deleted when that has exited with 0, else tried again.
        archive: ArchiveTo = LogsArchive,
    }
}

/// A word in `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Native,
    File,
}

words!(To { Native = "native", File = "file" });
words!(LogFormat { Raw = "raw", Timestamped = "timestamped", Json = "json" });
words!(Compress { None = "none", Gzip = "gzip", Zstd = "zstd" });

/// A folder as a string, a command as a list.
#[derive(Debug)]
pub(crate) enum ArchiveTo {
    Folder(PathText),
    Command(Argv),
}

impl Value for ArchiveTo {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            toml::de::DeValue::Array(_) => Argv::decode(raw, cx).map(Self::Command),
            toml::de::DeValue::String(_) => PathText::decode(raw, cx).map(Self::Folder),
            _ => cx.mistyped(raw, "a folder as a string, or a command as a list"),
        }
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        serde_json::json!({ "anyOf": [
            PathText::schema(defs),
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] })
    }
}

/// Where the service's output goes.
pub(crate) fn build(layers: Option<Layers<'_, LogsTable>>, at: Span, cx: &mut Build<'_>) -> Logs {
    let host_writes = cx.target.backend == BackendKind::Embedded;
    let mut logs = Logs {
        native: true,
        file: None,
        format: LogFormat::Raw,
        max_size: host_writes.then_some(MAX_SIZE),
        max_age: None,
        keep: host_writes.then_some(KEEP),
        total: None,
        compress: Compress::None,
        archive: None,
    };
    let Some(layers) = layers else { return logs };
    places(layers, at, &mut logs, cx);
    if logs.file == Some(LogFile::Default) {
        (logs.max_size, logs.keep) = (Some(MAX_SIZE), Some(KEEP));
    }
    if let Some(format) = layers.get(|table| &table.format) {
        logs.format = format.value;
    }
    logs.max_size = layers.get(|table| &table.max_size).map(|size| size.value.0).or(logs.max_size);
    logs.max_age = layers.get(|table| &table.max_age).map(|age| age.value.0);
    logs.keep = layers.get(|table| &table.keep).map(|keep| keep.value.count()).or(logs.keep);
    logs.total = layers.get(|table| &table.total).map(|total| total.value.0);
    if let Some(compress) = layers.get(|table| &table.compress) {
        logs.compress = compress.value;
    }
    logs.archive = layers.get(|table| &table.archive).map(|archive| match &archive.value {
        ArchiveTo::Folder(folder) => Archive::Folder(cx.path(folder, archive.at)),
        ArchiveTo::Command(command) => Archive::Command(cx.argv(command)),
    });
    if let (Some(max), Some(total)) = (layers.get(|table| &table.max_size), layers.get(|table| &table.total))
        && total.value.0 < max.value.0
    {
        let error =
            ManifestError::new(total.at, "`logs.total` is less than `logs.max_size`: not even one file would fit");
        cx.fault(error.related(max.at, "the size of one file").hint("give all files together more room than one"));
    }
    without_file(layers, &logs, cx);
    logs
}

fn places(layers: Layers<'_, LogsTable>, at: Span, logs: &mut Logs, cx: &mut Build<'_>) {
    let chosen = layers.choice(|table| table.file.is_some() || table.stdout.is_some() || table.stderr.is_some());
    let to = layers.get(|table| &table.to);
    if let Some(table) = chosen {
        let apart = table.stdout.as_ref().or(table.stderr.as_ref());
        let keys = [("file", key_of(table.file.as_ref())), ("stdout` and `stderr", key_of(apart))];
        if cx.exactly_one("`logs`", at, table.broken, &keys) {
            logs.file = match (&table.file, &table.stdout, &table.stderr) {
                (Some(file), _, _) => Some(LogFile::One(cx.path(&file.value, file.at))),
                (_, Some(out), Some(err)) => {
                    let (stdout, stderr) = (cx.path(&out.value, out.at), cx.path(&err.value, err.at));
                    if stdout == stderr {
                        let error = ManifestError::new(err.at, "`stdout` and `stderr` are the same file");
                        cx.fault(error.related(out.at, "here it is already").hint("write `file = ...`"));
                    }
                    Some(LogFile::Apart { stdout, stderr })
                }
                (_, out, err) => {
                    let lone = out.as_ref().or(err.as_ref()).map_or(at, |field| field.key);
                    if !table.broken {
                        let error = ManifestError::new(lone, "`stdout` and `stderr` come together");
                        cx.fault(error.hint("give the other one too, or write `file = ...` for both"));
                    }
                    None
                }
            };
        }
    }
    let Some(to) = to else {
        logs.native = chosen.is_none();
        return;
    };
    let has = |word| to.value.0.iter().any(|item| item.value == word);
    logs.native = has(To::Native);
    if to.value.0.is_empty() {
        let error = ManifestError::new(to.at, "`logs.to` is empty: output would be lost");
        cx.fault(error.expected("expected `native`, `file` or both"));
    }
    match (has(To::File), chosen) {
        (true, None) => logs.file = Some(LogFile::Default),
        (false, Some(table)) => {
            let key =
                table.file.as_ref().or(table.stdout.as_ref()).or(table.stderr.as_ref()).map_or(at, |field| field.key);
            let error = ManifestError::new(to.at, "`logs.to` leaves out `file`, and a file is given");
            cx.fault(error.related(key, "the file").hint("write `to = [\"native\", \"file\"]`, or remove the file"));
        }
        _ => {}
    }
}

/// Rotation rotates files; journald and the others have their own.
fn without_file(layers: Layers<'_, LogsTable>, logs: &Logs, cx: &mut Build<'_>) {
    let host_writes = cx.target.backend == BackendKind::Embedded;
    if logs.file.is_some() || host_writes || layers.iter().any(|table| table.broken) {
        return;
    }
    let rotation = [
        ("max_size", key_of(layers.get(|table| &table.max_size))),
        ("max_age", key_of(layers.get(|table| &table.max_age))),
        ("keep", key_of(layers.get(|table| &table.keep))),
        ("total", key_of(layers.get(|table| &table.total))),
        ("compress", key_of(layers.get(|table| &table.compress))),
        ("archive", key_of(layers.get(|table| &table.archive))),
    ];
    for (name, at) in rotation {
        let Some(at) = at else { continue };
        let error = ManifestError::new(at, format!("`logs.{name}` is about files, and output goes to none"));
        cx.fault(error.hint("add `to = [\"file\"]`, or remove the key"));
    }
}
