"""Our models and images for bench.py, through the command line as a user makes them: convolutions of 8 bits as the others have them, and once more of 16 bits."""
import hashlib
import pathlib
import re

import numpy as np

import gelu
import peers  # first: it says where toolchain is
import toolchain as tc

LEVEL, INPUT = "L2", "input.bin"
STEMS = {"ALL_UINT8": "ours", "ALL_INT16": "words"}  # of fixed-point models and images
INI = """[INPUT_CONFIG]
inputs=input;
training_input_formats=RAWDATA_F32_NHWC;
input_formats=RAWDATA_F32_NHWC;
input_layouts={layout};
[OUTPUT_CONFIG]
outputs=output;
dequantizations=TRUE;
[CONV_CONFIG]
input_format={bits};
"""
SCRIPT = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"


def digest(model):
    """What decides the fixed-point models: the network and the program's sources, but for those that only make or run images."""
    h = hashlib.sha256(model.read_bytes() + pathlib.Path(__file__).read_bytes())
    for p in sorted((tc.ROOT / "src").rglob("*.[ch]")):
        if p.parent.name != "compile":
            h.update(p.read_bytes())
    return h.hexdigest()


def float_models(t, model):
    """Ours, and the two for LiteRT, which knows GELU and not what it is spelled with."""
    plain = t.work / "gelu.onnx"
    gelu.merged(model, plain)
    for network, layout, out, *more in ((model, "NCHW", t.path("Float").name), (model, "NHWC", peers.FLOAT[0]), (plain, "NHWC", peers.FLOAT[1], "--skip_simplify")):
        (t.work / (layout + ".ini")).write_text(INI.format(layout=layout, bits="ALL_UINT8"))
        t.tool("ConvertTool/ConvertTool.py", "onnx", "--model_file", network, "--input_config", layout + ".ini", "--output_file", out, *more)


def fixed_models(t, case):
    for k in case.calibrate:
        np.save(t.work / ("%d.npy" % k), case.array(k, True))
    (t.work / "list.txt").write_text("".join("%d.npy\n" % k for k in case.calibrate))
    (t.work / "preprocess.py").write_text(SCRIPT)
    for bits, stem in STEMS.items():
        (t.work / (bits + ".ini")).write_text(INI.format(layout="NCHW", bits=bits))
        t.tool("calibrator/calibrator.py", "-m", t.path("Float"), "--input_config", bits + ".ini", "-i", "list.txt", "-n", "preprocess.py", "--quant_level", LEVEL,
               "--num_process", 2, "-o", stem + "_fixed.sim")


def make(build, model):
    """The network's folder: input.bin; of 8 bits ours_fixed.sim and ours.img, of 16 words_fixed.sim and words.img; what the compiler said of each, STEM.txt; the float
    models that LiteRT gets."""
    t = tc.Toolchain(build, model.with_suffix(""), "ours")
    mark, now, case = t.work / "made", digest(model), peers.Case(model)
    if not (mark.exists() and mark.read_text() == now):
        float_models(t, model)
        fixed_models(t, case)
        case.array(0, True).tofile(t.work / INPUT)
        mark.write_text(now)
    for stem in STEMS.values():
        said = t.tool("calibrator/compiler.py", "-m", stem + "_fixed.sim", "-o", stem + ".img")
        (t.work / (stem + ".txt")).write_text(said)
    return t.work


def arena(folder, stem="ours"):
    """(bytes of the arena, bytes that no plan goes without), as the compiler said."""
    found = re.search(r"arena: (\d+) bytes; no plan needs less than (\d+)", (folder / (stem + ".txt")).read_text())
    return int(found[1]), int(found[2])
