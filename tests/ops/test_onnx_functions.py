"""Functions of the model."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx  # noqa: E402
from hard_support import F, body, call, calling, function, in_fixed, node, real, says, takes  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from support import compare, evaluate, refused, same_as_onnxruntime, save, tool  # noqa: E402


def linear():
    return function("Linear", "x w b", "y", [node("MatMul", "x w", "t"), node("Add", "t b", "u"), takes(node("LeakyRelu", "u"), "alpha", onnx.AttributeProto.FLOAT, "slope")], ["slope"])


def test_functions(tmp_path):
    """Called twice, from within another, with attributes of its callers; inner names are those of the graph around."""
    twice = function("Twice", "x w b", "y", [takes(call("Linear", "x w b", "t"), "slope", onnx.AttributeProto.FLOAT, "first"), call("Linear", "t w b", "y", slope=0.1)], ["first"])
    nodes = [call("Twice", "x w b", "t", first=0.3, name="one"), call("Twice", "t w b", "y", first=0.7, name="two")]
    m = calling(nodes, [twice, linear()], inits={"w": real(4, 4) / 2, "b": real(4)})
    same_as_onnxruntime(m, {"x": real(3, 4)}, tmp_path)
    in_fixed(m, tmp_path, [real(3, 4) for _ in range(4)])
    assert "two" in tool("--text", save(m, tmp_path)).stdout


def test_defaults_and_absent_ends_of_functions(tmp_path):
    """An attribute that the caller leaves out has the function's default, else the operator's; an absent input is absent within."""
    leaky = function("Leaky", "x", "y", [takes(node("LeakyRelu", "x"), "alpha", onnx.AttributeProto.FLOAT, "slope")], ["slope"])
    preset = function("Preset", "x", "y", [takes(node("LeakyRelu", "x"), "alpha", onnx.AttributeProto.FLOAT, "slope")], slope=0.4)
    clip = function("Bounded", "x lo hi", "y z", [node("Clip", "x lo hi", "y"), node("Neg", "y", "z")])
    nodes = [call("Leaky", "x", "a"), call("Preset", "a", "b"), call("Preset", "b", "c", slope=0.5), call("Bounded", "c _ hi", "d z"), call("Bounded", "d lo", "y w")]
    m = calling(nodes, [leaky, preset, clip], inits={"hi": np.float32(1.5), "lo": np.float32(-0.7)}, outputs=("y", "z"))
    same_as_onnxruntime(m, {"x": real(3, 4)}, tmp_path)
    assert m.graph.node[-1].output.pop() == "w"  # which onnxruntime does not allow
    assert tool(save(m, tmp_path)).returncode == 0


def test_functions_of_another_opset(tmp_path):
    """Squeeze takes its axes as an attribute where the function says opset 11, whatever the model says."""
    old = function("Old", "x", "y", [takes(node("Squeeze", "x"), "axes", onnx.AttributeProto.INTS, "axes")], ["axes"], opset=11)
    m = calling([call("Old", "x", axes=[1, 2])], [old], {"x": (F, [3, 1, 1, 4])})
    x = real(3, 1, 1, 4)
    compare(evaluate(save(m, tmp_path), [x], tmp_path), [x.reshape(3, 4)])


def test_branches_and_loops_within_functions(tmp_path):
    b = body([takes(node("LeakyRelu", "a", "l"), "alpha", onnx.AttributeProto.FLOAT, "slope"), node("Add", "l x", "a2"), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2")
    f = function("Steps", "x n", "y", [node("Constant", "", "t", value=numpy_helper.from_array(np.array(True))), node("Loop", "n t x", "y", body=b)], ["slope"])
    m = calling([call("Steps", "x k", slope=0.25)], [f], inits={"k": np.array(3)})
    x = real(3, 4)
    want = x
    for _ in range(3):
        want = np.where(want < 0, np.float32(0.25) * want, want) + x
    compare(evaluate(save(m, tmp_path), [x], tmp_path), [want])


def test_functions_of_16_bits(tmp_path):
    """A zero point of 16 bits stays one on its way into a function."""
    f = function("Round", "x s z", "y", [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")], opset=21)
    m = calling([call("Round", "x s z")], [f], inits={"s": np.float32(0.0001), "z": np.uint16(30000)})
    m.opset_import[0].version = 21
    same_as_onnxruntime(m, {"x": real(3, 4)}, tmp_path)


def test_functions_that_are_refused(tmp_path):
    refused(calling([call("Gone", "x", name="n")], []), tmp_path, "1 node is not supported (opset 17): my.Gone 'n'")
    turn, back = function("Turn", "x", "y", [call("Back", "x", "y", name="b")]), function("Back", "x", "y", [call("Turn", "x", "y", name="t")])
    says(calling([call("Turn", "x", name="n")], [turn, back]), tmp_path, "n/b/t", "Turn: the function calls itself")
    says(calling([call("Linear", "x w b k", name="n")], [linear()], inits={"w": real(4, 4), "b": real(4), "k": real(4)}), tmp_path, "n",
         "Linear: the function has 3 inputs and 1 outputs: expected as many or fewer, found 4 and 1")
    frob = function("F", "x", "y", [node("Relu", "x", "r"), node("Frob", "r", "y", name="inner")])
    says(calling([call("F", "x", name="n")], [frob]), tmp_path, "n/inner", "Frob: not supported")
    says(calling([call("F", "x", name="n")], [function("F", "x", "y", [node("Relu", "x", "r")])]), tmp_path, "n", "F: output 'y' of its function does not exist")
    says(calling([call("F", "x", name="n")], [function("F", "x", "y", [node("Add", "x outer", "y", name="inner")])], inits={"outer": real(4)}), tmp_path, "n/inner", "Add: input 'outer' does not exist")


def test_functions_that_multiply(tmp_path):
    """Each calls the next one twice: 2^30 nodes in 30 functions."""
    f = [function(f"f{i}", "x", "y", [call(f"f{i + 1}", "x", "t"), call(f"f{i + 1}", "t", "y")] if i < 30 else [node("Relu", "x")]) for i in range(31)]
    refused(calling([call("f0", "x")], f), tmp_path, "the nodes of graphs and functions come to 100001, each counted as often as it is built: 100000 are the most")
