"""Odd names and orders; tensors of nothing and of one number."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from hard_support import F, I, body, call, calling, check, function, in_fixed, ints, node, real, says  # noqa: E402
from onnx import helper  # noqa: E402
from support import compare, evaluate, model, reference, refused, same_as_onnxruntime, save, tool  # noqa: E402

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
