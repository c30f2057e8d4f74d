//! Names and manifests mean the same in every command, and what means nothing is never passed over.

use crate::support::Test;

const WEB: &str = "[service.{p}web]\nexec = [\"{child}\", \"sleep\"]\ninstances = [\"blue\", \"green\"]\n\
                   [service.{p}db]\nexec = [\"{child}\", \"sleep\"]\n";

#[test]
fn a_manifest_of_which_nothing_is_installed_is_told_by_every_command() {
    let t = Test::home("names_manifest");
    t.manifest(WEB);
    t.write("other.toml", "[service.{p}other]\nexec = [\"{child}\", \"sleep\"]\n");
    // On a machine where nothing is installed, and on one where something is; alone, and beside something that is.
    for round in 0..2 {
        for command in ["status", "logs", "events", "start", "stop", "restart", "reload", "enable", "disable"] {
            t.run(&[command, "other.toml"]).exits(4).complains("nothing of `").complains("install");
            if round == 1 {
                t.run(&[command, "other.toml", "{p}web"]).exits(4).complains("nothing of `");
            }
        }
        t.run(&["uninstall", "other.toml"]).ok().says("absent");
        t.run(&["install", "manifest.toml", "--no-start"]).ok();
    }
    // Nothing was done to what stood beside it.
    t.run(&["status", "{p}web"]).exits(3);
}

#[test]
fn an_unknown_name_gets_what_may_have_been_meant() {
    let t = Test::home("names_near");
    t.manifest(WEB);
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    let near = t.fill("did you mean `{p}web`?");
    t.run(&["status", "{p}wbe"]).exits(4).says(&near);
    t.run(&["status", "{p}db", "{p}wbe"]).exits(3).says(&near);
    assert!(t.run(&["status", "{p}wbe", "--json"]).exits(4).json()["notes"].to_string().contains(&near));
    t.run(&["events", "{p}wbe"]).exits(4).complains(&near);
    t.run(&["stop", "{p}wbe"]).exits(4).complains(&near);
    t.run(&["uninstall", "{p}wbe"]).ok().says("absent").says(&near);
    t.run(&["start", "{p}web@red"]).exits(4).complains(&t.fill("`{p}web@blue`, `{p}web@green`"));
    t.run(&["status", "{p}db@1"]).exits(4).says(&t.fill("`{p}db` has no instances"));
    t.run(&["install", "{p}web"]).exits(6).complains("take its name");
}

#[test]
fn only_one_thing_is_read_from_standard_input() {
    let t = Test::home("names_stdin");
    t.run(&["install", "-", "--password-stdin"]).exits(2).complains("standard input");
    t.run(&["plan", "-", "--password-stdin"]).exits(2).complains("standard input");
}
