"""Operators over attributes, shapes and opsets: our import and float evaluation against onnxruntime."""
import itertools

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from support import evaluate, model, node, refused, same_as_onnxruntime, save  # noqa: E402

RNG = np.random.default_rng(7)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def ints(*values):
    return np.array(values, np.int64)


def check(tmp_path, nodes, inits=None, opset=17, outputs=("y",), **feeds):
    same_as_onnxruntime(model(nodes if isinstance(nodes, list) else [nodes], feeds, outputs, inits, opset), feeds, tmp_path)


# ---- convolution ----

CONVS = [  # input, weights, attributes
    ((1, 3, 7, 9), (4, 3, 3, 3), {}),
    ((2, 3, 7, 9), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    ((1, 3, 8, 9), (4, 3, 3, 2), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
    ((1, 3, 12, 11), (5, 3, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
    ((1, 3, 12, 11), (5, 3, 1, 1), {"strides": [3, 2]}),
    ((1, 4, 9, 9), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    ((1, 6, 9, 9), (6, 1, 3, 3), {"group": 6, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ((1, 6, 9, 9), (12, 1, 3, 3), {"group": 6, "kernel_shape": [3, 3]}),
    ((1, 6, 10, 9), (6, 1, 5, 1), {"group": 6, "dilations": [2, 1]}),
    ((1, 1, 5, 5), (1, 1, 3, 3), {"group": 1, "pads": [5, 5, 5, 5]}),
    ((1, 3, 5, 5), (2, 3, 5, 5), {}),
    ((1, 17, 6, 5), (19, 17, 2, 3), {"pads": [1, 1, 0, 1]}),
]


@pytest.mark.parametrize("x,w,attrs", CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_conv(x, w, attrs, bias, tmp_path):
    inits = {"w": real(*w)} | ({"b": real(w[0])} if bias else {})
    check(tmp_path, node("Conv", "x w b" if bias else "x w", **attrs), inits, x=real(*x))


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("size,kernel,stride,dilation", [(8, 3, 1, 1), (8, 3, 2, 1), (7, 2, 2, 1), (9, 4, 3, 1), (5, 1, 2, 1), (6, 5, 4, 1)])
def test_conv_auto_pad(auto, size, kernel, stride, dilation, tmp_path):
    attrs = {"auto_pad": auto, "strides": [stride, 1], "dilations": [dilation, 1], "kernel_shape": [kernel, 2]}
    check(tmp_path, node("Conv", "x w", **attrs), {"w": real(3, 2, kernel, 2)}, x=real(1, 2, size, 6))


def test_conv_weights_computed(tmp_path):
    """Weights that are an expression over constants are constants."""
    nodes = [node("Mul", "w s", "v"), node("Conv", "x v")]
    check(tmp_path, nodes, {"w": real(3, 2, 3, 3), "s": real(3, 1, 1, 1)}, x=real(1, 2, 6, 6))


@pytest.mark.parametrize("x,w,attrs", [
    ((2, 3, 9), (4, 3, 3), {}),
    ((1, 3, 9), (4, 3, 4), {"pads": [2, 1], "strides": [2], "dilations": [2]}),
    ((1, 4, 9), (6, 2, 3), {"group": 2, "auto_pad": "SAME_UPPER"}),
    ((1, 6, 9), (6, 1, 3), {"group": 6, "pads": [1, 1], "kernel_shape": [3]}),
])
def test_conv_1d(x, w, attrs, tmp_path):
    inits = {"w": real(*w), "b": real(w[0]), "k": real(5, w[0], 3), "s": real(w[0]), "m": real(w[0]), "v": np.abs(real(w[0])) + np.float32(0.1)}
    check(tmp_path, node("Conv", "x w b", **attrs), inits, x=real(*x))
    rows = [node("Conv", "x w b", "c", **attrs), node("BatchNormalization", "c s b m v", "n"), node("Relu", "n", "r"), node("Conv", "r k", "y", pads=[1, 1])]
    check(tmp_path, rows, inits, x=real(*x))


# ---- transposed convolution ----

DECONVS = [  # input, weights [ci, co/group, kh, kw], attributes
    ((1, 3, 5, 6), (3, 4, 3, 3), {}),
    ((2, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((1, 3, 5, 6), (3, 4, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 3, 5, 6), (3, 4, 2, 2), {"strides": [2, 2]}),
    ((1, 3, 5, 6), (3, 4, 2, 3), {"strides": [3, 4]}),
    ((1, 3, 5, 6), (3, 4, 3, 2), {"strides": [3, 2], "dilations": [2, 3], "pads": [0, 2, 1, 0]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [4, 6], "dilations": [2, 4], "output_padding": [3, 2]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"dilations": [3, 2]}),
    ((1, 3, 5, 6), (3, 4, 5, 5), {"pads": [4, 5, 4, 3]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 3], "pads": [5, 4, 3, 5]}),
    ((1, 4, 5, 6), (4, 3, 3, 3), {"group": 2, "strides": [2, 1], "pads": [1, 1, 0, 1]}),
    ((1, 6, 5, 6), (6, 1, 4, 4), {"group": 6, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 6, 5, 6), (6, 2, 3, 3), {"group": 6, "strides": [2, 2]}),
    ((1, 3, 1, 1), (3, 4, 2, 2), {"strides": [4, 4], "pads": [1, 1, 0, 0], "output_padding": [3, 3]}),
    ((1, 3, 1, 1), (3, 4, 4, 5), {}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 2], "output_shape": [10, 13]}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 2], "output_shape": [10, 13], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 5, 6), (3, 4, 3, 3), {"strides": [2, 2], "output_shape": [10, 12], "output_padding": [1, 1]}),
    ((1, 3, 5, 6), (3, 4, 2, 2), {"strides": [3, 3], "output_shape": [15, 18]}),
    ((1, 3, 9), (3, 4, 4), {"strides": [2], "pads": [1, 1]}),
    ((2, 4, 9), (4, 1, 3), {"group": 4, "strides": [2], "output_padding": [1], "dilations": [3]}),
]


@pytest.mark.parametrize("x,w,attrs", DECONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_convtranspose(x, w, attrs, bias, tmp_path):
    inits = {"w": real(*w)} | ({"b": real(w[1] * attrs.get("group", 1))} if bias else {})
    check(tmp_path, node("ConvTranspose", "x w b" if bias else "x w", **attrs), inits, x=real(*x))


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("kernel,stride,dilation,extra", [(3, 1, 1, 0), (3, 2, 1, 0), (3, 2, 1, 1), (2, 3, 1, 0), (4, 3, 2, 0), (4, 2, 1, 1)])
def test_convtranspose_auto_pad(auto, kernel, stride, dilation, extra, tmp_path):
    attrs = {"auto_pad": auto, "strides": [stride, 2], "dilations": [dilation, 1], "kernel_shape": [kernel, 3], "output_padding": [extra, 0]}
    check(tmp_path, node("ConvTranspose", "x w", **attrs), {"w": real(2, 3, kernel, 3)}, x=real(1, 2, 5, 6))


def test_convtranspose_beyond(tmp_path):
    """More output padding than onnxruntime takes: what no input pixel reaches is the bias."""
    from support import compare, evaluate, reference, save
    x, w = real(1, 2, 4, 5), real(2, 3, 2, 3)
    beyond = model([node("ConvTranspose", "x w", dilations=[2, 3], output_padding=[1, 2])], {"x": x}, ["y"], {"w": w})
    padded = model([node("ConvTranspose", "x w", "c", dilations=[2, 3]), node("Pad", "c p")], {"x": x}, ["y"], {"w": w, "p": ints(0, 0, 0, 0, 0, 0, 1, 2)})
    compare(evaluate(save(beyond, tmp_path), [x], tmp_path), reference(padded, {"x": x}))


def test_convtranspose_followed(tmp_path):
    """Normalization, arithmetic and activation fold into it as into a convolution."""
    inits = {"w": real(3, 4, 4, 4), "b": real(4), "s": real(4), "m": real(4), "v": np.abs(real(4)) + np.float32(0.1), "k": real(4, 1, 1)}
    nodes = [node("ConvTranspose", "x w b", "c", strides=[2, 2], pads=[1] * 4), node("BatchNormalization", "c s b m v", "n"), node("Mul", "n k", "p"),
             node("Clip", "p", "y", min=0.0, max=6.0)]
    check(tmp_path, nodes[:3] + [node("Relu", "p", "y")], inits, x=real(1, 3, 5, 6))
    check(tmp_path, nodes[:3] + [node("Relu", "p", "q"), node("Add", "q k")], inits, x=real(1, 3, 5, 6))
    check(tmp_path, nodes, inits, opset=9, x=real(1, 3, 5, 6))


# ---- pooling ----

WINDOWS = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 1]},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]},
    {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [3, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 3], "strides": [3, 3], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "VALID"},
]


@pytest.mark.parametrize("attrs", WINDOWS)
@pytest.mark.parametrize("size", [(7, 8), (10, 11)])
def test_maxpool(attrs, size, tmp_path):
    check(tmp_path, node("MaxPool", "x", **attrs), opset=12, x=real(2, 3, *size))


@pytest.mark.parametrize("attrs", WINDOWS)
@pytest.mark.parametrize("size", [(7, 8), (10, 11)])
@pytest.mark.parametrize("count", [0, 1])
def test_averagepool(attrs, size, count, tmp_path):
    check(tmp_path, node("AveragePool", "x", count_include_pad=count, **attrs), opset=19, x=real(2, 3, *size))


DILATED = [{"kernel_shape": [2, 3], "dilations": [2, 3]}, {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 2], "pads": [2, 1, 2, 1]},
           {"kernel_shape": [3, 3], "dilations": [3, 2], "strides": [3, 1], "pads": [2, 1, 1, 2]}, {"kernel_shape": [3, 3], "dilations": [2, 2], "strides": [3, 2], "ceil_mode": 1},
           {"kernel_shape": [2, 2], "dilations": [4, 5], "strides": [6, 4], "pads": [1, 1, 1, 1]}]


@pytest.mark.parametrize("attrs", DILATED)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_dilated_pool(attrs, op, tmp_path):
    check(tmp_path, node(op, "x", **attrs), opset=19, x=real(2, 3, 12, 13))


@pytest.mark.parametrize("attrs", [{"kernel_shape": [3]}, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}, {"kernel_shape": [2], "strides": [3], "ceil_mode": 1},
                                   {"kernel_shape": [3], "strides": [2], "pads": [1, 0], "ceil_mode": 1}, {"kernel_shape": [4], "auto_pad": "SAME_LOWER"}])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pool_1d(attrs, op, tmp_path):
    check(tmp_path, node(op, "x", **attrs), opset=19, x=real(2, 3, 11))
    if op == "AveragePool":
        check(tmp_path, node(op, "x", count_include_pad=1, **attrs), opset=19, x=real(2, 3, 11))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 5, 6, 7), (2, 5, 6), (2, 3, 4, 5, 6)])
def test_global_pool(op, shape, tmp_path):
    check(tmp_path, node(op, "x"), x=real(*shape))


# ---- reductions ----

@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"])
@pytest.mark.parametrize("shape,axes", [((2, 3, 4, 5), [2, 3]), ((2, 3, 4, 5), [1]), ((2, 3, 4, 5), [-1, 0]), ((2, 3, 4, 5), None), ((3, 7), [0]), ((5,), [0]), ((2, 3, 2, 3, 2, 3), [0, 2, 4]),
                                        ((2, 3, 2, 3, 2, 3), [1, 3, 5]), ((3, 1, 4), [1])])
@pytest.mark.parametrize("keep", [0, 1])
def test_reduce(op, shape, axes, keep, tmp_path):
    x = real(*shape)
    check(tmp_path, node(op, "x", keepdims=keep, **({} if axes is None else {"axes": axes})), opset=12, x=x)
    if axes is None:
        check(tmp_path, node(op, "x", keepdims=keep), opset=18, x=x)
    else:
        check(tmp_path, node(op, "x a", keepdims=keep), {"a": ints(*axes)}, opset=18, x=x)


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"])
@pytest.mark.parametrize("axes", [[1], [0, -1], [2, 3]])
def test_reduce_derived(op, axes, tmp_path):
    x = np.abs(real(2, 3, 4, 5)) + np.float32(0.1) if op == "ReduceLogSum" else real(2, 3, 4, 5)
    check(tmp_path, node(op, "x", axes=axes, keepdims=0), opset=12, x=x)
    check(tmp_path, node(op, "x a"), {"a": ints(*axes)}, opset=18, x=x)


def test_reduce_forms(tmp_path):
    x = real(2, 3, 4)
    check(tmp_path, [node("ReduceSum", "x", "s", noop_with_empty_axes=1), node("Relu", "s")], opset=13, x=x)
    check(tmp_path, node("ReduceMean", "x a", noop_with_empty_axes=1), {"a": ints()}, opset=18, x=x)
    check(tmp_path, node("ReduceMean", "x a"), {"a": ints()}, opset=18, x=x)
    for dtype in (np.int32, np.int64):
        k = np.array([[1 << 30, 3, -5], [-7, 1 << 29, 9]], dtype)
        for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean"):
            inits = {"k": k[:, 1:] // 1000 if op == "ReduceProd" else k}
            check(tmp_path, [node(op, "k", "r", axes=[1]) if op != "ReduceSum" else node(op, "k a", "r"), node("Cast", "r", "f", to=TensorProto.FLOAT), node("Add", "x f")], inits | {"a": ints(1)}, opset=13,
                  x=real(2, 3))


def test_reduce_shape_arithmetic(tmp_path):
    """Flatten by a product of sizes; squeeze-and-excitation as exporters write it."""
    nodes = [node("Shape", "x", "s"), node("Slice", "s b e", "chw"), node("ReduceProd", "chw", "p"), node("Concat", "n p", "t", axis=0), node("Reshape", "x t")]
    check(tmp_path, nodes, {"b": ints(1), "e": ints(4), "n": ints(2)}, opset=13, x=real(2, 3, 4, 5))
    nodes = [node("ReduceMean", "x", "m", axes=[2, 3], keepdims=1), node("Conv", "m w", "c"), node("Relu", "c", "r"), node("Mul", "x r")]
    check(tmp_path, nodes, {"w": real(3, 3, 1, 1)}, opset=13, x=real(2, 3, 4, 5))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("last", [0, 1])
def test_argmax(op, axis, last, tmp_path):
    for keep in (0, 1):
        check(tmp_path, node(op, "x", axis=axis, keepdims=keep, select_last_index=last), opset=13, x=np.round(real(2, 3, 4, 5)))
    check(tmp_path, [node("Conv", "x w", "c"), node(op, "c", axis=1, keepdims=0)], {"w": real(5, 3, 1, 1)}, opset=13, x=real(1, 3, 4, 5))


# ---- resizing ----

COORDS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
SIZES = [((1, 3, 5, 6), (10, 12)), ((2, 2, 7, 9), (3, 5)), ((1, 3, 4, 5), (7, 16)), ((1, 1, 6, 8), (6, 4)), ((1, 4, 1, 7), (3, 1)), ((1, 2, 33, 20), (27, 61)), ((1, 2, 3, 3), (9, 9))]


def resize(x, size=None, scales=None, opset=19, axes=None, **attrs):
    """Resize as each opset has it."""
    inits = {"s": np.array(scales, np.float32) if scales else np.array(list(x.shape[:2] if axes is None else []) + list(size), np.int64)}
    inits |= {"r": np.zeros(0, np.float32)} if opset == 11 else {}
    ins = "x s" if opset == 10 else "x r s" if opset == 11 else "x  s" if scales else "x   s"
    if axes is not None:
        attrs["axes"] = axes
    return helper.make_node("Resize", ins.split(" "), ["y"], **attrs), inits


@pytest.mark.parametrize("coord", COORDS)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("x,size", SIZES)
def test_resize_sizes(coord, mode, x, size, tmp_path):
    """onnxruntime's symmetric coordinates are off by a last bit, so that floor and ceil of whole numbers tell nothing there."""
    x = real(*x)
    roundings = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"][:1 if coord == "half_pixel_symmetric" else 4]
    for rounding in roundings if mode == "nearest" else [None]:
        n, inits = resize(x, size, mode=mode, coordinate_transformation_mode=coord, **({"nearest_mode": rounding} if rounding else {}))
        check(tmp_path, n, inits, opset=19, x=x)


@pytest.mark.parametrize("opset", [10, 11, 13, 18, 19])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(2.0, 2.0), (0.5, 0.75), (1.7, 0.6), (3.0, 1.0), (1.3, 2.9)])
def test_resize_scales(opset, mode, scales, tmp_path):
    x = real(1, 3, 7, 8)
    n, inits = resize(x, scales=(1, 1, *scales), opset=opset, mode=mode)
    check(tmp_path, n, inits, opset=opset, x=x)


@pytest.mark.parametrize("coord", COORDS)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_random_scales(coord, mode, tmp_path):
    rng = np.random.default_rng(sum(map(ord, coord + mode)))
    for _ in range(12):
        x = real(1, 2, int(rng.integers(2, 20)), int(rng.integers(2, 20)))
        n, inits = resize(x, scales=(1, 1, *rng.uniform(0.51, 3, 2)), mode=mode, coordinate_transformation_mode=coord)
        check(tmp_path, n, inits, opset=13, x=x)


@pytest.mark.parametrize("a", [-0.5, -0.75, -1.0])
@pytest.mark.parametrize("outside", [0, 1])
@pytest.mark.parametrize("x,size", SIZES)
def test_resize_cubic(a, outside, x, size, tmp_path):
    x = real(*x)
    n, inits = resize(x, size, mode="cubic", cubic_coeff_a=a, exclude_outside=outside)
    check(tmp_path, n, inits, opset=13, x=x)


def test_resize_axes(tmp_path):
    x = real(1, 3, 6, 8)
    for axes, size in [([2, 3], (9, 4)), ([3], (12,)), ([-1, -2], (5, 9))]:
        n, inits = resize(x, size, axes=axes, mode="linear")
        check(tmp_path, n, inits, opset=18, x=x)
    for policy in ["not_larger", "not_smaller", "stretch"]:
        n, inits = resize(x, (9, 21), axes=[2, 3], mode="linear", keep_aspect_ratio_policy=policy)
        check(tmp_path, n, inits, opset=18, x=x)
    n, inits = resize(x, scales=(1.5, 2.0), axes=[2, 3], mode="nearest")
    check(tmp_path, n, inits, opset=18, x=x)


def test_resize_other_shapes(tmp_path):
    """Rows of three dimensions, pictures that have their channels last, and what changes nothing."""
    row = real(2, 3, 7)
    n, inits = resize(row, scales=(1, 1, 2.5), mode="linear")
    check(tmp_path, n, inits, opset=13, x=row)
    n, inits = resize(row, scales=(1, 1, 0.6), mode="nearest")
    check(tmp_path, n, inits, opset=13, x=row)
    x = real(1, 5, 6, 3)
    for mode in ["nearest", "linear"]:
        n, inits = resize(x, scales=(1, 2, 1.5, 1), mode=mode)
        check(tmp_path, n, inits, opset=13, x=x)
        n, inits = resize(x, scales=(1, 1, 1, 1), mode=mode)
        check(tmp_path, n, inits, opset=13, x=x)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(2.0, 2.0), (1.6, 3.0)])
def test_upsample(mode, scales, tmp_path):
    x, s = real(1, 3, 5, 6), [1.0, 1.0, *scales]
    check(tmp_path, node("Upsample", "x", mode=mode, scales=s), opset=7, x=x)
    check(tmp_path, node("Upsample", "x s", mode=mode), {"s": np.array(s, np.float32)}, opset=9, x=x)


def test_resize_between(tmp_path):
    """Convolutions on both sides: no transposition stays."""
    nodes = [node("Conv", "x w", "c", pads=[1] * 4), helper.make_node("Resize", ["c", "", "s"], ["r"], mode="nearest"), node("Conv", "r v", "d"), node("Relu", "d", "e"),
             helper.make_node("Resize", ["e", "", "s"], ["y"], mode="linear")]
    check(tmp_path, nodes, {"w": real(4, 3, 3, 3), "v": real(5, 4, 1, 1), "s": np.array([1, 1, 2, 2], np.float32)}, x=real(1, 3, 6, 7))


def test_resize_refused(tmp_path):
    x = real(1, 3, 6, 8)
    n, inits = resize(x, (3, 4), coordinate_transformation_mode="tf_crop_and_resize")
    refused(model([n], {"x": x}, ["y"], inits, 19), tmp_path, "roi: expected 8 constant float numbers for the crop", "Resize")


def test_resize_of_channels(tmp_path):
    x = real(1, 3, 6, 8)
    n, inits = resize(x, scales=(1, 2, 2, 2), mode="nearest")
    check(tmp_path, n, inits, opset=19, x=x)


def test_resize_axes_refused(tmp_path):
    x = real(1, 3, 6, 8)
    n, inits = resize(x, scales=(1, 2, 2))
    refused(model([n], {"x": x}, ["y"], inits, 19), tmp_path, "expected either 4 scales or 4 sizes, found 3 scales and 0 sizes")
    n, _ = resize(x, scales=(1, 1, 2, 2))
    refused(model([n], {"x": x, "s": (TensorProto.FLOAT, [4])}, ["y"], None, 19), tmp_path, "only at run time")


# ---- elementwise ----

PAIRS = [((2, 3, 4, 5), (2, 3, 4, 5)), ((2, 3, 4, 5), (5,)), ((2, 3, 4, 5), (3, 1, 1)), ((1, 3, 4, 5), (2, 1, 4, 1)), ((4, 5), (3, 4, 5)), ((3, 1), (1, 4)),
         ((2, 3), ()), ((2, 3, 1, 5), (1, 3, 4, 1))]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@pytest.mark.parametrize("a,b", PAIRS)
def test_arithmetic(op, a, b, tmp_path):
    second = np.asarray(real(*b) + 5, np.float32)
    check(tmp_path, node(op, "a b"), a=real(*a), b=second)
    check(tmp_path, node(op, "a b"), {"b": second}, a=real(*a))


@pytest.mark.parametrize("opset", [7, 13, 14, 21])
def test_arithmetic_opsets(opset, tmp_path):
    nodes = [node("Add", "a b", "c"), node("Mul", "c b", "d"), node("Sub", "d a", "e"), node("Div", "e b")]
    check(tmp_path, nodes, opset=opset, a=real(2, 3), b=real(2, 3) + np.float32(5))


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize("opset", [8, 13])
def test_chains(op, opset, tmp_path):
    check(tmp_path, node(op, "a b c d"), {"d": real(3, 1)}, opset=opset, a=real(2, 3, 4), b=real(4), c=real(2, 1, 4))
    check(tmp_path, node(op, "a"), opset=opset, a=real(2, 3, 4, 5))
    check(tmp_path, node(op, "a"), opset=opset, a=real(2, 3))


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_extremes_of_integers(op, tmp_path):
    check(tmp_path, [node("Shape", "x", "s"), node(op, "s k", "t"), node("Reshape", "x t")], {"k": ints(1, -4) if op == "Max" else ints(2, 9)}, opset=13, x=real(2, 3))


FUNCTIONS = [  # operator, first opset, attributes, inputs from, to
    ("Sigmoid", 7, {}, -9, 9), ("Tanh", 7, {}, -4, 4), ("Elu", 7, {}, -4, 4), ("Elu", 7, {"alpha": 0.5}, -4, 4), ("Selu", 7, {}, -4, 4),
    ("Selu", 7, {"alpha": 2.0, "gamma": 0.5}, -4, 4), ("Celu", 12, {}, -4, 4), ("Celu", 12, {"alpha": 2.5}, -4, 4), ("Softplus", 7, {}, -30, 30),
    ("Softsign", 7, {}, -9, 9), ("HardSigmoid", 7, {}, -4, 4), ("HardSigmoid", 7, {"alpha": 0.5, "beta": 0.25}, -4, 4), ("HardSwish", 14, {}, -5, 5),
    ("Mish", 18, {}, -9, 9), ("Gelu", 20, {}, -5, 5), ("Gelu", 20, {"approximate": "tanh"}, -5, 5), ("Gelu", 20, {"approximate": "none"}, -5, 5), ("Erf", 9, {}, -3, 3),
    ("Exp", 7, {}, -5, 5), ("Log", 7, {}, 0.01, 9), ("Sqrt", 7, {}, 0, 9), ("Reciprocal", 7, {}, 0.2, 9), ("Reciprocal", 7, {}, -9, -0.2), ("Sin", 7, {}, -9, 9),
    ("Cos", 7, {}, -9, 9), ("LeakyRelu", 7, {}, -4, 4), ("LeakyRelu", 7, {"alpha": 0.3}, -4, 4), ("ThresholdedRelu", 10, {}, -4, 4),
    ("ThresholdedRelu", 10, {"alpha": -0.5}, -4, 4), ("Abs", 7, {}, -4, 4), ("Neg", 7, {}, -4, 4), ("Floor", 7, {}, -9, 9), ("Ceil", 7, {}, -9, 9),
    ("Tan", 7, {}, -1.5, 1.5), ("Asin", 7, {}, -1, 1), ("Acos", 7, {}, -1, 1), ("Atan", 7, {}, -9, 9), ("Sinh", 9, {}, -4, 4), ("Cosh", 9, {}, -4, 4),
    ("Asinh", 9, {}, -9, 9), ("Acosh", 9, {}, 1, 9), ("Atanh", 9, {}, -0.9, 0.9), ("Round", 11, {}, -9, 9), ("Sign", 9, {}, -2, 2), ("Swish", 24, {}, -9, 9), ("Swish", 24, {"alpha": 0.5}, -9, 9),
]


@pytest.mark.parametrize("op,since,attrs,lo,hi", FUNCTIONS)
@pytest.mark.parametrize("opset", [7, 9, 11, 13, 20, 24])
def test_functions(op, since, attrs, lo, hi, opset, tmp_path):
    if opset < since:
        pytest.skip(f"{op} since opset {since}")
    x = np.asarray(RNG.uniform(lo, hi, (2, 3, 4, 5)), np.float32)
    if opset >= 24 and op == "Swish" and not knows("Swish", 24):
        pytest.skip("this onnxruntime has no Swish")
    x.flat[:8] = [lo, hi, *(k + 0.5 for k in range(6))] if op == "Round" else x.flat[:8]
    check(tmp_path, node(op, "x", **attrs), opset=opset, x=x)


def knows(op, opset):
    """Whether onnxruntime has the operator."""
    from support import reference
    try:
        reference(model([node(op, "x")], {"x": real(2)}, ["y"], opset=opset, ir=10), {"x": real(2)})
    except Exception:
        return False
    return True


@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
@pytest.mark.parametrize("opset", [7, 12, 15])
def test_pow(exponent, kind, opset, tmp_path):
    if kind == np.int64 and (exponent != int(exponent) or opset < 12):
        pytest.skip("whole exponents, since opset 12")
    x = np.asarray(RNG.uniform(0.2, 4, (2, 3)), np.float32)
    for e in (np.array(exponent, kind), np.array([exponent], kind)):
        check(tmp_path, node("Pow", "x e"), {"e": e}, opset=opset, x=x)
    if kind == np.float32 and exponent > 0:
        check(tmp_path, node("Pow", "e x"), {"e": np.array(exponent, kind)}, opset=opset, x=x)


def test_pow_of_two_tensors(tmp_path):
    a, b = np.abs(real(2, 3, 4, 5)) + np.float32(0.1), real(3, 1, 1)
    check(tmp_path, node("Pow", "a b"), a=a, b=b)
    check(tmp_path, node("Pow", "a b"), {"b": b}, a=a)
    check(tmp_path, node("Pow", "a e"), a=a, e=np.array([[[1]], [[2]], [[-3]]], np.int32))
    check(tmp_path, node("Pow", "k b"), k=np.array([1, 2, 3], np.int64), b=np.array([4, 2, 3.5], np.float32))
    check(tmp_path, [node("Shape", "x", "s"), node("Pow", "s k", "t"), node("Reshape", "x t")], {"k": ints(1, 2)}, opset=13, x=real(6, 1))


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_before_opset_7(op, tmp_path):
    """The axis where the second operand begins.  onnxruntime starts at 7: the same network as it says it."""
    from support import compare, evaluate, reference, save
    a, b = real(2, 3, 4, 5), real(3, 4) + np.float32(5)
    old = model([node(op, "a b", axis=1, broadcast=1)], {"a": a}, ["y"], {"b": b}, opset=6)
    now = model([node(op, "a b")], {"a": a}, ["y"], {"b": b.reshape(3, 4, 1)}, opset=7)
    compare(evaluate(save(old, tmp_path), [a], tmp_path), reference(now, {"a": a}))
    refused(model([node(op, "a b", axis=3, broadcast=1)], {"a": a}, ["y"], {"b": b}, opset=6), tmp_path, "does not fit", op)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1,), (), (3, 4, 5), (5,), (4, 1)])
@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("opset", [7, 9, 16])
def test_prelu(shape, constant, opset, tmp_path):
    slope = real(*shape)
    if constant:
        check(tmp_path, node("PRelu", "x s"), {"s": slope}, opset=opset, x=real(2, 3, 4, 5))
    else:
        check(tmp_path, node("PRelu", "x s"), opset=opset, x=real(2, 3, 4, 5), s=slope)


def test_integer_functions(tmp_path):
    k = ints(-3, 0, 5)
    for op, opset in (("Abs", 13), ("Neg", 13), ("Sign", 13)):
        check(tmp_path, [node(op, "k", "a"), node("Cast", "a", "f", to=TensorProto.FLOAT), node("Add", "x f")], {"k": k}, opset=opset, x=real(3))


def test_clip(tmp_path):
    x = real(2, 3, 4, 5)
    check(tmp_path, node("Relu", "x"), x=x)
    check(tmp_path, node("Clip", "x", min=-0.5, max=1.0), opset=6, x=x)
    check(tmp_path, node("Clip", "x", max=0.25), opset=10, x=x)
    for opset in (11, 12, 13):
        check(tmp_path, node("Clip", "x lo hi"), {"lo": np.float32(0), "hi": np.float32(1.5)}, opset=opset, x=x)
    check(tmp_path, helper.make_node("Clip", ["x", "", "hi"], ["y"]), {"hi": np.float32(0.5)}, x=x)
    check(tmp_path, node("Clip", "x lo"), {"lo": np.float32(0.5)}, x=x)
    check(tmp_path, node("Clip", "x"), x=x)
    check(tmp_path, node("Clip", "x lo hi"), {"lo": np.float32(2), "hi": np.float32(1)}, opset=13, x=x)
    check(tmp_path, node("Clip", "x lo hi"), {"hi": np.float32(1)}, opset=13, x=x, lo=np.array(0.25, np.float32))
    check(tmp_path, [node("Shape", "x", "s"), node("Clip", "s lo hi", "t"), node("Reshape", "x t")], {"lo": np.array(2), "hi": np.array(60)}, opset=13, x=real(2, 60))


@pytest.mark.parametrize("shape,axis", [((2, 3, 4, 5), None), ((2, 3, 4, 5), 1), ((2, 3, 4, 5), 2), ((2, 3, 4, 5), -1), ((2, 3, 4, 5), 0), ((3, 7), None), ((3, 7), 0), ((9,), 0)])
@pytest.mark.parametrize("opset", [7, 11, 13, 21])
def test_softmax(shape, axis, opset, tmp_path):
    if opset < 11 and axis is not None and axis < 0:
        pytest.skip("negative axes since opset 11")
    check(tmp_path, node("Softmax", "x", **({} if axis is None else {"axis": axis})), opset=opset, x=4 * real(*shape))


@pytest.mark.parametrize("shape,axis", [((2, 3, 4, 5), 1), ((2, 3, 4, 5), -1), ((3, 7), 0)])
@pytest.mark.parametrize("opset", [11, 13])
def test_logsoftmax(shape, axis, opset, tmp_path):
    check(tmp_path, node("LogSoftmax", "x", axis=axis), opset=opset, x=4 * real(*shape))


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_layernorm(axis, bias, tmp_path):
    shape = (2, 3, 4, 5)[axis:]
    inits = {"s": real(*shape)} | ({"b": real(*shape)} if bias else {})
    check(tmp_path, node("LayerNormalization", "x s b" if bias else "x s", axis=axis, epsilon=1e-3), inits, opset=17, x=real(2, 3, 4, 5))


@pytest.mark.parametrize("op,opset", [("LayerNormalization", 17), ("RMSNormalization", 23)])
def test_norm_parts(op, opset, tmp_path):
    """Scales that repeat or are known only at run time; more numbers than one operator takes; little variance far from 0; all alike."""
    x = real(2, 3, 4, 5)
    for scale in (real(5), real(4, 1), real(1), real(1, 1, 1)):
        check(tmp_path, node(op, "x s", axis=1), {"s": scale}, opset=opset, x=x)
    check(tmp_path, node(op, "x s", axis=2), opset=opset, x=x, s=real(4, 5))
    check(tmp_path, node(op, "x s", axis=1), {"s": real(2, 40000)}, opset=opset, x=real(2, 2, 40000))
    far = np.concatenate([x + np.float32(30), np.full_like(x, 7), 0 * x]) if op == "LayerNormalization" else np.concatenate([1e-3 * x, 0 * x])
    check(tmp_path, node(op, "x s", axis=-1), {"s": real(5)}, opset=opset, x=far.astype(np.float32))


@pytest.mark.parametrize("shape", [(2, 4, 5, 6), (2, 4, 9), (1, 4, 2, 3, 4)])
def test_other_norms(shape, tmp_path):
    x = real(*shape)
    check(tmp_path, node("InstanceNormalization", "x s b", epsilon=1e-2), {"s": real(4), "b": real(4)}, x=x)
    check(tmp_path, node("GroupNormalization", "x s b", num_groups=2, epsilon=1e-2), {"s": real(4), "b": real(4)}, opset=21, x=x)
    check(tmp_path, node("MeanVarianceNormalization", "x", axes=[0, *range(2, len(shape))]), opset=13, x=x)
    for p in (1, 2):
        check(tmp_path, node("LpNormalization", "x", p=p, axis=1), x=x)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn(size, tmp_path):
    check(tmp_path, node("LRN", "x", size=size, alpha=0.5, beta=0.6, bias=1.5), opset=13, x=real(2, 7, 4, 5))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (4, 6), (2, 3, 5)])
@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batchnorm(shape, opset, tmp_path):
    c = shape[1]
    inits = {"s": real(c), "b": real(c), "m": real(c), "v": np.abs(real(c)) + np.float32(0.1)}
    check(tmp_path, node("BatchNormalization", "x s b m v", epsilon=1e-3), inits, opset=opset, x=real(*shape))


# ---- movement ----

@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -3])
def test_concat(axis, tmp_path):
    shapes = [[2, 3, 4, 5] for _ in range(3)]
    for i, s in enumerate(shapes):
        s[axis] += i
    check(tmp_path, node("Concat", "a b c", axis=axis), opset=13, a=real(*shapes[0]), b=real(*shapes[1]), c=real(*shapes[2]))


def test_concat_forms(tmp_path):
    check(tmp_path, node("Concat", "a b", axis=1), a=real(2, 3), b=real(2, 4))
    check(tmp_path, node("Concat", "a k a", axis=1), {"k": real(1, 2, 4, 4)}, a=real(1, 3, 4, 4))
    check(tmp_path, [node("Concat", "a", "b", axis=1), node("Relu", "b")], a=real(1, 3, 4, 4))


@pytest.mark.parametrize("perm", [None, *itertools.permutations(range(4))])
def test_transpose(perm, tmp_path):
    check(tmp_path, node("Transpose", "x", **({"perm": perm} if perm else {})), x=real(2, 3, 4, 5))


def test_transpose_ranks(tmp_path):
    check(tmp_path, node("Transpose", "x"), x=real(3, 5))
    check(tmp_path, node("Transpose", "x", perm=[2, 0, 1]), x=real(3, 5, 2))
    check(tmp_path, node("Transpose", "x", perm=[4, 2, 0, 1, 3]), x=real(3, 1, 2, 4, 2))


@pytest.mark.parametrize("shape,target", [((2, 3, 4, 5), [2, 60]), ((2, 3, 4, 5), [0, -1]), ((2, 3, 4, 5), [6, 0, 0, -1]), ((2, 3, 4, 5), [-1]), ((2, 12), [2, 3, 2, 2]),
                                          ((2, 3, 4, 5), [2, 4, 3, 5]), ((2, 3, 4), [0, 0, 4, 1])])
@pytest.mark.parametrize("opset", [7, 14, 21])
def test_reshape(shape, target, opset, tmp_path):
    if target[0] == 6:
        target = [6, 0, 0, -1]
        shape = (6, 3, 4, 5)
    check(tmp_path, node("Reshape", "x s"), {"s": ints(*target)}, opset=opset, x=real(*shape))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, 4, -1, -4, None])
@pytest.mark.parametrize("opset", [9, 13])
def test_flatten(axis, opset, tmp_path):
    if opset < 11 and axis is not None and axis < 0:
        pytest.skip("negative axes since opset 11")
    check(tmp_path, node("Flatten", "x", **({} if axis is None else {"axis": axis})), opset=opset, x=real(2, 3, 4, 5))


def test_squeeze_unsqueeze(tmp_path):
    x = real(1, 3, 1, 5)
    check(tmp_path, node("Squeeze", "x"), opset=7, x=x)
    check(tmp_path, node("Squeeze", "x", axes=[2]), opset=11, x=x)
    check(tmp_path, node("Squeeze", "x a"), {"a": ints(-2, 0)}, opset=13, x=x)
    check(tmp_path, node("Unsqueeze", "x", axes=[0, 3]), opset=7, x=real(3, 4))
    check(tmp_path, node("Unsqueeze", "x a"), {"a": ints(-1, 1)}, opset=13, x=real(3, 4))


def test_identity_dropout(tmp_path):
    check(tmp_path, [node("Identity", "x", "a"), node("Dropout", "a", "b", ratio=0.4), node("Relu", "b")], opset=10, x=real(1, 3, 4, 4))
    check(tmp_path, [node("Dropout", "x r t")], {"r": np.float32(0.5), "t": np.array(False)}, opset=13, x=real(1, 3, 4, 4))
    check(tmp_path, [node("Dropout", "x", "y mask"), node("Relu", "y", "z")], opset=9, outputs=("z",), x=real(1, 3, 4, 4))


@pytest.mark.parametrize("seed, ratio", [(0, 0.75), (7, 0.5), (2**32 - 1, 0.1), (3, 0)])
def test_dropout_in_training(seed, ratio, tmp_path):
    """More elements than the generator makes at once; the numbers are numpy's."""
    x = real(3, 4, 60)
    stays = np.random.RandomState(seed).uniform(0, 1, x.shape) >= ratio
    nodes = [node("Dropout", "x r t", "y mask", seed=seed), node("Where", "mask x none", "w")]
    m = model(nodes, {"x": x}, ["y", "w"], {"r": np.float32(ratio), "t": np.array(True), "none": np.float32(-9)})
    y, where = evaluate(save(m, tmp_path), [x], tmp_path)
    assert np.allclose(y, np.where(stays, x / np.float32(1 - ratio), 0), rtol=1e-6) and np.array_equal(where, np.where(stays, x, np.float32(-9)))


@pytest.mark.parametrize("equation, shapes", [
    ("ij,jk->ik", [(3, 4), (4, 5)]), ("bhwd,bhvd->bhwv", [(2, 3, 4, 5), (2, 3, 6, 5)]), ("...ij,...jk->...ik", [(2, 1, 4, 5), (1, 3, 5, 6)]), ("ij->ji", [(3, 4)]), ("ij->i", [(3, 4)]),
    ("i,j->ij", [(3,), (4,)]), ("ij,ij->ij", [(3, 4), (3, 4)]), ("bii->bi", [(2, 3, 3)]), ("ii", [(4, 4)]), ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]), ("ba, cb", [(3, 4), (5, 3)]),
    ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]), ("...a,a->...", [(2, 3, 4), (4,)]), ("abc,cd->bad", [(2, 3, 4), (4, 5)]), ("i,i", [(5,), (5,)]), ("b i d, b j d -> b i j", [(2, 3, 4), (2, 5, 4)]),
    ("ijk,jil->kl", [(3, 2, 5), (2, 3, 7)]), ("a,b,c->cab", [(2,), (3,), (4,)]), ("Bb->bB", [(2, 3)]), ("...->...", [(2, 3)]), ("aab,b->a", [(3, 3, 4), (4,)]),
])
def test_einsum(equation, shapes, tmp_path):
    feeds = {"x%d" % i: real(*s) for i, s in enumerate(shapes)}
    check(tmp_path, node("Einsum", " ".join(feeds), equation=equation), opset=12, **feeds)


def test_pad(tmp_path):
    x = real(2, 3, 4, 5)
    check(tmp_path, node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 3, 0]), opset=10, x=x)
    check(tmp_path, node("Pad", "x", pads=[0, 1, 0, 0, 1, 0, 0, 2], value=0.5, mode="constant"), opset=7, x=x)
    check(tmp_path, node("Pad", "x p"), {"p": ints(0, 0, 1, 2, 0, 0, 3, 0)}, opset=13, x=x)
    check(tmp_path, node("Pad", "x p v"), {"p": ints(0, 0, 1, 2, 0, 0, 3, 0), "v": np.float32(-1.5)}, opset=11, x=x)
    check(tmp_path, helper.make_node("Pad", ["x", "p", "", "a"], ["y"]), {"p": ints(1, 2, 0, 3), "a": ints(2, -1)}, opset=18, x=x)
    check(tmp_path, node("Pad", "x p"), {"p": ints(2, 1)}, opset=13, x=real(7))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("shape,pads", [((2, 3, 4, 5), (0, 0, 1, 2, 0, 0, 3, 1)), ((2, 3, 4, 5), (1, 2, 0, 3, 0, 1, 2, 0)), ((2, 3, 4, 5), (0, 0, -1, 2, 0, 0, 1, -2)),
                                        ((2, 3, 4, 5), (0, 0, -1, -2, 0, 0, 0, -1)), ((4, 6), (2, -1, 1, 3)), ((7,), (3, 4)), ((2, 4, 5), (0, 1, -2, 0, 2, 2))])
def test_pad_modes(mode, shape, pads, tmp_path):
    v = {"v": np.float32(0.75)} if mode == "constant" else {}
    check(tmp_path, node("Pad", "x p v" if v else "x p", mode=mode), {"p": ints(*pads)} | v, opset=19, x=real(*shape))


def test_pad_before_convolution(tmp_path):
    """Mirrored and negative pads do not become a convolution's own."""
    for mode, pads in [("reflect", (0, 0, 1, 1, 0, 0, 1, 1)), ("constant", (0, 0, -1, 0, 0, 0, 0, -1)), ("constant", (0, 0, 1, 1, 0, 0, 1, 1))]:
        check(tmp_path, [node("Pad", "x p", "q", mode=mode), node("Conv", "q w")], {"p": ints(*pads), "w": real(4, 3, 3, 3)}, x=real(1, 3, 6, 7))


# ---- matrices ----

@pytest.mark.parametrize("a,b", [((4, 6), (6, 3)), ((2, 4, 6), (6, 3)), ((2, 4, 6), (2, 6, 3)), ((2, 1, 4, 6), (3, 6, 5)), ((1, 4, 6), (5, 6, 2)), ((6,), (6, 3)), ((4, 6), (6,)),
                                 ((2, 4, 6), (6,)), ((6,), (6,))])
@pytest.mark.parametrize("constant", [False, True])
def test_matmul(a, b, constant, tmp_path):
    feeds = {"a": real(*a), "b": real(*b)}
    inits = {"b": feeds.pop("b")} if constant else {}
    check(tmp_path, node("MatMul", "a b"), inits, **feeds)


@pytest.mark.parametrize("ta,tb", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("c", [None, (5,), (4, 5), (4, 1), (1,), ()])
@pytest.mark.parametrize("opset", [7, 11, 13])
def test_gemm(ta, tb, c, opset, tmp_path):
    if c is None and opset < 11:
        pytest.skip("C is optional since opset 11")
    a, b = real(*((6, 4) if ta else (4, 6))), real(*((5, 6) if tb else (6, 5)))
    inits = {"b": b} | ({"c": real(*c)} if c is not None else {})
    check(tmp_path, node("Gemm", "a b" if c is None else "a b c", alpha=0.5, beta=2.0, transA=ta, transB=tb), inits, opset=opset, a=a)


def test_gemm_run_time_operands(tmp_path):
    check(tmp_path, node("Gemm", "a b c", transB=1), a=real(4, 6), b=real(5, 6), c=real(4, 5))
    check(tmp_path, node("Gemm", "a b c", beta=0.0), {"b": real(6, 5), "c": real(5)}, a=real(4, 6))


# ---- shape arithmetic ----

def test_shape_arithmetic(tmp_path):
    """The exporters' flatten: Shape, Gather, Unsqueeze, Concat, Reshape."""
    nodes = [node("Shape", "x", "s"), helper.make_node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, np.int64))), node("Gather", "s zero", "n", axis=0),
             node("Unsqueeze", "n", "n1", axes=[0]), node("Concat", "n1 minus", "t", axis=0), node("Reshape", "x t")]
    check(tmp_path, nodes, {"minus": ints(-1)}, opset=11, x=real(2, 3, 4, 5))


def test_shape_slices(tmp_path):
    nodes = [node("Shape", "x", "s"), node("Slice", "s b e", "hw"), node("Cast", "hw", "f", to=TensorProto.FLOAT), node("Mul", "f two", "g"), node("Cast", "g", "i", to=TensorProto.INT64),
             node("Div", "i four", "j"), node("Slice", "s z b", "nc"), node("Concat", "nc j minus", "t", axis=0), node("Reshape", "x t")]
    inits = {"b": ints(2), "e": ints(4), "z": ints(0), "two": np.array([2, 2], np.float32), "four": ints(4, 5), "minus": ints(-1)}
    check(tmp_path, nodes, inits, opset=13, x=real(2, 3, 4, 5))


def test_constant_forms(tmp_path):
    values = [{"value": numpy_helper.from_array(real(3))}, {"value_float": 2.5}, {"value_floats": [1.0, 2.0, 3.0]}]
    for v in values:
        check(tmp_path, [helper.make_node("Constant", [], ["k"], **v), node("Add", "x k")], opset=13, x=real(2, 3))
    for v in ({"value_ints": [3, 2]}, {"value": numpy_helper.from_array(ints(3, 2))}):
        check(tmp_path, [helper.make_node("Constant", [], ["k"], **v), node("Reshape", "x k")], opset=13, x=real(2, 3))
    nodes = [node("ConstantOfShape", "s", "k", value=numpy_helper.from_array(np.array([1.5], np.float32))), node("Add", "x k")]
    check(tmp_path, nodes, {"s": ints(2, 3)}, opset=13, x=real(2, 3))
    check(tmp_path, [node("Size", "x", "n"), node("Cast", "n", "f", to=TensorProto.FLOAT), node("Div", "x f")], opset=13, x=real(2, 3))


@pytest.mark.parametrize("starts,ends,axes,steps", [([1], [3], [2], [1]), ([-3], [-1], [3], [1]), ([0, 0], [9, 2], [1, 2], [1, 1]), ([3], [0], [2], [-1]), ([-1], [-9], [3], [-2]), ([1], [9], [3], [2])])
def test_slice(starts, ends, axes, steps, tmp_path):
    inits = {"s": ints(*starts), "e": ints(*ends), "a": ints(*axes), "t": ints(*steps)}
    check(tmp_path, node("Slice", "x s e a t"), inits, opset=13, x=real(2, 3, 4, 5))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("index", [[0], [1, 0], [-1, 0, 1]])
def test_gather(axis, index, tmp_path):
    check(tmp_path, node("Gather", "x i", axis=axis), {"i": ints(*index)}, opset=13, x=real(2, 3, 4))
    check(tmp_path, node("Gather", "x i", axis=axis), {"i": np.array(index[0], np.int64)}, opset=13, x=real(2, 3, 4))


# ---- types ----

@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("raw", [True, False])
def test_other_floats(dtype, raw, tmp_path):
    """Half and double models become float; the typed data fields say the same as raw bytes."""
    w = real(3, 2).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(w.dtype)
    m = model([node("MatMul", "x w", "a"), node("Add", "a w2")], {"x": real(2, 3).astype(dtype)}, ["y"], {"w2": w[:2]})
    m.graph.initializer.append(numpy_helper.from_array(w, "w") if raw else helper.make_tensor("w", kind, w.shape, w.flatten()))
    wide = model([node("MatMul", "x w", "a"), node("Add", "a w2")], {"x": real(2, 3)}, ["y"], {"w2": w[:2].astype(np.float32), "w": w.astype(np.float32)})
    x = real(2, 3).astype(dtype)
    from support import compare, evaluate, reference, save
    compare(evaluate(save(m, tmp_path), [x], tmp_path), reference(wide, {"x": x.astype(np.float32)}))


@pytest.mark.parametrize("values", [[0.0, -0.0, 1.0, -2.5], [6.1e-5, 5.96e-8, -3e-6, 65504.0]])
def test_half_values(values, tmp_path):
    """Normal, subnormal and extreme halves, exactly."""
    w = np.array(values, np.float16)
    m = model([node("Add", "x w")], {"x": (TensorProto.FLOAT16, [4])}, ["y"], {"w": w})
    from support import evaluate, save
    got = evaluate(save(m, tmp_path), [np.zeros(4, np.float32)], tmp_path)
    assert np.array_equal(got[0], w.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integers(dtype, tmp_path):
    """Integers never pass through float: differences of 1 at 2^30 survive, division goes towards zero."""
    k = np.array([1073741825, -7, 7], dtype)
    check(tmp_path, [node("Sub", "k j", "a"), node("Div", "a j", "b"), node("Cast", "b", "f", to=TensorProto.FLOAT), node("Add", "x f")], {"k": k, "j": np.array([2, 3, -2], dtype)}, opset=14,
          x=real(3))
    check(tmp_path, node("Add", "x k"), {"k": np.array([1, 2, 3], np.int32)}, opset=14, x=np.array([1 << 30, -5, 6], np.int32))
    check(tmp_path, node("Mul", "k x"), {"k": ints(1, 2, 3)}, opset=14, x=ints(1 << 29, -5, 6))


# ---- graphs ----

def test_unsorted_nodes(tmp_path):
    m = model([node("Relu", "x", "a"), node("Relu", "a", "b"), node("Add", "a b")], {"x": real(2, 3)}, ["y"])
    x = real(2, 3)
    from support import compare, evaluate, reference, save
    want = reference(m, {"x": x})
    nodes = list(m.graph.node)[::-1]
    del m.graph.node[:]
    m.graph.node.extend(nodes)
    compare(evaluate(save(m, tmp_path), [x], tmp_path), want)


def test_initializers_that_are_inputs(tmp_path):
    m = model([node("Add", "x w")], {"x": real(2, 3), "w": real(3)}, ["y"], {"w": real(3)})
    x = real(2, 3)
    same_as_onnxruntime(m, {"x": x}, tmp_path)


def test_several_outputs(tmp_path):
    """An output that is also used inside, one of rank 2, two names of one tensor, an input passed through."""
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Flatten", "r", "f"), node("Identity", "r", "i"), node("Identity", "x", "p")]
    check(tmp_path, nodes, {"w": real(4, 3, 3, 3)}, outputs=("c", "r", "f", "i", "p"), x=real(1, 3, 6, 6))

# ---- parts, repetition, order ----

def test_outputs_that_no_input_reaches(tmp_path):
    """Constants, one used inside too, one under two names, a picture, integers, truth values."""
    nodes = [node("Add", "x c", "y"), node("Neg", "c", "n"), node("Identity", "c", "i"), node("Relu", "p", "q"), node("Shape", "x", "s"),
             node("Less", "c n", "l")]
    inits = {"c": real(3), "p": real(1, 3, 4, 5)}
    check(tmp_path, nodes, inits, outputs=("y", "n", "c", "i", "q", "s", "l"), x=real(2, 3))


def lists(**kw):
    return {k: ints(*v) for k, v in kw.items()}


@pytest.mark.parametrize("starts,ends,axes,steps", [([1], [3], [1], [1]), ([-1], [-99], [2], [-1]), ([0, 2], [99, -1], [3, 1], [2, 1]),
                                                    ([5, 0], [0, 4], [2, 3], [-2, 3]), ([0, 1, 1, 0], [2, 4, 5, 7], [0, 1, 2, 3], [1, 1, 2, 3])])
def test_slice_of_data(starts, ends, axes, steps, tmp_path):
    check(tmp_path, node("Slice", "x s e a t"), lists(s=starts, e=ends, a=axes, t=steps), x=real(2, 4, 6, 7))


@pytest.mark.parametrize("axis,split,opset", [(1, [1, 2, 3], 13), (-1, [4, 4], 13), (2, None, 13), (1, [5, 1], 11), (2, None, 11)])
def test_split(axis, split, opset, tmp_path):
    outs = "a b c" if split and len(split) == 3 else "a b"
    attrs = {"axis": axis} | ({"split": split} if split and opset < 13 else {})
    inits = {"n": ints(*split)} if split and opset >= 13 else {}
    check(tmp_path, node("Split", "x n" if inits else "x", outs, **attrs), inits, opset, outputs=outs.split(), x=real(1, 6, 4, 8))


def test_split_that_does_not_divide(tmp_path):
    check(tmp_path, node("Split", "x", "a b c", axis=1, num_outputs=3), opset=18, outputs=["a", "b", "c"], x=real(2, 7, 3))


@pytest.mark.parametrize("index,axis", [(2, 1), (-1, 0), ([0, 2, 4], 2), ([4, 3, 2, 1], 2), ([3, 0, 0, 2], 1), ([[0, 1], [3, -1]], 1), ([[1]], 3), ([1], 2)])
def test_gather_of_data(index, axis, tmp_path):
    check(tmp_path, node("Gather", "x i", axis=axis), {"i": np.array(index, np.int64)}, x=real(2, 4, 5, 3))


@pytest.mark.parametrize("x,shape", [((1, 3, 1), (2, 1, 4)), ((3, 1), (2, 3, 4)), ((2, 3), (1, 1)), ((), (2, 3)), ((1, 1, 1, 1, 2), (2, 3, 4, 1, 1))])
def test_expand(x, shape, tmp_path):
    check(tmp_path, [node("Expand", "x s", "z"), node("Identity", "z")], lists(s=shape), x=real(*x))


@pytest.mark.parametrize("x,repeats", [((2, 3), (2, 2)), ((1, 3, 4, 5), (1, 2, 1, 3)), ((2, 3, 4), (1, 1, 1)), ((1, 1, 3, 1), (4, 2, 1, 2)), ((2, 2, 2, 2, 2, 3), (2, 1, 2, 3, 1, 2)), ((), ())])
def test_tile(x, repeats, tmp_path):
    check(tmp_path, node("Tile", "x r"), lists(r=repeats), x=real(*x))


@pytest.mark.parametrize("groups", [2, 3])
def test_channel_shuffle(groups, tmp_path):
    n, c, h, w = 1, 6, 4, 5
    nodes = [node("Conv", "x w", "a"), node("Reshape", "a s", "b"), node("Transpose", "b", "c", perm=[0, 2, 1, 3, 4]), node("Reshape", "c t", "e"),
             node("Conv", "e w", "y")]
    check(tmp_path, nodes, {"w": real(c, c, 1, 1)} | lists(s=(n, groups, c // groups, h, w), t=(n, c, h, w)), x=real(n, c, h, w))
