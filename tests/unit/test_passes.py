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
    done = subprocess.run([TOOL, path, tmp_path / "in.bin", tmp_path / "out.bin", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    data = np.fromfile(tmp_path / "out.bin", np.float32)
    ops, values, swallowed, consts, outputs = [], {}, {}, set(), []
    for kind, *rest in (line.split("\t") for line in done.stdout.splitlines()):
        if kind == "op":
            ops.append(rest[0])
        elif kind == "value":
            dims = [int(d) for d in rest[2].split(",")]
            values[rest[0]] = data[int(rest[1]):][:int(np.prod(dims))].reshape(dims)
        elif kind == "swallowed":
            swallowed[rest[0]] = rest[1]
        elif kind == "const":
            consts.add(rest[0])
        else:
            outputs.append(rest[0])
    return ops, values, swallowed, consts, outputs


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
    ops, values, swallowed, consts, outputs = run(path, np.moveaxis(x, 1, -1), tmp_path, *(["skip_simplify"] if skip else []))
    assert "transpose" not in ops and "batchnorm" not in ops and "matmul" not in ops
    if not skip:
        assert {op: ops.count(op) for op in set(ops) - {"reshape"}} == NETWORKS[network]
    assert set(outputs) == graph_outputs
    assert {name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]} <= consts
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


class Net:
    """A random network of the operators that passes move, in ONNX's own layout."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inits, self.live = [], [], []
        self.add_value("x", [int(self.rng.integers(1, 3)), int(self.rng.integers(1, 4)), 6, 5])
        self.dims = dict(self.live)["x"]

    def add_value(self, name, dims):
        self.live.append((name, list(dims)))

    def const(self, a):
        name = f"c{len(self.inits)}"
        self.inits.append(onnx.numpy_helper.from_array(np.asarray(a, a.dtype if a.dtype == np.int64 else np.float32), name))
        return name

    def random(self, *dims):
        return self.const(self.rng.uniform(-1, 1, dims))

    def emit(self, op, inputs, dims, **attrs):
        out = f"t{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, inputs, [out], name=f"n{len(self.nodes)}", **attrs))
        self.add_value(out, dims)

    def pick(self):
        return self.live[int(self.rng.integers(max(0, len(self.live) - 4), len(self.live)))]

    def step(self):
        x, d = self.pick()
        kind = str(self.rng.choice(["conv", "dw", "bn", "relu", "relu", "clip", "addc", "mulc", "binary", "concat", "pool", "pad", "transpose", "softmax", "reshape"]))
        n, c = d[0], d[1] if len(d) > 1 else 1
        if kind == "conv" and len(d) == 4:
            co, k = int(self.rng.integers(1, 5)), int(self.rng.integers(1, 4))
            inputs = [x, self.random(co, c, k, k)] + ([self.random(co)] if self.rng.integers(2) else [])
            self.emit("Conv", inputs, [n, co, d[2] + 2 - k + 1, d[3] + 2 - k + 1], pads=[1, 1, 1, 1], kernel_shape=[k, k])
        elif kind == "dw" and len(d) == 4 and c > 1:
            self.emit("Conv", [x, self.random(c, 1, 3, 3)], d, group=c, pads=[1, 1, 1, 1])
        elif kind == "bn" and len(d) > 1:
            self.emit("BatchNormalization", [x, self.random(c), self.random(c), self.random(c), self.const(self.rng.uniform(0.5, 2, c))], d)
        elif kind == "relu":
            self.emit("Relu", [x], d)
        elif kind == "clip":
            self.emit("Clip", [x, self.const(np.float32(-0.5)), self.const(np.float32(0.75))], d)
        elif kind in ("addc", "mulc"):
            shape = [1] * len(d)
            if len(d) > 1 and self.rng.integers(2):
                shape[1] = c
            shape = shape[int(self.rng.integers(0, 2)) if shape[0] == 1 and len(shape) > 1 else 0:]
            pair = [x, self.random(*shape)]
            self.emit("Add" if kind == "addc" else "Mul", pair[::-1] if self.rng.integers(2) else pair, d)
        elif kind in ("binary", "concat"):
            y, e = self.pick()
            if e == d and kind == "binary":
                self.emit(str(self.rng.choice(["Add", "Mul", "Sub"])), [x, y], d)
            elif e == d:
                axis = int(self.rng.integers(len(d)))
                self.emit("Concat", [x, y], [2 * v if i == axis else v for i, v in enumerate(d)], axis=axis)
        elif kind == "pool" and len(d) == 4 and min(d[2:]) > 1:
            self.emit(str(self.rng.choice(["MaxPool", "AveragePool"])), [x], [n, c, d[2] - 1, d[3] - 1], kernel_shape=[2, 2])
        elif kind == "pad" and len(d) == 4:
            before = [0, int(self.rng.integers(2)), 1, 0]
            pads = before + [0, 0, 1, 1]
            self.emit("Pad", [x, self.const(np.array(pads, np.int64))], [v + pads[i] + pads[4 + i] for i, v in enumerate(d)])
        elif kind == "transpose":
            perm = [int(v) for v in self.rng.permutation(len(d))]
            self.emit("Transpose", [x], [d[p] for p in perm], perm=perm)
        elif kind == "softmax":
            self.emit("Softmax", [x], d, axis=int(self.rng.integers(len(d))))
        elif kind == "reshape" and len(d) > 2:
            flat = int(np.prod(d[1:]))
            self.emit("Reshape", [x, self.const(np.array([d[0], flat], np.int64))], [d[0], flat])
            if self.rng.integers(2):
                self.emit("MatMul", [self.live[-1][0], self.random(flat, 3)], [d[0], 3])

    def model(self):
        while len(self.nodes) < 14:
            self.step()
        used = {i for node in self.nodes for i in node.input}
        outputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, d) for name, d in self.live[1:] if name not in used]
        x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, self.dims)
        graph = onnx.helper.make_graph(self.nodes, "random", [x], outputs, self.inits)
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("seed", range(60))
def test_random(seed, tmp_path):
    net = Net(seed)
    model = net.model()
    onnx.save(model, tmp_path / "net.onnx")
    x = net.rng.uniform(-1, 1, net.dims).astype(np.float32)
    truth, graph_outputs = reference(model, x)
    ops, values, swallowed, _, outputs = run(tmp_path / "net.onnx", np.moveaxis(x, 1, -1), tmp_path, *(["skip_simplify"] if seed % 3 == 0 else []))
    assert outputs and set(outputs) == graph_outputs
    assert "batchnorm" not in ops and "matmul" not in ops
    assert graph_outputs <= set(values)
    assert not [n for n, t in truth.items() if n in values and not same_tensor(values[n], t)]
    lost = set(truth) - set(values) - set(swallowed)
    assert not lost
