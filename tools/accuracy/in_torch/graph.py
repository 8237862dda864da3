"""An ONNX network as PyTorch computes it, node by node.

Constants are folded before (peer_torch.py); what is left is what the networks of `make accuracy-low-bit` hold.  Run by the Python of .venv-torch."""
import dataclasses

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

LAYERS = ("Conv", "Gemm", "MatMul")  # of constant weights


@dataclasses.dataclass
class Node:
    op: str
    inputs: list
    outputs: list
    options: dict

    def get(self, name, default=None):
        return self.options.get(name, default)


class Graph:
    def __init__(self, path):
        model = onnx.load(path)
        graph = model.graph
        self.constants = {t.name: tensor(numpy_helper.to_array(t)) for t in graph.initializer}
        self.nodes = []
        for n in graph.node:
            options = {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}
            if n.op_type == "Constant":
                self.constants[n.output[0]] = tensor(numpy_helper.to_array(options["value"]))
            else:
                self.nodes.append(Node(n.op_type, list(n.input), list(n.output), options))
        self.input = next(i.name for i in graph.input if i.name not in self.constants)
        self.outputs = [o.name for o in graph.output]
        unknown = sorted({n.op for n in self.nodes if n.op not in OPS})
        if unknown:
            raise ValueError("no PyTorch for the operators %s" % ", ".join(unknown))

    def is_layer(self, node):
        return node.op in LAYERS and node.inputs[1] in self.constants

    def readers(self):
        found = {}
        for n in self.nodes:
            for name in n.inputs:
                found.setdefault(name, []).append(n)
        return found

    def compute(self, node, values, weight=None):
        """weight: in place of the layer's own."""
        inputs = [None if not i else self.constants[i] if i in self.constants else values[i] for i in node.inputs]
        if weight is not None:
            inputs[1] = weight
        result = OPS[node.op](node, *inputs)
        values.update(zip(node.outputs, result if isinstance(result, (list, tuple)) else [result]))


def tensor(array):
    return torch.from_numpy(np.array(array))


def axis_of(node):
    """That of a layer's output channels in its weights."""
    return 0 if node.op == "Conv" or node.get("transB") else -1


def numbers(x):
    return [int(v) for v in x.reshape(-1)]


def pads(node, size, kernel):
    """[before, after] of each axis, in zeros that the convolution itself does not add."""
    auto, given, dims = node.get("auto_pad", b"NOTSET"), node.get("pads"), len(kernel)
    if auto in (b"NOTSET", b""):
        given = given or [0] * 2 * dims
        return [(given[i], given[dims + i]) for i in range(dims)]
    if auto == b"VALID":
        return [(0, 0)] * dims
    stride, found = node.get("strides", [1] * dims), []
    for n, k, s in zip(size, kernel, stride):
        more = max((-(-n // s) - 1) * s + k - n, 0)
        found.append((more // 2, more - more // 2) if auto == b"SAME_UPPER" else (more - more // 2, more // 2))
    return found


def padded(x, sides, value=0.0):
    flat = [v for pair in reversed(sides) for v in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def conv(node, x, w, b=None):
    dilation = node.get("dilations", [1, 1])
    sides = pads(node, x.shape[2:], [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation)])
    return F.conv2d(padded(x, sides), w, b, node.get("strides", [1, 1]), 0, dilation, node.get("group", 1))


def gemm(node, a, b, c=None):
    a, b = a.t() if node.get("transA") else a, b.t() if node.get("transB") else b
    y = node.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + node.get("beta", 1.0) * c


def pool(node, x, most):
    kernel, stride = node.get("kernel_shape"), node.get("strides", [1, 1])
    sides = pads(node, x.shape[2:], kernel)
    if node.get("ceil_mode"):  # as long as a window begins inside
        sides = [(a, b + (-(n + a + b - k) % s)) for (a, b), n, k, s in zip(sides, x.shape[2:], kernel, stride)]
    if most:
        return F.max_pool2d(padded(x, sides, -float("inf")), kernel, stride)
    y = F.avg_pool2d(padded(x, sides), kernel, stride)
    if node.get("count_include_pad") or not any(v for pair in sides for v in pair):
        return y
    return y / F.avg_pool2d(padded(torch.ones_like(x[:1, :1]), sides), kernel, stride)


def clip(node, x, low=None, high=None):
    low, high = node.get("min", low), node.get("max", high)
    return torch.clamp(x, None if low is None else float(low), None if high is None else float(high))


def reshape(node, x, to):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(numbers(to))])


def flatten(node, x):
    return x.reshape(*x.shape[:1], -1) if node.get("axis", 1) == 1 else x.reshape(int(np.prod(x.shape[:node.get("axis")])), -1)


def sliced(node, x, starts, ends, axes=None, steps=None):
    axes = numbers(axes) if axes is not None else range(len(numbers(starts)))
    steps = numbers(steps) if steps is not None else [1] * len(numbers(starts))
    index = [slice(None)] * x.ndim
    for a, b, e, s in zip(axes, numbers(starts), numbers(ends), steps):
        index[a] = slice(b, min(e, 2 ** 31), s)
    return x[tuple(index)]


def resize(node, x, roi=None, scales=None, sizes=None):
    scale = [float(v) for v in scales.reshape(-1)][2:] if scales is not None and scales.numel() else [b / a for a, b in zip(x.shape[2:], numbers(sizes)[2:])]
    if node.get("mode", b"nearest") != b"nearest" or any(s != int(s) for s in scale):
        raise ValueError("a resize that repeats no pixels")
    return x.repeat_interleave(int(scale[0]), 2).repeat_interleave(int(scale[1]), 3)


def split(node, x, sizes=None):
    sizes, axis = numbers(sizes) if sizes is not None else node.get("split"), node.get("axis", 0)
    return list(torch.split(x, sizes or x.shape[axis] // len(node.outputs), axis))


def reduced(node, x, axes=None):
    return x.mean(numbers(axes) if axes is not None else list(node.get("axes")), keepdim=bool(node.get("keepdims", 1)))


def unsqueezed(node, x, axes=None):
    for a in numbers(axes) if axes is not None else node.get("axes"):
        x = x.unsqueeze(a)
    return x


def squeezed(node, x, axes=None):
    for a in sorted((a % x.ndim for a in (numbers(axes) if axes is not None else node.get("axes"))), reverse=True):
        x = x.squeeze(a)
    return x


def pad(node, x, sides, value=None):
    sides = numbers(sides)
    return padded(x, list(zip(sides[:x.ndim], sides[x.ndim:])), 0.0 if value is None else float(value))


def space_to_depth(node, x):
    n, c, h, w = x.shape
    b = node.get("blocksize")
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def gather(node, x, index):
    axis = node.get("axis", 0) % x.ndim
    return x.index_select(axis, index.reshape(-1).long()).reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1:])


def norm(node, x, scale, bias, mean, variance):
    return F.batch_norm(x, mean, variance, scale, bias, eps=node.get("epsilon", 1e-5))


OPS = {
    "Conv": conv, "Gemm": gemm, "MatMul": lambda n, a, b: a @ b, "BatchNormalization": norm,
    "Relu": lambda n, x: torch.relu(x), "LeakyRelu": lambda n, x: F.leaky_relu(x, n.get("alpha", 0.01)), "Sigmoid": lambda n, x: torch.sigmoid(x), "Clip": clip,
    "Exp": lambda n, x: torch.exp(x), "Softmax": lambda n, x: torch.softmax(x, n.get("axis", -1)),
    "Add": lambda n, a, b: a + b, "Sub": lambda n, a, b: a - b, "Mul": lambda n, a, b: a * b, "Div": lambda n, a, b: a / b,
    "MaxPool": lambda n, x: pool(n, x, True), "AveragePool": lambda n, x: pool(n, x, False), "GlobalAveragePool": lambda n, x: x.mean((2, 3), keepdim=True),
    "ReduceMean": reduced, "Concat": lambda n, *x: torch.cat(x, n.get("axis")), "Slice": sliced, "Split": split, "Resize": resize, "Pad": pad,
    "SpaceToDepth": space_to_depth, "Gather": gather,
    "Reshape": reshape, "Flatten": flatten, "Transpose": lambda n, x: x.permute(*n.get("perm")), "Unsqueeze": unsqueezed, "Squeeze": squeezed,
    "Identity": lambda n, x: x, "Dropout": lambda n, x, *more: x,
}
