"""tensorflow_graphdef: the manual's command lines on a small graph, and every graph of ../shared through all stages."""
import pathlib
import sys

import numpy as np
import pytest

from support import SHARED, sgs

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import graphdef  # noqa: E402
from graphdef import BOOL, const, node, placeholder  # noqa: E402

GRAPHS = SHARED / "models/tf_pb"
RAW = "RAWDATA_F32_NHWC"
ARRAYS = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"


def ini(inputs, outputs):
    formats, yes = ",".join([RAW] * len(inputs)), ",".join(["TRUE"] * len(inputs))
    return f"[INPUT_CONFIG]\ninputs={','.join(inputs)};\ntraining_input_formats={formats};\ninput_formats={formats};\nquantizations={yes};\n" \
           f"[OUTPUT_CONFIG]\noutputs={','.join(outputs)};\ndequantizations={','.join(['TRUE'] * len(outputs))};\n"


def small():
    """conv - normalization in a branch - pool - product, and a flag of training."""
    r = np.random.default_rng(3)

    def numbers(name, *shape):
        return const(name, (r.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]) or 1)).astype(np.float32))
    return [placeholder("image", [-1, 12, 12, 3]), placeholder("phase_train", [], BOOL), numbers("w", 3, 3, 3, 8), numbers("b", 8),
            node("Conv2D", "conv", ["image", "w"], strides=[1, 2, 2, 1], padding="SAME"), node("BiasAdd", "bias", ["conv", "b"]),
            node("Switch", "sw", ["bias", "phase_train"]), node("Relu", "act", ["sw"]), node("Exp", "other", ["sw:1"]), node("Merge", "merge", ["act", "other"]),
            node("AvgPool", "pool", ["merge"], ksize=[1, 6, 6, 1], strides=[1, 1, 1, 1], padding="VALID"), const("flat", np.int32([-1, 8])), node("Reshape", "rows", ["pool", "flat"]),
            numbers("fc", 8, 10), node("MatMul", "logits", ["rows", "fc"]), node("Softmax", "prob", ["logits"])]


@pytest.fixture
def work(tmp_path):
    (tmp_path / "net.pb").write_bytes(b"".join(small()))
    (tmp_path / "input_config.ini").write_text(ini(["image:0"], ["prob"]))
    (tmp_path / "pre.py").write_text(ARRAYS)
    (tmp_path / "pics").mkdir()
    r = np.random.default_rng(4)
    for i in range(3):
        np.save(tmp_path / f"pics/{i}.npy", r.standard_normal((1, 12, 12, 3)).astype(np.float32))
    return tmp_path


def good(*args, cwd):
    r = sgs(*args, cwd=cwd)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def outputs(folder, stage, file):
    good("simulate", "-m", file, "-t", stage, "-i", "pics", "-n", "pre.py", "--output_dir", f"out_{stage}", "--dump_output", cwd=folder)
    return {p.name: np.load(p) for p in sorted((folder / f"out_{stage}").glob("*.npy"))}


CONVERT = ("convert", "tensorflow_graphdef", "--graph_def_file", "net.pb", "--input_config", "input_config.ini", "--input_shapes", "1,12,12,3", "-i", "pics", "-n", "pre.py",
           "--output_file", "net.img", "--soc_version", "CHIP")


def test_every_stage(work):
    said = good(*CONVERT, "--export_models", cwd=work)
    assert "'phase_train' is no input of the configuration: the flag is false\n" in said
    assert (work / "net_float.sim").exists() and (work / "net_fixed.sim").exists() and (work / "net.img").exists()
    nodes = graphdef.read(work / "net.pb")
    got = outputs(work, "Float", "net_float.sim")
    for i in range(3):
        want = graphdef.evaluate({**nodes, "phase_train": ("Const", [], {"value": np.bool_(False)})}, {"image": np.load(work / f"pics/{i}.npy")}, ["prob"])[0]
        assert np.abs(got[f"{i}.npy.output0.npy"] - want).max() < 1e-5
    fixed, offline = outputs(work, "Fixed", "net_fixed.sim"), outputs(work, "Offline", "net.img")
    assert fixed.keys() == offline.keys() and all(np.array_equal(fixed[k], offline[k]) for k in fixed)


def test_convert_tool_and_arrays(work):
    """The older form says the ini's names once more."""
    base = ("convert-tool", "tensorflow_graphdef", "--graph_def_file", "net.pb", "--input_config", "input_config.ini", "--input_shapes", "1,12,12,3", "--output_file", "x_float.sim")
    good(*base, cwd=work)
    first = (work / "x_float.sim").read_bytes()
    good(*base, "--input_arrays", "image:0", "--output_arrays", "prob", cwd=work)
    assert (work / "x_float.sim").read_bytes() == first
    r = sgs(*base, "--output_arrays", "logits", cwd=work)
    assert r.returncode == 1 and r.stderr.startswith("error: input_config.ini:7: outputs: --output_arrays says 'logits', the ini says 'prob'\n")


@pytest.mark.parametrize("args,said", [
    (CONVERT[:4] + CONVERT[6:], "expected --input_config"),
    (CONVERT[:6] + CONVERT[8:], "expected --input_shapes"),
    ((*CONVERT[:3], "net.onnx", *CONVERT[4:]), "net.onnx: expected a frozen GraphDef, NAME.pb, found a name that ends in .onnx\n  the platform for it is onnx"),
    ((*CONVERT, "--weight_file", "w"), "--weight_file belongs to the platform caffe"),
    ((*CONVERT[:7], "1,12,12,3:1", *CONVERT[8:]), "net.pb: --input_shapes 1,12,12,3:1: expected 1 shape, one for each of 'image:0', found 2\n"
     "  commas separate the sizes of one input, colons its shape from the next input's: 1,3,224,224:1,10"),
])
def test_refusals(args, said, work):
    r = sgs(*args, cwd=work)
    assert r.returncode in (1, 2) and r.stderr.startswith("error: ") and said in r.stderr, r.stderr


def test_check(work):
    said = good("check", "net.pb", cwd=work)
    assert "net.pb: TensorFlow, 9 nodes\n" in said and "every node can be taken, in float and in fixed point" in said
    assert "  inputs=image;\n  training_input_formats=RGB;" in said


def test_check_names_the_cut(work):
    (work / "net.pb").write_bytes(b"".join([placeholder("wav", [], graphdef.STRING), node("DecodeWav", "decoded", ["wav"]), node("AudioSpectrogram", "spectrogram", ["decoded"]),
                                            node("Mfcc", "mfcc", ["spectrogram", "decoded:1"]), node("Relu", "r", ["mfcc"]), node("Softmax", "y", ["r"])]))
    r = sgs("check", "net.pb", cwd=work)
    assert r.returncode == 1
    assert "Mfcc 'mfcc': no such operator" in r.stdout and "  inputs=mfcc;\n" in r.stdout and "  outputs=y;\n" in r.stdout
    (work / "input_config.ini").write_text(ini(["mfcc"], ["y"]))
    good("convert-tool", "tensorflow_graphdef", "--graph_def_file", "net.pb", "--input_config", "input_config.ini", "--input_shapes", "1,4,5", "-o", "x_float.sim", cwd=work)


# ---- the graphs of ../shared ----

KWS = ({"Mfcc": (1, 49, 10)}, ["labels_softmax"])
NETWORKS = {  # file: inputs with their shapes, outputs
    "armkws_cnn_s/CNN_S": KWS, "armkws_dnn_s/DNN_S": ({"Mfcc": (1, 25, 10)}, ["labels_softmax"]), "armkws_ds_cnn_s/DS_CNN_S": KWS, "armkws_ds_cnn_m/DS_CNN_M": KWS,
    "fsrcnn_x2/FSRCNN_x2": ({"IteratorGetNext": (1, 24, 20, 1)}, ["NCHW_output"]),
    "gap_body_detection/body_detection": ({"input": (1, 120, 160, 1)}, [f"{k}{i}_1/BiasAdd" for k in ("classes", "boxes") for i in (1, 2, 3, 4)]),
    "mnist_cnn/mnist": ({"Placeholder": (100, 784)}, ["softmax_linear/add"]),
    "mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32": ({"input": (1, 224, 224, 3)}, ["Softmax"]),
    "opencv_face_detector_uint8/opencv_face_detector_uint8": ({"data": (1, 300, 300, 3)}, ["mbox_loc", "mbox_conf_flatten"]),
    # the cascade has a loop and branches that pictures decide: its three networks, each by itself
    "mtcnn/mtcnn:pnet": ({"pnet/while/ResizeBilinear": (1, 60, 80, 3)}, ["pnet/while/Softmax", "pnet/while/conv4-2/BiasAdd"]),
    "mtcnn/mtcnn:rnet": ({"rnet/cond/CropAndResize": (1, 24, 24, 3)}, ["rnet/cond/prob1", "rnet/cond/conv5-2/BiasAdd"]),
    "mtcnn/mtcnn:onet": ({"onet/cond/CropAndResize": (1, 48, 48, 3)}, ["onet/cond/prob1", "onet/cond/conv6-2/BiasAdd", "onet/cond/conv6-3/BiasAdd"]),
}


@pytest.mark.skipif(not GRAPHS.exists(), reason="../shared/models is absent")
@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    inputs, results = NETWORKS[name]
    model, (input_name, shape) = GRAPHS / (name.partition(":")[0] + ".pb"), next(iter(inputs.items()))
    (tmp_path / "i.ini").write_text(ini(list(inputs), results))
    (tmp_path / "pre.py").write_text(ARRAYS)
    (tmp_path / "pics").mkdir()
    r = np.random.default_rng(5)
    scale = 50 if "face" in name else 1
    for i in range(2):
        np.save(tmp_path / f"pics/{i}.npy", (scale * r.standard_normal(shape)).astype(np.float32))
    good("convert", "tensorflow_graphdef", "--graph_def_file", model, "--input_config", "i.ini", "--input_shapes", ",".join(map(str, shape)), "-i", "pics", "-n", "pre.py",
         "--quant_level", "L1", "--output_file", "n.img", "--export_models", cwd=tmp_path)
    nodes = graphdef.read(model)
    got = outputs(tmp_path, "Float", "n_float.sim")
    for i in range(2):
        for k, want in enumerate(graphdef.evaluate(nodes, {input_name: np.load(tmp_path / f"pics/{i}.npy")}, results)):
            y = got[f"{i}.npy.output{k}.npy"]
            assert y.shape == want.shape and np.abs(y - want).max() <= 1e-4 * np.abs(want).max(), results[k]
    fixed, offline = outputs(tmp_path, "Fixed", "n_fixed.sim"), outputs(tmp_path, "Offline", "n.img")
    assert fixed.keys() == offline.keys() and all(np.array_equal(fixed[k], offline[k]) for k in fixed)
