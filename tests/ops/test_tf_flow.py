"""TensorFlow's control flow with an end that is known: branches and loops of functions, loops of frames, lists of tensors."""
import numpy as np
import pytest

from support import FIXED_TOOL, SECONDS, decibel
from tf_support import *  # noqa: F403

import subprocess

X = np.random.default_rng(3).uniform(-2, 2, (2, 3)).astype(np.float32)


def near(got, want):
    assert not isinstance(got, str), got
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def in_fixed(tmp_path, graph, x, least=30):
    """Fixed point loses little; its simulator and image agree, or the tool fails."""
    (tmp_path / "m.pb").write_bytes(b"".join(graph))
    x.tofile(tmp_path / "in.bin")
    done = subprocess.run([FIXED_TOOL, "--shapes", ",".join(map(str, x.shape)), "--input", "x", tmp_path / "m.pb", tmp_path / "q", tmp_path / "in.bin"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert decibel(*[np.fromfile(tmp_path / f"q.{kind}.0.bin", np.float32) for kind in ("float", "fixed")]) > least


# ---- functions ----

def branches(condition):
    double = function("double", ["v"], ["out"], [const("two", np.float32(2)), node("Mul", "m", ["v", "two:output:0"])], {"out": "m:z:0"})
    negative = function("negative", ["v"], ["out"], [node("Neg", "n", ["v"])], {"out": "n:y:0"})
    return [placeholder("x"), *condition, node("StatelessIf", "y", ["c", "x"], then_branch=Func("double"), else_branch=Func("negative")), library(double, negative)]


@pytest.mark.parametrize("taken", [True, False])
def test_branches(taken, tmp_path):
    rank = [node("Rank", "r", ["x"]), const("two", np.int32(2)), node("Equal" if taken else "NotEqual", "c", ["r", "two"])]
    near(run(tmp_path, branches(rank), {"x": X})[0], 2 * X if taken else -X)
    near(run(tmp_path, branches([const("c", np.bool_(taken))]), {"x": X})[0], 2 * X if taken else -X)


def test_a_branch_that_is_not_decided(tmp_path):
    chosen = branches([const("axes", np.int32([0, 1])), node("Sum", "s", ["x", "axes"]), const("zero", np.float32(0)), node("Greater", "c", ["s", "zero"])])
    assert run(tmp_path, chosen, {"x": X}) == (f"error: {tmp_path}/m.pb: layer 'y': StatelessIf: its condition 'c' is known only at run time\n"
                                               "  convert the model with the branch that it shall take, or cut it before this operator\n")


def loop(trips=3, op="StatelessWhile", limit=None, missing=False):
    """for i in range(trips): s = square(s) * 0.1 + x, the square by a call within."""
    square = function("square", ["v"], ["out"], [node("Mul", "m", ["v", "v"])], {"out": "m:z:0"})
    ask = [const("n", np.int32(trips)), node("Less", "l", ["i", "n:output:0"])] if limit is None else \
        [const("axes", np.int32([0, 1])), node("Sum", "all", ["s", "axes:output:0"]), const("n", np.float32(limit)), node("Less", "l", ["all:output:0", "n:output:0"])]
    cond = function("cond", ["i", "s", "x"], ["go"], ask, {"go": "l:z:0"})
    body = function("body", ["i", "s", "x"], ["i2", "s2", "x2"],
                    [node("Add", "sum", ["part:z:0", "x"]), const("k", np.float32(0.1)), node("Mul", "part", ["sq:output:0", "k:output:0"]),  # in no order
                     node("PartitionedCall", "sq", ["s"], f=Func("square")), const("one", np.int32(1)), node("AddV2", "next", ["i", "one:output:0"])],
                    {"i2": "next:z:0", "s2": "sum:z:0", "x2": "x"})
    return [placeholder("x"), const("zero", np.int32(0)), node(op, "w", ["zero", "x", "x"], cond=Func("cond"), body=Func("nobody" if missing else "body")), node("Abs", "y", ["w:1"]),
            library(square, cond, body)]


@pytest.mark.parametrize("trips, op", [(0, "StatelessWhile"), (1, "While"), (4, "StatelessWhile")])
def test_loops(trips, op, tmp_path):
    s = X
    for _ in range(trips):
        s = s * s * np.float32(0.1) + X
    near(run(tmp_path, loop(trips, op), {"x": X}, outputs=["y"])[0], np.abs(s))
    in_fixed(tmp_path, loop(trips, op), X)


def test_loops_that_are_refused(tmp_path):
    assert run(tmp_path, loop(limit=100.0), {"x": X}, outputs=["y"]) == (
        f"error: {tmp_path}/m.pb: layer 'w': StatelessWhile: whether it goes on before iteration 1, 'cond/l' of its condition, is known only at run time\n"
        "  a loop is written out, iteration by iteration: its end must come from constants and shapes; sgs check names the cut that avoids it\n")
    assert run(tmp_path, loop(missing=True), {"x": X}, outputs=["y"]) == f"error: {tmp_path}/m.pb: layer 'w': StatelessWhile: body is missing: expected a graph\n"
    cycle = function("cycle", ["v"], ["out"], [node("Add", "a", ["b:z:0", "v"]), node("Neg", "b", ["a:z:0"])], {"out": "a:z:0"})
    graph = [placeholder("x"), const("c", np.bool_(True)), node("If", "y", ["c", "x"], then_branch=Func("cycle"), else_branch=Func("cycle")), library(cycle)]
    assert run(tmp_path, graph, {"x": X}) == f"error: {tmp_path}/m.pb: the function has a cycle through 'cycle/a'\n"


# ---- lists ----

def listed(lists):
    """Rows of x, one after another, each with the one before: h = tanh(row + h / 2), all of them together, as Keras writes a layer over time."""
    cond = function("cond", ["i", "in", "out", "h"], ["go"], [const("n", np.int32(4)), node("Less", "l", ["i", "n:output:0"])], {"go": "l:z:0"})
    body = function("body", ["i", "in", "out", "h"], ["i2", "in2", "out2", "h2"],
                    [const("shape", np.int32([-1])), node("TensorListGetItem", "row", ["in", "i", "shape:output:0"], element_dtype=Type(FLOAT)), const("half", np.float32(0.5)),
                     node("Mul", "m", ["h", "half:output:0"]), node("AddV2", "a", ["row:item:0", "m:z:0"]), node("Tanh", "t", ["a:z:0"]),
                     node("TensorListSetItem", "set", ["out", "i", "t:y:0"], element_dtype=Type(FLOAT)), const("one", np.int32(1)), node("AddV2", "next", ["i", "one:output:0"])],
                    {"i2": "next:z:0", "in2": "in", "out2": "set:output_handle:0", "h2": "t:y:0"})
    return [placeholder("x"), const("zero", np.int32(0)), const("shape", np.int32([-1])), const("n", np.int32(4)), const("h", np.zeros(3, np.float32)), *lists,
            node("StatelessWhile", "w", ["zero", "in", "out", "h"], cond=Func("cond"), body=Func("body")), node("TensorListStack", "y", ["w:2", "shape"], num_elements=4),
            library(cond, body)]


LISTS = [node("TensorListFromTensor", "in", ["x", "shape"]), node("TensorListReserve", "out", ["shape", "n"])]


def over_time(x):
    h, rows = np.zeros(3, np.float32), []
    for row in x:
        h = np.tanh(row + h / 2)
        rows.append(h)
    return np.stack(rows)


def test_lists(tmp_path):
    x = np.random.default_rng(4).uniform(-1, 1, (4, 3)).astype(np.float32)
    near(run(tmp_path, listed(LISTS), {"x": x}, outputs=["y"])[0], over_time(x))
    in_fixed(tmp_path, listed(LISTS), x)


def test_lists_that_grow(tmp_path):
    graph = [placeholder("x"), const("shape", np.int32([2, 3])), const("n", np.int32(-1)), node("EmptyTensorList", "l0", ["shape", "n"]), node("TensorListPushBack", "l1", ["l0", "x"]),
             node("Neg", "m", ["x"]), node("TensorListPushBack", "l2", ["l1", "m"]), node("TensorListStack", "y", ["l2", "shape"]), node("TensorListLength", "n2", ["l2"]),
             node("Cast", "f", ["n2"], DstT=Type(FLOAT)), node("Mul", "z", ["y", "f"])]
    near(run(tmp_path, graph, {"x": X}, outputs=["z"])[0], 2 * np.stack([X, -X]))


def test_lists_that_are_refused(tmp_path):
    def said(nodes, text):
        graph = [placeholder("x"), const("shape", np.int32([-1])), const("n", np.int32(2)), const("three", np.int32(3)), const("one", np.int32(1)), const("none", np.int32(0)),
                 const("many", np.int32(100001)), *nodes]
        assert run(tmp_path, graph, {"x": X}, outputs=["y"]) == f"error: {tmp_path}/m.pb: layer '{text}\n"
    reserve = node("TensorListReserve", "l", ["shape", "n"])
    said([reserve, node("TensorListGetItem", "y", ["l", "one", "shape"])], "y': TensorListGetItem: element 1 of the list was given no value")
    said([reserve, node("TensorListGetItem", "y", ["l", "three", "shape"])], "y': TensorListGetItem: position 3 does not lie in a list of 2")
    said([reserve, node("TensorListSetItem", "y", ["l", "three", "x"])], "y': TensorListSetItem: position 3 does not lie in a list of 2")
    said([node("TensorListReserve", "l", ["shape", "none"]), node("TensorListStack", "y", ["l", "shape"])], "y': TensorListStack: expected a list of 1 to 100000 tensors, found 0")
    said([node("TensorListReserve", "y", ["shape", "many"])], "y': TensorListReserve: expected a list of at most 100000 tensors, found 100001")
    said([node("TensorListFromTensor", "y", ["none", "shape"])], "y': TensorListFromTensor: expected a tensor of at most 100000 elements along its first axis")


# ---- frames ----

def framed(trips=3, name="loop", x="x", y="y", at="", inner=None, limit=None):
    """for i in range(trips): s = s * k + x; x and k do not change.  inner: nodes that make at + "more" of at + "part"."""
    t = lambda n: at + n  # noqa: E731
    enter = lambda n, of, **more: node("Enter", t(n), [of], T=Type(1), frame_name=name, **more)  # noqa: E731
    ask = [node("Less", t("less"), [t("i"), t("n")])] if limit is None else [node("Sum", t("all"), [t("s"), t("axes")]), node("Less", t("less"), [t("all"), t("limit")])]
    return [const(t("zero"), np.int32(0)), const(t("n0"), np.int32(trips)), const(t("k0"), np.float32(0.5)), const(t("one"), np.int32(1)), const(t("axes"), np.int32([0, 1])),
            const(t("limit"), np.float32(limit or 0)), enter("i0", t("zero")), enter("s0", x), enter("n", t("n0"), is_constant=True), enter("x1", x, is_constant=True), enter("k", t("k0"), is_constant=True),
            node("Merge", t("i"), [t("i0"), t("i2")]), node("Merge", t("s"), [t("s0"), t("s2")]), *ask, node("LoopCond", t("go"), [t("less")]),
            node("Switch", t("iw"), [t("i"), t("go")]), node("Switch", t("sw"), [t("s"), t("go")]), node("Identity", t("ib"), [t("iw:1")]), node("Identity", t("sb"), [t("sw:1")]),
            node("AddV2", t("i1"), [t("ib"), t("one"), "^" + t("ib")]), node("Mul", t("part"), [t("sb"), t("k")]), *(inner or [node("Identity", t("more"), [t("part")])]),
            node("AddV2", t("s1"), [t("more"), t("x1")]), node("NextIteration", t("i2"), [t("i1")]), node("NextIteration", t("s2"), [t("s1")]), node("Exit", y, [t("sw")])]


def summed(x, trips, within=lambda v: v):
    s = x
    for _ in range(trips):
        s = within(s / 2) + x
    return s


@pytest.mark.parametrize("trips", [0, 1, 4])
def test_frames(trips, tmp_path):
    graph = [placeholder("x"), *framed(trips), node("Abs", "z", ["y"])]
    near(run(tmp_path, graph, {"x": X})[0], np.abs(summed(X, trips)))
    in_fixed(tmp_path, graph, X)


def test_frames_in_frames(tmp_path):
    graph = [placeholder("x"), *framed(3, inner=framed(2, "within", "part", "more", "b/"))]
    near(run(tmp_path, graph, {"x": X})[0], summed(X, 3, lambda v: summed(v, 2)))
    near(run(tmp_path, graph[::-1], {"x": X})[0], summed(X, 3, lambda v: summed(v, 2)))


def test_frames_that_are_left(tmp_path):
    """A loop whose end the input decides is refused by its name; one that is cut inside stays what it was."""
    graph = [placeholder("x"), *framed(limit=9.0)]
    assert run(tmp_path, graph, {"x": X}) == (
        f"error: {tmp_path}/m.pb: layer 'loop': While: whether it goes on before iteration 1, 'less' of its condition, is known only at run time\n"
        "  a loop is written out, iteration by iteration: its end must come from constants and shapes; sgs check names the cut that avoids it\n")
    near(run(tmp_path, [placeholder("x"), *framed()], {"sw:1": X, "x": X}, outputs=["part"])[0], X / 2)


def test_arrays_in_frames(tmp_path):
    """As dynamic_rnn writes it: rows of x by an array, results into another, both by their flows."""
    enter = lambda n, of, **more: node("Enter", n, [of], T=Type(1), frame_name="rnn", **more)  # noqa: E731
    x = np.random.default_rng(4).uniform(-1, 1, (4, 3)).astype(np.float32)
    graph = [placeholder("x"), const("zero", np.int32(0)), const("n0", np.int32(4)), const("all", np.int32([0, 1, 2, 3])), const("h0", np.zeros(3, np.float32)), const("half", np.float32(0.5)), const("one", np.int32(1)),
             node("TensorArrayV3", "in", ["n0"]), node("TensorArrayScatterV3", "inflow", ["in", "all", "x", "in:1"]), node("TensorArrayV3", "out", ["n0"]),
             enter("e1", "zero"), enter("e2", "h0"), enter("e3", "out:1"), enter("n", "n0", is_constant=True), enter("inh", "in", is_constant=True), enter("inf", "inflow", is_constant=True),
             enter("outh", "out", is_constant=True), node("Merge", "i", ["e1", "i3"]), node("Merge", "h", ["e2", "h3"]), node("Merge", "f", ["e3", "f3"]),
             node("Less", "less", ["i", "n"]), node("LoopCond", "go", ["less"]), node("Switch", "iw", ["i", "go"]), node("Switch", "hw", ["h", "go"]), node("Switch", "fw", ["f", "go"]),
             node("TensorArrayReadV3", "row", ["inh", "iw:1", "inf"]), node("Mul", "m", ["hw:1", "half"]), node("AddV2", "a", ["row", "m"]), node("Tanh", "h2", ["a"]),
             node("TensorArrayWriteV3", "f2", ["outh", "iw:1", "h2", "fw:1"]), node("AddV2", "i2", ["iw:1", "one"]),
             node("NextIteration", "i3", ["i2"]), node("NextIteration", "h3", ["h2"]), node("NextIteration", "f3", ["f2"]), node("Exit", "done", ["fw"]),
             node("TensorArraySizeV3", "size", ["out", "done"]), node("Range", "places", ["zero", "size", "one"]), node("TensorArrayGatherV3", "y", ["out", "places", "done"])]
    near(run(tmp_path, graph, {"x": x})[0], over_time(x))
    in_fixed(tmp_path, graph, x)
    bad = [n if n != graph[3] else const("all", np.int32([0, 1, 2])) for n in graph]
    assert run(tmp_path, bad, {"x": x}) == f"error: {tmp_path}/m.pb: layer 'inflow': TensorArrayScatterV3: expected 4 positions, found 3\n"
