"""Damaged ONNX files: refused with a message or taken, never a crash; in little time and memory."""
import subprocess

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from malformed import GIGABYTE, attempt, cases, check, folder, needs_suite  # noqa: E402, F401
from support import ROOT, SECONDS, TOOL, model  # noqa: E402


@needs_suite
@pytest.mark.parametrize("case,expected", cases("onnx"))
def test_case(case, expected, folder, tmp_path):
    check(folder / case, expected, tmp_path)


# ---- our own: every prefix, every byte ----

def small():
    rng = np.random.default_rng(5)
    inits = {"w": rng.random((4, 3, 3, 3), np.float32)[:, :, :2, :1].copy(), "b": rng.random(4, np.float32), "s": np.array([0, -1], np.int64), "k": rng.random((4, 2), np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 0, 0, 0], strides=[2, 1]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], ceil_mode=1), helper.make_node("GlobalAveragePool", ["m"], ["g"]), helper.make_node("Reshape", ["g", "s"], ["f"]),
             helper.make_node("Gemm", ["f", "k"], ["y"], alpha=0.5)]
    return model(nodes, {"x": (TensorProto.FLOAT, [1, 3, 6, 5])}, ["y"], inits).SerializeToString()


def tried(files):
    done = subprocess.run([TOOL, "--each", *files], capture_output=True, text=True, timeout=6 * SECONDS, errors="replace")
    assert done.returncode == 0, done.stderr
    results = done.stdout.split()
    assert len(results) == len(files) and "broken" not in results
    return results


def written(tmp_path, variants):
    files = []
    for i, data in enumerate(variants):
        files.append(tmp_path / f"{i}.onnx")
        files[-1].write_bytes(data)
    return files


def test_every_prefix(tmp_path):
    whole = small()
    results = tried(written(tmp_path, [whole[:n] for n in range(len(whole) + 1)]))
    assert results[-1] == "taken" and results[0] == "refused"


@pytest.mark.parametrize("value", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_every_byte(value, tmp_path):
    whole = bytearray(small())
    variants = []
    for i, old in enumerate(whole):
        whole[i] = value
        variants.append(bytes(whole))
        whole[i] = old
    assert "refused" in tried(written(tmp_path, variants))


@pytest.mark.parametrize("seed", ["loop", "scan", "function", "sequence", "dynamic"])
def test_every_byte_of_graphs_within(seed, tmp_path):
    """The seeds of the fuzz target that have bodies."""
    whole = bytearray((ROOT / "fuzz" / "corpus" / "onnx" / f"{seed}.onnx").read_bytes())
    variants = [bytes(whole)]
    for i, old in enumerate(whole):
        whole[i] = 0xFF
        variants.append(bytes(whole))
        whole[i] = old
    results = tried(written(tmp_path, variants))
    assert results[0] == "taken" and "refused" in results


# ---- our own: things a file may say ----

def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def nested(number, depth):
    """A message within itself, written from the inside."""
    head, size = [], 0
    for _ in range(depth):
        head.append(varint(number << 3 | 2) + varint(size))
        size += len(head[-1])
    return b"".join(reversed(head))


def graph(*parts):
    return varint(8 << 3 | 2) + b"\x02\x10\x11" + field(7, b"".join(parts))


def dims(*sizes):
    return b"".join(varint(1 << 3) + varint(n % (1 << 64)) for n in sizes)


BOMBS = {
    "deep attribute subgraphs": graph(field(1, field(4, b"If") + field(5, field(6, nested(1, 100000))))),
    "deep types": graph(field(11, field(1, b"x") + field(2, nested(4, 100000)))),
    "deep shapes": graph(field(11, field(1, b"x") + field(2, field(1, field(2, nested(1, 100000)))))),
    "many empty nodes": graph(*[field(1, b"")] * 200000),
    "many empty initializers": graph(*[field(5, b"")] * 200000),
    "many empty names": graph(field(1, field(1, b"") * 400000)),
    "many empty attributes": graph(field(1, field(5, b"") * 400000)),
    "many empty functions": field(25, b"") * 200000 + graph(),
    "functions of many inputs": field(25, field(4, b"") * 200000 + field(5, b"") * 200000) + graph(),
    "functions of deep subgraphs": field(25, field(7, field(5, field(6, nested(1, 100000))))) + graph(),
    "a function without a name that calls itself": field(25, field(5, b"y") + field(7, field(2, b"y"))) + graph(field(1, field(2, b"y")), field(12, field(1, b"y"))),
    "many dims": graph(field(5, dims(1) * 1000000)),
    "packed dims": graph(field(5, field(1, bytes([1]) * 1000000))),
    "endless varint": b"\x38" + b"\xff" * 1000,
    "field number 0": b"\x02\x00",
    "wire type 6": b"\x3e\x00",
    "wire type 7": b"\x3f\x00",
    "group that ends": b"\x3c",
    "graph as a number": b"\x38\x01",
    "graph as 32 bits": b"\x3d\x01\x02\x03\x04",
    "tensor of 2^40 without data": graph(field(5, dims(1 << 40) + b"\x10\x01" + field(8, b"w"))),
    "tensor of 2^63": graph(field(5, dims(1 << 63) + b"\x10\x01" + field(8, b"w"))),
    "tensor of 0 by 2^63": graph(field(5, dims(0, 1 << 63, 1 << 63) + b"\x10\x01" + field(8, b"w"))),
    "text, not protobuf": b"ir_version: 8 graph { node { op_type: 'Relu' } }",
    "zeros": bytes(1 << 16),
    "ones": b"\xff" * (1 << 16),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name, tmp_path):
    path = tmp_path / "bomb.onnx"
    path.write_bytes(BOMBS[name])
    status, message, seconds, memory = attempt(path, tmp_path)
    assert status == 1 and message.startswith(f"error: {path}: "), message
    assert seconds < SECONDS and memory < GIGABYTE


def bodies(depth):
    """Attributes of nodes within graphs that are attributes, written from the inside."""
    inner = b""
    for _ in range(depth):
        inner = field(6, field(1, field(5, inner)))
    return inner


def packed(number, values):
    return graph(field(5, varint(2 << 3) + b"\x01" + field(number, values)))


LIMITED = {  # files whose import may take 100000 bytes, and what is said of them
    "the list of nodes exceeds the memory limit": graph(field(1, b"") * 20000),
    "the list of values exceeds the memory limit": graph(field(12, b"") * 20000),
    "the list of functions exceeds the memory limit": field(25, b"") * 20000 + graph(),
    "the list of inputs exceeds the memory limit": graph(field(1, field(1, b"") * 20000)),
    "the list of outputs exceeds the memory limit": graph(field(1, field(2, b"") * 20000)),
    "the list of attributes exceeds the memory limit": graph(field(1, field(5, b"") * 20000)),
    "the list of strings exceeds the memory limit": graph(field(1, field(5, field(9, b"") * 20000))),
    "a list of integers exceeds the memory limit": packed(5, b"\x01" * 20000),
    "a list of numbers exceeds the memory limit": packed(4, bytes(80000)),
    "200000 elements exceed the memory limit": graph(field(5, dims(200000) + varint(2 << 3) + b"\x02" + field(9, bytes(200000)))),
    "messages are nested deeper than 64": graph(field(1, field(4, b"If") + field(5, bodies(40)))),
}


@pytest.mark.parametrize("said", LIMITED)
def test_little_memory(said, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(LIMITED[said])
    done = subprocess.run([TOOL, "--memory", "100000", path], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (1, f"error: {path}: {said}\n")


def big(nodes, shape=(1, 4), inits=None, opset=13):
    return model(nodes, {"x": (TensorProto.FLOAT, list(shape))}, [nodes[-1].output[0]], inits, opset)


def ints(*values):
    return np.array(values, np.int64)


def expanding():
    """Each step joins the last tensor with itself: 2^60 elements in 60 nodes."""
    names = ["x"] + [f"t{i}" for i in range(60)]
    return big([helper.make_node("Concat", [a, a], [b], axis=0) for a, b in zip(names, names[1:])])


def expanding_constant():
    names = ["k"] + [f"t{i}" for i in range(40)]
    return big([helper.make_node("Concat", [a, a], [b], axis=0) for a, b in zip(names, names[1:])] + [helper.make_node("Add", ["x", names[-1]], ["y"])], inits={"k": np.ones((1, 4), np.float32)})


def constants(count, size):
    nodes = [helper.make_node("ConstantOfShape", ["s"], [f"c{i}"]) for i in range(count)]
    return big(nodes + [helper.make_node("Concat", ["x"] + [f"c{i}" for i in range(count)], ["y"], axis=0)], inits={"s": ints(size, 4)})


def broadcast():
    a, b = np.ones((1 << 20, 1), np.float32), np.ones((1, 1 << 20), np.float32)
    return big([helper.make_node("Mul", ["a", "b"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])], inits={"a": a, "b": b})


def outer():
    return big([helper.make_node("MatMul", ["x", "b"], ["y"])], shape=(1 << 20, 1), inits={"b": np.ones((1, 1 << 20), np.float32)})


def long_chain():
    names = ["x"] + [f"t{i}" for i in range(5000)]
    return big([helper.make_node("Relu", [a], [b]) for a, b in zip(names, names[1:])])


def cycle_of_many():
    names = [f"t{i}" for i in range(20000)]
    return big([helper.make_node("Relu", [a], [b]) for a, b in zip(names, names[1:] + names[:1])])


def unsupported_many():
    return big([helper.make_node("Frob", ["x"], [f"t{i}"], name="n" * 500 + str(i)) for i in range(3000)])


def long_names():
    return big([helper.make_node("Frob", ["x" * 100000], ["y" * 100000], name="n" * 100000)])


def pad_bomb():
    return big([helper.make_node("Pad", ["x", "p"], ["y"])], inits={"p": ints(0, 0, 1 << 45, 0)})


def window_bomb():
    return big([helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[1, 1], pads=[0, 0, 1 << 40, 0])], shape=(1, 1, 4, 4))


MODELS = {f.__name__: f for f in (expanding, expanding_constant, broadcast, outer, cycle_of_many, unsupported_many, long_names, pad_bomb, window_bomb)}


@pytest.mark.parametrize("name", MODELS)
def test_hostile_model(name, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(MODELS[name]().SerializeToString())
    status, message, seconds, memory = attempt(path, tmp_path)
    assert status == 1 and message.startswith(f"error: {path}: "), message[:2000]
    assert seconds < SECONDS and memory < GIGABYTE


@pytest.mark.parametrize("build", [lambda: constants(200, 1 << 20), lambda: constants(3, 1 << 29), long_chain], ids=["200 of 16 MB", "3 of 8 GB", "long chain"])
def test_large_model(build, tmp_path):
    """Honest or not: taken or refused in bounded time and memory."""
    path = tmp_path / "model.onnx"
    path.write_bytes(build().SerializeToString())
    status, message, seconds, memory = attempt(path, tmp_path)
    assert status in (0, 1), message[:2000]
    assert seconds < 3 * SECONDS and memory < GIGABYTE
