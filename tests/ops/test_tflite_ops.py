"""TFLite operators: what LiteRT computes, our float model computes."""
import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter  # noqa: E402
from flatbuffers import flexbuffers  # noqa: E402
from support import FIXED_TOOL, SECONDS, TOOL  # noqa: E402
from tflite_models import ACT, BOOL, F16, F32, F64, I4, I8, I16, I32, I64, U8, Model  # noqa: E402

import re  # noqa: E402
import subprocess  # noqa: E402

TYPES = {"f32": np.float32, "s32": np.int32, "s64": np.int64, "u8": np.uint8, "s8": np.int8, "bool": np.bool_}
NUMPY = {F32: np.float32, I32: np.int32, I64: np.int64, BOOL: np.bool_, U8: np.uint8, I8: np.int8}


def litert(data, feeds):
    i = Interpreter(model_content=data, num_threads=1)
    i.allocate_tensors()
    for t, x in zip(i.get_input_details(), feeds):
        i.set_tensor(t["index"], x)
    i.invoke()
    return [i.get_tensor(t["index"]) for t in i.get_output_details()]


def ours(data, feeds, tmp_path, *args):
    path, files = tmp_path / "m.tflite", []
    path.write_bytes(data)
    for k, x in enumerate(feeds):
        files.append(tmp_path / f"in.{k}")
        np.ascontiguousarray(x.astype(np.int32) if x.dtype == np.int64 else x).tofile(files[-1])
    done = subprocess.run([TOOL, "--passes", *args, "--run", *files, "--out", tmp_path / "out", path], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    results = []
    for k, line in enumerate(done.stdout.splitlines()):
        kind, dims = re.fullmatch(r".* (\w+) \[([\d,]*)\]", line).groups()
        results.append(np.fromfile(tmp_path / f"out.{k}.bin", TYPES[kind]).reshape([int(n) for n in dims.split(",") if n]))
    return results


def agree(data, feeds, tmp_path, *args):
    want, got = litert(data, feeds), ours(data, feeds, tmp_path, *args)
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.shape == w.shape
        if w.dtype.kind == "f":
            np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5 * max(np.abs(w).max(), 1e-3))
        else:
            np.testing.assert_array_equal(g.astype(w.dtype), w)


def numbers(*shape, seed=1, low=-2.0, high=2.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


class Case:
    """x goes in; the rest are constants, or inputs where they are pairs."""

    def __init__(self, kind, feeds, constants=(), options=None, order=None, outputs=1):
        self.kind, self.feeds, self.constants, self.options, self.order, self.outputs = kind, feeds, constants, options, order, outputs

    def build(self):
        m = Model()
        kinds = {np.dtype(v): k for k, v in NUMPY.items()}
        inputs = [m.tensor(f"x{i}", x.shape, kinds[x.dtype]) for i, x in enumerate(self.feeds)]
        consts = [m.const(f"c{i}", c, kinds[np.asarray(c).dtype]) if c is not None else -1 for i, c in enumerate(self.constants)]
        every = inputs + consts
        operands = [every[i] if i >= 0 else -1 for i in self.order] if self.order else every
        shape, kind = self.result(m, operands)
        outs = m.op(self.kind, operands, [f"y{i}" for i in range(self.outputs)], shape, kind, self.options)
        return m.bytes(inputs, outs)

    def kind_of_data(self):
        return {np.dtype(np.int32): I32, np.dtype(np.bool_): BOOL}.get(self.feeds[0].dtype, F32)

    def result(self, m, operands):
        """Shapes and types, as LiteRT finds them: a first file declares scalars."""
        probe = Model()
        probe.graphs[-1].tensors, probe.buffers = list(m.graphs[-1].tensors), list(m.buffers)
        kind = KINDS[self.kind] if self.kind in KINDS else [self.kind_of_data()] * self.outputs
        outs = probe.op(self.kind, operands, [f"y{i}" for i in range(self.outputs)], [[1]] * self.outputs, kind, self.options)
        i = Interpreter(model_content=probe.bytes(list(range(len(self.feeds))), outs))
        i.allocate_tensors()
        for t, x in zip(i.get_input_details(), self.feeds):
            i.set_tensor(t["index"], x)
        i.invoke()
        return [i.get_tensor(t["index"]).shape for t in i.get_output_details()], kind


KINDS = {"LESS": [BOOL], "GREATER": [BOOL], "LESS_EQUAL": [BOOL], "GREATER_EQUAL": [BOOL], "EQUAL": [BOOL], "NOT_EQUAL": [BOOL], "TOPK_V2": [F32, I32], "SHAPE": [I32], "RANK": [I32],
         "ONE_HOT": [F32], "SELECT": [F32], "SELECT_V2": [F32], "EMBEDDING_LOOKUP": [F32], "SCATTER_ND": [F32], "FILL": [F32]}
X = numbers(1, 6, 6, 4)
I = np.array([7, -7, 8, -8], np.int32)
B = np.array([[True, False, True], [False, False, False]])
i32 = lambda *v: np.array(v, np.int32)  # noqa: E731
STRIDES = {"begin_mask": 0, "end_mask": 0}

CASES = {
    "less": Case("LESS", [numbers(2, 3), numbers(2, 3, seed=2)]),
    "greater": Case("GREATER", [numbers(2, 3)], [numbers(3, seed=2)]),
    "less equal": Case("LESS_EQUAL", [I, I[::-1].copy()]),
    "greater equal": Case("GREATER_EQUAL", [numbers(2, 3), numbers(2, 3, seed=2)]),
    "equal": Case("EQUAL", [I, np.abs(I)]),
    "not equal": Case("NOT_EQUAL", [I, np.abs(I)]),
    "and": Case("LOGICAL_AND", [B, ~B[::-1]]), "or": Case("LOGICAL_OR", [B, B[::-1].copy()]), "not": Case("LOGICAL_NOT", [B]),
    "select rows": Case("SELECT", [np.array([True, False]), numbers(2, 3), numbers(2, 3, seed=2)]),
    "select": Case("SELECT", [B, numbers(2, 3), numbers(2, 3, seed=2)]),
    "select, spread": Case("SELECT_V2", [B, numbers(1, 3), numbers(2, 1, seed=2)]),
    "add n": Case("ADD_N", [numbers(2, 3), numbers(2, 3, seed=2), numbers(2, 3, seed=3)]),
    "squared difference": Case("SQUARED_DIFFERENCE", [numbers(2, 3), numbers(3, seed=2)]),
    "floor mod": Case("FLOOR_MOD", [numbers(8, low=-9, high=9), numbers(8, seed=2, low=1, high=3)]),
    "floor mod of integers": Case("FLOOR_MOD", [I, i32(3, 3, -3, -3)]),
    "floor div": Case("FLOOR_DIV", [numbers(8, low=-9, high=9), numbers(8, seed=2, low=1, high=3)]),
    "floor div of integers": Case("FLOOR_DIV", [I, i32(3, 3, -3, 2)]),
    "atan2": Case("ATAN2", [np.array([1, 1, -1, -1, 0, 0, 0, 2, -2], np.float32), np.array([2, -2, 2, -2, 1, -1, 0, 0, 0], np.float32)]),
    "relu 0 to 1": Case("RELU_0_TO_1", [numbers(10)]),
    "fake quant": Case("FAKE_QUANT", [numbers(50)], options={"min": -1.1, "max": 1.7, "num_bits": 8}),
    "any": Case("REDUCE_ANY", [B], [i32(1)]), "all": Case("REDUCE_ALL", [~B], [i32(1)], {"keep_dims": True}),
    "l2 normalization": Case("L2_NORMALIZATION", [numbers(3, 5)]),
    "lrn": Case("LOCAL_RESPONSE_NORMALIZATION", [X], options={"radius": 1, "bias": 0.7, "alpha": 0.3, "beta": 0.6}),
    "l2 pool": Case("L2_POOL_2D", [X], options={"padding": 1, "stride_w": 1, "stride_h": 2, "filter_width": 2, "filter_height": 3}),
    # one window, which a stride of 1 would make two; one that covers all
    "pool, a window short": Case("MAX_POOL_2D", [X], options={"padding": 1, "stride_w": 2, "stride_h": 3, "filter_width": 5, "filter_height": 4}),
    "pool, one window": Case("AVERAGE_POOL_2D", [X], options={"padding": 1, "stride_w": 6, "stride_h": 2, "filter_width": 6, "filter_height": 6}),
    "cumsum": Case("CUMSUM", [numbers(3, 4)], [i32(1)], {"exclusive": True, "reverse": True}),
    "topk": Case("TOPK_V2", [numbers(3, 9)], [np.int32(4)], outputs=2),
    "log softmax": Case("LOG_SOFTMAX", [numbers(3, 9)]),
    "softmax, beta": Case("SOFTMAX", [numbers(3, 9)], options={"beta": 0.5}),
    "pack": Case("PACK", [numbers(2, 3), numbers(2, 3, seed=2)], options={"values_count": 2, "axis": 1}),
    "unpack": Case("UNPACK", [numbers(2, 3)], options={"num": 3, "axis": 1}, outputs=3),
    "split": Case("SPLIT", [numbers(2, 6)], [np.int32(-1)], {"num_splits": 3}, order=[1, 0], outputs=3),
    "split v": Case("SPLIT_V", [numbers(2, 6)], [i32(1, -1, 2), np.int32(1)], {"num_splits": 3}, outputs=3),
    "squeeze": Case("SQUEEZE", [numbers(1, 3, 1, 2)], options={"squeeze_dims": [-2]}), "squeeze all": Case("SQUEEZE", [numbers(1, 3, 1, 2)], options={}),
    "expand dims": Case("EXPAND_DIMS", [numbers(3, 2)], [np.int32(-1)]),
    "reverse": Case("REVERSE_V2", [numbers(3, 4)], [i32(0, 1)]),
    "space to depth": Case("SPACE_TO_DEPTH", [X], options={"block_size": 2}), "depth to space": Case("DEPTH_TO_SPACE", [X], options={"block_size": 2}),
    "space to batch": Case("SPACE_TO_BATCH_ND", [X], [i32(2, 3), np.array([[0, 2], [1, 2]], np.int32)]),
    "space to batch, rows": Case("SPACE_TO_BATCH_ND", [numbers(2, 6, 3)], [i32(2), np.array([[1, 1]], np.int32)]),
    "batch to space": Case("BATCH_TO_SPACE_ND", [numbers(6, 3, 2, 2)], [i32(2, 3), np.array([[1, 0], [0, 2]], np.int32)]),
    "embedding lookup": Case("EMBEDDING_LOOKUP", [i32(2, 0, 1)], [numbers(4, 3)]),
    "one hot": Case("ONE_HOT", [i32(2, 0, 4)], [np.int32(5), np.float32(2), np.float32(-1)], {"axis": -1}),
    "scatter": Case("SCATTER_ND", [np.array([[1], [3], [1]], np.int32), numbers(3, 2)], [i32(5, 2)]),
    "gather, tables": Case("GATHER", [numbers(2, 3, 5, 4), i32(*range(12)).reshape(2, 3, 2) % 5], options={"axis": 2, "batch_dims": 2}),
    "gather, constant": Case("GATHER", [numbers(2, 5)], [np.array([[4, 0, 1], [2, 2, 3]], np.int32)], {"axis": 1, "batch_dims": -1}),
    "gather nd": Case("GATHER_ND", [numbers(3, 4)], [np.array([[0, 1], [2, 3]], np.int32)]),
    "broadcast to": Case("BROADCAST_TO", [numbers(1, 3)], [i32(2, 3)]),
    "reshape by options": Case("RESHAPE", [numbers(2, 6)], options={"new_shape": [3, -1]}),
    "mirror": Case("MIRROR_PAD", [numbers(3, 4)], [np.array([[2, 1], [0, 3]], np.int32)], {"mode": 1}),
    "strides, masks": Case("STRIDED_SLICE", [numbers(4, 5, 6)], [i32(1, 0, 0), i32(2, 0, 4), i32(1, 1, 2)], {"end_mask": 2, "shrink_axis_mask": 1}),
    "strides, rest": Case("STRIDED_SLICE", [numbers(4, 5, 6)], [i32(0, -2), i32(0, 4), i32(1, 1)], {"ellipsis_mask": 1, "shrink_axis_mask": 2}),
    "strides, new axis": Case("STRIDED_SLICE", [numbers(4, 5)], [i32(0, 0, 3), i32(0, 4, 1), i32(1, 2, -1)], {"new_axis_mask": 1}),
    "strides, fewer": Case("STRIDED_SLICE", [numbers(4, 5)], [i32(1), i32(3), i32(1)], {}),
    "depthwise, several": Case("DEPTHWISE_CONV_2D", [numbers(1, 5, 5, 2)], [numbers(1, 3, 3, 6), numbers(6)], {"stride_w": 2, "stride_h": 2, "depth_multiplier": 3, ACT: 3}),
    "transpose conv": Case("TRANSPOSE_CONV", [numbers(1, 3, 3, 2)], [i32(1, 6, 6, 4), numbers(4, 3, 3, 2)], {"stride_w": 2, "stride_h": 2}, order=[1, 2, 0]),
    "transpose conv, bias": Case("TRANSPOSE_CONV", [numbers(1, 3, 3, 2)], [i32(1, 7, 7, 4), numbers(4, 3, 3, 2), numbers(4)], {"stride_w": 2, "stride_h": 2, "padding": 1}, order=[1, 2, 0, 3]),
}
for act, name in enumerate(("relu", "relu n1 to 1", "relu6"), 1):
    CASES["add, " + name] = Case("ADD", [numbers(3, 5, low=-9, high=9), numbers(3, 5, seed=2)], options={ACT: act})
    CASES["mul, " + name] = Case("MUL", [numbers(3, 5, low=-9, high=9)], [numbers(5, seed=2)], {ACT: act})
    CASES["average, " + name] = Case("AVERAGE_POOL_2D", [9 * X], options={"stride_w": 2, "stride_h": 1, "filter_width": 2, "filter_height": 3, ACT: act})
    CASES["dense, " + name] = Case("FULLY_CONNECTED", [numbers(3, 5, low=-9, high=9)], [numbers(4, 5), numbers(4)], {ACT: act})


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    case = CASES[name]
    agree(case.build(), case.feeds, tmp_path)


def test_narrow_fake_quant(tmp_path):
    """As for weights, which LiteRT has quantized before."""
    m, x = Model(), numbers(50)
    y = m.op("FAKE_QUANT", [m.tensor("x", x.shape)], "y", x.shape, options={"min": -1.27, "max": 1.27, "num_bits": 8, "narrow_range": True})
    np.testing.assert_allclose(ours(m.bytes([0], [y]), [x], tmp_path)[0], np.clip(np.rint(x * 100), -127, 127) / 100, atol=1e-5)


# ---- recurrent ----

def lstm(kind, x, units, options, projection=0, norms=False, coupled=False, peepholes=False, states=True):
    m, r = Model(), np.random.default_rng(4)
    w = lambda *s: r.normal(0, 0.5, s).astype(np.float32)  # noqa: E731
    result = projection or units
    c = lambda name, v: m.const(name, v)  # noqa: E731
    batch = x.shape[1] if options.get("time_major") and kind != "LSTM" else x.shape[0]
    operands = [m.tensor("x", x.shape)]
    operands += [-1 if coupled and i == 0 else c(f"w{i}", w(units, x.shape[-1])) for i in range(4)]
    operands += [-1 if coupled and i == 0 else c(f"r{i}", w(units, result)) for i in range(4)]
    operands += [c(f"p{i}", w(units)) if peepholes and not (coupled and i == 0) else -1 for i in range(3)]
    operands += [-1 if coupled and i == 0 else c(f"b{i}", w(units)) for i in range(4)]
    operands += [c("pw", w(result, units)), c("pb", w(result))] if projection else [-1, -1]
    operands += [m.tensor("h", [batch, result], variable=True), m.tensor("c", [batch, units], variable=True)]
    operands += [-1 if coupled and i == 0 else c(f"n{i}", w(units)) for i in range(4)] if norms else []
    y = m.op(kind, operands, "y", [*x.shape[:-1], result], options=options)
    return m.bytes([0], [y])


@pytest.mark.parametrize("more", [{}, {"coupled": True}, {"peepholes": True}, {"coupled": True, "peepholes": True}, {"projection": 3}, {"norms": True}, {"norms": True, "projection": 3, "coupled": True}])
@pytest.mark.parametrize("time_major", [False, True])
def test_lstm(more, time_major, tmp_path):
    x = numbers(3, 2, 4)
    options = {ACT: 4, "time_major": time_major, "cell_clip": 0.3 if more == {"projection": 3} else 0.0, "proj_clip": 0.2 if more == {"projection": 3} else 0.0}
    agree(lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", x, 5, options, **more), [x], tmp_path)


@pytest.mark.parametrize("more", [{}, {"projection": 3}])
def test_lstm_step(more, tmp_path):
    x = numbers(2, 4)
    agree(lstm("LSTM", x, 5, {ACT: 4}, **more), [x], tmp_path)


def test_bidirectional_lstm(tmp_path):
    for merge in (False, True):
        m, r, x = Model(), np.random.default_rng(4), numbers(1, 3, 4)  # of several sequences LiteRT reads memory that it has not written
        w = lambda *s: m.const(f"c{len(m.buffers)}", r.normal(0, 0.5, s).astype(np.float32))  # noqa: E731
        operands = [m.tensor("x", x.shape)]
        for _ in range(2):
            operands += [w(5, 4) for _ in range(4)] + [w(5, 5) for _ in range(4)] + [-1] * 3 + [w(5) for _ in range(4)] + [-1, -1]
        operands += [m.tensor(f"s{i}", [1, 5], variable=True) for i in range(4)] + [-1] * 9
        names, shapes = (["y"], [[1, 3, 10]]) if merge else (["y", "z"], [[1, 3, 5]] * 2)
        y = m.op("BIDIRECTIONAL_SEQUENCE_LSTM", operands, names, shapes, options={ACT: 4, "merge_outputs": merge, "time_major": False})
        agree(m.bytes([0], y), [x], tmp_path)


@pytest.mark.parametrize("act", [1, 4])
def test_rnn(act, tmp_path):
    m, x = Model(), numbers(2, 3, 4)
    operands = [m.tensor("x", x.shape), m.const("w", numbers(5, 4)), m.const("r", numbers(5, 5, seed=2, low=-0.4, high=0.4)), m.const("b", numbers(5, seed=3)), m.tensor("h", [2, 5], variable=True)]
    y = m.op("UNIDIRECTIONAL_SEQUENCE_RNN", operands, "y", [2, 3, 5], options={ACT: act})
    agree(m.bytes([0], [y]), [x], tmp_path)
    m, x = Model(), numbers(2, 4)
    operands = [m.tensor("x", x.shape), m.const("w", numbers(5, 4)), m.const("r", numbers(5, 5, seed=2)), m.const("b", numbers(5, seed=3)), m.tensor("h", [2, 5], variable=True)]
    y = m.op("RNN", operands, "y", [2, 5], options={ACT: act})
    agree(m.bytes([0], [y]), [x], tmp_path)


@pytest.mark.parametrize("memory", [1, 3])
def test_svdf(memory, tmp_path):
    m, x = Model(), numbers(2, 4)
    operands = [m.tensor("x", x.shape), m.const("w", numbers(6, 4)), m.const("t", numbers(6, memory, seed=2)), m.const("b", numbers(3, seed=3)), m.tensor("s", [2, 6 * memory], variable=True)]
    y = m.op("SVDF", operands, "y", [2, 3], options={"rank": 2, ACT: 1})
    agree(m.bytes([0], [y]), [x], tmp_path)


# ---- shapes that are computed ----

def test_shapes_fold(tmp_path):
    m, x = Model(), numbers(2, 3, 4)
    a = m.tensor("x", x.shape)
    s = m.op("SHAPE", [a], "s", [3], I32, {"out_type": 2})
    first = m.op("STRIDED_SLICE", [s, m.const("b", i32(0), I32), m.const("e", i32(1), I32), m.const("k", i32(1), I32)], "n", [], I32, {"shrink_axis_mask": 1})
    shape = m.op("PACK", [first, m.const("rest", np.int32(-1), I32)], "shape", [2], I32, {"values_count": 2, "axis": 0})
    y = m.op("RESHAPE", [a, shape], "y", [2, 12])
    r = m.op("RANK", [a], "r", [], I32)
    f = m.op("CAST", [r], "f", [], F32, {"in_data_type": I32, "out_data_type": F32})
    z = m.op("ADD", [m.op("MUL", [y, f], "yf", [2, 12]), m.op("ZEROS_LIKE", [y], "none", [2, 12])], "z", [2, 12])
    full = m.op("FILL", [shape2(m), m.const("v", np.float32(0.5))], "full", [2, 12])
    steps = m.op("RANGE", [m.const("r0", np.int32(0), I32), m.const("r1", np.int32(12), I32), m.const("r2", np.int32(1), I32)], "steps", [12], I32)
    real = m.op("CAST", [steps], "real", [12], F32, {"in_data_type": I32, "out_data_type": F32})
    w = m.op("ADD", [m.op("ADD", [z, full], "zf", [2, 12]), real], "w", [2, 12])
    agree(m.bytes([a], [w]), [x], tmp_path)


def shape2(m):
    return m.const("two", i32(2, 12), I32)


# ---- constants ----

@pytest.mark.parametrize("kind,scale,zero,axis", [(I8, [0.1], [0], 0), (I8, [0.1, 0.2, 0.3], [0, 0, 0], 0), (U8, [0.02], [100], 0), (I4, [0.3, 0.2, 0.1], [0, 0, 0], 0), (I16, [0.001], [0], 0), (F16, None, None, 0)])
def test_dequantized_constants(kind, scale, zero, axis, tmp_path):
    m, x = Model(), numbers(2, 5)
    r = np.random.default_rng(3)
    low, high = {I8: (-127, 128), U8: (0, 256), I4: (-7, 8), I16: (-3000, 3000), F16: (-3, 3)}[kind]
    raw = r.uniform(low, high, (3, 5)).astype(np.float16) if kind == F16 else r.integers(low, high, (3, 5))
    a, w = m.tensor("x", x.shape), m.const("w", raw, kind, scale=scale, zero=zero, axis=axis)
    real = m.op("DEQUANTIZE", [w], "real", [3, 5])
    y = m.op("FULLY_CONNECTED", [a, real, -1], "y", [2, 3])
    weights = raw.astype(np.float32) if kind == F16 else (raw - np.reshape(zero, (-1, 1))) * np.reshape(np.array(scale, np.float32), (-1, 1))
    np.testing.assert_allclose(ours(m.bytes([a], [y]), [x], tmp_path)[0], x @ weights.T, rtol=1e-5, atol=1e-5)


def test_names(tmp_path):
    """Names that several tensors have, and none: inputs and outputs keep theirs, the others get their number."""
    m, x = Model(), numbers(1, 3)
    a = m.tensor("same", x.shape)
    b = m.op("RELU", [a], "same", x.shape)
    c = m.op("ADD", [a, b], "", x.shape)
    y = m.op("MUL", [c, c], "y;z/w", x.shape)
    data = m.bytes([a], [y])
    agree(data, [x], tmp_path)
    (tmp_path / "m.tflite").write_bytes(data)
    text = subprocess.run([TOOL, "--text", tmp_path / "m.tflite"], capture_output=True, text=True).stdout
    for name in ('"same"', '"same#1"', '"#2"', '"y;z/w"'):
        assert name in text
    (tmp_path / "in.0").write_bytes(x.tobytes())
    got = subprocess.run([TOOL, "--input", "same", "--output", "same#1", "--run", tmp_path / "in.0", "--out", tmp_path / "out", tmp_path / "m.tflite"], capture_output=True, text=True)
    assert got.stdout == "same#1 f32 [1,3]\n"


def test_outputs_that_are_inputs(tmp_path):
    m, x = Model(), numbers(1, 3)
    a = m.tensor("x", x.shape)
    y = m.op("RELU", [a], "y", x.shape)
    data = m.bytes([a], [a, y, y])
    got = ours(data, [x], tmp_path)
    for g, w in zip(got, (x, np.maximum(x, 0), np.maximum(x, 0))):
        np.testing.assert_array_equal(g, w)


def two_signatures():
    m = Model()
    a = m.tensor("x", [1, 3])
    y = m.op("RELU", [a], "y", [1, 3])
    m.next_graph([a], [y])
    a = m.tensor("x", [1, 3])
    y = m.op("TANH", [a], "y", [1, 3])
    m.signatures = [("first", 0), ("second", 1)]
    return m.bytes([a], [y])


def test_signatures(tmp_path):
    x = numbers(1, 3)
    np.testing.assert_array_equal(ours(two_signatures(), [x], tmp_path)[0], np.maximum(x, 0))
    np.testing.assert_allclose(ours(two_signatures(), [x], tmp_path, "--signature", "second")[0], np.tanh(x), rtol=1e-6)


def test_free_sizes(tmp_path):
    """A free batch is what the file says, unless --input_shapes says otherwise."""
    m = Model()
    a = m.tensor("x", [1, 3], signature=[-1, 3])
    y = m.op("RELU", [a], "y", [1, 3], signature=[-1, 3])
    data = m.bytes([a], [y])
    for n, args in ((1, ()), (4, ("--shapes", "4,3"))):
        x = numbers(n, 3)
        np.testing.assert_array_equal(ours(data, [x], tmp_path, *args)[0], np.maximum(x, 0))


# ---- quantized models ----

def quantized(act=0, lo=-128):
    """x - conv - add - dense, in 8 bits."""
    m, r = Model(), np.random.default_rng(7)
    x = m.tensor("x", [1, 6, 6, 3], I8, scale=1 / 128, zero=0)
    w = m.const("w", r.integers(-127, 128, (4, 3, 3, 3)), I8, scale=[0.01, 0.02, 0.015, 0.008], axis=0)
    b = m.const("b", r.integers(-2000, 2000, 4), I32, scale=[0.01 / 128, 0.02 / 128, 0.015 / 128, 0.008 / 128], axis=0)
    c = m.op("CONV_2D", [x, w, b], "c", [1, 6, 6, 4], I8, scale=6 / 255, zero=lo, options={"stride_w": 1, "stride_h": 1, ACT: act})
    d = m.op("ADD", [c, c], "d", [1, 6, 6, 4], I8, scale=9 / 255, zero=-128)
    p = m.op("AVERAGE_POOL_2D", [d], "p", [1, 3, 3, 4], I8, scale=9 / 255, zero=-128, options={"padding": 1, "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2})
    f = m.op("RESHAPE", [p, m.const("s", i32(1, 36), I32)], "f", [1, 36], I8, scale=9 / 255, zero=-128)
    k = m.const("k", r.integers(-127, 128, (5, 36)), I8, scale=[0.01])
    y = m.op("FULLY_CONNECTED", [f, k, -1], "y", [1, 5], I8, scale=0.4, zero=3)
    return m.bytes([x], [y])


def steps(data, q, tmp_path, *args):
    """LiteRT's integers, and ours as steps of its scale."""
    i = Interpreter(model_content=data)
    scale, zero = i.get_input_details()[0]["quantization"]
    want = litert(data, [q])
    i = i.get_output_details()[0]["quantization"]
    got = ours(data, [((q - zero) * np.float32(scale)).astype(np.float32)], tmp_path, *args)
    return want[0].astype(float), got[0] / i[0] + i[1]


@pytest.mark.parametrize("act", [0, 1, 3])
def test_quantized_models(act, tmp_path):
    q = np.random.default_rng(1).integers(-128, 128, (1, 6, 6, 3)).astype(np.int8)
    want, kept = steps(quantized(act), q, tmp_path, "--keep")
    assert np.abs(kept - want).max() < 1.01
    want, real = steps(quantized(act), q, tmp_path)
    assert np.abs(real - want).max() < 3  # no rounding inside


@pytest.mark.parametrize("scale, zero, cut", [(6 / 255, 0, (0, 6)), (6 / 254, 1, (-6 / 254, 6)), (2 / 255, 127, (-254 / 255, 256 / 255)), (4 / 255, 255, (-4, 0)),
                                              (8 / 255, 100, (-np.inf, np.inf)), (2 / 255, 100, (-np.inf, np.inf))])
def test_ranges_cut(scale, zero, cut, tmp_path):
    """A range that an activation may have left is cut to: without it the model says something else.  Another is what somebody observed: logits that leave it stay apart."""
    m, x = Model(), numbers(1, 8, low=-9, high=9)
    a = m.tensor("x", x.shape)
    q = m.op("QUANTIZE", [a], "q", x.shape, U8, scale=scale, zero=zero)
    y = m.op("DEQUANTIZE", [q], "y", x.shape)
    data = m.bytes([a], [y])
    np.testing.assert_allclose(ours(data, [x], tmp_path)[0], np.clip(x, *cut), atol=1e-5)
    assert np.abs(ours(data, [x], tmp_path, "--keep")[0] - litert(data, [x])[0]).max() < 1.01 * scale


def test_ranges_that_cut_nothing(tmp_path):
    """A result that cannot leave its range gets no clip."""
    m = Model()
    a = m.tensor("x", [1, 4, 4, 2], I8, scale=0.1, zero=0)
    p = m.op("MAX_POOL_2D", [a], "p", [1, 2, 2, 2], I8, scale=0.1, zero=0, options={"padding": 1, "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2})
    s = m.op("LOGISTIC", [p], "s", [1, 2, 2, 2], I8, scale=1 / 256, zero=-128)
    y = m.op("ADD", [s, s], "y", [1, 2, 2, 2], I8, scale=1 / 256, zero=-128)
    (tmp_path / "m.tflite").write_bytes(m.bytes([a], [y]))
    text = subprocess.run([TOOL, "--text", tmp_path / "m.tflite"], capture_output=True, text=True).stdout
    assert text.count("= clip ") == 1
    assert "fake_quant" not in text


def test_kept_steps(tmp_path):
    """--keep_quant: what only moves numbers of one grid stays on it without another rounding."""
    (tmp_path / "m.tflite").write_bytes(quantized())
    text = subprocess.run([TOOL, "--keep", "--text", tmp_path / "m.tflite"], capture_output=True, text=True).stdout
    assert text.count("= fake_quant ") == 5  # the input, convolution, sum, mean, product


def test_float64(tmp_path):
    m, x = Model(), numbers(1, 3)
    a = m.tensor("x", x.shape)
    y = m.op("ADD", [a, m.const("c", np.array([1.5, 2.5, -3]), F64)], "y", x.shape)
    np.testing.assert_allclose(ours(m.bytes([a], [y]), [x], tmp_path)[0], x + np.array([1.5, 2.5, -3], np.float32))


# ---- detection ----

def detector(boxes=40, classes=5, background=1, **options):
    m = Model()
    anchors = np.random.default_rng(5).uniform(0.1, 0.9, (boxes, 4)).astype(np.float32)
    x, s = m.tensor("x", [1, boxes, 4]), m.tensor("s", [1, boxes, classes + background])
    given = {"max_detections": 8, "max_classes_per_detection": 1, "num_classes": classes, "nms_score_threshold": 0.3, "nms_iou_threshold": 0.4, "y_scale": 10.0, "x_scale": 10.0,
             "h_scale": 5.0, "w_scale": 5.0, **options}
    most = given["max_detections"] * given["max_classes_per_detection"]
    y = m.op("CUSTOM", [x, s, m.const("a", anchors)], ["y", "y1", "y2", "y3"], [[1, most, 4], [1, most], [1, most], [1]], custom=("TFLite_Detection_PostProcess", flexbuffers.Dumps(given)))
    return m.bytes([x, s], y)


def seen(boxes=40, classes=6, seed=1):
    r = np.random.default_rng(seed)
    return [r.normal(0, 2, (1, boxes, 4)).astype(np.float32), r.uniform(0, 1, (1, boxes, classes)).astype(np.float32)]


@pytest.mark.parametrize("options", [{}, {"max_classes_per_detection": 3}, {"nms_score_threshold": 0.97}, {"background": 0, "classes": 6}, {"nms_iou_threshold": 0.9, "max_detections": 20},
                                     {"use_regular_nms": True}, {"use_regular_nms": True, "detections_per_class": 2, "nms_score_threshold": 0.9}, {"y_scale": 3.0, "w_scale": 7}])
def test_detection(options, tmp_path):
    """Rows behind the last detection are zeros; LiteRT leaves there what was."""
    data = detector(**options)
    for seed in (1, 2):
        want, got = litert(data, seen(seed=seed)), ours(data, seen(seed=seed), tmp_path)
        n = int(want[3][0]) * options.get("max_classes_per_detection", 1)
        np.testing.assert_array_equal(got[3], want[3])
        for g, w in zip(got[:3], want[:3]):
            assert g.shape == w.shape
            np.testing.assert_allclose(g[0, :n], w[0, :n], atol=1e-5)
            assert not g[0, n:].any()


@pytest.mark.parametrize("options", [{"max_classes_per_detection": 2}, {"use_regular_nms": True}])
def test_detection_in_fixed_point(options, tmp_path):
    """The same detections as the float model's, boxes and scores to a hundredth; simulator and image agree, or the tool fails."""
    (tmp_path / "m.tflite").write_bytes(detector(**options))
    samples = [seen(seed=s) for s in (1, 2, 3)]
    for k in range(2):
        np.concatenate([s[k] for s in samples]).tofile(tmp_path / f"in.{k}")
    done = subprocess.run([FIXED_TOOL, tmp_path / "m.tflite", tmp_path / "q", tmp_path / "in.0", tmp_path / "in.1"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    got = [[np.fromfile(tmp_path / f"q.{kind}.{k}.bin", np.float32) for k in range(4)] for kind in ("float", "fixed")]
    np.testing.assert_allclose(got[1][0], got[0][0], atol=0.01)
    np.testing.assert_array_equal(got[1][1], got[0][1])
    np.testing.assert_allclose(got[1][2], got[0][2], atol=0.01)
    np.testing.assert_array_equal(got[1][3], got[0][3])
