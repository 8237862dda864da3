"""Numbers of more bits than ours, and files of more than a gigabyte."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from hard_support import F, I, check, in_fixed, ints, node, real  # noqa: E402
from onnx import TensorProto  # noqa: E402
from support import compare, evaluate, model, reference, refused, save  # noqa: E402

# ---- numbers that are wide ----

WIDE = [  # nodes that make of the shape s of x, [2,3], the shape r; constants
    ([node("Mul", "s b", "m"), node("Add", "m one", "m1"), node("Sub", "m1 m", "d"), node("Mul", "d s", "r")], {"b": ints(1 << 40), "one": ints(1)}),
    ([node("Add", "s b", "m"), node("Sub", "m b", "r")], {"b": ints((1 << 24) + 1)}),
    ([node("Add", "s b", "m"), node("Sub", "m b", "r")], {"b": ints((1 << 53) + 1)}),
    ([node("Add", "s b", "m"), node("Mod", "m k", "r")], {"b": ints(7 << 40), "k": ints(7)}),
    ([node("Add", "s b", "m"), node("Equal", "m k", "c"), node("Where", "c s s2", "r")], {"b": ints(1 << 33), "k": ints((1 << 33) + 2, (1 << 33) + 3), "s2": ints(9, 9)}),
    ([node("Min", "s b", "m"), node("Max", "m nb", "r")], {"b": ints(1 << 40), "nb": ints(-(1 << 40))}),
    ([node("Add", "s b", "m"), node("Gather", "m zero", "g"), node("Sub", "g b0", "h"), node("Concat", "h three", "r", axis=0)], {"b": ints(1 << 33), "zero": ints(0), "b0": ints(1 << 33), "three": ints(3)}),
    ([node("Concat", "s b", "c", axis=0), node("ReduceProd", "c", "p", keepdims=1), node("Div", "p b", "six"), node("Concat", "six one", "r", axis=0)], {"b": ints(1 << 40), "one": ints(1)}),
    ([node("Range", "a b one", "m"), node("Sub", "m a", "d"), node("Mul", "d s", "z"), node("Add", "z s", "y1"), node("Sub", "y1 z", "r")], {"a": np.array(1 << 60), "b": np.array((1 << 60) + 2), "one": np.array(1)}),
    ([node("Range", "b a one", "m"), node("Sub", "m a", "d"), node("Add", "d s", "e"), node("Sub", "e d", "r")], {"a": np.array(1 << 60), "b": np.array((1 << 60) + 2), "one": np.array(-1)}),
    ([node("Neg", "b", "n"), node("Add", "n s", "m"), node("Abs", "m", "a"), node("Sub", "b a", "r")], {"b": ints(1 << 62)}),
    ([node("Cast", "s", "h", to=TensorProto.FLOAT16), node("Cast", "h", "d", to=TensorProto.DOUBLE), node("Cast", "d", "r", to=I)], {}),
]


@pytest.mark.parametrize("nodes, inits", WIDE, ids=range(len(WIDE)))
def test_shapes_computed_in_64_bits(nodes, inits, tmp_path):
    nodes = [node("Shape", "x", "s"), *nodes, node("Reshape", "t r", "u"), node("Neg", "u")]
    nodes.insert(1, node("Transpose", "x", "t", perm=[1, 0]))
    check(tmp_path, nodes, inits, x=real(2, 3))
    in_fixed(model(nodes, {"x": (F, [2, 3])}, ["y"], inits), tmp_path, [real(2, 3) for _ in range(2)])


def test_ends_of_64_bits(tmp_path):
    """Slices to the end and from it, bounds that no number of 32 bits reaches."""
    most, least = ints((1 << 63) - 1), ints(-(1 << 63))
    check(tmp_path, node("Slice", "x a b c d"), {"a": most, "b": least, "c": ints(1), "d": ints(-1)}, x=real(2, 3))
    check(tmp_path, node("Clip", "x lo hi"), {"lo": ints(0)[0], "hi": most[0]}, x=ints(1, 2, -3))
    check(tmp_path, [node("Min", "x hi", "m"), node("Max", "lo m")], {"lo": least, "hi": ints(1 << 40)}, x=ints(1, 2, -3))
    check(tmp_path, node("Concat", "first x last", axis=0), {"first": ints(101), "last": ints(102)}, x=ints(1, 2, -3))
    refused(model([node("Concat", "first x", axis=0, name="n")], {"x": (I, [3])}, ["y"], {"first": ints(1 << 31)}), tmp_path, "layer 'n': Concat: the constant 2147483648 does not fit 32 bits")


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_models_of_other_floats(kind, tmp_path):
    """Inputs, weights, constants and scales of the type; in our graph all are float32."""
    nodes = [node("Conv", "x w b", "c", pads=[1] * 4), node("LeakyRelu", "c", "r", alpha=0.1), node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"), node("Gemm", "f k", "h", transB=1), node("Softmax", "h")]
    inits = {"w": real(8, 3, 3, 3).astype(kind), "b": real(8).astype(kind), "k": real(5, 8).astype(kind)}
    x = real(1, 3, 6, 6)
    m = model(nodes, {"x": x.astype(kind)}, ["y"], inits)
    plain = model(nodes, {"x": x}, ["y"], {n: v.astype(np.float32) for n, v in inits.items()})
    got = evaluate(save(m, tmp_path), [x.astype(kind)], tmp_path, "--passes")
    compare(got, reference(plain, {"x": x.astype(kind).astype(np.float32)}))
    if kind == np.float16:
        compare(got, [v.astype(np.float32) for v in reference(m, {"x": x.astype(kind)})], 1e-2)
    in_fixed(m, tmp_path, [real(1, 3, 6, 6) for _ in range(3)], above=30)


# ---- files that are large ----

def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


ROWS, WIDTH = 280000, 1024  # 1.15 GB


def table_model():
    m = model([node("Gather", "table i", "g"), node("Add", "g x")], {"x": (F, [2, WIDTH])}, ["y"], {"i": ints(0, ROWS - 1)})
    m.graph.initializer.append(TensorProto(name="table", data_type=F, dims=[ROWS, WIDTH]))
    return m


def in_place(tmp_path):
    """The table within the file, which has a hole there."""
    m = table_model()
    table = m.graph.initializer.pop()
    nbytes = 4 * ROWS * WIDTH
    rest, head = m.graph.SerializeToString(), table.SerializeToString()
    m.ClearField("graph")
    for pad in range(4):  # numbers lie at multiples of their size, where they can be used as they lie
        head = TensorProto(name="table", data_type=F, dims=[ROWS, WIDTH], doc_string="x" * pad).SerializeToString() + varint(9 << 3 | 2) + varint(nbytes)
        tensor = varint(5 << 3 | 2) + varint(len(head) + nbytes) + head
        start = m.SerializeToString() + varint(7 << 3 | 2) + varint(len(rest) + len(tensor) + nbytes) + rest + tensor
        if len(start) % 4 == 0:
            break
    path = tmp_path / "model.onnx"
    with open(path, "wb") as f:
        f.write(start)
        f.truncate(len(start) + nbytes)
        f.seek(len(start) + nbytes - 4 * WIDTH)
        f.write(np.arange(WIDTH, dtype=np.float32).tobytes())
    return path


def beside(tmp_path):
    """The table in a file of its own, behind other data."""
    m = table_model()
    table = m.graph.initializer[-1]
    table.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "table.bin", "offset": 4096, "length": 4 * ROWS * WIDTH}.items():
        table.external_data.add(key=key, value=str(value))
    with open(tmp_path / "table.bin", "wb") as f:
        f.truncate(4096 + 4 * ROWS * WIDTH)
        f.seek(4096 + 4 * (ROWS - 1) * WIDTH)
        f.write(np.arange(WIDTH, dtype=np.float32).tobytes())
    return save(m, tmp_path)


@pytest.mark.parametrize("make", [in_place, beside])
def test_more_than_a_gigabyte(make, tmp_path):
    """The file is used as it lies: nothing of it is copied."""
    path, x = make(tmp_path), real(2, WIDTH)
    got, = evaluate(path, [x], tmp_path, "--memory", 1 << 24, "--passes")
    assert np.array_equal(got, x + np.array([np.zeros(WIDTH), np.arange(WIDTH)], np.float32))
    for f in tmp_path.iterdir():
        f.unlink()
