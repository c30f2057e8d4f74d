//! What the program finds itself with: limits, account, mask, folder, variables, descriptors.

use serde_json::Value;

use crate::support::{Test, eventually};

fn shown(t: &Test, file: &str) -> Value {
    let read = || serde_json::from_slice(&std::fs::read(t.path(file)).ok()?).ok();
    eventually("it has shown what it has", || read().is_some());
    read().unwrap()
}

#[test]
fn limits_mask_and_folder() {
    let Some(t) = Test::live("limits") else { return };
    std::fs::create_dir(t.path("work")).unwrap();
    t.write("a.env", "# a comment\nFROM_FILE=one\nBOTH=file\n\nQUOTED=\"a b\"\n");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--out\", \"{dir}/ids\", \"--stay\", \"ids\"]\numask = \"0027\"\nlimits = { open_files = 4321 }\n\
         [service.{p}b]\nexec = [\"{child}\", \"--out\", \"{dir}/cwd\", \"--stay\", \"cwd\"]\nworking_dir = \"{dir}/work\"\n\
         [service.{p}c]\nexec = [\"{child}\", \"--out\", \"{dir}/env\", \"--stay\", \"env\"]\nenv = { BOTH = \"manifest\" }\n\
         env_file = [\"a.env\", { path = \"none.env\", optional = true }]\n\
         [service.{p}d]\nexec = [\"{child}\", \"--out\", \"{dir}/fds\", \"--stay\", \"fds\"]\n",
    );
    t.install().ok();
    let ids = shown(&t, "ids");
    assert!(ids["nofile"].to_string().contains("4321"), "{ids}");
    assert!(ids["umask"].to_string().contains("27"), "{ids}");
    assert!(shown(&t, "cwd").to_string().contains(t.path("work").to_str().unwrap()));
    let env = shown(&t, "env");
    assert_eq!(env["FROM_FILE"], "one", "{env}");
    assert_eq!(env["QUOTED"], "a b", "{env}");
    assert!(env["BOTH"].is_string(), "{env}");
    assert!(env["DAEMONCTL_BIN"].is_null(), "the installer's own environment must not leak: {env}");
    let fds = shown(&t, "fds");
    assert_eq!(fds.as_array().map(Vec::len), Some(3), "nothing but 0, 1 and 2: {fds}");
}

#[test]
fn another_account() {
    let Some(t) = Test::live("account") else { return };
    if !t.system_scope() {
        t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nuser = \"nobody\"\n");
        t.install().exits(6).complains("user scope");
        return;
    }
    // macOS's group of no group has no number that a process can have.
    let group = if cfg!(target_os = "macos") { "nobody" } else { "nogroup" };
    let uid = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
    let gid = nix::unistd::Group::from_name(group).unwrap().unwrap().gid.as_raw();
    std::os::unix::fs::chown(t.path("run"), Some(uid), Some(gid)).unwrap();
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"--out\", \"{{dir}}/run/ids\", \"--stay\", \"ids\"]\nuser = \"nobody\"\n\
         group = \"{group}\"\n"
    ));
    t.install().ok();
    let ids = shown(&t, "run/ids");
    for (key, number) in [("uid", uid), ("euid", uid), ("gid", gid), ("egid", gid)] {
        assert_eq!(ids[key], number, "{ids}");
    }
    assert!(!ids["groups"].as_array().unwrap().contains(&0.into()), "root's groups are left: {ids}");
}
