"""Operators of com.microsoft, which onnxruntime's optimizer and quantizer write."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from hard_support import F, RNG, in_fixed, node, real, says  # noqa: E402
from onnx import helper  # noqa: E402
from support import evaluate, model, quantized, reference, refused, same_as_onnxruntime, save, tool  # noqa: E402


def contrib(nodes, inputs, inits=None, outputs=("y",), opset=13):
    m = model(nodes if isinstance(nodes, list) else [nodes], inputs, list(outputs), inits, opset)
    m.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return m


def ms(op, ins, outs="y", **attrs):
    return node(op, ins, outs, domain="com.microsoft", **attrs)


CONTRIB = [  # nodes, shape of x, initializers, outputs
    (ms("FusedConv", "x w b", activation="Relu", pads=[1] * 4), (1, 3, 6, 6), {"w": real(4, 3, 3, 3), "b": real(4)}, "y"),
    (ms("FusedConv", "x w", activation="LeakyRelu", activation_params=[0.2]), (1, 3, 6, 6), {"w": real(4, 3, 3, 3)}, "y"),
    (ms("FusedConv", "x w b", activation="Clip", activation_params=[-0.5, 0.7]), (1, 3, 6, 6), {"w": real(4, 3, 3, 3), "b": real(4)}, "y"),
    (ms("FusedConv", "x w b", activation="HardSigmoid", activation_params=[0.3, 0.4]), (1, 3, 6, 6), {"w": real(4, 3, 3, 3), "b": real(4)}, "y"),
    (ms("FusedConv", "x w b", activation="Tanh"), (1, 3, 6, 6), {"w": real(4, 3, 3, 3) / 4, "b": real(4)}, "y"),
    ([node("Neg", "x", "n"), ms("FusedConv", "x w b n", activation="Relu", kernel_shape=[1, 1])], (1, 3, 6, 6), {"w": real(3, 3, 1, 1), "b": real(3)}, "y"),
    (ms("FusedGemm", "x w b", activation="Relu", transB=1, alpha=0.5), (3, 4), {"w": real(5, 4), "b": real(5)}, "y"),
    (ms("FusedGemm", "x w b", activation="LeakyRelu", activation_alpha=0.3), (3, 4), {"w": real(4, 5), "b": real(5)}, "y"),
    (ms("FusedMatMul", "x w", alpha=0.25, transA=1), (2, 4, 3), {"w": real(2, 4, 5)}, "y"),
    (ms("FusedMatMul", "x w", transB=1), (2, 3, 4), {"w": real(5, 4)}, "y"),
    (ms("Gelu", "x"), (3, 8), {}, "y"),
    (ms("BiasGelu", "x b"), (3, 8), {"b": real(8)}, "y"),
    (ms("FastGelu", "x b"), (3, 8), {"b": real(8)}, "y"),
    (ms("FastGelu", "x"), (3, 8), {}, "y"),
    (ms("QuickGelu", "x", alpha=1.5), (3, 8), {}, "y"),
    (ms("QuickGelu", "x"), (3, 8), {}, "y"),
    ([node("Neg", "x", "n"), node("Relu", "n", "r"), ms("SkipLayerNormalization", "x r g b c", "y _ _ z", epsilon=0.01)], (2, 3, 8), {"g": real(8), "b": real(8), "c": real(8)}, "y z"),
    ([node("Relu", "x", "r"), ms("SkipLayerNormalization", "x r g")], (2, 3, 8), {"g": real(8)}, "y"),
    ([node("Relu", "x", "r"), ms("SkipSimplifiedLayerNormalization", "x r g", "y _ _ z", epsilon=0.01)], (2, 3, 8), {"g": real(8)}, "y z"),
    (node("SimplifiedLayerNormalization", "x g", epsilon=0.01, axis=-1), (2, 3, 8), {"g": real(8)}, "y"),
]


@pytest.mark.parametrize("nodes, shape, inits, outputs", CONTRIB, ids=range(len(CONTRIB)))
def test_fused_operators(nodes, shape, inits, outputs, tmp_path):
    m = contrib(nodes, {"x": (F, list(shape))}, inits, outputs.split())
    same_as_onnxruntime(m, {"x": real(*shape)}, tmp_path)
    in_fixed(m, tmp_path, [real(*shape) for _ in range(4)], above=30)


def steps(kind, least=20):
    """Names of a scale and a zero point, and their values."""
    low = np.iinfo(kind).min
    return {"sa": np.float32(0.02), "za": kind(low + least), "sb": np.float32(0.03), "zb": kind(low + 9), "sy": np.float32(0.05), "zy": kind(low + 40)}


QLINEAR = [  # nodes on q, which is x in steps sa, za, and r, which is w in steps sb, zb
    ms("QLinearAdd", "q sa za r sb zb sy zy", "p"),
    ms("QLinearAdd", "q sa za k sb zb sy zy", "p"),
    ms("QLinearMul", "q sa za r sb zb sy zy", "p"),
    ms("QLinearSigmoid", "q sa za sy zy", "p"),
    ms("QLinearLeakyRelu", "q sa za sy zy", "p", alpha=0.2),
    ms("QLinearAveragePool", "q sa za sy zy", "p", kernel_shape=[2, 2], strides=[2, 1]),
    ms("QLinearGlobalAveragePool", "q sa za sy zy", "p"),
    ms("QLinearConcat", "sy zy q sa za r sb zb", "p", axis=1),
    ms("QLinearSoftmax", "q sa za sy zy", "p", axis=-1, opset=13),
]


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("quantized_node", QLINEAR, ids=lambda n: n.op_type)
def test_operators_in_steps(quantized_node, kind, tmp_path):
    """Halves are rounded here and there: one step at most lies between, be it to onnxruntime or to fixed point."""
    inits = steps(kind) | {"k": RNG.integers(np.iinfo(kind).min, np.iinfo(kind).max, (1, 3, 4, 4)).astype(kind)}
    if quantized_node.op_type in ("QLinearSigmoid", "QLinearSoftmax"):
        inits |= {"sy": np.float32(1 / 256), "zy": kind(np.iinfo(kind).min)}
    domain = "com.microsoft"
    nodes = [node("QuantizeLinear", "x sa za", "q", domain=domain), node("QuantizeLinear", "w sb zb", "r", domain=domain), quantized_node, node("DequantizeLinear", "p sy zy", domain=domain)]
    feeds = {"x": real(1, 3, 4, 4), **({"w": real(1, 3, 4, 4)} if "r" in quantized_node.input else {})}
    if len(feeds) == 1:
        del nodes[1]
    m = contrib(nodes, {n: (F, [1, 3, 4, 4]) for n in feeds}, inits)
    want, = reference(m, feeds)
    for args in ((), ("--passes",)):
        got, = evaluate(save(m, tmp_path), list(feeds.values()), tmp_path, *args)
        off = np.abs(got - want) / inits["sy"]
        assert off.max() <= 1.01 and np.abs(want).max() > 0
    w, g = quantized(save(m, tmp_path), [[v, real(1, 3, 4, 4)] for v in feeds.values()], tmp_path)
    assert np.abs(w[0] - g[0]).max() <= 1.01 * inits["sy"]


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("whole", [False, True])
def test_qgemm(turned, whole, tmp_path):
    w = RNG.integers(-90, 90, (5, 4) if turned else (4, 5)).astype(np.int8)
    inits = steps(np.uint8) | {"w": w, "sw": np.abs(real(5)) / 50 + np.float32(0.01), "zw": np.zeros(5, np.int8), "c": RNG.integers(-900, 900, 5).astype(np.int32), "sy": np.float32(0.1), "zy": np.uint8(120)}
    last = [ms("QGemm", "q sa za w sw zw c sy zy", "p", transB=turned, alpha=0.5), node("DequantizeLinear", "p sy zy")] if whole else [ms("QGemm", "q sa za w sw zw c", transB=turned)]
    m = contrib([node("QuantizeLinear", "x sa za", "q"), *last], {"x": (F, [3, 4])}, inits)
    x = real(3, 4)
    want, = reference(m, {"x": x})
    got, = evaluate(save(m, tmp_path), [x], tmp_path)
    assert np.abs(got - want).max() <= (0.101 if whole else 1e-4 * np.abs(want).max())


def test_products_that_onnxruntime_fused(tmp_path):
    """DynamicQuantizeMatMul, MatMulIntegerToFloat: what becomes of a dynamic model by its optimizer."""
    w, inits = RNG.integers(0, 255, (4, 3)).astype(np.uint8), {"sw": np.float32(0.02), "zw": np.uint8(120), "b": real(3)}
    m = contrib(ms("DynamicQuantizeMatMul", "x w sw zw b"), {"x": (F, [5, 4])}, inits | {"w": w})
    n = contrib([node("DynamicQuantizeLinear", "x", "q s z"), ms("MatMulIntegerToFloat", "q w s sw z zw b")], {"x": (F, [5, 4])}, inits | {"w": w})
    for m in (m, n):
        same_as_onnxruntime(m, {"x": real(5, 4)}, tmp_path)
        in_fixed(m, tmp_path, [real(5, 4) for _ in range(4)], above=35)
        assert "fake_quant_dynamic" in tool("--passes", "--text", save(m, tmp_path)).stdout


def test_other_domains_are_refused(tmp_path):
    refused(contrib(ms("MatMulNBits", "x k s", K=4, N=4), {"x": (F, [3, 4])}, {"k": real(4), "s": real(4)}), tmp_path, "1 node is not supported (opset 13): com.microsoft.MatMulNBits 'y'")
    for domain, op in (("ai.onnx.contrib", "GPT2Tokenizer"), ("ai.onnx.ml", "Scaler"), ("org.pytorch.aten", "ATen"), ("my", "Relu")):
        m = contrib(helper.make_node(op, ["x"], ["y"], domain=domain, name="n"), {"x": (F, [3, 4])})
        refused(m, tmp_path, f"1 node is not supported (opset 13): {domain}.{op} 'n'")
    m = contrib(node("Relu", "x", domain="ai.onnx"), {"x": (F, [3, 4])})
    same_as_onnxruntime(m, {"x": real(3, 4)}, tmp_path)


BAD_CONTRIB = [
    (ms("FusedConv", "x w", name="the_node", activation="Elu"), "FusedConv: activation: expected one of Relu, Clip, Sigmoid, Tanh, LeakyRelu, HardSigmoid, found 'Elu'"),
    (ms("FusedMatMul", "x x", name="the_node", transBatchA=1), "FusedMatMul: transBatchA and transBatchB are not supported"),
    (ms("SkipLayerNormalization", "x x g", "y m", name="the_node"), "SkipLayerNormalization: the outputs of means and deviations are not supported"),
    (ms("QLinearConcat", "s z x s", name="the_node", axis=1), "QLinearConcat: expected a scale, a zero point and three inputs for each part, found 4 inputs"),
    (ms("QLinearGlobalAveragePool", "q s z s z", name="the_node", channels_last=1), "QLinearGlobalAveragePool: channels_last is not supported"),
]


@pytest.mark.parametrize("bad, said", BAD_CONTRIB, ids=lambda v: v.op_type if hasattr(v, "op_type") else "")
def test_fused_operators_that_are_refused(bad, said, tmp_path):
    inits = {"w": real(4, 3, 1, 1), "g": real(4), "s": np.float32(0.1), "z": np.uint8(3), "q": np.zeros((1, 3, 4, 4), np.uint8)}
    says(contrib(bad, {"x": (F, [1, 3, 4, 4])}, inits, list(bad.output)), tmp_path, "the_node", said)
