"""One result: every network through every stage by the command line, and the same bytes wherever the image runs."""
import hashlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from machines import BOARDS, BUILD, CPUS, VECTORS, cortex_program, cross_build, emulated, hashes, on_board, run  # noqa: E402
from networks import LEVELS, NETWORKS, PICTURES, Built, tc  # noqa: E402

TOLERANCE = 1e-4  # of the largest value of the output: float sums in another order


@pytest.fixture(scope="module", params=NETWORKS)
def net(request, tmp_path_factory):
    return Built(request.param, BUILD, tmp_path_factory.mktemp(request.param))


def masks():
    """Names for --cpu_mask of what this machine has, as it says itself."""
    text = subprocess.run([str(BUILD / "cli/sgs"), "info"], capture_output=True, text=True, check=True).stdout
    has = re.search(r"^this machine: (.*)$", text, re.M).group(1).split(", ")
    names = {"AVX2": "avx2", "AVX-VNNI": "avxvnni", "AVX-512 VNNI": "avx512vnni", "AVX-512 VBMI": "avx512vbmi",
             "NEON": "neon", "dotprod": "dotprod", "i8mm": "i8mm", "RVV": "rvv"}
    return ["c"] + [names[f] for f in has if f in names]


# ---- float ----------------------------------------------------------------------------------------------------------------------


def normalized(net):
    """{picture: what the float model takes}."""
    scope = {}
    exec(net.script.read_text(), scope)
    return {p.name: scope["image_preprocess"](str(p)) for p in net.test}


def channels_last(x):
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def same_within_rounding(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape
        limit = TOLERANCE * np.abs(b).max()
        assert limit > 0 and np.abs(a - b).max() <= limit


def test_float_is_the_original(net):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(net.network.model), quiet, providers=["CPUExecutionProvider"])
    (name,) = [i.name for i in session.get_inputs() if i.name not in {w.name for w in session.get_overridable_initializers()}]
    outputs = [o.name for o in session.get_outputs()]
    got = net.run("Float")
    for picture, x in normalized(net).items():
        want = session.run(outputs, {name: np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
        same_within_rounding(got[picture], [channels_last(w) for w in want])


def litert(path):
    run = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_path=str(path), num_threads=1)
    run.allocate_tensors()
    return run


def test_litert_runs_the_float_model(net):
    interpreter = litert(net.float.path("Float"))
    (taken,) = interpreter.get_input_details()
    given = interpreter.get_output_details()
    got = net.run("Float")
    for picture, x in normalized(net).items():
        interpreter.set_tensor(taken["index"], x)
        interpreter.invoke()
        same_within_rounding(got[picture], [interpreter.get_tensor(o["index"]) for o in given])


def test_no_transpose_is_left(net):
    ops = [op["op_name"] for op in litert(net.float.path("Float"))._get_ops_details()]
    assert "CONV_2D" in ops and "TRANSPOSE" not in ops


# ---- fixed and offline ------------------------------------------------------------------------------------------------------------


def distinct(outputs):
    return len({b"".join(o.tobytes() for o in outs) for outs in outputs.values()})


@pytest.mark.parametrize("level", LEVELS)
def test_fixed_is_offline(net, level):
    fixed, offline, reference = net.run("Fixed", level), net.run("Offline", level), net.run("Float")
    assert tc.different(fixed, offline) == 0
    assert distinct(fixed) > PICTURES / 2, "the pictures hardly change the result"
    assert tc.cosine(reference, fixed) > 0.8, "this is no quantization error"


@pytest.mark.parametrize("stage, threads", [("Fixed", "2"), ("Offline", "1"), ("Offline", "2")])
@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("level", LEVELS)
def test_every_mask_and_number_of_threads(net, level, mask, stage, threads):
    truth = net.run("Fixed", level)
    got = net.run(stage, level, net.network.some, "--cpu_mask=" + mask, "--threads=" + threads)
    assert tc.different(got, truth) == 0


@pytest.mark.parametrize("workers", [2, 5])
def test_number_of_processes(net, workers):
    """One process made the model of the other tests."""
    t = net.toolchain("workers%d" % workers)
    t.path("Float").write_bytes(net.float.path("Float").read_bytes())
    t.calibrate(net.ini, net.calibration, net.script, "L2", "--num_process", workers)
    assert t.path("Fixed").read_bytes() == net.level["L2"].path("Fixed").read_bytes()


@pytest.mark.parametrize("level, mode, name", [("L1", "JSON", "p.json"), ("L2", "Pickle", "p.pkl")])
def test_saved_parameters_give_the_same_model(net, level, mode, name):
    t = net.toolchain("again" + level)
    t.path("Float").write_bytes(net.float.path("Float").read_bytes())
    t.tool("examples/save_quant_param.py", "-m", net.level[level].path("Fixed"), "--output_mode", mode, "-o", name)
    said = t.calibrate(net.ini, net.calibration, net.script, level, "--quant_file", name)
    assert "not taken" not in said
    assert t.path("Fixed").read_bytes() == net.level[level].path("Fixed").read_bytes()


def test_other_compilers_tools_write_the_same_files(net):
    other = os.environ.get("OPENIPU_OTHER_BUILD")
    if not other:
        pytest.skip("OPENIPU_OTHER_BUILD names no second build folder")
    t = net.toolchain("other", other)
    t.convert(net.network.model, net.ini)
    assert t.path("Float").read_bytes() == net.float.path("Float").read_bytes()
    for level in LEVELS:
        t.calibrate(net.ini, net.calibration, net.script, level)
        t.compile()
        for stage in ("Fixed", "Offline"):
            assert t.path(stage).read_bytes() == net.level[level].path(stage).read_bytes()


# ---- other machines ----------------------------------------------------------------------------------------------------------------


def expected(outputs):
    return [hashlib.sha256(data).hexdigest() for data in outputs]


def found(text):
    return [line.split()[-1] for line in hashes(text)]


@pytest.mark.parametrize("level, cpu, threads", [("L1", "neon", 2), ("L1", "i8mm", 1), ("L2", "neon", 1), ("L2", "dotprod", 2), ("L2", "i8mm", 2)])
def test_aarch64(net, level, cpu, threads):
    program = cross_build("aarch64", "tests/runtime/run_image") / "tests/runtime/run_image"
    for inputs, outputs in net.raw(level, net.network.emulated):
        assert found(emulated(CPUS[cpu], program, net.level[level].path("Offline"), inputs, "ffffffff", threads)) == expected(outputs)


@pytest.mark.parametrize("level, bits, threads", [("L1", 128, 1), ("L2", 256, 2)])
def test_riscv64(net, level, bits, threads):
    program = cross_build("riscv64-clang", "tests/runtime/run_image") / "tests/runtime/run_image"
    for inputs, outputs in net.raw(level, net.network.emulated):
        assert found(emulated(VECTORS[bits], program, net.level[level].path("Offline"), inputs, "ffffffff", threads)) == expected(outputs)


@pytest.mark.parametrize("cpu", BOARDS)
def test_cortex_m(net, cpu, tmp_path):
    """With just the kernels that the compiler listed for the image."""
    if not net.network.board:
        pytest.skip("no network for a microcontroller")
    for level in LEVELS:
        inputs, outputs = net.raw(level, 1)[0]
        program, _ = cortex_program(tmp_path, cpu, net.level[level].path("Offline"), inputs, net.work / ("kernels_%s.c" % level))
        assert found(on_board(cpu, program)) == expected(outputs)
