"""Quantization parameters through the tools: what save_quant_param.py writes gives the same model again, and what a file says is done, or said why not."""
import json
import pickle
import re

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import Project, save_model

F = TensorProto.FLOAT
CALIBRATE = ("calibrate", "-m", "m_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "b.sim")


def project(folder, nodes, constants, outputs={"prob": (F, [1, 4, 16, 16])}, ini=""):
    p = Project(folder, pictures=10)
    save_model(p.folder / "model.onnx", {"data": (F, [1, 3, 16, 16])}, outputs, nodes, constants)
    text = (p.folder / "input_config.ini").read_text().replace("outputs=prob", "outputs=" + ",".join(outputs)).replace("zations=TRUE;\n", "zations=%s;\n" % ",".join(["TRUE"] * len(outputs)))
    p.write("input_config.ini", text.replace("quantizations=%s;" % ",".join(["TRUE"] * len(outputs)), "quantizations=TRUE;", 1) + ini)
    p.good("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "m_float.sim")
    return p


def chain(small=0.003):
    """first - depth - last; half of the channels between them are `small` times the others, so that L2 takes 16 bits somewhere."""
    r = np.random.default_rng(3)
    scale = np.where(np.arange(8) % 2, small, 1).astype(np.float32)
    first, depth, last = (r.standard_normal(s).astype(np.float32) for s in ((8, 3, 3, 3), (8, 1, 3, 3), (4, 8, 1, 1)))
    nodes = [helper.make_node("Conv", ["data", "w0", "b0"], ["c0"], name="first", kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c0"], ["r0"]),
             helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], name="depth", group=8, kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c1"], ["r1"]),
             helper.make_node("Conv", ["r1", "w2", "b2"], ["prob"], name="last")]
    return nodes, {"w0": first * scale[:, None, None, None], "w1": depth, "w2": last / scale[:, None, None], "b0": np.zeros(8, np.float32), "b1": np.ones(8, np.float32),
                   "b2": np.ones(4, np.float32)}


def shared_head():
    """One head on two feature maps of other sizes, and values that join, add and leave as they are."""
    r = np.random.default_rng(4)
    nodes = [helper.make_node("Conv", ["data", "w0"], ["c0"], kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c0"], ["r0"]),
             helper.make_node("MaxPool", ["r0"], ["small"], kernel_shape=[2, 2], strides=[2, 2]), helper.make_node("Conv", ["r0", "head"], ["h0"]),
             helper.make_node("Conv", ["small", "head"], ["h1"]), helper.make_node("Concat", ["h0", "h0"], ["cat"], axis=1),
             helper.make_node("Add", ["cat", "off"], ["sum"]), helper.make_node("Sigmoid", ["h1"], ["sig"]), helper.make_node("Add", ["small", "off8"], ["more"])]
    constants = {"w0": r.standard_normal((8, 3, 3, 3)).astype(np.float32), "head": r.standard_normal((4, 8, 1, 1)).astype(np.float32), 
                 "off": r.standard_normal((1, 8, 1, 1)).astype(np.float32), "off8": r.standard_normal((1, 8, 1, 1)).astype(np.float32)}
    return nodes, constants, {"sum": (F, [1, 8, 16, 16]), "sig": (F, [1, 4, 8, 8]), "more": (F, [1, 8, 8, 8])}


def integer_grid():
    """A model that brings its quantization: QuantizeLinear and DequantizeLinear."""
    nodes, constants = chain(1)
    nodes[1:2] = [nodes[1], helper.make_node("QuantizeLinear", ["r0", "s", "z"], ["q0"]), helper.make_node("DequantizeLinear", ["q0", "s", "z"], ["d0"])]
    nodes[4].input[0] = "d0"
    return nodes, dict(constants, s=np.float32(0.1), z=np.uint8(3))


NETWORKS = {"chain": (*chain(), {"prob": (F, [1, 4, 16, 16])}), "head": shared_head(), "grid": (*integer_grid(), {"prob": (F, [1, 4, 16, 16])})}
CONV = {"": "", "mixed": "[CONV_CONFIG]\ntensor_arrays=%s\n", "raw": "output_formats=RAWDATA_S16_NHWC;\n"} | {k: "[CONV_CONFIG]\ninput_format=%s\n" % k for k in ("ALL_UINT8", "ALL_INT16", "CONV2D_INT16", "DEPTHWISE_INT16")}


CASES = ([("chain", "L1", "JSON", c) for c in CONV if c != "raw"] + [("chain", "L2", "Pickle", c) for c in ("", "mixed")] + [("head", "L1", "JSON", "raw"), ("head", "L1", "Pickle", "ALL_INT16")]
         + [("head", "L2", "JSON", ""), ("grid", "L1", "JSON", "mixed"), ("grid", "L2", "Pickle", "")])


@pytest.mark.parametrize("net, level, mode, conv", CASES)
def test_the_same_model_again(net, level, mode, conv, tmp_path):
    name = {"JSON": "a.json", "Pickle": "a.pkl"}[mode]
    nodes, constants, outputs = NETWORKS[net]
    ini = CONV[conv].replace("%s", "d0" if net == "grid" else "r0").replace("NHWC;", ",".join(["NHWC"] + ["RAWDATA_S16_NHWC"] * (len(outputs) - 1)) + ";")
    p = project(tmp_path / "p", nodes, constants, outputs, ini)
    p.good(*CALIBRATE[:-1], "a.sim", "--quant_level", level)
    assert p.good("save-quant-param", "-m", "a.sim", "--output_mode", mode) == "wrote %s\n" % name
    r = p.sgs(*CALIBRATE, "--quant_level", level, "--quant_file", name)
    assert r.returncode == 0 and "not taken" not in r.stderr, r.stderr
    assert p.bytes("b.sim") == p.bytes("a.sim")


@pytest.mark.parametrize("level, bits", [("L3", "ALL_UINT8"), ("L4", "ALL_UINT8"), ("L5", "ALL_UINT8"), ("L4", "ALL_INT16")])
def test_levels_that_try(level, bits, tmp_path):
    """Scales for channels and what took them up are found again; what is saved is kept as it was."""
    p = project(tmp_path / "p", *chain(0.02), ini="[CONV_CONFIG]\ninput_format=%s\n" % bits)
    said = p.good(*CALIBRATE[:-1], "a.sim", "--quant_level", level)
    scales = re.search(r"^  scales for each channel%s: [-0-9.]+ dB$" % {"ALL_UINT8": "", "ALL_INT16": " of 16 bits"}[bits], said, re.M) is not None
    assert scales == (level != "L3")
    p.good("save-quant-param", "-m", "a.sim", "--output_mode", "JSON")
    table = {t["name"]: t for t in json.loads(p.bytes("a.json"))}
    assert all(("min" in t) == ("max" in t) == (not scales or name not in ("w1", "w2")) for name, t in table.items()) and {"r0", "r1", "w0", "w1", "w2"} <= set(table)
    r = p.sgs(*CALIBRATE, "--quant_level", level, "--quant_file", "a.json")
    assert r.returncode == 0 and "not taken" not in r.stderr, r.stderr
    assert p.bytes("b.sim") == p.bytes("a.sim")
    p.good("save-quant-param", "-m", "b.sim", "--output_mode", "JSON")
    assert {t["name"]: t for t in json.loads(p.bytes("b.json"))} == table


def test_one_of_several(tmp_path):
    """Weights that two layers read become two constants, in 16 bits and in 8: each has a name, and a range of its own."""
    r = np.random.default_rng(5)
    nodes = [helper.make_node("Conv", ["data", "w0"], ["c0"], kernel_shape=[16, 16]), helper.make_node("Flatten", ["c0"], ["f0"]), helper.make_node("Relu", ["f0"], ["r0"]),
             helper.make_node("Gemm", ["r0", "head"], ["h0"], transB=1), helper.make_node("Relu", ["h0"], ["r1"]), helper.make_node("Gemm", ["r1", "head"], ["prob"], transB=1)]
    constants = {"w0": r.standard_normal((8, 3, 16, 16)).astype(np.float32), "head": r.standard_normal((8, 8)).astype(np.float32)}
    p = project(tmp_path / "p", nodes, constants, {"prob": (F, [1, 8])}, "[CONV_CONFIG]\ntensor_arrays=r1\n")
    p.good(*CALIBRATE[:-1], "a.sim", "--quant_level", "L1")
    p.good("save-quant-param", "-m", "a.sim", "--output_mode", "JSON")
    table = {t["name"]: t for t in json.loads(p.bytes("a.json"))}
    assert (table["head"]["bit"], table["head#2"]["bit"]) == (8, 16)
    p.good(*CALIBRATE, "--quant_level", "L1", "--quant_file", "a.json")
    assert p.bytes("b.sim") == p.bytes("a.sim")
    said, got = imported(p, [{"name": "head#2", "min": [-5], "max": [5]}], "--quant_level", "L1")
    assert said == "" and np.allclose(got["head#2"]["max"], 5, rtol=1e-6) and got["head"] == table["head"]
    assert "'head#x' is not a tensor" in imported(p, [{"name": "head#x", "bit": 8}])[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    p = project(tmp_path_factory.mktemp("plain") / "p", *chain(1), ini="[CONV_CONFIG]\ntensor_arrays=r1\n")
    p.good(*CALIBRATE[:-1], "a.sim")
    p.good("save-quant-param", "-m", "a.sim", "--output_mode", "JSON")
    p.table = {t["name"]: t for t in json.loads(p.bytes("a.json"))}
    return p


def imported(p, table, *more):
    """What is said, and what the model then says of itself: {name: {min, max, bit}}."""
    (p.folder / "q.json").write_text("[%s]" % ",\n".join(map(json.dumps, table)))
    r = p.sgs(*CALIBRATE, "--quant_file", "q.json", *more)
    if r.returncode:
        return r.stderr, None
    p.good("save-quant-param", "-m", "b.sim", "--output_mode", "JSON")
    return "".join(line + "\n" for line in r.stderr.splitlines() if "q.json" in line), {t["name"]: t for t in json.loads(p.bytes("b.json"))}


def test_fields(plain):
    """Of every tensor that has a name: as many ranges as channels or kernels."""
    assert {n: (len(t["min"]), len(t["max"]), t["bit"]) for n, t in plain.table.items()} == {
        "data": (3, 3, 8), "w0": (8, 8, 8), "r0": (8, 8, 8), "w1": (8, 8, 8), "r1": (8, 8, 16), "w2": (4, 4, 16), "prob": (4, 4, 16)}


@pytest.mark.parametrize("ranges", [([0.0], [50.0]), ([-1.0] + [0.0] * 7, [50.0] * 7 + [60.0])])
def test_a_range_is_taken(plain, ranges):
    said, got = imported(plain, [{"name": "r0", "min": ranges[0], "max": ranges[1]}])
    assert said == "" and got["r0"]["min"] == ranges[0] * (8 // len(ranges[0])) and got["r0"]["max"] == ranges[1] * (8 // len(ranges[1]))
    assert {n: t for n, t in got.items() if n != "r0"} == {n: t for n, t in plain.table.items() if n != "r0"}


def test_ranges_of_weights_are_taken(plain):
    """The scale is the largest magnitude by 127, of 16 bits by 32767."""
    most = [abs(x) * 1.25 for x in plain.table["w1"]["max"]]
    said, got = imported(plain, [{"name": "w1", "min": [-m / 2 for m in most], "max": most}, {"name": "w2", "min": -9, "max": 3, "bit": 16}])
    assert said == "" and np.allclose(got["w1"]["max"], most, rtol=1e-6) and np.allclose(got["w2"]["max"], 9, rtol=1e-6)


@pytest.mark.parametrize("entry, bits", [({"name": "w1", "bit": 16}, {"r0": 16, "w1": 16}), ({"name": "r0", "bit": 16}, {"r0": 16, "w1": 16}), ({"name": "w1", "bit": 8}, {}),
                                         ({"name": "r1", "bit": 16}, {})])
def test_bits_are_taken(plain, entry, bits):
    said, got = imported(plain, [entry])
    assert said == "" and {n: t["bit"] for n, t in got.items()} == {n: bits.get(n, t["bit"]) for n, t in plain.table.items()}
    assert (b"16 bit: imported" in plain.bytes("b.sim")) == bool(bits)


FOUR = [{"name": n, "bit": 4} for n in ("w0", "w1", "w2")]


@pytest.mark.parametrize("level", ["L1", "L2", "L5"])
def test_weights_of_four_bits(tmp_path, level):
    """All weights, those of a convolution that reads the image and of a depthwise one too: half the bytes, some of the accuracy, the same bytes on the board."""
    p = project(tmp_path / "p", *chain(1), ini="[CONV_CONFIG]\ninput_format=ALL_UINT8\n")
    eight = p.good(*CALIBRATE[:-1], "a.sim", "--quant_level", level)
    p.write("q.json", json.dumps(FOUR))
    four = p.good(*CALIBRATE, "--quant_level", level, "--quant_file", "q.json")
    sqnr = [float(re.search(r"^  prob: ([-\d.]+) dB$", said, re.M)[1]) for said in (eight, four)]
    assert 10 < sqnr[1] < sqnr[0] - 6
    assert p.bytes("b.sim").count(b"4 bit: imported") == 3
    sizes = []
    for model in ("a", "b"):
        p.good("compile", "-m", model + ".sim", "-o", model + ".img")
        weights = [re.search(r"^weights: (.*)$", p.good("info", model + end), re.M)[1] for end in (".sim", ".img")]
        assert weights[0] == weights[1]
        sizes.append((weights[0], len(p.bytes(model + ".img"))))
    assert sizes[0][0] == "8 bits %d bytes in 3 layers" % (16 * 9 * 4 + 9 * 16 + 16 * 2 * 4)
    assert sizes[1][0] == "4 bits %d bytes in 3 layers" % (16 * 5 * 4 + 5 * 16 + 16 * 4)
    assert sizes[1][1] < sizes[0][1] - 300
    for model, folder in (("b.sim", "fixed"), ("b.img", "offline")):
        p.good("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", "--dump_rawdata", "--dump_output", "--output_dir", folder)
    raw = sorted(f.name for f in (p.folder / "fixed").rglob("*") if f.is_file())
    assert len(raw) >= 10 and all(a.read_bytes() == next((p.folder / "offline").rglob(a.name)).read_bytes()
                                  for a in (p.folder / "fixed").rglob("*.bin"))
    p.good("save-quant-param", "-m", "b.sim", "--output_mode", "JSON")
    saved = {t["name"]: t["bit"] for t in json.loads(p.bytes("b.json"))}
    assert saved == {"data": 8, "w0": 4, "r0": 8, "w1": 4, "r1": 8, "w2": 4, "prob": 16}
    if level != "L5":
        before = p.bytes("b.sim")
        p.good(*CALIBRATE, "--quant_level", level, "--quant_file", "b.json")
        assert p.bytes("b.sim") == before


def test_four_bits_and_what_else_decides(tmp_path):
    """The ini's 16 bits win; the level's don't."""
    p = project(tmp_path / "a", *chain(), ini="[CONV_CONFIG]\ntensor_arrays=r1\n")
    said, got = imported(p, FOUR, "--quant_level", "L2")
    assert said == "warning: q.json:3: bit of 'w2' not taken: the ini's tensor_arrays decides\n"
    assert {n: t["bit"] for n, t in got.items()} == {"data": 8, "w0": 4, "r0": 8, "w1": 4, "r1": 16, "w2": 16, "prob": 16}
    p = project(tmp_path / "b", *chain(1), ini="[CONV_CONFIG]\ninput_format=DEPTHWISE_INT16\n")
    said, got = imported(p, FOUR, "--quant_level", "L1")
    assert said == "warning: q.json:2: bit of 'w1' not taken: the ini's input_format decides\n"
    assert {n: t["bit"] for n, t in got.items()} == {"data": 8, "w0": 4, "r0": 16, "w1": 16, "r1": 8, "w2": 4, "prob": 16}


def test_weights_that_fit_four_bits(tmp_path):
    """Those of a model that has them so: kept, unless the file says 8; both give the same numbers."""
    nodes, constants = chain(1)
    steps = np.random.default_rng(9).integers(-7, 8, (8, 1, 3, 3))
    steps[:, 0, 0, 0] = 7
    constants["w1"] = (steps * 0.125).astype(np.float32)
    p = project(tmp_path / "p", nodes, constants, ini="[CONV_CONFIG]\ninput_format=ALL_UINT8\n")
    p.good(*CALIBRATE[:-1], "a.sim", "--quant_level", "L1")
    assert p.bytes("a.sim").count(b"4 bit: the weights fit") == 1
    said, got = imported(p, [{"name": "w1", "bit": 8}], "--quant_level", "L1")
    assert said == "" and got["w1"]["bit"] == 8 and b"weights fit" not in p.bytes("b.sim")
    assert np.allclose(got["w1"]["max"], 0.875 * 127 / 126)  # 18 steps of 8 bits for each of 4


def test_data_is_taken(plain):
    """Twice the weights: twice the result, which calibration saw already."""
    w2, b2 = chain(1)[1]["w2"], chain(1)[1]["b2"]
    said, got = imported(plain, [{"name": "w2", "data": (2 * w2).transpose(0, 2, 3, 1).tolist()}, {"name": "b2", "data": (2 * b2).tolist()}])
    assert said == "" and np.allclose(got["prob"]["max"], 2 * np.array(plain.table["prob"]["max"]), rtol=1e-6)
    assert np.allclose(got["w2"]["max"], 2 * np.array(plain.table["w2"]["max"]), rtol=1e-6)


def test_data_is_saved(plain):
    """What the weights were rounded to; not of those that hold scales of single input channels, as behind a picture."""
    plain.good("save-quant-param", "-m", "a.sim", "--output_mode", "Pickle", "--data", "-o", "d.pkl")
    table = {t["name"]: t for t in pickle.loads(plain.bytes("d.pkl"))}
    assert [n for n, t in table.items() if "data" in t] == ["w1", "w2"]
    for name, order in (("w1", (1, 2, 3, 0)), ("w2", (0, 2, 3, 1))):
        want = chain(1)[1][name].transpose(order)
        assert table[name]["data"].shape == want.shape and np.abs(table[name]["data"] - want).max() < max(table[name]["max"]) / 50
    plain.good("save-quant-param", "-m", "a.sim", "--output_mode", "JSON", "--data", "-o", "d.json")
    assert [t.get("data") for t in json.loads(plain.bytes("d.json"))] == [t["data"].tolist() if "data" in t else None for t in table.values()]


@pytest.mark.parametrize("entry, why", [
    ({"name": "r0", "min": [0], "max": [0]}, "range of 'r0' not taken: it has no width"),
    ({"name": "r0", "min": [0], "max": [0.01]}, "range of 'r0' not taken: it cuts off what calibration saw within one deviation of the mean"),
    ({"name": "r0", "min": [-1e6], "max": [1e6]}, "range of 'r0' not taken: one step of it is wider than all that calibration saw"),
    ({"name": "data", "min": [0], "max": [1]}, "range of 'data' not taken: it is an image, which mean and std_value of the ini scale"),
    ({"name": "data", "bit": 16}, "bit of 'data' not taken: the convolution reads an image"),
    ({"name": "prob", "bit": 8}, "bit of 'prob' not taken: 8 bits are for what convolutions of 8 bits read"),
    ({"name": "w2", "bit": 8}, "bit of 'w2' not taken: the ini's tensor_arrays decides"),
    ({"name": "w1", "min": [-1e-3] * 4 + [-3] * 4, "max": [0] * 8}, "4 of 8 ranges of 'w1' not taken: they cut off most of the weights, or leave zeros of them"),
    ({"name": "w1", "min": [0], "max": [1e9]}, "8 of 8 ranges of 'w1' not taken: they cut off most of the weights, or leave zeros of them"),
])
def test_what_is_unreasonable_is_said(plain, entry, why):
    said, got = imported(plain, [{"name": "b0", "bit": 32}, entry])
    assert said == "warning: q.json:2: %s\n" % why
    if entry["name"] != "w1":
        assert plain.bytes("b.sim") == plain.bytes("a.sim")


def test_more_that_is_unreasonable(tmp_path):
    """Models with scales, integers and bits of their own."""
    p = project(tmp_path / "a", *integer_grid())
    assert imported(p, [{"name": "d0", "min": [0], "max": [3e3]}])[0] == "warning: q.json:1: range of 'd0' not taken: the model brings its scale\n"
    nodes, constants, outputs = shared_head()
    p = project(tmp_path / "b", nodes, constants, outputs, "[CONV_CONFIG]\ninput_format=ALL_UINT8\n")
    table = [{"name": "off8", "min": [-0.01], "max": [0.01]}, {"name": "head", "bit": 16}, {"name": "off", "min": [-9], "max": [9]}, {"name": "sig", "min": [0], "max": [2]}]
    said, got = imported(p, table)
    assert said == ("warning: q.json:2: bit of 'head' not taken: the ini's input_format decides\n"
                    "warning: q.json:4: range of 'sig' not taken: its operator has a scale of its own\n"
                    "warning: q.json:1: range of 'off8' not taken: it ends before half of the constant's numbers do\n")
    assert got["off8"]["max"] == [pytest.approx(max(0, constants["off8"].max()))] and got["off"]["max"] == [9]


@pytest.mark.parametrize("entry, message", [
    ({"name": "r9"}, "'r9' is not a tensor of the float model\n  did you mean 'r0'? get_tensor_details of the float model lists its tensors\n"),
    ({"name": "something else"}, "'something else' is not a tensor of the float model\n  get_tensor_details of the float model lists its tensors\n"),
    ({"name": "c0"}, "'c0' became part of the layer that makes 'r0'\n  get_tensor_details of the float model lists its tensors\n"),
    ({"name": "r0", "min": [0, 0], "max": [1, 1]}, "min and max of 'r0': expected 1 number or 8, one for each channel, found 2\n"),
    ({"name": "w1", "min": [0] * 9, "max": [1] * 9}, "min and max of 'w1': expected 1 number or 8, one for each kernel, found 9\n"),
    ({"name": "r0", "bit": 32}, "bit of 'r0': expected 8 or 16, found 32\n"), ({"name": "w1", "bit": 32}, "bit of 'w1': expected 4, 8 or 16, found 32\n"),
    ({"name": "r0", "bit": 4}, "bit of 'r0': expected 8 or 16, found 4\n  only weights of a convolution may have 4 bits\n"),
    ({"name": "r0", "data": [1, 2]}, "'r0' has data, but is no constant of real numbers\n"),
    ({"name": "b2", "data": [1, 2]}, "data of 'b2': expected the shape [4], found [2]\n"),
    ({"name": "w2", "data": [[[[1] * 8]]]}, "data of 'w2': expected the shape [4,1,1,8], found [1,1,1,8]\n"),
])
def test_what_does_not_fit_is_an_error(plain, entry, message):
    (plain.folder / "b.sim").unlink(missing_ok=True)
    said, got = imported(plain, [{"name": "b0", "bit": 32}, entry])
    assert (said.split("error: ")[-1], got) == ("q.json:2: " + message, None)
    assert not (plain.folder / "b.sim").exists()


def test_two_names_of_one_tensor(tmp_path):
    nodes, constants = chain(1)
    nodes[4:] = [helper.make_node("Transpose", ["r1"], ["alias"], perm=[0, 2, 3, 1]), helper.make_node("Transpose", ["alias"], ["back"], perm=[0, 3, 1, 2]), nodes[4]]
    nodes[-1].input[0] = "back"
    p = project(tmp_path / "p", nodes, constants)
    assert imported(p, [{"name": "alias", "min": [0], "max": [99]}])[0] == ""
    assert imported(p, [{"name": "alias"}, {"name": "r1"}])[0].endswith("error: q.json:2: 'alias' and 'r1' are names of one tensor\n")


def test_save_misuse(plain):
    for args, message in ((("-m", "m_float.sim", "--output_mode", "JSON"), "m_float.sim: expected a fixed-point model, found a float one\n"),
                          (("-m", "a.sim", "--output_mode", "XML"), "expected --output_mode JSON or Pickle, found 'XML'\n")):
        r = plain.sgs("save-quant-param", *args)
        assert r.returncode == 2 and r.stderr == "error: " + message
    (plain.folder / "out").mkdir()
    assert plain.good("save-quant-param", "-m", "a.sim", "--output_mode", "JSON", "-o", "out") == "wrote out/a.json\n"
    assert re.search("required.*--output_mode.*JSON.Pickle", plain.good("save-quant-param", "-h"), re.S)


def test_every_stage_in_one_go(plain):
    """SGS_converter takes the file too."""
    (plain.folder / "q.json").write_text(json.dumps([{"name": "r0", "min": [0], "max": [50]}]))
    r = plain.convert("--export_models", "--quant_file", "q.json", out="net.img")
    assert r.returncode == 0, r.stderr
    plain.good(*CALIBRATE, "--quant_file", "q.json")
    assert plain.bytes("net_fixed.sim") == plain.bytes("b.sim") != plain.bytes("a.sim")
