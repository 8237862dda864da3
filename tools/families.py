#!/usr/bin/env python3
"""Takes whole networks through every stage, into docs/FAMILIES.md: exported families (models/families) and files of others: `make families`.

Float must be what others say of the same file (tools/references.py), to 1e-4 of the largest value of the output; offline must be fixed, bit for bit.
Weights of families are random, and samples are few: the tables say that a network's operators are there and right, not how accurate it is."""
import argparse
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import onnx

import nodes
import references
import toolchain as tc
from networks import ARRAYS, NETWORKS, RAW, SCRIPT, STRETCH, arrays, each

TOLERANCE = 1e-4
WIDE = 30  # dB at 16 bits, below which something else than rounding is at work
CALIBRATION, SCORED = 6, 3
INI = """[INPUT_CONFIG]
inputs={inputs};
training_input_formats={formats};
input_formats={formats};
{normalize}
[OUTPUT_CONFIG]
outputs={outputs};
{bits}"""
# Sizes that a file leaves free, in the order of its inputs; of scalars the value.
FREE = {"text_detection_en_ppocrv3_2023may.onnx": [(1, 3, 320, 320)], "scrfd_500m_bnkps.onnx": [(1, 3, 320, 320)], "silero_vad_16k_op15.onnx": [(1, 576), (2, 1, 128), ()],
        "lenet_train_test.prototxt": [(1, 1, 28, 28)]}
SCALARS = {"sr": 16000}
# Of graphs, which name no sizes and hold more than a network: part: (input, its shape, outputs).
KEYWORDS = {"": ("Mfcc", (1, 49, 10), ["labels_softmax"])}
GRAPHS = {
    "CNN_S.pb": KEYWORDS, "DS_CNN_S.pb": KEYWORDS, "DS_CNN_M.pb": KEYWORDS, "DNN_S.pb": {"": ("Mfcc", (1, 25, 10), ["labels_softmax"])},
    "FSRCNN_x2.pb": {"": ("IteratorGetNext", (1, 96, 128, 1), ["NCHW_output"])},
    "body_detection.pb": {"": ("input", (1, 120, 160, 1), ["%s%d_1/BiasAdd" % (k, i) for k in ("classes", "boxes") for i in (1, 2, 3, 4)])},
    "mnist.pb": {"": ("Placeholder", (100, 784), ["softmax_linear/add"])},
    "mobilenet_v1_0.25_224_fp32.pb": {"": ("input", (1, 224, 224, 3), ["Softmax"])},
    "opencv_face_detector_uint8.pb": {"": ("data", (1, 300, 300, 3), ["mbox_loc", "mbox_conf_flatten"])},
    "mtcnn.pb": {"": ("input", (120, 160, 3), ["prob", "landmarks", "box"]),
                 "pnet": ("pnet/while/ResizeBilinear", (1, 60, 80, 3), ["pnet/while/Softmax", "pnet/while/conv4-2/BiasAdd"]),
                 "rnet": ("rnet/cond/CropAndResize", (1, 24, 24, 3), ["rnet/cond/prob1", "rnet/cond/conv5-2/BiasAdd"]),
                 "onet": ("onet/cond/CropAndResize", (1, 48, 48, 3), ["onet/cond/prob1", "onet/cond/conv6-2/BiasAdd", "onet/cond/conv6-3/BiasAdd"])},
}
# What does not pass: (in the tool's own words, why).
KNOWN = {"mtcnn.pb": ("nodes are not supported: TensorArrayConcatV3", "a cascade whose loop and branches the picture decides; its three networks are rows of their own"),
         "yolox_nano_float16_quantize.tflite": ("16 bits leave 29.96 dB", "`sgs analyze` finds all of it at one depthwise convolution: a channel that it weighs much "
                                                "spans 0.17 where the tensor spans 93, 60 of the steps of 16 bits")}
BY_FILE = {pathlib.Path(n.file).name: n for n in NETWORKS}
# What they were trained on: mean and standard deviation of R, G, B, and the order of the channels; others take the first.  Those of bytes say it themselves.
ONE = (each(0), each(255), "RGB")
NORMAL = {"": (each(127.5), each(64), "RGB"), "fsanet-var-iter-688590.onnx": (each(127.5), each(128), "BGR"), "scrfd_500m_bnkps.onnx": (each(127.5), each(128), "RGB"),
          "vitTracker.onnx": ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "RGB"),
          "text_detection_en_ppocrv3_2023may.onnx": ((104, 116.7, 122.7), (57.4, 57.1, 58.4), "BGR"),
          **dict.fromkeys(("CharacterRecognization.prototxt", "Segmentation.prototxt", "detect.prototxt", "sr.prototxt", "yoloface-500k-v2.prototxt", "hand_landmark_lite.tflite",
                           "FSRCNN_x2.pb", "lenet_train_test.prototxt"), ONE),
          **dict.fromkeys(("det1.prototxt", "det2.prototxt", "det3.prototxt", "mtcnn.pb"), (each(127.5), each(128), "RGB")),
          **dict.fromkeys(("RFB-320.prototxt", "version-RFB-320_without_postprocessing.tflite"), (each(127), each(128), "RGB")),
          **dict.fromkeys(("face_detection_short_range.tflite", "deeplabv3.tflite"), (each(127.5), each(127.5), "RGB")),
          "yolox_nano_float16_quantize.tflite": (each(0), each(1), "BGR"), "opencv_face_detector_uint8.pb": ((123, 177, 104), each(1), "BGR"),
          **{name: (n.mean, n.std, n.format) for name, n in BY_FILE.items()}}
HEAD = """# Families

Made by `make families`: whole networks through every stage. Nodes: in the file and after our passes, counted as in [SIMPLIFY.md](SIMPLIFY.md). Float:
largest difference from onnxruntime, LiteRT, OpenCV (Caffe; 4.x, as 5 reads none) or numpy (GraphDef) on the original file, in parts of the output's
largest value; at most %g; of a TFLite model with bytes, which LiteRT runs in integers, the SQNR of those; – where nobody here runs the file. SQNR: fixed at
L1 against float, on %d of the samples that calibrate: with convolutions in 8 bits on pictures, and with `ALL_INT16` on the same numbers as RAWDATA, as a
convolution on an image keeps 8 bits. Offline is compared with fixed bit for bit.
"""
SECTIONS = (("Exported by PyTorch", """Random weights (`models/families`) on made pictures. They pass the rounding of each layer on and add to it, deep networks most: 8 bits say little of what a trained network
would lose, 16 bits say that nothing is broken; at least %g dB.""" % WIDE), ("Files of others", """Trained networks (`../shared/models`) on photos of coco128, whole and stretched to the network's size, on words, sounds or noise where they
take no pictures. What they are for is not in most of these photos: what they lose on their own task is in [RESULTS.md](RESULTS.md)."""))
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
    first: bool             # N,C,H,W, as far as it is a picture
    whole: bool = False     # the network takes bytes itself
    as_it_is: bool = False  # numbers go in as the file orders them

    @property
    def channels(self):
        """Of a picture; else 0."""
        n = self.shape[1 if self.first else 3] if len(self.shape) == 4 and self.normal[2] != RAW else 0
        return n if n in (1, 3) else 0

    @property
    def size(self):
        return self.shape[2:] if self.first else self.shape[1:3]

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
        size = self.size
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
        text = SCRIPT.format(flag=flag, body=STRETCH.format(h=self.size[0], w=self.size[1]) + colour, mean=mean, std=std)
        if not raw:
            return text
        order = ".transpose(0, 3, 1, 2).copy()" if self.as_it_is and self.first else ""
        return text.rstrip().replace(" if norm else img", "") + order + "\n"

    def feed(self, path):
        scope = {}
        exec(self.script(False), scope)  # the same preprocessing, in this process
        x = scope["image_preprocess"](str(path))
        return x.transpose(0, 3, 1, 2).copy() if self.channels and self.first else x


def sizes(path, shapes):
    """What a file leaves free."""
    return FREE[path.name] if path.name in FREE else [tuple(n or 1 for n in s) for s in shapes]


def inputs_of(model, path):
    """Of ONNX: what has no initializer."""
    own = {t.name for t in model.graph.initializer}
    found = [x for x in model.graph.input if x.name not in own]
    shapes = sizes(path, [[d.dim_value for d in x.type.tensor_type.shape.dim] for x in found])
    return [Input(x.name, tuple(s), NORMAL.get(path.name, NORMAL[""]), True) for x, s in zip(found, shapes)]


def bytes_normal(tensor):
    """Mean and deviation of the pixels that are a quantized input's bytes; of one that has no scale the bytes are the numbers."""
    scale, zero = tensor["quantization"]
    zero += 128 if tensor["dtype"] == np.int8 else 0
    return (each(float(zero)), each(round(1 / scale, 4)), "RGB") if scale else (each(0), each(1), "RGB")


def inputs_of_lite(path):
    """(inputs, outputs)"""
    from ai_edge_litert.interpreter import Interpreter
    run = Interpreter(model_path=str(path))
    found = []
    for t in run.get_input_details():
        quantized = t["dtype"] in (np.int8, np.uint8) and BY_FILE.get(path.name) is None
        shape = tuple(int(n) for n in t["shape"])
        found.append(Input(t["name"], shape, bytes_normal(t) if quantized else NORMAL.get(path.name, NORMAL[""]), shape[1] == 3, t["dtype"] == np.uint8 and not t["quantization"][0], True))
    return found, [t["name"] for t in run.get_output_details()]


def difference(original, ours):
    """The largest, in parts of the largest value of its output."""
    worst = 0
    for samples in zip(*((zip(original[n], ours[n])) for n in original)):
        a, b = (np.concatenate([v.ravel() for v in side]) for side in zip(*samples))
        worst = max(worst, np.abs(a - b).max() / np.abs(a).max())
    return worst


class Run:
    """One network in one folder."""

    def __init__(self, args, path, part, photos):
        self.build, self.path, self.part = args.build, path, part
        self.title = path.stem if path.suffix == ".onnx" else path.name + (": " + part if part else "")
        self.t = tc.Toolchain(args.build, pathlib.Path(args.work) / self.title.replace(": ", "-"), path.stem)
        if path.suffix == ".prototxt":  # the tests' tool knows weights by name
            self.path = self.t.work / path.name
            shutil.copyfile(path, self.path)
            shutil.copyfile(tc.weights_of(path), self.path.with_suffix(".caffemodel"))
        self.ends()
        self.ini, self.few, self.scored = (self.t.work / n for n in ("input_config.ini", "calib.txt", "scored.txt"))
        rng = np.random.default_rng(7)
        network = BY_FILE.get(path.name)
        if network and network.format == RAW:
            self.samples = [[f] for f in list(arrays(network.pictures, args.shared / "data", self.t.work))[:CALIBRATION]]
            self.inputs[0].shape = np.load(self.samples[0][0]).shape
        else:
            self.samples = [[x.sample(rng, self.t.work / ("%d_%d" % (i, k)), photos) for k, x in enumerate(self.inputs)] for i in range(CALIBRATION)]
        self.shapes = ":".join(",".join("%d" % n for n in x.shape) for x in self.inputs)
        for name, n in ((self.few, CALIBRATION), (self.scored, SCORED)):
            name.write_text("".join("%s\n" % ",".join(map(str, s)) for s in self.samples[:n]))
        self.set_up(raw=False)

    def ends(self):
        """Inputs and outputs."""
        if self.path.suffix == ".onnx":
            self.model = onnx.load(self.path)
            self.inputs, self.outputs = inputs_of(self.model, self.path), [o.name for o in self.model.graph.output]
        elif self.path.suffix == ".tflite":
            self.inputs, self.outputs = inputs_of_lite(self.path)
        elif self.path.suffix == ".pb":
            name, shape, self.outputs = GRAPHS[self.path.name][self.part]
            self.inputs = [Input(name, shape, NORMAL.get(self.path.name, NORMAL[""]), False)]
        else:
            said = self.check(*(["--input_shapes", ",".join(map(str, FREE[self.path.name][0]))] if self.path.name in FREE else []))
            found = re.findall(r"^(input|output) +(\S+) .*\[([\d, ]*)\]$", said, re.M)
            self.inputs = [Input(n, tuple(map(int, d.split(","))), NORMAL.get(self.path.name, NORMAL[""]), True) for kind, n, d in found if kind == "input"]
            self.outputs = [n for kind, n, _ in found if kind == "output"]

    def check(self, *more):
        """What `sgs check` says of the file."""
        return subprocess.run([self.t.env["SGS_BIN"], "check", "--model_file", self.path, *more], capture_output=True, text=True).stdout

    def set_up(self, raw):
        """The ini and the scripts: pictures in bytes, or everything as numbers."""
        formats = [RAW if raw and not x.whole else x.format for x in self.inputs]
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

    def original(self):
        """(whether in real numbers, {sample: outputs}) of who else runs the file; None where nobody does."""
        free = self.path.suffix == ".onnx" and self.path.name in FREE
        try:
            other = references.of(self.path, [x.name for x in self.inputs], self.outputs) if not free else references.Onnxruntime(self.bound(), [x.name for x in self.inputs], self.outputs)
        except references.Nobody:
            return None, None
        return other.real, {s[0].name: other([x.feed(f) for x, f in zip(self.inputs, s)]) for s in self.samples[:SCORED]}

    def convert(self):
        self.t.convert(self.path, self.ini, "--input_shapes", self.shapes)

    def nodes_of_file(self):
        if self.path.suffix == ".onnx":
            return "%d" % sum(nodes.of_onnx(self.model).values())
        found = re.search(r", (\d+) nodes$", self.check("--input_shapes", self.shapes), re.M)
        return found[1] if found and not self.part else "–"

    def fixed(self):
        self.t.calibrate(self.ini, self.few, self.script, "L1")
        return self.t.simulate("Fixed", self.scored, self.script)[0]

    def cells(self):
        """The row's cells, one after the other: what failed shows by what is missing."""
        yield "%d" % next(o.version for o in self.model.opset_import if not o.domain) if self.path.suffix == ".onnx" else "–"
        yield self.nodes_of_file()
        cut = [x.name for x in self.inputs], self.outputs
        yield "%d" % sum(nodes.ours(self.build, self.path, self.shapes, *(cut if self.path.suffix == ".pb" else ())).values())
        self.convert()
        reference = self.t.simulate("Float", self.scored, self.script)[0]
        real, original = self.original()
        error = difference(original, reference) if real else 0
        yield "%.1e" % error if real else "%.1f dB" % tc.sqnr_db(original, reference) if original else "–"
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
            raise tc.Failed("float differs from the original by %.1e of the largest value, at most %g is rounding" % (error, TOLERANCE))
        if same != SCORED:
            raise tc.Failed("fixed and offline differ")
        if wide < WIDE:
            raise tc.Failed("16 bits leave %.2f dB, at least %g expected" % (wide, WIDE))


def measure(args, path, part, photos):
    """(row, what failed or None)"""
    cells, failed, run = [], None, Run(args, path, part, photos)
    try:
        for cell in run.cells():
            cells.append(cell)
    except tc.Failed as e:
        lines = [line for line in str(e).splitlines() if line.startswith("error: ")]
        failed = "%s: %s" % (run.title, textwrap.shorten((lines or str(e).splitlines())[0].replace(str(path), path.name), 240))
    if not args.keep:
        shutil.rmtree(run.t.work)
    return "| %s |" % " | ".join([run.title] + cells + ["–"] * (7 - len(cells))), failed


def files(folder):
    """(file, part) of one folder's networks."""
    found = (p.resolve() for p in folder.rglob("*") if p.suffix in tc.PLATFORMS)
    for path in sorted(found, key=lambda p: (list(tc.PLATFORMS).index(p.suffix), p.name)):
        for part in GRAPHS.get(path.name, {"": None}):
            yield path, part


def section(args, folder, photos, failures):
    """The rows of one folder's networks, printed as they come."""
    rows = []
    for path, part in files(folder):
        if args.only not in path.name:
            continue
        row, failed = measure(args, path, part, photos)
        rows.append(row)
        failures += [failed] if failed else []
        print("\n".join([row] + ([failed] if failed else [])), flush=True)
    return rows


def known(failure):
    """Why this is no surprise, or nothing."""
    return next((why for name, (words, why) in KNOWN.items() if failure.startswith(name + ": ") and words in failure), "")


def line_of(failure):
    why = known(failure)
    return "- %s%s\n" % (failure, " (%s)" % why if why else "")


def page(sections, failures):
    tables = "".join(TABLE % head + "\n".join(rows) + "\n" for head, rows in zip(SECTIONS, sections) if rows)
    return HEAD % (TOLERANCE, SCORED) + tables + ("\n## What does not pass\n\n" + "".join(map(line_of, failures)) if failures else "")


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
    sections = [section(args, args.models, [], failures)] + ([section(args, args.shared / "models", photos, failures)] if args.shared else [])
    if not any(sections):
        sys.exit("families: there is no network in %s" % args.models)
    if args.out:
        pathlib.Path(args.out).write_text(page(sections, failures))
    return not all(map(known, failures))


if __name__ == "__main__":
    sys.exit(main())
