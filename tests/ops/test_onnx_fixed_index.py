"""Elements and rows taken by indices, in fixed point: signal to noise against the float model; fixed and offline agree bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from support import fixed_check, node  # noqa: E402

RNG = np.random.default_rng(29)
check = fixed_check(80)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("x,axis,index", [((9, 4), 0, (5,)), ((3, 9), 1, (2, 3)), ((2, 3, 9, 2, 2), 2, (3,)), ((2, 9, 3), 1, ()), ((2, 3, 2, 3, 9), -1, (2, 2)), ((2, 2, 9, 6), 2, (2, 4))])
def test_gather_by_an_input(x, axis, index, dtype, tmp_path):
    feeds = {"x": real(*x), "i": np.asarray(RNG.integers(-9, 9, index), dtype)}
    check(tmp_path, node("Gather", "x i", axis=axis), **feeds)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_gathered_into_a_part(axis, tmp_path):
    """Lists of lists of indices, the result a part of a concatenation: it is copied there where it cannot be made there."""
    nodes = [node("Gather", "x i", "g", axis=1), node("Concat", "g other", "y", axis=axis)]
    shape = [2, 3, 2, 6]
    shape[axis] = 5
    check(tmp_path, nodes, x=real(2, 4, 6), i=np.asarray(RNG.integers(-4, 4, (3, 2)), np.int64), other=real(*shape))


def test_nothing_beside_something(tmp_path):
    """The part behind a rotation's last number has no elements where all of them are rotated."""
    nodes = [node("Split", "x sizes", "a b", axis=1), node("Relu", "a", "c"), node("Concat", "b c b", "y", axis=1)]
    check(tmp_path, nodes, {"sizes": np.array([6, 0])}, x=real(2, 6, 3))


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


@pytest.mark.parametrize("axis", [0, 2, 4])
def test_gather_elements_by_an_input(axis, tmp_path):
    """In more dimensions than a window has, and not as far along the others as x reaches."""
    x = real(3, 2, 4, 2, 5)
    check(tmp_path, node("GatherElements", "x i", axis=axis), x=x, i=RNG.integers(-x.shape[axis], x.shape[axis], [2, 2, 3, 1, 4]))


@pytest.mark.parametrize("op", ["Softmax", "ArgMax", "CumSum", "TopK"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3, 4])
def test_along_any_axis(op, axis, tmp_path):
    x = real(3, 2, 4, 3, 5)
    if op == "CumSum":
        nodes = node(op, "x a")
    else:
        nodes = node(op, "x k", "y i", axis=axis) if op == "TopK" else node(op, "x", axis=axis)
    check(tmp_path, nodes, {"a": np.array(axis), "k": np.array([2])}, 60, x=x)


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


@pytest.mark.parametrize("index,batch", [((3, 1), 0), ((2, 5, 2), 0), ((4, 3, 2), 1), ((3, 3), 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
def test_gather_nd_by_an_input(index, batch, dtype, tmp_path):
    x = real(4, 5, 6) if dtype == np.float32 else np.asarray(RNG.integers(0, 200, (4, 5, 6)), dtype)
    check(tmp_path, node("GatherND", "x i", batch_dims=batch), x=x, i=np.asarray(RNG.integers(-3, 3, index), np.int64))


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("indices", ["input", "constant"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_scatter_meets(reduction, indices, dtype, tmp_path):
    """Several updates of one element, among them."""
    def numbers(*shape):
        return real(*shape) if dtype == np.float32 else np.asarray(RNG.integers(-9, 9, shape), dtype)
    attr = {} if reduction == "none" else {"reduction": reduction}
    # products on the way are stored in the result's own scale
    once = np.argsort(RNG.random((4, 5, 6)), axis=0) if reduction == "mul" else RNG.integers(-4, 4, (6, 5, 4))
    few = np.array([[2], [-1], [0], [1]] if reduction == "mul" else [[2], [-1], [2], [2]])
    for op, x, i, u, more in (("ScatterElements", numbers(4, 5, 6), once, numbers(*once.shape), {"axis": 0}),
                              ("ScatterND", numbers(4, 5, 6), few, numbers(4, 5, 6), {}),
                              ("ScatterND", numbers(4, 5, 6), np.stack([np.arange(-2, 2), np.arange(4), np.arange(2, 6)], axis=1), numbers(4), {})):
        feeds, inits = {"x": x, "u": u}, {}
        (feeds if indices == "input" else inits)["i"] = np.asarray(i, np.int64)
        check(tmp_path, node(op, "x i u", **attr, **more), inits, 70, opset=18, **feeds)


def test_counts(tmp_path):
    """How many of a list are each number: ones added where it points."""
    check(tmp_path, node("ScatterElements", "zero i one", reduction="add"), {"zero": np.zeros(9, np.int32), "one": np.ones(40, np.int32)}, opset=18, i=np.asarray(RNG.integers(0, 9, 40), np.int64))


@pytest.mark.parametrize("axis,largest", [(0, 1), (1, 1), (1, 0), (2, 1), (-1, 0)])
def test_topk(axis, largest, tmp_path):
    """Values, places, and what the places point to in another tensor."""
    x = (RNG.permutation(4 * 9 * 6).reshape(4, 9, 6) / np.float32(50)).astype(np.float32)
    nodes = [node("TopK", "x k", "y i", axis=axis, largest=largest), node("GatherElements", "z i", "w", axis=axis)]
    check(tmp_path, nodes, {"k": np.array([4])}, outputs=("y", "i", "w"), x=x, z=real(4, 9, 6))


def test_detections(tmp_path):
    """As detectors without suppression end: the best scores, and the boxes that belong to them."""
    nodes = [node("ReduceMax", "scores", "best", axes=[-1], keepdims=0), node("TopK", "best k", "s i", axis=1), node("Unsqueeze", "i two", "u"), node("Expand", "u four", "j"),
             node("GatherElements", "boxes j", "b", axis=1)]
    scores = (RNG.permutation(60 * 5).reshape(1, 60, 5) / np.float32(300)).astype(np.float32)
    check(tmp_path, nodes, {"k": np.array([7]), "two": np.array([2]), "four": np.array([1, 7, 4])}, outputs=("s", "b"), scores=scores, boxes=real(1, 60, 4))


POOLS = [{"kernel_shape": [3, 2], "strides": [2, 2]}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, {"kernel_shape": [2, 2], "dilations": [2, 3]},
         {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 1}, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}]


@pytest.mark.parametrize("attrs", POOLS)
def test_places_of_maxima(attrs, tmp_path):
    x = RNG.permutation(np.linspace(-2, 2, 2 * 3 * 7 * 8)).astype(np.float32).reshape(2, 3, 7, 8)  # apart: rounding changes no order
    check(tmp_path, node("MaxPool", "x", "y i", **attrs), outputs=("y", "i"), x=x)


def test_places_of_maxima_of_rows(tmp_path):
    x = RNG.permutation(np.linspace(-2, 2, 54)).astype(np.float32).reshape(2, 3, 9)
    check(tmp_path, node("MaxPool", "x", "y i", kernel_shape=[3], strides=[2]), outputs=("y", "i"), x=x)


@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (2, 3, 8)])
def test_pooled_and_back(shape, tmp_path):
    """Into a tensor of the same size, and into a larger one; what is not hit is zero."""
    k = {"kernel_shape": [2] * (len(shape) - 2), "strides": [2] * (len(shape) - 2)}
    x = RNG.permutation(np.linspace(-2, 2, int(np.prod(shape)))).astype(np.float32).reshape(shape)
    nodes = [node("MaxPool", "x", "p i", **k), node("MaxUnpool", "p i", "y", **k), node("MaxUnpool", "p i s", "z", **k)]
    check(tmp_path, nodes, {"s": np.array([2, 3] + [n + 1 for n in shape[2:]])}, outputs=("y", "z"), x=x)


def test_decoder_by_the_encoders_places(tmp_path):
    """As segmentation networks do; what is unpooled goes into a convolution of 8 bits."""
    k = {"kernel_shape": [2, 2], "strides": [2, 2]}
    x = RNG.permutation(np.linspace(-2, 2, 6 * 16 * 12)).astype(np.float32).reshape(1, 6, 16, 12)
    nodes = [node("MaxPool", "x", "p i", **k), node("Conv", "p w", "c", pads=[1] * 4), node("Relu", "c", "d"), node("MaxUnpool", "d i", "u", **k),
             node("Conv", "u z", "y", pads=[1] * 4)]
    check(tmp_path, nodes, {"w": real(6, 6, 3, 3), "z": real(4, 6, 3, 3)}, 30, x=x)


@pytest.mark.parametrize("centre", [0, 1])
@pytest.mark.parametrize("most,overlap,score", [(3, 0.2, 0.3), (50, 0.6, 0.3), (20, 0.5, None), (4, None, 0.1)])
def test_boxes_that_overlap(centre, most, overlap, score, tmp_path):
    if centre:
        boxes = np.concatenate([RNG.uniform(0, 6, (2, 20, 2)), RNG.uniform(0.5, 3, (2, 20, 2))], 2)
    else:
        boxes = np.sort(RNG.uniform(0, 6, (2, 20, 2, 2)), axis=2).reshape(2, 20, 4)
    scores = RNG.permutation(np.linspace(0, 1, 120)).reshape(2, 3, 20)  # apart: rounding changes no order
    inits = {"m": np.array([most]), "o": np.array([overlap or 0], np.float32), "s": np.array([score or 0], np.float32)}
    ins = "b c m " + ("_" if overlap is None else "o") + (" s" if score is not None else "")
    check(tmp_path, node("NonMaxSuppression", ins, center_point_box=centre), inits, b=boxes.astype(np.float32), c=scores.astype(np.float32))


def test_a_detectors_tail(tmp_path):
    """The best boxes' coordinates by the rows that are chosen; -1 where none are takes the last."""
    scores = RNG.permutation(np.linspace(0, 1, 40)).astype(np.float32).reshape(1, 2, 20)
    boxes = np.sort(RNG.uniform(0, 300, (1, 20, 2, 2)), axis=2).astype(np.float32).reshape(1, 20, 4)
    nodes = [node("NonMaxSuppression", "b c m o", "rows", center_point_box=0), node("Gather", "rows two", "which", axis=1), node("Squeeze", "which one", "w"),
             node("Gather", "b w", "found", axis=1)]
    inits = {"m": np.array([5]), "o": np.array([0.4], np.float32), "two": np.array([2]), "one": np.array([1])}
    check(tmp_path, nodes, inits, outputs=("rows", "found"), b=boxes, c=scores)
