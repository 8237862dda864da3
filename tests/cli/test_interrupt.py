"""A full disk, a kill in the middle: no partial output, no process left behind."""
import os
import pty
import resource
import shutil
import signal
import subprocess
import time

import pytest

from support import ENV, SGS, Project

STUCK = """\
import os, time
def image_preprocess(path, norm=True):
    with open("pid", "w") as f:
        f.write("%d\\n" % os.getpid())
    time.sleep(60)
"""
CONVERT = ["convert", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py"]


def wait_for(condition, seconds=20):
    until = time.time() + seconds
    while not condition() and time.time() < until:
        time.sleep(0.02)
    return condition()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def calibrating(folder, sig, action, *keep):
    """The tool within the user's script, started with `action` for sig (what runs these tests may ignore some); the script's process."""
    p = Project(folder / "p")
    p.write("preprocess.py", STUCK)
    (folder / "tmp").mkdir()
    before = p.files()
    tool = subprocess.Popen([SGS] + CONVERT + ["-o", "x.img", *keep], cwd=p.folder, env=dict(ENV, TMPDIR=str(folder / "tmp")), stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(sig, action))
    pidfile = p.folder / "pid"
    assert wait_for(lambda: pidfile.exists() and pidfile.read_text().endswith("\n"))
    return tool, int(pidfile.read_text()), lambda: set(p.files()) - set(before) - {"pid"}


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("keep", [(), ("--export_models",)])
def test_killed_while_calibrating(tmp_path, sig, keep):
    tool, worker, left = calibrating(tmp_path, sig, signal.SIG_DFL, *keep)
    tool.send_signal(sig)
    assert tool.wait(20) == -sig
    assert wait_for(lambda: not alive(worker))
    assert left() == ({"x_float.sim"} if keep else set())  # that stage was finished; it is whole
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    """As under nohup; the one that cannot be ignored leaves no process either."""
    tool, worker, left = calibrating(tmp_path, signal.SIGHUP, signal.SIG_IGN)
    tool.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert tool.poll() is None and alive(worker)
    tool.kill()
    assert tool.wait(20) == -signal.SIGKILL
    assert wait_for(lambda: not alive(worker)) and left() == set()


def limited(limit):
    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return set_limit


@pytest.mark.parametrize("limit", [0, 100, 5000])
def test_full_disk(tmp_path, limit):
    """A limit on file sizes fails writes as a full disk does, whatever stage reaches it first."""
    p = Project(tmp_path / "p")
    before = p.files()
    r = subprocess.run([SGS] + CONVERT + ["-o", "x.img", "--export_models"], cwd=p.folder, env=ENV, preexec_fn=limited(limit), capture_output=True, text=True)
    assert r.returncode == 1 and "File too large" in r.stderr, r.stderr
    for name in set(p.files()) - set(before):
        assert name in ("x_float.sim", "x_fixed.sim")
        assert (p.folder / name).stat().st_size <= limit
    assert not [f for f in p.files() if ".tmp." in f]


def test_really_full_disk(tmp_path):
    """The same on a file system of a few pages, where we may mount one."""
    p = Project(tmp_path / "p")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = "mount -t tmpfs -o size=8k none '%s' && { '%s' %s -o '%s/x.img' --export_models; e=$?; ls -A '%s'; exit $e; }" % (
        disk, SGS, " ".join(CONVERT), disk, disk)
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    r = subprocess.run(["unshare", "-Urm", "sh", "-c", script], cwd=p.folder, env=ENV, capture_output=True, text=True)
    assert r.returncode == 1 and "No space left on device" in r.stderr, r.stderr
    assert not [n for n in r.stdout.split() if n.endswith(".img") or ".tmp." in n]


def test_reader_of_our_output_leaves(tmp_path):
    """`sgs ... | head -1`: the pipe breaks, nothing partial stays."""
    p = Project(tmp_path / "p")
    (tmp_path / "tmp").mkdir()
    before = p.files()
    r, w = os.pipe()
    os.close(r)
    tool = subprocess.run([SGS] + CONVERT + ["-o", "x.img"], cwd=p.folder, env=dict(ENV, TMPDIR=str(tmp_path / "tmp")), stdout=w, stderr=subprocess.DEVNULL)
    os.close(w)
    assert tool.returncode in (0, -signal.SIGPIPE)
    assert set(p.files()) - set(before) <= {"x.img"} and not list((tmp_path / "tmp").iterdir())


SLOW = """\
import time
import numpy as np
def image_preprocess(path, norm=True):
    time.sleep(0.3)
    image = np.load(path)
    return ((image - np.array([10, 20, 30])) / np.array([50, 60, 70])).astype(np.float32) if norm else image
"""


def test_progress_bar_only_on_a_terminal(tmp_path):
    p = Project(tmp_path / "p")
    p.write("preprocess.py", SLOW)
    ours, theirs = pty.openpty()
    r = subprocess.run([SGS] + CONVERT + ["-o", "x.img", "--num_process", "1"], cwd=p.folder, env=ENV, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    bar = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert r.returncode == 0 and "calibrate: 4 of 4 in " in r.stdout and "\r" not in r.stdout
    assert "calibrate [" in bar and "/4" in bar and " left" in bar and bar.endswith("\r\x1b[K")
    r = p.sgs(*CONVERT, "-o", "x.img")
    assert r.returncode == 0 and "\r" not in r.stderr and "calibrate: 4 of 4 in " in r.stdout
