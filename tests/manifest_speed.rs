//! Reading a manifest of a thousand services. Run with `cargo test --release --test manifest_speed -- --ignored --nocapture`;
//! the bound is a ratio to the TOML parser in the same run, and holds for release builds only.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use daemonctl::backend::{BackendKind, Target};
use daemonctl::facts::Foreign;
use daemonctl::layout::Scope;
use daemonctl::manifest::{ResolveDirs, parse, resolve};

#[test]
#[ignore = "measures; meaningful in release builds on a quiet machine"]
fn reading_costs_little_more_than_toml() {
    let mut text = String::from("manifest = 1\n");
    for i in 0..1000 {
        writeln!(text, "[service.web-{i}]\nexec = [\"/usr/bin/web\", \"--port\", \"{}\"]\nenv = {{ RUST_LOG = \"info\", N = \"{i}\" }}\nrestart = {{ policy = \"always\", delay = \"2s\" }}\n", 10_000 + i).unwrap();
    }
    let target = Target::elsewhere(BackendKind::Systemd, Scope::System);
    let dirs = ResolveDirs { manifest_dir: "/srv".into() };
    let (mut parsing, mut resolving, mut toml) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..50 {
        let begin = Instant::now();
        drop(toml::de::DeTable::parse_recoverable(&text));
        toml = toml.min(begin.elapsed());
        let begin = Instant::now();
        let manifest = parse(text.as_bytes(), Path::new("m.toml")).unwrap();
        let parsed = begin.elapsed();
        let services = resolve(&manifest, &target, &Foreign, &dirs).unwrap();
        let resolved = begin.elapsed().saturating_sub(parsed);
        assert_eq!(services.len(), 1000);
        parsing = parsing.min(parsed);
        resolving = resolving.min(resolved);
    }
    println!("{} KiB: parse {parsing:?} (of it the TOML parser {toml:?}), resolve {resolving:?}", text.len() / 1024);
    assert!(parsing + resolving < toml.mul_f64(2.2));
}
