"""What tools/accuracy says of results: figures, losses, errors, goals; of small sets that can be counted by hand."""
import dataclasses
import math
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools/accuracy")]
import cases  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402
import scores  # noqa: E402

RESNET, DSCNN = "ResNet-20", "DS-CNN keywords, TFLite"


def top1(*pairs):
    return [scores.Row("%d.png" % i, pair, (1, 1), 1.0, 0.1) for i, pair in enumerate(pairs)]


def write(work, title, tool, rows, file="a.onnx", **more):
    folder = work / cases.slug(title)
    folder.mkdir(parents=True, exist_ok=True)
    said = dict(network=title, kind="top1", file=file, calibrate=3, tool=tool, versions="1.0", **more)
    (folder / (cases.slug(tool) + ".tsv")).write_text("".join("# %s: %s\n" % pair for pair in said.items()) + "".join(r.text() + "\n" for r in rows))


def test_paired_error():
    """Float is right on three of four; the other loses one and gets one more right: no loss, but two of four differ."""
    reference, got = top1("1:1", "2:2", "3:3", "4:0"), top1("1:1", "2:2", "3:0", "4:4")
    assert scores.figure("top1", reference) == 75
    assert scores.loss("top1", reference, got) == (0, pytest.approx(100 * math.sqrt(2) / 4))


def test_samples_of_several():
    assert list(scores.answers("top1", top1("1:1 2:0", "3:3"))) == [True, False, True]


def test_area():
    """Of two machines: one told apart whole, in the other one of four pairs the wrong way round."""
    rows = [scores.Row(str(i), o, (0, 0), 1, 0) for i, o in enumerate(["a:0:1", "a:1:2", "b:0:1", "b:0:3", "b:1:2", "b:1:4"])]
    assert scores.figure("sounds", rows) == pytest.approx(100 * (1 + 0.75) / 2)


def test_boxes():
    """Each box once, of its class, half covered."""
    wanted = np.array([[0, 0, 10, 10, 1], [0, 0, 10, 10, 1], [50, 50, 60, 60, 2], [80, 80, 90, 90, 3]], float)
    found = np.array([[0, 0, 10, 9, 0.9, 1], [50, 50, 60, 60, 0.9, 1], [80, 80, 90, 84, 0.9, 3]], float)
    assert scores.matched(wanted, found) == [True, False, False, False]


def test_not_a_number_is_a_failure():
    @dataclasses.dataclass
    class Case:
        kind: str
        score: dict
    with pytest.raises(ValueError, match="a.png: an output holds no numbers"):
        scores.row(Case("top1", {pathlib.Path("a.png"): 0}), pathlib.Path("a.png"), [np.ones(3, np.float32)], [np.full(3, np.nan, np.float32)])


def test_rows_come_in_any_order(tmp_path):
    """Tools take the pictures in orders of their own; paired are those of one name."""
    reference = top1("1:1", "2:2", "3:0")
    write(tmp_path, RESNET, "float", reference)
    write(tmp_path, RESNET, "L2", reversed(reference))
    found = page.results(tmp_path, ["L2"])
    assert page.loss_of(found[RESNET], "L2") == (0, 0)


def test_page(tmp_path):
    """L2 loses 50 points on one network, more than its peer; what failed, what a tool does not read and what was not run is told apart."""
    write(tmp_path, RESNET, "float", top1("1:1", "2:2"))
    write(tmp_path, RESNET, "L2", top1("1:1", "2:0"))
    write(tmp_path, RESNET, "NNCF", top1("1:1", "2:2"))
    write(tmp_path, RESNET, "ncnn KL", [], failed="RuntimeError: /tmp/x/ncnn2table ended with 1")
    write(tmp_path, DSCNN, "float", top1("1:1", "2:2"), file="a.tflite")
    write(tmp_path, DSCNN, "L2", top1("1:1", "2:2"), file="a.tflite")
    text, last = page.made(tmp_path, ["L1", "L2"])
    assert last == "L2 against float: mean loss 25.00 points, worst 50.00 (ResNet-20); no peer ran on half of the networks"
    names = ["L1", "L2", "L2 ALL_UINT8"] + [p.name for p in peers.PEERS]
    cells = {t: dict(zip(["calib.", "n", "float"] + names, map(str.strip, next(line for line in text.splitlines() if line.startswith("| %s | 3" % t)).split("|")[2:]))) for t in (RESNET, DSCNN)}
    assert [cells[RESNET][n] for n in ("n", "L1", "L2", "ncnn KL", "LiteRT")] == ["2", "not run", "50.00 ± 50.00", "failed", "–"]
    assert cells[DSCNN]["onnxruntime MinMax"] == "–" and cells[DSCNN]["NNCF"] == "not run"
    assert "- ResNet-20, ncnn KL: RuntimeError: ncnn2table ended with 1" in text
    assert "| L2 loses at most 0.3 point on the average | 25.00 of 2 networks | **missed** |" in text
    assert "| MobileNetV2 1.0 | | | not run |" in text


def test_error_of_an_area():
    """That of leaving one sound out at a time: without the first or the third, half of the pairs are lost, without the others none."""
    reference, got = ([scores.Row(str(i), o, (0, 0), 1, 0) for i, o in enumerate(found)] for found in (["a:0:1", "a:0:2", "a:1:3", "a:1:4"], ["a:0:1", "a:0:3.5", "a:1:3", "a:1:4"]))
    assert scores.loss("sounds", reference, got) == (pytest.approx(25), pytest.approx(math.sqrt(3 * np.var([50, 0, 50, 0]))))


def test_super_resolution():
    """Hundredths of the float model's decibels."""
    reference, got = ([scores.Row(str(i), o, (0, 0), 1, 0) for i, o in enumerate(found)] for found in (["30.0", "20.0"], ["29.0", "20.0"]))
    assert scores.loss("high", reference, got) == (pytest.approx(2), pytest.approx(4 * np.std([1, 0], ddof=1) / math.sqrt(2)))


def noisy(noise, *pairs):
    return [dataclasses.replace(r, noise=noise) for r in top1(*pairs)]


def test_order_of_levels(tmp_path):
    """By the noise of their outputs, whatever they get right."""
    write(tmp_path, RESNET, "float", top1("1:1", "2:2"))
    write(tmp_path, RESNET, "L1", noisy(0.1, "1:1", "2:0"))
    for noise, said in ((0.05, "all 1 | held |"), (0.2, "missed on 1 of 1: ResNet-20 L2 7.0 dB, L1 10.0 | **missed** |")):
        write(tmp_path, RESNET, "L2", noisy(noise, "1:1", "2:2"))
        assert "| each level is no worse than the one below by SQNR, twins too | %s" % said in page.made(tmp_path, ["L1", "L2"])[0]


def test_twins(tmp_path):
    """A twin is held to the network itself, to its loss with the same level."""
    for title in (RESNET, RESNET + cases.TWINNED):
        write(tmp_path, title, "float", top1("1:1", "2:2"))
    write(tmp_path, RESNET, "L2", top1("1:1", "2:0"))
    for got, said in (("2:0", "all 1 | held |"), ("2:2", "all 1 | held |"), (None, "missed on 1 of 1: ResNet-20 50.00 | **missed** |")):
        write(tmp_path, RESNET + cases.TWINNED, "L2", top1("1:1" if got else "1:0", got or "2:0"))
        assert "| L2 loses at most 0.3 point more on a hard twin | %s" % said in page.made(tmp_path, ["L1", "L2"])[0]


def test_a_twin_is_scored_as_the_network(tmp_path):
    """By the boxes of the labels, not by those of float; with the same pictures."""
    known = {n.title: n for n in cases.networks.NETWORKS}
    for title, kind in [(t, "boxes") for t in cases.LABELLED] + [("super-resolution", "high"), ("YuNet", "faces")]:
        for name in (title, title + cases.TWINNED):
            assert cases.samples(dataclasses.replace(known[title], title=name), tmp_path, tmp_path)[0] == kind


def test_nothing_measured_is_not_held(tmp_path):
    write(tmp_path, RESNET, "float", top1("1:1", "2:2"))
    assert "| L2 is no worse than any peer on the average | not measured |  |" in page.made(tmp_path, ["L1", "L2"])[0]
