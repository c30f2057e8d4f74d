//! Tells one build of daemonctl from another, for the name of the host's own binary (`system::host_binary`).
//!
//! A hash of the running program's bytes would say the same and cost every command tens of milliseconds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
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
    link_unwinder();
    println!("cargo::rustc-env=DAEMONCTL_BUILD={:016x}", hasher.finish());
}

/// Links what std walks the stack with into the program, where the C compiler brings it as an archive.
///
/// As a library of its own, `libgcc_s`, it would be looked for, mapped and relocated at each start, and asks the processor
/// what it is a dozen times, which is dear in a virtual machine: a twentieth of the time that `status` takes. And images
/// with a C library and nothing more could not run the program. Only with one optimised unit (see `Cargo.toml`) is it sure
/// that all of it comes from the archive, whatever the linker.
fn link_unwinder() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !glibc || !is("PROFILE", "release") || env::var("HOST").ok() != env::var("TARGET").ok() {
        return;
    }
    let compiler = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let asked = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output();
    // A compiler that does not have it gives the name back as it is.
    let path = asked.ok().and_then(|answer| String::from_utf8(answer.stdout).ok());
    if path.is_some_and(|path| Path::new(path.trim()).is_file()) {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
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
