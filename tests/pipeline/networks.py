"""The networks of the proof: where they are, what their ini and preprocess script say, which pictures they take."""
import dataclasses
import pathlib
import shutil
import sys

import cv2
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "tools"))
import toolchain as tc  # noqa: E402

INI = """[INPUT_CONFIG]
inputs={input};
training_input_formats={format};
input_formats={format};
quantizations=TRUE;
mean={mean};
std_value={std};

[OUTPUT_CONFIG]
outputs={outputs};
"""
SCRIPT = """import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    img = cv2.imread(img_path, cv2.IMREAD_{read})
    if img is None:
        raise FileNotFoundError('No such image: {{}}'.format(img_path))
    {shape}
    img = np.ascontiguousarray(img)[None]
    return ((img.astype(np.float32) - {mean}) / {std}).astype(np.float32) if norm else img
"""
CENTRE_224 = """top, left = (img.shape[0] - 224) // 2, (img.shape[1] - 224) // 2
    img = img[top:top + 224, left:left + 224, ::-1]"""
STRETCH_320 = "img = cv2.resize(img, (320, 240))[..., ::-1]"


def imagenet(_):
    folder = SHARED / "data/imagenet_sample"
    return [[folder / "images" / line.split()[0] for line in (folder / name).read_text().splitlines()] for name in ("calib.txt", "val.txt")]


def street_scenes(_):
    """Faces and people first: what the network looks for."""
    coco = sorted((SHARED / "data/coco128/images").rglob("*.jpg"))
    return coco[100:], sorted((SHARED / "data/demo").glob("*.jpg")) + coco[:100]


def mnist(work):
    digits = np.fromfile(SHARED / "data/mnist_test/images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
    files = []
    for i, d in enumerate(digits[:120]):
        files.append(work / ("digit_%03d.png" % i))
        cv2.imwrite(str(files[-1]), d)
    return files[:20], files[20:]


def own_lines(_):
    return [sorted((ROOT / "models/textline" / folder).glob("*.png")) for folder in ("calib", "test")]


@dataclasses.dataclass
class Network:
    model: pathlib.Path
    pictures: callable       # working folder -> pictures to calibrate, to test
    some: int                # pictures of the runs of which there are many
    emulated: int            # pictures on an emulator
    board: bool = False      # small enough for a microcontroller
    input: str = "input"
    outputs: str = "output"
    format: str = "RGB"
    mean: float = 0
    std: float = 1
    read: str = "COLOR"
    shape: str = ""

    def lay_out(self, work):
        """The user's files; {role: path}."""
        if ROOT in self.model.parents:
            return {name: shutil.copy(self.model.parent / name, work) for name in ("input_config.ini", "preprocess.py")}
        (work / "input_config.ini").write_text(INI.format_map(vars(self)))
        (work / "preprocess.py").write_text(SCRIPT.format_map(vars(self)))


def shared(path, pictures, **kw):
    return Network(SHARED / "models/onnx" / path, pictures, **kw)


NETWORKS = {
    "textline": Network(ROOT / "models/textline/textline.onnx", own_lines, some=50, emulated=2, board=True),
    "mnist_8": shared("mnist_8/mnist-8.onnx", mnist, some=100, emulated=5, board=True, input="Input3", outputs="Plus214_Output_0",
                      format="GRAY", read="GRAYSCALE", shape="img = img[..., None]"),
    "mobilenet_v1_0.25": shared("mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx", imagenet, some=10, emulated=2,
                                mean=127.5, std=127.5, shape=CENTRE_224),
    "mobilenet_v2_1.0": shared("mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx", imagenet, some=5, emulated=1,
                               mean=128, std=128, shape=CENTRE_224),
    "ultraface_rfb_320": shared("ultraface_rfb_320/version-RFB-320_without_postprocessing.onnx", street_scenes, some=4, emulated=1,
                                outputs="scores,boxes", mean=127, std=128, shape=STRETCH_320),
}
LEVELS = ("L1", "L2")
PICTURES = 100
CALIBRATION = 20


class Built:
    """A network taken through every stage by the command line, at each level."""

    def __init__(self, name, build, work):
        self.network, self.build, self.work = NETWORKS[name], build, pathlib.Path(work)
        for needed in (self.network.model,) + ((SHARED / "data",) if SHARED in self.network.model.parents else ()):
            if not needed.exists():
                pytest.skip("needs ../shared/%s" % needed.relative_to(SHARED) if SHARED in needed.parents else "needs %s" % needed)
        self.network.lay_out(self.work)
        self.ini, self.script = self.work / "input_config.ini", self.work / "preprocess.py"
        calibration, test = self.network.pictures(self.work)
        assert len(test) >= PICTURES and len(calibration) >= CALIBRATION
        self.test = test[:PICTURES]
        self.calibration = self.list("calib", calibration[:CALIBRATION])
        self.float = self.toolchain("float")
        self.float.convert(self.network.model, self.ini)
        self.level = {level: self.finish(level) for level in LEVELS}
        self.runs = {}

    def list(self, name, pictures):
        path = self.work / (name + ".txt")
        path.write_text("".join("%s\n" % p for p in pictures))
        return path

    def toolchain(self, stem, build=None):
        return tc.Toolchain(build or self.build, self.work, stem)

    def finish(self, level):
        """Calibrates and compiles; also the list of the image's kernels."""
        t = self.toolchain(level)
        shutil.copy(self.float.path("Float"), t.path("Float"))
        t.calibrate(self.ini, self.calibration, self.script, level, "--num_process", 1)
        t.compile("--kernels_file", self.work / ("kernels_%s.c" % level))
        return t

    def run(self, stage, level=None, pictures=PICTURES, *options):
        """{picture: outputs} of the first pictures; every run is made once."""
        key = (stage, level, pictures) + options
        if key not in self.runs:
            t = self.level[level] if level else self.float
            out = self.work / ("out_" + "_".join(str(k).strip("-") for k in key if k))
            images = self.list("test_%d" % pictures, self.test[:pictures])
            self.runs[key] = t.simulate(stage, images, self.script, *options, out=out)[0]
            assert len(self.runs[key]) == pictures
        return self.runs[key]

    def raw(self, level, pictures):
        """What a board gives to the image, and the bytes that must come out: [(file of inputs, [output bytes])]."""
        got = self.run("Offline", level, pictures, "--dump_rawdata")
        folder = self.work / ("out_Offline_%s_%d_dump_rawdata" % (level, pictures))
        return [(folder / (name + ".bin"), [o.tobytes() for o in outs]) for name, outs in got.items()]
