"""`make demo`: the line reader reads well in float, loses next to nothing in fixed point, and the demo says so truly."""
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTLINE = ROOT / "models/textline"
BUILD = pathlib.Path(os.environ.get("OPENIPU_BUILD", ROOT / "build"))
sys.path[:0] = [str(ROOT / "tools"), str(TEXTLINE)]
import ctc  # noqa: E402
import preprocess  # noqa: E402
import render  # noqa: E402
import toolchain as tc  # noqa: E402

WANT = {pathlib.Path(path).name: text for path, text in (line.split("\t") for line in (TEXTLINE / "test.tsv").read_text().splitlines())}
FLOAT_CHARACTERS = 0.98     # what the project promises
FIXED_LOSS = 0.005


class Demo:
    def __init__(self, work):
        self.text = subprocess.run([sys.executable, str(TEXTLINE / "demo.py"), "--build", str(BUILD), "--work", str(work)], check=True,
                                   stdout=subprocess.PIPE, encoding="utf-8", env=dict(os.environ, PYTHONIOENCODING="utf-8")).stdout
        self.outputs = {stage: tc.read_outputs(work / ("output_" + stage.lower())) for stage in tc.STAGES}

    def score(self, stage):
        """Characters and lines, from the files the simulators wrote."""
        outputs = self.outputs[stage]
        assert sorted(outputs) == sorted(WANT) and len(WANT) >= 200
        return ctc.score(WANT.values(), [ctc.decode(outputs[name][0][0, 0].argmax(-1)) for name in WANT])


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("demo"))


def test_float_reads_well(demo):
    assert demo.score("Float")[0] >= FLOAT_CHARACTERS


def test_fixed_loses_little(demo):
    assert demo.score("Fixed")[0] >= demo.score("Float")[0] - FIXED_LOSS


def test_fixed_is_offline(demo):
    assert tc.different(demo.outputs["Fixed"], demo.outputs["Offline"]) == 0


def test_every_column_is_a_distribution(demo):
    for outputs in demo.outputs.values():
        for (columns,) in outputs.values():
            assert columns.shape == (1, 1, preprocess.WIDTH // 2, 1 + len(ctc.ALPHABET)) and columns.min() >= 0
            assert np.abs(columns.sum(-1) - 1).max() < columns.shape[-1] * 2.0 ** -15    # less than a step each


def test_the_table_is_true(demo):
    for stage in tc.STAGES:
        characters, lines = map(float, re.search(r"^" + stage.lower() + r" +([0-9.]+) % +([0-9.]+) %", demo.text, re.M).groups())
        assert (characters, lines) == pytest.approx([100 * s for s in demo.score(stage)], abs=0.05 + 1e-9)
    assert "agree bit for bit on %d of %d pictures" % (len(WANT), len(WANT)) in demo.text


def test_lines_read_aloud_are_what_the_image_says(demo):
    read = re.findall(r"^test/(\S+) +\d+ %  (.*?)(?:   \(it says (.*)\))?$", demo.text, re.M)
    assert len(read) >= 10
    for name, text, right in read:
        assert text == ctc.decode(demo.outputs["Offline"][name][0][0, 0].argmax(-1))
        assert (right or text) == WANT[name]


# ---- what the test lines are ------------------------------------------------------------------------------------------------------


def prefixes(side):
    return [p for package in render.FONTS[side].values() for p in package.split()]


@pytest.mark.parametrize("seen", ["train", "validation"])
def test_fonts_and_words_of_the_test_lines_are_their_own(seen):
    assert not set(render.FONTS["test"]) & set(render.FONTS[seen])
    assert not [(a, b) for a in prefixes("test") for b in prefixes(seen) if a.startswith(b) or b.startswith(a)]
    assert len(render.WORDS_OF["test"]) > 100 and not set(render.WORDS_OF["test"]) & set(render.WORDS_OF[seen])


def test_words_of_the_test_lines_are_in_their_list():
    """A word of three letters or more is one of the test's own, or comes with a grammar's unit or heading."""
    fixed = {w.lower() for w in render.UNITS} | {w.lower() for phrase in render.HEADS + ["EXP MFG Use by Date:"] for w in re.findall("[A-Za-z]+", phrase)}
    words = [w.lower() for text in WANT.values() for w in re.findall(r"(?<![A-Z0-9])(?:[A-Z]?[a-z]{3,})(?![A-Z0-9])", text)]
    assert len(words) > 50
    assert not [w for w in words if w not in fixed and w not in render.WORDS_OF["test"]]


# ---- reading --------------------------------------------------------------------------------------------------------------------


def test_decode():
    code = {c: 1 + i for i, c in enumerate(ctc.ALPHABET)}
    assert ctc.decode([0, code["A"], code["A"], 0, code["A"], code["b"], code["b"], 0, 0]) == "AAb"
    assert ctc.decode([]) == "" and ctc.decode([0, 0]) == ""


@pytest.mark.parametrize("a, b, d", [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("12.5", "125", 1), ("AB", "BA", 2)])
def test_distance(a, b, d):
    assert ctc.distance(a, b) == d == ctc.distance(b, a)


def test_score_counts_characters_and_lines():
    assert ctc.score(["abcd", "12"], ["abxd", "12"]) == (1 - 1 / 6, 0.5)


@pytest.mark.parametrize("size, filled", [((96, 48), 64), ((24, 48), 16), ((512, 32), 256), ((3000, 30), 256), ((16, 4), 128)])
def test_preprocess_keeps_the_aspect_and_goes_on_with_paper(size, filled):
    wide, high = size
    picture = np.full((high, wide), 200, np.uint8)
    picture[:, -wide // 8:] = 10                                   # ink up to the right end
    line = preprocess.fit(Image.fromarray(picture))
    assert line.shape == (preprocess.HEIGHT, preprocess.WIDTH) and line[0, 0] == 200
    assert (line[:, filled - 1] < 40).all() and (line[:, filled:] == 200).all()


def test_preprocess_gives_bytes_to_the_board_and_numbers_to_the_model():
    board, model = (preprocess.image_preprocess(str(TEXTLINE / "test/000.png"), norm=norm) for norm in (False, True))
    assert board.shape == (1, 32, 256, 1) and board.dtype == np.uint8
    assert np.array_equal(model, (board - np.float32(127.5)) / np.float32(127.5)) and model.dtype == np.float32
