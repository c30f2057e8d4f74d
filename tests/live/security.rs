//! `security`: the same profile takes the same things away, whoever runs the service.

use crate::support::{Test, eventually};

/// What the service says of itself, once it has said all.
fn said(t: &Test, unit: &str) -> Vec<String> {
    let lines = || -> Vec<String> {
        let logs = t.run(&["logs", unit, "--lines", "100", "--json"]).stdout;
        let messages = logs.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        messages.filter_map(|line| Some(line["message"].as_str()?.trim().to_owned())).collect()
    };
    eventually("the service has looked around", || lines().iter().any(|line| line == "done"));
    lines()
}

/// The shell says it by itself: of a line that a child of a user's service wrote, journald often can't tell the unit when the
/// child has ended by then.
macro_rules! of_status {
    ($name:literal) => {
        concat!("while read -r l; do case \"$l\" in ", $name, "*) echo \"$l\";; esac; done < /proc/self/status\n")
    };
}

const LOOK: &str = concat!(
    of_status!("NoNewPrivs"),
    "\
    unshare -U true 2>/dev/null && echo makes namespaces || echo makes no namespaces\n\
    hostname \"$(hostname)\" 2>/dev/null && echo renames || echo renames nothing\n\
    mkdir -p \"$W\" && touch \"$W/x\" && chmod 0755 \"$W/x\" && echo changes modes || echo changes no modes\n\
    chmod 4755 \"$W/x\" 2>/dev/null && echo sets suid || echo sets no suid\n\
    [ -e \"$T\" ] && echo shared tmp || echo private tmp\n\
    touch /tmp/own-$$ && echo writes tmp || echo writes no tmp\n\
    [ -w /usr ] && echo writes usr || echo writes no usr\n\
    [ -w /etc ] && echo writes etc || echo writes no etc\n\
    [ -w /proc/sys/kernel/hostname ] && echo sets kernel || echo sets nothing of the kernel\n\
    touch /etc/daemonctl-live-rw/x 2>/dev/null && echo writes exception || echo writes no exception\n\
",
    of_status!("CapBnd"),
    "\
    echo done\n\
    exec sleep 1000\n"
);

#[test]
fn the_standard_profile() {
    let Some(t) = Test::live("standard_profile") else { return };
    if t.launchd() {
        t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nsecurity = { profile = \"standard\" }\n");
        t.install().exits(6).complains("launchd builds no sandbox");
        return;
    }
    let exception = std::path::Path::new("/etc/daemonctl-live-rw");
    let whole = t.system_scope();
    let read_write = if whole {
        std::fs::create_dir_all(exception).unwrap();
        ", read_write = [\"/etc/daemonctl-live-rw\"]"
    } else {
        ""
    };
    let look = LOOK.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$").replace('\n', "\\n");
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"/bin/sh\", \"-c\", \"{look}\"]\nenv = {{ T = \"{{dir}}\", W = \"${{state_dir}}\" }}\n\
         security = {{ profile = \"standard\"{read_write} }}\n"
    ));
    t.install().ok();
    let said = said(&t, "{p}a");
    let has = |line: &str| assert!(said.iter().any(|said| said == line), "`{line}` is not in {said:#?}");
    has("NoNewPrivs:\t1");
    has("makes no namespaces");
    has("renames nothing");
    has("changes modes");
    has("sets no suid");
    has("writes tmp");
    has("writes no usr");
    has("writes no etc");
    has("sets nothing of the kernel");
    if whole {
        has("private tmp");
        has("writes exception");
        let bounding = said.iter().find_map(|line| line.strip_prefix("CapBnd:")).expect("a bounding set");
        let bounding = u64::from_str_radix(bounding.trim(), 16).unwrap();
        for (number, name) in [(16, "CAP_SYS_MODULE"), (25, "CAP_SYS_TIME"), (34, "CAP_SYSLOG"), (35, "CAP_WAKE_ALARM")]
        {
            assert_eq!(bounding >> number & 1, 0, "{name} must be out of reach: {bounding:x}");
        }
        assert_eq!(bounding & 1, 1, "CAP_CHOWN is left");
        let _ = std::fs::remove_dir_all(exception);
    }
    t.run(&["stop", "{p}a"]).ok();
}

#[test]
fn capabilities() {
    let Some(t) = Test::live("capabilities") else { return };
    if t.launchd() {
        t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nsecurity = { capabilities = [\"CAP_CHOWN\"] }\n");
        t.install().exits(6).complains("capabilities are a thing of Linux");
        return;
    }
    let look = "grep '^Cap' /proc/self/status; echo done; exec sleep 1000";
    let service = |name: &str, user: &str, list: &str| {
        format!(
            "[service.{{p}}{name}]\nexec = [\"/bin/sh\", \"-c\", \"{look}\"]\n{user}security = {{ capabilities = {list} }}\n"
        )
    };
    if !t.system_scope() {
        t.manifest(&service("a", "", "[\"CAP_NET_BIND_SERVICE\"]"));
        t.install().exits(6).complains("capabilities");
        return;
    }
    let nobody = "user = \"nobody\"\n";
    let list = "[\"CAP_NET_BIND_SERVICE\", \"CAP_CHOWN\"]";
    t.manifest(&[service("a", nobody, list), service("b", "", list), service("c", nobody, "[]")].concat());
    t.install().ok();
    let of = |unit: &str| -> Vec<u64> {
        let said = said(&t, unit);
        let set = |name: &str| {
            let line = said.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{said:?}"));
            u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
        };
        ["CapEff", "CapBnd", "CapAmb"].map(set).to_vec()
    };
    assert_eq!(of("{p}a"), [0x401, 0x401, 0x401], "another user keeps what is listed, through exec");
    assert_eq!(of("{p}b"), [0x401, 0x401, 0], "root is bounded");
    assert_eq!(of("{p}c"), [0, 0, 0], "nothing is listed");
}

const LOOK_CLOSER: &str = "grep NoNewPrivs /proc/self/status\n\
    grep CapBnd /proc/self/status\n\
    umask\n\
    touch /etc/daemonctl-live-rw/by-$(id -u) && echo writes exception || echo writes no exception\n\
    for d in /usr /etc /var /opt /srv /sys /dev; do [ -w $d ] && echo writes $d; done\n\
    touch /tmp/own && touch /var/tmp/own && touch /dev/shm/own-$(id -u) && echo has places for a while\n\
    echo gone > /dev/null && head -c 4 /dev/urandom > /dev/null && echo has common devices\n\
    [ -e /dev/kmsg ] || [ -e /dev/mem ] && echo sees devices || echo sees no devices\n\
    ls /root >/dev/null 2>&1 || ls /home >/dev/null 2>&1 && echo sees homes || echo sees no homes\n\
    [ -e /proc/1 ] && echo sees others || echo sees no others\n\
    [ -e /proc/meminfo ] && echo sees the machine || echo sees nothing of the machine\n\
    perl -e 'socket(S, 2, 1, 0) && socket(S, 10, 2, 0) && socket(S, 1, 1, 0) && print qq(talks\\n)'\n\
    perl -e 'socket(S, 16, 3, 0) || print qq(netlink: ), $! + 0, qq(\\n)'\n\
    perl -e 'setpriority(0, 0, 5) || print qq(priority: ), $! + 0, qq(\\n)'\n\
    perl -e 'chown(0, 0, q(/tmp/own)) || print qq(owner: ), $! + 0, qq(\\n)'\n\
    perl -e 'syscall(9, 0, 4096, 7, 34, -1, 0) == -1 && print qq(memory: ), $! + 0, qq(\\n)'\n\
    echo done\n\
    exec sleep 1000\n";

#[test]
fn the_strict_profile() {
    let Some(t) = Test::live("strict_profile") else { return };
    if !t.system_scope() || t.launchd() {
        t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nsecurity = { profile = \"strict\" }\n");
        let refused = t.install().exits(6).complains("manifest.toml:3:14");
        refused.complains(if t.launchd() { "launchd builds no sandbox" } else { "`strict`" });
        return;
    }
    let exception = std::path::Path::new("/etc/daemonctl-live-rw");
    let service = |name: &str, more: &str| {
        let look = LOOK_CLOSER.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$").replace('\n', "\\n");
        format!(
            "[service.{{p}}{name}]\nexec = [\"/bin/sh\", \"-c\", \"{look}\"]\n{more}\
             security = {{ profile = \"strict\", read_write = [\"/etc/daemonctl-live-rw\"] }}\n"
        )
    };
    std::fs::create_dir_all(exception).unwrap();
    std::fs::set_permissions(exception, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    t.manifest(
        &[
            service("a", "user = \"nobody\"\n"),
            service("b", "umask = \"0027\"\n"),
            service("c", "user = \"nobody\"\nhost = \"always\"\n"),
        ]
        .concat(),
    );
    t.install().ok();
    // Root's group sees every process, whatever is hidden.
    let others = ["sees no others", "sees others"];
    for (unit, umask, others) in [("{p}a", "0077", others[0]), ("{p}b", "0027", others[1]), ("{p}c", "0077", others[0])]
    {
        let said = said(&t, unit);
        // The manager's own words come when they like.
        let mut said: Vec<&str> =
            said.iter().map(String::as_str).filter(|line| !line.contains("strict-profile-")).collect();
        if !cfg!(target_arch = "x86_64") {
            // The call by its number is this processor's.
            said.retain(|line| !line.starts_with("memory"));
            said.insert(said.len().saturating_sub(1), "memory: 1");
        }
        let expected = [
            "NoNewPrivs:\t1",
            "CapBnd:\t0000000000000000",
            umask,
            "writes exception",
            "has places for a while",
            "has common devices",
            "sees no devices",
            "sees no homes",
            others,
            "sees nothing of the machine",
            "talks",
            "netlink: 97",
            "priority: 1",
            "owner: 1",
            "memory: 1",
            "done",
        ];
        assert_eq!(said, expected, "{unit}");
        t.run(&["stop", unit]).ok();
    }
    let _ = std::fs::remove_dir_all(exception);
}
