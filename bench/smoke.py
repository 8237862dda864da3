#!/usr/bin/env python3
"""Instructions of a run, counted by callgrind, against bench/smoke.tsv: `make bench-smoke`, a part of `make check`.

Fails where a network takes 3 % more than the table says, and where what the runtime does around the kernels of a network of ten small layers is more than 1 % of what they do themselves.
Masks are those that valgrind knows, so counts are the same on every machine; they belong to one compiler, and with another nothing is compared (exit status 77).  --write makes
the table anew."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import toolchain as tc  # noqa: E402

MORE, AROUND, SKIPPED = 0.03, 0.01, 77
CORE = ("run.c.o", "share.c.o")  # of the runtime: what is not kernels
TABLE = ROOT / "bench/smoke.tsv"
MASKS = {"c": 0, "avx2": 1}
ARRAYS = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"
INI = """[INPUT_CONFIG]
inputs=x;
training_input_formats=RAWDATA_F32_NHWC;
input_formats=RAWDATA_F32_NHWC;
[OUTPUT_CONFIG]
outputs=y;
[CONV_CONFIG]
input_format=%s;
"""


class Net:
    """A chain of nodes with seeded weights."""

    def __init__(self, shape):
        self.shape, self.nodes, self.weights, self.rng, self.at, self.count = shape, [], [], np.random.default_rng(1), "x", 0

    def weight(self, *shape):
        name = "w%d" % len(self.weights)
        self.weights.append(numpy_helper.from_array((self.rng.standard_normal(shape) / np.prod(shape[1:]) ** 0.5).astype(np.float32), name))
        return name

    def add(self, op, *more, to=None, **attributes):
        """A node on what came before, or on `to`; its result."""
        self.count += 1
        out = "t%d" % self.count
        self.nodes.append(helper.make_node(op, [to or self.at, *more], [out], name="%s_%d" % (op, self.count), **attributes))
        self.at = out
        return out

    def conv(self, ci, co, k=1, stride=1, group=1):
        self.add("Conv", self.weight(co, ci // group, k, k), pads=[k // 2] * 4, strides=[stride] * 2, group=group)
        return self.add("Relu")

    def save(self, path):
        self.nodes[-1].output[0] = "y"
        info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", self.shape), ("y", None))]
        onnx.save(helper.make_model(helper.make_graph(self.nodes, "g", info[:1], info[1:], self.weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def classifier():
    n = Net([1, 3, 48, 48])
    n.conv(3, 16, 3, 2)
    n.conv(16, 16, 3, 1, 16)
    a = n.conv(16, 32)
    n.conv(32, 32, 3)
    n.add("Add", a)
    n.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    n.conv(32, 64, 5, 2, 32)
    n.add("GlobalAveragePool")
    n.add("Flatten")
    n.add("Gemm", n.weight(64, 10))
    n.add("Softmax", axis=-1)
    return n


def pyramid():
    n = Net([1, 8, 32, 32])
    a = n.conv(8, 16, 3)
    b = n.add("Mul", n.add("Sigmoid"), to=a)
    n.add("MaxPool", to=b, kernel_shape=[5, 5], pads=[2] * 4)
    n.conv(16, 16, 3, 2)
    n.weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    n.add("Resize", "", "scales", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    n.add("Concat", b, axis=1)
    n.conv(32, 16)
    return n


def attention():
    n, c = Net([1, 64, 48]), 48
    n.weights += [numpy_helper.from_array(v, k) for k, v in (("one", np.ones(c, np.float32)), ("none", np.zeros(c, np.float32)))]
    x = n.add("LayerNormalization", "one", "none", axis=-1)
    q, k, v = (n.add("MatMul", n.weight(c, c), to=x) for _ in range(3))
    n.add("MatMul", n.add("Transpose", to=k, perm=[0, 2, 1]), to=q)
    n.nodes[-1].input[:] = [q, n.nodes[-2].output[0]]
    n.add("Softmax", axis=-1)
    n.add("MatMul", v)
    n.add("Add", x)
    return n


def tiny():
    """Ten layers, of a picture of 16 x 16."""
    n = Net([1, 8, 16, 16])
    n.conv(8, 16, 3)
    for _ in range(2):
        n.conv(16, 16, 3, 1, 16)
        n.conv(16, 32)
        a = n.conv(32, 16)
        n.add("Add", n.conv(16, 16, 3), to=a)
    n.add("GlobalAveragePool")
    return n


NETWORKS = {"classifier": (classifier, "ALL_UINT8"), "classifier of 16 bits": (classifier, "ALL_INT16"), "pyramid": (pyramid, "ALL_UINT8"), "attention": (attention, "ALL_UINT8"),
            "tiny": (tiny, "ALL_UINT8")}


def made(build, folder, name):
    """(the image, its inputs' bytes)"""
    make, bits = NETWORKS[name]
    t, net = tc.Toolchain(build, folder / name.replace(" ", "_"), "m"), make()
    net.save(t.work / "m.onnx")
    (t.work / "m.ini").write_text(INI % bits)
    (t.work / "preprocess.py").write_text(ARRAYS)
    shape = net.shape if len(net.shape) == 3 else [net.shape[i] for i in (0, 2, 3, 1)]
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    np.save(t.work / "x.npy", x)
    x.tofile(t.work / "x.bin")
    t.convert(t.work / "m.onnx", "m.ini")
    t.calibrate("m.ini", "x.npy", "preprocess.py", "L1", "--num_process", 1)
    t.compile()
    return t.path("Offline"), t.work / "x.bin"


def textline(build, folder):
    here, t = ROOT / "models/textline", tc.Toolchain(build, folder / "textline", "m")
    picture = sorted((here / "calib").iterdir())[0]
    t.convert(here / "textline.onnx", here / "input_config.ini")
    t.calibrate(here / "input_config.ini", picture, here / "preprocess.py", "L1", "--num_process", 1)
    t.compile()
    t.simulate("Offline", picture, here / "preprocess.py", "--dump_rawdata")
    return t.path("Offline"), next((t.work / "output_offline").glob("*.bin"))


def instructions(build, image, inputs, mask, out="/dev/null"):
    command = ["valgrind", "--tool=callgrind", "--toggle-collect=ipu_run", "--callgrind-out-file=%s" % out, build / "bench/bench_serve", image, inputs, 1, mask]
    r = subprocess.run([str(c) for c in command], input="run 1\n", capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", r.stderr)
    if r.returncode or not found or not int(found[1]):
        raise SystemExit("bench-smoke: callgrind counted nothing on %s\n%s" % (image, r.stderr[-2000:]))
    return int(found[1])


def of_functions(out):
    """{function: instructions of its own} of callgrind's file: a line behind calls= is what the called took."""
    names, found, at, called = {}, {}, None, False
    for line in out.read_text().splitlines():
        m = re.match(r"fn=(\(\d+\))(?: (.*))?$", line)
        if m:
            at = names.setdefault(m[1], m[2])
        elif re.match(r"c?fn=|calls=", line):
            m = re.match(r"cfn=(\(\d+\)) (.*)$", line)
            if m:
                names.setdefault(m[1], m[2])
            called = line.startswith("calls=") or called
        else:
            m = re.match(r"[+-]?\d+ (\d+)$|\* (\d+)$", line)
            if m and not called:
                found[at] = found.get(at, 0) + int(m[1] or m[2])
            called = called and not m
    return found


def around(build, image, inputs, mask):
    """The instructions of ipu_run in the runtime's core over those in kernels."""
    text = subprocess.run(["nm", build / "runtime/libipu.a"], capture_output=True, text=True, check=True).stdout
    member, core = None, set()
    for line in text.splitlines():
        member = line.rstrip(":").rsplit("/", 1)[-1] if line.endswith(":") else member
        if member in CORE and re.search(r" [tT] ", line):
            core.add(line.split()[-1])
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "out"
        whole, found = instructions(build, image, inputs, mask, out), of_functions(out)
    if sum(found.values()) != whole or "ipu_run_record" not in found or not core:
        raise SystemExit("bench-smoke: callgrind's file does not add up: %d of %d instructions" % (sum(found.values()), whole))
    mine = sum(n for name, n in found.items() if name.split("'")[0] in core)
    return mine / (whole - mine)


def compiler():
    return subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True).stdout.strip()


def count(build):
    """({(network, mask): instructions}, {mask: what is around the kernels of the tiny one})"""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        images = {"textline": textline(build, folder), **{name: made(build, folder, name) for name in NETWORKS}}
        found = {(name, mask): instructions(build, *files, bits) for name, files in images.items() for mask, bits in MASKS.items()}
        return found, {mask: around(build, *images["tiny"], bits) for mask, bits in MASKS.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--write", action="store_true", help="the table anew")
    args = parser.parse_args()
    version, lines = TABLE.read_text().splitlines()[0] if TABLE.exists() else "", []
    if not args.write and version != "# gcc " + compiler():
        print("bench-smoke: the table is of '%s', here is gcc %s: nothing is compared" % (version, compiler()))
        return SKIPPED
    found, shares = count(args.build.resolve())
    if args.write:
        TABLE.write_text("# gcc %s\n" % compiler() + "".join("%s\t%s\t%d\n" % (*key, n) for key, n in found.items()))
        return 0
    want = {(name, mask): int(n) for name, mask, n in (line.split("\t") for line in TABLE.read_text().splitlines()[1:])}
    for key, n in found.items():
        change = n / want[key] - 1 if key in want else float("inf")
        lines.append((change > MORE, "%-24s %-6s %12d %+7.2f %%%s" % (*key, n, 100 * change, "  more than the table allows" if change > MORE else "")))
    for mask, share in shares.items():
        lines.append((share > AROUND, "%-24s %-6s %11.2f %% around the kernels%s" % ("tiny", mask, 100 * share, ": more than %g %%" % (100 * AROUND) if share > AROUND else "")))
    print("\n".join(text for _, text in lines))
    return int(any(bad for bad, _ in lines) or set(found) != set(want))


if __name__ == "__main__":
    sys.exit(main())
