"""OpenVINO with NNCF's post-training quantization; reads ONNX, TFLite and GraphDef; run by OpenVINO in float32 where a layer stays in float."""
import nncf
import numpy as np
import openvino as ov
from openvino.frontend import FrontEndManager

import references

OPTIONS = {"default": {}, "mixed": {"preset": nncf.QuantizationPreset.MIXED, "fast_bias_correction": False}}


def read(case):
    if case.model.suffix == ".pb":
        return cut(case)
    read_in = ov.convert_model(str(case.model))
    read_in.reshape(list(case.array(case.calibrate[0], case.model.suffix == ".onnx").shape))
    return read_in


def cut(case):
    """From the tensor that the case begins with, which is no input of the file: convert_model() would not have it."""
    front = FrontEndManager().load_by_framework("tf")
    graph = front.load(str(case.model))
    begin = graph.get_place_by_tensor_name(case.network.input + ":0")
    graph.extract_subgraph([begin], [graph.get_place_by_tensor_name(n + ":0") for n in case.outputs])
    graph.set_partial_shape(begin, ov.PartialShape([int(d) for d in case.network.shapes.split(",")]))
    graph.set_element_type(begin, ov.Type.f32)
    return front.convert(graph)


def named(ports, name):
    return next(p for p in ports if any(n == name or n.partition(":")[0] == name for n in p.get_names()))


def quantized(option, case):
    nncf.set_log_level(40)
    first = references.channel_first(case.model)
    data = nncf.Dataset([case.array(p, first) for p in case.calibrate])
    return nncf.quantize(read(case), data, subset_size=len(case.calibrate), target_device=nncf.TargetDevice.CPU, **OPTIONS[option])


def run(option, case, folder):
    first = references.channel_first(case.model)
    compiled = ov.Core().compile_model(quantized(option, case), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    ports = [named(compiled.outputs, n) for n in case.outputs]
    for picture in case.score:
        found = compiled(case.array(picture, first))
        outputs = [np.array(found[p]) for p in ports]
        yield picture.name, references.channel_last(outputs) if first else outputs
