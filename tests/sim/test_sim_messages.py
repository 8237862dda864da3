"""What the reader of .sim files says about each rule that a file can break: one small file for each, and the whole message."""
import os
import pathlib
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = os.environ.get("SIM_TOOL", str(ROOT / "build" / "tests" / "sim" / "sim_tool"))
F32, S32, U8, S64, COMPLEX = 0, 2, 3, 4, 8
CUSTOM = 32


def put(out, at, thing):
    """A FlatBuffer object behind all others, which the offset at `at` points to.  Tables are {slot: (format, number) or object}, vectors
    of numbers (format, numbers), of objects lists."""
    pos = len(out)
    if isinstance(thing, dict):
        slots, body, refs = [0] * (max(thing, default=-1) + 1), b"", []
        for slot, x in thing.items():
            slots[slot] = 4 + len(body)
            if isinstance(x, tuple) and not isinstance(x[1], (list, bytes)):
                body += struct.pack("<" + x[0], x[1])
            else:
                refs.append((slots[slot], x))
                body += bytes(4)
        out += struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), 4 + len(body), *slots)
        pos = len(out)
        out += struct.pack("<i", 4 + 2 * len(slots)) + body
    elif isinstance(thing, list):
        out += struct.pack("<I", len(thing)) + bytes(4 * len(thing))
        refs = [(4 + 4 * i, x) for i, x in enumerate(thing)]
    else:
        kind, data = ("s", thing.encode()) if isinstance(thing, str) else thing
        out += struct.pack("<I", len(data)) + (data + b"\0" if kind == "s" else struct.pack(f"<{len(data)}{kind}", *data))
        refs = []
    struct.pack_into("<I", out, at, pos - at)
    for offset, x in refs:
        put(out, pos + offset, x)


def tensor(name, shape, data=None, kind=F32, quant=None, **more):
    """data: of a constant, (format, numbers)."""
    return {"name": name, "shape": shape, "data": data, "kind": kind, "quant": quant, **more}


def ints(name, *numbers, shape=None, kind=S32):
    return tensor(name, shape or [len(numbers)], ("i" if kind == S32 else "q", list(numbers)), kind)


def floats(name, *shape):
    count = 1
    for n in shape:
        count *= n
    return tensor(name, list(shape), ("f", [0.5] * count))


def operator(code, ins, outs, options=None, custom=None):
    """options: (kind of table, table); code: its place in the list of codes."""
    fields = {0: ("I", code), 1: ("i", ins), 2: ("i", outs)}
    if options:
        fields.update({3: ("B", options[0]), 4: options[1]})
    if custom is not None:
        fields[5] = ("B", custom)
    return fields


def model(tensors, operators=(), codes=(), ins=(0,), outs=(0,), metadata=(), version=3, subgraphs=1, buffers=()):
    """codes: builtin operators, or names of custom ones."""
    blobs, table = [{}, *buffers], []
    for t in tensors:
        if t["data"]:
            kind, numbers = t["data"]
            blobs.append({0: ("B", struct.pack(f"<{len(numbers)}{kind}", *numbers))})
        fields = {0: ("i", t["shape"]), 1: ("b", t["kind"]), 2: ("I", t.get("buffer", len(blobs) - 1 if t["data"] else 0)), 3: t["name"]}
        if t["quant"]:
            fields[4] = t["quant"]
        table.append(fields)
    named = [{0: ("b", CUSTOM), 1: c, 3: ("i", CUSTOM)} if isinstance(c, str) else {0: ("b", min(c, 127)), 3: ("i", c)} for c in codes]
    graph = {0: table, 1: ("i", list(ins)), 2: ("i", list(outs)), 3: list(operators)}
    root = {0: ("I", version), 1: named, 2: [graph] * subgraphs, 4: blobs, 6: [{0: name, 1: ("I", at)} for name, at in metadata]}
    out = bytearray(4) + b"TFL3"
    put(out, 0, root)
    return bytes(out)


def one(code, *operands, y=(1, 4, 4, 2), options=None, custom=None):
    """One operator of all operands; those without data are the inputs."""
    n = len(operands)
    return model([*operands, tensor("y", list(y))], [operator(0, list(range(n)), [n], options, custom)], [code],
                 [i for i, t in enumerate(operands) if not t["data"]], [n])


X = tensor("x", [1, 4, 4, 2])
ROWS = tensor("x", [3, 8])
ABS = 101


def scaled(axis, scales, zeros=()):
    return tensor("x", [1, 4, 4, 2], kind=U8, quant={2: ("f", scales), 3: ("q", list(zeros)), 6: ("i", axis)})


def said(path):
    done = subprocess.run([TOOL, "text", str(path)], capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    begin = f"error: {path}: "
    assert done.stderr.startswith(begin) and done.stderr.endswith("\n"), done.stderr
    return done.stderr[len(begin):-1]


CONTAINER = {
    "version": (model([X], version=4), "expected version 3 of the TFLite schema, found 4"),
    "no subgraph": (model([X], subgraphs=0), "damaged file: it has no subgraph"),
    "subgraphs": (model([X], subgraphs=2), "the file has 2 subgraphs; one is supported"),
    "element type": (model([tensor("x", [2], kind=COMPLEX)]), "tensor 'x': TFLite element type 8 is not supported"),
    "rank": (model([tensor("x", [1] * 9)]), "tensor 'x' has 9 dimensions; at most 8 are supported"),
    "negative dimension": (model([tensor("x", [2, -1])]), "damaged file: tensor 'x': dimension 1 cannot be -1"),
    "elements": (model([tensor("x", [1 << 20, 1 << 20, 2])]), "damaged file: tensor 'x' has more than 2^40 elements"),
    "no buffer": (model([tensor("x", [2], buffer=7)]), "damaged file: tensor 'x' is in buffer 7, the file has 1"),
    "short constant": (model([X, tensor("w", [3], ("f", [1, 2]))]), "damaged file: tensor 'w' needs 12 bytes, its buffer has 8"),
    "scales' axis": (model([scaled(4, [1, 2])]), "damaged file: tensor 'x' has scales along axis 4 of 4 dimensions"),
    "scales": (model([scaled(1, [1, 2, 3])]), "damaged file: tensor 'x': expected 4 scales along axis 1, found 3"),
    "zero scale": (model([scaled(0, [0])]), "damaged file: tensor 'x': scales must be finite and above 0, found 0"),
    "infinite scale": (model([scaled(3, [1, float("inf")])]), "damaged file: tensor 'x': scales must be finite and above 0, found inf"),
    "zero point": (model([scaled(0, [1], [1 << 31])]), "damaged file: tensor 'x': the zero point 2147483648 does not fit 32 bits"),
    "inputs": (model([X], ins=[0] * 65), "the file has 65 inputs; at most 64 are supported"),
    "input of no tensor": (model([X], ins=[0, 1]), "damaged file: input 1 is tensor 1, the file has 1"),
    "input twice": (model([X], ins=[0, 0]), "damaged file: input 1: tensor 'x' is a constant or an input already"),
    "constant input": (model([floats("w", 2)]), "damaged file: input 0: tensor 'w' is a constant or an input already"),
    "no outputs": (model([X], outs=[]), "damaged file: it has no outputs"),
    "outputs": (model([X], outs=[0] * 65), "the file has 65 outputs; at most 64 are supported"),
    "output of no tensor": (model([X], outs=[-2]), "damaged file: output 0 is tensor -2, the file has 1"),
    "output from nowhere": (model([X, tensor("y", [2])], outs=[0, 1]), "damaged file: output 1: nothing makes tensor 'y'"),
    "names": (model([X], metadata=[("sgs.names", 1)], buffers=[{0: ("B", bytes(3))}]), "damaged file: its list of names does not fit its tensors and operators"),
    "shared lists": (model([X], metadata=[("note", 1)] * 99, buffers=[{0: ("B", bytes(100000))}]), "damaged file: its lists overlap"),
    "no code": (model([X, tensor("y", [2])], [operator(1, [0], [1])], [ABS], outs=[1]), "layer 'y': damaged file: an operator has code 1, the file has 1"),
    "operand": (model([X, tensor("y", [2])], [operator(0, [2], [1])], [ABS], outs=[1]), "layer 'y': damaged file: an operator refers to tensor 2, the file has 2"),
    "operator": (one(999, X), "layer 'y': TFLite operator 999 is not supported"),
    "custom operator": (one("mystery", X), "layer 'y': custom operator 'mystery' is not supported"),
    "custom options": (one("softmax", X, custom=bytes(7)), "layer 'y': damaged file: the options of custom operator 'softmax'"),
    "two outputs": (model([X, X, X], [operator(0, [0], [1, 2])], [ABS]), "layer 'x': damaged file: expected 1 output, found 2"),
    "one output of two": (one("rnn", X), "layer 'y': damaged file: expected 2 outputs, found 1"),
    "no output": (model([X], [operator(0, [0], [-1])], [ABS]), "damaged file: expected 1 output, found 0"),
    "made twice": (model([X], [operator(0, [0], [0])], [ABS]), "layer 'x': damaged file: tensor 'x' is an input, a constant or made already"),
    "shape": (one(ABS, X, y=[4, 4, 2]), "layer 'y': tensor 'y' is declared [4,4,2]; its operator gives [1,4,4,2]"),
    "type": (model([X, tensor("y", [1, 4, 4, 2], kind=S32)], [operator(0, [0], [1])], [ABS], outs=[1]),
             "layer 'y': tensor 'y' is declared int32; its operator gives float32"),
}


@pytest.mark.parametrize("name", CONTAINER)
def test_container(name, tmp_path):
    data, message = CONTAINER[name]
    (tmp_path / "bad.sim").write_bytes(data)
    assert said(tmp_path / "bad.sim") == message


def test_bytes_behind(tmp_path):
    data = model([tensor("x", [2], buffer=1)], buffers=[{1: ("Q", 1000000), 2: ("Q", 8)}])
    (tmp_path / "bad.sim").write_bytes(data)
    assert said(tmp_path / "bad.sim") == f"damaged file: tensor 'x' takes 8 bytes at byte 1000000, the file has {len(data)}"


def test_memory_limit(tmp_path):
    """Constants are copied where they lie on no multiple of 8 bytes, however many tensors share them."""
    size = 1 << 20
    data = model([tensor("w", [size // 4], buffer=1)] * 540, buffers=[{1: ("Q", 9), 2: ("Q", size)}]) + bytes(size)
    (tmp_path / "bad.sim").write_bytes(data)
    assert said(tmp_path / "bad.sim") == "constants exceed the memory limit"


def test_offsets(tmp_path):
    """Each number that leads from one place of the file to another."""
    good = model([X])
    root = struct.unpack_from("<I", good, 0)[0]
    vtable, name = root - struct.unpack_from("<i", good, root)[0], good.index(b"\1\0\0\0x\0") + 5
    for at, kind, number, message in [
        (0, "I", 1 << 20, "damaged file: an offset points outside the file"),
        (root, "i", root + 1, "damaged file: a table without its vtable"),
        (vtable, "H", 2, "damaged file: a vtable that does not fit"),
        (vtable + 4, "H", 2, "damaged file: a field outside its table"),
        (name, "B", 1, "damaged file: a string without its end"),
    ]:
        bad = bytearray(good)
        struct.pack_into("<" + kind, bad, at, number)
        (tmp_path / "bad.sim").write_bytes(bad)
        assert said(tmp_path / "bad.sim") == message


def window(kind, stride=1, **more):
    """Options of CONV_2D (1), DEPTHWISE_CONV_2D (2) and TRANSPOSE_CONV (49)."""
    act = {1: 3, 2: 4, 49: 3}[kind]
    fields = {1: ("i", stride), 2: ("i", stride)}
    return kind, {**fields, act: ("b", more.get("act", 0)), 0: ("b", more.get("padding", 1))}


def pool(act=0):
    return 5, {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("i", 2), 5: ("b", act)}


OPERATORS = {
    "conv, activation": (one(3, X, floats("w", 3, 1, 1, 2), options=window(1, act=4)),
                         "CONV_2D: expected a fused activation of NONE, RELU, RELU6 or RELU_N1_TO_1, found TANH"),
    "fc, activation": (one(9, ROWS, floats("w", 2, 8), options=(8, {0: ("b", 9)})), "FULLY_CONNECTED: expected a fused activation of NONE, RELU, RELU6 or RELU_N1_TO_1, found 9"),
    "conv, ranks": (one(3, ROWS, floats("w", 3, 1, 1, 2), options=window(1)), "CONV_2D: expected an input and weights of 4 dimensions, found 2 and 4"),
    "depthwise, ranks": (one(4, X, floats("w", 3, 1, 1), options=window(2)), "DEPTHWISE_CONV_2D: expected an input and weights of 4 dimensions, found 4 and 3"),
    "conv, no inputs": (one(3, X, tensor("w", [3, 1, 1, 0]), options=window(1)), "CONV_2D: the weights have no input channels"),
    "depthwise, planes": (one(4, X, floats("w", 1, 1, 1, 3), options=window(2)),
                          "DEPTHWISE_CONV_2D: expected one plane of weights for each of 2 channels, found 1 for 3"),
    "depthwise, bias": (one(4, X, floats("w", 1, 1, 1, 2), floats("b", 3), options=window(2)),
                        "DEPTHWISE_CONV_2D: expected 2 biases, one per channel, found shape [3]"),
    "deconv, shape": (one(67, ints("size", 1, 4, 4), floats("w", 3, 2, 2, 2), X, options=window(49)),
                      "TRANSPOSE_CONV: expected a result's shape of 4 numbers, found 3"),
    "deconv, pixels": (one(67, ints("size", 1, 0, 5, 3), floats("w", 3, 2, 2, 2), X, options=window(49)), "TRANSPOSE_CONV: a result of 0x5 pixels is impossible"),
    "deconv, too large": (one(67, ints("size", 1, 1 << 33, 5, 3, kind=S64), floats("w", 3, 2, 2, 2), X, options=window(49)),
                          "TRANSPOSE_CONV: height: padding before and behind and what is added must lie in 0..2147483647, found 0, 0 and 8589934587"),
    "deconv, bias": (one(67, ints("size", 1, 5, 5, 3), floats("w", 3, 2, 2, 2), X, floats("b", 2), options=window(49)),
                     "TRANSPOSE_CONV: expected 3 biases, one per output channel, found shape [2]"),
    "fc, weights": (one(9, ROWS, floats("w", 2, 8, 1)), "FULLY_CONNECTED: expected weights of 2 dimensions and at least one input, found shape [2,8,1]"),
    "fc, order": (one(9, ROWS, floats("w", 2, 8), options=(8, {1: ("b", 1)})), "FULLY_CONNECTED: expected weights in plain order, found weights_format 1"),
    "fc, sizes": (one(9, ROWS, floats("w", 2, 7)), "FULLY_CONNECTED: inner sizes differ: the input has 8, the weights 7"),
    "fc, bias": (one(9, ROWS, floats("w", 2, 8), floats("b", 3)), "FULLY_CONNECTED: expected 2 biases, one per output, found shape [3]"),
    "pool, rank": (one(1, ROWS, options=pool()), "AVERAGE_POOL_2D: expected an input of 4 dimensions, found 2"),
    "pool, activation": (one(17, X, options=pool(act=1)), "MAX_POOL_2D: expected no fused activation, found RELU"),
    "add, activation": (one(0, X, X, options=(11, {0: ("b", 3)})), "ADD: expected no fused activation, found RELU6"),
    "concat, activation": (one(2, X, X, options=(10, {0: ("i", 3), 1: ("b", 5)})), "CONCATENATION: expected no fused activation, found SIGN_BIT"),
    "add, 64 bits": (one(0, tensor("x", [2], kind=S32), ints("c", 5, 1 << 40, kind=S64)), "ADD: the constant 1099511627776 does not fit 32 bits"),
    "tile": (one(69, ROWS, ints("times", 2)), "TILE: expected 2 repeats, one per dimension, found 1"),
    "gather, indices": (one(36, ROWS, tensor("i", [2], kind=U8, quant={2: ("f", [0.5])})), "GATHER: indices: expected integers, found quantized numbers"),
    "gather, batch": (one(36, ROWS, ints("i", 0), options=(23, {1: ("i", 1)})), "GATHER: expected batch_dims 0 or the axis, with the same first dimensions, found 1 and axis 0"),
    "gather, tables of many": (one(36, tensor("x", [2, 1, 1, 1, 1, 1, 1, 1]), ints("i", 0, 0, shape=[2, 1, 1]), options=(23, {0: ("i", 1), 1: ("i", 1)})),
                                  "GATHER: batch_dims with nothing in them, or a result of more than 8 dimensions"),
    "gather, tables": (one(36, ROWS, tensor("i", [3, 2], kind=U8), options=(23, {0: ("i", 1), 1: ("i", 1)})), "GATHER: indices: expected int32 or int64, found uint8"),
    "pad, list": (one(34, ROWS, ints("p", 0, 0, 1, 1)), "PAD: expected constant paddings of int32 and shape [2,2], found constants of int32 and shape [4]"),
    "pad, variable": (one(34, ROWS, tensor("p", [2, 2], kind=S64)), "PAD: expected constant paddings of int32 and shape [2,2], found variables of int64 and shape [2,2]"),
    "pad, mirror": (one(100, ROWS, ints("p", 0, 0, 1, 9, shape=[2, 2]), options=(77, {0: ("b", 1)})),
                    "MIRROR_PAD: axis 1 of 8 cannot be mirrored by 1 and 9"),
    "prelu": (one(54, ROWS, floats("s", 2, 3, 8)), "PRELU: a slope of shape [2,3,8] does not repeat to that of the input, [3,8]"),
    "softmax, scalar": (one(25, tensor("x", []), options=(9, {0: ("f", 1.0)})), "SOFTMAX: expected an input of at least 1 dimension, found a scalar"),
    "resize, size": (one(23, X, ints("size", 8)), "RESIZE_BILINEAR: expected height and width of the result, found 1 number"),
    "resize, grid": (one(97, X, ints("size", 8, 8), options=(74, {0: ("b", 1), 1: ("b", 1)})),
                     "RESIZE_NEAREST_NEIGHBOR: expected at most one of align_corners and half_pixel_centers, found both"),
    "slice, list": (one(65, ROWS, ints("begin", 0, 0), ints("size", 1)), "SLICE: input 2: expected 2 numbers, found 1"),
    "slice, entries": (one(45, ROWS, ints("begin", 0, 0, 0), ints("end", 1, 1, 1), ints("step", 1, 1, 1), options=(32, {})),
                       "STRIDED_SLICE: 3 entries for an input of 2 dimensions"),
    "slice, index": (one(45, ROWS, ints("begin", 0, 8), ints("end", 1, 9), ints("step", 1, 1), options=(32, {4: ("i", 2)})),
                     "STRIDED_SLICE: index 8 does not lie in the 8 of axis 1"),
    "slice, step": (one(45, ROWS, ints("begin", 0, 0), ints("end", 1, 1), ints("step", 1, 0), options=(32, {})), "STRIDED_SLICE: step must not be 0"),
    "slice, ends": (one(45, ROWS, ints("begin", 0, 0), ints("end", 1), ints("step", 1, 1), options=(32, {})), "STRIDED_SLICE: input 2: expected 2 numbers, found 1"),
    "transpose": (one(39, ROWS, ints("perm", 0, 1, 2)), "TRANSPOSE: perm has 3 entries for 2 dimensions"),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name, tmp_path):
    data, message = OPERATORS[name]
    (tmp_path / "bad.sim").write_bytes(data)
    assert said(tmp_path / "bad.sim") == "layer 'y': " + message


def test_large_dimension(tmp_path):
    (tmp_path / "large.ir").write_text('input %0 "x" f32[3000000000]\n%1 "y" f32[3000000000] = abs %0\noutput %1\n')
    done = subprocess.run([TOOL, "write", str(tmp_path / "large.ir"), str(tmp_path / "large.sim")], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "error: a dimension of 3000000000 does not fit the .sim format\n"
