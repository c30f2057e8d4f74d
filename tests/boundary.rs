//! The purity line of the crate documentation: what may touch the machine, and where.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::path::{Path, PathBuf};

/// Where the machine may be touched.
const EDGE: &[&str] = &["src/system/", "src/host/", "src/cli/output.rs", "src/faults.rs"];
/// Act sides of the backends: their managers.
const ACT: &str = "src/backend/";
/// What touches it.
const FORBIDDEN: &[&str] = &[
    "std::fs::",
    "std::process::Command",
    "std::net::",
    "std::os::unix::net",
    "println!",
    "print!(",
    "std::env::var",
    "tokio::fs",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_pure_touches_the_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    assert!(found.len() > 40, "the sources were not found");
    let mut faults = Vec::new();
    for path in found {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        if EDGE.iter().any(|edge| name.starts_with(edge)) || name.starts_with(ACT) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests beside the code may do what they need.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            if let Some(what) = FORBIDDEN.iter().find(|what| line.contains(**what) && !line.contains("eprint")) {
                faults.push(format!("{name}:{}: {what}", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "outside the edge:\n{}", faults.join("\n"));
}
