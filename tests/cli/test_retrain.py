"""Modes Q20 to Q23 learn weights: what that is worth, and going on after a kill."""
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from onnx import helper

from support import ENV, SGS, Project
from test_modes import BASE, DEFAULT, quality
from test_quant_param import F, project

FOUR = "  mixed_precisions: [4, 8]\n  mp_rate: 0.25\n"


def network():
    """Five convolutions, one of them depthwise, whose outputs are numbers."""
    r = np.random.default_rng(11)
    shapes = {"w0": (12, 3, 3, 3), "w1": (12, 1, 3, 3), "w2": (16, 12, 1, 1), "w3": (12, 16, 3, 3), "w4": (4, 12, 1, 1)}
    weights = {k: (r.standard_normal(s) / np.sqrt(np.prod(s[1:]))).astype(np.float32) for k, s in shapes.items()}
    x, nodes = "data", []
    for i, (name, w) in enumerate(weights.items()):
        y = "prob" if i == 4 else "c%d" % i
        nodes.append(helper.make_node("Conv", [x, name], [y], name=name, kernel_shape=w.shape[2:], pads=[w.shape[2] // 2] * 4, group=12 if w.shape[1] == 1 else 1))
        if i < 4:
            nodes.append(helper.make_node("Relu", [y], ["r%d" % i]))
        x = "r%d" % i
    return nodes, weights, {"prob": (F, [1, 4, 16, 16])}


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    return project(tmp_path_factory.mktemp("retrain") / "p", *network())


def options(p, mode, config, out, *more):
    (p.folder / "q.yaml").write_text(DEFAULT + config)
    return (*BASE, "--quant_config", "q.yaml", "-q", mode, "-o", out, *(more or ("--num_process", "1")))


def good(p, *args):
    r = p.sgs(*options(p, *args))
    assert r.returncode == 0 and not list(p.folder.glob("*.retrain")), r.stdout + r.stderr
    return r


# ---- what it is worth --------------------------------------------------------------------------------------------------------


def test_four_bits_come_nearer(p):
    """One iteration moves the closed form's integers; forty find better ones; no mode that learns nothing does as well."""
    closed = quality(good(p, "Q13", FOUR, "b.sim"))
    r = good(p, "Q23", FOUR, "b.sim")
    assert "no retrain_iter_num: 40\n" in r.stdout and re.search(r"^retrain layers: 5 of 5 in ", r.stdout, re.M) and re.search(r"^  learned weights: \S+ dB$", r.stdout, re.M)
    assert quality(r) > closed + 1
    assert quality(good(p, "Q23", FOUR + "  retrain_iter_num: 1\n", "b.sim")) < quality(r)


def test_never_worse_than_what_learns_nothing(p):
    assert quality(good(p, "Q22", "", "b.sim")) >= quality(good(p, "Q12", "", "b.sim"))


def test_learns_from_more_samples_than_trials_run_on(tmp_path):
    """16 MB of inputs are on trial, every other one to fit to; what else 40 MB hold is to fit to."""
    size, pictures = 192, 43
    p = Project(tmp_path / "p", pictures=pictures, size=size)
    p.good("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "m_float.sim")
    trials = (16 << 20) // (size * size * 3 * 4 + 1)
    assert trials < pictures and "layers learn from %d samples, %d others judge\n" % (pictures - trials // 2, trials // 2) in good(p, "Q23", FOUR, "b.sim").stdout


@pytest.mark.parametrize("config, kept", [(FOUR, False), ("  mp_rate: 0.5\n", True)])
def test_never_below_the_mode_that_learns_nothing(p, config, kept):
    """Q13's model stands beside Q23's own and goes first unless that is clearly nearer."""
    closed, learned = good(p, "Q13", config, "closed.sim"), good(p, "Q23", config, "learned.sim")
    (db, said), = re.findall(r"^  Q13's model: (\S+) dB, (kept|not kept)$", learned.stdout, re.M)
    assert re.search(r"^  [^:]+: %s dB$" % re.escape(db), closed.stdout, re.M) and said == ("kept" if kept else "not kept")
    saved = {}
    for name in ("closed", "learned"):
        p.good("save-quant-param", "-m", name + ".sim", "--output_mode", "JSON", "-o", name + ".json")
        saved[name] = p.bytes(name + ".json")
    assert (saved["closed"] == saved["learned"]) == kept
    assert quality(learned) == quality(closed) if kept else quality(learned) > quality(closed) + 1


def test_long_sums_learn_in_parts(tmp_path):
    """A sum of 1728 products; the closed form leaves it as it was rounded, one weight at a time."""
    r = np.random.default_rng(5)
    weights = {"w0": r.standard_normal((192, 3, 1, 1)).astype(np.float32), "w1": (r.standard_normal((4, 192, 3, 3)) / 40).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["data", "w0"], ["c0"], kernel_shape=[1, 1]), helper.make_node("Relu", ["c0"], ["r0"]),
             helper.make_node("Conv", ["r0", "w1"], ["prob"], kernel_shape=[3, 3], pads=[1] * 4)]
    p = project(tmp_path / "p", nodes, weights, {"prob": (F, [1, 4, 16, 16])})
    closed = quality(good(p, "Q13", FOUR, "b.sim"))
    r = good(p, "Q23", FOUR, "b.sim")
    assert re.search(r"^retrain layers: 2 of 2 in ", r.stdout, re.M) and quality(r) > closed + 3
    alone = p.bytes("b.sim")
    good(p, "Q23", FOUR, "b.sim", "--num_process", "3")
    assert p.bytes("b.sim") == alone


def test_nothing_to_learn(p):
    r = good(p, "Q20", "", "b.sim")
    assert "  no layer has weights of 8 or 4 bits that could be learned\n" in r.stdout and "learned weights" not in r.stdout


def test_same_for_any_number_of_threads(p):
    made = set()
    for more in (("--num_process", "1"), ("--num_process", "2"), ("--num_process", "3"), ("--num_process", "3", "--cal_batchsize", "2")):
        good(p, "Q23", FOUR, "b.sim", *more)
        made.add(p.bytes("b.sim"))
    assert len(made) == 1


# ---- a kill ------------------------------------------------------------------------------------------------------------------

LONG = FOUR + "  retrain_iter_num: 1500\n"
HEAD = 48


@pytest.fixture(scope="module")
def whole(p):
    good(p, "Q23", LONG, "whole.sim")
    return p.bytes("whole.sim")


def killed(p, sig, out):
    """The layers that a run leaves that is ended when it has learned some."""
    kept = p.folder / (out + ".retrain")
    tool = subprocess.Popen([SGS, *options(p, "Q23", LONG, out)], cwd=p.folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.time() + 100
    while tool.poll() is None and time.time() < until and not (kept.exists() and kept.stat().st_size > HEAD):
        time.sleep(0.002)
    tool.send_signal(sig)
    assert tool.wait(20) == -sig and not (p.folder / out).exists()
    return kept


def found(r):
    return int(re.search(r"^  (\d) of 5 layers had been learned before$", r.stdout, re.M).group(1))


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_goes_on_after_a_kill(p, whole, sig):
    kept = killed(p, sig, "k.sim")
    assert kept.stat().st_size > HEAD
    assert 1 <= found(good(p, "Q23", LONG, "k.sim")) <= 5
    assert p.bytes("k.sim") == whole
    (p.folder / "k.sim").unlink()


def test_a_half_written_layer(p, whole):
    """It is learned again, and those behind it."""
    kept = killed(p, signal.SIGKILL, "k.sim")
    before = kept.read_bytes()
    kept.write_bytes(before[:-1])
    r = p.sgs(*options(p, "Q23", LONG, "k.sim"))
    assert r.returncode == 0 and r.stderr == "" and p.bytes("k.sim") == whole
    (p.folder / "k.sim").unlink()


def test_layers_of_another_configuration(p, whole):
    kept = killed(p, signal.SIGKILL, "k.sim")
    r = good(p, "Q23", FOUR, "k.sim")
    assert r.stderr == "warning: k.sim.retrain holds layers of another model, other pictures or another configuration: they are not used\n"
    assert "had been learned before" not in r.stdout and not kept.exists()
    (p.folder / "k.sim").unlink()


def test_another_kind_of_file(p):
    """Refused before any work is done."""
    (p.folder / "k.sim.retrain").write_text("my letters\n")
    r = p.sgs(*options(p, "Q23", FOUR, "k.sim"))
    assert r.stderr == ("error: k.sim.retrain: layers that were learned are kept here, expected none or those of an earlier run, found another kind of file\n"
                        "  move it away, or write the model elsewhere with -o\n")
    assert r.returncode and "calibrate:" not in r.stdout and not (p.folder / "k.sim").exists()
    assert (p.folder / "k.sim.retrain").read_text() == "my letters\n"
    (p.folder / "k.sim.retrain").unlink()


def test_nowhere_to_keep_them(p):
    """A folder of that name."""
    (p.folder / "k.sim.retrain").mkdir()
    r = p.sgs(*options(p, "Q23", FOUR, "k.sim"))
    assert r.stderr == "error: k.sim.retrain: expected a regular file, found a folder\n" and r.returncode
    (p.folder / "k.sim.retrain").rmdir()
