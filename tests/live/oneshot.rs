//! A oneshot runs to its end, and that is success.

use crate::support::Test;

#[test]
fn completes() {
    let Some(t) = Test::live("oneshot") else { return };
    t.manifest(
        "[service.{p}a]\ntype = \"oneshot\"\nexec = [\"{child}\", \"append\", \"{dir}/log\", \"ran\"]\n\
         [service.{p}b]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"b\", \"sleep\"]\nrequires = [\"{p}a\"]\n",
    );
    t.install().ok();
    let log = || std::fs::read_to_string(t.path("log")).unwrap_or_default();
    assert!(log().starts_with("ran\n"), "install waits for its end: {}", log());
    let status = t.status("{p}a");
    assert_eq!(status["state"], "completed", "{status:#}");
    assert!(status["pid"].is_null(), "{status:#}");
    t.run(&["status", "{p}a"]).exits(0);
    t.pid("{p}b");
    t.install().ok().says("unchanged");
    assert_eq!(log().matches("ran").count(), 1, "an unchanged oneshot must not run again");
    t.run(&["restart", "{p}a"]).ok();
    assert_eq!(log().matches("ran").count(), 2);
}

#[test]
fn fails() {
    let Some(t) = Test::live("oneshot_fails") else { return };
    let before = t.machine();
    t.manifest("[service.{p}a]\ntype = \"oneshot\"\nexec = [\"{child}\", \"--eprint\", \"no way\", \"exit\", \"6\"]\nrestart = { policy = \"never\" }\n");
    t.install().exits(1).complains("no way").complains("6");
    assert_eq!(t.machine(), before);
}
