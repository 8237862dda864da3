"""-b and --batch_mode: images of several elements give each what an image of one gives it, whatever the batch."""
import re
import struct

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import INI, Project, save_model

PICTURES = 7


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Compiled without a batch and in many ways; the outputs of the plain image, and of the fixed-point model."""
    p = Project(tmp_path_factory.mktemp("batch") / "p", pictures=PICTURES)
    r = p.convert("--export_models", out="m.img")
    assert r.returncode == 0, r.stderr
    run(p, "m.img", "plain")
    run(p, "m_fixed.sim", "fixed")
    return p


def run(p, model, out, *more):
    return p.good("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", "--output_dir", out, "--dump_output", "--dump_rawdata", "--show_log", *more)


def compiled(p, *options):
    p.good("compile", "-m", "m_fixed.sim", "-o", "b.img", *options)
    return p.bytes("b.img")


def sizes(image):
    """docs/IMAGE.md: feature bit 0, mode, count and sizes behind the header."""
    header, features = struct.unpack_from("<I", image, 12)[0], struct.unpack_from("<I", image, 24)[0]
    if not features:
        assert header == 120
        return None
    assert (header, features) == (168, 1)
    mode, count, *size = struct.unpack_from("<12I", image, 120)
    assert not any(size[count:])
    return ["n_buf", "one_buf"][mode], size[:count]


@pytest.mark.parametrize("batch, mode, text", [
    ("3", "n_buf", "up to 3 elements, each with buffers of its own; these are of one:"), ("100000", "n_buf", "up to 100000 elements, each with buffers of its own; these are of one:"),
    ("1,2", "one_buf", "1, 2 elements, stacked in one buffer each; these are of one:"), ("4", "one_buf", "4 elements, stacked in one buffer each; these are of one:"),
    ("16,5, 2", "one_buf", "16, 5, 2 elements, stacked in one buffer each; these are of one:"),
    ("10,9,8,7,6,5,4,3,2,1", "one_buf", "10, 9, 8, 7, 6, 5, 4, 3, 2, 1 elements, stacked in one buffer each; these are of one:")])
def test_each_element_is_what_it_is_alone(project, batch, mode, text):
    """Batches that the pictures fill, do not fill, and that are larger than all of them together; text, arrays, and what a board is given."""
    image = compiled(project, "-b", batch, "--batch_mode", mode)
    assert sizes(image) == (mode, [int(n) for n in batch.split(",")])
    log = run(project, "b.img", "batch", "--threads", "2")
    assert "Net:\n  batch: %s\n  input 0: data\n    dtype: uint8  layouts: NHWC  shape: [1 16 16 3]\n" % text in log
    assert len(re.findall(r"^pics/\d\.npy: [0-9.]+ ms$", log, re.M)) == PICTURES
    for i in range(PICTURES):
        for name in ("%d.npy.output0.npy", "%d.npy.bin"):
            assert project.bytes("batch/" + name % i) == project.bytes("plain/" + name % i) == project.bytes("fixed/" + name % i), i
        assert project.bytes("batch/unknown_b.img_%d.npy.txt" % i) == project.bytes("plain/unknown_m.img_%d.npy.txt" % i)
    assert len(list((project.folder / "batch").iterdir())) == 3 * PICTURES
    said = project.good("info", "b.img")
    assert "\nNet:\n  batch: %s\n  input 0: data\n" % text in said and "shape: [1 16 16 3]" in said and "    bytes: 768\n" in said


@pytest.mark.parametrize("options", [(), ("-b", "1"), ("-b", "1", "--batch_mode", "one_buf"), ("--batch_mode", "n_buf")])
def test_one_element_needs_no_word(project, options):
    image = compiled(project, *options)
    assert sizes(image) is None and image == project.bytes("m.img") and "batch:" not in project.good("info", "b.img")


def test_the_converter_takes_them_too(project):
    r = project.convert("-b", "4,2", "--batch_mode", "one_buf", out="c.img")
    assert r.returncode == 0, r.stderr
    assert project.bytes("c.img") == compiled(project, "-b", "4,2", "--batch_mode", "one_buf")


def test_the_parts_of_the_image_are_the_same(project):
    """But for what stands behind the header nothing depends on the batch."""
    def sections(image):
        return [image[at:at + n] for at, n in (struct.unpack_from("<II", image, 48 + 8 * i) for i in range(5))]
    assert sections(compiled(project, "-b", "8")) == sections(project.bytes("m.img"))


def test_what_cannot_be_stacked(tmp_path):
    p = Project(tmp_path / "p", pictures=2)
    save_model(p.folder / "model.onnx", {"data": (TensorProto.FLOAT, [1, 3, 16, 16])}, {"prob": (TensorProto.FLOAT, [])},
               [helper.make_node("ReduceMean", ["data"], ["prob"], keepdims=0)], {})
    p.write("input_config.ini", INI)
    r = p.convert("-b", "2", "--batch_mode", "one_buf")
    assert (r.returncode, r.stderr.split("error: ")[1].split(": ", 1)[1]) == (
        1, "--batch_mode one_buf: 'prob' has no dimension in which elements could be stacked\n  write --batch_mode n_buf: then each element has a buffer of its own\n")
    r = p.convert("-b", "2", out="n.img")
    assert r.returncode == 0, r.stderr
    for model, out in (("n.img", "o"),):
        run(p, model, out)
    got = [float(np.load(p.folder / ("o/%d.npy.output0.npy" % i))) for i in range(2)]
    want = [float(((np.load(p.folder / ("pics/%d.npy" % i)) - np.array([10, 20, 30])) / np.array([50, 60, 70])).mean()) for i in range(2)]
    np.testing.assert_allclose(got, want, rtol=0.01)
