"""Who else runs a model: onnxruntime, LiteRT, OpenCV for Caffe, and numpy for TensorFlow's graphs (tests/graphdef.py).

A reference is made of a model and of its inputs and outputs by name, and called with one array an input, shaped as the model says. It gives the outputs
as our models do, channel-last. `real`: it computes in real numbers; LiteRT runs what is quantized, be it the weights alone, in integers, as no float model does."""
import sys

import numpy as np

import toolchain as tc

sys.path.insert(0, str(tc.ROOT / "tests"))


class Nobody(tc.Failed):
    """Nobody here runs the model."""


class Onnxruntime:
    name, real, slow = "onnxruntime", True, False

    def __init__(self, model, inputs, outputs):
        """model: a path, or a file's bytes"""
        import onnxruntime
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), quiet, providers=["CPUExecutionProvider"])
        self.types = {x.name: np.int64 if "int64" in x.type else np.float32 for x in self.session.get_inputs()}
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, arrays):
        return channel_last(self.session.run(self.outputs, {n: np.asarray(x).astype(self.types[n]) for n, x in zip(self.inputs, arrays)}))


class LiteRT:
    name, slow = "LiteRT", False

    def __init__(self, model, inputs, outputs, plain=False):
        """plain: by its plain kernels instead of the fast ones"""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        kernels = OpResolverType.BUILTIN_REF if plain else OpResolverType.AUTO
        self.run = Interpreter(model_path=str(model), num_threads=1, experimental_op_resolver_type=kernels)
        self.again = None if plain else lambda: LiteRT(model, inputs, outputs, True)
        self.inputs, self.outputs = ([next(t for t in found if t["name"] == n) for n in names]
                                     for found, names in ((self.run.get_input_details(), inputs), (self.run.get_output_details(), outputs)))
        # Weights in bytes make it round what meets them to bytes too.
        self.real = not any(t["dtype"] in (np.int8, np.uint8) for t in self.run.get_tensor_details())
        self.shapes = None

    def __call__(self, arrays):
        shapes = [x.shape for x in arrays]
        if shapes != self.shapes:
            for t, x in zip(self.inputs, arrays):
                self.run.resize_tensor_input(t["index"], x.shape)
            self.run.allocate_tensors()
            self.shapes = shapes
        for t, x in zip(self.inputs, arrays):
            self.run.set_tensor(t["index"], stored(x, t))
        self.run.invoke()
        return [real(self.run.get_tensor(t["index"]), t) for t in self.outputs]


def stored(x, tensor):
    """Real numbers as the bytes that a quantized input takes."""
    kind, (scale, zero) = tensor["dtype"], tensor["quantization"]
    if kind in (np.int8, np.uint8):
        limits = np.iinfo(kind)
        x = np.clip(np.round(x / scale) + zero if scale else x, limits.min, limits.max)
    return np.asarray(x).astype(kind)


def real(x, tensor):
    scale, zero = tensor["quantization"]
    return (x.astype(np.float32) - zero) * np.float32(scale) if scale else x.astype(np.float32)


class Upsample:
    """OpenCV has none."""

    def __init__(self, params, blobs):
        self.scale = int(params["scale"])

    def getMemoryShapes(self, inputs):
        n, c, h, w = inputs[0]
        return [[n, c, h * self.scale, w * self.scale]]

    def forward(self, inputs):
        return [inputs[0].repeat(self.scale, 2).repeat(self.scale, 3)]


class OpenCV:
    name, real, slow, registered = "OpenCV", True, False, False

    def __init__(self, model, inputs, outputs):
        import cv2
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise Nobody("OpenCV %s reads no Caffe files: no reference here" % cv2.__version__)
        if not OpenCV.registered:  # a second time is an error that no one can catch
            cv2.dnn_registerLayer("Upsample", Upsample)
            OpenCV.registered = True
        try:
            self.net = cv2.dnn.readNetFromCaffe(str(model), str(tc.weights_of(model)))
        except cv2.error as e:
            raise Nobody("OpenCV does not read it: no reference here (%s)" % e.err) from e
        self.outputs = outputs

    def __call__(self, arrays):
        self.net.setInput(np.ascontiguousarray(arrays[0], np.float32))
        names = self.net.getUnconnectedOutLayersNames()
        found = dict(zip(names, self.net.forward(names)))
        return channel_last([detections(found[n]) for n in self.outputs])


def detections(o):
    """Of a list of detections, rows of class 0 are none: Caffe's are -1 throughout, OpenCV's 0."""
    if o.ndim == 4 and o.shape[:2] == (1, 1) and o.shape[3] == 7:
        o[o[..., 1] == 0] = -1
    return o


class Numpy:
    name, real, slow = "numpy", True, True

    def __init__(self, model, inputs, outputs):
        import graphdef
        self.graph, self.evaluate = graphdef.read(model), graphdef.evaluate
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, arrays):
        return self.evaluate(self.graph, dict(zip(self.inputs, arrays)), self.outputs)


def channel_last(outputs):
    return [np.moveaxis(o, 1, -1) if o.ndim == 4 else o for o in outputs]


KINDS = {".onnx": Onnxruntime, ".prototxt": OpenCV, ".tflite": LiteRT, ".pb": Numpy}


def of(model, inputs, outputs):
    return KINDS[model.suffix](model, inputs, outputs)


def channel_first(model):
    """Whether the model's pictures are N,C,H,W."""
    return model.suffix in (".onnx", ".prototxt")
