"""What breaks a rule, or is more than we can take, ends in one message that names file, node, expected and found."""
import os

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from support import compare, evaluate, model, reference, refused, save, tool  # noqa: E402

F = TensorProto.FLOAT
RNG = np.random.default_rng(3)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def ints(*values):
    return np.array(values, np.int64)


def one(op, ins, inits=None, shape=(1, 4, 8, 8), opset=13, outs="y", **attrs):
    n = helper.make_node(op, ins, outs.split(), name="the_node", **attrs)
    return model([n], {"x": (F, list(shape))}, outs.split(), inits, opset)


# ---- operators ----

W = real(6, 4, 3, 3)
BROKEN = [  # operator, inputs, initializers, attributes, what is said of the node
    ("Conv", "x w", {"w": W}, {"strides": [0, 1]}, "height: kernel, stride and dilation must be 1 or more, found 3, 0 and 1"),
    ("Conv", "x w", {"w": W}, {"strides": [1, -2]}, "width: kernel, stride and dilation must be 1 or more, found 3, -2 and 1"),
    ("Conv", "x w", {"w": W}, {"strides": [1]}, "Conv: attribute strides: expected 2 numbers, found 1"),
    ("Conv", "x w", {"w": W}, {"dilations": [0, 1]}, "height: kernel, stride and dilation must be 1 or more, found 3, 1 and 0"),
    ("Conv", "x w", {"w": W}, {"dilations": [4, 4]}, "Conv: height: a kernel that covers 9 does not fit 8 pixels with padding"),
    ("Conv", "x w", {"w": W}, {"pads": [1, 1]}, "Conv: attribute pads: expected 4 numbers, found 2"),
    ("Conv", "x w", {"w": W}, {"pads": [-1, 0, 0, 0]}, "Conv: pads must lie in 0..2147483647, found -1"),
    ("Conv", "x w", {"w": W}, {"pads": [1 << 62, 0, 1 << 62, 0]}, "Conv: pads must lie in 0..2147483647, found 4611686018427387904"),
    ("Conv", "x w", {"w": W}, {"group": 3}, "Conv: 4 input channels in 3 groups do not fit weights with 4 input and 6 output channels"),
    ("Conv", "x w", {"w": W}, {"group": 0}, "Conv: 4 input channels in 0 groups do not fit weights with 4 input and 6 output channels"),
    ("Conv", "x w", {"w": W}, {"group": -1}, "Conv: 4 input channels in -1 groups do not fit weights with 4 input and 6 output channels"),
    ("Conv", "x w", {"w": W}, {"group": 1 << 40}, "Conv: 4 input channels in 1099511627776 groups do not fit weights with 4 input and 6 output channels"),
    ("Conv", "x w", {"w": W}, {"kernel_shape": [5, 5]}, "Conv: kernel_shape says 5x5, the weights are 3x3"),
    ("Conv", "x w", {"w": W}, {"auto_pad": "SOME"}, "Conv: auto_pad: expected one of NOTSET, VALID, SAME_UPPER, SAME_LOWER, found 'SOME'"),
    ("Conv", "x w", {"w": W}, {"auto_pad": 3}, "Conv: attribute auto_pad: expected a word, found an integer"),
    ("Conv", "x w", {"w": W}, {"group": 1.5}, "Conv: attribute group: expected an integer, found a number"),
    ("Conv", "x w b", {"w": W, "b": real(5)}, {}, "Conv: expected 6 biases, one per output channel, found 5"),
    ("Conv", "x w b", {"w": W, "b": real(6, 1)}, {}, "Conv: bias: expected 1 dimension, found 2: [6,1]"),
    ("Conv", "x w", {"w": real(6, 3, 3, 3)}, {}, "Conv: 4 input channels in 1 group do not fit weights with 3 input and 6 output channels"),
    ("Conv", "x w", {"w": real(6, 4, 3)}, {}, "Conv: only 1-D and 2-D convolutions are supported: expected input and weights of 3 or of 4 dimensions, found 4 and 3"),
    ("Conv", "x", {}, {}, "Conv: input 1 is missing"),
    ("Conv", "x nothing", {}, {}, "Conv: input 'nothing' does not exist"),
    ("Conv", "x w", {"w": np.full((6, 4, 3, 3), np.nan, np.float32)}, {}, "constant 'w' holds NaN at element 0"),
    ("Conv", "x w", {"w": np.full((6, 4, 3, 3), np.inf, np.float32)}, {}, "constant 'w' holds infinity at element 0"),
    ("Conv", "x w", {"w": np.ones((6, 4, 3, 3), np.int32)}, {}, "Conv: expected float inputs, found int32"),
    ("MaxPool", "x", {}, {}, "MaxPool: kernel_shape is missing"),
    ("MaxPool", "x", {}, {"kernel_shape": [0, 2]}, "height: kernel, stride and dilation must be 1 or more, found 0, 1 and 1"),
    ("MaxPool", "x", {}, {"kernel_shape": [9, 9]}, "MaxPool: height: a kernel that covers 9 does not fit 8 pixels with padding"),
    ("MaxPool", "x", {}, {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, "MaxPool: padding must be smaller than the kernel: kernel 2, padding 2 and 0"),
    ("MaxPool", "x", {}, {"kernel_shape": [2, 2], "dilations": [9, 2]}, "MaxPool: height: a kernel that covers 10 does not fit 8 pixels with padding"),
    ("ReduceSum", "x", {}, {"axes": [1, 4]}, "ReduceSum: axis must lie in -4..3, found 4"),
    ("ReduceMax", "x", {}, {"axes": [1, -3]}, "ReduceMax: axis 1 is given twice"),
    ("ArgMax", "x", {}, {"axis": -5}, "ArgMax: axis must lie in -4..3, found -5"),
    ("AveragePool", "x", {}, {"kernel_shape": [2, 2, 2]}, "AveragePool: attribute kernel_shape: expected 2 numbers, found 3"),
    ("BatchNormalization", "x s b m v", {"s": real(3), "b": real(4), "m": real(4), "v": real(4) ** 2}, {}, "BatchNormalization: scale: expected 4 numbers, one per channel, found 3"),
    ("BatchNormalization", "x s b m v", {"s": real(4), "b": real(4), "m": real(4), "v": -1 - real(4) ** 2}, {}, "BatchNormalization: expected a variance above 0, found -2.41074 with epsilon in channel 0"),
    ("BatchNormalization", "x s b m", {"s": real(4), "b": real(4), "m": real(4)}, {}, "BatchNormalization: input 4 is missing"),
    ("Add", "x k", {"k": real(3)}, {}, "Add: shapes [1,4,8,8] and [3] do not broadcast: 8 against 3"),
    ("Add", "x k", {"k": np.ones(8, np.int64)}, {}, "Add: second input: expected type float32, found int64"),
    ("Concat", "x k", {"k": real(1, 4, 8, 7)}, {"axis": 1}, "Concat: cannot concatenate float32 [1,4,8,8] and float32 [1,4,8,7] along axis 1"),
    ("Concat", "x k", {"k": real(1, 4, 8, 8)}, {"axis": 4}, "Concat: axis must lie in -4..3, found 4"),
    ("Concat", "x k", {"k": real(1, 4, 8, 8)}, {}, "Concat: axis is missing"),
    ("Transpose", "x", {}, {"perm": [0, 1, 2]}, "Transpose: attribute perm: expected 4 numbers, found 3"),
    ("Transpose", "x", {}, {"perm": [0, 1, 2, 2]}, "Transpose: perm must name each of 0..3 once, found 2"),
    ("Reshape", "x s", {"s": ints(1, 4, 8, 9)}, {}, "Reshape: cannot reshape [1,4,8,8] to [1,4,8,9]: 256 elements against 288"),
    ("Reshape", "x s", {"s": ints(-1, -1)}, {}, "Reshape: shape: expected at most one -1, found another as shape[1]"),
    ("Reshape", "x s", {"s": ints(-1, 5)}, {}, "Reshape: -1 in the shape cannot be resolved: 256 elements, the other sizes multiply to 5"),
    ("Reshape", "x s", {"s": ints(1, 1, 1, 1, 0)}, {}, "Reshape: shape[4] = 0 copies a dimension that the input does not have (it has 4)"),
    ("Reshape", "x s", {"s": ints(1 << 62, 1 << 62)}, {}, "Reshape: the product of the shape overflows"),
    ("Reshape", "x s", {"s": ints(*[1] * 9)}, {}, "Reshape: 's', which it takes as shape, axes or sizes, holds 9 numbers, 8 are the most"),
    ("Reshape", "x s", {"s": real(2)}, {}, "Reshape: 's', which it takes as shape, axes or sizes, does not hold integers"),
    ("Reshape", "x s", {"s": np.ones((2, 2), np.int64)}, {}, "Reshape: 's', which it takes as shape, axes or sizes, is not a list"),
    ("Flatten", "x", {}, {"axis": 5}, "Flatten: axis must lie in -4..4, found 5"),
    ("Squeeze", "x a", {"a": ints(1)}, {}, "Squeeze: axis 1 has 4 elements; only axes of one can be squeezed"),
    ("Unsqueeze", "x a", {"a": ints(0, 0)}, {}, "Unsqueeze: axis 0 is given twice"),
    ("Unsqueeze", "x a", {"a": ints(0, 1, 2, 3, 4)}, {}, "Unsqueeze: at most 8 dimensions are supported, found 9"),
    ("Pad", "x p", {"p": ints(1, 1)}, {}, "Pad: expected 8 pads for 4 dimensions, found 2"),
    ("Pad", "x p", {"p": ints(0, 0, 0, 1 << 62, 0, 0, 0, 1 << 62)}, {}, "Pad: pads of 4611686018427387904 and 4611686018427387904 make more than 2^40 elements"),
    ("Pad", "x p", {"p": ints(*[0] * 8)}, {"mode": "spiral"}, "Pad: mode: expected one of constant, reflect, edge, wrap, found 'spiral'"),
    ("Pad", "x p", {"p": ints(0, 0, -9, 0, 0, 0, -9, 0)}, {}, "Pad: pads of -9 and -9 leave nothing of 8 elements"),
    ("Softmax", "x", {}, {"axis": 4}, "Softmax: axis must lie in -4..3, found 4"),
    ("Clip", "x lo", {"lo": real(2)}, {}, "Clip: min: expected one number, found 2"),
    ("MatMul", "x k", {"k": real(9, 2)}, {}, "MatMul: inner sizes differ: 8 and 9"),
    ("Gemm", "x k", {"k": real(8, 2)}, {}, "Gemm: expected matrices, of 2 dimensions, found 4"),
    ("Gather", "x k", {"k": ints(8)}, {"axis": 3}, "Gather: index 8 lies outside 8 rows"),
    ("Gather", "x k", {"k": real(1)}, {}, "Gather: indices: expected integers, found float32"),
    ("Slice", "x s e", {"s": ints(0, 0), "e": ints(1)}, {}, "Slice: 2 starts, but 1 ends"),
    ("Slice", "x s e a t", {"s": ints(0), "e": ints(1), "a": ints(1), "t": ints(0)}, {}, "Slice: step must not be 0"),
    ("Slice", "x s e a", {"s": ints(0), "e": ints(1), "a": ints(7)}, {}, "Slice: axis must lie in -4..3, found 7"),
    ("Cast", "x", {}, {"to": 8}, "Cast: to: data type 8 (STRING) is not supported"),
]


def says(m, tmp_path, message):
    """The import ends in this message about the node, and no other."""
    done = tool(save(m, tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/model.onnx: layer 'the_node': {message}\n"), done.stdout


@pytest.mark.parametrize("op,ins,inits,attrs,message", BROKEN, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN)])
def test_broken_rule(op, ins, inits, attrs, message, tmp_path):
    says(one(op, ins.split(), inits, **attrs), tmp_path, message)


def test_unnamed_node_goes_by_its_output(tmp_path):
    m = one("Add", ["x", "k"], {"k": real(3)})
    m.graph.node[0].name = ""
    refused(m, tmp_path, "layer 'y'", "do not broadcast")


def test_gemm(tmp_path):
    for k, c, words in (((9, 2), (2,), "inner sizes"), ((8, 2), (3,), "broadcast"), ((8, 2), (2, 4, 2), "does not broadcast to the product's 4x2")):
        refused(one("Gemm", ["x", "k", "c"], {"k": real(*k), "c": real(*c)}, shape=(4, 8)), tmp_path, "the_node", words)


def test_shape_known_only_at_run_time(tmp_path):
    m = model([helper.make_node("Reshape", ["x", "s"], ["y"], name="the_node")], {"x": (F, [2, 3]), "s": (TensorProto.INT64, [2])}, ["y"])
    refused(m, tmp_path, "the_node", "'s'", "known only at run time")


def test_integer_arithmetic(tmp_path):
    for op, a, b, words in (("Div", 5, 0, "division by zero"), ("Mul", 1 << 62, 4, "overflow"), ("Div", -(1 << 63), -1, "overflow")):
        nodes = [helper.make_node(op, ["a", "b"], ["c"], name="the_node"), helper.make_node("Reshape", ["x", "c"], ["y"])]
        refused(model(nodes, {"x": (F, [4])}, ["y"], {"a": ints(a), "b": ints(b)}), tmp_path, "the_node", words)


# ---- the graph ----

def test_unsupported_nodes_are_listed_at_once(tmp_path):
    """All of them by operator and name, and the cut that keeps the largest part; the hint's line works as it stands."""
    relu = [helper.make_node("Relu", [a], [b]) for a, b in (("t", "a"), ("a", "b"), ("b", "c"))]
    nodes = [helper.make_node("Frob", ["x"], ["f"], name="first"), helper.make_node("Add", ["f", "k"], ["t"]), *relu, helper.make_node("Unique", ["c"], ["n"], name="nz"),
             helper.make_node("Quux", ["n"], ["y"], name="last", domain="my.domain")]
    m = model(nodes, {"x": (F, [1, 4])}, ["y", "b"], {"k": real(4)})
    m.opset_import.append(helper.make_opsetid("my.domain", 1))
    text = refused(m, tmp_path, "3 nodes are not supported", "Frob 'first'", "Unique 'nz'", "my.domain.Quux 'last'", "4 of 7 nodes")
    call = text[text.index("onnx.utils.extract_model("):].strip()
    assert call.endswith("'cut.onnx', ['f'], ['c', 'b'])")


def test_cut_of_the_first_part(tmp_path):
    import onnx
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r'\\"]), helper.make_node("Unique", ["r'\\"], ["y", "i"])]
    m = model(nodes, {"x": (F, [1, 3, 8, 8])}, ["y"], {"w": real(4, 3, 3, 3)}, opset=11)
    m.graph.output[0].type.tensor_type.elem_type = F
    m = onnx.shape_inference.infer_shapes(m)
    text = refused(m, tmp_path, "1 node is not supported", "Unique 'y'")
    line = text[text.index("onnx.utils.extract_model("):].strip().replace("'cut.onnx'", repr(str(tmp_path / "cut.onnx")))
    exec(line, {"onnx": onnx})  # noqa: S102: the hint is the thing under test
    assert tool(tmp_path / "cut.onnx").returncode == 0


def test_cycle(tmp_path):
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="one"), helper.make_node("Relu", ["a"], ["b"], name="two")]
    refused(model(nodes, {"x": (F, [1, 4])}, ["b"]), tmp_path, "cycle")
    refused(model([helper.make_node("Add", ["x", "y"], ["y"], name="me")], {"x": (F, [4])}, ["y"]), tmp_path, "cycle", "'me'")


def test_a_tensor_has_one_origin(tmp_path):
    relu = [helper.make_node("Relu", ["x"], ["y"], name="one"), helper.make_node("Relu", ["x"], ["y"], name="two")]
    refused(model(relu, {"x": (F, [4])}, ["y"]), tmp_path, "'two'", "'y' is made by another node")
    refused(model(relu[:1], {"x": (F, [4])}, ["y"], {"y": real(4)}), tmp_path, "'one'", "'y' is an initializer")
    refused(model(relu[:1], {"x": (F, [4]), "y": (F, [4])}, ["y"]), tmp_path, "'y' is an input")
    m = model(relu[:1], {"x": (F, [4])}, ["y"])
    m.graph.input.append(m.graph.input[0])
    refused(m, tmp_path, "two inputs are named 'x'")
    m = model([helper.make_node("Add", ["x", "k"], ["y"])], {"x": (F, [4])}, ["y"], {"k": real(4)})
    m.graph.initializer.append(m.graph.initializer[0])
    refused(m, tmp_path, "two initializers are named 'k'")


def test_outputs(tmp_path):
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    refused(model(relu, {"x": (F, [4])}, []), tmp_path, "no outputs")
    refused(model(relu, {"x": (F, [4])}, ["y", "y"]), tmp_path, "output 'y' is listed twice")
    refused(model(relu, {"x": (F, [4])}, ["x"]), tmp_path, "'x' is an input of the model")
    refused(model(relu, {"x": (F, [4])}, ["z"]), tmp_path, "output 'z' is not a tensor of the model")


K = helper.make_tensor("k", F, [4], [1.0] * 4)
GRAPHS = [  # nodes (operator, inputs, outputs), inputs besides x, outputs, what is said of the file
    ([("Relu", "x", "y"), ("Relu", "x", "y")], [], "y", "layer 'y': tensor 'y' is made by another node, yet Relu makes it too"),
    ([("Relu", "x", "k")], [], "k", "layer 'k': tensor 'k' is an initializer, yet Relu makes it"),
    ([("Relu", "x", "z"), ("Relu", "z", "y")], ["z"], "y", "layer 'z': tensor 'z' is an input, yet Relu makes it"),
    ([("Add", "x b", "a"), ("Relu", "a", "b")], [], "b", "layer 'b': the graph has a cycle through tensor 'b'"),
    ([("Relu", "x", "a"), ("Frob", "a", "y")], [], "y", "1 node is not supported (opset 13): Frob 'y'\n  1 of 2 nodes can be taken together: onnx.utils.extract_model('FILE', 'cut.onnx', ['x'], ['a'])"),
    ([("Relu", "x", "a" * 600), ("Frob", "a" * 600, "b"), ("Quux", "b", "y")], [], "y", "2 nodes are not supported (opset 13): Frob 'b', Quux 'y'\n  1 of 3 nodes can be taken together, between 1 and 1 tensors"),
]


@pytest.mark.parametrize("nodes, more, out, said", GRAPHS, ids=range(len(GRAPHS)))
def test_graphs(nodes, more, out, said, tmp_path):
    m = model([helper.make_node(op, i.split(), o.split()) for op, i, o in nodes], dict.fromkeys(["x", *more], (F, [4])), [out], opset=13)
    m.graph.initializer.append(K)
    assert refused(m, tmp_path) == f"error: {tmp_path}/model.onnx: {said}\n".replace("FILE", f"{tmp_path}/model.onnx")


# ---- operators with other inputs, outputs, opsets ----

MORE = [  # operator, inputs (_: left out), shape of x, outputs, opset, initializers, attributes, what is said of the node
    ("BatchNormalization", "x s b m v", (1, 4, 8, 8), "y m2 v2", 9, {k: np.ones(4, np.float32) for k in "sbmv"}, {}, "BatchNormalization: training mode is not supported"),
    ("BatchNormalization", "x s b m v", (4,), "y", 15, {k: np.ones(4, np.float32) for k in "sbmv"}, {}, "BatchNormalization: expected an input of at least 2 dimensions, found 1"),
    ("Concat", "", (4,), "y", 13, {}, {"axis": 0}, "Concat: expected inputs, found none"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"kernel_shape": [2, 2]}, "ConvTranspose: kernel_shape says 2x2, the weights are 3x3"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"output_shape": [16]}, "ConvTranspose: output_shape: expected 2 numbers, found 1"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(3, 2, 3, 3)}, {}, "ConvTranspose: 4 input channels in 1 group do not fit weights for 3"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"output_shape": [-3, 16]}, "ConvTranspose: output_shape: expected sizes of 1 or more, found -3"),
    ("ConvTranspose", "x w", (1, 4, 8, 8, 8), "y", 13, {"w": real(4, 2, 3, 3, 3)}, {}, "ConvTranspose: only 1-D and 2-D convolutions are supported: expected input and weights of 3 or of 4 dimensions, found 5 and 5"),
    ("Pad", "x p v", (4,), "y", 13, {"p": ints(1, 1), "v": real(2)}, {}, "Pad: the padding value: expected one constant number"),
    ("Pad", "x p v a", (4, 4), "y", 18, {"p": ints(1, 1, 1, 1), "v": real(), "a": ints(1, 1)}, {}, "Pad: axis 1 is given twice"),
    ("Reshape", "x s", (4,), "y", 13, {"s": ints(*[1] * 9)}, {}, "Reshape: 's', which it takes as shape, axes or sizes, holds 9 numbers, 8 are the most"),
    ("Unsqueeze", "x", (4,), "y", 11, {}, {}, "Unsqueeze: axes are missing: expected an attribute or a second input"),
    ("Cast", "x", (4,), "y", 13, {}, {"to": 8}, "Cast: to: data type 8 (STRING) is not supported"),
    ("Attention", "x k k", (2, 4, 24), "y", 23, {"k": real(2, 6, 24)}, {"q_num_heads": 5, "kv_num_heads": 5}, "Attention: 5 heads do not fit an input [2,4,24]: expected [batch, sequence, heads * size], or 4 dimensions"),
    ("Attention", "x k k", (2, 4, 24), "y", 23, {"k": real(2, 6, 16)}, {"q_num_heads": 3, "kv_num_heads": 2}, "Attention: 3 heads of queries cannot share 2 of keys and values: expected a multiple"),
    ("Attention", "x k k _ p", (2, 4, 3, 8), "y", 23, {"k": real(2, 4, 6, 8), "p": real(2, 4, 6, 8)}, {}, "Attention: past_key and past_value belong together"),
    ("RotaryEmbedding", "x c c", (2, 4, 3, 8), "y", 23, {"c": real(2, 3, 2)}, {}, "RotaryEmbedding: expected angles of [batch, sequence, 4], found [2,3,2]"),
    ("RotaryEmbedding", "x c c", (2, 4, 3, 8), "y", 23, {"c": real(2, 3, 2)}, {"rotary_embedding_dim": 5}, "RotaryEmbedding: rotary_embedding_dim: expected an even part of the head's size, 8, found 5"),
    ("LSTM", "x w r", (2, 1, 3), "y", 14, {"w": real(1, 16, 3), "r": real(1, 12, 4)}, {"hidden_size": 4}, "LSTM: R has shape [1,12,4], expected [1,16,4]"),
    ("GRU", "x w r", (2, 1, 3), "y", 14, {"w": real(1, 12, 3), "r": real(1, 12, 4)}, {"hidden_size": 4, "activations": ["Tanh", "Frob"]}, "GRU: activations: expected Sigmoid, Tanh, Relu, Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, HardSigmoid, Elu, Softsign, Softplus, found 'Frob'"),
    ("RNN", "x w r", (2, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4)}, {"activations": ["Tanh", "Tanh"]}, "RNN: activations: expected 1 word, found 2"),
    ("RNN", "x w r", (2, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4)}, {"hidden_size": -2**63}, "RNN: expected hidden_size 4, as in R, found -9223372036854775808"),
    ("CenterCropPad", "x s", (4,), "y", 18, {"s": ints(-2**63)}, {}, "CenterCropPad: expected sizes of 1 to 2^40, found -9223372036854775808"),
    ("RNN", "x w r", (0, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4)}, {}, "RNN: expected at least one time step, found none"),
    ("RNN", "x w r _ l", (2, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4), "l": ints(1)}, {}, "RNN: sequence_lens: expected type int32, found int64"),
    ("RNN", "x w r _ l", (2, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4), "l": np.array([1, 2], np.int32)}, {}, "RNN: expected 1 sequence lengths, found 2"),
    ("GridSample", "x g", (1, 2, 4, 4), "y", 16, {"g": real(2, 3, 3, 2)}, {}, "GridSample: expected a grid of 4 dimensions, [1,...,2], found [2,3,3,2]"),
    ("TopK", "x k", (2, 3), "y i", 11, {"k": ints(4)}, {}, "TopK: cannot take 4 of the 3 elements along the axis"),
    ("CumSum", "x a", (2, 3), "y", 11, {"a": ints(2)}, {}, "CumSum: axis must lie in -2..1, found 2"),
    ("QuantizeLinear", "x s z", (2, 3), "y", 13, {"s": real(), "z": np.array(0, np.int32)}, {}, "QuantizeLinear: quantization to int32 is not supported"),
    ("QuantizeLinear", "x s", (2, 6), "y", 21, {"s": real(2, 2)}, {"block_size": 2}, "QuantizeLinear: scales of blocks must have the input's rank and cover its axis"),
    ("CenterCropPad", "x s", (2, 3), "y", 18, {"s": ints(2)}, {}, "CenterCropPad: expected 2 sizes, found 1"),
    ("RoiAlign", "x b i", (1, 2, 4, 4), "y", 16, {"b": real(3, 4), "i": ints(0, 0)}, {}, "RoiAlign: expected float boxes of [count,4] and as many batch indices, found float32 [3,4] and [2]"),
    ("OneHot", "x n v", (2,), "y", 11, {"n": ints(0), "v": real(2)}, {}, "OneHot: depth must lie in 1..2147483647, found 0"),
    ("Trilu", "x", (4,), "y", 14, {}, {}, "Trilu: expected at least 2 dimensions, found 1"),
    ("DepthToSpace", "x", (1, 6, 2, 2), "y", 13, {}, {"blocksize": 2}, "DepthToSpace: blocksize 2 does not fit the channels of an input [1,6,2,2]"),
    ("SpaceToDepth", "x", (1, 6, 2, 3), "y", 13, {}, {"blocksize": 2}, "SpaceToDepth: blocksize 2 does not fit height and width of an input [1,6,2,3]"),
    ("GatherElements", "x i", (2, 3), "y", 13, {"i": ints(0, 1)}, {}, "GatherElements: indices [2] do not fit an input [2,3] along axis 0"),
    ("GatherND", "x i", (2, 3), "y", 13, {"i": np.zeros((1, 3), np.int64)}, {}, "GatherND: indices of 3 numbers after 0 common axes do not fit 2 dimensions"),
    ("ScatterND", "x i u", (2, 3), "y", 18, {"i": np.zeros((1, 1), np.int64), "u": real(1, 2)}, {}, "ScatterND: input [2,3], indices [1,1] and updates [1,2] do not fit each other"),
    ("ScatterElements", "x i u", (2, 3), "y", 18, {"i": np.zeros((1, 1), np.int64), "u": real(1, 2)}, {}, "ScatterElements: expected updates in the shape of the indices, [1,1], found [1,2]"),
    ("Range", "x a a", (), "y", 11, {"a": real()}, {}, "Range: 'x' is not one constant number"),
    ("ArgMax", "x", (0, 3), "y", 13, {}, {"axis": 0}, "ArgMax: expected 1 to 2^31 elements along the axis and last 0 or 1, found 0 and 0"),
    ("Div", "a b", (1,), "y", 13, {"a": ints(3), "b": ints(0)}, {}, "Div: integer division by zero"),
    ("Mod", "a b", (1,), "y", 13, {"a": ints(3), "b": ints(0)}, {}, "Mod: integer division by zero"),
    ("Mul", "a b", (1,), "y", 13, {"a": ints(1 << 62), "b": ints(4)}, {}, "Mul: integer overflow"),
    ("Div", "a b", (1,), "y", 13, {"a": ints(-2**63), "b": ints(-1)}, {}, "Div: integer overflow"),
    ("ReduceProd", "a", (1,), "y", 13, {"a": ints(1 << 62, 4)}, {"axes": [0]}, "ReduceProd: integer overflow"),
    ("ReduceSum", "a", (1,), "y", 13, {"a": ints(1 << 62, 1 << 62)}, {}, "ReduceSum: integer overflow"),
    ("Add", "x k", (1, 4, 8, 8), "y", 6, {"k": real(4, 8, 8)}, {"axis": 2, "broadcast": 1}, "Add: an operand of 3 dimensions does not fit one of 4 from axis 2 on"),
    ("Attention", "x k k", (2, 4, 3, 8), "y q w z", 23, {"k": real(2, 4, 6, 8)}, {"qk_matmul_output_mode": 5}, "Attention: qk_matmul_output_mode must lie in 0..3, found 5"),
    ("BatchNormalization", "x s b m v", (), "y", 15, {"s": np.array([1, 1, 1, 1], np.float32), "b": np.array([1, 1, 1, 1], np.float32), "m": np.array([1, 1, 1, 1], np.float32), "v": np.array([1, 1, 1, 1], np.float32)}, {}, "BatchNormalization: expected an input of at least 2 dimensions, found 0"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"strides": [8589934592, 1]}, "height: size, kernel, stride and dilation must lie in 1..2147483647, found 8, 3, 8589934592, 1"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"strides": [1073741824, 1]}, "height: the result has more than 2^31 pixels"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"output_padding": [-1, 0]}, "ConvTranspose: output_padding must lie in 0..2147483647, found -1"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"output_shape": [1099511627776, 8]}, "ConvTranspose: height: the result has more than 2^31 pixels"),
    ("Expand", "x s", (4,), "y", 13, {"s": ints(3)}, {}, "Expand: cannot expand [4] to [3]"),
    ("GridSample", "x g", (2, 4), "y", 16, {"g": real(2, 3)}, {}, "GridSample: expected one to three spatial axes, found 0"),
    ("GridSample", "x g", (1, 2, 0, 4), "y", 16, {"g": real(1, 3, 3, 2)}, {}, "GridSample: expected 1 to 2^31 pixels along axis 1 and corners 0 or 1, found 0 and 0"),
    ("LeakyRelu", "x", (4,), "y", 13, {}, {"alpha": np.nan}, "LeakyRelu: attribute alpha is NaN"),
    ("Celu", "x", (4,), "y", 13, {}, {"alpha": 0.0}, "Celu: alpha must be other than 0"),
    ("MatMul", "x k", (), "y", 13, {"k": real(8, 2)}, {}, "MatMul: expected operands of at least 2 dimensions, found 0 and 2"),
    ("Gemm", "x k c", (4, 8), "y", 13, {"k": real(8, 2), "c": real(3)}, {}, "Gemm: shapes [4,2] and [3] do not broadcast: 2 against 3"),
    ("NonMaxSuppression", "x s", (1, 4, 3), "y", 11, {"s": real(1, 1, 4)}, {}, "NonMaxSuppression: expected boxes of [pictures,boxes,4] and scores of [pictures,classes,boxes], found [1,4,3] and [1,1,4]"),
    ("InstanceNormalization", "x s b", (2, 4), "y", 13, {"s": real(4), "b": real(4)}, {}, "InstanceNormalization: expected an input of at least 3 dimensions, found 2"),
    ("GroupNormalization", "x s b", (1, 4, 8, 8), "y", 21, {"s": real(4), "b": real(4)}, {"num_groups": 3}, "GroupNormalization: 3 groups do not fit the channels of an input [1,4,8,8]"),
    ("LRN", "x", (4, 8), "y", 13, {}, {"size": 3}, "LRN: expected an input of at least 3 dimensions and a size of 1 or more, found 2 and 3"),
    ("LRN", "x", (1, 4, 8, 8), "y", 13, {}, {"size": 0}, "LRN: expected an input of at least 3 dimensions and a size of 1 or more, found 4 and 0"),
    ("LpPool", "x", (4, 8), "y", 13, {}, {"kernel_shape": [2]}, "LpPool: only 1-D and 2-D pooling is supported: expected an input of 3 or 4 dimensions, found 2"),
    ("GlobalAveragePool", "x", (4, 8), "y", 13, {}, {}, "GlobalAveragePool: expected an input of at least 3 dimensions, found 2"),
    ("MaxPool", "x", (4, 8), "y", 13, {}, {"kernel_shape": [2]}, "MaxPool: only 1-D and 2-D pooling is supported: expected an input of 3 or 4 dimensions, found 2"),
    ("PRelu", "x s", (1, 4, 8, 8), "y", 13, {"s": real(3, 1, 1)}, {}, "PRelu: shapes [1,4,8,8] and [3,1,1] do not broadcast: 4 against 3"),
    ("QuantizeLinear", "x s", (2, 6), "y", 21, {"s": real(2, 3)}, {"block_size": -2}, "QuantizeLinear: block_size must lie in 0..2147483647, found -2"),
    ("LSTM", "x w r", (2, 3), "y", 14, {"w": real(1, 16, 3), "r": real(1, 16, 4)}, {}, "LSTM: expected an input and weights of 3 dimensions, found 2 and 3"),
    ("ReduceSum", "x", (2, 3), "y", 11, {}, {"axes": [0, 0]}, "ReduceSum: axis 0 is given twice"),
    ("Resize", "x _ s", (1, 4, 8, 8), "y", 13, {"s": np.array([1, 1, np.nan, 2], np.float32)}, {}, "Resize: cannot scale axis 2 of 8 by nan"),
    ("Resize", "x _ s", (1, 4, 8, 8), "y", 13, {"s": np.array([1, 1, 2, 2], np.float32)}, {"mode": "cubic", "cubic_coeff_a": np.inf}, "Resize: cubic_coeff_a must be finite, found inf"),
    ("Resize", "x r s", (1, 4, 8, 8), "y", 13, {"s": np.array([1, 1, 2, 2], np.float32), "r": real(3)}, {"coordinate_transformation_mode": "tf_crop_and_resize"}, "Resize: roi: expected 8 constant float numbers for the crop"),
    ("RoiAlign", "x b i", (1, 2, 4, 4), "y", 16, {"b": real(1, 4), "i": real(1)}, {}, "RoiAlign: batch indices: expected integers, found float32"),
    ("RoiAlign", "x b i", (1, 2, 4, 4), "y", 16, {"b": real(1, 4), "i": ints(0)}, {"output_height": 0}, "RoiAlign: height: expected 1 to 65536 pixels of an input that is not empty, found 0 of 4"),
    ("RoiAlign", "x b i", (1, 2, 4, 4), "y", 16, {"b": real(1, 4), "i": ints(0)}, {"sampling_ratio": -1}, "RoiAlign: sampling_ratio must lie in 0..65536 and spatial_scale be finite, found -1 and 1"),
    ("OneHot", "x n v", (2,), "y", 11, {"n": ints(3), "v": real(3)}, {}, "OneHot: values: expected two, off and on, found shape [3]"),
    ("MaxUnpool", "x i", (1, 1, 2, 2), "y", 11, {"i": np.zeros((1, 1, 2, 2), np.int64)}, {"kernel_shape": [2, 2], "strides": [0, 1]}, "height: kernel, stride and dilation must be 1 or more, found 2, 0 and 1"),
    ("MaxUnpool", "x i s", (1, 1, 2, 2), "y", 11, {"i": np.zeros((1, 1, 2, 2), np.int64), "s": ints(1, 1, -4, 4)}, {"kernel_shape": [2, 2]}, "MaxUnpool: output_shape: expected sizes of 0 to 2^40, found -4"),
    ("AveragePool", "x", (1, 1, 4, 4), "y", 13, {}, {"kernel_shape": [2, 2], "pads": [-1, 0, 0, 0]}, "AveragePool: pads must lie in 0..2147483647, found -1"),
    ("Conv", "x w", (1, 4, 8, 8), "y", 13, {"w": real(6, 4, 3, 3)}, {"pads": [2147483648, 0, 0, 0]}, "Conv: pads must lie in 0..2147483647, found 2147483648"),
    ("Gather", "x k", (1,) * 8, "y", 13, {"k": np.zeros((1, 1), np.int64)}, {}, "Gather: at most 8 dimensions are supported, found 9"),
    ("DepthToSpace", "x", (4, 4, 4), "y", 13, {}, {"blocksize": 2}, "DepthToSpace: blocksize 2 does not fit the channels of an input [4,4,4]"),
    ("GlobalMaxPool", "x", (4,), "y", 13, {}, {}, "GlobalMaxPool: expected an input of at least 3 dimensions, found 1"),
    ("MeanVarianceNormalization", "x", (4, 4), "y", 13, {}, {}, "MeanVarianceNormalization: axis must lie in -2..1, found 2"),
    ("LayerNormalization", "x s", (4, 4), "y", 17, {"s": real(3)}, {}, "LayerNormalization: shapes [4,4] and [3] do not broadcast: 4 against 3"),
    ("RMSNormalization", "x s", (4, 4), "y", 23, {"s": real(3)}, {}, "RMSNormalization: shapes [4,4] and [3] do not broadcast: 4 against 3"),
    ("Dropout", "x r t", (4, 4), "y", 13, {"r": np.float32(0.5), "t": np.array(True)}, {}, "Dropout: training mode without a seed is not supported: export the model for inference"),
    ("Dropout", "x r t", (4, 4), "y", 13, {"r": np.float32(1), "t": np.array(True)}, {"seed": 0}, "Dropout: ratio: expected at least 0 and below 1, found 1"),
    ("Dropout", "x r t", (4, 4), "y", 13, {"r": real(2), "t": np.array(True)}, {"seed": 0}, "Dropout: ratio: expected one constant number in training mode"),
    ("Dropout", "x r t", (4, 4), "y", 13, {"r": np.float32(0.5), "t": np.array(True)}, {"seed": -1}, "Dropout: seed: expected 0 to 4294967295, found -1"),
    ("TopK", "x k", (2, 3), "y i", 11, {"k": ints(-1)}, {}, "TopK: cannot take -1 of the 3 elements along the axis"),
    ("Tile", "x r", (2, 3), "y", 13, {"r": ints(2)}, {}, "Tile: expected 2 repeats, one per dimension, found 1"),
    ("Gemm", "x k c", (4, 8), "y", 13, {"k": real(8, 2), "c": real(2, 4, 2)}, {}, "Gemm: C does not broadcast to the product's 4x2"),
    ("Where", "c x k", (4,), "y", 13, {"c": np.ones(4, np.bool_), "k": ints(4)}, {}, "Where: third input: expected type float32, found int64"),
    ("Reshape", "x s", (4,), "y", 13, {"s": ints(2, -3)}, {}, "Reshape: shape: expected sizes of 0 or more, or one -1, found shape[1] = -3"),
    ("Attention", "x k k m", (2, 4, 3, 8), "y", 23, {"k": real(2, 4, 6, 8), "m": np.ones((3, 6), np.bool_)}, {}, "Attention: attn_mask: expected numbers to add, found truth values, which are not supported"),
    ("Attention", "x k k _ _ _ l", (2, 4, 3, 8), "y", 24, {"k": real(2, 4, 6, 8), "l": ints(6, 6)}, {}, "Attention: nonpad_kv_seqlen is not supported"),
    ("BatchNormalization", "x s s s s", (1, 4, 8, 8), "y", 7, {"s": np.ones((4, 8, 8), np.float32)}, {"spatial": 0}, "BatchNormalization: spatial 0 is supported for inputs of 2 dimensions, found 4"),
    ("ConvTranspose", "x w b", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3), "b": real(3)}, {}, "ConvTranspose: expected 2 biases, one per output channel, found shape [3]"),
    ("ConvTranspose", "x w", (1, 4, 8, 8), "y", 13, {"w": real(4, 2, 3, 3)}, {"strides": [1 << 62, 1], "auto_pad": "SAME_UPPER"}, "height: size, kernel, stride and dilation must lie in 1..2147483647, found 8, 3, 4611686018427387904, 1"),
    ("Conv", "x w", (1, 4, 8, 8), "y", 13, {"w": real(6, 4, 3, 3)}, {"pads": [2147483647, 0, 2147483647, 0]}, "Conv: height: padding must lie in 0..2147483647, found 4294967294"),
    ("GatherND", "x i", (2, 3, 4), "y", 13, {"i": np.zeros((3, 1), np.int64)}, {"batch_dims": 1}, "GatherND: common axis 0 has 2 and 3 elements"),
    ("GatherElements", "k i", (1,), "y", 13, {"k": real(3), "i": ints(3)}, {}, "GatherElements: index 3 lies outside 3 elements"),
    ("NonMaxSuppression", "x s n o", (1, 4, 4), "y", 11, {"s": real(1, 1, 4), "n": ints(2), "o": np.float32(np.nan)}, {}, "NonMaxSuppression: thresholds must be numbers, found nan for the overlap and -inf for the score"),
    ("QuantizeLinear", "x s", (2, 6), "y", 21, {"s": real()}, {"output_dtype": 6}, "QuantizeLinear: output_dtype: expected 2, 3, 4 or 5 (UINT8, INT8, UINT16, INT16), found 6"),
    ("RNN", "x w r _ _ h", (2, 1, 3), "y", 14, {"w": real(1, 4, 3), "r": real(1, 4, 4), "h": real(1, 2, 4)}, {}, "RNN: an initial state has shape [1,2,4], expected [1,1,4]"),
    ("Resize", "x r s", (1, 4, 8, 8), "y", 13, {"s": np.array([1, 1, 2, 2], np.float32), "r": real(8)}, {"coordinate_transformation_mode": "tf_crop_and_resize"}, "Resize: a crop with scales is not supported"),
    ("Resize", "x _ s", (1, 4, 8, 8), "y", 13, {"s": np.ones(9, np.float32)}, {}, "Resize: expected at most 8 scales, one for each dimension of the input, found 9"),
    ("Resize", "x _ x", (4,), "y", 13, {}, {}, "Resize: scales: expected constants, found numbers known only at run time"),
    ("RoiAlign", "x b i", (2, 4, 4), "y", 16, {"b": real(1, 4), "i": ints(0)}, {}, "RoiAlign's input: expected 4 dimensions, found 3: [2,4,4]"),
    ("RoiAlign", "k b i", (1,), "y", 16, {"k": real(1, 2, 4, 4), "b": real(1, 4), "i": ints(1)}, {}, "RoiAlign: batch index 1 lies outside 1 pictures"),
    ("Range", "a b c", (1,), "y", 11, {"a": np.float32(1), "b": np.float32(5), "c": np.float32(0)}, {}, "Range: expected at most 2^31 steps and a delta other than 0, found start 1, limit 5, delta 0"),
    ("Range", "a b a", (1,), "y", 11, {"a": np.int8(1), "b": np.int8(5)}, {}, "Range: expected numbers of float32, float64, int32 or int64, found int8"),
    ("Range", "a b c", (1,), "y", 11, {"a": np.int64(0), "b": np.int64(1 << 30), "c": np.int64(1)}, {}, "Range: 1073741824 elements exceed the memory limit"),
    ("ConstantOfShape", "s", (1,), "y", 13, {"s": ints(1 << 30)}, {}, "ConstantOfShape: 1073741824 elements exceed the memory limit"),
    ("OneHot", "x n v", (2,), "y", 11, {"n": ints(1 << 30), "v": real(2)}, {}, "OneHot: a constant of 4294967296 bytes exceeds the memory limit"),
    ("OneHot", "x n v", (2,), "y", 11, {"n": real(0), "v": real(2)}, {}, "OneHot: 'n', which it takes as shape, axes or sizes, does not hold integers"),
    ("OneHot", "x n v", (1,) * 8, "y", 11, {"n": ints(3), "v": real(2)}, {}, "OneHot: at most 8 dimensions are supported, found 9"),
    ("Dropout", "x", (1 << 30,), "y m", 13, {}, {}, "Dropout: its mask of 1073741824 elements exceeds the memory limit"),
    ("Einsum", "x x", (2, 3), "y", 12, {}, {}, "Einsum: equation is missing: expected a text such as ij,jk->ik"),
    ("Einsum", "x x", (2, 3), "y", 12, {}, {"equation": "ij->i"}, "Einsum: equation: expected a term for each of 2 inputs, found 1"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "ijk->i"}, "Einsum: equation: term 0 names 3 dimensions, input 0 has 2"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "i?->i"}, "Einsum: equation: term 0 names 1 dimensions, input 0 has 2"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "ij->i?"}, "Einsum: equation: expected letters and at most one ellipsis in a term, found '?'"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "ij->ik"}, "Einsum: equation: the output's 'k' is in no term"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "ij->ii"}, "Einsum: equation: 'i' stands twice in the output"),
    ("Einsum", "x", (2, 3), "y", 12, {}, {"equation": "ii->i"}, "Einsum: equation: 'i' stands for 2 and for 3 elements"),
    ("Einsum", "x w", (2, 2, 2, 2, 2), "y", 12, {"w": real(2, 2, 2, 2, 2)}, {"equation": "abcde,fghij->abcdefghij"}, "Einsum: at most 8 dimensions are supported, found more on the way"),
    ("Dropout", "x", (2, 3), "_", 13, {}, {}, "Dropout: output 0 is missing"),
    ("MaxPool", "x", (1, 1, 65536, 32768), "y i", 13, {}, {"kernel_shape": [2, 2]}, "MaxPool: indices of 2147483648 elements are not supported: 2147483647 are the most"),
    ("MaxUnpool", "x i", (1, 1, 2, 2), "y", 11, {"i": ints(0, 1)}, {"kernel_shape": [2, 2]}, "MaxUnpool: expected an index of int32 for each of 4 elements, found 2 of int32"),
    ("MaxUnpool", "x i", (1, 1, 2, 2), "y", 11, {"i": np.zeros((1, 1, 2, 2), np.int64)}, {"kernel_shape": [2, 2], "pads": [9, 0, 9, 0]}, "MaxUnpool: dimension 2 of the result cannot be -15"),
    ("MaxUnpool", "k i", (1,), "y", 11, {"k": real(1, 1, 1, 1), "i": np.full((1, 1, 1, 1), 4)}, {"kernel_shape": [2, 2]}, "MaxUnpool: index 4 lies outside 4 elements"),
    ("MaxUnpool", "x i", (2, 2), "y", 11, {"i": ints(0, 1)}, {"kernel_shape": [2]}, "MaxUnpool: only 1-D and 2-D unpooling is supported: expected an input of 3 or 4 dimensions, found 2"),
    ("MaxUnpool", "x i", (1, 1, 2, 2), "y", 11, {"i": ints(0, 1)}, {"kernel_shape": [2, 2], "strides": [1 << 32, 1]}, "MaxUnpool: strides and sizes must lie in 1..2147483647, found 4294967296 and 2"),
    ("MaxUnpool", "x i s", (1, 1, 2, 2), "y", 11, {"i": np.zeros((1, 1, 2, 2), np.int64), "s": ints(4, 4)}, {"kernel_shape": [2, 2]}, "MaxUnpool: output_shape: expected 4 sizes, found 2"),
    ("Conv", "x w", (1, 4, 8, 8), "y", 13, {"w": real(6, 4, 3, 3)}, {"strides": 2}, "Conv: attribute strides: expected a list of integers, found an integer"),
    ("If", "c", (1,), "y", 13, {"c": np.array(True)}, {"then_branch": helper.make_graph([], "branch", [], [])}, "If: then_branch: expected a graph of 1 output, found 0"),
    ("If", "c", (1,), "y", 13, {"c": np.array(True)}, {}, "If: then_branch is missing: expected a graph"),
]


@pytest.mark.parametrize("op, ins, shape, outs, opset, inits, attrs, said", MORE)
def test_more_operators(tmp_path, op, ins, shape, outs, opset, inits, attrs, said):
    m = one(op, ["" if i == "_" else i for i in ins.split()], inits, shape, opset, outs, **attrs)
    if outs == "_":
        m.graph.node[0].output[:] = ["", "_"]
    says(m, tmp_path, said)


def test_constants_that_are_none(tmp_path):
    two = helper.make_tensor("v", F, [2], [1, 2])
    for node, said in ((helper.make_node("ConstantOfShape", ["s"], ["c"], name="the_node", value=two), "value must be a tensor of one number"),
                       (helper.make_node("ConstantOfShape", ["big"], ["c"], name="the_node"), "impossible shape: sizes must be 0 or more and their product below 2^32"),
                       (helper.make_node("ConstantOfShape", ["minus"], ["c"], name="the_node"), "impossible shape"),
                       (helper.make_node("Constant", [], ["c"], name="the_node", value_string="x"), "only dense numeric constants are supported")):
        m = model([node, helper.make_node("Add", ["x", "c"], ["y"])], {"x": (F, [4])}, ["y"], {"s": ints(4), "big": ints(1 << 20, 1 << 20), "minus": ints(-4)})
        refused(m, tmp_path, "the_node", said)


RUNS = [  # operator, inputs, shape and type of x, opset, initializers, attributes, what a run on zeros says
    ("Pad", "x", (2,), TensorProto.INT32, 2, {}, {"pads": [1, 1], "value": 0.5}, "padding of type int32 with 0.5 is not supported"),
    ("GatherElements", "k x", (2,), TensorProto.INT32, 13, {"k": real(0)}, {}, "index 0 lies outside 0 elements"),
]


@pytest.mark.parametrize("op, ins, shape, kind, opset, inits, attrs, said", RUNS)
def test_runs(op, ins, shape, kind, opset, inits, attrs, said, tmp_path):
    m = model([helper.make_node(op, ins.split(), ["y"], name="the_node", **attrs)], {"x": (kind, shape)}, ["y"], inits, opset)
    assert refused(m, tmp_path, args=("--try",)) == f"error: {tmp_path}/model.onnx: layer 'the_node': {said}\n"


def test_sparse_initializers(tmp_path):
    m = model([helper.make_node("Add", ["x", "k"], ["y"])], {"x": (F, [4])}, ["y"], {})
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(helper.make_tensor("k", F, [1], [1.0]), helper.make_tensor("i", TensorProto.INT64, [1], [2]), [4]))
    refused(m, tmp_path, "sparse initializers are not supported")


# ---- inputs: shapes and cuts ----

def conv_net(shape, kind=F):
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r"]), helper.make_node("GlobalAveragePool", ["r"], ["g"]), helper.make_node("Flatten", ["g"], ["y"])]
    return model(nodes, {"x": (kind, shape)}, ["y"], {"w": real(4, 3, 3, 3)})


def first_line(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0]


def test_symbolic_shapes(tmp_path):
    batch = save(conv_net(["N", 3, 8, 8]), tmp_path)
    assert "f32[1,8,8,3]" in first_line(tool("--text", batch))
    assert "f32[2,8,8,3]" in first_line(tool("--text", "--shapes", "2,3,8,8", batch))
    refused(conv_net(["N", 3, "height", 8]), tmp_path, "dimension 2 ('height') of input 'x' is not fixed", "--input_shapes")
    refused(conv_net(None), tmp_path, "no shape for input 'x'", "--input_shapes")
    m = conv_net(["N", 3, "height", "width"])
    assert "f32[1,9,7,3]" in first_line(tool("--text", "--shapes", "1,3,9,7", save(m, tmp_path)))
    for given, words in (("1,3,9", "the model has [-1,3,-1,-1]"), ("1,4,9,7", "gives [1,4,9,7]"), ("1,3,9,7:1", "one for each of 'x', found 2"), ("1,3,0,7", "sizes of 1 or more"),
                         ("1,3,a,7", "sizes of 1 or more"), ("1,3,9,7,", "sizes of 1 or more"), ("", "sizes of 1 or more"), ("1,3,99999999999999999999,7", "sizes of 1 or more")):
        refused(m, tmp_path, words, args=("--shapes", given))


def test_shape_of_a_scalar(tmp_path):
    """Nothing stands between its colons; where the model has a picture, nothing is no shape."""
    m = model([helper.make_node("Mul", ["x", "k"], ["t"]), helper.make_node("Add", ["t", "b"], ["y"])], {"x": (F, ["n", 3]), "k": (F, []), "b": (F, ["n", 3])}, ["y"], {})
    done = tool("--text", "--shapes", "2,3::2,3", save(m, tmp_path))
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("input")] == ["f32[2,3]", "f32[]", "f32[2,3]"]
    last = model([helper.make_node("Mul", ["x", "k"], ["y"])], {"x": (F, ["n", 3]), "k": (F, [])}, ["y"], {})
    assert "f32[2,3]" in first_line(tool("--text", "--shapes", "2,3:", save(last, tmp_path)))
    refused(last, tmp_path, "--input_shapes :: expected sizes of 1 or more such as 1,3,224,224:1,10", args=("--shapes", ":"))
    refused(last, tmp_path, "--input_shapes gives [1] for input 'k'; the model has [] (-1: free)", args=("--shapes", "2,3:1"))


def test_impossible_inputs(tmp_path):
    refused(conv_net([1, 3, 1 << 40, 1 << 40]), tmp_path, "'x'", "too large")
    refused(conv_net([1, 3, -8, 8]), tmp_path, "'x'", "not fixed")
    refused(conv_net([1] * 9), tmp_path, "'x'", "more than 8 dimensions")


INPUTS = [  # the shape and type of x, what is said of the file
    ([1, 3, "h", 8], F, "dimension 2 ('h') of input 'x' is not fixed\n  give the whole shape, for example --input_shapes 1,3,224,224 (one shape per input, separated by ':')"),
    (None, F, "the model gives no shape for input 'x'\n  give it with --input_shapes"),
    ([1, 3, 8, 8], TensorProto.STRING, "input 'x' has data type 8 (STRING), which is not supported"),
    ([1, 3, 8, 8], 99, "input 'x' has data type 99 (unknown), which is not supported"),
    ([1, 3, 1 << 17, 1 << 17], F, "input 'x' of [1,3,131072,131072] is too large: at most 2^32 elements"),
    ([1] * 9, F, "'x' has more than 8 dimensions"),
]


@pytest.mark.parametrize("shape, kind, said", INPUTS)
def test_inputs(shape, kind, said, tmp_path):
    assert refused(conv_net(shape, kind), tmp_path) == f"error: {tmp_path}/model.onnx: {said}\n"


def test_an_input_behind_what_cannot_be_taken(tmp_path):
    m = model([helper.make_node("Frob", ["x"], ["inner"]), helper.make_node("Relu", ["inner"], ["y"])], {"x": (F, [4])}, ["y"])
    said = "input 'inner' lies inside the model, behind nodes that cannot be taken, and the file gives no shape for it\n  store shapes in the model first: onnx.shape_inference.infer_shapes"
    assert refused(m, tmp_path, args=("--input", "inner", "--output", "y")) == f"error: {tmp_path}/model.onnx: {said}\n"


def test_cuts_at_inner_tensors(tmp_path):
    m = conv_net(["N", 3, 8, 8])
    path = save(m, tmp_path)
    x = real(1, 3, 8, 8)
    m.graph.output.append(helper.make_tensor_value_info("c", F, None))
    want, c = reference(m, {"x": x})
    compare(evaluate(path, [c], tmp_path, "--input", "c", "--output", "y"), [want])
    compare(evaluate(path, [x], tmp_path, "--input", "x", "--output", "c", "--output", "y"), [c, want])
    text = tool("--text", "--input", "c", "--output", "g", path).stdout
    assert '"c" f32[1,6,6,4]' in text and "conv" not in text


def test_names_of_the_configuration(tmp_path):
    path = save(conv_net([1, 3, 8, 8]), tmp_path)
    for args, words in ((("--input", "X", "--output", "y"), ["input 'X' is not a tensor", "'x'"]), (("--input", "x", "--output", "z"), ["output 'z' is not a tensor"]),
                        (("--input", "r", "--output", "c"), ["'x' is needed"])):
        done = tool(*args, path)
        assert done.returncode == 1 and all(w in done.stderr for w in words), done.stderr


def test_layouts(tmp_path):
    m = model([helper.make_node("Conv", ["x", "w"], ["y"])], {"x": (F, [1, 3, 8, 8])}, ["y"], {"w": real(4, 3, 3, 3)})
    path = save(m, tmp_path)
    channel_last = tool("--text", "--passes", path).stdout
    assert "f32[1,8,8,3]" in channel_last and "transpose" not in channel_last
    as_it_is = tool("--text", "--passes", "--nchw", "--input", "x", "--output", "y", path).stdout
    assert "f32[1,3,8,8]" in as_it_is.splitlines()[0] and '"y" f32[1,4,6,6]' in as_it_is


# ---- more operators: opset, operator, inputs, initializers, outputs, attributes, the message ----

OPSETS = [
    (22, "LpNormalization", "x", {}, "y", {"p": 3}, "LpNormalization: p must be 1 or 2, found 3"),
    (22, "Gelu", "x", {}, "y", {"approximate": "roughly"}, "Gelu: approximate: expected one of none, tanh, found 'roughly'"),
    (13, "Resize", "x  s", {"s": ints(1, 1, 2, 2)}, "y", {}, "Resize: scales: expected float numbers, found int64"),
    (13, "Resize", "x  s", {"s": np.array([1, 1, 0, 2], np.float32)}, "y", {}, "Resize: cannot scale axis 2 of 8 by 0"),
    (7, "Upsample", "x", {}, "y", {"scales": 2}, "Upsample: scales: expected a list of numbers"),
    (13, "Split", "x n", {"n": ints(1, 1, 2)}, "y z", {"axis": 1}, "Split: 2 outputs, but split lists 3 sizes"),
    (13, "Split", "x", {}, " ".join("y%d" % i for i in range(257)), {"axis": 1}, "Split: at most 256 parts are supported, found 257"),
    (13, "Split", "x n", {"n": ints(5, -1)}, "y z", {"axis": 1}, "Split: part 1 has the negative size -1"),
    (13, "Split", "x n", {"n": ints(1, 2)}, "y z", {"axis": 1}, "Split: the parts add up to 3, the axis has 4"),
    (13, "CumSum", "x a", {"a": ints()}, "y", {}, "CumSum: expected one axis, found 0"),
    (20, "GridSample", "x g", {"g": real(1, 2, 2, 2, 2, 4)}, "y", {}, "GridSample: expected a grid of 4 dimensions, [1,...,2], found [1,2,2,2,2,4]"),
    (13, "Range", "x a b", {"a": np.float32(1), "b": np.float32(2)}, "y", {}, "Range: 'x' is not one constant number"),
    (13, "MaxPool", "x", {}, "y", {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 2, 2], "auto_pad": "SAME"}, "MaxPool: auto_pad: expected one of NOTSET, VALID, SAME_UPPER, SAME_LOWER, found 'SAME'"),
    (13, "Tile", "x r", {"r": ints(1, 1, -2, 1)}, "y", {}, "Tile: repeats must be 0 or more and the result below 2^63 elements, found -2"),
    (13, "Squeeze", "x a", {"a": ints(1)}, "y", {}, "Squeeze: axis 1 has 4 elements; only axes of one can be squeezed"),
    (13, "PRelu", "x s", {"s": real(3)}, "y", {}, "PRelu: shapes [1,4,8,8] and [3] do not broadcast: 8 against 3"),
    (23, "Attention", "x k v", {"k": real(2, 3), "v": real(2, 3)}, "y", {}, "Attention: 0 heads do not fit an input [2,3]: expected [batch, sequence, heads * size], or 4 dimensions"),
    (13, "ConvTranspose", "x w", {"w": real(4, 2, 3, 3)}, "y", {"pads": [9, 9, 9, 9]}, "ConvTranspose: height: the padding takes all of the result away"),
]


@pytest.mark.parametrize("opset,op,ins,inits,outs,attrs,message", OPSETS)
def test_opsets(opset, op, ins, inits, outs, attrs, message, tmp_path):
    n = helper.make_node(op, ins.split(" "), outs.split(), name="the_node", **attrs)
    says(model([n], {"x": (F, [1, 4, 8, 8])}, outs.split(), inits, opset), tmp_path, message)


# ---- files ----

def field(number, wire, payload):
    """A protobuf field: wire 0: an int below 128; 2: bytes of fewer than 128, length first; else the bytes as they are."""
    tag = bytes([number << 3 | wire])
    return tag + (bytes([payload]) if wire == 0 else bytes([len(payload)]) + payload if wire == 2 else payload)


def function(number):
    """A model that has a graph and one function with a number in that field."""
    return field(7, 2, b"") + b"\xca\x01" + bytes([2]) + field(number, 0, 1)


OPSET = field(8, 2, field(2, 0, 13))
NO_MODEL = [  # the file's bytes, what is said of it
    (b"", "the file is empty"),
    (OPSET, "the file holds no ONNX graph"),
    (field(7, 2, b""), "the file does not say its opset"),
    (field(7, 2, b"") + OPSET, "the model has no outputs"),
    (b"<html>404 Not Found</html>", "damaged protobuf data: an unknown wire type: the file is not a protobuf model"),
    (b"version https://git-lfs.github.com/spec/v1", "damaged protobuf data: an unknown wire type: the file is not a protobuf model"),
    (OPSET + b"\x3a\x7f" + bytes(9), "damaged protobuf data: field 7 says 127 bytes, 9 are left: the file is truncated or not a model"),
    (OPSET + b"\x3a\xff", "damaged protobuf data: a length"),
    (OPSET + b"\xff", "damaged protobuf data: a field's tag"),
    (OPSET + b"\x28\xff\xff", "damaged protobuf data: a varint"),
    (OPSET + b"\x2d\x00\x00", "damaged protobuf data: it ends inside a number"),
    (OPSET + field(7, 0, 5), "damaged protobuf data: graph (field 7) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(1, 0, 1))), "damaged protobuf data: node input (field 1) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(2, 0, 1))), "damaged protobuf data: node output (field 2) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, field(1, 0, 1)))), "damaged protobuf data: attribute name (field 1) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, b"\xa2\x01\x00"))), "damaged protobuf data: attribute type (field 20) has wire type 2, expected 0"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, b"\xa8\x01\x00"))), "damaged protobuf data: attribute ref_attr_name (field 21) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, field(9, 0, 1)))), "damaged protobuf data: attribute strings (field 9) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, field(8, 5, bytes(4))))), "damaged protobuf data: a list of integers (field 8) has wire type 5, expected 2"),
    (OPSET + field(7, 2, field(1, 2, field(5, 2, field(7, 0, 1)))), "damaged protobuf data: a list of numbers (field 7) has wire type 0, expected 2"),
    (OPSET + field(7, 2, field(11, 0, 1)), "damaged protobuf data: graph input or output (field 11) has wire type 0, expected 2"),
    (OPSET + function(1), "damaged protobuf data: function name (field 1) has wire type 0, expected 2"),
    (OPSET + function(4), "damaged protobuf data: function inputs (field 4) has wire type 0, expected 2"),
    (OPSET + function(5), "damaged protobuf data: function outputs (field 5) has wire type 0, expected 2"),
    (OPSET + function(10), "damaged protobuf data: function domain (field 10) has wire type 0, expected 2"),
    (OPSET + function(13), "damaged protobuf data: function overload (field 13) has wire type 0, expected 2"),
    (field(8, 2, field(1, 0, 1)), "damaged protobuf data: opset domain (field 1) has wire type 0, expected 2"),
    (field(8, 2, field(2, 2, b"")), "damaged protobuf data: opset version (field 2) has wire type 2, expected 0"),
    (OPSET + field(7, 2, field(5, 2, field(1, 2, b"\x80"))), "damaged protobuf data: a varint in a packed list"),
    (OPSET + field(7, 2, field(5, 2, field(4, 2, bytes(5)))), "damaged protobuf data: a packed list of floats whose length is no multiple of 4"),
    (OPSET + field(7, 2, field(5, 2, field(10, 2, bytes(9)))), "double_data is no multiple of 8 bytes long"),
    (OPSET + field(7, 2, field(5, 2, field(13, 2, field(1, 2, b"location")))), "an external_data entry without key or value"),
]


@pytest.mark.parametrize("data, said", NO_MODEL)
def test_files_that_are_no_model(data, said, tmp_path):
    (tmp_path / "model.onnx").write_bytes(data)
    done = tool(tmp_path / "model.onnx")
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/model.onnx: {said}\n")


# ---- external data ----

def with_external(location, **entries):
    m = conv_net([1, 3, 8, 8])
    w = m.graph.initializer[0]
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        w.external_data.add(key=key, value=str(value))
    return m


def test_external_data(tmp_path):
    w = real(4, 3, 3, 3)
    x = real(1, 3, 8, 8)
    want = None
    for name, entries, data in (("w.bin", {}, w.tobytes()), ("w.bin", {"offset": 64, "length": w.nbytes}, bytes(64) + w.tobytes() + bytes(9)), ("sub/w.bin", {"offset": 3}, bytes(3) + w.tobytes())):
        (tmp_path / "sub").mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        m = conv_net([1, 3, 8, 8])
        m.graph.initializer[0].CopyFrom(numpy_helper.from_array(w, "w"))
        want = reference(m, {"x": x})
        compare(evaluate(save(with_external(name, **entries), tmp_path), [x], tmp_path), want)


def test_external_data_stays_in_the_folder(tmp_path):
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 12))
    (tmp_path / "model-2").mkdir()
    (tmp_path / "model-2" / "w.bin").write_bytes(bytes(1 << 12))
    os.symlink(tmp_path / "secret.bin", inner / "link.bin")
    os.symlink(tmp_path, inner / "folder")
    os.mkfifo(inner / "fifo")
    outside, away = "external data must lie in the model's folder, found location '%s'", f"external data file '{inner}/%s' lies outside the model's folder"
    none = f"external data file '{inner}/%s' cannot be found"
    for location, said in (("../secret.bin", outside), (str(tmp_path / "secret.bin"), outside), ("a/../../secret.bin", outside), ("../model-2/w.bin", outside), ("/dev/zero", outside), ("", outside),
                           ("link.bin", away), ("folder/secret.bin", away), ("folder/model-2/w.bin", away), ("missing.bin", none), ("..\\secret.bin", outside), ("fifo", "expected a regular file, found something else"), (".", away)):
        refused(with_external(location), inner, "'w'", said.replace("%s", location))


def test_external_data_of_the_wrong_size(tmp_path):
    (tmp_path / "w.bin").write_bytes(bytes(432))
    number = "external_data %s: expected a number, found '%s'"
    for entries, said in (({"offset": 433}, "external data file 'FILE' has 432 bytes; the tensor wants 0 from 433 on"), ({"length": 433}, "external data file 'FILE' has 432 bytes; the tensor wants 433 from 0 on"),
                          ({"offset": 4}, "expected 432 bytes of data for 108 elements, found 428"), ({"length": 8}, "expected 432 bytes of data for 108 elements, found 8"), ({"offset": -1}, "external_data offset: expected a number, found '-1'"),
                          ({"length": "many"}, number % ("length", "many")), ({"offset": 1 << 63}, number % ("offset", 1 << 63)),
                          ({"offset": (1 << 63) - 1, "length": (1 << 63) - 1}, "external data file 'FILE' has 432 bytes; the tensor wants 9223372036854775807 from 9223372036854775807 on")):
        assert refused(with_external("w.bin", **entries), tmp_path) == f"error: {tmp_path}/model.onnx: layer 'w': {said}\n".replace("FILE", f"{tmp_path}/w.bin")


# ---- tensors ----

def test_broken_tensors(tmp_path):
    def tensor(**fields):
        m = conv_net([1, 3, 8, 8])
        w = m.graph.initializer[0]
        for name, value in fields.items():
            w.ClearField(name)
            if isinstance(value, list):
                getattr(w, name).extend(value)
            else:
                setattr(w, name, value)
        return m
    none = "tensors of data type %s are not supported"
    for fields, said in (({"dims": [-4, 3, 3, 3]}, "impossible dimensions [-4,3,3,3]: sizes must be 0 or more and their product at most 2^40"), ({"dims": [1 << 62, 4]}, "impossible dimensions [4611686018427387904,4]:"),
                         ({"dims": [1 << 32, 1 << 32, 0]}, "impossible dimensions [4294967296,4294967296,0]:"), ({"dims": [1] * 9}, "at most 8 dimensions are supported, found 9"), ({"data_type": 0}, none % "0 (UNDEFINED)"),
                         ({"data_type": 8}, "tensors of data type 8 (STRING) are not supported"), ({"data_type": 99}, none % "99 (unknown)"), ({"data_type": -1}, none % "-1 (unknown)"), ({"data_type": 16}, none % "16 (BFLOAT16)"),
                         ({"string_data": [b"a"]}, none % "1 (with strings)"), ({"raw_data": b""}, "expected 432 bytes of data for 108 elements, found 0"), ({"dims": [1 << 20, 1 << 19]}, "bytes of data")):
        refused(tensor(**fields), tmp_path, "layer 'w': ", said)
    m = tensor()
    m.graph.initializer[0].ClearField("raw_data")
    assert refused(m, tmp_path) == f"error: {tmp_path}/model.onnx: layer 'w': expected 108 elements, found 0\n"


def test_if_that_is_decided_at_run_time(tmp_path):
    def branch(*nodes):
        return helper.make_graph(list(nodes), "branch", [], [helper.make_tensor_value_info("t", F, None)])
    pick = helper.make_node("If", ["c"], ["y"], name="the_node", then_branch=branch(helper.make_node("Relu", ["x"], ["t"])), else_branch=branch(helper.make_node("Frob", ["x"], ["t"], name="inner")))
    compare_ = [helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0), helper.make_node("Less", ["m", "k"], ["c"])]
    says(model([*compare_, pick], {"x": (F, [4])}, ["y"], {"k": np.float32(0)}), tmp_path,
         "If: its condition 'c' is known only at run time\n  export the model with the branch that it shall take, or cut it before this node")
    for c, said in ((False, ["'inner'", "Frob: not supported"]), (np.float32(1), ["the_node", "known only at run time"])):
        refused(model([pick], {"x": (F, [4])}, ["y"], {"c": np.array(c)}), tmp_path, *said)
    pick.attribute[0].g.output[0].name = "gone"  # whichever branch this is: bodies name what they take from around them
    says(model([pick], {"x": (F, [4])}, ["y"], {"c": np.array(True)}), tmp_path, "If: input 'gone' does not exist")
    pick.attribute[0].g.output[0].name = "t"
    then = next(a.g for a in pick.attribute if a.name == "then_branch")
    then.node[0].output.append("gone")  # of which Relu knows nothing
    then.output[0].name = "gone"
    says(model([pick], {"x": (F, [4])}, ["y"], {"c": np.array(True)}), tmp_path, "If: output 'gone' of its then_branch does not exist")
    then.output[0].name = "t"
    then.input.append(helper.make_tensor_value_info("i", F, None))
    says(model([pick], {"x": (F, [4])}, ["y"], {"c": np.array(True)}), tmp_path, "If: then_branch: expected a graph without inputs, found 1")
