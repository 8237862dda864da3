"""Every tool with every kind of bad file, on a full disk, and killed at any moment: one message that names the file, nothing half written."""
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from support import ENV, SGS, Project
from test_interrupt import limited

NETWORK = ["--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py"]
# tool: its command, the files it reads, the files it makes
TOOLS = {
    "convert": (["convert", "onnx", "-m", "model.onnx", *NETWORK, "-o", "x.img"], ["model.onnx", "input_config.ini", "preprocess.py"], ["x.img"]),
    "convert-tool": (["convert-tool", "onnx", "-m", "model.onnx", *NETWORK[:2], "-o", "x_float.sim"], ["model.onnx", "input_config.ini"], ["x_float.sim"]),
    "calibrate": (["calibrate", "-m", "m_float.sim", *NETWORK, "-o", "x_fixed.sim"], ["m_float.sim", "input_config.ini", "preprocess.py"], ["x_fixed.sim"]),
    "compile": (["compile", "-m", "m_fixed.sim", "-o", "x.img", "--kernels_file", "x.c"], ["m_fixed.sim"], ["x.img", "x.c"]),
    "float": (["simulate", "-m", "m_float.sim", *NETWORK[2:], "--output_dir", "out", "--dump_output"], ["m_float.sim", "preprocess.py"], None),
    "fixed": (["simulate", "-m", "m_fixed.sim", *NETWORK[2:], "--output_dir", "out", "--dump_output"], ["m_fixed.sim", "preprocess.py"], None),
    "offline": (["simulate", "-m", "m.img", "-i", "list.txt", "-n", "preprocess.py", "--output_dir", "out", "--save_input", "--dump_rawdata"],
                ["m.img", "list.txt", "preprocess.py"], None),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a good file of every kind; read only."""
    p = Project(tmp_path_factory.mktemp("whole") / "p")
    r = p.convert("--export_models", out="m.img")
    assert r.returncode == 0, r.stderr
    p.write("list.txt", "".join("pics/%d.npy\n" % i for i in range(4)))
    return p


def copy_of(whole, tmp_path):
    p = Project.__new__(Project)
    p.folder = tmp_path / "p"
    shutil.copytree(whole.folder, p.folder)
    return p


@pytest.fixture(scope="module")
def made(whole, tmp_path_factory):
    """What each tool makes when nothing is wrong, and how long it takes: {tool: ({file: bytes}, seconds)}."""
    result = {}
    for tool, (command, _, outputs) in TOOLS.items():
        p = copy_of(whole, tmp_path_factory.mktemp("made"))
        before, start = set(p.files()), time.monotonic()
        r = p.sgs(*command)
        assert r.returncode == 0, r.stderr
        new = set(p.files()) - before
        assert new == set(outputs) if outputs else len(new) >= 8
        result[tool] = {f: p.bytes(f) for f in new}, time.monotonic() - start
    return result


# ---- bad files ----------------------------------------------------------------------------------------------------------------------


def absent(path, good):
    path.unlink()


def folder(path, good):
    path.unlink()
    path.mkdir()


def endless_link(path, good):
    path.unlink()
    path.symlink_to(path.name)


def fifo(path, good):
    path.unlink()
    os.mkfifo(path)


def empty(path, good):
    path.write_bytes(b"")


def half(path, good):
    path.write_bytes(good[:len(good) // 2])


def last_byte_lost(path, good):
    path.write_bytes(good[:-1])


def random(path, good):
    path.write_bytes(np.random.default_rng(len(good)).integers(0, 256, 5000, np.uint8).tobytes())


def foreign(path, good):
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(3000))


# A text that ends early may still be a good one.
DAMAGES = [absent, folder, endless_link, fifo, empty, half, last_byte_lost, random, foreign]
CASES = [(tool, file, damage) for tool, (_, files, _) in TOOLS.items() for file in files for damage in DAMAGES
         if not (file.endswith((".ini", ".py", ".txt")) and damage in (half, last_byte_lost))]


@pytest.mark.parametrize("tool, file, damage", CASES, ids=lambda v: getattr(v, "__name__", v))
def test_bad_file(whole, tmp_path, tool, file, damage):
    p = copy_of(whole, tmp_path)
    damage(p.folder / file, p.bytes(file))
    before = set(p.files())
    r = p.sgs(*TOOLS[tool][0], "--num_process=1" if tool not in ("compile", "convert-tool") else "--soc_version=CHIP", timeout=20)
    assert r.returncode in (1, 2), (r.returncode, r.stderr)
    first = r.stderr.splitlines()[0]
    assert first.startswith("error: ") and file in first and "Internal" not in r.stderr, r.stderr
    assert set(p.files()) == before


# ---- a full disk, a kill --------------------------------------------------------------------------------------------------------------


def only_whole_ones(p, before, made):
    for f in set(p.files()) - before:
        assert ".tmp." not in f and p.bytes(f) == made[f], f


@pytest.mark.parametrize("limit", [0, 60, 3000])
@pytest.mark.parametrize("tool", TOOLS)
def test_full_disk(whole, made, tmp_path, tool, limit):
    p = copy_of(whole, tmp_path)
    before = set(p.files())
    r = subprocess.run([SGS] + TOOLS[tool][0], cwd=p.folder, env=ENV, preexec_fn=limited(limit), capture_output=True, text=True)
    if max(map(len, made[tool][0].values())) > limit:
        assert r.returncode == 1 and "File too large" in r.stderr, r.stderr
    only_whole_ones(p, before, made[tool][0])


@pytest.mark.parametrize("moment", range(8))
@pytest.mark.parametrize("tool", TOOLS)
def test_killed(whole, made, tmp_path, tool, moment):
    """SIGKILL, which no program can prepare for."""
    p = copy_of(whole, tmp_path)
    before = set(p.files())
    child = subprocess.Popen([SGS] + TOOLS[tool][0], cwd=p.folder, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(made[tool][1] * moment / 8)
    child.send_signal(signal.SIGKILL)
    child.wait()
    only_whole_ones(p, before, made[tool][0])
