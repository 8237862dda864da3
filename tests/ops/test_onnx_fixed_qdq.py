"""Networks that bring their quantization, QuantizeLinear and DequantizeLinear round every tensor: in fixed point it is kept."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402
from support import decibel, model, quantized, save  # noqa: E402

RNG = np.random.default_rng(41)
KINDS = {"uint8": (np.uint8, 0, 255), "int8": (np.int8, -128, 127)}


class Net:
    def __init__(self, kind):
        self.kind, self.nodes, self.inits, self.n = kind, [], {}, 0

    def const(self, value):
        self.n += 1
        self.inits["k%d" % self.n] = value
        return "k%d" % self.n

    def emit(self, op, *ins, **attrs):
        self.n += 1
        self.nodes.append(helper.make_node(op, list(ins), ["t%d" % self.n], **attrs))
        return "t%d" % self.n

    def rounded(self, x, lo, hi):
        kind, least, most = KINDS[self.kind]
        scale = np.float32((hi - lo) / 255)
        zero = kind(np.clip(np.rint(least - lo / scale), least, most))
        on = [self.const(scale), self.const(zero)]
        return self.emit("DequantizeLinear", self.emit("QuantizeLinear", x, *on), *on)

    def weights(self, *shape):
        """On a grid of 8 bits, a scale for each output channel."""
        scale = RNG.uniform(0.002, 0.02, shape[0]).astype(np.float32)
        w = RNG.integers(-127, 128, shape).astype(np.int8)
        w.reshape(shape[0], -1)[:, 0] = 127
        return self.emit("DequantizeLinear", self.const(w), self.const(scale), self.const(np.zeros(shape[0], np.int8)), axis=0)

    def save(self, tmp_path, y, shape):
        self.nodes.append(helper.make_node("Identity", [y], ["y"]))
        return save(model(self.nodes, {"x": (TensorProto.FLOAT, list(shape))}, ["y"], self.inits, 13), tmp_path)


def block(net, x, ci, co, hi, **attrs):
    y = net.emit("Conv", x, net.weights(co, ci, 3, 3), pads=[1] * 4, **attrs)
    return net.rounded(net.emit("Relu", y), 0, hi)


@pytest.mark.parametrize("kind", KINDS)
def test_convolutions(kind, tmp_path):
    """Sums of products of 8-bit numbers are whole, so that only ties of the float model's own rounding differ."""
    net = Net(kind)
    x = net.rounded("x", -1, 1)
    a = block(net, x, 3, 8, 12)
    b = block(net, a, 8, 8, 90, strides=[2, 2])
    path = net.save(tmp_path, net.emit("MaxPool", b, kernel_shape=[2, 2], strides=[2, 2]), (1, 3, 16, 16))
    want, got = quantized(path, [[RNG.uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32) for _ in range(3)]], tmp_path)
    steps = np.abs(want[0] - got[0]) / (90 / 255)
    assert want[0].max() > 45 and steps.max() <= 1.01 and np.mean(steps > 0.5) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_saturation(kind, tmp_path):
    """What the model's own range cuts off stays cut off."""
    net = Net(kind)
    x = net.rounded("x", -1, 1)
    a = block(net, x, 3, 8, 2)
    path = net.save(tmp_path, block(net, a, 8, 4, 6), (1, 3, 16, 16))
    want, got = quantized(path, [[RNG.uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)]], tmp_path)
    assert np.isclose(want[0].max(), 6) and np.abs(want[0] - got[0]).max() <= 6 / 255 * 1.01


def test_sums_and_parts_of_other_scales(tmp_path):
    """A residual and a concatenation: each operand keeps its own grid, the parts are converted."""
    net = Net("uint8")
    x = net.rounded("x", -1, 1)
    a, b = block(net, x, 3, 8, 12), block(net, x, 3, 8, 7)
    s = net.rounded(net.emit("Add", a, b), 0, 19)
    joined = net.rounded(net.emit("Concat", a, b, s, axis=1), 0, 19)
    path = net.save(tmp_path, block(net, joined, 24, 4, 200), (1, 3, 8, 8))
    want, got = quantized(path, [[RNG.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)]], tmp_path)
    assert decibel(want[0], got[0]) > 40


def test_grids_that_have_no_8_bits(tmp_path):
    """Four bits, or sixteen: the tensor has a range of its own, as in a model without them."""
    for low, high, kind in ((np.int16(0), 0.001, np.int16), (np.uint16(9), 0.001, np.uint16)):
        on = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s", "z"], ["r"]), helper.make_node("Relu", ["r"], ["y"])]
        path = save(model(on, {"x": (TensorProto.FLOAT, [2, 8])}, ["y"], {"s": np.float32(high), "z": kind(low)}, 21), tmp_path)
        want, got = quantized(path, [[RNG.uniform(0, 4, (2, 8)).astype(np.float32)]], tmp_path)
        assert decibel(want[0], got[0]) > 60


@pytest.mark.parametrize("kind", KINDS)
def test_operators_on_whole_numbers(kind, tmp_path):
    """QLinearConv and QLinearMatMul between the two: the whole numbers are steps of 1."""
    net = Net(kind)
    number, least, most = KINDS[kind]
    zero = net.const(number(least + 20))
    steps = [net.const(np.float32(s)) for s in (1 / 100, 0.2, 1.5)]

    def grid(x, i):
        return [x, steps[i], zero]

    def weights(*shape):
        return [net.const(RNG.integers(-127, 128, shape).astype(np.int8)), net.const(np.float32(0.02)), net.const(np.int8(0))]

    x = net.emit("QuantizeLinear", *grid("x", 0))
    x = net.emit("QLinearConv", *grid(x, 0), *weights(8, 3, 3, 3), steps[1], zero, pads=[1] * 4)
    x = net.emit("QLinearConv", *grid(x, 1), *weights(4, 8, 3, 3), steps[2], zero, net.const(np.array([100, -200, 0, 3], np.int32)))
    x = net.emit("QLinearMatMul", *grid(x, 2), *weights(6, 5), net.const(np.float32(4)), zero)
    path = net.save(tmp_path, net.emit("DequantizeLinear", x, net.const(np.float32(4)), zero), (1, 3, 8, 8))
    want, got = quantized(path, [[RNG.uniform(-0.2, 2, (1, 3, 8, 8)).astype(np.float32) for _ in range(2)]], tmp_path)
    off = np.abs(want[0] - got[0]) / 4
    assert np.ptp(want[0]) > 400 and off.max() <= 1.01 and np.mean(off > 0.5) < 0.05
