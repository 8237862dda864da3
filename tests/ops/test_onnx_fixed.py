"""Operators in fixed point: signal to noise against the float model on smooth random inputs, S16 all the way; fixed and offline agree bit for bit."""
import struct

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import helper  # noqa: E402
from support import decibel, fixed_check, model, node, quantized, save  # noqa: E402

RNG = np.random.default_rng(11)
check = fixed_check(50)  # decibel; what 16 bit must reach


def smooth(*shape, lo=-2.0, hi=2.0, samples=3):
    """Samples that swing slowly between lo and hi."""
    n = int(np.prod(shape))
    t = np.linspace(0, 1, n)
    waves = [sum(RNG.uniform(-1, 1) * np.sin(2 * np.pi * (RNG.uniform(0.5, 9) * t + RNG.uniform())) for _ in range(5)) for _ in range(samples)]
    low, high = min(w.min() for w in waves), max(w.max() for w in waves)
    return [np.asarray(lo + (hi - lo) * (w - low) / (high - low), np.float32).reshape(shape) for w in waves]


# ---- arithmetic of two operands ----

PAIRS = [((1, 3, 4, 5), (1, 3, 4, 5)), ((1, 3, 4, 5), (5,)), ((1, 3, 4, 5), (3, 1, 1)), ((1, 3, 4, 5), (2, 1, 4, 1)), ((4, 5), (3, 4, 5)), ((3, 1), (1, 4)), ((2, 3), ()),
         ((2, 1, 3, 1, 4), (1, 5, 1, 2, 1)), ((2, 3, 4, 5, 6, 2), (3, 1, 5, 1, 2)), ((2, 3, 2, 4, 3), (2, 3, 2, 4, 3)), ((2, 3, 2, 4, 1), (3, 2, 1, 6))]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@pytest.mark.parametrize("a,b", PAIRS)
def test_pairs(op, a, b, tmp_path):
    second = smooth(*b, lo=1, hi=5) if op == "Div" else smooth(*b, lo=-1, hi=3)
    check(tmp_path, node(op, "a b"), opset=13, a=smooth(*a), b=second)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 3, 4, 5)])
@pytest.mark.parametrize("first", [False, True])
def test_constants(op, shape, first, tmp_path):
    k = np.asarray(RNG.uniform(0.5, 1.5, shape), np.float32)
    x = smooth(1, 3, 4, 5, lo=0.5, hi=3) if op == "Div" else smooth(1, 3, 4, 5)
    check(tmp_path, node(op, "k x" if first else "x k"), {"k": k}, opset=13, x=x)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
def test_chains(op, tmp_path):
    check(tmp_path, node(op, "a b c d"), opset=13, a=smooth(2, 3, 4), b=smooth(4), c=smooth(2, 1, 4), d=smooth(3, 1))
    check(tmp_path, [node(op, "a", "b"), node("Mul", "b b")], opset=13, a=smooth(2, 3, 4))


def test_division_by_zero(tmp_path):
    """What rounds to 0 in the divisor saturates, 0/0 is 0."""
    a = [np.array([3, -3, 0, 1, -1, 0, 2], np.float32)]
    b = [np.array([1e-6, 1e-6, 1e-6, 1, 1, 1, 1], np.float32)]
    m = model([node("Div", "a b")], {"a": a[0], "b": b[0]}, ["y"])
    (want,), (got,) = quantized(save(m, tmp_path), [a, b], tmp_path)
    assert got[0] == want.max() and got[1] == want.min() and got[2] == 0


# ---- parts, repetition, order ----

def numbers(**kw):
    return {k: np.array(v, np.int64) for k, v in kw.items()}


@pytest.mark.parametrize("starts,ends,axes,steps", [([1], [3], [1], [1]), ([-1], [-99], [2], [-1]), ([0, 2], [99, -1], [3, 1], [2, 1]), ([5, 0], [0, 4], [2, 3], [-2, 3])])
def test_slice(starts, ends, axes, steps, tmp_path):
    inits = numbers(s=starts, e=ends, a=axes, t=steps)
    check(tmp_path, node("Slice", "x s e a t"), inits, x=smooth(2, 4, 6, 7))
    check(tmp_path, [node("Mul", "x x", "m"), node("Slice", "m s e a t", "p"), node("Mul", "p p")], inits, x=smooth(2, 4, 6, 7))


@pytest.mark.parametrize("perm", [(0, 3, 1, 2), (2, 0, 1, 3), (3, 2, 1, 0)])
def test_parts_of_parts(perm, tmp_path):
    """Views of views, some of which a concatenation takes in another order."""
    inits = numbers(n=[1, 2, 3], m=[2, 2])
    nodes = [node("Add", "x x", "a"), node("Split", "a n", "p q r", axis=1), node("Split", "a m", "u v", axis=2), node("Concat", "r p q", "c", axis=1),
             node("Concat", "v u", "d", axis=2), node("Mul", "c d", "e"), node("Transpose", "e", "f", perm=perm), node("Slice", "f one three last", "y")]
    check(tmp_path, nodes, inits | numbers(one=[0], three=[3], last=[-1]), x=smooth(2, 6, 4, 5))


@pytest.mark.parametrize("shape,perm", [((2, 3, 4, 5, 6), (4, 2, 0, 3, 1)), ((2, 3, 2, 3, 2, 3), (5, 3, 1, 4, 2, 0)), ((3, 4, 5, 2, 1), (1, 0, 3, 4, 2))])
def test_transpose_of_many_axes(shape, perm, tmp_path):
    check(tmp_path, [node("Mul", "x x", "m"), node("Transpose", "m", perm=perm)], x=smooth(*shape))


@pytest.mark.parametrize("index,axis", [([3, 0, 0, 2], 1), ([[0, 1], [3, -1]], 1), ([[1, 2, 0]], 3), ([2, 1, 0], 3)])
def test_gather(index, axis, tmp_path):
    check(tmp_path, [node("Mul", "x x", "m"), node("Gather", "m i", axis=axis)], numbers(i=index), x=smooth(2, 4, 5, 3))


def test_expand_and_tile(tmp_path):
    check(tmp_path, [node("Mul", "x x", "m"), node("Expand", "m s")], numbers(s=[2, 3, 4, 5]), x=smooth(3, 1, 5))
    check(tmp_path, [node("Mul", "x x", "m"), node("Tile", "m r")], numbers(r=[2, 1, 3]), x=smooth(3, 2, 5))


# ---- functions of one variable ----

FUNCTIONS = [  # operator, opset, attributes, inputs from, to
    ("Sigmoid", 13, {}, -9, 9), ("Sigmoid", 13, {}, -80, 60), ("Tanh", 13, {}, -4, 4), ("Elu", 13, {}, -6, 4), ("Selu", 13, {}, -6, 4), ("Celu", 13, {"alpha": 2.5}, -6, 4),
    ("Softplus", 13, {}, -9, 9), ("Softsign", 13, {}, -40, 40), ("HardSigmoid", 13, {}, -4, 4), ("HardSwish", 14, {}, -5, 5), ("Mish", 18, {}, -9, 9), ("Gelu", 20, {}, -5, 5),
    ("Gelu", 20, {"approximate": "tanh"}, -50, 50), ("Erf", 13, {}, -3, 3), ("Exp", 13, {}, -8, 3), ("Exp", 13, {}, -30, 0), ("Log", 13, {}, 0.001, 9), ("Log", 13, {}, 1e-3, 1),
    ("Sqrt", 13, {}, 0, 9), ("Reciprocal", 13, {}, 0.05, 9), ("Reciprocal", 13, {}, -9, -0.05), ("Sin", 13, {}, -9, 9), ("Cos", 13, {}, -9, 9), ("LeakyRelu", 13, {}, -4, 1),
    ("Tan", 13, {}, -1.2, 1.2), ("Asin", 13, {}, -1, 1), ("Acos", 13, {}, -1, 1), ("Atan", 13, {}, -9, 9), ("Sinh", 13, {}, -4, 4), ("Cosh", 13, {}, -4, 4),
    ("Asinh", 13, {}, -90, 90), ("Acosh", 13, {}, 1, 9), ("Atanh", 13, {}, -0.9, 0.9), ("LeakyRelu", 13, {"alpha": 0.3}, -4, 4), ("Abs", 13, {}, -4, 4), ("Neg", 13, {}, -4, 4),
]


@pytest.mark.parametrize("op,opset,attrs,lo,hi", FUNCTIONS)
def test_functions(op, opset, attrs, lo, hi, tmp_path):
    check(tmp_path, node(op, "x", **attrs), opset=opset, x=smooth(1, 4, 20, 25, lo=lo, hi=hi))


@pytest.mark.parametrize("exponent", [-2, -0.5, 0.5, 1.5, 2, 3])
def test_pow(exponent, tmp_path):
    check(tmp_path, node("Pow", "x e"), {"e": np.float32(exponent)}, x=smooth(1, 4, 20, 25, lo=0.1, hi=4))


def on_grid(lo, hi, *shape):
    """Values that 16 bit hold exactly: what jumps must jump where the float model does."""
    top = 2.0 ** np.ceil(np.log2(max(-lo, hi)))
    x = np.rint(smooth(*shape, lo=lo, hi=hi, samples=1)[0] / top * 32767)
    x.flat[0] = 32767  # the scale is top / 32767
    return [np.asarray(x * np.float32(top / 32767), np.float32)]


@pytest.mark.parametrize("op,attrs", [("Floor", {}), ("Ceil", {}), ("Round", {}), ("Sign", {}), ("ThresholdedRelu", {}), ("ThresholdedRelu", {"alpha": -0.5})])
@pytest.mark.parametrize("reach", [2, 9, 100])
def test_jumps(op, attrs, reach, tmp_path):
    check(tmp_path, node(op, "x", **attrs), opset=13, x=on_grid(-reach, reach, 1, 4, 20, 25))


@pytest.mark.parametrize("shape", [(3, 1, 1), (1,), (), (3, 4, 5), (5,), (4, 1)])
@pytest.mark.parametrize("rank", [3, 4])
def test_prelu(shape, rank, tmp_path):
    slope = np.asarray(RNG.uniform(-0.5, 1.5, shape), np.float32)
    check(tmp_path, node("PRelu", "x s"), {"s": slope}, x=smooth(*(2, 3, 4, 5)[4 - rank:]))


def test_prelu_run_time_slope(tmp_path):
    check(tmp_path, node("PRelu", "x s"), x=smooth(2, 3, 4, 5), s=smooth(3, 1, 1))


@pytest.mark.parametrize("op,expected", [("Log", "min"), ("Reciprocal", "max"), ("Sqrt", "zero")])
def test_poles(op, expected, tmp_path):
    """What 16 bit round to 0 gives the end of the range that lies there."""
    x = [np.array([1e-6, 1e-6, 0.5, 1, 2, 4, 8], np.float32)]
    (want,), (got,) = quantized(save(model([node(op, "x")], {"x": x[0]}, ["y"]), tmp_path), [x], tmp_path)
    assert np.allclose(got[:2], {"min": want.min(), "max": want.max(), "zero": 0}[expected], rtol=1e-4)


# ---- chains ----

def test_between_convolutions(tmp_path):
    """Functions between 8-bit convolutions: 8 bit in and out of them, 16 bit inside."""
    nodes, inits = [], {}
    x = "x"
    for i, (op, attrs) in enumerate([("Sigmoid", {}), ("LeakyRelu", {"alpha": 0.1}), ("HardSwish", {}), ("Mish", {})]):
        inits[f"w{i}"] = np.asarray(RNG.normal(0, 0.3, (6, 6, 3, 3)), np.float32)
        nodes += [node("Conv", f"{x} w{i}", f"c{i}", pads=[1, 1, 1, 1]), node(op, f"c{i}", f"a{i}" if i < 3 else "y", **attrs)]
        x = f"a{i}"
    check(tmp_path, nodes, inits, opset=18, least=25, x=smooth(1, 6, 12, 12))


LUT_S16, QUANTIZE, LUT_U8 = 17, 10, 50  # docs/IMAGE.md


def kinds(path):
    """(kind, whether its last operand is there) of each record of an image."""
    image, found = path.read_bytes(), []
    at, size = struct.unpack_from("<II", image, 56)
    end = at + size
    while at < end:
        kind, nref, size = struct.unpack_from("<HHI", image, at)
        found.append((kind, image[at + 8 + 40 * (nref - 1)] != 0))
        at += size
    return found


def behind_convolution(tmp_path, op, first="Conv", gain=1.0, other=(), outputs=("y",)):
    """[kinds] of convolution, function, convolution on a few channels."""
    inits = {"w0": np.asarray(RNG.normal(0, 0.3, (8, 8, 3, 3)) * gain, np.float32), "w1": np.asarray(RNG.normal(0, 0.3, (8, 8, 3, 3)), np.float32)}
    nodes = [node(first, "x w0", "c", pads=[1] * 4, **({"strides": [2, 2]} if first != "Conv" else {})), node(op, "c", "a"), node("Conv", "a w1", "y", pads=[1] * 4), *other]
    check(tmp_path, nodes, inits, opset=20, least=0 if gain > 1 else 25, outputs=outputs, x=smooth(1, 8, 12, 12))
    return kinds(tmp_path / "q.img")


@pytest.mark.parametrize("op", ["HardSwish", "Gelu", "Softplus"])
def test_function_in_a_convolution(op, tmp_path):
    """Bytes between two convolutions come from a table that the first one holds: of its operands that is the last."""
    found = behind_convolution(tmp_path, op)
    assert [k for k in found if k[0] in (0, 1)] == [(0, True), (0, False)]
    assert not {LUT_S16, LUT_U8} & {k for k, _ in found} and sum(k == QUANTIZE for k, _ in found) <= 1  # the input


def test_a_clip_of_bytes(tmp_path):
    """What clips the table's bytes does not clip its index."""
    inits = {f"w{i}": np.asarray(RNG.normal(0, 0.3, (8, 8, 3, 3)), np.float32) for i in range(2)} | {"lo": np.float32(-0.3), "hi": np.float32(50)}
    nodes = [node("Conv", "x w0", "c", pads=[1] * 4), node("HardSwish", "c", "a"), node("Clip", "a lo hi", "b"), node("Conv", "b w1", "y", pads=[1] * 4)]
    check(tmp_path, nodes, inits, opset=20, least=25, x=smooth(1, 8, 12, 12))
    assert (0, True) in kinds(tmp_path / "q.img")


def test_function_of_bytes_alone(tmp_path):
    """A transposed convolution is several records: the table stays one of its own."""
    found = [k for k, _ in behind_convolution(tmp_path, "HardSwish", first="ConvTranspose")]
    assert LUT_U8 in found and LUT_S16 not in found


def test_function_that_needs_16_bits(tmp_path):
    """One that others read too, and one so steep that 1024 steps are too few."""
    for found in (behind_convolution(tmp_path, "HardSwish", other=[node("Add", "a y", "z")], outputs=("z",)), behind_convolution(tmp_path, "Sin", gain=60)):
        assert (LUT_S16, True) in found and (0, True) not in found


# ---- resizing ----

@pytest.mark.parametrize("coord", ["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("channels", [1, 3, 8, 19])
@pytest.mark.parametrize("size", [(12, 10), (3, 4), (7, 21)])
def test_resize(coord, mode, channels, size, tmp_path):
    """Nearest moves integers; the others have weights of 11 bits."""
    resize = helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=coord)
    sizes = np.array([2, channels, *size], np.int64)
    check(tmp_path, resize, {"s": sizes}, opset=19, least=80 if mode == "nearest" else 60, x=smooth(2, channels, 6, 5))


def test_resize_cubic(tmp_path):
    resize = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="cubic", cubic_coeff_a=-0.9, exclude_outside=1)
    check(tmp_path, resize, {"s": np.array([1, 1, 1.7, 0.8], np.float32)}, opset=13, least=60, x=smooth(1, 5, 6, 7))


# ---- powers of two variables ----

@pytest.mark.parametrize("a,b", [((1, 3, 4, 5), (1, 3, 4, 5)), ((1, 3, 4, 5), (5,)), ((3, 1), (1, 4)), ((4, 5), (3, 4, 5))])
def test_power(a, b, tmp_path):
    """Of positive bases; one that is constant, an exponent that is."""
    x, e = smooth(*a, lo=0.4, hi=3.0), smooth(*b)
    check(tmp_path, node("Pow", "x e"), x=x, e=e)
    check(tmp_path, [node("Pow", "x e", "p"), node("Mul", "p x")], {"e": e[0]}, x=x)
    check(tmp_path, node("Pow", "x e"), {"x": x[0]}, e=e)


# ---- padding ----

@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("shape,pads", [((2, 3, 5, 4), (0, 0, 1, 2, 0, 0, 3, 1)), ((2, 3, 5, 4), (1, 2, 0, 3, 0, 1, 2, 0)), ((2, 3, 5, 4), (0, 0, -1, 2, 0, 0, 1, -2)), ((4, 6), (2, -1, 1, 3)),
                                        ((7,), (3, 4)), ((2, 2, 3, 2, 3), (1, 0, 1, 0, 2, 0, 1, 1, 1, 0))])
@pytest.mark.parametrize("value", [0.0, 1.25])
def test_pad(mode, shape, pads, value, tmp_path):
    """Movement: what comes out is what went in, bit for bit but for the constant's rounding."""
    inits = numbers(p=pads) | ({"v": np.float32(value)} if mode == "constant" else {})
    check(tmp_path, [node("Mul", "x x", "m"), node("Pad", "m p v" if mode == "constant" else "m p", mode=mode)], inits, opset=19, least=75, x=smooth(*shape))


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_pad_in_8_bit(mode, tmp_path):
    """Between convolutions."""
    real = lambda *shape: np.asarray(RNG.uniform(-1, 1, shape), np.float32)
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Pad", "r p", "q", mode=mode), node("Conv", "q v")]
    check(tmp_path, nodes, numbers(p=[0, 0, 2, 1, 0, 0, 1, 2]) | {"w": real(5, 3, 1, 1), "v": real(4, 5, 3, 3)}, least=35, x=smooth(1, 3, 6, 7))
