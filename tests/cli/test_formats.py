"""Every combination of training_input_formats and input_formats, with alignments: what the board hands in, byte for byte, from the simulators
(--dump_rawdata, --save_input), through the runtime itself (run_image), and what the network then sees.  The expected bytes are made here, in
numpy, from the documents."""
import hashlib
import os
import re
import subprocess

import numpy as np
import pytest
from onnx import TensorProto, helper

from support import Project, save_model

F, I64 = TensorProto.FLOAT, TensorProto.INT64
FIXED, OFFLINE = "net_fixed.sim", "net.img"
H, W = 9, 13
MEAN, STD = np.array([10.5, 20, 30]), np.array([50, 60, 70.5])


def up(n, to):
    return -(-n // to) * to


# ---- what a board hands in, from a picture in R, G, B: include/openipu/ipu.h and ARITHMETIC.md 24 ------------------------------------


def packed(rgb, order, wa, ha, channels=None):
    out = np.zeros((up(rgb.shape[0], ha), up(rgb.shape[1], wa), channels or len(order)), np.uint8)
    out[:rgb.shape[0], :rgb.shape[1], :len(order)] = rgb[..., order]
    return out


def planes(rgb, order, wa, ha):
    return packed(rgb, order, wa, ha).transpose(2, 0, 1)


def nv12(rgb, wa, ha):
    h, w = rgb.shape[:2]
    out = np.zeros((up(h, ha) // 2 * 3, up(w, wa)), np.uint8)
    out[:h, :w] = (rgb.astype(np.int64) @ [218, 732, 74] + 512) >> 10 if rgb.shape[2] == 3 else rgb[..., 0]
    chroma = out[up(h, ha):]
    whole = np.pad(rgb, ((0, h % 2), (0, w % 2), (0, 0)), "edge").astype(np.int64)
    sums = whole.reshape(whole.shape[0] // 2, 2, -1, 2, rgb.shape[2]).sum((1, 3))
    for k, weights in enumerate(([-117, -395, 512], [512, -465, -47])):
        value = np.full(sums.shape[:2], 128) if rgb.shape[2] == 1 else np.clip((sums @ weights + (128 << 12) + 2048) >> 12, 0, 255)
        chroma[:sums.shape[0], k:2 * sums.shape[1]:2] = value
    return out


def seen_through_nv12(rgb):
    """R, G, B as the network sees them again."""
    h, w = rgb.shape[:2]
    board = nv12(rgb, 2, 2).astype(np.int64)
    y, u, v = board[:h, :w], *(board[up(h, 2):, k::2].repeat(2, 0).repeat(2, 1)[:h, :w] - 128 for k in (0, 1))
    sums = np.stack([(y << 14) + 25802 * v, (y << 14) - 3069 * u - 7670 * v, (y << 14) + 30402 * u], 2)
    return np.clip((sums + 8192) >> 14, 0, 255)


RGB, BGR = [0, 1, 2], [2, 1, 0]
# training, board, layout, alignments in the ini or None, what the board hands in: the rows of pictures, with the alignments that hold where
# the ini says none.
ROWS = [
    ("RGB", "RGB", "NHWC", None, lambda x: packed(x, RGB, 1, 1)),
    ("RGB", "BGR", "NHWC", None, lambda x: packed(x, BGR, 1, 1)),
    ("BGR", "RGB", "NHWC", None, lambda x: packed(x, RGB, 1, 1)),
    ("BGR", "BGR", "NHWC", None, lambda x: packed(x, BGR, 1, 1)),
    ("RGB", "RGB", "NHWC", (16, 4), lambda x: packed(x, RGB, 16, 4)),
    ("RGB", "BGR", "NCHW", None, lambda x: planes(x, BGR, 1, 1)),
    ("BGR", "RGB", "NCHW", (16, 4), lambda x: planes(x, RGB, 16, 4)),
    ("RGB", "RGBA", "NHWC", None, lambda x: packed(x, RGB, 1, 1, 4)),
    ("RGB", "BGRA", "NHWC", None, lambda x: packed(x, BGR, 1, 1, 4)),
    ("BGR", "RGBA", "NHWC", (16, 1), lambda x: packed(x, RGB, 16, 1, 4)),
    ("BGR", "BGRA", "NHWC", (16, 2), lambda x: packed(x, BGR, 16, 2, 4)),
    ("RGB", "YUV_NV12", "NHWC", None, lambda x: nv12(x, 2, 2)),
    ("BGR", "YUV_NV12", "NHWC", None, lambda x: nv12(x, 2, 2)),
    ("RGB", "YUV_NV12", "NHWC", (16, 2), lambda x: nv12(x, 16, 2)),
    ("BGR", "YUV_NV12", "NCHW", (32, 4), lambda x: nv12(x, 32, 4)),
    ("GRAY", "GRAY", "NHWC", None, lambda x: packed(x, [0], 1, 1)),
    ("GRAY", "GRAY", "NHWC", (16, 4), lambda x: packed(x, [0], 16, 4)),
    ("GRAY", "GRAY", "NCHW", (8, 1), lambda x: planes(x, [0], 8, 1)),
    ("GRAY", "YUV_NV12", "NHWC", None, lambda x: nv12(x, 2, 2)),
    ("GRAY", "YUV_NV12", "NCHW", (16, 2), lambda x: nv12(x, 16, 2)),
]
NAMES = ["%s from %s, %s%s" % (t, b, layout, ", %dx%d" % align[::-1] if align else "") for t, b, layout, align, _ in ROWS]


def picture_net(path, channels, h=H, w=W):
    """A convolution of one pixel, and beside it a pooling that reads the picture as it is."""
    r = np.random.default_rng(4)
    save_model(path, {"x": (F, [1, channels, h, w])}, {"y": (F, [1, 4, h, w]), "z": (F, [1, channels, h, w])},
               [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1]), helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[1, 1])],
               {"w": r.standard_normal((4, channels, 1, 1)).astype(np.float32)})


def ini(training, board, layout, align, mean, std):
    more = "" if align is None else "input_width_alignment=%d\ninput_height_alignment=%d\n" % align
    return ("[INPUT_CONFIG]\ninputs=x\ntraining_input_formats=%s\ninput_formats=%s\ninput_layouts=%s\nmean=%s\nstd_value=%s\n%s[OUTPUT_CONFIG]\noutputs=y,z\n"
            % (training, board, layout, ":".join(map(str, mean)), ":".join(map(str, std)), more))


def script(training, layout, mean, std):
    order = "[..., ::-1]" if training == "BGR" else ""
    turned = ".transpose(0, 3, 1, 2)" if layout == "NCHW" else ""
    return ("import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)[None]\n    if norm:\n        x = ((x - np.array(%s)) / np.array(%s)).astype(np.float32)\n"
            "    return np.ascontiguousarray(x%s%s)\n" % (list(mean), list(std), order, turned))


def converted(folder, training, board, layout, align):
    gray = training == "GRAY"
    mean, std = (MEAN[:1], STD[:1]) if gray else (MEAN, STD)
    p = Project(folder, pictures=0)
    picture_net(p.folder / "net.onnx", 1 if gray else 3)
    p.write("input_config.ini", ini(training, board, layout, align, mean, std))
    p.write("preprocess.py", script(training, layout, mean, std))
    r = np.random.default_rng(5)
    # smooth pictures: neighbours share their colour, as those of cameras do
    p.pictures = [np.clip(np.add.outer(np.add.outer(np.arange(H) * r.uniform(-9, 9), np.arange(W) * r.uniform(-9, 9)), r.integers(40, 220, 1 if gray else 3)), 0, 255).astype(np.uint8) for _ in range(3)]
    for i, x in enumerate(p.pictures):
        np.save(p.folder / "pics" / ("%d.npy" % i), x)
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--export_models", "--quant_level", "L2")
    assert r.returncode == 0, r.stderr
    assert r.stderr == "warning: 3 pictures to calibrate with; about 100 give better ranges\n"
    p.log = r.stdout
    return p


def simulated(p, model, *more):
    out = model + ".out"
    log = p.good("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", "--dump_output", "--output_dir", out, *more)
    return log, [[np.load(p.folder / out / ("%d.npy.output%d.npy" % (i, k))) for k in range(2)] for i in range(3)]


@pytest.mark.parametrize("training, board, layout, align, hand_in", ROWS, ids=NAMES)
def test_a_row(tmp_path, training, board, layout, align, hand_in):
    p = converted(tmp_path / "p", training, board, layout, align)
    w, h = align or ((2, 2) if board == "YUV_NV12" else (1, 1))
    results, scale, zero = {}, None, None
    for m in (FIXED, OFFLINE):
        log, results[m] = simulated(p, m, "--dump_rawdata", "--save_input", "--input_config", "input_config.ini")
        shape = "1 %d %d %d" % ((len(p.pictures[0][0][0]), H, W) if layout == "NCHW" else (H, W, len(p.pictures[0][0][0])))
        assert "    dtype: uint8  layouts: %s  shape: [%s]\n    training_input_formats: %s  input_formats: %s\n    input_width_alignment: %d  input_height_alignment: %d\n" % (
            layout, shape, training, board, w, h) in log
        for i, x in enumerate(p.pictures):
            want = hand_in(x)
            given = (p.folder / (m + ".out") / ("%d.npy.bin" % i)).read_bytes()
            assert given == want.tobytes(), "picture %d of %s" % (i, m)
            assert "    bytes: %d\n" % len(given) in log
            assert np.load(p.folder / (m + ".out") / ("%d.npy.input0.npy" % i)).tobytes() == given
    for i, x in enumerate(p.pictures):
        for k in range(2):
            assert results[FIXED][i][k].tobytes() == results[OFFLINE][i][k].tobytes()
        said = subprocess.run([os.environ["RUN_IMAGE"], p.folder / OFFLINE, p.folder / (OFFLINE + ".out") / ("%d.npy.bin" % i), "c"], capture_output=True, text=True).stdout
        assert said.splitlines() == ["output %s %s" % (n, hashlib.sha256(results[OFFLINE][i][k].tobytes()).hexdigest()) for k, n in enumerate("yz")]
        check_picture(x, training, board, layout, results[OFFLINE][i][1])


def check_picture(x, training, board, layout, z):
    """The pooling of one pixel gives back what the network sees: the picture itself, through YUV_NV12 what is left of it."""
    seen = seen_through_nv12(x) if board == "YUV_NV12" and training != "GRAY" else x.astype(np.int64)
    mean, std = (MEAN[:1], STD[:1]) if training == "GRAY" else (MEAN, STD)
    want = ((seen - mean) / std)[..., ::-1 if training == "BGR" else 1]
    assert np.abs(z[0] - want).max() < 2e-4 + np.abs(np.rint(mean) - mean).max() / std.min()
    if board == "YUV_NV12":
        assert np.abs(seen - x).max() < 24, "colours are exchanged"


def test_what_lies_beyond_the_picture_does_not_count(tmp_path):
    """The padding, the fourth byte, and of a network of GRAY the colours: any bytes give the same results."""
    for n, (training, board, align) in enumerate((("RGB", "BGRA", (16, 4)), ("RGB", "YUV_NV12", (16, 4)), ("GRAY", "YUV_NV12", (16, 4)), ("GRAY", "GRAY", (32, 2)))):
        p = converted(tmp_path / str(n), training, board, "NHWC", align)
        simulated(p, OFFLINE, "--dump_rawdata")
        clean = (p.folder / (OFFLINE + ".out") / "0.npy.bin").read_bytes()
        dirty = np.frombuffer(clean, np.uint8).copy()
        noise = np.random.default_rng(1).integers(0, 256, dirty.shape).astype(np.uint8)
        each = {"BGRA": 4}.get(board, 1)
        rows = dirty[:up(H, align[1]) * up(W, align[0]) * each].reshape(up(H, align[1]), -1, each)
        loose = np.ones(rows.shape, bool)
        loose[:H, :W, :3] = False
        rows[loose] = noise[:rows.size].reshape(rows.shape)[loose]
        if training == "GRAY":
            dirty[rows.size:] = noise[rows.size:]
        assert dirty.tobytes() != clean
        (p.folder / "dirty").write_bytes(dirty.tobytes())
        said = [subprocess.run([os.environ["RUN_IMAGE"], p.folder / OFFLINE, f, "c"], capture_output=True, text=True).stdout
                for f in (p.folder / (OFFLINE + ".out") / "0.npy.bin", p.folder / "dirty")]
        assert said[0] == said[1] and said[0].startswith("output y ")


@pytest.mark.parametrize("board, h, w, size", [("YUV_NV12", 448, 800, 537600), ("BGRA", 480, 800, 1536000)])
def test_sizes_that_boards_were_seen_with(tmp_path, board, h, w, size):
    """The buffer grows, the shape stays the picture's."""
    p = Project(tmp_path / "p", pictures=0)
    picture_net(p.folder / "net.onnx", 3, h, w)
    p.write("input_config.ini", ini("RGB", board, "NHWC", None, [0], [255]))
    p.write("preprocess.py", script("RGB", "NHWC", [0], [255]))
    np.save(p.folder / "pics/0.npy", np.random.default_rng(1).integers(0, 256, (h, w, 3)).astype(np.uint8))
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--quant_level", "L1")
    assert r.returncode == 0, r.stderr
    said = p.good("info", "net.img")
    assert "shape: [1 %d %d 3]\n" % (h, w) in said and "    bytes: %d\n" % size in said


# ---- raw data --------------------------------------------------------------------------------------------------------------------------

RAW = {"F32": ("x.astype(np.float32)", np.float32), "S16": ("x if norm else np.rint(x / 1e-4).astype(np.int16)", np.int16),
       "U8": ("x if norm else np.rint(x / 0.025 + 128).astype(np.uint8)", np.uint8)}


@pytest.mark.parametrize("kind", sorted(RAW))
def test_raw_data_is_dense(tmp_path, kind):
    """The inner dimension is no multiple of anything, and nothing is added to it."""
    p = Project(tmp_path / "p", pictures=0)
    r = np.random.default_rng(2)
    save_model(p.folder / "net.onnx", {"x": (F, [1, 7, 5])}, {"y": (F, [1, 7, 3])}, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": r.standard_normal((5, 3)).astype(np.float32)})
    p.write("input_config.ini", "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_%s_NHWC\n[OUTPUT_CONFIG]\noutputs=y\ndequantizations=FALSE\n" % kind)
    x = r.uniform(-3.2, 3.175, (1, 7, 5)).astype(np.float32)
    x.flat[:2] = -3.2767 if kind == "S16" else -3.2, 3.175
    np.save(p.folder / "pics/0.npy", x)
    body, dtype = RAW[kind]
    p.write("preprocess.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)\n    return %s\n" % body)
    r = p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--export_models", "--quant_level", "L1")
    assert r.returncode == 0, r.stderr
    want = {"F32": x, "S16": np.rint(x / 1e-4), "U8": np.rint(x / 0.025 + 128)}[kind].astype(dtype).tobytes()
    for m in (FIXED, OFFLINE):
        p.good("simulate", "-m", m, "-i", "pics", "-n", "preprocess.py", "--dump_rawdata", "--dump_output", "--output_dir", m + ".out")
        assert (p.folder / (m + ".out") / "0.npy.bin").read_bytes() == want
    got = [np.load(p.folder / (m + ".out") / "0.npy.output0.npy") for m in (FIXED, OFFLINE)]
    assert got[0].dtype == np.int16 and got[0].shape == (1, 7, 3) and got[0].tobytes() == got[1].tobytes()


ROWS_OF_TABLE = 40000  # beyond what S16 can say


def embedding(folder, body="x.astype(np.int32) if norm else x.astype(np.uint16)", rows=ROWS_OF_TABLE, nodes=(), outputs=()):
    p = Project(folder, pictures=0)
    table = (np.arange(rows)[:, None] * np.array([[1, -1]]) / rows).astype(np.float32)
    save_model(p.folder / "net.onnx", {"x": (I64, [1, 6])}, {"y": (F, [1, 6, 2]), **dict(outputs)}, [helper.make_node("Gather", ["table", "x"], ["y"], name="lookup"), *nodes], {"table": table})
    p.write("input_config.ini", "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_U16_NHWC\n[OUTPUT_CONFIG]\noutputs=%s\n" % ",".join(["y"] + [n for n, _ in outputs]))
    p.write("preprocess.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)\n    return %s\n" % body)
    np.save(p.folder / "pics/0.npy", np.array([[0, 1, 32767, 32768, rows - 1, 5]]))
    return p


def convert_embedding(p):
    return p.sgs("convert", "onnx", "-m", "net.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--export_models")


def test_u16_into_an_embedding(tmp_path):
    p = embedding(tmp_path / "p")
    r = convert_embedding(p)
    assert r.returncode == 0, r.stderr
    index, got = np.load(p.folder / "pics/0.npy"), []
    for m in ("net_float.sim", FIXED, OFFLINE):
        raw = [] if "float" in m else ["--dump_rawdata"]
        log = p.good("simulate", "-m", m, "-i", "pics", "-n", "preprocess.py", "--dump_output", "--output_dir", m + ".out", *raw)
        assert "input_formats: RAWDATA_U16_NHWC" in log and ("dtype: int32" if "float" in m else "dtype: uint16") in log
        got.append(np.load(p.folder / (m + ".out") / "0.npy.output0.npy"))
        if raw:
            assert (p.folder / (m + ".out") / "0.npy.bin").read_bytes() == index.astype(np.uint16).tobytes()
    want = index[..., None] * np.array([1, -1]) / ROWS_OF_TABLE
    assert np.abs(got[0] - want).max() < 1e-6 and np.abs(got[1] - want).max() < 1e-4 and got[1].tobytes() == got[2].tobytes()


def test_an_index_beyond_the_rows_is_reported(tmp_path):
    p = embedding(tmp_path / "p", rows=300)
    np.save(p.folder / "pics/0.npy", np.array([[0, 1, 299, 7, 8, 5]]))
    assert convert_embedding(p).returncode == 0
    np.save(p.folder / "pics/0.npy", np.array([[0, 1, 299, 300, 8, 5]]))
    r = p.sgs("simulate", "-m", "net_float.sim", "-i", "pics", "-n", "preprocess.py")
    assert r.returncode and "index 300 lies outside 300 rows" in r.stderr
    r = p.sgs("simulate", "-m", FIXED, "-i", "pics", "-n", "preprocess.py")
    assert r.returncode and "input 'x': element 3 is index 300, 'lookup' has 300 rows" in r.stderr
    r = p.sgs("simulate", "-m", OFFLINE, "-i", "pics", "-n", "preprocess.py")
    assert r.returncode and "an input holds NaN or infinity, or an index beyond the rows it is for" in r.stderr


def test_u16_is_for_nothing_else(tmp_path):
    other = [helper.make_node("Cast", ["x"], ["f"], to=F, name="as_float")]
    p = embedding(tmp_path / "p", nodes=other, outputs=[("f", (F, [1, 6]))])
    r = convert_embedding(p)
    assert r.returncode and re.search(r"input_config.ini:3: input_formats: RAWDATA_U16_NHWC is for integers that are indices of an embedding of at most 65536 rows, "
                                      r"found 'x', type int(32|64), read by as_float \(cast\)\n  write RAWDATA_S16_NHWC or RAWDATA_F32_NHWC for it\n", r.stderr)
    r = convert_embedding(embedding(tmp_path / "q", rows=65537))
    assert r.returncode and "at most 65536 rows, found 'x'" in r.stderr and "read by lookup (gather)" in r.stderr
