"""What is wrong with a Caffe network is said with file, line and layer, and what to do."""
import re

import numpy as np
import pytest
from caffe_support import data, inputs, number, refuses
from support import tool
from test_caffe_layers import layer, normal

DATA = 'input: "data" input_dim: 1 input_dim: 4 input_dim: 6 input_dim: 8\n'
P = "model.prototxt"


def said(tmp_path, text, message, layers=None, args=()):
    assert refuses(tmp_path, text, layers, args) == "error: " + message + "\n"


# ---- the text ----


@pytest.mark.parametrize("text, message", [
    ('name: "x\n', "1: a string has no closing quote"),
    ("name: $", "1: a byte that no text of this kind holds: 0x24"),
    ("\n\nname: %s" % ("x" * 65537), "3: a word is longer than 65536 bytes"),
    ('name: %s' % ('"%s" ' % ("x" * 40000) * 2), "1: a word is longer than 65536 bytes"),
    ('name: "a\\0b"', "1: a string holds a zero byte"),
    ("nam: 3", "1: NetParameter has no field 'nam'\n  did you mean 'name'?"),
    ("\nzzzzzz: 3", "2: NetParameter has no field 'zzzzzz'"),
    ("name 3", "1: expected ':', found '3'"),
    ("name: 3", "1: name: expected a string in quotes, found '3'"),
    ("name: \"a\" name: \"b\"", "1: name is given twice"),
    ("input_dim: x", "1: input_dim: expected a whole number, found 'x'"),
    ("input_dim: 1e3", "1: input_dim: expected a whole number, found '1e3'"),
    ("input_dim: [1, 2", "1: expected ',' or ']', found the end of the file"),
    ("name: [\"a\"]", "1: name: expected one value, found '['"),
    ("layer 3", "1: expected '{', found '3'"),
    ("}", "1: expected the name of a field, found '}'"),
    ("layer {\n name: \"a\"\n", "3: the file ends inside the LayerParameter that begins in line 1: expected '}'"),
    ("layer { a_param", "1: expected ':', found the end of the file"),
    ("layer { a_param: ", "1: expected a value, found the end of the file"),
    ("layer { a_param: }", "1: expected a value, found '}'"),
    ("layer { a_param { " + "b { " * 70, "1: messages are nested deeper than 64"),
    ("layer { convolution_param {\n kernel_size: -1 } }", "2: kernel_size: expected a whole number from 0 to 4294967295, found '-1'"),
    ("layer { convolution_param { bias_term: 2 } }", "1: bias_term: expected true or false, found '2'"),
    ("layer { power_param { power: \"1\" } }", "1: power: expected a number, found \"1\""),
    ("layer { power_param { power: 1.5x } }", "1: power: expected a number, found '1.5x'"),
    ("layer { pooling_param { pool: MEAN } }", "1: pool: expected one of MAX, AVE, STOCHASTIC, found 'MEAN'"),
    ("layer { convolution_param { kernel: 3 } }", "1: ConvolutionParameter has no field 'kernel'\n  did you mean 'kernel_h'?"),
    ('layer { name: "a" botom: "data" }', "1: LayerParameter has no field 'botom'\n  did you mean 'bottom'?"),
])
def test_text(tmp_path, text, message):
    said(tmp_path, text, P + ":" + message)


def test_a_parameter_of_another_fork_is_noted(tmp_path):
    path = tmp_path / "m.prototxt"
    path.write_text(DATA + layer("ReLU", ["data"], params="my_param { a: 1 b { c: [2, 3] } }"))
    assert tool(path).returncode == 0
    said(tmp_path, "", P + ": the file holds no layers of a Caffe network")


# ---- the network ----


@pytest.mark.parametrize("text, message", [
    (DATA, ": the file holds no layers of a Caffe network"),
    (DATA + 'layer { name: "a" }', ":2: layer 'a': the layer has no type"),
    (DATA + 'layer { name: "a" type: "ReLU" bottom: "data" top: "y" }\nlayers { name: "b" type: RELU }', ":3: a network has 'layer' or, in older files, 'layers', not both"),
    (DATA + 'layer { name: "a" type: "ReLU" include { phase: TEST }\n exclude { phase: TRAIN } }', ":3: a layer has include rules or exclude rules, not both"),
    (DATA + layer("ReLU", ["dat"]), ":2: layer 'l': ReLU: its bottom 'dat' does not exist: no layer before it makes it\n  did you mean 'data'?"),
    (DATA + layer("ReLU", ["data"], ["first"]) + layer("ReLU", ["fisrt"], name="m"), ":3: layer 'm': ReLU: its bottom 'fisrt' does not exist: no layer before it makes it\n  did you mean 'first'?"),
    (DATA + layer("Silence", ["nothing"], []), ":2: layer 'l': Silence: its bottom 'nothing' does not exist: no layer before it makes it"),
    (DATA + layer("ReLU", ["data"]) + layer("TanH", ["data"], name="m"), ":3: layer 'm': TanH: its top 'y' is there already: a layer may write over its own bottom alone"),
    ('input: "a" input_dim: 1 input_dim: 2 input_dim: 3\n' + layer("ReLU", "a"), ":1: expected 4 input_dim for 1 input, found 3"),
    ('input: "a" input: "b" input_shape { dim: 1 }\n' + layer("ReLU", "a"), ":1: expected 2 input_shape for 2 inputs, found 1"),
    ('input: "a" input_shape { dim: -1 }\n' + layer("ReLU", "a"), ":1: input 'a': expected sizes of 1 or more, found -1"),
    ('input: "a" input_shape { dim: [1,1,1,1,1,1,1,1,1] }\n' + layer("ReLU", "a"), ":1: at most 8 dimensions are supported"),
    ('layer { name: "i" type: "Input" top: "a" input_param { shape { dim: [1,1,1,1,1,1,1,1,1] } } }\n' + layer("ReLU", "a"), ":1: layer 'i': at most 8 dimensions are supported"),
    (inputs({"a": (1,)}) + inputs({"a": (1,)}) + layer("ReLU", "a"), ":2: two inputs are named 'a'"),
    (DATA + layer("Proposal", ["data"], ["p"]) + layer("ReLU", ["p"], name="m"), ": 1 node is not supported (opset 1): Proposal 'l'\n"
     "  1 of 2 nodes can be taken together, with inputs=\"p\" and outputs=\"y\" in input_config.ini"),
    (DATA + layer("InnerProduct", ["data"], params="inner_product_param { num_output: 3 }"), ": the network has weights, and the file that holds them is not given\n  --weight_file NAME.caffemodel"),
    (DATA + layer("InnerProduct", ["data"], params="inner_product_param { num_output: 4294967295 }"), ":2: layer 'l': InnerProduct: its weights have more than 2147483647 elements"),
])
def test_network(tmp_path, text, message):
    said(tmp_path, text, P + message)


def test_memory(tmp_path):
    text = DATA + layer("ReLU", ["data"]) * 50
    for limit in (1, 2000, 20000):
        said(tmp_path, text, P + ": the network exceeds the memory limit", args=("--memory", limit))


# ---- weights ----

FC = DATA + layer("InnerProduct", ["data"], params="inner_product_param { num_output: 3 }")
W = "model.caffemodel"


def one(*fields):
    return data(100, data(1, b"l") + b"".join(data(7, f) for f in fields))


@pytest.mark.parametrize("layers, message", [
    ({"other": [normal(3)]}, W + ": none of the 1 layers with weights is one of the network model.prototxt: the first is 'other'"),
    (b"", W + ": the file holds no layers of a Caffe network"),
    (b"\xff", W + ": damaged protobuf data: a field's tag"),
    (number(100, 3), W + ": damaged protobuf data: a layer (field 100) has wire type 0, expected 2"),
    (data(100, number(1, 3)), W + ": damaged protobuf data: a layer's name (field 1) has wire type 0, expected 2"),
    (data(100, data(1, b"l") + number(7, 3)), W + ": layer 'l': damaged protobuf data: a blob (field 7) has wire type 0, expected 2"),
    (one(data(1, b"")), W + ": layer 'l': damaged protobuf data: a size of a blob (field 1) has wire type 2, expected 0"),
    (one(number(5, 1)), W + ": layer 'l': damaged protobuf data: a blob's data (field 5) has wire type 0, expected 2"),
    (one(number(8, 1)), W + ": layer 'l': damaged protobuf data: a blob's double_data (field 8) has wire type 0, expected 2"),
    (one(number(7, 1)), W + ": layer 'l': damaged protobuf data: a blob's shape (field 7) has wire type 0, expected 2"),
    (one(data(7, data(1, b"\1" * 9))), W + ": layer 'l': a blob of 9 dimensions: at most 8 are supported"),
    (one(data(7, data(1, b"\xff\xff\xff\xff\x7f" * 3))), W + ": layer 'l': a blob of impossible shape [34359738367,34359738367,34359738367]"),
    (one(data(7, data(1, b"\2")) + data(5, b"abc")), W + ": layer 'l': damaged protobuf data: a blob's numbers are 3 bytes long, no multiple of 4"),
    (one(data(7, data(1, b"\2")) + data(8, b"abcde")), W + ": layer 'l': damaged protobuf data: a blob's numbers are 5 bytes long, no multiple of 8"),
    (one(data(7, data(1, b"\2")) + data(5, b"abcd")), W + ": layer 'l': a blob's shape is of 2 elements, found 1"),
    ({"l": [normal(3, 192)]}, P + ":2: layer 'l': InnerProduct: expected 2 arrays of weights, found 1"),
    ({"l": [normal(3, 191), normal(3)]}, P + ":2: layer 'l': InnerProduct: weights: expected shape [3,192], found [3,191] in the weight file"),
    ({"l": [normal(3, 192), normal(4)]}, P + ":2: layer 'l': InnerProduct: bias: expected shape [3], found [4] in the weight file"),
    ({"l": [np.float32(np.full((3, 192), np.nan)), normal(3)]}, P + ": layer 'l': constant 'l:weights' holds NaN at element 0"),
])
def test_weights(tmp_path, layers, message):
    said(tmp_path, FC, message, layers)


def test_a_layer_without_weights(tmp_path):
    text = FC + layer("InnerProduct", ["y"], ["z"], "inner_product_param { num_output: 3 bias_term: false }", "m")
    said(tmp_path, text, P + ":3: layer 'm': InnerProduct: expected 1 array of weights, found 0\n  the weight file has no layer 'm': is it that of this network?", {"l": [normal(3, 192), normal(3)]})


# ---- layers ----

X, MAP, ROW = (2, 4, 6, 8), (2, 4, 6, 7), (2, 4)
CONV = "convolution_param { %s }"


@pytest.mark.parametrize("kind, shapes, params, message", [
    ("ReLU", [X, X], "", "expected 1 bottom, found 2"),
    ("Eltwise", [X], "", "expected 2 to 1024 bottoms and 1 top, found 1 and 1"),
    ("Eltwise", [X, MAP], "", "expected bottoms of one shape, found [2,4,6,8] and [2,4,6,7]"),
    ("Eltwise", [X, X], "eltwise_param { coeff: 1 }", "coeff: expected 2 numbers, and SUM as operation, found 1"),
    ("Axpy", [X, X, X], "", "expected a factor for each channel and two bottoms of one shape, found [2,4,6,8], [2,4,6,8] and [2,4,6,8]"),
    ("Scale", [X], "scale_param { axis: 2 num_axes: 3 }", "num_axes: expected -1 to 2, found 3"),
    ("Scale", [X], "scale_param { axis: 4 }", "scale_param.axis: expected an axis from -4 to 3, found 4"),
    ("Scale", [X, MAP], "", "the second bottom, [2,4,6,7], does not fit the first, [2,4,6,8], from axis 1 on"),
    ("BatchNorm", [X], "batch_norm_param { use_global_stats: false }", "use_global_stats false, statistics of the batch at hand, is not supported"),
    ("BatchNorm", [(3,)], "", "expected at least 2 dimensions, found 1"),
    ("MVN", [ROW], "", "expected at least 3 dimensions, found 2"),
    ("Clip", [X], "clip_param { min: 1 }", "expected min and max"),
    ("Exp", [X], "exp_param { base: 0 }", "base: expected -1, which stands for e, or a number above 0 other than 1, found 0"),
    ("InnerProduct", [X], "", "num_output: expected 1 or more, found 0"),
    ("Embed", [X], "embed_param { num_output: 2 }", "input_dim: expected 1 or more, found 0"),
    ("ArgMax", [X], "argmax_param { top_k: 2 }", "top_k: only 1 is supported, found 2"),
    # windows
    ("Convolution", [ROW], CONV % "num_output: 1 kernel_size: 1", "expected a bottom of 4 dimensions, found shape [2,4]"),
    ("Convolution", [X, X], CONV % "num_output: 1 kernel_size: 1", "expected a top for each bottom, found 1 and 2"),
    ("Convolution", [X], CONV % "kernel_size: 1", "num_output: expected 1 or more, found 0"),
    ("Convolution", [X], CONV % "num_output: 1", "kernel_size: expected 1 or more, found 0"),
    ("Convolution", [X], CONV % "num_output: 1 kernel_size: 1 kernel_h: 1", "convolution_param.kernel_size is given once or for height and width, not both"),
    ("Convolution", [X], CONV % "num_output: 1 kernel_size: 1 axis: 2", "axis: channels are expected at axis 1, found 2"),
    ("Convolution", [X], CONV % "num_output: 2 kernel_size: 1 group: 3", "3 groups do not divide 4 input and 2 output channels"),
    ("Convolution", [X], CONV % "num_output: 1 kernel_size: 7", "a kernel of 7 pixels does not fit a padded height of 6"),
    ("Convolution", [X], CONV % "num_output: 1 kernel_size: [1, 2, 3]", "attribute convolution_param.kernel_size: expected at most 2 numbers, found 3"),
    ("Pooling", [X], "pooling_param { global_pooling: true kernel_size: 2 }", "global_pooling takes no kernel_size and no pad"),
    ("Pooling", [X], "pooling_param { kernel_size: 2 pad: 2 }", "pad must be smaller than the kernel, found 2 and 2"),
    ("Pooling", [X], "pooling_param { kernel_size: 2 pool: STOCHASTIC }", "pool: expected MAX or AVE, found STOCHASTIC"),
    ("Pooling", [X], "pooling_param { kernel_size: 7 }", "a window of 7 pixels does not fit a padded height of 6"),
    ("Pooling", [X], "pooling_param { kernel_h: 1 stride_h: 6 kernel_w: 1 }", "the last window lies outside of the picture"),
    ("LRN", [X], "lrn_param { local_size: 4 }", "local_size: expected an odd number, found 4"),
    ("Interp", [X], "interp_param { zoom_factor: 0 }", "shrink_factor and zoom_factor: expected 1 or more, found 1 and 0"),
    ("Interp", [X], "interp_param { pad_beg: 1 }", "pad_beg and pad_end: expected 0 or less, and something to be left, found 1 and 0"),
    ("Upsample", [X], "", "upsample_param.scale: expected 1 or more, found 0 and 0"),
    ("Upsample", [X, MAP], "upsample_param { scale: 2 }", "expected places of maxima of the first bottom's shape"),
    ("Upsample", [X, X], "upsample_param { upsample_h: 0 upsample_w: 4 }", "a result of 0 by 4 pixels, expected 1 or more and at most 2147483647 in all channels"),
    ("Im2col", [X], "convolution_param { kernel_size: 65 pad: 32 }", "expected windows of at most 4096 pixels, found 65 by 65"),
    ("SPP", [X], "", "pyramid_height: expected 1 to 16, found 0"),
    ("SPP", [X], "spp_param { pyramid_height: 2 pool: STOCHASTIC }", "pool: expected MAX or AVE, found STOCHASTIC"),
    ("SPP", [X], "spp_param { pyramid_height: 5 }", "level 3 has 8 windows along 6 pixels"),
    # over time
    ("LSTM", [X], "", "expected 2 or 3 bottoms, found 1"),
    ("RNN", [X, ROW], "recurrent_param { num_output: 3 expose_hidden: true }", "expected 3 or 4 bottoms, found 2"),
    ("LSTM", [X, ROW, ROW, ROW], "recurrent_param { num_output: 3 expose_hidden: true }", "expected 3 tops, found 1"),
    ("LSTM", [X, ROW], "", "num_output: expected 1 to 65536, found 0"),
    ("LSTM", [(3,), ROW], "recurrent_param { num_output: 3 }", "expected a bottom of 2 dimensions or more, found 1"),
    ("RNN", [(5000, 1, 1), (5000, 1)], "recurrent_param { num_output: 3 }", "expected 1 to 4096 time steps, found 5000"),
    ("LSTM", [X, (2, 3)], "recurrent_param { num_output: 3 }", "expected an indicator of sequences [2,4] as second bottom"),
    ("LSTM", [X, ROW, (3, 5)], "recurrent_param { num_output: 3 }", "expected 4 sequences in the third bottom, found 3"),
    # moves
    ("Concat", [X, MAP], "concat_param { axis: 1 concat_dim: 1 }", "concat_param.axis and concat_param.concat_dim are the same: expected one of them"),
    ("Slice", [X, X], "", "expected 1 bottom and 1 to 4096 tops, found 2 and 1"),
    ("Crop", [X, MAP], "crop_param { offset: [1, 2, 3] }", "offset: expected 1 or 2 numbers, found 3"),
    ("Crop", [X, ROW], "", "expected bottoms of as many dimensions, found [2,4,6,8] and [2,4]"),
    ("Crop", [X, MAP], "crop_param { offset: 2 }", "6 elements from 2 on do not lie within the 6 of axis 2"),
    ("Permute", [X], "permute_param { order: [0, 0] }", "order: expected each of the axes 0 to 3 once, found 0"),
    ("ShuffleChannel", [X], "shuffle_channel_param { group: 3 }", "group: expected a divisor of 4 channels, found 3"),
    ("Tile", [X], "", "tiles: expected 1 or more, found 0"),
    ("Reshape", [X], "reshape_param { shape { dim: 0 dim: -1 dim: -1 } }", "shape: expected sizes and at most one -1, found [0,-1,-1]"),
    ("Reshape", [X], "reshape_param { num_axes: 5 shape { dim: 1 } }", "num_axes: expected -1 to 4, found 5"),
    ("Reshape", [ROW], "reshape_param { shape { dim: 8 dim: 1 dim: 0 } }", "shape: dim 0 at place 2 keeps an axis, and there is none"),
    ("Reshape", [X], "reshape_param { shape { dim: 7 dim: -1 } }", "shape: 384 elements do not fit [7,-1]"),
    ("Reshape", [X], "reshape_param { shape { dim: 4611686018427387904 dim: 4 } }", "shape: [4611686018427387904,4] is too large"),
    ("Reshape", [X], "reshape_param { axis: 4 shape { dim: [1, 1, 1, 1, 1] } }", "at most 8 dimensions are supported, found 9"),
    ("Flatten", [X], "flatten_param { axis: 2 end_axis: 1 }", "end_axis: expected 2 or more, found 1"),
    ("ContinuationIndicator", [(3,)], "", "expected an axis of sequences behind axis 0 of time, found 1 dimensions"),
    # detection
    ("PriorBox", [X, X], "", "min_size is missing"),
    ("PriorBox", [X, X], "prior_box_param { min_size: [%s] }" % ",".join("1" * 65), "prior_box_param.min_size: at most 64 numbers are supported, found 65"),
    ("PriorBox", [X, X], "prior_box_param { min_size: 1 aspect_ratio: -2 }", "aspect_ratio: expected numbers above 0, found -2"),
    ("PriorBox", [X, X], "prior_box_param { min_size: 1 max_size: [2, 3] }", "expected as many max_size as min_size, 1, found 2"),
    ("PriorBox", [X, X], "prior_box_param { min_size: 1 variance: [1, 2] }", "variance: expected 1 or 4 numbers, found 2"),
    ("PriorBox", [X, X], "prior_box_param { min_size: 3 max_size: 2 }", "expected min_size above 0 and max_size above it, found 3 and 2"),
    ("DetectionOutput", [X, X], "", "expected 3 bottoms, boxes, scores and priors, and 1 top, found 2 and 1"),
    ("DetectionOutput", [(1, 8), (1, 4), (1, 2, 12)], "detection_output_param { num_classes: 2 }", "[1,8] of boxes and [1,4] of scores do not fit 2 classes of the boxes [1,2,12]"),
    ("DetectionOutput", [(1, 8), (1, 4), (1, 2, 8)], "detection_output_param { num_classes: 2 keep_top_k: 0 }",
     "top_k and keep_top_k: expected -1 or 1 and more, and a class besides the background, found -1 and 0"),
    ("DetectionOutput", [(1, 8), (1, 4), (1, 2, 8)], "detection_output_param { num_classes: 2 nms_param { eta: 0 } }",
     "nms_threshold: expected 0 or more, and eta above 0 and at most 1, found 0.3 and 0"),
    ("ROIPooling", [X, ROW], "roi_pooling_param { pooled_h: 2 pooled_w: 2 }", "expected boxes of [count,5], found [2,4]"),
    ("ROIPooling", [X, (1, 5)], "roi_pooling_param { pooled_h: 2 }", "width: expected 1 to 4096 pixels of an input of 1 to 32767, found 0 of 8"),
    ("ROIPooling", [X, (1, 5)], "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: -1 }", "spatial_scale must be finite and above 0, found -1"),
])
def test_layers(tmp_path, kind, shapes, params, message):
    names = "abcd"[:len(shapes)]
    text = inputs(dict(zip(names, shapes))) + layer(kind, names, params=params)
    said(tmp_path, text, "%s:%d: layer 'l': %s: %s" % (P, len(shapes) + 1, kind, message))


@pytest.mark.parametrize("kind, tops, params, message", [
    ("ReLU", 2, "", "expected 1 top, found 2"),
    ("Pooling", 2, "pooling_param { pool: AVE kernel_size: 2 }", "a second top, the places of the maxima, asks for pool: MAX"),
    ("Concat", 2, "", "expected bottoms and 1 top, found 1 and 2"),
    ("Slice", 2, "slice_param { slice_point: [1, 2] }", "expected 1 slice_point for 2 tops, found 2"),
    ("Slice", 3, "", "4 elements cannot be cut into 3 equal parts"),
    ("Slice", 3, "slice_param { slice_point: [2, 2] }", "slice_point: expected growing numbers below 4, found 2 behind 2"),
])
def test_tops(tmp_path, kind, tops, params, message):
    text = DATA + layer(kind, ["data"], ["t%d" % i for i in range(tops)], params)
    said(tmp_path, text, "%s:2: layer 'l': %s: %s" % (P, kind, message))


def test_a_box_of_no_picture(tmp_path):
    rois = tmp_path / "rois.bin"
    np.float32([[2, 0, 0, 1, 1]]).tofile(rois)
    normal(*X).tofile(tmp_path / "x.bin")
    path = tmp_path / "m.prototxt"
    path.write_text(inputs({"a": X, "b": (1, 5)}) + layer("ROIPooling", "ab", params="roi_pooling_param { pooled_h: 2 pooled_w: 2 }"))
    done = tool("--run", tmp_path / "x.bin", rois, "--out", tmp_path / "out", path)
    assert "box 0 is of picture 2, of 2" in done.stderr
    assert re.search(r"layer 'l'", done.stderr)


def test_states_of_another_size(tmp_path):
    text = inputs({"a": X, "b": ROW, "c": (1, 4, 2)}) + layer("RNN", "abc", ["y", "h"], "recurrent_param { num_output: 3 expose_hidden: true }")
    said(tmp_path, text, P + ":4: layer 'l': RNN: expected states of 12 numbers, [1,4,3], found 8")


@pytest.mark.parametrize("bad, message", [
    (2, "weights of the third bottom: expected shape [3,5], found [9]"), (3, "weights of the state: expected shape [3,3], found [9]"),
    (4, "weights of the result: expected shape [3,3], found [9]"), (5, "bias of the result: expected shape [3], found [9]"),
])
def test_weights_over_time(tmp_path, bad, message):
    text = inputs({"a": X, "b": ROW, "c": (4, 5)}) + layer("RNN", "abc", params="recurrent_param { num_output: 3 }")
    blobs = [normal(3, 48), normal(3), normal(3, 5), normal(3, 3), normal(3, 3), normal(3)]
    blobs[bad] = normal(9)
    said(tmp_path, text, P + f":4: layer 'l': RNN: {message} in the weight file", {"l": blobs})


def test_parameter(tmp_path):
    text = inputs({"a": X}) + layer("Parameter", [], ["p"], "parameter_param { shape { dim: [2, 4, 1, 1] } }", "p") + layer("Eltwise", "ap")
    said(tmp_path, text, P + ":2: layer 'p': Parameter: the parameter: expected shape [2,4,1,1], found [9] in the weight file", {"p": [normal(9)]})
