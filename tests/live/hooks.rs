//! Hooks run in their order, around what they are named after, and stop a start that they forbid.

use crate::support::{Test, eventually};

fn log(t: &Test) -> Vec<String> {
    std::fs::read_to_string(t.path("log")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn in_their_order() {
    let Some(t) = Test::live("hooks") else { return };
    let say = |word: &str| format!("{{ command = [\"{{child}}\", \"append\", \"{{dir}}/log\", \"{word}\"] }}");
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"--append\", \"{{dir}}/log\", \"main\", \"graceful\"]\n\
         ready = {{ log = \"ready\" }}\n\
         [service.{{p}}a.hooks]\npre_start = [{}, {}]\npost_start = [{}]\npre_stop = [{}]\npost_stop = [{}]\n",
        say("pre-1"),
        say("pre-2"),
        say("post"),
        say("before"),
        say("after")
    ));
    t.install().ok();
    assert_eq!(log(&t), ["pre-1", "pre-2", "main", "post"], "when install is done, so is what it runs");
    t.run(&["stop", "{p}a"]).ok();
    let all = ["pre-1", "pre-2", "main", "post", "before", "after"];
    assert_eq!(log(&t), all);
    t.run(&["start", "{p}a"]).ok();
    assert_eq!(log(&t).len(), 10);
    t.run(&["restart", "{p}a"]).ok();
    assert_eq!(log(&t)[6..], [&all[..], &all[..4]].concat()[0..], "{:?}", log(&t));
}

#[test]
fn one_that_forbids_the_start() {
    let Some(t) = Test::live("hook_aborts") else { return };
    let before = t.machine();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"main\", \"sleep\"]\nrestart = { policy = \"never\" }\n\
         hooks = { pre_start = [{ command = [\"{child}\", \"--eprint\", \"not today\", \"exit\", \"9\"] }] }\n",
    );
    let ran = t.install().exits(1);
    assert!(ran.stderr.contains("not today"), "it must say what the hook said:\n{ran}");
    assert_eq!(log(&t), Vec::<String>::new(), "the program ran though the hook failed");
    assert_eq!(t.machine(), before);
    t.run(&["status", "{p}a"]).exits(4);
}

#[test]
fn one_whose_failure_does_not_count() {
    let Some(t) = Test::live("hook_ignored") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n\
         hooks = { pre_start = [{ command = [\"{child}\", \"exit\", \"9\"], on_failure = \"ignore\" }] }\n",
    );
    t.install().ok();
    t.pid("{p}a");
}

#[test]
fn post_stop_follows_a_crash_too() {
    let Some(t) = Test::live("hook_crash") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"7\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"never\" }\n\
         hooks = { post_stop = [[\"{child}\", \"append\", \"{dir}/log\", \"after\"]] }\n",
    );
    t.install().ok();
    t.write("end", "");
    t.wait_for("{p}a", |status| status["state"] == "failed");
    eventually("the hook has run", || log(&t) == ["after"]);
}
