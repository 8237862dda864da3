"""The numpy model, written from docs/ARITHMETIC.md alone, equals the fixed simulator and the image in every byte of every tensor."""
import collections
import dataclasses
import math
import runpy

import numpy as np
import onnx
import pytest

import graphs
import numpy_model
from support import ROOT, SGS, SHARED, Fixed, multipliers, random_input, run, same, tool

SEEDS = range(60)
ROUNDS = 4  # graphs at least that have an operator
KNOWN = set(tool("ops").split())  # of the operator table
graphs.keep(KNOWN)


def makers(seed):
    """Those that a graph is bound to use."""
    return (sorted(graphs.MAKERS) * ROUNDS)[seed::len(SEEDS)]


@dataclasses.dataclass
class Case:
    fixed: Fixed
    arrays: list
    truth: dict  # what the fixed simulator makes, by value


@pytest.fixture(scope="session")
def random_case(tmp_path_factory):
    cases = {}

    def get(seed):
        if seed not in cases:
            fixed = Fixed.of_text(tmp_path_factory.mktemp("random"), graphs.Graph(seed, makers(seed)).text())
            rng = np.random.default_rng([seed, 1])
            arrays = [random_input(rng, v) for v in fixed.graph.inputs]
            cases[seed] = Case(fixed, arrays, fixed.every_tensor(arrays))
        return cases[seed]
    return get


def differing(graph, tensors, truth):
    """Operators whose results are not the same, first one first."""
    return ["%s '%s': %d of %d elements" % (n.op, n.name, (tensors[v.number] != truth[v.number]).sum(), truth[v.number].size)
            for n in graph.nodes for v in n.outputs if not same(tensors[v.number], truth[v.number])]


def check(case):
    """Every tensor by the C kernels; every output of both simulators with this machine's kernels, of the image with the C kernels too."""
    graph = case.fixed.graph
    tensors = numpy_model.evaluate(graph, case.arrays)
    assert not differing(graph, tensors, case.truth)
    for model, *options in ((case.fixed.sim,), (case.fixed.image,), (case.fixed.image, "--mask", 0)):
        for v, array in zip(graph.outputs, case.fixed.outputs(model, case.arrays, *options)):
            assert same(tensors[v.number], array), (model.name, options, v.name)


# ---- the table -------------------------------------------------------------------------------------------------------------------


# Operators on their way here, which may come before the model knows them.
LATER = set("""groupnorm instancenorm lrn lpnorm tile""".split())


def test_every_operator_is_here():
    assert not KNOWN - LATER - set(numpy_model.OPS), "tests/numpy_model.py does not know these operators; for a few days they may stand in LATER"
    assert not set(numpy_model.OPS) - KNOWN - LATER, "no fixed-point graph holds these operators"


def test_every_operator_is_tried(random_case):
    """By the random graphs, with results that show something."""
    varied, most = collections.Counter(), collections.Counter()
    for seed in SEEDS:
        case = random_case(seed)
        for op, distinct in ((n.op, len(np.unique(case.truth[v.number]))) for n in case.fixed.graph.nodes for v in n.outputs):
            varied[op] += distinct > 1
            most[op] = max(most[op], distinct)
    tried = KNOWN & set(numpy_model.OPS)
    assert not {op: varied[op] for op in tried if varied[op] < 2}
    assert not {op: most[op] for op in tried if most[op] < FEW.get(op, 6)}


FEW = {"sign": 3, "argmax": 4, "argmin": 4} | dict.fromkeys("equal less greater lessequal greaterequal and or xor not cast".split(), 2)  # distinct results of operators that have few


# ---- graphs ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graph(seed, random_case):
    check(random_case(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_multipliers(seed, random_case):
    """What the compiler puts into the image is what the formulas give: folded biases, multipliers, shifts."""
    case = random_case(seed)
    graph = case.fixed.graph
    sums, pairs = multipliers(case.fixed.image.read_bytes())
    for node, (folded, m, k) in ((n, c) for n in graph.nodes if n.op in numpy_model.WEIGHTED for c in numpy_model.constants_of_sums(n)):
        while len(m):
            bias, mult, shift = sums.pop(0)
            assert same(mult, m[:len(mult)]) and (bias == folded[:len(mult)]).all() and shift == k, node.name
            m, folded = m[len(mult):], folded[len(mult):]
    assert not sums
    assert pairs == {tuple(sorted(map(float, numpy_model.constants_of_two(n)))) for n in graph.nodes if n.op in graphs.PAIRS and n.inputs[0].scale is not None}


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "tests/sim/ir").glob("*fixed*.ir")))
def test_the_simulators_own_graph(name, tmp_path):
    fixed = Fixed.of_text(tmp_path, (ROOT / "tests/sim/ir" / (name + ".ir")).read_text())
    rng = np.random.default_rng(4)
    arrays = [random_input(rng, v) for v in fixed.graph.inputs]
    check(Case(fixed, arrays, fixed.every_tensor(arrays)))


def test_long_sums(tmp_path):
    """Sums of more than 24 bits, so that f32(acc) rounds, in enough results to meet a tie within its error."""
    rng, lines = np.random.default_rng(5), ['meta "sgs.fixed" "1"']
    for i, (x, w, b) in enumerate([("u8", "s8", "s32"), ("s16", "s16", "s64")]):
        reach = 127 if w == "s8" else 32767
        bias = rng.integers(2**24, 2**30, 32)
        scale = ",".join("%.9g" % s for s in 3e-5 * np.exp(rng.uniform(-1, 1, 32)))
        lines += ["input %%%d %s[1,40,40,16] @{scale=1, zero=%d}" % (10 * i, x, 99 if x == "u8" else 0),
                  "const %%%d %s[32,1,1,16] @{axis=0, scale=[%s], zero=[%s]} = {%s}" % (
                      10 * i + 1, w, scale, ",".join("0" * 32), ",".join(map(str, rng.integers(-reach, reach + 1, 512)))),
                  "const %%%d %s[32] = {%s}" % (10 * i + 2, b, ",".join(map(str, bias if i == 0 else bias * 2**20))),
                  "%%%d s16[1,40,40,32] @{scale=%d, zero=0} = conv %%%d, %%%d, %%%d {stride=[1,1], dilation=[1,1], groups=1}" % (
                      10 * i + 3, 1 if i == 0 else 2**20, 10 * i, 10 * i + 1, 10 * i + 2)]
    fixed = Fixed.of_text(tmp_path, "\n".join(lines + ["output %3", "output %13"]) + "\n")
    arrays = [random_input(rng, v) for v in fixed.graph.inputs]
    case = Case(fixed, arrays, fixed.every_tensor(arrays))
    check(case)
    for mutant in FINE:
        assert wrong_reading_seen(case, mutant), mutant


def test_shifted_sums(tmp_path):
    """One output has a long sum, so those of the others, which are short, are shifted too: there half a step shows."""
    rng = np.random.default_rng(6)
    w = rng.integers(-1, 2, (8, 16))
    w[0] = 32767
    ones, zeros = ",".join("1" * 8), ",".join("0" * 8)
    lines = ['meta "sgs.fixed" "1"', "input %0 s16[40,16] @{scale=1, zero=0}",
             "const %%1 s16[8,16] @{axis=0, scale=[%s], zero=[%s]} = {%s}" % (ones, zeros, ",".join(map(str, w.ravel()))),
             "%2 s16[40,8] @{scale=16, zero=0} = fc %0, %1", "output %2"]
    fixed = Fixed.of_text(tmp_path, "\n".join(lines) + "\n")
    arrays = [random_input(rng, v) for v in fixed.graph.inputs]
    case = Case(fixed, arrays, fixed.every_tensor(arrays))
    check(case)
    assert wrong_reading_seen(case, shift_without_half)


def nearest_half_up(kind, i, f):
    return [(i + (f >= 2**13), np.full_like(f, 2**14))]


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("outside", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("kind", ["nearest", "linear", "cubic"])
def test_grids(kind, outside, corners, tmp_path):
    """[18] of pictures of several sizes; the second grid points to pixels and to middles between two, the third leaves by millions of pictures."""
    lines = ['meta "sgs.fixed" "1"']
    for i, (h, w) in enumerate([(1, 1), (1, 5), (6, 1), (5, 8), (40, 300)]):
        lines.append("input %%%d s16[2,%d,%d,3] @{scale=0.001, zero=0}" % (10 * i, h, w))
        for k, scale in enumerate([4e-5, 0.25, 3e6 / 32767]):
            lines += ["input %%%d s16[2,6,9,2] @{scale=%.9g, zero=0}" % (10 * i + 1 + k, scale),
                      "%%%d s16[2,6,9,3] @{scale=0.0009, zero=0} = gridsample %%%d, %%%d {filter=%s, outside=%s, corners=%d}" % (
                          10 * i + 4 + k, 10 * i, 10 * i + 1 + k, kind, outside, corners)]
    lines += ["output %%%d" % (10 * i + 4 + k) for i in range(5) for k in range(3)]
    fixed = Fixed.of_text(tmp_path, "\n".join(lines) + "\n")
    rng = np.random.default_rng(8)
    arrays = [random_input(rng, v) for v in fixed.graph.inputs]
    for v, array in zip(fixed.graph.inputs, arrays):
        if v.dims[-1] == 2 and v.scale[0] == 0.25:
            array[:] = rng.integers(-6, 7, array.shape)
    case = Case(fixed, arrays, fixed.every_tensor(arrays))
    check(case)
    assert min(len(np.unique(case.truth[v.number])) for v in fixed.graph.outputs[::3]) > 5
    assert kind != "nearest" or wrong_reading_seen(case, nearest_half_up)


REFUSED = {  # by ARITHMETIC.md: the operator's line, what is said
    "pad": ("u8[1,2,3,8] @{axis=2, scale=[0.1,0.2,3], zero=[7,9,11]}", "u8[1,3,3,8] @{axis=2, scale=[0.1,0.2,3], zero=[7,9,11]} = pad %0 "
            "{before=[0,1,0,0], after=[0,0,0,0]}", "scales must run along the last axis"),
    "clip above": ("u8[1,2] @{scale=0.1, zero=255}", "u8[1,2] @{scale=0.1, zero=255} = clip %0 {lo=0.2, hi=inf}", "does not take"),
    "clip scales": ("u8[1,2] @{axis=1, scale=[0.1,0.2], zero=[3,4]}", "u8[1,2] @{axis=1, scale=[0.1,0.2], zero=[3,4]} = clip %0 {hi=inf}", "one scale"),
    "softmax": ("s16[2,70000] @{scale=0.1, zero=0}", "s16[2,70000] @{scale=0.00003, zero=0} = softmax %0, %9 {axis=1}",
                "softmax: expected at most 65535 elements along the axis, found 70000"),
    "add": ("s16[2,2] @{axis=1, scale=[0.1,0.2], zero=[0,0]}", "s16[2,2] @{scale=0.1, zero=0} = add %0, %0", "one scale"),
    "dequantize": ("s16[2,1,1,1,3] @{axis=0, scale=[0.1,0.2], zero=[0,0]}", "f32[2,1,1,1,3] = dequantize %0", "at most 4 axes"),
    "quantize": ("s16[2,2] @{axis=0, scale=[0.1,0.2], zero=[0,0]}", "s16[2,2] @{axis=1, scale=[0.1,0.2], zero=[0,0]} = quantize %0", "scales along one axis"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what, tmp_path):
    """What the document leaves undefined is no model."""
    x, y, said = REFUSED[what]
    (tmp_path / "net.ir").write_text('meta "sgs.fixed" "1"\ninput %%0 "x" %s\nconst %%9 s16[1025] = splat(1)\n%%1 "layer" %s\noutput %%1\n' % (x, y))
    tool("write", tmp_path / "net.ir", tmp_path / "net_fixed.sim")
    for command in (("compile", tmp_path / "net_fixed.sim", tmp_path / "net.img"), ("tensors", tmp_path / "net_fixed.sim", tmp_path / "all.bin")):
        message = tool(*command, fails=True)
        assert said in message and "'layer'" in message


# ---- networks --------------------------------------------------------------------------------------------------------------------


def calibrated(folder, model, ini, pictures, script, *more):
    run(SGS, "convert", "onnx", "--model_file", model, "--input_config", ini, "-i", pictures, "-n", script, "--output_file", "net.img", "--export_models",
        *more, cwd=folder)
    return Fixed(folder / "net_fixed.sim")


SCRIPT = """\
import numpy as np
def image_preprocess(path, norm=True):
    board = np.load(path)
    return ((board[..., ::-1] - np.array(%r)) / np.array(%r)).astype(np.float32) if norm else board
"""
INI = """\
[INPUT_CONFIG]
inputs=%s;
training_input_formats=%s;
input_formats=%s;
mean=%s;
std_value=%s;
[OUTPUT_CONFIG]
outputs=%s;
"""


def calibrated_pictures(folder, model, pictures, net, *more):
    """For U8 pictures as the board hands them over, blue first; net: input, outputs, mean and standard deviation R:G:B."""
    source, outputs, mean, std = net
    formats = ("GRAY", "GRAY") if len(mean) == 1 else ("RGB", "BGR")
    (folder / "pictures").mkdir()
    for i, p in enumerate(pictures):
        np.save(folder / "pictures" / ("%d.npy" % i), p)
    (folder / "preprocess.py").write_text(SCRIPT % (mean, std))
    (folder / "net.ini").write_text(INI % (source, *formats, ":".join(map(str, mean)), ":".join(map(str, std)), outputs))
    return calibrated(folder, model, "net.ini", "pictures", "preprocess.py", *more)


def check_pictures(fixed, arrays):
    for a in arrays:
        check(Case(fixed, [a], fixed.every_tensor([a])))


CONV_FORMATS = ["ALL_UINT8", "ALL_INT16", "CONV2D_INT16"]


@pytest.mark.parametrize("conv_format", CONV_FORMATS)
def test_demo(tmp_path, conv_format):
    """models/textline"""
    home = ROOT / "models/textline"
    preprocess = runpy.run_path(str(home / "preprocess.py"))["image_preprocess"]
    (tmp_path / "demo.ini").write_text((home / "input_config.ini").read_text() + "[CONV_CONFIG]\ninput_format=%s;\n" % conv_format)
    (tmp_path / "calib.txt").write_text("".join("%s\n" % p for p in sorted((home / "calib").glob("*.png"))[:5]))
    fixed = calibrated(tmp_path, home / "textline.onnx", "demo.ini", "calib.txt", home / "preprocess.py")
    check_pictures(fixed, [preprocess(str(p), norm=False) for p in sorted((home / "test").glob("*.png"))[:2]])
    check_image_input(fixed, [127.5], [127.5])
    check_softmax_table(fixed)


def check_image_input(fixed, mean, std):
    """[10] in the board's channel order."""
    (v,) = fixed.graph.inputs
    scale, zero = numpy_model.image_quantization(mean, std)
    assert v.type == "u8" and (v.scale == scale).all() and (v.zero == zero).all()


def check_softmax_table(fixed):
    """[9] the table is a constant of the model; the calibrator writes the one of the document."""
    tables = [n.inputs[1].data for n in fixed.graph.nodes if n.op == "softmax"]
    assert tables and all((t == np.rint(32767 * np.exp(-np.arange(1025) / 64))).all() for t in tables)


MEAN, STD = [260.25, -3.5, 103.53], [58.4, 57.1, 57.375]  # R:G:B, two of them beyond what a zero point can say


def small_network(path):
    """conv - relu - depthwise - add - global pool - fc - softmax"""
    rng, init, nodes = np.random.default_rng(3), [], []

    def weight(*shape):
        init.append(onnx.numpy_helper.from_array((rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32), "w%d" % len(init)))
        return init[-1].name

    def layer(op, *inputs, **attr):
        nodes.append(onnx.helper.make_node(op, list(inputs), ["t%d" % len(nodes)], name="n%d" % len(nodes), **attr))
        return nodes[-1].output[0]

    x = layer("Relu", layer("Conv", "data", weight(8, 3, 3, 3), weight(8), pads=[1] * 4, strides=[2, 2]))
    y = layer("Relu", layer("Conv", x, weight(8, 1, 3, 3), weight(8), pads=[1] * 4, group=8))
    x = layer("Flatten", layer("GlobalAveragePool", layer("Add", x, y)))
    x = layer("Softmax", layer("Gemm", x, weight(10, 8), weight(10), transB=1), axis=1)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(nodes, "small", [info("data", 1, [1, 3, 20, 20])], [info(x, 1, [1, 10])], init)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), str(path))
    return x


def test_small_network(tmp_path):
    """[10]: what the first convolution takes in, at L1: L2 corrects biases for other reasons too; [9]: the table."""
    output = small_network(tmp_path / "small.onnx")
    pictures = [np.random.default_rng(i).integers(0, 256, (1, 20, 20, 3)).astype(np.uint8) for i in range(4)]
    fixed = calibrated_pictures(tmp_path, tmp_path / "small.onnx", pictures, ("data", output, MEAN, STD), "--quant_level", "L1")
    check_image_input(fixed, MEAN[::-1], STD[::-1])
    check_pictures(fixed, pictures)
    check_softmax_table(fixed)
    real = numpy_model.parse(tool("text", tmp_path / "net_float.sim"))
    check_first_convolution(fixed.graph.nodes[0], real.nodes[0])


def check_first_convolution(fixed, real):
    """Integer weights and biases are the real ones, scales and zero points absorbed, to half a step."""
    assert fixed.op == real.op == "conv"
    mean, std = np.array(MEAN[::-1]), np.array(STD[::-1])
    scale, zero = numpy_model.image_quantization(mean, std)
    w = real.inputs[1].data[..., ::-1].astype(np.float64)  # the board has blue first
    s_w, s_x = fixed.inputs[1].scale, fixed.inputs[0].scale.max()
    steps = w * (scale.astype(np.float64) / s_x) / s_w[:, None, None, None]
    q = fixed.inputs[1].data
    inside = np.abs(q) < 127
    assert np.abs(q - steps)[inside].max() <= 0.501 and inside.mean() > 0.5
    bias = real.inputs[2].data + (w * ((zero - mean) / std)).sum(axis=(1, 2, 3))
    assert np.abs(fixed.inputs[2].data - bias / (s_x * s_w)).max() <= 0.51
    assert (np.abs(bias - real.inputs[2].data) / (s_x * s_w)).max() > 100, "the zero points say all: a case that shows nothing"


FUNCTIONS = {  # of the document's section 12: ONNX operator, F
    "sigmoid": ("Sigmoid", lambda x: 1 / (1 + math.exp(-x))), "tanh": ("Tanh", math.tanh), "exp": ("Exp", math.exp),
    "log": ("Log", lambda x: math.log(x) if x > 0 else -math.inf), "sqrt": ("Sqrt", lambda x: math.sqrt(max(x, 0))),
    "reciprocal": ("Reciprocal", lambda x: 1 / x if x else math.copysign(math.inf, x)), "erf": ("Erf", math.erf), "sin": ("Sin", math.sin),
    "softplus": ("Softplus", lambda x: max(x, 0) + math.log1p(math.exp(-abs(x)))), "atan": ("Atan", math.atan),
}
BOUNDED = ("sigmoid", "tanh", "erf", "sin")  # s_y = 2^-15


def test_function_tables(tmp_path):
    """[12]: entries of both sides, by the calibrator."""
    nodes = [onnx.helper.make_node(op, ["data"], [name], name=name) for name, (op, _) in FUNCTIONS.items()]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(nodes, "functions", [info("data", 1, [1, 64])], [info(name, 1, [1, 64]) for name in FUNCTIONS])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "net.onnx"))
    (tmp_path / "net.ini").write_text("[INPUT_CONFIG]\ninputs=data;\ntraining_input_formats=RAWDATA_F32_NHWC;\ninput_formats=RAWDATA_F32_NHWC;\n"
                                      "[OUTPUT_CONFIG]\noutputs=%s;\n" % ",".join(FUNCTIONS))
    (tmp_path / "preprocess.py").write_text("import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    (tmp_path / "arrays").mkdir()
    arrays = [np.random.default_rng(i).uniform(0.01, 7, (1, 64)).astype(np.float32) for i in range(3)]
    for i, a in enumerate(arrays):
        np.save(tmp_path / "arrays" / ("%d.npy" % i), a)
    fixed = calibrated(tmp_path, tmp_path / "net.onnx", "net.ini", "arrays", "preprocess.py")
    check_pictures(fixed, arrays)
    tables = [n for n in fixed.graph.nodes if n.op in FUNCTIONS]
    assert len(tables) == len(FUNCTIONS)
    for node in tables:
        check_function_table(node, FUNCTIONS[node.op][1])


def check_function_table(node, function):
    s_x, s_y, table = node.inputs[0].scale[0], node.outputs[0].scale[0], node.inputs[1].data
    assert s_y == 2.0**-15 or node.op not in BOUNDED
    for side in range(2):
        for i in range(numpy_model.SIDE):
            x = math.copysign(numpy_model.magnitude(i) * s_x, 0.5 - side)
            real = min(max(function(x) / s_y, -32767), 32767)
            assert abs(table[side * numpy_model.SIDE + i] - real) <= 0.5 + 1e-6, (node.op, side, i)


PHOTOS = ["dog.jpg", "faces_1.jpg", "grace_hopper.jpg", "bus_street.jpg"]


# name of the folder: file, its input, its outputs, mean and standard deviation R:G:B
NETWORKS = {
    "mnist_8": ("mnist-8", "Input3", "Plus214_Output_0", [0], [1]),
    "mobilenet_v1_0.25_224_fp32": ("mobilenet_v1_0.25_224_fp32", "input", "output", [127.5] * 3, [127.5] * 3),
    "mobilenet_v2_1.0_224_fp32": ("mobilenet_v2_1.0_224_fp32", "input", "output", [128, 127.25, 127], [128, 127, 129]),
    "ultraface_rfb_320": ("version-RFB-320_without_postprocessing", "input", "scores,boxes", [127] * 3, [128] * 3),
}
SIZES = {"mnist_8": (28, 28, 1), "ultraface_rfb_320": (240, 320, 3)}


def board_pictures(height, width, channels):
    import cv2
    mode = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    pictures = [cv2.imread(str(SHARED / "data/demo" / name), mode) for name in PHOTOS]
    return [cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA).reshape(1, height, width, channels) for p in pictures]


@pytest.mark.parametrize("name", NETWORKS)
def test_shared_network(tmp_path, name):
    pytest.importorskip("cv2")
    file, source, outputs, mean, std = NETWORKS[name]
    model = SHARED / "models/onnx" / name / (file + ".onnx")
    if not model.exists() or not (SHARED / "data/demo").exists():
        pytest.skip("needs ../shared/models/onnx/%s and ../shared/data/demo" % name)
    pictures = board_pictures(*SIZES.get(name, (224, 224, 3)))
    fixed = calibrated_pictures(tmp_path, model, pictures, (source, outputs, mean, std), *(["--quant_level", "L1"] if "v2" in name else []))
    check_image_input(fixed, mean[::-1], std[::-1])
    check_pictures(fixed, pictures[:2])


# ---- that all this can fail ------------------------------------------------------------------------------------------------------


def nodes_with(graph, find):
    return [n for n in graph.nodes if find(n)]


def perturb_weight(rng, node):
    w = node.inputs[1].data
    i = tuple(rng.integers(0, n) for n in w.shape)
    w[i] -= np.copysign(np.iinfo(w.dtype).max // 8, w[i])


def perturb_bias(rng, node):
    """By what one step of the output is worth."""
    _, m, k = next(numpy_model.constants_of_sums(node))
    o = int(rng.integers(len(m)))
    node.inputs[2].data[o] += int(np.ceil(2.0**k / float(m[o])))


def perturb_scale(rng, node):
    v = node.outputs[0]
    v.scale = v.scale * np.where(np.arange(len(v.scale)) == rng.integers(len(v.scale)), 1.001, 1)


def perturb_zero(rng, node):
    v = node.inputs[0]
    v.zero = v.zero + np.where(np.arange(len(v.zero)) == rng.integers(len(v.zero)), 1, 0)


def perturb_table(rng, node):
    node.inputs[1].data[0] -= 100


PERTURBATIONS = {
    "weight": (perturb_weight, lambda n: n.op in numpy_model.WEIGHTED),
    "bias": (perturb_bias, lambda n: n.op in numpy_model.WEIGHTED and len(n.inputs) > 2 and n.inputs[2]),
    "scale": (perturb_scale, lambda n: n.op in ("conv", "depthwise", "fc", "add", "avgpool", "quantize") and n.outputs[0].scale is not None),
    "zero": (perturb_zero, lambda n: n.op in ("conv", "depthwise", "fc", "quantize", "dequantize") and n.inputs[0].type == "u8"),
    "table": (perturb_table, lambda n: n.op == "softmax"),
}


@pytest.mark.parametrize("what", PERTURBATIONS)
def test_a_wrong_constant_is_seen(what, random_case):
    """One number of one constant changed a little: its operator's result differs (not always: some results saturate, some changes round away)."""
    change, find = PERTURBATIONS[what]
    rng, seen, tried = np.random.default_rng(6), 0, 0
    for seed in SEEDS:
        case = random_case(seed)
        graph = numpy_model.parse(tool("text", case.fixed.sim))
        found = nodes_with(graph, find)
        if not found or seen == ROUNDS or tried == 32:
            continue
        node = found[0]
        change(rng, node)
        out = numpy_model.run_node(node, {**case.truth, **{v.number: a for v, a in zip(graph.inputs, case.arrays)}})
        tried += 1
        seen += not same(out[0], case.truth[node.outputs[0].number])
    assert seen >= ROUNDS, (seen, tried)


# Readings of the document that are not what it says; each takes the place of one function of the model.


def store_half_away(g, y, attr=None):
    qmin, qmax = numpy_model.limits(y, attr)
    z = int(y.zero[0])
    kept = np.clip(g, qmin - z, qmax - z)
    return (np.copysign(np.floor(np.abs(kept) + 0.5), kept).astype(np.int64) + z).astype(numpy_model.TYPES[y.type])


def requant_in_binary64(acc, m, y, attr=None):
    return numpy_model.store((acc * m.astype(np.float64)).astype(np.float32), y, attr)


def requant_of_truncated_sum(acc, m, y, attr=None):
    cut = acc.astype(np.float32)
    cut = np.where(np.abs(cut.astype(np.float64)) > np.abs(acc), np.nextafter(cut, np.float32(0)), cut)
    return numpy_model.store(cut * m, y, attr)


def next_f32(v):
    return np.nextafter(np.asarray(v, np.float64).astype(np.float32), np.float32(np.inf))


def shift_without_half(acc, k):
    return acc >> k


def interpolate_without_half(table, u):
    t, i, f = table.astype(np.int64), u >> 6, u & 63
    return t[i] + (((t[i + 1] - t[i]) * f) >> 6)


def limits_of_type(y, attr=None):
    return (-32768, 32767) if y.type == "s16" else (0, 255)


def without_zero_point(node, x):
    return x.astype(np.int64)


MUTANTS = {f: name for f, name in (
    (store_half_away, "store"), (requant_in_binary64, "requant"), (requant_of_truncated_sum, "requant"), (next_f32, "f32"), (shift_without_half, "shift_sum"),
    (interpolate_without_half, "interpolate"), (limits_of_type, "limits"), (without_zero_point, "differences"),
    (nearest_half_up, "grid_taps"))}
FINE = (requant_in_binary64, requant_of_truncated_sum, next_f32)  # test_long_sums tells them from the right one
OWN = FINE + (shift_without_half, nearest_half_up)  # have a test of their own


def wrong_reading_seen(case, mutant):
    given = {**case.truth, **{v.number: a for v, a in zip(case.fixed.graph.inputs, case.arrays)}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_model, MUTANTS[mutant], mutant)
        return any(not same(a, case.truth[v.number]) for node in case.fixed.graph.nodes
                   for v, a in zip(node.outputs, numpy_model.run_node(node, given)))


@pytest.mark.parametrize("mutant", [f for f in MUTANTS if f not in OWN])
def test_a_wrong_reading_is_seen(mutant, random_case):
    assert any(wrong_reading_seen(random_case(seed), mutant) for seed in SEEDS), "no graph tells this reading from the right one"
