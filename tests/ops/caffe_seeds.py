"""Writes small networks for fuzz/caffe.c into a folder: the text, a zero byte, the weights."""
import pathlib
import sys

from caffe_support import caffemodel, inputs
from test_caffe_fixed import test_layer
from test_caffe_layers import layer, normal

ROI = [("ROIPooling", [(1, 2, 5, 6), (2, 5)], "roi_pooling_param { pooled_h: 2 pooled_w: 2 }", None)]
DETECTION = [("DetectionOutput", [(1, 24), (1, 12), (1, 2, 24)], "detection_output_param { num_classes: 2 nms_param { top_k: 4 } }", None),
             ("PriorBox", [(1, 2, 3, 4), (1, 3, 9, 12)], "prior_box_param { min_size: 3 max_size: 5 aspect_ratio: 2 variance: [0.1, 0.1, 0.2, 0.2] }", None)]
OLD = """input: "a" input_dim: 1 input_dim: 2 input_dim: 5 input_dim: 6
layers { layer { name: "p" type: "padding" pad: 1 } bottom: "a" top: "b" }
layers { layer { name: "l" type: "conv" num_output: 2 kernelsize: 3 } bottom: "b" top: "c" include { phase: TEST } }
layers { name: "r" type: RELU bottom: "c" top: "c" exclude { stage: "x" } }
layers { name: "s" type: SOFTMAX_LOSS bottom: "c" bottom: "c" }
"""


def main():
    folder = pathlib.Path(sys.argv[1])
    for i, (kind, shapes, params, blobs) in enumerate(test_layer.pytestmark[0].args[1] + ROI + DETECTION):
        names = "abc"[:len(shapes)]
        text = inputs(dict(zip(names, shapes))) + layer(kind, names, params=params)
        (folder / f"{i}_{kind}").write_bytes(text.encode() + b"\0" + (caffemodel({"l": blobs}) if blobs else b""))
    (folder / "old").write_bytes(OLD.encode() + b"\0" + caffemodel({"l": [normal(2, 2, 3, 3), normal(2)]}, kind="v0", legacy=True))


if __name__ == "__main__":
    main()
