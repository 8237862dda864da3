"""The simulators through sgs.h: fixed and offline give the same bytes with every kernel table and any number of threads; what is wrong is said."""
import os
import pathlib
import re
import struct
import subprocess

import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOL = os.environ.get("SIM_TOOL", str(ROOT / "build" / "tests" / "sim" / "sim_tool"))
LIMIT = {"s4": 7, "s8": 127, "s16": 9000, "s32": 90000, "s64": 4 * 10**9}


def tool(*args, fails=False):
    done = subprocess.run([TOOL, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == (1 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


def random_constants(text, rng):
    """Numbers in the place of splat(...)."""
    def numbers(m):
        count = int(np.prod([int(d) for d in m.group(3).split(",")]))
        reach = LIMIT[m.group(2)]
        values = rng.integers(-reach, reach + 1, count)
        if count == 1025:  # the table of a softmax falls
            values = np.rint(32767 * np.exp(-np.arange(1025) / 64)).astype(int)
        return m.group(1) + "{" + ",".join(map(str, values)) + "}"
    return re.sub(r"(const %\d+ (?:\"\w+\" )?(s\d+)\[([\d,]+)\][^\n]*= )splat\(.*\)", numbers, text)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    """A fixed-point model, its image, and inputs for it."""
    folder, rng = tmp_path_factory.mktemp("fixed"), np.random.default_rng(8)
    (folder / "net.ir").write_text(random_constants((HERE / "ir" / "fixed.ir").read_text(), rng))
    tool("trip", folder / "net.ir")
    tool("write", folder / "net.ir", folder / "net_fixed.sim")
    tool("compile", folder / "net_fixed.sim", folder / "net.img")
    rng.integers(0, 256, (1, 8, 8, 3)).astype(np.uint8).tofile(folder / "picture.bin")
    rng.integers(-32767, 32768, (1, 4, 4, 8)).astype(np.int16).tofile(folder / "raw.bin")
    return folder


def outputs(folder, model, *options):
    lines = tool("run", *options, folder / model, folder / "out", folder / "picture.bin", folder / "raw.bin").splitlines()
    return lines, [(folder / f"out.{i}.bin").read_bytes() for i in range(3)]


def test_fixed_is_offline(fixed):
    (kind, *io), truth = outputs(fixed, "net_fixed.sim", "--mask", 0)
    assert kind == "fixed"
    assert [line.split("\t")[1:4] for line in io] == [
        ["picture", "uint8", "1,8,8,3"], ["raw", "int16", "1,4,4,8"],
        ["p", "float32", "1,10"], ["turned", "uint8", "1,8,2,4"], ["joined", "int16", "1,4,4,16"]]
    assert all(len(set(t)) > 4 for t in truth), "outputs of one value show nothing"
    p = np.frombuffer(truth[0], np.float32)
    assert abs(p.sum() - 1) < 1e-3 and (p >= 0).all()
    for model in ("net_fixed.sim", "net.img"):
        for mask in (0, 1, 0xffffffff):
            for threads in (1, 2):
                (kind, *same), data = outputs(fixed, model, "--mask", mask, "--threads", threads)
                assert data == truth and same == io and kind == ("fixed" if model.endswith(".sim") else "offline")


def buffer_of(data, name):
    """The type of a tensor of a TFLite file, as its schema numbers it, and the bytes of its buffer."""
    u32 = lambda at: struct.unpack_from("<I", data, at)[0]  # noqa: E731

    def field(table, slot):
        vtable = table - struct.unpack_from("<i", data, table)[0]
        off = struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0] if 4 + 2 * slot < struct.unpack_from("<H", data, vtable)[0] else 0
        return table + off if off else None

    follow = lambda at: at + u32(at)  # noqa: E731
    root = follow(0)
    graph = follow(follow(field(root, 2)) + 4)
    tensors, buffers = follow(field(graph, 0)), follow(field(root, 4))
    for i in range(u32(tensors)):
        t = follow(tensors + 4 + 4 * i)
        at = follow(field(t, 3))
        if data[at + 4:at + 4 + u32(at)] == name.encode():
            at = follow(field(follow(buffers + 4 + 4 * u32(field(t, 2))), 0))
            return data[field(t, 1)], data[at + 4:at + 4 + u32(at)]
    raise KeyError(name)


def test_weights_of_four_bits(tmp_path):
    """Two in a byte, in .sim as TFLite's schema has INT4, in images for the kernels: the same bytes everywhere, those of the same weights in 8 bits."""
    rng = np.random.default_rng(11)
    text = random_constants((HERE / "ir" / "four_bits_fixed.ir").read_text(), rng)
    rng.integers(0, 256, (1, 9, 7, 12)).astype(np.uint8).tofile(tmp_path / "x.bin")
    truth, size = {}, {}
    for kind, ir in {"four": text, "eight": text.replace("s4[", "s8[")}.items():
        (tmp_path / f"{kind}.ir").write_text(ir)
        tool("trip", tmp_path / f"{kind}.ir")
        tool("write", tmp_path / f"{kind}.ir", tmp_path / f"{kind}_fixed.sim")
        tool("compile", tmp_path / f"{kind}_fixed.sim", tmp_path / f"{kind}.img")
        size[kind] = [(tmp_path / (kind + end)).stat().st_size for end in ("_fixed.sim", ".img")]
        for model in (f"{kind}_fixed.sim", f"{kind}.img"):
            for mask in (0, 1, 0xffffffff):
                for threads in (1, 2):
                    tool("run", "--mask", mask, "--threads", threads, tmp_path / model, tmp_path / "out", tmp_path / "x.bin")
                    data = [(tmp_path / f"out.{i}.bin").read_bytes() for i in range(5)]
                    assert data == truth.setdefault("all", data)
    assert all(len(set(t)) > 8 for t in truth["all"])
    weights = 19 * 9 * 12 + 9 * 19 + 6 * 6 * 4 + 5 * 12 * 12 + 12 * 4 + 11 * 756
    assert size["eight"][0] - size["four"][0] == pytest.approx(weights / 2, abs=100)
    assert weights * 0.45 < size["eight"][1] - size["four"][1] < weights  # channels are padded too
    kind, packed = buffer_of((tmp_path / "four_fixed.sim").read_bytes(), "w2")
    plane = [7, -7, 1, 0, 3, -8, 2, 2, 2, -1, -1, 5, 4, 3, 2, 1, 0, -1, -2]
    want = [v & 15 for v in plane * 9] + [0]
    assert kind == 17 and list(packed) == [a | b << 4 for a, b in zip(want[::2], want[1::2])]


def test_views(tmp_path):
    """An image keeps what is moved in windows of few buffers, the fixed simulator copies all of it."""
    rng = np.random.default_rng(5)
    (tmp_path / "net.ir").write_text(random_constants((HERE / "ir" / "views_fixed.ir").read_text(), rng))
    tool("write", tmp_path / "net.ir", tmp_path / "net_fixed.sim")
    tool("compile", tmp_path / "net_fixed.sim", tmp_path / "net.img")
    x = rng.integers(-8000, 8001, (1, 4, 4, 6)).astype(np.int16)
    x.tofile(tmp_path / "x.bin")
    data = []
    for model in ("net_fixed.sim", "net.img"):
        tool("run", tmp_path / model, tmp_path / "out", tmp_path / "x.bin")
        data.append([np.fromfile(tmp_path / f"out.{i}.bin", np.int16) for i in range(5)])
    for a, b in zip(*data):
        assert np.array_equal(a, b)
    c2, _, rows, mixed, joined = data[0]
    part, half = x[..., 1:5], x[..., 1:5].reshape(1, 8, 8)
    assert np.array_equal(c2, np.concatenate([np.clip(x, -10000, 10000).transpose(0, 2, 1, 3), x], 3).ravel())
    assert np.array_equal(rows, np.clip(part, -5000, 5000).ravel()) and np.array_equal(mixed, rows)
    assert np.array_equal(joined, np.concatenate([half, half, half[..., 4:0:-1]], 2).ravel())


def test_kind(fixed):
    assert "expected a float model, found an offline image" in tool("run", "--kind", 1, fixed / "net.img", fixed / "x", fails=True)
    assert "expected an offline image, found a fixed-point model" in tool("run", "--kind", 3, fixed / "net_fixed.sim", fixed / "x", fails=True)


def test_other_files(fixed, tmp_path):
    for name, data in {"empty": b"", "text": b"hello, this is no model at all", "zeros": bytes(4096)}.items():
        (tmp_path / name).write_bytes(data)
        assert "found another kind of file" in tool("run", tmp_path / name, tmp_path / "x", fails=True)
    assert "cannot open" in tool("run", tmp_path / "absent", tmp_path / "x", fails=True)
    image = bytearray((fixed / "net.img").read_bytes())
    (tmp_path / "short.img").write_bytes(image[:len(image) // 2])
    assert "short.img" in tool("run", tmp_path / "short.img", tmp_path / "x", fails=True)
    newer = image[:8] + struct.pack("<I", 77) + image[12:]
    (tmp_path / "newer.img").write_bytes(newer)
    said = tool("run", tmp_path / "newer.img", tmp_path / "x", fails=True)
    assert "version 77" in said and "reads version 2" in said
    image[-1] ^= 1
    (tmp_path / "bit.img").write_bytes(image)
    assert "bit.img" in tool("run", tmp_path / "bit.img", tmp_path / "x", fails=True)


def test_inputs(fixed):
    assert "'raw' was not set" in tool("run", fixed / "net.img", fixed / "x", fixed / "picture.bin", fails=True)
    assert "expected 192 bytes, found 256" in tool("run", fixed / "net.img", fixed / "x", fixed / "raw.bin", fails=True)
    three = [fixed / "picture.bin", fixed / "raw.bin", fixed / "raw.bin"]
    assert "there is no input 2" in tool("run", fixed / "net.img", fixed / "x", *three, fails=True)
    assert "1 to 1024 threads" in tool("run", "--threads", -1, fixed / "net.img", fixed / "x", fails=True)


def test_not_a_number(tmp_path):
    """The layer that makes it is named, by the user's own name."""
    (tmp_path / "net.ir").write_text("""
input %0 "x" f32[1,2,2,1]
const %1 "zero" f32[] = splat(0)
%2 "fine" f32[1,2,2,1] = add %0, %0 as "Add_1"
%3 "y" f32[1,2,2,1] = div %2, %1 as "Div_2"
%4 "z" f32[1,2,2,1] = add %3, %2 as "Add_3"
output %4
""")
    tool("write", tmp_path / "net.ir", tmp_path / "net.sim")
    np.ones(4, np.float32).tofile(tmp_path / "x.bin")
    said = tool("run", tmp_path / "net.sim", tmp_path / "out", tmp_path / "x.bin", fails=True)
    assert "layer 'Div_2'" in said and "NaN or infinity" in said and "net.sim" in said
    np.array([1, 2, np.inf, 3], np.float32).tofile(tmp_path / "x.bin")
    assert "input 'x' holds NaN or infinity" in tool("run", tmp_path / "net.sim", tmp_path / "out", tmp_path / "x.bin", fails=True)


def test_float_into_fixed(tmp_path):
    """A float input of a fixed model is quantized as ARITHMETIC.md says; NaN is refused by both simulators."""
    (tmp_path / "net.ir").write_text("""
meta "sgs.fixed" "1"
input %0 "x" f32[1,3,3,4]
%1 "q" s16[1,3,3,4] @{scale=0.01, zero=0} = quantize %0
%2 "u" u8[1,3,3,4] @{scale=0.5, zero=100} = quantize %1
%3 "y" f32[1,3,3,4] = dequantize %2
output %3
output %1
""")
    tool("write", tmp_path / "net.ir", tmp_path / "net_fixed.sim")
    tool("compile", tmp_path / "net_fixed.sim", tmp_path / "net.img")
    x = np.random.default_rng(2).uniform(-400, 400, 36).astype(np.float32)
    for model in ("net_fixed.sim", "net.img"):
        x.tofile(tmp_path / "x.bin")
        tool("run", tmp_path / model, tmp_path / "out", tmp_path / "x.bin")
        q = np.clip(np.rint(x * np.float32(1 / np.float64(np.float32(0.01)))), -32767, 32767).astype(np.int16)
        assert (np.fromfile(tmp_path / "out.1.bin", np.int16) == q).all()
        m = np.float32(np.float64(np.float32(0.01)) / 0.5)
        u = np.clip(np.rint(q.astype(np.float32) * m), -100, 155).astype(np.float32)
        assert (np.fromfile(tmp_path / "out.0.bin", np.float32) == u * np.float32(0.5)).all()
        bad = x.copy()
        bad[5] = np.nan
        bad.tofile(tmp_path / "x.bin")
        assert "NaN or infinity" in tool("run", tmp_path / model, tmp_path / "out", tmp_path / "x.bin", fails=True)
