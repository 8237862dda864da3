"""sgs info FILE: what it says of an image is what docs/IMAGE.md, read by a reader of our own here, finds in the file."""
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import ENV, INI, PREPROCESS, ROOT, SDK, Project, save_model, sgs

FORMATS = ["RAWDATA", "RGB", "BGR", "GRAY", "RGBA", "BGRA", "YUV_NV12"]
TYPES = ["uint8", "int8", "int16", "uint16", "int32", "int64", "float32"]
KERNELS = dict(re.findall(r"(\d+) ([A-Z_0-9]+)(?=[, ])", "".join(
    line for line in (ROOT / "docs/IMAGE.md").read_text().splitlines(True) if re.match(r"\| \d+ [A-Z]", line))))


class Image:
    """docs/IMAGE.md."""

    def __init__(self, data):
        self.data = data
        word = lambda at: struct.unpack_from("<I", data, at)[0]  # noqa: E731
        self.version, self.bytes, self.target, self.arena, nin, nout, self.nop, self.category = map(word, (8, 16, 20, 28, 32, 36, 40, 44))
        (io, _), (ops, _), (self.consts, self.const_bytes), (p, pn), (cost, _) = (struct.unpack_from("<II", data, 48 + 8 * i) for i in range(5))
        self.provenance = data[p:p + pn].decode().splitlines()
        self.tensors = [("input" if i < nin else "output", i if i < nin else i - nin, *self.tensor(io + 52 * i)) for i in range(nin + nout)]
        self.records = []
        for i in range(self.nop):
            kind, _, n = struct.unpack_from("<HHI", data, ops)
            ops += n
            name, low, high, read, write, constants = struct.unpack_from("<6I", data, cost + 24 * i)
            self.records.append((KERNELS[str(kind)], self.text(name), high << 32 | low, read, write, constants))

    def text(self, at):
        return self.data[self.consts + at:self.data.index(b"\0", self.consts + at)].decode()

    def tensor(self, at):
        name, kind, form, rank, origin = struct.unpack_from("<IBBBB", self.data, at)
        dims, n, _, nscale, scale, zero = (struct.unpack_from("<%di" % rank, self.data, at + 8), *struct.unpack_from("<IiIII", self.data, at + 32))
        scales = struct.unpack_from("<%df" % nscale, self.data, self.consts + scale), struct.unpack_from("<%di" % nscale, self.data, self.consts + zero)
        return self.text(name), TYPES[kind], FORMATS[form], FORMATS[origin & 127], origin >> 7, dims, n, list(zip(*scales))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("info") / "p")
    p.write("input_config.ini", INI.replace("[OUTPUT", "input_layouts=NCHW;\n[OUTPUT").replace("dequantizations=TRUE", "dequantizations=FALSE"))
    p.write("preprocess.py", PREPROCESS.replace("(np.float32)", "(np.float32).transpose(0, 3, 1, 2)").replace("return image", "return image.transpose(0, 3, 1, 2)"))
    r = p.convert("--export_models", "-c", "Classification", "--soc_version", "cortex-m4", out="m.img")
    assert r.returncode == 0, r.stdout + r.stderr
    p.log = r.stdout
    return p


@pytest.fixture(scope="module")
def said(project):
    return project.good("info", "m.img")


def test_sizes_and_kinds(project, said):
    image = Image(project.bytes("m.img"))
    assert image.bytes == len(image.data) and re.search(r"arena +%d bytes" % image.arena, project.log)
    head = said[:said.index("Net:\n")]
    assert head == ("m.img: an offline image, format version %d\ntarget: cortex-m4\ncategory: Classification\nimage: %d bytes, %d of them constants; aligned to 64\n"
                    "arena: %d bytes, aligned to 64; one for each run at a time\n" % (image.version, image.bytes, image.const_bytes, image.arena))
    assert (image.target, image.category) == (5, 1)
    assert said.endswith("made from:\n" + "".join("  %s\n" % line for line in image.provenance)) and len(image.provenance) > 3


def test_inputs_and_outputs(project, said):
    want = ""
    for side, i, name, dtype, form, training, nchw, dims, n, scales in Image(project.bytes("m.img")).tensors:
        want += "  %s %d: %s\n    dtype: %s  layouts: %s  shape: [%s]\n" % (side, i, name, dtype, ["NHWC", "NCHW"][nchw], " ".join(map(str, dims)))
        if side == "input":
            want += "    training_input_formats: %s  input_formats: %s\n    input_width_alignment: 1  input_height_alignment: 1\n" % (training, form)
        for c, (scale, zero) in enumerate(scales):
            want += "    %sscale: %.9g  zero point: %d\n" % ("channel %d: " % c if len(scales) > 1 else "", scale, zero)
        want += "    bytes: %d\n" % n
    assert said[said.index("Net:\n") + 5:said.index("kernels: ")] == want
    assert "  input 0: data\n    dtype: uint8  layouts: NCHW  shape: [1 3 16 16]\n    training_input_formats: RGB  input_formats: BGR\n" in want
    assert "  output 0: prob\n    dtype: int16 " in want and want.count("scale: ") == 4


def test_kernels_and_the_cost_of_layers(project, said):
    records = Image(project.bytes("m.img")).records
    found = re.search(r"^kernels: (.*)\nweights: .*\nlayers in the order they run, (\d+) multiply-accumulates:\n.*\n", said, re.M)
    uses = dict((name, int(n)) for name, n in (use.split() for use in found[1].split(", ")))
    assert uses == {k: [r[0] for r in records].count(k) for k, *_ in records}
    rows = [re.fullmatch(r" +(\d+) +([\d.]+)% +(\d+) +(\d+) +(\d+)  (\S+) +(\d+)  (.*)", line) for line in said[found.end():said.index("made from:")].splitlines()]
    assert [(r[6], r[8], *map(int, (r[1], r[3], r[4], r[5]))) for r in rows] == records and all(r[7] == "1" for r in rows)
    total = sum(r[2] for r in records)
    assert int(found[2]) == total == 8 * 8 * 8 * 27 + 8 * 8 * 8 * 9 + 8 * 8 * 8 * 10  # the network's three convolutions
    assert all(abs(float(r[2]) - 100 * int(r[1]) / total) <= 0.051 for r in rows)


def test_a_layer_of_several_records_is_one_row(tmp_path):
    """Two groups of a convolution are two calls of one kernel."""
    p = Project(tmp_path / "p")
    w = np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype(np.float32)
    save_model(p.folder / "model.onnx", {"data": (TensorProto.FLOAT, [1, 3, 16, 16])}, {"prob": (TensorProto.FLOAT, [1, 6, 14, 14])},
               [helper.make_node("Conv", ["data", "w"], ["c"], name="whole"), helper.make_node("Conv", ["c", "g"], ["prob"], group=2, pads=[1] * 4, name="halves")],
               {"w": w, "g": np.ones((6, 2, 3, 3), np.float32)})
    r = p.convert(out="m.img")
    assert r.returncode == 0, r.stderr
    assert [x[1] for x in Image(p.bytes("m.img")).records].count("halves") == 2
    row = re.search(r"^ +(\d+) .* (\d+)  halves$", p.good("info", "m.img"), re.M)
    assert (int(row[1]), int(row[2])) == (14 * 14 * 6 * 2 * 9, 2)


@pytest.mark.parametrize("name, kind, operators", [
    ("m_float.sim", "float", "avgpool 1, conv 2, depthwise 1, reshape 1, softmax 1"),
    ("m_fixed.sim", "fixed-point", "avgpool 1, conv 2, depthwise 1, reshape 1, softmax 1")])
def test_models(project, name, kind, operators):
    said = project.good("info", "-m", name, "--soc_version", "CHIP")
    constants = int(re.match(r"%s: a %s model, %d bytes; constants: (\d+) bytes\nNet:\n" % (name, kind, len(project.bytes(name))), said)[1])
    weights, biases = 8 * 27 + 8 * 9 + 8 * 10, 8 + 8 + 10
    assert constants == (4 * (weights + biases) if kind == "float" else weights + 4 * biases + 2 * 1025)  # with softmax's table
    assert "\noperators: %s" % operators.split(",")[0] in said and all(o in said for o in operators.split(", "))
    assert "  input 0: data\n    dtype: %s  layouts: NCHW " % ("float32" if kind == "float" else "uint8") in said
    image = project.good("info", "m.img")
    table = image[image.index("layers in the order they run, "):image.index("made from:")]
    assert said.endswith("\n" + table if kind == "fixed-point" else "transpose 1\n"), "a fixed-point model shows what its image will cost"


def test_what_cannot_be_described(project):
    def says(*args, code=1):
        r = sgs("info", *args, cwd=project.folder)
        assert (r.returncode, r.stdout) == (code, "")
        return r.stderr
    assert says("none.img") == "error: none.img: cannot open: No such file or directory\n"
    assert says("preprocess.py").startswith("error: preprocess.py: expected a .sim model or an .img image of OpenIPU, found another kind of file\n")
    data = bytearray(project.bytes("m.img"))
    data[len(data) // 2] ^= 1
    (project.folder / "flipped.img").write_bytes(data)
    assert says("flipped.img").startswith("error: flipped.img: the image is truncated or damaged (")
    assert says("m.img", "--operators", code=2) == "error: --operators is about the frameworks, not about m.img: leave one of them out\n"
    assert says("m.img", "--soc_version", "X9").startswith("error: --soc_version 'X9' is not a target")


def test_show_img_info(project, said):
    r = subprocess.run([sys.executable, str(SDK / "DumpDebug/show_img_info.py"), "-m", "m.img", "--soc_version", "CHIP"], cwd=project.folder, env=ENV,
                       capture_output=True, text=True)
    assert (r.returncode, r.stdout) == (0, said), r.stderr
