//! What goes into a pipe is plain text, and `--quiet` leaves only what was asked for.

use crate::support::{Ran, Test};

#[test]
fn no_escape_codes_in_pipes() {
    let t = Test::home("pipes");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--print\", \"\u{1b}[31mred\", \"sleep\"]\n"
            .replace('\u{1b}', "\\u001b")
            .as_str(),
    );
    t.write("bad.toml", "[service.a]\nexce = \"x\"\n");
    t.run(&["plan", "manifest.toml"]).ok().never_says("\u{1b}");
    t.install().ok().never_says("\u{1b}");
    let commands: [&[&str]; 9] = [
        &["status"],
        &["status", "{p}a"],
        &["list"],
        &["support"],
        &["support", "manifest.toml"],
        &["check", "bad.toml"],
        &["--help"],
        &["bogus"],
        &["start", "none"],
    ];
    for args in commands {
        t.run(args).never_says("\u{1b}");
        let mut command = t.command(args);
        command.env("NO_COLOR", "1").env("TERM", "xterm-256color").env("CLICOLOR", "1");
        Ran::of(command, args).never_says("\u{1b}");
    }
}

#[test]
fn quiet_makes_no_remarks() {
    let t = Test::home("quiet");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    assert_eq!(t.run(&["check", "manifest.toml", "--quiet"]).ok().stdout, "");
    let ran = t.run(&["-q", "install", "manifest.toml"]).ok();
    assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
    for verb in ["stop", "start", "restart", "disable", "enable"] {
        let ran = t.run(&[verb, "-q", "{p}a"]).ok();
        assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
    }
    // A failure is no remark.
    t.run(&["reload", "-q", "{p}a"]).exits(1).says("failed");
    let ran = t.run(&["status", "-q"]).ok();
    assert!(!ran.stdout.contains("user scope"), "a remark:\n{ran}");
    let ran = t.run(&["uninstall", "--all", "-q"]).ok();
    assert!(!ran.stdout.contains("note"), "{ran}");
    assert_eq!(t.run(&["init", "-q", "-o", "new.toml"]).ok().stdout, "");
    // An error is no remark.
    t.run(&["start", "none", "-q"]).exits(4).complains("not installed");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let t = Test::home("head");
    let mut child = t.command(&["support"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_cannot_be_written() {
    let t = Test::home("dev_full");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = t.command(&["support"]);
    command.stdout(full).stderr(std::process::Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}
