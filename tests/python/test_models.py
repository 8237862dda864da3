"""The simulators of calibrator_custom: what they tell, what they compute, what they say of wrong arguments."""
import gc
import pathlib
import random
import subprocess
import sys
import threading
import time

import numpy as np
import onnxruntime
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import calibrator_custom as cc  # noqa: E402
from support import Project, save_model  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

CLASSES = {"float": cc.float_simulator, "fixed": cc.fixed_simulator, "offline": cc.offline_simulator}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("python") / "p")
    r = p.convert("--export_models", out="out_offline.img")
    assert r.returncode == 0, r.stdout + r.stderr
    p.files_of = {"float": p.folder / "out_float.sim", "fixed": p.folder / "out_fixed.sim", "offline": p.folder / "out_offline.img"}
    p.pictures = [np.load(f) for f in sorted((p.folder / "pics").iterdir())]
    return p


def opened(project, kind):
    return CLASSES[kind](str(project.files_of[kind]))


def normalized(picture):
    return ((picture - np.array([10, 20, 30])) / np.array([50, 60, 70])).astype(np.float32)


def run(model, *arrays):
    for i, a in enumerate(arrays):
        model.set_input(i, a)
    model.invoke()
    return [model.get_output(i) for i in range(len(model.get_output_details()))]


def test_details(project):
    model = opened(project, "float")
    (given,), (result,) = model.get_input_details(), model.get_output_details()
    assert given.pop("shape").tolist() == [1, 16, 16, 3] and result["shape"].dtype == np.int32
    assert given == dict(index=0, name="data", dtype=np.float32, layouts="NHWC", training_input_formats="RGB", input_formats="BGR",
                         input_width_alignment=1, input_height_alignment=1, quantization=[])
    assert result.pop("shape").tolist() == [1, 10]
    assert result == dict(index=0, name="prob", dtype=np.float32, layouts="NHWC", output_formats="RAWDATA_F32_NHWC", quantization=[])
    for kind in ("fixed", "offline"):
        (given,) = opened(project, kind).get_input_details()
        assert given["dtype"] is np.uint8 and given["input_formats"] == "BGR"
        assert [(round(1 / s), z) for s, z in given["quantization"]] == [(70, 30), (60, 20), (50, 10)], "the board's order is BGR"
    given["shape"][0] = 9
    assert model.get_input_details()[0]["shape"][0] == 1, "details are the caller's own"


def test_tensor_details(project):
    tensors = opened(project, "float").get_tensor_details()
    names = [t["name"] for t in tensors]
    assert names == sorted(names) and len(set(names)) == len(names)
    assert all(sorted(t) == ["dtype", "name", "qtype", "shape"] for t in tensors)
    told = {t["name"]: (t["dtype"], t["qtype"], t["shape"].tolist()) for t in tensors}
    assert told["data"] == ("FLOAT32", "UINT8", [1, 16, 16, 3])
    assert told["w2"] == ("FLOAT32", "INT8", [10, 1, 1, 8])
    assert told["b2"] == ("FLOAT32", "INT32", [10])
    assert told["r1"] == ("FLOAT32", "UINT8", [1, 8, 8, 8]) and told["prob"] == ("FLOAT32", "INT16", [1, 10])
    fixed = {t["name"]: t for t in opened(project, "fixed").get_tensor_details()}
    assert all(sorted(t) == ["dtype", "max", "min", "name", "quantization", "shape"] for t in fixed.values())
    for name in ("data", "w2", "b2", "r1"):
        assert fixed[name]["dtype"] == told[name][1], "the type that was foretold"
    (scale, zero), lo, hi = fixed["r1"]["quantization"][0], fixed["r1"]["min"], fixed["r1"]["max"]
    assert len(fixed["w2"]["quantization"]) == 10 and zero == 0
    assert len(lo) == len(hi) == 8 and min(lo) == 0 and max(hi) == pytest.approx(scale * 255, rel=1e-5), "of each channel, the widest ends where the bytes do"
    assert [t["name"] for t in opened(project, "offline").get_tensor_details()] == ["data", "prob"]


def test_foretold_with_16_bits(project):
    """What the ini's [CONV_CONFIG] says shows in qtype, and becomes true."""
    ini = project.folder / "input_config.ini"
    before = ini.read_text()
    ini.write_text(before + "[CONV_CONFIG]\ninput_format=CONV2D_INT16;\n")
    made = project.convert("--export_models", out="wide.img")
    ini.write_text(before)
    assert made.returncode == 0, made.stderr
    told = {t["name"]: t["qtype"] for t in cc.float_simulator(project.folder / "wide_float.sim").get_tensor_details()}
    true = {t["name"]: t["dtype"] for t in cc.fixed_simulator(project.folder / "wide_fixed.sim").get_tensor_details()}
    assert told["w2"] == true["w2"] == "INT16" and told["b2"] == true["b2"] == "INT64" and told["w1"] == true["w1"] == "INT8"
    assert told["data"] == "UINT8"


def test_foretold_constants_that_stay_real(tmp_path):
    """Slopes, and scales and biases of a normalization, spelled out here: multipliers are made of them when the image is."""
    p, f = Project(tmp_path / "p"), TensorProto.FLOAT
    chain = [("PRelu", "data slope", "a"), ("ReduceMean", "a", "m", {"axes": [1]}), ("Sub", "a m", "c"), ("Mul", "c c", "q"), ("ReduceMean", "q", "v", {"axes": [1]}),
             ("Add", "v small", "e"), ("Sqrt", "e", "d"), ("Div", "c d", "n"), ("Mul", "n gamma", "g"), ("Add", "g beta", "prob")]
    numbers = {"slope": [0.25], "small": 1e-5, "gamma": np.linspace(1, 2, 3).reshape(3, 1, 1), "beta": np.linspace(-1, 1, 3).reshape(3, 1, 1)}
    save_model(p.folder / "model.onnx", {"data": (f, [1, 3, 16, 16])}, {"prob": (f, [1, 3, 16, 16])},
               [helper.make_node(op, i.split(), o.split(), **(attrs[0] if attrs else {})) for op, i, o, *attrs in chain], {k: np.float32(v) for k, v in numbers.items()})
    made = p.convert("--export_models", out="x.img")
    assert made.returncode == 0, made.stderr
    told = {t["name"]: t["qtype"] for t in cc.float_simulator(p.folder / "x_float.sim").get_tensor_details()}
    fixed = cc.fixed_simulator(p.folder / "x_fixed.sim")
    true = {t["name"]: t["dtype"] for t in fixed.get_tensor_details()}
    assert "layernorm" in {o["op_name"] for o in fixed.get_op_details()}
    for name in ("slope", "gamma", "beta"):
        assert told[name] == true[name] == "FLOAT32"


def test_op_details(project):
    for kind in ("float", "fixed"):
        model = opened(project, kind)
        ops, tensors = model.get_op_details(), {t["name"] for t in model.get_tensor_details()}
        assert [o["index"] for o in ops] == list(range(len(ops)))
        assert {"conv", "depthwise", "softmax"} <= {o["op_name"] for o in ops}
        depth = next(o for o in ops if o["op_name"] == "depthwise")
        assert depth["name"] == "depth" and depth["inputs"][1:3] == ["w1", "b1"] and depth["outputs"] == ["r1"]
        assert all(n in tensors for o in ops for n in o["inputs"] + o["outputs"] if n is not None)
    assert opened(project, "offline").get_op_details() == []


def test_numbers(project):
    """Float is onnxruntime's; fixed is offline's, byte for byte, and near."""
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(project.folder / "model.onnx"), quiet, providers=["CPUExecutionProvider"])
    models = {kind: opened(project, kind) for kind in CLASSES}
    for picture in project.pictures:
        x = normalized(picture)
        (want,) = session.run(None, {"data": x.transpose(0, 3, 1, 2)})
        (y,) = run(models["float"], x)
        assert np.allclose(y, want, atol=1e-5) and y.dtype == np.float32 and y.shape == (1, 10)
        board = np.ascontiguousarray(picture[..., ::-1])
        (fixed,), (offline,) = run(models["fixed"], board), run(models["offline"], board)
        assert fixed.tobytes() == offline.tobytes() and np.abs(fixed - want).max() < 0.05


def test_any_strides(project):
    """A view is read as what it shows; an output is the caller's own."""
    model, picture = opened(project, "fixed"), project.pictures[0]
    (want,) = run(model, np.ascontiguousarray(picture[..., ::-1]))
    (y,) = run(model, picture[..., ::-1])
    assert y.tobytes() == want.tobytes()
    (again,) = run(model, np.ascontiguousarray(project.pictures[1]))
    assert y.tobytes() == want.tobytes() != again.tobytes()
    picture.flags.writeable = False
    run(model, picture)
    bytes_between = np.zeros(picture.nbytes + 1, np.uint8)[1:].reshape(picture.shape)
    bytes_between[:] = picture
    assert run(model, bytes_between)[0].tobytes() == run(model, picture)[0].tobytes()


@pytest.mark.parametrize("kind", CLASSES)
def test_arrays_are_lent(project, kind):
    """A contiguous array is read where it lies when the model runs; of a view, of one that lies askew, and of one that is gone the model has what it showed."""
    model, (a, b) = opened(project, kind), project.pictures[:2]
    a, b = (normalized(p) if kind == "float" else p for p in (a, b))
    of_a, of_b = run(model, a)[0].tobytes(), run(model, b)[0].tobytes()
    assert of_a != of_b

    def after(data, change):
        model.set_input(0, data)
        change[...] = b
        model.invoke()
        return model.get_output(0).tobytes()
    mine = a.copy()
    assert after(mine, mine) == of_b
    model.set_input(0, a)
    model.invoke()
    assert model.get_output(0).tobytes() == of_a
    turned = np.ascontiguousarray(a.transpose(0, 2, 1, 3))
    assert after(turned.transpose(0, 2, 1, 3), turned.transpose(0, 2, 1, 3)) == of_a
    if kind == "float":
        askew = np.frombuffer(bytearray(a.nbytes + 1), np.uint8)[1:].view(np.float32).reshape(a.shape)
        askew[:] = a
        assert not askew.flags.aligned and after(askew, askew) == of_a
    model.set_input(0, a.copy())
    gc.collect()
    others = [np.full_like(a, 1) for _ in range(20)]
    model.invoke()
    assert model.get_output(0).tobytes() == of_a and len(others) == 20


@pytest.mark.parametrize("kind", CLASSES)
def test_wrong_arguments(project, kind):
    model = opened(project, kind)
    good = normalized(project.pictures[0]) if kind == "float" else project.pictures[0]
    other = np.uint8 if kind == "float" else np.float32
    with pytest.raises(ValueError, match="has not run"):
        model.get_output(0)
    with pytest.raises(ValueError, match=r"^the model has not run: call invoke\(\) first$"):
        model._model.get_output(0, good.ctypes.data, 40)
    for wrong in ((0, 0, 40), (0, good.ctypes.data, -1), (0, good.ctypes.data, 39), (3, good.ctypes.data, 40)):
        with pytest.raises(ValueError, match="^expected an output's number, and the address and bytes of an array for it$"):
            model._model.get_output(*wrong)
    for wrong in ((0, 0, 40), (0, good.ctypes.data, -1)):
        with pytest.raises(ValueError, match="^expected the address of an array and its bytes$"):
            model._model.set_input(*wrong)
    with pytest.raises(ValueError, match="^the model has 1 inputs; there is no input 1$"):
        model._model.set_input(1, good.ctypes.data, good.nbytes)
    with pytest.raises(ValueError, match="^input 'data': expected %d bytes, found 5$" % good.nbytes):
        model._model.set_input(0, good.ctypes.data, 5)
    with pytest.raises(RuntimeError, match="^the model is open already$"):
        model._model.__init__("x", 0, 1)
    with pytest.raises(ValueError, match="input 'data' was not set"):
        model.invoke()
    with pytest.raises(TypeError, match="^input 0 'data': expected dtype %s, found %s" % (good.dtype, np.dtype(other))):
        model.set_input(0, good.astype(other))
    with pytest.raises(TypeError, match="expected dtype"):
        model.set_input(0, good.astype(good.dtype.newbyteorder()) if kind == "float" else good.astype(">i2"))
    with pytest.raises(ValueError, match=r"expected shape \(1, 16, 16, 3\), found \(1, 3, 16, 16\)"):
        model.set_input(0, good.transpose(0, 3, 1, 2))
    for wrong in (None, good.tolist(), good.tobytes(), "data", memoryview(good)):
        with pytest.raises(TypeError, match="^input 0 'data': expected a numpy.ndarray, found %s$" % type(wrong).__name__):
            model.set_input(0, wrong)
    for index in (1, -1, 2**31, -2**63, 10**30):
        with pytest.raises(IndexError, match="expected the index of an input, 0 to 0, found %d" % index):
            model.set_input(index, good)
        with pytest.raises(IndexError, match="index of an output"):
            model.get_output(index)
    for index in ("0", None, 0.0):
        with pytest.raises(TypeError, match="expected the index of an output, found %s" % type(index).__name__):
            model.get_output(index)
    assert run(model, good)[0].shape == (1, 10), "none of it did harm"


def test_wrong_files(project, tmp_path):
    with pytest.raises(ValueError, match="out_fixed.sim: expected a float model, found a fixed-point model"):
        cc.float_simulator(project.files_of["fixed"])
    with pytest.raises(OSError, match="absent.sim"):
        cc.fixed_simulator(tmp_path / "absent.sim")
    for wrong in (None, 3, ["x"]):
        with pytest.raises(TypeError, match="expected the path of a model, found"):
            cc.offline_simulator(wrong)
    with pytest.raises(ValueError):
        cc.float_simulator("a\0b")
    image = project.files_of["offline"].read_bytes()
    r = random.Random(1)
    for i in range(40):
        bad = bytearray(image)
        for _ in range(1 + i % 3):
            bad[r.randrange(len(bad))] ^= 1 << r.randrange(8)
        (tmp_path / "bad.img").write_bytes(bad[:r.randrange(len(bad))] if i % 4 == 0 else bad)
        with pytest.raises(ValueError, match="bad.img"):
            cc.offline_simulator(tmp_path / "bad.img")


def test_not_a_number(project):
    x = normalized(project.pictures[0])
    x[0, 3, 3, 1] = np.nan
    model = opened(project, "float")
    model.set_input(0, x)
    with pytest.raises(ValueError, match="input 'data' holds NaN or infinity"):
        model.invoke()
    with pytest.raises(ValueError, match="has not run"):
        model.get_output(0)


def test_threads(project):
    """Several models run side by side; one that is busy refuses, and is unharmed."""
    want = [run(opened(project, "fixed"), p)[0].tobytes() for p in project.pictures]
    got, said = {}, []
    shared = opened(project, "fixed")
    shared.set_input(0, project.pictures[0])

    def work(k):
        own = opened(project, "fixed")
        got[k] = [run(own, p)[0].tobytes() for p in project.pictures * 5]
        for _ in range(50):
            try:
                shared.invoke()
            except RuntimeError as e:
                said.append(str(e))
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 4 and all(g == want * 5 for g in got.values())
    assert all("another thread is using this model" in s for s in said)
    shared.invoke()
    assert shared.get_output(0).tobytes() == want[0]


def test_lock_is_free(project):
    """While one thread runs a model the others go on: one of them meets it running."""
    model, end = opened(project, "float"), threading.Event()
    model.set_input(0, normalized(project.pictures[0]))

    def work():
        while not end.is_set():
            try:
                model.invoke()
            except RuntimeError:
                pass  # the other one was first
    thread = threading.Thread(target=work)
    thread.start()
    met, deadline = False, time.monotonic() + 60
    while not met and time.monotonic() < deadline:
        try:
            model.get_op_details()
        except RuntimeError as e:
            met = "another thread is using this model; one at a time, or a model for each thread" == str(e)
    end.set()
    thread.join()
    assert met


def test_any_arguments(project):
    """Whatever is called with whatever: an exception or a result, and the interpreter lives."""
    r = random.Random(7)
    values = [None, True, 0, 1, -1, 2**31, 2**64, 0.5, float("nan"), "", "x", b"y", [], {}, (), object(), project.pictures[0],
              normalized(project.pictures[0]), np.zeros((0,)), np.array(3), np.array([None]), np.zeros((1,) * 32, np.uint8), np.float32, cc,
              np.zeros((1, 16, 16, 3), "f4,u1")]
    for kind in CLASSES:
        model = opened(project, kind)
        inner = model._model
        calls = [getattr(model, n) for n in dir(model) if not n.startswith("_")]
        # Of the extension all but the two that take addresses.
        calls += [getattr(inner, n) for n in ("inputs", "outputs", "tensors", "operators", "invoke", "__init__")] + [type(inner)]
        for _ in range(1500):
            call = r.choice(calls)
            try:
                call(*[r.choice(values) for _ in range(r.randrange(4))])
            except Exception as e:
                assert not isinstance(e, (SystemError, MemoryError)), e
        unopened = type(inner).__new__(type(inner))
        for call in (unopened.inputs, unopened.tensors, unopened.invoke):
            with pytest.raises(ValueError, match="^the model was not opened$"):
                call()
        good = normalized(project.pictures[0]) if kind == "float" else project.pictures[0]
        assert run(model, good)[0].shape == (1, 10)


def test_life(project):
    """Models die with their objects: no memory is lost."""
    def mapped():
        return sum(1 for line in open("/proc/self/maps") if "out_offline.img" in line)
    for _ in range(20):
        opened(project, "offline")
    gc.collect()
    assert mapped() == 0
    model = opened(project, "offline")
    assert mapped() > 0
    del model
    gc.collect()
    assert mapped() == 0


def test_not_built(tmp_path):
    """Without the extension the message says what to do."""
    package = pathlib.Path(cc.__file__).parent
    copy = tmp_path / "python/calibrator_custom"
    copy.mkdir(parents=True)
    for f in package.glob("*.py"):
        (copy / f.name).write_text(f.read_text())
    done = subprocess.run([sys.executable, "-c", "import calibrator_custom"], cwd=copy.parent, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 1 and "run `make`" in done.stderr and "libpython3-dev" in done.stderr
