"""Our float model as ONNX, for tools that read nothing else: what networks of TFLite and Caffe are given as to the quantizers in PyTorch.

A float .sim is a FlatBuffer of TFLite's schema; this knows the operators that the networks of `make accuracy-low-bit` hold, and refuses others.  Pictures are
channel-first, as ONNX has them.  Whoever makes a file compares it with the float model (peer_torch.py)."""
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
TYPES = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT32: np.int32}
ACTIVATIONS = {schema.ActivationFunctionType.RELU: "Relu", schema.ActivationFunctionType.RELU6: "Clip"}


class Unknown(ValueError):
    """This is no network of those."""


class Network:
    def __init__(self, path):
        model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        if len(model.subgraphs) != 1:
            raise Unknown("%s has %d graphs, expected one" % (path.name, len(model.subgraphs)))
        self.buffers, self.codes, self.graph = model.buffers, model.operatorCodes, model.subgraphs[0]
        self.nodes, self.constants, self.names = [], [], {}

    def tensor(self, i):
        return self.graph.tensors[i]

    def name(self, i):
        return self.names.get(i, "t%d" % i)

    def array(self, i):
        t = self.tensor(i)
        data = self.buffers[t.buffer].data
        return None if data is None or not len(data) else np.frombuffer(bytes(data), TYPES[t.type]).reshape(t.shape)

    def constant(self, array):
        name = "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def operand(self, i):
        """The tensor's name; a constant's becomes one of the file, channel-first where it has 4 dimensions."""
        array = self.array(i)
        return self.name(i) if array is None else self.constant(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array)

    def add(self, op, inputs, result, activation=schema.ActivationFunctionType.NONE, **options):
        if activation == schema.ActivationFunctionType.NONE:
            self.nodes.append(helper.make_node(op, inputs, [result], **options))
            return
        if activation not in ACTIVATIONS:
            raise Unknown("an operator has activation %d" % activation)
        self.nodes.append(helper.make_node(op, inputs, [result + "/before"], **options))
        ends = [self.constant(np.array(v, np.float32)) for v in (0, 6)] if ACTIVATIONS[activation] == "Clip" else []
        self.nodes.append(helper.make_node(ACTIVATIONS[activation], [result + "/before"] + ends, [result]))

    def rank(self, i):
        return len(self.tensor(i).shape)


def pads(net, op, kernel, dilation=(1, 1)):
    """Written out: not everyone knows auto_pad."""
    o, before, after = op.builtinOptions, [], []
    for n, k, s, d in zip(net.tensor(op.inputs[0]).shape[1:3], kernel, (o.strideH, o.strideW), dilation):
        more = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) if o.padding == schema.Padding.SAME else 0
        before, after = before + [int(more) // 2], after + [int(more) - int(more) // 2]
    return before + after


def conv(net, op, depthwise):
    o, w = op.builtinOptions, net.array(op.inputs[1])
    w = w.transpose(3, 0, 1, 2) if depthwise else w.transpose(0, 3, 1, 2)
    bias = [net.operand(op.inputs[2])] if len(op.inputs) > 2 and op.inputs[2] >= 0 else []
    net.add("Conv", [net.name(op.inputs[0]), net.constant(w)] + bias, net.name(op.outputs[0]), o.fusedActivationFunction, kernel_shape=list(w.shape[2:]),
            strides=[o.strideH, o.strideW], dilations=[o.dilationHFactor, o.dilationWFactor], pads=pads(net, op, w.shape[2:], (o.dilationHFactor, o.dilationWFactor)), group=w.shape[0] if depthwise else 1)


def full(net, op):
    """A picture that it reads whole is one of 1 pixel here, or was reshaped before."""
    o, given = op.builtinOptions, net.name(op.inputs[0])
    net.add("Flatten", [given], given + "/flat%d" % op.outputs[0])
    bias = [net.operand(op.inputs[2])] if len(op.inputs) > 2 and op.inputs[2] >= 0 else []
    net.add("Gemm", [given + "/flat%d" % op.outputs[0], net.operand(op.inputs[1])] + bias, net.name(op.outputs[0]), o.fusedActivationFunction, transB=1)


def pool(net, op, kind):
    o, kernel = op.builtinOptions, [op.builtinOptions.filterHeight, op.builtinOptions.filterWidth]
    net.add(kind, [net.name(op.inputs[0])], net.name(op.outputs[0]), o.fusedActivationFunction, kernel_shape=kernel, strides=[o.strideH, o.strideW], pads=pads(net, op, kernel))


def reshape(net, op):
    before, after = net.tensor(op.inputs[0]).shape, net.tensor(op.outputs[0]).shape
    if len(before) == 4 and max(before[1], before[2]) > 1 or len(after) == 4 and max(after[1], after[2]) > 1:
        raise Unknown("a reshape of pixels")
    net.add("Reshape", [net.name(op.inputs[0]), net.constant(np.array([after[0], after[3], 1, 1] if len(after) == 4 else after, np.int64))], net.name(op.outputs[0]))


def pad(net, op):
    sides = net.array(op.inputs[1])[[0, 3, 1, 2]]
    net.add("Pad", [net.name(op.inputs[0]), net.constant(sides.T.reshape(-1).astype(np.int64))], net.name(op.outputs[0]))


def mean(net, op):
    if sorted(a % 4 for a in net.array(op.inputs[1]).reshape(-1)) != [1, 2]:
        raise Unknown("a mean that is not of pixels")
    keep = op.builtinOptions.keepDims
    net.add("GlobalAveragePool", [net.name(op.inputs[0])], net.name(op.outputs[0]) + ("" if keep else "/mean"))
    if not keep:
        net.add("Flatten", [net.name(op.outputs[0]) + "/mean"], net.name(op.outputs[0]))


def joined(net, op):
    axis = op.builtinOptions.axis % net.rank(op.outputs[0])
    net.add("Concat", [net.operand(i) for i in op.inputs], net.name(op.outputs[0]), axis={0: 0, 1: 2, 2: 3, 3: 1}[axis] if net.rank(op.outputs[0]) == 4 else axis)


def softmax(net, op):
    net.add("Softmax", [net.name(op.inputs[0])], net.name(op.outputs[0]), axis=1 if net.rank(op.inputs[0]) == 4 else -1)


def add(net, op):
    net.add("Add", [net.operand(i) for i in op.inputs], net.name(op.outputs[0]), op.builtinOptions.fusedActivationFunction)


OPERATORS = {"CONV_2D": lambda n, o: conv(n, o, False), "DEPTHWISE_CONV_2D": lambda n, o: conv(n, o, True), "FULLY_CONNECTED": full, "ADD": add,
             "AVERAGE_POOL_2D": lambda n, o: pool(n, o, "AveragePool"), "MAX_POOL_2D": lambda n, o: pool(n, o, "MaxPool"), "RESHAPE": reshape, "PAD": pad, "MEAN": mean,
             "CONCATENATION": joined, "SOFTMAX": softmax, "RELU": lambda n, o: n.add("Relu", [n.name(o.inputs[0])], n.name(o.outputs[0]))}


def value(net, i, name):
    shape = [int(n) for n in net.tensor(i).shape]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], shape[3], *shape[1:3]] if len(shape) == 4 else shape)


def write(sim, target, given, results):
    """given, results: the names that the file's input and outputs get, in order."""
    net = Network(sim)
    net.names.update(zip(net.graph.inputs, [given]))
    net.names.update(zip(net.graph.outputs, results))
    for op in net.graph.operators:
        kind = NAMES[max(net.codes[op.opcodeIndex].builtinCode, net.codes[op.opcodeIndex].deprecatedBuiltinCode)]
        if kind not in OPERATORS:
            raise Unknown("no ONNX for the operator %s" % kind)
        OPERATORS[kind](net, op)
    graph = helper.make_graph(net.nodes, "network", [value(net, i, net.name(i)) for i in net.graph.inputs], [value(net, i, net.name(i)) for i in net.graph.outputs], net.constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), target)
