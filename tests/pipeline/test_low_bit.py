"""What tools/accuracy says of weights of 4 bits: goals and figures of small sets that can be counted by hand, where its section goes, what is asked of the modes."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools/accuracy")]
for needed in ("onnxruntime", "ai_edge_litert"):
    pytest.importorskip(needed)
import as_onnx  # noqa: E402
import cases  # noqa: E402
import low_bit_page as page  # noqa: E402
import low_bit_tools as tools  # noqa: E402
import references  # noqa: E402
import toolchain as tc  # noqa: E402
from test_accuracy import noisy, top1, write  # noqa: E402

RESNET, KEYWORDS, MOBILE = "ResNet-20", "DS-CNN keywords, TFLite", "MobileNetV2 1.0"
LSQ, BRECQ = "ppq LSQ W4A8", "paper BRECQ W4A8"


def goal(text, begin):
    return next(line for line in text.splitlines() if line.startswith("| " + begin))


@pytest.fixture
def work(tmp_path):
    """On one network ours loses a half where a peer loses nothing; on the other it is the other way round."""
    for title, mine, theirs in ((RESNET, "2:0", "2:2"), (KEYWORDS, "2:2", "2:0")):
        write(tmp_path, title, "float", top1("1:1", "2:2"))
        write(tmp_path, title, tools.TOP, top1("1:1", mine))
        write(tmp_path, title, LSQ, top1("1:1", theirs))
    return tmp_path


def test_goals(work):
    write(work, RESNET, BRECQ, top1("1:0", "2:0"))
    text, last = page.made(work, {})
    assert last == "W4A8 against float: mean loss 25.00 points, worst 50.00 (ResNet-20); best peer mean 25.00 (ppq LSQ W4A8); speed-up not measured"
    assert "**The last line.** " + last in text
    assert goal(text, "Q23 W4A8 is within").endswith("| missed on 1 of 2: ResNet-20 50.00 ± 50.00 behind ppq LSQ W4A8 | **missed** |")
    assert goal(text, "Q23 W4A8 loses less").endswith("| missed on 1 of 2: ppq LSQ W4A8 25.00 on 2, Q23 W4A8 25.00 | **missed** |")
    assert goal(text, "Q22 is never below").endswith("| not measured |  |")


def test_a_peer_of_few_networks_is_said_to_be(work):
    """Half of the networks do; the line then says of how many its mean is."""
    (work / cases.slug(RESNET) / (cases.slug(LSQ) + ".tsv")).unlink()
    assert page.made(work, {})[1].endswith("; best peer mean 50.00 (ppq LSQ W4A8, 1 of 2 networks); speed-up not measured")


def test_twins_do_not_count_in_means(work):
    write(work, RESNET + cases.TWINNED, "float", top1("1:1", "2:2"))
    write(work, RESNET + cases.TWINNED, tools.TOP, top1("1:0", "2:0"))
    text, last = page.made(work, {})
    assert "mean loss 25.00 points" in last and "| ResNet-20, twin | 3 | 2 | 100.00 % | not run | **100.00 ± 70.71** |" in text


def test_modes_and_levels_by_their_noise(work):
    for noise, said in ((0.05, "| all 1 | held |"), (0.2, "| missed on 1 of 1: ResNet-20, Q22 7.0 dB, L5 10.0 | **missed** |")):
        write(work, RESNET, "L5", noisy(0.1, "1:1", "2:2"))
        write(work, RESNET, "Q22", noisy(noise, "1:1", "2:2"))
        assert goal(page.made(work, {})[0], "Q22 is never below").endswith(said)
    write(work, RESNET, "Q13 4/8 0.30", noisy(0.1, "1:1", "2:2"))
    write(work, RESNET, "Q23 4/8 0.30", noisy(0.2, "1:1", "2:2"))
    assert goal(page.made(work, {})[0], "Q23 is never below").endswith("| missed on 1 of 1: ResNet-20, Q23 4/8 0.30 7.0 dB, Q13 4/8 0.30 10.0 | **missed** |")


def test_time(work):
    """Ten times by the processor's seconds; ours within five minutes."""
    for seconds, theirs, said in ((20, 200, "20.0 s, 10.0 times | held |"), (20, 190, "20.0 s, 9.5 times | **missed** |"), (301, 9000, "301.0 s, 450.0 times | **missed** |")):
        (work / page.COST).write_text("Q21\t%s\t%f\t20\t3\nppq LSQ\t%s\t1\t%f\t3\n" % (MOBILE, seconds, MOBILE, theirs))
        text, last = page.made(work, {})
        assert goal(text, "Q21 of").endswith(said) and last.endswith("speed-up %.1f" % (theirs / 20))


def test_time_at_least(work):
    """Learning of fewer steps than ppq's own says what it takes at least; of all its steps it counts before that."""
    rows = "Q21\t%s\t20\t20\t1\nppq LSQ, 50 of 500 steps\t%s\t1\t250\t1\n" % (MOBILE, MOBILE)
    for more, said in (("", "at least 12.5"), ("ppq LSQ\t%s\t1\t900\t1\n" % MOBILE, "45.0")):
        (work / page.COST).write_text(rows + more)
        assert page.made(work, {})[1].endswith("; speed-up " + said)


def test_settings_are_told_apart(work):
    """Fewer iterations on one network than on another."""
    for title, many in ((RESNET, 500), (KEYWORDS, 20000)):
        write(work, title, BRECQ, top1("1:1", "2:2"), file="a.onnx")
        path = work / cases.slug(title) / (cases.slug(BRECQ) + ".tsv")
        path.write_text(path.read_text().replace("versions: 1.0", "versions: torch 1.13.0, %d of 20000 iterations a block" % many))
    text = page.made(work, {})[0]
    assert "- paper BRECQ W4A8: torch 1.13.0, 500 of 20000 iterations a block (ResNet-20)\n" in text
    assert "- ppq LSQ W4A8: 1.0\n" in text


def test_earlier_programs_are_told(work):
    write(work, RESNET, tools.TOP, top1("1:1", "2:2"), program="new")
    text = page.made(work, {tools.TOP: "new"})[0]
    assert "**Of an earlier program of ours**, not measured again since it changed:\n\n- Q23 W4A8: DS-CNN keywords, TFLite\n\n" in text
    write(work, KEYWORDS, tools.TOP, top1("1:1", "2:2"), program="new")
    assert "earlier program" not in page.made(work, {tools.TOP: "new"})[0]


def test_place():
    """In place of its own, else before the table of every figure; the rest stays."""
    whole = "# Accuracy\n\n## Goals\na\n\n## Every figure\nb\n"
    once = page.placed(whole, page.HEADING + "\nfirst\n\n### More\n")
    assert once == "# Accuracy\n\n## Goals\na\n" + page.HEADING + "\nfirst\n\n### More\n\n## Every figure\nb\n"
    assert page.placed(once, page.HEADING + "\nsecond\n") == "# Accuracy\n\n## Goals\na\n" + page.HEADING + "\nsecond\n\n## Every figure\nb\n"


def test_settings_of_modes():
    """4 bits everywhere is the least rate; modes that retrain are told how often."""
    assert tools.config(*tools.MODES["Q13 W4A8"]) == "QUANT_CONFIG:\n  mixed_precisions: [4, 8]\n  mp_rate: 0.25\n"
    assert tools.config(*tools.MODES["Q21 W8A8"]) == "QUANT_CONFIG:\n  retrain_iter_num: 40\n"
    assert tools.config(*tools.MODES["Q23 4/8 0.40"]) == "QUANT_CONFIG:\n  mixed_precisions: [4, 8]\n  mp_rate: 0.40\n  retrain_iter_num: 40\n"


@pytest.mark.parametrize("options, said", [
    (["--share", "0"], "--share: expected more than 0, 1 at most, found 0\n"),
    (["--share", "1.5"], "--share: expected more than 0, 1 at most, found 1.5\n"),
    (["--batch", "0"], "expected a --batch and --threads of 1 or more, found 0 and 1\n"),
    ([], "accuracy: the labelled pictures are not here (expected {}/data)\n"),
])
def test_arguments(tmp_path, options, said):
    run = subprocess.run([sys.executable, ROOT / "tools/accuracy/low_bit.py", "--build", tmp_path, "--shared", tmp_path, "--work", tmp_path / "w", *options], capture_output=True, text=True)
    assert run.returncode and run.stderr.endswith(said.format(tmp_path)) and not (tmp_path / "w").exists()


@pytest.mark.parametrize("title", [t for t in page.TITLES if not t.startswith(("Mobile", "ResNet-20", "YOLOX", "Ultra"))])
def test_as_onnx(tmp_path, title):
    """What the quantizers in PyTorch are given of a file that is no ONNX says what our float model says."""
    shared = ROOT.parent / "shared"
    network = next(n for n in cases.networks.NETWORKS if n.title == title)
    if not (shared / "models" / network.file).exists():
        pytest.skip("needs ../shared/models/%s" % network.file)
    ini = tmp_path / "input_config.ini"
    ini.write_text(network.ini())
    t = tc.Toolchain(os.environ["OPENIPU_BUILD"], tmp_path, "m")
    t.convert(shared / "models" / network.file, ini)
    as_onnx.write(t.path("Float"), tmp_path / "m.onnx", network.input, network.outputs.split(","))
    x = np.random.default_rng(3).normal(0, 1, (1, *network.size, 3) if network.size else (1, 49, 10, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "p.py").write_text(cases.networks.ARRAYS)
    wanted = t.simulate("Float", tmp_path / "x.npy", tmp_path / "p.py")[0]
    got = references.Onnxruntime(tmp_path / "m.onnx", [network.input], network.outputs.split(","))([x.transpose(0, 3, 1, 2)])
    assert tc.sqnr_db(wanted, {name: got for name in wanted}) > 80  # rounding of float32 in other orders


def test_as_onnx_refuses(tmp_path):
    (tmp_path / "m.onnx.ini").write_text("[INPUT_CONFIG]\ninputs=x;\ntraining_input_formats=RAWDATA_F32_NHWC;\ninput_formats=RAWDATA_F32_NHWC;\nquantizations=TRUE;\n[OUTPUT_CONFIG]\noutputs=y;\ndequantizations=TRUE;\n")
    onnx = as_onnx.onnx
    graph = onnx.helper.make_graph([onnx.helper.make_node("Erf", ["x"], ["y"])], "g", [onnx.helper.make_tensor_value_info("x", 1, [1, 4])],
                                   [onnx.helper.make_tensor_value_info("y", 1, [1, 4])])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), tmp_path / "m.onnx")
    t = tc.Toolchain(os.environ["OPENIPU_BUILD"], tmp_path, "m")
    t.convert(tmp_path / "m.onnx", tmp_path / "m.onnx.ini")
    with pytest.raises(as_onnx.Unknown, match="no ONNX for the operator "):
        as_onnx.write(t.path("Float"), tmp_path / "never.onnx", "x", ["y"])
    assert not (tmp_path / "never.onnx").exists()
