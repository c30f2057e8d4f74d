# shellcheck shell=bash
# lib.sh - helpers shared by the boxes. Source it; do not run it.
#
# A box is a throw-away machine: an overlay of the host's root whose upper layer is a tmpfs, in namespaces and cgroups of
# its own. The host never sees its mounts, and they vanish with its last process. State (pids, logs) lives in $LAB_STATE.

LAB_STATE=${LAB_STATE:-/run/daemonctl-lab}

lab_die() { echo "${0##*/}: $*" >&2; exit 1; }

lab_root() { [[ $(id -u) -eq 0 ]] || lab_die "must run as root"; }

lab_need() { # CMD PACKAGE ...: fail with an apt hint when a command is missing
    while (($#)); do
        command -v "$1" >/dev/null || lab_die "missing $1: apt-get install $2"
        shift 2
    done
}

lab_name_ok() { [[ $1 =~ ^[a-z0-9][a-z0-9-]{0,40}$ ]] || lab_die "bad box name '$1' (a-z, 0-9, -)"; }

lab_wait() { # SECONDS CMD...: poll CMD until it succeeds or time is up
    local end=$((${EPOCHREALTIME%.*} + $1)); shift
    until "$@"; do
        ((${EPOCHREALTIME%.*} < end)) || return 1
        sleep 0.05
    done
}

lab_child() { # PID: its first child (also for kernels without .../children)
    local c
    c=$(cat "/proc/$1/task/$1/children" 2>/dev/null) || c=$(ps -o pid= --ppid "$1")
    read -r c _ <<<"$c" || true
    [[ -n $c ]] && echo "$c"
}

# Every box gets a cgroup of its own in every hierarchy. Without this, two
# boxes started from one shell would share /payload and fight over unit cgroups.
lab_cgroup_dirs() { # every mounted cgroup hierarchy, v1 and v2
    awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts
}
lab_cgroup_enter() { # NAME: move this process into <hierarchy>/lab-NAME
    local h
    while read -r h; do
        mkdir -p "$h/lab-$1" 2>/dev/null || continue
        if [[ -e $h/lab-$1/cpuset.cpus && -e $h/cpuset.cpus ]]; then
            cat "$h/cpuset.cpus" >"$h/lab-$1/cpuset.cpus"
            cat "$h/cpuset.mems" >"$h/lab-$1/cpuset.mems"
            [[ ! -e $h/lab-$1/cgroup.clone_children ]] || echo 1 >"$h/lab-$1/cgroup.clone_children"
        fi
        echo "$BASHPID" >"$h/lab-$1/cgroup.procs" || return 1
    done < <(lab_cgroup_dirs)
}
lab_cgroup_rm() { # NAME: kill whatever is left in there, then remove it
    local h p i
    while read -r h; do
        [[ -d $h/lab-$1 ]] || continue
        for ((i = 0; i < 40; i++)); do
            while read -r p; do kill -9 "$p" 2>/dev/null || true
            done < <(find "$h/lab-$1" -name cgroup.procs -exec cat {} + 2>/dev/null)
            find "$h/lab-$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.05
        done
        [[ ! -d $h/lab-$1 ]] || echo "warning: $h/lab-$1 left behind" >&2
    done < <(lab_cgroup_dirs)
}

# --- boxes: one directory $LAB_STATE/KIND/NAME with pid and console.log ------
lab_dead() { [[ ! -d /proc/$1 || $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) == Z ]]; }

lab_box_claim() { # KIND NAME: prints the box's state directory
    local s=$LAB_STATE/$1/$2
    lab_name_ok "$2"; lab_root
    mkdir -p "$LAB_STATE/$1"
    mkdir "$s" 2>/dev/null || lab_die "box $2 exists already (down it first)"
    mkdir "$s/mnt"; echo "$s"
}
lab_box_boot() { # ROOT NAME NSPAWN-ARG... INIT: boot it; again after each reboot
    local rc # pdeathsig on both: killing nspawn alone leaves the box's init running
    while rc=0; setpriv --pdeathsig KILL systemd-nspawn -q -D "$1" -M "$2" --register=no \
        --keep-unit --link-journal=no --console=pipe "${@:3:$#-3}" \
        setpriv --pdeathsig KILL "${@: -1}" </dev/null || rc=$?; do
        ((rc == 133)) || return "$rc" # 133: the box asked for a reboot
    done
}
lab_box_pid() { # KIND NAME: PID of the box's init, as the host numbers it
    local p
    [[ -e $LAB_STATE/$1/$2/pid ]] || lab_die "no box $2"
    if ! p=$(lab_child "$(cat "$LAB_STATE/$1/$2/pid")") || ! lab_child "$p"; then
        lab_die "box $2 is dead; see its log"
    fi
}
lab_box_reboot() { # KIND NAME CMD...: CMD reboots the box; what it wrote is kept
    local old new i
    old=$(lab_box_pid "$1" "$2") || return 1
    lab_box_exec "$@" >/dev/null 2>&1 || true
    for ((i = 0; i < 600; i++)); do
        new=$(lab_box_pid "$1" "$2" 2>/dev/null) && [[ $new != "$old" ]] && return 0
        lab_dead "$(cat "$LAB_STATE/$1/$2/pid")" && return 1
        sleep 0.05
    done
    return 1
}
lab_box_exec() { # KIND NAME CMD...: run in all namespaces and the cgroup of the box
    local l n=$2 h d
    l=$(lab_box_pid "$1" "$2") || return 1
    shift 2
    (
        while read -r h; do
            d=$h/lab-$n/exec; [[ -d $h/lab-$n ]] || continue
            mkdir -p "$d"
            if [[ -e $d/cpuset.cpus && ! -s $d/cpuset.cpus ]]; then
                cat "$h/cpuset.cpus" >"$d/cpuset.cpus" 2>/dev/null || true
                cat "$h/cpuset.mems" >"$d/cpuset.mems" 2>/dev/null || true
            fi
            echo "$BASHPID" 2>/dev/null >"$d/cgroup.procs" || true
        done < <(lab_cgroup_dirs)
        exec nsenter -t "$l" -m -p -u -i -C -n -- env -i \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root USER=root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
    )
}
lab_box_down() { # KIND NAME...: kill the box; its mounts vanish with it
    local k=$1 n s p c; shift
    for n; do
        s=$LAB_STATE/$k/$n
        [[ -d $s ]] || continue
        if p=$(cat "$s/pid" 2>/dev/null); then
            # The loop first, so that it boots nothing again; init takes its
            # whole PID namespace along.
            c=$(lab_box_pid "$k" "$n" 2>/dev/null) || c=
            kill -9 "$p" 2>/dev/null || true
            [[ -z $c ]] || kill -9 "$c" 2>/dev/null || true
            lab_wait 5 lab_dead "${c:-$p}" || true
        fi
        lab_cgroup_rm "$n"
        rm -rf --one-file-system "$s"
    done
}

# Mounts a throw-away overlay of LOWER (default: the host's own root) on DIR.
# Call it inside a private mount namespace: the mounts then vanish with the
# last process of the box and the host never sees them. The upper layer is on
# a tmpfs since overlayfs refuses an upperdir that lies inside its lowerdir.
lab_overlay() { # DIR LOWER
    mount -t tmpfs -o mode=755,size=75% lab "$1"
    mkdir "$1/up" "$1/work" "$1/root"
    mount -t overlay lab -o "lowerdir=$2,upperdir=$1/up,workdir=$1/work" "$1/root"
}

# User lab, by hand: minimal roots have no useradd.
lab_user_add() { # ROOT UID
    ! grep -q "^lab:" "$1/etc/passwd" || return 0
    echo "lab:x:$2:$2::/home/lab:/bin/bash" >>"$1/etc/passwd"
    echo "lab:x:$2:" >>"$1/etc/group"
    echo "lab:*:19000:0:99999:7:::" >>"$1/etc/shadow"
    mkdir -p "$1/home/lab"
    chown "$2:$2" "$1/home/lab"
}

# Lets the box's unprivileged user through to DIR, by the overlay's copies of its parents (the host's modes stay).
lab_reachable() { # ROOT DIR
    local d=$2
    while d=$(dirname "$d"); [[ $d != / ]]; do
        if [[ -d $1$d ]]; then chmod o+x "$1$d"; fi
    done
}
