"""TFLite models through the command line: the manual's commands, quantized models, signatures, what goes wrong."""
import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("flatbuffers")
from support import ENV, PREPROCESS, ROOT, SDK, Project

sys.path.insert(0, str(ROOT / "tests/ops"))
from tflite_models import ACT, F32, I8, I32, U8, Model  # noqa: E402

INI = """\
[INPUT_CONFIG]
inputs="serving;data:0";
training_input_formats=RGB;
input_formats=RGB;
quantizations=TRUE;
mean=%s;
std_value=%s;
[OUTPUT_CONFIG]
outputs="prob/Softmax";
dequantizations=TRUE;
"""


def network(quantized=False):
    """conv - depthwise - mean - dense - softmax of a 16x16 picture, channels last."""
    m, r = Model(), np.random.default_rng(1)
    kind, more = (U8 if quantized else F32), (lambda scale, zero: {"scale": scale, "zero": zero} if quantized else {})

    def weights(name, *shape):
        v = r.normal(0, 0.3, shape)
        return m.const(name, np.clip(np.rint(v / 0.01) + 128, 0, 255), U8, scale=0.01, zero=128) if quantized else m.const(name, v.astype(np.float32))

    x = m.tensor("serving;data:0", [1, 16, 16, 3], kind, **more(1 / 64, 128))
    c = m.op("CONV_2D", [x, weights("w", 8, 3, 3, 3), bias(m, 8, quantized)], "c", [1, 8, 8, 8], kind, {"stride_w": 2, "stride_h": 2, ACT: 3}, **more(6 / 255, 0))
    d = m.op("DEPTHWISE_CONV_2D", [c, weights("d", 1, 3, 3, 8), bias(m, 8, quantized)], "d", [1, 8, 8, 8], kind, {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, ACT: 3}, **more(6 / 255, 0))
    p = m.op("AVERAGE_POOL_2D", [d], "p", [1, 1, 1, 8], kind, {"padding": 1, "stride_w": 8, "stride_h": 8, "filter_width": 8, "filter_height": 8}, **more(6 / 255, 0))
    f = m.op("RESHAPE", [p, m.const("s", np.array([1, 8]), I32)], "f", [1, 8], kind, **more(6 / 255, 0))
    y = m.op("FULLY_CONNECTED", [f, weights("k", 10, 8), -1], "y", [1, 10], kind, **more(0.05, 128))
    y = m.op("SOFTMAX", [y], "prob/Softmax", [1, 10], kind, {"beta": 1.0}, **more(1 / 256, 0))
    return m.bytes([x], [y])


def bias(m, n, quantized):
    return m.const(f"b{n}{len(m.buffers)}", np.arange(n) * 100, I32, scale=1e-4) if quantized else m.const(f"b{len(m.buffers)}", np.linspace(-1, 1, n))


class Lite(Project):
    def __init__(self, folder, quantized=False):
        super().__init__(folder)
        (self.folder / "m.tflite").write_bytes(network(quantized))
        mean, std = ("128:128:128", "64:64:64") if quantized else ("10:20:30", "50:60:70")
        self.write("input_config.ini", INI % (mean, std))
        if quantized:
            self.write("preprocess.py", PREPROCESS.replace("[10, 20, 30]", "[128, 128, 128]").replace("[50, 60, 70]", "[64, 64, 64]"))


def run(folder, script, *args):
    return subprocess.run([sys.executable, str(SDK / script), *args], cwd=folder, env=ENV, capture_output=True, text=True, timeout=120)


def litert(model, x):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_the_manuals_command(tmp_path):
    p = Lite(tmp_path / "p")
    (p.folder / "file.list").write_text("".join(f"pics/{i}.npy\n" for i in range(4)))
    r = run(p.folder, "Scripts/ConvertTool/SGS_converter.py", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "-i", "file.list", "-n", "preprocess.py",
            "--output_file", "save_model.img", "--soc_version", "CHIP", "--export_models")
    assert r.returncode == 0, r.stdout + r.stderr
    assert [f for f in p.files() if f.startswith("save")] == ["save_model.img", "save_model_fixed.sim", "save_model_float.sim"]
    assert float(re.search(r"SQNR +([\d.]+) dB +prob/Softmax", r.stdout)[1]) > 25


def test_float_model_is_the_original(tmp_path):
    """LiteRT runs the .sim as it runs the model."""
    p = Lite(tmp_path / "p")
    r = run(p.folder, "Scripts/ConvertTool/ConvertTool.py", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m.sim")
    assert r.returncode == 0 and "wrote m.sim" in r.stdout, r.stdout + r.stderr
    x = np.random.default_rng(1).normal(0, 1, (1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(litert((p.folder / "m.sim").read_bytes(), x), litert(network(), x), atol=1e-6)


def test_convert_tool_makes_sim_files(tmp_path):
    """The manual's example gives ConvertTool an .img."""
    p = Lite(tmp_path / "p")
    r = run(p.folder, "Scripts/ConvertTool/ConvertTool.py", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "save_model.img")
    assert (r.returncode, r.stderr) == (2, "error: expected an output file that ends in .sim, found 'save_model.img'\n")


def test_quantized_models(tmp_path):
    p = Lite(tmp_path / "p", quantized=True)
    args = ["convert", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--output_file", "m.img"]
    log = p.good(*args)
    assert ("the model is quantized, 6 tensors and 3 constants: read as real numbers, cut where a range may be an activation; --keep_quant keeps the scales\n") in log
    kept = p.good(*args, "--keep_quant", "--export_models")
    assert "the model is quantized, 6 tensors and 3 constants: --keep_quant keeps its scales\n" in kept
    assert float(re.search(r"SQNR +([\d.]+) dB|SQNR +(equal)", kept)[1] or 99) > 30


def test_half_precision_and_states_are_said(tmp_path):
    p = Lite(tmp_path / "p")
    m = Model()
    x = m.tensor("x", [1, 4])
    w = m.const("w", np.ones((4, 4)), 1)
    y = m.op("FULLY_CONNECTED", [x, m.op("DEQUANTIZE", [w], "real", [4, 4]), -1], "y", [1, 4])
    z = m.op("RNN", [y, m.const("a", np.ones((2, 4), np.float32)), m.const("b", np.ones((2, 2), np.float32)), m.const("c", np.ones(2, np.float32)), m.tensor("h", [1, 2], variable=True)], "z", [1, 2],
             options={ACT: 4})
    (p.folder / "m.tflite").write_bytes(m.bytes([x], [z]))
    log = p.good("check", "m.tflite")
    assert "1 constants are quantized or of half precision: read as float32\n" in log
    assert "'h' is a state that the model keeps between runs: here every run starts with zeros; with 'h' among the inputs and 'h:next' among the outputs of the configuration you keep it\n" in log
    assert "m.tflite: TFLite, 3 nodes\n" in log and "every node can be taken, in float and in fixed point\n" in log


def test_states_kept_outside(tmp_path):
    """A streaming model's state is an input and an output where the ini lists it: LiteRT runs the float .sim so, step after step."""
    p = Lite(tmp_path / "p")
    m = Model()
    x = m.tensor("x", [1, 4])
    w = [m.const(n, np.linspace(-1, 0.8, int(np.prod(s)), dtype=np.float32).reshape(s)) for n, s in (("a", (2, 4)), ("b", (2, 2)), ("c", (2,)))]
    z = m.op("RNN", [x, *w, m.tensor("rnn/h", [1, 2], variable=True)], "z", [1, 2], options={ACT: 4})
    (p.folder / "m.tflite").write_bytes(m.bytes([x], [z]))
    p.write("input_config.ini", "[INPUT_CONFIG]\ninputs=x,rnn/h;\ntraining_input_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC;\ninput_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC;\n"
            "quantizations=TRUE,TRUE;\n[OUTPUT_CONFIG]\noutputs=z,rnn/h:next;\ndequantizations=TRUE,TRUE;\n")
    log = p.good("convert-tool", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m_float.sim")
    assert "is a state" not in log
    whole, step = [pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=(p.folder / f).read_bytes()) for f in ("m.tflite", "m_float.sim")]
    for i in (whole, step):
        i.allocate_tensors()
    state = np.zeros((1, 2), np.float32)
    for turn in range(3):
        x = np.float32([[turn, 1, -0.5, 0.3]])
        whole.set_tensor(whole.get_input_details()[0]["index"], x)
        for at, v in zip(step.get_input_details(), (x, state)):
            step.set_tensor(at["index"], v)
        for i in (whole, step):
            i.invoke()
        got, state = [step.get_tensor(o["index"]) for o in step.get_output_details()]
        np.testing.assert_allclose(got, whole.get_tensor(whole.get_output_details()[0]["index"]), atol=1e-6)


def test_check_proposes_an_ini(tmp_path):
    p = Lite(tmp_path / "p")
    log = p.good("check", "m.tflite")
    assert 'inputs="serving;data:0";' in log and "outputs=prob/Softmax;" in log
    ini = "".join(line[2:].split("#")[0].rstrip() + "\n" for line in log[log.index("  [INPUT_CONFIG]"):].splitlines() if line.startswith("  "))
    p.write("input_config.ini", ini)
    p.good("convert-tool", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m.sim")


def test_cut_inside(tmp_path):
    p = Lite(tmp_path / "p")
    p.write("input_config.ini", (INI % ("10:20:30", "50:60:70")).replace('"prob/Softmax"', "d"))
    log = p.good("convert-tool", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m.sim")
    assert "the model is cut at 'd', which becomes an output\n" in log


def test_signatures(tmp_path):
    p = Lite(tmp_path / "p")
    m = Model()
    for kind in ("RELU", "TANH"):
        x = m.tensor("x", [1, 3])
        y = m.op(kind, [x], "y", [1, 3])
        if kind == "RELU":
            m.next_graph([x], [y])
    m.signatures = [("first", 0), ("second", 1)]
    (p.folder / "m.tflite").write_bytes(m.bytes([x], [y]))
    log = p.good("check", "m.tflite")
    assert "of the model's signatures 'first', 'second' 'first' is read; --signature NAME chooses another\n" in log and "RELU" in log
    assert "TANH" in p.good("check", "m.tflite", "--signature", "second")
    m.signatures = []
    (p.folder / "m.tflite").write_bytes(m.bytes([x], [y]))
    assert "of the model's 2 subgraphs the first is read\n" in p.good("check", "m.tflite")


def test_a_picture_whose_channels_come_first(tmp_path):
    """As converters of ONNX models leave it: the model moves them itself, the picture goes in as every picture."""
    p = Lite(tmp_path / "p")
    m, r = Model(), np.random.default_rng(2)
    x = m.tensor("serving;data:0", [1, 3, 16, 12])
    t = m.op("TRANSPOSE", [x, m.const("p", np.array([0, 2, 3, 1]), I32)], "t", [1, 16, 12, 3])
    c = m.op("CONV_2D", [t, m.const("w", r.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32)), bias(m, 8, False)], "c", [1, 8, 6, 8], options={"stride_w": 2, "stride_h": 2})
    m = m.bytes([x], [m.op("MEAN", [c, m.const("a", np.array([1, 2]), I32)], "prob/Softmax", [1, 8])])
    (p.folder / "m.tflite").write_bytes(m)
    log = p.good("convert-tool", "tflite", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m.sim")
    assert "transpose is left" not in log
    picture = r.normal(0, 1, (1, 16, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(litert((p.folder / "m.sim").read_bytes(), picture), litert(m, picture.transpose(0, 3, 1, 2).copy()), atol=1e-6)


def test_a_shape_that_comes_at_run_time(tmp_path):
    p = Lite(tmp_path / "p")
    m = Model()
    x, s = m.tensor("x", [2, 6]), m.tensor("s", [2], I32)
    y = m.op("RESHAPE", [x, s], "y", [3, 4])
    (p.folder / "m.tflite").write_bytes(m.bytes([x, s], [y]))
    assert "RESHAPE 'y' has the shape that the file gives it, whatever its input 's' says\n" in p.good("check", "m.tflite")


def test_other_platforms_files(tmp_path):
    p = Lite(tmp_path / "p")
    for command in ("convert-tool", "convert"):
        more = ["-i", "pics", "-n", "preprocess.py"] if command == "convert" else []
        r = p.sgs(command, "onnx", "--model_file", "m.tflite", "--input_config", "input_config.ini", "--output_file", "m.sim", *more)
        assert (r.returncode, r.stderr) == (2, "error: m.tflite: expected an ONNX model, found a name that ends in .tflite\n  the platform for it is tflite\n")
        r = p.sgs(command, "tflite", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "m.sim", *more)
        assert (r.returncode, r.stderr) == (2, "error: model.onnx: expected a TFLite model, found a name that ends in .onnx\n  the platform for it is onnx\n")
    r = p.sgs("convert-tool", "tflite", "-h")
    assert r.returncode == 0 and "--keep_quant" in r.stdout and "--signature" in r.stdout
