"""tools/four_formats.py: the same network in every format, whose weights are large enough to stay in their files until they are needed."""
import sys

import numpy as np
import onnx
import pytest

import tf_support
from support import ROOT, compare, evaluate, reference

sys.path.insert(0, str(ROOT / "tools"))
import four_formats  # noqa: E402


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as p:
        p.setattr(four_formats, "LAYERS", [16, "pool", 64, 64, 64, "add"])
        p.setattr(four_formats, "CLASSES", 300)
        for form in four_formats.FORMS:
            four_formats.write(form, folder)
    x = np.random.default_rng(1).standard_normal((1, 3, four_formats.SIDE, four_formats.SIDE), np.float32)
    return folder, x, reference(onnx.load(folder / "network.onnx"), {"x": x})


@pytest.mark.parametrize("name", ["network.onnx", "network.prototxt", "network.tflite"])
def test_same_results(written, tmp_path, name):
    folder, x, want = written
    for args in ((), ("--passes",)):
        compare(evaluate(folder / name, [x], tmp_path, *args), want)


def test_same_results_of_tensorflow(written, tmp_path):
    folder, x, want = written
    compare(tf_support.run(tmp_path, (folder / "network.pb").read_bytes(), {"x": x.transpose(0, 2, 3, 1)}), want)
