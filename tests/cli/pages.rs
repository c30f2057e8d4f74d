//! Completion scripts and manual pages.

use crate::support::Test;

#[test]
fn completions_of_every_shell() {
    let t = Test::home("completions");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        t.run(&["completions", shell]).ok().says("uninstall").says("daemonctl");
    }
    // Backends are offered; what is for units alone is not.
    let bash = t.run(&["completions", "bash"]).ok().says("launchd");
    assert!(!bash.stdout.contains("console-event") && !bash.stdout.contains("supervise host"), "{bash}");
    let mut command = t.command(&["completions"]);
    command.env("SHELL", "/usr/bin/fish");
    crate::support::Ran::of(command, &["completions"]).ok().says("complete -c daemonctl");
    t.run(&["completions", "tcsh"]).exits(2).complains("bash");
}

#[cfg(unix)]
#[test]
fn shells_take_their_script() {
    let t = Test::home("completions_run");
    for (shell, args) in [("bash", vec!["-n"]), ("zsh", vec!["-n"]), ("fish", vec!["--no-execute"])] {
        let script = t.path(&format!("script.{shell}"));
        std::fs::write(&script, t.run(&["completions", shell]).ok().stdout).unwrap();
        match std::process::Command::new(shell).args(args).arg(&script).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => eprintln!("no {shell} here"),
        }
    }
}

#[test]
fn manual_pages() {
    let t = Test::home("man");
    t.run(&["man"]).ok().says(".TH").says("Exit codes");
    t.run(&["man", "install"]).ok().says("no\\-start");
    t.run(&["man", "--dir", "pages"]).ok();
    let pages: Vec<_> = std::fs::read_dir(t.path("pages")).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(pages.len() >= 20);
    for page in pages {
        assert!(page.file_name().to_string_lossy().ends_with(".1"));
        let text = std::fs::read_to_string(page.path()).unwrap();
        assert!(text.contains(".TH") && text.len() > 400, "{}", page.path().display());
    }
    assert!(t.path("pages/daemonctl-install.1").exists());
}
