"""Quantization at run time, as quantize_dynamic and other makers write it."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx  # noqa: E402
from hard_support import F, RNG, check, in_fixed, node, real  # noqa: E402
from support import model, same_as_onnxruntime, save, tool  # noqa: E402


def by_onnxruntime(m, tmp_path, **options):
    """What onnxruntime's quantize_dynamic makes of a float model.  Signed weights have 7 bits: with 8 its own sums saturate on CPUs without VNNI."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    signed = options.get("weight_type") != quantization.QuantType.QUInt8
    quantization.quantize_dynamic(save(m, tmp_path), tmp_path / "dynamic.onnx", reduce_range=signed, **options)
    made = onnx.load(tmp_path / "dynamic.onnx")
    assert {"ConvInteger", "MatMulInteger"} & {n.op_type for n in made.graph.node}
    return made


@pytest.mark.parametrize("kind", ["uint8", "int8", "int8 per channel"])
def test_quantize_dynamic(kind, tmp_path):
    """In float the model's own rounding; in fixed point products as those of any model."""
    nodes = [node("Conv", "x w b", "c", pads=[1] * 4), node("Relu", "c", "r"), node("Conv", "r w2", "c2", strides=[2, 2]), node("GlobalAveragePool", "c2", "g"), node("Flatten", "g", "f"),
             node("MatMul", "f m", "t"), node("Add", "t mb", "u"), node("Tanh", "u", "v"), node("Gemm", "v k kb")]
    inits = {"w": real(8, 3, 3, 3) / 4, "b": real(8), "w2": real(8, 8, 3, 3) / 8, "m": real(8, 6) / 4, "mb": real(6) / 4, "k": real(6, 5), "kb": real(5)}
    m = model(nodes, {"x": (F, [1, 3, 8, 8])}, ["y"], inits, 13)
    from onnxruntime.quantization import QuantType
    m = by_onnxruntime(m, tmp_path, per_channel="per" in kind, weight_type=QuantType.QUInt8 if kind == "uint8" else QuantType.QInt8)
    x = real(1, 3, 8, 8)
    same_as_onnxruntime(m, {"x": x}, tmp_path)
    in_fixed(m, tmp_path, [x, *[real(1, 3, 8, 8) for _ in range(3)]], above=28)  # the 8 bits of the float model are noise as well
    text = tool("--passes", "--text", save(m, tmp_path)).stdout
    assert text.count(" = conv ") == 2 and text.count(" = fc ") == 2 and text.count("fake_quant_dynamic") == 4 and "cast" not in text


def test_quantize_dynamic_with_several_readers(tmp_path):
    """One tensor rounded once for three products, as in an attention; a tensor of zeros alone."""
    m = model([node("MatMul", "x q", "a"), node("MatMul", "x k", "b"), node("MatMul", "x v", "c"), node("Add", "a b", "s"), node("Add", "s c", "y")], {"x": (F, [2, 5, 8])}, ["y"],
              {"q": real(8, 8), "k": real(8, 8), "v": real(8, 8)}, 13)
    m = by_onnxruntime(m, tmp_path)
    assert [n.op_type for n in m.graph.node].count("DynamicQuantizeLinear") == 1
    for x in (real(2, 5, 8), np.zeros((2, 5, 8), np.float32)):
        same_as_onnxruntime(m, {"x": x}, tmp_path)
    in_fixed(m, tmp_path, [real(2, 5, 8) for _ in range(4)])


def test_whole_numbers_of_other_makers(tmp_path):
    """A product that is not scaled by its own scale, or is an output itself, stays one of whole numbers."""
    dynamic = [node("DynamicQuantizeLinear", "x", "q s z"), node("MatMulInteger", "q w z", "p"), node("Cast", "p", "f", to=F)]
    w = RNG.integers(-90, 90, (4, 3)).astype(np.int8)
    for last in (node("Mul", "f other"), node("Mul", "f z2")):
        nodes = [*dynamic, node("Cast", "z", "z2", to=F), last]
        m = model(nodes, {"x": (F, [5, 4])}, ["y"], {"w": w, "other": np.float32(0.3)})
        same_as_onnxruntime(m, {"x": real(5, 4)}, tmp_path)
        assert "fake_quant_dynamic" not in tool("--passes", "--text", save(m, tmp_path)).stdout
    check(tmp_path, [*dynamic, node("Mul", "s other", "so"), node("Mul", "so f")], {"w": w, "other": np.float32(0.3)}, outputs=("y", "p", "q", "s", "z"), x=real(5, 4))
    check(tmp_path, [*dynamic, node("Mul", "s f")], {"w": w}, x=real(5, 4))


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_scales_of_channels(kind, tmp_path):
    """QuantizeLinear of an activation along its channels: whole numbers, which 16 bits hold."""
    zero = np.array([10, 128, 30], np.uint8) if kind == np.uint8 else np.array([0, -9, 20], np.int8)
    nodes = [node("QuantizeLinear", "x s z", "q", axis=1), node("DequantizeLinear", "q s z", "r", axis=1), node("Conv", "r w", "c"), node("Relu", "c")]
    m = model(nodes, {"x": (F, [1, 3, 6, 6])}, ["y"], {"s": np.float32([0.03, 0.01, 0.02]), "z": zero, "w": real(4, 3, 3, 3)})
    same_as_onnxruntime(m, {"x": real(1, 3, 6, 6)}, tmp_path)
    in_fixed(m, tmp_path, [real(1, 3, 6, 6) for _ in range(3)], above=35)
