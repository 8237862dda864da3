"""Caffe networks in fixed point: what is lost is little, and the image gives the fixed model's bytes."""
import numpy as np
import pytest
from caffe_support import inputs, save
from support import decibel, quantized
from test_caffe_layers import layer, learned, normal


@pytest.mark.parametrize("kind, shapes, params, blobs", [
    ("Convolution", [(1, 4, 9, 9)], "convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 }", [normal(6, 2, 3, 3), normal(6)]),
    ("Deconvolution", [(1, 4, 5, 5)], "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false }", [normal(4, 1, 4, 4)]),
    ("Pooling", [(1, 4, 9, 9)], "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", None),
    ("Pooling", [(1, 4, 8, 8)], "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", None),
    ("Pooling", [(1, 4, 8, 8)], "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", None),
    ("LRN", [(1, 8, 5, 5)], "lrn_param { local_size: 5 alpha: 1 }", None),
    ("LRN", [(1, 8, 5, 5)], "lrn_param { local_size: 3 alpha: 1 norm_region: WITHIN_CHANNEL }", None),
    ("Interp", [(1, 4, 5, 6)], "interp_param { zoom_factor: 2 }", None),
    ("Upsample", [(1, 4, 5, 6)], "upsample_param { scale: 2 }", None),
    ("PReLU", [(1, 4, 5, 6)], "", [normal(4)]),
    ("CReLU", [(1, 4, 5, 6)], "", None),
    ("Power", [(1, 4, 5, 6)], "power_param { power: 2 scale: 0.5 shift: 1 }", None),
    ("Exp", [(1, 4, 5, 6)], "exp_param { base: 2 }", None),
    ("Threshold", [(1, 4, 5, 6)], "threshold_param { threshold: 0.25 }", None),
    ("Eltwise", [(1, 4, 5, 6)] * 2, "eltwise_param { coeff: 1 coeff: -0.5 }", None),
    ("Axpy", [(1, 4, 1, 1), (1, 4, 5, 6), (1, 4, 5, 6)], "", None),
    ("Scale", [(1, 4, 5, 6)], "scale_param { bias_term: true }", [normal(4), normal(4)]),
    ("BatchNorm", [(1, 4, 5, 6)], "", [normal(4), np.abs(normal(4)) + np.float32(0.5), np.float32([2])]),
    ("MVN", [(1, 4, 5, 6)], "", None),
    ("Normalize", [(1, 4, 5, 6)], "norm_param { across_spatial: false channel_shared: false }", [normal(4)]),
    ("InnerProduct", [(1, 4, 5, 6)], "inner_product_param { num_output: 7 }", [normal(7, 120), normal(7)]),
    ("Softmax", [(1, 4, 5, 6)], "", None),
    ("ArgMax", [(1, 4, 5, 6)], "argmax_param { axis: 1 }", None),
    ("Reduction", [(1, 4, 5, 6)], "reduction_param { operation: ASUM axis: 2 }", None),
    ("Crop", [(1, 4, 5, 6), (1, 4, 3, 3)], "crop_param { offset: 1 }", None),
    ("Permute", [(1, 4, 5, 6)], "permute_param { order: [0, 2, 3, 1] }", None),
    ("ShuffleChannel", [(1, 4, 5, 6)], "shuffle_channel_param { group: 2 }", None),
    ("Reverse", [(1, 4, 5, 6)], "reverse_param { axis: 2 }", None),
    ("Tile", [(1, 4, 5, 6)], "tile_param { tiles: 2 }", None),
    ("Im2col", [(1, 4, 5, 6)], "convolution_param { kernel_size: 3 pad: 1 }", None),
    ("SPP", [(1, 4, 7, 6)], "spp_param { pyramid_height: 3 }", None),
    ("SPP", [(1, 4, 7, 6)], "spp_param { pyramid_height: 2 pool: AVE }", None),
    ("LSTM", [(4, 2, 3), (4, 2)], "recurrent_param { num_output: 5 }", learned("LSTM", 3, 5)),
    ("RNN", [(4, 2, 3), (4, 2)], "recurrent_param { num_output: 5 }", learned("RNN", 3, 5)),
])
def test_layer(tmp_path, kind, shapes, params, blobs):
    names = "abc"[:len(shapes)]
    path = save(tmp_path, inputs(dict(zip(names, shapes))) + layer(kind, names, params=params), {"l": blobs} if blobs else None)
    feeds = [[normal(*s) for _ in range(3)] for s in shapes]
    want, got = quantized(path, feeds, tmp_path)
    if kind in ("ArgMax", "Threshold"):  # what lies closest to one another may change places
        assert (want[0] != got[0]).mean() < 0.02
    else:
        assert decibel(want[0], got[0]) > 30


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_whole_sequences(tmp_path, kind):
    text = inputs({"a": (5, 2, 3)}) + layer("ContinuationIndicator", "a", ["i"], name="i") + layer(kind, "ai", params="recurrent_param { num_output: 4 }")
    want, got = quantized(save(tmp_path, text, {"l": learned(kind, 3, 4)}), [[normal(5, 2, 3) for _ in range(3)]], tmp_path)
    assert decibel(want[0], got[0]) > 40


def test_places_of_maxima(tmp_path):
    """An encoder and its decoder, as SegNet has them; numbers lie further apart than a step, so that the same ones are the largest."""
    r = np.random.default_rng(3)
    x = [(r.permutation(4 * 8 * 8).reshape(1, 4, 8, 8) - 128).astype(np.float32) for _ in range(3)]
    text = inputs({"a": x[0].shape}) + layer("Pooling", "a", ["p", "m"], "pooling_param { kernel_size: 2 stride: 2 }", "pool") + layer("Upsample", "pm", params="upsample_param { scale: 2 }")
    want, got = quantized(save(tmp_path, text), [x], tmp_path)
    assert decibel(want[0], got[0]) > 40
    assert np.array_equal(want[0] != 0, got[0] != 0)


def test_roi_pooling(tmp_path):
    """Boxes lie at even numbers: their halves are whole pixels on both sides."""
    x, count = [normal(2, 3, 9, 12) for _ in range(3)], 6
    r = np.random.default_rng(4)
    low = 2 * r.integers(0, 6, (3, count, 2))
    rois = [np.concatenate([r.integers(0, 2, (count, 1)), p, p + 2 * r.integers(0, 8, (count, 2))], 1).astype(np.float32) for p in low]
    path = save(tmp_path, inputs({"a": x[0].shape, "b": rois[0].shape}) + layer("ROIPooling", "ab", params="roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"))
    want, got = quantized(path, [x, rois], tmp_path)
    assert decibel(want[0], got[0]) > 60


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("keep", [5, -1])
def test_detection_output(tmp_path, shared, keep):
    boxes, classes = 20, 3
    r = np.random.default_rng(8)
    corner = r.random((boxes, 2)) * 0.7
    prior = np.stack([np.concatenate([corner, corner + 0.15 + 0.15 * r.random((boxes, 2))], 1).ravel(), np.tile([0.1, 0.1, 0.2, 0.2], boxes)])[None].astype(np.float32)
    loc = [r.standard_normal((2, boxes * (1 if shared else classes) * 4)).astype(np.float32) for _ in range(3)]
    conf = [(r.permutation(2 * boxes * classes).reshape(2, -1) / (2 * boxes * classes)).astype(np.float32) for _ in range(3)]  # apart by more than a step
    text = inputs({"a": loc[0].shape, "b": conf[0].shape, "c": prior.shape}) + layer(
        "DetectionOutput", "abc", params="detection_output_param { num_classes: 3 share_location: %s code_type: CENTER_SIZE keep_top_k: %d confidence_threshold: 0.3 "
        "nms_param { nms_threshold: 0.4 top_k: 15 } }" % (str(shared).lower(), keep))
    want, got = quantized(save(tmp_path, text), [loc, conf, [prior] * 3], tmp_path)
    want, got = want[0].reshape(-1, 7), got[0].reshape(-1, 7)
    found = [{(round(row[0]), round(row[1]), round(row[2] * 2 * boxes * classes)): row for row in rows.tolist() if row[1] > -0.5} for rows in (want, got)]
    assert len(found[0]) > 10 and len(found[0].keys() ^ found[1].keys()) <= 2  # two boxes may overlap by almost 0.4
    assert max(np.abs(np.subtract(found[0][k], found[1][k])).max() for k in found[0].keys() & found[1].keys()) < 1e-3
