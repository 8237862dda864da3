"""Trained Caffe networks: float against OpenCV, fixed point and the image byte for byte."""
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from support import FIXED_TOOL, SHARED, TYPES, compare, decibel, evaluate

MODELS = SHARED / "models/caffe"
FILES = sorted(p.relative_to(MODELS).as_posix() for p in MODELS.glob("*/*.prototxt")) if MODELS.exists() else []
SHAPES = {"lenet_mnist/lenet_train_test.prototxt": ("--shapes", "1,1,28,28")}  # its data layer gives none
LOWEST = {"wechat_qr_sr/sr.prototxt": 15, "mtcnn/det1.prototxt": 20, "ultraface_rfb_320/RFB-320.prototxt": 15}  # dB of 8 bits without a choice of more


def weights_of(path):
    own = path.with_suffix(".caffemodel")
    return own if own.exists() else next(iter(path.parent.glob("*.caffemodel")))


def picture(shape):
    """Smooth, in -1 .. 1."""
    n, c, h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return np.stack([np.sin(x / (5 + k) + k) * np.cos(y / (7 + k)) for k in range(c)])[None].astype(np.float32)


def input_shape(path):
    """By OpenCV's own words too: input_dim, or dim of the only shape."""
    numbers = [int(line.split("dim:")[-1].split()[0]) for line in path.read_text().replace("dim:", "\ndim:").splitlines() if line.startswith("dim:")]
    return numbers[:4]


@pytest.fixture
def network(request, tmp_path):
    path = MODELS / request.param
    shutil.copyfile(path, tmp_path / "m.prototxt")
    shutil.copyfile(weights_of(path), tmp_path / "m.caffemodel")
    shape = [1, 1, 28, 28] if request.param in SHAPES else input_shape(path)
    return request.param, tmp_path / "m.prototxt", picture(shape)


class Upsample:
    """OpenCV has none."""

    def __init__(self, params, blobs):
        self.scale = int(params["scale"])

    def getMemoryShapes(self, inputs):
        n, c, h, w = inputs[0]
        return [[n, c, h * self.scale, w * self.scale]]

    def forward(self, inputs):
        return [inputs[0].repeat(self.scale, 2).repeat(self.scale, 3)]


@pytest.mark.skipif(not FILES, reason=f"{MODELS} is absent")
@pytest.mark.parametrize("network", [f for f in FILES if f not in SHAPES], indirect=True)
def test_float(network, tmp_path):
    assert hasattr(cv2.dnn, "readNetFromCaffe"), "OpenCV %s reads no Caffe: run tools/setup test" % cv2.__version__
    name, path, x = network
    cv2.dnn_registerLayer("Upsample", Upsample)
    net = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    got = evaluate(path, [x], tmp_path, "--passes")
    assert not isinstance(got, str), got
    net.setInput(x)
    want = net.forward(net.getUnconnectedOutLayersNames())
    cv2.dnn_unregisterLayer("Upsample")
    if "detect" in name:  # OpenCV fills up with zeros
        rows = want[0].reshape(-1, 7)
        rows[rows[:, 1] == 0] = -1
        want = [rows.reshape(got[0].shape)]
    by_size = {w.size: w for w in want}
    assert len(got) == len(want) == len(by_size)
    compare(got, [by_size[g.size].reshape(g.shape) for g in got])


@pytest.mark.skipif(not FILES, reason=f"{MODELS} is absent")
@pytest.mark.parametrize("network", [f for f in FILES if f not in SHAPES], indirect=True)
def test_fixed(network, tmp_path):
    """fixed_tool compares every byte of the image's results with the fixed simulator's."""
    name, path, x = network
    np.ascontiguousarray(np.moveaxis(x, 1, -1)).tofile(tmp_path / "in.bin")
    done = subprocess.run([FIXED_TOOL, path, tmp_path / "q", tmp_path / "in.bin"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for i, line in enumerate(done.stdout.splitlines()):
        want, got = np.fromfile(tmp_path / f"q.float.{i}.bin", np.float32), np.fromfile(tmp_path / f"q.fixed.{i}.bin", TYPES[line.split()[-2]])
        assert decibel(want, got) > LOWEST.get(name, 25)


@pytest.mark.skipif(not FILES, reason=f"{MODELS} is absent")
@pytest.mark.parametrize("network", list(SHAPES), indirect=True)
def test_a_network_of_training(network, tmp_path):
    name, path, x = network
    got = evaluate(path, [x], tmp_path, *SHAPES[name])
    assert not isinstance(got, str), got
    assert [g.shape for g in got] == [(1, 10)]
