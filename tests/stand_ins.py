"""Networks of seeded weights under the names that the manual uses, in the formats of all four frameworks, with what belongs to them: each function
makes one in a folder.  `python stand_ins.py FOLDER` lays out Faster-RCNN's two segments there."""
import pathlib
import sys

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path += [str(pathlib.Path(__file__).resolve().parent / name) for name in (".", "ops")]
import graphdef  # noqa: E402
import tflite_models  # noqa: E402
from caffe_writer import caffemodel  # noqa: E402

CLASSES, WIDTH = 10, 8
IMAGE_INI = """\
[INPUT_CONFIG]
inputs={inputs};
training_input_formats={formats};
input_formats={formats};
quantizations={each};
mean={mean};
std_value={std};
[OUTPUT_CONFIG]
outputs={output};
dequantizations=TRUE;
"""
PREPROCESS = """\
import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    image = cv2.resize(cv2.imread(img_path), ({size}, {size}))[None, ..., ::-1]
    return ((image - 127.5) / 127.5).astype(np.float32) if norm else np.ascontiguousarray(image)
"""


class Weights:
    """Of a seed; each so large that numbers keep their size."""

    def __init__(self, seed):
        self.r = np.random.default_rng(seed)

    def __call__(self, *shape, inputs=None, times=1.0):
        inputs = int(np.prod(shape[1:])) if inputs is None else inputs
        return (self.r.standard_normal(shape) * times * np.sqrt(2 / inputs)).astype(np.float32)


def picture(path, seed, size=(120, 160)):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)), path


def image_ini(path, inputs, output, mean="127.5:127.5:127.5", std="127.5"):
    n = len(inputs)
    path.write_text(IMAGE_INI.format(inputs=",".join(inputs), output=output, formats=",".join(["RGB"] * n), each=",".join(["TRUE"] * n),
                                     mean=",".join([mean] * n), std=",".join([std] * n)))


def preprocess(path, size):
    path.write_text(PREPROCESS.format(size=size))


# ---- one classifier: two convolutions of stride 4, the mean, a product -------------------------------------------------------


def onnx_classifier(path, size, inputs=("images",)):
    """Several inputs are added after a convolution of their own."""
    w, init, nodes = Weights(1), [], []

    def const(name, x):
        init.append(numpy_helper.from_array(x, name))
        return name
    for k, name in enumerate(inputs):
        nodes.append(helper.make_node("Conv", [name, const("w0_%d" % k, w(WIDTH, 3, 3, 3))], ["c%d" % k], kernel_shape=[3, 3], strides=[4, 4]))
        if k:
            nodes.append(helper.make_node("Add", ["c0" if k == 1 else "s%d" % (k - 1), "c%d" % k], ["s%d" % k]))
    x = nodes[-1].output[0]
    nodes += [helper.make_node("Relu", [x], ["r0"]),
              helper.make_node("Conv", ["r0", const("w1", w(WIDTH, WIDTH, 3, 3))], ["c"], kernel_shape=[3, 3], strides=[4, 4]),
              helper.make_node("Relu", ["c"], ["r1"]), helper.make_node("GlobalAveragePool", ["r1"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
              helper.make_node("Gemm", ["f", const("w2", w(CLASSES, WIDTH)), const("b2", np.zeros(CLASSES, np.float32))], ["y"], transB=1),
              helper.make_node("Softmax", ["y"], ["prob"], axis=1)]
    graph = helper.make_graph(nodes, "stand-in", [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, size, size]) for n in inputs],
                              [helper.make_tensor_value_info("prob", TensorProto.FLOAT, [1, CLASSES])], init)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


CAFFE = """\
name: "stand-in"
input: "data"
input_shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }}
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {{ num_output: 8 kernel_size: 3 stride: 4 }} }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" convolution_param {{ num_output: 8 kernel_size: 3 stride: 4 }} }}
layer {{ name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }}
layer {{ name: "pool" type: "Pooling" bottom: "conv2" top: "pool" pooling_param {{ pool: AVE global_pooling: true }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param {{ num_output: 10 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "fc" top: "prob" }}
"""


def caffe_classifier(stem, size):
    """STEM.prototxt, STEM.caffemodel."""
    w, zero = Weights(2), np.zeros(WIDTH, np.float32)
    stem.with_suffix(".prototxt").write_text(CAFFE.format(size=size))
    stem.with_suffix(".caffemodel").write_bytes(caffemodel({"conv1": [w(WIDTH, 3, 3, 3), zero], "conv2": [w(WIDTH, WIDTH, 3, 3), zero],
                                                            "fc": [w(CLASSES, WIDTH), np.zeros(CLASSES, np.float32)]}))


def tflite_classifier(path, size):
    w, m, f32 = Weights(3), tflite_models.Model(), tflite_models.F32
    strides, act = {"padding": 1, "stride_w": 4, "stride_h": 4}, {tflite_models.ACT: 1}
    small, smaller = (size - 3) // 4 + 1, ((size - 3) // 4 - 2) // 4 + 1
    x = m.tensor("input", [1, size, size, 3], f32)
    c = m.op("CONV_2D", [x, m.const("w0", w(WIDTH, 3, 3, 3)), m.const("b0", np.zeros(WIDTH, np.float32))], "c0", [1, small, small, WIDTH], f32, {**strides, **act})
    c = m.op("CONV_2D", [c, m.const("w1", w(WIDTH, 3, 3, WIDTH)), m.const("b1", np.zeros(WIDTH, np.float32))], "c1", [1, smaller, smaller, WIDTH], f32, {**strides, **act})
    p = m.op("MEAN", [c, m.const("axes", np.array([1, 2]), tflite_models.I32)], "p", [1, WIDTH], f32, {"keep_dims": 0})
    y = m.op("FULLY_CONNECTED", [p, m.const("w2", w(CLASSES, WIDTH)), -1], "y", [1, CLASSES], f32, {})
    path.write_bytes(m.bytes([x], [m.op("SOFTMAX", [y], "prob", [1, CLASSES], f32, {"beta": 1.0})]))


def graphdef_classifier(path):
    """Of pictures of any size."""
    w, node, const = Weights(4), graphdef.node, graphdef.const
    nodes = [graphdef.placeholder("input", [-1, -1, -1, 3]), const("w0", w(3, 3, 3, WIDTH, inputs=27)), const("w1", w(3, 3, WIDTH, WIDTH, inputs=9 * WIDTH)),
             const("w2", w(WIDTH, CLASSES, inputs=WIDTH)), const("axes", np.int32([1, 2])),
             node("Conv2D", "c0", ["input", "w0"], strides=[1, 4, 4, 1], padding="SAME"), node("Relu", "r0", ["c0"]),
             node("Conv2D", "c1", ["r0", "w1"], strides=[1, 4, 4, 1], padding="SAME"), node("Relu", "r1", ["c1"]), node("Mean", "p", ["r1", "axes"]),
             node("MatMul", "y", ["p", "w2"]), node("Softmax", "prob", ["y"])]
    path.write_bytes(b"".join(nodes))


# ---- Faster-RCNN in two segments: what stands before and behind the proposal layer -------------------------------------------

HEIGHT, BREADTH, REGIONS, OBJECTS = 96, 128, 300, 21
STAGES = (("conv1_1", 3, 8), ("conv2_1", 8, 12), ("conv3_1", 12, 16), ("conv4_1", 16, 16), ("conv5_3", 16, 16))  # as VGG's, one of each stage, of few channels


def convolution(name, bottom, n, kernel, relu=True):
    text = 'layer { name: "%s" type: "Convolution" bottom: "%s" top: "%s" convolution_param { num_output: %d kernel_size: %d pad: %d } }\n' % (
        name, bottom, name, n, kernel, kernel // 2)
    return text + ('layer { name: "relu_%s" type: "ReLU" bottom: "%s" top: "%s" }\n' % (name, name, name) if relu else "")


def first_stage():
    text, bottom = 'name: "VGG"\ninput: "data"\ninput_shape { dim: 1 dim: 3 dim: %d dim: %d }\n' % (HEIGHT, BREADTH), "data"
    for name, _, n in STAGES:
        text += convolution(name, bottom, n, 3)
        bottom = name
        if name != "conv5_3":
            text += 'layer { name: "pool_%s" type: "Pooling" bottom: "%s" top: "pool_%s" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n' % (name, name, name)
            bottom = "pool_" + name
    text += convolution("rpn_conv", "conv5_3", 16, 3) + convolution("rpn_cls_score", "rpn_conv", 18, 1, False) + convolution("rpn_bbox_pred", "rpn_conv", 36, 1, False)
    for name, kind, bottom, param in (("rpn_cls_score_reshape", "Reshape", "rpn_cls_score", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } }"),
                                      ("rpn_cls_prob", "Softmax", "rpn_cls_score_reshape", ""),
                                      ("rpn_cls_prob_reshape", "Reshape", "rpn_cls_prob", "reshape_param { shape { dim: 0 dim: 18 dim: -1 dim: 0 } }")):
        text += 'layer { name: "%s" type: "%s" bottom: "%s" top: "%s" %s }\n' % (name, kind, bottom, name, param)
    return text


def second_stage():
    text = ('name: "VGG"\ninput: "conv5_3"\ninput: "rois"\ninput_shape { dim: 1 dim: 16 dim: %d dim: %d }\ninput_shape { dim: %d dim: 5 }\n'
            'layer { name: "roi_pool5" type: "ROIPooling" bottom: "conv5_3" bottom: "rois" top: "pool5" roi_pooling_param { pooled_w: 3 pooled_h: 3 spatial_scale: 0.0625 } }\n'
            % (HEIGHT // 16, BREADTH // 16, REGIONS))
    for name, bottom, n in (("fc6", "pool5", 32), ("fc7", "fc6", 32)):
        text += 'layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" inner_product_param { num_output: %d } }\n' % (name, bottom, name, n)
        text += 'layer { name: "relu_%s" type: "ReLU" bottom: "%s" top: "%s" }\n' % (name, name, name)
        text += 'layer { name: "drop_%s" type: "Dropout" bottom: "%s" top: "%s" dropout_param { dropout_ratio: 0.5 } }\n' % (name, name, name)
    for name, n in (("cls_score", OBJECTS), ("bbox_pred", 4 * OBJECTS)):
        text += 'layer { name: "%s" type: "InnerProduct" bottom: "fc7" top: "%s" inner_product_param { num_output: %d } }\n' % (name, name, n)
    return text + 'layer { name: "cls_prob" type: "Softmax" bottom: "cls_score" top: "cls_prob" }\n'


def faster_rcnn(folder):
    """test_stageone.prototxt, second_stage.prototxt and the weights of both in one file, as the manual has them."""
    w, layers = Weights(12), {}
    for name, i, n in STAGES + (("rpn_conv", 16, 16),):
        layers[name] = [w(n, i, 3, 3, times=0.02 if i == 3 else 1), w(n, inputs=200)]
    layers["rpn_cls_score"], layers["rpn_bbox_pred"] = [w(18, 16, 1, 1, times=2), w(18, inputs=200)], [w(36, 16, 1, 1, times=0.1), w(36, inputs=2000)]
    layers.update(fc6=[w(32, 144), w(32, inputs=200)], fc7=[w(32, 32), w(32, inputs=200)], cls_score=[w(OBJECTS, 32, times=4), w(OBJECTS, inputs=20)],
                  bbox_pred=[w(4 * OBJECTS, 32, times=0.1), w(4 * OBJECTS, inputs=2000)])
    (folder / "test_stageone.prototxt").write_text(first_stage())
    (folder / "second_stage.prototxt").write_text(second_stage())
    (folder / "VGG16_faster_rcnn_final.caffemodel").write_bytes(caffemodel(layers))


if __name__ == "__main__":
    faster_rcnn(pathlib.Path(sys.argv[1]))
