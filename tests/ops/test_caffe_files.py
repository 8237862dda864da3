"""What a Caffe file may look like: text, ages of layers, phases, blobs written in place, arrays of weights in every form."""
import numpy as np
import pytest
from caffe_support import gives, inputs, number, data, blob, save
from support import evaluate, tool
from test_caffe_layers import convolved, layer, normal

DATA = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 7\n'
CONV = "convolution_param { num_output: 4 kernel_size: 3 }"


def text_of(path, *args):
    done = tool("--text", *args, path)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- text ----


def test_text_in_every_form(tmp_path):
    x, k, b = normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4)
    text = """# a comment; 'quotes' in it
name: "a" 'b' "\\x41\\n\\101"
input: 'data'; input_shape < dim: [0x1, 03,
  6], dim: 7 >   # tail
layer {
  name: "conv" type: "Convolution", bottom: "data" top: "y"
  convolution_param: { num_output: 4, kernel_size: [3], bias_term: 1 pad: 00
    weight_filler { type: "gaussian" std: 1e-2 anything { at: [all, <b: 1>] } } }
  param { lr_mult: 1 }
  param <lr_mult: .5f>
}"""
    gives(tmp_path, text.replace("\\x41", ""), [x], [convolved(x, k, b)], {"conv": [k, b]})


@pytest.mark.parametrize("head", [
    DATA, 'input: "data" input_shape { dim: 1 dim: 3 dim: 6 dim: 7 }\n', inputs({"data": (1, 3, 6, 7)}),
    'layer { name: "d" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 1 channels: 3 height: 6 width: 7 } }\n',
    'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 3 dim: 6 dim: 7 } data_filler { type: "constant" } } }\n',
    'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { num: 1 channels: 3 height: 6 width: 7 } }\n'])
def test_inputs(tmp_path, head):
    x = normal(1, 3, 6, 7)
    gives(tmp_path, head + layer("ReLU", ["data"]), [x], [np.maximum(x, 0)])


def test_an_input_without_shape(tmp_path):
    x = normal(1, 3, 6, 7)
    for head in ('input: "data"\n', 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "x" backend: LMDB } transform_param { scale: 0.1 } }\n'):
        path = save(tmp_path, head + layer("ReLU", ["data"]))
        assert "the model gives no shape for input 'data'\n  give it with --input_shapes\n" in tool(path).stderr
        assert np.array_equal(evaluate(path, [x], tmp_path, "--shapes", "1,3,6,7")[0], np.maximum(x, 0))


def test_two_inputs_of_one_layer(tmp_path):
    x, y = normal(2, 3), normal(4, 5)
    text = 'layer { name: "i" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } shape { dim: 4 dim: 5 } } }\n' + layer("ReLU", "a", ["c"]) + layer("AbsVal", "b", ["d"], name="m")
    gives(tmp_path, text, [x, y], [np.maximum(x, 0), np.abs(y)])
    text = 'layer { name: "i" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }\n' + layer("Eltwise", "ab")
    gives(tmp_path, text, [x, x], [x + x])


# ---- weights ----


@pytest.mark.parametrize("how", [{}, {"packed": False}, {"doubles": True}, {"legacy": True}, {"kind": "v1"}, {"kind": "v1", "legacy": True}, {"kind": "v0", "legacy": True}])
def test_weights_in_every_form(tmp_path, how):
    x, k, b = normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4)
    gives(tmp_path, DATA + layer("Convolution", ["data"], params=CONV), [x], [convolved(x, k, b)], {"unused": [normal(2)], "l": [k, b]}, **how)


def test_other_fields_of_the_weights_file_are_passed_over(tmp_path):
    x, k, b = normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4)
    arrays = b"".join(data(7, blob(a) + data(6, a.tobytes())) for a in (k, b))
    model = data(3, b"data") + number(4, 1) + data(100, data(1, b"l") + data(106, number(1, 4)) + arrays + data(9999, b"x")) + data(8, b"")
    gives(tmp_path, DATA + layer("Convolution", ["data"], params=CONV), [x], [convolved(x, k, b)], model)


# ---- older layers ----


def test_v1_layers(tmp_path):
    x, k, b, w, c = normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4), normal(5, 4 * 2 * 3), normal(5)
    text = DATA + """layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "drop" type: DROPOUT bottom: "pool" top: "pool" dropout_param { dropout_ratio: 0.5 } }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc" inner_product_param { num_output: 5 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" top: "loss" include: { phase: TRAIN } }
layers { name: "prob" type: 20 bottom: "fc" top: "prob" include: { phase: TEST } }
"""
    y = np.maximum(convolved(x, k, b), 0)
    pool = np.stack([np.stack([y[:, :, i:i + 2, j:min(j + 2, 5)].mean((2, 3)) for j in (0, 2, 4)], 2) for i in (0, 2)], 2)
    e = np.exp(pool.reshape(1, -1) @ w.T + c)
    gives(tmp_path, text, [x], [e / e.sum()], {"conv": [k, b], "fc": [w, c]}, kind="v1", legacy=True)


def test_v0_layers(tmp_path):
    x, k, b, w, c = normal(1, 3, 6, 7), normal(4, 3, 3, 3), normal(4), normal(5, 4 * 3 * 4), normal(5)
    text = DATA + """layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "data" top: "padded" }
layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 3 biasterm: true blobs_lr: 1. weight_decay: 1. } bottom: "padded" top: "conv" }
layers { layer { name: "relu" type: "relu" } bottom: "conv" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: MAX kernelsize: 2 stride: 2 } bottom: "conv" top: "pool" }
layers { layer { name: "norm" type: "lrn" local_size: 3 alpha: 0.5 beta: 0.75 } bottom: "pool" top: "norm" }
layers { layer { name: "fc" type: "innerproduct" num_output: 5 weight_filler { type: "gaussian" } } bottom: "norm" top: "fc" }
layers { layer { name: "loss" type: "softmax_loss" } bottom: "fc" bottom: "fc" }
"""
    y = np.maximum(convolved(x, k, b, pad=(1, 1)), 0)
    y = np.stack([np.stack([y[:, :, i:i + 2, j:j + 2].max((2, 3)) for j in (0, 2, 4, 6)], 2) for i in (0, 2, 4)], 2)
    square = np.pad(y ** 2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    y = y / (1 + 0.5 / 3 * (square[:, :-2] + square[:, 1:-1] + square[:, 2:])) ** 0.75
    gives(tmp_path, text, [x], [y.reshape(1, -1) @ w.T + c], {"conv": [k, b], "fc": [w, c]}, kind="v0", legacy=True)


# ---- phases ----


@pytest.mark.parametrize("rule, there", [
    ("", True), ("include { phase: TEST }", True), ("include { phase: TRAIN }", False), ("exclude { phase: TRAIN }", True), ("exclude { phase: TEST }", False),
    ("include { phase: TRAIN } include { phase: TEST }", True), ("include { stage: \"deploy\" }", True), ("include { stage: \"other\" }", False), ("include { not_stage: \"deploy\" }", False),
    ("include { min_level: 2 }", True), ("include { min_level: 3 }", False), ("include { max_level: 1 }", False), ("exclude { stage: \"deploy\" stage: \"other\" }", True),
    ("phase: TRAIN", True)])
def test_rules(tmp_path, rule, there):
    x = normal(1, 3, 6, 7)
    text = "state { level: 2 stage: \"deploy\" }\n" + DATA + layer("Power", ["data"], ["data2"], "power_param { shift: 3 }", "p") + layer("Power", ["data2"], ["data2"], "power_param { scale: 2 } " + rule)
    gives(tmp_path, text, [x], [(x + 3) * (2 if there else 1)])


def test_layers_of_training_are_left_out(tmp_path):
    x = normal(1, 3, 6, 7)
    text = """layer { name: "train" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 64 } }
layer { name: "test" type: "Input" top: "data" include { phase: TEST } input_param { shape { dim: 1 dim: 3 dim: 6 dim: 7 } } }
layer { name: "labels" type: "Data" top: "label" include { phase: TEST } data_param { batch_size: 64 } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "y" }
layer { name: "two" type: "Split" bottom: "y" top: "a" top: "b" }
layer { name: "quiet" type: "Silence" bottom: "b" }
layer { name: "accuracy" type: "Accuracy" bottom: "a" bottom: "label" top: "accuracy" accuracy_param { top_k: 5 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "label" top: "loss" loss_weight: 0.5 }
layer { name: "more" type: "EuclideanLoss" bottom: "loss" bottom: "label" top: "sum" }
"""
    gives(tmp_path, text, [x], [np.maximum(x, 0)])


# ---- names ----


def test_a_blob_written_in_place_ends_under_its_name(tmp_path):
    x = normal(1, 3, 6, 7)
    text = DATA + layer("Power", ["data"], ["y"], "power_param { scale: 2 }", "a") + layer("AbsVal", ["y"], ["z"], name="before") \
        + layer("TanH", ["y"], ["y"], name="b") + layer("Sigmoid", ["y"], ["y"], name="c") + layer("AbsVal", ["y"], ["w"], name="after")
    y = 1 / (1 + np.exp(-np.tanh(2 * x)))
    gives(tmp_path, text, [x], [np.abs(2 * x), y])
    assert np.allclose(evaluate(tmp_path / "model.prototxt", [x], tmp_path, "--output", "y")[0], y, atol=1e-6)
    assert np.allclose(evaluate(tmp_path / "model.prototxt", [x], tmp_path, "--output", "y@b")[0], np.tanh(2 * x), atol=1e-6)
    # As an input of a part the name is the last version too.
    assert np.allclose(evaluate(tmp_path / "model.prototxt", [y], tmp_path, "--input", "y", "--output", "w")[0], y, atol=1e-6)


def test_an_input_written_in_place_keeps_its_name(tmp_path):
    x = normal(1, 3, 6, 7)
    text = DATA + layer("Power", ["data"], ["data"], "power_param { shift: -1 }", "mean") + layer("AbsVal", ["data"])
    gives(tmp_path, text, [x], [np.abs(x - 1)])
    assert 'input %0 "data"' in text_of(tmp_path / "model.prototxt")


def test_a_network_cut_at_both_ends(tmp_path):
    x, k, b = normal(1, 4, 4, 5), normal(4, 3, 3, 3), normal(4)
    text = DATA + layer("Convolution", ["data"], ["conv"], CONV) + layer("ReLU", ["conv"], ["conv"], name="r") + layer("AbsVal", ["conv"], ["z"], name="z") + layer("TanH", ["z"], ["end"], name="t")
    path = save(tmp_path, text, {"l": [k, b]})
    assert np.allclose(evaluate(path, [x], tmp_path, "--input", "conv", "--output", "z")[0], np.abs(x))


def test_a_layer_name_of_two_layers(tmp_path):
    """Caffe gives both the same weights."""
    x, k, b = normal(1, 3, 6, 7), normal(3, 3, 1, 1), normal(3)
    params = "convolution_param { num_output: 3 kernel_size: 1 }"
    text = DATA + layer("Convolution", ["data"], ["a"], params) + layer("Convolution", ["a"], ["b"], params)
    gives(tmp_path, text, [x], [convolved(convolved(x, k, b), k, b)], {"l": [k, b]})
