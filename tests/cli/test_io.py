"""Inputs and outputs of every kind: what the script returns, what the board is given, what comes out, bit for bit."""
import hashlib
import os
import re
import subprocess

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from support import Project, parse_scales, save_model

MODELS = ("net_float.sim", "net_fixed.sim", "net.img")
SAMPLES = 3


# ---- one network with an input of every kind ---------------------------------------------------------------------------------------
#
# name: onnx type and shape; formats for training and board; quantizations; layout; what the script gives for norm=False from the
# numbers in the file, and what the float model is to see of those numbers, in the ini's layout.  The scaled raw inputs span a known
# range in every sample, so their scale is known before anything was calibrated.

F, I64, BOOL, U8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8
MEAN, STD = np.array([10.5, 20, 30]), np.array([50, 60, 70.5])
INPUTS = [
    ("a", F, [1, 3, 8, 8], "RGB", "BGR", "TRUE", "NHWC"),
    ("b", F, [1, 3, 8, 8], "BGR", "RGB", "TRUE", "NCHW"),
    ("g", F, [1, 1, 8, 8], "GRAY", "GRAY", "TRUE", "NHWC"),
    ("u", F, [1, 2, 8, 8], "RAWDATA_U8_NHWC", "RAWDATA_U8_NHWC", "TRUE", "NHWC"),
    ("v", F, [1, 2, 8, 8], "RAWDATA_U8_NHWC", "RAWDATA_U8_NHWC", "FALSE", "NCHW"),
    ("s", F, [1, 5], "RAWDATA_S16_NHWC", "RAWDATA_S16_NHWC", "TRUE", "NHWC"),
    ("t", F, [1, 5], "RAWDATA_S16_NHWC", "RAWDATA_S16_NHWC", "FALSE", "NHWC"),
    ("f", F, [1, 5], "RAWDATA_F32_NHWC", "RAWDATA_F32_NHWC", "TRUE", "NHWC"),
    ("k", I64, [1, 5], "RAWDATA_S16_NHWC", "RAWDATA_S16_NHWC", "TRUE", "NHWC"),
    ("m", BOOL, [1, 5], "RAWDATA_U8_NHWC", "RAWDATA_U8_NHWC", "TRUE", "NHWC"),
]
SCRIPTS = {
    "a": "((x - [10.5, 20, 30]) / [50, 60, 70.5]).astype(np.float32) if norm else x",
    "b": "((x - np.reshape([30, 20, 10.5], (1, 3, 1, 1))) / np.reshape([70.5, 60, 50], (1, 3, 1, 1))).astype(np.float32) if norm else x",
    "g": "((x - 33.25) / 2.5).astype(np.float32) if norm else x",
    "u": "x if norm else np.rint(x / 0.01 + 100).astype(np.uint8)",
    "v": "x",
    "s": "x if norm else np.rint(x / 1e-4).astype(np.int16)",
    "t": "x",
    "f": "x.astype(np.float32)",
    "k": "x.astype(np.int32) if norm else x.astype(np.int16)",
    "m": "x",
}


def numbers(name, r):
    """A sample of input `name` as its file holds it, in the ini's layout."""
    shape = {"b": (1, 3, 8, 8), "v": (1, 2, 8, 8), "a": (1, 8, 8, 3), "g": (1, 8, 8, 1), "u": (1, 8, 8, 2)}.get(name, (1, 5))
    if name in "abgv":
        return r.integers(0, 256, shape).astype(np.uint8)
    if name == "u":
        x = r.uniform(-1, 1.55, shape).astype(np.float32)
        x.flat[:2] = -1, 1.55
        return x
    if name == "s":
        x = r.uniform(-3, 3, shape).astype(np.float32)
        x.flat[0] = 3.2767
        return x
    return {"t": r.integers(-900, 900, shape), "f": r.standard_normal(shape), "k": r.integers(-30000, 30000, shape), "m": r.integers(0, 2, shape).astype(bool)}[name]


def on_the_board(name, x):
    """The bytes a board program gives for it."""
    if name == "a":
        return x[..., ::-1].tobytes()
    if name == "b":
        return x[:, ::-1].tobytes()
    convert = {"u": lambda: np.rint(x / 0.01 + 100).astype(np.uint8), "s": lambda: np.rint(x / 1e-4).astype(np.int16), "t": lambda: x.astype(np.int16),
               "f": lambda: x.astype(np.float32), "k": lambda: x.astype(np.int16), "m": lambda: x.astype(np.uint8)}
    return convert.get(name, lambda: x)().tobytes()


def to_the_model(name, x):
    """The original model's own tensor."""
    nchw = (0, 3, 1, 2)
    if name == "a":
        return ((x - MEAN) / STD).astype(np.float32).transpose(nchw)
    if name == "b":
        return ((x - MEAN[::-1].reshape(1, 3, 1, 1)) / STD[::-1].reshape(1, 3, 1, 1)).astype(np.float32)
    if name == "g":
        return ((x - 33.25) / 2.5).astype(np.float32).transpose(nchw)
    if name == "u":
        return x.transpose(nchw)
    return x if name == "m" else x.astype(np.int64 if name == "k" else np.float32)


def every_kind(folder):
    """conv of each picture and map, added up; fc of each row, added up; outputs: the map, the rows, their softmax."""
    r = np.random.default_rng(11)
    nodes, constants, maps, rows = [], {}, [], []
    for name, kind, shape, *_ in INPUTS:
        x, gain = name, {"v": 0.01, "g": 0.3, "t": 0.02, "k": 5e-4, "m": 8}.get(name, 3)
        if kind != F:
            nodes.append(helper.make_node("Cast", [name], ["c_" + name], to=F))
            x = "c_" + name
        w = (r.standard_normal((6, shape[1], 3, 3) if len(shape) == 4 else (5, 6)) * gain).astype(np.float32)
        constants["w_" + name] = w
        if len(shape) == 4:
            nodes.append(helper.make_node("Conv", [x, "w_" + name], ["y_" + name], kernel_shape=[3, 3], pads=[1] * 4))
            maps.append("y_" + name)
        else:
            nodes.append(helper.make_node("MatMul", [x, "w_" + name], ["y_" + name]))
            rows.append("y_" + name)
    for parts, result in ((maps, "map"), (rows, "row")):
        for i in range(1, len(parts)):
            parts[i:i + 1], before = [result if i == len(parts) - 1 else "%s%d" % (result, i)], parts[i]
            nodes.append(helper.make_node("Add", [parts[i - 1], before], [parts[i]]))
    nodes.append(helper.make_node("Softmax", ["row"], ["prob"], axis=1))
    save_model(folder / "net.onnx", {n: (t, s) for n, t, s, *_ in INPUTS}, {"map": (F, [1, 6, 8, 8]), "row": (F, [1, 6]), "prob": (F, [1, 6])}, nodes, constants)


OUTPUTS = {  # dequantizations, output_formats, output_layouts of map, row, prob
    "float": "dequantizations=TRUE,TRUE,TRUE",
    "real": "dequantizations=TRUE,TRUE,TRUE\noutput_formats=RAWDATA_S16_NHWC,RAWDATA_U8_NHWC,RAWDATA_F32_NHWC\noutput_layouts=NCHW,NHWC,NHWC",
    "wide": "dequantizations=FALSE,FALSE,FALSE\noutput_layouts=NHWC,NHWC,NHWC",
    "narrow": "dequantizations=FALSE,FALSE,FALSE\noutput_formats=RAWDATA_U8_NHWC,RAWDATA_U8_NHWC,RAWDATA_U8_NHWC\noutput_layouts=NCHW,NHWC,NHWC",
}


def column(i):
    return ",".join(row[i] for row in INPUTS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The network converted with each row of OUTPUTS and simulated three ways; one float model serves all."""
    p = Project(tmp_path_factory.mktemp("io") / "p", pictures=0)
    every_kind(p.folder)
    r, lines = np.random.default_rng(3), []
    p.samples = []
    for i in range(SAMPLES):
        sample = {row[0]: numbers(row[0], r) for row in INPUTS}
        for name, x in sample.items():
            np.save(p.folder / "pics" / ("%s%d.npy" % (name, i)), x)
        lines.append(",".join("pics/%s%d.npy" % (name, i) for name in sample))
        p.samples.append(sample)
    p.write("list.txt", "\n".join(lines))
    for name, body in SCRIPTS.items():
        p.write(name + ".py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)\n    return %s\n" % body)
    p.scripts = ",".join(row[0] + ".py" for row in INPUTS)
    p.logs = {}
    for kind, outputs in OUTPUTS.items():
        p.write(kind + ".ini", "[INPUT_CONFIG]\ninputs=%s\ntraining_input_formats=%s\ninput_formats=%s\nquantizations=%s\ninput_layouts=%s\n"
                "mean=10.5:20:30,10.5:20:30,33.25\nstd_value=50:60:70.5,50:60:70.5,2.5\n[OUTPUT_CONFIG]\noutputs=map,row,prob\n%s\n" %
                (column(0), column(3), column(4), column(5), column(6), outputs))
        (p.folder / kind).mkdir()
        common = ["--input_config", kind + ".ini", "-i", "list.txt", "-n", p.scripts]
        r = p.sgs("convert", "onnx", "-m", "net.onnx", *common, "-o", kind + "/net.img", "--export_models", "--quant_level", "L2")
        assert r.returncode == 0, r.stderr
        # three pictures are few; nothing else is to be warned of
        assert r.stderr == "warning: 3 pictures to calibrate with; about 100 give better ranges\n"
        p.logs[kind] = r.stdout
        for m in MODELS:
            raw = [] if "float" in m else ["--dump_rawdata"]
            p.logs[kind, m] = p.good("simulate", "-m", "%s/%s" % (kind, m), *common, "--dump_output", "--output_dir", "%s/%s.out" % (kind, m), *raw)
    return p


def result(p, kind, model, sample, output):
    return np.load(p.folder / kind / (model + ".out") / ("a%d.npy.output%d.npy" % (sample, output)))


def test_float_is_onnxruntime(runs):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(runs.folder / "net.onnx"), quiet)
    for i, sample in enumerate(runs.samples):
        want = session.run(None, {name: to_the_model(name, x) for name, x in sample.items()})
        want[0] = want[0].transpose(0, 2, 3, 1)
        for k in range(3):
            assert np.abs(result(runs, "float", MODELS[0], i, k) - want[k]).max() <= 1e-4 * np.abs(want[k]).max()


def test_offline_is_fixed(runs):
    for kind in OUTPUTS:
        for i in range(SAMPLES):
            for k in range(3):
                fixed, offline = (result(runs, kind, m, i, k) for m in MODELS[1:])
                assert fixed.dtype == offline.dtype and fixed.tobytes() == offline.tobytes()


def decibels(want, got):
    noise = np.square(got.astype(np.float64) - want).sum()
    return 10 * np.log10(np.square(want.astype(np.float64)).sum() / noise)


def test_printed_sqnr_is_what_the_simulators_show(runs):
    """Every sample was compared, so both ways sum over the same numbers."""
    for kind in ("float", "wide"):
        said = dict(re.findall(r"^  (\w+): ([0-9.]+) dB$", runs.logs[kind], re.M))
        assert "on 3 of 3 pictures" in runs.logs[kind] and set(said) == {"map", "row", "prob"}
        for k, name in enumerate(("map", "row", "prob")):
            want, got = (np.stack([result(runs, kind, m, i, k) for i in range(SAMPLES)]) for m in MODELS[:2])
            if kind == "wide":
                scale, zero = parse_scales(runs.logs[kind, MODELS[1]])[name]
                got = (got.astype(np.float64) - zero) * scale
            assert abs(decibels(want, got) - float(said[name])) <= 0.06
            assert float(said[name]) > 25  # 8-bit convolutions and softmax of such a small network; a wrong input gives below 10
            assert re.search(r"^  SQNR +%s dB     %s$" % (re.escape(said[name]), name), runs.logs[kind], re.M)


def test_rawdata_is_what_a_board_hands_in(runs, tmp_path):
    for i, sample in enumerate(runs.samples):
        given = b""
        for n, (name, x) in enumerate(sample.items()):
            want = on_the_board(name, x)
            for m in MODELS[1:]:
                assert (runs.folder / "float" / (m + ".out") / ("a%d.npy.input%d.bin" % (i, n))).read_bytes() == want, name
            given += want + bytes(-len(want) % 64)
        (tmp_path / "given").write_bytes(given)
        said = subprocess.run([os.environ["RUN_IMAGE"], runs.folder / "float/net.img", tmp_path / "given", "c"], capture_output=True, text=True).stdout
        assert said.splitlines() == ["output %s %s" % (name, hashlib.sha256(result(runs, "float", "net.img", i, k).tobytes()).hexdigest())
                                     for k, name in enumerate(("map", "row", "prob"))]


def test_integer_outputs(runs):
    """ARITHMETIC.md 10: from the S16 tensor q and the float result r = q * scale, every other form is exact."""
    scales = {kind: parse_scales(runs.logs[kind, "net.img"]) for kind in ("real", "wide", "narrow")}
    seen = set()
    for i in range(SAMPLES):
        for k, name in enumerate(("map", "row", "prob")):
            real = result(runs, "float", "net.img", i, k)
            q, (scale, zero) = result(runs, "wide", "net.img", i, k), scales["wide"][name]
            assert q.dtype == np.int16 and zero == 0 and np.array_equal(q.astype(np.float32) * np.float32(scale), real)
            narrow, (scale8, zero8) = result(runs, "narrow", "net.img", i, k), scales["narrow"][name]
            narrow = narrow.transpose(0, 2, 3, 1) if k == 0 else narrow
            m = np.float32(np.float64(np.float32(scale)) / np.float64(np.float32(scale8)))
            assert narrow.dtype == np.uint8
            assert np.array_equal(narrow, np.clip(np.rint(q.astype(np.float32) * m) + zero8, 0, 255).astype(np.uint8))
            seen.add(zero8)
        as_s16, as_u8, as_f32 = (result(runs, "real", "net.img", i, k) for k in range(3))
        real = [result(runs, "float", "net.img", i, k) for k in range(3)]
        assert as_s16.dtype == np.int16 and np.array_equal(as_s16.transpose(0, 2, 3, 1), np.clip(np.rint(real[0]), -32767, 32767).astype(np.int16))
        assert as_u8.dtype == np.uint8 and np.array_equal(as_u8, np.clip(np.rint(real[1]), 0, 255).astype(np.uint8))
        assert as_f32.dtype == np.float32 and np.array_equal(as_f32, real[2])
        assert real[1].min() < 0 and np.abs(real[0]).max() > 100  # saturation took place, and there was something to round
    assert scales["real"] == {"map": (1, 0), "row": (1, 0)} and len(seen) == 3


def test_fix2float_stands_before_outputs_that_become_float(runs):
    has = {kind: b"Fix2Float" in (runs.folder / kind / MODELS[1]).read_bytes() for kind in OUTPUTS}
    assert has == {"float": True, "real": True, "wide": False, "narrow": False}
    assert all(b"Fix2Float" not in (runs.folder / kind / MODELS[0]).read_bytes() for kind in OUTPUTS)


def test_the_simulator_shows_what_goes_in_and_out(runs):
    log = runs.logs["wide", "net.img"]
    assert re.search(r"  input 0: a\n    dtype: uint8  layouts: NHWC  shape: \[1 8 8 3\]\n    training_input_formats: RGB  input_formats: BGR\n"
                     r"    input_width_alignment: 1  input_height_alignment: 1\n    channel 0: scale: 0.0141\d+  zero point: 30\n", log)
    assert re.search(r"  input 1: b\n    dtype: uint8  layouts: NCHW  shape: \[1 3 8 8\]\n", log)
    assert re.search(r"  input 6: t\n    dtype: int16 .*\n.*\n    scale: 1  zero point: 0\n", log)
    assert re.search(r"  input 8: k\n    dtype: int16 .*\n.*\n    scale: 1  zero point: 0\n", log)
    assert re.search(r"  output 0: map\n    dtype: int16  layouts: NHWC  shape: \[1 8 8 6\]\n    scale: [0-9.e-]+  zero point: 0\n", log)
    assert "  input 8: k\n    dtype: int32 " in runs.logs["float", "net_float.sim"] and "  input 9: m\n    dtype: bool " in runs.logs["float", "net_float.sim"]
    calibrated = dict(re.findall(r"^input '(\w)' takes (.*)$", runs.logs["wide"], re.M))
    said, scale = calibrated["u"].rsplit(" ", 1)
    assert said == "u8 q, value = (q - 100) *" and abs(float(scale) - 0.01) < 1e-8
    assert calibrated["t"] == calibrated["k"] == "s16 q, value = (q - 0) * 1"
    assert set(calibrated) == set("uvstkm")


def test_integer_outputs_in_the_text_files(runs):
    fixed = ["simulate", "-m", "wide/net_fixed.sim", "-i", "list.txt", "-n", runs.scripts]
    runs.good(*fixed, "--output_dir", "with")
    runs.good(*fixed, "--output_dir", "without", "--skip_garbage")
    with_, without = ((runs.folder / d / "unknown_net_fixed.sim_a0.npy.txt").read_text() for d in ("with", "without"))
    assert with_.startswith("map Tensor:\n{\ntensor dim:4,  Original shape:[1 8 8 6],  Alignment shape:[1 8 8 6]\nThe data are in the alignment shape.\ntensor data:\n")
    assert without.startswith("map Tensor:\n{\ntensor dim:4,  Original shape:[1 8 8 6]\ntensor data:\n")
    assert re.sub(r",  Alignment shape:\[[^]]*\]\nThe data are in the alignment shape\.", "", with_) == without
    values = without.split("tensor data:\n")[1].split("\n}")[0].split()
    assert np.array_equal(np.array(values, np.int16), result(runs, "wide", MODELS[1], 0, 0).ravel())


# ---- what else models take and give ---------------------------------------------------------------------------------------------------


def small(tmp_path, inputs, outputs, nodes, constants, ini, script, samples):
    p = Project(tmp_path / "p", pictures=0)
    save_model(p.folder / "net.onnx", inputs, outputs, nodes, constants)
    p.write("input_config.ini", ini)
    p.write("preprocess.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)\n    return %s\n" % script)
    for i, x in enumerate(samples):
        np.save(p.folder / "pics" / ("%d.npy" % i), x)
    return p


def run(p, *more):
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--export_models", *more)
    assert r.returncode == 0, r.stderr
    got = {}
    for m in MODELS:
        p.good("simulate", "-m", m, "-i", "pics", "-n", "preprocess.py", "--dump_output", "--output_dir", m + ".out")
        got[m] = np.load(p.folder / (m + ".out") / "0.npy.output0.npy")
    assert got[MODELS[1]].tobytes() == got[MODELS[2]].tobytes()
    return r, got


W = np.random.default_rng(2).standard_normal((4, 3, 3, 3)).astype(np.float32)


def channel_last_model(last=True):
    """As converters from channel-last frameworks write it: transposed at both ends."""
    def perm(x, y, p):
        return helper.make_node("Transpose", [x], [y], perm=p)
    nodes = [perm("x", "t", [0, 3, 1, 2]), helper.make_node("Conv", ["t", "w"], ["c"], kernel_shape=[3, 3]), perm("c", "y", [0, 2, 3, 1])]
    return {"x": (F, [1, 10, 9, 3])}, {"y": (F, [1, 8, 7, 4])}, nodes, {"w": W}


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_model_whose_own_layout_is_channel_last(tmp_path, layout):
    x = np.random.default_rng(1).integers(0, 256, (1, 10, 9, 3)).astype(np.uint8)
    ini = "[INPUT_CONFIG]\ninputs=x\ninput_formats=RGB\nmean=0\nstd_value=255\ninput_layouts=%s\n[OUTPUT_CONFIG]\noutputs=y\noutput_layouts=%s\n" % (layout, layout)
    order = "" if layout == "NHWC" else ".transpose(0, 3, 1, 2)"
    p = small(tmp_path, *channel_last_model(), ini, "(x / np.float32(255) if norm else x)" + order, [x])
    r, got = run(p)
    assert "the model takes 'x' as N,H,W,C: its own 4-D inputs and outputs are read as N,H,W,C\n" in r.stdout
    want = onnxruntime.InferenceSession(str(p.folder / "net.onnx")).run(None, {"x": x / np.float32(255)})[0]
    want = want if layout == "NHWC" else want.transpose(0, 3, 1, 2)
    assert got[MODELS[0]].shape == want.shape and np.abs(got[MODELS[0]] - want).max() <= 1e-4 * np.abs(want).max()
    assert decibels(want, got[MODELS[1]]) > 30


def test_a_picture_cut_out_of_the_middle(tmp_path):
    """What such a model's first transpose reads is the picture too, though the model itself begins elsewhere."""
    inputs, outputs, nodes, constants = channel_last_model()
    nodes = [helper.make_node("Relu", ["before"], ["x"])] + nodes
    x = np.random.default_rng(1).integers(0, 256, (1, 10, 9, 3)).astype(np.uint8)
    ini = "[INPUT_CONFIG]\ninputs=x\ninput_formats=RGB\nmean=0\nstd_value=255\n[OUTPUT_CONFIG]\noutputs=c\n"
    p = small(tmp_path, {"before": inputs["x"]}, outputs, nodes, constants, ini, "x / np.float32(255) if norm else x", [x])
    r, got = run(p)
    want = onnxruntime.InferenceSession(str(p.folder / "net.onnx")).run(None, {"before": x / np.float32(255)})[0]
    assert np.abs(got[MODELS[0]] - want).max() <= 1e-4 * np.abs(want).max() and decibels(want, got[MODELS[1]]) > 30


def picture_readers(kind):
    """Networks in which something else than a convolution reads the picture, alone or besides one."""
    w = np.random.default_rng(2).standard_normal((4, 12 if kind == "slices" else 3, 3, 3)).astype(np.float32)
    if kind == "slices":
        nodes = [helper.make_node("Slice", ["x", "at%d" % i, "end", "axes", "two"], ["s%d" % i]) for i in range(4)]
        nodes += [helper.make_node("Concat", ["s%d" % i for i in range(4)], ["a"], axis=1)]
    elif kind == "deconv":
        w = w.transpose(1, 0, 2, 3).copy()
        return {"x": (F, [1, 3, 16, 16])}, {"y": (F, [1, 4, 33, 33])}, [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], {"w": w}
    elif kind == "sigmoid":
        return {"x": (F, [1, 3, 16, 16])}, {"y": (F, [1, 3, 16, 16])}, [helper.make_node("Sigmoid", ["x"], ["y"])], {}
    else:
        nodes = [helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2], strides=[2, 2])]
    nodes += [helper.make_node("Conv", ["a", "w"], ["y" if kind != "both" else "c"], kernel_shape=[3, 3])]
    if kind == "both":
        nodes += [helper.make_node("Conv", ["x", "w"], ["d"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]), helper.make_node("Slice", ["d", "at0", "six", "axes"], ["e"]),
                  helper.make_node("Add", ["c", "e"], ["y"])]
    constants = {"w": w, "end": np.array([99, 99]), "six": np.array([6, 6]), "axes": np.array([2, 3]), "two": np.array([2, 2])}
    constants |= {"at%d" % i: np.array([i % 2, i // 2]) for i in range(4)}
    used = {name for n in nodes for name in n.input}
    return {"x": (F, [1, 3, 16, 16])}, {"y": (F, [1, 4, 6, 6])}, nodes, {n: v for n, v in constants.items() if n in used}


@pytest.mark.parametrize("kind, layout", [(k, order) for k in ("slices", "pool", "both", "deconv", "sigmoid") for order in ("NHWC", "NCHW")])
def test_the_boards_order_of_channels_reaches_every_reader(tmp_path, kind, layout):
    """RGB or BGR from the board: the same numbers come out."""
    order, shape = ("", "3") if layout == "NHWC" else (".transpose(0, 3, 1, 2)", "(1, 3, 1, 1)")
    script = "((x%s - np.reshape([10, 20, 30], %s)) / np.reshape([50, 60, 70], %s)).astype(np.float32) if norm else x%s" % (order, shape, shape, order)
    x = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    given = {}
    for board in ("RGB", "BGR"):
        ini = "[INPUT_CONFIG]\ninputs=x\ntraining_input_formats=RGB\ninput_formats=%s\nmean=10:20:30\nstd_value=50:60:70\ninput_layouts=%s\n[OUTPUT_CONFIG]\noutputs=y\n" % (board, layout)
        r, got = run(small(tmp_path / board, *picture_readers(kind), ini, script, [x]))
        assert decibels(got[MODELS[0]], got[MODELS[1]]) > 35
        assert got[MODELS[1]].tobytes() == got[MODELS[2]].tobytes()
        given[board] = got[MODELS[1]]
    assert given["RGB"].tobytes() == given["BGR"].tobytes()


def test_a_model_that_takes_bytes(tmp_path):
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=F), helper.make_node("Conv", ["c", "w"], ["y"], kernel_shape=[3, 3])]
    x = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    ini = "[INPUT_CONFIG]\ninputs=x\ntraining_input_formats=RGB\ninput_formats=BGR\nmean=%s\nstd_value=%s\n[OUTPUT_CONFIG]\noutputs=y\n"
    p = small(tmp_path, {"x": (U8, [1, 3, 8, 8])}, {"y": (F, [1, 4, 6, 6])}, nodes, {"w": W}, ini % (0, 1), "x", [x])
    r, got = run(p)
    want = onnxruntime.InferenceSession(str(p.folder / "net.onnx")).run(None, {"x": x.transpose(0, 3, 1, 2)})[0].transpose(0, 2, 3, 1)
    assert np.abs(got[MODELS[0]] - want).max() <= 1e-4 * np.abs(want).max() and decibels(want, got[MODELS[1]]) > 30
    for mean, std, key, line, found in (("1:2:3", 1, "mean", 5, 1), ("0:0:2", 1, "mean", 5, 2), (0, "1:255:1", "std_value", 6, 255)):
        p.write("input_config.ini", ini % (mean, std))
        r = p.sgs("convert-tool", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-o", "x.sim")
        assert r.stderr == ("error: input_config.ini:%d: %s: the model takes bytes at 'x' and normalizes them itself: expected mean 0 and std_value 1, found %g\n"
                            % (line, key, found))


def raw_row(tmp_path, fmt, quantizations, script, low=-1, high=1):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    w = np.random.default_rng(2).standard_normal((16, 4)).astype(np.float32)
    xs = [np.random.default_rng(i).uniform(low, high, (1, 16)).astype(np.float32) for i in range(4)]
    ini = "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_%s_NHWC\nquantizations=%s\n[OUTPUT_CONFIG]\noutputs=y\n" % (fmt, quantizations)
    return small(tmp_path, {"x": (F, [1, 16])}, {"y": (F, [1, 4])}, nodes, {"w": w}, ini, script, xs)


@pytest.mark.parametrize("fmt, quantizations, script, hint", [
    ("S16", "TRUE", "x if norm else x.astype(np.int16)", True),      # the manual's own example on numbers below 1
    ("S16", "FALSE", "x if norm else x.astype(np.int16)", False),
    ("F32", "TRUE", "x if norm else x * 2", False),
    ("U8", "TRUE", "x if norm else np.uint8(7) + np.zeros((1, 16), np.uint8)", True),
])
def test_norm_false_that_is_not_norm_true(tmp_path, fmt, quantizations, script, hint):
    r, got = run(raw_row(tmp_path, fmt, quantizations, script))
    assert re.search(r"^warning: preprocess.py: for input 'x' norm=True gives [0-9.e-]+ where norm=False gives [0-9.e-]+, "
                     r"which the fixed-point model takes for [0-9.e-]+$", r.stderr, re.M), r.stderr
    assert bool(re.search(r"^warning: with quantizations=TRUE norm=False returns round\(value / [0-9.e-]+\) \+ \d+; "
                          r"with quantizations=FALSE it returns the numbers as they are$", r.stderr, re.M)) == hint
    assert float(re.search(r"^  y: (-?[0-9.]+) dB$", r.stdout, re.M).group(1)) < 10


def test_norm_false_that_fails(tmp_path):
    p = raw_row(tmp_path, "F32", "TRUE", "x if norm else x.numpy()")
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--quant_level", "L2")
    assert r.returncode == 0 and (p.folder / "net.img").exists()
    assert ("warning: the fixed-point model was made but not compared with the float model: preprocess.py: image_preprocess failed on picture 'pics/0.npy': "
            "AttributeError: 'numpy.ndarray' object has no attribute 'numpy'\n") in r.stderr
    assert "  SQNR   not measured: see the warning above\n" in r.stdout and " dB" not in r.stdout


def test_ten_samples_are_compared(tmp_path):
    p = raw_row(tmp_path, "F32", "TRUE", "(open('seen', 'a').write('%s %s\\n' % (norm, path)), x)[1]")
    x = np.load(p.folder / "pics/0.npy")
    for i in range(23):
        np.save(p.folder / "pics" / ("%d.npy" % i), x + i)
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--num_process", "2")
    assert r.returncode == 0 and "on 10 of 23 pictures" in r.stdout and "on 10 of the 23 calibration pictures" in r.stdout
    seen = [line.split() for line in (p.folder / "seen").read_text().splitlines()]
    names = sorted("pics/%d.npy" % i for i in range(23))
    assert sorted(n for norm, n in seen if norm == "True") == names
    assert sorted(n for norm, n in seen if norm == "False") == [names[k * 23 // 10] for k in range(10)]
    assert float(re.search(r"^  y: ([0-9.]+) dB$", r.stdout, re.M).group(1)) > 30


def test_raw_integers_beside_others_in_a_concatenation(tmp_path):
    """Their scale stays their own: joined with numbers of another size they are requantized."""
    nodes = [helper.make_node("MatMul", ["x", "small"], ["s"]), helper.make_node("Concat", ["x", "s"], ["cat"], axis=1), helper.make_node("MatMul", ["cat", "w"], ["y"])]
    w = np.concatenate([np.full((16, 4), 1e-3), np.random.default_rng(2).standard_normal((16, 4))]).astype(np.float32)
    xs = [np.random.default_rng(i).integers(0, 50, (1, 16)).astype(np.float32) for i in range(4)]
    ini = "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_S16_NHWC\nquantizations=FALSE\n[OUTPUT_CONFIG]\noutputs=y\n[CONV_CONFIG]\ninput_format=ALL_INT16\n"
    p = small(tmp_path, {"x": (F, [1, 16])}, {"y": (F, [1, 4])}, nodes, {"w": w, "small": np.float32(0.01) * np.eye(16, dtype=np.float32)}, ini, "x", xs)
    _, got = run(p)
    assert decibels(got[MODELS[0]], got[MODELS[1]]) > 40


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_outputs_that_no_input_reaches(tmp_path, layout):
    """Through every stage: a picture's constants in the layout that the ini asks for, beside what depends on the input."""
    anchors = np.random.default_rng(3).uniform(-5, 5, (1, 2, 3, 4)).astype(np.float32)
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["k"], ["anchors"])]
    ini = "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs=anchors,y\noutput_layouts=%s,NHWC\n" % layout
    x = np.random.default_rng(4).uniform(-1, 1, (1, 8)).astype(np.float32)
    p = small(tmp_path, {"x": (F, [1, 8])}, {"y": (F, [1, 8]), "anchors": (F, [1, 2, 3, 4])}, nodes, {"k": -anchors}, ini, "x", [x])
    _, got = run(p)
    want = anchors if layout == "NCHW" else anchors.transpose(0, 2, 3, 1)
    assert np.array_equal(got[MODELS[0]], want) and decibels(want, got[MODELS[1]]) > 80
