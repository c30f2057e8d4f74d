//! `--help` and `--version` answer on standard output with 0; a wrong command line is 2, on standard error, with the
//! nearest thing that exists.

use crate::support::Test;

const COMMANDS: [&str; 21] = [
    "init",
    "check",
    "render",
    "plan",
    "install",
    "apply",
    "uninstall",
    "start",
    "stop",
    "restart",
    "reload",
    "enable",
    "disable",
    "status",
    "list",
    "logs",
    "run",
    "support",
    "schema",
    "completions",
    "supervise",
];

#[test]
fn version() {
    let t = Test::home("version");
    let ran = t.run(&["--version"]).ok();
    assert_eq!(ran.stdout, format!("daemonctl {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(ran.stderr, "");
    assert_eq!(t.run(&["-V"]).ok().stdout, ran.stdout);
}

#[test]
fn help_of_the_whole_names_every_command_and_every_exit_code() {
    let t = Test::home("help");
    let ran = t.run(&["--help"]).ok();
    for command in COMMANDS {
        assert!(ran.stdout.contains(command), "{command} is not in\n{ran}");
    }
    for code in ["0 done", "1 failed", "2 wrong usage", "3 not", "4 not", "6 manifest", "7 not", "8 timed", "10 plan"] {
        assert!(ran.stdout.replace('\n', " ").contains(code), "{code} is not in\n{ran}");
    }
    assert_eq!(t.run(&["help"]).ok().stdout, t.run(&["-h"]).ok().stdout);
}

#[test]
fn help_of_each_command() {
    let t = Test::home("help_each");
    for command in COMMANDS {
        let ran = t.run(&[command, "--help"]).ok().says("Usage:").says("--json");
        assert_eq!(ran.stderr, "", "{ran}");
    }
}

#[test]
fn wrong_usage() {
    let t = Test::home("usage");
    let cases: [(&[&str], &str); 11] = [
        (&[], "requires a subcommand"),
        (&["instal"], "'install'"),
        (&["statsu"], "'status'"),
        (&["status", "--jsn"], "'--json'"),
        (&["install", "--no-strat", "x"], "'--no-start'"),
        (&["install"], "<MANIFEST>"),
        (&["install", "a.toml", "b.toml"], "unexpected argument"),
        (&["start", "a", "--wait", "soon"], "soon"),
        (&["--system", "list"], "cannot be used with"),
        (&["render", "x.toml", "--target", "systmd"], "systemd"),
        (&["schema", "statsu"], "status"),
    ];
    for (args, said) in cases {
        let ran = t.run(args).exits(2).complains(said);
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

#[test]
fn a_command_that_needs_a_name_says_so() {
    let t = Test::home("needs_name");
    for verb in ["start", "stop", "restart", "reload", "enable", "disable", "uninstall"] {
        t.run(&[verb]).exits(2).complains("--all");
    }
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let t = Test::home("nearest");
    t.manifest("[service.{p}web]\nexec = [\"{child}\", \"sleep\"]\n");
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    t.run(&["start", "{p}wbe"]).exits(4).complains(&t.fill("`{p}web`"));
    t.run(&["logs", "{p}wbe"]).exits(4).complains(&t.fill("`{p}web`"));
    t.run(&["run", "manifest.toml", "{p}wbe"]).exits(2).complains(&t.fill("`{p}web`"));
    t.run(&["man", "instal"]).exits(2).complains("install");
    // Of several that sound alike, the one that was meant.
    let ran = t.run(&["instal"]).exits(2);
    assert!(!ran.stderr.contains("'disable'"), "{ran}");
    // Nothing that is hidden is near, and nothing is near for what all names begin with.
    let ran = t.run(&["man", "host"]).exits(2);
    assert!(!ran.stderr.contains("there is `"), "{ran}");
}

#[test]
fn help_shows_nothing_that_is_for_units_alone() {
    let t = Test::home("help_hidden");
    for args in [&["--help"][..], &["-h"], &["help"], &["supervise", "--help"]] {
        let ran = t.run(args).ok();
        assert!(!ran.stdout.contains("  host ") && !ran.stdout.contains("on-demand"), "{ran}");
    }
}

#[test]
fn flags_that_contradict_each_other_do_so_wherever_they_stand() {
    let t = Test::home("contradict");
    // The test's own `--user` stands in front.
    t.run(&["list", "--system"]).exits(2).complains("contradict");
    t.run(&["--system", "list"]).exits(2).complains("cannot be used with");
    t.run(&["logs", "--follow", "--until", "today"]).exits(2).complains("cannot be used with");
    t.run(&["logs", "--since", "1h", "--until", "2h"]).exits(2).complains("before `--since`");
    t.run(&["events", "--since", "1h", "--until", "2h"]).exits(2).complains("before `--since`");
    for command in
        [&["render", "manifest.toml"][..], &["check", "manifest.toml"], &["support"], &["support", "manifest.toml"]]
    {
        t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
        let both = [command, &["--target", "windows", "--backend", "systemd"]].concat();
        t.run(&both).exits(2).complains("`--target windows` and `--backend systemd` contradict");
        t.run(&[command, &["--target", "systemd", "--backend", "systemd"]].concat()).ok();
    }
    for backend in ["openrc", "sysv", "runit", "rcd"] {
        t.run(&["--backend", backend, "list"]).exits(2).complains("not part of this daemonctl");
    }
}

#[test]
fn the_supervisor_is_no_other_backend_and_in_no_image() {
    let t = Test::home("supervisor_flags");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let pid = t.pid("{p}a");
    // Nothing that names another place ends the supervisor of this one.
    for flags in [["--root", "{dir}/image"], ["--backend", "systemd"]] {
        for command in
            [&["supervise", "--stop"][..], &["supervise", "--reexec"], &["supervise"], &["run", "manifest.toml"]]
        {
            let args: Vec<&str> = ["--user"].iter().chain(&flags).chain(command).copied().collect();
            t.run(&args).exits(2).complains(flags[0]);
        }
    }
    assert_eq!(t.pid("{p}a"), pid);
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let t = Test::home("globals");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    let before =
        t.run(&["--json", "--root", "{dir}/r", "--backend", "systemd", "--user", "plan", "manifest.toml"]).ok();
    let after = t.run(&["plan", "manifest.toml", "--user", "--backend", "systemd", "--root", "{dir}/r", "--json"]).ok();
    assert_eq!(before.json(), after.json());
    assert_eq!(before.json()["backend"], "systemd");
}
