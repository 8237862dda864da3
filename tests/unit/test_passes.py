"""The passes on real networks: no transpose is left, and every tensor that kept its ONNX name holds what onnxruntime computes there."""
import os
import pathlib
import subprocess

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = ROOT.parent / "shared" / "models" / "onnx"
TOOL = os.environ.get("PASSES_TOOL", str(ROOT / "build" / "tests" / "unit" / "passes_tool"))
NETWORKS = {
    "mnist_8/mnist-8.onnx": {"conv": 2, "maxpool": 2, "fc": 1},
    "mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx": {"conv": 15, "depthwise": 13, "avgpool": 1, "softmax": 1},
    "mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx": {"conv": 36, "depthwise": 17, "avgpool": 1, "add": 10},
    "ultraface_rfb_320/version-RFB-320_without_postprocessing.onnx": {"conv": 34, "depthwise": 18, "concat": 3, "add": 1, "clip": 1, "softmax": 1},
}


def reference(model, x):
    """Every float tensor inside, by name."""
    inner = {n for node in model.graph.node for n in node.output}
    known = {o.name for o in model.graph.output}
    for name in sorted(inner - known):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: x}))), known


def run(path, x, tmp_path, *args):
    x.astype(np.float32).tofile(tmp_path / "in.bin")
    done = subprocess.run([TOOL, path, tmp_path / "in.bin", tmp_path / "out.bin", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = np.fromfile(tmp_path / "out.bin", np.float32)
    ops, values, swallowed, outputs = [], {}, {}, []
    for kind, *rest in (line.split("\t") for line in done.stdout.splitlines()):
        if kind == "op":
            ops.append(rest[0])
        elif kind == "value":
            dims = [int(d) for d in rest[2].split(",")]
            values[rest[0]] = data[int(rest[1]):][:int(np.prod(dims))].reshape(dims)
        elif kind == "swallowed":
            swallowed[rest[0]] = rest[1]
        else:
            outputs.append(rest[0])
    return ops, values, swallowed, outputs


def same_tensor(ours, theirs):
    """Equal as they are, or ours is theirs moved to channel-last."""
    limit = 2e-5 * max(1e-3, np.abs(theirs).max())
    forms = [theirs] + ([np.moveaxis(theirs, 1, -1)] if theirs.ndim == 4 else [])
    return any(f.shape == ours.shape and np.abs(f - ours).max() <= limit for f in forms)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("skip", [False, True])
def test_network(network, skip, tmp_path):
    path = MODELS / network
    if not path.exists():
        pytest.skip(f"{path} is absent")
    model = onnx.load(path)
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(1).uniform(-1, 1, dims).astype(np.float32)
    truth, graph_outputs = reference(model, x)
    ops, values, swallowed, outputs = run(path, np.moveaxis(x, 1, -1), tmp_path, *(["skip_simplify"] if skip else []))
    assert "transpose" not in ops and "batchnorm" not in ops and "matmul" not in ops
    if not skip:
        assert {op: ops.count(op) for op in set(ops) - {"reshape"}} == NETWORKS[network]
    assert set(outputs) == graph_outputs
    floats = {n: t for n, t in truth.items() if t.dtype == np.float32}
    wrong = [n for n, t in floats.items() if n in values and not same_tensor(values[n], t)]
    assert not wrong
    # Constants that were folded away aside, a name is either a tensor or held by one.
    constant = {o for n in model.graph.node if n.op_type in ("Constant", "Shape") for o in n.output}
    constant |= {o for n in model.graph.node if n.input and all(i in constant or i in {t.name for t in model.graph.initializer} for i in n.input)
                 for o in n.output}
    lost = [n for n in floats if n not in values and n not in swallowed and n not in constant]
    assert not lost
    assert set(swallowed.values()) <= set(values)
