//! The exit codes that scripts branch on.

use crate::support::Test;

const ONE: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n";

#[test]
fn nothing_is_installed() {
    let t = Test::home("nothing");
    for verb in ["start", "stop", "restart", "reload", "enable", "disable"] {
        t.run(&[verb, "{p}a"]).exits(4).complains("not installed");
    }
    t.run(&["status", "{p}a"]).exits(4).says("not-installed");
    t.run(&["uninstall", "{p}a"]).ok().says("absent");
    t.run(&["status"]).ok();
    t.run(&["list"]).ok();
    t.run(&["uninstall", "--all"]).ok();
}

#[test]
fn a_plan_tells_whether_there_are_changes() {
    let t = Test::home("plan");
    t.manifest(ONE);
    t.run(&["plan", "manifest.toml"]).ok();
    t.run(&["plan", "manifest.toml", "--exit-code"])
        .exits(10)
        .says("start {p}a".replace("{p}", &t.fill("{p}")).as_str());
    t.run(&["install", "manifest.toml", "--dry-run"]).ok();
    t.run(&["status", "{p}a"]).exits(4);
    t.install().ok();
    t.run(&["plan", "manifest.toml", "--exit-code"]).ok().says("no changes");
}

#[test]
fn of_several_services_the_worst() {
    let t = Test::home("worst");
    t.manifest(
        "[service.{p}up]\nexec = [\"{child}\", \"sleep\"]\n\
         [service.{p}down]\nexec = [\"{child}\", \"sleep\"]\nstart = \"manual\"\n\
         [service.{p}bad]\nexec = [\"{child}\", \"exit\", \"7\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"never\" }\n",
    );
    t.install().ok();
    t.write("end", "");
    t.wait_for("{p}bad", |status| status["state"] == "failed");
    t.run(&["status", "{p}up"]).exits(0);
    t.run(&["status", "{p}down"]).exits(3);
    t.run(&["status", "{p}bad"]).exits(5);
    t.run(&["status", "{p}none"]).exits(4);
    t.run(&["status", "{p}up", "{p}down"]).exits(3);
    t.run(&["status", "{p}up", "{p}none"]).exits(4);
    t.run(&["status", "{p}none", "{p}down"]).exits(3);
    t.run(&["status", "{p}none", "{p}bad", "{p}down", "{p}up"]).exits(5);
    t.run(&["status", "manifest.toml"]).exits(5);
    t.run(&["status"]).exits(5);
}

#[test]
fn a_deadline_that_passes() {
    let t = Test::home("deadline");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nready = { notify = true, timeout = \"50s\" }\nstop = { timeout = \"2s\" }\n");
    let begun = std::time::Instant::now();
    t.run(&["install", "manifest.toml", "--wait", "500ms"]).exits(8).complains("time");
    assert!(begun.elapsed().as_secs() < 30);
    t.run(&["status", "{p}a"]).exits(4);
}
