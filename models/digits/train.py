#!/usr/bin/env python3
"""Trains the digit network of `make demo` and writes digits.onnx and the demo's pictures.

Needs fonts (Debian: fonts-dejavu fonts-liberation2 fonts-freefont-ttf fonts-roboto-hinted fonts-open-sans fonts-lato
fonts-cantarell fonts-comfortaa fonts-hack fonts-inconsolata fonts-crosextra-carlito fonts-linuxlibertine fonts-urw-base35), numpy,
OpenCV, Pillow and onnx.  Plain numpy, a few minutes on one core; the seed fixes the result on one numpy version.

    conv 3x3 s2 1->16, relu | conv 3x3 16->32, relu | maxpool 2 | 1x1 32->96, relu, depthwise 3x3, relu, 1x1 96->32, + | conv 3x3 s2
    32->64, relu | global average | 64->10
"""
import argparse
import pathlib

import cv2
import numpy as np

import render

HERE = pathlib.Path(__file__).resolve().parent


# ---- layers: forward keeps what backward needs; parameters are (value, gradient) pairs --------------------------------

class Conv:
    """x [n,h,w,ci] -> [n,ho,wo,co], zero padding k//2."""

    def __init__(self, ci, co, k, stride, rng):
        self.k, self.stride = k, stride
        self.w = rng.normal(0, np.sqrt(2 / (k * k * ci)), (k, k, ci, co)).astype(np.float32)
        self.b = np.zeros(co, np.float32)

    def windows(self, x):
        p = self.k // 2
        xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        v = np.lib.stride_tricks.sliding_window_view(xp, (self.k, self.k), axis=(1, 2))[:, ::self.stride, ::self.stride]
        return v.transpose(0, 1, 2, 4, 5, 3)                 # n,ho,wo,k,k,ci

    def forward(self, x):
        self.shape = x.shape
        v = self.windows(x)
        self.cols = v.reshape(-1, self.k * self.k * x.shape[3])
        y = self.cols @ self.w.reshape(-1, self.w.shape[3]) + self.b
        return y.reshape(v.shape[:3] + (-1,))

    def backward(self, g):
        n, ho, wo, co = g.shape
        g2 = g.reshape(-1, co)
        self.dw = (self.cols.T @ g2).reshape(self.w.shape)
        self.db = g2.sum(0)
        d = (g2 @ self.w.reshape(-1, co).T).reshape(n, ho, wo, self.k, self.k, -1)
        return scatter(d, self.shape, self.k, self.stride)

    def params(self):
        return [("w", "dw"), ("b", "db")]


class Depthwise(Conv):
    def __init__(self, c, k, rng):
        self.k, self.stride = k, 1
        self.w = rng.normal(0, np.sqrt(2 / (k * k)), (k, k, c)).astype(np.float32)
        self.b = np.zeros(c, np.float32)

    def forward(self, x):
        self.shape, self.v = x.shape, self.windows(x)
        return np.einsum("nhwklc,klc->nhwc", self.v, self.w) + self.b

    def backward(self, g):
        self.dw = np.einsum("nhwklc,nhwc->klc", self.v, g)
        self.db = g.sum((0, 1, 2))
        return scatter(g[:, :, :, None, None] * self.w, self.shape, self.k, 1)


def scatter(d, shape, k, stride):
    """Adds window gradients [n,ho,wo,k,k,c] back onto the padded picture."""
    n, h, w, c = shape
    p = k // 2
    out = np.zeros((n, h + 2 * p, w + 2 * p, c), np.float32)
    ho, wo = d.shape[1:3]
    for i in range(k):
        for j in range(k):
            out[:, i:i + ho * stride:stride, j:j + wo * stride:stride] += d[:, :, :, i, j]
    return out[:, p:p + h, p:p + w]


class Relu:
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, g):
        return g * self.on

    def params(self):
        return []


class MaxPool2(Relu):
    def forward(self, x):
        n, h, w, c = x.shape
        self.x = x.reshape(n, h // 2, 2, w // 2, 2, c)
        self.y = self.x.max((2, 4), keepdims=True)
        return self.y[:, :, 0, :, 0]

    def backward(self, g):
        d = (self.x == self.y) * g[:, :, None, :, None]
        n, h, _, w, _, c = d.shape
        return d.reshape(n, h * 2, w * 2, c)


class Residual(Relu):
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        y = x
        for l in self.layers:
            y = l.forward(y)
        return x + y

    def backward(self, g):
        d = g
        for l in reversed(self.layers):
            d = l.backward(d)
        return g + d


class GlobalAverage(Relu):
    def forward(self, x):
        self.shape = x.shape
        return x.mean((1, 2))

    def backward(self, g):
        n, h, w, c = self.shape
        return np.broadcast_to(g[:, None, None] / (h * w), self.shape)


class Linear(Conv):
    def __init__(self, ci, co, rng):
        self.w = rng.normal(0, np.sqrt(1 / ci), (ci, co)).astype(np.float32)
        self.b = np.zeros(co, np.float32)

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, g):
        self.dw, self.db = self.x.T @ g, g.sum(0)
        return g @ self.w.T


def network(rng):
    block = Residual([Conv(32, 96, 1, 1, rng), Relu(), Depthwise(96, 3, rng), Relu(), Conv(96, 32, 1, 1, rng)])
    return [Conv(1, 16, 3, 2, rng), Relu(), Conv(16, 32, 3, 1, rng), Relu(), MaxPool2(), block, Conv(32, 64, 3, 2, rng), Relu(),
            GlobalAverage(), Linear(64, 10, rng)]


def leaves(layers):
    for l in layers:
        if isinstance(l, Residual):
            yield from leaves(l.layers)
        else:
            yield l


# ---- training -----------------------------------------------------------------------------------------------------------

def normalize(images):
    return (images[..., None].astype(np.float32) - 127.5) / 127.5


def logits(net, x):
    for l in net:
        x = l.forward(x)
    return x


def train(net, images, labels, epochs, rng, log):
    state = [(l, v, d, np.zeros_like(getattr(l, v)), np.zeros_like(getattr(l, v))) for l in leaves(net) for v, d in l.params()]
    steps, size = 0, 64
    total = epochs * (len(images) // size)
    for epoch in range(epochs):
        order, loss = rng.permutation(len(images)), 0.0
        for at in range(0, len(order) - size + 1, size):
            pick = order[at:at + size]
            z = logits(net, normalize(images[pick]))
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            loss -= np.log(p[np.arange(size), labels[pick]] + 1e-9).mean()
            p[np.arange(size), labels[pick]] -= 1
            g = p / size
            for l in reversed(net):
                g = l.backward(g)
            steps += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * steps / total))
            for l, v, d, m, s in state:                              # Adam
                grad = getattr(l, d)
                m += 0.1 * (grad - m)
                s += 0.001 * (grad * grad - s)
                getattr(l, v)[...] -= rate * (m / (1 - 0.9 ** steps)) / (np.sqrt(s / (1 - 0.999 ** steps)) + 1e-8)
        log("epoch %d loss %.4f" % (epoch + 1, loss / (len(order) // size)))


def accuracy(net, images, labels):
    hit = sum((logits(net, normalize(images[i:i + 256])).argmax(1) == labels[i:i + 256]).sum() for i in range(0, len(images), 256))
    return hit / len(images)


# ---- export ---------------------------------------------------------------------------------------------------------------

def export(net, path):
    import onnx
    from onnx import helper, numpy_helper

    nodes, weights, count = [], [], [0]

    def name(kind):
        count[0] += 1
        return "%s%d" % (kind, count[0])

    def emit(layers, x):
        for l in layers:
            start = x
            if isinstance(l, Residual):
                y = emit(l.layers, x)
                x = name("add")
                nodes.append(helper.make_node("Add", [start, y], [x], x))
                continue
            kind = {Relu: "Relu", MaxPool2: "MaxPool", GlobalAverage: "GlobalAveragePool", Linear: "Gemm"}.get(type(l), "Conv")
            x = name(kind.lower())
            args, attrs = [start], {}
            if kind in ("Conv", "Gemm"):
                w = {Conv: lambda: l.w.transpose(3, 2, 0, 1), Depthwise: lambda: l.w.transpose(2, 0, 1)[:, None], Linear: lambda: l.w.T}[type(l)]()
                weights.append(numpy_helper.from_array(np.ascontiguousarray(w), x + "_w"))
                weights.append(numpy_helper.from_array(l.b, x + "_b"))
                args += [x + "_w", x + "_b"]
            if kind == "Conv":
                attrs = dict(kernel_shape=[l.k] * 2, strides=[l.stride] * 2, pads=[l.k // 2] * 4, group=len(l.b) if type(l) is Depthwise else 1)
            elif kind == "Gemm":
                attrs = dict(transB=1)
                flat = name("flatten")
                nodes.append(helper.make_node("Flatten", [start], [flat], flat))
                args[0] = flat
            elif kind == "MaxPool":
                attrs = dict(kernel_shape=[2, 2], strides=[2, 2])
            nodes.append(helper.make_node(kind, args, [x], x, **attrs))
        return x

    out = emit(net, "image")
    nodes[-1].output[0] = "digit"
    graph = helper.make_graph(nodes, "digits", [helper.make_tensor_value_info("image", 1, [1, 1, 28, 28])],
                              [helper.make_tensor_value_info("digit", 1, [1, 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="openipu models/digits", ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    assert out


def save_pictures(folder, images, labels):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for i, (image, label) in enumerate(zip(images, labels)):
        cv2.imwrite(str(folder / ("%03d_%d.png" % (i, label))), image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24000)
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()
    rng = np.random.default_rng(2026)
    train_fonts, test_fonts = render.fonts(False), render.fonts(True)
    print("%d training fonts, %d test fonts" % (len(train_fonts), len(test_fonts)), flush=True)
    images, labels = render.batch(args.pictures, train_fonts, rng)
    test_images, test_labels = render.batch(2000, test_fonts, rng)
    net = network(rng)
    train(net, images, labels, args.epochs, rng, lambda s: print(s, flush=True))
    print("accuracy on unseen fonts: %.2f %%" % (100 * accuracy(net, test_images, test_labels)))
    export(net, str(HERE / "digits.onnx"))
    save_pictures(HERE / "calib", *render.batch(100, train_fonts, rng))
    save_pictures(HERE / "test", test_images[:300], test_labels[:300])


if __name__ == "__main__":
    main()
