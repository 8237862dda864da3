"""Small ONNX models, run by onnxruntime and by our import and float evaluation."""
import os
import pathlib
import re
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
TOOL = os.environ.get("ONNX_TOOL", str(ROOT / "build/tests/ops/onnx_tool"))
FIXED_TOOL = os.environ.get("FIXED_TOOL", str(ROOT / "build/tests/ops/fixed_tool"))
SECONDS = 10 * int(os.environ.get("MESON_TEST_TIMEOUT_MULTIPLIER", "1"))
TYPES = {"f32": np.float32, "s64": np.int64, "s32": np.int32, "s16": np.int16, "u8": np.uint8, "s8": np.int8, "bool": np.bool_}


def node(op, ins, outs="y", **attrs):
    """`_` stands for an absent input."""
    return helper.make_node(op, ["" if i == "_" else i for i in ins.split()], outs.split(), **attrs)


def model(nodes, inputs, outputs, inits=None, opset=17, ir=8, rank=None):
    """inputs: name -> array or (type, shape); outputs: names; inits: name -> array."""
    def info(name, v):
        if isinstance(v, tuple):
            return helper.make_tensor_value_info(name, v[0], v[1])
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
    graph = helper.make_graph(nodes, "g", [info(n, v) for n, v in inputs.items()], [onnx.ValueInfoProto(name=n) for n in outputs],
                              [numpy_helper.from_array(v, n) for n, v in (inits or {}).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def reference(m, feeds):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    quiet.intra_op_num_threads = 1
    quiet.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(m.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def tool(*args):
    return subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True, errors="replace", timeout=SECONDS)


def to_ours(x):
    """As our graph takes it: 4-D channel-last, integers of 16 and 64 bits in 32, every float in 32."""
    x = np.moveaxis(x, 1, -1) if x.ndim == 4 else x
    narrow = {np.dtype(np.int64): np.int32, np.dtype(np.int16): np.int32, np.dtype(np.float64): np.float32, np.dtype(np.float16): np.float32}
    return np.ascontiguousarray(x.astype(narrow.get(x.dtype, x.dtype)))


def evaluate(path, feeds, tmp_path, *args):
    """Our outputs, 4-D ones moved back to channel-second; a failure gives the message instead."""
    files = []
    for i, x in enumerate(feeds):
        files.append(tmp_path / f"in.{i}.bin")
        to_ours(x).tofile(files[-1])
    done = tool(*args, "--run", *files, "--out", tmp_path / "out", path)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode:
        return done.stderr
    results = []
    for i, line in enumerate(done.stdout.splitlines()):
        kind, dims = re.fullmatch(r".* (\w+) \[([\d,]*)\]", line).groups()
        shape = [int(d) for d in dims.split(",") if d]
        y = np.fromfile(tmp_path / f"out.{i}.bin", TYPES[kind]).reshape(shape)
        results.append(np.moveaxis(y, -1, 1) if y.ndim == 4 else y)
    return results


def save(m, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(m.SerializeToString())
    return path


def compare(got, want, tolerance=1e-4):
    assert not isinstance(got, str), got
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.shape == w.shape
        if w.dtype.kind == "f":
            assert np.abs(g - w).max(initial=0) <= tolerance * np.abs(w).max(initial=0)
        else:
            assert np.array_equal(g, w)


def same_as_onnxruntime(m, feeds, tmp_path):
    """With and without the passes, the importer's graph gives what onnxruntime gives."""
    path = save(m, tmp_path)
    want = reference(m, feeds)
    for args in ((), ("--passes",)):
        compare(evaluate(path, list(feeds.values()), tmp_path, *args), want)


def refused(m, tmp_path, *words, args=()):
    """The import ends in one message that holds all these words; returns it."""
    done = tool(*args, save(m, tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


# ---- fixed point ----

def quantized(path, feeds, tmp_path, *args):
    """(float, fixed-point) results of a model on its own calibration samples; feeds: a list of samples for each input, samples along axis 0."""
    files = []
    for i, samples in enumerate(feeds):
        files.append(tmp_path / f"in.{i}.bin")
        np.concatenate([to_ours(x).ravel() for x in samples]).tofile(files[-1])
    done = subprocess.run([FIXED_TOOL, *args, path, tmp_path / "q", *files], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    types = [TYPES[line.split()[-2]] for line in done.stdout.splitlines()]
    return [[np.fromfile(tmp_path / f"q.{kind}.{i}.bin", t) for i, t in enumerate(types)] for kind in ("float", "fixed")]


def decibel(want, got):
    """Signal to quantization noise."""
    want, noise = want.astype(np.float64), got.astype(np.float64) - want
    assert np.abs(want).max() > 0, "a test on zeros shows nothing"
    return 10 * np.log10((want ** 2).sum() / max((noise ** 2).sum(), 1e-300))


def check_fixed(tmp_path, nodes, inits=None, least=80, opset=17, outputs=("y",), args=(), fewest=2, **feeds):
    """Calibrated on its own inputs the model keeps `least` decibel, and integers as they are; fixed and offline agree.  feeds: an array or a list of samples;
    fewest: different numbers that each output must hold, or the test shows nothing.  Returns the fixed-point results."""
    samples = [x if isinstance(x, list) else [x] for x in feeds.values()]
    m = model(nodes if isinstance(nodes, list) else [nodes], {k: x[0] for k, x in zip(feeds, samples)}, outputs, inits, opset)
    wanted, found = quantized(save(m, tmp_path), samples, tmp_path, *args)
    for want, got in zip(wanted, found):
        assert len(np.unique(want)) >= fewest, "a test on one number shows nothing"
        if want.dtype.kind == "f":
            assert decibel(want, got) >= least
        else:
            assert np.array_equal(want, got)
    return found


def fixed_check(usual):
    """check_fixed that asks for the usual number of decibel where none is given."""
    def check(tmp_path, nodes, inits=None, least=usual, **more):
        return check_fixed(tmp_path, nodes, inits, least, **more)
    return check
