"""TFLite operators in fixed point: close to the float model, simulator and image the same bytes (the tool compares them)."""
import subprocess

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from support import FIXED_TOOL, SECONDS  # noqa: E402
from test_tflite_ops import ACT, CASES, lstm, numbers  # noqa: E402
from tflite_models import I4, I8, I16, I32, U8, Model  # noqa: E402

TYPES = {"f32": np.float32, "s32": np.int32, "s16": np.int16, "u8": np.uint8, "bool": np.bool_}


def both(data, feeds, tmp_path, *args):
    """[(float model's, fixed-point model's)] of the outputs."""
    (tmp_path / "m.tflite").write_bytes(data)
    files = []
    for k, x in enumerate(feeds):
        files.append(tmp_path / f"in.{k}")
        np.ascontiguousarray(x).tofile(files[-1])
    done = subprocess.run([FIXED_TOOL, *args, tmp_path / "m.tflite", tmp_path / "q", *files], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    pairs = []
    for k, line in enumerate(done.stdout.splitlines()):
        kind = TYPES[line.split()[-2]]
        got = np.fromfile(tmp_path / f"q.fixed.{k}.bin", kind)
        pairs.append((np.fromfile(tmp_path / f"q.float.{k}.bin", kind), got))
    return pairs


def near(data, feeds, tmp_path, *args):
    for want, got in both(data, feeds, tmp_path, *args):
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want)
        else:
            assert 10 * np.log10((want ** 2).sum() / max(((got - want) ** 2).sum(), 1e-20)) > 35


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    near(CASES[name].build(), CASES[name].feeds, tmp_path)


@pytest.mark.parametrize("more", [{}, {"coupled": True}, {"peepholes": True}, {"projection": 3}, {"norms": True}])
def test_lstm(more, tmp_path):
    x = numbers(3, 2, 4)
    near(lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", x, 5, {ACT: 4}, **more), [x], tmp_path)


def convolution(kind, weights, scale, zero=0):
    """One convolution in the model's own steps."""
    m = Model()
    bits = {I8: 8, U8: 8, I16: 16}[kind]
    x = m.tensor("x", [1, 5, 5, 3], kind, scale=2.0 ** (1 - bits), zero=128 if kind == U8 else 0)
    w = m.const("w", weights, U8 if kind == U8 else I8, scale=scale, zero=[zero] * len(np.atleast_1d(scale)), axis=0)
    y = m.op("CONV_2D", [x, w, -1], "y", [1, 5, 5, 4], kind, scale=8 * 2.0 ** (1 - bits), zero=128 if kind == U8 else 0, options={"stride_w": 1, "stride_h": 1})
    return m.bytes([x], [y])


@pytest.mark.parametrize("kind", [I8, I16])
def test_kept_steps(kind, tmp_path):
    """Every sum is exact: the fixed-point model's steps are the float model's, which rounds real numbers to the same."""
    r = np.random.default_rng(2)
    data = convolution(kind, r.integers(-127, 128, (4, 3, 3, 3)), [0.01, 0.02, 0.005, 0.01])
    step = 8 * 2.0 ** (1 - (8 if kind == I8 else 16))
    x = r.integers(-127, 128, (1, 5, 5, 3)) * 2.0 ** -7
    (want, got), = both(data, [x.astype(np.float32)], tmp_path, "--keep")
    assert np.abs(want - got).max() <= 1.01 * step
    assert np.abs(got / step - np.rint(got / step)).max() < 0.01


def test_weights_of_nine_bits(tmp_path):
    """Bytes far from their zero point do not fit 8 bits without it: that convolution is one of 16 bits, and loses nothing."""
    r = np.random.default_rng(2)
    weights = r.integers(0, 256, (4, 3, 3, 3))
    data = convolution(U8, weights, [0.01], zero=60)
    x = r.integers(-127, 128, (1, 5, 5, 3)) * 2.0 ** -7
    (want, got), = both(data, [x.astype(np.float32)], tmp_path, "--keep")
    assert np.abs(want - got).max() <= 1.01 * 8 * 2.0 ** -7
    text = (tmp_path / "q_fixed.sim").read_bytes()
    assert b"16 bit: the model's weights have nine" in text
    data = convolution(U8, np.clip(weights, 0, 187), [0.01], zero=60)
    both(data, [x.astype(np.float32)], tmp_path, "--keep")
    assert b"nine" not in (tmp_path / "q_fixed.sim").read_bytes()


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"])
@pytest.mark.parametrize("lowest", [-7, -8])
def test_weights_of_four_bits(op, lowest, tmp_path):
    """INT4 stays 4 bits, with its scales; -8, which our weights of 4 bits do not have, makes it 8."""
    m, r = Model(), np.random.default_rng(4)
    shape, axis, outputs = {"CONV_2D": ((6, 3, 3, 4), 0, 6), "DEPTHWISE_CONV_2D": ((1, 3, 3, 4), 3, 4), "FULLY_CONNECTED": ((7, 36), 0, 7), "TRANSPOSE_CONV": ((6, 3, 3, 4), 0, 6)}[op]
    q = r.integers(-7, 8, shape)
    np.moveaxis(q, axis, 0).reshape(outputs, -1)[:, 0] = lowest
    np.moveaxis(q, axis, 0).reshape(outputs, -1)[:, 1] = 7
    scale = [0.01 * (1 + c) for c in range(outputs)]
    x = m.tensor("x", [1, 36] if op == "FULLY_CONNECTED" else [1, 5, 5, 4], I8, scale=2.0 ** -7, zero=0)
    w = m.const("w", q, I4, scale=scale, zero=[0] * outputs, axis=axis)
    b = m.const("b", r.integers(-50, 50, outputs), I32, scale=[s * 2.0 ** -7 for s in scale], zero=[0] * outputs)
    conv = {"padding": 0, "stride_w": 1, "stride_h": 1}
    if op == "TRANSPOSE_CONV":
        y = m.op(op, [m.const("shape", np.array([1, 5, 5, 6]), I32), w, x, b], "y", [1, 5, 5, 6], I8, conv, scale=0.05, zero=0)
    elif op == "FULLY_CONNECTED":
        y = m.op(op, [x, w, b], "y", [1, 7], I8, scale=0.05, zero=0)
    else:
        more = {"depth_multiplier": 1} if op.startswith("D") else {}
        y = m.op(op, [x, w, b], "y", [1, 5, 5, outputs], I8, {**conv, "dilation_w_factor": 1, "dilation_h_factor": 1, **more}, scale=0.05, zero=0)
    v = r.uniform(-1, 1, (1, 36) if op == "FULLY_CONNECTED" else (1, 5, 5, 4)).astype(np.float32)
    (want, got), = both(m.bytes([x], [y]), [v], tmp_path)
    assert 10 * np.log10((want ** 2).sum() / ((got - want) ** 2).sum()) > 40
    data = (tmp_path / "q_fixed.sim").read_bytes()
    assert data.count(b"4 bit: the weights fit") == (lowest == -7)
    scales = np.array(scale, np.float32).tobytes()
    assert (scales in data) == (lowest == -7)


@pytest.mark.parametrize("bias", [0, 10 ** 9, 2 * 10 ** 9])
def test_sums_of_32_bits(bias, tmp_path):
    """A channel whose bias leaves its sums no room on the weights' own grid takes another: no wrapping, little lost."""
    m, r = Model(), np.random.default_rng(3)
    x = m.tensor("x", [1, 250], I16, scale=2.0 ** -15, zero=0)
    w = m.const("w", r.integers(100, 128, (3, 250)) * r.choice([-1, 1], (3, 250)), I8, scale=[0.01])
    b = m.const("b", np.array([bias, -bias, 1]), I32, scale=[0.01 * 2.0 ** -15])
    y = m.op("FULLY_CONNECTED", [x, w, b], "y", [1, 3], I16, scale=700 * 2.0 ** -15, zero=0)
    v = (r.integers(-32767, 32768, (1, 250)) * 2.0 ** -15).astype(np.float32)
    (want, got), = both(m.bytes([x], [y]), [v], tmp_path, "--keep")
    assert np.abs(want - got).max() <= 1.01 * 700 * 2.0 ** -15


def test_bias_of_32_bits(tmp_path):
    m, r = Model(), np.random.default_rng(3)
    x = m.tensor("x", [1, 8], I8, scale=0.01, zero=5)
    w, b = m.const("w", r.integers(-127, 128, (3, 8)), I8, scale=[0.02]), m.const("b", np.array([70000, -70000, 12345]), I32, scale=[0.0002])
    y = m.op("FULLY_CONNECTED", [x, w, b], "y", [1, 3], I8, scale=0.2, zero=-3)
    v = ((r.integers(-128, 128, (1, 8)) - 5) * 0.01).astype(np.float32)
    (want, got), = both(m.bytes([x], [y]), [v], tmp_path, "--keep")
    np.testing.assert_allclose(got, want, atol=1e-6)
