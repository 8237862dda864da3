#!/usr/bin/env python3
"""One network with seeded weights, written as ONNX, Caffe, TFLite and GraphDef: what their converters take is compared on it.

four_formats.py FOLDER writes network.onnx, network.prototxt and .caffemodel, network.tflite, network.pb and an ini for each into the folder."""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import toolchain as tc

sys.path[:0] = [str(tc.ROOT / "tests"), str(tc.ROOT / "tests/ops")]
import caffe_writer  # noqa: E402
import graphdef as tf  # noqa: E402
import tflite_models as tfl  # noqa: E402

SIDE, CLASSES, EPSILON = 32, 1000, 1e-3
# Output channels of 3x3 convolutions, each with a normalization and ReLU; "pool" halves the picture, "add" adds what went into the last two layers.
LAYERS = [64, "pool", 128, "pool", 256, 256, 256, "add", "pool", 512, *[512, 512, "add"] * 5]


class Weights:
    """Of the layers in order, drawn anew for each format so that only one is in memory."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)

    def conv(self, to, of):
        """Kernel OIHW; scale, shift, mean and variance of the normalization behind it."""
        kernel = self.random.standard_normal((to, of, 3, 3), np.float32) * np.float32((2 / (9 * of)) ** 0.5)
        return kernel, [self.random.uniform(low, high, to).astype(np.float32) for low, high in ((0.5, 1.5), (-0.1, 0.1), (-0.1, 0.1), (0.5, 1.5))]

    def fc(self, to, of):
        return self.random.standard_normal((to, of), np.float32) * np.float32(of ** -0.5), self.random.standard_normal(to, np.float32)


def walk(form):
    """The network, layer by layer; a form has a method for each kind, which takes tensors and gives one."""
    weights, channels, side = Weights(), 3, SIDE
    made = [form.input()]
    for i, layer in enumerate(LAYERS):
        name = f"layer{i}"
        if layer == "pool":
            side //= 2
            made.append(form.pool(name, made[-1], channels, side))
        elif layer == "add":
            made.append(form.add(name, made[-1], made[-3], channels, side))
        else:
            made.append(form.conv(name, made[-1], layer, side, *weights.conv(layer, channels)))
            channels = layer
    form.fc("fc", form.mean("mean", made[-1], channels), *weights.fc(CLASSES, channels))


class Onnx:
    files, options, layout, arrays = ("network.onnx",), ("onnx", "-m", "network.onnx"), "NCHW", ("x", "fc")

    def __init__(self):
        self.nodes, self.inits = [], []

    def input(self):
        return "x"

    def put(self, op, name, inputs, *arrays, **attrs):
        for i, a in enumerate(arrays):
            self.inits.append(numpy_helper.from_array(a, f"{name}.{i}"))
        self.nodes.append(helper.make_node(op, [*inputs, *(f"{name}.{i}" for i in range(len(arrays)))], [name], name, **attrs))
        return name

    def conv(self, name, x, to, side, kernel, norm):
        x = self.put("Conv", name + ".conv", [x], kernel, pads=[1] * 4)
        x = self.put("BatchNormalization", name + ".norm", [x], *norm, epsilon=EPSILON)
        return self.put("Relu", name, [x])

    def pool(self, name, x, channels, side):
        return self.put("MaxPool", name, [x], kernel_shape=[2, 2], strides=[2, 2])

    def add(self, name, x, left, channels, side):
        return self.put("Add", name, [x, left])

    def mean(self, name, x, channels):
        return self.put("Flatten", name, [self.put("GlobalAveragePool", name + ".pool", [x])])

    def fc(self, name, x, w, b):
        return self.put("Gemm", name, [x], w, b, transB=1)

    def save(self, folder):
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 3, SIDE, SIDE)), ("fc", (1, CLASSES)))]
        graph = helper.make_graph(self.nodes, "network", ends[:1], ends[1:], self.inits)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "network.onnx")


class Caffe:
    files, layout, arrays = ("network.prototxt", "network.caffemodel"), "NCHW", ("x", "fc")
    options = ("caffe", "-m", "network.prototxt", "--weight_file", "network.caffemodel")

    def __init__(self):
        self.text, self.blobs = [], {}

    def input(self):
        self.text.append('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: %d dim: %d } } }' % (SIDE, SIDE))
        return "x"

    def put(self, kind, name, bottoms, param="", blobs=()):
        self.text.append('layer { name: "%s" type: "%s" %s top: "%s" %s }' % (name, kind, " ".join('bottom: "%s"' % b for b in bottoms), name, param))
        if blobs:
            self.blobs[name] = blobs
        return name

    def conv(self, name, x, to, side, kernel, norm):
        scale, shift, mean, var = norm
        x = self.put("Convolution", name + ".conv", [x], "convolution_param { num_output: %d kernel_size: 3 pad: 1 bias_term: false }" % to, [kernel])
        x = self.put("BatchNorm", name + ".norm", [x], "batch_norm_param { eps: %g }" % EPSILON, [mean, var, np.ones(1, np.float32)])
        x = self.put("Scale", name + ".scale", [x], "scale_param { bias_term: true }", [scale, shift])
        return self.put("ReLU", name, [x])

    def pool(self, name, x, channels, side):
        return self.put("Pooling", name, [x], "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")

    def add(self, name, x, left, channels, side):
        return self.put("Eltwise", name, [x, left])

    def mean(self, name, x, channels):
        return self.put("Pooling", name, [x], "pooling_param { pool: AVE global_pooling: true }")

    def fc(self, name, x, w, b):
        return self.put("InnerProduct", name, [x], "inner_product_param { num_output: %d }" % len(w), [w, b])

    def save(self, folder):
        (folder / "network.prototxt").write_text("\n".join(self.text) + "\n")
        (folder / "network.caffemodel").write_bytes(caffe_writer.caffemodel(self.blobs))


class GraphDef:
    files, layout, arrays = ("network.pb",), "NHWC", ("x", "fc")
    options = ("tensorflow_graphdef", "--graph_def_file", "network.pb", "--input_shapes", "1,%d,%d,3" % (SIDE, SIDE))

    def __init__(self):
        self.nodes = []

    def input(self):
        self.nodes.append(tf.placeholder("x", (1, SIDE, SIDE, 3)))
        return "x"

    def put(self, op, name, inputs, *arrays, **attrs):
        for i, a in enumerate(arrays):
            self.nodes.append(tf.const(f"{name}/{i}", a))
        self.nodes.append(tf.node(op, name, [*inputs, *(f"{name}/{i}" for i in range(len(arrays)))], T=tf.Type(tf.FLOAT), **attrs))
        return name

    def conv(self, name, x, to, side, kernel, norm):
        x = self.put("Conv2D", name + "/conv", [x], np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)), strides=[1] * 4, padding="SAME")
        x = self.put("FusedBatchNormV3", name + "/norm", [x], *norm, epsilon=EPSILON, is_training=False)
        return self.put("Relu", name, [x])

    def pool(self, name, x, channels, side):
        return self.put("MaxPool", name, [x], ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")

    def add(self, name, x, left, channels, side):
        return self.put("AddV2", name, [x, left])

    def mean(self, name, x, channels):
        return self.put("Mean", name, [x], np.array([1, 2], np.int32), keep_dims=False)

    def fc(self, name, x, w, b):
        return self.put("BiasAdd", name, [self.put("MatMul", name + "/product", [x], np.ascontiguousarray(w.T))], b)

    def save(self, folder):
        (folder / "network.pb").write_bytes(b"".join(self.nodes))


class TFLite:
    """Normalizations are in the weights, as TensorFlow's converter leaves them."""
    files, options, layout, arrays = ("network.tflite",), ("tflite", "-m", "network.tflite"), "NHWC", ("x", "fc")

    def __init__(self):
        self.m = tfl.Model()

    def input(self):
        self.x = self.m.tensor("x", (1, SIDE, SIDE, 3))
        return self.x

    def conv(self, name, x, to, side, kernel, norm):
        scale, shift, mean, var = norm
        by = scale / np.sqrt(var + np.float32(EPSILON))
        w = self.m.const(name + "/w", (kernel * by[:, None, None, None]).transpose(0, 2, 3, 1))
        b = self.m.const(name + "/b", shift - mean * by)
        return self.m.op("CONV_2D", [x, w, b], name, (1, side, side, to), options={"padding": 0, "stride_w": 1, "stride_h": 1, tfl.ACT: 1})

    def pool(self, name, x, channels, side):
        window = {"padding": 1, "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2}
        return self.m.op("MAX_POOL_2D", [x], name, (1, side, side, channels), options=window)

    def add(self, name, x, left, channels, side):
        return self.m.op("ADD", [x, left], name, (1, side, side, channels), options={})

    def mean(self, name, x, channels):
        axes = self.m.const(name + "/axes", [1, 2], tfl.I32)
        return self.m.op("MEAN", [x, axes], name, (1, channels), options={})

    def fc(self, name, x, w, b):
        inputs = [x, self.m.const(name + "/w", w), self.m.const(name + "/b", b)]
        self.y = self.m.op("FULLY_CONNECTED", inputs, name, (1, len(w)), options={})

    def save(self, folder):
        (folder / "network.tflite").write_bytes(self.m.bytes([self.x], [self.y]))


FORMS = [Onnx, Caffe, TFLite, GraphDef]


def ini(form):
    x, y = form.arrays
    return "[INPUT_CONFIG]\ninputs=%s\ninput_formats=RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs=%s\n" % (x, y)


def write(form, folder):
    form_ = form()
    walk(form_)
    form_.save(folder)
    (folder / (form.options[0] + ".ini")).write_text(ini(form))


if __name__ == "__main__":
    for one in FORMS:
        write(one, pathlib.Path(sys.argv[1]))
