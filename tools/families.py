#!/usr/bin/env python3
"""Takes whole networks through every stage, into docs/FAMILIES.md: exported families (models/families) and files of others: `make families`.

Float must be what onnxruntime says of the same file, to 1e-4 of the largest value of the output; offline must be fixed, bit for bit.  Weights of
families are random, and samples are few: the tables say that a network's operators are there and right, not how accurate it is."""
import argparse
import dataclasses
import pathlib
import shutil
import sys
import textwrap

import cv2
import numpy as np
import onnx

import nodes
import toolchain as tc
from networks import NETWORKS, SCRIPT, STRETCH, each

TOLERANCE = 1e-4
WIDE = 30  # dB at 16 bits, below which something else than rounding is at work
CALIBRATION, SCORED = 6, 3
RAW, ARRAYS = "RAWDATA_F32_NHWC", "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"
INI = """[INPUT_CONFIG]
inputs={inputs};
training_input_formats={formats};
input_formats={formats};
{normalize}
[OUTPUT_CONFIG]
outputs={outputs};
{bits}"""
# Sizes that a file leaves free, in the order of its inputs; of scalars the value.
FREE = {"text_detection_en_ppocrv3_2023may": [(1, 3, 320, 320)], "scrfd_500m_bnkps": [(1, 3, 320, 320)], "silero_vad_16k_op15": [(1, 576), (2, 1, 128), ()]}
SCALARS = {"sr": 16000}
# What they were trained on: mean and standard deviation of R, G, B, and the order of the channels; others take the first.
NORMAL = {"": (each(127.5), each(64), "RGB"), "fsanet-var-iter-688590": (each(127.5), each(128), "BGR"), "scrfd_500m_bnkps": (each(127.5), each(128), "RGB"),
          "vitTracker": ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "RGB"), "text_detection_en_ppocrv3_2023may": ((104, 116.7, 122.7), (57.4, 57.1, 58.4), "BGR"),
          **{pathlib.Path(n.file).stem: (n.mean, n.std, n.format) for n in NETWORKS}}
HEAD = """# Families

Made by `make families`: whole networks through every stage. Nodes: in the file and after our passes, counted as in [SIMPLIFY.md](SIMPLIFY.md). Float:
largest difference from onnxruntime on the original file, in parts of the output's largest value; at most %g. SQNR: fixed at L1 against float, on %d of the
samples that calibrate: with convolutions in 8 bits on pictures, and with `ALL_INT16` on the same numbers as RAWDATA, as a convolution on an image keeps
8 bits. Offline is compared with fixed bit for bit.
"""
SECTIONS = (("Exported by PyTorch", """Random weights (`models/families`) on made pictures. They pass the rounding of each layer on and add to it, deep networks most: 8 bits say little of what a trained network
would lose, 16 bits say that nothing is broken; at least %g dB.""" % WIDE), ("Files of others", """Trained networks (`../shared/models/onnx`) on photos of coco128, whole and stretched to the network's size, or on noise where they take no pictures.
What they are for is not in most of these photos: what they lose on their own task is in [RESULTS.md](RESULTS.md)."""))
TABLE = """
## %s

%s

| network | opset | nodes in the file | ours | float | SQNR dB, 8 bits | offline = fixed | SQNR dB, 16 bits |
|---|---:|---:|---:|---:|---:|---|---:|
"""


@dataclasses.dataclass
class Input:
    name: str
    shape: tuple
    normal: tuple

    @property
    def channels(self):
        """Of a picture; else 0."""
        return self.shape[1] if len(self.shape) == 4 and self.shape[1] in (1, 3) else 0

    @property
    def format(self):
        return {0: RAW, 1: "GRAY", 3: self.normal[2]}[self.channels]

    def sample(self, rng, stem, photos):
        """A file for it: a photo, else made: coarse shapes and finer ones over them, or numbers around zero."""
        if self.channels and photos:
            return photos[rng.integers(len(photos))]
        if not self.channels:
            path = stem.with_suffix(".npy")
            np.save(path, np.array(SCALARS[self.name], np.int32) if self.name in SCALARS else rng.normal(0, 0.5, self.shape).astype(np.float32))
            return path
        size = self.shape[2:]
        parts = [cv2.resize(rng.normal(0, 1, (s, s, self.channels)), size[::-1]).reshape(*size, self.channels) for s in (3, 8, 24)]
        path = stem.with_suffix(".png")
        cv2.imwrite(str(path), np.clip(127.5 + 64 * np.mean(parts, 0), 0, 255).astype(np.uint8))
        return path

    def script(self, raw):
        """raw: the float numbers in both calls."""
        if not self.channels:
            return ARRAYS
        colour = {"RGB": "\n    img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)", "BGR": "", "GRAY": "\n    img = img[:, :, None]"}[self.format]
        mean, std = (list(v[:self.channels])[::-1 if self.format == "BGR" else 1] for v in self.normal[:2])
        flag = "cv2.IMREAD_GRAYSCALE" if self.format == "GRAY" else "cv2.IMREAD_COLOR"
        text = SCRIPT.format(flag=flag, body=STRETCH.format(h=self.shape[2], w=self.shape[3]) + colour, mean=mean, std=std)
        return text.replace(" if norm else img", "") if raw else text

    def feed(self, path, dtype):
        scope = {}
        exec(self.script(False), scope)  # the same preprocessing, in this process
        x = scope["image_preprocess"](str(path))
        return (x.transpose(0, 3, 1, 2).copy() if self.channels else x).astype(dtype)


def inputs_of(model, stem):
    """What has no initializer, with the sizes that the file leaves free."""
    own = {t.name for t in model.graph.initializer}
    found = [Input(x.name, tuple(d.dim_value for d in x.type.tensor_type.shape.dim), NORMAL.get(stem, NORMAL[""])) for x in model.graph.input if x.name not in own]
    for i, x in enumerate(found):
        x.shape = FREE[stem][i] if stem in FREE else tuple(n or 1 for n in x.shape)
    return found


def difference(original, ours):
    """The largest, in parts of the largest value of its output."""
    worst = 0
    for samples in zip(*((zip(original[n], ours[n])) for n in original)):
        a, b = (np.concatenate([np.moveaxis(v, 1, -1).ravel() if i == 0 and v.ndim == 4 else v.ravel() for v in side]) for i, side in enumerate(zip(*samples)))
        worst = max(worst, np.abs(a - b).max() / np.abs(a).max())
    return worst


class Run:
    """One network in one folder."""

    def __init__(self, args, path, photos):
        self.build, self.path = args.build, path
        self.model = onnx.load(path)
        self.inputs = inputs_of(self.model, path.stem)
        self.outputs = [o.name for o in self.model.graph.output]
        self.shapes = ":".join(",".join("%d" % n for n in x.shape) for x in self.inputs)
        self.t = tc.Toolchain(args.build, pathlib.Path(args.work) / path.stem, path.stem)
        self.ini, self.few, self.scored = (self.t.work / n for n in ("input_config.ini", "calib.txt", "scored.txt"))
        rng = np.random.default_rng(7)
        self.samples = [[x.sample(rng, self.t.work / ("%d_%d" % (i, k)), photos) for k, x in enumerate(self.inputs)] for i in range(CALIBRATION)]
        for name, n in ((self.few, CALIBRATION), (self.scored, SCORED)):
            name.write_text("".join("%s\n" % ",".join(map(str, s)) for s in self.samples[:n]))
        self.set_up(raw=False)

    def set_up(self, raw):
        """The ini and the scripts: pictures in bytes, or everything as numbers."""
        formats = [RAW if raw else x.format for x in self.inputs]
        normal = [(x.normal, x.channels) for x, f in zip(self.inputs, formats) if f != RAW]
        normalize = "".join("%s=%s;\n" % (key, ",".join(":".join("%g" % v for v in n[i][:x]) for n, x in normal)) for i, key in enumerate(("mean", "std_value")) if normal)
        self.ini.write_text(INI.format(inputs=",".join(x.name for x in self.inputs), formats=",".join(formats), normalize=normalize, outputs=",".join(self.outputs),
                                       bits="\n[CONV_CONFIG]\ninput_format=ALL_INT16;\n" if raw else ""))
        scripts = [self.t.work / ("preprocess_%d.py" % k) for k in range(len(self.inputs))]
        for path, x in zip(scripts, self.inputs):
            path.write_text(x.script(raw))
        self.script = ",".join(map(str, scripts))

    def bound(self):
        """The file with its inputs' sizes, and without what it says of others: one word for several unknown sizes makes onnxruntime take them for equal."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        shapes = {x.name: x.shape for x in self.inputs}
        for v in list(model.graph.input) + list(model.graph.output):
            v.type.tensor_type.ClearField("shape")
            if v.name in shapes:
                v.type.tensor_type.shape.CopyFrom(onnx.helper.make_tensor_type_proto(v.type.tensor_type.elem_type, shapes[v.name]).tensor_type.shape)
        del model.graph.value_info[:]
        return model.SerializeToString()

    def onnxruntime(self):
        import onnxruntime
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        session = onnxruntime.InferenceSession(self.bound() if self.path.stem in FREE else str(self.path), quiet, providers=["CPUExecutionProvider"])
        types = {x.name: np.int64 if "int64" in x.type else np.float32 for x in session.get_inputs()}
        return {s[0].name: session.run(self.outputs, {x.name: x.feed(f, types[x.name]) for x, f in zip(self.inputs, s)}) for s in self.samples[:SCORED]}

    def convert(self):
        self.t.convert(self.path, self.ini, "--input_shapes", self.shapes)

    def fixed(self):
        self.t.calibrate(self.ini, self.few, self.script, "L1")
        return self.t.simulate("Fixed", self.scored, self.script)[0]

    def cells(self):
        """The row's cells, one after the other: what failed shows by what is missing."""
        yield "%d" % next(o.version for o in self.model.opset_import if not o.domain)
        yield "%d" % sum(nodes.of_onnx(self.model).values())
        yield "%d" % sum(nodes.ours(self.build, self.path, self.shapes).values())
        self.convert()
        reference = self.t.simulate("Float", self.scored, self.script)[0]
        error = difference(self.onnxruntime(), reference)
        yield "%.1e" % error
        fixed = self.fixed()
        self.t.compile()
        yield "%.1f" % tc.sqnr_db(reference, fixed)
        same = SCORED - tc.different(fixed, self.t.simulate("Offline", self.scored, self.script)[0])
        yield "yes" if same == SCORED else "%d of %d" % (same, SCORED)
        self.set_up(raw=True)
        self.convert()
        wide = tc.sqnr_db(reference, self.fixed())
        yield "%.1f" % wide
        if not error <= TOLERANCE:
            raise tc.Failed("float differs from onnxruntime by %.1e of the largest value, at most %g is rounding" % (error, TOLERANCE))
        if same != SCORED:
            raise tc.Failed("fixed and offline differ")
        if wide < WIDE:
            raise tc.Failed("16 bits leave %.1f dB, at least %g expected" % (wide, WIDE))


def measure(args, path, photos):
    """(row, what failed or None)"""
    cells, failed, run = [], None, Run(args, path, photos)
    try:
        for cell in run.cells():
            cells.append(cell)
    except tc.Failed as e:
        lines = [line for line in str(e).splitlines() if line.startswith("error: ")]
        failed = "%s: %s" % (path.stem, textwrap.shorten((lines or str(e).splitlines())[0].replace(str(path), path.name), 240))
    if not args.keep:
        shutil.rmtree(run.t.work)
    return "| %s |" % " | ".join([path.stem] + cells + ["–"] * (7 - len(cells))), failed


def section(args, folder, photos, failures):
    """The rows of one folder's networks, printed as they come."""
    rows = []
    for path in sorted((p.resolve() for p in folder.rglob("*.onnx") if args.only in p.stem), key=lambda p: p.stem):
        row, failed = measure(args, path, photos)
        rows.append(row)
        failures += [failed] if failed else []
        print("\n".join([row] + ([failed] if failed else [])), flush=True)
    return rows


def page(sections, failures):
    tables = "".join(TABLE % head + "\n".join(rows) + "\n" for head, rows in zip(SECTIONS, sections) if rows)
    return HEAD % (TOLERANCE, SCORED) + tables + ("\n## What does not pass\n\n" + "".join("- %s\n" % f for f in failures) if failures else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder of ONNX files that models/families/export.py made")
    parser.add_argument("--shared", type=lambda p: pathlib.Path(p).resolve(), help="the folder with the models and photos of others")
    parser.add_argument("--work", default=str(tc.ROOT / "out/families-work"))
    parser.add_argument("--out", help="the page to write; without it the rows are only printed")
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--keep", action="store_true", help="leave what the stages wrote")
    args = parser.parse_args()
    failures = []
    photos = sorted((args.shared / "data/coco128/images").rglob("*.jpg")) if args.shared else []
    sections = [section(args, args.models, [], failures)] + ([section(args, args.shared / "models/onnx", photos, failures)] if args.shared else [])
    if not any(sections):
        sys.exit("families: there is no network in %s" % args.models)
    if args.out:
        pathlib.Path(args.out).write_text(page(sections, failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
