"""sgs check and sgs extract: what a user learns before converting, and that what they print works when it is pasted."""
import re
import shlex

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from support import sgs, small_model

F = TensorProto.FLOAT


def model_of(path, nodes, inputs, outputs, constants=None, **more):
    """A model without onnx's own check: what is not supported here may be known nowhere."""
    def infos(table):
        return [helper.make_tensor_value_info(n, t, s) for n, (t, s) in table.items()]
    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), [numpy_helper.from_array(v, n) for n, v in (constants or {}).items()], **more)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("my.ops", 1)], ir_version=8), str(path))


def run(path, feed):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"]).run(None, feed)


def ini_of(text):
    """The input_config.ini in what check printed."""
    lines = text[text.index("an input_config.ini to start from:\n"):].split("\n")[1:]
    return "".join(line[2:] + "\n" for line in lines if line.startswith("  "))


def detector(path):
    """conv - relu - a map - RoiAlign, and boxes beside it."""
    r = np.random.default_rng(1)
    model_of(path, [helper.make_node("Conv", ["image", "w"], ["c"], name="first", kernel_shape=[3, 3], pads=[1] * 4),
                    helper.make_node("Relu", ["c"], ["r"], name="act"),
                    helper.make_node("Reshape", ["r", "to_boxes"], ["boxes"], name="flat"),
                    helper.make_node("Reshape", ["r", "to_map"], ["map"], name="flat2"),
                    helper.make_node("RoiAlign", ["map", "boxes", "picture"], ["chosen"], name="crop")],
             {"image": (F, [1, 3, 8, 8])}, {"chosen": (F, [64, 4, 1, 1])},
             {"w": r.standard_normal((4, 3, 3, 3)).astype(np.float32), "to_boxes": np.array([64, 4]), "to_map": np.array([1, 4, 16, 4]), "picture": np.zeros(64, np.int64)})


# ---- check -------------------------------------------------------------------------------------------------------------------


def test_a_model_that_can_be_taken(tmp_path):
    small_model(tmp_path / "m.onnx")
    r = sgs("check", "m.onnx", cwd=tmp_path)
    assert r.returncode == 0, r.stdout + r.stderr
    assert re.search(r"^m.onnx: ONNX, opset \d+.*, 8 nodes$", r.stdout, re.M)
    assert re.search(r"^input +data +f32 +\[1, 3, 16, 16\]$", r.stdout, re.M)
    assert re.search(r"^output +prob +f32 +\[1, 10\]$", r.stdout, re.M)
    assert re.search(r"^  Conv +3 +yes +yes *$", r.stdout, re.M) and re.search(r"^  Softmax +1 +yes +yes *$", r.stdout, re.M)
    assert "every node can be taken, in float and in fixed point" in r.stdout


@pytest.mark.parametrize("inputs", [1, 2])
def test_the_printed_ini_converts_the_model(tmp_path, inputs):
    small_model(tmp_path / "m.onnx", inputs=inputs)
    (tmp_path / "i.ini").write_text(ini_of(sgs("check", "m.onnx", cwd=tmp_path).stdout))
    r = sgs("convert-tool", "onnx", "--model_file", "m.onnx", "--input_config", "i.ini", "--output_file", "m.sim", cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    assert sgs("check", "m.onnx", "--input_config", "i.ini", cwd=tmp_path).returncode == 0


def test_raw_inputs_stand_behind_pictures_and_odd_names_in_quotes(tmp_path):
    model_of(tmp_path / "m.onnx", [helper.make_node("Flatten", ["pic;ture"], ["f"]), helper.make_node("Concat", ["vector", "f"], ["y z"], axis=1)],
             {"vector": (F, [1, 5]), "pic;ture": (F, [1, 3, 4, 4])}, {"y z": (F, [1, 53])})
    text = ini_of(sgs("check", "m.onnx", cwd=tmp_path).stdout)
    assert 'inputs="pic;ture",vector;' in text and "training_input_formats=RGB,RAWDATA_F32_NHWC;" in text and 'outputs="y z";' in text
    (tmp_path / "i.ini").write_text(text)
    r = sgs("convert-tool", "onnx", "--model_file", "m.onnx", "--input_config", "i.ini", "--output_file", "m.sim", cwd=tmp_path)
    assert r.returncode == 0, r.stderr


def test_a_postprocessing_tail_is_named_and_cut_off(tmp_path):
    detector(tmp_path / "m.onnx")
    r = sgs("check", "-m", "m.onnx", cwd=tmp_path)
    assert r.returncode == 1
    assert re.search(r"^  RoiAlign +1 +yes +no +post-processing", r.stdout, re.M)
    assert "without fixed-point form:\n  roialign 'crop' has no fixed-point form yet" in r.stdout
    assert "4 of 5 nodes" in r.stdout and "error: m.onnx: the float model can be made; 1 node has no fixed-point form" in r.stderr
    assert "outputs=map,boxes;" in ini_of(r.stdout)


def test_the_printed_command_cuts_the_part_out(tmp_path):
    detector(tmp_path / "m.onnx")
    printed = sgs("check", "m.onnx", cwd=tmp_path).stdout
    command = shlex.split(re.search(r"^ +(sgs extract .*)$", printed, re.M)[1])
    r = sgs(*command[1:], cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    part = onnx.load(str(tmp_path / "part.onnx"))
    onnx.checker.check_model(part)
    assert [o.name for o in part.graph.output] == ["map", "boxes"] and len(part.graph.node) == 4
    whole = onnx.load(str(tmp_path / "m.onnx"))
    whole.graph.output.extend([helper.make_tensor_value_info("map", F, None), helper.make_tensor_value_info("boxes", F, None)])
    onnx.save(whole, str(tmp_path / "whole.onnx"))
    feed = {"image": np.random.default_rng(2).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    for got, want in zip(run(tmp_path / "part.onnx", feed), run(tmp_path / "whole.onnx", feed)[1:]):
        assert np.array_equal(got, want)
    assert sgs("check", "part.onnx", cwd=tmp_path).returncode == 0


def test_everything_refused_is_listed_at_once(tmp_path):
    model_of(tmp_path / "m.onnx", [helper.make_node("Zap", ["x"], ["a"], name="one", domain="my.ops"), helper.make_node("Relu", ["a"], ["b"]),
                                   helper.make_node("Conv", ["x", "w"], ["c"], name="two", kernel_shape=[5, 5]),
                                   helper.make_node("Add", ["b", "c"], ["y"])],
             {"x": (F, [1, 3, 8, 8])}, {"y": (F, [1, 3, 8, 8])}, {"w": np.zeros((3, 3, 3, 3), np.float32)})
    r = sgs("check", "m.onnx", cwd=tmp_path)
    assert r.returncode == 1
    refused = r.stdout[r.stdout.index("2 of 4 nodes cannot be taken:"):]
    assert "Zap 'one': " in refused and "Conv 'two': " in refused and "kernel_shape" in refused
    assert re.search(r"^  my.ops.Zap +1 +no +no", r.stdout, re.M) and re.search(r"^  Relu +1 +yes", r.stdout, re.M)


def test_without_shapes_operators_are_judged_by_name(tmp_path):
    model_of(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (F, [1, 3, "height", "width"])}, {"y": (F, None)})
    r = sgs("check", "m.onnx", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, "error: m.onnx: dimension 2 ('height') of input 'x' is not fixed\n"
                                        "  give the whole shape, for example --input_shapes 1,3,224,224 (one shape per input, separated by ':')\n")
    assert "[1, 3, height, width]" in r.stdout and re.search(r"^  Relu +1 +yes +\?", r.stdout, re.M)
    r = sgs("check", "m.onnx", "--input_shapes", "1,3,4,4", cwd=tmp_path)
    assert r.returncode == 0, r.stderr


@pytest.mark.parametrize("args, message", [((), "expected --model_file"), (("nowhere.onnx",), "cannot open"), (("a.onnx", "b.onnx"), "found 'b.onnx'"),
                                           (("i.ini",), "i.ini")])
def test_clumsy_arguments(tmp_path, args, message):
    (tmp_path / "i.ini").write_text("[INPUT_CONFIG]\n")
    r = sgs("check", *args, cwd=tmp_path)
    assert r.returncode != 0 and message in r.stderr, r.stderr


def test_graphs_and_functions_within(tmp_path):
    """What cannot be taken is named where it lies; a loop and a function that can be are cut out whole."""
    end, i = helper.make_tensor_value_info, TensorProto.INT64
    body = helper.make_graph([helper.make_node("Mul", ["v", "w"], ["v2"]), helper.make_node("Identity", ["go"], ["go2"])], "body",
                             [end("i", i, []), end("go", TensorProto.BOOL, []), end("v", F, [4])], [end("go2", TensorProto.BOOL, []), end("v2", F, [4])])
    model_of(tmp_path / "m.onnx", [helper.make_node("Loop", ["n", "", "x"], ["a"], body=body), helper.make_node("Good", ["a"], ["b"], domain="my.ops"),
                                   helper.make_node("Bad", ["b"], ["c"], name="bad", domain="my.ops"), helper.make_node("Relu", ["c"], ["y"])],
             {"x": (F, [4])}, {"y": (F, [4])}, {"n": np.array(3), "w": np.float32([1, -2, 3, 4])})
    m = onnx.load(str(tmp_path / "m.onnx"))
    for name, nodes in (("Good", [helper.make_node("Neg", ["p"], ["q"])]), ("Bad", [helper.make_node("Neg", ["p"], ["t"]), helper.make_node("Zap", ["t"], ["q"], name="inner")])):
        m.functions.append(helper.make_function("my.ops", name, ["p"], ["q"], nodes, [helper.make_opsetid("", 13)]))
    onnx.save(m, str(tmp_path / "m.onnx"))
    r = sgs("check", "m.onnx", cwd=tmp_path)
    assert r.returncode == 1 and "  Bad 'bad': 'bad/inner': Zap: not supported\n" in r.stdout
    command = shlex.split(re.search(r"^ +(sgs extract .*)$", r.stdout, re.M)[1])
    assert sgs(*command[1:], cwd=tmp_path).returncode == 0
    got, = run(tmp_path / "part.onnx", {"x": np.float32([1, 2, 3, 4])})
    assert np.array_equal(got, -np.float32([1, 2, 3, 4]) * np.float32([1, -8, 27, 64]))


# ---- extract -----------------------------------------------------------------------------------------------------------------


def test_a_part_between_inner_tensors(tmp_path):
    small_model(tmp_path / "m.onnx")
    r = sgs("extract", "m.onnx", "-o", "p.onnx", "--inputs", "r0", "--outputs", "c2,r1", cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    part = onnx.load(str(tmp_path / "p.onnx"))
    onnx.checker.check_model(part, full_check=True)
    assert [n.op_type for n in part.graph.node] == ["Conv", "Relu", "Conv"]
    assert sorted(i.name for i in part.graph.initializer) == ["b1", "b2", "w1", "w2"]
    assert [d.dim_value for d in part.graph.input[0].type.tensor_type.shape.dim] == [1, 8, 8, 8]
    whole = onnx.load(str(tmp_path / "m.onnx"))
    whole.graph.output.extend(helper.make_tensor_value_info(n, F, None) for n in ("r0", "c2", "r1"))
    onnx.save(whole, str(tmp_path / "w.onnx"))
    _, r0, c2, r1 = run(tmp_path / "w.onnx", {"data": np.random.default_rng(3).standard_normal((1, 3, 16, 16)).astype(np.float32)})
    got = run(tmp_path / "p.onnx", {"r0": r0})
    assert np.array_equal(got[0], c2) and np.array_equal(got[1], r1)


def test_the_whole_model_is_a_part_of_itself(tmp_path):
    small_model(tmp_path / "m.onnx")
    assert sgs("extract", "m.onnx", "-o", "p.onnx", cwd=tmp_path).returncode == 0
    a, b = onnx.load(str(tmp_path / "m.onnx")), onnx.load(str(tmp_path / "p.onnx"))
    assert a.graph.node == b.graph.node and a.graph.initializer == b.graph.initializer and a.opset_import == b.opset_import
    assert a.graph.input == b.graph.input and a.graph.output == b.graph.output


def test_weights_in_files_beside_the_model(tmp_path):
    small_model(tmp_path / "m.onnx")
    onnx.save_model(onnx.load(str(tmp_path / "m.onnx")), str(tmp_path / "e.onnx"), save_as_external_data=True, location="e.bin", size_threshold=0)
    (tmp_path / "sub").mkdir()
    r = sgs("extract", "e.onnx", "-o", "sub/p.onnx", "--outputs", "r0", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (2, "error: e.onnx: the model keeps weights in files beside it; the part, in another folder, would not find them\n"
                                        "  write it to './'\n")
    assert not (tmp_path / "sub/p.onnx").exists()
    assert sgs("extract", "e.onnx", "-o", "p.onnx", "--outputs", "r0", cwd=tmp_path).returncode == 0
    assert run(tmp_path / "p.onnx", {"data": np.zeros((1, 3, 16, 16), np.float32)})[0].shape == (1, 8, 8, 8)


def test_names_that_are_not_there(tmp_path):
    small_model(tmp_path / "m.onnx")
    for option in ("--inputs", "--outputs"):
        r = sgs("extract", "m.onnx", "-o", "p.onnx", option, "r00", cwd=tmp_path)
        assert r.returncode == 1 and "'r00' is not a tensor of the model" in r.stderr and "did you mean 'r0'?" in r.stderr, r.stderr
    assert not (tmp_path / "p.onnx").exists()


def test_a_part_of_a_model_without_shapes(tmp_path):
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", F, None)], [helper.make_tensor_value_info("y", F, None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "m.onnx"))
    r = sgs("extract", "m.onnx", "-o", "p.onnx", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, "error: m.onnx: type or shape of 'x' is not known\n  store shapes in the model first: onnx.shape_inference.infer_shapes\n")


def test_a_part_behind_what_gives_no_shape(tmp_path):
    nodes = [helper.make_node("Zap", ["x"], ["z"], domain="my.ops"), helper.make_node("Relu", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", F, [1, 3])], [helper.make_tensor_value_info("y", F, None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("my.ops", 1)], ir_version=8), str(tmp_path / "m.onnx"))
    r = sgs("extract", "m.onnx", "-o", "p.onnx", "--inputs", "z", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, "error: m.onnx: input 'z' lies inside the model, behind nodes that cannot be taken, and the file gives no shape for it\n"
                                        "  store shapes in the model first: onnx.shape_inference.infer_shapes\n")
    model_of(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Relu", ["r"], ["y"])], {"x": (F, [1, 3, "height", "width"])}, {"y": (F, None)})
    r = sgs("extract", "m.onnx", "-o", "p.onnx", "--inputs", "r", cwd=tmp_path)
    assert (r.returncode, r.stderr) == (1, "error: m.onnx: input 'r' lies inside the model, behind nodes that cannot be taken, and the file gives no shape for it\n"
                                        "  store shapes in the model first: onnx.shape_inference.infer_shapes\n")


def test_a_file_with_two_graphs(tmp_path):
    """The last one counts; the first has more nodes."""
    small_model(tmp_path / "m.onnx")
    detector(tmp_path / "d.onnx")
    graph = onnx.load(str(tmp_path / "d.onnx")).graph.SerializeToString()
    length = bytes([len(graph) & 0x7f | 0x80, len(graph) >> 7]) if len(graph) < 1 << 14 else None
    (tmp_path / "two.onnx").write_bytes((tmp_path / "m.onnx").read_bytes() + b"\x3a" + length + graph)
    r = sgs("extract", "two.onnx", "-o", "p.onnx", "--outputs", "boxes", cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    assert (tmp_path / "p.onnx").exists()


def test_a_channel_last_model_with_its_ini(tmp_path):
    """check reads the ini as convert does: pictures say which axis the channels are on."""
    model_of(tmp_path / "m.onnx", [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), helper.make_node("Relu", ["t"], ["y"])],
             {"x": (F, [1, 8, 6, 3])}, {"y": (F, [1, 3, 8, 6])})
    (tmp_path / "i.ini").write_text("[INPUT_CONFIG]\ninputs=x\ninput_formats=RGB\nmean=0\nstd_value=1\n[OUTPUT_CONFIG]\noutputs=y\n")
    r = sgs("check", "m.onnx", "--input_config", "i.ini", cwd=tmp_path)
    assert r.returncode == 0 and "the model takes 'x' as N,H,W,C" in r.stdout, r.stdout + r.stderr
