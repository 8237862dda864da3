"""Drives the command line as a user would, for the demo, the results and the tests."""
import os
import pathlib
import re
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "sdk/SGS_IPU_Toolchain/Scripts"
STAGES = ("Float", "Fixed", "Offline")
PLATFORMS = {".onnx": ("onnx", "--model_file"), ".prototxt": ("caffe", "--model_file"), ".tflite": ("tflite", "--model_file"),
             ".pb": ("tensorflow_graphdef", "--graph_def_file")}
DTYPES = {"float32": np.float32, "int16": np.int16, "uint8": np.uint8, "int32": np.int32}


class Failed(Exception):
    pass


def weights_of(model):
    """The caffemodel beside a prototxt: of its name, else the only one."""
    own = model.with_suffix(".caffemodel")
    return own if own.exists() else next(iter(model.parent.glob("*.caffemodel")))


def model_options(model):
    """(platform by the name, the options that say which files)"""
    model = pathlib.Path(model)
    platform, option = PLATFORMS[model.suffix]
    return platform, [option, model] + (["--weight_file", weights_of(model)] if platform == "caffe" else [])


class Toolchain:
    """One model in one working folder: float, fixed and offline files named after `stem`."""

    def __init__(self, build, work, stem):
        self.work = pathlib.Path(work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.stem = stem
        self.env = dict(os.environ, SGS_BIN=str((pathlib.Path(build) / "cli/sgs").resolve()), SGS_PYTHON=sys.executable)

    def path(self, stage):
        return self.work / {"Float": self.stem + "_float.sim", "Fixed": self.stem + "_fixed.sim", "Offline": self.stem + ".img"}[stage]

    def tool(self, script, *args):
        """Runs a launcher of the SDK tree; its output as text."""
        r = subprocess.run([sys.executable, str(SCRIPTS / script)] + [str(a) for a in args], cwd=self.work, env=self.env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise Failed("%s ended with %d:\n%s" % (script, r.returncode, r.stdout))
        return r.stdout

    def convert(self, model, ini, *more):
        platform, files = model_options(model)
        return self.tool("ConvertTool/ConvertTool.py", platform, *files, "--input_config", ini, "--output_file", self.path("Float"), *more)

    def calibrate(self, ini, images, preprocess, level, *more):
        return self.tool("calibrator/calibrator.py", "-m", self.path("Float"), "--input_config", ini, "-i", images, "-n", preprocess,
                         "--quant_level", level, "-o", self.path("Fixed"), *more)

    def compile(self, *more):
        return self.tool("calibrator/compiler.py", "-m", self.path("Fixed"), "-o", self.path("Offline"), *more)

    def simulate(self, stage, images, preprocess, *more, out=None):
        """Outputs of all pictures, {picture name: [array per output]}, and the median milliseconds of an inference."""
        out = out or self.work / ("output_" + stage.lower())
        text = self.tool("calibrator/simulator.py", "-m", self.path(stage), "-t", stage, "-i", images, "-n", preprocess,
                         "--output_dir", out, "--dump_output", *more)
        ms = re.search(r"([0-9.]+) ms per inference", text)
        return read_outputs(out), float(ms.group(1)) if ms else float("nan")


def read_outputs(folder):
    """<picture>.output<k>.npy of one simulator run."""
    found = {}
    for p in sorted(pathlib.Path(folder).glob("*.output*.npy")):
        picture, k = re.fullmatch(r"(.+)\.output(\d+)\.npy", p.name).groups()
        found.setdefault(picture, {})[int(k)] = np.load(p)
    return {name: [outs[k] for k in sorted(outs)] for name, outs in found.items()}


def sqnr_db(reference, got):
    """Signal to quantization noise over everything, in dB."""
    r = np.concatenate([a.ravel() for outs in reference.values() for a in outs]).astype(np.float64)
    g = np.concatenate([a.ravel() for name in reference for a in got[name]]).astype(np.float64)
    noise = ((r - g) ** 2).sum()
    return float("inf") if noise == 0 else 10 * np.log10((r ** 2).sum() / noise)


def cosine(reference, got):
    """Mean over pictures of the cosine of all outputs together."""
    values = []
    for name, outs in reference.items():
        r = np.concatenate([a.ravel() for a in outs]).astype(np.float64)
        g = np.concatenate([a.ravel() for a in got[name]]).astype(np.float64)
        values.append((r @ g) / (np.linalg.norm(r) * np.linalg.norm(g) + 1e-300))
    return float(np.mean(values))


def different(a, b):
    """How many pictures differ in any byte."""
    return sum(any(x.tobytes() != y.tobytes() for x, y in zip(a[name], b[name])) for name in a)


def decisions(outputs, label):
    """Of the first output, the index of the largest value; of several samples one each, as there are labels."""
    return outputs[0].reshape(np.size(label), -1).argmax(1)


def top1(outputs, labels):
    """Share of samples whose largest value of the first output is the label; a sample of several has a label for each."""
    return float(np.mean(np.concatenate([decisions(outputs[name], k) == k for name, k in labels.items()])))
