//! What the process was given, as one line of JSON.

use super::{Args, sys};
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::io::Read as _;

pub(crate) fn show(mode: &str, args: Args) -> Result<String, Box<dyn Error>> {
    Ok(match mode {
        "args" => list(args.rest().iter().map(|arg| text(arg))),
        "env" => env(args),
        "stdin" => {
            args.end()?;
            let mut all = Vec::new();
            std::io::stdin().read_to_end(&mut all)?;
            bytes(&all)
        }
        "cwd" => {
            args.end()?;
            text(std::env::current_dir()?.as_os_str())
        }
        "fds" => {
            args.end()?;
            list(sys::open_descriptors()?.iter().map(ToString::to_string))
        }
        "signals" => {
            args.end()?;
            object(sys::signal_state()?.into_iter().map(|(key, names)| {
                let names = names.iter().map(|name| bytes(name.as_bytes()));
                (key.to_owned(), list(names))
            }))
        }
        _ => {
            args.end()?;
            object(sys::ids()?)
        }
    })
}

fn env(args: Args) -> String {
    let names = args.rest();
    let all: BTreeMap<_, _> = if names.is_empty() {
        std::env::vars_os().map(|(name, value)| (name, Some(value))).collect()
    } else {
        names.into_iter().map(|name| (name.clone(), std::env::var_os(name))).collect()
    };
    object(all.iter().map(|(name, value)| {
        let value = value.as_ref().map_or("null".to_owned(), |value| text(value));
        (name.to_string_lossy().into_owned(), value)
    }))
}

/// A string, or an array of bytes where the text is not UTF-8. (On Windows: of WTF-8.)
pub(crate) fn text(text: &OsStr) -> String {
    bytes(text.as_encoded_bytes())
}

fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Err(_) => list(bytes.iter().map(ToString::to_string)),
        Ok(text) => {
            let mut json = String::from('"');
            for c in text.chars() {
                match c {
                    '"' | '\\' => json.extend(['\\', c]),
                    c if u32::from(c) < 0x20 || c == '\x7f' => {
                        json.extend(format!("\\u{:04x}", u32::from(c)).chars());
                    }
                    c => json.push(c),
                }
            }
            json + "\""
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn object(fields: impl IntoIterator<Item = (String, String)>) -> String {
    let fields: Vec<_> =
        fields.into_iter().map(|(name, value)| format!("{}:{value}", bytes(name.as_bytes()))).collect();
    format!("{{{}}}", fields.join(","))
}
