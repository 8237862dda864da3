"""Models with scales of their own under --keep_quant: every element within one step of LiteRT's integers, in float and in fixed point (the tool compares the image's bytes).

The operators are those of a quantized network that is all of 16-bit activations and 8-bit weights, and their 8-bit kin."""
import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from test_tflite_fixed import both  # noqa: E402
from test_tflite_ops import ACT, litert  # noqa: E402
from tflite_models import I8, I16, I32, I64, U8, Model  # noqa: E402

KINDS = {I8: np.int8, I16: np.int16, U8: np.uint8, I32: np.int32}
SAME, VALID = 0, 1


class Built:
    """One operator of activations x0, x1, ... of one or several kinds, each with its scale and zero point."""

    def __init__(self, seed=1):
        self.m, self.r, self.inputs, self.feeds, self.steps = Model(), np.random.default_rng(seed), [], [], []

    def activation(self, shape, kind, scale, zero=0):
        limits = np.iinfo(KINDS[kind])
        low, high = max(limits.min, -10 ** 6), min(limits.max, 10 ** 6)
        q = self.r.integers(low, high + 1, shape)
        if q.size > 8:
            q.ravel()[:4] = [low, high, zero, high - 1]
        else:  # in the middle: what meets it does not leave its range throughout
            q = q // 8 + zero * 7 // 8
        self.inputs.append(self.m.tensor(f"x{len(self.inputs)}", shape, kind, scale=scale, zero=zero))
        self.feeds.append(q.astype(KINDS[kind]))
        self.steps.append((scale, zero))
        return self.inputs[-1]

    def weights(self, shape, scales, axis=0):
        return self.m.const("w", self.r.integers(-127, 128, shape), I8, scale=scales, axis=axis)

    def bias(self, n, kind, scales, size=1000):
        return self.m.const("b", self.r.integers(-size, size, n), kind, scale=scales)

    def check(self, y, tmp_path, most=1):
        data = self.m.bytes(self.inputs, [y])
        want = litert(data, self.feeds)[0].astype(np.int64).ravel()
        assert want.std() > 0
        reals = [((q.astype(np.float64) - z) * np.float32(s)).astype(np.float32) for q, (s, z) in zip(self.feeds, self.steps)]
        scale, zero = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF).get_output_details()[0]["quantization"]
        for got in both(data, reals, tmp_path, "--keep")[0]:
            assert np.abs(got.astype(np.float64) / scale + zero - want).max() < most + 0.02


@pytest.mark.parametrize("shapes", [((1, 2, 80, 16), (1, 2, 80, 16)), ((1, 2, 12, 8), (8,)), ((1, 2, 12, 8), (1, 1, 1, 1)), ((8,), (1, 2, 12, 8)), ((2, 1, 5), (1, 3, 1))])
@pytest.mark.parametrize("kind, scales, zeros", [(I16, (2e-4, 3e-5, 2.1e-4), (0, 0, 0)), (I16, (1e-3, 1e-3, 1e-3), (0, 0, 0)), (I8, (0.02, 0.05, 0.06), (3, -70, 17)), (U8, (0.02, 0.05, 0.06), (3, 90, 117))])
@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("act", [0, 1])
def test_arithmetic(op, kind, scales, zeros, shapes, act, tmp_path):
    b = Built()
    x = [b.activation(s, kind, scales[i], zeros[i]) for i, s in enumerate(shapes)]
    result = np.broadcast_shapes(*shapes)
    scale = scales[2] * (20000 * scales[0] if op == "MUL" and kind == I16 else 1)
    b.check(b.m.op(op, x, "y", result, kind, scale=scale, zero=zeros[2], options={ACT: act}), tmp_path)


@pytest.mark.parametrize("given, made", [((I16, 2e-4, 0), (I16, 5e-4, 0)), ((I16, 2e-4, 0), (I16, 1e-4, 0)), ((I16, 2e-4, 0), (I8, 0.05, 7)), ((I16, 2e-4, 0), (I8, 0.01, -128)),
                                         ((I8, 0.05, 7), (I16, 2e-4, 0)), ((I8, 0.05, -128), (I16, 4e-4, 0)), ((I8, 0.05, 7), (U8, 0.05, 135)), ((U8, 0.05, 135), (I8, 0.05, 7)),
                                         ((I8, 0.05, 7), (I8, 0.03, -20)), ((U8, 0.05, 7), (U8, 0.03, 20)), ((I32, 1e-6, 0), (I16, 1e-4, 0)), ((I32, 1e-6, 0), (I8, 0.01, 5))])
def test_quantize(given, made, tmp_path):
    b = Built()
    x = b.activation((1, 2, 160, 2), *given)
    b.check(b.m.op("QUANTIZE", [x], "y", [1, 2, 160, 2], made[0], scale=made[1], zero=made[2]), tmp_path)


def test_quantize_to_32_bits(tmp_path):
    """The output is real numbers of 24 bits: that many steps come out whole. -32768 is never written (ARITHMETIC.md, 1)."""
    b = Built()
    x = b.activation((1, 2, 160, 2), I16, 2e-4)
    b.feeds[0] = np.maximum(b.feeds[0], -32767)
    b.check(b.m.op("QUANTIZE", [x], "y", [1, 2, 160, 2], I32, scale=1e-6, zero=0), tmp_path)


@pytest.mark.parametrize("pads", [((0, 0), (0, 0), (2, 2), (0, 0)), ((0, 0), (1, 2), (0, 3), (0, 0)), ((0, 0), (0, 0), (0, 0), (1, 4)), ((1, 0), (2, 1), (3, 5), (0, 1)), ((0, 0),) * 4])
@pytest.mark.parametrize("kind, scale, zero", [(I16, 2e-4, 0), (I8, 0.05, 7), (U8, 0.05, 130)])
@pytest.mark.parametrize("index", [I32, I64])
def test_pad(kind, scale, zero, pads, index, tmp_path):
    b = Built()
    x = b.activation((1, 2, 20, 8), kind, scale, zero)
    b.check(b.m.op("PAD", [x, b.m.const("p", pads, index)], "y", [n + p + q for n, (p, q) in zip((1, 2, 20, 8), pads)], kind, scale=scale, zero=zero), tmp_path)


@pytest.mark.parametrize("alpha", [0.3, 0.01, 1.5, -0.2])
@pytest.mark.parametrize("kind, given, made", [(I16, (2e-4, 0), (2e-4, 0)), (I16, (2e-4, 0), (1.1e-4, 0)), (I8, (0.05, 7), (0.04, -60)), (U8, (0.05, 130), (0.04, 60))])
def test_leaky_relu(kind, given, made, alpha, tmp_path):
    b = Built()
    x = b.activation((1, 2, 80, 8), kind, *given)
    b.check(b.m.op("LEAKY_RELU", [x], "y", [1, 2, 80, 8], kind, scale=made[0], zero=made[1], options={"alpha": alpha}), tmp_path)


@pytest.mark.parametrize("slices", [((0, 0, 2, 0), (1, 3, 9, 8), (1, 1, 1, 1), {}), ((0, 2, 0, 0), (1, 3, 12, 8), (1, 1, 2, 3), {}), ((0, -1, -3, 0), (0, 0, 0, 0), (1, 1, 1, 2), {"end_mask": 15}),
                                    ((0, 0, 11, 7), (1, 3, 0, 0), (1, 1, -1, -2), {"end_mask": 8}), ((0, 1, 0, 0), (1, 2, 12, 8), (1, 1, 1, 1), {"shrink_axis_mask": 2})])
@pytest.mark.parametrize("kind, scale, zero", [(I16, 2e-4, 0), (I8, 0.05, 7), (U8, 0.05, 130)])
def test_strided_slice(kind, scale, zero, slices, tmp_path):
    b, (begin, end, step, masks) = Built(), slices
    x = b.activation((1, 3, 12, 8), kind, scale, zero)
    cut = tuple(slice(None if masks.get("begin_mask", 0) >> i & 1 else p, None if masks.get("end_mask", 0) >> i & 1 else q, s) for i, (p, q, s) in enumerate(zip(begin, end, step)))
    cut = tuple(c.start if masks.get("shrink_axis_mask", 0) >> i & 1 else c for i, c in enumerate(cut))
    shape = np.empty((1, 3, 12, 8))[cut].shape
    b.check(b.m.op("STRIDED_SLICE", [x] + [b.m.const(n, v, I32) for n, v in zip("bes", (begin, end, step))], "y", shape, kind, scale=scale, zero=zero, options=masks), tmp_path)


def wide_bias(kind):
    """LiteRT takes a bias beside 16-bit activations for one of 64 bits, unless the options say otherwise."""
    return {"quantized_bias_type": kind} if kind == I32 else {}


GRIDS = [(I16, 2e-4, 0, I64, 4e-4, 0), (I16, 2e-4, 0, I32, 4e-4, 0), (I16, 2e-4, 0, None, 9e-4, 0), (I8, 0.05, 7, I32, 0.3, -20), (I8, 0.05, -128, None, 0.2, -128)]


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("kernel, stride, dilation", [((3, 3), (1, 1), (1, 1)), ((1, 5), (1, 2), (1, 1)), ((2, 3), (2, 1), (1, 1)), ((2, 3), (1, 1), (1, 2)), ((1, 1), (1, 1), (1, 1))])
@pytest.mark.parametrize("grid", [g for g in GRIDS if g[3] is not None])  # LiteRT asks for a bias
@pytest.mark.parametrize("act, scales", [(0, [0.002, 0.003, 0.001, 0.004]), (1, [0.002]), (3, [0.002, 0.003, 0.001, 0.004])])
def test_conv(grid, kernel, stride, dilation, padding, act, scales, tmp_path):
    b, (kind, scale, zero, wide, made, middle) = Built(), grid
    x = b.activation((1, 6, 13, 5), kind, scale, zero)
    w = b.weights((4, *kernel, 5), scales)
    bias = b.bias(4, wide, [scale * s for s in scales]) if wide else -1
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    size = [-(-n // s) if padding == SAME else -(-(n - k + 1) // s) for n, k, s in zip((6, 13), reach, stride)]
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1], ACT: act, **wide_bias(wide)}
    b.check(b.m.op("CONV_2D", [x, w, bias], "y", [1, *size, 4], kind, scale=made, zero=middle, options=options), tmp_path)


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("kernel, stride", [((1, 4), (1, 2)), ((1, 10), (1, 5)), ((1, 3), (1, 1)), ((3, 3), (2, 2)), ((2, 2), (3, 3)), ((4, 4), (2, 2))])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scales", [[0.002, 0.003, 0.001, 0.004], [0.002]])
def test_transpose_conv(grid, kernel, stride, padding, scales, tmp_path):
    b, (kind, scale, zero, wide, made, middle) = Built(), grid
    x = b.activation((1, 3, 8, 5), kind, scale, zero)
    w = b.weights((4, *kernel, 5), scales)
    bias = [b.bias(4, wide, [scale * s for s in scales])] if wide else []
    size = [n * s + (max(k - s, 0) if padding == VALID else 0) for n, k, s in zip((3, 8), kernel, stride)]
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], **wide_bias(wide)}
    b.check(b.m.op("TRANSPOSE_CONV", [b.m.const("s", [1, *size, 4], I32), w, x] + bias, "y", [1, *size, 4], kind, scale=made, zero=middle, options=options), tmp_path)
