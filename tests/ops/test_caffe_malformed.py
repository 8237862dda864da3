"""Damaged Caffe files: refused with a message or taken, never a crash; in little time and memory."""
import subprocess

import numpy as np
import pytest
from caffe_support import caffemodel, save
from malformed import GIGABYTE, attempt, cases, check, folder, needs_suite  # noqa: F401
from support import SECONDS, TOOL
from test_caffe_files import CONV, DATA
from test_caffe_layers import layer, normal


@needs_suite
@pytest.mark.parametrize("case,expected", cases("caffe"))
def test_case(case, expected, folder, tmp_path):
    check(folder / case, expected, tmp_path, f"{(folder / case).with_suffix('')}.")


# ---- our own: every prefix, every byte ----


def small():
    text = DATA + layer("Convolution", ["data"], ["c"], CONV) + layer("ReLU", ["c"], ["c"], "relu_param { negative_slope: 0.1 }", "r") \
        + layer("Pooling", ["c"], ["p"], "pooling_param { kernel_size: 2 }", "p") + layer("Slice", ["p"], ["s", "t"], "slice_param { axis: -1 slice_point: 1 }", "s")
    return text.encode(), caffemodel({"l": [normal(4, 3, 3, 3), normal(4)]})


def each(paths):
    """One process for all: it must come through them."""
    done = subprocess.run([TOOL, "--each", *map(str, paths)], capture_output=True, text=True, errors="replace", timeout=20 * SECONDS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert len(lines) == len(paths) and "broken" not in lines
    return lines


def write(tmp_path, number, text, weights):
    path = tmp_path / f"{number}.prototxt"
    path.write_bytes(text)
    path.with_suffix(".caffemodel").write_bytes(weights)
    return path


def test_every_prefix(tmp_path):
    text, weights = small()
    assert each([write(tmp_path, "whole", text, weights)]) == ["taken"]
    each([write(tmp_path, i, text[:i], weights) for i in range(len(text))])
    lines = each([write(tmp_path, i, text, weights[:i]) for i in range(len(weights))])
    assert set(lines[7:]) == {"refused"}  # the first bytes are the network's name and nothing


def test_every_byte(tmp_path):
    rng = np.random.default_rng(3)
    text, weights = small()
    paths = []
    for i in range(len(text)):
        changed = bytearray(text)
        changed[i] ^= 1 << int(rng.integers(8))
        paths.append(write(tmp_path, f"t{i}", bytes(changed), weights))
    for i in range(len(weights)):
        changed = bytearray(weights)
        changed[i] ^= 1 << int(rng.integers(8))
        paths.append(write(tmp_path, f"w{i}", text, bytes(changed)))
    each(paths)


def test_what_would_take_long(tmp_path):
    """Deep nesting, many layers that read one another, one name a thousand times."""
    chain = "".join(layer("ReLU", ["b%d" % i], ["b%d" % (i + 1)], name="l%d" % i) for i in range(2000))
    in_place = "".join(layer("ReLU", ["data"], ["data"], name="l") for i in range(2000))
    for text in ("layer { " * 100000, DATA + chain.replace('"b0"', '"data"'), DATA + in_place, 'input_dim: 1 ' * 500000, '#' * 1000000):
        status, message, seconds, memory = attempt(save(tmp_path, text), tmp_path)
        assert status in (0, 1), message
        assert seconds < SECONDS and memory < GIGABYTE
