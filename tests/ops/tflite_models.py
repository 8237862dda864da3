"""Writes small TFLite files for tests: tensors, operators with options, signatures, any of it wrong where a test wants that."""
import struct

import flatbuffers
import numpy as np

F32, F16, I32, U8, I64, BOOL, I16, I8, F64, I4 = 0, 1, 2, 3, 4, 6, 7, 9, 10, 17
NUMPY = {F32: np.float32, F16: np.float16, I32: np.int32, U8: np.uint8, I64: np.int64, BOOL: np.bool_, I16: np.int16, I8: np.int8, F64: np.float64}

# BuiltinOperator, BuiltinOptions, {field: (slot, kind)}: the numbers of TFLite's schema that tests use.
ACT = "fused_activation_function"
WINDOW = {"padding": (0, "b"), "stride_w": (1, "i"), "stride_h": (2, "i")}
POOL = {**WINDOW, "filter_width": (3, "i"), "filter_height": (4, "i"), ACT: (5, "b")}
OPS = {
    "ADD": (0, 11, {ACT: (0, "b")}), "AVERAGE_POOL_2D": (1, 5, POOL), "CONCATENATION": (2, 10, {"axis": (0, "i"), ACT: (1, "b")}),
    "CONV_2D": (3, 1, {**WINDOW, ACT: (3, "b"), "dilation_w_factor": (4, "i"), "dilation_h_factor": (5, "i"), "quantized_bias_type": (6, "b")}),
    "DEPTHWISE_CONV_2D": (4, 2, {**WINDOW, "depth_multiplier": (3, "i"), ACT: (4, "b"), "dilation_w_factor": (5, "i"), "dilation_h_factor": (6, "i")}),
    "DEPTH_TO_SPACE": (5, 94, {"block_size": (0, "i")}), "DEQUANTIZE": (6, 0, {}), "EMBEDDING_LOOKUP": (7, 0, {}), "FLOOR": (8, 0, {}),
    "FULLY_CONNECTED": (9, 8, {ACT: (0, "b"), "keep_num_dims": (2, "b")}), "L2_NORMALIZATION": (11, 12, {ACT: (0, "b")}), "L2_POOL_2D": (12, 5, POOL),
    "LOCAL_RESPONSE_NORMALIZATION": (13, 13, {"radius": (0, "i"), "bias": (1, "f"), "alpha": (2, "f"), "beta": (3, "f")}), "LOGISTIC": (14, 0, {}),
    "LSTM": (16, 14, {ACT: (0, "b"), "cell_clip": (1, "f"), "proj_clip": (2, "f"), "kernel_type": (3, "b")}), "MAX_POOL_2D": (17, 5, POOL), "MUL": (18, 21, {ACT: (0, "b")}),
    "RELU": (19, 0, {}), "RELU_N1_TO_1": (20, 0, {}), "RELU6": (21, 0, {}), "RESHAPE": (22, 17, {"new_shape": (0, "v")}), "RNN": (24, 7, {ACT: (0, "b")}),
    "SOFTMAX": (25, 9, {"beta": (0, "f")}), "SPACE_TO_DEPTH": (26, 19, {"block_size": (0, "i")}), "SVDF": (27, 6, {"rank": (0, "i"), ACT: (1, "b")}), "TANH": (28, 0, {}),
    "PAD": (34, 22, {}), "UNIDIRECTIONAL_SEQUENCE_RNN": (35, 31, {"time_major": (0, "b"), ACT: (1, "b")}), "GATHER": (36, 23, {"axis": (0, "i"), "batch_dims": (1, "i")}),
    "BATCH_TO_SPACE_ND": (37, 24, {}), "SPACE_TO_BATCH_ND": (38, 25, {}), "TRANSPOSE": (39, 26, {}), "MEAN": (40, 27, {"keep_dims": (0, "b")}), "SUB": (41, 28, {ACT: (0, "b")}),
    "DIV": (42, 29, {ACT: (0, "b")}), "SQUEEZE": (43, 30, {"squeeze_dims": (0, "v")}),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (44, 71, {ACT: (0, "b"), "cell_clip": (1, "f"), "proj_clip": (2, "f"), "time_major": (3, "b"), "diagonal_recurrent_tensors": (5, "b")}),
    "STRIDED_SLICE": (45, 32, {"begin_mask": (0, "i"), "end_mask": (1, "i"), "ellipsis_mask": (2, "i"), "new_axis_mask": (3, "i"), "shrink_axis_mask": (4, "i"), "offset": (5, "b")}),
    "EXP": (47, 33, {}), "TOPK_V2": (48, 34, {}), "SPLIT": (49, 35, {"num_splits": (0, "i")}), "LOG_SOFTMAX": (50, 36, {}),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (52, 69, {ACT: (0, "b"), "cell_clip": (1, "f"), "proj_clip": (2, "f"), "merge_outputs": (3, "b"), "time_major": (4, "b")}),
    "CAST": (53, 37, {"in_data_type": (0, "b"), "out_data_type": (1, "b")}), "PRELU": (54, 0, {}), "MAXIMUM": (55, 39, {}), "MINIMUM": (57, 39, {}), "LESS": (58, 41, {}),
    "PADV2": (60, 43, {}), "GREATER": (61, 44, {}), "GREATER_EQUAL": (62, 45, {}), "LESS_EQUAL": (63, 46, {}), "SELECT": (64, 47, {}), "SLICE": (65, 48, {}),
    "TRANSPOSE_CONV": (67, 49, {**WINDOW, ACT: (3, "b"), "quantized_bias_type": (4, "b")}), "TILE": (69, 51, {}), "EXPAND_DIMS": (70, 52, {}), "EQUAL": (71, 53, {}), "NOT_EQUAL": (72, 54, {}),
    "SUM": (74, 27, {"keep_dims": (0, "b")}), "SHAPE": (77, 55, {"out_type": (0, "b")}), "FAKE_QUANT": (80, 58, {"min": (0, "f"), "max": (1, "f"), "num_bits": (2, "i"), "narrow_range": (3, "b")}),
    "PACK": (83, 59, {"values_count": (0, "i"), "axis": (1, "i")}), "LOGICAL_OR": (84, 60, {}), "ONE_HOT": (85, 61, {"axis": (0, "i")}), "LOGICAL_AND": (86, 62, {}),
    "LOGICAL_NOT": (87, 63, {}), "UNPACK": (88, 64, {"num": (0, "i"), "axis": (1, "i")}), "FLOOR_DIV": (90, 65, {}), "REDUCE_ANY": (91, 27, {"keep_dims": (0, "b")}),
    "ZEROS_LIKE": (93, 67, {}), "FILL": (94, 68, {}), "FLOOR_MOD": (95, 72, {}), "RANGE": (96, 73, {}), "SQUARED_DIFFERENCE": (99, 76, {}), "MIRROR_PAD": (100, 77, {"mode": (0, "b")}),
    "SPLIT_V": (102, 79, {"num_splits": (0, "i")}), "REVERSE_V2": (105, 81, {}), "ADD_N": (106, 82, {}), "GATHER_ND": (107, 83, {}), "RANK": (110, 86, {}), "QUANTIZE": (114, 89, {}),
    "IF": (118, 92, {"then_branch": (0, "i"), "else_branch": (1, "i")}), "WHILE": (119, 93, {"cond": (0, "i"), "body": (1, "i")}), "SCATTER_ND": (122, 97, {}), "SELECT_V2": (123, 98, {}), "CUMSUM": (128, 102, {"exclusive": (0, "b"), "reverse": (1, "b")}),
    "BROADCAST_TO": (130, 104, {}), "HASHTABLE": (136, 0, {}), "HASHTABLE_SIZE": (139, 0, {}), "CALL_ONCE": (129, 103, {"init": (0, "i")}), "REDUCE_ALL": (140, 27, {"keep_dims": (0, "b")}), "VAR_HANDLE": (142, 111, {"container": (0, "s"), "shared_name": (1, "s")}),
    "READ_VARIABLE": (143, 112, {}), "ASSIGN_VARIABLE": (144, 113, {}), "RELU_0_TO_1": (152, 0, {}), "ATAN2": (156, 122, {}), "LEAKY_RELU": (98, 75, {"alpha": (0, "f")}), "CUSTOM": (32, 0, {}),
}


class Graph:
    def __init__(self):
        self.tensors, self.operators, self.ends = [], [], ([], [])


class Model:
    """One subgraph or more; `const` and `op` add to the last."""

    def __init__(self):
        self.graphs, self.buffers, self.codes, self.signatures = [Graph()], [b""], [], []

    def next_graph(self, inputs, outputs):
        self.graphs[-1].ends = inputs, outputs
        self.graphs.append(Graph())

    def tensor(self, name, shape, kind=F32, scale=None, zero=None, axis=0, data=None, signature=None, variable=False, sparse=False):
        if data is not None:
            self.buffers.append(data)
        tensors = self.graphs[-1].tensors
        tensors.append((name, list(shape), kind, np.atleast_1d(scale).tolist() if scale is not None else [], np.atleast_1d(zero).tolist() if zero is not None else None, axis,
                        len(self.buffers) - 1 if data is not None else 0, signature, variable, sparse))
        return len(tensors) - 1

    def const(self, name, value, kind=F32, **more):
        value = np.asarray(value)
        if kind == I4:
            flat = np.append(value.ravel(), [0] * (value.size % 2)).astype(np.int64) & 15
            data = (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()
        else:
            data = value.astype(NUMPY[kind]).tobytes()
        return self.tensor(name, value.shape, kind, data=data, **more)

    def op(self, kind, inputs, name, shape, out=F32, options=None, custom=None, **more):
        """An operator with one output, whose number it returns; lists of names and shapes make several."""
        many = isinstance(name, (list, tuple))
        made = [self.tensor(n, s, k, **more) for n, s, k in zip(name, shape, out if isinstance(out, (list, tuple)) else [out] * len(name))] if many else [self.tensor(name, shape, out, **more)]
        self.put(kind, inputs, made, options, custom)
        return made if many else made[0]

    def put(self, kind, inputs, outputs, options=None, custom=None, intermediates=()):
        code = (kind, custom[0] if custom else None)
        if code not in self.codes:
            self.codes.append(code)
        self.graphs[-1].operators.append((self.codes.index(code), list(inputs), list(outputs), options or {}, custom[1] if custom else None, list(intermediates)))

    def bytes(self, inputs, outputs):
        self.graphs[-1].ends = inputs, outputs
        return Writer(self).bytes()


class Writer:
    def __init__(self, model):
        self.m, self.b = model, flatbuffers.Builder(4096)

    def table(self, size, fields):
        """fields: (slot, kind, value); an offset is made before."""
        b = self.b
        b.StartObject(size)
        for slot, kind, v in fields:
            if kind == "o":
                b.PrependUOffsetTRelativeSlot(slot, v, 0)
            elif kind == "f":
                b.PrependFloat32Slot(slot, v, 0.5e-30)
            else:
                {"b": b.PrependInt8Slot, "i": b.PrependInt32Slot, "u": b.PrependUint32Slot}[kind](slot, v, -77 if kind != "u" else 0xffffff77)
        return b.EndObject()

    def numbers(self, values, letter, each):
        b = self.b
        b.StartVector(each, len(values), each)
        b.head -= each * len(values)
        b.Bytes[b.Head():b.Head() + each * len(values)] = struct.pack(f"<{len(values)}{letter}", *values)
        return b.EndVector()

    def offsets(self, values):
        self.b.StartVector(4, len(values), 4)
        for v in reversed(values):
            self.b.PrependUOffsetTRelative(v)
        return self.b.EndVector()

    def buffer(self, data):
        if not data:
            return self.table(3, [])
        b = self.b
        b.StartVector(1, len(data), 16)
        b.head -= len(data)
        b.Bytes[b.Head():b.Head() + len(data)] = data
        return self.table(3, [(0, "o", b.EndVector())])

    def tensor(self, t):
        name, shape, kind, scale, zero, axis, buffer, signature, variable, sparse = t
        fields = [(0, "o", self.numbers(shape, "i", 4)), (1, "b", kind), (2, "u", buffer), (3, "o", self.b.CreateString(name)), (5, "b", variable)]
        if scale:
            quant = [(2, "o", self.numbers(scale, "f", 4)), (3, "o", self.numbers(zero or [0] * len(scale), "q", 8)), (6, "i", axis)]
            fields.append((4, "o", self.table(7, quant)))
        if sparse:
            fields.append((6, "o", self.table(3, [])))
        if signature:
            fields.append((7, "o", self.numbers(signature, "i", 4)))
        return self.table(8, fields)

    def operator(self, o):
        code, inputs, outputs, options, custom, intermediates = o
        _, number, known = OPS[self.m.codes[code][0]] if isinstance(self.m.codes[code][0], str) else (0, 0, {})
        fields = [(0, "u", code), (1, "o", self.numbers(inputs, "i", 4)), (2, "o", self.numbers(outputs, "i", 4))]
        if number:
            makers = {"v": lambda v: self.numbers(v, "i", 4), "s": self.b.CreateString}
            given = [(known[k][0], "o" if known[k][1] in makers else known[k][1], makers.get(known[k][1], lambda v: v)(v)) for k, v in options.items()]
            fields += [(3, "b", number), (4, "o", self.table(8, given))]
        if custom is not None:
            fields.append((5, "o", self.numbers(list(custom), "B", 1)))
        if intermediates:
            fields.append((8, "o", self.numbers(intermediates, "i", 4)))
        return self.table(9, fields)

    def code(self, code):
        kind, custom = code
        number = OPS[kind][0] if isinstance(kind, str) else kind
        name = [(1, "o", self.b.CreateString(custom))] if custom else []
        return self.table(4, [(0, "b", min(number, 127)), (2, "i", 2 if kind == "BROADCAST_TO" else 1), (3, "i", number), *name])

    def graph(self, g):
        tensors, operators = self.offsets([self.tensor(t) for t in g.tensors]), self.offsets([self.operator(o) for o in g.operators])
        return self.table(5, [(0, "o", tensors), (1, "o", self.numbers(g.ends[0], "i", 4)), (2, "o", self.numbers(g.ends[1], "i", 4)), (3, "o", operators)])

    def signature(self, s):
        key, graph = s
        return self.table(5, [(2, "o", self.b.CreateString(key)), (4, "u", graph)])

    def bytes(self):
        m = self.m
        codes, graphs = self.offsets([self.code(c) for c in m.codes]), self.offsets([self.graph(g) for g in m.graphs])
        fields = [(0, "u", 3), (1, "o", codes), (2, "o", graphs), (4, "o", self.offsets([self.buffer(d) for d in m.buffers]))]
        if m.signatures:
            fields.append((7, "o", self.offsets([self.signature(s) for s in m.signatures])))
        self.b.Finish(self.table(8, fields), file_identifier=b"TFL3")
        return bytes(self.b.Output())
