"""One network in every opset from 7 to the newest: operators whose attributes became inputs, or whose defaults changed, among them."""
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from support import compare, evaluate, model, reference, save

RNG = np.random.default_rng(3)
NEWEST = onnx.defs.onnx_opset_version()


def real(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def newest_of_onnxruntime():
    """It refuses opsets it does not know; none has come that changed these operators since."""
    for opset in range(NEWEST, 0, -1):
        try:
            reference(model([helper.make_node("Relu", ["x"], ["y"])], {"x": real(1)}, ["y"], opset=opset, ir=10), {"x": real(1)})
            return opset
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            pass


THEIRS = newest_of_onnxruntime()


def network(opset):
    inits = {"w": real(8, 3, 3, 3), "b": real(8), "s": real(8), "o": real(8), "m": real(8), "v": np.abs(real(8)) + 1, "k": real(10, 32), "d": real(10),
             "shape": np.array([0, -1], np.int64)}
    nodes = []

    def put(op, ins, out, inputs=None, **attrs):
        """`inputs`: what older opsets have as attributes."""
        inits.update(inputs or {})
        nodes.append(helper.make_node(op, ins.split() + list(inputs or {}), out.split(), **attrs))

    def either(op, ins, out, since, name, value, how=lambda v: np.array(v, np.int64)):
        put(op, ins, out, **({"inputs": {out + "_" + name: how(value)}} if opset >= since else {name: value}))

    put("Conv", "x w b", "conv", pads=[1] * 4)
    put("BatchNormalization", "conv s o m v", "norm", **({"spatial": 1} if opset < 9 else {}))
    put("Relu", "norm", "relu")
    if opset >= 11:
        put("Clip", "relu", "clip", {"low": np.float32(0.1).reshape(()), "high": np.float32(4).reshape(())})
        put("Pad", "clip", "pad", {"pads": np.array([0, 0, 1, 1, 0, 0, 0, 0], np.int64)})
    else:
        put("Clip", "relu", "clip", min=0.1, max=4.0)
        put("Pad", "clip", "pad", pads=[0, 0, 1, 1, 0, 0, 0, 0])
    put("MaxPool", "pad", "pool", kernel_shape=[3, 3], strides=[2, 2])
    put("Dropout", "pool", "drop", **({"ratio": 0.5} if opset < 12 else {}))
    if opset >= 10:
        put("Slice", "drop", "part", {"from": np.array([1, 0], np.int64), "to": np.array([3, 2], np.int64), "axes": np.array([2, 3], np.int64)})
    else:
        put("Slice", "drop", "part", starts=[1, 0], ends=[3, 2], axes=[2, 3])
    if opset >= 18:
        put("Split", "part", "left right", axis=3, num_outputs=2)
    else:
        put("Split", "part", "left right", axis=3)
    put("Concat", "right left", "joined", axis=3)
    either("Unsqueeze", "joined", "five", 13, "axes", [0])
    either("Squeeze", "five", "four", 13, "axes", [0])
    put("Reshape", "four shape", "flat")
    put("Gemm", "flat k d", "gemm", transB=1)
    put("Softmax", "gemm", "y", axis=1)
    return nodes, inits


@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
def test_opset(opset, tmp_path):
    nodes, inits = network(opset)
    x = real(1, 3, 7, 7)
    ours = model(nodes, {"x": x}, ["y"], inits, opset, ir=8)
    if opset > THEIRS:
        nodes = network(THEIRS)[0]
    want = reference(model(nodes, {"x": x}, ["y"], inits, min(opset, THEIRS), ir=8), {"x": x})
    got = evaluate(save(ours, tmp_path), [x], tmp_path)
    compare(got, want)
    assert np.ptp(want[0]) > 0.05


def test_layernorm_before_its_opset(tmp_path):
    """As onnxruntime writes it into optimized models: under ONNX's own name, whatever their opset."""
    x, inits = real(2, 5, 8), {"g": real(8), "b": real(8)}
    m = model([helper.make_node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1, epsilon=0.01)], {"x": x}, ["y"], inits, 11)
    want = reference(m, {"x": x})
    got = evaluate(save(m, tmp_path), [x], tmp_path)
    compare(got, want)
