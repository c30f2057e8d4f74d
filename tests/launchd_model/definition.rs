//! The definition is what the file said at `bootstrap`.

use serde_json::json;

use crate::Bench;
use crate::support::eventually;

#[test]
fn an_edit_after_bootstrap_does_not_count_until_the_next_one() {
    let b = Bench::new();
    b.load("a", &["--append", "{dir}/log", "old", "sleep"], &json!({ "RunAtLoad": true }));
    let path = b.define("a", &["--append", "{dir}/log", "new", "sleep"], &json!({ "RunAtLoad": true }));
    eventually("the first run", || b.text("log") == "old\n");
    b.gui(&["kickstart", "-k", "gui/501/a"]).ok();
    eventually("a second run", || b.text("log") == "old\nold\n");
    b.gui(&["bootout", "gui/501/a"]).ok();
    eventually("it is gone", || b.gui(&["print", "gui/501/a"]).code == 113);
    b.gui(&["bootstrap", "gui/501", &path]).ok();
    eventually("the new definition", || b.text("log") == "old\nold\nnew\n");
}

#[test]
fn without_run_at_load_nothing_runs_until_it_is_demanded() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({}));
    assert_eq!(b.shows("a", "state").as_deref(), Some("not running"));
    assert_eq!(b.shows("a", "runs").as_deref(), Some("0"));
    assert_eq!(b.shows("a", "last exit code").as_deref(), Some("(never exited)"));
    b.gui(&["kickstart", "gui/501/a"]).ok();
    assert_eq!(b.shows("a", "state").as_deref(), Some("running"));
    assert_eq!(b.shows("a", "immediate reason").as_deref(), Some("non-ipc demand"));
}

#[test]
fn a_condition_on_successful_exits_implies_run_at_load() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({ "KeepAlive": { "SuccessfulExit": false } }));
    assert_eq!(b.shows("a", "immediate reason").as_deref(), Some("speculative"));
}

#[test]
fn gui_and_user_are_two_domains_and_a_label_may_be_in_both() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({ "LimitLoadToSessionType": ["Background", "Aqua"] }));
    b.gui(&["bootstrap", "gui/501", &path]).ok();
    b.gui(&["bootstrap", "user/501", &path]).ok();
    b.gui(&["bootout", "gui/501/a"]).ok();
    b.gui(&["print", "gui/501/a"]).exits(113);
    b.gui(&["print", "user/501/a"]).ok();
}
