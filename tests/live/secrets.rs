//! Secrets reach the program's environment and stand in no unit, no argument, no receipt, nothing that others can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::{Test, Where, below};

const VALUES: [&str; 3] = ["from-a-file-7391", "from-the-env-8402", "from-a-command-9513"];

/// Where daemonctl and the manager keep what they were told.
fn places(t: &Test) -> Vec<PathBuf> {
    let home = t.home_dir();
    if t.place == Where::Launchd {
        return vec![t.definitions(), t.state(), t.runtime()];
    }
    if t.system_scope() {
        [
            "/etc/systemd",
            "/etc/LaunchDaemons",
            "/var/lib/daemonctl",
            "/run/daemonctl",
            "/var/log/daemonctl",
            "/run/systemd/system",
        ]
        .map(PathBuf::from)
        .to_vec()
    } else {
        vec![home.join(".config"), home.join(".local"), home.join(".cache")]
    }
}

/// Whether somebody else could read it: the file and every folder above it let them.
fn others_can_read(path: &Path) -> bool {
    let mode = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
    mode(path) & 0o044 != 0 && path.ancestors().skip(1).all(|folder| mode(folder) & 0o011 != 0)
}

#[test]
fn reach_the_program_and_nobody_else() {
    let Some(t) = Test::live("secrets") else { return };
    std::fs::write(t.path("secret"), format!("{}\n", VALUES[0])).unwrap();
    std::fs::set_permissions(t.path("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}a.security.secrets]\n\
         ONE = { file = \"{dir}/secret\" }\nTWO = { env = \"TEST_SECRET\" }\nTHREE = { command = [\"sh\", \"-c\", \"echo from-a-command-$$((9512+1))\"] }\n",
    );
    let install = |t: &Test| {
        let mut command = t.command(&["install", "manifest.toml"]);
        command.env("TEST_SECRET", VALUES[1]);
        crate::support::Ran::of(command, &["install", "manifest.toml"]).ok()
    };
    let ran = install(&t);
    for value in VALUES {
        assert!(!ran.stdout.contains(value) && !ran.stderr.contains(value), "it was printed:\n{ran}");
    }
    let pid = t.pid("{p}a");
    let environment = crate::support::environment(pid);
    for (name, value) in ["ONE", "TWO", "THREE"].into_iter().zip(VALUES) {
        assert!(
            environment.split('\0').any(|line| line == format!("{name}={value}")),
            "{name} is not in {environment}"
        );
    }
    for place in places(&t) {
        for (path, text) in below(&place) {
            if VALUES.iter().any(|value| text.contains(value)) {
                assert!(!others_can_read(&path), "others can read a secret in {}", path.display());
                let name = path.to_string_lossy();
                assert!(
                    !name.contains("/receipts/") && !name.ends_with(".service") && !name.contains("journal"),
                    "a secret is in {name}"
                );
            }
        }
    }
    for shown in [vec!["status", "{p}a", "--full"], vec!["plan", "manifest.toml"], vec!["render", "manifest.toml"]] {
        let mut command = t.command(&shown);
        command.env("TEST_SECRET", VALUES[1]);
        let ran = crate::support::Ran::of(command, &shown);
        for value in VALUES {
            assert!(!ran.stdout.contains(value) && !ran.stderr.contains(value), "it was printed:\n{ran}");
        }
    }
    let ran = install(&t);
    assert!(ran.stdout.contains("unchanged"), "{ran}");

    // Nothing of them is left.
    t.run(&["uninstall", "{p}a", "--purge"]).ok();
    for place in places(&t) {
        for (path, text) in below(&place) {
            assert!(!VALUES.iter().any(|value| text.contains(value)), "a secret is left in {}", path.display());
        }
    }
}

#[test]
fn one_that_cannot_be_had_ends_the_install() {
    let Some(t) = Test::live("no_secret") else { return };
    let before = t.machine();
    for secret in [
        "{ file = \"{dir}/none\" }",
        "{ env = \"NO_SUCH_VARIABLE_HERE\" }",
        "{ command = [\"sh\", \"-c\", \"exit 3\"] }",
    ] {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"sleep\"]\nsecurity = {{ secrets = {{ KEY = {secret} }} }}\n"
        ));
        let ran = t.install();
        assert!(ran.code == 6 || ran.code == 1, "{ran}");
        assert!(ran.stderr.contains("KEY") || ran.stderr.contains("none"), "{ran}");
        assert_eq!(t.machine(), before);
        t.run(&["status", "{p}a"]).exits(4);
    }
}

#[test]
fn credentials_are_files_of_the_services_own() {
    let Some(t) = Test::live("credentials") else { return };
    if t.systemd() {
        return; // its own are its own affair
    }
    std::fs::write(t.path("secret"), VALUES[0]).unwrap();
    let manifest = |source: &str| {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"sleep\"]\n\
             security = {{ secrets = {{ KEY = {{ credential = \"{source}\" }} }} }}\n"
        ));
    };
    if t.launchd() {
        manifest("{dir}/secret");
        t.install().exits(6).complains("credential");
        return;
    }
    manifest("by-name");
    t.install().exits(6).complains("only systemd keeps credentials by name");
    manifest("{dir}/secret");
    t.install().ok();
    let environment = crate::support::environment(t.pid("{p}a"));
    let folder = environment.split('\0').find_map(|line| line.strip_prefix("CREDENTIALS_DIRECTORY=")).unwrap();
    let key = Path::new(folder).join("KEY");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), VALUES[0]);
    assert!(!others_can_read(&key));
    t.run(&["stop", "{p}a"]).ok();
    assert!(!Path::new(folder).exists());
}
