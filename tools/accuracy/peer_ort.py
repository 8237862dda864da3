"""onnxruntime's static quantization: QDQ, weights of a scale a channel, after its own pre-processing; run by onnxruntime."""
import logging

import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

import references

MOST = 20  # calibration keeps every tensor of so many pictures at a time


def chunk(n):
    return max(d for d in range(1, MOST + 1) if n % d == 0)


def upgraded(model, path):
    """A file of the opset that per-channel scales need, whose weights are no inputs: normalizations would not be folded, as it warns.  Of a model in memory the
    pre-processing would lose the weights that it has written to a file."""
    model = onnx.load(model)
    if next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")) < 13:
        model = onnx.version_converter.convert_version(model, 13)
    weights = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    onnx.save(model, path)
    return path


class Pictures(quantization.CalibrationDataReader):
    """set_range() is how its calibration takes a part after the other."""

    def __init__(self, case):
        self.case, self.files = case, case.calibrate
        self.set_range(0, len(self.files))

    def __len__(self):
        return len(self.files)

    def set_range(self, start_index, end_index):
        self.rest = iter(self.files[start_index:end_index])

    def get_next(self):
        picture = next(self.rest, None)
        return picture and {self.case.network.input: self.case.array(picture, True)}


def prepared(case, folder):
    path = folder / "prepared.onnx"
    quant_pre_process(upgraded(case.model, folder / "upgraded.onnx"), path, skip_symbolic_shape=True)
    return path


def quantized(option, case, folder):
    """The QDQ model's file."""
    logging.disable(logging.WARNING)
    model = folder / "quantized.onnx"
    pictures = Pictures(case)
    quantization.quantize_static(prepared(case, folder), model, pictures, per_channel=True, activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8, calibrate_method=quantization.CalibrationMethod[option],
                                 extra_options={"CalibStridedMinMax": chunk(len(pictures))})
    return model


def run(option, case, folder):
    model = quantized(option, case, folder)
    runner = references.Onnxruntime(model, [case.network.input], case.outputs)
    for picture in case.score:
        yield picture.name, runner([case.array(picture, True)])
