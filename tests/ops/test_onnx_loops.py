"""Loops and scans that are written out, branches that are chosen."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import onnx  # noqa: E402
from hard_support import B, F, I, body, calling, check, in_fixed, info, ints, node, real, says  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from support import SHARED, compare, evaluate, model, reference, refused, same_as_onnxruntime, save, tool  # noqa: E402

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
