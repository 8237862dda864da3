#!/usr/bin/env python3
"""Takes exported families of networks (models/families) through every stage, into docs/FAMILIES.md: `make families`.

Float must be what onnxruntime says of the same file, to 1e-4 of the largest value of the output; offline must be fixed, bit for bit.  Weights
are random and the pictures made: the table says that a family's operators are there and right, not how accurate a trained network would be."""
import argparse
import pathlib
import shutil
import sys
import textwrap

import cv2
import numpy as np
import onnx

import nodes
import toolchain as tc
from networks import STRETCH, Network
from results import float_error, onnxruntime_outputs

TOLERANCE = 1e-4
WIDE = 30  # dB at 16 bits, below which something else than rounding is at work
RAW = """[INPUT_CONFIG]
inputs=%s;
training_input_formats=RAWDATA_F32_NHWC;
input_formats=RAWDATA_F32_NHWC;

[OUTPUT_CONFIG]
outputs=%s;

[CONV_CONFIG]
input_format=ALL_INT16;
"""
CALIBRATION, SCORED = 6, 3
HEAD = """# Families

Made by `make families`: networks of whole families, exported by PyTorch with random weights (`models/families`), through every stage. Nodes: in the file and
after our passes, counted as in [SIMPLIFY.md](SIMPLIFY.md). Float: largest difference from onnxruntime on the original file, in parts of the output's largest
value; at most %g. SQNR: fixed at L1 against float, on %d of the made pictures that calibrate: with convolutions in 8 bits on pictures, and with `ALL_INT16` on the
same numbers as RAWDATA, as a convolution on an image keeps 8 bits. Random weights pass the rounding of each layer on and add to it, deep networks most: 8 bits
say little of what a trained network would lose, 16 bits say that nothing is broken; at least %g dB. Offline is compared with fixed bit for bit.

| network | opset | nodes in the file | ours | float | SQNR dB, 8 bits | offline = fixed | SQNR dB, 16 bits |
|---|---:|---:|---:|---:|---:|---|---:|
"""


def picture(rng, size, channels):
    """Coarse shapes and finer ones over them, in bytes."""
    parts = [cv2.resize(rng.normal(0, 1, (s, s, channels)), size[::-1]).reshape(*size, channels) for s in (3, 8, 24)]
    return np.clip(127.5 + 64 * np.mean(parts, 0), 0, 255).astype(np.uint8)


def pictures(folder, size, channels):
    """Files to calibrate with, the first of which are scored: what a few random pictures do not reach would be cut off, and hide how good the arithmetic is."""
    rng, files = np.random.default_rng(7), []
    for i in range(CALIBRATION):
        files.append(folder / ("%d.png" % i))
        cv2.imwrite(str(files[-1]), picture(rng, size, channels))
    return files, files[:SCORED]


def network(path, model):
    (x,) = model.graph.input
    _, channels, *size = (d.dim_value for d in x.type.tensor_type.shape.dim)
    return channels, Network(path.stem, str(path), x.name, ",".join(o.name for o in model.graph.output), tuple(size), "RGB" if channels == 3 else "GRAY", (127.5,) * channels,
                             (64,) * channels, STRETCH, "few", "none")


class Run:
    """One network in one folder."""

    def __init__(self, args, path):
        self.build, self.path = args.build, path
        self.model = onnx.load(path)
        channels, self.net = network(path, self.model)
        self.t = tc.Toolchain(args.build, pathlib.Path(args.work) / path.stem, path.stem)
        self.ini, self.script, self.few, self.scored = (self.t.work / n for n in ("input_config.ini", "preprocess.py", "calib.txt", "scored.txt"))
        self.ini.write_text(self.net.ini())
        self.script.write_text(self.net.script())
        calibrate, self.files = pictures(self.t.work, self.net.size, channels)
        for name, files in ((self.few, calibrate), (self.scored, self.files)):
            name.write_text("".join("%s\n" % f for f in files))

    def cells(self):
        """The row's cells, one after the other: what failed shows by what is missing."""
        yield "%d" % next(o.version for o in self.model.opset_import if not o.domain)
        yield "%d" % sum(nodes.of_onnx(self.model).values())
        yield "%d" % sum(nodes.ours(self.build, self.path).values())
        self.t.convert(self.path, self.ini)
        reference = self.t.simulate("Float", self.scored, self.script)[0]
        error = float_error(onnxruntime_outputs(self.net, self.path, self.files), reference)
        yield "%.1e" % error
        self.t.calibrate(self.ini, self.few, self.script, "L1")
        self.t.compile()
        fixed = self.t.simulate("Fixed", self.scored, self.script)[0]
        yield "%.1f" % tc.sqnr_db(reference, fixed)
        same = SCORED - tc.different(fixed, self.t.simulate("Offline", self.scored, self.script)[0])
        yield "yes" if same == SCORED else "%d of %d" % (same, SCORED)
        wide = self.wide(reference)
        yield "%.1f" % wide
        if not error <= TOLERANCE:
            raise tc.Failed("float differs from onnxruntime by %.1e of the largest value, at most %g is rounding" % (error, TOLERANCE))
        if same != SCORED:
            raise tc.Failed("fixed and offline differ")
        if wide < WIDE:
            raise tc.Failed("16 bits leave %.1f dB, at least %g expected" % (wide, WIDE))

    def wide(self, reference):
        """SQNR with 16 bits everywhere."""
        self.ini.write_text(RAW % (self.net.input, self.net.outputs))
        self.script.write_text(self.net.script().replace(" if norm else img", ""))
        self.t.convert(self.path, self.ini)
        self.t.calibrate(self.ini, self.few, self.script, "L1")
        return tc.sqnr_db(reference, self.t.simulate("Fixed", self.scored, self.script)[0])


def measure(args, path):
    """(row, what failed or None)"""
    cells, failed, run = [], None, Run(args, path)
    try:
        for cell in run.cells():
            cells.append(cell)
    except tc.Failed as e:
        lines = [line for line in str(e).splitlines() if line.startswith("error: ")]
        failed = "%s: %s" % (path.stem, textwrap.shorten((lines or str(e).splitlines())[0].replace(str(path), path.name), 240))
    if not args.keep:
        shutil.rmtree(run.t.work)
    return "| %s |" % " | ".join([path.stem] + cells + ["–"] * (7 - len(cells))), failed


def page(rows, failures):
    notes = "\n## What does not pass\n\n" + "".join("- %s\n" % f for f in failures) if failures else ""
    return HEAD % (TOLERANCE, SCORED, WIDE) + "\n".join(rows) + "\n" + notes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder of ONNX files that models/families/export.py made")
    parser.add_argument("--work", default=str(tc.ROOT / "out/families-work"))
    parser.add_argument("--out", help="the page to write; without it the rows are only printed")
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--keep", action="store_true", help="leave what the stages wrote")
    args = parser.parse_args()
    rows, failures = [], []
    for path in sorted(p.resolve() for p in args.models.glob("*.onnx") if args.only in p.stem):
        row, failed = measure(args, path)
        rows.append(row)
        failures += [failed] if failed else []
        print("\n".join([row] + ([failed] if failed else [])), flush=True)
    if not rows:
        sys.exit("families: there is no network in %s" % args.models)
    if args.out:
        pathlib.Path(args.out).write_text(page(rows, failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
