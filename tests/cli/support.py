"""Runs the tools as users do; small models to run them on."""
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk/SGS_IPU_Toolchain"
SHARED = ROOT.parent / "shared"
SGS = os.environ["SGS_BIN"]
ENV = dict(os.environ, SGS_PYTHON=sys.executable, PATH=os.path.dirname(sys.executable) + ":" + os.environ["PATH"])

INI = """\
[INPUT_CONFIG]
inputs=data;
training_input_formats=RGB;
input_formats=BGR;
quantizations=TRUE;
mean=10:20:30;
std_value=50:60:70;
[OUTPUT_CONFIG]
outputs=prob;
dequantizations=TRUE;
"""

PREPROCESS = """\
import numpy as np
def image_preprocess(path, norm=True):
    image = np.load(path)
    if norm:
        return ((image - np.array([10, 20, 30])) / np.array([50, 60, 70])).astype(np.float32)
    return image
"""


def sgs(*args, cwd=None, env=None, timeout=120):
    return subprocess.run([SGS] + [str(a) for a in args], cwd=cwd, env=dict(ENV, **(env or {})), capture_output=True, text=True, timeout=timeout)


def save_model(path, inputs, outputs, nodes, constants):
    """inputs, outputs: {name: (type, shape)}."""
    def infos(table):
        return [helper.make_tensor_value_info(n, t, s) for n, (t, s) in table.items()]
    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), [numpy_helper.from_array(v, n) for n, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def small_model(path, size=16, channels=3, seed=1, inputs=1):
    """conv - relu - depthwise - conv - global pool - softmax over 10 classes; several inputs are added after their first convolution."""
    r = np.random.default_rng(seed)
    init, nodes = [], []

    def weight(name, *shape):
        init.append(numpy_helper.from_array((r.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name))
        return name

    names = ["data"] if inputs == 1 else ["data%d" % i for i in range(inputs)]
    for i, n in enumerate(names):
        nodes.append(helper.make_node("Conv", [n, weight("w0_%d" % i, 8, channels, 3, 3), weight("b0_%d" % i, 8)], ["c0_%d" % i], kernel_shape=[3, 3],
                                      pads=[1] * 4, strides=[size // 8] * 2, name="first_%d" % i))
    x = "c0_0"
    for i in range(1, inputs):
        nodes.append(helper.make_node("Add", [x, "c0_%d" % i], ["s%d" % i]))
        x = "s%d" % i
    nodes += [helper.make_node("Relu", [x], ["r0"]),
              helper.make_node("Conv", ["r0", weight("w1", 8, 1, 3, 3), weight("b1", 8)], ["c1"], kernel_shape=[3, 3], pads=[1] * 4, group=8, name="depth"),
              helper.make_node("Relu", ["c1"], ["r1"]),
              helper.make_node("Conv", ["r1", weight("w2", 10, 8, 1, 1), weight("b2", 10)], ["c2"], kernel_shape=[1, 1], name="point"),
              helper.make_node("GlobalAveragePool", ["c2"], ["p"]),
              helper.make_node("Flatten", ["p"], ["f"]),
              helper.make_node("Softmax", ["f"], ["prob"], axis=1)]
    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, channels, size, size]) for n in names],
                              [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [1, 10])], init)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def parse_scales(log):
    """{output name: (scale, zero point)} from the simulator's Net: block."""
    found = re.findall(r"  output \d+: (.+)\n    dtype: .*\n    scale: (\S+)  zero point: (-?\d+)\n", log)
    return {name: (float(scale), int(zero)) for name, scale, zero in found}


class Project:
    """A user's folder: model.onnx, input_config.ini, preprocess.py, pics/*.npy."""

    def __init__(self, folder, pictures=4, size=16):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        small_model(self.folder / "model.onnx", size)
        self.write("input_config.ini", INI)
        self.write("preprocess.py", PREPROCESS)
        (self.folder / "pics").mkdir()
        r = np.random.default_rng(7)
        for i in range(pictures):
            np.save(self.folder / "pics" / ("%d.npy" % i), r.integers(0, 256, (1, size, size, 3), np.uint8))

    def write(self, name, text):
        (self.folder / name).write_text(textwrap.dedent(text))

    def sgs(self, *args, **kw):
        return sgs(*args, cwd=self.folder, **kw)

    def good(self, *args, **kw):
        r = self.sgs(*args, **kw)
        assert r.returncode == 0, r.stdout + r.stderr
        return r.stdout

    def convert(self, *more, out="model_offline.img", **kw):
        return self.sgs("convert", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py",
                        "--output_file", out, *more, **kw)

    def files(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())

    def bytes(self, name):
        return (self.folder / name).read_bytes()
