//! A change of a watched file does what the manifest says, and one that is no good changes nothing.

use crate::support::{Test, eventually};

fn replace(t: &Test, name: &str, text: &str) {
    let new = t.write(&format!("{name}.new"), text);
    std::fs::rename(new, t.path(name)).unwrap();
}

#[test]
fn a_changed_file_restarts_the_service() {
    let Some(t) = Test::live("watch_restart") else { return };
    t.write("a.conf", "1");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n\
         watch = { paths = [\"{dir}/a.conf\"], action = \"restart\" }\n",
    );
    t.install().ok();
    let first = t.pid("{p}a");
    replace(&t, "a.conf", "2");
    let after = t.wait_for("{p}a", |status| {
        status["state"] == "running"
            && status["pid"].as_u64().is_some_and(|pid| pid != u64::from(first.cast_unsigned()))
    });
    assert_eq!(after["state"], "running");
}

#[test]
fn a_pattern_with_a_debounce_time_in_a_folder_that_does_not_exist_yet() {
    let Some(t) = Test::live("watch_pattern") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n\
         watch = { paths = [\"{dir}/conf/**/*.toml\"], action = \"restart\", debounce = \"50ms\" }\n",
    );
    t.install().ok();
    assert_eq!(t.status("{p}a")["hosted"], true);
    let first = t.pid("{p}a");
    std::fs::create_dir_all(t.path("conf/sub")).unwrap();
    std::fs::write(t.path("conf/sub/a.toml"), "1").unwrap();
    t.wait_for("{p}a", |status| {
        status["state"] == "running"
            && status["pid"].as_u64().is_some_and(|pid| pid != u64::from(first.cast_unsigned()))
    });
}

/// By a signal and a shell, of which Windows has neither.
#[cfg(unix)]
#[test]
fn a_change_that_its_check_refuses_is_not_taken_over() {
    let Some(t) = Test::live("watch_check") else { return };
    t.write("a.toml", "good");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"signal-log\", \"{dir}/signals\"]\n\
         reload = { signal = \"HUP\", check = [\"/bin/sh\", \"-c\", \"grep -q good {dir}/a.toml\"] }\n\
         watch = { paths = [\"{dir}/a.toml\"], action = \"reload\", debounce = \"50ms\" }\n",
    );
    t.install().ok();
    let main = t.pid("{p}a");
    let signals = || std::fs::read_to_string(t.path("signals")).unwrap_or_default();
    replace(&t, "a.toml", "bad");
    let status = t.wait_for("{p}a", |status| {
        status["notes"].as_array().is_some_and(|notes| notes.iter().any(|note| note.to_string().contains("a.toml")))
    });
    assert_eq!(status["state"], "running", "{status:#}");
    assert!(!signals().contains("HUP"), "{}", signals());
    replace(&t, "a.toml", "good again");
    eventually("a reload", || signals().contains("HUP"));
    assert_eq!(t.pid("{p}a"), main);
}

/// Where there are no signals a command reloads.
#[cfg(windows)]
#[test]
fn a_change_is_taken_over_by_a_command_when_its_check_has_passed() {
    let Some(t) = Test::live("watch_command") else { return };
    t.write("a.toml", "1");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nworking_dir = \"{dir}\"\n\
         watch = { paths = [\"{dir}/a.toml\"], action = \"reload\", debounce = \"50ms\" }\n\
         [service.{p}a.reload]\ncommand = [\"{child}\", \"append\", \"{dir}/reloaded\", \"once\"]\n\
         check = ['C:\\windows\\system32\\cmd.exe', '/c', 'if exist bad exit 1']\n",
    );
    t.install().ok();
    let main = t.pid("{p}a");
    t.write("bad", "");
    replace(&t, "a.toml", "2");
    let status = t.wait_for("{p}a", |status| {
        status["notes"].as_array().is_some_and(|notes| notes.iter().any(|note| note.to_string().contains("a.toml")))
    });
    assert_eq!(status["state"], "running", "{status:#}");
    assert!(!t.path("reloaded").exists(), "{status:#}");
    std::fs::remove_file(t.path("bad")).unwrap();
    replace(&t, "a.toml", "3");
    eventually("a reload", || t.path("reloaded").exists());
    assert_eq!(t.pid("{p}a"), main);
}
