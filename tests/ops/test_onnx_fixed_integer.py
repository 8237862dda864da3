"""Integers of the model itself in fixed point: equal to the float model's, and real numbers made of them; fixed and offline agree bit for bit."""
import subprocess

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto  # noqa: E402
from support import FIXED_TOOL, fixed_check, model, node, save  # noqa: E402

RNG = np.random.default_rng(31)
check = fixed_check(80)
FLOAT, INT8, UINT8, INT32, INT64, BOOL = (getattr(TensorProto, t) for t in ("FLOAT", "INT8", "UINT8", "INT32", "INT64", "BOOL"))


def whole(kind, low, high, *shape):
    return np.asarray(RNG.integers(low, high, shape), kind)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def refused(m, tmp_path, *files):
    path = m if not hasattr(m, "SerializeToString") else save(m, tmp_path)
    done = subprocess.run([FIXED_TOOL, path, tmp_path / "q", *files], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    return done.stderr


TYPES = [np.int32, np.int64, np.int8, np.uint8, np.int16]
SHAPES = [((3, 4, 5), (3, 4, 5)), ((2, 1, 4, 5), (3, 1, 5)), ((2, 3, 2, 3, 4, 5), (3, 1, 1, 4, 1))]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max", "Mod"])
def test_arithmetic(op, kind, tmp_path):
    low = 0 if kind == np.uint8 else -9
    for a, b in SHAPES:
        x, y = whole(kind, 9 if op == "Sub" else low, 12, *a), whole(kind, 1 if op in ("Div", "Mod") else low, 9, *b)
        check(tmp_path, node(op, "a b"), a=x, b=y)


def test_products_of_integers(tmp_path):
    """Exact, in 8 bits and without a fraction that is cut off."""
    x, w = whole(np.uint8, 0, 12, 1, 3, 6, 7), whole(np.int8, -9, 9, 4, 3, 3, 3)
    check(tmp_path, node("ConvInteger", "x w z", pads=[1] * 4), {"w": w, "z": np.uint8(3)}, x=x)
    check(tmp_path, node("MatMulInteger", "a b za zb"), {"za": np.uint8(7), "zb": np.uint8(2)}, a=whole(np.uint8, 0, 40, 5, 6), b=whole(np.uint8, 0, 40, 6, 4))


def test_whole_inputs(tmp_path):
    """Inputs that hold no fraction keep their numbers, which a softmax of large ones needs."""
    x = np.arange(8, dtype=np.float32).reshape(2, 4) + np.array([[0], [10000]], np.float32)
    check(tmp_path, node("Softmax", "x"), least=80, x=x)


def test_large_integers(tmp_path):
    """Beyond what any scale of 16 bits tells apart."""
    a = whole(np.int32, -40000, 40000, 5, 6)
    check(tmp_path, [node("Mul", "a c", "p"), node("Add", "p a", "y")], {"c": np.int32(50001)}, a=a)


@pytest.mark.parametrize("op", ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
@pytest.mark.parametrize("kind", TYPES)
def test_comparison(op, kind, tmp_path):
    for a, b in SHAPES:
        check(tmp_path, node(op, "a b"), a=whole(kind, 0, 4, *a), b=whole(kind, 0, 4, *b))


def test_equal_truth(tmp_path):
    nodes = [node("Less", "a c", "p"), node("Less", "b c", "q"), node("Equal", "p q")]
    check(tmp_path, nodes, {"c": np.float32(0.3)}, a=real(4, 5), b=real(4, 5))


@pytest.mark.parametrize("kind", TYPES)
def test_choice(kind, tmp_path):
    nodes = [node("Less", "x c", "t"), node("Where", "t a b")]
    check(tmp_path, nodes, {"c": np.float32(0.1)}, x=real(1, 4, 1), a=whole(kind, 0, 100, 2, 3, 1, 5), b=whole(kind, 0, 100, 5))


@pytest.mark.parametrize("truncated", [0, 1])
def test_rest(truncated, tmp_path):
    """Of all signs, the divisor's or the dividend's counts."""
    b = whole(np.int32, 1, 6, 4, 9) * np.where(RNG.random((4, 9)) < 0.5, -1, 1).astype(np.int32)
    check(tmp_path, node("Mod", "a b", fmod=truncated), a=whole(np.int32, -20, 20, 4, 9), b=b)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_order(kind, axis, tmp_path):
    """With equals, of integers that the graph makes: places of the largest and smallest, the best and where they stood."""
    nodes = [node("Add", "x x", "a"), node("ArgMax", "a", "most", axis=axis), node("ArgMin", "a", "least", axis=axis, select_last_index=1),
             node("TopK", "a k", "best at", axis=axis), node("TopK", "a k", "worst there", axis=axis, largest=0),
             node("ReduceMax", "a axes", "r"), node("ReduceMin", "a axes", "s")]
    check(tmp_path, nodes, {"k": np.array([2]), "axes": np.array([axis])}, opset=20, outputs=("most", "least", "best", "at", "worst", "there", "r", "s"), x=whole(kind, 0, 9, 3, 4, 5))


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_integers_of_both_signs(kind, tmp_path):
    """A mask's sum, magnitudes, signs, bounds; one bound lies where 32 bits do not reach."""
    nodes = [node("Mul", "x k", "a"), node("ReduceSum", "a axes", "s", keepdims=0), node("Abs", "a", "b"), node("Neg", "a", "n"), node("Sign", "a", "g"), node("Relu", "a", "r"),
             node("Clip", "a low high", "c"), node("Less", "x k", "t"), node("Cast", "t", "u", to=INT64), node("ReduceSum", "u axes", "v")]
    high = np.int64(2**62) if kind == np.int64 else kind(4)
    check(tmp_path, nodes, {"k": kind(3), "axes": np.array([0, 2]), "low": kind(-5), "high": high}, opset=20, outputs=("s", "b", "n", "g", "r", "c", "v"), x=whole(kind, -9, 9, 3, 4, 5))


def test_magnitude_of_bytes(tmp_path):
    check(tmp_path, [node("Add", "x x", "a"), node("Abs", "a")], x=whole(np.uint8, 0, 99, 3, 4))


def test_power(tmp_path):
    check(tmp_path, node("Pow", "a b"), a=whole(np.int32, -5, 6, 4, 9), b=whole(np.int32, 0, 8, 4, 9))


@pytest.mark.parametrize("to", [INT32, INT64, INT8, UINT8])
def test_real_to_integer(to, tmp_path):
    """Towards 0, of numbers away from whole ones; on in integers, back to real numbers."""
    x = whole(np.int32, 0 if to == UINT8 else -9, 9, 4, 9) + np.float32(0.5)
    nodes = [node("Cast", "x", "i", to=to), node("Mul", "i i", "j"), node("Cast", "j", "z", to=FLOAT)]
    check(tmp_path, nodes, outputs=("i", "z"), x=x.astype(np.float32))


@pytest.mark.parametrize("kind", TYPES)
def test_integer_to_real(kind, tmp_path):
    """An input that goes other ways too."""
    nodes = [node("Cast", "i", "f", to=FLOAT), node("Mul", "f x", "y"), node("Add", "i i", "z"), node("Cast", "i", "t", to=BOOL)]
    check(tmp_path, nodes, outputs=("y", "z", "t"), i=whole(kind, 0, 6, 4, 9), x=real(9))


def test_truth_to_integer(tmp_path):
    """A count of what lies below."""
    nodes = [node("Less", "x c", "t"), node("Cast", "t", "i", to=INT64), node("Add", "i k", "y")]
    check(tmp_path, nodes, {"c": np.float32(0.2), "k": np.int64(7)}, x=real(4, 9))


def test_one_hot(tmp_path):
    check(tmp_path, node("OneHot", "i depth values"), {"depth": np.int64(7), "values": np.array([0, 3], np.float32)}, i=whole(np.int64, -7, 7, 4, 3))


def test_hardmax(tmp_path):
    check(tmp_path, node("Hardmax", "x", axis=1), x=real(3, 5, 4))


def test_triangle(tmp_path):
    check(tmp_path, node("Trilu", "x k", upper=0), {"k": np.int64(-1)}, x=whole(np.int64, 1, 10, 4, 5))


def test_places_of_peaks(tmp_path):
    """As detectors of centres end: rows and columns of the best places of a map, and what a second map holds there."""
    heat = np.asarray(RNG.uniform(0, 0.1, (1, 90000)), np.float32)
    heat[0, RNG.choice(90000, 20, replace=False)] = np.linspace(0.2, 1, 20)
    nodes = [node("TopK", "heat k", "s i", axis=1), node("Div", "i w", "row"), node("Mod", "i w", "column"), node("Cast", "row", "ys", to=FLOAT), node("Cast", "column", "xs", to=FLOAT),
             node("GatherElements", "offset column", "o", axis=1), node("Add", "xs o", "x")]
    check(tmp_path, nodes, {"k": np.array([20]), "w": np.int64(300)}, 70, outputs=("row", "column", "ys", "x"), heat=heat, offset=real(1, 300))


def test_wide_indices(tmp_path):
    """Indices of 64 bits that the model computes."""
    nodes = [node("Cast", "x", "i", to=INT64), node("GatherElements", "t i", "y", axis=1), node("Gather", "u i", "z")]
    check(tmp_path, nodes, {"u": real(8, 3)}, outputs=("y", "z"), x=np.asarray(RNG.uniform(0.2, 6.8, (2, 5)), np.float32), t=real(2, 8))


def between(low, high, *shape):
    """Numbers away from whole ones and from halves."""
    return (RNG.integers(low, high, shape) + RNG.uniform(0.1, 0.4, shape)).astype(np.float32)


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round"])
def test_whole_numbers_are_exact(op, tmp_path):
    """In sums, products, choices and parts of others; 300 is no scale's own number."""
    nodes = [node(op, "x", "f"), node("Add", "f k", "g"), node("Mul", "g g", "h"), node("Slice", "h b e", "s"), node("Concat", "s s", "t", axis=0), node("Less", "f g", "l"),
             node("Where", "l g f", "w"), node("Sub", "w t", "d"), node("Cast", "d", "i", to=INT32), node("Pad", "d p", "y")]
    inits = {"k": np.float32(3), "b": np.array([0]), "e": np.array([2]), "p": np.array([1, 0, 0, 0])}
    check(tmp_path, nodes, inits, 200, outputs=("i", "y"), x=between(-90, 90, 4, 9))


@pytest.mark.parametrize("zero", [np.uint8(100), np.int8(-3)])
def test_quantized_by_the_model(zero, tmp_path):
    check(tmp_path, node("QuantizeLinear", "x s z"), {"s": np.float32(0.05), "z": zero}, x=(between(-60, 60, 4, 9) * np.float32(0.05)).astype(np.float32))


@pytest.mark.parametrize("exclusive,reverse", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_cumsum(exclusive, reverse, axis, tmp_path):
    attrs = {"exclusive": exclusive, "reverse": reverse}
    check(tmp_path, node("CumSum", "x a", **attrs), {"a": np.int64(axis)}, 75, x=real(3, 4, 5, 6))
    check(tmp_path, node("CumSum", "x a", **attrs), {"a": np.int64(axis)}, x=whole(np.int64, -90000, 90000, 3, 4, 5, 6))


def test_long_cumsum(tmp_path):
    """Of more elements than 32 bits sum up."""
    check(tmp_path, node("CumSum", "x a"), {"a": np.int64(1)}, 75, x=real(2, 70000) + np.float32(1))


def test_positions(tmp_path):
    """As language models number the words that a mask leaves: rows of a table by a count."""
    nodes = [node("CumSum", "mask a", "n"), node("Sub", "n one", "m"), node("Mul", "m mask", "i"), node("Gather", "table i", "y")]
    mask = (RNG.random((2, 9)) < 0.7).astype(np.int64)
    check(tmp_path, nodes, {"a": np.int64(1), "one": np.int64(1), "table": real(12, 4)}, mask=mask)


# ---- what stays out ----


def test_a_constant_beyond_the_board(tmp_path):
    x = real(3)
    x.tofile(tmp_path / "x.bin")
    m = model([node("Cast", "x", "i", to=INT64), node("Less", "i c", "y")], {"x": x}, ["y"], {"c": np.array([1 << 40])})
    assert refused(m, tmp_path, tmp_path / "x.bin").endswith("layer 'y': the constant 1099511627776 does not fit 32 bits\n")


def graph(text, tmp_path):
    (tmp_path / "g.ir").write_text(text)
    return tmp_path / "g.ir"


OUT = {
    "add": ("f64", "f64", "works on float64, which has no fixed-point form"),
    "equal": ("f64", "bool", "works on float64, which has no fixed-point form"),
    "mod": ("f64", "f64", "works on float64, which has no fixed-point form"),
}


@pytest.mark.parametrize("op", OUT)
def test_stays_in_float(op, tmp_path):
    x, y, why = OUT[op]
    np.ones(4, {"f32": np.float32, "f64": np.float64}[x]).tofile(tmp_path / "x.bin")
    text = 'input %%0 "x" %s[4]\ninput %%1 "z" %s[4]\n%%2 "y" %s[4] = %s %%0, %%1\noutput %%2\n' % (x, x, y, op)
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin", tmp_path / "x.bin").endswith(f"layer 'y': operator {op} {why}\n")


@pytest.mark.parametrize("steps, lengths, why", [(4097, "_", "has more than 4096 time steps"), (2, "%1", "has sequence lengths that are known only at run time")])
def test_layers_that_are_not_unrolled(steps, lengths, why, tmp_path):
    np.ones(2 * steps, np.float32).tofile(tmp_path / "x.bin")
    np.ones(1, np.int32).tofile(tmp_path / "l.bin")
    text = ('input %%0 "x" f32[%d,1,2]\ninput %%1 "l" s32[1]\nconst %%2 f32[1,3,2] = seed(1)\nconst %%3 f32[1,3,3] = seed(2)\n'
            '%%4 "y" f32[%d,1,1,3], %%5 f32[1,1,3] = rnn %%0, %%2, %%3, _, %s\noutput %%4\n' % (steps, steps, lengths))
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin", tmp_path / "l.bin").endswith(f"layer 'y': operator rnn {why}\n")


def test_wide_reals_are_not_converted(tmp_path):
    np.ones(4, np.float64).tofile(tmp_path / "x.bin")
    np.ones(4, np.int32).tofile(tmp_path / "i.bin")
    text = 'input %0 "x" f64[4]\ninput %1 "i" s32[4]\n%2 "y" f32[4] = cast %0 {type=f32}\n%3 "z" s32[4] = add %1, %1\noutput %2\noutput %3\n'
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin", tmp_path / "i.bin").endswith("layer 'y': operator cast works on float64, which has no fixed-point form\n")


def test_softmax_of_very_many(tmp_path):
    np.zeros(70000, np.float32).tofile(tmp_path / "x.bin")
    text = 'input %0 "x" f32[70000]\n%1 "y" f32[70000] = softmax %0\noutput %1\n'
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin").endswith("layer 'y': operator softmax weighs more than 65535 elements along an axis\n")


@pytest.mark.parametrize("op,kind,why", [("cumprod", "f32", "has no fixed-point form yet"), ("cumsum", "f64", "works on float64, which has no fixed-point form")])
def test_running_totals_that_stay_in_float(op, kind, why, tmp_path):
    np.ones(4, {"f32": np.float32, "f64": np.float64}[kind]).tofile(tmp_path / "x.bin")
    text = 'input %%0 "x" %s[4]\n%%1 "y" %s[4] = %s %%0\noutput %%1\n' % (kind, kind, op)
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin").endswith(f"layer 'y': operator {op} {why}\n")


def test_powers_of_what_is_not_positive(tmp_path):
    x = np.array([-0.5, 1, 2], np.float32)
    x.tofile(tmp_path / "x.bin")
    np.full(3, 2, np.float32).tofile(tmp_path / "e.bin")
    m = model([node("Pow", "x e")], {"x": x, "e": x}, ["y"])
    assert refused(m, tmp_path, tmp_path / "x.bin", tmp_path / "e.bin").endswith("layer 'y': operator power takes bases from -0.5 on; in fixed point they must lie above 0\n")


def test_wide_reals_are_not_chosen(tmp_path):
    np.ones(4, np.float64).tofile(tmp_path / "x.bin")
    text = 'const %1 bool[4] = {0,1,0,1}\ninput %0 "x" f64[4]\ninput %2 "z" f64[4]\n%3 "y" f64[4] = where %1, %0, %2\noutput %3\n'
    assert refused(graph(text, tmp_path), tmp_path, tmp_path / "x.bin", tmp_path / "x.bin").endswith("layer 'y': operator where works on float64, which has no fixed-point form\n")


@pytest.mark.parametrize("constant", [False, True])
def test_rest_of_real_numbers(constant, tmp_path):
    """Quotients away from whole numbers: rounding to 16 bits changes none; of all signs, in scales far from each other."""
    b = (RNG.uniform(0.5, 2, (4, 1)) * np.array([1, -1, -1, 1])[:, None]).astype(np.float32)
    a = (b * (RNG.integers(-30, 30, (4, 50)) + RNG.uniform(0.1, 0.9, (4, 50)))).astype(np.float32)
    check(tmp_path, node("Mod", "a b", fmod=1), {"b": b} if constant else {}, 60, a=a, **({} if constant else {"b": b}))
