"""What calibration says of pictures that teach it nothing, and of channels that say nothing; and that it is silent otherwise."""
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support import Project

ALIKE = "are nearly the same as an earlier one after preprocessing ('pics/%d.npy' and 'pics/%d.npy', to begin with): ranges are learned from what differs; " \
        "take pictures of every kind the camera will see"


def said(p):
    r = p.convert("--export_models")
    assert r.returncode == 0, r.stderr
    return r.stderr


def pictures(p, make):
    for i, f in enumerate(sorted((p.folder / "pics").iterdir())):
        np.save(f, make(i, np.load(f).astype(int)).clip(0, 255).astype(np.uint8))
    return said(p)


def test_pictures_that_differ_are_silent(tmp_path):
    p = Project(tmp_path / "p", pictures=12)
    assert said(p) == ""
    # one scene in different light is not the same picture
    scene = np.load(p.folder / "pics/0.npy").astype(int)
    assert pictures(p, lambda i, x: scene * (40 + 5 * i) // 100) == ""


def test_half_of_them_twice_is_silent_more_is_not(tmp_path):
    p = Project(tmp_path / "p", pictures=12)
    kept = [np.load(p.folder / "pics" / f.name).astype(int) for f in sorted((p.folder / "pics").iterdir())]
    assert pictures(p, lambda i, x: kept[i // 2]) == ""
    assert "warning: 8 of 12 pictures " + ALIKE % (0, 1) in pictures(p, lambda i, x: kept[i // 3])


def test_the_same_picture_again_and_again(tmp_path):
    p = Project(tmp_path / "p", pictures=12)
    scene = np.load(p.folder / "pics/0.npy").astype(int)
    assert "warning: 11 of 12 pictures " + ALIKE % (0, 1) in pictures(p, lambda i, x: scene)
    noise = np.random.default_rng(1)
    assert "warning: 11 of 12 pictures " + ALIKE % (0, 1) in pictures(p, lambda i, x: scene + noise.integers(-1, 2, x.shape))  # frames of a film
    assert "warning: 11 of 12 pictures " + ALIKE % (0, 1) in pictures(p, lambda i, x: x * 0 + 255)  # no picture at all


@pytest.mark.parametrize("dead, warned", [(0, False), (5, False), (6, True), (7, True)])
def test_dead_channels(tmp_path, dead, warned):
    """Of the eight channels of layer depth so many are 0 behind their ReLU."""
    p = Project(tmp_path / "p", pictures=12)
    model = onnx.load(str(p.folder / "model.onnx"))
    for t in model.graph.initializer:
        if t.name == "b1":
            bias = numpy_helper.to_array(t).copy()
            bias[:dead] = -1000
            t.CopyFrom(numpy_helper.from_array(bias, "b1"))
    onnx.save(model, str(p.folder / "model.onnx"))
    text = "in 1 layer three quarters of the channels or more hold one number on every picture: depth (%d of 8); either the pictures are not what the network was trained " \
           "on (channel order, mean, std_value), or those channels are dead and can be pruned" % dead
    assert (text in said(p)) == warned
