"""The manual's preprocessing examples through the tools' own workers: the arrays they are written to give, and their mistakes named."""
import os
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import manual  # noqa: E402
from test_preprocess import Bench  # noqa: E402

pytestmark = pytest.mark.skipif(not manual.MANUAL.exists(), reason=manual.ABSENT)
SHAPES = {"yolov8s": "1x640x640x3", "resnet18": "1x224x224x3", "lenet": "1x28x28x1"}


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def picture(bench, name="p.png", size=(300, 410)):
    cv2 = pytest.importorskip("cv2")
    smooth = cv2.resize(np.random.default_rng(4).integers(0, 256, (12, 16, 3)).astype(np.uint8), size[::-1])
    cv2.imwrite(str(bench.folder / name), smooth)
    return smooth


def checksum(array):
    total = array.nbytes
    for byte in array.tobytes():
        total = (total * 31 + byte) % 2 ** 64
    return "%x" % total


def called(bench, name, path, norm):
    """What the script gives when it is called here."""
    sys.path.insert(0, str(bench.folder))
    try:
        scope = {}
        exec(compile((bench.folder / (name + ".py")).read_text(), name, "exec"), scope)
        return scope["image_preprocess"](str(bench.folder / path), norm=norm)
    finally:
        sys.path.remove(str(bench.folder))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("name", ["yolov8s", "lenet", "resnet18"])
def test_pictures(bench, name, norm):
    """As printed where that runs."""
    picture(bench)
    manual.write(bench.folder, name, manual.example(name) if norm or name != "resnet18" else manual.repaired(name))
    want = called(bench, name, "p.png", norm)
    assert want.dtype == (np.float32 if norm else np.uint8) and "x".join(map(str, want.shape)) == SHAPES[name]
    assert bench.good("p.png", name + ".py", norm=norm, dims=SHAPES[name]) == ["sample p.png " + checksum(want)]


def test_yolov8s_letterbox(bench):
    """The third parameter keeps its default: 640x640, gray bands above and below, RGB."""
    smooth = picture(bench)
    manual.write(bench.folder, "yolov8s", manual.example("yolov8s"))
    got = called(bench, "yolov8s", "p.png", False)[0]
    assert (got[:86] == 114).all() and (got[-86:] == 114).all() and not (got[86:-86] == 114).all()
    import cv2
    assert np.array_equal(got[86:-86], cv2.resize(smooth, (640, 468), interpolation=cv2.INTER_LINEAR)[..., ::-1])


@pytest.mark.parametrize("name, ini", [
    ("yolov8s", "training_input_formats=RGB;input_formats=BGR;mean=0:0:0;std_value=255"),
    ("resnet18", "input_formats=RGB;mean=123.675:116.28:103.53;std_value=58.395:57.12:57.375"),
    ("lenet", "input_formats=GRAY;mean=33.318;std_value=1.0"),
])
def test_the_manuals_numbers_agree_with_its_scripts(bench, name, ini):
    picture(bench)
    manual.write(bench.folder, name, manual.repaired(name))
    bench.file("i.ini", "[INPUT_CONFIG]\ninputs=a\n%s\n[OUTPUT_CONFIG]\noutputs=p\n" % ini.replace(";", "\n"))
    assert bench.good("p.png", name + ".py", dims=SHAPES[name], extra=["-p", "i.ini"]) == []
    wrong = ini.replace("mean=", "mean=9").replace("9123", "100") if name != "yolov8s" else ini.replace("255", "1")
    bench.file("i.ini", "[INPUT_CONFIG]\ninputs=a\n%s\n[OUTPUT_CONFIG]\noutputs=p\n" % wrong.replace(";", "\n"))
    said, = bench.good("p.png", name + ".py", dims=SHAPES[name], extra=["-p", "i.ini"])
    assert "normalizes input 'a' with other numbers than the ini" in said


def test_resnet18_as_printed(bench):
    picture(bench)
    manual.write(bench.folder, "resnet18", manual.example("resnet18"))
    message = bench.fails("p.png", "resnet18.py", norm=False, dims=SHAPES["resnet18"])
    assert message == "resnet18.py:23: image_preprocess failed on picture 'p.png': AttributeError: 'Image' object has no attribute 'numpy'\n"


def test_lenet_names_a_missing_picture(bench):
    bench.file("p.png", b"no picture")
    manual.write(bench.folder, "lenet", manual.example("lenet"))
    assert bench.fails("p.png", "lenet.py", dims=SHAPES["lenet"]) == (
        "lenet.py:6: image_preprocess failed on picture 'p.png': FileNotFoundError: No such image: p.png\n")


@pytest.mark.parametrize("name", ["F32", "S16", "U16", "U8"])
def test_npy_as_printed(bench, name):
    np.save(bench.folder / "x.npy", np.zeros((1, 4), np.float32))
    manual.write(bench.folder, name, manual.example(name))
    line = len(manual.EXAMPLES[name][2])
    assert bench.fails("x.npy", name + ".py", dims="1x4") == (
        "%s.py:%d: image_preprocess failed on picture 'x.npy': NameError: name 'get_image' is not defined\n" % (name, line))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("name, dtype, types, numbers", [
    ("F32", np.float32, ("f32", "f32"), [0.1, -2e9, 3]), ("S16", np.int32, ("s32", "s16"), [-32768, 0, 32767]), ("S16", np.bool_, ("s32", "s16"), [True, False, True]),
    ("U16", np.int32, ("s32", "u16"), [0, 32768, 65535]), ("U8", np.uint8, ("u8", "u8"), [0, 128, 255]),
])
def test_npy_repaired(bench, name, dtype, types, numbers, norm):
    np.save(bench.folder / "x.npy", np.array([numbers], dtype))
    manual.write(bench.folder, name, manual.repaired(name))
    numpy_type = {"f32": np.float32, "s32": np.int32, "s16": np.int16, "u16": np.uint16, "u8": np.uint8}[types[not norm]]
    want = np.array([numbers]).astype(numpy_type)
    assert bench.good("x.npy", name + ".py", norm=norm, dtype=types[not norm], dims="1x3") == ["sample x.npy " + checksum(want)]
