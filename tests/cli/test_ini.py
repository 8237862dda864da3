"""input_config.ini against the model it is given with: each message in full, as the user reads it.  What needs no model is in
unit/test_config.c."""
import re

import pytest
from onnx import TensorProto, helper

from support import INI as PICTURE_INI, Project, save_model

F, I32 = TensorProto.FLOAT, TensorProto.INT32
INI = """\
[INPUT_CONFIG]
inputs=data,more
training_input_formats=RGB,RAWDATA_F32_NHWC
input_formats=BGR,RAWDATA_F32_NHWC
quantizations=TRUE,TRUE
mean=10:20:30
std_value=50:60:70
input_layouts=NHWC,NHWC
[OUTPUT_CONFIG]
outputs=map,row
dequantizations=TRUE,TRUE
output_layouts=NHWC,NHWC
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two inputs, two outputs, a tensor inside (`inner`) and names with everything in them."""
    p = Project(tmp_path_factory.mktemp("ini") / "p", pictures=0)
    odd = "odd;name, with #all"
    nodes = [helper.make_node("Relu", ["data"], ["inner"]), helper.make_node("Relu", ["inner"], ["map"]), helper.make_node("Relu", ["more"], ["row"]),
             helper.make_node("Relu", ["row"], [odd]), helper.make_node("Relu", [odd], ["last"])]
    save_model(p.folder / "m.onnx", {"data": (F, [1, 3, 4, 5]), "more": (F, [1, 7])}, {"map": (F, [1, 3, 4, 5]), "row": (F, [1, 7]), odd: (F, [1, 7])}, nodes, {})
    save_model(p.folder / "ints.onnx", {"data": (I32, [1, 3, 4, 5]), "more": (F, [1, 7])}, {"map": (F, [1, 3, 4, 5]), "row": (F, [1, 7])},
               [helper.make_node("Cast", ["data"], ["c"], to=F)] + [helper.make_node("Relu", [x], [y]) for x, y in (("c", "map"), ("more", "row"))], {})
    return p


def convert(project, ini, model="m.onnx", code=0):
    project.write("i.ini", ini)
    r = project.sgs("convert-tool", "onnx", "-m", model, "--input_config", "i.ini", "-o", "x.sim")
    assert r.returncode == code, (r.stdout, r.stderr)
    if code:
        assert not (project.folder / "x.sim").exists()
        return r.stderr
    (project.folder / "x.sim").unlink()
    return r.stdout


KNOWN = "the model's inputs: 'data' 'more'; outputs: 'map' 'row' 'odd;name, with #all'\n"
RAW = "\n  what is no picture takes RAWDATA_F32_NHWC, RAWDATA_S16_NHWC or RAWDATA_U8_NHWC, without mean and std_value\n"


@pytest.mark.parametrize("changes, message", [
    # names
    ([("inputs=data", "inputs=dta")], "i.ini:2: input 'dta' is not a tensor of the model\n  did you mean 'data'? " + KNOWN),
    ([("inputs=data", "inputs=xyzzy")], "i.ini:2: input 'xyzzy' is not a tensor of the model\n  " + KNOWN),
    ([("outputs=map", "outputs=mop")], "i.ini:10: output 'mop' is not a tensor of the model\n  did you mean 'map'? " + KNOWN),
    ([("outputs=map,row", "outputs=odd;name, with #all"), ("=TRUE,TRUE\no", "=TRUE\no"), ("output_layouts=NHWC,NHWC", "output_layouts=NHWC")], "i.ini:10: output 'odd' is not a tensor of the model\n"
     "  the model has 'odd;name, with #all': put the name in quotes\n"),
    ([("outputs=map,row", "outputs=data,row")], "i.ini:10: output 'data' is an input of the model: there is nothing to compute\n"),
    ([("inputs=data,more", "inputs=more"), (",RAWDATA_F32_NHWC", ""), ("RGB", "RAWDATA_F32_NHWC"), ("BGR", "RAWDATA_F32_NHWC"), ("TRUE,TRUE\nmean", "TRUE\n#"),
      ("std_value", "#"), ("layouts=NHWC,NHWC\n[", "layouts=NHWC\n[")],
     "i.ini:2: the model's input 'data' is needed, but the configuration does not list it\n  add 'data' to inputs= in input_config.ini\n"),
    # pictures on the board
    ([("mean", "input_width_alignment=65536,1\ninput_height_alignment=65536,1\nmean")],
     "i.ini:6: input_width_alignment: 'data' has 2 GiB or more with an alignment of 65536 x 65536\n"),
    ([("RAWDATA_F32_NHWC\ninput_formats=BGR,RAWDATA_F32", "RAWDATA_U16_NHWC\ninput_formats=BGR,RAWDATA_U16")],
     "i.ini:4: input_formats: RAWDATA_U16_NHWC is for integers that are indices of an embedding of at most 65536 rows, found 'more', type float32, read by row (clip)\n"
     "  write RAWDATA_S16_NHWC or RAWDATA_F32_NHWC for it\n"),
    # shapes and layouts
    ([("=RGB", "=GRAY"), ("=BGR", "=GRAY"), ("10:20:30", "1"), ("50:60:70", "1")],
     "i.ini:3: training_input_formats: GRAY needs an input of 1 channel, found 'data' with shape [1, 4, 5, 3] (NHWC), type float32\n"),
    ([("training_input_formats=RGB,RAWDATA_F32_NHWC\n", ""), ("=BGR", "=GRAY"), ("10:20:30", "1"), ("50:60:70", "1")],
     "i.ini:3: input_formats: GRAY needs an input of 1 channel, found 'data' with shape [1, 4, 5, 3] (NHWC), type float32\n"),
    ([("RAWDATA_F32_NHWC", "RGB"), ("10:20:30", "0,0"), ("50:60:70", "1,1")],
     "i.ini:3: training_input_formats: RGB needs an input of 4 dimensions, found 'more' with shape [1, 7] (NHWC), type float32" + RAW),
    ([("input_layouts=NHWC,NHWC", "input_layouts=NHWC,NCHW")], "i.ini:8: input_layouts: expected NHWC for 'more', as it has 2 dimensions, found NCHW\n"
     "  NCHW is for inputs of 4 dimensions; others stay as they are and take NHWC as a placeholder\n"),
    ([("output_layouts=NHWC,NHWC", "output_layouts=NHWC,NCHW")], "i.ini:12: output_layouts: expected NHWC for 'row', as it has 2 dimensions, found NCHW\n"
     "  NCHW is for outputs of 4 dimensions; others stay as they are and take NHWC as a placeholder\n"),
])
def test_refused(project, changes, message):
    ini = INI
    for old, new in changes:
        assert old in ini
        ini = ini.replace(old, new)
    assert convert(project, ini, code=1) == "error: " + message


def test_integer_pictures(project):
    assert convert(project, INI, "ints.onnx", 1) == (
        "error: i.ini:3: training_input_formats: RGB needs an input of floating-point numbers or bytes, found 'data' with shape [1, 4, 5, 3] (NHWC), type int32" + RAW)


@pytest.mark.parametrize("changes, said", [
    ([("inputs=data", "inputs=inner")], "the model is cut at 'inner', which becomes an input\n"),
    ([("outputs=map", "outputs=inner")], "the model is cut at 'inner', which becomes an output\n"),
    ([("outputs=map,row", 'outputs="odd;name, with #all",map')], ""),
    ([("outputs=map", "Outputs = row , "), (",row\nd", "map;\nd")], ""),
    ([("inputs=data,more", "inputs='data','more'")], ""),
    ([("inputs=data,more", 'inputs="data,more"')], ""),
])
def test_taken(project, changes, said):
    ini = INI
    for old, new in changes:
        assert old in ini
        ini = ini.replace(old, new)
    assert convert(project, ini) == "no --soc_version: CHIP, which runs everywhere\n%swrote x.sim\n" % said


@pytest.mark.parametrize("option, names, message", [
    ("--input_arrays", "more,data", "i.ini:2: inputs: --input_arrays says 'more,data', the ini says 'data,more'\n  write the same names in the same order, or leave --input_arrays out\n"),
    ("--output_arrays", "map", "i.ini:10: outputs: --output_arrays says 'map', the ini says 'map,row'\n  write the same names in the same order, or leave --output_arrays out\n"),
])
def test_arrays_say_what_the_ini_says(project, option, names, message):
    project.write("i.ini", INI)
    command = ("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "x.sim")
    r = project.sgs(*command, option, names)
    assert (r.returncode, r.stderr) == (1, "error: " + message)
    assert project.sgs(*command, "--input_arrays", "data, more", "--output_arrays=map,row").returncode == 0
    (project.folder / "x.sim").unlink()


def test_an_input_that_nothing_uses(project):
    project.write("i.ini", INI.replace("outputs=map,row", "outputs=map").replace("TRUE,TRUE\noutput", "TRUE\noutput").replace("output_layouts=NHWC,NHWC", ""))
    r = project.sgs("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "x.sim")
    assert (r.returncode, r.stderr) == (0, "warning: no output depends on input 'more'\n")
    (project.folder / "x.sim").unlink()


@pytest.fixture(scope="module")
def converted(project):
    project.write("i.ini", INI)
    project.good("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "m_float.sim")
    return project


AGAIN = "  convert the model again with this ini, or use the one it was converted with\n"


@pytest.mark.parametrize("tool", ["calibrate", "simulate"])
@pytest.mark.parametrize("changes, message", [
    ([("inputs=data", "inputs=dta")], "2: inputs: expected 'data', 'more', as the model was converted, found 'dta', 'more'\n"),
    ([("outputs=map,row", "outputs=row,map")], "10: outputs: expected 'map', 'row', as the model was converted, found 'row', 'map'\n"),
    ([("outputs=map,row", "outputs=map"), ("=TRUE,TRUE\no", "=TRUE\no"), ("output_layouts=NHWC,NHWC", "output_layouts=NHWC")],
     "10: outputs: expected 'map', 'row', as the model was converted, found 'map'\n"),
    ([("training_input_formats=RGB", "training_input_formats=BGR")], "3: training_input_formats: expected RGB for 'data', as the model was converted, found BGR\n"),
    ([("\ninput_formats=BGR", "\ninput_formats=RGB")], "4: input_formats: expected BGR for 'data', as the model was converted, found RGB\n"),
    ([("input_layouts=NHWC", "input_layouts=NCHW")], "8: input_layouts: expected NHWC for 'data', as the model was converted, found NCHW\n"),
    ([("mean", "input_width_alignment=16,1\nmean")], "6: input_width_alignment: expected 1 for 'data', as the model was converted, found 16\n"),
    ([("mean", "input_height_alignment=2,1\nmean")], "6: input_height_alignment: expected 1 for 'data', as the model was converted, found 2\n"),
    ([("output_layouts=NHWC", "output_layouts=NCHW")], "12: output_layouts: expected NHWC for 'map', as the model was converted, found NCHW\n"),
    ([("output_layouts=NHWC,NHWC\n", ""), ("outputs=map,row", "outputs=map,rows")], "10: outputs: expected 'map', 'row', as the model was converted, found 'map', 'rows'\n"),
])
def test_another_ini_than_the_models(converted, tool, changes, message):
    ini = INI
    for old, new in changes:
        assert old in ini
        ini = ini.replace(old, new)
    converted.write("other.ini", ini)
    r = converted.sgs(tool, "-m", "m_float.sim", "--input_config", "other.ini", "-i", "i.ini", "-n", "none.py")
    assert (r.returncode, r.stderr) == (1, "error: other.ini:" + message + AGAIN)


# ---- [CONV_CONFIG], which the calibrator reads -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """conv `first` reads the image, depthwise `depth` reads r0, conv `point` reads r1; the pictures are never looked at."""
    p = Project(tmp_path_factory.mktemp("conv") / "p")
    p.good("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "m_float.sim")
    p.base = (p.folder / "input_config.ini").read_text()
    return p


def calibrate(p, conv):
    p.write("conv.ini", p.base + "[CONV_CONFIG]\n" + conv)
    return p.sgs("calibrate", "-m", "m_float.sim", "--input_config", "conv.ini", "-i", "pics", "-n", "preprocess.py", "-o", "m_fixed.sim")


TAKE = "convolutions take 'data', 'r0', 'r1'\n"


@pytest.mark.parametrize("conv, message", [
    ("tensor_arrays=r0,r2", "conv.ini:12: tensor_arrays: 'r2' is not a tensor of the float model\n  did you mean 'r0'? " + TAKE),
    ("tensor_arrays=something", "conv.ini:12: tensor_arrays: 'something' is not a tensor of the float model\n  " + TAKE),
    ("input_format=ALL_INT16\ntensor_arrays=prob", "conv.ini:13: tensor_arrays: no convolution takes 'prob' as its data\n  " + TAKE),
    ("tensor_arrays=c0_0", "conv.ini:12: tensor_arrays: 'c0_0' became part of the layer that makes 'r0'\n  " + TAKE),
])
def test_tensor_arrays(small, conv, message):
    r = calibrate(small, conv)
    assert (r.returncode, r.stderr) == (1, "error: " + message)
    assert "Start to analysis images" not in r.stdout  # said before the long step


@pytest.mark.parametrize("conv, wide, warning", [
    ("", [], ""), ("tensor_arrays=;", [], ""), ("input_format=ALL_UINT8", [], ""),
    ("input_format=ALL_INT16", ["depth", "point"], ""), ("input_format=CONV2D_INT16", ["point"], ""), ("input_format=DEPTHWISE_INT16", ["depth"], ""),
    ("tensor_arrays=r1", ["point"], ""), ("input_format=DEPTHWISE_INT16\ntensor_arrays='r1'", ["depth", "point"], ""),
    ("tensor_arrays=data,r0", ["depth"], "warning: tensor_arrays: 'data' is an image; the convolution behind it stays 8 bit\n"),
])
def test_which_convolutions_are_wide(small, conv, wide, warning):
    r = calibrate(small, conv)
    asked = re.search(r"input_format=(\w+)", conv)
    switched = "warning: input_format=%s takes the place of L5's own choice of 8 or 16 bits\n" % asked[1] if asked else ""
    assert r.returncode == 0 and r.stderr == "warning: 4 pictures to calibrate with; about 100 give better ranges\n" + switched + warning
    text = (small.folder / "m_fixed.sim").read_bytes()
    # reasons of the weights' bits travel in the file, in the order of the layers
    reasons = re.findall(rb"(8|16) bit: (default|reads the image|asked for in the ini|alone leaves \d+ dB|8 alone would leave \d+ dB)", text)
    assert [w.decode() for w, _ in reasons] == ["8"] + ["16" if layer in wide else "8" for layer in ("depth", "point")]


def test_no_fixed_point_form_is_said_before_the_long_step(tmp_path):
    p = Project(tmp_path / "p", pictures=1)
    save_model(p.folder / "m.onnx", {"x": (F, [1, 3, 8, 8]), "w": (F, [4, 3, 3, 3])}, {"y": (F, [1, 4, 6, 6])}, [helper.make_node("Conv", ["x", "w"], ["y"], name="moving")], {})
    p.write("i.ini", "[INPUT_CONFIG]\ninputs=x,w\ninput_formats=RAWDATA_F32_NHWC,RAWDATA_F32_NHWC\n[OUTPUT_CONFIG]\noutputs=y\n")
    p.write("l.txt", "pics/0.npy,pics/0.npy\n")
    r = p.sgs("convert", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-i", "l.txt", "-n", "preprocess.py,preprocess.py", "-o", "m.img", "--export_models")
    assert (r.returncode, r.stderr) == (1, "error: m_float.sim: layer 'moving': operator conv has weights or a bias that are known only at run time\n")
    assert "Start to analysis images" not in r.stdout


NAMES = [("入力", "出力"), ("/in put:0", "/model/22/Concat_output_0"), ("é.ü", "a b\\c"), ("x" * 300, "y" * 300)]


@pytest.mark.parametrize("data, prob", NAMES, ids=range(len(NAMES)))
def test_names_of_all_kinds(tmp_path, data, prob):
    """With quotes and without; a name that is not there is near to one that is."""
    p = Project(tmp_path / "p", pictures=0)
    save_model(p.folder / "m.onnx", {data: (F, [1, 3, 16, 16])}, {prob: (F, [1, 3, 16, 16])}, [helper.make_node("Sigmoid", [data], [prob])], {})

    def run(x, y):
        p.write("i.ini", PICTURE_INI.replace("inputs=data;", f"inputs={x};", 1).replace("outputs=prob;", f"outputs={y};"))
        return p.sgs("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "x.sim")
    for quote in ('"', ""):
        r = run(quote + data + quote, quote + prob + quote)
        assert (r.returncode, r.stderr) == (0, "")
    r = run(data + data[-1], prob)
    assert r.returncode == 1 and r.stderr.startswith(f"error: i.ini:2: input '{data}{data[-1]}' is not a tensor of the model\n  did you mean '{data}'? ")
