"""ncnn: int8 convolutions and products by its tables (KL, ACIQ), the rest in float; reads ONNX by pnnx and Caffe by caffe2ncnn; run by ncnn.

ncnn2table, ncnn2int8 and caffe2ncnn are in no package: NCNN_TOOLS names the folder of a build that has them.  ncnnoptimize is left out: pnnx has fused
what it would, and on our Caffe networks, which have no normalizations to fold, it crashes."""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess

import ncnn
import numpy as np
import onnx

import references
import toolchain as tc

CLOSE = 0.02  # of the largest value: a float model that is farther from ours than this was not converted right


def call(*command, cwd):
    r = subprocess.run([str(c) for c in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        raise RuntimeError("%s ended with %d: %s" % (pathlib.Path(command[0]).name, r.returncode, r.stdout[-200:]))


def tool(name):
    folder = os.environ.get("NCNN_TOOLS")
    if not folder or not (pathlib.Path(folder) / name).exists():
        raise FileNotFoundError("no %s: NCNN_TOOLS is to name the folder of ncnn's tools" % name)
    return pathlib.Path(folder).resolve() / name


def pnnx():
    """The program in pnnx's package, which itself would import PyTorch."""
    return pathlib.Path(importlib.util.find_spec("pnnx").origin).parent / "pnnx"


def upgraded(text):
    """An input as a layer: its converter knows no other, and asks for files that Caffe's own tool has brought up to date."""
    dims = re.findall(r"^input_dim: *(\d+)", text, re.M)
    if len(dims) != 4:
        return text
    name = re.search(r'^input: *"([^"]+)"', text, re.M).group(1)
    layer = 'layer { name: "%s" type: "Input" top: "%s" input_param { shape: { %s } } }' % (name, name, " ".join("dim: " + d for d in dims))
    return re.sub(r"^input: .*", layer, re.sub(r"^input_dim: .*\n", "", text, flags=re.M), flags=re.M)


def converted(case, folder):
    """(stem of .param and .bin, the input's name there, the outputs' names)"""
    if case.model.suffix == ".prototxt":
        (folder / "m.prototxt").write_text(upgraded(case.model.read_text()))
        call(tool("caffe2ncnn"), "m.prototxt", tc.weights_of(case.model), "m.param", "m.bin", cwd=folder)
        return "m", case.network.input, case.outputs
    shutil.copy(case.model, folder / "m.onnx")
    shape = case.array(case.calibrate[0], True).shape
    call(pnnx(), "m.onnx", "fp16=0", "inputshape=[%s]" % ",".join(map(str, shape)), cwd=folder)
    order = [o.name for o in onnx.load(case.model).graph.output]
    return "m.ncnn", "in0", ["out%d" % order.index(n) for n in case.outputs]


class Net:
    def __init__(self, folder, stem, given, wanted, shapes):
        self.net, self.given, self.wanted, self.shapes = ncnn.Net(), given, wanted, shapes
        self.net.opt.use_vulkan_compute, self.net.opt.num_threads = False, 1
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
            setattr(self.net.opt, "use_" + name, False)
        if self.net.load_param(str(folder / (stem + ".param"))) or self.net.load_model(str(folder / (stem + ".bin"))):
            kinds = {line.split()[0] for line in (folder / (stem + ".param")).read_text().splitlines()[2:]}
            left = sorted(k for k in kinds if "." in k or ":" in k)  # what pnnx has no layer of ncnn for keeps PyTorch's name
            raise RuntimeError("ncnn does not load what pnnx made for it%s" % (", no layer for " + ", ".join(left) if left else ""))

    def __call__(self, x):
        run = self.net.create_extractor()
        run.input(self.given, ncnn.Mat(x[0]).clone())
        outputs = []
        for name, shape in zip(self.wanted, self.shapes):
            status, found = run.extract(name)
            if status:
                raise RuntimeError("ncnn ended with %d at output %s" % (status, name))
            found = np.array(found)
            outputs += references.channel_last([found[None]]) if len(shape) == 4 and found.ndim == 3 else [found.reshape(shape)]
        return outputs


def check(net, case):
    """A float model that is another network would be blamed on the quantizer."""
    picture = next(iter(case.score))
    for got, right in zip(net(case.array(picture, True)), case.reference[picture.name]):
        error = np.abs(got.ravel() - right.ravel()).max() / np.abs(right).max()
        if error > CLOSE:
            raise RuntimeError("its float model differs from the original by %.2g of the largest value" % error)


def table(case, folder, stem, method):
    files = []
    for i, picture in enumerate(case.calibrate):
        np.save(folder / ("%d.npy" % i), case.array(picture, True)[0])
        files.append("%d.npy\n" % i)
    (folder / "list.txt").write_text("".join(files))
    shape = case.array(case.calibrate[0], True).shape[1:]
    call(tool("ncnn2table"), stem + ".param", stem + ".bin", "list.txt", "m.table", "shape=[%s]" % ",".join(map(str, shape[::-1])), "thread=1", "method=" + method, "type=1", cwd=folder)


def run(option, case, folder):
    stem, given, wanted = converted(case, folder)
    shapes = [o.shape for o in next(iter(case.reference.values()))]
    check(Net(folder, stem, given, wanted, shapes), case)
    table(case, folder, stem, option)
    call(tool("ncnn2int8"), stem + ".param", stem + ".bin", "q.param", "q.bin", "m.table", cwd=folder)
    net = Net(folder, "q", given, wanted, shapes)
    for picture in case.score:
        yield picture.name, net(case.array(picture, True))
