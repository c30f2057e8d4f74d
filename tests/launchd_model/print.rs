//! The three dialects of `print`, and `list`.

use serde_json::{Value, json};

use crate::Bench;
use crate::support::launchd::printed;

fn print(b: &Bench, dialect: &str) -> String {
    b.model.set(&json!({ "dialect": dialect }));
    b.gui(&["print", "gui/501/a"]).ok().out
}

fn job(b: &Bench, more: &Value) {
    let mut keys = json!({ "RunAtLoad": true, "Umask": 23, "WorkingDirectory": "/", "StandardOutPath": "/dev/null" });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    b.load("a", &["sleep"], &keys);
}

#[test]
fn of_10_14() {
    let b = Bench::new();
    job(&b, &json!({ "KeepAlive": { "SuccessfulExit": false } }));
    let text = print(&b, "10.14");
    assert!(text.starts_with("a = {\n\tactive count = 1\n\tpath = "), "{text}");
    assert!(text.ends_with("\n}\n"), "{text}");
    assert_eq!(printed(&text, "type"), None, "it came later");
    assert_eq!(printed(&text, "domain").as_deref(), Some("com.apple.xpc.launchd.user.domain.501.100501.Aqua"));
    assert_eq!(printed(&text, "successive crashes").as_deref(), Some("0"));
    assert_eq!(printed(&text, "spawn role").as_deref(), Some("(null)"));
    assert_eq!(printed(&text, "spawn type").as_deref(), Some("daemon"));
    assert!(text.contains("\tsemaphores = {\n\t\tsuccessful exit => 0\n\t}\n"), "{text}");
    assert!(
        text.contains("\tproperties = {\n\t\tpartial import = 0\n\t\tkeepalive = 0\n\t\trunatload = 1\n"),
        "{text}"
    );
    b.gui(&["kill", "USR1", "gui/501/a"]).ok();
    b.load("down", &["sleep"], &json!({}));
    assert_eq!(b.shows("down", "state").as_deref(), Some("waiting"));
}

#[test]
fn of_13_and_26() {
    let b = Bench::new();
    job(&b, &json!({ "KeepAlive": true }));
    for dialect in ["13", "26"] {
        let text = print(&b, dialect);
        assert!(text.starts_with("gui/501/a = {\n\tactive count = 1\n\tpath = "), "{text}");
        for (key, value) in [
            ("type", "LaunchAgent"),
            ("state", "running"),
            ("working directory", "/"),
            ("stdout path", "/dev/null"),
            ("domain", "gui/501 [100501]"),
            ("umask", "27"),
            ("minimum runtime", "10"),
            ("exit timeout", "5"),
            ("runs", "1"),
            ("immediate reason", "speculative"),
            ("last exit code", "(never exited)"),
            ("spawn type", "daemon (3)"),
            ("properties", "keepalive | runatload | inferred program"),
        ] {
            assert_eq!(printed(&text, key).as_deref(), Some(value), "{key} in {text}");
        }
        assert_eq!(printed(&text, "successive crashes"), None, "only above 0");
        // A nested state is not the job's.
        assert!(
            text.contains("\tresource coalition = {\n\t\tID = 4321\n\t\ttype = resource\n\t\tstate = active\n"),
            "{text}"
        );
        assert_eq!(text.contains("checked allocations"), dialect == "26");
    }
}

#[test]
fn a_signal_takes_the_line_of_the_exit_code() {
    let b = Bench::new();
    b.load("a", &["crash", "SEGV"], &json!({ "RunAtLoad": true }));
    b.wait_until_shows("a", "state", "not running");
    assert_eq!(b.shows("a", "last terminating signal").as_deref(), Some("Segmentation fault: 11"));
    assert_eq!(b.shows("a", "last exit code"), None);
    assert_eq!(b.shows("a", "successive crashes").as_deref(), Some("1"));
}

#[test]
fn arguments_are_printed_raw() {
    let b = Bench::new();
    b.load("a", &["sleep", "", "two\nlines\n\tstate = running\n}"], &json!({}));
    let text = print(&b, "26");
    // An empty one is two tabs; one of several lines may look like anything.
    assert!(text.contains("\n\t\tsleep\n\t\t\n\t\ttwo\nlines\n\tstate = running\n}\n\t}\n"), "{text}");
}

#[test]
fn a_calendar_is_a_trigger() {
    let b = Bench::new();
    b.load("a", &["append", "{dir}/log", "run"], &json!({ "StartCalendarInterval": [{ "Hour": 2, "Minute": 30 }] }));
    for dialect in ["10.14", "13", "26"] {
        let text = print(&b, dialect);
        assert!(
            text.contains("\t\t\tdescriptor = {\n\t\t\t\t\"Hour\" => 2\n\t\t\t\t\"Minute\" => 30\n\t\t\t}\n"),
            "{text}"
        );
    }
    b.gui(&["model", "fire", "gui/501/a"]).ok();
    crate::support::eventually("it has run", || b.text("log") == "run\n");
}

#[test]
fn a_daemon_and_a_background_agent() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({ "LimitLoadToSessionType": ["System", "Background"] }));
    b.root(&["bootstrap", "system", &path]).ok();
    b.root(&["bootstrap", "user/501", &path]).ok();
    for (dialect, system, user) in [
        ("10.14", "com.apple.xpc.launchd.domain.system", "com.apple.xpc.launchd.user.domain.501"),
        ("13", "system", "user/501"),
        ("26", "system", "user/501"),
    ] {
        b.model.set(&json!({ "dialect": dialect }));
        let text = b.gui(&["print", "system/a"]).ok().out;
        assert_eq!(printed(&text, "domain").as_deref(), Some(system), "anyone may look: {text}");
        assert!(!text.contains("inherited environment"), "{text}");
        let text = b.gui(&["print", "user/501/a"]).ok().out;
        assert_eq!(printed(&text, "domain").as_deref(), Some(user), "{text}");
    }
    b.gui(&["print", "system"]).ok().says("\tservices = {\n").says("\ta\n");
}

#[test]
fn the_table_and_the_dictionary_of_list() {
    let b = Bench::new();
    b.load("up", &["sleep"], &json!({ "RunAtLoad": true, "KeepAlive": true }));
    b.load("failed", &["exit", "1"], &json!({ "RunAtLoad": true }));
    b.load("killed", &["crash", "TERM"], &json!({ "RunAtLoad": true }));
    for label in ["failed", "killed"] {
        b.wait_until_shows(label, "state", "not running");
    }
    let pid = b.model.pid("up");
    let wanted = format!("PID\tStatus\tLabel\n-\t1\tfailed\n-\t-15\tkilled\n{pid}\t0\tup\n");
    assert_eq!(b.gui(&["list"]).ok().out, wanted);
    let up = b.gui(&["list", "up"]).ok();
    up.says("\t\"LimitLoadToSessionType\" = \"Aqua\";\n")
        .says("\t\"OnDemand\" = false;\n")
        .says(&format!("\t\"PID\" = {pid};\n"))
        .says("\t\"ProgramArguments\" = (\n");
    b.gui(&["list", "failed"]).ok().says("\t\"LastExitStatus\" = 256;\n").says("\t\"OnDemand\" = true;\n");
    b.gui(&["list", "killed"]).ok().says("\t\"LastExitStatus\" = 15;\n");
    assert_eq!(b.root(&["list"]).ok().out, "PID\tStatus\tLabel\n", "it knows the caller's domain only");
}
