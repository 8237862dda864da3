"""What the tools say when something is wrong: whole messages, as the user reads them.  The ini's are in test_ini.py, the options' in
test_options.py, the scripts' in ../preprocess, the models' in ../ops."""
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from support import Project, save_model

F = TensorProto.FLOAT
NETWORK = ("--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py")


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """One project through every stage; broken copies of its files beside them."""
    p = Project(tmp_path_factory.mktemp("messages") / "p")
    r = p.convert("--export_models", out="m.img")
    assert r.returncode == 0, r.stderr
    for path, name, new, old in (("m_float.sim", "foreign.sim", b"sgs.cxnfig", b"sgs.config"), ("m_fixed.sim", "foreign_fixed.sim", b"sgs.cxnfig", b"sgs.config")):
        data = p.bytes(path)
        assert data.count(old) == 1
        (p.folder / name).write_bytes(data.replace(old, new))
    image = p.bytes("m.img")
    (p.folder / "newer.img").write_bytes(image[:8] + bytes([9, 0, 0, 0]) + image[12:])
    (p.folder / "flipped.img").write_bytes(image[:-1] + bytes([image[-1] ^ 1]))
    (p.folder / "short.img").write_bytes(image[:-1])
    (p.folder / "empty.sim").write_bytes(b"")
    (p.folder / "text.sim").write_bytes(b"not a model at all\n")
    p.write("labels", "one\ntwo\n")
    return p


def says(p, args, code, message, env=None):
    before = p.files()
    r = p.sgs(*args, env=env)
    assert (r.returncode, r.stderr) == (code, "error: " + message), r.stdout
    assert p.files() == before


CALIBRATE = ("calibrate", *NETWORK, "-m")
COMPILE = ("compile", "-m", "m_fixed.sim", "-o", "x.img")
SIMULATE = ("simulate", *NETWORK[2:], "--output_dir", "out", "-m")
SIZES = "n_buf runs any size up to that number; for a list of sizes write --batch_mode one_buf\n"


@pytest.mark.parametrize("args, code, message", [
    # calibrator
    ((*CALIBRATE, "m_float.sim", "--quant_level", "L6"), 2, "expected --quant_level L1 to L5, found 'L6'\n"),
    ((*CALIBRATE, "m_float.sim", "--quant_level", "2"), 2, "expected --quant_level L1 to L5, found '2'\n"),
    ((*CALIBRATE, "m_fixed.sim"), 2, "m_fixed.sim: expected a float model, found a fixed-point one\n"),
    ((*CALIBRATE, "foreign.sim"), 1, "foreign.sim: the model carries no configuration: it was not written by ConvertTool\n"),
    ((*CALIBRATE, "m_float.sim", "--quant_file", "q.json"), 1, "q.json: cannot open: No such file or directory\n"),
    # compiler
    ((*COMPILE, "--batch_mode", "two_buf"), 2, "expected --batch_mode n_buf or one_buf, found 'two_buf'\n"),
    ((*COMPILE, "-b", "0"), 2, "expected positive numbers in --batch, found '0'\n"),
    ((*COMPILE, "-b", "1;2"), 2, "expected positive numbers in --batch, found '1;2'\n"),
    ((*COMPILE, "-b", "1,2"), 2, "--batch_mode n_buf takes one number in --batch, found '1,2'\n  " + SIZES),
    ((*COMPILE, "-b", "1,2,1", "--batch_mode", "one_buf"), 2, "--batch names 1 twice\n"),
    ((*COMPILE, "-b", "1,2,3,4,5,6,7,8,9,10,11", "--batch_mode", "one_buf"), 2, "--batch takes at most 10 sizes, found '1,2,3,4,5,6,7,8,9,10,11'\n"),
    ((*COMPILE, "-b", "2147483647", "--batch_mode", "one_buf"), 1, "m_fixed.sim: --batch 2147483647: 'data' becomes larger than the 4 GiB an image can describe\n"),
    ((*COMPILE, "-c", "Clasification"), 2, "expected --category Classification, Detection or Unknown, found 'Clasification'\n"),
    ((*COMPILE, "-c", "Detection"), 2, "m_fixed.sim: --category Detection needs a model with 4 outputs; this one has 1\n  write --category Unknown, or leave it out\n"),
    ((*COMPILE, "--kernels_file", "k.h"), 2, "expected a name that ends in .c for the kernel list, found 'k.h'\n"),
    (("compile", "-m", "m_float.sim"), 1, "m_float.sim: expected a fixed-point model, found a float one\n  run the calibrator on it first and compile its result\n"),
    (("compile", "-m", "m.img"), 1, "m.img: expected a fixed-point model, found an image that is compiled already\n"),
    (("compile", "-m", "text.sim"), 1, "text.sim: this is not a .sim file (no TFL3 mark)\n"),
    # simulator
    ((*SIMULATE, "text.sim"), 1, "text.sim: expected a .sim model or an .img image of OpenIPU, found another kind of file\n"
     "  convert the model first; simulators run NAME_float.sim, NAME_fixed.sim and NAME.img\n"),
    ((*SIMULATE, "empty.sim"), 1, "empty.sim: expected a .sim model or an .img image of OpenIPU, found another kind of file\n"
     "  convert the model first; simulators run NAME_float.sim, NAME_fixed.sim and NAME.img\n"),
    ((*SIMULATE, "newer.img"), 1, "newer.img: the image has format version 9; this program reads version 2\n"
     "  compile the fixed-point model again with this program's compiler\n"),
    ((*SIMULATE, "flipped.img"), 1, "flipped.img: the image is truncated or damaged (image content does not match its hash)\n  compile it again, or copy it again\n"),
    ((*SIMULATE, "short.img"), 1, "short.img: the image is truncated or damaged (damaged image)\n  compile it again, or copy it again\n"),
    ((*SIMULATE, "m.img", "-t", "Fixed"), 2, "m.img: expected a fixed-point model, found an offline image\n"),
    ((*SIMULATE, "m_fixed.sim", "-t", "Offline"), 2, "m_fixed.sim: expected an offline image, found a fixed-point model\n"),
    ((*SIMULATE, "m_fixed.sim", "--threads", "1025"), 2, "m_fixed.sim: expected 1 to 1024 threads, found 1025\n"),
    ((*SIMULATE, "m_fixed.sim", "-c", "Classification", "-l", "labels"), 1, "labels: expected a label for each of the 10 scores, found 2 lines\n"),
    ((*SIMULATE, "m_fixed.sim", "-c", "Classification", "-l", "none"), 1, "none: cannot open: No such file or directory\n"),
    ((*SIMULATE, "m_fixed.sim", "--output_dir=labels/x"), 2, "--output_dir is given twice\n  sgs simulate -h lists the options\n"),
    (("simulate", *NETWORK[2:], "-m", "m_fixed.sim", "--output_dir", "labels/x"), 1, "labels/x: cannot make the folder: Not a directory\n"),
    # every tool
    ((*COMPILE, "--soc_version", "pcupid"), 1, "--soc_version 'pcupid' is not a target: OpenIPU compiles for open instruction sets, not for vendors' chips\n"
     "  write --soc_version CHIP (runs everywhere), or one of x86-64, aarch64, riscv64, cortex-m3, cortex-m4, cortex-m7, cortex-m33, cortex-m55\n"),
    # converter
    (("convert", "onnx", "-m", "model.prototxt", *NETWORK, "-o", "x.img"), 2, "model.prototxt: expected an ONNX model, found a name that ends in .prototxt\n"
     "  the platform for it is caffe\n"),
    (("convert", "onnx", "-m", "model.h5", *NETWORK, "-o", "x.img"), 2, "model.h5: expected an ONNX model, found a name that ends in .h5\n"
     "  the platform for it is keras, which comes with a later version\n"),
    (("convert", "caffe", "-m", "model.onnx", *NETWORK, "-o", "x.img"), 2, "model.onnx: expected a Caffe network, NAME.prototxt, found a name that ends in .onnx\n"
     "  the platform for it is onnx\n"),
    (("convert-tool", "caffe", "-m", "model.caffemodel", *NETWORK[:2], "-o", "x.sim"), 2,
     "model.caffemodel: expected a Caffe network, NAME.prototxt, found a name that ends in .caffemodel\n  it goes with --weight_file\n"),
    (("convert", "onnx", "-m", "model.onnx", *NETWORK, "-o", "x" * 5000), 2, "--output_file: the path is too long\n"),
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img"), 1, "none.onnx: cannot open: No such file or directory\n"),
    (("convert", "onnx", "-m", "model.onnx", "--input_config", "none.ini", *NETWORK[2:], "-o", "x.img"), 1, "none.ini: cannot open: No such file or directory\n"),
    # ... what its last stage will not take is said before the first one begins
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img", "-b", "1,2"), 2, "--batch_mode n_buf takes one number in --batch, found '1,2'\n  " + SIZES),
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img", "--batch_mode", "x"), 2, "expected --batch_mode n_buf or one_buf, found 'x'\n"),
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img", "-c", "x"), 2, "expected --category Classification, Detection or Unknown, found 'x'\n"),
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img", "-c", "Detection"), 2,
     "--category Detection needs a model with 4 outputs; this one has 1\n  write --category Unknown, or leave it out\n"),
    (("convert", "onnx", "-m", "none.onnx", *NETWORK, "-o", "x.img", "--kernels_file", "x"), 2, "expected a name that ends in .c for the kernel list, found 'x'\n"),
    (("convert", "onnx", "-m", "model.onnx", *NETWORK, "-o", "x.img", "--quant_file", "q.json"), 1, "q.json: cannot open: No such file or directory\n"),
    (("convert-tool", "onnx", "-m", "model.onnx", *NETWORK[:2], "-o", "x.sim", "--input_shapes", "1,3,8,8"), 2,
     "model.onnx: --input_shapes gives [1,3,8,8] for input 'data'; the model has [1,3,16,16] (-1: free)\n"),
    (("convert-tool", "onnx", "-m", "model.onnx", *NETWORK[:2], "-o", "x.sim", "--input_shapes", "1,3,x"), 2,
     "model.onnx: --input_shapes 1,3,x: expected sizes of 1 or more such as 1,3,224,224:1,10\n"),
    (("convert-tool", "onnx", "-m", "model.onnx", *NETWORK[:2], "-o", "x.sim", "--input_shapes", "1:2"), 2,
     "model.onnx: --input_shapes 1:2: expected 1 shape, one for each of 'data', found 2\n"
     "  commas separate the sizes of one input, colons its shape from the next input's: 1,3,224,224:1,10\n"),
])
def test_said(p, args, code, message):
    says(p, args, code, message)


def test_no_folder_for_intermediate_files(p):
    says(p, ("convert", "onnx", "-m", "model.onnx", *NETWORK, "-o", "x.img"), 1,
         "cannot make a folder for intermediate files in /no/such: No such file or directory\n"
         "  set TMPDIR to a folder that can be written, or keep the files with --export_models\n", env={"TMPDIR": "/no/such"})


# ---- a model that no image can hold: known only when it is compiled ---------------------------------------------------------------------


def network(tmp_path, inputs, outputs, nodes):
    p = Project(tmp_path / "p", pictures=0)
    save_model(p.folder / "m.onnx", inputs, outputs, nodes, {})
    names = ",".join(inputs)
    p.write("i.ini", "[INPUT_CONFIG]\ninputs=%s\ninput_formats=%s\n[OUTPUT_CONFIG]\noutputs=%s\n" % (
        names, ",".join(["RAWDATA_F32_NHWC"] * len(inputs)), ",".join(outputs)))
    first = next(iter(inputs.values()))[1]
    first = [first[i] for i in (0, 2, 3, 1)] if len(first) == 4 else first  # channels last
    np.save(p.folder / "pics/x.npy", np.ones(first, np.float32))
    p.write("l.txt", ",".join(["pics/x.npy"] * len(inputs)))
    p.write("s.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    r = p.sgs("convert", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-i", "l.txt", "-n", ",".join(["s.py"] * len(inputs)), "-o", "m.img", "--export_models",
              "--num_process", "1")
    assert r.returncode == 1 and not (p.folder / "m.img").exists()
    return r.stderr[r.stderr.index("error: "):]


def test_too_many_dimensions(tmp_path):
    shape = [1] * 6 + [3]
    assert network(tmp_path, {"x": (F, shape)}, {"y": (F, shape)}, [helper.make_node("Relu", ["x"], ["y"])]) == (
        "error: m_fixed.sim: 'x' has 7 dimensions; inputs and outputs of an image have at most 6\n")


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


CUBIC = {"mode": "cubic", "cubic_coeff_a": -1e6}


@pytest.mark.parametrize("x, y, nodes, said", [
    ([1, 1, 260, 260], [1, 1, 1, 2], [helper.make_node("AveragePool", ["x"], ["y"], name="it", kernel_shape=[260, 259])],
     "avgpool: expected a window of at most 65535 pixels, found 260x259"),
    ([1, 1, 8, 8], [1, 1, 16, 16], [constant("s", np.float32([1, 1, 2, 2])), helper.make_node("Resize", ["x", "", "s"], ["y"], name="it", **CUBIC)],
     "resize: the weights of the filter are too large: it multiplies a number by up to "),
])
def test_layers_that_no_kernel_takes(tmp_path, x, y, nodes, said):
    assert network(tmp_path, {"x": (F, x)}, {"y": (F, y)}, nodes).startswith("error: m_fixed.sim: layer 'it': " + said)


def test_bits_for_convolutions_that_are_not_there(tmp_path):
    p = Project(tmp_path / "p")
    save_model(p.folder / "model.onnx", {"data": (F, [1, 3, 16, 16])}, {"prob": (F, [1, 3, 16, 16])}, [helper.make_node("Relu", ["data"], ["prob"])], {})
    p.write("input_config.ini", (p.folder / "input_config.ini").read_text() + "[CONV_CONFIG]\ntensor_arrays=data\n")
    r = p.convert(out="m.img")
    assert (r.returncode, r.stderr) == (1, "error: input_config.ini:12: tensor_arrays: no convolution takes 'data' as its data\n"
                                        "  the model has no convolution whose data has a name: leave tensor_arrays out\n")


# ---- numbers that are none ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value, word", [(np.nan, "NaN"), (np.inf, "infinity")])
def test_numbers_that_are_none(tmp_path, value, word):
    p = Project(tmp_path / "p")
    for name, image in (("good", np.zeros((1, 16, 16, 3), np.float32)), ("bad", np.full((1, 16, 16, 3), value, np.float32))):
        np.save(p.folder / (name + ".npy"), image)
    p.write("raw.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    p.write("input_config.ini", "[INPUT_CONFIG]\ninputs=data\ninput_formats=RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs=prob\n")
    p.write("l.txt", "good.npy\nbad.npy\n")
    message = "error: raw.py: image_preprocess(norm=%s): expected numbers for input 'data', found " + word + " for picture 'bad.npy'\n"
    r = p.sgs("convert", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-i", "l.txt", "-n", "raw.py", "-o", "m.img")
    assert (r.returncode, r.stderr[r.stderr.index("error"):]) == (1, message % True)
    p.good("convert", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-i", "good.npy", "-n", "raw.py", "-o", "m.img", "--export_models")
    for m in ("m_float.sim", "m_fixed.sim", "m.img"):
        r = p.sgs("simulate", "-m", m, "-i", "l.txt", "-n", "raw.py")
        assert (r.returncode, r.stderr) == (1, message % (m == "m_float.sim"))


def test_a_network_that_makes_them(tmp_path):
    p = Project(tmp_path / "p", pictures=0)
    nodes = [helper.make_node("Div", ["x", "x"], ["q"], name="ratio"), helper.make_node("Relu", ["q"], ["y"])]
    save_model(p.folder / "m.onnx", {"x": (F, [1, 3])}, {"y": (F, [1, 3])}, nodes, {})
    p.write("i.ini", "[INPUT_CONFIG]\ninputs=x\ninput_formats=RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs=y\n")
    p.write("s.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    np.save(p.folder / "x.npy", np.float32([[1, 0, 2]]))
    p.good("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "m_float.sim")
    r = p.sgs("simulate", "-m", "m_float.sim", "-i", "x.npy", "-n", "s.py")
    assert (r.returncode, r.stderr) == (1, "error: m_float.sim: layer 'ratio': div gives NaN or infinity\n")
    r = p.sgs("calibrate", "-m", "m_float.sim", "--input_config", "i.ini", "-i", "x.npy", "-n", "s.py")
    assert (r.returncode, r.stderr[r.stderr.index("error"):]) == (1, "error: m_float.sim: layer 'ratio': with picture 'x.npy' the tensor 'q' holds NaN or infinity\n")
