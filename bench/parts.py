"""The parts of `make bench`: each measures one thing of a network and puts rows into the results."""
import os
import pathlib
import statistics
import subprocess
import sys

import ours
import peers
import turns

HERE = pathlib.Path(__file__).resolve().parent
STARTS, SESSIONS = 9, 7
FLOAT = "onnxruntime f32"
PLANNERS = {"LiteRT": "litert", "TFLM": "tflm"}  # name: what arena.py calls it


def selected(wanted, name):
    return any(w.strip().lower() in name.lower() for w in wanted.split(","))


def slug(name):
    return name.replace(" ", "_").lower()


def said(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def last_line(r):
    lines = [line for line in r.stderr.splitlines() if line.strip()]
    return (lines or ["ended with %d" % r.returncode])[-1][:200]


def make_peer(name, model, folder):
    """None, or why that engine cannot take the network."""
    mark, sources = folder / "made", [model, pathlib.Path(peers.__file__), HERE / "ncnn_int8.py", *(peers.ROOT / "tools/accuracy").glob("peer_*.py")]
    if not mark.exists() or mark.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        folder.mkdir(exist_ok=True)
        r = said(sys.executable, peers.__file__, "make", name, model, folder)
        (folder / "log").write_text(r.stdout + r.stderr)
        mark.write_text("" if r.returncode == 0 else last_line(r))
    return mark.read_text() or None


class Work:
    """One network in one run."""

    def __init__(self, args, model, results):
        self.args, self.model, self.results, self.net = args, model, results, model.stem
        self.folder, self.threads = ours.make(args.build, model), list(map(int, args.threads.split(",")))

    def wanted(self, names):
        return [n for n in names if selected(self.args.tools, n)]

    def put(self, part, key, row, text):
        self.results.put(self.net, part, key, row)
        print("%-18s %-6s %-20s %s" % (self.net, part, key, text), flush=True)

    def made(self, names, part):
        """Those whose network is there; the others' reasons are kept."""
        for n in names:
            why = make_peer(n, self.model, self.folder / slug(n))
            self.results.drop(self.net, "failed", "%s: %s" % (part, n))
            if why:
                self.fail(part, n, why)
            else:
                yield n

    def fail(self, part, name, why):
        """What an earlier run measured of it holds no more."""
        for key in (name, name + ", 1", name + ", 2"):
            self.results.drop(self.net, part, key)
        self.put("failed", "%s: %s" % (part, name), {"why": why}, why)

    def own(self, program, file, threads):
        return [self.args.build / "bench" / program, self.folder / file, self.folder / ours.INPUT, threads]

    def turns(self, part, program, file, names):
        names = list(self.made(self.wanted(names), part))
        for threads in self.threads:
            others = {n: [sys.executable, peers.__file__, "serve", n, self.folder / slug(n), threads] for n in names}
            rows, failed = turns.compare(self.own(program, file, threads), others, threads, self.args.rounds)
            for name, why in failed.items():
                self.fail(part, name, why)
            for name, r in rows.items():
                self.put(part, "%s, %d" % (name, threads), r, "%9.3f ms, ours %9.3f ms: %.3f (%.3f to %.3f), of the shortest runs %.3f" % (
                    r["ms"], r["ours"], r["ratio"], r["least"], r["most"], r["best"]))


def int8(work):
    work.turns("int8", "bench_serve", "ours.img", peers.PEERS)


def int16(work):
    work.turns("int16", "bench_serve", "words.img", [FLOAT])


def fixed(work):
    work.turns("fixed", "bench_simulate", "ours_fixed.sim", [FLOAT])


def own_start(work):
    """Medians of processes that begin anew, the file in the system's memory."""
    runs = []
    for _ in range(STARTS):
        r = said("taskset", "-c", min(os.sched_getaffinity(0)), *work.own("bench_first", "ours.img", 1)[:3])
        if r.returncode:
            raise SystemExit("bench: %s" % last_line(r))
        runs.append([float(x) for x in r.stdout.split()])
    load, _, first, peak, before, image, arena, buffers = map(statistics.median, zip(*runs))
    return {"load": load, "first": first, "peak": peak, "before": before, "image": image, "arena": arena, "buffers": buffers}


def start(work):
    row = own_start(work)
    work.put("start", "ours", row, "load %.3f ms, first result %.3f ms, %.1f MB resident at most, image %.1f MB, arena %.1f MB" % (
        row["load"], row["first"], *(row[k] / 1e6 for k in ("peak", "image", "arena"))))
    for name in work.made(work.wanted(["onnxruntime int8", FLOAT]), "start"):
        r = said("taskset", "-c", min(os.sched_getaffinity(0)), sys.executable, peers.__file__, "sessions", name, work.folder / slug(name), SESSIONS)
        if r.returncode:
            work.fail("start", name, last_line(r))
            continue
        ms = statistics.median(map(float, r.stdout.split()))
        work.put("start", name, {"ms": ms}, "a session %.3f ms: %.3f" % (ms, row["first"] / ms))


def memory(work):
    arena, bound = ours.arena(work.folder)
    image = own_start(work)
    work.put("memory", "ours", {"arena": arena, "bound": bound, "buffers": image["buffers"]}, "%d bytes, bound %d" % (arena, bound))
    if not list(work.made(["LiteRT int8"], "memory")):
        return
    for name in work.wanted(PLANNERS):
        r = said(sys.executable, HERE / "arena.py", PLANNERS[name], work.folder / slug("LiteRT int8") / "quantized.tflite")
        work.results.drop(work.net, "failed", "memory: %s" % name)
        if r.returncode:
            reasons = [line for line in r.stderr.splitlines() if "find op" in line or "Failed to" in line]
            work.fail("memory", name, reasons[0][:200] if reasons else last_line(r))
            continue
        work.put("memory", name, {"arena": int(r.stdout)}, "%d bytes: %.2f" % (int(r.stdout), arena / int(r.stdout)))


def layers(work):
    r = said("taskset", "-c", min(os.sched_getaffinity(0)), work.args.build / "cli/sgs", "profile", work.folder / "ours.img")
    if r.returncode:
        raise SystemExit("bench: sgs profile: %s" % last_line(r))
    (work.folder / "profile.txt").write_text(r.stdout)
    work.put("layers", "profile", {"text": r.stdout}, "in %s" % (work.folder / "profile.txt"))


PARTS = {f.__name__: f for f in (int8, int16, fixed, start, memory, layers)}


def measure(args, model, names, results):
    work = Work(args, model, results)
    for name in names:
        PARTS[name](work)
