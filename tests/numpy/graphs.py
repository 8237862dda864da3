"""Random fixed-point graphs in text form, every operator of the model in every shape it may have.

A maker looks for a value that it can work on, or asks for a new input, and writes one line.  Scales of results are chosen so that most
elements lie inside the range and some outside.
"""
import dataclasses

import numpy as np

import numpy_model

REACH = {"u8": (0, 255), "s16": (-32767, 32767)}
WEIGHT = {"u8": ("s8", 127, "s32"), "s16": ("s16", 32767, "s64")}  # by type of the input: weights, their reach, bias


@dataclasses.dataclass
class Tensor:
    number: int
    type: str
    dims: tuple
    scale: list
    zero: list
    axis: int = -1

    @property
    def one(self):
        return self.axis < 0

    def quant(self):
        if self.type not in REACH or not self.scale:
            return ""
        if self.axis < 0:
            return " @{scale=%.9g, zero=%d}" % (self.scale[0], self.zero[0])
        return " @{axis=%d, scale=[%s], zero=[%s]}" % (self.axis, ",".join("%.9g" % s for s in self.scale), ",".join("%d" % z for z in self.zero))


class Graph:
    def __init__(self, seed, first, steps=12):
        self.rng, self.lines, self.live, self.inputs, self.used, self.count = np.random.default_rng(seed), [], [], [], set(), 0
        self.extreme = seed % 4 == 3  # weights at their ends, large biases
        for name in first + [str(n) for n in self.rng.choice(sorted(MAKERS), steps - len(first))]:
            MAKERS[name](self)

    def text(self):
        outputs = [t for t in self.live if t.number not in self.used and t not in self.inputs][-60:]
        heads = ["input %%%d %s" % (t.number, self.shape(t)) for t in self.inputs]
        return "\n".join(['meta "sgs.fixed" "1"'] + heads + self.lines + ["output %%%d" % t.number for t in outputs]) + "\n"

    # ---- numbers

    def chance(self, p):
        return self.rng.random() < p

    def int(self, low, high):
        """low ... high"""
        return int(self.rng.integers(low, high + 1))

    def pick(self, *options):
        return options[self.int(0, len(options) - 1)]

    def size(self):
        """How far scales lie from 1: a factor of any magnitude."""
        return float(np.exp(self.rng.uniform(-6, 2)))

    # ---- values

    def shape(self, t):
        return '"t%d" %s[%s]%s' % (t.number, t.type, ",".join(map(str, t.dims)), t.quant())

    def tensor(self, kind, dims, scale=None, zero=None, axis=-1):
        """Of one scale unless given; a zero point of its own unless given."""
        scale = [self.size()] if scale is None else [float(s) for s in scale]
        if zero is None:
            zero = [self.pick(0, 255, self.int(0, 255)) if kind == "u8" else 0] * len(scale)
        self.count += 1
        return Tensor(self.count - 1, kind, tuple(int(d) for d in dims), scale, list(zero), axis)

    def input(self, kind, dims, by_channel=False):
        n = dims[-1]
        if by_channel and kind == "u8":
            t = self.tensor(kind, dims, self.size() * self.rng.uniform(0.5, 2, n), self.rng.integers(0, 256, n), len(dims) - 1)
        else:
            t = self.tensor(kind, dims)
        self.inputs.append(t)
        self.live.append(t)
        return t

    def input_by_axis(self):
        """A new input of up to 4 axes with scales along any one of them."""
        dims = [self.int(1, 7) for _ in range(self.int(1, 4))]
        axis = self.int(0, len(dims) - 1)
        t = self.tensor("u8", dims, self.size() * self.rng.uniform(0.5, 2, dims[axis]), self.rng.integers(0, 256, dims[axis]), axis)
        self.inputs.append(t)
        self.live.append(t)
        return t

    def find(self, kinds=("u8", "s16"), rank=None, one=True, least=1):
        """A value of these types and rank; `one`: of one scale, else perhaps of one per channel; `least`: of height and width."""
        found = [t for t in self.live[-8:] if t.type in kinds and t.scale and len(t.dims) == (rank or len(t.dims) or 1) and t.dims[-1] < 80 and np.prod(t.dims) < 20000
                 and (t.one or not one and t.axis == len(t.dims) - 1) and (least == 1 or min(t.dims[1:3]) >= least)]
        if found and self.chance(0.9):
            return found[self.int(0, len(found) - 1)]
        rank = rank or self.int(1, 4)
        dims = [self.int(1, 2)] + [self.int(max(least, 1), 11) for _ in range(rank - 2)] + [self.int(1, 21)]
        return self.input(self.pick(*kinds), dims[-rank:], not one and self.chance(0.5))

    def const(self, kind, data, quant=""):
        self.lines.append("const %%%d %s[%s]%s = {%s}" % (self.count, kind, ",".join(map(str, data.shape)), quant, ",".join(map(str, data.ravel()))))
        self.count += 1
        return self.count - 1

    def emit(self, op, y, inputs, attr=""):
        self.used.update(inputs)
        names = ", ".join("%%%d" % n if n is not None else "_" for n in inputs)
        self.lines.append("%%%d %s = %s %s%s" % (y.number, self.shape(y), op, names, " {%s}" % attr if attr else ""))
        self.live.append(y)

    def like(self, t, dims, axis=None):
        """The same quantization on other dims."""
        return self.tensor(t.type, dims, t.scale, t.zero, t.axis if axis is None else axis)

    # ---- sums

    def weights(self, x, shape, outputs, axis):
        kind, reach, bias_kind = WEIGHT[x.type]
        if kind == "s8" and self.chance(0.3):
            kind, reach = "s4", 7
        w = self.rng.integers(-reach, reach + 1, shape)
        if self.extreme:
            w = np.where(self.rng.random(shape) < 0.9, self.rng.choice([-reach, reach], shape), w)
        scale = self.size() * self.rng.uniform(0.25, 4, outputs)
        quant = " @{axis=%d, scale=[%s], zero=[%s]}" % (axis, ",".join("%.9g" % s for s in scale), ",".join("0" for _ in scale))
        k = w.size // outputs
        spread = reach * REACH[x.type][1] * np.sqrt(k) / 4
        most = 2.0**31 - 1 - k * 127 * 255 if x.type == "u8" else 2.0**61.9
        b = self.rng.uniform(-1, 1, outputs) * (spread if not self.extreme else most * 2.0**-self.rng.uniform(0, 40, outputs))
        number = self.const(kind, w, quant)
        bias = self.const(bias_kind, b.astype(np.int64)) if self.chance(0.8) else None
        return number, bias, scale, spread + (np.median(np.abs(b)) if bias is not None else 0)

    def sum_result(self, x, dims, scale, spread):
        """The result of a weighted sum and its activation."""
        kind, act = self.pick("u8", "s16"), self.pick("none", "none", "relu", "relu6", "clip")
        step = max(x.scale) * np.median(scale) * spread / (REACH[kind][1] + 1) * self.pick(0.3, 1, 4)
        if act in ("none", "relu") and self.chance(0.3):
            y = self.tensor(kind, dims, step * self.rng.uniform(0.5, 2, dims[-1]), axis=len(dims) - 1)
            y.zero = [y.zero[0]] * len(y.scale)
        else:
            y = self.tensor(kind, dims, [6 / self.int(20, 250) if act == "relu6" and kind == "u8" else step])
        whole = y.scale[0] * REACH[kind][1]
        text = {"none": "", "relu": "act=relu", "relu6": "act=relu6", "clip": "act=clip, lo=%.6g, hi=%.6g" % (
            -self.rng.uniform(0, 1.2) * whole, self.rng.uniform(0, 1.2) * whole)}[act]
        return y, text


def window(g, size, deepest=5):
    """Kernel, stride, dilation, pads of one axis so that at least one window fits; pads smaller than what the kernel reaches."""
    while True:
        k, s, d = g.int(1, deepest), g.int(1, 3), g.int(1, 3)
        reach = d * (k - 1) + 1
        before, after = g.int(0, reach - 1) // 2, g.int(0, reach - 1) // 2
        if reach <= size + before + after:
            return k, s, d, before, after, (size + before + after - reach) // s + 1


def ints(v):
    return "[%s]" % ",".join(map(str, v))


def joined(*parts):
    return ", ".join(p for p in parts if p)


def make_conv(g, depthwise=False):
    x = g.find(rank=4, one=False)
    n, h, w, c = x.dims
    (kh, sh, dh, top, bottom, oh), (kw, sw, dw, left, right, ow) = window(g, h), window(g, w)
    groups = 1 if depthwise else g.pick(*[d for d in range(1, c + 1) if c % d == 0][:3])
    co = c if depthwise else groups * g.int(1, 35 // groups + 1)
    shape, axis = ((1, kh, kw, c), 3) if depthwise else ((co, kh, kw, c // groups), 0)
    weights, bias, scale, spread = g.weights(x, shape, co, axis)
    y, act = g.sum_result(x, (n, oh, ow, co), scale, spread)
    attr = "stride=[%d,%d], dilation=[%d,%d], pad=[%d,%d,%d,%d]" % (sh, sw, dh, dw, top, left, bottom, right)
    g.emit("depthwise" if depthwise else "conv", y, [x.number, weights, bias], joined(attr, "" if depthwise else "groups=%d" % groups, act))


def make_depthwise(g):
    make_conv(g, depthwise=True)


def make_deconv(g):
    """Small pictures of a few channels; any pad that leaves a pixel, rows and columns beyond what x reaches."""
    x = g.find(rank=4, one=False)
    while x.dims[1] * x.dims[2] > 60 or x.dims[3] > 12:
        x = g.input(x.type, [1, g.int(1, 6), g.int(1, 6), g.int(1, 12)], not x.one)
    n, h, w, c = x.dims
    kernel, stride, dilation, extra = ([g.int(1, most) for _ in range(2)] for most in (4, 3, 2, 2))
    full = [(d - 1) * s + dl * (k - 1) + e for d, k, s, dl, e in zip((h, w), kernel, stride, dilation, extra)]
    pad = [g.int(0, min(2, f // 2)) for f in full + full]
    groups = g.pick(*[d for d in range(1, c + 1) if c % d == 0][:3])
    co = groups * g.int(1, 20 // groups + 1)
    weights, bias, scale, spread = g.weights(x, (co, *kernel, c // groups), co, 0)
    y, act = g.sum_result(x, (n, full[0] - pad[0] - pad[2] + 1, full[1] - pad[1] - pad[3] + 1, co), scale, spread)
    attr = "stride=[%d,%d], dilation=[%d,%d], pad=[%d,%d,%d,%d], extra=[%d,%d], groups=%d" % (*stride, *dilation, *pad, *extra, groups)
    g.emit("deconv", y, [x.number, weights, bias], joined(attr, act))


def make_fc(g):
    x = g.find(one=False)
    co = g.int(1, 37)
    weights, bias, scale, spread = g.weights(x, (co, x.dims[-1]), co, 0)
    y, act = g.sum_result(x, x.dims[:-1] + (co,), scale, spread)
    g.emit("fc", y, [x.number, weights, bias], act)


def make_matmul(g):
    """Either operand repeated along axes or without the first ones; the right one as it is or with its last axes exchanged."""
    outer = [g.int(1, 3) for _ in range(g.int(0, 2))]
    rows, products, columns = g.int(1, 9), g.int(1, 40), g.int(1, 40)
    turned = g.chance(0.5)
    parts = []
    for shape in ([rows, products], [columns, products] if turned else [products, columns]):
        parts.append([1 if g.chance(0.3) else d for d in outer][g.int(0, len(outer)) if g.chance(0.3) else 0:] + shape)
    a, b = (g.input("s16", dims) for dims in parts)
    dims = np.broadcast_shapes(parts[0][:-2], parts[1][:-2]) + (rows, columns)
    step = a.scale[0] * b.scale[0] * 32767 * np.sqrt(products) / 4
    g.emit("matmul", g.tensor("s16", dims, [step * g.pick(0.3, 1, 2)]), [a.number, b.number], "turned=1" if turned else "")


def full_window(g, size):
    """Every window sees a pixel."""
    while True:
        k, s, d, before, after, out = window(g, size, 4)
        if all(any(0 <= i * s - before + a * d < size for a in range(k)) for i in range(out)):
            return k, s, d, before, after, out


def pool(g, op, x):
    n, h, w, c = x.dims
    (kh, sh, dh, top, bottom, oh), (kw, sw, dw, left, right, ow) = full_window(g, h), full_window(g, w)
    attr = ["kernel=[%d,%d], stride=[%d,%d], pad=[%d,%d,%d,%d]" % (kh, kw, sh, sw, top, left, bottom, right)]
    attr += ["dilation=[%d,%d]" % (dh, dw)] * ((dh, dw) != (1, 1)) + ["count_pad=1"] * (op == "avgpool" and g.chance(0.4))
    y = g.like(x, (n, oh, ow, c)) if op == "maxpool" else g.tensor("s16", (n, oh, ow, c), [x.scale[0] * g.pick(1, 0.3)])
    g.emit(op, y, [x.number], joined(*attr))


def make_maxpool(g):
    pool(g, "maxpool", g.find(rank=4, one=False))


def make_avgpool(g):
    pool(g, "avgpool", g.find(("s16",), rank=4))


PAIRS = ("add", "sub", "mul", "div", "min", "max")


def integers(g, dims, kind):
    """Without scale, from real numbers: small ones with equals, or large ones."""
    x = g.tensor("s16", dims, [g.pick(3, 40, 300, 1e6, 1e11) / 32767])
    g.inputs.append(x)
    y = g.tensor(g.pick(kind, "s32"), dims, [])
    g.emit("cast", y, [x.number], "type=" + y.type)
    if y.type == kind:
        return y
    z = g.tensor(kind, dims, [])
    g.emit("cast", z, [y.number], "type=" + kind)
    return z


def integer_pair(op, result=None):
    def make(g):
        kind = g.pick("s32", "s16", "u8")
        dims = [g.int(1, 3), g.int(1, 3), g.int(1, 5), g.int(1, 5), g.int(8, 30)][g.int(0, 3):]
        a, b = (integers(g, [1 if g.chance(0.2) else d for d in dims[:-1]] + dims[-1:], kind) for _ in range(2))
        g.emit(op, g.tensor(result or kind, np.broadcast_shapes(a.dims, b.dims), []), [a.number, b.number])
    return make


def pair(op):
    """Two operands, either of them repeated along axes or without the first ones."""
    def make(g):
        if g.chance(0.3):
            return integer_pair(op)(g)
        a = g.find(("s16",))
        b = [t for t in g.live if t.type == "s16" and t.scale and t.one and t.dims == a.dims]
        b = b[g.int(0, len(b) - 1)] if b and g.chance(0.6) else g.input("s16", [1 if g.chance(0.3) else d for d in a.dims][g.int(0, 1) * (len(a.dims) > 1):])
        if g.chance(0.2):
            a = g.input("s16", [1 if g.chance(0.3) else d for d in a.dims])
        dims = np.broadcast_shapes(a.dims, b.dims)
        sa, sb = a.scale[0], b.scale[0]
        typical = {"mul": sa * sb * 32767 / 8, "div": sa / sb / 4096, "min": max(sa, sb) / 2, "max": max(sa, sb) / 2}.get(op, sa + sb)
        first, second = (a, b) if g.chance(0.5) else (b, a)
        if op == "div" and first is b:
            typical = sb / sa / 4096
        g.emit(op, g.tensor("s16", dims, [typical * g.pick(0.3, 1, 2)]), [first.number, second.number])
    return make


def make_clip(g):
    """Bounds lie within what the type holds and beyond it; a lower bound above all of that is refused."""
    x = g.find(one=g.chance(0.7))
    x = x if x.one or x.type == "s16" else g.find()
    if np.prod(x.dims) < 20: # a few results show little
        x = g.input(x.type, [g.int(1, 3), g.int(2, 5), g.int(10, 20)])
    low, high = (np.array(REACH[x.type]) - x.zero[0]) * x.scale[0]
    lo, hi = sorted(g.rng.uniform(low, high, 2))
    y = g.like(x, x.dims)
    if not x.one or g.chance(0.3):
        g.emit("clip", y, [x.number], "hi=inf")
    else:
        g.emit("clip", y, [x.number], g.pick("lo=%.7g, hi=%.7g" % (lo, hi), "lo=%.7g, hi=inf" % lo, "lo=-inf, hi=%.7g" % hi, "hi=6",
                                             "lo=%.7g, hi=%.7g" % (3 * low, 3 * high)))


def make_concat(g):
    x = g.find()
    axis = g.int(0, len(x.dims) - 1)
    same = [t for t in g.live if t.type == x.type and t.scale == x.scale and t.zero == x.zero and len(t.dims) == len(x.dims)
            and all(a == b for i, (a, b) in enumerate(zip(t.dims, x.dims)) if i != axis)]
    parts = [x] + [same[g.int(0, len(same) - 1)] for _ in range(g.int(1, 2))]
    y = g.like(x, [sum(t.dims[axis] for t in parts) if i == axis else d for i, d in enumerate(x.dims)])
    g.emit("concat", y, [t.number for t in parts], "axis=%d" % axis)


def make_reshape(g):
    x = g.find()
    total = int(np.prod(x.dims))
    first = g.pick(*[d for d in range(1, total + 1) if total % d == 0])
    dims = g.pick((1, total), (total,), (first, total // first), (1, first, total // first), x.dims[:2] + (1, int(np.prod(x.dims[2:]))), x.dims + (1,), (1,) + x.dims)
    g.emit("reshape", g.like(x, dims), [x.number], "dim=" + ints(dims))


def make_slice(g):
    """Any step, backwards too; along the axis of its scales a value stays whole."""
    x = g.find(one=False)
    start, size, step = [], [], []
    for i, d in enumerate(x.dims):
        if i == x.axis:
            first, n, s = 0, d, 1
        else:
            n, s = g.int(1, d), 1
            if n > 1 and g.chance(0.3):
                s = g.int(1, (d - 1) // (n - 1)) * g.pick(1, -1)
            reach = (n - 1) * abs(s)
            first = g.int(0, d - 1 - reach) + (reach if s < 0 else 0)
        start, size, step = start + [first], size + [n], step + [s]
    g.emit("slice", g.like(x, size), [x.number], joined(*("%s=%s" % (k, ints(v)) for k, v in (("start", start), ("size", size), ("step", step)))))


def blocks(g, op, dims, fits, change):
    """A picture that is there and fits, or a new one of these dims in blocks of b."""
    x, b = g.find(rank=4), g.int(2, 3)
    if not fits(b, *x.dims):
        b = g.int(1, 3)
        x = g.input(g.pick("s16", "u8"), dims(b))
    g.emit(op, g.like(x, change(b, *x.dims)), [x.number], "block=%d, order=%s" % (b, g.pick("DCR", "CRD")))


def make_depth_to_space(g):
    blocks(g, "depth_to_space", lambda b: [g.int(1, 2), g.int(1, 4), g.int(1, 4), g.int(1, 3) * b * b], lambda b, n, h, w, c: c % (b * b) == 0,
           lambda b, n, h, w, c: [n, h * b, w * b, c // b // b])


def make_space_to_depth(g):
    blocks(g, "space_to_depth", lambda b: [g.int(1, 2), g.int(1, 3) * b, g.int(1, 3) * b, g.int(1, 4)], lambda b, n, h, w, c: h % b == w % b == 0,
           lambda b, n, h, w, c: [n, h // b, w // b, c * b * b])


def make_expand(g):
    x = g.find()
    x = g.input(x.type, [1 if g.chance(0.5) else d for d in x.dims]) if g.chance(0.7) else x
    dims = [g.int(1, 5) if d == 1 else d for d in x.dims]
    g.emit("expand", g.like(x, dims), [x.number], "dim=%s" % ints(dims))


def make_gather(g):
    """Rows in any order, some twice, counted from the end too."""
    x = g.find()
    axis = g.int(0, len(x.dims) - 1)
    dims = [g.int(1, 4) for _ in range(g.int(0, 2) if len(x.dims) < 4 else g.int(0, 1))]
    index = g.rng.integers(-x.dims[axis], x.dims[axis], dims)
    if g.chance(0.4):
        return run_time_gather(g, x, axis)
    y = g.like(x, x.dims[:axis] + tuple(dims) + x.dims[axis + 1:])
    g.emit("gather", y, [x.number, g.const("s32", index)], "axis=%d" % axis if axis else "")


def element_index(g, x, axis):
    dims = [g.int(1, 6) if i == axis else g.int(1, d) for i, d in enumerate(x.dims)]
    return dims, g.const("s32", g.rng.integers(-x.dims[axis], x.dims[axis], dims))


def some_index(g, data):
    """A constant, or at run time numbers of which some lie outside."""
    return integers(g, data.shape, "s32").number if g.chance(0.5) else g.const("s32", data)


def meeting(g, x):
    return g.pick("", "reduce=max", "reduce=min") if x.type == "u8" and x.scale else g.pick("", "", "reduce=add", "reduce=mul", "reduce=max", "reduce=min")


def make_gather_elements(g):
    x = many_axes(g) if g.chance(0.2) else g.find()
    axis = g.int(0, len(x.dims) - 1)
    dims, index = element_index(g, x, axis)
    if g.chance(0.4):
        index = integers(g, dims, "s32").number
    g.emit("gather_elements", g.like(x, dims), [x.number, index], "axis=%d" % axis if axis else "")


def scattered_into(g):
    """Real numbers or integers."""
    return integers(g, [g.int(1, 4), g.int(1, 4), g.int(4, 12)], g.pick("s32", "s16", "u8")) if g.chance(0.3) else g.find()


def updates(g, x, dims):
    """Of x's own quantization."""
    if not x.scale:
        return integers(g, dims, x.type).number
    u = g.like(x, dims)
    g.inputs.append(u)
    return u.number


def make_scatter_elements(g):
    x = scattered_into(g)
    axis = g.int(0, len(x.dims) - 1)
    dims = [g.int(1, 6) if i == axis else g.int(1, d) for i, d in enumerate(x.dims)]
    index = some_index(g, g.rng.integers(-x.dims[axis], x.dims[axis], dims))
    g.emit("scatter_elements", g.like(x, x.dims), [x.number, index, updates(g, x, dims)], joined("axis=%d" % axis if axis else "", meeting(g, x)))


def points(g, x, common=0):
    """An index of some leading axes, after `common` ones."""
    depth = g.int(1, len(x.dims) - common)
    outer = list(x.dims[:common]) + [g.int(1, 4) for _ in range(g.int(0, 1) if common else 1)]
    data = np.stack([g.rng.integers(-d, d, outer) for d in x.dims[common:common + depth]], axis=-1)
    return outer + list(x.dims[common + depth:]), some_index(g, data)


def make_gather_nd(g):
    x = g.find()
    common = g.int(0, 1) if len(x.dims) > 1 else 0
    dims, index = points(g, x, common)
    g.emit("gather_nd", g.like(x, dims), [x.number, index], "axis=%d" % common if common else "")


def make_scatter_nd(g):
    x = scattered_into(g)
    dims, index = points(g, x)
    g.emit("scatter_nd", g.like(x, x.dims), [x.number, index, updates(g, x, dims)], meeting(g, x))


def many_dims(g):
    return [g.int(1, 3) for _ in range(g.int(2, 3))] + [g.int(2, 4) for _ in range(3)]


def many_axes(g):
    """More than a record's window has."""
    return g.input("s16", many_dims(g))


def make_topk(g, op="topk"):
    """With equals; where integers of the model itself stand."""
    whole = op == "topk_index" and g.chance(0.3)
    x = many_axes(g) if g.chance(0.2) else integers(g, [g.int(1, 4), g.int(1, 4), g.int(4, 12)], g.pick("s32", "s16", "u8")) if whole else g.find()
    axis = g.int(0, len(x.dims) - 1)
    if x.scale and g.chance(0.5):
        coarse = g.tensor("u8", x.dims, [max(x.scale) * REACH[x.type][1] / 9], [128])
        g.emit("quantize", coarse, [x.number])
        x = coarse
    k = g.int(1, x.dims[axis])
    dims = [k if i == axis else d for i, d in enumerate(x.dims)]
    y = g.like(x, dims) if op == "topk" else g.tensor("s32", dims, [1], [0])
    g.emit(op, y, [x.number], joined("axis=%d" % axis if axis else "", "k=%d" % k, g.pick("", "least=1")))
    return x, y, axis


def make_topk_index(g):
    x, index, axis = make_topk(g, "topk_index")
    if g.chance(0.6):
        g.emit("gather_elements", g.like(x, index.dims), [x.number, index.number], "axis=%d" % axis if axis else "")


def run_time_gather(g, x, axis):
    """By an index that the graph makes; some of it lies outside."""
    source = g.input("s16", [g.int(1, 4), g.int(1, 3), g.int(1, x.dims[axis] + 2)][-g.int(1, 2 if len(x.dims) > 3 else 3):])
    index = g.tensor("s32", source.dims[:-1] + (1,), [1], [0])
    g.emit("argmax", index, [source.number], "axis=%d" % (len(source.dims) - 1) if len(source.dims) > 1 else "")
    dims = x.dims[:axis] + index.dims + x.dims[axis + 1:]
    g.emit("gather", g.like(x, dims), [x.number, index.number], "axis=%d" % axis if axis else "")


def make_transpose(g):
    x = g.find(one=False)
    perm = [int(p) for p in g.rng.permutation(len(x.dims))]
    y = g.like(x, [x.dims[p] for p in perm], perm.index(x.axis) if x.axis >= 0 else -1)
    g.emit("transpose", y, [x.number], "perm=" + ints(perm))


def make_pad(g):
    """Rows and columns, now and then any axes but one with scales of its own; some pads cut off."""
    x = g.find(rank=4 if g.chance(0.7) else None, one=g.chance(0.5))
    spatial = len(x.dims) == 4 and g.chance(0.7)
    mode = g.pick("constant", "constant", "reflect", "edge", "wrap")
    before, after = [], []
    for i, d in enumerate(x.dims):
        free = i in (1, 2) if spatial else i != x.axis
        before.append(g.int(-1 if d > 2 else 0, 3) if free else 0)
        after.append(g.int(-1 if d > 2 else 0, 3) if free else 0)
    y = g.like(x, [d + a + b for d, a, b in zip(x.dims, before, after)])
    value = g.pick("", "value=%.6g" % (g.rng.uniform(-1.5, 1.5) * max(x.scale) * REACH[x.type][1])) if mode == "constant" else "mode=" + mode
    g.emit("pad", y, [x.number], joined("before=%s, after=%s" % (str(before).replace(" ", ""), str(after).replace(" ", "")), value))


def geometry(g, x):
    """Attributes of a resize and the result's dims."""
    size = [d if g.chance(0.1) else g.int(1, 15) for d in x.dims[1:3]]
    attr = "size=[%d,%d], coord=%s" % (*size, g.pick("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_half_pixel_for_nn"))
    scaled = g.chance(0.3)
    for k in range(2 * scaled):
        attr += ", scale_%s=%.7g" % ("hw"[k], size[k] / x.dims[1 + k] * g.rng.uniform(0.8, 1.25))
    return attr, (x.dims[0], *size, x.dims[3]), scaled


def make_resize_nearest(g):
    x = g.find(rank=4, one=False)
    attr, dims, _ = geometry(g, x)
    g.emit("resize_nearest", g.like(x, dims), [x.number], attr + ", round=" + g.pick("floor", "ceil", "round_prefer_ceil", "round_prefer_floor", "simple"))


def make_resize(g):
    """Weights of pixels outside are left out only where the scale is the sizes' own: elsewhere what is left may sum to nothing."""
    x = g.find(("s16",), rank=4)
    attr, dims, scaled = geometry(g, x)
    if g.chance(0.5):
        attr += ", filter=cubic, cubic=%.6g, exclude_outside=%d" % (g.rng.uniform(-1, 0), not scaled and "tf_half" not in attr and g.chance(0.5))
    g.emit("resize", g.tensor("s16", dims, [x.scale[0] * g.pick(1, 0.4)]), [x.number], attr)


def make_gridsample(g):
    """Grids that leave the picture on all sides, far too, and now and then point to pixels and to the middle between two."""
    x = g.find(("s16",), rank=4) if g.chance(0.3) else g.input("s16", [g.int(1, 2), g.int(1, 9), g.int(1, 9), g.int(1, 15)])
    reach = g.pick(0.9, 1.6, 1.6, 7, 3e6)
    grid = g.tensor("s16", [x.dims[0], g.int(1, 7), g.int(1, 7), 2], [0.25 if g.chance(0.3) else reach / 32767])
    g.inputs.append(grid)
    y = g.tensor("s16", [*grid.dims[:3], x.dims[3]], [x.scale[0] * g.pick(0.4, 1)])
    g.emit("gridsample", y, [x.number, grid.number], joined(g.pick("", "filter=nearest", "filter=cubic"), g.pick("", "outside=border", "outside=reflection"), g.pick("", "corners=1")))


def make_roipool(g):
    x = g.find(("s16",), rank=4) if g.chance(0.3) else g.input("s16", [g.int(1, 2), g.int(1, 9), g.int(1, 9), g.int(1, 9)])
    scale = g.pick(1, 0.5, 0.0625)
    boxes = g.tensor("s16", [g.int(1, 4), 5], [g.pick(0.5, 3, 40) * max(x.dims[1:3]) / scale / 32767])
    g.inputs.append(boxes)
    y = g.tensor("s16", [boxes.dims[0], g.int(1, 4), g.int(1, 4), x.dims[3]], [x.scale[0] * g.pick(0.4, 1)])
    g.emit("roipool", y, [x.number, boxes.number], "size=[%d, %d], scale=%g" % (*y.dims[1:3], scale))


def make_nv12(g):
    h, w = g.int(1, 9), g.int(1, 9)
    x = g.tensor("u8", [g.int(1, 2), (h + h % 2 + 2 * g.int(0, 2)) // 2 * 3, w + w % 2 + 2 * g.int(0, 2), 1], [])
    g.inputs.append(x)
    g.emit("nv12", g.tensor("u8", [x.dims[0], h, w, 3], g.size() * g.rng.uniform(0.5, 2, 3), g.rng.integers(0, 256, 3), 3), [x.number], "size=[%d, %d]" % (h, w))


def make_detect(g):
    n, boxes, classes = g.int(1, 2), g.int(1, 9), g.int(1, 3)
    box = g.tensor("s16", [n, boxes, g.pick(1, classes), 4], [g.pick(1, 1.5) / 32767])
    score = g.tensor("s16", [n, boxes, classes], [1 / 32767])
    g.inputs += [box, score]
    most = g.int(1, boxes)
    keep = g.int(1, most * classes)
    y = g.tensor("s16", [1, 1, n * keep, 7], [g.pick(classes, 1) / 32767])
    g.emit("detect", y, [box.number, score.number], "most=%d, keep=%d, background=%d, overlap=%g, score=%g, eta=%g" % (
        most, keep, g.pick(-1, 0, 1), g.pick(0, 0.1, 0.7), g.pick(0, 0.1, -2), g.pick(0, 1, 0.5)))


def make_quantize(g):
    if g.chance(0.2):
        x = g.tensor("f32", [g.int(1, 4) for _ in range(g.int(1, 4))], [g.size()])
        g.inputs.append(x)
        x.scale = [1]
    else:
        x = g.input_by_axis() if g.chance(0.2) else g.find(one=False)
    kind = g.pick("u8", "s16")
    step = max(x.scale) * (REACH[x.type][1] if x.type in REACH else 3) / REACH[kind][1] * g.pick(0.2, 1, 3)
    axis = len(x.dims) - 1 if len(x.scale) == 1 else x.axis
    if g.chance(0.3):
        y = g.tensor(kind, x.dims, step * g.rng.uniform(0.5, 2, x.dims[axis]), axis=axis)
        y.zero = [y.zero[0]] * len(y.scale)
    else:
        y = g.tensor(kind, x.dims, [step])
    g.emit("quantize", y, [x.number])


def make_planes(g):
    """Planes of floats to pixels of integers, as of a picture in N,C,H,W; now and then what was quantized has a second reader."""
    h, w = g.int(1, 6), g.pick(1, 5, 16, 17, 40)
    x = g.tensor("f32", [1, g.pick(2, 3, 4, 17), h, w], [g.size()])
    g.inputs.append(x)
    kind = g.pick("u8", "s16")
    q = g.tensor(kind, x.dims, [3 / REACH[kind][1]])
    g.emit("quantize", q, [x.number])
    y = g.like(q, [1, h, w, x.dims[1]])
    g.emit("transpose", y, [q.number], "perm=[0,2,3,1]")
    if g.chance(0.2):
        g.emit("transpose", g.like(q, [1, w, h, x.dims[1]]), [q.number], "perm=[0,3,2,1]")


def make_dequantize(g):
    x = g.input_by_axis() if g.chance(0.3) else g.find(one=False)
    g.emit("dequantize", g.tensor("f32", x.dims, [1], [0]), [x.number])


COORDS = ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_half_pixel_for_nn")


def make_resize(g, nearest=False):
    x = g.find(rank=4, one=False) if nearest else g.find(("s16",), rank=4)
    n, h, w, c = x.dims
    size = [g.pick(g.int(1, 20), d, 2 * d) for d in (h, w)]
    attr = ["size=" + ints(size)]
    for k, (d, s) in zip("hw", zip((h, w), size)):
        if g.chance(0.3):
            attr.append("scale_%s=%.7g" % (k, s / d * g.rng.uniform(0.7, 1.3)))
    coord = g.pick(*COORDS)
    attr += ["coord=" + coord] * (coord != "asymmetric")
    if nearest:
        attr.append(g.pick("", "round=round_prefer_ceil", "round=round_prefer_floor", "round=ceil", "round=simple"))
        g.emit("resize_nearest", g.like(x, (n, *size, c)), [x.number], joined(*attr))
        return
    if g.chance(0.5):
        attr += ["filter=cubic", "cubic=%.6g" % g.pick(-0.5, -0.75, g.rng.uniform(-1, 0)), g.pick("", "exclude_outside=1")]
    g.emit("resize", g.tensor("s16", (n, *size, c), [x.scale[0] * g.pick(0.5, 1, 1.3)]), [x.number], joined(*attr))


def make_resize_nearest(g):
    make_resize(g, nearest=True)


def reduction(op):
    def make(g):
        extreme = op in ("reduce_max", "reduce_min")
        x = g.find() if extreme else g.find(("s16",))
        if op != "reduce_mean" and g.chance(0.3):
            x = integers(g, [g.int(1, 4), g.int(1, 4), g.int(4, 12)], g.pick("s32", "s16", "u8") if extreme else "s32")
        axes = sorted({g.int(0, len(x.dims) - 1) for _ in range(g.int(0, 2))})
        if len(axes) == len(x.dims) > 1 and g.chance(0.7):  # more than one number is left
            axes = axes[1:]
        dims = [1 if i in axes else d for i, d in enumerate(x.dims)]
        n = np.prod(x.dims) / np.prod(dims)
        if extreme or not x.scale:
            y = g.like(x, dims)
        else:
            y = g.tensor("s16", dims, [x.scale[0] * (np.sqrt(n) if op == "reduce_sum" else 1 / np.sqrt(n)) * g.pick(0.5, 1, 3)])
        g.emit(op, y, [x.number], "axis=" + ints(axes) if axes else "")
    return make


def make_cumsum(g):
    whole = g.chance(0.3)
    x = integers(g, [g.int(1, 4), g.int(1, 4), g.int(4, 12)], "s32") if whole else g.find(("s16",))
    x = many_axes(g) if not whole and g.chance(0.2) else x
    axis = g.int(0, len(x.dims) - 1)
    y = g.tensor(x.type, x.dims, [] if whole else [x.scale[0] * np.sqrt(x.dims[axis]) * g.pick(0.5, 1, 3)])
    g.emit("cumsum", y, [x.number], joined("axis=%d" % axis if axis else "", g.pick("", "exclusive=1"), g.pick("", "reverse=1")))


def make_argmax(g, op="argmax"):
    """With equals, so that the first and the last differ; more than one result most of the time."""
    x = g.find(rank=g.int(3, 4) if g.chance(0.7) else None)
    axis = g.int(0, len(x.dims) - 1)
    if np.prod(x.dims) == x.dims[axis] or x.dims[axis] < 4: # one result shows nothing, and two places little
        x = g.input(x.type, [g.int(4, 6), g.int(4, 6), g.int(4, 9)])
        axis = g.int(0, 2)
    if g.chance(0.3):
        x = integers(g, [g.int(2, 4), g.int(2, 4), g.int(4, 12)], g.pick("s32", "s16", "u8")) if g.chance(0.6) else many_axes(g)
        axis = min(axis, len(x.dims) - 1)
    if x.dims[axis] == 1 or g.chance(0.5):
        axis = g.pick(*[i for i, d in enumerate(x.dims) if d > 1] or [axis])
    if x.scale and g.chance(0.5):
        coarse = g.tensor("u8", x.dims, [max(x.scale) * REACH[x.type][1] / 3], [128])
        g.emit("quantize", coarse, [x.number])
        x = coarse
    dims = [1 if i == axis else d for i, d in enumerate(x.dims)]
    g.emit(op, g.tensor("s32", dims, [1], [0]), [x.number], joined("axis=%d" % axis if axis else "", g.pick("", "last=1")))


def make_argmin(g):
    make_argmax(g, "argmin")


def make_softmax(g):
    """Of logits that lie close together or far apart."""
    step = g.pick(0.1, 1, 4, 30) / 32767
    if g.chance(0.7):
        logits = g.tensor("s16", many_dims(g) if g.chance(0.2) else [g.int(1, 6), g.int(1, 6), g.int(2, 30)][g.int(0, 2):], [step])
        g.inputs.append(logits)
    else:
        x = g.find(("s16",))
        logits = g.tensor("s16", x.dims, [step])
        g.emit("quantize", logits, [x.number])
    table = np.rint(32767 * np.exp(-np.arange(1025) / 64)).astype(int)
    g.emit("softmax", g.tensor("s16", logits.dims, [2.0**-15]), [logits.number, g.const("s16", table)], "axis=%d" % g.int(0, len(logits.dims) - 1))


def norm(op):
    """Rows that fill the range, or lie close together around any place."""
    def make(g):
        x = g.find(("s16",))
        if g.chance(0.4):
            x = g.tensor("s16", x.dims, [g.size()])
            near = g.int(-32000, 32000) + np.rint(g.rng.normal(0, g.pick(0.3, 3, 200), x.dims))
            g.lines.append("const %%%d %s = {%s}" % (x.number, g.shape(x).split(" ", 1)[1], ",".join("%d" % v for v in near.ravel())))
            g.live.append(x)
        axis = g.int(0, len(x.dims) - 1)
        inputs = [x.number] + [g.const("f32", g.rng.uniform(-2, 2, x.dims[axis:])) for _ in range(g.int(0, 2))]
        y = g.tensor("s16", x.dims, [g.pick(0.5, 3, 20) / 32767])
        g.emit(op, y, inputs, joined("axis=%d" % axis if axis else "", "epsilon=%.6g" % (g.pick(0, 0.01, 10) * x.scale[0]**2 * g.pick(1, 1000))))
    return make


def function(op):
    """Any table; a smooth one half of the time.  Bytes come from one of their own, behind a convolution that nothing else reads as the compiler fuses it."""
    alpha = "alpha=1" if op == "celu" else ""

    def of_bytes(g):
        g.pick(make_conv, make_depthwise, make_fc)(g)
        if g.live[-1].type == "s16" and g.live[-1].one:  # of coarser steps, so that most of them are in the table
            x, most = g.live.pop(), 500
            x.scale = [x.scale[0] * 40]
            g.lines[-1] = "%%%d %s = %s" % (x.number, g.shape(x), g.lines[-1].split(" = ", 1)[1])
        else:
            x, most = g.find(("s16",)), g.pick(500, 32767)
        table = np.clip(np.arange(1024) // 4 + g.int(-99, 99), 0, 255) if g.chance(0.5) else g.rng.integers(0, 256, 1024)
        g.emit(op, g.tensor("u8", x.dims), [x.number, g.const("u8", table)], joined("first=%d" % g.int(-most, most), alpha))

    def of_words(g):
        x = g.find(("s16",))
        a = np.arange(1153)
        a = np.where(a < 256, a, (128 + a % 128) * 2.0**(a // 128 - 1))
        smooth = np.concatenate([np.tanh(a / 9000), -np.tanh(a / 3000)]) * 32767
        table = np.rint(smooth).astype(int) if g.chance(0.5) else g.rng.integers(-32767, 32768, 2306)
        g.emit(op, g.tensor("s16", x.dims), [x.number, g.const("s16", table)], alpha)

    def make(g):
        (of_bytes if g.chance(0.25) else of_words)(g)
    return make


def one_input(op, attr, size=None):
    """With a scale that keeps the results in range; `size` is what x's scale shall be at most."""
    def make(g):
        x = g.find(("s16",))
        if size and g.chance(0.7):
            x = g.tensor("s16", x.dims, [g.rng.uniform(0.1, 1) * size])
            g.inputs.append(x)
        y = g.tensor("s16", x.dims, [x.scale[0] * g.pick(0.4, 1, 3)])
        g.emit(op, y, [x.number], attr(g, x))
    return make


def bent(g, x):
    """The result of a line with a bend at 0: scales per channel keep one ratio, which powers of two do to the last bit."""
    by = g.pick(0.4, 1, 3) if x.one else g.pick(0.5, 1, 4)
    return g.tensor("s16", x.dims, [s * by for s in x.scale], axis=x.axis)


def make_leakyrelu(g):
    x = g.find(("s16",), one=False)
    g.emit("leakyrelu", bent(g, x), [x.number], alpha(g, x))


def make_prelu(g):
    x = g.find(("s16",), one=False)
    dims = [1 if g.chance(0.3) else d for d in x.dims][g.int(0, len(x.dims) - 1):]
    slope = g.rng.uniform(-2, 2, dims)
    g.emit("prelu", bent(g, x), [x.number, g.const("f32", slope)])


def truth(g, dims):
    """A truth value that repeats to these dims, from a comparison with numbers that lie around it."""
    dims = ([1 if g.chance(0.3) else d for d in dims[:-1]] + list(dims[-1:]))[g.int(0, len(dims) - 1):]
    a = g.input("s16", dims)
    near = np.clip(g.rng.normal(0, 12000, dims), -32767, 32767).astype(int)
    y = g.tensor("bool", dims, [1], [0])
    g.emit(g.pick("less", "greaterequal"), y, [a.number, g.const("s16", near, " @{scale=%.9g, zero=0}" % a.scale[0])])
    return y


def comparison(op):
    """Of numbers of one scale with equals among them, or of two scales; of integers."""
    def make(g):
        if g.chance(0.3):
            return integer_pair(op, "bool")(g)
        a = g.find(("s16",))
        coarse = g.tensor("s16", a.dims, [a.scale[0] * 32767 / 3])
        g.emit("quantize", coarse, [a.number])
        b = g.input("s16", [1 if g.chance(0.3) else d for d in a.dims][g.int(0, len(a.dims) - 1):])
        if g.chance(0.6):
            b.scale = list(a.scale)
        other = g.tensor("s16", b.dims, [coarse.scale[0] if b.scale == a.scale else b.scale[0] * 32767 / 2])
        g.emit("quantize", other, [b.number])
        pair = [coarse.number, other.number] if g.chance(0.5) else [other.number, coarse.number]
        g.emit(op, g.tensor("bool", a.dims, [1], [0]), pair)
    return make


def logical(op):
    def make(g):
        dims = [g.int(1, 3), g.int(2, 5), g.int(8, 30)]
        parts = [truth(g, dims) for _ in range(1 if op == "not" else 2)]
        g.emit(op, g.tensor("bool", np.broadcast_shapes(*(t.dims for t in parts)), [1], [0]), [t.number for t in parts])
    return make


def make_where(g):
    if g.chance(0.3):
        kind, dims = g.pick("s32", "s16", "u8"), [g.int(1, 5), g.int(1, 5), g.int(8, 30)]
        t = truth(g, dims)
        return g.emit("where", g.tensor(kind, dims, []), [t.number] + [integers(g, part, kind).number for part in (dims, [1] + dims[1:])])
    x = g.find(("s16",))
    t, other = truth(g, x.dims), g.input("s16", [1 if g.chance(0.3) else d for d in x.dims])
    g.emit("where", g.tensor("s16", x.dims, [max(x.scale[0], other.scale[0]) * g.pick(0.5, 1)]), [t.number] + ([x.number, other.number] if g.chance(0.5) else [other.number, x.number]))


def make_cast(g):
    """Between real numbers, truth values and integers."""
    dims = [g.int(1, 3), g.int(2, 5), g.int(2, 30)]
    if g.chance(0.5):
        x = integers(g, dims, g.pick("s32", "s16", "u8")) if g.chance(0.7) else truth(g, dims)
        kind = g.pick("s32", "u8", "bool" if x.type != "bool" else "s32")
        g.emit("cast", g.tensor(kind, x.dims, []), [x.number], "type=" + kind)
        if x.type != "bool":
            g.emit("cast", g.tensor("s16", x.dims, [g.pick(1 / 32767, 0.01, 2.0, 1e3)]), [x.number], "type=s16")
    elif g.chance(0.5):
        t = truth(g, [g.int(1, 3), g.int(2, 5), g.int(2, 30)])
        g.emit("cast", g.tensor("s16", t.dims, [g.pick(1 / 32767, 0.01, 2.0)]), [t.number], "type=s16")
    else:
        x = g.find(("s16",))
        coarse = g.tensor("s16", x.dims, [x.scale[0] * 32767 / 2])
        g.emit("quantize", coarse, [x.number])
        g.emit("cast", g.tensor("bool", x.dims, [1], [0]), [coarse.number], "type=bool")


def no_attr(g, x):
    return ""


def alpha(g, x):
    return "alpha=%.6g" % g.rng.uniform(-1, 1)


def alpha_within(g, x):
    return "alpha=%.6g" % (g.rng.uniform(-0.5, 0.5) * x.scale[0] * 32767)


def make_maxpool_index(g):
    """With equals."""
    x = g.find(("u8",) if g.chance(0.3) else ("s16",), rank=4)
    coarse = g.tensor("u8", x.dims, [max(x.scale) * REACH[x.type][1] / 5], [128])
    g.emit("quantize", coarse, [x.number])
    n, h, w, c = x.dims
    (kh, sh, dh, top, bottom, oh), (kw, sw, dw, left, right, ow) = full_window(g, h), full_window(g, w)
    attr = "kernel=[%d,%d], stride=[%d,%d], pad=[%d,%d,%d,%d], dilation=[%d,%d]" % (kh, kw, sh, sw, top, left, bottom, right, dh, dw)
    g.emit("maxpool_index", g.tensor("s32", (n, oh, ow, c), [1], [0]), [coarse.number], joined(attr, g.pick("", "by_columns=1")))


def make_unpool(g):
    """Some of the places lie outside, some meet."""
    x = g.find() if g.chance(0.7) else integers(g, [g.int(1, 4), g.int(4, 12)], g.pick("s32", "s16", "u8"))
    dims = [g.int(1, 3), g.int(2, 6), g.int(4, 9)]
    index = integers(g, x.dims, "s32")
    g.emit("unpool", g.like(x, dims), [x.number, index.number], "dim=" + ints(dims))


def make_nms(g):
    """Boxes that often meet, some of no size; scores with equals; thresholds that take some."""
    pictures, classes, boxes, centre = g.int(1, 2), g.int(1, 3), g.int(2, 20), g.chance(0.5)
    a = g.input("s16", [pictures, boxes, 4])
    scores = g.input("s16", [pictures, classes, boxes])
    coarse = g.tensor("s16", scores.dims, [scores.scale[0] * 4000])
    g.emit("quantize", coarse, [scores.number])
    scores = coarse if g.chance(0.5) else scores
    most = g.int(1, boxes)
    attr = "most=%d, overlap=%.6g, score=%.6g" % (most, g.pick(0, 0.5, g.rng.uniform(0, 0.6), 1), g.rng.uniform(-1, 0.3) * scores.scale[0] * (8 if scores is coarse else 32767))
    g.emit("nms", g.tensor("s32", [pictures * classes * most, 3], [1], [0]), [a.number, scores.number], joined(attr, "centre=1" if centre else ""))


def rest(op):
    def make(g):
        if g.chance(0.4):
            return integer_pair(op)(g)
        a = g.find(("s16",))
        b = g.tensor("s16", [1 if g.chance(0.3) else d for d in a.dims], [a.scale[0] * g.pick(0.01, 0.3, 1, 5)])
        g.inputs.append(b)
        pair = [a, b] if g.chance(0.7) else [b, a]
        g.emit(op, g.tensor("s16", a.dims, [pair[1].scale[0] * g.pick(0.4, 1)]), [t.number for t in pair])
    return make


MAKERS = {name[5:]: f for name, f in list(globals().items()) if name.startswith("make_")}
MAKERS.update((op, pair(op)) for op in PAIRS)
MAKERS.update((op, comparison(op)) for op in ("equal", "less", "greater", "lessequal", "greaterequal"))
MAKERS.update((op, integer_pair(op)) for op in ("power",))
MAKERS.update((op, rest(op)) for op in ("mod", "fmod"))
MAKERS.update((op, logical(op)) for op in ("and", "or", "xor", "not"))
MAKERS.update((op, norm(op)) for op in ("layernorm", "rmsnorm"))
MAKERS.update((op, function(op)) for op in numpy_model.LUTS)
MAKERS.update((op, reduction(op)) for op in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min"))
MAKERS.update(abs=one_input("abs", no_attr), neg=one_input("neg", no_attr), thresholdedrelu=one_input("thresholdedrelu", alpha_within))
MAKERS.update((op, one_input(op, no_attr, 0.01)) for op in ("floor", "ceil", "round", "sign"))


def keep(known):
    """Makes graphs of these operators alone."""
    for op in set(MAKERS) - set(known):
        del MAKERS[op]
