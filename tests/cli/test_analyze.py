"""sgs analyze: it finds the layer that loses the accuracy, says what 16 bits would win, and is right about it."""
import csv
import json
import math
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from support import Project, save_model
from test_bits import uneven

F = TensorProto.FLOAT
ARGS = ["-i", "pics", "-n", "preprocess.py"]


def project(folder, conv="input_format=ALL_UINT8", make=lambda path: uneven(path, 0.003), size=16):
    p = Project(folder, pictures=6, size=size)
    make(p.folder / "model.onnx")
    ini(p, conv)
    return calibrated(p)


def ini(p, conv):
    text = (p.folder / "input_config.ini").read_text().partition("[CONV_CONFIG]")[0]
    p.write("input_config.ini", text + "[CONV_CONFIG]\n%s\n" % conv)


def calibrated(p):
    r = p.convert("--export_models", "--quant_level", "L2", out="m.img")
    assert r.returncode == 0, r.stderr
    p.said = r.stdout
    return p


def analysis(p, *more):
    """The log and the JSON of it."""
    log = p.good("analyze", "-m", "m_fixed.sim", *ARGS, "--json", "a.json", *more)
    return log, json.loads((p.folder / "a.json").read_text())


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Eight bits at the layers behind channels of very different sizes."""
    return project(tmp_path_factory.mktemp("bad") / "p")


def test_it_finds_the_layers(bad):
    log, a = analysis(bad, "--tsv", "a.tsv")
    layers = {y["layer"]: y for y in a["layers"]}
    assert [y["layer"] for y in a["layers"]] == ["last", "depth", "first"] and set(layers["last"]) == {
        "layer", "op", "tensor", "bits", "weighted", "sqnr", "cosine", "max_error", "saturation", "alone", "share", "multiplications"}
    assert layers["last"]["alone"] < 20 < layers["depth"]["alone"] < 40 < layers["first"]["alone"]
    assert abs(sum(y["share"] for y in a["layers"]) - 1) < 1e-6 and layers["last"]["share"] > 0.7
    assert {y["bits"] for y in a["layers"]} == {8} and layers["last"]["tensor"] == "prob"
    assert a["multiplications"] == sum(y["multiplications"] for y in a["layers"]) == 16 * 16 * (8 * 27 + 8 * 9 + 4 * 8)
    # noise of single layers adds up to that of the model, and the model's is what calibration measured
    sum_alone = -10 * math.log10(sum(10 ** (-y["alone"] / 10) for y in a["layers"]))
    assert abs(sum_alone - a["sqnr"]) < 1 and a["outputs"][0]["output"] == "prob"
    assert abs(a["outputs"][0]["sqnr"] - float(re.search(r"^  prob: ([-\d.]+) dB$", bad.said, re.M)[1])) < 0.06
    rows = list(csv.DictReader((bad.folder / "a.tsv").open(), delimiter="\t"))
    assert [r["layer"] for r in rows] == ["last", "depth", "first"]
    assert all(float(r[k]) == y[k] for r, y in zip(rows, a["layers"]) for k in ("alone", "sqnr", "cosine", "max_error", "saturation", "share"))
    assert re.search(r"^last +conv +8 ", log, re.M) and "SQNR at the outputs, the fixed-point model against the float one, on 6 pictures:" in log


def test_the_suggestion_holds(bad, tmp_path):
    """Pasted into the ini, it wins what was expected."""
    log, a = analysis(bad, "--gain", "20")
    assert [r["tensor"] for r in a["raise"]] == ["r1", "r0"] and [r["layers"] for r in a["raise"]] == ["last", "depth"]
    assert a["conv_config"] == "tensor_arrays=r1,r0;" and "[CONV_CONFIG]\n" + a["conv_config"] + "\n" in log
    assert sum(r["multiplications"] for r in a["raise"]) == 16 * 16 * (8 * 9 + 4 * 8)
    p = project(tmp_path / "p", "input_format=ALL_UINT8\n" + a["conv_config"])
    _, now = analysis(p)
    assert a["sqnr"] < 15 and abs(now["sqnr"] - a["raise"][-1]["expected_sqnr"]) < 3
    grown = (p.folder / "m.img").stat().st_size - (bad.folder / "m.img").stat().st_size
    assert abs(grown - sum(r["image_bytes"] for r in a["raise"])) <= 256  # sections end on multiples of 64
    assert {y["layer"]: y["bits"] for y in now["layers"]} == {"first": 8, "depth": 16, "last": 16}


def test_a_small_gain_needs_less(bad):
    _, a = analysis(bad, "--gain", "3")
    assert [r["tensor"] for r in a["raise"]] == ["r1"] and a["raise"][0]["expected_sqnr"] > a["sqnr"] + 3


def test_what_the_ini_names_stays_named(tmp_path):
    p = project(tmp_path / "p", "input_format=ALL_UINT8\ntensor_arrays=r0")
    log, a = analysis(p, "--gain", "60")
    assert a["conv_config"] == "tensor_arrays=r0,r1;"
    assert "16 bits do not win the 60 dB asked for" in log
    ini(p, "input_format=ALL_UINT8\n" + a["conv_config"])
    log, a = analysis(calibrated(p))
    assert a["raise"] == [] and a["conv_config"] == "" and "no convolution is worth 16 bits" in log


def test_names_that_need_quotes(tmp_path):
    def make(path):
        uneven(path, 0.003)
        model = onnx.load(str(path))
        for n in model.graph.node:
            for names in (n.input, n.output):
                for i, name in enumerate(names):
                    names[i] = {"r0": "a, b;c", "r1": 'say "r1"'}.get(name, name)
            n.name = {"last": 'the "last"\tone'}.get(n.name, n.name)
        onnx.save(model, str(path))
    p = project(tmp_path / "p", make=make)
    _, a = analysis(p, "--gain", "20", "--tsv", "a.tsv")
    assert [r["tensor"] for r in a["raise"]] == ['say "r1"', "a, b;c"] and a["layers"][0]["layer"] == 'the "last"\tone'
    assert (p.folder / "a.tsv").read_text().splitlines()[1].startswith('the "last" one\t')
    ini(p, "input_format=ALL_UINT8\n" + a["conv_config"])
    assert analysis(calibrated(p))[1]["sqnr"] > 40


def test_saturation(tmp_path):
    """A picture brighter than all that calibrated: its values are cut off, and that is counted."""
    p = Project(tmp_path / "p", pictures=4)
    for f in (p.folder / "pics").iterdir():
        np.save(f, np.load(f) // 4 + 10)
    ini(p, "input_format=ALL_UINT8")
    calibrated(p)
    assert all(y["saturation"] == 0 for y in analysis(p)[1]["layers"] if y["weighted"])
    bright = p.folder / "pics/0.npy"
    np.save(bright, np.clip(np.load(bright).astype(int) * 3, 0, 255).astype(np.uint8))
    assert max(y["saturation"] for y in analysis(p)[1]["layers"]) > 0.01


def several(path):
    """Pools, a concatenation of branches of different sizes, an addition, an NCHW picture, a fully connected layer, two outputs."""
    r = np.random.default_rng(2)
    init = {k: r.standard_normal(s).astype(np.float32) for k, s in {"w0": (8, 3, 3, 3), "w1": (8, 8, 1, 1), "w2": (8, 8, 3, 3), "w3": (5, 8)}.items()}
    init["w1"] *= 0.01
    nodes = [helper.make_node("Conv", ["data", "w0"], ["c0"], name="first", kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c0"], ["r0"]),
             helper.make_node("MaxPool", ["r0"], ["p0"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Conv", ["p0", "w1"], ["c1"], name="small"), helper.make_node("Conv", ["p0", "w2"], ["c2"], name="large", kernel_shape=[3, 3], pads=[1] * 4),
             helper.make_node("Concat", ["c1", "c2"], ["joined"], name="join", axis=1), helper.make_node("Add", ["c1", "c2"], ["sum"], name="plus"),
             helper.make_node("GlobalAveragePool", ["sum"], ["g"], name="mean"), helper.make_node("Flatten", ["g"], ["f"], name="flat"),
             helper.make_node("Gemm", ["f", "w3"], ["prob"], name="dense", transB=1)]
    save_model(path, {"data": (F, [1, 3, 16, 16])}, {"prob": (F, [1, 5]), "joined": (F, [1, 16, 8, 8])}, nodes, init)


def test_other_layers(tmp_path):
    p = Project(tmp_path / "p", pictures=3)
    several(p.folder / "model.onnx")
    text = (p.folder / "input_config.ini").read_text().replace("outputs=prob", "outputs=prob,joined").replace("dequantizations=TRUE", "dequantizations=TRUE,TRUE")
    p.write("input_config.ini", text)
    calibrated(p)
    _, a = analysis(p, "--layer_pictures", "2", "--input_config", "input_config.ini")
    layers = {y["layer"]: y for y in a["layers"]}
    assert {"first", "pool", "small", "large", "plus", "dense"} <= set(layers) and a["layer_pictures"] == 2 and len(a["outputs"]) == 2
    assert layers["pool"]["alone"] is None  # it only moves integers
    assert a["layers"][-1]["alone"] is None and layers["plus"]["bits"] == 16 and layers["dense"]["weighted"]
    assert all(y["sqnr"] > 20 and y["cosine"] > 0.99 for y in a["layers"])


def test_integers_are_compared_as_what_they_stand_for(tmp_path):
    p = Project(tmp_path / "p", pictures=3)
    p.write("input_config.ini", (p.folder / "input_config.ini").read_text().replace("dequantizations=TRUE", "dequantizations=FALSE"))
    calibrated(p)
    assert analysis(p)[1]["outputs"][0]["sqnr"] > 25


# ---- what is refused -------------------------------------------------------------------------------------------------


def refused(p, *args):
    r = p.sgs("analyze", *args)
    assert r.returncode in (1, 2) and r.stdout == "", r.stdout
    return r.stderr


def test_the_float_model(bad, tmp_path):
    p = project(tmp_path / "p")
    (p.folder / "m_float.sim").rename(p.folder / "elsewhere.sim")
    assert refused(p, "-m", "m_fixed.sim", *ARGS) == ("error: m_fixed.sim: expected the float model beside it, m_float.sim, found none\n"
                                                      "  say where it is: --float_model FILE\n")
    assert "SQNR at the outputs" in p.good("analyze", "-m", "m_fixed.sim", "--float_model", "elsewhere.sim", *ARGS)
    (p.folder / "elsewhere.sim").rename(p.folder / "m.sim")  # m.sim becomes m_fixed.sim too
    assert "SQNR at the outputs" in p.good("analyze", "-m", "m_fixed.sim", *ARGS)


def test_another_models_float_model(tmp_path):
    p = project(tmp_path / "p")
    q = project(tmp_path / "q", make=lambda path: uneven(path, 0.01))
    (p.folder / "m_float.sim").write_bytes(q.bytes("m_float.sim"))
    assert refused(p, "-m", "m_fixed.sim", *ARGS) == (
        "error: m_float.sim: expected the float model that m_fixed.sim was calibrated from, found one that was converted from another file (model)\n"
        "  calibrate this float model again, or name the right one: --float_model FILE\n")
    ini(q, "input_format=ALL_INT16")
    uneven(q.folder / "model.onnx", 0.003)
    calibrated(q)
    (p.folder / "m_float.sim").write_bytes(q.bytes("m_float.sim"))
    assert "found one that was converted from another file (ini)" in refused(p, "-m", "m_fixed.sim", *ARGS)


def test_wrong_kinds_of_files(bad):
    assert "m_float.sim: expected a fixed-point model, X_fixed.sim, of this program's calibrator\n" in refused(bad, "-m", "m_float.sim", *ARGS)
    assert "m_fixed.sim: expected a float model, X_float.sim\n" in refused(bad, "-m", "m_fixed.sim", "--float_model", "m_fixed.sim", *ARGS)
    assert "cannot open" in refused(bad, "-m", "none.sim", *ARGS)
    bad.write("other.ini", (bad.folder / "input_config.ini").read_text().replace("outputs=prob", "outputs=c1"))
    assert "other.ini:9: outputs: expected 'prob', as the model was converted, found 'c1'" in refused(bad, "-m", "m_fixed.sim", "--input_config", "other.ini", *ARGS)
    assert "No such file or directory" in bad.sgs("analyze", "-m", "m_fixed.sim", *ARGS, "--json", "none/a.json").stderr
    assert not [f for f in bad.files() if ".tmp." in f]
