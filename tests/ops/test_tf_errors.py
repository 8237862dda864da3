"""What is said of TensorFlow graphs that are refused."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import tf_support as tf  # noqa: E402
from tf_support import Bound, Func, Proto, Type, const, message, node, placeholder  # noqa: E402

ONES, STRIDES = [1, 1, 1, 1], dict(strides=[1, 1, 1, 1], padding="SAME")


def weights(*shape):
    return np.ones(shape, np.float32)


def ints(*v):
    return np.array(v, np.int32)


def one(op, *inputs, shape=(1, 6, 5, 2), dtype=tf.FLOAT, **attrs):
    """x and constants through one operator."""
    nodes, names = [placeholder("x", list(shape), dtype)], []
    for i, v in enumerate(inputs):
        if isinstance(v, str):
            names.append(v)
        else:
            nodes.append(const(f"k{i}", v))
            names.append(f"k{i}")
    return nodes + [node(op, "y", names, **attrs)]


def fn(*nodes, ret):
    return [placeholder("x", [1, 4]), node("again", "y", ["x"]), tf.library(tf.function("again", ["v"], ["o"], list(nodes), ret))]


CASES = {
    # ---- the file ----
    "empty graph": ([tf.field(4, b"")],
        "the file holds no TensorFlow graph: expected a frozen GraphDef"),
    "two names": ([placeholder("x", [1]), node("Relu", "y", ["x"]), node("Abs", "y", ["x"])],
        "two nodes are named 'y'"),
    "no name": ([placeholder("x", [1]), node("Relu", "", ["x"])],
        "node 1 (Relu) has no name"),
    "port": ([placeholder("x", [1]), node("Relu", "y", ["x:z"])],
        "layer 'y': input 'x:z': expected NODE or NODE:NUMBER with a number of 0..4095"),
    "no node": ([placeholder("x", [1]), node("Relu", "y", ["z"])],
        "layer 'y': Relu: input 'z' does not exist"),
    "output": ([placeholder("x", [1]), node("Relu", "r", ["x"]), node("Relu", "y", ["r:3"])],
        "layer 'y': Relu: input 'r:3' does not exist"),
    "cycle": ([placeholder("x", [1]), node("Add", "a", ["x", "b"]), node("Relu", "b", ["a"]), node("Relu", "y", ["b"])],
        "layer 'b': the graph has a cycle through tensor 'b'"),
    "string input": ([placeholder("x", [1], tf.STRING), node("Relu", "y", ["x"])],
        "input 'x' has data type 8 (STRING), which is not supported"),
    "variable": ([placeholder("x", [1]), node("VariableV2", "v", dtype=Type(1)), node("Add", "y", ["x", "v"])],
        "layer 'v': VariableV2: the graph is not frozen: it has variables, whose numbers lie in other files"),
    "constant of words": ([placeholder("x", [1]), node("Const", "k", value=Proto(tf.field(1, 7) + tf.field(8, "a"))), node("Add", "y", ["x", "k"])],
        "layer 'k': Const: expected a value of numbers, found another"),
    "constant without": ([placeholder("x", [1]), node("Const", "k"), node("Add", "y", ["x", "k"])],
        "layer 'k': Const: expected a value of numbers, found none"),
    "constant, short": ([placeholder("x", [1]), node("Const", "k", value=Proto(tf.field(1, 1) + tf.field(2, tf.shape([3])) + tf.field(4, b"1234"))), node("Add", "y", ["x", "k"])],
        "layer 'k': expected 12 bytes of data for 3 elements, found 4"),
    "constant, below 0": ([placeholder("x", [1]), node("Const", "k", value=Proto(tf.field(1, 1) + tf.field(2, tf.shape([-3])))), node("Add", "y", ["x", "k"])],
        "layer 'k': impossible dimensions [-3]: sizes must be 0 or more and their product at most 2^40"),
    "constant, rank": ([placeholder("x", [1]), node("Const", "k", value=Proto(tf.field(1, 1) + tf.field(2, tf.shape([1] * 9)))), node("Add", "y", ["x", "k"])],
        "layer 'k': at most 8 dimensions are supported, found 9"),
    "constant, size": ([placeholder("x", [1]), node("Const", "k", value=Proto(tf.field(1, 1) + tf.field(2, tf.shape([1 << 20, 1 << 16])))), node("Add", "y", ["x", "k"])],
        "layer 'k': 68719476736 elements exceed the memory limit"),
    "damaged tensor": ([placeholder("x", [1]), tf.field(1, tf.field(1, "k") + tf.field(2, "Const") + tf.field(5, tf.field(1, "value") + tf.field(2, tf.field(8, 3))))],
        "layer 'k': damaged protobuf data: attribute tensor (field 8) has wire type 0, expected 2"),
    "damaged function": ([placeholder("x", [1]), tf.field(1, tf.field(1, "k") + tf.field(2, "Call") + tf.field(5, tf.field(1, "f") + tf.field(2, tf.field(10, tf.field(1, 3)))))],
        "layer 'k': damaged protobuf data: function name (field 1) has wire type 0, expected 2"),
    "function, result": (fn(node("Relu", "r", ["v"]), ret={"p": "r:a:0"}),
        "function 'again' does not say which tensor is its output 'o'"),
    "function, half": ([placeholder("x", [1, 4]), tf.library(tf.field(1, tf.field(1, tf.field(1, "f")) + tf.field(4, tf.field(1, "o"))))],
        "a function's result has no name or no tensor"),
    "function, endless": (fn(node("again", "r", ["v"]), ret={"o": "r:o:0"}),
        "more than 4096 calls of functions: function 'again' may call itself"),
    "function, unknown": ([placeholder("x", [1, 4]), node("PartitionedCall", "y", ["x"], f=Func("g"))],
        "1 node is not supported: PartitionedCall 'y'"),
    "bias": (one("BiasAdd", "x", weights(3)),
        "layer 'y': BiasAdd: expected a bias with one number a channel"),
    "conv, rank": (one("Conv2D", "x", weights(3, 3, 2), **STRIDES),
        "layer 'y': Conv2D: expected input and weights of 4 dimensions, found 4 and 3"),
    "conv, channels": (one("Conv2D", "x", weights(3, 3, 5, 2), **STRIDES),
        "layer 'y': Conv2D: weights for 5 input channels and 2 outputs do not fit 2 channels"),
    "conv, batch": (one("Conv2D", "x", weights(3, 3, 2, 2), strides=[2, 1, 1, 1], padding="SAME"),
        "layer 'y': Conv2D: strides: expected 1 for the batch and for the channels, found 2 and 1"),
    "conv, no strides": (one("Conv2D", "x", weights(3, 3, 2, 2), padding="SAME"),
        "layer 'y': Conv2D: strides is missing"),
    "conv, strides": (one("Conv2D", "x", weights(3, 3, 2, 2), strides=[1, 2], padding="SAME"),
        "layer 'y': Conv2D: attribute strides: expected 4 numbers, found 2"),
    "conv, padding": (one("Conv2D", "x", weights(3, 3, 2, 2), strides=ONES),
        "layer 'y': Conv2D: padding is missing"),
    "conv, word": (one("Conv2D", "x", weights(3, 3, 2, 2), strides=ONES, padding="FULL"),
        "layer 'y': Conv2D: padding: expected one of SAME, VALID, EXPLICIT, found 'FULL'"),
    "conv, format": (one("Conv2D", "x", weights(3, 3, 2, 2), data_format="NCHW_VECT_C", **STRIDES),
        "layer 'y': Conv2D: data_format: expected one of NHWC, NCHW, found 'NCHW_VECT_C'"),
    "depthwise, rank": (one("DepthwiseConv2dNative", "x", weights(3, 3, 2), **STRIDES),
        "layer 'y': DepthwiseConv2dNative: expected input and weights of 4 dimensions, found 4 and 3"),
    "depthwise, channels": (one("DepthwiseConv2dNative", "x", weights(3, 3, 3, 1), **STRIDES),
        "layer 'y': DepthwiseConv2dNative: weights for 3 channels do not fit 2"),
    "deconv, rank": (one("Conv2DBackpropInput", ints(1, 6, 5), weights(3, 3, 2, 2), "x", **STRIDES),
        "layer 'y': Conv2DBackpropInput: expected a size of 4 numbers, input and weights of 4 dimensions, found 3, 4 and 4"),
    "deconv, channels": (one("Conv2DBackpropInput", ints(1, 6, 5, 2), weights(3, 3, 2, 3), "x", **STRIDES),
        "layer 'y': Conv2DBackpropInput: weights for 3 channels do not fit 2"),
    "deconv, size": (one("Conv2DBackpropInput", ints(1, 0, 5, 2), weights(3, 3, 2, 2), "x", **STRIDES),
        "layer 'y': Conv2DBackpropInput: height: expected a size of 1 to 2147483647, found 0"),
    "deconv, other size": (one("Conv2DBackpropInput", ints(1, 7, 5, 2), weights(3, 3, 2, 2), "x", **STRIDES),
        "layer 'y': Conv2DBackpropInput: height: a convolution makes 7 of 7, the input has 6"),
    "pool, rank": (one("MaxPool", "x", shape=(6, 5, 2), ksize=[1, 2, 2, 1], **STRIDES),
        "layer 'y': MaxPool: expected a picture of 4 dimensions, found 3"),
    "pool, kernel": (one("MaxPool", "x", ksize=[1, 0, 2, 1], **STRIDES),
        "layer 'y': height: kernel, stride and dilation must be 1 or more, found 0, 1 and 1"),
    "pool, channels": (one("MaxPool", "x", ksize=[1, 2, 2, 2], **STRIDES),
        "layer 'y': MaxPool: ksize: expected 1 for the batch and for the channels, found 1 and 2"),
    "deal": (one("SpaceToBatchND", "x", ints(2, 2), np.int32([[0, 0], [0, 0]])),
        "layer 'y': SpaceToBatchND: axis 2 of 5 elements, padding counted, cannot be dealt out to 2"),
    "deal, blocks": (one("SpaceToBatchND", "x", ints(2, 2, 2, 2), np.int32([[0, 0]] * 4)),
        "layer 'y': SpaceToBatchND: 4 blocks do not fit an input of 4 dimensions"),
    "deal, block": (one("SpaceToBatchND", "x", ints(0, 2), np.int32([[0, 0], [0, 0]])),
        "layer 'y': SpaceToBatchND: axis 1: expected a block of 1 to 65536 and two sizes of 0 or more, found 0, 0 and 0"),
    "deal, pictures": (one("SpaceToBatchND", "x", ints(65536, 65536), np.int32([[0, 65530], [0, 65531]])),
        "layer 'y': SpaceToBatchND: more than 2^31 pictures"),
    "deal, pads": (one("SpaceToBatchND", "x", ints(2, 2), ints(0, 0)),
        "layer 'y': SpaceToBatchND: input 2: expected 2 pairs of integers, found shape [2]"),
    "collect": (one("BatchToSpaceND", "x", ints(2, 2), np.int32([[0, 0], [0, 0]])),
        "layer 'y': BatchToSpaceND: 1 pictures cannot be collected by 4"),
    "collect, crops": (one("BatchToSpaceND", "x", ints(2, 2), np.int32([[9, 9], [0, 0]]), shape=(4, 3, 3, 1)),
        "layer 'y': BatchToSpaceND: crops of 9 and 9 are more than the 6 elements of axis 1"),
    "fake, bits": (one("FakeQuantWithMinMaxVars", "x", np.float32(-1), np.float32(1), num_bits=1),
        "layer 'y': FakeQuantWithMinMaxVars: num_bits must lie in 2..16, found 1"),
    "fake, range": (one("FakeQuantWithMinMaxVars", "x", np.float32(1), np.float32(2)),
        "layer 'y': FakeQuantWithMinMaxVars: expected min <= 0 <= max and min < max, found 1 and 2"),
    "fake, numbers": (one("FakeQuantWithMinMaxVars", "x", weights(2), np.float32(2)),
        "layer 'y': FakeQuantWithMinMaxVars: input 1: expected one constant number"),
    "dequantize": (one("Dequantize", "x", np.float32(1), np.float32(2)),
        "layer 'y': Dequantize: expected integers of 8 or 16 bits with one range, found float32"),
    "dequantize, range": (one("Dequantize", "x", weights(2), np.float32(2), dtype=4),
        "layer 'y': Dequantize: input 1: expected one constant number"),
    "gather, batch": (one("GatherV2", "x", ints(0), np.int32(1), batch_dims=1),
        "layer 'y': GatherV2: batch_dims other than 0 is not supported"),
    "gather, scalar": ([placeholder("x", [1]), const("s", np.float32(1)), const("i", np.int32(0)), node("Gather", "g", ["s", "i"]), node("Add", "y", ["x", "g"])],
        "layer 'g': Gather: expected a tensor with dimensions, found a scalar"),
    "lrn": (one("LRN", "x", shape=(5, 2), depth_radius=2),
        "layer 'y': LRN: expected an input of 4 dimensions and a depth_radius of 0 to 65535, found 2 and 2"),
    "pad, number": (one("PadV2", "x", np.int32([[0, 0]] * 4), weights(2)),
        "layer 'y': PadV2: the padding value: expected one constant number"),
    "pad, below 0": (one("Pad", "x", np.int32([[0, -1]] * 4)),
        "layer 'y': Pad: paddings must be 0 or more, found 0 and -1"),
    "pad, mirror": (one("MirrorPad", "x", np.int32([[0, 0], [0, 7], [0, 0], [0, 0]]), mode="SYMMETRIC"),
        "layer 'y': MirrorPad: axis 1 of 6 cannot be mirrored by 0 and 7"),
    "pad, shape": (one("Pad", "x", ints(1, 1)),
        "layer 'y': Pad: input 1: expected 4 pairs of integers, found shape [2]"),
    "resize": (one("ResizeBilinear", "x", ints(4)),
        "layer 'y': ResizeBilinear: expected a picture of 4 dimensions and a size of two numbers of 1 or more"),
    "cast": (one("Cast", "x"),
        "layer 'y': Cast: DstT is missing"),
    "cast, type": (one("Cast", "x", DstT=Type(7)),
        "layer 'y': Cast: DstT: TensorFlow's type 7 is not supported"),
    "slice": (one("Slice", "x", ints(0, 0), ints(1, 1)),
        "layer 'y': Slice: expected 4 beginnings and sizes, one for each dimension, found 2 and 2"),
    "slice, place": (one("Slice", "x", ints(0, 5, 0, 0), ints(1, 3, 1, 1)),
        "layer 'y': Slice: axis 1 of 6 elements has no 3 from 5 on"),
    "strided, lists": (one("StridedSlice", "x", ints(0, 0), ints(1), ints(1, 1)),
        "layer 'y': StridedSlice: input 2: expected 2 numbers, found 1"),
    "strided, step": (one("StridedSlice", "x", ints(0), ints(1), ints(0)),
        "layer 'y': StridedSlice: step must not be 0"),
    "strided, element": (one("StridedSlice", "x", ints(1), ints(1), ints(1), shrink_axis_mask=1),
        "layer 'y': StridedSlice: index 1 does not lie in the 1 of axis 0"),
    "strided, dimensions": (one("StridedSlice", "x", ints(0, 0, 0, 0, 0), ints(1, 1, 1, 1, 1), ints(1, 1, 1, 1, 1)),
        "layer 'y': StridedSlice: 5 entries for an input of 4 dimensions"),
    "strided, rank": (one("StridedSlice", "x", ints(0, 0, 0, 0, 0, 0), ints(1, 1, 1, 1, 1, 1), ints(1, 1, 1, 1, 1, 1), new_axis_mask=63),
        "layer 'y': StridedSlice: 6 entries for an input of 4 dimensions"),
    "split, sizes": (one("SplitV", "x", ints(-1, -1), np.int32(1), num_split=2),
        "layer 'y': SplitV: part 1 cannot have -1 of 6 elements"),
    "split, number": (one("SplitV", "x", ints(3, 3), np.int32(1), num_split=3),
        "layer 'y': SplitV: 3 outputs, but split lists 2 sizes"),
    "split, sum": (one("SplitV", "x", ints(3, 2), np.int32(1), num_split=2),
        "layer 'y': SplitV: the parts add up to 5, the axis has 6"),
    "split, parts": (one("Split", np.int32(1), "x", num_split=0),
        "layer 'y': Split: expected 1 to 256 parts, as many as there are outputs or more, found 0 parts and 1 outputs"),
    "split, equal": (one("Split", np.int32(1), "x", num_split=4),
        "layer 'y': Split: 6 elements cannot be split into 4 equal parts"),
    "depth to space": (one("DepthToSpace", "x", block_size=3),
        "layer 'y': DepthToSpace: blocks of 3 do not fit an input [1,6,5,2]"),
    "transpose": (one("Transpose", "x", ints(0, 1)),
        "layer 'y': Transpose: perm: expected 4 axes, found 2"),
    "axis": (one("ExpandDims", "x", ints(0, 1)),
        "layer 'y': ExpandDims: 'k1', which it takes as shape, axes or sizes, holds 2 numbers, 1 are the most"),
    "axis, range": (one("ArgMax", "x", np.int32(7)),
        "layer 'y': ArgMax: axis must lie in -4..3, found 7"),
    "one hot": (one("OneHot", "x", np.int32(0), np.float32(1), np.float32(0), dtype=tf.INT32),
        "layer 'y': OneHot: depth must lie in 1..2147483647, found 0"),
    "reshape": (one("Reshape", "x", ints(7, -1)),
        "layer 'y': Reshape: -1 in the shape cannot be resolved: 60 elements, the other sizes multiply to 7"),
    "shape at run time": ([placeholder("x", [4]), placeholder("s", [1], tf.INT32), node("Reshape", "y", ["x", "s"])],
        "layer 'y': Reshape: 's', which it takes as shape, axes or sizes, is known only at run time"),
    "concat": (one("ConcatV2", np.int32(0)),
        "the model has no outputs"),
    "product": (one("MatMul", "x", weights(2, 2)),
        "layer 'y': MatMul: expected matrices, of 2 dimensions, found 4"),
    "axis, none": (one("ExpandDims", "x", np.zeros(0, np.int32)),
        "layer 'y': ExpandDims: input 1: expected one integer, found 0"),
}


@pytest.mark.parametrize("graph,said", CASES.values(), ids=CASES.keys())
def test_message(graph, said, tmp_path):
    assert message(tmp_path, graph).split("\n")[0] == said


def test_memory(tmp_path):
    graph = [placeholder("x", [1]), *(node("Relu", f"r{i}", ["x"]) for i in range(2000))]
    assert message(tmp_path, graph, "--memory", "200000").split("\n")[0].split(": ")[-1] == "the nodes exceed the memory limit"


def test_placeholders_that_are_not_fixed(tmp_path):
    assert message(tmp_path, [placeholder("x", [-1, -1, 3]), node("Relu", "y", ["x"])]) == "dimension 1 (unnamed) of input 'x' is not fixed\n" \
        "  give the whole shape, for example --input_shapes 1,3,224,224 (one shape per input, separated by ':')\n"


@pytest.mark.parametrize("shapes,said", [
    ("2,3", "--input_shapes 2,3: expected 2 shapes, one for each of 'z', 'x', found 1"),
    ("2,1:2,4", "--input_shapes gives [2,4] for input 'x'; the model has [2,3] (-1: free)"),
])
def test_shapes_go_by_the_ini(shapes, said, tmp_path):
    graph = [placeholder("x", [2, 3]), placeholder("z"), node("Add", "y", ["x", "z"])]
    assert message(tmp_path, graph, "--shapes", shapes, "--input", "z", "--input", "x").split("\n")[0] in (said, "error: " + said)


def test_a_name_that_is_none(tmp_path):
    graph = [placeholder("x", [2, 3]), node("Relu", "y", ["x"])]
    assert message(tmp_path, graph, "--input", "x", "--output", "z") == "output 'z' is not a tensor of the model\n  the model's inputs: 'x'; outputs: 'y'\n"
