"""Random networks that move data about: what lies in a window of another's memory, and what is copied, must not show.  The fixed simulator gives
every value memory of its own, the image does not; fixed_tool compares them byte for byte, and the float model says whether the numbers are right."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import helper, numpy_helper, TensorProto, save as save_onnx  # noqa: E402
from support import decibel, quantized  # noqa: E402

ENOUGH = 35  # decibel: a network of up to twelve 8-bit convolutions; a misplaced element gives less than 10


class Net:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inits, self.live = [], [], []
        self.dims = [int(self.rng.integers(1, 3)), int(self.rng.choice([2, 4, 6])), 4, 6]
        self.live.append(("x", self.dims))

    def chance(self, percent):
        return self.rng.integers(100) < percent

    def const(self, a):
        self.inits.append(numpy_helper.from_array(a, f"c{len(self.inits)}"))
        return self.inits[-1].name

    def ints(self, values):
        return self.const(np.array(values, np.int64))

    def emit(self, op, inputs, *dims, **attrs):
        outs = [f"t{len(self.nodes)}_{i}" for i in range(len(dims))]
        self.nodes.append(helper.make_node(op, inputs, outs, name=f"n{len(self.nodes)}", **attrs))
        self.live += [(o, list(d)) for o, d in zip(outs, dims)]

    def pick(self):
        return self.live[int(self.rng.integers(max(0, len(self.live) - 5), len(self.live)))]

    def conv(self, x, d):
        k = int(self.rng.choice([1, 1, 3]))
        co = int(self.rng.integers(1, 9))
        w = self.rng.normal(0, (d[1] * k * k) ** -0.5, (co, d[1], k, k)).astype(np.float32)
        self.emit("Conv", [x, self.const(w)], [d[0], co, d[2], d[3]], pads=[k // 2] * 4)

    def slice(self, x, d):
        starts, ends, steps, out = [], [], [], []
        for n in d:
            step = int(self.rng.choice([1, 1, 1, 1, 2, -1]))
            lo = int(self.rng.integers(0, n)) if self.chance(50) else 0
            hi = int(self.rng.integers(lo + 1, n + 1)) if self.chance(50) else n
            starts.append(lo if step > 0 else hi - 1)
            ends.append(hi if step > 0 else lo - n - 1)
            steps.append(step)
            out.append(len(range(lo, hi)[::step]))
        self.emit("Slice", [x, self.ints(starts), self.ints(ends), self.ints(range(len(d))), self.ints(steps)], out)

    def reshape(self, x, d):
        """Neighbours merged, an axis split, an axis of one put in or taken out."""
        out = list(d)
        for _ in range(int(self.rng.integers(1, 4))):
            i = int(self.rng.integers(len(out)))
            kind = self.rng.integers(3)
            if kind == 0 and i + 1 < len(out):
                out[i:i + 2] = [out[i] * out[i + 1]]
            elif kind == 1 and len(out) < 6:
                parts = [p for p in (2, 3) if out[i] % p == 0]
                if parts:
                    p = int(self.rng.choice(parts))
                    out[i:i + 1] = [p, out[i] // p] if self.chance(50) else [out[i] // p, p]
            elif kind == 2 and len(out) < 6:
                out.insert(i, 1)
        self.emit("Reshape", [x, self.ints(out)], out)

    def concat(self, x, d):
        axis = int(self.rng.integers(len(d)))
        fits = lambda e: len(e) == len(d) and all(a == b for i, (a, b) in enumerate(zip(d, e)) if i != axis)
        parts = [(x, d)] + [v for v in (self.pick() for _ in range(3)) if fits(v[1])]
        if self.chance(50):
            parts.reverse()
        self.emit("Concat", [p for p, _ in parts], [sum(e[axis] for _, e in parts) if i == axis else n for i, n in enumerate(d)], axis=axis)

    def split(self, x, d):
        axis = int(self.rng.integers(len(d)))
        if d[axis] > 1:
            first = int(self.rng.integers(1, d[axis]))
            sizes = [first, d[axis] - first]
            self.emit("Split", [x, self.ints(sizes)], *([s if i == axis else n for i, n in enumerate(d)] for s in sizes), axis=axis)

    def step(self):
        x, d = self.pick()
        kind = str(self.rng.choice(["conv", "conv", "relu", "add", "slice", "slice", "reshape", "concat", "concat", "split", "transpose", "transpose", "gather", "tile"]))
        if kind == "conv" and len(d) == 4:
            self.conv(x, d)
        elif kind == "relu":
            self.emit("Relu", [x], d)
        elif kind == "add":
            same = [v for v, e in self.live if e == d]
            self.emit("Add", [x, str(self.rng.choice(same))], d)
        elif kind in ("slice", "reshape", "concat", "split"):
            getattr(self, kind)(x, d)
        elif kind == "transpose":
            perm = [int(p) for p in self.rng.permutation(len(d))]
            self.emit("Transpose", [x], [d[p] for p in perm], perm=perm)
        elif kind == "gather":
            axis = int(self.rng.integers(len(d)))
            index = [int(i) for i in self.rng.integers(0, d[axis], int(self.rng.integers(1, 5)))]
            self.emit("Gather", [x, self.ints(index)], [len(index) if i == axis else n for i, n in enumerate(d)], axis=axis)
        elif kind == "tile" and np.prod(d) < 2000:
            times = [int(t) for t in self.rng.choice([1, 1, 2], len(d))]
            self.emit("Tile", [x, self.ints(times)], [n * t for n, t in zip(d, times)])

    def model(self):
        while len(self.nodes) < 12:
            self.step()
        used = {i for n in self.nodes for i in n.input}
        ends = [v for v in self.live[1:] if v[0] not in used or self.chance(10)]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, d) for name, d in ends]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.dims)
        return helper.make_model(helper.make_graph(self.nodes, "views", [x], outputs, self.inits), opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("seed", range(80))
def test_random(seed, tmp_path):
    net = Net(seed)
    save_onnx(net.model(), tmp_path / "net.onnx")
    x = [net.rng.uniform(-1, 1, net.dims).astype(np.float32) for _ in range(2)]
    want, got = quantized(tmp_path / "net.onnx", [x], tmp_path, *(["--wide"] if seed % 2 else []))
    for w, g in zip(want, got):
        if np.abs(w).max() > 0.1:
            assert decibel(w, g) >= ENOUGH
