"""Truth values in fixed point: comparisons, logic, choices; signal to noise against the float model; fixed and offline agree bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto  # noqa: E402
from support import check_fixed, fixed_check, node  # noqa: E402

RNG = np.random.default_rng(23)
check = fixed_check(80)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def coarse(*shape):
    """Numbers that lie apart: rounding to 16 bits changes no comparison."""
    return (RNG.integers(-8, 9, shape) / np.float32(4)).astype(np.float32)


@pytest.mark.parametrize("asked", ["IsNaN", "IsInf"])
def test_no_number_is_infinite(asked, tmp_path):
    """As guards of attention masks: what stands in the place of NaN or infinity never does; alone, on the way to an output, and as an output."""
    nodes = [node("Mul", "x x", "m"), node(asked, "m", "q"), node("Where", "q c m", "y"), node("Not", "q", "n"), node("And", "n t", "k"), node("Less", "x c", "t")]
    nodes = nodes[:4] + nodes[5:] + nodes[4:5]
    check(tmp_path, nodes, {"c": np.float32(0.3)}, opset=20, outputs=("y", "k"), x=real(4, 5))
    check_fixed(tmp_path, node(asked, "x"), opset=20, fewest=1, x=real(4, 5))
    check_fixed(tmp_path, [node(asked, "x", "q"), node("Not", "q", "n")], opset=20, outputs=("n",), fewest=1, x=real(4, 5))
    check_fixed(tmp_path, [node("Equal", "x far", "q"), node("Not", "q", "n")], {"far": np.full((1, 1, 1), np.inf, np.float32)}, opset=20, outputs=("n",), fewest=1, x=real(4, 5))


COMPARISONS = ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("a,b", [((3, 4, 5), (3, 4, 5)), ((2, 1, 4, 5), (3, 1, 5)), ((2, 3, 2, 3, 4, 5), (3, 1, 1, 4, 1))])
def test_comparison(op, a, b, tmp_path):
    feeds = {"a": coarse(*a), "b": coarse(*b)}
    for x in feeds.values():
        x.flat[:3] = [2, -2, 0.25] # one range, so equal numbers become equal integers
    check(tmp_path, [node(op, "a b", "t"), node("Where", "t a c", "y")], {"c": np.float32(5)}, **feeds)


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("constant", [0.25, 1.3, 3.0])
@pytest.mark.parametrize("order", ["x c", "c x"])
def test_comparison_with_a_constant(op, constant, order, tmp_path):
    """Equal numbers stay equal; a constant outside the range of the other stays outside."""
    x = coarse(3, 4, 5)
    x.flat[:3] = [2, -2, 0.25]
    nodes = [node(op, order, "t"), node("Cast", "t", "f", to=TensorProto.FLOAT), node("Add", "f x", "y")]
    check(tmp_path, nodes, {"c": np.float32(constant)}, x=x)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
@pytest.mark.parametrize("a,b", [((3, 4, 5), (3, 4, 5)), ((2, 3, 2, 3, 4, 5), (3, 1, 1, 4, 1))])
def test_logic(op, a, b, tmp_path):
    nodes = [node("Greater", "a c", "p"), node("Less", "b c", "q"), node("Not", "q", "r"), node(op, "p r", "t"), node("Cast", "t", "f", to=TensorProto.FLOAT), node("Mul", "f a", "y")]
    check(tmp_path, nodes, {"c": np.float32(0.3)}, a=coarse(*a), b=coarse(*b))


@pytest.mark.parametrize("t,a,b", [((3, 4, 5), (3, 4, 5), (3, 4, 5)), ((1, 4, 1), (2, 3, 1, 5), (5,)), ((2, 1, 2, 1, 4, 5), (3, 1, 3, 1, 1), (1,))])
def test_where(t, a, b, tmp_path):
    """With numbers of two scales."""
    check(tmp_path, [node("Greater", "t c", "p"), node("Where", "p a b", "y")], {"c": np.float32(0.1)}, 60, t=coarse(*t), a=real(*a), b=real(*b) * np.float32(9))


def test_truth_as_output(tmp_path):
    """A byte for each element; a shape that moves is moved as it is."""
    nodes = [node("Less", "x c", "t"), node("Transpose", "t", "u", perm=[1, 0, 2]), node("Reshape", "u s", "y")]
    check(tmp_path, nodes, {"c": np.float32(0.3), "s": np.array([4, 15])}, x=coarse(3, 4, 5))


def test_real_to_truth(tmp_path):
    check(tmp_path, [node("Relu", "x", "r"), node("Cast", "r", "t", to=TensorProto.BOOL), node("Cast", "t", "y", to=TensorProto.FLOAT)], x=coarse(3, 4, 5))


def test_shared_constant(tmp_path):
    """One constant that two operators read in scales of their own keeps its name once."""
    nodes = [node("Concat", "x k", "a", axis=0), node("Mul", "x k", "b"), node("Concat", "b k", "c", axis=0), node("Concat", "a c", "y", axis=0)]
    check(tmp_path, nodes, {"k": real(3, 4)}, 60, x=real(3, 4))
