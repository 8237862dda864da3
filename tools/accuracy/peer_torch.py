"""Quantizers in PyTorch, each in a process of .venv-torch (in_torch/run.py): ppq, and AdaRound, BRECQ and QDrop as we render the papers.

The network is a file of ONNX, its own or, of another format, our float model's (as_onnx.py), with constants folded by onnxruntime.  Its numbers in PyTorch are compared with
the float model's before anything is quantized."""
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import as_onnx
import ours
import peer_ort
import references
import toolchain as tc

PYTHON = tc.ROOT / ".venv-torch/bin/python"
RUN = pathlib.Path(__file__).parent / "in_torch/run.py"
LEAST = 80  # dB that the network in PyTorch is nearer to the float model than its quantizers could be


def folded(case, folder):
    """network.onnx in the folder."""
    before, after = folder / "before.onnx", folder / "network.onnx"
    if case.model.suffix == ".onnx":
        peer_ort.upgraded(case.model, before)
    else:
        as_onnx.write(ours.stages("", case).path("Float"), before, case.network.input, case.outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath, options.log_severity_level = str(after), 3
    onnxruntime.InferenceSession(str(before), options, providers=["CPUExecutionProvider"])
    onnx.save(for_batches(onnx.load(after)), after)


def for_batches(model):
    """Files of one picture say so in their reshapes; as -1, "what is left", several pass too, or as 0, "as it is", where something else is left."""
    shapes = {n.input[1] for n in model.graph.node if n.op_type == "Reshape"}
    for t in model.graph.initializer:
        value = numpy_helper.to_array(t)
        if t.name in shapes and value.size and value[0] == 1:
            t.CopyFrom(numpy_helper.from_array(np.concatenate([[0 if -1 in value else -1], value[1:]]).astype(np.int64), t.name))
    return model


def array(case, picture):
    """As network.onnx takes it."""
    x = case.array(picture, True)
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 and case.network.format == "RAWDATA_F32_NHWC" else x


def run_torch(case, folder, method, *options, pictures):
    np.save(folder / "score.npy", np.concatenate([array(case, p) for p in pictures]))
    command = [PYTHON, RUN, method, "--folder", folder, *options]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    subprocess.run([str(c) for c in command], check=True, env=dict(env, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python"))
    found = [np.load(folder / ("%d.npy" % k)) for k in range(len(case.outputs))]
    return {p.name: references.channel_last([f[i:i + 1] for f in found]) for i, p in enumerate(pictures)}


def check(case, folder):
    some = list(case.score)[:2]
    got = run_torch(case, folder, "float", pictures=some)
    near = tc.sqnr_db({p.name: case.reference[p.name] for p in some}, got)
    if near < LEAST:
        raise ValueError("in PyTorch the network is %.1f dB from its float model, expected %d" % (near, LEAST))


def run(option, case, folder):
    """option: (method, bits of weights, iterations, batch, threads)"""
    method, bits, iterations, batch, threads = option
    folded(case, folder)
    np.save(folder / "calibrate.npy", np.concatenate([array(case, p) for p in case.calibrate]))
    check(case, folder)
    more = ["--bits", bits, "--iterations", iterations, "--batch", batch, "--threads", threads]
    yield from run_torch(case, folder, method, *more, pictures=list(case.score)).items()
