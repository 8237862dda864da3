#!/usr/bin/env python3
"""Other engines for bench.py, each in a process of its own.

    peers.py make NAME NETWORK.onnx FOLDER     the network in that engine's own form, of 8 bits but for the float rows, into FOLDER
    peers.py serve NAME FOLDER THREADS         answers `run N` as bench/serve.c does
    peers.py sessions NAME FOLDER N            milliseconds of the processor for each of N loads, after one that is not counted

The quantizers are those of `make accuracy` (tools/accuracy)."""
import importlib
import pathlib
import resource
import sys
import time
import types

import numpy as np

import ncnn_int8

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tools"), str(ROOT / "tools/accuracy")]  # behind our own folder, which has an ours and a page too
CALIBRATION = 4
FLOAT = ("nhwc_float.sim", "plain_float.sim")


def sample(shape, seed):
    """A made picture, normalized: coarse shapes and finer ones over them."""
    r = np.random.default_rng(seed)
    return sum(r.standard_normal((*shape[:2], n, n)).repeat(shape[2] // n, 2).repeat(shape[3] // n, 3) for n in (4, 8, 16, 32)).clip(-3, 3).astype(np.float32) / 1.5


class Case:
    """A network as the modules of tools/accuracy take it."""

    def __init__(self, model):
        side = 640 if "yolo" in model.stem else 224
        self.model, self.outputs, self.calibrate, self.shape = model, ["output"], list(range(1, 1 + CALIBRATION)), (1, 3, side, side)
        self.network = types.SimpleNamespace(input="input", format="")

    def array(self, seed, channel_first=False):
        x = sample(self.shape, seed)
        return x if channel_first else np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def quantizer(name):
    return importlib.import_module("peer_" + name)


class Onnxruntime:
    file = "quantized.onnx"

    def make(self, case, folder):
        quantizer("ort").quantized("MinMax", case, folder)

    def session(self, folder, threads):
        import onnxruntime
        o = onnxruntime.SessionOptions()
        o.log_severity_level, o.intra_op_num_threads, o.inter_op_num_threads = 3, threads, 1
        return onnxruntime.InferenceSession(str(folder / self.file), o, providers=["CPUExecutionProvider"])

    def load(self, folder, threads):
        session = self.session(folder, threads)
        bound = session.io_binding()
        bound.bind_cpu_input("input", sample(session.get_inputs()[0].shape, 0))
        bound.bind_output("output")
        return lambda: session.run_with_iobinding(bound)


class OnnxruntimeFloat(Onnxruntime):
    file = "prepared.onnx"

    def make(self, case, folder):
        quantizer("ort").prepared(case, folder)


class OpenVINO:
    def make(self, case, folder):
        import openvino as ov
        ov.save_model(quantizer("openvino").quantized("default", case), folder / "quantized.xml", compress_to_fp16=False)

    def load(self, folder, threads):
        import openvino as ov
        request = ov.Core().compile_model(str(folder / "quantized.xml"), "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}).create_infer_request()
        request.set_input_tensor(ov.Tensor(sample(list(request.model_inputs[0].shape), 0)))
        return request.infer


class LiteRT:
    """From our own float model, which is a TFLite file; where that has operators of ours, from one that is not simplified.  A division of bytes whose divisor rounds to
    nothing ends the run: those of spelled-out normalizations stay in float."""

    def make(self, case, folder):
        simplified, plain = (folder.parent / name for name in FLOAT)
        try:
            case.model = simplified
            quantizer("litert").quantized("default", case, folder)
        except RuntimeError:
            case.model = plain
            quantizer("litert").quantized("default", case, folder, ("DIV",))

    def load(self, folder, threads):
        from ai_edge_litert.interpreter import Interpreter
        run = Interpreter(model_path=str(folder / "quantized.tflite"), num_threads=threads)
        run.allocate_tensors()
        return run.invoke


class Ncnn:
    """Its converter may make another network of one, whose tensors may be of any size: so a limit, and a look at what the float model says."""
    MEMORY, CLOSE = 8 << 30, 0.02  # of the largest value

    def make(self, case, folder):
        import onnxruntime
        resource.setrlimit(resource.RLIMIT_AS, (self.MEMORY, self.MEMORY))
        stem = quantizer("ncnn").converted(case, folder)[0]
        ncnn_int8.mend_sums(case.model, folder / (stem + ".param"))
        x = case.array(0, True)
        right = onnxruntime.InferenceSession(str(case.model), providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
        found, = quantizer("ncnn").Net(folder, stem, "in0", ["out0"], [right.shape])(x)
        if np.abs(found - right).max() > self.CLOSE * np.abs(right).max():
            raise RuntimeError("what pnnx made of it for ncnn is another network: its float model's result is wrong")
        ncnn_int8.quantize(folder, stem, [case.array(k, True)[0] for k in case.calibrate])

    def load(self, folder, threads):
        import ncnn
        resource.setrlimit(resource.RLIMIT_AS, (self.MEMORY, self.MEMORY))
        net = ncnn.Net()
        net.opt.use_vulkan_compute, net.opt.num_threads = False, threads
        if net.load_param(str(folder / "q.param")) or net.load_model(str(folder / "q.bin")):
            raise RuntimeError("ncnn does not load it")
        side = 640 if "yolo" in folder.parent.name else 224
        picture = ncnn.Mat(sample((1, 3, side, side), 0)[0]).clone()

        def run():
            x = net.create_extractor()
            x.input("in0", picture)
            x.extract("out0")
        return run


PEERS = {"onnxruntime int8": Onnxruntime, "onnxruntime f32": OnnxruntimeFloat, "LiteRT int8": LiteRT, "OpenVINO int8": OpenVINO, "ncnn int8": Ncnn}


def serve(run):
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line.split()[1])):
            cpu, start = time.process_time(), time.perf_counter()
            run()
            end = time.perf_counter()
            times += ["%.4f" % (1e3 * t) for t in (end - start, time.process_time() - cpu)]
        print(" ".join(times), flush=True)


def sessions(load, number):
    load()
    for _ in range(number):
        cpu = time.process_time()
        load()
        print("%.4f" % (1e3 * (time.process_time() - cpu)), flush=True)


def main():
    verb, name, path, last = sys.argv[1:]
    if verb == "make":
        PEERS[name]().make(Case(pathlib.Path(path)), pathlib.Path(last))
    elif verb == "sessions":
        sessions(lambda: PEERS[name]().session(pathlib.Path(path), 1), int(last))
    else:
        serve(PEERS[name]().load(pathlib.Path(path), int(last)))


if __name__ == "__main__":
    main()
