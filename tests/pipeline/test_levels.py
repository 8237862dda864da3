"""Levels of calibration on a small seeded network: each at least as near to float as those below, on samples that did not calibrate; a hard twin is no harder."""
import os
import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import toolchain as tc  # noqa: E402
import twin  # noqa: E402

LEVELS = ("L1", "L2", "L3", "L4", "L5")
INI = """[INPUT_CONFIG]
inputs=x;
training_input_formats=RAWDATA_F32_NHWC;
input_formats=RAWDATA_F32_NHWC;
quantizations=TRUE;
[OUTPUT_CONFIG]
outputs=y;
dequantizations=TRUE;
[CONV_CONFIG]
input_format=ALL_UINT8;
"""
SCRIPT = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"


def network(path):
    """Convolutions, one of them depthwise, with ReLU between; a pool and a classifier."""
    r, nodes, weights = np.random.default_rng(5), [], []
    shapes = [(16, 3, 3, 2, 1), (16, 1, 3, 1, 16), (24, 16, 1, 1, 1), (24, 24, 3, 2, 1), (32, 24, 1, 1, 1)]
    now = "x"
    for i, (outputs, inputs, kernel, stride, groups) in enumerate(shapes):
        w = r.standard_normal((outputs, inputs, kernel, kernel)) * np.sqrt(2 / (inputs * kernel * kernel))
        weights += [numpy_helper.from_array(w.astype(np.float32), "w%d" % i), numpy_helper.from_array((r.standard_normal(outputs) / 5).astype(np.float32), "b%d" % i)]
        nodes.append(helper.make_node("Conv", [now, "w%d" % i, "b%d" % i], ["c%d" % i], name="conv%d" % i, kernel_shape=[kernel] * 2, strides=[stride] * 2, group=groups,
                                      pads=[kernel // 2] * 4))
        nodes.append(helper.make_node("Relu", ["c%d" % i], ["r%d" % i]))
        now = "r%d" % i
    weights.append(numpy_helper.from_array((r.standard_normal((32, 10)) / 4).astype(np.float32), "wf"))
    nodes += [helper.make_node("GlobalAveragePool", [now], ["p"]), helper.make_node("Flatten", ["p"], ["f"]), helper.make_node("MatMul", ["f", "wf"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, [1, 3, 24, 24])], [helper.make_tensor_value_info("y", 1, [1, 10])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def samples(folder, count, seed):
    """Smooth fields, each with a level and a contrast of its own."""
    r, paths = np.random.default_rng(seed), []
    folder.mkdir()
    for i in range(count):
        x = r.standard_normal((1, 6, 6, 3)).repeat(4, 1).repeat(4, 2) * r.uniform(0.3, 1.5) + r.standard_normal((1, 24, 24, 3)) / 4 + r.uniform(-1, 1, 3)
        paths.append(folder / ("%03d.npy" % i))
        np.save(paths[-1], x.astype(np.float32))
    return paths


class Project:
    def __init__(self, folder, model):
        folder.mkdir()
        self.t = tc.Toolchain(os.environ["OPENIPU_BUILD"], folder, "m")
        (folder / "i.ini").write_text(INI)
        (folder / "p.py").write_text(SCRIPT)
        self.t.convert(model, folder / "i.ini")

    def calibrate(self, calib, level, *more):
        return self.t.calibrate("i.ini", calib, "p.py", level, *more)

    def sqnr(self, test):
        reference = self.t.simulate("Float", test, "p.py")[0]
        return tc.sqnr_db(reference, self.t.simulate("Fixed", test, "p.py")[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of samples; the network and its twin at each level: {name: {level: dB}}, {name: {level: log}}."""
    work = tmp_path_factory.mktemp("levels")
    samples(work / "calib", 40, 1)
    samples(work / "test", 60, 2)
    network(work / "net.onnx")
    assert twin.make(work / "net.onnx", work / "twin.onnx", 3, 4) == 16 + 16 + 24 + 24
    db, log, projects = {}, {}, {}
    for name in ("net", "twin"):
        p = projects[name] = Project(work / name, work / (name + ".onnx"))
        db[name], log[name] = {}, {}
        for level in LEVELS:
            log[name][level] = p.calibrate(work / "calib", level)
            db[name][level] = p.sqnr(work / "test")
    print(db)
    return work, projects, db, log


def test_a_twin_is_the_same_function(made):
    work = made[0]
    a, b = (onnxruntime.InferenceSession(str(work / (n + ".onnx")), providers=["CPUExecutionProvider"]) for n in ("net", "twin"))
    for p in sorted((work / "test").iterdir())[:5]:
        x = np.load(p).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(a.run(None, {"x": x})[0], b.run(None, {"x": x})[0], rtol=1e-6)


@pytest.mark.parametrize("name", ["net", "twin"])
def test_no_level_is_worse_than_the_one_below(made, name):
    db = made[2][name]
    for below, above in zip(LEVELS, LEVELS[1:]):
        assert db[above] > db[below] - 0.3, (below, above, db)  # dB: samples that calibrate and samples that test are not the same


def test_a_hard_twin_is_hardly_harder(made):
    """One scale a tensor loses 10 dB and more.  Scales for channels do not see the factors; what is left is that the network itself may do with one scale."""
    db = made[2]
    for level in ("L1", "L2"):
        assert db["twin"][level] < db["net"][level] - 10, db
    for level in ("L4", "L5"):
        assert db["twin"][level] > db["net"][level] - 3, db


def test_what_does_not_help_is_left(made):
    """Each line of the log is a trial: one that is kept is better than all before, one that is clearly better is kept."""
    for name in ("net", "twin"):
        for level in ("L4", "L5"):
            best, left = -1000, 0
            for what, db, verdict in re.findall(r"^  ([^\n]*): (-?[0-9.]+) dB(, not kept|)$", made[3][name][level].partition("SQNR on")[2].partition("expected SQNR")[0], re.M):
                assert float(db) < best + 4.5 if verdict else float(db) > best, (what, db, best)
                best, left = (best, left + 1) if verdict else (float(db), left)
            assert best > 0 and left, (name, level)


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_same_bytes_for_any_number_of_processes(made, level):
    """And of threads: as many share what a level tries."""
    work, projects = made[0], made[1]
    p, found = projects["twin"], set()
    for n in ("1", "2", "5"):
        p.calibrate(work / "calib", level, "--num_process", n)
        found.add(p.t.path("Fixed").read_bytes())
    assert len(found) == 1
