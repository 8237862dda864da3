"""L2's own choice between 8 and 16 bits: it finds the layers that 8 bits hurt, says what it did, and the ini overrules it."""
import re

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import Project, save_model

F = TensorProto.FLOAT


def uneven(path, small):
    """Half of the channels between the first and the last convolution are `small` times the others; the last one makes up for it."""
    r = np.random.default_rng(3)
    scale = np.where(np.arange(8) % 2, small, 1).astype(np.float32)
    first, depth, last = r.standard_normal((8, 3, 3, 3)), r.standard_normal((8, 1, 3, 3)), r.standard_normal((4, 8, 1, 1))
    nodes = [helper.make_node("Conv", ["data", "w0"], ["c0"], name="first", kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c0"], ["r0"]),
             helper.make_node("Conv", ["r0", "w1"], ["c1"], name="depth", group=8, kernel_shape=[3, 3], pads=[1] * 4), helper.make_node("Relu", ["c1"], ["r1"]),
             helper.make_node("Conv", ["r1", "w2"], ["prob"], name="last")]
    save_model(path, {"data": (F, [1, 3, 16, 16])}, {"prob": (F, [1, 4, 16, 16])}, nodes,
               {"w0": first.astype(np.float32) * scale[:, None, None, None], "w1": depth.astype(np.float32), "w2": (last / scale[:, None, None]).astype(np.float32)})


def calibrate(folder, small, conv=""):
    p = Project(folder, pictures=10)
    uneven(p.folder / "model.onnx", small)
    p.write("input_config.ini", (p.folder / "input_config.ini").read_text() + ("[CONV_CONFIG]\n%s\n" % conv if conv else ""))
    r = p.convert("--export_models", "--quant_level", "L2", out="m.img")
    assert r.returncode == 0, r.stdout + r.stderr
    chosen = re.search(r"16 bits for (\d+) of (\d+) convolutions, (\d+) % of the multiplications: estimated SQNR (-?\d+) dB instead of (-?\d+) dB\n  (.*)\n", r.stdout)
    return chosen and chosen.groups(), float(re.search(r"^  prob: ([-\d.]+) dB$", r.stdout, re.M)[1]), r


def test_what_8_bits_hurt_takes_16(tmp_path):
    chosen, sqnr, _ = calibrate(tmp_path / "a", 0.003)
    eight, plain, r = calibrate(tmp_path / "b", 0.003, "input_format=ALL_UINT8")
    assert eight is None and "input_format=ALL_UINT8 takes the place of L2's own choice of 8 or 16 bits" in r.stderr
    assert chosen[0] == "2" and chosen[1] == "2" and chosen[5] == "depth, last"
    assert sqnr > plain + 15
    assert float(chosen[4]) < 20 and float(chosen[3]) >= 35


def test_what_8_bits_serve_stays(tmp_path):
    """Even channels lose a hundredth: the last layer, dearer, stays 8 bit where the first alone is enough."""
    uneven_choice, _, _ = calibrate(tmp_path / "a", 0.003)
    even_choice, sqnr, _ = calibrate(tmp_path / "b", 1)
    assert sqnr > 30
    assert even_choice is None or float(even_choice[4]) > float(uneven_choice[4]) + 15


@pytest.mark.parametrize("conv", ["input_format=DEPTHWISE_INT16", "tensor_arrays=r1"])
def test_the_ini_adds_or_overrules(tmp_path, conv):
    chosen, _, r = calibrate(tmp_path / "a", 0.003, conv)
    assert (chosen is None) == conv.startswith("input_format")
    reasons = re.findall(rb"(\d+) bit: ([a-z0-9 ]+)", (tmp_path / "a/m_fixed.sim").read_bytes())
    asked = [bits for bits, why in reasons if why.startswith(b"asked for in the ini")]
    assert asked == [b"16"] and reasons[0] == (b"8", b"reads the image")
