"""What makes a model hard: loops and functions, sequences, other domains, wide numbers, odd names and orders."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from support import SHARED, compare, decibel, evaluate, model, quantized, reference, refused, same_as_onnxruntime, save, tool  # noqa: E402

F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RNG = np.random.default_rng(11)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def ints(*values):
    return np.array(values, np.int64)


def node(op, ins, outs="y", **attrs):
    """`_` stands for an absent name."""
    return helper.make_node(op, *[["" if n == "_" else n for n in names.split()] for names in (ins, outs)], **attrs)


def info(name, kind=F, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def body(nodes, ins, outs, inits=None):
    """Names of inputs and outputs; those of integers and truth values have their type behind a colon."""
    def end(text):
        name, _, kind = text.partition(":")
        return info(name, {"": F, "i": I, "b": B}[kind], [] if kind else None)
    return helper.make_graph(nodes, "body", [end(n) for n in ins.split()], [end(n) for n in outs.split()], [numpy_helper.from_array(v, n) for n, v in (inits or {}).items()])


def check(tmp_path, nodes, inits=None, opset=17, outputs=("y",), **feeds):
    same_as_onnxruntime(model(nodes if isinstance(nodes, list) else [nodes], feeds, list(outputs), inits, opset), feeds, tmp_path)


def says(m, tmp_path, layer, message, hint=""):
    done = tool(save(m, tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/model.onnx: layer '{layer}': {message}\n" + (f"  {hint}\n" if hint else "")), done.stdout


def in_fixed(m, tmp_path, *feeds, above=30):
    """Fixed point, whose simulator and image the tool holds against each other, says what float says."""
    want, got = quantized(save(m, tmp_path), feeds, tmp_path)
    for w, g in zip(want, got):
        assert decibel(w, g) > above


# ---- Loop ----

STEP = [node("Mul", "a k", "m"), node("Add", "m x", "a2"), node("Cast", "i", "f", to=F), node("Add", "a2 f", "s"), node("Identity", "c", "c2")]


def step():
    """a <- a * k + x, and collects a + i."""
    return body(STEP, "i:i c:b a", "c2:b a2 s", {"k": np.float32([0.5, -0.4, 0.3, 0.2])})


def looped(trips, condition=True, b=None, **attrs):
    inits = {"a": real(3, 4), **({} if trips is None else {"n": np.array(trips)}), **({} if condition is None else {"t": np.array(condition)})}
    ins = f"{'_' if trips is None else 'n'} {'_' if condition is None else 't'} a"
    return model([node("Loop", ins, "y z", body=b or step(), name="the_loop", **attrs)], {"x": (F, [3, 4])}, ["y", "z"], inits)


@pytest.mark.parametrize("trips, condition", [(5, True), (1, None), (3, None)])
def test_loop_of_constant_length(trips, condition, tmp_path):
    m = looped(trips, condition)
    same_as_onnxruntime(m, {"x": real(3, 4)}, tmp_path)
    in_fixed(m, tmp_path, [real(3, 4) for _ in range(4)])


def test_loop_that_its_condition_ends(tmp_path):
    """A loop without a trip count: i squared reaches 20 after five rounds."""
    again = [node("Mul", "i i", "ii"), node("Less", "ii twenty", "c2")]
    b = body(STEP[:4] + again, "i:i c:b a", "c2:b a2 s", {"k": real(4), "twenty": np.array(20)})
    for trips in (None, 3, 9223372036854775807):
        same_as_onnxruntime(looped(trips, True, b), {"x": real(3, 4)}, tmp_path)


@pytest.mark.parametrize("trips, condition", [(0, True), (-3, True), (4, False)])
def test_loop_that_never_runs(trips, condition, tmp_path):
    """Its tensors pass through; nothing is collected, in the shape that a first round would give."""
    m = looped(trips, condition)
    a = numpy_helper.to_array(m.graph.initializer[0])
    del m.graph.output[0]
    m.graph.node.insert(0, node("Add", "x a", "a0"))
    m.graph.node[1].input[2] = "a0"
    m.graph.node.append(node("Identity", "y", "w"))
    m.graph.output.append(info("w"))
    del m.graph.output[0]
    x = real(3, 4)
    compare(evaluate(save(m, tmp_path), [x], tmp_path), [x + a])
    m.graph.output.append(info("z"))
    m.graph.node.append(node("Concat", "z one", "all", axis=0))
    m.graph.output[-1].name = "all"
    m.graph.node.insert(0, node("Unsqueeze", "x zero", "one"))
    m.graph.initializer.append(numpy_helper.from_array(ints(0), "zero"))
    compare(evaluate(save(m, tmp_path), [x], tmp_path), [x + a, x[None]])


def test_loops_within_loops_and_branches(tmp_path):
    """The inner loop runs as often as the outer one has; a branch is chosen by the iteration."""
    inner = body([node("Mul", "v half", "v2"), node("Identity", "d", "d2")], "j:i d:b v", "d2:b v2", {"half": np.float32(0.5)})
    odd = [node("Mod", "i two", "r"), node("Cast", "r", "odd", to=B),
           node("If", "odd", "u", then_branch=body([node("Add", "w x", "p")], "", "p"), else_branch=body([node("Sub", "w x", "q"), node("Relu", "q", "q2")], "", "q2"))]
    outer = body([node("Loop", "i c a", "w", body=inner), *odd, node("Identity", "c", "c2")], "i:i c:b a", "c2:b u", {"two": ints(2)[0]})
    m = model([node("Loop", "n t x", "y", body=outer)], {"x": (F, [2, 3])}, ["y"], {"n": np.array(4), "t": np.array(True)})
    same_as_onnxruntime(m, {"x": real(2, 3)}, tmp_path)
    in_fixed(m, tmp_path, [real(2, 3) for _ in range(4)])


def test_loop_over_a_shape(tmp_path):
    """As PyTorch writes `for i in range(x.shape[1])`: the count is folded, and so is what is taken by it."""
    b = body([node("Gather", "x i", "e", axis=1), node("Mul", "a e", "p"), node("Add", "p e", "a2"), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2 a2")
    nodes = [node("Shape", "x", "s"), node("Gather", "s one", "n"), node("Gather", "x zero", "a", axis=1), node("Loop", "n t a", "y z", body=b)]
    check(tmp_path, nodes, {"one": np.array(1), "zero": np.array(0), "t": np.array(True)}, outputs=("y", "z"), x=real(3, 5))


def test_loop_that_grows(tmp_path):
    """What goes from one iteration to the next may change its shape."""
    b = body([node("Concat", "a x", "a2", axis=0), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2")
    check(tmp_path, node("Loop", "n t x", "y", body=b), {"n": np.array(3), "t": np.array(True)}, x=real(2, 3))


def test_names_of_iterations(tmp_path):
    """Nodes are known by loop and iteration; tensors within have no names."""
    m = looped(2)
    for n in m.graph.node[0].attribute[0].g.node:
        n.name = f"the_{n.op_type}"
    text = tool("--text", save(m, tmp_path)).stdout
    for i in range(2):
        assert f'as "the_loop[{i}]/the_Add"' in text
    assert '"a2"' not in text and '"y"' in text and '"z"' in text
    m.graph.node[0].attribute[0].g.node[0].op_type = "Frob"
    says(m, tmp_path, "the_loop[0]/the_Mul", "Frob: not supported")


def test_loops_that_are_refused(tmp_path):
    run_time = [node("ReduceMax", "x", "m", keepdims=0), node("Cast", "m", "n", to=I), node("Less", "m half", "t")]
    inits = {"half": np.float32(0.5), "a": real(3, 4), "k": np.array(3), "yes": np.array(True)}

    def loop(ins, b=None, outs="y z"):
        return model([*run_time, node("Loop", ins, outs, body=b or step(), name="the_loop")], {"x": (F, [3, 4])}, outs.split(), inits)
    says(loop("n yes a"), tmp_path, "the_loop", "Loop: its trip count 'n' is known only at run time")
    says(loop("k t a"), tmp_path, "the_loop", "Loop: its condition 't' is known only at run time")
    late = body(STEP[:4] + [node("ReduceMax", "a2", "mm", keepdims=0), node("Less", "mm half", "c2")], "i:i c:b a", "c2:b a2 s", {"k": real(4)})
    says(loop("k yes a", late), tmp_path, "the_loop", "Loop: whether it goes on after iteration 1, 'c2' of its body, is known only at run time")
    says(loop("k yes a a"), tmp_path, "the_loop", "Loop: a body of 3 inputs and 3 outputs does not fit 4 inputs: expected one input and one output or more for each of them but the first")
    says(loop("k yes a", outs="y z w"), tmp_path, "the_loop", "Loop: expected a body of 4 outputs or more, found 3")
    says(loop("k yes _"), tmp_path, "the_loop", "Loop: input 2 is missing")
    m = loop("k yes a")
    del m.graph.node[-1].attribute[:]
    says(m, tmp_path, "the_loop", "Loop: body is missing: expected a graph")


def test_loops_without_end(tmp_path):
    """However a file says it: the nodes that come out are counted."""
    count = "Loop: the nodes of graphs and functions come to 100002, each counted as often as it is built: 100000 are the most"
    b = body([*STEP[:1], node("Add", "m x", "a2"), node("Exp", "a2", "unused"), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2", {"k": real(4)})
    m = model([node("Loop", "_ t a", "y", body=b, name="the_loop")], {"x": (F, [3, 4])}, ["y"], {"t": np.array(True), "a": real(3, 4)})
    says(m, tmp_path, "the_loop", count, "a loop is written out, iteration by iteration: this was number 33334")
    empty = body([], "i:i c:b a", "c:b a")
    m = model([node("Loop", "_ t x", "y", body=empty, name="the_loop")], {"x": (F, [3, 4])}, ["y"], {"t": np.array(True)})
    says(m, tmp_path, "the_loop", count.replace("100002", "100001"), "a loop is written out, iteration by iteration: this was number 100001")
    for _ in range(6):  # 10^7 times, said in a few bytes
        b = body([node("Loop", "ten c a", "a2", body=b), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2")
    m = model([node("Loop", "ten t a", "y", body=b)], {"x": (F, [3, 4])}, ["y"], {"ten": np.array(10), "t": np.array(True), "a": real(3, 4)})
    refused(m, tmp_path, "come to 10000", "100000 are the most")


def test_loops_that_stay_small(tmp_path):
    """Nothing but the nodes of its bodies comes out: what passes from one iteration to the next is no operator."""
    inner = body([node("Sin", "v", "v2"), node("Identity", "d", "d2")], "j:i d:b v", "d2:b v2")
    outer = body([node("Loop", "i c a", "w", body=inner), node("If", "c", "u", then_branch=body([node("Add", "w x", "p")], "", "p"), else_branch=body([node("Identity", "w", "q")], "", "q")), node("Identity", "c", "c2")],
                 "i:i c:b a", "c2:b u")
    m = model([node("Loop", "n t x", "y", body=outer)], {"x": (F, [2])}, ["y"], {"n": np.array(60), "t": np.array(True)})
    text = tool("--text", save(m, tmp_path)).stdout
    assert (text.count(" = sin "), text.count(" = add "), text.count(" = ")) == (1770, 60, 1830)
    same_as_onnxruntime(m, {"x": real(2)}, tmp_path)


def test_graphs_nested_too_deep(tmp_path):
    """Functions that call functions nest without nesting in the file."""
    def function(i):
        inside = helper.make_node(f"f{i + 1}", ["x"], ["y"], domain="my") if i < 70 else node("Relu", "x")
        return helper.make_function("my", f"f{i}", ["x"], ["y"], [inside], [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)])
    m = calling([helper.make_node("f0", ["x"], ["y"], domain="my")], [function(i) for i in range(71)])
    refused(m, tmp_path, "f64: graphs and functions are nested deeper than 64")


def test_memory_of_loops(tmp_path):
    b = body([node("Concat", "a a", "a2", axis=0), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a2")
    m = model([node("Loop", "n t k", "z", body=b, name="the_loop"), node("Add", "x z", "y")], {"x": (F, [1, 1])}, ["y"], {"n": np.array(40), "t": np.array(True), "k": real(1, 1)})
    assert tool(save(m, tmp_path)).returncode == 1
    done = tool("--memory", 100000, save(looped(1000), tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/model.onnx: layer 'the_loop': Loop: the nodes of its graphs exceed the memory limit\n")


# ---- Scan ----

@pytest.mark.parametrize("back, out_back, axis, out_axis", [(0, 0, 0, 0), (1, 0, 0, 1), (0, 1, -2, 0), (1, 1, 1, -1)])
def test_scan(back, out_back, axis, out_axis, tmp_path):
    b = body([node("Add", "h e", "h2"), node("Mul", "h2 k", "o")], "h e", "h2 o", {"k": real(4)})
    for g in (b.input, b.output):
        for v in g:
            v.CopyFrom(info(v.name, F, [4]))
    m = model([node("Scan", "h0 x", "y z", body=b, num_scan_inputs=1, scan_input_axes=[axis], scan_input_directions=[back], scan_output_directions=[out_back], scan_output_axes=[out_axis])],
              {"x": (F, [5, 4] if axis < 1 else [4, 5])}, ["y", "z"], {"h0": real(4)})
    x = real(5, 4) if axis < 1 else real(4, 5)
    same_as_onnxruntime(m, {"x": x}, tmp_path)
    in_fixed(m, tmp_path, [x, -x, x / 2])


def test_scans_that_are_refused(tmp_path):
    b = body([node("Add", "h e", "h2"), node("Mul", "h2 h2", "o")], "h e", "h2 o")

    def scan(ins, outs="y z", n=1, x=(5, 4), **attrs):
        return model([node("Scan", ins, outs, body=b, num_scan_inputs=n, name="the_scan", **attrs)], {"x": (F, list(x)), "w": (F, [3, 4])}, outs.split(), {"h": real(4)})
    fits = "Scan: a body of 2 inputs and 2 outputs does not fit %d inputs, %d of them to go along, and %d outputs"
    says(scan("h x w"), tmp_path, "the_scan", fits % (3, 1, 2))
    says(scan("h x", n=0), tmp_path, "the_scan", fits % (2, 0, 2))
    says(scan("h x", "y z q"), tmp_path, "the_scan", fits % (2, 1, 3))
    says(scan("x w", n=2), tmp_path, "the_scan", "Scan: input 'w' has 3 elements along its axis, the first one 5")
    says(scan("_ x"), tmp_path, "the_scan", "Scan: input 0 is missing")
    empty = scan("h k")
    empty.graph.initializer.append(numpy_helper.from_array(real(0, 4), "k"))
    says(empty, tmp_path, "the_scan", "Scan: there is nothing to go along: an axis of 0 elements")


# ---- functions of the model ----

def calling(nodes, functions, inputs=None, inits=None, outputs=("y",)):
    m = model(nodes, inputs or {"x": (F, [3, 4])}, list(outputs), inits)
    m.opset_import.append(helper.make_opsetid("my", 1))
    m.functions.extend(functions)
    return m


def function(name, ins, outs, nodes, attrs=(), opset=17, **defaults):
    """Attributes of nodes whose name begins with an @ take the caller's."""
    f = helper.make_function("my", name, ins.split(), outs.split(), nodes, [helper.make_opsetid("", opset), helper.make_opsetid("my", 1)], list(attrs),
                             [helper.make_attribute(k, v) for k, v in defaults.items()])
    return f


def takes(n, attr, kind, ref):
    a = n.attribute.add()
    a.name, a.ref_attr_name, a.type = attr, ref, kind
    return n


def call(op, ins, outs="y", **attrs):
    return helper.make_node(op, ["" if n == "_" else n for n in ins.split()], outs.split(), domain="my", **attrs)


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


# ---- sequences ----

def test_lists_of_chunks(tmp_path):
    """As PyTorch writes x.chunk and x.split when it keeps the list."""
    for split, dims in ((ints(2), (7, 3)), (ints(3)[0], (7, 3)), (ints(1, 4, 2), (7, 3)), (None, (3, 4))):
        inits = {"zero": np.array(0), "last": np.array(-1), **({} if split is None else {"s": split})}
        if split is not None and split.shape == (1,):
            inits["s"] = split[0]
        nodes = [node("SplitToSequence", "x" + ("" if split is None else " s"), "q", axis=0, keepdims=int(split is not None)), node("SequenceAt", "q zero", "a"),
                 node("SequenceAt", "q last", "b"), node("SequenceLength", "q", "n"), node("Add", "a one", "a1")]
        check(tmp_path, nodes, inits | {"one": np.float32(1)}, outputs=("a1", "b"), x=real(*dims))


def test_lists_that_are_built(tmp_path):
    nodes = [node("SequenceEmpty", "", "e"), node("SequenceInsert", "e x", "q1"), node("Neg", "x", "n"), node("SequenceInsert", "q1 n zero", "q2"), node("SequenceConstruct", "x n", "q3"),
             node("SequenceAt", "q3 zero", "f"), node("Relu", "f", "r"), node("SequenceInsert", "q2 r one", "q4"), node("Identity", "q4", "q5"), node("SequenceErase", "q5 zero", "q6"),
             node("SequenceErase", "q6", "q7"), node("ConcatFromSequence", "q5", "y", axis=1), node("ConcatFromSequence", "q6", "z", axis=-1, new_axis=1), node("ConcatFromSequence", "q7", "w", axis=0)]
    check(tmp_path, nodes, {"zero": np.array(0), "one": np.array(1)}, outputs=("y", "z", "w"), x=real(2, 3))


def test_lists_in_loops_and_branches(tmp_path):
    """Lists grow in a loop, and a branch chooses one."""
    seq = helper.make_tensor_sequence_value_info("q", F, None)
    b = body([node("Gather", "x i", "e"), node("Exp", "e", "v"), node("SequenceInsert", "q v", "q2"), node("Identity", "c", "c2")], "i:i c:b", "c2:b")
    b.input.append(seq)
    b.output.append(helper.make_tensor_sequence_value_info("q2", F, None))
    then, other = body([node("Identity", "all", "o")], "", ""), body([node("SequenceEmpty", "", "o")], "", "")
    for g in (then, other):
        g.output.append(helper.make_tensor_sequence_value_info("o", F, None))
    nodes = [node("SequenceEmpty", "", "none"), node("Loop", "n t none", "all", body=b), node("If", "t", "some", then_branch=then, else_branch=other), node("ConcatFromSequence", "some", "y", axis=0, new_axis=1)]
    check(tmp_path, nodes, {"n": np.array(3), "t": np.array(True)}, x=real(3, 4))


def test_sequence_map(tmp_path):
    b = body([node("Mul", "a k", "m"), node("Add", "m b", "s"), node("Neg", "a", "n")], "a b", "s n", {"k": real(4)})
    nodes = [node("SplitToSequence", "x", "q", axis=0), node("SequenceMap", "q z", "r g", body=b), node("SequenceMap", "r g", "r2 g2", body=b), node("ConcatFromSequence", "r2", "y", axis=0), node("ConcatFromSequence", "g", "w", axis=0)]
    check(tmp_path, nodes, outputs=("y", "w"), x=real(3, 4), z=real(1, 4))


BAD_LISTS = [  # nodes, what is said of the last
    ([node("SequenceAt", "x zero", name="the_node")], "SequenceAt: input 0: expected a sequence of tensors, found a tensor"),
    ([node("SequenceAt", "_ zero", name="the_node")], "SequenceAt: input 0: expected a sequence of tensors, found nothing"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceAt", "q two", name="the_node")], "SequenceAt: position 2 does not lie in a sequence of 2"),
    ([node("SequenceConstruct", "x x", "q"), node("Relu", "q", name="the_node")], "Relu: input 'q' is a sequence of tensors: expected a tensor"),
    ([node("SequenceEmpty", "", "q"), node("SequenceErase", "q", "q2", name="the_node"), node("ConcatFromSequence", "q2", axis=0)], "SequenceErase: the sequence is empty"),
    ([node("SequenceEmpty", "", "q"), node("ConcatFromSequence", "q", axis=0, name="the_node")], "ConcatFromSequence: the sequence is empty"),
    ([node("SplitToSequence", "x late", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: its sizes 'late' are no constant integers"),
    ([node("SplitToSequence", "x zero", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: parts must have 1 or more elements, found 0"),
    ([node("SplitToSequence", "x odd", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: part 1 of 5 elements does not fit the 2 that are left"),
    ([node("SplitToSequence", "long", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: a sequence of 100001 tensors is too long: 100000 are the most in a model"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceConstruct", "x", "r"), node("SequenceMap", "q r", "m", name="the_node", body=body([node("Add", "a b", "s")], "a b", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: input 1 has 1 elements, the first one 2"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceMap", "q x", "m", name="the_node", body=body([node("Relu", "a", "s")], "a", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: a body of 1 inputs and 1 outputs does not fit 2 inputs and 1 outputs"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceMap", "q", "m", name="the_node", body=body([node("SequenceConstruct", "a", "s")], "a", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: output 's' of its body is a sequence of tensors: expected a tensor"),
    ([node("Loop", "three yes x", "y z", name="the_node", body=body([node("SequenceConstruct", "a", "s"), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a s"))],
     "Loop: output 's' of its body is a sequence of tensors: expected a tensor"),
]


@pytest.mark.parametrize("nodes, said", BAD_LISTS, ids=range(len(BAD_LISTS)))
def test_sequences_that_are_refused(nodes, said, tmp_path):
    inits = {"zero": np.array(0), "two": np.array(2), "three": np.array(3), "odd": ints(1, 5), "yes": np.array(True)}
    says(model(nodes, {"x": (F, [3, 4]), "late": (I, []), "long": (F, [100001])}, ["y"], inits), tmp_path, "the_node", said)


def test_sequences_at_the_ends(tmp_path):
    done = tool(save(model([node("SequenceConstruct", "x x", "y")], {"x": (F, [3])}, ["y"]), tmp_path))
    assert done.stderr == (f"error: {tmp_path}/model.onnx: output 'y' is a sequence of tensors: expected a tensor\n"
                           "  end the model at the tensors that go into it, or join them: ConcatFromSequence\n")
    m = model([node("SequenceAt", "q zero")], {}, ["y"], {"zero": np.array(0)})
    m.graph.input.append(helper.make_tensor_sequence_value_info("q", F, [3]))
    refused(m, tmp_path, "input 'q' is a sequence, a map or an optional: expected a tensor")


def test_memory_of_sequences(tmp_path):
    """Each of many insertions makes a list as long as the last one and more."""
    nodes = [node("SequenceEmpty", "", "q0"), *[node("SequenceInsert", f"q{i} x", f"q{i + 1}") for i in range(600)], node("SequenceAt", "q600 zero", "y")]
    done = tool("--memory", 1000000, save(model(nodes, {"x": (F, [3])}, ["y"], {"zero": np.array(0)}), tmp_path))
    assert done.returncode == 1 and "tensors exceeds the memory limit" in done.stderr
    at = int(done.stderr.split("a sequence of ")[1].split()[0])
    assert 100 < at < 600 and done.stderr == f"error: {tmp_path}/model.onnx: layer 'q{at}': SequenceInsert: a sequence of {at} tensors exceeds the memory limit\n"


# ---- dynamic quantization ----

def by_onnxruntime(m, tmp_path, **options):
    """What onnxruntime's quantize_dynamic makes of a float model."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    quantization.quantize_dynamic(save(m, tmp_path), tmp_path / "dynamic.onnx", **options)
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


# ---- operators of com.microsoft ----

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


# ---- numbers that are wide ----

WIDE = [  # nodes that make of the shape s of x, [2,3], the shape r; constants
    ([node("Mul", "s b", "m"), node("Add", "m one", "m1"), node("Sub", "m1 m", "d"), node("Mul", "d s", "r")], {"b": ints(1 << 40), "one": ints(1)}),
    ([node("Add", "s b", "m"), node("Sub", "m b", "r")], {"b": ints((1 << 24) + 1)}),
    ([node("Add", "s b", "m"), node("Sub", "m b", "r")], {"b": ints((1 << 53) + 1)}),
    ([node("Add", "s b", "m"), node("Mod", "m k", "r")], {"b": ints(7 << 40), "k": ints(7)}),
    ([node("Add", "s b", "m"), node("Equal", "m k", "c"), node("Where", "c s s2", "r")], {"b": ints(1 << 33), "k": ints((1 << 33) + 2, (1 << 33) + 3), "s2": ints(9, 9)}),
    ([node("Min", "s b", "m"), node("Max", "m nb", "r")], {"b": ints(1 << 40), "nb": ints(-(1 << 40))}),
    ([node("Add", "s b", "m"), node("Gather", "m zero", "g"), node("Sub", "g b0", "h"), node("Concat", "h three", "r", axis=0)], {"b": ints(1 << 33), "zero": ints(0), "b0": ints(1 << 33), "three": ints(3)}),
    ([node("Concat", "s b", "c", axis=0), node("ReduceProd", "c", "p", keepdims=1), node("Div", "p b", "six"), node("Concat", "six one", "r", axis=0)], {"b": ints(1 << 40), "one": ints(1)}),
    ([node("Range", "a b one", "m"), node("Sub", "m a", "d"), node("Mul", "d s", "z"), node("Add", "z s", "y1"), node("Sub", "y1 z", "r")], {"a": np.array(1 << 60), "b": np.array((1 << 60) + 2), "one": np.array(1)}),
    ([node("Range", "b a one", "m"), node("Sub", "m a", "d"), node("Add", "d s", "e"), node("Sub", "e d", "r")], {"a": np.array(1 << 60), "b": np.array((1 << 60) + 2), "one": np.array(-1)}),
    ([node("Neg", "b", "n"), node("Add", "n s", "m"), node("Abs", "m", "a"), node("Sub", "b a", "r")], {"b": ints(1 << 62)}),
    ([node("Cast", "s", "h", to=TensorProto.FLOAT16), node("Cast", "h", "d", to=TensorProto.DOUBLE), node("Cast", "d", "r", to=I)], {}),
]


@pytest.mark.parametrize("nodes, inits", WIDE, ids=range(len(WIDE)))
def test_shapes_computed_in_64_bits(nodes, inits, tmp_path):
    nodes = [node("Shape", "x", "s"), *nodes, node("Reshape", "t r", "u"), node("Neg", "u")]
    nodes.insert(1, node("Transpose", "x", "t", perm=[1, 0]))
    check(tmp_path, nodes, inits, x=real(2, 3))
    in_fixed(model(nodes, {"x": (F, [2, 3])}, ["y"], inits), tmp_path, [real(2, 3) for _ in range(2)])


def test_ends_of_64_bits(tmp_path):
    """Slices to the end and from it, bounds that no number of 32 bits reaches."""
    most, least = ints((1 << 63) - 1), ints(-(1 << 63))
    check(tmp_path, node("Slice", "x a b c d"), {"a": most, "b": least, "c": ints(1), "d": ints(-1)}, x=real(2, 3))
    check(tmp_path, node("Clip", "x lo hi"), {"lo": ints(0)[0], "hi": most[0]}, x=ints(1, 2, -3))
    check(tmp_path, [node("Min", "x hi", "m"), node("Max", "lo m")], {"lo": least, "hi": ints(1 << 40)}, x=ints(1, 2, -3))
    check(tmp_path, node("Concat", "first x last", axis=0), {"first": ints(101), "last": ints(102)}, x=ints(1, 2, -3))
    refused(model([node("Concat", "first x", axis=0, name="n")], {"x": (I, [3])}, ["y"], {"first": ints(1 << 31)}), tmp_path, "layer 'n': Concat: the constant 2147483648 does not fit 32 bits")


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_models_of_other_floats(kind, tmp_path):
    """Inputs, weights, constants and scales of the type; in our graph all are float32."""
    nodes = [node("Conv", "x w b", "c", pads=[1] * 4), node("LeakyRelu", "c", "r", alpha=0.1), node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"), node("Gemm", "f k", "h", transB=1), node("Softmax", "h")]
    inits = {"w": real(8, 3, 3, 3).astype(kind), "b": real(8).astype(kind), "k": real(5, 8).astype(kind)}
    x = real(1, 3, 6, 6)
    m = model(nodes, {"x": x.astype(kind)}, ["y"], inits)
    plain = model(nodes, {"x": x}, ["y"], {n: v.astype(np.float32) for n, v in inits.items()})
    got = evaluate(save(m, tmp_path), [x.astype(kind)], tmp_path, "--passes")
    compare(got, reference(plain, {"x": x.astype(kind).astype(np.float32)}))
    if kind == np.float16:
        compare(got, [v.astype(np.float32) for v in reference(m, {"x": x.astype(kind)})], 1e-2)
    in_fixed(m, tmp_path, [real(1, 3, 6, 6) for _ in range(3)], above=30)


# ---- files that are large ----

def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


ROWS, WIDTH = 280000, 1024  # 1.15 GB


def table_model():
    m = model([node("Gather", "table i", "g"), node("Add", "g x")], {"x": (F, [2, WIDTH])}, ["y"], {"i": ints(0, ROWS - 1)})
    m.graph.initializer.append(TensorProto(name="table", data_type=F, dims=[ROWS, WIDTH]))
    return m


def in_place(tmp_path):
    """The table within the file, which has a hole there."""
    m = table_model()
    table = m.graph.initializer.pop()
    nbytes = 4 * ROWS * WIDTH
    rest, head = m.graph.SerializeToString(), table.SerializeToString()
    m.ClearField("graph")
    for pad in range(4):  # numbers lie at multiples of their size, where they can be used as they lie
        head = TensorProto(name="table", data_type=F, dims=[ROWS, WIDTH], doc_string="x" * pad).SerializeToString() + varint(9 << 3 | 2) + varint(nbytes)
        tensor = varint(5 << 3 | 2) + varint(len(head) + nbytes) + head
        start = m.SerializeToString() + varint(7 << 3 | 2) + varint(len(rest) + len(tensor) + nbytes) + rest + tensor
        if len(start) % 4 == 0:
            break
    path = tmp_path / "model.onnx"
    with open(path, "wb") as f:
        f.write(start)
        f.truncate(len(start) + nbytes)
        f.seek(len(start) + nbytes - 4 * WIDTH)
        f.write(np.arange(WIDTH, dtype=np.float32).tobytes())
    return path


def beside(tmp_path):
    """The table in a file of its own, behind other data."""
    m = table_model()
    table = m.graph.initializer[-1]
    table.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "table.bin", "offset": 4096, "length": 4 * ROWS * WIDTH}.items():
        table.external_data.add(key=key, value=str(value))
    with open(tmp_path / "table.bin", "wb") as f:
        f.truncate(4096 + 4 * ROWS * WIDTH)
        f.seek(4096 + 4 * (ROWS - 1) * WIDTH)
        f.write(np.arange(WIDTH, dtype=np.float32).tobytes())
    return save(m, tmp_path)


@pytest.mark.parametrize("make", [in_place, beside])
def test_more_than_a_gigabyte(make, tmp_path):
    """The file is used as it lies: nothing of it is copied."""
    path, x = make(tmp_path), real(2, WIDTH)
    got, = evaluate(path, [x], tmp_path, "--memory", 1 << 24, "--passes")
    assert np.array_equal(got, x + np.array([np.zeros(WIDTH), np.arange(WIDTH)], np.float32))
    for f in tmp_path.iterdir():
        f.unlink()


# ---- names and orders ----

NAMES = [("入力", "中間", "出力"), ("x y", "a:0", "out/1;2,3"), ("é", "x#", '"q"'), ("it's", "a\\b", "tab\there"), ("new\nline", "/model/0/Conv_output_0", "%0"), ("😀", "x\u202ey", "_"), ("x" * 3000, "y" * 3000, "z" * 3000)]


@pytest.mark.parametrize("x, inner, y", NAMES, ids=range(len(NAMES)))
def test_names(x, inner, y, tmp_path):
    """Through import, the text form, .sim and image; and in messages."""
    nodes = [helper.make_node("MatMul", [x, "w"], [inner], name=inner), helper.make_node("Tanh", [inner], [y], name="ü " + y)]
    m = model(nodes, {x: (F, [2, 3])}, [y], {"w": real(3, 4)})
    same_as_onnxruntime(m, {x: real(2, 3)}, tmp_path)
    in_fixed(m, tmp_path, [real(2, 3) for _ in range(3)])
    m.graph.node[0].op_type = "Frob"
    assert (y if len(y) < 99 and y.isprintable() else "Frob") in refused(m, tmp_path, "1 node is not supported")


def test_node_names_are_no_ones_concern(tmp_path):
    """The same for all, or none: nodes are known by what they make."""
    for name in ("same", ""):
        nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b w"), node("Neg", "a", "z")]
        m = model(nodes, {"x": (F, [2, 4])}, ["y", "z"], {"w": real(4, 4)})
        want = reference(m, {"x": (x := real(2, 4))})
        for n in m.graph.node:
            n.name = name
        for args in ((), ("--passes",)):
            compare(evaluate(save(m, tmp_path), [x], tmp_path, *args), want)
        in_fixed(m, tmp_path, [x, -x, x / 2])


def test_nodes_in_any_order(tmp_path):
    """Of a graph, of a branch, of a function; what nobody needs may be what it likes."""
    chain = [node("Relu", "x", "a"), node("Neg", "a", "b"), node("Exp", "b", "c"), node("Frob", "c", "unused"), node("Sub", "c a")]
    x = real(2, 3)
    want = np.exp(-np.maximum(x, 0)) - np.maximum(x, 0)
    for order in (chain, chain[::-1], chain[2:] + chain[:2]):
        compare(evaluate(save(model(order, {"x": (F, [2, 3])}, ["y"]), tmp_path), [x], tmp_path), [want])
        b = body(order, "", "y")
        m = model([node("If", "t", "z", then_branch=b, else_branch=body([node("Neg", "x", "n")], "", "n"))], {"x": (F, [2, 3])}, ["z"], {"t": np.array(True)})
        compare(evaluate(save(m, tmp_path), [x], tmp_path), [want])
        compare(evaluate(save(calling([call("Chain", "x")], [function("Chain", "x", "y", order)], {"x": (F, [2, 3])}), tmp_path), [x], tmp_path), [want])


def test_orders_that_there_are_none(tmp_path):
    """Cycles and second makers, in bodies as in graphs."""
    inits, x = {"t": np.array(True)}, {"x": (F, [2, 3])}
    circle = [node("Add", "x b", "a", name="one"), node("Relu", "a", "b", name="two")]
    again = [node("Relu", "x", "a", name="one"), node("Neg", "x", "a", name="two")]
    none = body([node("Neg", "x", "n")], "", "n")
    for nodes, said in ((circle, ("'two'", "the graph has a cycle through tensor 'b'")), (again, ("'two'", "tensor 'a' is made by another node, yet Neg makes it too"))):
        out = nodes[-1].output[0]
        refused(model(nodes, x, [out]), tmp_path, *said)
        refused(model([node("If", "t", then_branch=body(nodes, "", out), else_branch=none)], x, ["y"], inits), tmp_path, *said)
        refused(calling([call("F", "x")], [function("F", "x", out, nodes)], x), tmp_path, *said)


# ---- nothing and single numbers ----

EMPTY = np.zeros((0, 3), np.float32)
CUT = {"a": ints(0), "b": ints(0), "c": ints(0)}  # Slice x a b c: nothing of x
SMALL = [  # nodes, constants
    ([node("Concat", "x e", axis=0)], {"e": EMPTY}),
    ([node("Concat", "e x", axis=0)], {"e": EMPTY}),
    ([node("Slice", "x a b c", "s"), node("Relu", "s", "r"), node("MatMul", "r w", "m"), node("MatMul", "x w", "n"), node("Concat", "m n", axis=0)], CUT | {"w": real(3, 4)}),
    ([node("Slice", "x a b c", "s"), node("ReduceSum", "s c", "r", keepdims=0), node("Add", "r x")], CUT),
    ([node("Split", "x p", "a b", axis=1), node("Concat", "b a", axis=1)], {"p": ints(0, 3)}),
    ([node("Tile", "x r", "t"), node("Concat", "t x", axis=0)], {"r": ints(0, 1)}),
    ([node("Gather", "x i", "t"), node("Concat", "t x", axis=0)], {"i": np.zeros(0, np.int64)}),
    ([node("ReduceMax", "x", "m", keepdims=0), node("Reshape", "m e", "r"), node("Sub", "x r")], {"e": np.zeros(0, np.int64)}),
    ([node("ConstantOfShape", "e", "k"), node("Add", "x k")], {"e": np.zeros(0, np.int64)}),
    ([node("NonZero", "k", "n"), node("Transpose", "n", "i"), node("GatherND", "x i", "g"), node("Neg", "g")], {"k": np.array([[0, 2, 0], [1, 0, 3]])}),
    ([node("NonZero", "k", "n"), node("Squeeze", "n z", "i"), node("Gather", "x i", "g", axis=1), node("Neg", "g")], {"k": np.array([True, False, True]), "z": ints(0)}),
]


@pytest.mark.parametrize("nodes, inits", SMALL, ids=range(len(SMALL)))
def test_tensors_of_no_or_one_element(nodes, inits, tmp_path):
    check(tmp_path, nodes, inits, x=real(2, 3))
    if "ReduceSum" not in [n.op_type for n in nodes]:  # of nothing: refused in fixed point, with a sentence of its own
        in_fixed(model(nodes, {"x": (F, [2, 3])}, ["y"], inits), tmp_path, [real(2, 3) for _ in range(2)])


def test_scalars_and_nothing_at_the_ends(tmp_path):
    check(tmp_path, [node("Sqrt", "x", "s"), node("Mul", "s k")], {"k": np.float32(2)}, x=np.array(3, np.float32))
    check(tmp_path, node("Relu", "x"), x=EMPTY)
    check(tmp_path, node("Slice", "x a b c"), CUT, x=real(2, 3))
    says(model([node("NonZero", "x", name="n")], {"x": (F, [3])}, ["y"]), tmp_path, "n", "NonZero: 'x' is known only at run time, and so is how much of it is not 0")
    done = tool("--memory", 100000, save(model([node("NonZero", "k", "n", name="n"), node("Add", "n x")], {"x": (I, [1])}, ["y"], {"k": np.ones(20000, np.bool_)}), tmp_path))
    assert done.stderr == f"error: {tmp_path}/model.onnx: layer 'n': NonZero: 20000 elements exceed the memory limit\n"


# ---- a real network of many branches ----

SILERO = SHARED / "models/onnx/silero_vad/silero_vad_16k_op15.onnx"


@pytest.mark.skipif(not SILERO.exists(), reason=f"{SILERO} is absent")
def test_silero_vad(tmp_path):
    """Branches within branches, by shapes alone; the state goes round."""
    feeds = {"input": real(1, 576) / 8, "state": np.zeros((2, 1, 128), np.float32), "sr": np.array(16000)}
    m = onnx.load(SILERO)
    for _ in range(3):
        want = reference(m, feeds)
        for args in ((), ("--passes",)):
            compare(evaluate(SILERO, list(feeds.values()), tmp_path, "--shapes", "1,576:2,1,128:", *args), want)
        feeds |= {"input": real(1, 576) / 8, "state": want[1]}
