"""Operators that the float path alone has, and those spelled out in others: our import and float evaluation against onnxruntime."""
import itertools

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from support import compare, evaluate, model, reference, same_as_onnxruntime, save, tool  # noqa: E402

RNG = np.random.default_rng(11)


def every(*lists):
    return list(itertools.product(*lists))


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def whole(low, high, shape, dtype=np.int64):
    return np.asarray(RNG.integers(low, high, shape), dtype)


def ints(*values):
    return np.array(values, np.int64)


def node(op, ins, outs="y", **attrs):
    return helper.make_node(op, ["" if i == "_" else i for i in ins.split()], ["" if o == "_" else o for o in outs.split()], **attrs)


def check(tmp_path, nodes, inits=None, opset=17, outputs=("y",), **feeds):
    same_as_onnxruntime(model(nodes if isinstance(nodes, list) else [nodes], feeds, outputs, inits, opset, ir=10), feeds, tmp_path)


# ---- truth values ----

@pytest.mark.parametrize("op", ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
@pytest.mark.parametrize("make", [real, lambda *s: whole(-3, 4, s, np.int32), lambda *s: whole(-3, 4, s)])
def test_comparisons(op, make, tmp_path):
    check(tmp_path, node(op, "a b"), a=make(2, 3, 4), b=make(3, 1))


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(op, tmp_path):
    nodes = [node("Greater", "a b", "p"), node("Less", "a c", "q"), node(op, "p q", "r"), node("Not", "r"), node("Where", "y a b", "z")]
    check(tmp_path, nodes, outputs=("r", "y", "z"), a=real(2, 3), b=real(3), c=real(2, 1))


def test_where_of_integers_against_constants(tmp_path):
    check(tmp_path, [node("Less", "x zero", "n"), node("Where", "n k x")], {"zero": np.int64(0), "k": ints(7)}, x=whole(-5, 5, (4, 3)))


def test_what_is_no_number(tmp_path):
    nodes = [node("Log", "x", "l"), node("IsNaN", "l"), node("Reciprocal", "z", "r"), node("IsInf", "r", "i"), node("IsInf", "r", "j", detect_negative=0)]
    check(tmp_path, nodes, outputs=("y", "i", "j"), x=real(3, 5), z=np.array([0, -0.0, 1, -2], np.float32))


@pytest.mark.parametrize("fmod", [0, 1])
def test_mod(fmod, tmp_path):
    check(tmp_path, node("Mod", "a b", fmod=fmod), a=whole(-20, 20, (4, 5), np.int32), b=np.array([-7, -2, 1, 3, 5], np.int32))
    if fmod:
        check(tmp_path, node("Mod", "a b", fmod=1), a=real(4, 5), b=np.array([-0.7, -2, 1, 3, 0.5], np.float32))


# ---- casts ----

@pytest.mark.parametrize("to", [TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT])
def test_casts(to, tmp_path):
    check(tmp_path, node("Cast", "x", to=to), x=np.array([0, 0.4, 1.9, 100.5, 2.0], np.float32))
    check(tmp_path, [node("Cast", "x", "b", to=TensorProto.INT8), node("Cast", "b", to=to)], x=np.array([0, -1.9, 100, -128], np.float32))


def test_castlike(tmp_path):
    nodes = [node("Cast", "x", "i", to=TensorProto.INT32), node("CastLike", "x i"), node("CastLike", "i x", "z")]
    check(tmp_path, nodes, opset=19, outputs=("y", "z"), x=real(3, 4))


# ---- indices ----

def test_topk(tmp_path):
    for axis, largest, k in every((0, 1, -1), (0, 1), (1, 2)):
        check(tmp_path, node("TopK", "x k", "y i", axis=axis, largest=largest), {"k": ints(k)}, outputs=("y", "i"), x=real(3, 4, 5))
    check(tmp_path, node("TopK", "x k", "y i", axis=0), {"k": ints(4)}, outputs=("y", "i"), x=np.array([1, 3, 3, 1, 3], np.float32))


def test_gather_and_scatter(tmp_path):
    index = whole(-3, 3, (2, 4))
    check(tmp_path, node("GatherElements", "x i", axis=0), {"i": index}, x=real(3, 4))
    check(tmp_path, node("GatherElements", "x i", axis=1), x=real(3, 4), i=whole(-4, 4, (3, 4)))
    check(tmp_path, node("GatherND", "x i"), {"i": whole(-2, 2, (5, 2))}, x=real(2, 3, 4))
    check(tmp_path, node("GatherND", "x i", batch_dims=1), {"i": whole(-3, 3, (2, 5, 1))}, x=real(2, 3, 4))
    once = np.stack([RNG.permutation(3) for _ in range(4)], 1)[:2]
    for reduction in ("none", "add", "mul", "max", "min"):
        check(tmp_path, node("ScatterElements", "x i u", axis=0, reduction=reduction), {"i": once}, opset=18, x=real(3, 4), u=real(2, 4))
        check(tmp_path, node("ScatterND", "x i u", reduction=reduction), {"i": ints([0], [2])}, opset=18, x=real(3, 4), u=real(2, 4))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_onehot(axis, tmp_path):
    check(tmp_path, node("OneHot", "x n v", axis=axis), {"n": ints(5), "v": np.array([-1, 2], np.float32)}, x=whole(-5, 7, (2, 3)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("opset", [11, 13])
def test_hardmax(axis, opset, tmp_path):
    check(tmp_path, node("Hardmax", "x", axis=axis), opset=opset, x=real(2, 3, 4))


@pytest.mark.parametrize("upper, k", every((0, 1), (-2, 0, 1, 9)))
def test_trilu(upper, k, tmp_path):
    check(tmp_path, node("Trilu", "x k", upper=upper), {"k": np.int64(k)}, x=real(2, 3, 5))


@pytest.mark.parametrize("exclusive, reverse", every((0, 1), (0, 1)))
def test_cumsum(exclusive, reverse, tmp_path):
    check(tmp_path, node("CumSum", "x a", exclusive=exclusive, reverse=reverse), {"a": np.int64(-2)}, x=real(2, 4, 3))
    check(tmp_path, node("CumSum", "x a", exclusive=exclusive, reverse=reverse), {"a": np.int64(0)}, x=whole(-9, 9, (4, 3), np.int32))


def test_range(tmp_path):
    inits = {"a": np.float32(0.5), "b": np.float32(3), "c": np.float32(0.7), "i": np.int64(9), "j": np.int64(-2), "k": np.int64(-3)}
    nodes = [node("Range", "a b c", "r"), node("Mul", "x r"), node("Range", "i j k", "s"), node("Cast", "s", "t", to=TensorProto.FLOAT), node("Add", "x t", "z")]
    check(tmp_path, nodes, inits, outputs=("y", "z"), x=real(3, 4))


# ---- pictures ----

@pytest.mark.parametrize("mode, padding, corners", every(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1)))
def test_gridsample(mode, padding, corners, tmp_path):
    grid = np.asarray(RNG.uniform(-1.4, 1.4, (2, 5, 4, 2)), np.float32)
    m = model([node("GridSample", "x g", mode=mode, padding_mode=padding, align_corners=corners)], {"x": real(2, 3, 6, 7)}, ["y"], {"g": grid}, 16)
    x = real(2, 3, 6, 7)
    compare(evaluate(save(m, tmp_path), [x], tmp_path, "--passes"), reference(m, {"x": x}))


def test_gridsample_run_time_grid_of_three_axes(tmp_path):
    grid = np.asarray(RNG.uniform(-1.4, 1.4, (1, 2, 3, 4, 3)), np.float32)
    for mode in ("linear", "nearest"):
        check(tmp_path, node("GridSample", "x g", mode=mode), opset=20, x=real(1, 2, 4, 5, 6), g=grid)


@pytest.mark.parametrize("mode, half", every(("avg", "max"), ("half_pixel", "output_half_pixel")))
def test_roialign(mode, half, tmp_path):
    boxes = np.array([[0, 0, 9, 9], [2, 1, 5, 8], [-3, 4, 3, 12]], np.float32)
    inits = {"b": boxes, "i": ints(0, 1, 0)}
    for samples in (0, 2):
        op = node("RoiAlign", "x b i", mode=mode, coordinate_transformation_mode=half, output_height=3, output_width=4, sampling_ratio=samples, spatial_scale=0.9)
        check(tmp_path, op, inits, opset=16, x=np.abs(real(2, 3, 10, 12)))


def test_nonmaxsuppression(tmp_path):
    """What onnxruntime chooses stands in front; the rest of the rows is -1."""
    corners = np.sort(RNG.uniform(0, 6, (2, 20, 2, 2)), axis=2).astype(np.float32).reshape(2, 20, 4)
    middle = np.concatenate([RNG.uniform(0, 6, (2, 20, 2)), RNG.uniform(0.5, 3, (2, 20, 2))], 2).astype(np.float32)
    scores = np.asarray(RNG.uniform(0, 1, (2, 3, 20)), np.float32)
    for centre, boxes in enumerate((corners, middle)):
        for most, overlap in every((3, 50), (0.2, 0.6)):
            inits = {"m": ints(most), "o": np.array([overlap], np.float32), "s": np.array([0.3], np.float32)}
            m = model([node("NonMaxSuppression", "b c m o s", center_point_box=centre)], {"b": boxes, "c": scores}, ["y"], inits, 17)
            want = reference(m, {"b": boxes, "c": scores})[0]
            got = evaluate(save(m, tmp_path), [boxes, scores], tmp_path)[0]
            assert got.shape == (6 * min(most, 20), 3) and len(want) > 6
            assert np.array_equal(got[:len(want)], want) and (got[len(want):] == -1).all()


def test_maxpool_indices(tmp_path):
    for attrs in ({"kernel_shape": [3, 2], "strides": [2, 2]}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, {"kernel_shape": [2, 2], "dilations": [2, 3]},
                  {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 1}):
        check(tmp_path, node("MaxPool", "x", "y i", **attrs), outputs=("y", "i"), x=real(2, 3, 7, 8))
    check(tmp_path, node("MaxPool", "x", "y i", kernel_shape=[3], strides=[2]), outputs=("y", "i"), x=real(2, 3, 9))
    nodes = [node("MaxPool", "x", "p i", kernel_shape=[2, 2], strides=[2, 2]), node("MaxUnpool", "p i", kernel_shape=[2, 2], strides=[2, 2])]
    check(tmp_path, nodes, x=real(2, 3, 8, 6))


@pytest.mark.parametrize("mode, size", every(("linear", "cubic"), ((3, 4), (5, 7), (9, 13))))
def test_resize_antialias(mode, size, tmp_path):
    check(tmp_path, node("Resize", "x _ _ s", mode=mode, antialias=1), {"s": ints(1, 2, *size)}, opset=18, x=real(1, 2, 8, 9))


@pytest.mark.parametrize("mode, value", every(("linear", "nearest"), (0.0, 10.0)))
def test_resize_crop(mode, value, tmp_path):
    roi = np.array([0, 0, 0.3, -0.2, 1, 1, 0.8, 1.3], np.float32)
    op = node("Resize", "x roi _ s", mode=mode, coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=value)
    check(tmp_path, op, {"roi": roi, "s": ints(1, 2, 5, 6)}, opset=18, x=real(1, 2, 8, 9))


def test_resize_of_matrices(tmp_path):
    check(tmp_path, node("Resize", "x _ _ s", mode="linear"), {"s": ints(3, 7)}, opset=18, x=real(5, 4))
    check(tmp_path, node("Resize", "x _ _ s", mode="nearest"), {"s": ints(2, 7, 6)}, opset=18, x=real(2, 5, 4))


def test_center_crop_pad(tmp_path):
    for axes, size in (([0, 1, 2], [7, 4, 5]), ([1], [4]), ([-1, 0], [3, 9])):
        check(tmp_path, node("CenterCropPad", "x s", axes=axes), {"s": ints(*size)}, opset=18, x=real(6, 7, 4))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_blocks_of_pixels(mode, tmp_path):
    check(tmp_path, node("DepthToSpace", "x", blocksize=2, mode=mode), x=real(2, 12, 3, 4))
    check(tmp_path, node("SpaceToDepth", "x", blocksize=2), x=real(2, 3, 4, 6))
    check(tmp_path, [node("Relu", "x", "r"), node("DepthToSpace", "r", blocksize=3, mode=mode)], x=real(1, 9, 3, 4))


def test_spelled_out_blocks(tmp_path):
    """As PyTorch writes them where the opset has none: pixel_shuffle, pixel_unshuffle."""
    k = {"apart": ints(2, 3, 2, 2, 3, 4), "large": ints(2, 3, 6, 8), "deep": ints(2, 12, 3, 4), "pairs": ints(2, 3, 3, 2, 4, 2)}
    shuffle = [node("Reshape", "r apart", "a"), node("Transpose", "a", "b", perm=[0, 1, 4, 2, 5, 3]), node("Reshape", "b large", "c")]
    back = [node("Conv", "c u", "t"), node("Reshape", "t pairs", "d"), node("Transpose", "d", "e", perm=[0, 1, 3, 5, 2, 4]), node("Reshape", "e deep", "f")]
    ends = {"w": real(12, 12, 1, 1), "u": real(3, 3, 1, 1), "v": real(5, 12, 1, 1)}
    m = model([node("Conv", "x w", "r"), *shuffle, *back, node("Conv", "f v")], {"x": real(2, 12, 3, 4)}, ["y"], k | ends, 11)
    same_as_onnxruntime(m, {"x": real(2, 12, 3, 4)}, tmp_path)
    text = tool("--passes", "--text", save(m, tmp_path)).stdout
    assert text.count("order=CRD") == 2 and "depth_to_space" in text and "space_to_depth" in text and "transpose" not in text and "reshape" not in text

@pytest.mark.parametrize("power", [1, 2, 3])
def test_lppool(power, tmp_path):
    check(tmp_path, node("LpPool", "x", kernel_shape=[2, 3], strides=[2, 1], p=power), opset=18, x=real(1, 3, 7, 8))
    check(tmp_path, node("LpPool", "x", kernel_shape=[3], pads=[1, 1], p=power), opset=18, x=real(1, 3, 7))
    check(tmp_path, node("GlobalLpPool", "x", p=power), x=real(2, 3, 4, 5))


def test_shrink(tmp_path):
    check(tmp_path, node("Shrink", "x", bias=0.3, lambd=0.8), x=real(4, 9))


def test_batch_normalization_in_training(tmp_path):
    inits = {k: np.abs(real(3)) + np.float32(0.1) for k in "sbmv"}
    check(tmp_path, node("BatchNormalization", "x s b m v", "y rm rv", training_mode=1, momentum=0.7), inits, outputs=("y", "rm", "rv"), x=real(2, 3, 4, 5))


# ---- normalization, attention ----

def test_normalizations(tmp_path):
    check(tmp_path, node("LayerNormalization", "x s b", "y m i", axis=1), {"s": real(4, 5), "b": real(4, 5)}, outputs=("y", "m", "i"), x=real(3, 4, 5))
    for axis in (-1, 1):
        check(tmp_path, node("RMSNormalization", "x s", axis=axis, epsilon=1e-3), {"s": real(*(3, 4, 5)[axis:])}, opset=23, x=real(3, 4, 5))


ATTENTIONS = [  # heads, heads of keys, mask, past, attributes
    (3, 3, None, 0, {}), (3, 3, (4, 6), 0, {}), (6, 2, None, 0, {"is_causal": 1}), (3, 3, (2, 3, 4, 6), 0, {"softcap": 2.0, "scale": 0.3}),
    (4, 2, (4, 11), 5, {}), (3, 3, None, 5, {"is_causal": 1}),
]


@pytest.mark.parametrize("heads, keys, mask, past, attrs", ATTENTIONS)
def test_attention(heads, keys, mask, past, attrs, tmp_path):
    flat = {"q_num_heads": heads, "kv_num_heads": keys}
    feeds = {"q": real(2, 4, 8 * heads), "k": real(2, 6, 8 * keys), "v": real(2, 6, 5 * keys)}
    inits = {"m": real(*mask)} if mask else {}
    inits |= {"pk": real(2, keys, past, 8), "pv": real(2, keys, past, 5)} if past else {}
    ins = f"q k v {'m' if mask else '_'} {'pk pv' if past else ''}"
    check(tmp_path, node("Attention", ins, "y pk2 pv2" if past else "y", **flat, **attrs), inits, opset=23, outputs=("y", "pk2", "pv2") if past else ("y",), **feeds)


@pytest.mark.parametrize("interleaved, part, positions", every((0, 1), (0, 4), (False, True)))
def test_rotary_embedding(interleaved, part, positions, tmp_path):
    half = (part or 8) // 2
    shape = (20, half) if positions else (2, 3, half)
    inits = {"c": real(*shape), "s": real(*shape)} | ({"p": whole(0, 20, (2, 3))} if positions else {})
    op = node("RotaryEmbedding", "x c s p" if positions else "x c s", interleaved=interleaved, rotary_embedding_dim=part, num_heads=4)
    check(tmp_path, op, inits, opset=23, x=real(2, 3, 32))


# ---- recurrent layers ----

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(kind, directions, hidden, inputs, batch):
    g = GATES[kind] * hidden
    weights = {"w": real(directions, g, inputs), "r": real(directions, g, hidden) * np.float32(0.5), "b": real(directions, 2 * g), "h": real(directions, batch, hidden)}
    return weights | ({"c": real(directions, batch, hidden), "p": real(directions, 3 * hidden)} if kind == "LSTM" else {})


@pytest.mark.parametrize("kind, direction", every(GATES, ("forward", "reverse", "bidirectional")))
@pytest.mark.parametrize("lengths", [False, True])
def test_recurrent(kind, direction, lengths, tmp_path):
    inits = recurrent(kind, 1 + (direction == "bidirectional"), 5, 3, 2) | ({"l": np.array([4, 2], np.int32)} if lengths else {})
    length = "l" if lengths else "_"
    ins, outs = (f"x w r b {length} h c p", "y yh yc") if kind == "LSTM" else (f"x w r b {length} h", "y yh")
    check(tmp_path, node(kind, ins, outs, direction=direction, hidden_size=5), inits, outputs=outs.split(), x=real(4, 2, 3))


@pytest.mark.parametrize("kind, attrs", [
    ("GRU", {"linear_before_reset": 1}), ("GRU", {"activations": ["HardSigmoid", "Softsign"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
    ("LSTM", {"clip": 0.5}), ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}), ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
])
def test_recurrent_attributes(kind, attrs, tmp_path):
    inits = recurrent(kind, 1, 4, 3, 2)
    check(tmp_path, node(kind, "x w r b", "y yh", hidden_size=4, **attrs), inits, outputs=("y", "yh"), x=real(3, 2, 3))
    check(tmp_path, node(kind, "x w r", "_ yh", hidden_size=4), inits, outputs=("yh",), x=real(3, 2, 3))


@pytest.mark.parametrize("kind, direction", every(GATES, ("reverse", "bidirectional")))
def test_recurrent_batch_first(kind, direction, tmp_path):
    """onnxruntime knows the other layout alone, and one sequence length for all at run time is as good as a constant."""
    inits = {k: v for k, v in recurrent(kind, 1 + (direction == "bidirectional"), 5, 3, 2).items() if k not in "cp"}
    x, l = real(4, 2, 3), np.array([3, 4], np.int32)
    outs = ("y", "yh", "yc") if kind == "LSTM" else ("y", "yh")
    want = reference(model([node(kind, "x w r b l h", " ".join(outs), direction=direction, hidden_size=5)], {"x": x, "l": l}, outs, inits, 14), {"x": x, "l": l})
    inits["h"] = inits["h"].transpose(1, 0, 2)
    first = model([node(kind, "x w r b l h", " ".join(outs), direction=direction, hidden_size=5, layout=1)], {"x": x.transpose(1, 0, 2), "l": l}, outs, inits, 14)
    got = evaluate(save(first, tmp_path), [x.transpose(1, 0, 2), l], tmp_path)
    compare([g.transpose(1, 2, 0, 3) if g.ndim == 4 else g.transpose(1, 0, 2) for g in got], want)


def test_recurrent_weights_at_run_time(tmp_path):
    w = recurrent("GRU", 1, 5, 3, 2)
    check(tmp_path, node("GRU", "x w r b _ h", "y yh", hidden_size=5), outputs=("y", "yh"), x=real(4, 2, 3), **w)


# ---- quantized operators ----

TYPES = [np.uint8, np.int8]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [None, 1])
def test_quantize_linear(dtype, axis, tmp_path):
    n = () if axis is None else (3,)
    inits = {"s": np.abs(real(*n)) + np.float32(0.01), "z": whole(0, 20, n, dtype)}
    attrs = {} if axis is None else {"axis": axis}
    check(tmp_path, [node("QuantizeLinear", "x s z", "q", **attrs), node("DequantizeLinear", "q s z", **attrs)], inits, outputs=("q", "y"), x=real(2, 3, 5) * np.float32(50))


def test_quantize_in_blocks(tmp_path):
    inits = {"s": np.abs(real(2, 3)) + np.float32(0.01), "z": whole(0, 20, (2, 3), np.uint8)}
    nodes = [node("QuantizeLinear", "x s z", "q", axis=1, block_size=2), node("DequantizeLinear", "q s z", axis=1, block_size=2)]
    check(tmp_path, nodes, inits, opset=21, outputs=("q", "y"), x=real(2, 6) * np.float32(20))


def test_dynamic_quantize_linear(tmp_path):
    for shift in (0, 3, -3):
        check(tmp_path, node("DynamicQuantizeLinear", "x", "y s z"), outputs=("y", "s", "z"), x=real(4, 7) + np.float32(shift))


@pytest.mark.parametrize("a, b", every(TYPES, TYPES))
def test_quantized_products(a, b, tmp_path):
    if (a, b) == (np.int8, np.uint8):
        pytest.skip("onnxruntime has none")
    x, w = whole(-100 if a == np.int8 else 0, 100, (3, 5), a), whole(-100 if b == np.int8 else 0, 100, (5, 4), b)
    check(tmp_path, node("MatMulInteger", "x w za zb"), {"w": w, "za": np.array(7, a), "zb": np.array(3, b)}, x=x)
    inits = {"sa": np.float32(0.02), "za": np.array(7, a), "w": w, "sb": np.abs(real(4)) / 10, "zb": np.full(4, 3, b), "sy": np.float32(0.5), "zy": np.array(9, a)}
    check(tmp_path, node("QLinearMatMul", "x sa za w sb zb sy zy"), inits, x=x)
    picture, kernel = whole(0, 200, (1, 3, 6, 6), np.uint8), whole(-100 if b == np.int8 else 0, 100, (4, 3, 3, 3), b)
    if a == np.uint8:
        check(tmp_path, node("ConvInteger", "x w zx zw", pads=[1] * 4), {"w": kernel, "zx": np.uint8(12), "zw": np.array(3, b)}, x=picture)
        inits = {"sx": np.float32(0.02), "zx": np.uint8(12), "w": kernel, "sw": np.full(4, 0.03, np.float32) if b == np.int8 else np.float32(0.03),
                 "zw": np.zeros(4, b) if b == np.int8 else np.array(3, b), "sy": np.float32(0.9), "zy": np.uint8(90), "bias": whole(-900, 900, 4, np.int32)}
        check(tmp_path, node("QLinearConv", "x sx zx w sw zw sy zy bias", strides=[2, 1]), inits, x=picture)


# ---- graphs within ----

def branch(nodes, out, inits=None):
    return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
                             [onnx.numpy_helper.from_array(v, n) for n, v in (inits or {}).items()])


def rank_is(n, inits):
    """Nodes that say in 'c' whether x has n dimensions."""
    inits |= {"rank": ints(n)}
    return [node("Shape", "x", "s"), node("Size", "s", "n"), node("Equal", "n rank", "c")]


@pytest.mark.parametrize("rank", [2, 3])
def test_if_of_a_shape(rank, tmp_path):
    """Branches of the same inner names, with constants of their own and what lies around them."""
    inits = {"k": real(4)}
    then, other = branch([node("Mul", "x w", "t"), node("Add", "t k", "u")], "u", {"w": real(4)}), branch([node("Sub", "x k", "t")], "t")
    again = branch([node("If", "c", "u", then_branch=branch([node("Relu", "r", "t")], "t"), else_branch=branch([node("Neg", "r", "t")], "t"))], "u")
    nodes = [*rank_is(2, inits), node("If", "c", "r", then_branch=then, else_branch=other), node("If", "c", then_branch=again, else_branch=branch([node("Add", "k x", "t")], "t"))]
    check(tmp_path, nodes, inits, outputs=("r", "y"), x=real(*(3, 4) if rank == 2 else (2, 3, 4)))
