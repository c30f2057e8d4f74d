//! `status` tells what is not as it was installed, and `install` mends it.

use std::path::PathBuf;

use crate::support::Test;

/// The file that install wrote for the service.
fn artifact(t: &Test) -> PathBuf {
    let home = t.home_dir();
    let name = t.fill("{p}a");
    if t.launchd() {
        // Named by its label.
        let files = std::fs::read_dir(t.definitions()).unwrap().map(|entry| entry.unwrap().path());
        return files.into_iter().find(|path| path.to_string_lossy().contains(&name)).unwrap();
    }
    if cfg!(windows) {
        return t.state().join("specs").join(format!("{name}.json"));
    }
    match (t.systemd(), t.system_scope()) {
        (true, true) => format!("/etc/systemd/system/{name}.service").into(),
        (true, false) => home.join(format!(".config/systemd/user/{name}.service")),
        (false, true) => format!("/var/lib/daemonctl/specs/{name}.json").into(),
        (false, false) => {
            let state = std::env::var_os("XDG_STATE_HOME").map_or_else(|| home.join(".local/state"), PathBuf::from);
            state.join(format!("daemonctl/specs/{name}.json"))
        }
    }
}

#[test]
fn told_and_mended() {
    let Some(t) = Test::live("drift") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let file = artifact(&t);
    let whole = std::fs::read_to_string(&file).unwrap();
    assert_eq!(t.status("{p}a")["drift"], "none");

    std::fs::write(&file, format!("{whole}\n")).unwrap();
    let status = t.status("{p}a");
    assert_eq!(status["drift"], "artifact", "{status:#}");
    assert!(status["drift_files"].to_string().contains(file.file_name().unwrap().to_str().unwrap()), "{status:#}");
    t.run(&["plan", "manifest.toml", "--exit-code"]).exits(10);
    t.install().ok();
    assert_eq!(t.status("{p}a")["drift"], "none");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);

    std::fs::remove_file(&file).unwrap();
    let status = t.status("{p}a");
    assert_eq!(status["drift"], "missing", "{status:#}");
    t.install().ok();
    assert_eq!(t.status("{p}a")["drift"], "none");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
    t.pid("{p}a");

    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { A = \"b\" }\n");
    let status = t.status("{p}a");
    assert_eq!(status["drift"], "manifest", "{status:#}");
    t.install().ok();
    assert_eq!(t.status("{p}a")["drift"], "none");

    // What somebody changed or removed is no obstacle to leaving.
    std::fs::remove_file(&file).unwrap();
    t.run(&["uninstall", "{p}a"]).ok();
    t.run(&["status", "{p}a"]).exits(4);
}
