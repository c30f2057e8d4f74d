# shellcheck shell=bash
# lib.sh - what the scripts beside it share. Source it; do not run it.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034 # for who sources this
lab=$repo/scripts/lab
cache=${DAEMONCTL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/daemonctl}
cd "$repo" || exit 1

command -v cargo >/dev/null || PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
# Fresh clones of a CI machine share what they built.
if [[ ${CI:-} == true && -z ${CARGO_TARGET_DIR:-} ]]; then export CARGO_TARGET_DIR=$cache/target; fi
target_dir=${CARGO_TARGET_DIR:-$repo/target}
[[ $target_dir == /* ]] || target_dir=$repo/$target_dir

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
is_root() { [[ $(id -u) -eq 0 ]]; }

# Why no box can be made here; nothing when one can.
no_box() {
    if [[ $(uname) != Linux ]]; then say "needs Linux"
    elif ! is_root; then say "needs root"
    elif ! unshare -m --propagation private true 2>/dev/null; then say "this container may not mount (run it with --privileged)"
    fi
}
no_systemd_box() {
    local why
    why=$(no_box)
    if [[ -n $why ]]; then say "$why"
    elif ! command -v systemd-nspawn >/dev/null; then say "systemd-nspawn is missing: run scripts/setup"
    elif [[ ! -e /lib/systemd/systemd ]]; then say "systemd is not installed: run scripts/setup"
    fi
}

# Where Wine is, made by the first that needs it.
wine_root=$cache/wine/trixie
no_wine_box() {
    local why
    why=$(no_box)
    if [[ -n $why ]]; then say "$why"
    elif ! command -v systemd-nspawn >/dev/null; then say "systemd-nspawn is missing: run scripts/setup"
    elif [[ ! -e $wine_root ]] && ! command -v mmdebstrap >/dev/null; then say "mmdebstrap is missing: run scripts/setup"
    elif [[ ! -x /usr/bin/rustc || ! -d /usr/lib/rustlib/src/rust/library ]]; then say "Debian's rustc-web and rust-web-src are missing: run scripts/setup"
    elif ! command -v x86_64-w64-mingw32-gcc >/dev/null; then say "gcc-mingw-w64-x86-64 is missing: run scripts/setup"
    fi
}

# Builds what the live tests run, and sets bin and child to it. DAEMONCTL_BIN and DAEMONCTL_TESTCHILD bring others.
build_programs() {
    local built
    bin=${DAEMONCTL_BIN:-} child=${DAEMONCTL_TESTCHILD:-}
    [[ -z $bin || -z $child ]] || return 0
    built=$(cargo build --quiet --locked --bin daemonctl --example testchild --message-format=json | executables) ||
        die "the build failed"
    bin=${bin:-$(awk '$1 == "daemonctl" {print $2}' <<<"$built")}
    child=${child:-$(awk '$1 == "testchild" {print $2}' <<<"$built")}
}

# Builds one integration test and sets test_bin to its executable.
build_test() { # NAME
    local built
    [[ -e tests/$1.rs || -e tests/$1/main.rs ]] || die "there is no test target $1 (tests/$1.rs)"
    built=$(cargo test --quiet --locked --no-run --test "$1" --message-format=json | executables) || die "the build failed"
    test_bin=$(awk -v name="$1" '$1 == name {print $2}' <<<"$built")
    [[ -n $test_bin ]] || die "cargo names no executable for the test target $1"
}

# cargo's JSON in; a line `name path kind` (bin, lib, test ...) for each executable out, what the compiler says to standard error.
executables() {
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-message":
        print(message["message"]["rendered"], file=sys.stderr, end="")
    if message.get("executable"):
        print(message["target"]["name"], message["executable"], message["target"]["kind"][0])
    if message.get("reason") == "build-finished" and not message["success"]:
        sys.exit(1)'
}

# Runs a test executable, and counts: none executed is a failure, since a filter or a gate has then hidden them all.
live_count=0 live_failed=0
live_run() { # LABEL CMD...
    local label=$1 log rc=0 n
    shift
    log=$(mktemp)
    say "== $label"
    timeout --kill-after=10 "${DAEMONCTL_LIVE_TIMEOUT:-1200}" "$@" 2>&1 | tee "$log" || rc=$?
    n=$(awk '/^test result:/ {for (i = 1; i <= NF; i++) if ($i ~ /^(passed|failed);$/) n += $(i - 1)} END {print n + 0}' "$log")
    rm -f "$log"
    live_count=$((live_count + n))
    if ((rc == 124 || rc == 137)); then say "FAILED $label: not done in ${DAEMONCTL_LIVE_TIMEOUT:-1200} s"
    elif ((rc)); then say "FAILED $label: exit status $rc"
    elif ((n == 0)); then say "FAILED $label: no test was executed"
    else say "ok $label: $n tests"; return 0
    fi
    live_failed=$((live_failed + 1))
}
live_end() {
    ((live_failed == 0)) || die "$live_failed of the runs above failed"
    say "ok ${0##*/}: $live_count tests"
}
