"""TensorFlow's cells and layers over time that are one operator, against their definitions in numpy."""
import numpy as np
import pytest

from test_tf_flow import in_fixed, near
from tf_support import *  # noqa: F403

RNG = np.random.default_rng(6)
B, N, H, T = 2, 3, 4, 5


def normal(*s):
    return (RNG.standard_normal(s) / 2).astype(np.float32)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def constants(**arrays):
    return [const(k, v) for k, v in arrays.items()]


def lstm_step(x, c, h, w, peep, b, forget, clip):
    i, g, f, o = np.split(np.concatenate([x, h], 1).astype(np.float64) @ w + b, 4, 1)
    i, f, g = sigmoid(i + c * peep[0]), sigmoid(f + forget + c * peep[1]), np.tanh(g)
    c = g * i + c * f
    c = np.clip(c, -clip, clip) if clip > 0 else c
    o = sigmoid(o + c * peep[2])
    return [i, c, f, o, g, np.tanh(c), np.tanh(c) * o]


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("clip", [-1.0, 0.4])
def test_lstm_cell(peephole, clip, tmp_path):
    x, c, h, w, b, peep = normal(B, N), normal(B, H), normal(B, H), normal(N + H, 4 * H), normal(4 * H), [normal(H) for _ in range(3)]
    graph = [placeholder("x"), *constants(c=c, h=h, w=w, b=b, p0=peep[0], p1=peep[1], p2=peep[2]),
             node("LSTMBlockCell", "cell", ["x", "c", "h", "w", "p0", "p1", "p2", "b"], forget_bias=0.5, cell_clip=clip, use_peephole=peephole)]
    want = lstm_step(x, c, h, w, peep if peephole else [0, 0, 0], b, 0.5, clip)
    names = ["cell"] + [f"cell:{i}" for i in range(1, 7)]
    for got, v in zip(run(tmp_path, graph, {"x": x}, outputs=names), want):
        near(got, v.astype(np.float32))


@pytest.mark.parametrize("length", [T, 3])
def test_lstm(length, tmp_path):
    x, c, h, w, b = normal(T, B, N), normal(B, H), normal(B, H), normal(N + H, 4 * H), normal(4 * H)
    graph = [placeholder("x"), *constants(n=np.int64(length), c=c, h=h, w=w, b=b, p=np.zeros(H, np.float32)), node("BlockLSTM", "y", ["n", "x", "c", "h", "w", "p", "p", "p", "b"], cell_clip=-1.0)]
    steps = []
    for t in range(T):
        steps.append(lstm_step(x[t], c, h, w, [0, 0, 0], b, 1.0, -1) if t < length else [np.zeros((B, H))] * 7)
        c, h = steps[-1][1], steps[-1][6]
    for got, i in zip(run(tmp_path, graph, {"x": x}, outputs=["y:6", "y:1"]), (6, 1)):
        near(got, np.stack([s[i] for s in steps]).astype(np.float32))
    in_fixed(tmp_path, [*graph, node("Identity", "z", ["y:6"])], x)


def test_gru_cell(tmp_path):
    x, h, w, wc, b, bc = normal(B, N), normal(B, H), normal(N + H, 2 * H), normal(N + H, H), normal(2 * H), normal(H)
    graph = [placeholder("x"), *constants(h=h, w=w, wc=wc, b=b, bc=bc), node("GRUBlockCell", "cell", ["x", "h", "w", "wc", "b", "bc"])]
    r, u = np.split(sigmoid(np.concatenate([x, h], 1).astype(np.float64) @ w + b), 2, 1)
    c = np.tanh(np.concatenate([x, r * h], 1) @ wc + bc)
    for got, v in zip(run(tmp_path, graph, {"x": x}, outputs=["cell", "cell:1", "cell:2", "cell:3"]), (r, u, c, (1 - u) * c + u * h)):
        near(got, v.astype(np.float32))
    in_fixed(tmp_path, [*graph, node("Identity", "z", ["cell:3"])], x)


def test_a_cell_in_a_loop(tmp_path):
    """A cell of states that a loop hands on, whose output a function names."""
    x, w, b = normal(B, N), normal(N + H, 4 * H), normal(4 * H)
    cond = function("cond", ["i", "c", "h", "x"], ["go"], [const("n", np.int32(3)), node("Less", "l", ["i", "n:output:0"])], {"go": "l:z:0"})
    body = function("body", ["i", "c", "h", "x"], ["i2", "c2", "h2", "x2"],
                    [*constants(w=w, b=b, p=np.zeros(H, np.float32), one=np.int32(1)), node("AddV2", "next", ["i", "one:output:0"]),
                     node("LSTMBlockCell", "cell", ["x", "c", "h", "w:output:0", "p:output:0", "p:output:0", "p:output:0", "b:output:0"], cell_clip=-1.0)],
                    {"i2": "next:z:0", "c2": "cell:cs:0", "h2": "cell:h:0", "x2": "x"})
    graph = [placeholder("x"), *constants(zero=np.int32(0), s=np.zeros((B, H), np.float32)), node("While", "w", ["zero", "s", "s", "x"], cond=Func("cond"), body=Func("body")),
             node("Identity", "y", ["w:2"]), library(cond, body)]
    c = h = np.zeros((B, H))
    for _ in range(3):
        step = lstm_step(x, c, h, w, [0, 0, 0], b, 1.0, -1)
        c, h = step[1], step[6]
    near(run(tmp_path, graph, {"x": x}, outputs=["y"])[0], h.astype(np.float32))


CELL = {"c": (B, H), "h": (B, H), "w": (N + H, 4 * H), "p": (H,), "b": (4 * H,)}
GRU = {"h": (B, H), "w": (N + H, 2 * H), "wc": (N + H, H), "b": (2 * H,), "bc": (H,)}


@pytest.mark.parametrize("change, said", [
    ({"c": (3, H)}, "the cell before: expected shape [2,4], found [3,4]"), ({"h": (B, 3)}, "the state before: expected shape [2,4], found [2,3]"),
    ({"w": (N, 4 * H)}, "the weights: expected shape [7,16], found [3,16]"), ({"b": (3,)}, "the bias: expected shape [16], found [3]"),
    ({"p": (3,)}, "peepholes: expected shape [4], found [3]"),
])
def test_lstm_cells_that_do_not_fit(change, said, tmp_path):
    graph = [placeholder("x"), *constants(**{k: normal(*s) for k, s in {**CELL, **change}.items()}), node("LSTMBlockCell", "y", ["x", "c", "h", "w", "p", "p", "p", "b"], use_peephole=True)]
    assert run(tmp_path, graph, {"x": normal(B, N)}) == f"error: {tmp_path}/m.pb: layer 'y': LSTMBlockCell: {said}\n"


@pytest.mark.parametrize("change, said", [
    ({"h": (3, H)}, "the state before: expected shape [2,4], found [3,4]"), ({"w": (2, 2)}, "the weights of the gates: expected shape [7,8], found [2,2]"),
    ({"wc": (2, 2)}, "the weights: expected shape [7,4], found [2,2]"), ({"b": (2,)}, "the bias of the gates: expected shape [8], found [2]"), ({"bc": (2,)}, "the bias: expected shape [4], found [2]"),
])
def test_gru_cells_that_do_not_fit(change, said, tmp_path):
    graph = [placeholder("x"), *constants(**{k: normal(*s) for k, s in {**GRU, **change}.items()}), node("GRUBlockCell", "y", ["x", "h", "w", "wc", "b", "bc"])]
    assert run(tmp_path, graph, {"x": normal(B, N)}) == f"error: {tmp_path}/m.pb: layer 'y': GRUBlockCell: {said}\n"


def test_inputs_that_do_not_fit(tmp_path):
    arrays = constants(n=np.int64(2), **{k: normal(*s) for k, s in CELL.items()})

    def said(shape, op, text):
        inputs = (["n"] if op == "BlockLSTM" else []) + ["x", "c", "h", "w", "p", "p", "p", "b"]
        assert run(tmp_path, [placeholder("x"), *arrays, node(op, "y", inputs)], {"x": normal(*shape)}) == f"error: {tmp_path}/m.pb: layer 'y': {op}: {text}\n"
    said((1, B, N), "LSTMBlockCell", "expected an input of 2 dimensions, found 3")
    said((B, N), "BlockLSTM", "expected an input of 3 dimensions, found 2")
    said((5000, 1, 1), "BlockLSTM", "expected 1 to 4096 time steps, found 5000")
