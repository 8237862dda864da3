"""Pictures read where a grid points to, in fixed point: signal to noise against the float model; fixed and offline agree bit for bit."""
import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import helper  # noqa: E402
from support import FIXED_TOOL, check_fixed, model, save  # noqa: E402

RNG = np.random.default_rng(37)
LEAST = {"bilinear": 60, "bicubic": 60, "nearest": 90}
OUTSIDE = ("zeros", "border", "reflection")


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def sample(ins="x g", outs="y", **attrs):
    return helper.make_node("GridSample", ins.split(), outs.split(), **attrs)


def check(tmp_path, nodes, least, inits=None, **feeds):
    check_fixed(tmp_path, nodes, inits, least, fewest=20, **feeds)


def grid_of(places, size, corners):
    """Places in pixels, column and row, as numbers of -1 ... 1."""
    w = np.array(size[::-1], np.float64)
    return np.asarray(2 * places / (w - 1) - 1 if corners else (2 * places + 1) / w - 1, np.float32)


def away_from_ties(n, h, w, size, corners, beyond=2):
    """Column and row of each point at least a tenth of a pixel from the middle between two, some of them outside."""
    whole = np.stack([RNG.integers(-beyond, s + beyond, (n, h, w)) for s in size[::-1]], axis=-1)
    return grid_of(whole + RNG.uniform(-0.4, 0.4, whole.shape), size, corners)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", OUTSIDE)
@pytest.mark.parametrize("mode", LEAST)
def test_gridsample(mode, padding, corners, tmp_path):
    """By an input."""
    size = (9, 13)
    feeds = {"x": real(2, 3, *size), "g": away_from_ties(2, 8, 7, size, corners)}
    check(tmp_path, [sample(mode=mode, padding_mode=padding, align_corners=corners)], LEAST[mode], **feeds)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("mode", LEAST)
def test_far_outside(mode, corners, tmp_path):
    """Mirrored many times."""
    size = (5, 4)
    feeds = {"x": real(1, 3, *size), "g": away_from_ties(1, 12, 9, size, corners, beyond=30)}
    check(tmp_path, [sample(mode=mode, padding_mode="reflection", align_corners=corners)], LEAST[mode], **feeds)


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)])
@pytest.mark.parametrize("padding", OUTSIDE)
def test_one_row_or_column(padding, size, tmp_path):
    feeds = {"x": real(1, 40, *size), "g": np.asarray(RNG.uniform(-1.2, 1.2, (1, 6, 5, 2)), np.float32)}
    check(tmp_path, [sample(padding_mode=padding)], 75, **feeds)


def smooth(h, w):
    """A picture without detail finer than some pixels."""
    rows, columns = np.mgrid[:h, :w]
    return np.asarray([np.sin(rows / 7 + k) * np.cos(columns / 9 - k) for k in range(3)], np.float32)[None]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_turned_picture(mode, tmp_path):
    """A large picture by a constant grid, turned by some degrees."""
    size, a = (240, 320), 0.1
    rows, columns = np.mgrid[-1:1:50j, -1:1:60j]
    grid = np.asarray(np.stack([columns * np.cos(a) - rows * np.sin(a), columns * np.sin(a) + rows * np.cos(a)], axis=-1)[None], np.float32)
    check(tmp_path, [sample(mode=mode, padding_mode="border")], 65, {"g": grid}, x=smooth(*size))


def test_flow(tmp_path):
    """As networks that warp do: a grid and what a layer adds to it, from one picture into the next layer."""
    rows, columns = np.mgrid[-1:1:16j, -1:1:20j]
    inits = {"base": np.asarray(np.stack([columns, rows], axis=-1)[None], np.float32), "w": real(2, 3, 3, 3) / 9, "small": np.float32(0.2), "k": real(4, 3, 1, 1)}
    nodes = [helper.make_node("Conv", ["x", "w"], ["f"], pads=[1] * 4), helper.make_node("Tanh", ["f"], ["t"]), helper.make_node("Mul", ["t", "small"], ["s"]),
             helper.make_node("Transpose", ["s"], ["moved"], perm=[0, 2, 3, 1]), helper.make_node("Add", ["base", "moved"], ["g"]),
             sample("x g", "z", mode="bilinear", padding_mode="border"), helper.make_node("Conv", ["z", "k"], ["y"])]
    check(tmp_path, nodes, 40, inits, x=smooth(16, 20))


@pytest.mark.parametrize("shape", [(1, 2, 5), (1, 2, 4, 5, 6)])
def test_one_or_three_axes(shape, tmp_path):
    """Have no fixed-point form."""
    import subprocess
    axes = len(shape) - 2
    feeds = {"x": real(*shape), "g": real(1, *[3] * axes, axes)}
    path = save(model([sample(mode="linear")], feeds, ["y"], opset=20), tmp_path)
    files = []
    for name, x in feeds.items():
        files.append(tmp_path / name)
        x.tofile(files[-1])
    done = subprocess.run([FIXED_TOOL, path, tmp_path / "q", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert "operator gridsample samples along one or three axes, which has no fixed-point form; along two it has" in done.stderr
