"""torch_calibrator.py's modes; its quant_config.yaml is test_quant_config.py's."""
import json
import re

import pytest

from support import Project
from test_quant_param import NETWORKS, chain, project

BASE = ("torch-calibrate", "-m", "m_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py")
DEFAULT = "QUANT_CONFIG:\n  device: cpu\n"
WEIGHTS = {name: w.size for name, w in chain()[1].items() if name.startswith("w")}
ALL_8, ALL_16 = dict.fromkeys(WEIGHTS, 8), dict.fromkeys(WEIGHTS, 16)


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """first - depth - last, where half of the channels between are small."""
    nodes, constants, outputs = NETWORKS["chain"]
    return project(tmp_path_factory.mktemp("modes") / "p", nodes, constants, outputs)


def run(p, mode, config=DEFAULT, *more, out="b.sim"):
    (p.folder / "q.yaml").write_text(config)
    one = () if "--num_process" in more else ("--num_process", "1")  # each Python that starts takes time
    return p.sgs(*BASE, "--quant_config", "q.yaml", "-q", mode, "-o", out, *one, *more)


def good(p, *args, **kw):
    r = run(p, *args, **kw)
    assert r.returncode == 0, r.stdout + r.stderr
    return r


def bits(p, name="b.sim"):
    p.good("save-quant-param", "-m", name, "--output_mode", "JSON", "-o", "b.json")
    saved = {e["name"]: e["bit"] for e in json.loads((p.folder / "b.json").read_text())}
    return {w: saved[w] for w in WEIGHTS}


def average(found):
    return sum(found[w] * n for w, n in WEIGHTS.items()) / sum(WEIGHTS.values())


def quality(r):
    return float(re.search(r"prob: (\S+) dB", r.stdout).group(1))


# ---- modes -------------------------------------------------------------------------------------------------------------------


def test_16_bits_throughout(p):
    """The convolution that reads the image, too."""
    r = good(p, "Q10")
    assert bits(p) == ALL_16 and "16 bits for 3 of 3 convolutions: weights have 16.00 bits on the average, mp_rate 1.000" in r.stdout
    assert quality(r) > 50
    assert quality(good(p, "Q20")) > 50 and bits(p) == ALL_16


def test_8_bits_throughout(p):
    """L2 takes 16 somewhere."""
    p.good("calibrate", *BASE[1:], "--quant_level", "L2", "-o", "b.sim")
    assert 16 in bits(p).values()
    ours = {}
    for mode in ("Q1", "Q11", "Q21"):
        ours[mode] = quality(good(p, mode, out=mode + ".sim"))
        assert bits(p, mode + ".sim") == ALL_8
    assert p.bytes("Q1.sim") == p.bytes("Q11.sim")
    assert ours["Q21"] >= ours["Q11"]


def test_adaptive(p):
    """L5's choice, and Q12 is its model but for the name of what made it; Q22 has weights that were learned, too."""
    p.good("calibrate", *BASE[1:], "--quant_level", "L5", "-o", "L5.sim")
    p.good("save-quant-param", "-m", "L5.sim", "--output_mode", "JSON", "-o", "L5.json")
    chosen = bits(p, "L5.sim")
    closed = quality(good(p, "Q12"))
    p.good("save-quant-param", "-m", "b.sim", "--output_mode", "JSON", "-o", "b.json")
    assert p.bytes("b.json") == p.bytes("L5.json")
    learned = quality(good(p, "Q22", out="Q22.sim"))
    assert bits(p, "Q22.sim") == chosen and learned >= closed
    r = good(p, "Q2")
    assert p.bytes("b.sim") == p.bytes("Q22.sim") and "-q Q2: Q22\n" in r.stdout and "-q" not in good(p, "Q22").stdout


@pytest.mark.parametrize("pair, rates", [([8, 16], (0.5, 0.7, 1)), ([4, 8], (0.25, 0.35, 0.49))])
@pytest.mark.parametrize("mode", ["Q13", "Q23"])
def test_mixed(p, mode, pair, rates):
    """Never more bits on the average than asked for; more of them are worth more."""
    found = []
    for rate in rates:
        r = good(p, mode, DEFAULT + "  mixed_precisions: %s\n  mp_rate: %s\n" % (pair, rate))
        assert average(bits(p)) <= 16 * rate and set(bits(p).values()) <= set(pair)
        assert "no mp_rate" not in r.stdout and "recommended" not in r.stdout and "no mixed_precisions" not in r.stdout
        assert re.findall(r"^  (\S+): \S+ dB, %d bits" % pair[1], r.stdout, re.M)[-1] == "%.2f" % rate
        found.append((average(bits(p)), quality(r)))
    assert found == sorted(found) and found[0][0] == pair[0] and pair[0] < found[1][0] < found[2][0]


def test_recommended_of_4_and_8(p):
    r = good(p, "Q23", DEFAULT + "  mixed_precisions: [4, 8]\n")
    assert re.findall(r"^  (0\.\d\d): \S+ dB, 8 bits for \d of 3 convolutions", r.stdout, re.M) == ["0.25", "0.30", "0.35", "0.40", "0.45"]
    (rate,) = re.findall(r"^mp_rate (\S+) is recommended: ", r.stdout, re.M)
    assert average(bits(p)) <= 16 * float(rate) + 1e-9


@pytest.mark.parametrize("mode", ["Q13", "Q23"])
def test_recommended(p, mode):
    """The rate is read from the curve that is printed."""
    r = good(p, mode)
    pair = "no mixed_precisions: [8, 16]%s\n" % (", as the manual's table of modes says; its text about the key says [4, 8]" if mode == "Q13" else "")
    assert pair in r.stdout
    lines = re.findall(r"^  (0\.\d\d|1\.00): (\S+) dB, 16 bits for (\d) of 3 convolutions(: the choice before it stays)?$", r.stdout, re.M)
    assert [line[0] for line in lines] == ["%.2f" % (0.5 + 0.05 * i) for i in range(11)] and "no mp_rate: one is recommended\nSQNR on samples that judge at each mp_rate:\n" in r.stdout
    best, curve = -1000, []
    for line in lines:
        best = max(best, float(line[1]))
        curve.append(best)
    (rate, why), = re.findall(r"^mp_rate (\S+) is recommended: the smallest that (.*)$", r.stdout, re.M)
    enough = min(36, curve[-1] - 1)
    at = [line[0] for line in lines].index(rate)
    assert curve[at] >= enough and (at == 0 or curve[at - 1] < enough)
    assert why == ("reaches what such a network needs" if curve[at] >= 36 else "comes within 1 dB of the best")
    assert average(bits(p)) <= 16 * float(rate) + 1e-9


def test_nothing_to_mix(p):
    assert "  every convolution keeps 8 bits\n" in good(p, "Q13", DEFAULT + "  mp_rate: 0.5\n").stdout and bits(p) == ALL_8


def test_same_for_any_number_of_threads(p):
    made = set()
    for more in ((), ("--num_process", "3"), ("--num_process", "3", "--cal_batchsize", "1", "--memory_saving")):
        good(p, "Q23", DEFAULT, *more)
        made.add(p.bytes("b.sim"))
    assert len(made) == 1


def test_the_ini_decides(tmp_path):
    """Its input_format takes the choice of bits from every mode, with one warning; tensor_arrays adds to it."""
    nodes, constants, outputs = NETWORKS["chain"]
    for k, (ini, want) in enumerate((("input_format=ALL_UINT8;", ALL_8), ("input_format=ALL_INT16;", dict(ALL_16, w0=8)))):
        p = project(tmp_path / str(k), nodes, constants, outputs, "[CONV_CONFIG]\n%s\n" % ini)
        for mode in (("Q10", "Q13"), ("Q11", "Q12"))[k]:
            r = good(p, mode)
            assert bits(p) == want
            assert r.stderr == "warning: %s takes the place of %s's own choice of 8 or 16 bits\n" % (ini[:-1], mode)
    p = project(tmp_path / "t", nodes, constants, outputs, "[CONV_CONFIG]\ntensor_arrays=r1;\n")
    good(p, "Q11")
    assert bits(p) == dict(ALL_8, w2=16)


def test_one_command_or_three(tmp_path):
    p = Project(tmp_path / "p", pictures=10)
    p.write("q.yaml", DEFAULT)
    r = p.convert("-q", "Q13", "--quant_config", "q.yaml", "--export_models", out="m.img")
    assert r.returncode == 0, r.stderr
    p.good(*BASE[:2], "m_float.sim", *BASE[3:], "--quant_config", "q.yaml", "-q", "Q13")  # without -o: beside the model
    p.good("compile", "-m", "m_fixed.sim", "-o", "again.img")
    assert p.bytes("m.img") == p.bytes("again.img")
