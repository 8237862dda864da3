"""Each layer of Caffe against its definition in numpy."""
import math

import numpy as np
import pytest
from caffe_support import gives, inputs

RNG = np.random.default_rng(7)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def layer(kind, bottoms, tops=("y",), params="", name="l"):
    return 'layer { name: "%s" type: "%s" %s %s %s }\n' % (name, kind, " ".join('bottom: "%s"' % b for b in bottoms), " ".join('top: "%s"' % t for t in tops), params)


def one(tmp_path, kind, params, x, want, blobs=None):
    """A network of one layer."""
    xs = x if isinstance(x, list) else [x]
    names = "abc"[:len(xs)]
    wants = want if isinstance(want, list) else [want]
    tops = ["y%d" % i for i in range(len(wants))]
    text = inputs({n: v.shape for n, v in zip(names, xs)}) + layer(kind, names, tops, params)
    gives(tmp_path, text, xs, [np.asarray(w, np.float32) for w in wants], {"l": blobs} if blobs else None)


# ---- windows ----


def convolved(x, w, b, stride=(1, 1), pad=(0, 0), dilation=(1, 1), group=1):
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
    kh, kw = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation)]
    oh, ow = (x.shape[2] - kh) // stride[0] + 1, (x.shape[3] - kw) // stride[1] + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow))
    each, ins = w.shape[0] // group, w.shape[1]
    for g in range(group):
        part, k = x[:, g * ins:(g + 1) * ins], w[g * each:(g + 1) * each]
        for i in range(oh):
            for j in range(ow):
                window = part[:, :, i * stride[0]:i * stride[0] + kh:dilation[0], j * stride[1]:j * stride[1] + kw:dilation[1]]
                y[:, g * each:(g + 1) * each, i, j] = np.tensordot(window, k, ((1, 2, 3), (1, 2, 3)))
    return y + (0 if b is None else b.reshape(1, -1, 1, 1))


@pytest.mark.parametrize("params, w, how", [
    ("num_output: 5 kernel_size: 3", (5, 4, 3, 3), {}),
    ("num_output: 6 kernel_size: 3 pad: 1 stride: 2 group: 2", (6, 2, 3, 3), {"pad": (1, 1), "stride": (2, 2), "group": 2}),
    ("num_output: 4 kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 2 stride_h: 2 stride_w: 1", (4, 4, 1, 3), {"pad": (0, 2), "stride": (2, 1)}),
    ("num_output: 4 kernel_size: 3 kernel_size: 2 pad: [1, 0] dilation: [2, 1]", (4, 4, 3, 2), {"pad": (1, 0), "dilation": (2, 1)}),
    ("num_output: 4 kernel_size: 3 group: 4 pad: 1 engine: CAFFE weight_filler { type: \"msra\" }", (4, 1, 3, 3), {"pad": (1, 1), "group": 4}),
])
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(tmp_path, params, w, how, bias):
    x, k, b = normal(2, 4, 7, 8), normal(*w), normal(w[0])
    one(tmp_path, "Convolution", "convolution_param { %s bias_term: %s }" % (params, str(bias).lower()), x, convolved(x, k, b if bias else None, **how), [k, b] if bias else [k])


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
def test_depthwise(tmp_path, kind):
    x, k, b = normal(1, 6, 5, 5), normal(6, 1, 3, 3), normal(6)
    one(tmp_path, kind, "convolution_param { num_output: 6 kernel_size: 3 pad: 1 }", x, convolved(x, k, b, pad=(1, 1), group=6), [k, b])


def test_convolution_of_two_bottoms(tmp_path):
    x, z, k, b = normal(1, 3, 4, 4), normal(1, 3, 6, 5), normal(2, 3, 1, 1), normal(2)
    one(tmp_path, "Convolution", "convolution_param { num_output: 2 kernel_size: 1 }", [x, z], [convolved(x, k, b), convolved(z, k, b)], [k, b])


@pytest.mark.parametrize("group, stride, pad, kernel", [(1, 2, 1, 4), (3, 2, 1, 4), (1, 3, 0, 2), (3, 1, 1, 3)])
def test_deconvolution(tmp_path, group, stride, pad, kernel):
    x, k, b = normal(1, 3, 4, 5), normal(3, 6 // group, kernel, kernel), normal(6)
    y = np.zeros((1, 6, stride * 3 + kernel, stride * 4 + kernel))
    for c in range(3):
        first = c // (3 // group) * (6 // group)
        for i in range(4):
            for j in range(5):
                y[0, first:first + 6 // group, i * stride:i * stride + kernel, j * stride:j * stride + kernel] += x[0, c, i, j] * k[c]
    y = y[:, :, pad:y.shape[2] - pad, pad:y.shape[3] - pad] + b.reshape(1, 6, 1, 1)
    one(tmp_path, "Deconvolution", "convolution_param { num_output: 6 kernel_size: %d stride: %d pad: %d group: %d }" % (kernel, stride, pad, group), x, y, [k, b])


def pooled(x, kernel, stride, pad, average, floor=False):
    out = []
    for size, k, s, p in zip(x.shape[2:], kernel, stride, pad):
        n = (math.floor if floor else math.ceil)((size + 2 * p - k) / s) + 1
        if any(pad) and (n - 1) * s >= size + p:
            n -= 1
        out.append(n)
    y = np.zeros(x.shape[:2] + tuple(out))
    for i in range(out[0]):
        for j in range(out[1]):
            low = [i * stride[0] - pad[0], j * stride[1] - pad[1]]
            high = [min(v + k, size + p) for v, k, size, p in zip(low, kernel, x.shape[2:], pad)]
            count = (high[0] - low[0]) * (high[1] - low[1])
            window = x[:, :, max(low[0], 0):min(high[0], x.shape[2]), max(low[1], 0):min(high[1], x.shape[3])]
            y[:, :, i, j] = window.sum((2, 3), dtype=np.float64) / count if average else window.max((2, 3))
    return y


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("params, kernel, stride, pad", [
    ("kernel_size: 3 stride: 2", (3, 3), (2, 2), (0, 0)),
    ("kernel_size: 2 stride: 2", (2, 2), (2, 2), (0, 0)),
    ("kernel_size: 3 stride: 2 pad: 1", (3, 3), (2, 2), (1, 1)),
    ("kernel_size: 3 stride: 1 pad: 1", (3, 3), (1, 1), (1, 1)),
    ("kernel_h: 3 kernel_w: 2 stride_h: 3 stride_w: 2 pad_h: 2 pad_w: 0", (3, 2), (3, 2), (2, 0)),
    ("kernel_size: 5 stride: 3 pad: 2", (5, 5), (3, 3), (2, 2)),
    ("kernel_size: 4 stride: 4 pad: 3", (4, 4), (4, 4), (3, 3)),
])
@pytest.mark.parametrize("size", [(6, 7), (8, 9), (10, 11)])
def test_pooling(tmp_path, average, params, kernel, stride, pad, size):
    x = normal(1, 3, *size)
    one(tmp_path, "Pooling", "pooling_param { pool: %s %s }" % ("AVE" if average else "MAX", params), x, pooled(x, kernel, stride, pad, average))


def test_pooling_of_all_and_rounded_down(tmp_path):
    x = normal(2, 3, 6, 7)
    one(tmp_path, "Pooling", "pooling_param { pool: AVE global_pooling: true }", x, x.mean((2, 3), keepdims=True))
    one(tmp_path, "Pooling", "pooling_param { kernel_size: 3 stride: 2 round_mode: FLOOR }", x, pooled(x, (3, 3), (2, 2), (0, 0), False, True))
    one(tmp_path, "Pooling", "pooling_param { kernel_size: 3 stride: 2 ceil_mode: false }", x, pooled(x, (3, 3), (2, 2), (0, 0), False, True))


@pytest.mark.parametrize("size, params", [((7, 9), "kernel_size: 3 stride: 2 pad: 1"), ((8, 8), "kernel_size: 2 stride: 2")])
def test_places_of_maxima(tmp_path, size, params):
    """A second top has them as places in the picture; Upsample puts numbers there, in a picture of the size before or of another."""
    x = RNG.permutation(2 * 3 * size[0] * size[1]).reshape(2, 3, *size).astype(np.float32)
    kernel, stride, pad = (3, 2, 1) if "3" in params else (2, 2, 0)
    y = pooled(x, (kernel,) * 2, (stride,) * 2, (pad,) * 2, False)
    flat = x.reshape(2, 3, -1)
    mask = np.array([[[np.flatnonzero(flat[n, c] == v)[0] for v in y[n, c].ravel()] for c in range(3)] for n in range(2)])
    back = np.zeros_like(flat)
    np.put_along_axis(back, mask, y.reshape(2, 3, -1).astype(np.float32), 2)
    text = inputs({"a": x.shape}) + layer("Pooling", "a", ["p", "m"], "pooling_param { pool: MAX %s }" % params, "pool")
    unpooled = layer("Upsample", "pm", ["y"], "upsample_param { scale: 2 upsample_h: %d upsample_w: %d }" % size, "up")
    gives(tmp_path, text + unpooled, [x], [back.reshape(x.shape)])
    gives(tmp_path, text, [x], [y.astype(np.float32), mask.reshape(y.shape).astype(np.int32)])
    if size == (8, 8):
        gives(tmp_path, text + layer("Upsample", "pm", ["y"], name="up"), [x], [back.reshape(x.shape)])  # twice the size


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("size, levels", [((7, 9), 3), ((8, 8), 3), ((5, 6), 1)])
def test_spp(tmp_path, pool, size, levels):
    x, parts = normal(2, 3, *size), []
    for bins in [2 ** i for i in range(levels)]:
        kernel = [-(-n // bins) for n in size]
        parts.append(pooled(x, kernel, kernel, [(k * bins - n + 1) // 2 for k, n in zip(kernel, size)], pool == "AVE"))
    want = np.concatenate([v.reshape(2, -1) for v in parts], 1) if levels > 1 else parts[0]
    one(tmp_path, "SPP", "spp_param { pyramid_height: %d pool: %s }" % (levels, pool), x, want)


def test_lrn(tmp_path):
    x = normal(1, 7, 6, 5)
    square = np.pad(x.astype(np.float64) ** 2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    total = sum(square[:, i:i + 7] for i in range(5))
    one(tmp_path, "LRN", "lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 k: 2 }", x, x / (2 + 0.1 * total) ** 0.75)
    square = np.pad(x.astype(np.float64) ** 2, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = sum(square[:, :, i:i + 6, j:j + 5] for i in range(3) for j in range(3))
    one(tmp_path, "LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }", x, x / (1 + 0.5 * total / 9) ** 0.75)


def interpolated(x, height, width):
    def weights(n, m):
        w = np.zeros((m, n))
        for i in range(m):
            at = i * (n - 1) / (m - 1) if m > 1 else 0
            low = min(int(at), n - 1)
            high = min(low + 1, n - 1)
            w[i, low] += 1 - (at - low)
            w[i, high] += at - low
        return w
    return np.einsum("ih,jw,nchw->ncij", weights(x.shape[2], height), weights(x.shape[3], width), x.astype(np.float64))


@pytest.mark.parametrize("params, size, cut", [
    ("height: 9 width: 5", (9, 5), 0), ("zoom_factor: 3", (13, 16), 0), ("shrink_factor: 2", (3, 3), 0), ("shrink_factor: 2 zoom_factor: 2", (5, 5), 0),
    ("height: 4 width: 4 pad_beg: -1 pad_end: -1", (4, 4), 1)])
def test_interp(tmp_path, params, size, cut):
    x = normal(1, 2, 5, 6)
    inner = x[:, :, cut:5 - cut, cut:6 - cut]
    one(tmp_path, "Interp", "interp_param { %s }" % params, x, interpolated(inner, *size))


def test_interp_to_another_bottom(tmp_path):
    x, z = normal(1, 2, 5, 6), normal(1, 1, 8, 3)
    one(tmp_path, "Interp", "", [x, z], interpolated(x, 8, 3))


def test_upsample(tmp_path):
    x = normal(1, 2, 3, 4)
    one(tmp_path, "Upsample", "upsample_param { scale: 2 }", x, x.repeat(2, 2).repeat(2, 3))


# ---- over time ----


def recurrent(kind, x, going, blobs, fixed=None, h=None, c=None):
    """As the layers unroll: hidden states of all steps, the last ones."""
    units = blobs[-1].shape[0] if kind == "RNN" else blobs[-1].shape[1]
    steps, batch = x.shape[:2]
    h = np.zeros((batch, units)) if h is None else h.reshape(batch, units).astype(np.float64)
    c = np.zeros((batch, units)) if c is None else c.reshape(batch, units).astype(np.float64)
    (w, b), rest = blobs[:2], list(blobs[2:])
    share = x.reshape(steps, batch, -1).astype(np.float64) @ w.T + b
    if fixed is not None:
        share = share + fixed.reshape(batch, -1) @ rest.pop(0).T
    r, ys = rest.pop(0), []
    for t in range(steps):
        on = going[t].reshape(batch, 1)
        s = share[t] + (on * h) @ r.T
        if kind == "RNN":
            h = np.tanh(s)
            ys.append(np.tanh(h @ rest[0].T + rest[1]))
            continue
        i, f, o, g = [s[:, k * units:(k + 1) * units] for k in range(4)]
        c = on * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return np.stack(ys), h[None], c[None]


def learned(kind, inputs, units, fixed=0):
    wide, rest = (4 if kind == "LSTM" else 1) * units, [normal(units, units), normal(units)] if kind == "RNN" else []
    return [v / 2 for v in [normal(wide, inputs), normal(wide)] + ([normal(wide, fixed)] if fixed else []) + [normal(wide, units)] + rest]


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("shape", [(4, 2, 3), (1, 1, 5), (3, 2, 2, 2)])
def test_recurrent(tmp_path, kind, shape):
    """Sequences that begin and go on as an input says, and whole ones, which ContinuationIndicator makes."""
    x, blobs = normal(*shape), learned(kind, int(np.prod(shape[2:])), 5)
    params, going = "recurrent_param { num_output: 5 weight_filler { type: \"uniform\" } }", RNG.integers(0, 2, shape[:2]).astype(np.float32)
    one(tmp_path, kind, params, [x, going], recurrent(kind, x, going, blobs)[0], blobs)
    whole = np.ones(shape[:2], np.float32)
    whole[0] = 0
    text = inputs({"a": shape}) + layer("ContinuationIndicator", "a", ["i"], name="i") + layer(kind, "ai", params=params)
    gives(tmp_path, text, [x], [recurrent(kind, x, whole, blobs)[0].astype(np.float32)], {"l": blobs})


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("begin", [0, 1, None])
def test_recurrent_states(tmp_path, kind, begin):
    """States as bottoms and tops; `begin`: the first indicator, constant, or None: all of them come at run time."""
    x, blobs, states = normal(3, 2, 4), learned(kind, 4, 5), [normal(1, 2, 5) for _ in range(2 if kind == "LSTM" else 1)]
    going = RNG.integers(0, 2, (3, 2)).astype(np.float32) if begin is None else np.float32([[begin] * 2, [1, 1], [1, 1]])
    want = [v.astype(np.float32) for v in recurrent(kind, x, going, blobs, None, *states)[:1 + len(states)]]
    names, tops = ["h", "c"][:len(states)], ["y", "hn", "cn"][:1 + len(states)]
    params = "recurrent_param { num_output: 5 expose_hidden: true }"
    start = "" if begin is None else layer("Parameter", [], ["i"], "parameter_param { shape { dim: [3, 2] } }", "p")
    feeds = {"x": x, **({"i": going} if begin is None else {}), **dict(zip(names, states))}
    text = inputs({n: v.shape for n, v in feeds.items()}) + start + layer(kind, ["x", "i", *names], tops, params)
    gives(tmp_path, text, list(feeds.values()), want, {"l": blobs, **({} if begin is None else {"p": [going]})})


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_recurrent_with_what_every_step_sees(tmp_path, kind):
    x, fixed, blobs = normal(3, 2, 4), normal(2, 6), learned(kind, 4, 5, 6)
    going = np.float32([[0, 1], [1, 0], [1, 1]])
    one(tmp_path, kind, "recurrent_param { num_output: 5 }", [x, going, fixed], recurrent(kind, x, going, blobs, fixed)[0], blobs)


# ---- elements ----


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


@pytest.mark.parametrize("kind, params, of", [
    ("ReLU", "", lambda x: np.maximum(x, 0)),
    ("ReLU", "relu_param { negative_slope: 0.1 }", lambda x: np.where(x > 0, x, 0.1 * x)),
    ("ReLU6", "", lambda x: np.clip(x, 0, 6)),
    ("Clip", "clip_param { min: -0.5 max: 1.5f }", lambda x: np.clip(x, -0.5, 1.5)),
    ("Sigmoid", "", sigmoid), ("TanH", "", np.tanh), ("AbsVal", "", np.abs), ("BNLL", "", softplus),
    ("ELU", "elu_param { alpha: 0.7 }", lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    ("ELU", "", lambda x: np.where(x > 0, x, np.expm1(x))),
    ("Swish", "", lambda x: x * sigmoid(x)), ("Swish", "swish_param { beta: 2 }", lambda x: x * sigmoid(2 * x)),
    ("Mish", "", lambda x: x * np.tanh(softplus(x))),
    ("Power", "power_param { power: 2 scale: 0.5 shift: 1 }", lambda x: (1 + 0.5 * x) ** 2),
    ("Power", "power_param { scale: -1 }", lambda x: -x), ("Power", "", lambda x: x), ("Power", "power_param { power: 3 }", lambda x: x ** 3),
    ("Power", "power_param { power: 0 }", lambda x: x ** 0),
    ("Exp", "", np.exp), ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", lambda x: 2 ** (1 + 0.5 * x)),
    ("Log", "log_param { base: 10 scale: 0.1 shift: 2 }", lambda x: np.log10(2 + 0.1 * x)),
    ("Threshold", "threshold_param { threshold: 0.25 }", lambda x: x > 0.25),
    ("CReLU", "", lambda x: np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], 1)),
    ("Dropout", "dropout_param { dropout_ratio: 0.5 }", lambda x: x),
])
def test_of_one(tmp_path, kind, params, of):
    x = normal(2, 3, 4, 5)
    one(tmp_path, kind, params, x, of(x.astype(np.float64)))


@pytest.mark.parametrize("shared", [False, True])
def test_prelu(tmp_path, shared):
    x, slope = normal(2, 3, 4, 5), normal(1 if shared else 3)
    one(tmp_path, "PReLU", "prelu_param { channel_shared: %s }" % str(shared).lower(), x, np.where(x > 0, x, x * slope.reshape(1, -1, 1, 1)), [slope])


@pytest.mark.parametrize("params, of", [
    ("", lambda a, b, c: a + b + c), ("eltwise_param { operation: PROD }", lambda a, b, c: a * b * c), ("eltwise_param { operation: MAX }", lambda a, b, c: np.maximum(np.maximum(a, b), c)),
    ("eltwise_param { operation: SUM coeff: 1 coeff: -1 coeff: 0.5 }", lambda a, b, c: a - b + 0.5 * c)])
def test_eltwise(tmp_path, params, of):
    x = [normal(2, 3, 4, 5) for _ in range(3)]
    one(tmp_path, "Eltwise", params, x, of(*x))


def test_axpy(tmp_path):
    a, x, y = normal(2, 3, 1, 1), normal(2, 3, 4, 5), normal(2, 3, 4, 5)
    one(tmp_path, "Axpy", "", [a, x, y], a * x + y)


@pytest.mark.parametrize("params, shape, at", [("", (3,), 1), ("axis: 1 num_axes: 2", (3, 4), 1), ("axis: -1", (5,), 3), ("num_axes: -1", (3, 4, 5), 1), ("num_axes: 0", (), 1)])
def test_scale_and_bias(tmp_path, params, shape, at):
    x, s, b = normal(2, 3, 4, 5), normal(*shape), normal(*shape)
    full = (1,) * at + shape + (1,) * (4 - at - len(shape))
    one(tmp_path, "Scale", "scale_param { %s }" % params, x, x * s.reshape(full), [s])
    one(tmp_path, "Scale", "scale_param { %s bias_term: true }" % params, x, x * s.reshape(full) + b.reshape(full), [s, b])
    one(tmp_path, "Bias", "bias_param { %s }" % params, x, x + b.reshape(full), [b])


def test_scale_and_bias_by_a_bottom(tmp_path):
    x, s = normal(2, 3, 4, 5), normal(2, 3)
    one(tmp_path, "Scale", "scale_param { axis: 0 }", [x, s], x * s.reshape(2, 3, 1, 1))
    one(tmp_path, "Bias", "bias_param { axis: 0 }", [x, s], x + s.reshape(2, 3, 1, 1))


@pytest.mark.parametrize("factor", [2.0, 0.0])
@pytest.mark.parametrize("rank", [2, 4])
def test_batchnorm(tmp_path, factor, rank):
    x, mean, var = normal(*(2, 3, 4, 5)[:rank]), normal(3), RNG.random(3).astype(np.float32) + 0.5
    by, full = 1 / factor if factor else 0, (1, 3, 1, 1)[:rank]
    want = (x - (mean * by).reshape(full)) / np.sqrt((var * by).reshape(full) + 1e-3)
    one(tmp_path, "BatchNorm", "batch_norm_param { eps: 1e-3 use_global_stats: true }", x, want, [mean, var, np.float32([factor])])


@pytest.mark.parametrize("params, axes, variance, eps", [("", (2, 3), True, 1e-9), ("across_channels: true", (1, 2, 3), True, 1e-9), ("normalize_variance: false", (2, 3), False, 0),
                                                        ("eps: 0.5", (2, 3), True, 0.5)])
def test_mvn(tmp_path, params, axes, variance, eps):
    x = normal(2, 3, 4, 5)
    y = x - x.mean(axes, keepdims=True, dtype=np.float64)
    one(tmp_path, "MVN", "mvn_param { %s }" % params, x, y / (np.sqrt((y ** 2).mean(axes, keepdims=True)) + eps) if variance else y)


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_normalize(tmp_path, spatial, shared):
    x, s = normal(2, 3, 4, 5), normal(1 if shared else 3)
    norm = np.sqrt((x.astype(np.float64) ** 2).sum((1, 2, 3) if spatial else 1, keepdims=True) + 1e-10)
    one(tmp_path, "Normalize", "norm_param { across_spatial: %s channel_shared: %s scale_filler { type: \"constant\" } }" % (str(spatial).lower(), str(shared).lower()), x,
        x / norm * s.reshape(1, -1, 1, 1), [s])


@pytest.mark.parametrize("params, axis", [("", 1), ("axis: 2", 2), ("axis: -1", 3)])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_inner_product(tmp_path, params, axis, turned, bias):
    x = normal(2, 3, 4, 5)
    k, b = normal(6, math.prod(x.shape[axis:])), normal(6)
    want = x.reshape(x.shape[:axis] + (-1,)).astype(np.float64) @ k.T + (b if bias else 0)
    one(tmp_path, "InnerProduct", "inner_product_param { num_output: 6 %s transpose: %s bias_term: %s }" % (params, str(turned).lower(), str(bias).lower()), x, want,
        [k.T if turned else k] + ([b] if bias else []))


@pytest.mark.parametrize("bias", [False, True])
def test_embed(tmp_path, bias):
    x, k, b = np.float32([[0, 3], [2, 1]]), normal(4, 5), normal(5)
    one(tmp_path, "Embed", "embed_param { input_dim: 4 num_output: 5 bias_term: %s }" % str(bias).lower(), x, k[x.astype(int)] + (b if bias else 0), [k, b] if bias else [k])


@pytest.mark.parametrize("params, axis", [("", 1), ("softmax_param { axis: -1 }", 3), ("softmax_param { axis: 2 engine: CAFFE }", 2)])
def test_softmax(tmp_path, params, axis):
    x = normal(2, 3, 4, 5)
    e = np.exp(x - x.max(axis, keepdims=True))
    one(tmp_path, "Softmax", params, x, e / e.sum(axis, keepdims=True))


def test_argmax(tmp_path):
    x = normal(2, 3, 4, 5)
    flat = x.reshape(2, -1)
    one(tmp_path, "ArgMax", "", x, flat.argmax(1).reshape(2, 1, 1))
    one(tmp_path, "ArgMax", "argmax_param { out_max_val: true }", x, np.stack([flat.argmax(1), flat.max(1)], 1).reshape(2, 2, 1))
    one(tmp_path, "ArgMax", "argmax_param { axis: 1 }", x, x.argmax(1)[:, None])
    one(tmp_path, "ArgMax", "argmax_param { axis: 2 out_max_val: true }", x, x.max(2)[:, :, None])


@pytest.mark.parametrize("operation, of", [("SUM", lambda x: x), ("ASUM", np.abs), ("SUMSQ", np.square), ("MEAN", None)])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_reduction(tmp_path, operation, of, axis):
    x = normal(2, 3, 4, 5)
    rest = tuple(range(axis % 4, 4))
    want = of(x).sum(rest, dtype=np.float64) if of else x.mean(rest, dtype=np.float64)
    one(tmp_path, "Reduction", "reduction_param { operation: %s axis: %d coeff: 2 }" % (operation, axis), x, 2 * want)


# ---- moves ----


@pytest.mark.parametrize("params, axis", [("", 1), ("concat_param { axis: -1 }", 3), ("concat_param { concat_dim: 0 }", 0)])
def test_concat(tmp_path, params, axis):
    x = [normal(2, 3, 4, 5), normal(2, 3, 4, 5)]
    one(tmp_path, "Concat", params, x, np.concatenate(x, axis))
    one(tmp_path, "Concat", params, x[0], x[0])


@pytest.mark.parametrize("params, axis, at", [("", 1, [2, 4]), ("slice_param { axis: -1 slice_point: 1 slice_point: 4 }", 3, [1, 4]), ("slice_param { slice_dim: 2 slice_point: [3, 4] }", 2, [3, 4])])
def test_slice(tmp_path, params, axis, at):
    x = normal(2, 6, 5, 6)
    one(tmp_path, "Slice", params, x, np.split(x, at, axis))


@pytest.mark.parametrize("params, want", [("", np.s_[:, :, :3, :2]), ("offset: 1", np.s_[:, :, 1:4, 1:3]), ("offset: [1, 2]", np.s_[:, :, 1:4, 2:4]), ("axis: 3 offset: 3", np.s_[..., 3:5])])
def test_crop(tmp_path, params, want):
    x = normal(1, 3, 4, 5)
    z = normal(1, 3, 4 if "axis: 3" in params else 3, 2)
    text = inputs({"a": x.shape, "b": z.shape}) + layer("Crop", "ab", ["y"], "crop_param { %s }" % params)
    gives(tmp_path, text, [x, z], [x[want]])


def test_permute_and_shuffle(tmp_path):
    x = normal(2, 6, 4, 5)
    one(tmp_path, "Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", x, x.transpose(0, 2, 3, 1))
    one(tmp_path, "Permute", "permute_param { order: 3 }", x, x.transpose(3, 0, 1, 2))
    one(tmp_path, "ShuffleChannel", "shuffle_channel_param { group: 3 }", x, x.reshape(2, 3, 2, 4, 5).transpose(0, 2, 1, 3, 4).reshape(x.shape))


@pytest.mark.parametrize("params, shape", [
    ("shape { dim: 0 dim: -1 }", (2, 60)), ("shape { dim: 0 dim: 0 dim: 20 }", (2, 3, 20)), ("shape { dim: [6, -1, 2] }", (6, 10, 2)), ("shape { dim: 120 }", (120,)),
    ("shape { dim: 12 } axis: 1 num_axes: 2", (2, 12, 5)), ("shape { dim: 1 } axis: 1 num_axes: 0", (2, 1, 3, 4, 5)), ("axis: -3 shape { dim: 20 }", (2, 3, 20)),
    ("axis: -1 shape { dim: 1 }", (2, 3, 4, 5, 1))])
def test_reshape(tmp_path, params, shape):
    x = normal(2, 3, 4, 5)
    one(tmp_path, "Reshape", "reshape_param { %s }" % params, x, x.reshape(shape))


def test_flatten(tmp_path):
    x = normal(2, 3, 4, 5)
    one(tmp_path, "Flatten", "", x, x.reshape(2, 60))
    one(tmp_path, "Flatten", "flatten_param { axis: 1 end_axis: 2 }", x, x.reshape(2, 12, 5))
    one(tmp_path, "Flatten", "flatten_param { axis: -3 end_axis: -2 }", x, x.reshape(2, 12, 5))


def test_reverse_and_tile(tmp_path):
    x = normal(2, 3, 4, 5)
    one(tmp_path, "Reverse", "", x, x[::-1])
    one(tmp_path, "Reverse", "reverse_param { axis: 3 }", x, x[..., ::-1])
    one(tmp_path, "Tile", "tile_param { tiles: 3 }", x, np.tile(x, (1, 3, 1, 1)))
    one(tmp_path, "Tile", "tile_param { axis: -1 tiles: 2 }", x, np.tile(x, (1, 1, 1, 2)))


def test_im2col(tmp_path):
    x = normal(2, 3, 6, 7)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    want = np.stack([padded[:, :, i * 2:i * 2 + 3:2, j:j + 6] for i in range(3) for j in range(2)], 2)
    one(tmp_path, "Im2col", "convolution_param { kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 stride_h: 2 stride_w: 1 dilation: [2, 1] }", x, want.reshape(2, 18, 2, 6))


def test_batch_reindex(tmp_path):
    x = normal(4, 3, 2)
    one(tmp_path, "BatchReindex", "", [x, np.float32([2, 0, 2, 3, 1])], x[[2, 0, 2, 3, 1]])


def test_parameter(tmp_path):
    x, v = normal(2, 3), normal(2, 3)
    text = inputs({"a": x.shape}) + layer("Parameter", [], ["p"], "parameter_param { shape { dim: [2, 3] } }", "p") + layer("Eltwise", "ap")
    gives(tmp_path, text, [x], [x + v], {"p": [v]})


def test_split(tmp_path):
    x = normal(2, 3)
    one(tmp_path, "Split", "", x, [x, x])


def test_continuation_indicator(tmp_path):
    x, first = normal(4, 2, 3), np.float32([[0, 0], [1, 1], [1, 1], [1, 1]])
    text = inputs({"a": x.shape}) + layer("ContinuationIndicator", "a", ["i"], name="i") + layer("Slice", "a", ["s", "t"], "slice_param { axis: 2 slice_point: 1 }", "s") \
        + layer("Reshape", "s", ["r"], "reshape_param { shape { dim: [4, 2] } }", "r") + layer("Eltwise", "ir", ["y"], name="e") + layer("Silence", "t", [], name="q")
    gives(tmp_path, text, [x], [x[..., 0] + first])


# ---- detection ----


def priors(h, w, picture, sizes, larges, ratios, flip, clip, variance, step, offset):
    all_ratios = [1.0]
    for r in ratios:
        if not any(abs(r - known) < 1e-6 for known in all_ratios):
            all_ratios += [r, 1 / r] if flip else [r]
    boxes = []
    step_h, step_w = (step, step) if step else (picture[0] / h, picture[1] / w)
    for i in range(h):
        for j in range(w):
            y, x = (i + offset) * step_h, (j + offset) * step_w
            for k, s in enumerate(sizes):
                shapes = [(s, s)] + ([(math.sqrt(s * larges[k]),) * 2] if larges else []) + [(s / math.sqrt(r), s * math.sqrt(r)) for r in all_ratios[1:]]
                for bh, bw in shapes:
                    boxes.append([(x - bw / 2) / picture[1], (y - bh / 2) / picture[0], (x + bw / 2) / picture[1], (y + bh / 2) / picture[0]])
    boxes = np.clip(boxes, 0, 1) if clip else np.array(boxes)
    return np.stack([boxes.ravel(), np.tile(variance, len(boxes))])[None].astype(np.float32)


GRIDS = [
    ("min_size: 4", dict(sizes=[4], larges=[], ratios=[], flip=True, clip=False, variance=[0.1] * 4, step=0, offset=0.5)),
    ("min_size: 4 max_size: 8 aspect_ratio: 2 aspect_ratio: 3 clip: true variance: [0.1, 0.1, 0.2, 0.2]",
     dict(sizes=[4], larges=[8], ratios=[2, 3], flip=True, clip=True, variance=[0.1, 0.1, 0.2, 0.2], step=0, offset=0.5)),
    ("min_size: 4 min_size: 6 max_size: [9, 12] aspect_ratio: [1, 2, 2] flip: false variance: 0.3 step: 5 offset: 0.25 img_size: 20",
     dict(sizes=[4, 6], larges=[9, 12], ratios=[1, 2, 2], flip=False, clip=False, variance=[0.3] * 4, step=5, offset=0.25)),
]


@pytest.mark.parametrize("params, grid", GRIDS)
def test_priorbox(tmp_path, params, grid):
    """Beside another bottom: an output that depends on no input is refused."""
    want = priors(3, 4, (20, 20) if "img_size" in params else (12, 16), **grid)
    x, picture, z = normal(1, 2, 3, 4), normal(1, 3, 12, 16), normal(*want.shape)
    text = inputs({"a": x.shape, "b": picture.shape, "c": z.shape}) + layer("PriorBox", "ab", ["p"], "prior_box_param { %s }" % params, "p") + layer("Eltwise", "pc", ["y"])
    gives(tmp_path, text, [x, picture, z], [want + z])


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def decoded(loc, prior, variance, code, in_target):
    """loc: [boxes][sets][4]"""
    prior, v = prior[:, None].astype(np.float64), np.ones(4) if in_target else variance[:, None].astype(np.float64)
    size = np.concatenate([prior[..., 2:] - prior[..., :2]] * 2, -1)
    if code == "CORNER":
        return prior + v * loc
    if code == "CORNER_SIZE":
        return prior + v * loc * size
    middle = (prior[..., :2] + prior[..., 2:]) / 2 + (v * loc)[..., :2] * size[..., :2]
    half = np.exp((v * loc)[..., 2:]) * size[..., :2] / 2
    return np.concatenate([middle - half, middle + half], -1)


def detections(loc, conf, prior, code, in_target, background, overlap, top, keep, least, eta):
    out = []
    for n in range(loc.shape[0]):
        boxes, found = decoded(loc[n], prior[0, 0].reshape(-1, 4), prior[0, 1].reshape(-1, 4), code, in_target), []
        for c in range(conf.shape[2]):
            if c == background:
                continue
            order = [i for i in np.argsort(-conf[n, :, c], kind="stable") if conf[n, i, c] > least][:top if top >= 0 else None]
            kept, most = [], overlap
            for i in order:
                box = boxes[i, c if boxes.shape[1] > 1 else 0]
                if all(iou(box, boxes[k, c if boxes.shape[1] > 1 else 0]) <= most for k in kept):
                    kept.append(i)
                    most *= eta if eta < 1 and most > 0.5 else 1
            found += [(conf[n, i, c], c, i) for i in kept]
        if keep >= 0:
            found = sorted(found, key=lambda f: -f[0])[:keep]
        for score, c, i in sorted(found, key=lambda f: (f[1], -f[0])):
            out.append([n, c, score, *boxes[i, c if boxes.shape[1] > 1 else 0]])
    return np.array(out, np.float32).reshape(-1, 7)


@pytest.mark.parametrize("code", ["CORNER", "CENTER_SIZE", "CORNER_SIZE"])
@pytest.mark.parametrize("shared, in_target, background, top, keep, least, eta", [
    (True, False, 0, 10, 6, 0.1, 1.0), (False, False, 0, -1, -1, 0.2, 1.0), (True, True, -1, 5, 4, 0.0, 1.0), (True, False, 1, 8, 20, 0.3, 0.7)])
def test_detection_output(tmp_path, code, shared, in_target, background, top, keep, least, eta):
    boxes, classes = 24, 3
    corner = RNG.random((boxes, 2)) * 0.7
    prior = np.stack([np.concatenate([corner, corner + 0.1 + 0.2 * RNG.random((boxes, 2))], 1).ravel(), np.tile([0.1, 0.1, 0.2, 0.2], boxes)])[None].astype(np.float32)
    loc, conf = normal(2, boxes, 1 if shared else classes, 4) * np.float32(0.3), RNG.random((2, boxes, classes)).astype(np.float32)
    params = "num_classes: 3 share_location: %s background_label_id: %d code_type: %s variance_encoded_in_target: %s keep_top_k: %d confidence_threshold: %g" % (
        str(shared).lower(), background, code, str(in_target).lower(), keep, least)
    nms = "nms_param { nms_threshold: 0.6 top_k: %d eta: %g }" % (top, eta)
    text = inputs({"a": (2, loc[0].size), "b": (2, conf[0].size), "c": prior.shape}) + layer("DetectionOutput", "abc", ["y"], "detection_output_param { %s %s }" % (params, nms))
    want = detections(loc, conf, prior, code, in_target, background, np.float32(0.6), top, keep, np.float32(least), np.float32(eta))
    most = min(top if top >= 0 else boxes, boxes) * (classes - (background >= 0))
    rows = 2 * (min(keep, most) if keep >= 0 else most)
    want = np.concatenate([want, np.full((rows - len(want), 7), -1, np.float32)])
    gives(tmp_path, text, [loc.reshape(2, -1), conf.reshape(2, -1), prior], [want[None, None]])


def roi_pooled(x, rois, h, w, scale):
    y = np.zeros((len(rois), x.shape[1], h, w), np.float32)
    for n, roi in enumerate(rois):
        at = [int(math.floor(v * scale + 0.5)) for v in roi[1:]]  # of numbers above 0
        size = [max(at[3] - at[1] + 1, 1), max(at[2] - at[0] + 1, 1)]
        for i in range(h):
            for j in range(w):
                low = [min(max(math.floor(k * s / c) + o, 0), limit) for k, s, c, o, limit in zip((i, j), size, (h, w), (at[1], at[0]), x.shape[2:])]
                high = [min(max(math.ceil((k + 1) * s / c) + o, 0), limit) for k, s, c, o, limit in zip((i, j), size, (h, w), (at[1], at[0]), x.shape[2:])]
                window = x[int(roi[0]), :, low[0]:high[0], low[1]:high[1]]
                y[n, :, i, j] = window.max((1, 2)) if window.size else 0
    return y


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1, 1)])
def test_roi_pooling(tmp_path, shape):
    x, rois = normal(2, 3, 9, 12), np.float32([[0, 0, 0, 40, 30], [1, 10, 4, 26, 35], [0, 30, 20, 30, 20], [1, 0, 0, 200, 150]])
    one(tmp_path, "ROIPooling", "roi_pooling_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.25 }", [x, rois.reshape(shape)], roi_pooled(x, rois, 3, 4, 0.25))
