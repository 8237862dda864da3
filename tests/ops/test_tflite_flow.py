"""TFLite models of several subgraphs: branches, loops, variables.  What LiteRT computes, our float model computes, and fixed point is near it."""
import subprocess

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from support import SECONDS, TOOL  # noqa: E402
from test_tflite_errors import says  # noqa: E402
from test_tflite_fixed import near  # noqa: E402
from test_tflite_ops import agree, litert, numbers, ours  # noqa: E402
from tflite_models import ACT, BOOL, F32, I8, I32, Model  # noqa: E402

RESOURCE = 13


def subgraph(m, inputs, outputs):
    """Ends the subgraph before, whose ends these are, and begins the next; returns its number."""
    m.next_graph(inputs, outputs)
    return len(m.graphs) - 1


def scalar(m, name, v, kind=I32):
    return m.const(name, np.array(v, {I32: np.int32, BOOL: np.bool_, F32: np.float32}[kind]), kind)


def branches(taken, constant=True):
    """IF a condition that shapes decide: x * 2 + 1, else relu(x) with a fused activation."""
    m = Model()
    x = m.tensor("x", [2, 3])
    if constant:
        rank = m.op("RANK", [x], "rank", [], I32)
        c = m.op("EQUAL" if taken else "NOT_EQUAL", [rank, scalar(m, "two", 2)], "c", [], BOOL)
    else:
        c = m.tensor("c", [], BOOL)
    y = m.op("IF", [c, x], "y", [2, 3], options={"then_branch": 1, "else_branch": 2})
    z = m.op("TANH", [y], "z", [2, 3])
    ends = [x] if constant else [x, c], [z]
    subgraph(m, *ends)
    a = m.tensor("x", [2, 3])
    twice = m.op("MUL", [a, m.const("k", np.float32([2, 3, 4]))], "y", [2, 3])
    subgraph(m, [a], [m.op("ADD", [twice, m.const("one", np.float32([1]))], "out", [2, 3])])
    a = m.tensor("x", [2, 3])
    return m.bytes([a], [m.op("ADD", [a, m.const("none", np.float32([-0.5]))], "out", [2, 3], options={ACT: 1})])


@pytest.mark.parametrize("taken", [True, False])
def test_branches(taken, tmp_path):
    x = numbers(2, 3)
    agree(branches(taken), [x], tmp_path)
    near(branches(taken), [x], tmp_path)


def counter(trips=3, limit=None, width=3, kind=F32, more=None, body_outputs=None, **quant):
    """for i in range(trips): s = s * k + x, with relu; `limit`: of the state, at run time."""
    m = Model()
    x = m.tensor("x", [1, width], kind, **quant)
    i = scalar(m, "zero", 0)
    w = m.const("w", np.linspace(-0.5, 0.8, width * width).reshape(width, width))
    y = m.op("WHILE", [i, x, x, w], ["i2", "y", "x2", "w2"], [[], [1, width], [1, width], [width, width]], [I32, kind, kind, F32], {"cond": 1, "body": 2}, **quant)
    z = m.op("ADD", [y[1], y[1]], "z", [1, width], kind, **quant)
    ends = [x], [z]
    subgraph(m, *ends)
    inputs = [m.tensor("i", [], I32), m.tensor("s", [1, width], kind, **quant), m.tensor("x", [1, width], kind, **quant), m.tensor("w", [width, width])]
    if limit is None:
        c = m.op("LESS", [inputs[0], scalar(m, "trips", trips)], "c", [], BOOL)
    else:
        c = m.op("LESS", [m.op("SUM", [inputs[1], m.const("axes", np.int32([0, 1]), I32)], "sum", []), scalar(m, "limit", limit, F32)], "c", [], BOOL)
    subgraph(m, inputs, [c])
    inputs = [m.tensor("i", [], I32), m.tensor("s", [1, width], kind, **quant), m.tensor("x", [1, width], kind, **quant), m.tensor("w", [width, width])]
    i2 = m.op("ADD", [inputs[0], scalar(m, "one", 1)], "i2", [], I32)
    s = m.op("MUL", [inputs[1], m.const("k", np.float32(0.5)) if kind == F32 else m.const("k", np.int8(64), I8, scale=1 / 128, zero=0)], "half", [1, width], kind, **quant)
    if kind == F32:
        s = m.op("FULLY_CONNECTED", [s, inputs[3], -1], "dense", [1, width], options={ACT: 3})
    s = m.op("ADD", [s, inputs[2]], "s2", [1, width], kind, **quant)
    outputs = [i2, s, inputs[2], inputs[3]]
    return m.bytes(inputs, outputs if body_outputs is None else [outputs[i] for i in body_outputs])


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_loops(trips, tmp_path):
    x = numbers(1, 3)
    agree(counter(trips), [x], tmp_path)
    near(counter(trips), [x], tmp_path)


def test_quantized_loops(tmp_path):
    """With --keep the scales of tensors within hold: what exceeds them is cut off in each turn, and the steps are LiteRT's.  Without, real numbers are LiteRT's where nothing exceeds them."""
    data = counter(4, kind=I8, scale=1 / 64, zero=3)
    q = np.int8([[-120, 5, 110]])
    within = np.int8([[-25, 5, 30]])
    want = litert(data, [within])[0].astype(float)
    assert np.abs(want).max() < 127
    real = ours(data, [((within - 3.0) / 64).astype(np.float32)], tmp_path)[0]
    assert np.abs(real * 64 + 3 - want).max() < 3
    want = litert(data, [q])[0].astype(float)
    assert np.abs(want).max() >= 127
    kept = ours(data, [((q - 3.0) / 64).astype(np.float32)], tmp_path, "--keep")[0]
    assert np.abs(kept * 64 + 3 - want).max() < 1.01


def test_loops_by_name(tmp_path):
    """Nodes within are known by their loop and turn; tensors within have no names."""
    (tmp_path / "m.tflite").write_bytes(counter(2))
    text = subprocess.run([TOOL, "--text", tmp_path / "m.tflite"], capture_output=True, text=True, timeout=SECONDS).stdout
    assert 'as "i2[1]/s2"' in text and '"s2"' not in text.replace('/s2"', "")


def test_what_is_refused(tmp_path):
    hint = "\n  a loop is written out, iteration by iteration: its end must come from constants and shapes; sgs check names the cut that avoids it"
    assert says(counter(limit=100.0), tmp_path) == "layer 'i2': WHILE: whether it goes on before iteration 1, 'c' of its condition, is known only at run time" + hint
    assert says(branches(True, False), tmp_path) == ("layer 'y': IF: its condition 'c' is known only at run time\n"
                                                     "  convert the model with the branch that it shall take, or cut it before this operator")
    assert says(counter(body_outputs=[0, 1, 2]), tmp_path) == "layer 'i2': WHILE: body: expected a graph of 4 inputs and 4 outputs, found 4 and 3"
    assert says(counter(30000), tmp_path) == ("layer 'i2': WHILE: the nodes of graphs and functions come to 100001, each counted as often as it is built: 100000 are the most\n"
                                              "  a loop is written out, iteration by iteration: this was number 20001")
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op("WHILE", [x], "y", [1, 3], options={"cond": 0, "body": 7})
    assert says(m.bytes([x], [y]), tmp_path) == "damaged file: WHILE has subgraph 7, the file has 1"


def test_subgraphs_that_have_themselves(tmp_path):
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op("IF", [scalar(m, "c", True, BOOL), x], "y", [1, 3], options={"then_branch": 0, "else_branch": 0})
    assert says(m.bytes([x], [y]), tmp_path).endswith("IF: graphs and functions are nested deeper than 64")


# ---- variables ----

def handle(m, name):
    return m.op("VAR_HANDLE", [], f"handle {len(m.graphs[-1].tensors)}", [1], RESOURCE, {"container": "", "shared_name": name})


def variables(assigned=None, initialised=True):
    """y = x * v + u; v is a constant, u is made of others.  assigned: "after" or "before" they are read."""
    m = Model()
    x = m.tensor("x", [1, 3])
    if initialised:
        m.put("CALL_ONCE", [], [], {"init": 1})
    v, u = handle(m, "v"), handle(m, "u")
    if assigned == "before":
        m.put("ASSIGN_VARIABLE", [v, x], [])
    a, b = m.op("READ_VARIABLE", [v], "old", [1, 3]), m.op("READ_VARIABLE", [u], "u", [1, 3])
    y = m.op("ADD", [m.op("MUL", [x, a], "xv", [1, 3]), b], "y", [1, 3])
    if assigned == "after":
        m.put("ASSIGN_VARIABLE", [v, y], [])
    ends = [x], [y]
    subgraph(m, *ends)
    m.put("ASSIGN_VARIABLE", [handle(m, "v"), m.const("c", np.float32([[1, 2, 3]]))], [])
    half = m.op("MUL", [m.const("c", np.float32([[4, 6, 8]])), m.const("half", np.float32(0.5))], "half c", [1, 3])
    m.put("ASSIGN_VARIABLE", [handle(m, "u"), half], [])
    return m.bytes([], [])


@pytest.mark.parametrize("assigned", [None, "before", "after"])
def test_variables(assigned, tmp_path):
    x = numbers(1, 3)
    agree(variables(assigned), [x], tmp_path)
    near(variables(assigned), [x], tmp_path)


def test_variables_that_nobody_assigned(tmp_path):
    assert says(variables(initialised=False), tmp_path) == (
        "layer 'old': READ_VARIABLE: its variable has no value: nothing that runs once or before this operator assigned one\n"
        "  with 'old' among the inputs of the configuration its value comes from outside")


def test_handles_in_loops(tmp_path):
    """A handle that goes into a subgraph leads nowhere there."""
    m = Model()
    x, v = m.tensor("x", [1, 3]), handle(m, "v")
    y = m.op("IF", [scalar(m, "c", True, BOOL), v], "y", [1, 3], options={"then_branch": 1, "else_branch": 1})
    subgraph(m, [x], [m.op("ADD", [x, y], "z", [1, 3])])
    v = m.tensor("v", [1], RESOURCE)
    assert says(m.bytes([v], [m.op("READ_VARIABLE", [v], "r", [1, 3])]), tmp_path).startswith("1 node is not supported: VAR_HANDLE 'handle 1'")
