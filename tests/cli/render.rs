//! `render` for another machine looks at nothing of this one, and changes nothing.

use crate::support::{Test, below};

const FOREIGN: &str = r#"
[service.ghost]
exec = ["./bin/nothing", "x"]
user = "ghost-user"
group = "ghost-group"
working_dir = "/srv/ghost"
env_file = ["/etc/ghost.env"]
stop = { command = ["/opt/ghost/drain"] }
security = { secrets = { KEY = { file = "/etc/ghost.secret" } } }
requires = ["db"]
[service.db]
exec = "/opt/db/bin/db --port 1"
instances = ["x", "y"]
"#;

#[test]
fn what_does_not_exist_here_renders() {
    let t = Test::home("foreign");
    t.manifest(FOREIGN);
    let before = below(&t.dir);
    for target in ["systemd", "embedded"] {
        let args = ["render", "manifest.toml", "--target", target, "--backend", target, "--system"];
        let ran = t.run(&args).ok().says("ghost-user").says("/srv/ghost");
        assert_eq!(ran.stderr, "", "{ran}");
        t.run(&["check", "manifest.toml", "--target", target, "--backend", target, "--system"]).ok();
        t.run(&["support", "manifest.toml", "--target", target, "--backend", target, "--system"]).ok();
    }
    assert_eq!(below(&t.dir), before, "rendering must write nothing");
}

#[test]
fn the_same_wherever_it_runs() {
    let t = Test::home("same");
    t.manifest(FOREIGN);
    let args = ["render", "manifest.toml", "--target", "systemd", "--backend", "systemd", "--system"];
    let first = t.run(&args).ok();
    let mut command = t.command(&args);
    command.env("HOME", "/nowhere").env("USER", "somebody").env("XDG_CONFIG_HOME", "/x").env("PATH", "/none");
    let second = crate::support::Ran::of(command, &args).ok();
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn into_a_folder() {
    let t = Test::home("folder");
    t.manifest(FOREIGN);
    let args = ["render", "manifest.toml", "--target", "systemd", "--backend", "systemd", "--system"];
    for folder in ["out", "{dir}/out2", "./a/../out3"] {
        t.run(&[&args[..], &["-o", folder]].concat()).ok().says("files below");
    }
    let unit = std::fs::read_to_string(t.path("out/etc/systemd/system/ghost.service")).unwrap();
    assert!(unit.contains("User=ghost-user"), "{unit}");
    let names = |folder: &str| -> Vec<_> {
        let folder = t.path(folder);
        below(&folder).into_iter().map(|(path, text)| (path.strip_prefix(&folder).unwrap().to_owned(), text)).collect()
    };
    assert!(names("out").len() > 4);
    assert_eq!(names("out"), names("out2"));
    assert_eq!(names("out"), names("out3"));
}

#[test]
fn a_target_that_is_not_built_in_says_which_are() {
    let t = Test::home("unbuilt");
    t.manifest("[service.a]\nexec = \"/bin/a\"\n");
    t.run(&["render", "manifest.toml", "--target", "bogus"]).exits(2).complains("systemd").complains("embedded");
}

#[test]
fn from_standard_input() {
    use std::io::Write as _;
    let t = Test::home("stdin");
    let text = "[service.a]\nexec = [\"./a\"]\n";
    let mut child = t
        .command(&["render", "-", "--target", "systemd"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    // A relative path begins in the folder where the command runs.
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains(&format!("ExecStart={}/a", t.dir.display())), "{shown}");
}
