"""Ctrl-C on a terminal, in every phase of every tool: one line, exit 130 as a shell sees it, no process and no unfinished file left.  And the bar there."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import ENV, SGS, Project, save_model
from test_interrupt import alive, wait_for

F = TensorProto.FLOAT
LAST = "interrupted: nothing unfinished is left\r\n"
SAMPLES = ["-i", "pics", "-n", "preprocess.py", "--num_process", "2"]
INI = ["--input_config", "input_config.ini"]
LEVEL = ["--quant_level", "L3"]  # every phase but the trials of L5, which take longer than all others together

WAITS = """\
import os, time
import numpy as np
def image_preprocess(path, norm=True):
    with open("pids", "a") as f:
        f.write("%%d\\n" %% os.getpid())
    time.sleep(%s)
    image = np.load(path)
    return ((image - np.array([10, 20, 30])) / np.array([50, 60, 70])).astype(np.float32) if norm else image
"""


class Terminal:
    """A tool as the foreground job of a terminal of its own."""

    def __init__(self, p, *args, program=SGS, env=None):
        self.text = ""
        self.ours, theirs = pty.openpty()

        def take():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.tool = subprocess.Popen([program, *map(str, args)], cwd=p.folder, env=dict(ENV, **(env or {})), stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=take)
        os.close(theirs)

    def read(self, seconds):
        """What came meanwhile; False at the end."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.ours, 1 << 16)
        except OSError:
            more = b""
        self.text += more.decode()
        return bool(more)

    def until(self, wanted, seconds=240):
        end = time.time() + seconds
        while wanted not in self.text and time.time() < end and self.read(0.1):
            pass
        assert wanted in self.text, self.text

    def ctrl_c(self):
        os.write(self.ours, b"\x03")
        while self.read(20):
            pass
        os.close(self.ours)
        return self.tool.wait(20)


def heavy(path):
    """Long enough in every phase to be met in it: a tenth of a second a run, and weights by the million."""
    r = np.random.default_rng(1)
    def weight(*shape):
        return (r.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    nodes, init, x = [], {}, "data"
    for i, (ci, co) in enumerate([(3, 48)] + [(48, 48)] * 9):
        init["w%d" % i] = weight(co, ci, 3, 3)
        nodes += [helper.make_node("Conv", [x, "w%d" % i], ["c%d" % i], name="conv%d" % i, kernel_shape=[3, 3], pads=[1] * 4, strides=[1 + (i == 0)] * 2),
                  helper.make_node("Relu", ["c%d" % i], ["r%d" % i])]
        x = "r%d" % i
    nodes += [helper.make_node("GlobalAveragePool", [x], ["g"]), helper.make_node("Flatten", ["g"], ["f"])]
    for i, (ci, co) in enumerate([(48, 1000), (1000, 1000), (1000, 10)]):
        init["d%d" % i] = weight(co, ci)
        nodes.append(helper.make_node("Gemm", ["f" if i == 0 else "m%d" % (i - 1), "d%d" % i], ["m%d" % i if i < 2 else "prob"], transB=1))
    save_model(path, {"data": (F, [1, 3, 192, 192])}, {"prob": (F, [1, 10])}, nodes, init)


def project(folder, wait=None):
    p = Project(folder, pictures=4, size=16 if wait else 192)
    if wait:
        p.write("preprocess.py", WAITS % wait)
    else:
        heavy(p.folder / "model.onnx")
    return p


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Both kinds of project with all of their models made."""
    made = {}
    for kind in ("quick", "heavy"):
        p = made[kind] = project(tmp_path_factory.mktemp(kind) / "p", "0" if kind == "quick" else None)
        r = p.convert("--export_models", *LEVEL, out="m.img")
        assert r.returncode == 0, r.stderr
    made["quick"].write("preprocess.py", WAITS % "30")
    return made


STAGES = {
    "convert": ["convert", "onnx", "-m", "model.onnx", *INI, *LEVEL, *SAMPLES, "-o", "out.img"],
    "keep": ["convert", "onnx", "-m", "model.onnx", *INI, *LEVEL, *SAMPLES, "-o", "out.img", "--export_models"],
    "try": ["calibrate", "-m", "m_float.sim", *INI, *SAMPLES, "-o", "out_fixed.sim"],
    "calibrate": ["calibrate", "-m", "m_float.sim", *INI, *LEVEL, *SAMPLES, "-o", "out_fixed.sim"],
    "simulate": ["simulate", "-m", "m_fixed.sim", *SAMPLES, "--output_dir", "out"],
    "analyze": ["analyze", "-m", "m_fixed.sim", *SAMPLES, "--json", "out.json", "--tsv", "out.tsv"],
}


def interrupted(p, tmp_path, stage, bar):
    """Ctrl-C while that bar stands; the files that came, besides what the script wrote."""
    (p.folder / "pids").unlink(missing_ok=True)
    before = set(p.files())
    t = Terminal(p, *STAGES[stage], env={"TMPDIR": str(tmp_path)})
    t.until(bar + " [")
    if (p.folder / "preprocess.py").read_text() == WAITS % "30":
        assert wait_for(lambda: (p.folder / "pids").exists() and (p.folder / "pids").read_text().endswith("\n"))
    status = t.ctrl_c()
    assert status == -signal.SIGINT, t.text
    assert t.text.endswith("\r\x1b[K" + LAST) and t.text.count("interrupted") == 1 and "Traceback" not in t.text, t.text
    pids = [int(line) for line in (p.folder / "pids").read_text().split()] if (p.folder / "pids").exists() else []
    assert wait_for(lambda: not any(map(alive, pids))), pids
    assert list(tmp_path.iterdir()) == []
    return set(p.files()) - before - {"pids"}


@pytest.mark.parametrize("stage, bar", [("convert", "look at pictures"), ("calibrate", "look at pictures"), ("simulate", "simulate"), ("analyze", "compare")])
def test_while_the_script_runs(models, tmp_path, stage, bar):
    assert interrupted(models["quick"], tmp_path, stage, bar) == set()


@pytest.mark.parametrize("stage, bar", [("calibrate", "calibrate"), ("calibrate", "weigh layers"), ("calibrate", "quantize layers"), ("try", "as L3"), ("convert", "weigh layers"),
                                        ("simulate", "simulate"), ("analyze", "compare"), ("analyze", "layers alone")])
def test_while_it_computes(models, tmp_path, stage, bar):
    assert {f for f in interrupted(models["heavy"], tmp_path, stage, bar) if not f.startswith("out/")} == set()


def test_while_it_compares(models, tmp_path):
    """The fixed-point model is finished by then."""
    p = models["heavy"]
    assert interrupted(p, tmp_path, "calibrate", "compare with float") == {"out_fixed.sim"}
    assert p.bytes("out_fixed.sim") == p.bytes("m_fixed.sim")
    (p.folder / "out_fixed.sim").unlink()
    assert interrupted(p, tmp_path, "keep", "weigh layers") == {"out_float.sim"}
    assert p.bytes("out_float.sim") == p.bytes("m_float.sim")
    (p.folder / "out_float.sim").unlink()


@pytest.mark.parametrize("args, name", [(["convert-tool", "onnx", "-m", "model.onnx", *INI, "-o", "now.sim"], "m_float.sim"), (["compile", "-m", "m_fixed.sim", "-o", "now.img"], "m.img")])
def test_short_stages_at_any_time(models, args, name):
    """They have written all of their file or nothing."""
    p = models["heavy"]
    whole, ended = p.bytes(name), set()
    for k in range(12):
        before = set(p.files())
        t = Terminal(p, *args)
        time.sleep(0.015 * k)
        status = t.ctrl_c()
        assert status in (0, -signal.SIGINT) and (status == 0 or t.text.endswith(LAST) or t.text == "^C"), t.text  # ^C: before main()
        left = set(p.files()) - before
        assert left <= {args[-1]} and (status or left)
        if left:
            assert p.bytes(args[-1]) == whole
            (p.folder / args[-1]).unlink()
        ended.add(status)
    assert -signal.SIGINT in ended


def test_130_in_a_shell(models, tmp_path):
    p = models["quick"]
    t = Terminal(p, "-c", "trap : INT; '%s' %s; echo status $?" % (SGS, " ".join(STAGES["simulate"])), program="bash")
    t.until("simulate [")
    time.sleep(0.3)
    t.ctrl_c()
    assert "status 130" in t.text


def test_bars_of_every_phase(models, tmp_path):
    """With the time that is left; each goes before anything else is printed, and short phases leave no line."""
    t = Terminal(models["heavy"], *STAGES["calibrate"][:-1], tmp_path / "x_fixed.sim")
    while t.read(120):
        pass
    assert t.tool.wait(20) == 0
    for bar in ("look at pictures", "calibrate", "weigh layers", "quantize layers", "compare with float"):
        assert re.search(r"\r\x1b\[K%s \[[=> ]{24}\] \d+/\d+" % bar, t.text), bar
    assert re.search(r"calibrate \[[=> ]{24}\] \d+/4  \d+:\d\d left", t.text)
    assert "look at pictures: " not in t.text and "calibrate: 4 of 4 in " in t.text
    for line in t.text.split("\r\n"):
        last = line.rsplit("\r\x1b[K", 1)[-1]
        assert "[=" not in last and "[>" not in last, line


def test_nothing_of_it_in_a_pipe(models, tmp_path):
    r = models["heavy"].sgs(*STAGES["calibrate"][:-1], tmp_path / "x_fixed.sim")
    assert r.returncode == 0 and "\r" not in r.stdout + r.stderr and "look at pictures" not in r.stdout and "simplify" not in r.stdout
