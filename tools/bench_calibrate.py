#!/usr/bin/env python3
"""What a calibration costs: `make bench-calibrate`.

MobileNetV2 with 100 pictures of 224x224 on two cores: every level of ours with its two preprocessing workers, ncnn's KL table of two threads, onnxruntime's static
quantization (MinMax, Entropy, Percentile).  In turns, each run a process tree of its own; medians.  Everything counts, from the start of the program to the file on the
disk: ours decode and preprocess the pictures within, the others get finished arrays from the disk, and ncnn a converted model.  Memory: the largest sum over the tree of
what its processes hold (proportional set size), looked at every 50 ms."""
import argparse
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "accuracy")]
TITLE = "MobileNetV2 1.0"
BUSY = " The machine had other work (load %.1f when this began): compare processor seconds, not seconds."

THEIRS = """import sys, pathlib, numpy as np
from onnxruntime import quantization as q
from onnxruntime.quantization.shape_inference import quant_pre_process
folder, method, name = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
class Arrays(q.CalibrationDataReader):
    def __init__(self): self.set_range(0, 100)
    def __len__(self): return 100
    def set_range(self, start_index, end_index): self.rest = iter(range(start_index, end_index))
    def get_next(self):
        i = next(self.rest, None)
        return None if i is None else {name: np.load(folder / ("%d.npy" % i))[None]}
quant_pre_process(folder / "m.onnx", folder / "p.onnx", skip_symbolic_shape=True)
q.quantize_static(folder / "p.onnx", folder / "q.onnx", Arrays(), per_channel=True, activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
                  calibrate_method=q.CalibrationMethod[method], extra_options={"CalibStridedMinMax": 20})"""


def children(pid):
    try:
        found = [int(c) for t in os.listdir("/proc/%d/task" % pid) for c in pathlib.Path("/proc/%d/task/%s/children" % (pid, t)).read_text().split()]
    except OSError:  # it has ended
        found = []
    return [pid] + [c for child in found for c in children(child)]


def held(pid):
    """Bytes"""
    total = 0
    for p in children(pid):
        try:
            total += next(int(line.split()[1]) for line in open("/proc/%d/smaps_rollup" % p) if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total * 1024


def timed(command, cwd):
    """(seconds, processor seconds, bytes)"""
    before, start, most = os.times(), time.perf_counter(), 0
    with open(pathlib.Path(cwd) / "log", "w") as log:
        run = subprocess.Popen([str(c) for c in command], cwd=cwd, stdout=log, stderr=subprocess.STDOUT)
        while run.poll() is None:
            most = max(most, held(run.pid))
            time.sleep(0.05)
    seconds, after = time.perf_counter() - start, os.times()
    if run.returncode:
        raise SystemExit("bench-calibrate: %s ended with %d\n%s" % (shlex.join(map(str, command))[:200], run.returncode, (pathlib.Path(cwd) / "log").read_text()[-2000:]))
    return seconds, after.children_user + after.children_system - before.children_user - before.children_system, most


def jobs(args, case, folder):
    """{what: command}, after what they need is made"""
    import numpy as np
    import ours
    import peer_ncnn
    t = ours.stages(args.build, case)
    t.convert(case.model, case.ini)
    found = {}
    for level in ours.levels(args.build):
        found[level] = [t.env["SGS_BIN"], "calibrate", "-m", t.path("Float"), "--input_config", case.ini, "-i", case.work / "calib.txt", "-n", case.script, "--num_process", 2,
                        "--quant_level", level, "-o", folder / "fixed.sim"]
    os.environ["SGS_PYTHON"] = sys.executable
    for i, picture in enumerate(case.calibrate):
        np.save(folder / ("%d.npy" % i), case.array(picture, True)[0])
    (folder / "list.txt").write_text("".join("%d.npy\n" % i for i in range(len(case.calibrate))))
    stem = peer_ncnn.converted(case, folder)[0]  # leaves m.onnx too
    if os.environ.get("NCNN_TOOLS"):
        found["ncnn KL"] = [peer_ncnn.tool("ncnn2table"), stem + ".param", stem + ".bin", "list.txt", "m.table", "shape=[224,224,3]", "thread=2", "method=kl", "type=1"]
    for method in ("MinMax", "Entropy", "Percentile"):
        found["onnxruntime " + method] = [sys.executable, "-c", THEIRS, folder, method, case.network.input]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, help="where the table goes, for docs/ACCURACY.md")
    parser.add_argument("--tools", default="", help="those whose name holds one of these, separated by commas")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    args.build, args.work = args.build.resolve(), args.work.resolve()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    import cases
    case = next(make for title, make in cases.every(args.shared.resolve(), args.work) if title == TITLE)()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=args.work) as scratch:
        found = {what: command for what, command in jobs(args, case, pathlib.Path(scratch)).items() if any(t.lower() in what.lower() for t in args.tools.split(","))}
        runs = {what: [] for what in found}
        for _ in range(args.runs):
            for what, command in found.items():
                runs[what].append(timed(command, scratch))
    lines = ["| calibration | s | processor s | MB |", "|---|---:|---:|---:|"]
    lines += ["| %s | %.1f | %.1f | %.0f |" % (what, *(statistics.median(column) * k for column, k in zip(zip(*rows), (1, 1, 1e-6)))) for what, rows in runs.items()]
    lines += ["", "Runs of each: %d." % args.runs + (BUSY % load if load > 0.5 else "")]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
