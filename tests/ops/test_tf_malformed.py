"""Damaged TensorFlow graphs: refused with a message or taken, never a crash; in little time and memory."""
import subprocess

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
import tf_support as tf  # noqa: E402
from malformed import GIGABYTE, attempt, cases, check, folder, needs_suite  # noqa: E402, F401
from support import SECONDS, TOOL  # noqa: E402
from tf_support import BOOL, Func, const, node, placeholder  # noqa: E402


@needs_suite
@pytest.mark.parametrize("case,expected", cases("tf"))
def test_case(case, expected, folder, tmp_path):
    check(folder / case, expected, tmp_path)


# ---- our own: every prefix, every byte ----

def short(v):
    """Four times one number in a byte: damage must not make it the size of a picture that takes minutes."""
    return tf.Proto(tf.field(1, 3) + tf.field(2, tf.shape([2, 2])) + tf.field(7, v))


def small():
    """A graph with everything the reader knows."""
    fn = tf.function("f", ["v"], ["out"], [node("Relu", "r", ["v"])], {"out": "r:activations:0"})
    return b"".join([placeholder("x", [1, 6, 6, 2]), placeholder("t", [], BOOL), const("w", np.ones((3, 3, 2, 2), np.float32)), const("b", np.int32([2, 2])),
                     node("Const", "p", value=short(2)), node("Const", "n", value=short(0)), node("SpaceToBatchND", "s", ["x", "b", "p"]),
                     node("Conv2D", "c", ["s", "w"], strides=[1, 1, 1, 1], padding="VALID"), node("BatchToSpaceND", "d", ["c", "b", "n"]),
                     node("Switch", "i", ["d", "t"]), node("Neg", "g", ["i"]), node("Merge", "m", ["g", "i:1"]), node("PartitionedCall", "call", ["m"], f=Func("f")),
                     node("Const", "h", value=tf.Proto(tf.field(1, 19) + tf.field(2, tf.shape([2])) + tf.field(13, 7))), node("Mul", "y", ["call", "h"]), tf.library(fn)])


def each(paths):
    done = subprocess.run([TOOL, "--each", *map(str, paths)], capture_output=True, text=True, errors="replace", timeout=SECONDS * 6)
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert len(said) == len(paths) and set(said) <= {"taken", "refused"}
    return said


def test_the_small_graph_is_taken(tmp_path):
    (tmp_path / "m.pb").write_bytes(small())
    assert each([tmp_path / "m.pb"]) == ["taken"]


def test_seeds_of_fuzzing_are_taken(tmp_path):
    files = []
    for name, nodes in tf.seeds().items():
        files.append(tmp_path / f"{name}.pb")
        files[-1].write_bytes(b"".join(nodes))
    assert each(files) == ["taken"] * len(files)


@pytest.mark.parametrize("how", ["cut", "flip", "ff", "zero"])
def test_damage(how, tmp_path):
    data, files = small(), []
    for i in range(len(data)):
        bad = data[:i] if how == "cut" else data[:i] + bytes([{"flip": data[i] ^ 1 << i % 8, "ff": 0xFF, "zero": 0}[how]]) + data[i + 1:]
        files.append(tmp_path / f"{i}.pb")
        files[-1].write_bytes(bad)
    for i in range(0, len(files), 500):
        each(files[i:i + 500])


@pytest.mark.parametrize("graph", [
    # sizes that would take gigabytes
    [placeholder("x", [1, 4]), node("Const", "k", value=tf.Proto(tf.field(1, 1) + tf.field(2, tf.shape([1 << 20, 1 << 12])))), node("Add", "y", ["x", "k"])],
    [placeholder("x", [1, 4]), const("d", np.int32([1 << 16, 1 << 14])), const("v", np.float32(1)), node("Fill", "f", ["d", "v"]), node("Add", "y", ["x", "f"])],
    [placeholder("x", [1, 4]), const("a", np.int32(0)), const("b", np.int32(2 ** 31 - 1)), const("s", np.int32(1)), node("Range", "r", ["a", "b", "s"]), node("Gather", "y", ["x", "r"])],
    # functions that call each other without an end
    [placeholder("x", [1, 4]), node("f", "y", ["x"]), tf.library(tf.function("f", ["v"], ["o"], [node("f", "a", ["v"]), node("f", "b", ["a:o:0"])], {"o": "b:o:0"}))],
    # predicates far away
    [placeholder("x", [1, 4]), const("n0", np.bool_(True)), *(node("LogicalNot", f"n{i + 1}", [f"n{i}"]) for i in range(3000)), node("Switch", "s", ["x", "n3000"]),
     node("Merge", "y", ["s", "s:1"])],
    # every node an or of one node twice, each of them so again
    [placeholder("x", [1, 4]), placeholder("n0", [2], BOOL), *(node("LogicalOr", f"n{i + 1}", [f"n{i}", f"n{i}"]) for i in range(60)), node("Switch", "s", ["x", "n60"]),
     node("Merge", "y", ["s", "s:1"])],
])
def test_without_an_end(graph, tmp_path):
    path = tmp_path / "m.pb"
    path.write_bytes(b"".join(graph))
    status, message, seconds, memory = attempt(path, tmp_path)
    assert status in (0, 1), message
    assert seconds < SECONDS and memory < GIGABYTE
