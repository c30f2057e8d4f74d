"""crowd - supervisors with many services, side by side in one run.

usage: crowd [--count N] [--rounds N] [--only NAME,...] FLOOR CHILD DAEMONCTL PEERS

FLOOR and CHILD are built from scripts/lab/floor, DAEMONCTL is a release build, PEERS is the folder that `scripts/setup
--bench` fills. It changes /var/lib/daemonctl and its like: run it in a throw-away machine (scripts/bench does). Prints
what each contestant took, then the ratios with their targets; a MISS makes the exit status 1. --rounds is how often
daemonctl and the floor alternate (medians count); peers run once.
"""
import argparse
import statistics
import sys
import time

import peers
from arena import Arena, Failed
from ours import Daemonctl, Floor, FloorLog

COLUMNS = ["start", "status", "stop gone", "stop returns", "respawn", "PSS @1", "PSS/svc", "kernel/svc", "idle %"]
FEW = 100


def crowd(options, contestant, full):
    """What one contestant takes with all the services; `full`: memory and idling too, which the first round shows."""
    took = {}
    with Arena(contestant, options.count, options.child) as arena:
        took["start"] = arena.start()
        time.sleep(1)
        if contestant.captures and (found := arena.captured()) != options.count:
            raise Failed(f"{found} of {options.count} outputs were captured")
        if full:
            took["PSS"] = arena.pss()
            if (kernel := arena.kernel()) is not None:
                took["kernel"] = kernel
            took["idle %"] = arena.cpu(10 if isinstance(contestant, Daemonctl) else 2)
        took["status"] = arena.status()
        try:
            took["stop gone"], took["stop returns"] = arena.stop()
        except Failed as error:
            if isinstance(contestant, (Floor, Daemonctl)):
                raise
            print(f"not measured: stop of {contestant.name}: {error}", flush=True)
        if hasattr(contestant, "start_again"):
            argv, env = contestant.start_again(arena)
            began = time.monotonic_ns()
            returned = arena.run(argv, env)
            stamps = arena.stamps(options.count, 60)
            took["start by command"] = (max(at for _, at in stamps) - began) / 1e6
            took["start returns"] = returned
    return took


def few(options, contestant):
    took = {}
    with Arena(contestant, FEW, options.child) as arena:
        arena.start()
        time.sleep(3.2)  # who restarts at once only what lived for a while, does so now
        took["respawn"] = arena.respawn()
    with Arena(contestant, 1, options.child) as arena:
        arena.start()
        time.sleep(1)
        took["PSS @1"] = arena.pss()
    return took


def measure(options, contestant, full=True):
    missing = contestant.missing() if hasattr(contestant, "missing") else None
    if missing:
        print(f"not run: {contestant.name}: {missing}", flush=True)
        return None
    try:
        took = crowd(options, contestant, full)
        if full:
            took.update(few(options, contestant))
            took["PSS/svc"] = (took.pop("PSS") - took["PSS @1"]) / max(options.count - 1, 1)
    except Failed as error:
        print(f"not measured: {contestant.name}: {error}", flush=True)
        return None
    return took


def show(value):
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


class Verdicts:
    """Rows like those of scripts/bench."""

    def __init__(self):
        self.missed = 0
        print(f"\n{'measure':<54} {'daemonctl':>10} {'other':>10} {'ratio':>8} {'target':>8}")

    def row(self, what, ours, other, target, least=False):
        if ours is None or other is None:
            print(f"{what:<54} {show(ours):>10} {show(other):>10} {'-':>8} {target:>8}  not measured")
            return
        ratio = other / ours if least else ours / other
        well = ratio >= target if least else ratio <= target
        self.missed += not well
        print(f"{what:<54} {show(ours):>10} {show(other):>10} {ratio:>8.3f} {target:>8}  {'ok' if well else 'MISS'}")

    def limit(self, what, ours, target):
        if ours is None:
            print(f"{what:<54} {'-':>10} {'':>10} {'':>8} {target:>8}  not measured")
            return
        self.missed += ours > target
        print(f"{what:<54} {show(ours):>10} {'':>10} {'':>8} {target:>8}  {'ok' if ours <= target else 'MISS'}")


def main():
    parser = argparse.ArgumentParser(prog="crowd", usage=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    for name in ("floor", "child", "daemonctl", "peers"):
        parser.add_argument(name)
    options = parser.parse_args()
    bare, floor, ours = Floor(options.floor), FloorLog(options.floor), Daemonctl(options.daemonctl)
    others = [kind(options.peers) for kind in peers.ALL]
    only = options.only.split(",") if options.only else None
    if only is not None:
        others = [peer for peer in others if any(peer.name.startswith(name) for name in only)]

    results = {}
    for contestant in [bare, floor, ours, *others]:
        if (took := measure(options, contestant)) is not None:
            results[contestant.name] = took
    if not {bare.name, floor.name, ours.name} <= set(results):
        sys.exit("crowd: nothing to compare")
    rounds = {floor.name: [results[floor.name]], ours.name: [results[ours.name]]}
    for turn in range(1, options.rounds):
        for contestant in (floor, ours) if turn % 2 else (ours, floor):
            if (took := measure(options, contestant, full=False)) is not None:
                rounds[contestant.name].append(took)
    for name, all_of_it in rounds.items():
        for key in ("start", "status", "stop gone", "stop returns", "start by command", "start returns"):
            if key in all_of_it[0]:
                results[name][key] = statistics.median(took[key] for took in all_of_it)
    for took in results.values():
        if "kernel" in took and "kernel" in results[bare.name]:
            took["kernel/svc"] = (took["kernel"] - results[bare.name]["kernel"]) / options.count

    print(f"\n{options.count} services; times in ms, memory in KB; kernel memory beyond the floor's that captures nothing")
    print(f"{'':<24}" + "".join(f"{column:>14}" for column in COLUMNS))
    for name, took in results.items():
        print(f"{name:<24}" + "".join(f"{show(took.get(column)):>14}" for column in COLUMNS))

    mine, low = results[ours.name], results[floor.name]
    best = lambda key: min((results[peer.name][key] for peer in others if peer.name in results), default=None)
    n = options.count
    verdicts = Verdicts()
    verdicts.row(f"start of {n}, captured / floor", mine["start"], low["start"], 1.6)
    verdicts.row(f"start of {n}: best capturing peer / daemonctl", mine["start"], best("start"), 3.5, least=True)
    verdicts.row(f"`start --all` of {n}, captured / floor", mine.get("start by command"), low["start"], 1.6)
    verdicts.limit("base PSS, KB", mine["PSS @1"], 3072)
    verdicts.limit("user memory a service, KB", mine["PSS/svc"], 4)
    verdicts.limit("kernel memory a service, KB", mine.get("kernel/svc"), 20)
    verdicts.limit("idle CPU, % of one processor", round(mine["idle %"], 2), 0)
    verdicts.row(f"status of {n} / floor", mine["status"], low["status"], 5)
    verdicts.row(f"status of {n} / fastest peer", mine["status"], best("status"), 1)
    verdicts.row(f"respawn at {FEW} / floor", mine["respawn"], low["respawn"], 2)
    verdicts.row(f"stop of {n}: last one gone / floor", mine["stop gone"], low["stop gone"], 2)
    verdicts.row(f"stop of {n}: command returns / floor", mine["stop returns"], low["stop returns"], 2)
    sys.exit(verdicts.missed > 0)


main()
