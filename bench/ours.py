"""Our images for bench.py, through the command line as a user makes them: convolutions of 8 bits as the others have them."""
import hashlib
import pathlib

import numpy as np

import peers  # first: it says where toolchain is
import toolchain as tc

LEVEL = "L2"
INI = """[INPUT_CONFIG]
inputs=input;
training_input_formats=RAWDATA_F32_NHWC;
input_formats=RAWDATA_F32_NHWC;
input_layouts={layout};
[OUTPUT_CONFIG]
outputs=output;
dequantizations=TRUE;
[CONV_CONFIG]
input_format=ALL_UINT8;
"""
SCRIPT = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"


def digest(model):
    """What decides the fixed-point model: the network and the program's sources, but for those that only make or run images."""
    h = hashlib.sha256(model.read_bytes() + pathlib.Path(__file__).read_bytes())
    for p in sorted((tc.ROOT / "src").rglob("*.[ch]")):
        if p.parent.name != "compile":
            h.update(p.read_bytes())
    return h.hexdigest()


def make(build, model):
    """The network's folder: ours.img, input.bin, and the float models that LiteRT gets."""
    t = tc.Toolchain(build, model.with_suffix(""), "ours")
    mark, now, case = t.work / "made", digest(model), peers.Case(model)
    if not (mark.exists() and mark.read_text() == now):
        for layout, out, *more in (("NCHW", t.path("Float").name), ("NHWC", peers.FLOAT[0]), ("NHWC", peers.FLOAT[1], "--skip_simplify")):
            (t.work / (layout + ".ini")).write_text(INI.format(layout=layout))
            t.tool("ConvertTool/ConvertTool.py", "onnx", "--model_file", model, "--input_config", layout + ".ini", "--output_file", out, *more)
        for k in case.calibrate:
            np.save(t.work / ("%d.npy" % k), case.array(k, True))
        (t.work / "list.txt").write_text("".join("%d.npy\n" % k for k in case.calibrate))
        (t.work / "preprocess.py").write_text(SCRIPT)
        t.calibrate("NCHW.ini", "list.txt", "preprocess.py", LEVEL, "--num_process", 2)
        case.array(0, True).tofile(t.work / "input.bin")
        mark.write_text(now)
    t.compile()
    return t.work
