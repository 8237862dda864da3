"""TensorFlow's operators, one a graph, against numpy."""
import itertools

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import tf_support as tf  # noqa: E402
from tf_support import QINT8, QUINT8, Type, const, node, placeholder, run  # noqa: E402

RNG = np.random.default_rng(7)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def ints(*v, dtype=np.int32):
    return np.array(v, dtype)


# ---- what windows give ----

def padding(how, size, kernel, stride, dilation):
    """Before and after, of one axis."""
    if isinstance(how, tuple):
        return how
    if how == "VALID":
        return 0, 0
    need = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return need // 2, need - need // 2


def windows(x, kernel, stride, dilation, how, fill=0.0):
    """[n, h, w, kh, kw, c] of a picture."""
    pads = [padding(how if isinstance(how, str) else how[i], x.shape[1 + i], kernel[i], stride[i], dilation[i]) for i in range(2)]
    x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    out = [(x.shape[1 + i] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1 for i in range(2)]
    y = np.empty((x.shape[0], *out, *kernel, x.shape[3]), np.float64)
    for i, j in itertools.product(range(out[0]), range(out[1])):
        a, b = i * stride[0], j * stride[1]
        y[:, i, j] = x[:, a:a + (kernel[0] - 1) * dilation[0] + 1:dilation[0], b:b + (kernel[1] - 1) * dilation[1] + 1:dilation[1]]
    return y


def conv(x, w, stride=(1, 1), dilation=(1, 1), how="SAME"):
    groups = x.shape[3] // w.shape[2]
    parts = [np.einsum("nhwijc,ijco->nhwo", windows(xs, w.shape[:2], stride, dilation, how), ws)
             for xs, ws in zip(np.split(x, groups, 3), np.split(w, groups, 3))]
    return np.concatenate(parts, 3)


def depthwise(x, w, stride=(1, 1), dilation=(1, 1), how="SAME"):
    y = np.einsum("nhwijc,ijcm->nhwcm", windows(x, w.shape[:2], stride, dilation, how), w)
    return y.reshape(*y.shape[:3], -1)


def deconv(x, w, size, stride, how):
    """The transpose of a convolution, a pixel of x at a time."""
    pads = [padding(how, size[i], w.shape[i], stride[i], 1) for i in range(2)]
    y = np.zeros((x.shape[0], size[0] + sum(pads[0]) + w.shape[0], size[1] + sum(pads[1]) + w.shape[1], w.shape[2]))
    for i, j in itertools.product(range(x.shape[1]), range(x.shape[2])):
        a, b = i * stride[0], j * stride[1]
        y[:, a:a + w.shape[0], b:b + w.shape[1]] += np.einsum("nc,ijoc->nijo", x[:, i, j], w)
    return y[:, pads[0][0]:pads[0][0] + size[0], pads[1][0]:pads[1][0] + size[1]]


def average(x, kernel, stride, how):
    total, count = windows(x, kernel, stride, (1, 1), how), windows(np.ones_like(x), kernel, stride, (1, 1), how)
    return total.sum((3, 4)) / count.sum((3, 4))


def first(x):
    return np.moveaxis(x, 3, 1)


def resized(x, size, corners=False, half=False, nearest=False):
    def place(n, m):
        o = np.arange(m)
        s = (n - 1) / (m - 1) if corners and m > 1 else n / m
        return (o + 0.5) * s - (0 if nearest else 0.5) if half else o * s
    h, w = (place(x.shape[1 + i], size[i]) for i in range(2))
    if nearest:
        rows, cols = ((np.floor(v + 0.5) if corners else np.floor(v)).astype(int).clip(0, n - 1) for v, n in ((h, x.shape[1]), (w, x.shape[2])))
        return x[:, rows][:, :, cols]
    def line(x, axis, at):
        n = x.shape[axis]
        lo = np.floor(at)
        t = (at - lo).reshape([-1 if i == axis else 1 for i in range(4)])
        a, b = (np.take(x, (lo + k).astype(int).clip(0, n - 1), axis) for k in (0, 1))
        return a + (b - a) * t
    return line(line(x.astype(np.float64), 1, h), 2, w)


def blocks(x, b):
    n, h, w, c = x.shape
    return x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


def dealt(x, block, pads):
    x = np.pad(x, [(0, 0), *pads] + [(0, 0)] * (x.ndim - 1 - len(pads)))
    parts = [x[(slice(None), *(slice(o, None, b) for o, b in zip(at, block)))] for at in itertools.product(*map(range, block))]
    return np.concatenate(parts)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lrn(x, r, bias, alpha, beta):
    s = np.stack([(x[..., max(0, c - r):c + r + 1] ** 2).sum(-1) for c in range(x.shape[-1])], -1)
    return x / (bias + alpha * s) ** beta


X, P, Q = numbers(2, 3, 4), numbers(1, 7, 6, 4), np.abs(numbers(2, 3, 4)) + 0.1
W, D, G = numbers(3, 2, 4, 5), numbers(3, 3, 4, 1), numbers(3, 3, 2, 6)
STRIDES, ONES = [1, 2, 2, 1], [1, 1, 1, 1]
# name: (operator, inputs: an array is fed, a list of one is a constant, attributes, expected)
CASES = {
    "conv same": ("Conv2D", [P, [W]], dict(strides=ONES, padding="SAME"), conv(P, W)),
    "conv valid": ("Conv2D", [P, [W]], dict(strides=STRIDES, padding="VALID"), conv(P, W, (2, 2), how="VALID")),
    "conv same, stride": ("Conv2D", [P, [W]], dict(strides=[1, 2, 3, 1], padding="SAME", data_format="NHWC"), conv(P, W, (2, 3))),
    "conv dilated": ("Conv2D", [P, [W]], dict(strides=ONES, dilations=[1, 2, 3, 1], padding="SAME"), conv(P, W, dilation=(2, 3))),
    "conv explicit": ("Conv2D", [P, [W]], dict(strides=STRIDES, padding="EXPLICIT", explicit_paddings=[0, 0, 2, 1, 0, 1, 0, 0]), conv(P, W, (2, 2), how=((2, 1), (0, 1)))),
    "conv groups": ("Conv2D", [P, [G]], dict(strides=ONES, padding="SAME"), conv(P, G)),
    "conv a channel each": ("Conv2D", [P, [D.reshape(3, 3, 1, 4)]], dict(strides=ONES, padding="SAME"), depthwise(P, D)),
    "conv first": ("Conv2D", [first(P), [W]], dict(strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW"), first(conv(P, W, (2, 2)))),
    "depthwise": ("DepthwiseConv2dNative", [P, [D]], dict(strides=STRIDES, padding="SAME"), depthwise(P, D, (2, 2))),
    "depthwise dilated": ("DepthwiseConv2dNative", [P, [D]], dict(strides=ONES, dilations=[1, 2, 2, 1], padding="VALID"), depthwise(P, D, dilation=(2, 2), how="VALID")),
    "depthwise, two each": ("DepthwiseConv2dNative", [P, [G.reshape(3, 3, 4, 3)]], dict(strides=ONES, padding="SAME"), depthwise(P, G.reshape(3, 3, 4, 3))),
    "deconv same": ("Conv2DBackpropInput", [[ints(1, 13, 12, 5)], [numbers(3, 3, 5, 4)], P], dict(strides=STRIDES, padding="SAME"), None),
    "deconv valid": ("Conv2DBackpropInput", [[ints(1, 16, 13, 5)], [numbers(3, 3, 5, 4)], P], dict(strides=STRIDES, padding="VALID"), None),
    "bias": ("BiasAdd", [P, [numbers(4)]], {}, None),
    "bias first": ("BiasAdd", [first(P), [numbers(4)]], dict(data_format="NCHW"), None),
    "max same": ("MaxPool", [P], dict(ksize=[1, 3, 2, 1], strides=STRIDES, padding="SAME"), windows(P, (3, 2), (2, 2), (1, 1), "SAME", -np.inf).max((3, 4))),
    "max valid": ("MaxPool", [P], dict(ksize=[1, 2, 2, 1], strides=STRIDES, padding="VALID"), windows(P, (2, 2), (2, 2), (1, 1), "VALID").max((3, 4))),
    "max first": ("MaxPool", [first(P)], dict(ksize=[1, 1, 3, 2], strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW"),
                  first(windows(P, (3, 2), (2, 2), (1, 1), "SAME", -np.inf).max((3, 4)))),
    "average same": ("AvgPool", [P], dict(ksize=[1, 3, 3, 1], strides=STRIDES, padding="SAME"), average(P, (3, 3), (2, 2), "SAME")),
    "average all": ("AvgPool", [P], dict(ksize=[1, 7, 6, 1], strides=ONES, padding="VALID"), P.mean((1, 2), keepdims=True)),
    "lrn": ("LRN", [P], dict(depth_radius=1, bias=2.0, alpha=0.5, beta=0.75), lrn(P, 1, 2, 0.5, 0.75)),
    "depth to space": ("DepthToSpace", [P], dict(block_size=2), None),
    "depth to space first": ("DepthToSpace", [first(P)], dict(block_size=2, data_format="NCHW"), None),
    "space to depth": ("SpaceToDepth", [P[:, :6]], dict(block_size=2), blocks(P[:, :6], 2)),
    "deal": ("SpaceToBatchND", [P, [ints(2, 3)], [np.int32([[1, 2], [0, 3]])]], {}, dealt(P, (2, 3), [(1, 2), (0, 3)])),
    "deal a row": ("SpaceToBatchND", [X, [ints(2)], [np.int32([[1, 0]])]], {}, dealt(X, (2,), [(1, 0)])),
    "deal, older": ("SpaceToBatch", [P[:, :6], [np.int32([[0, 0], [1, 1]])]], dict(block_size=2), dealt(P[:, :6], (2, 2), [(0, 0), (1, 1)])),
    "collect": ("BatchToSpaceND", [numbers(4, 3, 2, 2), [ints(2, 2)], [np.int32([[1, 0], [0, 1]])]], {}, None),
    "bilinear": ("ResizeBilinear", [P, [ints(9, 5)]], dict(align_corners=False), resized(P, (9, 5))),
    "bilinear corners": ("ResizeBilinear", [P, [ints(13, 11)]], dict(align_corners=True), resized(P, (13, 11), corners=True)),
    "bilinear half": ("ResizeBilinear", [P, [ints(14, 12)]], dict(half_pixel_centers=True), resized(P, (14, 12), half=True)),
    "nearest": ("ResizeNearestNeighbor", [P, [ints(10, 5)]], {}, resized(P, (10, 5), nearest=True)),
    "nearest corners": ("ResizeNearestNeighbor", [P, [ints(13, 11)]], dict(align_corners=True), resized(P, (13, 11), True, nearest=True)),
    "nearest half": ("ResizeNearestNeighbor", [P, [ints(14, 9)]], dict(half_pixel_centers=True), resized(P, (14, 9), half=True, nearest=True)),
    # ---- elementwise ----
    "add": ("Add", [X, [numbers(4)]], {}, None),
    "addv2": ("AddV2", [X, numbers(3, 1)], {}, None),
    "addn": ("AddN", [X, numbers(2, 3, 4), numbers(2, 3, 4)], {}, None),
    "sub": ("Sub", [[np.float32(1)], X], {}, None),
    "mul": ("Mul", [X, X + 1], {}, X * (X + 1)),
    "div": ("RealDiv", [X, Q], {}, X / Q),
    "floor div": ("FloorDiv", [X, Q], {}, np.floor(X / Q)),
    "floor div, integers": ("FloorDiv", [np.int32([[7, -7, 8, -1]]), [ints(2)]], {}, np.int32([[3, -4, 4, -1]])),
    "floor mod": ("FloorMod", [np.int32([[7, -7, 8, -1]]), [ints(3)]], {}, np.int32([[1, 2, 2, 2]])),
    "floor mod, real": ("FloorMod", [X, Q], {}, np.mod(X.astype(np.float64), Q)),
    "mod": ("Mod", [np.int32([[7, -7, 8, -1]]), [ints(3)]], {}, np.int32([[1, -1, 2, -1]])),
    "maximum": ("Maximum", [X, [np.float32(0.1)]], {}, np.maximum(X, 0.1)),
    "minimum": ("Minimum", [X, numbers(4)], {}, None),
    "difference": ("SquaredDifference", [X, [np.float32(0.5)]], {}, (X - 0.5) ** 2),
    "square": ("Square", [X], {}, X * X),
    "sqrt": ("Sqrt", [Q], {}, np.sqrt(Q)),
    "rsqrt": ("Rsqrt", [Q], {}, 1 / np.sqrt(Q)),
    "inv": ("Inv", [Q], {}, 1 / Q),
    "pow": ("Pow", [Q, [np.float32(1.5)]], {}, Q ** 1.5),
    "exp": ("Exp", [X], {}, np.exp(X)),
    "log": ("Log", [Q], {}, np.log(Q)),
    "log1p": ("Log1p", [Q], {}, np.log1p(Q)),
    "expm1": ("Expm1", [X], {}, np.expm1(X)),
    "neg": ("Neg", [X], {}, -X),
    "abs": ("Abs", [X], {}, abs(X)),
    "sign": ("Sign", [X], {}, np.sign(X)),
    "floor": ("Floor", [3 * X], {}, np.floor(3 * X)),
    "ceil": ("Ceil", [3 * X], {}, np.ceil(3 * X)),
    "round": ("Round", [np.float32([[0.5, 1.5, -0.5, 2.2]])], {}, np.float32([[0, 2, -0, 2]])),
    "rint": ("Rint", [np.float32([[0.5, 1.5, -0.5, 2.2]])], {}, np.float32([[0, 2, -0, 2]])),
    "relu": ("Relu", [X], {}, np.maximum(X, 0)),
    "relu6": ("Relu6", [5 * X], {}, np.clip(5 * X, 0, 6)),
    "clip": ("ClipByValue", [X, [np.float32(-0.5)], [np.float32(0.25)]], {}, np.clip(X, -0.5, 0.25)),
    "elu": ("Elu", [X], {}, np.where(X > 0, X, np.expm1(X))),
    "selu": ("Selu", [X], {}, 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * np.expm1(X))),
    "leaky": ("LeakyRelu", [X], dict(alpha=0.3), np.where(X > 0, X, np.float32(0.3) * X)),
    "leaky, as it is": ("LeakyRelu", [X], {}, np.where(X > 0, X, np.float32(0.2) * X)),
    "sigmoid": ("Sigmoid", [X], {}, 1 / (1 + np.exp(-X.astype(np.float64)))),
    "tanh": ("Tanh", [X], {}, np.tanh(X)),
    "softplus": ("Softplus", [X], {}, np.log1p(np.exp(X))),
    "softsign": ("Softsign", [X], {}, X / (1 + abs(X))),
    "softmax": ("Softmax", [X], {}, softmax(X)),
    "log softmax": ("LogSoftmax", [X], {}, np.log(softmax(X.astype(np.float64)))),
    # ---- truth values ----
    "equal": ("Equal", [np.int32([[1, 2], [3, 4]]), [ints(1, 4)]], {}, np.array([[True, False], [False, True]])),
    "not equal": ("NotEqual", [np.int32([[1, 2], [3, 4]]), [ints(1, 4)]], {}, np.array([[False, True], [True, False]])),
    "less": ("Less", [X, [np.float32(0)]], {}, X < 0),
    "less equal": ("LessEqual", [X, [X]], {}, X <= X),
    "greater": ("Greater", [X, [np.float32(0)]], {}, X > 0),
    "greater equal": ("GreaterEqual", [X, [np.float32(0)]], {}, X >= 0),
    "and": ("LogicalAnd", [X > 0, X < 1], {}, (X > 0) & (X < 1)),
    "or": ("LogicalOr", [X > 0, X < -1], {}, (X > 0) | (X < -1)),
    "not": ("LogicalNot", [X > 0], {}, X <= 0),
    "select": ("SelectV2", [X > 0, X, [np.float32(7)]], {}, np.where(X > 0, X, 7)),
    "select a row": ("Select", [np.array([True, False]), X, [X + 9]], {}, np.where(np.array([True, False])[:, None, None], X, X + 9)),
    "all": ("All", [X > -1, [ints(1)]], {}, (X > -1).all(1)),
    "any": ("Any", [X > 1, [ints(0, 2)]], dict(keep_dims=True), (X > 1).any((0, 2), keepdims=True)),
    # ---- reductions ----
    "mean": ("Mean", [P, [ints(1, 2)]], dict(keep_dims=False), P.mean((1, 2))),
    "sum": ("Sum", [X, [ints(-1)]], dict(keep_dims=True), X.sum(-1, keepdims=True)),
    "sum of none": ("Sum", [X, [np.zeros(0, np.int32)]], {}, X),
    "max": ("Max", [X, [np.int32(1)]], {}, X.max(1)),
    "min": ("Min", [X, [ints(0, 1, 2)]], {}, X.min()),
    "prod": ("Prod", [X, [ints(1)]], {}, X.prod(1)),
    "argmax": ("ArgMax", [X, [np.int32(2)]], {}, X.argmax(2)),
    "argmin": ("ArgMin", [X, [np.int32(-2)]], dict(output_type=Type(3)), X.argmin(1)),
    "top": ("TopKV2", [X, [np.int32(2)]], {}, -np.sort(-X, -1)[..., :2]),
    "cumsum": ("Cumsum", [X, [np.int32(1)]], dict(reverse=True), X[:, ::-1].cumsum(1)[:, ::-1]),
    # ---- products ----
    "product": ("MatMul", [numbers(3, 4), [numbers(4, 5)]], {}, None),
    "product, turned": ("MatMul", [numbers(4, 3), [numbers(5, 4)]], dict(transpose_a=True, transpose_b=True), None),
    "product of two": ("MatMul", [numbers(3, 4), numbers(5, 4)], dict(transpose_b=True), None),
    "products": ("BatchMatMulV2", [numbers(2, 3, 4), numbers(2, 5, 4)], dict(adj_y=True), None),
    "sums of products": ("Einsum", [numbers(2, 3, 4), numbers(4, 5)], dict(equation="abc,cd->abd"), None),
    # ---- shapes ----
    "reshape": ("Reshape", [X, [ints(4, -1)]], {}, X.reshape(4, -1)),
    "squeeze": ("Squeeze", [X[:, :, None, :, None]], dict(squeeze_dims=[2]), X[..., None]),
    "squeeze all": ("Squeeze", [X[:, :, None, :, None]], {}, X),
    "expand": ("ExpandDims", [X, [np.int32(-2)]], {}, X[:, :, None]),
    "transpose": ("Transpose", [X, [ints(2, 0, 1)]], {}, X.transpose(2, 0, 1)),
    "concat": ("ConcatV2", [X, [X + 1], X + 2, [np.int32(-1)]], {}, np.concatenate([X, X + 1, X + 2], -1)),
    "concat, older": ("Concat", [[np.int32(1)], X, [X + 1]], {}, np.concatenate([X, X + 1], 1)),
    "pack": ("Pack", [X, [X + 1]], dict(axis=1), np.stack([X, X + 1], 1)),
    "unpack": ("Unpack", [X], dict(axis=1, num=3), X[:, 0]),
    "split": ("Split", [[np.int32(2)], X], dict(num_split=2), X[..., :2]),
    "split by size": ("SplitV", [X, [ints(1, -1)], [np.int32(1)]], dict(num_split=2), X[:, :1]),
    "slice": ("Slice", [X, [ints(0, 1, 2)], [ints(-1, 2, 1)]], {}, X[:, 1:3, 2:3]),
    "strided": ("StridedSlice", [X, [ints(0, 2, -1)], [ints(2, 0, 0)], [ints(1, -1, -2)]], {}, X[0:2, 2:0:-1, -1:0:-2]),
    "strided, ends": ("StridedSlice", [X, [ints(9, 0, 1)], [ints(9, 2, 9)], [ints(-1, 1, 1)]], dict(begin_mask=3, end_mask=5), X[::-1, :2, 1:]),
    "strided, element": ("StridedSlice", [X, [ints(0, -1)], [ints(0, 0)], [ints(1, 1)]], dict(begin_mask=1, end_mask=1, shrink_axis_mask=2), X[:, -1]),
    "strided, new axis": ("StridedSlice", [X, [ints(0, 0, 1)], [ints(0, 0, 3)], [ints(1, 1, 1)]], dict(begin_mask=1, end_mask=1, new_axis_mask=2), X[:, None, 1:3]),
    "strided, rest": ("StridedSlice", [X, [ints(1, 0, 1)], [ints(2, 0, 3)], [ints(1, 1, 1)]], dict(ellipsis_mask=2), X[1:2, ..., 1:3]),
    "reverse": ("ReverseV2", [X, [ints(0, 2)]], {}, X[::-1, :, ::-1]),
    "pad": ("Pad", [X, [np.int32([[0, 1], [2, 0], [0, 0]])]], {}, np.pad(X, [(0, 1), (2, 0), (0, 0)])),
    "pad with a number": ("PadV2", [X, [np.int32([[0, 1], [2, 0], [0, 0]])], [np.float32(3)]], {}, np.pad(X, [(0, 1), (2, 0), (0, 0)], constant_values=3)),
    "pad, mirror": ("MirrorPad", [X, [np.int32([[0, 0], [2, 1], [0, 3]])]], dict(mode="REFLECT"), np.pad(X, [(0, 0), (2, 1), (0, 3)], "reflect")),
    "pad, mirror with the border": ("MirrorPad", [X, [np.int32([[0, 0], [3, 1], [0, 4]])]], dict(mode="SYMMETRIC"), np.pad(X, [(0, 0), (3, 1), (0, 4)], "symmetric")),
    "tile": ("Tile", [X, [ints(2, 1, 3)]], {}, np.tile(X, (2, 1, 3))),
    "broadcast": ("BroadcastTo", [X[:, :1], [ints(5, 2, 3, 4)]], {}, np.broadcast_to(X[:, :1], (5, 2, 3, 4))),
    "gather": ("Gather", [X, [ints(1, 0, 1)]], {}, X[[1, 0, 1]]),
    "gather along": ("GatherV2", [X, [ints(2, 0)], [np.int32(1)]], {}, X[:, [2, 0]]),
    "gather one": ("GatherV2", [X, [np.int32(1)], [np.int32(-1)]], {}, X[..., 1]),
    "gather by index": ("GatherNd", [X, [np.int32([[0, 2], [1, 1]])]], {}, X[[0, 1], [2, 1]]),
    "one hot": ("OneHot", [np.int32([[1, -1, 3]]), [np.int32(3)], [np.float32(5)], [np.float32(-1)]], {}, np.float32([[[-1, 5, -1], [-1, -1, -1], [-1, -1, -1]]])),
    "cast": ("Cast", [3 * X], dict(DstT=Type(3)), (3 * X).astype(np.int32)),
    "cast to real": ("Cast", [np.int32([[1, -2]])], dict(DstT=Type(19)), np.float32([[1, -2]])),
    "identity": ("StopGradient", [X], {}, X),
    # ---- quantization ----
    "fake": ("FakeQuantWithMinMaxVars", [X, [np.float32(-1)], [np.float32(1.55)]], {}, (np.clip(np.rint(X / 0.01) + 100, 0, 255) - 100) * 0.01),
    "fake, narrow": ("FakeQuantWithMinMaxArgs", [X], dict(min=-1.27, max=1.27, num_bits=8, narrow_range=True), (np.clip(np.rint(X / 0.01) + 128, 1, 255) - 128) * 0.01),
}


def fill_in():
    """What is worked out of the case's own arrays."""
    arrays = {k: [v[0] if isinstance(v, list) else v for v in c[1]] for k, c in CASES.items()}
    for k, how in (("deconv same", "SAME"), ("deconv valid", "VALID")):
        size, w, x = arrays[k]
        yield k, deconv(x, w, size[1:3], (2, 2), how)
    a = arrays["depth to space"][0]
    up = a.reshape(1, 7, 6, 2, 2, 1).transpose(0, 1, 3, 2, 4, 5).reshape(1, 14, 12, 1)
    yield from (("depth to space", up), ("depth to space first", first(up)))
    x = arrays["collect"][0]
    yield "collect", x.reshape(2, 2, 1, 3, 2, 2).transpose(2, 3, 0, 4, 1, 5).reshape(1, 6, 4, 2)[:, 1:, :3]
    for k, f in {"bias": np.add, "add": np.add, "addv2": np.add, "sub": np.subtract, "minimum": np.minimum, "product": np.matmul}.items():
        yield k, f(*arrays[k])
    yield "bias first", np.add(arrays["bias first"][0], arrays["bias first"][1][:, None, None])
    yield "addn", sum(arrays["addn"])
    yield "product, turned", arrays["product, turned"][0].T @ arrays["product, turned"][1].T
    yield "product of two", arrays["product of two"][0] @ arrays["product of two"][1].T
    yield "products", arrays["products"][0] @ arrays["products"][1].swapaxes(1, 2)
    yield "sums of products", arrays["sums of products"][0] @ arrays["sums of products"][1]


EXPECTED = {**{k: c[3] for k, c in CASES.items()}, **dict(fill_in())}


def graph_of(op, inputs, attrs):
    """Nodes, and what is fed."""
    nodes, feeds = [], {}
    for i, v in enumerate(inputs):
        name = f"x{i}"
        if isinstance(v, list):
            nodes.append(const(name, v[0]))
        else:
            nodes.append(placeholder(name, v.shape, tf.DTYPES[v.dtype.name]))
            feeds[name] = v
    return nodes + [node(op, "y", [f"x{i}" for i in range(len(inputs))], **attrs)], feeds


def near(got, want):
    want = np.asarray(want)
    assert got.shape == want.shape
    if want.dtype.kind in "iub":
        assert np.array_equal(got, want)
    else:
        assert np.abs(got - want).max() <= 1e-5 * max(np.abs(want).max(), 1)


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    op, inputs, attrs, _ = CASES[name]
    nodes, feeds = graph_of(op, inputs, attrs)
    got = run(tmp_path, nodes, feeds)
    assert not isinstance(got, str), got
    near(got[0], EXPECTED[name])


# ---- several outputs ----

@pytest.mark.parametrize("op,inputs,attrs,want", [
    ("Split", [[np.int32(1)], X], dict(num_split=3), [X[:, :1], X[:, 1:2], X[:, 2:]]),
    ("SplitV", [X, [ints(1, 3)], [np.int32(2)]], dict(num_split=2), [X[..., :1], X[..., 1:]]),
    ("Unpack", [X], dict(axis=-1), [X[..., i] for i in range(4)]),
    ("TopKV2", [X, [np.int32(2)]], {}, [-np.sort(-X, -1)[..., :2], np.argsort(-X, -1, kind="stable")[..., :2]]),
])
def test_outputs(op, inputs, attrs, want, tmp_path):
    nodes, feeds = graph_of(op, inputs, attrs)
    got = run(tmp_path, nodes, feeds, outputs=[f"y:{i}" for i in range(len(want))])
    assert not isinstance(got, str), got
    for g, w in zip(got, want):
        near(g, w)


# ---- shapes that are worked out ----

def test_shapes_are_folded(tmp_path):
    """Reshape to [batch, -1] by way of Shape, StridedSlice and Pack; Fill and Range; a tensor of the shape of another."""
    x = numbers(2, 3, 4)
    nodes = [placeholder("x"), node("Shape", "s", ["x"]), const("a", ints(0)), const("b", ints(1)), const("one", np.int32(1)), const("minus", np.int32(-1)),
             node("StridedSlice", "n", ["s", "a", "b", "b"], shrink_axis_mask=1), node("Pack", "p", ["n", "minus"]), node("Reshape", "flat", ["x", "p"]),
             node("Shape", "fs", ["flat"], out_type=Type(9)), const("half", np.float32(0.5)), node("Fill", "f", ["fs", "half"]), node("Add", "sum", ["flat", "f"]),
             node("OnesLike", "ones", ["sum"]), node("ZerosLike", "zeros", ["sum"]), node("Add", "more", ["sum", "ones"]), node("Sub", "same", ["more", "zeros"]),
             node("Rank", "r", ["x"]), node("Size", "z", ["x"]), node("Mul", "rz", ["r", "z"]), node("Cast", "c", ["rz"], DstT=Type(1)), node("Mul", "y", ["same", "c"]),
             const("zero", np.int32(0)), node("Range", "count", ["zero", "z", "one"]), node("Sum", "all", ["count", "zero"]), node("Cast", "real", ["all"], DstT=Type(1)),
             node("Add", "end", ["y", "real"])]
    got = run(tmp_path, nodes, {"x": x})
    assert not isinstance(got, str), got
    near(got[0], (x.reshape(2, -1) + 1.5) * 72 + 276)


def test_a_shape_of_several(tmp_path):
    x, y = numbers(2, 3), numbers(4, 5, 6)
    nodes = [placeholder("x"), placeholder("y"), node("ShapeN", "s", ["x", "y"]), const("a", np.int32(0)), node("Prod", "p", ["s:1", "a"]), node("Cast", "c", ["p"], DstT=Type(1)),
             node("Mul", "z", ["x", "c"]), node("Prod", "q", ["s", "a"]), node("Cast", "d", ["q"], DstT=Type(1)), node("Add", "o", ["z", "d"]), node("Mul", "yy", ["y", "d"])]
    got = run(tmp_path, nodes, {"x": x, "y": y}, outputs=["o", "yy"])
    near(got[0], x * 120 + 6)


# ---- constants ----

@pytest.mark.parametrize("dtype,fields,want", [
    ("half", tf.field(1, 19) + tf.field(2, tf.shape([3])) + tf.field(13, 0x3C00) + tf.field(13, 0xC000), [1, -2, -2]),
    ("half, packed", tf.field(1, 19) + tf.field(2, tf.shape([2])) + tf.field(13, tf.varint(0x3C00) + tf.varint(0x0001)), [1, 2.0 ** -24]),
    ("bfloat16", tf.field(1, 14) + tf.field(2, tf.shape([2])) + tf.field(4, b"\x80\x3f\x00\xc0"), [1, -2]),
    ("float, the last fills", tf.field(1, 1) + tf.field(2, tf.shape([4])) + tf.field(5, np.float32([3, 5]).tobytes()), [3, 5, 5, 5]),
    ("float, none", tf.field(1, 1) + tf.field(2, tf.shape([2])), [0, 0]),
    ("double", tf.field(1, 2) + tf.field(2, tf.shape([2])) + tf.field(6, np.float64([0.5, 4]).tobytes()), [0.5, 4]),
    ("double, content", tf.field(1, 2) + tf.field(2, tf.shape([2])) + tf.field(4, np.float64([0.5, 4]).tobytes()), [0.5, 4]),
    ("int32", tf.field(1, 3) + tf.field(2, tf.shape([3])) + tf.field(7, tf.varint(7) + tf.varint(-1)), [7, -1, -1]),
    ("int64", tf.field(1, 9) + tf.field(2, tf.shape([2])) + tf.field(10, 9) + tf.field(10, -9), [9, -9]),
    ("uint8", tf.field(1, 4) + tf.field(2, tf.shape([2])) + tf.field(7, 200), [200, 200]),
    ("int8", tf.field(1, 6) + tf.field(2, tf.shape([2])) + tf.field(7, -3), [-3, -3]),
    ("int16", tf.field(1, 5) + tf.field(2, tf.shape([2])) + tf.field(4, np.int16([-7, 8]).tobytes()), [-7, 8]),
    ("uint16", tf.field(1, 17) + tf.field(2, tf.shape([2])) + tf.field(7, 65535), [65535, 65535]),
    ("uint32", tf.field(1, 22) + tf.field(2, tf.shape([1])) + tf.field(16, 3000000000), [3000000000]),
    ("bool", tf.field(1, 10) + tf.field(2, tf.shape([2])) + tf.field(11, 1), [1, 1]),
])
def test_constant(dtype, fields, want, tmp_path):
    x = np.zeros((1, len(want)), np.float32)
    nodes = [placeholder("x"), node("Const", "k", value=tf.Proto(fields)), node("Cast", "c", ["k"], DstT=Type(1)), node("Add", "y", ["x", "c"])]
    got = run(tmp_path, nodes, {"x": x})
    assert not isinstance(got, str), got
    assert np.array_equal(got[0], np.float32([want]))


@pytest.mark.parametrize("dtype,x,mode,want", [
    (QUINT8, np.uint8([0, 100, 255]), {}, -2 + np.array([0, 100, 255]) * 6 / 255),
    (QUINT8, np.uint8([0, 100, 255]), dict(mode="MIN_FIRST"), np.round(-2 / (6 / 255)) * (6 / 255) + np.array([0, 100, 255]) * 6 / 255),
    (QUINT8, np.uint8([0, 100, 255]), dict(mode="SCALED"), np.array([0, 100, 255]) * 4 / 255),
    (QINT8, np.int8([-128, 0, 127]), {}, -2 + (np.array([-128, 0, 127]) + 128) * 6 / 255),
    (QINT8, np.int8([-128, 0, 127]), dict(mode="SCALED"), np.array([-128, 0, 127]) * max(2 / 128, 4 / 127)),
    (QINT8, np.int8([-127, 0, 127]), dict(mode="SCALED", narrow_range=True), np.array([-127, 0, 127]) * 4 / 127),
    (tf.QUINT16, np.uint16([0, 100, 65535]), {}, -2 + np.array([0, 100, 65535]) * 6 / 65535),
    (tf.QINT16, np.int16([-32768, 0, 32767]), {}, -2 + (np.array([-32768, 0, 32767]) + 32768) * 6 / 65535),
])
def test_dequantized_weights(dtype, x, mode, want, tmp_path):
    nodes = [placeholder("x"), const("w", x, dtype), const("lo", np.float32(-2)), const("hi", np.float32(4)), node("Dequantize", "d", ["w", "lo", "hi"], T=Type(dtype), **mode),
             node("Mul", "y", ["x", "d"])]
    got = run(tmp_path, nodes, {"x": np.ones((1, 3), np.float32)})
    assert not isinstance(got, str), got
    near(got[0], want[None])
