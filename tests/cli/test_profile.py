"""sgs profile: its layers are those of `sgs info`, its speeds what times and multiply-accumulates make."""
import re

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import Project, save_model

ROW = re.compile(r" +([\d.]+) +([\d.]+)% +(\d+) (?: +([\d.]+) +([\d.]+)%)? +([A-Z]\w+) +(\d+)  (.+)")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two groups of a convolution are two calls of one layer."""
    p = Project(tmp_path_factory.mktemp("profile") / "p", size=64)
    r = np.random.default_rng(1)
    save_model(p.folder / "model.onnx", {"data": (TensorProto.FLOAT, [1, 3, 64, 64])}, {"prob": (TensorProto.FLOAT, [1, 6, 60, 60])},
               [helper.make_node("Conv", ["data", "w"], ["c"], name="whole"), helper.make_node("Conv", ["c", "g"], ["h"], group=2, name="halves"),
                helper.make_node("Sigmoid", ["h"], ["prob"], name="squash")],
               {"w": r.standard_normal((64, 3, 3, 3)).astype(np.float32), "g": r.standard_normal((6, 32, 3, 3)).astype(np.float32)})
    made = p.convert("--export_models", out="m.img")
    assert made.returncode == 0, made.stderr
    return p


def layers_of_info(project):
    said = project.good("info", "m.img")
    rows = [re.fullmatch(r" +(\d+) +[\d.]+% +\d+ +\d+ +\d+  (\S+) +(\d+)  (.*)", line) for line in said.splitlines()]
    return [(m[1], m[2], m[3], m[4]) for m in rows if m]


def peaks(said):
    return {m[0]: float(m[1]) for m in re.findall(r"^peak of kernels of (bytes|words): ([\d.]+) GOP/s \(.+\)$", said, re.M)}


@pytest.mark.parametrize("options", [[], ["--cpu_mask", "c", "--runs", "3"], ["--threads", "2", "--runs", "4"]])
def test_layers(project, options):
    said = project.good("profile", "m.img", *options)
    runs, threads = (dict(zip(options[::2], options[1::2])).get(k, d) for k, d in (("--runs", "50"), ("--threads", "1")))
    how = "processor time of one thread" if threads == "1" else threads + " threads, by the clock"
    head = said.index("\nlayers in the order they run, medians of %s runs, %s:\n" % (runs, how))
    rows = [m for m in map(ROW.fullmatch, said[head:].splitlines()) if m]
    assert [(m[3], m[6], m[7], m[8]) for m in rows] == layers_of_info(project)
    assert ("halves", "2") in {(m[8].split(" + ")[0], m[7]) for m in rows} and any(m[3] == "0" for m in rows)
    total, peak = sum(float(m[1]) for m in rows), peaks(said)
    for m in rows:
        us, macs = float(m[1]), int(m[3])
        assert abs(float(m[2]) - 100 * us / total) < 0.1 + 5 * len(rows) / total
        assert bool(m[4]) == bool(macs)
        if macs:
            least, most = (2e-3 * macs / (us + d) for d in (0.05, -0.05))
            assert least - 0.06 < float(m[4]) < most + 0.06
            speed, limit = float(m[4]), peak["bytes" if "_U8" in m[6] else "words"]
            assert abs(float(m[5]) - 100 * speed / limit) < 0.06 + 5 / limit + 5 * speed / limit ** 2  # of figures of one digit
    whole, clock = re.search(r"\na run: ([\d.]+) us (?:of the processor, ([\d.]+) )?by the clock, [\d.]+ GOP/s\n$", said).groups()
    assert 0.3 * total < float(whole) < 10 * total
    assert bool(clock) == (threads == "1") and (not clock or float(whole) < float(clock) + 5)


def test_peaks_follow_the_mask(project):
    c, here = (project.good("profile", "m.img", "--runs", "1", *options) for options in (["--cpu_mask", "c"], []))
    assert re.search(r"^peak of kernels of bytes: .* \(s16 x s16, plain C\)$", c, re.M)
    assert set(peaks(c)) == set(peaks(here)) == {"bytes", "words"} and all(v > 0 for v in peaks(c).values())


def test_complaints(project):
    def says(*args, code=1):
        r = project.sgs("profile", *args)
        assert (r.returncode, r.stdout) == (code, "")
        return r.stderr
    assert says("none.img") == "error: none.img: cannot open: No such file or directory\n"
    assert says("m_float.sim", code=2) == "error: m_float.sim: expected an offline image, found a float model\n"
    assert says("m.img", "--runs", "200000", code=2) == "error: expected 1 to 100000 runs, found 200000\n"
    assert says("m.img", "--threads", "2000", code=2).endswith("expected 1 to 1024 threads, found 2000\n")
    assert says("m.img", "--cpu_mask", "sse", code=2).startswith("error: --cpu_mask: expected some of c, avx2")
