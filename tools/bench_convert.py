#!/usr/bin/env python3
"""ONNX to _float.sim beside onnxruntime's creation of an optimised session on the same file, and one network from all frameworks: `make bench-convert`.

Both on one core, in turns, each run a process of its own; medians.  Of ours the whole process counts, from its start to the file on the disk; of
onnxruntime the creation of the session alone, without the interpreter and the import.  Memory is the largest resident set of our process.
Then one network of 100 MB with seeded weights (four_formats.py) as each framework writes it, in turns, beside its conversion from ONNX.
Fails where a network takes more than onnxruntime's time, a format more than 1.5 times ONNX's, or anything more than 2.5 times its files in memory."""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import onnx

import four_formats

THEIRS = """import sys, time, onnxruntime
quiet = onnxruntime.SessionOptions()
quiet.log_severity_level = 3
start = time.perf_counter()
onnxruntime.InferenceSession(sys.argv[1], quiet, providers=["CPUExecutionProvider"])
print(time.perf_counter() - start)"""


MEMORY = 2.5  # largest resident set, in the size of the model's files
AS_ONNX = 1.5  # time of another format, in that of ONNX


# A process of its own to start ours: what a process counts as its largest begins with that of the one that starts it.
OURS = """import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(time.perf_counter() - start, used.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))"""


def ini(model):
    given = {t.name for t in model.graph.initializer}
    inputs = [i.name for i in model.graph.input if i.name not in given]
    return "[INPUT_CONFIG]\ninputs=%s\ninput_formats=%s\n[OUTPUT_CONFIG]\noutputs=%s\n" % (
        ",".join(inputs), ",".join(["RAWDATA_F32_NHWC"] * len(inputs)), ",".join(o.name for o in model.graph.output))


def ours(sgs, options, folder):
    """(seconds, bytes) of a conversion with these options, in the folder."""
    out = folder / "x_float.sim"
    out.unlink(missing_ok=True)
    command = [pathlib.Path(sgs).resolve(), "convert-tool", *options, "-o", out.name]
    run = subprocess.run([sys.executable, "-I", "-S", "-c", OURS, *command], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit("bench-convert: the converter ended with %d on %s\n%s" % (run.returncode, " ".join(map(str, options)), run.stderr))
    return tuple(map(float, run.stderr.split()[-2:]))


def theirs(path):
    return float(subprocess.run([sys.executable, "-c", THEIRS, str(path)], check=True, capture_output=True, text=True).stdout)


def medians(runs):
    return (statistics.median(column) for column in zip(*runs))


def row(args, path, folder):
    model = onnx.load(path)
    (folder / "i.ini").write_text(ini(model))
    size = path.stat().st_size + sum(f.stat().st_size for f in path.parent.glob(path.name + ".data"))
    options = ["onnx", "-m", path.resolve(), "--input_config", "i.ini"]
    runs = [(*ours(args.sgs, options, folder), theirs(path)) for _ in range(args.runs + 1)][1:]  # the first fills the caches
    seconds, memory, other = medians(runs)
    print("| %s | %.1f | %.3f | %.3f | %.2f | %.2f |" % (path.stem, size / 1e6, seconds, other, seconds / other, memory / size), flush=True)
    return seconds / other < 1 and memory / size < MEMORY


def formats(args, folder):
    """The same network from each framework, in turns."""
    for form in four_formats.FORMS:
        four_formats.write(form, folder)
    turns = [[ours(args.sgs, [*form.options, "--input_config", form.options[0] + ".ini"], folder) for form in four_formats.FORMS] for _ in range(args.runs + 1)][1:]
    first, within = None, True
    for form, runs in zip(four_formats.FORMS, zip(*turns)):
        seconds, memory = medians(runs)
        first = first or seconds
        size = sum((folder / name).stat().st_size for name in form.files)
        print("| %s | %.1f | %.3f | %.2f | %.2f |" % (form.options[0], size / 1e6, seconds, seconds / first, memory / size), flush=True)
        within &= seconds / first < AS_ONNX and memory / size < MEMORY
    return within


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sgs", required=True, help="the program")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        if args.models:
            print("| network | file, MB | ours, s | onnxruntime, s | ratio | memory / file |\n|---|---:|---:|---:|---:|---:|")
        within = [row(args, path, pathlib.Path(folder)) for path in args.models]
        print("\n| one network as | file, MB | s | to ONNX's | memory / file |\n|---|---:|---:|---:|---:|")
        within.append(formats(args, pathlib.Path(folder)))
    return not all(within)


if __name__ == "__main__":
    sys.exit(main())
