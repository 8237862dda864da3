#!/usr/bin/env python3
"""What calibration with learned rounding costs: `make bench-low-bit`.

MobileNetV2 with 100 pictures of 224x224 on two cores: Q21 of ours with its two preprocessing workers, beside ppq's calibration with and without its learning of weights
and steps.  ppq has one thread: what is compared is the processor's time, of which threads that wait for each other take more.  In turns, each run a process tree of its own;
medians.  Everything counts, from the start of the program to the quantized network: ours decode and preprocess the pictures within, ppq gets finished arrays and a folded
network from the disk.  Rows go into OUT/low_bit_cost.tsv, those of tools left out stay."""
import argparse
import os
import pathlib
import statistics
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "accuracy")]
import bench_calibrate  # noqa: E402

TITLE = "MobileNetV2 1.0"
STEPS = 500  # of ppq's learning, its own
BATCH = 4  # pictures, not the 32 of the accuracy rows: its time grows with it, and so what is said of it is the least


def jobs(args, case, folder):
    """{what: command}, after what they need is made"""
    import numpy as np
    import low_bit_tools as tools
    import ours
    import peer_torch
    t = ours.stages(args.build, case)
    t.convert(case.model, case.ini)
    mode, settings = tools.MODES["Q21" + tools.W8]
    found = {mode: [t.env["SGS_BIN"], "torch-calibrate", *tools.command(mode, settings, t, case, folder), "--num_process", 2]}
    os.environ["SGS_PYTHON"] = sys.executable
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    if peer_torch.PYTHON.exists():
        peer_torch.folded(case, folder)
        np.save(folder / "calibrate.npy", np.concatenate([peer_torch.array(case, p) for p in case.calibrate]))
        np.save(folder / "score.npy", np.load(folder / "calibrate.npy")[:1])
        plain = [peer_torch.PYTHON, peer_torch.RUN, "ppq", "--folder", folder, "--bits", 8, "--batch", BATCH, "--threads", 1, "--no-score"]
        learning = "ppq LSQ" if args.steps == STEPS else "ppq LSQ, %d of %d steps" % (args.steps, STEPS)
        found |= {"ppq": plain, learning: ["ppq LSQ" if word == "ppq" else word for word in plain] + ["--iterations", args.steps]}
    return found


def kept(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split("\t")[0]: line for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--tools", default="", help="those whose name holds one of these, separated by commas")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="of ppq's learning: fewer say what it takes at least")
    args = parser.parse_args()
    if not 1 <= args.steps <= STEPS:
        parser.error("--steps: expected 1 to %d, found %d" % (STEPS, args.steps))
    if args.runs < 1:
        parser.error("--runs: expected 1 or more, found %d" % args.runs)
    args.build, args.work = args.build.resolve(), args.work.resolve()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    import cases
    import low_bit_page
    import main as accuracy
    case = next(make for title, make in cases.every(args.shared.resolve(), args.work) if title == TITLE)()
    with tempfile.TemporaryDirectory(dir=args.work) as scratch:
        found = {what: command for what, command in jobs(args, case, pathlib.Path(scratch)).items() if accuracy.chosen(args.tools, what)}
        runs = {what: [] for what in found}
        for _ in range(args.runs):
            for what, command in found.items():
                runs[what].append(bench_calibrate.timed(command, scratch))
                print("%s: %.1f s, %.1f of the processor" % (what, *runs[what][-1][:2]), flush=True)
    rows = {what: "%s\t%s\t%.1f\t%.1f\t%d" % (what, TITLE, *(statistics.median(column) for column in list(zip(*taken))[:2]), len(taken)) for what, taken in runs.items()}
    path = args.work / low_bit_page.COST
    path.write_text("".join("%s\n" % line for line in {**kept(path), **rows}.values()))


if __name__ == "__main__":
    main()
