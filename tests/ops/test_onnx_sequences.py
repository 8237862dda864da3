"""Sequences of tensors."""
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from hard_support import F, I, body, check, ints, node, real, says  # noqa: E402
from onnx import helper  # noqa: E402
from support import model, refused, save, tool  # noqa: E402


def test_lists_of_chunks(tmp_path):
    """As PyTorch writes x.chunk and x.split when it keeps the list."""
    for split, dims in ((ints(2), (7, 3)), (ints(3)[0], (7, 3)), (ints(1, 4, 2), (7, 3)), (None, (3, 4))):
        inits = {"zero": np.array(0), "last": np.array(-1), **({} if split is None else {"s": split})}
        if split is not None and split.shape == (1,):
            inits["s"] = split[0]
        nodes = [node("SplitToSequence", "x" + ("" if split is None else " s"), "q", axis=0, keepdims=int(split is not None)), node("SequenceAt", "q zero", "a"),
                 node("SequenceAt", "q last", "b"), node("SequenceLength", "q", "n"), node("Add", "a one", "a1")]
        check(tmp_path, nodes, inits | {"one": np.float32(1)}, outputs=("a1", "b"), x=real(*dims))


def test_lists_that_are_built(tmp_path):
    nodes = [node("SequenceEmpty", "", "e"), node("SequenceInsert", "e x", "q1"), node("Neg", "x", "n"), node("SequenceInsert", "q1 n zero", "q2"), node("SequenceConstruct", "x n", "q3"),
             node("SequenceAt", "q3 zero", "f"), node("Relu", "f", "r"), node("SequenceInsert", "q2 r one", "q4"), node("Identity", "q4", "q5"), node("SequenceErase", "q5 zero", "q6"),
             node("SequenceErase", "q6", "q7"), node("ConcatFromSequence", "q5", "y", axis=1), node("ConcatFromSequence", "q6", "z", axis=-1, new_axis=1), node("ConcatFromSequence", "q7", "w", axis=0)]
    check(tmp_path, nodes, {"zero": np.array(0), "one": np.array(1)}, outputs=("y", "z", "w"), x=real(2, 3))


def test_lists_in_loops_and_branches(tmp_path):
    """Lists grow in a loop, and a branch chooses one."""
    seq = helper.make_tensor_sequence_value_info("q", F, None)
    b = body([node("Gather", "x i", "e"), node("Exp", "e", "v"), node("SequenceInsert", "q v", "q2"), node("Identity", "c", "c2")], "i:i c:b", "c2:b")
    b.input.append(seq)
    b.output.append(helper.make_tensor_sequence_value_info("q2", F, None))
    then, other = body([node("Identity", "all", "o")], "", ""), body([node("SequenceEmpty", "", "o")], "", "")
    for g in (then, other):
        g.output.append(helper.make_tensor_sequence_value_info("o", F, None))
    nodes = [node("SequenceEmpty", "", "none"), node("Loop", "n t none", "all", body=b), node("If", "t", "some", then_branch=then, else_branch=other), node("ConcatFromSequence", "some", "y", axis=0, new_axis=1)]
    check(tmp_path, nodes, {"n": np.array(3), "t": np.array(True)}, x=real(3, 4))


def test_sequence_map(tmp_path):
    b = body([node("Mul", "a k", "m"), node("Add", "m b", "s"), node("Neg", "a", "n")], "a b", "s n", {"k": real(4)})
    nodes = [node("SplitToSequence", "x", "q", axis=0), node("SequenceMap", "q z", "r g", body=b), node("SequenceMap", "r g", "r2 g2", body=b), node("ConcatFromSequence", "r2", "y", axis=0), node("ConcatFromSequence", "g", "w", axis=0)]
    check(tmp_path, nodes, outputs=("y", "w"), x=real(3, 4), z=real(1, 4))


BAD_LISTS = [  # nodes, what is said of the last
    ([node("SequenceAt", "x zero", name="the_node")], "SequenceAt: input 0: expected a sequence of tensors, found a tensor"),
    ([node("SequenceAt", "_ zero", name="the_node")], "SequenceAt: input 0: expected a sequence of tensors, found nothing"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceAt", "q two", name="the_node")], "SequenceAt: position 2 does not lie in a sequence of 2"),
    ([node("SequenceConstruct", "x x", "q"), node("Relu", "q", name="the_node")], "Relu: input 'q' is a sequence of tensors: expected a tensor"),
    ([node("SequenceEmpty", "", "q"), node("SequenceErase", "q", "q2", name="the_node"), node("ConcatFromSequence", "q2", axis=0)], "SequenceErase: the sequence is empty"),
    ([node("SequenceEmpty", "", "q"), node("ConcatFromSequence", "q", axis=0, name="the_node")], "ConcatFromSequence: the sequence is empty"),
    ([node("SplitToSequence", "x late", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: its sizes 'late' are no constant integers"),
    ([node("SplitToSequence", "x zero", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: parts must have 1 or more elements, found 0"),
    ([node("SplitToSequence", "x odd", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: part 1 of 5 elements does not fit the 2 that are left"),
    ([node("SplitToSequence", "long", "q", name="the_node"), node("SequenceAt", "q zero")], "SplitToSequence: a sequence of 100001 tensors is too long: 100000 are the most in a model"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceConstruct", "x", "r"), node("SequenceMap", "q r", "m", name="the_node", body=body([node("Add", "a b", "s")], "a b", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: input 1 has 1 elements, the first one 2"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceMap", "q x", "m", name="the_node", body=body([node("Relu", "a", "s")], "a", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: a body of 1 inputs and 1 outputs does not fit 2 inputs and 1 outputs"),
    ([node("SequenceConstruct", "x x", "q"), node("SequenceMap", "q", "m", name="the_node", body=body([node("SequenceConstruct", "a", "s")], "a", "s")), node("SequenceAt", "m zero")],
     "SequenceMap: output 's' of its body is a sequence of tensors: expected a tensor"),
    ([node("Loop", "three yes x", "y z", name="the_node", body=body([node("SequenceConstruct", "a", "s"), node("Identity", "c", "c2")], "i:i c:b a", "c2:b a s"))],
     "Loop: output 's' of its body is a sequence of tensors: expected a tensor"),
]


@pytest.mark.parametrize("nodes, said", BAD_LISTS, ids=range(len(BAD_LISTS)))
def test_sequences_that_are_refused(nodes, said, tmp_path):
    inits = {"zero": np.array(0), "two": np.array(2), "three": np.array(3), "odd": ints(1, 5), "yes": np.array(True)}
    says(model(nodes, {"x": (F, [3, 4]), "late": (I, []), "long": (F, [100001])}, ["y"], inits), tmp_path, "the_node", said)


def test_sequences_at_the_ends(tmp_path):
    done = tool(save(model([node("SequenceConstruct", "x x", "y")], {"x": (F, [3])}, ["y"]), tmp_path))
    assert done.stderr == (f"error: {tmp_path}/model.onnx: output 'y' is a sequence of tensors: expected a tensor\n"
                           "  end the model at the tensors that go into it, or join them: ConcatFromSequence\n")
    m = model([node("SequenceAt", "q zero")], {}, ["y"], {"zero": np.array(0)})
    m.graph.input.append(helper.make_tensor_sequence_value_info("q", F, [3]))
    refused(m, tmp_path, "input 'q' is a sequence, a map or an optional: expected a tensor")


def test_memory_of_sequences(tmp_path):
    """Each of many insertions makes a list as long as the last one and more."""
    nodes = [node("SequenceEmpty", "", "q0"), *[node("SequenceInsert", f"q{i} x", f"q{i + 1}") for i in range(600)], node("SequenceAt", "q600 zero", "y")]
    done = tool("--memory", 1000000, save(model(nodes, {"x": (F, [3])}, ["y"], {"zero": np.array(0)}), tmp_path))
    assert done.returncode == 1 and "tensors exceeds the memory limit" in done.stderr
    at = int(done.stderr.split("a sequence of ")[1].split()[0])
    assert 100 < at < 600 and done.stderr == f"error: {tmp_path}/model.onnx: layer 'q{at}': SequenceInsert: a sequence of {at} tensors exceeds the memory limit\n"
