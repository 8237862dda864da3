#!/usr/bin/env python3
"""Our offline runtime beside other engines on the networks of make_models.py: `make bench`.

All engines of a network stand ready, each a process of its own on the same cores, and take turns: ours, the other, ours, the other, the order changing.  A ratio is ours over
the other's, of the medians of two neighbouring turns; the table has the median of the ratios, their smallest and largest.  The page is made of out/bench/results.json,
where every run leaves its rows.  Of one thread processor time counts, which is the same on an idle machine and nearly so on a busy one; of two the clock.  Per-layer times are those of `sgs profile`, in full beside the images."""
import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import ours
import page
import peers

TURN_MS, REST = 150, 0.01


def selected(wanted, name):
    return any(w.strip().lower() in name.lower() for w in wanted.split(","))


# ---- the others, made ----


def make_peer(name, model, folder):
    """None, or why that engine cannot take the network."""
    mark, sources = folder / "made", [model, pathlib.Path(peers.__file__), *(peers.ROOT / "tools/accuracy").glob("peer_*.py")]
    if not mark.exists() or mark.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        folder.mkdir(exist_ok=True)
        r = subprocess.run([sys.executable, peers.__file__, "make", name, model, folder], capture_output=True, text=True)
        (folder / "log").write_text(r.stdout + r.stderr)
        lines = [line for line in r.stderr.splitlines() if line.strip()]
        mark.write_text("" if r.returncode == 0 else (lines or ["ended with %d" % r.returncode])[-1][:200])
    return mark.read_text() or None


# ---- turns ----


class Engine:
    def __init__(self, command, cpus):
        self.clock = len(cpus) == 1  # processor time
        self.log = tempfile.TemporaryFile("w+")
        self.run = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                    preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.number, self.best = 1, math.inf

    def ready(self):
        """None, or why not."""
        for line in self.run.stdout:
            if line == "ready\n":
                self.number = max(3, min(300, math.ceil(TURN_MS / self.turn())))
                return None
        status = self.run.wait()
        self.log.seek(0)
        return (self.log.read().strip().splitlines() or ["its process ended with %d" % status])[-1][:200]

    def turn(self):
        """The median of its runs, ms; the shortest of all turns stays in `best`."""
        time.sleep(REST)  # the other's threads may spin for a while
        self.run.stdin.write("run %d\n" % self.number)
        self.run.stdin.flush()
        times = list(map(float, self.run.stdout.readline().split()))[self.clock::2]
        if len(times) != self.number:
            raise SystemExit("bench: an engine ended while it ran: %s" % " ".join(self.run.args))
        self.best = min(self.best, *times)
        return statistics.median(times)

    def stop(self):
        self.run.stdin.close()
        self.run.wait()
        self.run.stdout.close()
        self.log.close()


def compare(own, others, rounds):
    """{name: row}"""
    pairs = {name: [] for name in others}
    for k in range(rounds):
        for name, other in others.items():
            both = [e.turn() for e in ((own, other) if k % 2 == 0 else (other, own))]
            pairs[name].append(tuple(both if k % 2 == 0 else both[::-1]))
    rows = {}
    for name, times in pairs.items():
        ratios = sorted(a / b for a, b in times)
        rows[name] = {"ours": statistics.median(a for a, _ in times), "ms": statistics.median(b for _, b in times),
                      "ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1], "best": own.best / others[name].best}
    return rows


def measure(args, folder, names, threads, failed):
    """{name: row} with so many threads; engines that do not start go to failed."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    if len(cpus) < threads:
        return {}
    engines = {name: Engine([sys.executable, peers.__file__, "serve", name, folder / slug(name), threads], cpus) for name in names}
    engines[""] = Engine([args.build / "bench/bench_serve", folder / "ours.img", folder / "input.bin", threads], cpus)
    why = {name: e.ready() for name, e in engines.items()}
    try:
        if why[""]:
            raise SystemExit("bench: ours on %s: %s" % (folder.name, why[""]))
        failed.update({name: w for name, w in why.items() if w})
        return compare(engines[""], {name: e for name, e in engines.items() if name and not why[name]}, args.rounds)
    finally:
        for e in engines.values():
            e.stop()


# ---- a network ----


def slug(name):
    return name.replace(" ", "_").lower()


def profile(args, folder):
    """The lines of `sgs profile`."""
    command = [args.build / "cli/sgs", "profile", folder / "ours.img"]
    said = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), *map(str, command)], capture_output=True, text=True, check=True).stdout
    (folder / "profile.txt").write_text(said)
    return said


def network(args, model, known):
    folder, failed = ours.make(args.build, model), {}
    names = [n for n in peers.PEERS if selected(args.tools, n)]
    for n in names:
        why = make_peer(n, model, folder / slug(n))
        if why:
            failed[n] = why
    found = known.setdefault(model.stem, {})
    found["load"] = os.getloadavg()[0]
    for threads in map(int, args.threads.split(",")):
        rows = measure(args, folder, [n for n in names if n not in failed], threads, failed)
        found.setdefault(str(threads), {}).update(rows)
        for name, r in rows.items():
            print("%-18s %-18s threads %d: %9.3f ms, ours %9.3f ms: %.3f (%.3f to %.3f), of the shortest runs %.3f" % (
                model.stem, name, threads, r["ms"], r["ours"], r["ratio"], r["least"], r["most"], r["best"]), flush=True)
    reasons = {n: w for n, w in found.get("failed", {}).items() if n not in names}
    found["failed"] = dict(reasons, **failed)
    for name, why in failed.items():
        print("%-18s %-18s left out: %s" % (model.stem, name, why), flush=True)
    found["profile"] = profile(args, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where make_models.py has put the networks")
    parser.add_argument("--out", type=pathlib.Path, help="the page to write")
    parser.add_argument("--nets", default="", help="networks whose name holds one of these, separated by commas")
    parser.add_argument("--tools", default="", help="engines whose name holds one of these")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    args.build, args.work = args.build.resolve(), args.work.resolve()
    results = args.work / "results.json"
    known = json.loads(results.read_text()) if results.exists() else {}
    nets = [n for n in page.GOALS if selected(args.nets, n)]
    for name in nets:
        network(args, args.work / (name + ".onnx"), known)
        results.write_text(json.dumps(known, indent=1))
    if args.out:
        peaks = subprocess.run([args.build / "bench/bench_peak"], capture_output=True, text=True, check=True).stdout
        args.out.write_text(page.text(known, peaks))
    print(page.summary({n: known[n] for n in nets}))


if __name__ == "__main__":
    main()
