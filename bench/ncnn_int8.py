"""ncnn's model of 8 bits from its float one: ncnn quantizes weights as it loads them where the files hold scales; its own table makers are in no package.

Scales: of weights the largest magnitude of an output channel, of what a layer reads that of a few samples.  A convolution whose result only convolutions read hands it on in bytes.
Matrix products (Gemm) and attention take their weights in bytes, with a scale for all of them or one a row as ncnn has it, and find the scales of what they read as they run."""
import numpy as np

TERM = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}  # int8_scale_term
HANDS_ON = 100  # added to that: the result is bytes of a scale that the file has too
PRODUCTS = ("Gemm", "MultiHeadAttention")  # term 2, number 18
FLOATS, BYTES = bytes(4), (0x000D4B38).to_bytes(4, "little")  # in front of an array: what it holds


class Rows:
    """A matrix of floats in a file, and what becomes of it."""

    def __init__(self, data, rows):
        if data[:4] != FLOATS:
            raise RuntimeError("a matrix holds no floats")
        self.w = np.frombuffer(data, np.float32, offset=4).reshape(rows, -1)

    def quantized(self, one_scale):
        """(the array in the file, its scales)"""
        most = np.abs(self.w).max(None if one_scale else 1, keepdims=True)
        scales = (127 / np.maximum(most, 1e-30)).astype(np.float32)
        q = np.clip(np.rint(self.w * scales), -127, 127).astype(np.int8).tobytes()
        return BYTES + q + bytes(-len(q) % 4), scales.tobytes()


class Layer:
    def __init__(self, line, data):
        """Takes its weights off data, a bytearray."""
        word = line.split()
        self.kind, self.name, nin, nout = word[0], word[1], int(word[2]), int(word[3])
        self.reads, self.gives, self.rest = word[4:4 + nin], word[4 + nin:4 + nin + nout], word[4 + nin + nout:]
        self.head = word[:4]
        self.param = {int(k): v for k, v in (p.split("=") for p in self.rest)}
        self.data, self.top = b"", None
        if self.kind in TERM:
            self.outputs, size = int(self.param[0]), int(self.param[2 if self.kind == "InnerProduct" else 6])
            self.group = int(self.param.get(7, 1)) if self.kind == "ConvolutionDepthWise" else self.outputs
            self.weights, bias = size, int(self.param.get(1 if self.kind == "InnerProduct" else 5, 0)) * self.outputs
            self.data = self.take(data, 4 + 4 * (size + bias))
        elif self.kind == "MemoryData":
            flag = 0 if int(self.param.get(21, 1)) else 4
            self.data = self.take(data, flag + 4 * np.prod([int(self.param.get(k, 1)) or 1 for k in (0, 1, 11, 2)], dtype=int))
        elif self.kind == "LayerNorm":
            self.data = self.take(data, 8 * int(self.param.get(0, 0)) * int(self.param.get(2, 1)))
        elif self.kind == "Gemm":
            self.take_gemm(data)
        elif self.kind == "MultiHeadAttention":
            self.take_attention(data)

    def number(self, key):
        return int(self.param.get(key, 0))

    def take_gemm(self, data):
        """y = x * B^T + C"""
        if (self.number(4), self.number(2), self.number(3), self.number(5)) != (0, 0, 1, 1):
            raise RuntimeError("%s: a product of another kind than x * B^T" % self.name)
        self.parts = [(Rows(self.take(data, 4 + 4 * self.number(8) * self.number(9)), self.number(8)), True, b"")]
        if self.number(6):
            size = {0: 1, 1: self.number(7), 2: self.number(7), 3: self.number(7) * self.number(8), 4: self.number(8)}[self.number(10)]
            self.parts[0] = (*self.parts[0][:2], self.take(data, 4 + 4 * size))

    def take_attention(self, data):
        """Three projections with a scale a row, one with one."""
        width, size = self.number(0), self.number(2)
        self.parts = [(Rows(self.take(data, 4 + 4 * width * columns), width), False, self.take(data, 4 * width))
                      for columns in (size // width, *(int(self.param.get(k, width)) for k in (3, 4)))]
        self.parts.append((Rows(self.take(data, 4 + 4 * size), size // width), True, self.take(data, 4 * (size // width))))

    def written_product(self):
        made = [(*rows.quantized(one_scale), bias) for rows, one_scale, bias in self.parts]
        return " ".join(self.head + self.reads + self.gives + self.rest + ["18=2"]), b"".join(q + bias for q, _, bias in made) + b"".join(scales for _, scales, _ in made)

    @staticmethod
    def take(data, n):
        taken = bytes(data[:n])
        del data[:n]
        return taken

    def scales(self):
        """Of each output channel, or of each group."""
        if self.data[:4] != FLOATS:
            raise RuntimeError("%s: its weights are no floats" % self.name)
        most = np.abs(np.frombuffer(self.data, np.float32, self.weights, 4).reshape(self.group, -1)).max(1)
        return (127 / np.maximum(most, 1e-30)).astype(np.float32)

    def written(self, scale_of):
        """(its line, its bytes)"""
        if self.kind in PRODUCTS:
            return self.written_product()
        if self.kind not in TERM:
            return " ".join(self.head + self.reads + self.gives + self.rest), self.data
        term, scales = TERM[self.kind], [scale_of[self.reads[0]]]
        if self.top:
            term, scales = term + HANDS_ON, scales + [scale_of[self.top]]
        return " ".join(self.head + self.reads + self.gives + self.rest + ["8=%d" % term]), self.data + self.scales().tobytes() + np.array(scales, np.float32).tobytes()


def read(folder, stem):
    """(the first two lines, layers)"""
    lines, data = (folder / (stem + ".param")).read_text().splitlines(), bytearray((folder / (stem + ".bin")).read_bytes())
    layers = [Layer(line, data) for line in lines[2:]]
    if data:
        raise RuntimeError("%d bytes of the weights belong to layers that are not known here: %s" % (len(data), ", ".join(sorted({layer.kind for layer in layers}))))
    return lines[:2], layers


def mend_sums(model, param):
    """pnnx forgets the axes of a sum where ONNX has them as an input, and nothing is summed: gives them back, those of the samples' dimension apart."""
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(model).graph
    constants = {t.name: t for t in graph.initializer}
    constants.update({n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"})
    axes = [numpy_helper.to_array(constants[n.input[1]]) for n in graph.node if n.op_type == "ReduceSum" and len(n.input) > 1]
    lines = param.read_text().splitlines()
    bare = [i for i, line in enumerate(lines) if line.startswith("Reduction") and " 0=0 " in line and "-23303=0" in line]
    if len(bare) != len(axes):
        return  # nothing was forgotten, or nobody knows by which
    for i, found in zip(bare, axes):
        lines[i] = lines[i].replace("-23303=0", "-23303=%d,%s" % (len(found), ",".join(str(a - 1 if a > 0 else a) for a in found)))
    param.write_text("\n".join(lines) + "\n")


def hand_on(layers):
    """Which convolutions hand on bytes, and of whose scale."""
    readers = {}
    for layer in layers:
        for name in layer.reads:
            readers.setdefault(name, []).append(layer)
    for layer in layers:
        if layer.kind in ("Convolution", "ConvolutionDepthWise"):
            ends = [(n, r) for n in layer.gives for r in readers.get(n, [])]
            ends = [(m, q) for n, r in ends for m, q in ([(m, q) for m in r.gives for q in readers.get(m, [])] if r.kind == "Split" else [(n, r)])]
            if ends and all(r.kind in ("Convolution", "ConvolutionDepthWise") for _, r in ends):
                layer.top = ends[0][0]


def quantize(folder, stem, samples):
    """q.param and q.bin beside stem's; samples: what goes into in0."""
    import ncnn
    head, layers = read(folder, stem)
    net = ncnn.Net()
    net.opt.use_vulkan_compute, net.opt.lightmode = False, False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    if net.load_param(str(folder / (stem + ".param"))) or net.load_model(str(folder / (stem + ".bin"))):
        kinds = sorted({layer.kind for layer in layers if "." in layer.kind or ":" in layer.kind})
        raise RuntimeError("ncnn does not load what pnnx made for it%s" % (", no layer for " + ", ".join(kinds) if kinds else ""))
    names = {layer.reads[0] for layer in layers if layer.kind in TERM}
    most = dict.fromkeys(names, 1e-30)
    for x in samples:
        run = net.create_extractor()
        run.input("in0", ncnn.Mat(x).clone())
        for name in names:
            most[name] = max(most[name], float(np.abs(np.array(run.extract(name)[1])).max()))
    hand_on(layers)
    written = [layer.written({name: 127 / m for name, m in most.items()}) for layer in layers]
    (folder / "q.param").write_text("\n".join(head + [line for line, _ in written]) + "\n")
    (folder / "q.bin").write_bytes(b"".join(data for _, data in written))
