"""Fixed-point models in numpy, written from docs/ARITHMETIC.md alone (numbers in brackets are its sections).

Knows no C code: it reads a graph's text form (docs/ARCHITECTURE.md), computes every multiplier from the scales and every tensor from the
integers.  Slow and plain on purpose.  An operator is one function, named in OPS; the tests in tests/numpy compare it with the simulators.

    graph = parse(text)
    tensors = evaluate(graph, [array for each input])     # by number of the value
"""
import dataclasses
import functools
import math
import re

import numpy as np

F32, F64, S64 = np.float32, np.float64, np.int64
TYPES = {"f32": F32, "f64": F64, "s64": S64, "s32": np.int32, "s16": np.int16, "s8": np.int8, "s4": np.int8, "u8": np.uint8, "bool": np.uint8, "u16": np.uint16,
         "f16": np.uint16}
RANGE = {"u8": (0, 255), "s16": (-32767, 32767)}  # [1] of activations


# ---- the graph -------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Value:
    number: int
    name: str
    type: str
    dims: tuple
    axis: int = -1                # of scale and zero, where there are several
    scale: np.ndarray = None      # binary64, exactly the stored binary32 numbers; None: not quantized
    zero: np.ndarray = None
    data: np.ndarray = None       # of a constant


@dataclasses.dataclass
class Node:
    op: str
    inputs: list                  # of Value; None: an absent optional input
    outputs: list
    attr: dict
    name: str


@dataclasses.dataclass
class Graph:
    values: dict = dataclasses.field(default_factory=dict)
    inputs: list = dataclasses.field(default_factory=list)
    nodes: list = dataclasses.field(default_factory=list)
    outputs: list = dataclasses.field(default_factory=list)


# ---- the text form ---------------------------------------------------------------------------------------------------------------

STRING = r'"(?:[^"\\]|\\.)*"'
VALUE = re.compile(r"%(\d+)((?: ~?" + STRING + r")*) (\w+)\[([-\d,]*)\](?: @\{((?:[^}\"]|" + STRING + r")*)\})?")
NODE = re.compile(r"(\w+) ([%\w, ]*?)(?: \{(.*?)\})?(?: as (" + STRING + "))?$")
FIELD = re.compile(r"(\w+)=(" + STRING + r"|\[[^\]]*\]|[^,]+)")


def number(text):
    if text.startswith("nan("):
        return np.nan
    return int(text, 0) if re.fullmatch(r"-?(0x)?[\da-fA-F]+", text) and "inf" not in text else float(text)


def field(text):
    if text.startswith("["):
        return [number(t) for t in re.split(r", ?", text[1:-1]) if t]
    return number(text) if re.match(r"-?[\d.]|-?inf|nan", text) else text.strip('"')


def fields(text):
    return {name: field(value) for name, value in FIELD.findall(text or "")}


def value_of(m):
    v = Value(int(m[1]), (re.findall(r" (" + STRING + ")", m[2]) or [""])[0].strip('"'), m[3], tuple(int(d) for d in m[4].split(",") if d))
    q = fields(m[5])
    if "scale" in q:
        v.axis = q.get("axis", -1)
        v.scale = np.atleast_1d(q["scale"]).astype(F32).astype(F64)
        v.zero = np.atleast_1d(q["zero"]).astype(S64)
    return v


def constant(v, text):
    """`{1,2,3}` or `splat(1)`."""
    kind = TYPES[v.type]
    if text.startswith("splat("):
        return np.full(v.dims, number(text[6:-1]), kind)
    assert text.startswith("{"), text[:40]
    data = np.array([number(t) for t in text[1:-1].split(",")]) if "n" in text else np.fromstring(text[1:-1], S64 if kind(0.5) == 0 else F64, sep=",")
    return data.astype(kind).reshape(v.dims)


def parse_line(g, line):
    kind, rest = line.split(" ", 1)
    if kind == "output":
        g.outputs.append(g.values[int(rest[1:])])
    elif kind in ("input", "const"):
        m = VALUE.match(rest)
        v = g.values[int(m[1])] = value_of(m)
        if kind == "input":
            g.inputs.append(v)
        else:
            v.data = constant(v, rest[m.end():].removeprefix(" = "))
    elif kind != "meta":
        outputs, at = [], 0
        while m := VALUE.match(line, at):
            outputs.append(value_of(m))
            at = m.end() + 2  # ", "
        m = NODE.match(line, line.index("= ", at - 2) + 2)
        inputs = [None if t == "_" else g.values[int(t[1:])] for t in m[2].split(", ") if t]
        g.values.update((v.number, v) for v in outputs)
        g.nodes.append(Node(m[1], inputs, outputs, fields(m[3]), (m[4] or outputs[0].name).strip('"')))


def parse(text):
    g = Graph()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            parse_line(g, line)
    return g


# ---- [3] requantization ----------------------------------------------------------------------------------------------------------


def one(array):
    """The only scale or zero point of a value that may have just one."""
    assert len(array) == 1 or (array == array[0]).all(), "several where one is defined"
    return array[0]


def along(array, v, rank=None):
    """Scales or zero points shaped to meet the elements of v."""
    if len(array) == 1:
        return array[0]
    return array.reshape([-1 if i == v.axis else 1 for i in range(rank or len(v.dims))])


def f32(v):
    """One rounding of binary64 to binary32."""
    return np.asarray(v, F64).astype(F32)


def limits(y, attr=None):
    """qmin and qmax of y, narrowed by a fused activation."""
    attr = attr or {}
    qmin, qmax = RANGE[y.type]
    z, act = int(one(y.zero)), attr.get("act", "none")
    if act == "relu":
        return max(qmin, z), qmax
    if act == "none":
        return qmin, qmax
    a, b = (0.0, 6.0) if act == "relu6" else (attr.get("lo", 0.0), attr.get("hi", 0.0))
    qmin, qmax = max(qmin, in_steps(a, y) + z), min(qmax, in_steps(b, y) + z)
    assert qmin <= qmax
    return int(qmin), int(qmax)


def in_steps(real, y):
    """0 and infinity are themselves whatever the scale."""
    return real if real == 0 or np.isinf(real) else np.rint(F64(F32(real)) / one(y.scale))


def store(g, y, attr=None):
    assert g.dtype == F32
    qmin, qmax = limits(y, attr)
    z = int(one(y.zero))
    kept = np.minimum(np.maximum(g, F32(qmin - z)), F32(qmax - z))
    return (np.rint(kept).astype(S64) + z).astype(TYPES[y.type])


def requant(acc, m, y, attr=None):
    assert acc.dtype == S64 and np.abs(acc).max(initial=0) <= 2**31
    return store(acc.astype(F32) * m, y, attr)


# ---- [4] [5] weighted sums -------------------------------------------------------------------------------------------------------


def exact_dot(x, w):
    """Rows of x times columns of w.  In binary64 where that is exact: every partial sum is an integer below 2^53."""
    most = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=0).max(initial=0))
    if most < 2**53:
        return (x.astype(F64) @ w.astype(F64)).astype(S64)
    return x @ w


def output_size(n, pads, reach, stride):
    """[4] windows of `reach` pixels, `stride` apart, over n pixels and the padding."""
    return (n + pads - reach) // stride + 1


def windows(x, attr, kernel, fill):
    """For every tap of the kernel the pixels it sees, as [n, oh, ow, c]; `fill` outside x."""
    top, left, bottom, right = attr.get("pad", [0] * 4)
    (sh, sw), (dh, dw), (kh, kw) = attr["stride"], attr.get("dilation", [1, 1]), kernel
    n, h, w, c = x.shape
    oh = output_size(h, top + bottom, dh * (kh - 1) + 1, sh)
    ow = output_size(w, left + right, dw * (kw - 1) + 1, sw)
    wide = np.empty((n, h + top + bottom, w + left + right, c), x.dtype)
    wide[:] = fill
    wide[:, top:top + h, left:left + w] = x
    for a in range(kh):
        for b in range(kw):
            yield wide[:, a * dh:a * dh + sh * (oh - 1) + 1:sh, b * dw:b * dw + sw * (ow - 1) + 1:sw]


def bias_of(node, outputs):
    return node.inputs[2].data.astype(S64) if len(node.inputs) > 2 and node.inputs[2] else np.zeros(outputs, S64)


def shift_of(node, w):
    """[5] k; w is [products of a sum][outputs]."""
    if node.inputs[0].type != "s16":
        return 0
    bound, k = max(abs(int(b)) + 32768 * int(s) for b, s in zip(bias_of(node, w.shape[1]), np.abs(w).sum(axis=0))), 0
    while (bound >> k) + 1 > 2**31 - 1:
        k += 1
    return k


def sum_multipliers(node, k):
    x, w, y = node.inputs[0], node.inputs[1], node.outputs[0]
    return f32(x.scale.max() * w.scale / y.scale * 2.0**k)


def shift_sum(acc, k):
    return (acc + (1 << (k - 1))) >> k if k else acc


def finish_sums(acc, node, w):
    """From the sums without bias to y; w is [products of a sum][outputs]."""
    k = shift_of(node, w)
    acc = shift_sum(acc + bias_of(node, acc.shape[-1]), k)
    return requant(acc, sum_multipliers(node, k), node.outputs[0], node.attr)


def differences(node, x):
    """x - z by element."""
    v = node.inputs[0]
    return x.astype(S64) - along(v.zero, v)


def grouped_dot(x, w, groups):
    """Pixels times the weights of one tap, w[co][ci/groups]; each group of outputs sees its own channels."""
    rows, (co, ci), each = x.reshape(-1, x.shape[-1]), w.shape, len(w) // groups
    parts = [exact_dot(rows[:, g * ci:(g + 1) * ci], w[g * each:(g + 1) * each].T) for g in range(groups)]
    return np.concatenate(parts, axis=1).reshape(x.shape[:-1] + (co,))


def weights(node):
    return node.inputs[1].data.astype(S64)


def conv(node, x):
    """[4] [5] w is [co][kh][kw][ci/groups]."""
    w, acc = weights(node), 0
    for tap, seen in enumerate(windows(differences(node, x), node.attr, w.shape[1:3], 0)):
        acc = acc + grouped_dot(seen, w[:, tap // w.shape[2], tap % w.shape[2]], node.attr["groups"])
    return finish_sums(acc, node, w.reshape(len(w), -1).T)


def depthwise(node, x):
    """[5] w is [1][kh][kw][c]."""
    w, acc = weights(node), 0
    for tap, seen in enumerate(windows(differences(node, x), node.attr, w.shape[1:3], 0)):
        acc = acc + seen * w[0, tap // w.shape[2], tap % w.shape[2]]
    return finish_sums(acc, node, w.reshape(-1, w.shape[3]))


def fc(node, x):
    """[4] [5] w is [co][ci]; the last axis of x is summed over."""
    w = weights(node)
    return finish_sums(grouped_dot(differences(node, x), w, 1), node, w.T)


def phase_taps(node, axis, phase):
    """(tap, distance from a pixel of the phase to the pixel of x that the tap sees) along one axis."""
    a = node.attr
    taps = ((k, phase + a.get("pad", [0] * 4)[axis] - k * a["dilation"][axis]) for k in range(node.inputs[1].dims[1 + axis]))
    return [(k, at // a["stride"][axis]) for k, at in taps if at % a["stride"][axis] == 0]


def shifted(x, dy, dx, rows, columns):
    """Pixel (i, j) is that of x at (i + dy, j + dx), 0 outside."""
    out = np.zeros((len(x), rows, columns, x.shape[3]), x.dtype)
    top, left, bottom, right = max(0, -dy), max(0, -dx), min(rows, x.shape[1] - dy), min(columns, x.shape[2] - dx)
    if top < bottom and left < right:
        out[:, top:bottom, left:right] = x[:, top + dy:bottom + dy, left + dx:right + dx]
    return out


def phases(node):
    """[5] of a transposed convolution: (phase, [(tap, distance)] for both axes), of phases that y has pixels of."""
    for p in np.ndindex(*np.minimum(node.attr["stride"], node.outputs[0].dims[1:3])):
        yield p, phase_taps(node, 0, p[0]), phase_taps(node, 1, p[1])


def deconv(node, x):
    """[5] w is [co][kh][kw][ci/groups]."""
    w, x, y = weights(node), differences(node, x), node.outputs[0]
    out = np.empty(y.dims, TYPES[y.type])
    for (p, q), taps_h, taps_w in phases(node):
        part = out[:, p::node.attr["stride"][0], q::node.attr["stride"][1]]
        acc = np.zeros(part.shape, S64)
        for a, dy in taps_h:
            for b, dx in taps_w:
                acc += grouped_dot(shifted(x, dy, dx, *part.shape[1:3]), w[:, a, b], node.attr["groups"])
        part[:] = finish_sums(acc, node, phase_weights(w, taps_h, taps_w))
    return out


def phase_weights(w, taps_h, taps_w):
    own = w[:, [k for k, _ in taps_h]][:, :, [k for k, _ in taps_w]]
    return own.reshape(len(w), -1).T


def zero_of_products(node, outputs, products):
    """z_x[c(k)] for every product k of every output."""
    x, w = node.inputs[0], node.inputs[1]
    zero = np.broadcast_to(x.zero, x.dims[-1])
    if node.op == "depthwise":
        return zero
    if node.op == "fc":
        return zero[:, None]
    group = np.arange(outputs) // (outputs // node.attr["groups"])
    return np.tile(zero.reshape(-1, w.dims[3])[group], products // w.dims[3]).T  # taps before channels


def constants_of_sums(node):
    """[4] [5] what an image holds for an operator, or for each of its phases: bias - sum(w z), multipliers, shift."""
    w = weights(node)
    if node.op == "deconv":
        parts = [phase_weights(w, h, v) for _, h, v in phases(node)]
    else:
        parts = [w.reshape(-1, w.shape[3]) if node.op == "depthwise" else w.reshape(len(w), -1).T]
    for part in parts:
        products, outputs = part.shape
        k = shift_of(node, part)
        folded = bias_of(node, outputs) - (part * zero_of_products(node, outputs, products)).sum(axis=0)
        yield folded, sum_multipliers(node, k), k


# ---- [6] movement and order ------------------------------------------------------------------------------------------------------


def reshape(node, x):
    return x.reshape(node.attr["dim"])


def transpose(node, x):
    return x.transpose(node.attr["perm"])


def block(node):
    b, crd = node.attr["block"], node.attr.get("order", "DCR") == "CRD"
    return b, crd


def depth_to_space(node, x):
    b, crd = block(node)
    n, h, w, c = x.shape
    apart = x.reshape(n, h, w, c // b // b, b, b).transpose(0, 1, 2, 4, 5, 3) if crd else x.reshape(n, h, w, b, b, c // b // b)
    return apart.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b // b)


def space_to_depth(node, x):
    b, crd = block(node)
    n, h, w, c = x.shape
    blocks = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
    return (blocks.transpose(0, 1, 2, 5, 3, 4) if crd else blocks).reshape(n, h // b, w // b, c * b * b)


def slices(node, x):
    a = node.attr
    picked = [b + np.arange(n) * s for b, n, s in zip(a["start"], a["size"], a["step"])]
    return x[np.ix_(*picked)]


def expand(node, x):
    return np.broadcast_to(x, node.attr["dim"])


def inside_axis(index, size):
    """Counted from the end where it is negative; what lies outside is the first or the last."""
    index = index.astype(S64)
    return np.clip(np.where(index < 0, index + size, index), 0, np.array(size) - 1)


def gather(node, x, index):
    axis = node.attr.get("axis", 0)
    return np.take(x, inside_axis(index, x.shape[axis]), axis=axis)


def element_places(index, axis, x):
    """Of every number of the index, where it points in x."""
    places = list(np.indices(index.shape))
    places[axis] = inside_axis(index, x.shape[axis])
    return tuple(places)


def met(node, there, update):
    """What an update makes of the elements that it meets; a sum is stored at the end."""
    y, how = node.outputs[0], node.attr.get("reduce", "none")
    there = np.asarray(there)
    if how == "mul" and y.scale is not None:
        return requant(there * update, f32(one(y.scale)), y)
    return {"none": lambda a, b: b, "max": np.maximum, "min": np.minimum, "add": np.add, "mul": lambda a, b: (a * b + 2**31) % 2**32 - 2**31}[how](there, update)


def scattered(node, y):
    v = node.outputs[0]
    return requant(y, F32(1), v) if v.scale is not None and node.attr.get("reduce") == "add" else y.astype(TYPES[v.type])


def gather_elements(node, x, index):
    return x[element_places(index, node.attr.get("axis", 0), x)]


def scatter_elements(node, x, index, updates):
    """One update after another."""
    y, axis = x.astype(S64), node.attr.get("axis", 0)
    places = element_places(index, axis, x)
    for place, u in zip(zip(*(p.ravel() for p in places)), updates.ravel()):
        y[place] = met(node, y[place], S64(u))
    return scattered(node, y)


def gather_nd(node, x, index):
    common = node.attr.get("axis", 0)
    outer = index.shape[:-1]
    index = inside_axis(index, x.shape[common:common + index.shape[-1]])
    parts = [x[place[:common] + tuple(index[place])] for place in np.ndindex(*outer)]
    return np.array(parts, x.dtype).reshape(outer + x.shape[common + index.shape[-1]:])


def scatter_nd(node, x, index, updates):
    y, updates = x.astype(S64), updates.astype(S64)
    index = inside_axis(index, x.shape[:index.shape[-1]])
    for place in np.ndindex(*index.shape[:-1]):
        y[tuple(index[place])] = met(node, y[tuple(index[place])], updates[place])
    return scattered(node, y)


def best(node, x):
    """Places of the k best along the axis, best first, of equals the first first."""
    axis, q = node.attr.get("axis", 0), x.astype(S64)
    order = np.argsort(q if node.attr.get("least") else -q, axis=axis, kind="stable")
    return np.take(order, np.arange(node.attr.get("k", 0)), axis=axis).astype(np.int32)


def topk(node, x):
    return np.take_along_axis(x, best(node, x), axis=node.attr.get("axis", 0))


def extreme(of):
    def make(node, x):
        return of(x, axis=tuple(node.attr.get("axis", ())), keepdims=True)
    return make


def index_of(of):
    """Of equals the first one, or the last."""
    def make(node, x):
        axis = node.attr.get("axis", 0)
        if not node.attr.get("last"):
            return of(x, axis=axis, keepdims=True).astype(np.int32)
        return (x.shape[axis] - 1 - of(np.flip(x, axis), axis=axis, keepdims=True)).astype(np.int32)
    return make


def concat(node, *parts):
    return np.concatenate(parts, axis=node.attr.get("axis", 0))


def pad(node, x):
    """[12] too."""
    y, before, after, mode = node.outputs[0], node.attr["before"], node.attr["after"], node.attr.get("mode", "constant")
    x = x[tuple(slice(max(-b, 0), n - max(-a, 0)) for b, a, n in zip(before, after, x.shape))]
    if mode != "constant":
        return x[np.ix_(*(from_inside(mode, np.arange(n) - max(b, 0), kept) for n, b, kept in zip(y.dims, before, x.shape)))]
    out = np.empty(y.dims, x.dtype)
    out[:] = np.clip(np.rint(F64(F32(node.attr.get("value", 0))) / along(y.scale, y)) + along(y.zero, y), *RANGE[y.type])
    out[tuple(slice(max(b, 0), max(b, 0) + n) for b, n in zip(before, x.shape))] = x
    return out


def from_inside(mode, j, n):
    """[12] the elements of n that stand at j, inside or outside."""
    if mode == "edge":
        return np.clip(j, 0, n - 1)
    if mode == "wrap":
        return j % n
    i = j % max(2 * (n - 1), 1)
    return np.where(i < n, i, 2 * (n - 1) - i)


def maxpool(node, x):
    lowest = np.iinfo(x.dtype).min
    return functools.reduce(np.maximum, windows(x, node.attr, node.attr["kernel"], lowest))


def maxpool_index(node, x):
    """Taps one after another: what is larger than all before it stands."""
    a, (n, h, w, c) = node.attr, x.shape
    attr = dict(a, dilation=[d or 1 for d in a.get("dilation", [0, 0])])
    rows, columns = np.indices((h, w))
    place = columns * h + rows if a.get("by_columns") else rows * w + columns
    number = ((np.arange(n)[:, None, None, None] * c + np.arange(c)) * h * w + place[None, :, :, None]).astype(S64)
    best, at = None, None
    for q, i in zip(windows(x.astype(S64), attr, a["kernel"], -2**31), windows(number, attr, a["kernel"], -1)):
        larger = q > best if best is not None else np.ones(q.shape, bool)
        best, at = np.where(larger, q, best if best is not None else q), np.where(larger, i, at if at is not None else i)
    return at.astype(np.int32)


def unpool(node, x, index):
    y = node.outputs[0]
    out = np.full(np.prod(y.dims), one(y.zero) if y.zero is not None else 0, x.dtype)
    for i, q in zip(inside_axis(index.ravel(), out.size), x.ravel()):
        out[i] = q
    return out.reshape(y.dims)


def clip(node, x):
    y = node.outputs[0]
    qmin, qmax = limits(y, dict(node.attr, act="clip"))
    return np.minimum(np.maximum(x.astype(S64), qmin), qmax).astype(x.dtype)


# ---- [7] sums and changes of scale -----------------------------------------------------------------------------------------------


def constants_of_two(node):
    """m_a, m_b of two operands; the one multiplier of a product or quotient and 0."""
    (sa, sb), sy = (one(v.scale) for v in node.inputs), one(node.outputs[0].scale)
    if node.op == "mul":
        return f32(sa * sb / sy), F32(0)
    if node.op == "div":
        return f32(sa / sb / sy), F32(0)
    return f32(sa / sy), f32(sb / sy) * F32(-1 if node.op == "sub" else 1)


def scaled(node, a, b):
    ma, mb = constants_of_two(node)
    return a.astype(F32) * ma, b.astype(F32) * mb


def add(node, a, b):
    a, b = scaled(node, a, b)
    return store(a + b, node.outputs[0])


sub = add  # m_b is negative


def minimum(node, a, b):
    return store(np.minimum(*scaled(node, a, b)), node.outputs[0])


def maximum(node, a, b):
    return store(np.maximum(*scaled(node, a, b)), node.outputs[0])


def mul(node, a, b):
    return requant(a.astype(S64) * b, constants_of_two(node)[0], node.outputs[0])


def div(node, a, b):
    b = np.where(b == 0, F32(2.0**-100), b.astype(F32))
    with np.errstate(over="ignore"):  # infinity meets the end of the range
        return store(a.astype(F32) / b * constants_of_two(node)[0], node.outputs[0])


def left_by_division(of):
    """[7] of two real numbers."""
    def make(node, a, b):
        (sa, sb), y = (one(v.scale) for v in node.inputs), node.outputs[0]
        s = max(sa, sb)
        first, second = ((q.astype(S64) * int(np.rint(scale / s * 2.0**30)) + 2**14) >> 15 for q, scale in ((a, sa), (b, sb)))
        return requant(of(*np.broadcast_arrays(first, second)), f32(s * 2.0**-15 / one(y.scale)), y)
    return make


def quantize(node, x):
    v, y = node.inputs[0], node.outputs[0]
    if v.type == "f32":
        return store(x * f32(1 / along(y.scale, y)), y)
    return requant(differences(node, x), f32(along(v.scale, v) / along(y.scale, y)), y)


def dequantize(node, x):
    v = node.inputs[0]
    return differences(node, x).astype(F32) * f32(along(v.scale, v))


def avgpool(node, x):
    v, y, (kh, kw) = node.inputs[0], node.outputs[0], node.attr["kernel"]
    total = sum(windows(x.astype(S64), node.attr, (kh, kw), 0))
    n = sum(windows(np.ones((1,) + x.shape[1:3] + (1,), S64), node.attr, (kh, kw), 0))
    if node.attr.get("count_pad"):
        n = np.full_like(n, kh * kw)
    return requant(total, f32(one(v.scale) / (one(y.scale) * n)), y)


def summed(mean):
    """Over axes, which stay as axes of one element."""
    def make(node, x):
        v, y, axes = node.inputs[0], node.outputs[0], tuple(node.attr.get("axis", ()))
        n, k = int(np.prod([x.shape[a] for a in axes])), 0
        while ((32768 * n) >> k) + 1 > 2**31 - 1:
            k += 1
        if v.scale is None:
            return x.astype(S64).sum(axis=axes, keepdims=True).astype(np.int32)
        total = shift_sum(x.astype(S64).sum(axis=axes, keepdims=True), k)
        return requant(total, f32(one(v.scale) * 2.0**k / (one(y.scale) * n if mean else one(y.scale))), y)
    return make


def cumsum(node, x):
    """[7], of integers [18]."""
    v, y, axis = node.inputs[0], node.outputs[0], node.attr.get("axis", 0)
    x = x.astype(S64)
    x = np.flip(x, axis) if node.attr.get("reverse") else x
    total = np.cumsum(x, axis=axis)
    total = total - x if node.attr.get("exclusive") else total
    total = np.flip(total, axis) if node.attr.get("reverse") else total
    if v.scale is None:
        return total.astype(np.int32)
    k = 0
    while ((32768 * x.shape[axis]) >> k) + 1 > 2**31 - 1:
        k += 1
    return requant(shift_sum(total, k), f32(one(v.scale) * 2.0**k / one(y.scale)), y)


# ---- [8] tables, [9] softmax -----------------------------------------------------------------------------------------------------


def interpolate(table, u):
    t, i, f = table.astype(S64), u >> 6, u & 63
    return t[i] + (((t[i + 1] - t[i]) * f + 32) >> 6)


def softmax(node, x, table):
    v, y, axis = node.inputs[0], node.outputs[0], node.attr.get("axis", 0)
    d = x.max(axis=axis, keepdims=True).astype(S64) - x
    m_in, m_out = f32(one(v.scale) * 4096), f32(1 / one(y.scale))
    u = np.rint(np.minimum(d.astype(F32) * m_in, F32(65535))).astype(S64)
    e = interpolate(table, u)
    total = e.sum(axis=axis, keepdims=True)
    return store(e.astype(F32) * (m_out / total.astype(F32)), y)


# ---- [20] normalization ----------------------------------------------------------------------------------------------------------


def reciprocal_root(d):
    """r of one binary32 number D."""
    h = 31
    while float(d) * 4.0**h >= 2.0**64:
        h -= 1
    return F32(2.0**h) / F32(math.isqrt(int(float(d) * 4.0**h)))


def normalized(centred):
    def op(node, x, scale=F32(1), bias=F32(0)):
        v, y, axis = node.inputs[0], node.outputs[0], node.attr.get("axis", 0)
        rows = x.astype(S64).reshape(-1, math.prod(x.shape[axis:]))
        n, s_x, s_y = rows.shape[1], one(v.scale), one(y.scale)
        total = rows.sum(axis=1, keepdims=True) * centred
        spread = n * (rows**2).sum(axis=1, keepdims=True) - total**2
        least = f32(min(F64(F32(node.attr.get("epsilon", 0))) * n * n / (s_x * s_x), 2.0**100))
        r = np.array([reciprocal_root(d) for d in np.maximum(spread.astype(F32) + least, F32(1)).ravel()], F32)
        parts = ((n * rows - total).astype(F32) * r[:, None] * f32(scale / s_y).ravel()) + f32(bias / s_y).ravel()
        return store(parts, y).reshape(x.shape)
    return op


# ---- [16] matrix products --------------------------------------------------------------------------------------------------------


def matmul(node, a, b):
    """`turned`: the last two axes of b are exchanged."""
    s_a, s_b, y = one(node.inputs[0].scale), one(node.inputs[1].scale), node.outputs[0]
    b = np.swapaxes(b, -1, -2) if node.attr.get("turned") else b
    return store((a.astype(S64) @ b.astype(S64)).astype(F32) * f32(s_a * s_b / one(y.scale)), y)


# ---- [17] truth values -----------------------------------------------------------------------------------------------------------


def compared(holds):
    def make(node, a, b):
        return holds(a.astype(F32) * f32(one(node.inputs[0].scale)), b.astype(F32) * f32(one(node.inputs[1].scale))).astype(np.uint8)
    return make


def logic(of):
    return lambda node, *truths: of(*(t != 0 for t in truths)).astype(np.uint8)


def where(node, truth, a, b):
    y = node.outputs[0]
    if y.scale is None:
        return np.where(truth != 0, a, b)
    first, second = (requant(x.astype(S64), f32(one(v.scale) / one(y.scale)), y) for x, v in ((a, node.inputs[1]), (b, node.inputs[2])))
    return np.where(truth != 0, first, second)


# ---- [18] integers ---------------------------------------------------------------------------------------------------------------


def is_integer(v):
    return v.scale is None and v.type in ("u8", "s16", "s32")


def quotient(a, b):
    """Towards 0."""
    return np.where(b == 0, 0, np.abs(a) // np.maximum(np.abs(b), 1) * np.sign(a) * np.sign(b))


def rest(a, b):
    return np.where(b == 0, 0, a - b * quotient(a, b))


def modulo(a, b):
    return np.where(b == 0, 0, a - b * np.floor_divide(a, np.where(b == 0, 1, b)))


def power(a, b):
    def one_power(x, e):
        if e < 0:
            return x ** -e if abs(x) == 1 else 0
        return (pow(x, e, 2**32) + 2**31) % 2**32 - 2**31
    return np.vectorize(one_power, otypes=[S64])(a, b)


def integers(of, otherwise=None):
    """Of integers and of truth values; else of real numbers."""
    def make(node, a, b):
        v, y = node.inputs[0], node.outputs[0]
        if not is_integer(v) and v.type != "bool":
            return otherwise(node, a, b)
        return of(*np.broadcast_arrays(a.astype(S64), b.astype(S64))).astype(TYPES[y.type])
    return make


def cast(node, x):
    v, y = node.inputs[0], node.outputs[0]
    if is_integer(y) and v.scale is not None:
        most = F32(2**31 - 128)
        return np.trunc(np.clip(x.astype(F32) * f32(one(v.scale)), -most, most)).astype(S64).astype(TYPES[y.type])
    if v.scale is None and y.scale is None:
        return (x != 0).astype(np.uint8) if y.type == "bool" else x.astype(S64).astype(TYPES[y.type])
    if y.type == "bool":
        return (x.astype(F32) * f32(one(v.scale)) != 0).astype(np.uint8)
    return requant(x.astype(S64), f32(1 / one(y.scale)), y)


# ---- [15] resizing ---------------------------------------------------------------------------------------------------------------


def scale_of(attr, axis, n_in, n_out):
    return F32(attr.get(("scale_h", "scale_w")[axis], 0)) or f32(n_out / n_in)


def coordinates(attr, axis, n_in, n_out):
    """u of every output row or column."""
    coord, scale = attr.get("coord", "asymmetric"), scale_of(attr, axis, n_in, n_out)
    o, half = np.arange(n_out, dtype=F32), F32(0.5)
    if scale == 1 and n_in == n_out:
        u = o
    elif coord in ("align_corners", "pytorch_half_pixel") and n_out == 1:
        u = 0 * o
    elif coord == "asymmetric":
        u = o / scale
    elif coord in ("half_pixel", "pytorch_half_pixel"):
        u = (o + half) / scale - half
    elif coord == "align_corners":
        u = o * F32(n_in - 1) / F32(n_out - 1)
    elif coord == "tf_half_pixel_for_nn":
        u = (o + half) / scale
    else:
        assert coord == "half_pixel_symmetric"
        s = F64(scale)
        u = f32(n_in / 2 * (1 - n_out / (s * n_in)) + (o.astype(F64) + 0.5) / s - 0.5)
    assert u.dtype == F32
    return np.clip(u.astype(F64), -4, n_in + 3)


def nearest_pixels(attr, axis, n_in, n_out):
    u, how = coordinates(attr, axis, n_in, n_out), attr.get("round", "floor")
    if how == "simple":
        how = "ceil" if scale_of(attr, axis, n_in, n_out) < 1 else "floor"
    i = {"floor": np.floor, "ceil": np.ceil, "round_prefer_ceil": lambda v: np.floor(v + 0.5), "round_prefer_floor": lambda v: np.ceil(v - 0.5)}[how](u)
    return np.clip(i, 0, n_in - 1).astype(S64)


def resize_nearest(node, x):
    h, w = (nearest_pixels(node.attr, i, x.shape[1 + i], node.attr["size"][i]) for i in range(2))
    return x[:, h][:, :, w]


def cubic_weight(t, a):
    return ((a + 2) * t - (a + 3)) * t * t + 1 if t <= 1 else ((a * t - 5 * a) * t + 8 * a) * t - 4 * a


def resize_weights(attr, u, n_in):
    """(first tap, w) of one coordinate."""
    if attr.get("filter", "linear") == "linear":
        u = min(max(u, 0.0), n_in - 1.0)
        i = int(np.floor(u))
        return i, [1 - (u - i), u - i]
    i, a = int(np.floor(u)), float(F32(attr.get("cubic", 0)))
    f = u - i
    w = [cubic_weight(t, a) for t in (1 + f, f, 1 - f, 2 - f)]
    if attr.get("exclude_outside"):
        w = [v if 0 <= i - 1 + k < n_in else 0.0 for k, v in enumerate(w)]
        total = w[0] + w[1] + w[2] + w[3]
        w = [v / total for v in w] if total else [0.0, 1.0, 0.0, 0.0]
    return i - 1, w


def resize_taps(attr, axis, n_in, n_out):
    """Integer weights of every output row or column, and the rows or columns they stand for."""
    pixels, weights = [], []
    for u in coordinates(attr, axis, n_in, n_out):
        first, w = resize_weights(attr, float(u), n_in)
        q = np.rint(2048 * np.array(w)).astype(S64)
        q[np.argmax(q)] += 2048 - q.sum()
        weights.append(q)
        pixels.append(np.clip(first + np.arange(len(w)), 0, n_in - 1))
    return np.array(pixels), np.array(weights)


def resize(node, x):
    v, y = node.inputs[0], node.outputs[0]
    (iy, wy), (ix, wx) = (resize_taps(node.attr, i, x.shape[1 + i], node.attr["size"][i]) for i in range(2))
    rows = (x.astype(S64)[:, iy] * wy[:, :, None, None]).sum(axis=2)
    acc = (rows[:, :, ix] * wx[:, :, None]).sum(axis=3)
    return requant((acc + 2**7) >> 8, f32(one(v.scale) / (one(y.scale) * 2.0**14)), y)


# ---- [18] a picture read where a grid points to ----------------------------------------------------------------------------------


def grid_step(scale, length):
    """M and k of one axis."""
    v = float(scale) * length * 2.0**13
    k = max([k for k in range(31) if np.rint(v * 2.0**k) <= 2**31 - 1], default=0)
    return min(int(np.rint(v * 2.0**k)), 2**31 - 1), k


def grid_places(node, q, n):
    """i and f of every number of the grid along an axis of n pixels."""
    m, k = grid_step(one(node.inputs[1].scale), n - 1 if node.attr.get("corners") else n)
    p = ((q.astype(S64) * m + (2**k >> 1)) >> k) + (n - 1) * 2**13
    return p >> 14, p & (2**14 - 1)


def near(d):
    return 2**14 + (((5 * d - 9 * 2**14) * d**2 + 2**29) >> 30)


def far(u):
    return (-3 * u * (2**14 - u)**2 + 2**29) >> 30


def grid_taps(kind, i, f):
    """[(tap, weight)]"""
    if kind == "nearest":
        return [(i + np.where(f == 2**13, i & 1, f > 2**13), np.full_like(f, 2**14))]
    if kind == "linear":
        return [(i, 2**14 - f), (i + 1, f)]
    assert kind == "cubic"
    before, after, last = far(f), near(2**14 - f), far(2**14 - f)
    return [(i - 1, before), (i, 2**14 - before - after - last), (i + 1, after), (i + 2, last)]


def inside(attr, n, j, w):
    """Pixels and weights in the place of taps outside."""
    rule = attr.get("outside", "zeros")
    if rule == "zeros":
        w = np.where((j >= 0) & (j < n), w, 0)
    elif rule == "reflection" and attr.get("corners"):
        p = max(2 * (n - 1), 1)
        j = np.where(j % p < n, j % p, p - j % p)
    elif rule == "reflection":
        j = np.where(j % (2 * n) < n, j % (2 * n), 2 * n - 1 - j % (2 * n))
    return np.clip(j, 0, n - 1), w


def gridsample(node, x, grid):
    v, y, attr = node.inputs[0], node.outputs[0], node.attr
    columns, rows = ([inside(attr, n, *tap) for tap in grid_taps(attr.get("filter", "linear"), *grid_places(node, grid[..., axis], n))]
                     for axis, n in ((0, x.shape[2]), (1, x.shape[1])))
    image = np.arange(len(x))[:, None, None]
    acc = sum((wr * wc)[..., None] * x.astype(S64)[image, r, c] for r, wr in rows for c, wc in columns)
    return requant((acc + 2**13) >> 14, f32(one(v.scale) / (one(y.scale) * 2.0**14)), y)


# ---- [21] boxes that overlap -----------------------------------------------------------------------------------------------------


def corners(box, centre):
    if centre:
        x, y, w, h = box
        return 2 * y - h, 2 * x - w, 2 * y + h, 2 * x + w
    return *np.minimum(box[:2], box[2:]), *np.maximum(box[:2], box[2:])


def too_much(node, p, q):
    t = int(np.rint(np.clip(F64(F32(node.attr.get("overlap", 0))), -1, 2) * 2.0**24))
    (ay, ax, by, bx), (cy, cx, dy, dx) = ([int(v) for v in corners(box, node.attr.get("centre"))] for box in (p, q))
    h, w, f, s = min(by, dy) - max(ay, cy), min(bx, dx) - max(ax, cx), (by - ay) * (bx - ax), (dy - cy) * (dx - cx)
    return min(h, w, f, s) > 0 and h * w * 2**24 > t * (f + s - h * w)


def nms(node, boxes, scores):
    v, most = node.inputs[1], node.attr.get("most", 0)
    t = int(np.clip(np.floor(F64(F32(node.attr.get("score", 0))) / one(v.scale)), -2**31, 2**31 - 1))
    rows = []
    for picture, kind in np.ndindex(*scores.shape[:2]):
        q, chosen = scores[picture, kind].astype(S64), []
        for i in np.argsort(-q, kind="stable"):
            if q[i] > t and len(chosen) < most and not any(too_much(node, boxes[picture, i].astype(S64), boxes[picture, k].astype(S64)) for k in chosen):
                chosen.append(i)
        rows += [(picture, kind, i) for i in chosen]
    return np.array(rows + [(-1, -1, -1)] * (scores.shape[0] * scores.shape[1] * most - len(rows)), np.int32)


# ---- [12] functions of one variable ----------------------------------------------------------------------------------------------

LUTS = """sigmoid tanh elu selu celu softplus softsign hardsigmoid hardswish silu mish gelu gelu_tanh erf exp log sqrt rsqrt
reciprocal sin cos tan asin acos atan sinh cosh asinh acosh atanh pow""".split()
SIDE = 1153  # entries of one side


def magnitude(i):
    """a_i"""
    return i if i < 256 else (128 + i % 128) * 2**(i // 128 - 1)


def lut(node, x, table):
    if node.outputs[0].type == "u8":  # [25]
        return table[np.clip(x.astype(S64) - node.attr.get("first", 0), 0, 1023)]
    x, t = x.astype(S64), table.astype(S64)
    a = np.minimum(np.abs(x), 32767)
    h = np.maximum(0, np.frexp(np.maximum(a, 1).astype(F64))[1] - 1 - 7)
    i = (h << 7) + (a >> h) + np.where(x < 0, SIDE, 0)
    half = np.where(h > 0, 1 << np.maximum(h - 1, 0), 0)
    return (t[i] + (((t[np.minimum(i + 1, len(t) - 1)] - t[i]) * (a % (1 << h)) + half) >> h)).astype(np.int16)


# ---- [13] two slopes -------------------------------------------------------------------------------------------------------------


def two_slopes(node, x, slope, above=0, sign=1):
    """x times one multiplier above a threshold, `slope` times the other at or below it; of several scales one ratio is all that counts."""
    v, y = node.inputs[0], node.outputs[0]
    if node.op in ("leakyrelu", "prelu"):
        assert (v.scale / y.scale == v.scale[0] / y.scale[0]).all()
        s_x, s_y = v.scale[0], y.scale[0]
    else:
        s_x, s_y = one(v.scale), one(y.scale)
    x = x.astype(S64)
    m = np.where(x > above, f32(sign * s_x / s_y), f32(np.asarray(slope, F64) * s_x / s_y))
    return requant(x, m, y)


def prelu(node, x, slope):
    return two_slopes(node, x, slope)


def leakyrelu(node, x):
    return two_slopes(node, x, F32(node.attr.get("alpha", 0)))


def absolute(node, x):
    return two_slopes(node, x, -1)


def neg(node, x):
    return two_slopes(node, x, -1, sign=-1)


def thresholdedrelu(node, x):
    alpha = F64(F32(node.attr.get("alpha", 0)))
    return two_slopes(node, x, 0, np.floor(alpha / one(node.inputs[0].scale)))


# ---- [14] whole numbers ----------------------------------------------------------------------------------------------------------


def whole(of):
    """W of a real number, and of large ones nothing but the change of scale."""
    def make(node, x):
        v, y = node.inputs[0], node.outputs[0]
        if one(v.scale) > 64:
            return quantize(node, x)
        return store(of(x.astype(F32) * f32(one(v.scale))) * f32(1 / one(y.scale)), y)
    return make


def sign(node, x):
    return store(np.sign(x).astype(F32) * f32(1 / one(node.outputs[0].scale)), node.outputs[0])


# ---- [22] the largest pixels of boxes ---------------------------------------------------------------------------------------------


def whole_numbers(v, q):
    """P(q) of an array of integers."""
    k = next((k for k in range(30, -1, -1) if np.rint(v * 2.0**k) <= 2**31 - 1), 0)
    m = int(min(np.rint(v * 2.0**k), 2**31 - 1))
    return [(1 if n >= 0 else -1) * ((abs(n) * m + (1 << k >> 1)) >> k) for n in np.asarray(q, S64).tolist()]


def bin_pixels(first, last, i, n, size):
    length = max(last - first + 1, 1)
    return slice(*(int(np.clip(v, 0, size)) for v in (i * length // n + first, -(-(i + 1) * length // n) + first)))


def roipool(node, x, boxes):
    v, b, y = node.inputs[0], node.inputs[1], node.outputs[0]
    best = np.zeros((len(boxes), *y.dims[1:]), S64)
    for i, box in enumerate(boxes):
        picture = int(np.clip(whole_numbers(one(b.scale), box[:1])[0], 0, len(x) - 1))
        x0, y0, x1, y1 = whole_numbers(one(b.scale) * F64(F32(node.attr["scale"])), box[1:])
        for r in range(y.dims[1]):
            for c in range(y.dims[2]):
                pixels = x[picture, bin_pixels(y0, y1, r, y.dims[1], x.shape[1]), bin_pixels(x0, x1, c, y.dims[2], x.shape[2])]
                if pixels.size:
                    best[i, r, c] = pixels.max((0, 1))
    return requant(best, f32(one(v.scale) / one(y.scale)), y)


# ---- [23] boxes that overlap no better one too much -------------------------------------------------------------------------------


def covers(a, b, most):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w > 0 and h > 0 and w * h * 2**16 > most * both


def those_that_stay(attr, scale, boxes, scores):
    """[(score, box)] of one class."""
    least = min(max(np.floor(F64(F32(attr.get("score", 0))) / scale), -32768), 32767)
    most = int(min(np.rint(max(F64(F32(attr.get("overlap", 0))), 0) * 2**16), 2**17))
    eta = int(np.rint(F64(F32(attr.get("eta", 0) or 1)) * 2**16))
    order = sorted((-q, i) for i, q in enumerate(scores) if q > least)[:attr["most"]]
    stay = []
    for q, i in order:
        if any(covers(boxes[i], boxes[k], most) for _, k in stay):
            continue
        stay.append((-q, i))
        if most > 2**15:
            most = (most * eta + 2**15) >> 16
    return stay


def detect(node, boxes, scores):
    b, s, y, attr = node.inputs[0], node.inputs[1], node.outputs[0], node.attr
    boxes, scores, rows = boxes.astype(S64).tolist(), scores.astype(S64), []
    for n in range(len(boxes)):
        found = []
        for c in range(scores.shape[2]):
            of_class = [box[c if len(box) > 1 else 0] for box in boxes[n]]
            if c != attr.get("background", 0):
                found += [(-q, c, i, of_class[i]) for q, i in those_that_stay(attr, one(s.scale), of_class, scores[n, :, c].tolist())]
        for q, c, i, box in sorted(sorted(found)[:attr["keep"]], key=lambda f: (f[1], f[0], f[2])):
            rows.append((n, c, -q, *box))
    rows += [(-1, -1, None, None, None, None, None)] * (y.dims[2] - len(rows))
    unit = f32(1 / one(y.scale))
    m = [unit, unit, f32(one(s.scale) / one(y.scale))] + [f32(one(b.scale) / one(y.scale))] * 4
    out = [[requant(np.array(-1 if v is None else v), unit if v is None else k, y) for v, k in zip(row, m)] for row in rows]
    return np.array(out, np.int16).reshape(y.dims)


# ---- [24] pictures of brightness and colours ----------------------------------------------------------------------------------------


def nv12(node, x):
    h, w = node.attr["size"]
    rows = x.shape[1] // 3 * 2
    luma, chroma = x[:, :h, :w, 0].astype(S64), x[:, rows:, :, 0].astype(S64)
    u, v = (chroma[:, :, k::2].repeat(2, 1).repeat(2, 2)[:, :h, :w] - 128 for k in (0, 1))
    sums = np.stack([luma * 2**14 + 25802 * v, luma * 2**14 - 3069 * u - 7670 * v, luma * 2**14 + 30402 * u], 3)
    return np.clip((sums + 2**13) // 2**14, 0, 255).astype(np.uint8)


OPS = {f.__name__: f for f in (add, avgpool, clip, concat, conv, deconv, depth_to_space, depthwise, dequantize, detect, div, expand, fc, gather, gather_elements, gather_nd, gridsample, matmul, maxpool, maxpool_index, mul, nms, nv12, pad, quantize, reshape, resize, resize_nearest, roipool, scatter_elements, scatter_nd, softmax, space_to_depth, topk, transpose, unpool)}
OPS.update(cumsum=cumsum, topk_index=best, min=minimum, max=maximum, sub=sub, slice=slices)
OPS.update({name: lut for name in LUTS}, prelu=prelu, leakyrelu=leakyrelu, thresholdedrelu=thresholdedrelu, abs=absolute, neg=neg)
OPS.update(reduce_sum=summed(False), reduce_mean=summed(True), reduce_max=extreme(np.max), reduce_min=extreme(np.min),
           argmax=index_of(np.argmax), argmin=index_of(np.argmin))
OPS.update(equal=compared(np.equal), less=compared(np.less), greater=compared(np.greater), lessequal=compared(np.less_equal), greaterequal=compared(np.greater_equal),
           where=where, cast=cast)
OPS.update({op: integers(of, OPS[op]) for op, of in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": quotient, "min": np.minimum, "max": np.maximum,
                                                     "equal": np.equal, "less": np.less, "greater": np.greater, "lessequal": np.less_equal,
                                                     "greaterequal": np.greater_equal}.items()})
OPS.update(mod=integers(modulo, left_by_division(modulo)), fmod=integers(rest, left_by_division(rest)), power=integers(power))
OPS.update({"and": logic(np.logical_and), "or": logic(np.logical_or), "xor": logic(np.logical_xor), "not": logic(np.logical_not)})
OPS.update(layernorm=normalized(True), rmsnorm=normalized(False))
OPS.update(floor=whole(np.floor), ceil=whole(np.ceil), round=whole(np.rint), sign=sign)


# ---- running ---------------------------------------------------------------------------------------------------------------------


WEIGHTED = ("conv", "deconv", "depthwise", "fc")  # take weights and bias from the node


def run_node(node, tensors):
    """The outputs of one operator; `tensors` by number of the value."""
    given = [tensors[v.number] if v.data is None else v.data for v in node.inputs if v]
    out = OPS[node.op](node, *given[:1] if node.op in WEIGHTED else given)
    out = out if isinstance(out, tuple) else (out,)
    for v, array in zip(node.outputs, out, strict=True):
        assert array.dtype == TYPES[v.type] and array.shape == v.dims, (node.op, node.name, array.dtype, array.shape, v)
    return out


def evaluate(graph, arrays):
    tensors = {}
    for v, array in zip(graph.inputs, arrays, strict=True):
        assert array.dtype == TYPES[v.type] and array.shape == v.dims
        tensors[v.number] = array
    for node in graph.nodes:
        for v, array in zip(node.outputs, run_node(node, tensors)):
            tensors[v.number] = array
    return tensors


# ---- [10] image inputs -----------------------------------------------------------------------------------------------------------


def image_quantization(mean, std):
    """Scales and zero points of a picture's channels, in the board's order."""
    mean, std = np.asarray(mean, F64), np.asarray(std, F64)
    return f32(1 / std), np.clip(np.rint(mean), 0, 255).astype(S64)
