"""TensorFlow graphs as wholes: branches, flags, functions, names, cuts, and what the passes leave of them."""
import re
import subprocess

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import tf_support as tf  # noqa: E402
from support import SECONDS, SHARED, TOOL  # noqa: E402
from test_tf_ops import conv, depthwise, near, numbers  # noqa: E402
from tf_support import BOOL, Bound, Func, Shape, Type, const, node, placeholder, run  # noqa: E402

X = numbers(2, 3)
PICTURE = numbers(1, 9, 8, 3)


def kinds(tmp_path, graph, shapes, *args):
    """Operators of ours that are left."""
    model = tmp_path / "m.pb"
    model.write_bytes(b"".join(graph))
    done = subprocess.run([TOOL, "--shapes", shapes, *args, "--passes", "--text", str(model)], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return re.findall(r"^%\d+.* = (\w+) ", done.stdout, re.M)


# ---- branches ----

def branches(predicate):
    """x + 1 where the predicate holds, x * 2 where it does not; constants hang on the branches by control inputs."""
    return [placeholder("x"), *predicate, node("Switch", "cond/Switch", ["flag", "flag"]), node("Identity", "cond/t", ["cond/Switch:1"]), node("Identity", "cond/f", ["cond/Switch"]),
            node("Identity", "cond/pred", ["flag"]), const("k", np.float32(3)), node("Switch", "a", ["x", "cond/pred"]), node("Switch", "b", ["x", "cond/pred"]),
            node("Const", "one", ["^cond/t"], value=tf.Proto(tf.tensor(np.float32(1)))), node("Add", "yes", ["a:1", "one"]),
            node("Const", "two", ["^cond/f"], value=tf.Proto(tf.tensor(np.float32(2)))), node("Mul", "no", ["b", "two"]),
            node("Merge", "m", ["no", "yes"]), node("Mul", "y", ["m", "k"])]


@pytest.mark.parametrize("predicate,taken", [
    ([const("flag", np.bool_(True))], True),
    ([const("flag", np.bool_(False))], False),
    ([placeholder("flag", None, BOOL)], False),
    ([placeholder("flag", [], BOOL)], False),
    ([const("d", np.bool_(True)), node("PlaceholderWithDefault", "flag", ["d"], dtype=Type(BOOL), shape=Shape([]))], True),
    ([placeholder("training", None, BOOL), node("LogicalNot", "flag", ["training"])], True),
    ([placeholder("training", None, BOOL), const("t", np.bool_(True)), node("LogicalAnd", "flag", ["t", "training"])], False),
    ([placeholder("training", None, BOOL), const("t", np.bool_(True)), node("LogicalOr", "flag", ["training", "t"])], True),
])
def test_branch(predicate, taken, tmp_path):
    got = run(tmp_path, branches(predicate), {"x": X})
    assert not isinstance(got, str), got
    near(got[0], 3 * (X + 1 if taken else X * 2))


def test_a_branch_is_no_output(tmp_path):
    """Nothing but y is one, though the other branch's ends are used by no one."""
    assert len(run(tmp_path, branches([placeholder("flag", None, BOOL)]), {"x": X})) == 1


def test_branches_in_branches(tmp_path):
    """The inner switch lies in the branch that is taken; what it switches on is known from a second flag."""
    graph = [placeholder("x"), placeholder("train", None, BOOL), const("deep", np.bool_(True)), node("Switch", "a", ["x", "train"]), node("Switch", "b", ["a", "deep"]),
             node("Neg", "c", ["b"]), node("Abs", "d", ["b:1"]), node("Merge", "e", ["c", "d"]), node("Exp", "f", ["a:1"]), node("Switch", "g", ["f", "deep"]),
             node("Sqrt", "h", ["g"]), node("Merge", "i", ["h", "g:1"]), node("Merge", "y", ["i", "e"])]
    near(run(tmp_path, graph, {"x": X})[0], abs(X))


def test_a_branch_that_is_not_decided(tmp_path):
    graph = [placeholder("x"), const("z", np.float32(0)), const("axes", np.int32([0, 1])), node("Sum", "s", ["x", "axes"]), node("Greater", "p", ["s", "z"]),
             node("Relu", "r", ["x"]), node("Switch", "w", ["r", "p"]), node("Neg", "n", ["w"]), node("Merge", "y", ["n", "w:1"])]
    assert run(tmp_path, graph, {"x": X}) == f"error: {tmp_path}/m.pb: 2 nodes are not supported: Switch 'w', Merge 'y'\n" \
        "  3 of 6 nodes can be taken together, with inputs=\"x\" and outputs=\"r\",\"p\" in input_config.ini\n"


def test_a_loop(tmp_path):
    graph = [placeholder("x"), const("n", np.float32(9)), node("Relu", "r", ["x"]), node("Enter", "e", ["r"]), node("Merge", "m", ["e", "next"]), const("axes", np.int32([0, 1])),
             node("Sum", "s", ["m", "axes"]), node("Less", "l", ["s", "n"]), node("LoopCond", "c", ["l"]), node("Switch", "w", ["m", "c"]), node("Mul", "body", ["w:1", "w:1"]),
             node("NextIteration", "next", ["body"]), node("Exit", "y", ["w"])]
    assert run(tmp_path, graph, {"x": X}) == f"error: {tmp_path}/m.pb: 6 nodes are not supported: Enter 'e', NextIteration 'next', Merge 'm', LoopCond 'c', Switch 'w', Exit 'y'\n" \
        "  2 of 10 nodes can be taken together, with inputs=\"m\" and outputs=\"l\" in input_config.ini\n"


# ---- names ----

NAMED = [placeholder("x", [2, 3]), placeholder("z", [2, 1]), node("Abs", "a", ["x:0"]), const("two", np.int32(2)), const("axis", np.int32(1)), node("Add", "sum", ["a", "z:0"]),
         node("Split", "parts", ["axis", "sum"], num_split=3), node("Neg", "y", ["parts:2"])]


@pytest.mark.parametrize("x,y", [("x", "y"), ("x:0", "y:0"), ("x:0", "y")])
def test_names_with_and_without_0(x, y, tmp_path):
    z = numbers(2, 1)
    got = run(tmp_path, NAMED, {"z": z, x: X}, outputs=[y, "parts:0", "parts:1"])
    assert not isinstance(got, str), got
    for g, w in zip(got, (-(abs(X) + z)[:, 2:], (abs(X) + z)[:, :1], (abs(X) + z)[:, 1:2])):
        near(g, w)


def test_cut_at_both_ends(tmp_path):
    """Shapes go by the inputs that are named, in their order; those of the file that lie before them take none."""
    graph = [placeholder("wav", None, tf.STRING), node("DecodeWav", "w", ["wav"]), node("Mfcc", "mfcc", ["w", "w:1"]), node("Relu", "r", ["mfcc"]), node("Softmax", "s", ["r"]),
             node("Strange", "y", ["s"])]
    x = numbers(1, 4, 5)
    near(run(tmp_path, graph, {"mfcc": x}, outputs=["r"])[0], np.maximum(x, 0))
    assert run(tmp_path, graph, {"wav": np.float32(0)}, outputs=["s"]).startswith(f"error: {tmp_path}/m.pb: 2 nodes are not supported: DecodeWav 'w', Mfcc 'mfcc'\n"
                                                                                 "  2 of 4 nodes can be taken together, with inputs=\"mfcc\" and outputs=\"s\" in input_config.ini")


def test_integers_inside(tmp_path):
    """The type of an input that lies inside is what its node says."""
    graph = [placeholder("x"), node("ArgMax", "a", ["x", "k"]), const("k", np.int32(1)), node("Equal", "e", ["a", "a"]), node("Cast", "y", ["a"], SrcT=Type(9), DstT=Type(1)),
             node("Cast", "z", ["e"], DstT=Type(1))]
    near(run(tmp_path, graph, {"a": np.int32([3, 4])}, outputs=["y"])[0], np.float32([3, 4]))
    near(run(tmp_path, graph, {"e": np.array([True, False])}, outputs=["z"])[0], np.float32([1, 0]))


# ---- functions ----

def test_functions_are_inlined(tmp_path):
    inner = tf.function("square", ["v"], ["out"], [node("Mul", "m", ["v", "v"])], {"out": "m:z:0"})
    outer = tf.function("both", ["p", "q"], ["sum", "best"], [node("PartitionedCall", "call", ["p"], f=Func("square")), node("Add", "s", ["call:output:0", "q"]),
                                                              const("k", np.int32(1)), node("TopKV2", "t", ["s:z:0", "k:output:0"]),
                                                              node("Cast", "c", ["t:indices:0"], DstT=Bound("To"))], {"sum": "s:z:0", "best": "c:y:0"})
    graph = [placeholder("x"), placeholder("y"), node("StatefulPartitionedCall", "f", ["x", "y"], f=Func("both"), To=Type(1)), node("Identity", "a", ["f"]),
             node("Identity", "b", ["f:1"]), node("square", "direct", ["x"])]
    y = numbers(2, 3)
    got = run(tmp_path, [*graph, tf.library(inner, outer)], {"x": X, "y": y}, outputs=["a", "b", "direct"])
    assert not isinstance(got, str), got
    for g, w in zip(got, (X * X + y, (X * X + y).argmax(1)[:, None].astype(np.float32), X * X)):
        near(g, w)


# ---- what the passes leave ----

def written_out(x):
    """Batch normalization as tf.nn.batch_normalization writes it."""
    c = 4
    return [const("gamma", numbers(c)), const("beta", numbers(c)), const("mean", numbers(c)), const("var", np.abs(numbers(c)) + 0.5), const("eps", np.float32(1e-3)),
            node("Add", "bn/add", ["var", "eps"]), node("Rsqrt", "bn/r", ["bn/add"]), node("Mul", "bn/mul", ["bn/r", "gamma"]), node("Mul", "bn/mul_1", [x, "bn/mul"]),
            node("Mul", "bn/mul_2", ["mean", "bn/mul"]), node("Sub", "bn/sub", ["beta", "bn/mul_2"]), node("Add", "bn/add_1", ["bn/mul_1", "bn/sub"])]


def test_normalization_written_out_is_folded(tmp_path):
    graph = [placeholder("x"), const("w", numbers(3, 3, 3, 4)), node("Conv2D", "c", ["x", "w"], strides=[1, 1, 1, 1], padding="SAME"), *written_out("c"), node("Relu", "y", ["bn/add_1"])]
    assert kinds(tmp_path, graph, "1,9,8,3") == ["conv"]
    graph = [placeholder("x"), const("w", numbers(3, 3, 4, 1)), node("DepthwiseConv2dNative", "c", ["x", "w"], strides=[1, 2, 2, 1], padding="SAME"), *written_out("c"),
             node("Relu6", "y", ["bn/add_1"])]
    assert kinds(tmp_path, graph, "1,9,8,4") == ["depthwise"]


@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
@pytest.mark.parametrize("first", [False, True])
def test_fused_normalization(op, first, tmp_path):
    g, b, m, v = numbers(3), numbers(3), numbers(3), np.abs(numbers(3)) + 0.5
    consts = [const(n, a) for n, a in (("g", g), ("b", b), ("m", m), ("v", v))]
    attrs = dict(epsilon=0.01, data_format="NCHW") if first else dict(epsilon=0.01)
    x = np.moveaxis(PICTURE, 3, 1) if first else PICTURE
    got = run(tmp_path, [placeholder("x"), *consts, node(op, "y", ["x", "g", "b", "m", "v"], is_training=False, **attrs)], {"x": x})
    want = (PICTURE - m) / np.sqrt(v + 0.01) * g + b
    near(got[0], np.moveaxis(want, 3, 1) if first else want)
    got = run(tmp_path, [placeholder("x"), *consts, node(op, "y", ["x", "g", "b", "m", "v"], **attrs)], {"x": x})
    want = (PICTURE - PICTURE.mean((0, 1, 2))) / np.sqrt(PICTURE.var((0, 1, 2)) + 0.01) * g + b
    near(got[0], np.moveaxis(want, 3, 1) if first else want)


def atrous(block, pads, crops, how="VALID", after=(), op="Conv2D", w=(3, 3, 3, 4), stride=1):
    return [placeholder("x"), const("w", W3[op] if w == (3, 3, 3, 4) else numbers(*w)), const("block", np.int32(block)), const("pads", np.int32(pads)), const("crops", np.int32(crops)),
            node("SpaceToBatchND", "s", ["x", "block", "pads"]), node(op, "c", ["s", "w"], strides=[1, stride, stride, 1], padding=how), *after,
            node("BatchToSpaceND", "y", [after and "last" or "c", "block", "crops"])]


W3 = {"Conv2D": numbers(3, 3, 3, 4), "DepthwiseConv2dNative": numbers(3, 3, 3, 1)}
BIAS = numbers(4)
BEHIND = [const("bias", BIAS), node("BiasAdd", "ba", ["c", "bias"]), node("Relu", "last", ["ba"])]


@pytest.mark.parametrize("block,pads,crops,how,after,op", [
    ((2, 2), ((2, 3), (2, 2)), ((0, 1), (0, 0)), "VALID", (), "Conv2D"),
    ((2, 2), ((2, 3), (2, 2)), ((0, 1), (0, 0)), "VALID", BEHIND, "Conv2D"),
    ((3, 2), ((0, 0), (0, 0)), ((0, 0), (0, 0)), "VALID", (), "Conv2D"),
    ((3, 2), ((0, 0), (0, 0)), ((1, 0), (0, 1)), "SAME", BEHIND, "Conv2D"),
    ((3, 4), ((0, 0), (0, 0)), ((2, 1), (2, 3)), "VALID", (), "Conv2D"),
    ((2, 2), ((2, 3), (2, 2)), ((0, 1), (0, 0)), "VALID", (), "DepthwiseConv2dNative"),
])
def test_dilated_convolutions_are_fused(block, pads, crops, how, after, op, tmp_path):
    x = numbers(1, 12 if block[1] == 4 else 9, 8 if block[1] != 4 else 16, 3)
    graph = atrous(block, pads, crops, how, after, op)
    x2 = np.pad(x, [(0, 0), *pads, (0, 0)])
    ring = [(b, b) if how == "SAME" else (0, 0) for b in block]
    want = (conv if op == "Conv2D" else depthwise)(np.pad(x2, [(0, 0), *ring, (0, 0)]), W3[op], dilation=block, how="VALID")
    want = np.maximum(want + BIAS, 0) if after else want
    want = want[:, crops[0][0]:want.shape[1] - crops[0][1], crops[1][0]:want.shape[2] - crops[1][1]]
    near(run(tmp_path, graph, {"x": x})[0], want)
    left = kinds(tmp_path, graph, ",".join(map(str, x.shape)))
    assert left[-1] == ("conv" if op == "Conv2D" else "depthwise") and "transpose" not in left


def test_strides_between_the_deals_stay(tmp_path):
    """No dilation says the same."""
    graph = atrous((2, 2), ((0, 1), (0, 0)), ((0, 0), (0, 0)), "SAME", stride=2)
    x = numbers(1, 7, 8, 3)
    padded = np.pad(x, [(0, 0), (0, 1), (0, 0), (0, 0)])
    want = np.empty((1, 4, 4, 4))
    for i in range(2):
        for j in range(2):
            want[:, i::2, j::2] = conv(padded[:, i::2, j::2], W3["Conv2D"], (2, 2))
    near(run(tmp_path, graph, {"x": x})[0], want)


# ---- recurrent networks written out ----

def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def test_lstm_written_out(tmp_path):
    """Three steps of BasicLSTMCell: gates i, j, f, o from one product, state from one step to the next."""
    steps, n, units = 3, 4, 5
    x, w, b = numbers(1, steps, n), numbers(n + units, 4 * units), numbers(4 * units)
    graph = [placeholder("x"), const("w", w), const("b", b), const("axis", np.int32(1)), const("forget", np.float32(1)), const("c_0", np.zeros((1, units), np.float32)),
             const("h_0", np.zeros((1, units), np.float32)), node("Unpack", "u", ["x"], axis=1, num=steps)]
    c = h = np.zeros((1, units))
    for t in range(steps):
        p = f"step{t}/"
        graph += [node("ConcatV2", p + "in", ["u" if t == 0 else f"u:{t}", f"h_{t}", "axis"]), node("MatMul", p + "m", [p + "in", "w"]), node("BiasAdd", p + "g", [p + "m", "b"]),
                  node("Split", p + "s", ["axis", p + "g"], num_split=4), node("Add", p + "f", [p + "s:2", "forget"]), node("Sigmoid", p + "sf", [p + "f"]),
                  node("Mul", p + "keep", [f"c_{t}", p + "sf"]), node("Sigmoid", p + "si", [p + "s"]), node("Tanh", p + "j", [p + "s:1"]), node("Mul", p + "new", [p + "si", p + "j"]),
                  node("Add", f"c_{t + 1}", [p + "keep", p + "new"]), node("Tanh", p + "tc", [f"c_{t + 1}"]), node("Sigmoid", p + "so", [p + "s:3"]),
                  node("Mul", f"h_{t + 1}", [p + "tc", p + "so"])]
        i, j, f, o = np.split(np.concatenate([x[:, t], h], 1) @ w + b, 4, 1)
        c = c * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
        h = np.tanh(c) * sigmoid(o)
    got = run(tmp_path, graph, {"x": x}, outputs=[f"h_{steps}"])
    assert not isinstance(got, str), got
    near(got[0], h)


def test_gru_written_out(tmp_path):
    steps, n, units = 3, 4, 5
    x, w, v = numbers(1, steps, n), numbers(n + units, 2 * units), numbers(n + units, units)
    graph = [placeholder("x"), const("w", w), const("v", v), const("axis", np.int32(1)), const("one", np.float32(1)), const("h_0", np.zeros((1, units), np.float32)),
             node("Unpack", "u", ["x"], axis=1, num=steps)]
    h = np.zeros((1, units))
    for t in range(steps):
        p = f"step{t}/"
        graph += [node("ConcatV2", p + "in", [f"u:{t}", f"h_{t}", "axis"]), node("MatMul", p + "m", [p + "in", "w"]), node("Sigmoid", p + "g", [p + "m"]),
                  node("Split", p + "s", ["axis", p + "g"], num_split=2), node("Mul", p + "rh", [p + "s", f"h_{t}"]), node("ConcatV2", p + "in2", [f"u:{t}", p + "rh", "axis"]),
                  node("MatMul", p + "m2", [p + "in2", "v"]), node("Tanh", p + "c", [p + "m2"]), node("Sub", p + "1-z", ["one", p + "s:1"]),
                  node("Mul", p + "new", [p + "1-z", p + "c"]), node("Mul", p + "keep", [p + "s:1", f"h_{t}"]), node("Add", f"h_{t + 1}", [p + "keep", p + "new"])]
        r, z = np.split(sigmoid(np.concatenate([x[:, t], h], 1) @ w), 2, 1)
        h = z * h + (1 - z) * np.tanh(np.concatenate([x[:, t], r * h], 1) @ v)
    near(run(tmp_path, graph, {"x": x}, outputs=[f"h_{steps}"])[0], h)


# ---- one network in three formats ----

NAMED_VALUE = re.compile(r'~?"[^"]*" ')


def lines_of(path, *args):
    """Nodes as (operator with attributes, type and shape, operands by the order in which values appear), and the constants in that order."""
    done = subprocess.run([TOOL, *args, "--passes", "--whole", str(path)], capture_output=True, text=True, timeout=SECONDS * 6)
    assert done.returncode == 0, done.stderr
    nodes, constants, order = [], [], {}
    for line in done.stdout.splitlines():
        line = NAMED_VALUE.sub("", line)
        const = re.match(r"const (%\d+) (\w+\[[^]]*\]) = \{(.*)\}", line)
        made = re.match(r"(%\d+) (\w+\[[^]]*\]) = (\w+) ([^{]*)(\{.*\})?", line)
        given = re.match(r"input (%\d+) (\w+\[[^]]*\])", line)
        if const:
            order[const[1]] = len(order)
            constants.append((const[2], np.array(const[3].split(","), np.float32)))
        elif made:
            operands = [order[v] for v in re.findall(r"%\d+", made[4])]
            order[made[1]] = len(order)
            nodes.append((made[3], made[2], operands, re.sub(r' as "[^"]*"$', "", made[5] or "")))
        elif given:
            order[given[1]] = len(order)
            nodes.append(("input", given[2]))
    return nodes, constants


MOBILENET = "mobilenet_v1_0.25_224_fp32"


@pytest.mark.skipif(not (SHARED / "models/tf_pb").exists(), reason="../shared/models is absent")
@pytest.mark.parametrize("other", [f"tf_pb/{MOBILENET}/{MOBILENET}.pb", "tflite/mobilenet_v1_025_224_float/mobilenet_v1_0.25_224.tflite"])
def test_the_same_network_in_three_formats(other):
    onnx_nodes, onnx_constants = lines_of(SHARED / f"models/onnx/{MOBILENET}/{MOBILENET}.onnx")
    nodes, constants = lines_of(SHARED / "models" / other)
    assert len(nodes) == 32 and nodes == onnx_nodes
    assert len(constants) == len(onnx_constants) == 56
    for (dims, got), (wanted_dims, want) in zip(constants, onnx_constants):
        assert dims == wanted_dims and np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
