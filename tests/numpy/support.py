"""Runs graphs through the tools, and reads images as docs/IMAGE.md describes them."""
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np

import numpy_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
TOOL = os.environ["SIM_TOOL"]
SGS = os.environ["SGS_BIN"]


def run(program, *args, cwd=None):
    env = dict(os.environ, SGS_PYTHON=sys.executable)
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def tool(*args, fails=False):
    if not fails:
        return run(TOOL, *args)
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 1, "expected a refusal"
    return done.stderr


def random_input(rng, v):
    """Any numbers, the ends of the range and the zero point among them."""
    if v.type == "f32":
        return (rng.standard_normal(v.dims) * 3).astype(np.float32)
    low, high = numpy_model.RANGE[v.type]
    a = rng.integers(low, high + 1, v.dims)
    return np.where(rng.random(v.dims) < 0.05, rng.choice([low, high, int(v.zero[0]) if v.zero is not None else 0], v.dims), a).astype(numpy_model.TYPES[v.type])


class Fixed:
    """A fixed-point model in three forms: `_fixed.sim`, image, and the graph that the numpy model computes."""

    def __init__(self, sim):
        self.sim, self.folder = sim, sim.parent
        self.image = sim.with_suffix(".img")
        self.graph = numpy_model.parse(tool("text", sim))
        tool("compile", sim, self.image)

    @staticmethod
    def of_text(folder, text):
        (folder / "net.ir").write_text(text)
        tool("write", folder / "net.ir", folder / "net_fixed.sim")
        return Fixed(folder / "net_fixed.sim")

    def feed(self, arrays):
        paths = [self.folder / ("in%d.bin" % i) for i in range(len(arrays))]
        for path, array in zip(paths, arrays):
            array.tofile(path)
        return paths

    def every_tensor(self, arrays):
        """By value number: what the fixed simulator's kernels made of each operator."""
        made = [v for node in self.graph.nodes for v in node.outputs]
        tool("tensors", self.sim, self.folder / "all.bin", *self.feed(arrays))
        return dict(zip((v.number for v in made), split((self.folder / "all.bin").read_bytes(), made)))

    def outputs(self, model, arrays, *options):
        """Of a simulator run as users run it."""
        tool("run", *options, model, self.folder / "out", *self.feed(arrays))
        return [split((self.folder / ("out.%d.bin" % i)).read_bytes(), [v])[0] for i, v in enumerate(self.graph.outputs)]


def split(data, values):
    at, arrays = 0, []
    for v in values:
        kind = np.dtype(numpy_model.TYPES[v.type])
        arrays.append(np.frombuffer(data, kind, int(np.prod(v.dims)), at).reshape(v.dims))
        at += arrays[-1].nbytes
    assert at == len(data)
    return arrays


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# ---- images ----------------------------------------------------------------------------------------------------------------------

CONV_U8, CONV_S16, DEPTHWISE_U8, DEPTHWISE_S16, CONV_U8S4, DEPTHWISE_U8S4 = 0, 1, 2, 3, 51, 52
PAIRS = {4: "add", 13: "mul", 14: "div", 15: "min", 16: "max"}
ELEMENT = {4: np.int32, 5: np.int64, 6: np.float32}  # operand types that constants here have


class Record:
    def __init__(self, data):
        self.kind, nref = struct.unpack_from("<HH", data)
        self.refs = [struct.unpack_from("<BBHI8i", data, 8 + 40 * i) for i in range(nref)]
        self.rest = data[8 + 40 * nref:]


def records(image):
    """The records of an image, and its constants."""
    ops_at, ops_bytes, consts_at, consts_bytes = struct.unpack_from("<4I", image, 56)
    found, at = [], ops_at
    while at < ops_at + ops_bytes:
        n = struct.unpack_from("<I", image, at + 4)[0]
        found.append(Record(image[at:at + n]))
        at += n
    return found, image[consts_at:consts_at + consts_bytes]


def plain_array(consts, ref, count):
    return np.frombuffer(consts, ELEMENT[ref[1]], count, ref[3])


def multipliers(image):
    """(folded bias, multipliers, shift) of every record that sums; the pairs of records of two operands, alone or in a convolution."""
    sums, pairs = [], set()
    found, consts = records(image)
    for r in found:
        if r.kind <= DEPTHWISE_S16 or r.kind in (CONV_U8S4, DEPTHWISE_U8S4):
            co = r.refs[0][7]
            sums.append((plain_array(consts, r.refs[3], co), plain_array(consts, r.refs[4], co), struct.unpack_from("<i", r.rest, 32)[0]))
        if r.kind in (CONV_U8, CONV_S16, CONV_U8S4) and r.refs[6][0]:
            pairs.add(tuple(sorted(struct.unpack_from("<2f", r.rest, 48))))
        if r.kind in PAIRS:
            pairs.add(tuple(sorted(struct.unpack_from("<2f", r.rest))))
    return sums, pairs
