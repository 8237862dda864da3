"""Damaged and foreign TFLite files as models: refused with a message or taken, never a crash; in little time and memory."""
import subprocess

import numpy as np
import pytest
from malformed import cases, check, folder, needs_suite  # noqa: F401
from support import SECONDS, TOOL
from tflite_models import F32, I8, Model


@needs_suite
@pytest.mark.parametrize("case,expected", cases("tflite"))
def test_case(case, expected, folder, tmp_path):
    check(folder / case, expected, tmp_path)


# ---- our own: every prefix, every byte ----

def small():
    m = Model()
    x = m.tensor("x", [1, 4, 4, 2], I8, scale=0.1, zero=3)
    w = m.const("w", np.arange(-8, 8).reshape(2, 2, 2, 2), I8, scale=[0.1, 0.2], axis=0)
    b = m.const("b", np.array([1, 2]), 2, scale=[0.01, 0.02], axis=0)
    c = m.op("CONV_2D", [x, w, b], "c", [1, 4, 4, 2], I8, scale=0.05, zero=-128, options={"stride_w": 1, "stride_h": 1, "fused_activation_function": 1})
    r = m.op("DEQUANTIZE", [c], "r", [1, 4, 4, 2], F32)
    p = m.op("MAX_POOL_2D", [r], "p", [1, 2, 2, 2], F32, options={"padding": 1, "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2})
    y = m.op("RESHAPE", [p, m.const("s", np.array([1, -1]), 2)], "y", [1, 8], F32)
    return m.bytes([x], [y])


def tried(files):
    done = subprocess.run([TOOL, "--each", *files], capture_output=True, text=True, timeout=6 * SECONDS, errors="replace")
    assert done.returncode == 0, done.stderr
    results = done.stdout.split()
    assert len(results) == len(files) and "broken" not in results
    return results


def written(tmp_path, variants):
    files = []
    for i, data in enumerate(variants):
        files.append(tmp_path / f"{i}.tflite")
        files[-1].write_bytes(data)
    return files


def test_the_model_is_good(tmp_path):
    assert tried(written(tmp_path, [small()])) == ["taken"]


def test_every_prefix(tmp_path):
    data = small()
    assert "refused" in tried(written(tmp_path, [data[:n] for n in range(len(data))]))


def test_every_byte(tmp_path):
    data = small()
    rng = np.random.default_rng(3)
    variants = [data[:i] + bytes([int(rng.choice([0, 1, 0x7f, 0x80, 0xff]))]) + data[i + 1:] for i in range(len(data))]
    assert {"taken", "refused"} == set(tried(written(tmp_path, variants)))
