"""Elements and rows taken by indices, in fixed point: signal to noise against the float model; fixed and offline agree bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import helper  # noqa: E402
from support import decibel, model, quantized, save  # noqa: E402

RNG = np.random.default_rng(29)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def node(op, ins, outs="y", **attrs):
    return helper.make_node(op, ["" if i == "_" else i for i in ins.split()], outs.split(), **attrs)


def check(tmp_path, nodes, inits=None, least=80, opset=17, outputs=("y",), **feeds):
    path = save(model(nodes if isinstance(nodes, list) else [nodes], feeds, outputs, inits, opset), tmp_path)
    for want, got in zip(*quantized(path, [[x] for x in feeds.values()], tmp_path)):
        assert want.min() != want.max(), "a test on one number shows nothing"
        assert decibel(want, got) >= least


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("x,axis,index", [((9, 4), 0, (5,)), ((3, 9), 1, (2, 3)), ((2, 3, 9, 2, 2), 2, (3,)), ((2, 9, 3), 1, ()), ((2, 3, 2, 3, 9), -1, (2, 2)), ((2, 2, 9, 6), 2, (2, 4))])
def test_gather_by_an_input(x, axis, index, dtype, tmp_path):
    feeds = {"x": real(*x), "i": np.asarray(RNG.integers(-9, 9, index), dtype)}
    check(tmp_path, node("Gather", "x i", axis=axis), **feeds)


def test_embedding(tmp_path):
    """Rows of a constant by a list of words, on to a product; the list is moved about before."""
    nodes = [node("Reshape", "ids s", "i"), node("Gather", "table i", "e"), node("MatMul", "e w", "p"), node("Softmax", "p", "y", axis=-1)]
    check(tmp_path, nodes, {"table": real(50, 16), "w": real(16, 7), "s": np.array([3, 4])}, 30, ids=np.asarray(RNG.integers(0, 50, (12,)), np.int64))


def test_gather_by_a_position(tmp_path):
    """Of what the graph itself finds: the row of the largest."""
    nodes = [node("ArgMax", "x", "i", axis=1, keepdims=0), node("Gather", "t i", "y")]
    check(tmp_path, nodes, {"t": real(9, 4)}, x=real(5, 9))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather_elements(axis, tmp_path):
    x = real(4, 5, 6)
    shape = [3, 4, 5]
    check(tmp_path, node("GatherElements", "x i", axis=axis), {"i": RNG.integers(-x.shape[axis], x.shape[axis], shape)}, x=x)


@pytest.mark.parametrize("index,batch", [((3, 1), 0), ((2, 5, 2), 0), ((4, 3, 2), 1), ((3, 3), 0)])
def test_gather_nd(index, batch, tmp_path):
    check(tmp_path, node("GatherND", "x i", batch_dims=batch), {"i": RNG.integers(-3, 3, index)}, x=real(4, 5, 6))


@pytest.mark.parametrize("updates", ["input", "constant"])
def test_scatter(updates, tmp_path):
    """The later of two that meet counts."""
    u = real(3, 4, 5)
    feeds = {"x": real(4, 5, 6)} | ({"u": u} if updates == "input" else {})
    inits = {"i": RNG.integers(-4, 4, u.shape)} | ({} if updates == "input" else {"u": u})
    check(tmp_path, node("ScatterElements", "x i u", axis=1), inits, opset=18, **feeds)
    u = real(2, 5, 6)
    feeds, inits = {"x": real(4, 5, 6)} | ({"u": u} if updates == "input" else {}), {"i": np.array([[2], [-1]])} | ({} if updates == "input" else {"u": u})
    check(tmp_path, node("ScatterND", "x i u"), inits, opset=18, **feeds)
