"""The suites of ../shared/conformance through the float simulator: what passed stays passed, and nothing crashes or is read back wrong."""
import os
import pathlib
import sys

import pytest

pytest.importorskip("onnx")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import conformance  # noqa: E402

SUITES = ROOT.parent / "shared" / "conformance"
NAMES = ["onnx_node", "onnx_node_old", "onnx_pytorch", "onnx_light", "onnx2c", "tract_onnx", "opencv_caffe", "caffe_real", "caffe_shapes", "tflite_ref", "tflm_seanet",
         "opencv_tf", "tf_real"]
TOOL = os.environ.get("CONFORMANCE_TOOL", str(ROOT / "build/tests/conformance/conformance_tool"))
FIXED_TOOL = os.environ.get("FIXED_TOOL", str(ROOT / "build/tests/ops/fixed_tool"))
SECONDS = 10 * int(os.environ.get("MESON_TEST_TIMEOUT_MULTIPLIER", "1"))
KNOWN = {line.split("\t")[0] for line in (pathlib.Path(__file__).parent / "known.tsv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")}


@pytest.mark.parametrize("name", NAMES)
def test_suite(name):
    if not (SUITES / name).exists():
        pytest.skip("the suites are not here")
    if name.startswith("tfl"):
        pytest.importorskip("ai_edge_litert")
    results = conformance.run_suite(SUITES / name, TOOL, SECONDS * (10 if name in ("onnx_light", "caffe_real") else 1))  # whole networks
    assert len(results) > 4
    lost = [f"{c['case']}: {why}" for c, how, why in results if c["class"] == "core" and how != "passed" and f"{name}/{c['case']}" not in KNOWN]
    assert not lost, f"{len(lost)} core cases that passed:\n" + "\n".join(lost)
    # A refusal comes at import; what is behind it must work.
    broken = [f"{c['case']}: {why}" for c, how, why in results if why.startswith(("crash", "timeout", "internal")) or "(passes)" in why or "(sim)" in why]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", ["tflite_ref", "tflm_seanet"])
def test_kept_quantization(name):
    """Models with scales of their own, in fixed point: within one step of every element of their outputs."""
    pytest.importorskip("ai_edge_litert")
    if not (SUITES / name).exists():
        pytest.skip("the suites are not here")
    results = conformance.run_suite(SUITES / name, TOOL, SECONDS, fixed=FIXED_TOOL, wanted=conformance.is_quantized)
    assert len(results) > 20
    lost = [f"{c['case']}: {why}" for c, how, why in results if c["class"] == "core" and how != "passed" and f"{name}/{c['case']}" not in KNOWN]
    assert not lost, "\n".join(lost)
