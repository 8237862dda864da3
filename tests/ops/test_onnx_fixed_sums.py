"""Operators that add up, in fixed point: signal to noise against the float model; fixed and offline agree bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from support import decibel, fixed_check, model, node, quantized, save  # noqa: E402

RNG = np.random.default_rng(11)
check = fixed_check(50)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


# ---- transposed convolution ----

DECONVS = [  # input, weights [ci, co/group, kh, kw], attributes
    ((1, 3, 5, 6), (3, 4, 3, 3), {}),
    ((2, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((1, 3, 5, 6), (3, 20, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 3, 5, 6), (3, 4, 2, 2), {"strides": [2, 2]}),
    ((1, 3, 5, 6), (3, 4, 2, 3), {"strides": [3, 4]}),
    ((1, 3, 5, 6), (3, 4, 3, 2), {"strides": [3, 2], "dilations": [2, 3], "pads": [0, 2, 1, 0]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [4, 6], "dilations": [2, 4], "output_padding": [3, 2]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 3], "pads": [5, 4, 3, 5]}),
    ((1, 3, 5, 6), (3, 4, 5, 5), {"pads": [4, 5, 4, 3]}),
    ((1, 4, 5, 6), (4, 3, 3, 3), {"group": 2, "strides": [2, 1], "pads": [1, 1, 0, 1]}),
    ((1, 6, 5, 6), (6, 1, 4, 4), {"group": 6, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 20, 5, 6), (20, 1, 3, 3), {"group": 20, "strides": [3, 3], "dilations": [2, 1]}),
    ((1, 3, 1, 1), (3, 4, 2, 2), {"strides": [4, 4], "pads": [1, 1, 0, 0], "output_padding": [3, 3]}),
    ((1, 3, 1, 1), (3, 4, 4, 5), {"strides": [7, 7], "output_padding": [2, 3]}),
    ((2, 4, 9), (4, 3, 4), {"strides": [2], "pads": [1, 1]}),
]


@pytest.mark.parametrize("x,w,attrs", DECONVS)
@pytest.mark.parametrize("wide", [False, True])
def test_convtranspose(x, w, attrs, wide, tmp_path):
    inits = {"w": real(*w), "b": real(w[1] * attrs.get("group", 1))}
    check(tmp_path, node("ConvTranspose", "x w b", **attrs), inits, 80 if wide else 40, args=["--wide"] if wide else [], x=real(*x) + np.float32(0.5))


def test_convtranspose_between(tmp_path):
    """8 bit on both sides, an activation, a concatenation that takes the interleaved pixels in place, a residual addition."""
    inits = {"w": real(4, 3, 3, 3), "u": real(4, 5, 2, 2), "b": real(5), "v": real(6, 10, 1, 1)}
    nodes = [node("Conv", "x w", "c", pads=[1] * 4), node("Relu", "c", "r"), node("ConvTranspose", "r u b", "d", strides=[2, 2]), node("Clip", "d lo hi", "e"),
             node("Concat", "e e", "f", axis=1), node("Conv", "f v", "g"), node("Add", "d d", "h")]
    check(tmp_path, nodes, inits | {"lo": np.float32(0), "hi": np.float32(6)}, 34, outputs=("g", "h"), x=real(1, 3, 6, 7))


@pytest.mark.parametrize("wide", [False, True])
def test_rows(wide, tmp_path):
    inits = {"w": real(4, 3, 3), "b": real(4), "v": real(6, 1, 5), "d": real(4, 6, 2)}
    nodes = [node("Conv", "x w b", "c", pads=[1, 1]), node("Relu", "c", "r"), node("ConvTranspose", "r d", "t", strides=[2]), node("Conv", "t v", "y", group=6, pads=[2, 2])]
    check(tmp_path, nodes, inits, 75 if wide else 36, args=["--wide"] if wide else [], x=real(2, 3, 9))


# ---- pools ----

@pytest.mark.parametrize("attrs", [{"kernel_shape": [2, 3], "dilations": [2, 3]}, {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 2], "pads": [2, 1, 2, 1]},
                                   {"kernel_shape": [3, 3], "dilations": [3, 2], "strides": [3, 1], "pads": [2, 1, 1, 2]}, {"kernel_shape": [2, 2], "dilations": [4, 5], "strides": [6, 4], "pads": [1, 1, 1, 1]}])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_dilated_pool(attrs, op, tmp_path):
    check(tmp_path, node(op, "x", **attrs), least=80, opset=19, x=real(2, 3, 12, 13))


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pool_1d(op, tmp_path):
    check(tmp_path, node(op, "x", kernel_shape=[3], strides=[2], pads=[1, 1]), least=80, x=real(2, 3, 12))


@pytest.mark.parametrize("op", ["GlobalMaxPool", "GlobalAveragePool"])
@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (2, 3, 7), (2, 3, 2, 3, 4), (1, 3, 300, 301), (1, 3, 1, 5000)])
def test_global_pool(op, shape, tmp_path):
    check(tmp_path, node(op, "x"), least=80, x=real(*shape) + np.arange(shape[1], dtype=np.float32).reshape(-1, *[1] * (len(shape) - 2)))


# ---- reductions ----

AXES = [((2, 3, 4, 5), [2, 3]), ((2, 3, 4, 5), [1]), ((2, 3, 4, 5), [0, 3]), ((2, 3, 4, 20), [1, 2]), ((4, 5), [0]), ((1, 70000), [1]), ((2, 3, 2, 3, 2, 3), [0, 2, 4]), ((2, 3, 2, 3, 2, 3), [1, 3, 5]),
        ((2, 3, 2, 3, 2, 3, 2), [0, 2, 4, 6]), ((3, 2, 2, 2, 2), [4])]


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("shape,axes", AXES)
def test_reduce(op, shape, axes, tmp_path):
    x = real(*shape) + np.linspace(-1, 1, shape[0] * shape[1], dtype=np.float32).reshape(*shape[:2], *[1] * (len(shape) - 2))
    if shape == (1, 70000):
        x, axes = np.concatenate([x, x + 1]), [1]
    flat = x.reshape(shape[0], -1) if len(shape) > 6 else x  # images have inputs of six dimensions at most
    check(tmp_path, [node("Reshape", "x s", "r"), node(op, "r", axes=axes, keepdims=0)], {"s": np.array(x.shape, np.int64)}, least=75, opset=12, x=flat)


def test_reduce_between(tmp_path):
    """The largest stay 8 bit between convolutions; a mean over a window of a concatenation."""
    inits = {"w": real(4, 3, 3, 3), "v": real(5, 4, 1, 1)}
    nodes = [node("Conv", "x w", "c"), node("ReduceMax", "c", "m", axes=[2]), node("Conv", "m v", "y")]
    check(tmp_path, nodes, inits, 34, opset=12, x=real(1, 3, 6, 7))
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "d"), node("Concat", "d d", "t", axis=1), node("ReduceMean", "d", "m", axes=[1]),
             node("ReduceSum", "d", "n", axes=[2, 3])]
    check(tmp_path, nodes, inits, 70, args=["--wide"], opset=12, outputs=("t", "m", "n"), x=real(1, 3, 6, 7))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_argmax(op, axis, tmp_path):
    x = RNG.permutation(np.linspace(-2, 2, 2 * 3 * 4 * 5)).reshape(2, 3, 4, 5).astype(np.float32)
    for keep in (0, 1):
        check(tmp_path, node(op, "x", axis=axis, keepdims=keep), x=x)
    check(tmp_path, [node(op, "x", "a", axis=axis), node("Transpose", "a", "b", perm=[3, 1, 0, 2]), node("Reshape", "b s")], {"s": np.array([-1], np.int64)}, x=x)


# ---- made of them ----

@pytest.mark.parametrize("axes,keep", [([1], 1), ([0, 2], 0), ([-1], 0), (None, 1), ([2, 3], 1)])
def test_reduce_prod(axes, keep, tmp_path):
    """Products by halves, of odd and even counts; of one element alone too."""
    for shape in ((2, 3, 5, 4), (3, 1, 7, 2)):
        x = np.asarray(RNG.uniform(0.6, 1.6, shape) * RNG.choice([-1, 1], shape), np.float32)
        attr = {} if axes is None else {"axes": axes}
        nodes = [node("ReduceProd", "x", "p", keepdims=keep, **attr), node("Reshape", "p s", "q"), node("Mul", "q k", "y")] # one number alone shows nothing
        check(tmp_path, nodes, {"s": np.array([-1, 1]), "k": np.array([[1, 2]], np.float32)}, least=60, opset=12, x=x)


def test_reduce_prod_over_nothing(tmp_path):
    nodes = [node("Mul", "x x", "z"), node("ReduceProd", "z a", "p", noop_with_empty_axes=1), node("Add", "p x", "y")]
    check(tmp_path, nodes, {"a": np.array([], np.int64)}, opset=18, x=np.asarray(RNG.uniform(-2, 2, (3, 4)), np.float32))


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"])
def test_derived(op, tmp_path):
    x = np.abs(real(2, 3, 4, 5)) + np.linspace(0.5, 2, 6, dtype=np.float32).reshape(2, 3, 1, 1)
    check(tmp_path, node(op, "x", axes=[2, 3]), least=60, opset=12, x=x)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape,axis", [((2, 3, 4, 5), 0), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), 2), ((2, 3, 4, 5), 3), ((6, 7), 0), ((2, 3, 4, 5, 6), 2)])
def test_softmax(op, shape, axis, tmp_path):
    check(tmp_path, node(op, "x", axis=axis), least=60, x=2 * real(*shape))


def test_norms(tmp_path):
    x = real(2, 6, 5, 4)
    k = {"s": real(6) + np.float32(3), "b": real(6), "t": real(4) + np.float32(3), "c": real(4)}
    for n in (node("LayerNormalization", "x t c"), node("InstanceNormalization", "x s b"), node("LpNormalization", "x", axis=1), node("LRN", "x", size=3, alpha=0.5)):
        check(tmp_path, n, k, x=x)
    check(tmp_path, node("GroupNormalization", "x s b", num_groups=3), k, opset=21, x=x)
    check(tmp_path, node("RMSNormalization", "x t"), k, opset=23, x=x)


ROWS = [((2, 5, 64), -1), ((4, 6, 7), 1), ((1, 3, 4, 5), 1), ((2, 3, 4, 20), 3), ((1, 2, 65536), -1), ((2, 3, 2, 3, 2, 3), 4), ((3, 1), -1)]


@pytest.mark.parametrize("shape,axis", ROWS)
@pytest.mark.parametrize("op,opset", [("LayerNormalization", 17), ("RMSNormalization", 23)])
def test_normalized_rows(op, opset, shape, axis, tmp_path):
    """One rounding at the end: what 16 bits can say; a bias of one alone is the only result that a row of one number has."""
    inits = {"s": real(*shape[axis:]), "b": real(*shape[axis:])}
    x = real(*shape) + np.float32(3) * np.arange(shape[0], dtype=np.float32).reshape(-1, *[1] * (len(shape) - 1))
    if shape == (3, 1):
        op, opset = "RMSNormalization", 23
    check(tmp_path, node(op, "x s b" if opset == 17 else "x s", axis=axis), inits, 80, opset=opset, x=x)


@pytest.mark.parametrize("op,opset", [("LayerNormalization", 17), ("RMSNormalization", 23)])
def test_normalized_rows_of_little_variance(op, opset, tmp_path):
    """The range is that of one row; the others vary by a hundred steps of it, far from 0: nothing is lost but what the input's own 16 bits lose."""
    x = np.concatenate([real(1, 96) * 400, real(7, 96) + 300 * (opset == 17)])
    grid = np.abs(x).max() / 32767
    x = (np.rint(x / grid) * grid).astype(np.float32)
    path = save(model([node(op, "x s", "y")], {"x": x}, ["y"], {"s": real(96)}, opset), tmp_path)
    (want,), (got,) = quantized(path, [[x]], tmp_path)
    for row, fixed in zip(want.reshape(8, 96), got.reshape(8, 96)):
        assert decibel(row, fixed) >= 60


def test_group_of_more_numbers_than_fit(tmp_path):
    x = real(1, 2, 200, 400)
    check(tmp_path, node("GroupNormalization", "x s b", num_groups=1), {"s": real(2), "b": real(2)}, opset=21, x=x)


@pytest.mark.parametrize("kind, gates", [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_recurrent(kind, gates, direction, tmp_path):
    """Unrolled: products of 8-bit weights, functions and sums."""
    n = 1 + (direction == "bidirectional")
    inits = {"w": real(n, gates * 8, 6) / 4, "r": real(n, gates * 8, 8) / 4, "b": real(n, gates * 16) / 4}
    check(tmp_path, node(kind, "x w r b", "y h", hidden_size=8, direction=direction), inits, 36, outputs=("y", "h"), x=real(5, 1, 6))


def test_rotary_embedding(tmp_path):
    for interleaved in (0, 1):
        check(tmp_path, node("RotaryEmbedding", "x c s", num_heads=2, interleaved=interleaved), {"c": real(1, 5, 4), "s": real(1, 5, 4)}, 70, opset=23, x=real(1, 5, 16))


def test_moves(tmp_path):
    check(tmp_path, node("DepthToSpace", "x", blocksize=2), least=80, x=real(2, 8, 3, 4))
    check(tmp_path, node("DepthToSpace", "x", blocksize=2, mode="CRD"), least=80, x=real(2, 8, 3, 4))
    check(tmp_path, node("SpaceToDepth", "x", blocksize=2), least=80, x=real(2, 3, 4, 6))
    check(tmp_path, node("CenterCropPad", "x s", axes=[2, 3]), {"s": np.array([4, 9], np.int64)}, 80, opset=18, x=real(2, 3, 6, 7))


def test_resize_by_matrices(tmp_path):
    check(tmp_path, node("Resize", "x _ _ s", mode="cubic", antialias=1), {"s": np.array([1, 2, 5, 4], np.int64)}, 36, opset=18, x=real(1, 2, 9, 8))
