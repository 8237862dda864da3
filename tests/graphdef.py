"""TensorFlow graphs written and read field by field, and evaluated by numpy.

graphdef.py FOLDER writes small graphs to begin fuzzing with."""
import pathlib
import struct
import sys

import numpy as np

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10, "uint16": 17, "float16": 19}
FLOAT, INT32, STRING, INT64, BOOL, QINT8, QUINT8, QINT16, QUINT16, HALF = 1, 3, 7, 9, 10, 11, 12, 15, 16, 19


# ---- the wire ----

def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 0x7F:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def field(number, v):
    """An integer, or the bytes of a message or string."""
    if isinstance(v, (int, np.integer)):
        return varint(number << 3) + varint(int(v))
    v = v.encode() if isinstance(v, str) else v
    return varint(number << 3 | 2) + varint(len(v)) + v


def shape(dims):
    return b"".join(field(2, field(1, n)) for n in dims)


# ---- attributes ----

class Type(int):
    """A DataType."""


class Shape(list):
    pass


class Func(str):
    pass


class Bound(str):
    """An attribute of a function's call."""


def tensor(x, dtype=None):
    x = np.asarray(x)
    return field(1, dtype or DTYPES[x.dtype.name]) + field(2, shape(x.shape)) + (field(4, x.tobytes()) if x.size else b"")


class Proto(bytes):
    """A TensorProto."""


def value(v):
    if isinstance(v, Proto):
        return field(8, bytes(v))
    if isinstance(v, Type):
        return field(6, int(v))
    if isinstance(v, Shape):
        return field(7, shape(v))
    if isinstance(v, Func):
        return field(10, field(1, str(v)))
    if isinstance(v, Bound):
        return field(9, str(v))
    if isinstance(v, bool):
        return field(5, int(v))
    if isinstance(v, (int, np.integer)):
        return field(3, v)
    if isinstance(v, float):
        return varint(4 << 3 | 5) + struct.pack("<f", v)
    if isinstance(v, (str, bytes)):
        return field(2, v)
    if isinstance(v, list) and v and isinstance(v[0], float):
        return field(1, varint(4 << 3 | 2) + varint(4 * len(v)) + struct.pack(f"<{len(v)}f", *v))
    return field(1, field(3, b"".join(varint(i) for i in v)))


def node(op, name, inputs=(), **attrs):
    text = field(1, name) + field(2, op) + b"".join(field(3, i) for i in inputs)
    return field(1, text + b"".join(field(5, field(1, k) + field(2, value(v))) for k, v in attrs.items()))


def const(name, x, dtype=None):
    x = np.asarray(x)
    return node("Const", name, dtype=Type(dtype or DTYPES[x.dtype.name]), value=Proto(tensor(x, dtype)))


def placeholder(name, dims=None, dtype=FLOAT):
    return node("Placeholder", name, dtype=Type(dtype), **({} if dims is None else {"shape": Shape(dims)}))


def function(name, args, outs, nodes, ret):
    """nodes: of node(); ret: output -> tensor of the function."""
    signature = field(1, name) + b"".join(field(2, field(1, a)) for a in args) + b"".join(field(3, field(1, a)) for a in outs)
    body = b"".join(field(3, n[len(varint(1 << 3 | 2)):][length_bytes(n):]) for n in nodes)
    return field(1, field(1, signature) + body + b"".join(field(4, field(1, k) + field(2, v)) for k, v in ret.items()))


def length_bytes(n):
    """Of the length behind a one-byte tag."""
    k = 1
    while n[k] & 0x80:
        k += 1
    return k


def library(*functions):
    return field(2, b"".join(functions))


# ---- reading ----

def fields(data):
    """(number, value): integers, and bytes of what has a length or a fixed one."""
    i = 0

    def number():
        nonlocal i
        v = shift = 0
        while True:
            b = data[i]
            i += 1
            v |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return v
    while i < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
            continue
        n = {1: 8, 5: 4}.get(tag & 7) or number()
        yield tag >> 3, data[i:i + n]
        i += n


def packed(values):
    """Integers of a repeated field, packed or not."""
    out = []
    for v in values:
        out += [v] if isinstance(v, int) else [x for _, x in fields(b"".join(varint(8) + varint(n) for n in unpack(v)))]
    return [v - (1 << 64) if v >> 63 else v for v in out]


def unpack(data):
    i = 0
    while i < len(data):
        v = shift = 0
        while True:
            v |= (data[i] & 0x7F) << shift
            shift += 7
            i += 1
            if data[i - 1] < 0x80:
                break
        yield v


def array(message):
    table = {}
    for k, v in fields(message):
        table.setdefault(k, []).append(v)
    dtype = {1: np.float32, 3: np.int32, 9: np.int64, 10: np.bool_, 12: np.uint8, 19: np.float16}.get(table.get(1, [0])[0])
    if dtype is None:
        return None
    dims = [next((n for k, n in fields(d) if k == 1), 0) for k, d in fields(b"".join(table.get(2, []))) if k == 2]
    if 4 in table:
        return np.frombuffer(table[4][-1], dtype).reshape(dims)
    if 5 in table:
        values = np.frombuffer(b"".join(table[5]), np.float32)
    elif 13 in table:
        values = np.array(packed(table[13]), np.uint16).view(np.float16)
    else:
        values = np.array(packed(sum((table.get(k, []) for k in (7, 10, 11)), [])) or [0]).astype(dtype)
    n = int(np.prod(dims))
    return np.concatenate([values, np.repeat(values[-1:], max(n - len(values), 0))])[:n].reshape(dims)


def read(path):
    """{name: (operator, inputs, attributes)}; an attribute is a number, bytes, a list of integers or an array."""
    nodes = {}
    for number, message in fields(path.read_bytes()):
        if number != 1:
            continue
        name, op, inputs, attrs = "", "", [], {}
        for k, v in fields(message):
            if k == 1:
                name = v.decode()
            elif k == 2:
                op = v.decode()
            elif k == 3:
                inputs.append(v.decode())
            elif k == 5:
                entry = dict(fields(v))
                attrs[entry[1].decode()] = attribute(entry.get(2, b""))
        nodes[name] = op, [i for i in inputs if not i.startswith("^")], attrs
    return nodes


def attribute(message):
    for k, v in fields(message):
        if k in (2, 3, 5, 6):
            return v
        if k == 4:
            return struct.unpack("<f", v)[0]
        if k == 8:
            return array(v)
        if k == 1:
            return packed([x for n, x in fields(v) if n == 3])
    return None


# ---- evaluating: as much as real networks need ----

def sides(how, size, kernel, stride, dilation=(1, 1)):
    pads = []
    for i in range(2):
        need = max((-(-size[i] // stride[i]) - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - size[i], 0) if how == b"SAME" else 0
        pads.append((need // 2, need - need // 2))
    return pads


def patches(x, kernel, attrs, fill=0.0):
    """[n, h, w, c, kh, kw]"""
    stride, dilation = attrs["strides"][1:3], (attrs.get("dilations") or [1, 1, 1, 1])[1:3]
    x = np.pad(x, [(0, 0), *sides(attrs["padding"], x.shape[1:3], kernel, stride, dilation), (0, 0)], constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    return np.lib.stride_tricks.sliding_window_view(x, reach, (1, 2))[:, ::stride[0], ::stride[1], :, ::dilation[0], ::dilation[1]]


def conv2d(x, w, a):
    return np.tensordot(patches(x, w.shape[:2], a), w, ((4, 5, 3), (0, 1, 2)))


def depthwise2d(x, w, a):
    y = np.einsum("nhwcij,ijcm->nhwcm", patches(x, w.shape[:2], a), w, optimize=True)
    return y.reshape(*y.shape[:3], -1)


def average_pool(x, a):
    k = a["ksize"][1:3]
    return patches(x, k, a).sum((4, 5)) / patches(np.ones_like(x), k, a).sum((4, 5))


def depth_to_space(x, b):
    n, h, w, c = x.shape
    return x.reshape(n, h, w, b, b, c // b // b).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, -1)


def space_to_batch(x, block, pads):
    x = np.pad(x, [(0, 0), *map(tuple, pads), (0, 0)])
    return np.concatenate([x[:, i::block[0], j::block[1]] for i in range(block[0]) for j in range(block[1])])


def batch_to_space(x, block, crops):
    n = len(x) // (block[0] * block[1])
    y = np.empty((n, x.shape[1] * block[0], x.shape[2] * block[1], x.shape[3]))
    for k in range(block[0] * block[1]):
        y[:, k // block[1]::block[0], k % block[1]::block[1]] = x[k * n:k * n + n]
    return y[:, crops[0][0]:y.shape[1] - crops[0][1], crops[1][0]:y.shape[2] - crops[1][1]]


def normalized(x, g, b, m, v, a):
    return (x - m) / np.sqrt(v + a["epsilon"]) * g + b


def dequantized(x, lo, hi, a):
    scale = (hi - lo) / 255.0
    return x * scale + (np.round(lo / scale) * scale if a.get("mode") == b"MIN_FIRST" else lo)


def strided(x, begin, end, step, a):
    """Of lists without ellipses and new axes."""
    at = []
    for i in range(len(begin)):
        if a.get("shrink_axis_mask", 0) >> i & 1:
            at.append(int(begin[i]))
        else:
            at.append(slice(None if a.get("begin_mask", 0) >> i & 1 else int(begin[i]), None if a.get("end_mask", 0) >> i & 1 else int(end[i]), int(step[i])))
    return x[tuple(at)]


def probabilities(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


OPERATORS = {
    "Conv2D": conv2d, "DepthwiseConv2dNative": depthwise2d, "AvgPool": average_pool, "FusedBatchNorm": normalized,
    "BiasAdd": lambda x, b, a: x + b, "Add": lambda x, y, a: x + y, "Sub": lambda x, y, a: x - y, "Mul": lambda x, y, a: x * y, "Maximum": lambda x, y, a: np.maximum(x, y),
    "Relu": lambda x, a: np.maximum(x, 0), "Relu6": lambda x, a: np.clip(x, 0, 6), "Abs": lambda x, a: abs(x), "Rsqrt": lambda x, a: 1 / np.sqrt(x), "Square": lambda x, a: x * x,
    "MaxPool": lambda x, a: patches(x, a["ksize"][1:3], a, -np.inf).max((4, 5)), "MatMul": lambda x, w, a: x @ w, "Softmax": lambda x, a: probabilities(x),
    "Reshape": lambda x, s, a: x.reshape(np.asarray(s).astype(int)), "Identity": lambda x, a: x, "Pad": lambda x, p, a: np.pad(x, list(map(tuple, p))), "ConcatV2": lambda *x: np.concatenate(x[:-2], int(x[-2])),
    "Sum": lambda x, axes, a: x.sum(tuple(np.atleast_1d(axes)), keepdims=bool(a.get("keep_dims"))), "Transpose": lambda x, p, a: x.transpose(p),
    "DepthToSpace": lambda x, a: depth_to_space(x, a["block_size"]), "SpaceToBatchND": lambda x, b, p, a: space_to_batch(x, b, p),
    "BatchToSpaceND": lambda x, b, c, a: batch_to_space(x, b, c), "Dequantize": dequantized,
    "Squeeze": lambda x, a: x.squeeze(tuple(a.get("squeeze_dims") or []) or None), "ExpandDims": lambda x, axis, a: np.expand_dims(x, int(axis)),
    "PlaceholderWithDefault": lambda x, a: x, "Max": lambda x, axes, a: x.max(tuple(np.atleast_1d(axes)), keepdims=bool(a.get("keep_dims"))),
    "Shape": lambda x, a: np.array(x.shape), "StridedSlice": strided, "Slice": lambda x, b, n, a: x[tuple(slice(int(i), int(i + k) if k >= 0 else None) for i, k in zip(b, n))], "Pack": lambda *x: np.stack(x[:-1], x[-1].get("axis", 0)), "Cast": lambda x, a: x,
    "Prod": lambda x, axes, a: x.prod(tuple(np.atleast_1d(axes)), keepdims=bool(a.get("keep_dims"))), "Enter": lambda x, a: x, "Exp": lambda x, a: np.exp(x), "RealDiv": lambda x, y, a: x / y, "Neg": lambda x, a: -x,
    "Select": lambda c, x, y, a: np.where(c, x, y), "Greater": lambda x, y, a: x > y, "Minimum": lambda x, y, a: np.minimum(x, y),
}


def evaluate(nodes, feeds, outputs):
    """In double precision; branches by the predicate where it is known, and what is no branch at all passes a switch."""
    known = {k: np.asarray(v, np.float64) for k, v in feeds.items()}

    def value_of(name):
        name, _, port = name.partition(":")
        stack = [name]
        while stack:
            op, inputs, attrs = nodes[stack[-1]] if stack[-1] not in known else ("", [], {})
            wanted = [i.partition(":")[0] for i in inputs]
            if op == "Merge":
                wanted = [merged(inputs)]
            elif op in ("Switch", "Enter"):
                wanted = wanted[:1]
            missing = [w for w in wanted if w not in known]
            if missing:
                stack += missing
                continue
            if op:
                known[stack[-1]] = one(op, wanted, attrs)
            stack.pop()
        return known[name]

    def one(op, wanted, attrs):
        x = [known[w] for w in wanted]
        if op == "Const":
            v = attrs["value"]
            return v.astype(np.float64) if v is not None and v.dtype.kind == "f" else v
        if op in ("Merge", "Switch"):
            return x[0]
        return OPERATORS[op](*x, attrs)

    def taken(name):
        op, inputs, _ = nodes[name]
        return bool(value_of(inputs[1])) if op == "Switch" else None

    def merged(inputs):
        """The input whose way back meets no switch that turns it off."""
        for i in inputs:
            stack, seen, alive = [i], set(), True
            while stack and alive:
                name, _, port = stack.pop().partition(":")
                if name in seen:
                    continue
                seen.add(name)
                if nodes[name][0] == "Switch":
                    alive = taken(name) == (port == "1")
                else:
                    stack += nodes[name][1]
            if alive:
                return i.partition(":")[0]
        raise ValueError("no branch is taken")
    return [value_of(o) for o in outputs]


# ---- seeds for fuzzing ----

def seeds():
    """{name: bytes} of small graphs that hold what the reader knows: branches, functions, constants in every form, operators of every family."""
    x, one, two = placeholder("x", [1, 4, 4, 2]), const("one", np.int32(1)), const("two", np.int32([2, 2]))
    pairs = const("pairs", np.int32([[0, 0], [1, 1], [0, 2], [0, 0]]))
    window = dict(strides=[1, 1, 1, 1], padding="SAME")
    fn = function("twice", ["v"], ["out"], [node("Add", "a", ["v", "v"])], {"out": "a:z:0"})
    w = [const("w", np.ones((3, 3, 2, 2), np.float32)), const("stats", np.ones(2, np.float32))]
    half = node("Const", "h", value=Proto(field(1, HALF) + field(2, shape([2])) + field(13, 0x3C00)))
    return {
        "conv": [x, *w, node("Conv2D", "c", ["x", "w"], **window), node("BiasAdd", "b", ["c", "stats"]), node("FusedBatchNorm", "n", ["b"] + ["stats"] * 4, is_training=False),
                 node("MaxPool", "p", ["n"], ksize=[1, 2, 2, 1], **window), node("DepthwiseConv2dNative", "y", ["p", "w"], **window)],
        "dealt": [x, *w, two, const("z", np.int32([[0, 0], [0, 0]])), node("SpaceToBatchND", "s", ["x", "two", "z"]), node("Conv2D", "c", ["s", "w"], **window),
                  node("BatchToSpaceND", "y", ["c", "two", "z"])],
        "branches": [x, placeholder("flag", [], BOOL), node("Switch", "s", ["x", "flag"]), node("Neg", "n", ["s"]), node("Merge", "m", ["n", "s:1"]), half, node("Mul", "y", ["m", "h"])],
        "loop": [x, const("i0", np.int32(0)), const("n", np.int32(2)), one, node("Enter", "ie", ["i0"], frame_name="f"), node("Enter", "xe", ["x"], frame_name="f"),
                 node("Merge", "i", ["ie", "i2"]), node("Merge", "v", ["xe", "v2"]), node("Less", "l", ["i", "n"]), node("LoopCond", "c", ["l"]), node("Switch", "is", ["i", "c"]),
                 node("Switch", "vs", ["v", "c"]), node("Add", "i1", ["is:1", "one"]), node("Neg", "v1", ["vs:1"]), node("NextIteration", "i2", ["i1"]), node("NextIteration", "v2", ["v1"]),
                 node("Exit", "y", ["vs"])],
        "list": [x, one, const("k", np.bool_(True)), node("TensorListFromTensor", "t", ["x", "one"]), node("TensorListStack", "s", ["t", "one"]),
                 node("StatelessIf", "y", ["k", "s"], then_branch=Func("twice"), else_branch=Func("twice")), library(fn)],
        "function": [x, node("PartitionedCall", "y", ["x"], f=Func("twice")), library(fn)],
        "shapes": [x, one, pairs, node("Pad", "p", ["x", "pairs"]), node("Shape", "s", ["p"]), node("Unpack", "u", ["s"], axis=0, num=4), const("m", np.int32(-1)),
                   node("Pack", "k", ["u", "m"], axis=0), node("Reshape", "r", ["p", "k"]), node("Split", "t", ["one", "r"], num_split=2), node("ConcatV2", "c", ["t:1", "t", "one"]),
                   const("b", np.int32([0, 1])), const("e", np.int32([1, 9])), const("st", np.int32([1, 2])), node("StridedSlice", "y", ["c", "b", "e", "st"], begin_mask=1, end_mask=2)],
        "quantized": [x, const("q", np.uint8([7, 9]), QUINT8), const("lo", np.float32(-1)), const("hi", np.float32(2)), node("Dequantize", "d", ["q", "lo", "hi"], mode="MIN_FIRST"),
                      node("Mul", "m", ["x", "d"]), node("FakeQuantWithMinMaxVars", "f", ["m", "lo", "hi"]), const("size", np.int32([8, 3])), node("ResizeBilinear", "y", ["f", "size"])],
    }


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, nodes in seeds().items():
        (folder / f"{name}.pb").write_bytes(b"".join(nodes))
