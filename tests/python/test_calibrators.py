"""calibrator, compiler, SIM_Calibrator, SIM_Simulator, utils: the same bytes as the tools, in one process and in many; what is said of misuse."""
import json
import logging
import os
import pathlib
import pickle
import random
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import calibrator_custom as cc  # noqa: E402
from support import INI, PREPROCESS, Project, save_model  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("calibrators") / "p", pictures=7)
    p.good("convert-tool", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "net_float.sim")
    p.pictures = [np.load(f) for f in sorted((p.folder / "pics").iterdir())]
    p.script = cc.utils.image_preprocess_func(str(p.folder / "preprocess.py"))
    p.arrays = [p.script(f) for f in sorted((p.folder / "pics").iterdir())]
    return p


class Net(cc.SIM_Calibrator):
    def __init__(self, project):
        super().__init__()
        self.model = cc.calibrator(project.folder / "net_float.sim", project.folder / "input_config.ini")

    def forward(self, x):
        self.model.set_input(0, x)
        self.model.invoke()
        return [self.model.get_output(i) for i in range(len(self.model.get_output_details()))]


def converted(project, tmp_path, net=Net, items=None, **options):
    items = [[a] for a in project.arrays] if items is None else items
    net(project).convert((i for i in items), fix_model=[str(tmp_path / "x_fixed.sim")], **options)
    return (tmp_path / "x_fixed.sim").read_bytes()


def test_calibrator_is_a_float_model(project):
    model, simulator = Net(project).model, cc.float_simulator(project.folder / "net_float.sim")
    for m in (model, simulator):
        m.set_input(0, project.arrays[0])
        m.invoke()
    assert model.get_output(0).tobytes() == simulator.get_output(0).tobytes()
    assert [t["name"] for t in model.get_tensor_details()] == [t["name"] for t in simulator.get_tensor_details()]
    assert model.get_op_details() == simulator.get_op_details()


def test_the_tools_own_bytes(project, tmp_path):
    """What calibrator.py makes of the same pictures."""
    for level in ("L1", "L2", "L3", "L4", "L5"):
        project.good("calibrate", "-m", "net_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--quant_level", level,
                     "-o", level + "_fixed.sim")
        assert converted(project, tmp_path, quant_level=level) == project.bytes(level + "_fixed.sim")


@pytest.mark.parametrize("level", ["L1", "L3", None])
def test_processes(project, tmp_path, level):
    alone = converted(project, tmp_path, quant_level=level)
    for n in (2, 3, 10):
        assert converted(project, tmp_path, quant_level=level, num_process=n) == alone
    backwards = converted(project, tmp_path, quant_level=level, items=[[a] for a in reversed(project.arrays)])
    assert backwards == alone, "what samples say does not depend on their order"


class Twice(Net):
    """Models in a list; one of them runs twice for each item, and on what the other made."""

    def __init__(self, project):
        self.models = [cc.calibrator(project.folder / "net_float.sim", project.folder / "input_config.ini") for _ in range(2)]

    def forward(self, x, bias):
        (y,) = self.run(0, x)
        self.run(1, x + y.reshape(-1)[:1])
        return self.run(1, x * 2 + bias)

    def run(self, k, x):
        self.models[k].set_input(0, x)
        self.models[k].invoke()
        return [self.models[k].get_output(0)]


def test_several_models(project, tmp_path):
    r = np.random.default_rng(3)
    items = [[a, r.standard_normal((1, 1, 1, 3)).astype(np.float32)] for a in project.arrays]
    made = []
    for n in (1, 2, 4):
        paths = [tmp_path / ("%d_%d.sim" % (n, k)) for k in range(2)]
        Twice(project).convert(items, fix_model=paths, num_process=n)
        made.append([p.read_bytes() for p in paths])
    assert made[0] == made[1] == made[2] and made[0][0] != made[0][1]
    assert made[0][0] == converted(project, tmp_path), "the first saw what a network of its own would have seen"
    ranges = [{t["name"]: t for t in cc.fixed_simulator(p).get_tensor_details()} for p in paths]
    assert ranges[0]["r1"]["max"] < ranges[1]["r1"]["max"], "the second one saw larger numbers"


@pytest.mark.parametrize("n", [1, 2])
def test_runs_outside_do_not_count(project, tmp_path, n):
    """Before, in the generator, in a convert that failed or that succeeded: only this convert's forward counts."""
    net, want = Net(project), converted(project, tmp_path)

    def items(end=None):
        for i, a in enumerate(project.arrays):
            net.forward(a * 50)
            yield [a] if i != end else []
    net.forward(project.arrays[0] * 100)
    with pytest.raises(TypeError, match="forward"):
        net.convert(items(5), fix_model=[tmp_path / "y.sim"], num_process=n)
    for _ in range(2):
        net.convert(items(), fix_model=[tmp_path / "y.sim"], num_process=n)
        assert (tmp_path / "y.sim").read_bytes() == want


def test_few_samples(project, tmp_path):
    with pytest.warns(UserWarning, match="1 sample to calibrate with; about 100 give better ranges"):
        converted(project, tmp_path, items=[[project.arrays[0]]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted(project, tmp_path, items=[[a] for a in project.arrays * 2])


def test_quantization_parameters(project, tmp_path):
    """quant_param as a path of either form, as a list, with numpy's arrays, one for each model: calibrator.py's bytes with --quant_file."""
    options = ("-m", "net_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--quant_level", "L1")
    project.good("calibrate", *options, "-o", "plain_fixed.sim")
    project.good("save-quant-param", "-m", "plain_fixed.sim", "--output_mode", "JSON")
    table = json.loads(project.bytes("plain_fixed.json"))
    (entry,) = [t for t in table if t["name"] == "r1"]
    entry.update(min=[0.0], max=[9.0])
    project.write("wider.json", json.dumps(table))
    project.good("calibrate", *options, "--quant_file", "wider.json", "-o", "wider_fixed.sim")
    want, arrays = project.bytes("wider_fixed.sim"), [dict(t, min=np.float32(t["min"]), max=np.float32(t["max"])) for t in table]
    (project.folder / "wider.pkl").write_bytes(pickle.dumps(arrays, protocol=4))
    assert want != project.bytes("plain_fixed.sim")
    for given in (project.folder / "wider.json", str(project.folder / "wider.pkl"), table, arrays, [table], [str(project.folder / "wider.json")]):
        assert converted(project, tmp_path, quant_level="L1", quant_param=given, num_process=2) == want
    for nothing in (None, [None]):
        assert converted(project, tmp_path, quant_level="L1", quant_param=nothing) == project.bytes("plain_fixed.sim")
    paths = [tmp_path / ("%d.sim" % k) for k in range(2)]
    r = np.random.default_rng(3)
    Twice(project).convert([[a, np.float32(r.standard_normal((1, 1, 1, 3)))] for a in project.arrays], quant_level="L1", quant_param=[None, table], fix_model=paths)
    (second,) = [t for t in cc.fixed_simulator(paths[1]).get_tensor_details() if t["name"] == "r1"]
    assert paths[0].read_bytes() == project.bytes("plain_fixed.sim") and max(second["max"]) == 9


def test_two_inputs(tmp_path):
    """forward with two parameters, one model of two inputs."""
    one = (TensorProto.FLOAT, [1, 4])
    save_model(tmp_path / "m.onnx", {"a": one, "b": one}, {"y": one}, [helper.make_node("Add", ["a", "b"], ["y"])], {})
    (tmp_path / "i.ini").write_text("[INPUT_CONFIG]\ninputs=a,b;\ninput_formats=RAWDATA_F32_NHWC,RAWDATA_S16_NHWC;\n"
                                    "[OUTPUT_CONFIG]\noutputs=y;\ndequantizations=FALSE;\n")
    done = subprocess.run([os.environ["SGS_BIN"], "convert-tool", "onnx", "--model_file", "m.onnx", "--input_config", "i.ini", "--output_file", "m_float.sim"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    class Sum(cc.SIM_Calibrator):
        def __init__(self):
            self.model = cc.calibrator(tmp_path / "m_float.sim", tmp_path / "i.ini")

        def forward(self, a, b):
            self.model.set_input(0, a)
            self.model.set_input(1, b)
            self.model.invoke()

    items = [[np.full((1, 4), 1.1 * k, np.float32), np.full((1, 4), -3.3 * k, np.float32)] for k in range(5)]
    for n in (1, 3, 2):
        Sum().convert(items, num_process=n, fix_model=[tmp_path / ("%d_fixed.sim" % n)])
    assert (tmp_path / "1_fixed.sim").read_bytes() == (tmp_path / "2_fixed.sim").read_bytes() == (tmp_path / "3_fixed.sim").read_bytes()
    (tmp_path / "2_fixed.sim").rename(tmp_path / "m_fixed.sim")
    fixed = cc.fixed_simulator(tmp_path / "m_fixed.sim")
    a, b = fixed.get_input_details()
    (y,) = fixed.get_output_details()
    assert a["dtype"] is np.float32 and b["dtype"] is np.int16 and y["dtype"] is np.int16
    assert b["quantization"] == [(pytest.approx(13.2 / 32767), 0)] and y["quantization"] == [(pytest.approx(8.8 / 32767), 0)]
    fixed.set_input(0, np.full((1, 4), 2, np.float32))
    fixed.set_input(1, np.full((1, 4), -9000, np.int16))
    fixed.invoke()
    assert np.abs(fixed.get_output(0) * y["quantization"][0][0] - (2 - 9000 * 13.2 / 32767)).max() < 2e-3
    with pytest.raises(TypeError, match="input 1 'b': expected dtype int16, found float32"):
        fixed.set_input(1, np.zeros((1, 4), np.float32))


# ---- operators that fixed point does not know ------------------------------------------------------------------------------


class Line(cc.SIM_Calibrator):
    def __init__(self, folder, name):
        super().__init__()
        self.model = cc.calibrator(folder / name, folder / "i.ini")

    def forward(self, x):
        self.model.set_input(0, x)
        self.model.invoke()


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """An LSTM, converted as usual and with --skip_simplify; arrays to calibrate with."""
    folder, r = tmp_path_factory.mktemp("line"), np.random.default_rng(5)
    weights = {"w": r.standard_normal((1, 16, 3)).astype(np.float32), "r": (r.standard_normal((1, 16, 4)) / 2).astype(np.float32), "s": np.array([1])}
    save_model(folder / "m.onnx", {"x": (TensorProto.FLOAT, [6, 1, 3])}, {"z": (TensorProto.FLOAT, [6, 1, 4]), "c": (TensorProto.FLOAT, [1, 1, 4])},
               [helper.make_node("LSTM", ["x", "w", "r"], ["y", "h", "c"], "line", hidden_size=4), helper.make_node("Squeeze", ["y", "s"], ["z"])], weights)
    (folder / "i.ini").write_text("[INPUT_CONFIG]\ninputs=x;\ninput_formats=RAWDATA_F32_NHWC;\n[OUTPUT_CONFIG]\noutputs=z,c;\ndequantizations=TRUE,TRUE;\n")
    (folder / "p.py").write_text("import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    (folder / "arrays").mkdir()
    items = [r.standard_normal((6, 1, 3)).astype(np.float32) for _ in range(7)]
    for i, x in enumerate(items):
        np.save(folder / "arrays" / ("%d.npy" % i), x)
    for name, more in (("m_float.sim", []), ("all_float.sim", ["--skip_simplify"])):
        run_tool(folder, "convert-tool", "onnx", "--model_file", "m.onnx", "--input_config", "i.ini", "--output_file", name, *more)
    return folder, items


def run_tool(folder, *args):
    done = subprocess.run([os.environ["SGS_BIN"], *args], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def operators(model):
    return [o["op_name"] for o in model.get_op_details()]


def test_one_operator_becomes_many(line):
    folder, items = line
    simulator, model, unsimplified = cc.float_simulator(folder / "m_float.sim"), Line(folder, "m_float.sim").model, Line(folder, "all_float.sim").model
    assert operators(simulator).count("lstm") == 1 and len(operators(simulator)) == 2
    assert "lstm" not in operators(model) and operators(model).count("tanh") == 12
    assert operators(unsimplified).count("tanh") == 12 and len(operators(unsimplified)) > len(operators(model)), "it was not to be simplified"
    for m in (simulator, model, unsimplified):
        m.set_input(0, items[0])
        m.invoke()
        for i in range(2):
            assert np.abs(m.get_output(i) - simulator.get_output(i)).max() < 1e-6
    assert {t["name"]: t["qtype"] for t in simulator.get_tensor_details() if t["name"] in "xzc"} == {"x": "UINT8", "z": "INT16", "c": "INT16"}


@pytest.mark.parametrize("name", ["m", "all"])
@pytest.mark.parametrize("level", ["L1", "L2"])
def test_spelled_out_by_tool_and_by_hand(line, name, level):
    folder, items = line
    tool, hand = (folder / ("%s_%s_%s.sim" % (name, level, who)) for who in ("tool", "hand"))
    run_tool(folder, "calibrate", "-m", name + "_float.sim", "--input_config", "i.ini", "-i", "arrays", "-n", "p.py", "--quant_level", level, "-o", tool)
    Line(folder, name + "_float.sim").convert(([x] for x in items), fix_model=[hand], quant_level=level, num_process=2)
    assert tool.read_bytes() == hand.read_bytes()
    fixed, simulator = cc.fixed_simulator(tool), cc.float_simulator(folder / (name + "_float.sim"))
    for m in (fixed, simulator):
        m.set_input(0, items[0])
        m.invoke()
    for i in range(2):
        want = simulator.get_output(i)
        assert np.abs(fixed.get_output(i) - want).max() < 0.05 * np.abs(want).max(), "products are of 8 bits"


# ---- segments ----------------------------------------------------------------------------------------------------------------


STAGES = {
    "one": "[INPUT_CONFIG]\ninputs=x;\ninput_formats=RAWDATA_F32_NHWC;\n[OUTPUT_CONFIG]\noutputs=score,wide,feature;\ndequantizations=TRUE,TRUE,FALSE;\n",
    "two": "[INPUT_CONFIG]\ninputs=feature,roi;\ninput_formats=RAWDATA_S16_NHWC,RAWDATA_F32_NHWC;\n[OUTPUT_CONFIG]\noutputs=y;\ndequantizations=TRUE;\n",
}


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Two models that share `feature`; in the first it lies in one memory, and so in one scale, with numbers that are nine times as large."""
    folder, r = tmp_path_factory.mktemp("segments"), np.random.default_rng(4)
    f, w = TensorProto.FLOAT, {"w": r.standard_normal((8, 8)).astype(np.float32), "nine": np.float32([9]), "v": r.standard_normal((8, 2)).astype(np.float32)}
    save_model(folder / "one.onnx", {"x": (f, [1, 8])}, {"score": (f, [1, 1]), "wide": (f, [1, 16]), "feature": (f, [1, 8])},
               [helper.make_node("MatMul", ["x", "w"], ["feature"]), helper.make_node("Mul", ["feature", "nine"], ["large"]),
                helper.make_node("Concat", ["feature", "large"], ["wide"], axis=1),
                helper.make_node("ReduceMean", ["feature"], ["score"], axes=[1])], {k: w[k] for k in ("w", "nine")})
    save_model(folder / "two.onnx", {"feature": (f, [1, 8]), "roi": (f, [1, 8])}, {"y": (f, [1, 2])},
               [helper.make_node("Add", ["feature", "roi"], ["s"]), helper.make_node("MatMul", ["s", "v"], ["y"])], {"v": w["v"]})
    for name, ini in STAGES.items():
        (folder / (name + ".ini")).write_text(ini)
        done = subprocess.run([os.environ["SGS_BIN"], "convert-tool", "onnx", "--model_file", name + ".onnx", "--input_config", name + ".ini",
                               "--output_file", name + "_float.sim"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def two_segments(base, one, two, between=lambda feature: feature):
    """The network of both; between: what its own Python does to the feature."""
    class Net(base):
        def __init__(self):
            super().__init__()
            self.one, self.two = one, two

        def forward(self, x):
            self.one.set_input(0, x)
            self.one.invoke()
            score, _, feature = [self.one.get_output(i) for i in range(3)]
            self.two.set_input(0, between(feature))
            self.two.set_input(1, np.full((1, 8), score[0, 0], np.float32))
            self.two.invoke()
            return self.two.get_output(0)
    return Net()


def scales(folder):
    one, two = (cc.fixed_simulator(folder / n) for n in ("one_fixed.sim", "two_fixed.sim"))
    return one, two, one.get_output_details()[2]["quantization"], two.get_input_details()[0]["quantization"]


def test_segments(segments, tmp_path):
    """What one model hands to the other as it is gets one scale; the integers go straight over, and the numbers are those of the float models."""
    r = np.random.default_rng(6)
    items = [[r.standard_normal((1, 8)).astype(np.float32)] for _ in range(9)]
    models = [cc.calibrator(segments / (n + "_float.sim"), segments / (n + ".ini")) for n in ("one", "two")]
    made = []
    for n in (1, 3):
        two_segments(cc.SIM_Calibrator, *[cc.calibrator(segments / (k + "_float.sim"), segments / (k + ".ini")) for k in ("one", "two")],
                     between=np.copy if n == 3 else lambda f: f).convert(items, num_process=n, fix_model=[tmp_path / "one_fixed.sim", tmp_path / "two_fixed.sim"])
        made.append([(tmp_path / k).read_bytes() for k in ("one_fixed.sim", "two_fixed.sim")])
    assert made[0] == made[1]
    one, two, out, given = scales(tmp_path)
    assert out == given and len(out) == 1 and out[0][1] == 0
    want = two_segments(cc.SIM_Simulator, *[cc.float_simulator(segments / (k + "_float.sim")) for k in ("one", "two")])(items)
    got = two_segments(cc.SIM_Simulator, one, two)(items)
    assert np.linalg.norm(np.subtract(want, got)) < 0.02 * np.linalg.norm(want), "8 bits; integers of another scale would be several times off"
    images = [cc.offline_simulator(cc.compiler(tmp_path / k).compile(tmp_path)) for k in ("one_fixed.sim", "two_fixed.sim")]
    assert [y.tobytes() for y in two_segments(cc.SIM_Simulator, *images)(items)] == [y.tobytes() for y in got]
    # Where Python changes it on the way, even once, each end keeps its own.
    odd = iter([True] + [False] * 8)
    two_segments(cc.SIM_Calibrator, *models, between=lambda f: f * np.float32(1.5) if next(odd) else f).convert(
        items, fix_model=[tmp_path / "one_fixed.sim", tmp_path / "two_fixed.sim"])
    _, _, out, given = scales(tmp_path)
    assert out[0][0] > 2 * given[0][0]


def test_wrong_ties(segments):
    one, two = (cc.calibrator(segments / (k + "_float.sim"), segments / (k + ".ini"))._model for k in ("one", "two"))
    for wrong in ((3, two, 0), (-1, two, 0), (2, two, 2), (2, two, -1), (2, one, 0)):
        with pytest.raises(ValueError, match="expected an output and an input of two calibrators"):
            one.tie(*wrong, None)
    with pytest.raises(TypeError, match="^expected a calibrator, found a simulator$"):
        one.tie(2, cc.float_simulator(segments / "one_float.sim")._model, 0, None)
    for wrong in ((0, None, 0), ("", two, 0), (0, cc.float_simulator(segments / "one_float.sim")._model, 0), ()):
        with pytest.raises(TypeError):
            one.tie(*wrong, None)
    assert one.tie(2, two, 0, None) is False, "nothing has run"


# ---- what goes wrong ---------------------------------------------------------------------------------------------------------


def test_forward_fails(project, tmp_path):
    class Odd(ValueError):
        def __init__(self, a, b):
            super().__init__("%s and %s" % (a, b))  # cannot be unpickled

    class Bad(Net):
        def forward(self, x, what):
            if what == "odd":
                raise Odd("this", "that")
            if what == "end":
                os._exit(3)
            return super().forward(x * what)

    for n in (1, 2):
        with pytest.raises(ZeroDivisionError):
            converted(project, tmp_path, Bad, ([a, 1 // (i < 3)] for i, a in enumerate(project.arrays)), num_process=n)
        with pytest.raises(ValueError if n == 1 else RuntimeError, match="this and that"):
            converted(project, tmp_path, Bad, [[project.arrays[0], "odd"]], num_process=n)
        with pytest.raises(ValueError, match="'data' holds NaN or infinity"):
            converted(project, tmp_path, Bad, [[a, np.float32("nan")] for a in project.arrays], num_process=n)
        with pytest.raises(TypeError, match="forward"):
            converted(project, tmp_path, Bad, [[project.arrays[0]]], num_process=n)
    with pytest.raises(RuntimeError, match="^process 2 of 2 ended with 3 before its work was done$"):
        converted(project, tmp_path, Bad, [[a, 1 if i != 1 else "end"] for i, a in enumerate(project.arrays)], num_process=2)
    assert not (tmp_path / "x_fixed.sim").exists()


def test_misuse(project, tmp_path):
    net, items, path = Net(project), [[project.arrays[0]]], str(tmp_path / "x.sim")

    def said(error, text, items=items, net=net, **options):
        with pytest.raises(error) as raised:
            net.convert(items, **dict(dict(fix_model=[path]), **options))
        assert str(raised.value) == text
    said(ValueError, "fix_model: expected a path for each of the 1 models that __init__ made, found 0", fix_model=[])
    said(ValueError, "fix_model: expected a path for each of the 1 models that __init__ made, found 2", fix_model=[path, path])
    said(TypeError, "fix_model: expected a list of paths, found str", fix_model=path)
    said(TypeError, "expected the path of a fixed-point model, found int", fix_model=[3])
    said(ValueError, "img_gen: expected items to calibrate with, found none", items=[])
    said(TypeError, "img_gen: expected items that are lists, an array for each parameter of forward, found ndarray", items=project.arrays)
    said(OSError, "p.json: cannot open: No such file or directory", quant_param="p.json")
    said(ValueError, "quant_param: 'w9' is not a tensor of the float model\n  did you mean 'w1'? get_tensor_details of the float model lists its tensors",
         quant_param=[{"name": "w9", "bit": 8}])
    said(TypeError, "quant_param: expected a path, a list of dictionaries, or one of these for each model, found int", quant_param=3)
    said(TypeError, "quant_param: expected a path, a list of dictionaries, or one of these for each model, found list", quant_param=[3])
    said(ValueError, "quant_param: expected one for each of the 1 models that __init__ made, found 2", quant_param=["a", "b"])
    said(ValueError, "expected --quant_level L1 to L5, found 'high'", quant_level="high")
    said(TypeError, "quant_level: expected 'L1' to 'L5', found int", quant_level=1)
    for n in (0, -1, 5000):
        said(ValueError, "num_process: expected 1 to 1024, found %d" % n, num_process=n)
    said(TypeError, "num_process: expected a whole number, found float", num_process=2.0)
    said(OSError, "%s: cannot write: No such file or directory" % (tmp_path / "absent/x.sim"), fix_model=[str(tmp_path / "absent/x.sim")])
    said(NotImplementedError, "N has no method forward", net=type("N", (cc.SIM_Calibrator,), {"__init__": lambda s: s.__dict__.update(m=net.model)})())
    said(ValueError, "N made no calibrator in __init__", net=type("N", (cc.SIM_Calibrator,), {})())
    with pytest.raises(TypeError, match="expected the path of an input_config.ini, found NoneType"):
        cc.calibrator(project.folder / "net_float.sim", None)
    inner = net.model._model
    with pytest.raises(ValueError) as raised:
        inner.write(path, None)
    assert str(raised.value) == "%s: nothing has run: there are no statistics to make a fixed-point model from" % (project.folder / "net_float.sim")
    net.forward(project.arrays[0])
    statistics = inner.take()
    net.forward(project.arrays[0])
    with pytest.raises(ValueError, match="^there are statistics that were not taken yet$"):
        inner.add(statistics)
    with pytest.raises(OSError, match="absent.ini"):
        cc.calibrator(project.folder / "net_float.sim", tmp_path / "absent.ini")
    (tmp_path / "other.ini").write_text((project.folder / "input_config.ini").read_text().replace("BGR", "RGB"))
    with pytest.raises(ValueError, match="other.ini.*RGB"):
        cc.calibrator(project.folder / "net_float.sim", tmp_path / "other.ini")


def test_any_arguments(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some of the arguments become names of files
    r = random.Random(5)
    net = Net(project)
    inner = net.model._model
    net.forward(project.arrays[0])
    statistics = inner.take()
    values = [None, 0, -1, 2**40, "", "L1", str(tmp_path / "z.sim"), b"", statistics, [], {}, object(), project.arrays[0], cc]
    for _ in range(300):  # a damaged message is refused or, where only numbers changed, taken
        bad = bytearray(statistics)
        for _ in range(r.randrange(4)):
            bad[r.randrange(len(bad))] ^= 1 << r.randrange(8)
        values.append(bytes(bad[:r.randrange(len(bad) + 1)]))
    for wrong in (b"", statistics[:31], statistics + b"x", statistics[:-1]):
        with pytest.raises(ValueError, match="^these are not the statistics of this model$"):
            inner.add(wrong)
    calls = [inner.take, inner.add, inner.write, inner.invoke, inner.clear, inner.tie, net.model.invoke, net.convert, cc.compiler, cc.calibrator, cc.utils.image_preprocess_func,
             cc.utils.convert_to_input_formats, cc.compiler(made(project)).compile, cc.SIM_Simulator(), cc._settings.sgs.compile, cc._settings.sgs.Model]
    for _ in range(3000):
        call = r.choice(calls)
        try:
            call(*[r.choice(values) for _ in range(r.randrange(5))])
        except Exception as e:
            assert not isinstance(e, (SystemError, MemoryError)), e
    assert net.forward(project.arrays[0])[0].shape == (1, 10)


# ---- the rest ----------------------------------------------------------------------------------------------------------------


def made(project):
    path = project.folder / "made_fixed.sim"
    if not path.exists():
        Net(project).convert([[a] for a in project.arrays], fix_model=[path])
    return path


def test_compiler(project, tmp_path, caplog):
    fixed = made(project)
    compiler = cc.compiler(fixed)
    assert compiler.get_input_details()[0]["dtype"] is np.uint8
    with caplog.at_level(logging.INFO, "calibrator_custom"):
        assert compiler.compile(tmp_path / "x.img", category="Classification") == str(tmp_path / "x.img")
    assert caplog.records
    project.good("compile", "-m", fixed, "-o", "tool.img", "-c", "Classification")
    assert (tmp_path / "x.img").read_bytes() == project.bytes("tool.img")
    assert compiler.compile() == str(fixed) + "_sgsimg.img" and compiler.compile(tmp_path) == str(tmp_path / (fixed.name + "_sgsimg.img"))
    with pytest.raises(ValueError, match="many"):
        compiler.compile(batch_mode="many")
    (board,), (given,) = compiler.get_input_extern_details(), compiler.get_input_details()
    assert board.pop("bytes") == 768 and board.pop("extern_shape").tolist() == given["shape"].tolist() == board.pop("shape").tolist() == [1, 16, 16, 3]
    assert board == {k: v for k, v in given.items() if k != "shape"}
    with pytest.raises(TypeError, match="category: expected a str, found int"):
        compiler.compile(category=1)
    with pytest.raises(ValueError, match="expected a fixed-point model, found a float model"):
        cc.compiler(project.folder / "net_float.sim")


@pytest.fixture(scope="module")
def elements(tmp_path_factory):
    """A fixed-point model of two inputs, one of two rows, and an output that has no dimension; another one without that output."""
    folder, f = tmp_path_factory.mktemp("elements"), TensorProto.FLOAT
    for name, outputs in (("two", {"y": (f, [2, 4]), "m": (f, [])}), ("stackable", {"y": (f, [2, 4])})):
        save_model(folder / (name + ".onnx"), {"a": (f, [1, 4]), "b": (f, [2, 4])}, outputs,
                   [helper.make_node("Add", ["a", "b"], ["y"])] + [helper.make_node("ReduceMean", ["b"], ["m"], keepdims=0)] * (len(outputs) - 1), {})
        (folder / "i.ini").write_text("[INPUT_CONFIG]\ninputs=a,b;\ninput_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC;\n[OUTPUT_CONFIG]\noutputs=%s;\ndequantizations=%s;\n"
                                      % (",".join(outputs), ",".join(["TRUE"] * len(outputs))))
        run_tool(folder, "convert-tool", "onnx", "--model_file", name + ".onnx", "--input_config", "i.ini", "--output_file", name + "_float.sim")

        class Sum(Line):
            def forward(self, a, b):
                self.model.set_input(1, b)
                super().forward(a)
        r = np.random.default_rng(8)
        Sum(folder, name + "_float.sim").convert([[r.standard_normal(s).astype(np.float32) for s in ((1, 4), (2, 4))] for _ in range(10)], fix_model=[folder / (name + "_fixed.sim")])
    return folder


def run_elements(model, a, b):
    model.set_input(0, a)
    model.set_input(1, b)
    model.invoke()
    return [model.get_output(i) for i in range(len(model.get_output_details()))]


@pytest.mark.parametrize("name, batch, mode, sizes", [("two", "5", "n_buf", range(1, 6)), ("stackable", "4,1,6", "one_buf", (4, 1, 6)), ("stackable", "3", "one_buf", (3,))])
def test_every_batch(elements, tmp_path, name, batch, mode, sizes):
    """As many elements as the image runs, larger and smaller in turn; each gives what it gives alone."""
    fixed = elements / (name + "_fixed.sim")
    alone = cc.offline_simulator(cc.compiler(fixed).compile(tmp_path / "one.img"))
    model = cc.offline_simulator(cc.compiler(fixed).compile(tmp_path / "many.img", batch=batch, batch_mode=mode))
    assert model.get_input_details()[1]["shape"].tolist() == [2 * (sizes[0] if mode == "one_buf" else 1), 4]
    r = np.random.default_rng(9)
    for n in [*sizes, *reversed(sizes)]:
        a, b = r.standard_normal((n, 4)).astype(np.float32), r.standard_normal((2 * n, 4)).astype(np.float32)
        got = run_elements(model, a, b)
        want = [run_elements(alone, a[k:k + 1], b[2 * k:2 * k + 2]) for k in range(n)]
        assert got[0].shape == (2 * n, 4) == tuple(model.get_output_details()[0]["shape"])
        assert got[0].tobytes() == b"".join(w[0].tobytes() for w in want)
        if name == "two":
            assert got[1].shape == (() if n == 1 else (n,)) and got[1].tobytes() == b"".join(w[1].tobytes() for w in want)


def test_wrong_batches(elements, tmp_path):
    fixed = elements / "stackable_fixed.sim"
    for batch, mode, said in (("5", "n_buf", "1 to 5"), ("4,2", "one_buf", "4 or 2")):
        model = cc.offline_simulator(cc.compiler(fixed).compile(tmp_path / "x.img", batch=batch, batch_mode=mode))
        for shape in ((12, 4), (3, 4), (0, 4), (2, 5), (2, 4, 1), (4,), ()):
            with pytest.raises(ValueError) as raised:
                model.set_input(1, np.zeros(shape, np.float32))
            assert str(raised.value) == "input 1 'b': expected %s elements of shape (2, 4), one behind the other, found shape %s" % (said, shape)
        a, b = np.ones((4, 4), np.float32), np.ones((8, 4), np.float32)
        run_elements(model, a, b)
        model.set_input(0, a[:2])
        with pytest.raises(ValueError, match="input 'b' was not set for a batch of 2"):
            model.invoke()
        with pytest.raises(ValueError, match="has not run"):
            model.get_output(0)
        assert run_elements(model, a[:2], b[:4])[0].shape == (4, 4)
        with pytest.raises(ValueError, match="expected a batch of .*, found 9"):
            model._model.set_batch(9)


class Board(cc.SIM_Simulator):
    def __init__(self, kind, path):
        super().__init__()
        self.model = kind(path)

    def forward(self, x):
        self.model.set_input(0, cc.utils.convert_to_input_formats(x, self.model.get_input_details()[0]))
        self.model.invoke()
        return self.model.get_output(0), os.getpid()


def test_simulator(project, tmp_path):
    """Results in order, from as many processes as asked for; fixed is offline."""
    fixed = made(project)
    image = cc.compiler(fixed).compile(tmp_path / "x.img")
    want = None
    for kind, path in ((cc.fixed_simulator, fixed), (cc.offline_simulator, image)):
        for n in (1, 3):
            results = Board(kind, path)(([p] for p in project.pictures), num_process=n)
            assert isinstance(results, list) and len({pid for _, pid in results}) == n
            got = [y.tobytes() for y, _ in results]
            want = want or got
            assert got == want and len(set(got)) == len(got)


def test_formats(project):
    details = cc.fixed_simulator(made(project)).get_input_details()[0]
    picture = project.pictures[0]
    swapped = cc.utils.convert_to_input_formats(picture, details)
    assert (swapped == picture[..., ::-1]).all() and swapped.flags.c_contiguous
    assert cc.utils.convert_to_input_formats(picture, dict(details, input_formats="RGB")) is picture
    padded = dict(details, input_formats="BGRA", input_width_alignment=20, input_height_alignment=3)
    four = cc.utils.convert_to_input_formats(picture, padded)
    assert four.shape == (1, 18, 20, 4) and (four[:, :16, :16, :3] == picture[..., ::-1]).all() and four.sum() == picture.sum()
    for wrong in ({"input_width_alignment": 0}, {"input_formats": "YUV_NV12", "input_height_alignment": 3}, {"training_input_formats": "GRAY"}):
        with pytest.raises(ValueError, match="^input 'data': expected a picture of [13] channels?, and its alignments$"):
            cc.utils.convert_to_input_formats(picture, dict(padded, **wrong))
    with pytest.raises(ValueError, match="^input 'data': expected formats of input_config.ini, found RGB and YUV$"):
        cc.utils.convert_to_input_formats(picture, dict(details, input_formats="YUV"))
    with pytest.raises(TypeError, match="^expected a tuple of at most 8 sizes$"):
        cc._settings.sgs.to_input_format("data", [1, 16, 16, 3], "RGB", "RGBA", "NHWC", 1, 1, 0, 0)
    with pytest.raises(ValueError, match="^expected sizes of 1 or more$"):
        cc._settings.sgs.to_input_format("data", (1, 0, 16, 3), "RGB", "RGBA", "NHWC", 1, 1, 0, 0)
    with pytest.raises(TypeError, match="^input 'data': expected dtype uint8, found float32$"):
        cc.utils.convert_to_input_formats(picture.astype(np.float32), details)
    with pytest.raises(ValueError, match=r"^input 'data': expected shape \(1, 16, 16, 3\), found \(16, 16, 3\)$"):
        cc.utils.convert_to_input_formats(picture[0], details)
    for wrong in (None, {}, {"shape": picture.shape}):
        with pytest.raises(TypeError, match="^details: expected a dictionary of get_input_details$"):
            cc.utils.convert_to_input_formats(picture, wrong)


@pytest.mark.parametrize("board, layout, shape", [("YUV_NV12", "NHWC", (1, 24, 32, 1)), ("YUV_NV12", "NCHW", (1, 24, 32, 1)), ("RGBA", "NHWC", (1, 16, 32, 4)), ("BGR", "NCHW", (1, 3, 16, 32))])
def test_pictures_as_a_board_has_them(tmp_path, board, layout, shape):
    """set_input takes what convert_to_input_formats makes, which is what the simulator tool gives the model; details keep the picture's shape."""
    p = Project(tmp_path / "p")
    turned = ".transpose(0, 3, 1, 2)" if layout == "NCHW" else ""
    p.write("input_config.ini", INI.replace("input_formats=BGR", "input_formats=%s\ninput_width_alignment=32\ninput_layouts=%s" % (board, layout)))
    p.write("preprocess.py", PREPROCESS.replace("return ((", "return np.ascontiguousarray(((").replace("float32)", "float32)%s)" % turned).replace("return image", "return np.ascontiguousarray(image%s)" % turned))
    r = p.convert("--export_models", out="out_offline.img")
    assert r.returncode == 0, r.stdout + r.stderr
    p.good("simulate", "-m", "out_offline.img", "-i", "pics", "-n", "preprocess.py", "--dump_rawdata", "--dump_output", "--output_dir", "out")
    for kind, name in ((cc.fixed_simulator, "out_fixed.sim"), (cc.offline_simulator, "out_offline.img")):
        model = kind(str(p.folder / name))
        details = model.get_input_details()[0]
        assert set(details) == {"index", "shape", "name", "dtype", "layouts", "training_input_formats", "input_formats", "input_width_alignment",
                                "input_height_alignment", "quantization"}
        assert details["shape"].tolist() == ([1, 3, 16, 16] if turned else [1, 16, 16, 3]) and details["input_width_alignment"] == 32
        picture = np.load(p.folder / "pics/0.npy").transpose(0, 3, 1, 2) if turned else np.load(p.folder / "pics/0.npy")
        array = cc.utils.convert_to_input_formats(picture, details)
        assert array.shape == shape and array.tobytes() == (p.folder / "out/0.npy.bin").read_bytes()
        model.set_input(0, array)
        model.invoke()
        assert model.get_output(0).tobytes() == np.load(p.folder / "out/0.npy.output0.npy").tobytes()
        with pytest.raises(ValueError, match=r"^input 0 'data': expected shape \(%s\), found" % ", ".join(map(str, shape))):
            model.set_input(0, picture)


def test_preprocess_func(tmp_path, monkeypatch):
    methods = tmp_path / "sdk/Scripts/calibrator/preprocess_method"
    methods.mkdir(parents=True)
    (methods / "beside.py").write_text("ONE = 1\n")
    (methods / "my_net.py").write_text("import beside\ndef image_preprocess(img_path, norm=True):\n    return img_path, norm\n")
    (methods / "empty.py").write_text("image_preprocess = 3\n")
    monkeypatch.setenv("SGS_IPU_DIR", str(tmp_path / "sdk"))
    for name in ("my_net", "my_net.py", str(methods / "my_net.py"), methods / "my_net.py"):
        assert cc.utils.image_preprocess_func(name)("p", norm=False) == ("p", False)
    with pytest.raises(FileNotFoundError, match="^expected a preprocess script or the name of one in Scripts/calibrator/preprocess_method, found 'other'$"):
        cc.utils.image_preprocess_func("other")
    with pytest.raises(TypeError, match="^expected a preprocess script, found int$"):
        cc.utils.image_preprocess_func(3)
    with pytest.raises(ValueError, match=r"expected a function image_preprocess\(img_path, norm=True\), found int"):
        cc.utils.image_preprocess_func("empty")
    assert cc.utils.get_sdk_version() == cc.__version__


def test_set_soc_version():
    script = textwrap.dedent("""
        import calibrator_custom as cc
        for wrong, error in ((None, TypeError), ("no_such_chip", (ValueError, NotImplementedError))):
            try:
                cc.set_soc_version(wrong)
                raise SystemExit("taken")
            except error as e:
                print(e)
        cc.set_soc_version("%s")
        try:
            cc.set_soc_version("%s")
        except RuntimeError as e:
            print(e)
    """)
    info = subprocess.run([os.environ["SGS_BIN"], "info"], capture_output=True, text=True).stdout
    chip = info.split("targets for --soc_version (left out: ")[1].split(")")[0]
    done = subprocess.run([sys.executable, "-c", script % (chip, chip)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("expected the name of a chip, found NoneType\n")
    assert "no_such_chip" in done.stdout and "set_soc_version can be called once only: it is '%s' already" % chip in done.stdout
