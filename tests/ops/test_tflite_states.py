"""States that TFLite models keep between runs: with them among the inputs and outputs, run after run is LiteRT's."""
import re
import subprocess

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter  # noqa: E402
from support import SECONDS, TOOL  # noqa: E402
from test_tflite_fixed import near  # noqa: E402
from test_tflite_flow import variables  # noqa: E402
from test_tflite_ops import lstm, numbers  # noqa: E402
from tflite_models import ACT, Model  # noqa: E402


def svdf(act=0):
    m, r = Model(), np.random.default_rng(8)
    w = lambda name, *s: m.const(name, r.normal(0, 0.7, s).astype(np.float32))  # noqa: E731
    x = m.tensor("x", [2, 4])
    y = m.op("SVDF", [x, w("f", 6, 4), w("t", 6, 3), w("b", 3), m.tensor("h", [2, 18], variable=True)], "y", [2, 3], options={"rank": 2, ACT: act})
    return m.bytes([x], [y])


def rnn(kind, *shape):
    m = Model()
    operands = [m.tensor("x", shape), m.const("w", numbers(5, 4)), m.const("r", numbers(5, 5, seed=2, low=-0.4, high=0.4)), m.const("b", numbers(5, seed=3)), m.tensor("h", [2, 5], variable=True)]
    y = m.op(kind, operands, "y", [*shape[:-1], 5], options={ACT: 4})
    return m.bytes([0], [y])


def both_ways():
    m, r = Model(), np.random.default_rng(4)
    w = lambda *s: m.const(f"w{len(m.buffers)}", r.normal(0, 0.5, s).astype(np.float32))  # noqa: E731
    operands = [m.tensor("x", [1, 3, 4])]
    for _ in range(2):
        operands += [w(5, 4) for _ in range(4)] + [w(5, 5) for _ in range(4)] + [-1] * 3 + [w(5) for _ in range(4)] + [-1, -1]
    operands += [m.tensor(n, [1, 5], variable=True) for n in "abcd"] + [-1] * 9
    y = m.op("BIDIRECTIONAL_SEQUENCE_LSTM", operands, ["y"], [[1, 3, 10]], options={ACT: 4, "merge_outputs": True, "time_major": False})
    return m.bytes([0], y)


STATE = {"h": (2, 5), "c": (2, 5)}
SEQUENCE = "UNIDIRECTIONAL_SEQUENCE_LSTM"
MODELS = {  # the file, shape of x, states
    "lstm": (lstm(SEQUENCE, numbers(2, 3, 4), 5, {ACT: 4}), (2, 3, 4), STATE),
    "lstm, projection": (lstm(SEQUENCE, numbers(2, 3, 4), 5, {ACT: 4}, projection=3), (2, 3, 4), {"h": (2, 3), "c": (2, 5)}),
    "lstm, norms": (lstm(SEQUENCE, numbers(2, 3, 4), 5, {ACT: 4}, norms=True), (2, 3, 4), STATE),
    "lstm, one step": (lstm("LSTM", numbers(2, 4), 5, {ACT: 4}), (2, 4), STATE),
    "lstm, both ways": (both_ways(), (1, 3, 4), {n: (1, 5) for n in "abcd"}),
    "rnn": (rnn("UNIDIRECTIONAL_SEQUENCE_RNN", 2, 3, 4), (2, 3, 4), {"h": (2, 5)}),
    "rnn, one step": (rnn("RNN", 2, 4), (2, 4), {"h": (2, 5)}),
    "svdf": (svdf(), (2, 4), {"h": (2, 18)}),
}
NEXT = {**{n: n + ":next" for n in "abcdh"}, "old": "y"}  # a variable's next value has a name of its own


def ends(states):
    outputs = ["y"] + [NEXT[s] for s in states if NEXT[s] != "y"]
    return [a for s in ["x", *states] for a in ("--input", s)] + [a for s in outputs for a in ("--output", s)]


def once(path, feeds, states, tmp_path):
    for k, x in enumerate(feeds):
        np.ascontiguousarray(x).tofile(tmp_path / f"in.{k}")
    done = subprocess.run([TOOL, "--passes", *ends(states), "--run", *[tmp_path / f"in.{k}" for k in range(len(feeds))], "--out", tmp_path / "out", path],
                          capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    dims = [[int(n) for n in re.fullmatch(r".* f32 \[([\d,]*)\]", line)[1].split(",")] for line in done.stdout.splitlines()]
    return [np.fromfile(tmp_path / f"out.{k}.bin", np.float32).reshape(d) for k, d in enumerate(dims)]


def run_after_run(data, shape, states, tmp_path, least=0.01):
    i, path = Interpreter(model_content=data, num_threads=1), tmp_path / "m.tflite"
    path.write_bytes(data)
    i.allocate_tensors()
    now, wants = list(states.values()), []
    for turn in range(4):
        x = numbers(*shape, seed=turn)
        i.set_tensor(i.get_input_details()[0]["index"], x)
        i.invoke()
        wants.append(i.get_tensor(i.get_output_details()[0]["index"]))
        y, *now = once(path, [x, *now], states, tmp_path)
        now = now or [y]
        np.testing.assert_allclose(y, wants[-1], rtol=1e-5, atol=1e-5)
    i.reset_all_variables()
    i.invoke()
    if least:
        assert np.abs(i.get_tensor(i.get_output_details()[0]["index"]) - wants[-1]).max() > least, "states that change nothing show nothing"


@pytest.mark.parametrize("name", MODELS)
def test_states(name, tmp_path):
    data, shape, states = MODELS[name]
    run_after_run(data, shape, {n: np.zeros(s, np.float32) for n, s in states.items()}, tmp_path)


def test_variables(tmp_path):
    """What is read of a variable is an input by its tensor's name, what is assigned an output."""
    run_after_run(variables("after"), (1, 3), {"old": np.float32([[1, 2, 3]])}, tmp_path, least=None)


@pytest.mark.parametrize("name", ["lstm", "svdf"])
def test_states_in_fixed_point(name, tmp_path):
    data, shape, states = MODELS[name]
    near(data, [numbers(*shape)] + [numbers(*s, seed=9, low=-0.8, high=0.8) for s in states.values()], tmp_path, *ends(states))


def test_one_of_two(tmp_path):
    """A state that only goes out, or only comes in."""
    data, shape, _ = MODELS["rnn"]
    (tmp_path / "m.tflite").write_bytes(data)
    x = numbers(*shape)
    x.tofile(tmp_path / "in.0")
    done = subprocess.run([TOOL, "--input", "x", "--output", "h:next", "--run", tmp_path / "in.0", "--out", tmp_path / "out", tmp_path / "m.tflite"], capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout == "h:next f32 [2,5]\n", done.stderr
    y, _ = once(tmp_path / "m.tflite", [x, np.zeros((2, 5), np.float32)], {"h": (2, 5)}, tmp_path)
    assert y.shape == (2, 3, 5)
