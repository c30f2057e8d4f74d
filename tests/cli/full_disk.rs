//! A file system that is full or read-only, whichever step meets it: nothing stays half written.

use std::process::Command;

use crate::support::{Test, is_root, program};

/// Runs a shell script as root in a mount namespace of its own. None, with a word, where that cannot be had.
fn in_own_mounts(t: &Test, script: &str) -> Option<String> {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-eu", "-c", script]).current_dir(&t.dir).env("D", program());
    let Ok(output) = command.output() else {
        eprintln!("no unshare here");
        return None;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.contains("unshare:") || err.contains("mount:") {
        eprintln!("no mounts of one's own here: {err}");
        return None;
    }
    assert!(output.status.success(), "{out}{err}");
    Some(format!("{out}{err}"))
}

const MANIFEST: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n\n[service.{p}c]\nexec = [\"{child}\", \"sleep\"]\n";

#[test]
fn a_full_disk() {
    let t = Test::home("full_disk");
    t.manifest(MANIFEST);
    std::fs::create_dir(t.path("image")).unwrap();
    // From no free page to enough for all.
    let script = r#"
mount -t tmpfs -o size=512k none image
try() { "$D" "$@" --root image --system --backend systemd; }
books() { find image -mindepth 1 ! -path 'image/var*' ! -name filler; find image -path '*receipts/*' -o -name '*journal*' -o -name '*.tmp*' -o -name '.*' ; }
failed=0
for free in $(seq 0 40); do
    dd if=/dev/zero of=image/filler bs=4k 2>/dev/null || :
    truncate -s "-$((free * 4096))" image/filler
    if try install manifest.toml >out 2>err; then break; else code=$?; fi
    failed=$((failed + 1))
    [ "$code" = 1 ] || { echo "exit code $code with $free pages"; cat err; exit 1; }
    grep -q 'No space left' err || { echo "no reason with $free pages"; cat err; exit 1; }
    grep -q '^hint: free some space' err || { echo "no remedy with $free pages"; cat err; exit 1; }
    rm image/filler
    try list >out 2>err || { echo "list with $free pages"; cat err; exit 1; }
    grep -q 'nothing is installed' out || { echo "something is installed with $free pages"; cat out; exit 1; }
    # Whatever could not be undone for want of space is undone by the next command that changes anything.
    try uninstall --all >out 2>err || { echo "uninstall with $free pages"; cat err; exit 1; }
    left=$(books)
    [ -z "$left" ] || { echo "left with $free pages: $left"; exit 1; }
done
echo "failed $failed times"
[ "$failed" -ge 5 ]
try list | grep -c systemd
"#;
    let Some(said) = in_own_mounts(&t, script) else { return };
    assert!(said.contains("failed"), "{said}");
}

#[test]
fn a_file_system_that_is_read_only() {
    let t = Test::home("read_only");
    t.manifest(MANIFEST);
    std::fs::create_dir(t.path("image")).unwrap();
    let script = r#"
mount -t tmpfs -o size=1m none image
mount -o remount,ro image
code=0; "$D" install manifest.toml --root image --system --backend systemd || code=$?
echo "code $code"
code=0; "$D" plan manifest.toml --root image --system --backend systemd >/dev/null || code=$?
echo "plan $code"
code=0; "$D" list --root image --system --backend systemd || code=$?
echo "list $code"
mount -o remount,rw image
"$D" install manifest.toml --root image --system --backend systemd
mount -o remount,ro image
code=0; "$D" uninstall --all --root image --system --backend systemd || code=$?
echo "uninstall $code"
"$D" list --root image --system --backend systemd
"#;
    let Some(said) = in_own_mounts(&t, script) else { return };
    for wanted in ["code 1", "Read-only file system", "hint:", "plan 0", "list 0", "uninstall 1"] {
        assert!(said.contains(wanted), "`{wanted}` is not in\n{said}");
    }
}

#[test]
fn a_full_state_disk_does_not_keep_a_service_from_being_stopped() {
    let t = Test::home("full_state");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n");
    let script = r#"
export HOME="$PWD/home" XDG_RUNTIME_DIR="$PWD/run"
unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME
state=home/.local/state
mkdir -p $state
mount -t tmpfs -o size=1g none $state
"$D" install manifest.toml --user --backend embedded
pids=$("$D" status --json --user | grep -o '"pid": *[0-9][0-9]*' | tr -dc '0-9\n' | sort -u)
[ "$(echo "$pids" | wc -l)" = 2 ]
dd if=/dev/zero of=$state/filler bs=64k 2>/dev/null || :
dd if=/dev/zero of=$state/filler2 bs=4k 2>/dev/null || :
for pid in $pids; do kill -0 "$pid"; done
"$D" stop --all --user
for pid in $pids; do ! kill -0 "$pid" 2>/dev/null || { echo "$pid lives"; exit 1; }; done
rm $state/filler*
"$D" uninstall --all --user
"$D" supervise --stop --user || :
"#;
    let Some(said) = in_own_mounts(&t, script) else { return };
    assert!(said.matches("stopped").count() >= 2, "{said}");
    assert!(said.contains("could not be kept for the next supervisor"), "{said}");
}
