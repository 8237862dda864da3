"""Damaged, foreign and random files: an error or a graph, never a signal, soon and in little memory."""
import csv
import os
import pathlib
import tarfile
import time

import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CASES = ROOT.parent / "shared" / "conformance" / "malformed"
TOOL = os.environ.get("SIM_TOOL", str(ROOT / "build" / "tests" / "sim" / "sim_tool"))


def spawn(args, out, err):
    actions = [(os.POSIX_SPAWN_OPEN, fd, str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for fd, path in ((1, out), (2, err))]
    pid = os.posix_spawn(args[0], [str(a) for a in args], os.environ, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    return status, used.ru_maxrss / 1024


def read(path, folder):
    """Exit status of the reader."""
    begin = time.monotonic()
    status, mib = spawn([TOOL, "text", path], os.devnull, folder / "err")
    said = (folder / "err").read_text(errors="replace")
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 1), f"{path}: status {status}\n{said[-2000:]}"
    assert time.monotonic() - begin < 10 and mib < 1024
    if os.WEXITSTATUS(status):
        assert said.startswith("error: ") and str(path)[:500] in said, said
    return os.WEXITSTATUS(status)


def test_conformance(tmp_path):
    if not CASES.exists():
        pytest.skip(f"{CASES} is absent")
    with open(CASES / "index.tsv") as f:
        cases = [row for row in csv.DictReader(f, delimiter="\t") if row["format"] == "tflite"]
    assert len(cases) > 100
    with tarfile.open(CASES / "cases.tar.gz") as archive:
        archive.extractall(tmp_path, [m for m in archive.getmembers() if "tflite/" in m.name])
    accepted = [c["case"] for c in cases if c["class"] == "reject" and read(tmp_path / "malformed" / c["case"], tmp_path) == 0]
    assert accepted == []
    for c in cases:
        if c["class"] != "reject":
            read(tmp_path / "malformed" / c["case"], tmp_path)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for name in ("rest", "windows", "fixed", "names"):
        status, _ = spawn([TOOL, "write", HERE / "ir" / f"{name}.ir", folder / f"{name}.sim"], os.devnull, folder / "err")
        assert status == 0
    return folder


def test_truncated(good, tmp_path):
    """Cut anywhere: an error, unless only padding is gone."""
    data = (good / "fixed.sim").read_bytes()
    for n in sorted({*range(0, len(data), 211), *range(16), *range(len(data) - 8, len(data))}):
        (tmp_path / "cut.sim").write_bytes(data[:n])
        assert read(tmp_path / "cut.sim", tmp_path) == 1 or n > len(data) - 8


def test_damaged(good, tmp_path):
    rng = np.random.default_rng(5)
    for name in ("rest", "windows", "fixed", "names"):
        data = np.frombuffer((good / f"{name}.sim").read_bytes(), np.uint8)
        for _ in range(40):
            bad = data.copy()
            where = rng.integers(0, len(bad) if rng.integers(2) else min(len(bad), 2000), 1 + int(rng.integers(4)))
            bad[where] = rng.choice([0, 1, 0x7f, 0x80, 0xff, int(rng.integers(256))], len(where))
            bad.tofile(tmp_path / "bad.sim")
            read(tmp_path / "bad.sim", tmp_path)


def test_random(tmp_path):
    rng = np.random.default_rng(6)
    for n in (1, 7, 8, 9, 100, 5000):
        bad = rng.integers(0, 256, n, dtype=np.uint8)
        bad[4:8] = np.frombuffer(b"TFL3", np.uint8)[:max(0, n - 4)]
        bad.tofile(tmp_path / "noise.sim")
        assert read(tmp_path / "noise.sim", tmp_path) == 1
