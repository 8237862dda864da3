"""The page of `make bench` keeps what a narrowed run left out, and says which run it is of."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import page  # noqa: E402
import results  # noqa: E402

FIRST = page.FIRST + ", 1"


def row(ratio):
    return {"ours": 10 * ratio, "ms": 10.0, "ratio": ratio, "least": ratio, "most": ratio, "best": ratio}


def line(text, section, net):
    return next(l for l in text.split("\n## " + section)[1].splitlines() if l.startswith("| %s |" % net))


def run(path, *puts):
    r = results.Results(path)
    r.begin()
    for put in puts:
        r.put(*put)
    r.save()
    return results.Results(path)


def test_runs(tmp_path):
    path = tmp_path / "results.json"
    run(path, ("resnet18", "int8", FIRST, row(0.5)), ("resnet50", "int8", FIRST, row(0.8)), ("resnet50", "int16", "onnxruntime f32, 1", row(1.25)))
    known = run(path, ("resnet18", "int8", FIRST, row(0.7)))
    text = page.text(known)
    assert line(text, "8 bits, against onnxruntime", "resnet18").startswith("| resnet18 | 7.00 | 10.00 | 0.70 (0.70–0.70) *0.70* | 0.75 |")
    assert "0.80 (0.80–0.80) *0.80* [a]" in line(text, "8 bits, against onnxruntime", "resnet50")
    assert "1.25 (1.25–1.25) *1.25* [a] | – | – | – | 1.15 |" in line(text, "16 bits", "resnet50")
    assert "- [a] %s, program " % known.runs["1"]["date"] in text and "[b]" not in text
    assert page.summary(known) == "geomean vs onnxruntime int8: 1 thread 0.75, 2 threads -, worst row 0.80 (resnet50)"


def test_a_run_of_which_nothing_is_left(tmp_path):
    path = tmp_path / "results.json"
    run(path, ("resnet18", "int8", FIRST, row(0.5)))
    known = run(path, ("resnet18", "int8", FIRST, row(0.7)))
    assert set(known.runs) == {"2"} and "[a]" not in page.text(known)


def test_reasons(tmp_path):
    known = run(tmp_path / "results.json", ("resnet18", "failed", "int8: LiteRT int8", {"why": "no such operator"}), ("resnet50", "failed", "int8: LiteRT int8", {"why": "no such operator"}),
                ("resnet50", "failed", "memory: TFLM", {"why": "none of these"}))
    text = page.text(known)
    assert text.count("- LiteRT int8 on resnet18, resnet50: no such operator") == 1 and text.count("- TFLM on resnet50: none of these") == 1


def test_first_result(tmp_path):
    """Ratios of a start are ours over each session; of memory the arena, and with the caller's buffers."""
    own = {"load": 0.1, "first": 3.0, "peak": 6e6, "before": 1e6, "buffers": 1e6, "image": 2e6, "arena": 2e6}
    known = run(tmp_path / "results.json", ("resnet18", "start", "ours", own), ("resnet18", "start", page.FIRST, {"ms": 10.0}), ("resnet18", "start", page.FLOAT, {"ms": 6.0}),
                ("resnet18", "memory", "ours", {"arena": 3000, "bound": 2000, "buffers": 1000}), ("resnet18", "memory", "LiteRT", {"arena": 2000}))
    text = page.text(known)
    assert line(text, "From the file", "resnet18") == "| resnet18 | 0.10 | 3.00 | 10.0 | 0.30 | 6.0 | 0.50 | 6.0 | 1.50 *1.00* |"
    assert line(text, "Memory", "resnet18") == "| resnet18 | 3 | 1.500 | 2 | 1.50 *2.00* | – | – | 1.5 |"
