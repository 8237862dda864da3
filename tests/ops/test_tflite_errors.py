"""What is wrong with a TFLite model is said, by the tensors' own names."""
import subprocess

import numpy as np
import pytest

from flatbuffers import flexbuffers
from support import SECONDS, TOOL
from tflite_models import ACT, BOOL, F32, I8, I32, I64, Model

i32 = lambda *v: np.array(v, np.int32)  # noqa: E731


def says(data, tmp_path, *args):
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    done = subprocess.run([TOOL, *args, path], capture_output=True, text=True, errors="replace", timeout=SECONDS)
    assert done.returncode == 1, done.stdout
    return done.stderr.removeprefix(f"error: {path}: ").rstrip("\n")


def one(kind, shapes, constants=(), options=None, outputs=1, order=None, custom=None, variables=()):
    """One operator over inputs x0, x1, ..., constants and states."""
    m = Model()
    inputs = [m.tensor(f"x{i}", s) for i, s in enumerate(shapes)]
    every = inputs + [-1 if c is None else m.const(f"c{i}", c, I32 if np.asarray(c).dtype.kind == "i" else F32) for i, c in enumerate(constants)]
    every += [m.tensor(f"s{i}", s, variable=True) for i, s in enumerate(variables)]
    operands = [every[i] for i in order] if order else every
    y = m.op(kind, operands, ["y"] + [f"y{i}" for i in range(1, outputs)], [[]] * outputs, options=options, custom=custom)
    return m.bytes(inputs, y)


f = lambda *s: np.ones(s, np.float32)  # noqa: E731
LSTM = [f(5, 4)] * 4 + [f(5, 5)] * 4 + [None] * 3 + [f(5)] * 4 + [None] * 2


def lstm(changes=(), options=None, x=(2, 3, 4), states=((2, 5), (2, 5)), more=()):
    operands = list(LSTM)
    for i, v in changes:
        operands[i - 1] = v
    n = len(operands)
    return one("UNIDIRECTIONAL_SEQUENCE_LSTM", [x], [*operands, *more], {ACT: 4, **(options or {})}, variables=states,
               order=[0, *range(1, n + 1), n + 1 + len(more), n + 2 + len(more), *range(n + 1, n + 1 + len(more))])


RNN = [f(5, 4), f(5, 5), f(5)]
SVDF = [f(6, 4), f(6, 3), f(3)]
REFUSED = {
    "cast": (one("CAST", [[3]], options={"out_data_type": 5}), "CAST: conversion to TFLite's element type 5 is not supported"),
    "fake quant": (one("FAKE_QUANT", [[3]], options={"min": 1.0, "max": 1.0, "num_bits": 8}), "FAKE_QUANT: expected 2 to 16 bits and min below max, found 8, 1 and 1"),
    "l2": (one("L2_NORMALIZATION", [[]]), "L2_NORMALIZATION: expected an input of at least 1 dimension, found a scalar"),
    "lrn": (one("LOCAL_RESPONSE_NORMALIZATION", [[3, 4]], options={"radius": 1}), "LOCAL_RESPONSE_NORMALIZATION: expected an input of 4 dimensions, found 2"),
    "pack": (one("PACK", [[3, 4], [3]], options={"axis": 2, "values_count": 2}), "PACK: its inputs differ in their number of dimensions"),
    "unpack": (one("UNPACK", [[3, 4]], options={"num": 2}, outputs=2), "UNPACK: expected 3 outputs, one for each index of axis 0, found 2"),
    "split, axis": (one("SPLIT", [[3, 4]], [i32(0, 1)], order=[1, 0], outputs=2), "SPLIT: expected one axis, found 2"),
    "split": (one("SPLIT", [[3, 4]], [i32(0)], order=[1, 0], outputs=2), "SPLIT: axis 0 of 3 cannot be split into 2 parts"),
    "split v": (one("SPLIT_V", [[3, 4]], [i32(3, 2), i32(1)], outputs=2), "SPLIT_V: parts that reach beyond axis 1 of 4"),
    "split v, count": (one("SPLIT_V", [[3, 4]], [i32(3, 1), i32(1)], outputs=3), "SPLIT_V: expected 3 sizes, one for each output, found 2"),
    "squeeze": (one("SQUEEZE", [[1, 4]], options={"squeeze_dims": [1]}), "SQUEEZE: dimension 1 cannot go: it is 4"),
    "fill, size": (one("FILL", [[1]], [i32(2, -1)], order=[1, 0]), "FILL: a dimension cannot be -1"),
    "fill": (one("FILL", [[2]], [i32(2, 2)], order=[1, 0]), "FILL: expected one value to fill with, found 2"),
    "block": (one("SPACE_TO_DEPTH", [[1, 4, 5, 1]], options={"block_size": 2}), "SPACE_TO_DEPTH: blocks of 2 do not fit an input [1,4,5,1]"),
    "blocks, rank": (one("SPACE_TO_BATCH_ND", [[4, 4]], [i32(2, 2), np.zeros((2, 2), np.int32)]), "SPACE_TO_BATCH_ND: 2 block sizes for an input of 2 dimensions"),
    "blocks, edges": (one("SPACE_TO_BATCH_ND", [[1, 4, 4]], [i32(2), np.zeros((2, 2), np.int32)]), "SPACE_TO_BATCH_ND: expected 2 constant numbers of pixels at the edges"),
    "blocks, size": (one("SPACE_TO_BATCH_ND", [[1, 4, 4]], [i32(0), np.zeros((1, 2), np.int32)]), "SPACE_TO_BATCH_ND: a block size cannot be 0"),
    "blocks, negative": (one("SPACE_TO_BATCH_ND", [[1, 4, 4]], [i32(2), np.array([[0, -2]], np.int32)]), "SPACE_TO_BATCH_ND: the number of pixels at an edge cannot be -2"),
    "space to batch": (one("SPACE_TO_BATCH_ND", [[1, 4, 4]], [i32(3), np.array([[0, 1]], np.int32)]), "SPACE_TO_BATCH_ND: 5 padded pixels are no whole blocks of 3"),
    "batch to space": (one("BATCH_TO_SPACE_ND", [[3, 4, 4]], [i32(2), np.array([[0, 1]], np.int32)]), "BATCH_TO_SPACE_ND: a batch of 3 is no whole blocks"),
    "batch to space, cut": (one("BATCH_TO_SPACE_ND", [[2, 2, 4]], [i32(2), np.array([[3, 2]], np.int32)]), "BATCH_TO_SPACE_ND: more is cut off than there is: 5 of 4 pixels"),
    "activation": (one("RNN", [[2, 4]], RNN, {ACT: 5}, variables=[(2, 5)]), "RNN: expected an activation of NONE, RELU, RELU_N1_TO_1, RELU6 or TANH, found 5"),
    "rnn": (one("RNN", [[2, 4]], [f(5, 3), *RNN[1:]], {ACT: 4}, variables=[(2, 5)]), "RNN: weights of the input: expected numbers of shape [5,4], found float32 of shape [5,3]"),
    "rnn, state": (one("RNN", [[2, 4]], [RNN[0], f(5, 3), RNN[2]], {ACT: 4}, variables=[(2, 5)]), "RNN: weights of the state: expected numbers of shape [5,5], found float32 of shape [5,3]"),
    "rnn, rank": (one("RNN", [[4]], RNN, {ACT: 4}, variables=[(2, 5)]), "RNN: expected an input of 2 dimensions, found 1"),
    "rnn, sequence": (one("UNIDIRECTIONAL_SEQUENCE_RNN", [[2, 4]], RNN, {ACT: 4}, variables=[(2, 5)]), "UNIDIRECTIONAL_SEQUENCE_RNN: expected an input of 3 dimensions, found 2"),
    "rnn, steps": (one("UNIDIRECTIONAL_SEQUENCE_RNN", [[1, 5000, 4]], RNN, {ACT: 4}, variables=[(1, 5)]), "UNIDIRECTIONAL_SEQUENCE_RNN: expected 1 to 4096 time steps, found 5000"),
    "svdf": (one("SVDF", [[2, 4]], SVDF, {"rank": 4}, variables=[(2, 18)]), "SVDF: 6 filters of rank 4 over 3 steps"),
    "svdf, features": (one("SVDF", [[2, 5]], SVDF, {"rank": 2}, variables=[(2, 18)]), "SVDF: weights of the features: expected numbers of shape [6,5], found float32 of shape [6,4]"),
    "svdf, time": (one("SVDF", [[2, 4]], [SVDF[0], f(5, 3), SVDF[2]], {"rank": 2}, variables=[(2, 18)]), "SVDF: weights of the time: expected numbers of shape [6,3], found float32 of shape [5,3]"),
    "svdf, state": (one("SVDF", [[2, 4]], SVDF, {"rank": 2}, variables=[(2, 17)]), "SVDF: a state: expected numbers of shape [2,18], found float32 of shape [2,17]"),
    "lstm, weights": (lstm([(3, f(4, 4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: weights of the input: expected numbers of shape [5,4], found float32 of shape [4,4]"),
    "lstm, state": (lstm([(7, f(4, 4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: weights of the state: expected numbers of shape [5,5], found float32 of shape [4,4]"),
    "lstm, peepholes": (lstm([(10, f(4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: peepholes: expected numbers of shape [5], found float32 of shape [4]"),
    "lstm, bias": (lstm([(13, f(4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: a bias: expected numbers of shape [5], found float32 of shape [4]"),
    "lstm, norm": (lstm(more=[f(5), f(5), f(4), f(5)]), "UNIDIRECTIONAL_SEQUENCE_LSTM: weights of a normalization: expected numbers of shape [5], found float32 of shape [4]"),
    "lstm, projection": (lstm([(16, f(5, 4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: the projection: expected numbers of shape [5,5], found float32 of shape [5,4]"),
    "lstm, projection's bias": (lstm([(16, f(5, 5)), (17, f(4))]), "UNIDIRECTIONAL_SEQUENCE_LSTM: the projection's bias: expected numbers of shape [5], found float32 of shape [4]"),
    "lstm, halves": (lstm([(1, None)]), "UNIDIRECTIONAL_SEQUENCE_LSTM: expected both weights of the input gate or none"),
    "lstm, diagonal": (lstm(options={"diagonal_recurrent_tensors": True}), "UNIDIRECTIONAL_SEQUENCE_LSTM: diagonal weights of the state are not supported"),
    "basic lstm": (one("LSTM", [[2, 4]], [f(2, 5), f(20, 8), f(20), f(2, 5)], {"kernel_type": 1}), "LSTM: the weights: expected numbers of shape [20,9], found float32 of shape [20,8]"),
    "basic lstm, bias": (one("LSTM", [[2, 4]], [f(2, 5), f(20, 9), f(5), f(2, 5)], {"kernel_type": 1}), "LSTM: the bias: expected numbers of shape [20], found float32 of shape [5]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operator(name, tmp_path):
    data, message = REFUSED[name]
    assert says(data, tmp_path) == f"layer 'y': {message}"


def test_auxiliary_input(tmp_path):
    m = Model()
    every = [m.tensor("x", [2, 3, 4])] + [m.const(f"c{i}", f(1)) for i in range(34)] + [m.tensor(f"s{i}", [2, 5], variable=True) for i in range(4)] + [m.const("aux", f(2, 3, 4))]
    y = m.op("BIDIRECTIONAL_SEQUENCE_LSTM", every, ["y", "z"], [[]] * 2, options={ACT: 4})
    assert says(m.bytes([0], y), tmp_path) == "layer 'y': BIDIRECTIONAL_SEQUENCE_LSTM: an auxiliary input is not supported"


def test_unsupported_operators(tmp_path):
    """By name, with the part that can be taken."""
    m = Model()
    x = m.tensor("x;1", [1, 3])
    a = m.op("RELU", [x], "a", [1, 3])
    b = m.op(113, [a], "b", [1, 3])
    c = m.op("CUSTOM", [b], "c", [1, 3], custom=("MyOp", b""))
    v = m.op("HASHTABLE", [], "v", [1], 13)
    y = m.op("HASHTABLE_SIZE", [v], "r", [1], I64)
    assert says(m.bytes([x], [c, y]), tmp_path).splitlines() == [
        "4 nodes are not supported: MATRIX_DIAG 'b', custom:MyOp 'c', HASHTABLE 'v', HASHTABLE_SIZE 'r'",
        "  1 of 5 nodes can be taken together, with inputs=\"x;1\" and outputs=\"a\" in input_config.ini"]
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op(250, [x], "y", [1, 3])
    assert says(m.bytes([x], [y]), tmp_path) == "damaged file: there is no TFLite operator 250"


def test_files(tmp_path):
    assert says(b"no model at all", tmp_path) == "this is not a TFLite model (no TFL3 mark)"
    m = Model()
    x = m.tensor("x", [1, 3])
    w = m.const("w", f(1, 3), sparse=True)
    y = m.op("ADD", [x, w], "y", [1, 3])
    assert says(m.bytes([x], [y]), tmp_path) == "tensor 'w' is sparse, which is not supported"
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op("RELU", [x], "y", [1, 4])
    assert says(m.bytes([x], [y]), tmp_path) == "layer 'y': RELU: its output 'y' is declared [1,4], its inputs make it [1,3]"
    m = Model()
    x = m.tensor("x", [1, 3], 15)
    y = m.op("RELU", [x], "y", [1, 3])
    assert says(m.bytes([x], [y]), tmp_path) == "input 'x' has data type 12 (UINT32), which is not supported"
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op("LOGICAL_NOT", [x], "y", [1, 3], BOOL)
    assert says(m.bytes([x], [y]), tmp_path) == "layer 'y': LOGICAL_NOT: input: expected type bool, found float32"
    m = Model()
    x = m.tensor("x", [1, 3], I8, scale=[0.1, 0.1], axis=0)
    y = m.op("RELU", [x], "y", [1, 3])
    assert says(m.bytes([x], [y]), tmp_path) == "damaged file: tensor 'x': expected 1 scales along axis 0, found 2"


def test_signatures(tmp_path):
    m = Model()
    x = m.tensor("x", [1, 3])
    y = m.op("RELU", [x], "y", [1, 3])
    m.signatures = [("one", 0), ("two", 7)]
    data = m.bytes([x], [y])
    assert says(data, tmp_path, "--signature", "three") == "--signature: the model has no signature 'three', it has 'one', 'two'"
    assert says(data, tmp_path, "--signature", "two") == "damaged file: signature 'two' is subgraph 7, the file has 1"


# ---- detection ----

def detector(boxes=(1, 4, 4), scores=(1, 4, 3), anchors=(4, 4), custom=None, variable=False, **options):
    m = Model()
    x, s = m.tensor("x", boxes), m.tensor("s", scores)
    a = m.tensor("a", anchors) if variable else m.const("a", np.ones(anchors, np.float32))
    given = {"max_detections": 4, "max_classes_per_detection": 1, "num_classes": 3, "nms_score_threshold": 0.1, "nms_iou_threshold": 0.5, "y_scale": 1.0, "x_scale": 1.0, "h_scale": 1.0,
             "w_scale": 1.0, **options}
    y = m.op("CUSTOM", [x, s, a], ["y", "y1", "y2", "y3"], [[], [], [], []], custom=("TFLite_Detection_PostProcess", flexbuffers.Dumps(given) if custom is None else custom))
    return m.bytes([x, s] + ([a] if variable else []), y)


DETECTION = {
    "options": (detector(custom=b"nothing"), "its options are no map"),
    "no options": (detector(custom=b""), "its options are no map"),
    "detections": (detector(max_detections=101), "max_detections: expected 1 to 100, found 101"),
    "scale": (detector(h_scale=0.0), "h_scale cannot be 0"),
    "overlap": (detector(nms_iou_threshold=0.0), "nms_iou_threshold: expected more than 0, at most 1, found 0"),
    "shapes": (detector(anchors=(4, 3)), "expected boxes [1,N,4], scores [1,N,3 or more] and anchors [N,4], found [1,4,4], [1,4,3] and [4,3]"),
    "anchors": (detector(variable=True), "the anchors are known only at run time"),
    "too many": (detector(max_detections=9), "9 detections of at most 4"),
    "too many of a class": (detector(max_detections=4, detections_per_class=1, use_regular_nms=True), "4 detections of at most 3"),
}


@pytest.mark.parametrize("name", DETECTION)
def test_detection(name, tmp_path):
    data, message = DETECTION[name]
    assert says(data, tmp_path) == f"layer 'y': custom:TFLite_Detection_PostProcess: {message}"


def test_detection_options_cut_anywhere(tmp_path):
    good = flexbuffers.Dumps({"max_detections": 4, "num_classes": 3, "nms_iou_threshold": 0.5})
    for n in range(len(good)):
        for custom in (good[:n], good[n:], good[:n] + b"\xff" + good[n + 1:]):
            path = tmp_path / "m.tflite"
            path.write_bytes(detector(custom=custom))
            assert subprocess.run([TOOL, path], capture_output=True, timeout=SECONDS).returncode in (0, 1)
