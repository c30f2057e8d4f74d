//! Tells one build of daemonctl from another, for the name of the host's own binary (`system::host_binary`).
//!
//! A hash of the running program's bytes would say the same and cost every command tens of milliseconds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the program is made of.
const SOURCES: [&str; 5] = ["build.rs", "Cargo.toml", "Cargo.lock", "src", "templates"];

/// What else makes one binary differ from another.
const SETTINGS: [&str; 6] = ["TARGET", "PROFILE", "OPT_LEVEL", "DEBUG", "CARGO_ENCODED_RUSTFLAGS", "RUSTC"];

/// Libraries that no supervising host needs.
const LATE: [&str; 9] = ["bcrypt", "crypt32", "ole32", "oleaut32", "pdh", "powrprof", "psapi", "shell32", "user32"];

fn main() {
    let mut hasher = DefaultHasher::new();
    let mut files = BTreeMap::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.hash(&mut hasher);
    for setting in SETTINGS {
        env::var(setting).ok().hash(&mut hasher);
    }
    // Sections that lie in the file as they lie in memory can be mapped, and what is not used is not read; Wine copies the
    // whole program otherwise, once for each host.
    if env::var("TARGET").is_ok_and(|target| target.ends_with("-windows-gnu")) {
        println!("cargo::rustc-link-arg-bins=-Wl,--file-alignment,4096");
    }
    // As `src/system/late.rs` has it, with the linker that can.
    if env::var("TARGET").is_ok_and(|target| target.ends_with("-windows-msvc")) {
        for library in LATE {
            println!("cargo::rustc-link-arg-bins=/DELAYLOAD:{library}.dll");
        }
        println!("cargo::rustc-link-arg-bins=delayimp.lib");
    }
    println!("cargo::rustc-env=DAEMONCTL_BUILD={:016x}", hasher.finish());
}

/// Reads a file or, deeply, a folder; what is not there has no content.
fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if let Ok(entries) = fs::read_dir(path) {
        for entry in entries.flatten() {
            collect(&entry.path(), files);
        }
    } else if let Ok(content) = fs::read(path) {
        files.insert(path.to_owned(), content);
    }
}
