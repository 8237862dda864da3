"""Float .sim files: LiteRT on the file, our float simulator on the file and onnxruntime on the original say the same."""
import os
import pathlib
import subprocess

import numpy as np
import pytest

litert = pytest.importorskip("ai_edge_litert.interpreter")

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT.parent / "shared" / "models" / "onnx"
TOOL = os.environ.get("SIM_TOOL", str(ROOT / "build" / "tests" / "sim" / "sim_tool"))
NETWORKS = {
    "mnist_8/mnist-8.onnx": (0, 255),
    "mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx": (-1, 1),
    "mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx": (-2, 2),
    "ultraface_rfb_320/version-RFB-320_without_postprocessing.onnx": (-1, 1),
}
DTYPES = {"float32": np.float32, "uint8": np.uint8, "int16": np.int16, "int32": np.int32}


def tool(*args):
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def simulate(model, inputs, folder, *options):
    """{output name: array}, kind, [input descriptions]"""
    files = []
    for i, x in enumerate(inputs):
        files.append(folder / f"in{i}.bin")
        np.ascontiguousarray(x).tofile(files[-1])
    kind, *lines = tool("run", *options, model, folder / "out", *files).splitlines()
    fields = [line.split("\t") for line in lines]
    shape = lambda f: [int(d) for d in f[3].split(",")] if f[3] else []
    outs = [f for f in fields if f[0] == "out"]
    data = [np.fromfile(folder / f"out.{i}.bin", DTYPES[f[2]]).reshape(shape(f)) for i, f in enumerate(outs)]
    return dict(zip((f[1] for f in outs), data)), kind, [(f[1], f[2], shape(f)) for f in fields if f[0] == "in"]


def interpret(path, inputs, reference=False):
    """LiteRT's outputs, in order.  The file itself, not its bytes: constants may lie behind the FlatBuffer."""
    kernels = litert.OpResolverType.BUILTIN_REF if reference else litert.OpResolverType.BUILTIN
    run = litert.Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
    run.allocate_tensors()
    assert len(run.get_input_details()) == len(inputs)
    for detail, x in zip(run.get_input_details(), inputs):
        assert list(detail["shape"]) == list(x.shape) and detail["dtype"] == x.dtype
        run.set_tensor(detail["index"], x)
    run.invoke()
    return [run.get_tensor(d["index"]) for d in run.get_output_details()]


def agree(ours, theirs):
    assert ours.shape == theirs.shape
    limit = 1e-4 * np.abs(theirs).max()
    assert limit > 0, "a test on zeros shows nothing"
    assert np.abs(ours - theirs).max() <= limit


def operators(path):
    """Custom operators by name, from the text of the file: they are the only codes that carry a name."""
    details = litert.Interpreter(model_path=str(path))._get_ops_details()
    return [d["op_name"] for d in details]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("limit", [None, 1000])
def test_network(network, limit, tmp_path):
    """limit: a file whose constants lie behind the FlatBuffer, as above 2 GB."""
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path, sim = MODELS / network, tmp_path / "net.sim"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    tool("write", *(["--limit", limit] if limit else []), path, sim)
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    session = ort.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])
    original = session.get_inputs()[0]
    lo, hi = NETWORKS[network]
    x = np.random.default_rng(3).uniform(lo, hi, original.shape).astype(np.float32)
    truth = dict(zip((o.name for o in session.get_outputs()), session.run(None, {original.name: x})))
    pixels = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    ours, kind, inputs = simulate(sim, [pixels], tmp_path)
    assert kind == "float" and inputs == [(original.name, "float32", list(pixels.shape))]
    assert set(ours) == set(truth)
    for name, y in truth.items():
        agree(ours[name], np.moveaxis(y, 1, -1) if y.ndim == 4 else y)
    for y, name in zip(interpret(sim, [pixels]), ours):
        agree(ours[name], y)
    assert not [op for op in operators(sim) if op.lower() == op], "an ordinary network needs no operator of our own"


@pytest.mark.parametrize("name", ["windows", "rest", "arith", "deconv", "parts", "resize"])
@pytest.mark.parametrize("limit", [None, 16])
def test_operators(name, limit, tmp_path):
    """Every operator that TFLite has, with every kind of padding, from the text form."""
    sim = tmp_path / "net.sim"
    tool("write", *(["--limit", limit] if limit else []), HERE / "ir" / f"{name}.ir", sim)
    text = tool("text", sim)
    dims = [line.split("f32[")[1].split("]")[0] for line in text.splitlines() if line.startswith("input")]
    rng = np.random.default_rng(4)
    inputs = [rng.uniform(-2, 2, [int(d) for d in dim.split(",")]).astype(np.float32) for dim in dims]
    ours, kind, _ = simulate(sim, inputs, tmp_path)
    assert kind == "float"
    theirs = interpret(sim, inputs)
    assert len(theirs) == len(ours)
    for y, o in zip(theirs, ours.values()):
        agree(o, y)


@pytest.mark.parametrize("name", ["windows", "rest", "arith", "custom", "names", "fixed", "arith_fixed", "deconv", "deconv_custom", "parts", "parts_custom", "resize", "resize_custom"])
@pytest.mark.parametrize("limit", [None, 16])
def test_round_trip(name, limit):
    """What is read back prints the same text, and written again gives the same bytes."""
    tool("trip", *(["--limit", limit] if limit else []), HERE / "ir" / f"{name}.ir")


@pytest.mark.parametrize("network", NETWORKS)
def test_round_trip_of_networks(network):
    if not (MODELS / network).exists():
        pytest.skip(f"{MODELS / network} is absent")
    tool("trip", MODELS / network)
