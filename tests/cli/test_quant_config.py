"""quant_config.yaml: presets, what has no effect, and all that may be wrong in it."""
import json

import numpy as np
import pytest

from test_modes import ALL_8, ALL_16, BASE, DEFAULT, bits, good, p  # noqa: F401, p is a fixture


# ---- PRESET_MIN_MAX_BIT -------------------------------------------------------------------------------------------------------


PRESET = """\
QUANT_CONFIG:
  device: 'cpu'
  use_preset_min_max_bit: %s
  PRESET_MIN_MAX_BIT: # preset tensor min/max and bit
    [
      {name: "r0", min: 0, max: [123.5], bit: 8},
      {name: "w1", min: null, max: null, bit: 16},
      {name: w2}
    ]
"""


def test_preset(p):
    good(p, "Q11", PRESET % 1)
    assert bits(p) == dict(ALL_8, w1=16)
    p.good("save-quant-param", "-m", "b.sim", "--output_mode", "JSON", "-o", "b.json")
    ranges = {e["name"]: e.get("max") for e in json.loads((p.folder / "b.json").read_text())}
    assert np.allclose(ranges["r0"], 123.5)
    good(p, "Q10", PRESET.replace("bit: 16", "bit: 8") % "true")
    assert bits(p) == dict(ALL_16, w1=8)
    good(p, "Q13", PRESET.replace("bit: 16", "bit: 4") % 1)
    assert bits(p)["w1"] == 4
    beside = (PRESET % 1).replace("\n  PRESET", "\nPRESET")
    assert beside != PRESET % 1
    good(p, "Q11", beside)
    assert bits(p)["w1"] == 16


def test_preset_unused(p):
    r = good(p, "Q11", PRESET.replace('"w1"', '"not a tensor"') % 0)
    assert bits(p) == ALL_8 and "PRESET_MIN_MAX_BIT is not used: use_preset_min_max_bit is not 1\n" in r.stdout and r.stderr == ""


# ---- what has no effect ------------------------------------------------------------------------------------------------------


def test_said_without_effect(p):
    r = good(p, "Q21", "QUANT_CONFIG:\n  mp_rate: 0.6\n  mixed_precisions: [4, 8]\n  retrain_iter_num: 40\n")
    assert r.stderr == "warning: q.yaml:2: mp_rate 0.6 is not in [0.25, 0.5) for [4, 8], as Q13 and Q23 want it; Q21 does not read it\n"
    assert "no device: this build has no CUDA, the CPU computes\n" in r.stdout
    r = good(p, "Q11", DEFAULT + "  mp_rate: 0.6\n  retrain_iter_num: 40\n")
    assert r.stderr == "" and "mixed_precisions and mp_rate are for Q13 and Q23; Q11 does not read them\n" in r.stdout and "device" not in r.stdout
    assert "retrain_iter_num is for Q20 to Q23; Q11 does not read it\n" in r.stdout


@pytest.mark.parametrize("config", ["QUANT_CONFIG:\n", "---\n# nothing\nQUANT_CONFIG: ~\n", "\ufeffQUANT_CONFIG: {}\r\n", '{"QUANT_CONFIG": {"mp_rate": null, "device": null}}'])
def test_nothing_said(p, config):
    """All has a default; YAML is read as such."""
    good(p, "Q11", config)


# ---- what is wrong -----------------------------------------------------------------------------------------------------------


HINT = "the keys are retrain_iter_num, device, mixed_precisions, use_preset_min_max_bit, mp_rate and PRESET_MIN_MAX_BIT\n"
RATE, PAIR = "a number in [0.25, 0.5) for [4, 8], in [0.5, 1] for [8, 16]", "[4, 8] or [8, 16]"
ONE = "QUANT_CONFIG:\n  %s\n"
ENTRY = "QUANT_CONFIG:\n  use_preset_min_max_bit: 1\n  PRESET_MIN_MAX_BIT:\n  - %s\n"


@pytest.mark.parametrize("mode, config, message", [
    # YAML
    ("Q11", "QUANT_CONFIG:\n  a: [1, 2\n", "q.yaml:3: no YAML: did not find expected ',' or ']'\n"),
    ("Q11", "QUANT_CONFIG:\n\ta: 1\n", "q.yaml:2: no YAML: found character that cannot start any token\n"),
    ("Q11", b"QUANT_CONFIG:\n  device: \xff\n", "q.yaml:2: no YAML: invalid leading UTF-8 octet\n"),
    ("Q11", ONE % "device: &a cpu", "q.yaml:2: anchors and aliases are not taken here\n  write the value itself; quotes round a text that begins with '&', '*' or '!'\n"),
    ("Q11", ONE % "device: *a", "q.yaml:2: anchors and aliases are not taken here\n  write the value itself; quotes round a text that begins with '&', '*' or '!'\n"),
    ("Q11", ONE % "device: !!str cpu", "q.yaml:2: tags are not taken here\n  write the value itself; quotes round a text that begins with '&', '*' or '!'\n"),
    ("Q11", ONE % "device: cpu\n  device: cpu", "q.yaml:3: the key 'device' is there twice\n"),
    ("Q11", ONE % "126: cpu", "q.yaml:2: expected a text as a key, found a whole number\n"),
    ("Q11", DEFAULT + "---\n" + DEFAULT, "q.yaml:3: expected one document, found another one behind it\n"),
    ("Q11", "QUANT_CONFIG: " + "[" * 80 + "]" * 80, "q.yaml:1: lists and dictionaries are nested deeper than 64\n"),
    # where settings stand
    ("Q11", "", "q.yaml:1: expected QUANT_CONFIG: and settings under it, found nothing\n"),
    ("Q11", "[1]", "q.yaml:1: expected QUANT_CONFIG: and settings under it, found a list\n"),
    ("Q11", "PRESET_MIN_MAX_BIT: []\n", "q.yaml:1: expected QUANT_CONFIG: and settings under it, found none\n"),
    ("Q11", "QUANT_CONFIG:\nmp_rate: 0.6\n", "q.yaml:2: 'mp_rate' stands beside QUANT_CONFIG, expected it under it\n  begin the line with two blanks, as those of the other settings\n"),
    ("Q11", "QUANT: 1\n", "q.yaml:1: unknown key 'QUANT'; expected QUANT_CONFIG, and PRESET_MIN_MAX_BIT under or beside it\n"),
    ("Q11", "QUANT_CONFIG: 5\n", "q.yaml:1: QUANT_CONFIG: expected settings, KEY: VALUE, a line each, found 5\n"),
    ("Q11", ONE % "mprate: 0.6", "q.yaml:2: unknown key 'mprate'\n  did you mean 'mp_rate'? " + HINT),
    ("Q11", ONE % "epochs: 3", "q.yaml:2: unknown key 'epochs'\n  " + HINT),
    # types and ranges
    ("Q11", ONE % "retrain_iter_num: 0", "q.yaml:2: retrain_iter_num: expected a whole number from 1 to 1000000, found 0\n"),
    ("Q11", ONE % "retrain_iter_num: 1.5", "q.yaml:2: retrain_iter_num: expected a whole number from 1 to 1000000, found 1.5\n"),
    ("Q11", ONE % "retrain_iter_num: '40'", "q.yaml:2: retrain_iter_num: expected a whole number from 1 to 1000000, found '40'\n"),
    ("Q11", ONE % "device: gpu", "q.yaml:2: device: expected 'cpu', or 'cuda:0' for the first GPU, found 'gpu'\n"),
    ("Q11", ONE % "device: 0", "q.yaml:2: device: expected 'cpu', or 'cuda:0' for the first GPU, found 0\n"),
    ("Q11", ONE % "device: 'cuda:0'", "q.yaml:2: device: this build has no CUDA, found 'cuda:0'\n  write 'cpu' or leave device out\n"),
    ("Q11", ONE % "mixed_precisions: [4, 16]", "q.yaml:2: mixed_precisions: expected [4, 8] or [8, 16], found [4, 16]\n"),
    ("Q11", ONE % "mixed_precisions: 8", "q.yaml:2: mixed_precisions: expected %s, found 8\n" % PAIR),
    ("Q11", ONE % "mixed_precisions: [8]", "q.yaml:2: mixed_precisions: expected %s, found a list\n" % PAIR),
    ("Q13", ONE % "mixed_precisions: [4, 8]\n  mp_rate: 0.5", "q.yaml:3: mp_rate: expected a number in [0.25, 0.5) for [4, 8], found 0.5\n"),
    ("Q11", ONE % "use_preset_min_max_bit: 2", "q.yaml:2: use_preset_min_max_bit: expected 0 or 1, found 2\n"),
    ("Q11", ONE % "use_preset_min_max_bit: 1", "q.yaml: use_preset_min_max_bit is 1, but there is no PRESET_MIN_MAX_BIT\n"),
    ("Q11", ONE % "mp_rate: 0.2", "q.yaml:2: mp_rate: expected %s, found 0.2\n" % RATE),
    ("Q11", ONE % "mp_rate: .nan", "q.yaml:2: mp_rate: expected %s, found nan\n" % RATE),
    ("Q11", ONE % "mp_rate: high", "q.yaml:2: mp_rate: expected %s, found 'high'\n" % RATE),
    ("Q13", ONE % "mp_rate: 0.4", "q.yaml:2: mp_rate: expected a number in [0.5, 1] for [8, 16], found 0.4\n"),
    ("Q23", ONE % "mp_rate: 0.49", "q.yaml:2: mp_rate: expected a number in [0.5, 1] for [8, 16], found 0.49\n"),
    # presets
    ("Q11", ONE % "use_preset_min_max_bit: 1\n  PRESET_MIN_MAX_BIT: 5", "q.yaml:3: PRESET_MIN_MAX_BIT: expected a list of tensors, found a whole number\n"),
    ("Q11", ONE % "PRESET_MIN_MAX_BIT: []\nPRESET_MIN_MAX_BIT: []", "q.yaml:3: PRESET_MIN_MAX_BIT stands under QUANT_CONFIG and beside it\n"),
    ("Q11", ENTRY % "{name: 126, bit: 8}", "q.yaml:4: name of entry 1 of the list: expected a tensor's name, found a whole number\n  quotes make any word a name: name: \"126\"\n"),
    ("Q11", ENTRY % "{bit: 8}", "q.yaml:4: entry 1 of the list has no name\n"),
    ("Q11", ENTRY % "{name: w1, bits: 8}", "q.yaml:4: 'w1' has the unknown field 'bits'\n  did you mean 'bit'? the fields are name, min, max and bit\n"),
    ("Q11", ENTRY % "{name: w1, data: [1]}", "q.yaml:4: 'w1' has the unknown field 'data'\n  the fields are name, min, max and bit\n"),
    ("Q11", ENTRY % "{name: w1, bit: 5}", "q.yaml:4: bit of 'w1': expected 4, 8 or 16, found 5\n"),
    ("Q11", ENTRY % "{name: w1, min: 0, max: null}", "q.yaml:4: 'w1' has min alone; expected min and max, or neither\n"),
    ("Q11", ENTRY % "{name: w1, min: 2, max: 1}", "q.yaml:4: 'w1': min 2 is above max 1, number 1 of 1\n"),
    ("Q11", ENTRY % "{name: nobody, bit: 8}", "q.yaml:4: 'nobody' is not a tensor of the float model\n  get_tensor_details of the float model lists its tensors\n"),
    # modes
    ("Q3", DEFAULT, "expected -q Q1, Q10 to Q13, Q2 or Q20 to Q23, found 'Q3'\n"),
])
def test_refused(p, mode, config, message):
    (p.folder / "q.yaml").write_bytes(config if isinstance(config, bytes) else config.encode())
    before = p.files()
    r = p.sgs(*BASE, "--quant_config", "q.yaml", "-q", mode, "-o", "never.sim")
    assert r.stderr == "error: " + message and r.returncode
    assert p.files() == before


def test_two_sources(p):
    p.write("f.json", "[]")
    p.write("q.yaml", PRESET % 1)
    r = p.convert("-q", "Q11", "--quant_config", "q.yaml", "--quant_file", "f.json")
    assert r.stderr == "error: q.yaml:4: parameters come from --quant_file or from PRESET_MIN_MAX_BIT, expected one of the two\n"


def test_options(p):
    r = p.convert("-q", "Q11", "--quant_config", "q.yaml", "--quant_level", "L2")
    assert (r.returncode, r.stderr) == (2, "error: expected -q or --quant_level, found both\n")
    r = p.sgs("torch-calibrate")
    assert r.stderr.startswith("error: expected --model_file, --input_config, --quant_config, --image, --preprocess, --q_mode\n")
    r = p.sgs(*BASE, "-q", "Q11", "--quant_config", "nowhere.yaml")
    assert r.stderr.startswith("error: nowhere.yaml: ")
