"""OpenVINO with NNCF's post-training quantization; reads ONNX, TFLite and GraphDef; run by OpenVINO in float32 where a layer stays in float."""
import nncf
import numpy as np
import openvino as ov

import references

OPTIONS = {"default": {}, "mixed": {"preset": nncf.QuantizationPreset.MIXED, "fast_bias_correction": False}}


def read(case):
    model, network = case.model, case.network
    if model.suffix == ".pb":
        shapes = [int(d) for d in network.shapes.split(",")]
        return ov.convert_model(str(model), input=[(network.input + ":0", shapes)], output=[n + ":0" for n in case.outputs])
    read_in = ov.convert_model(str(model))
    read_in.reshape(list(case.array(case.calibrate[0], model.suffix == ".onnx").shape))
    return read_in


def named(ports, name):
    return next(p for p in ports if any(n == name or n.partition(":")[0] == name for n in p.get_names()))


def run(option, case, folder):
    nncf.set_log_level(40)
    first = references.channel_first(case.model)
    data = nncf.Dataset([case.array(p, first) for p in case.calibrate])
    model = nncf.quantize(read(case), data, subset_size=len(case.calibrate), target_device=nncf.TargetDevice.CPU, **OPTIONS[option])
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    ports = [named(compiled.outputs, n) for n in case.outputs]
    for picture in case.score:
        found = compiled(case.array(picture, first))
        outputs = [np.array(found[p]) for p in ports]
        yield picture.name, references.channel_last(outputs) if first else outputs
