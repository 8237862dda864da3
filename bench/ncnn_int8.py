"""ncnn's model of 8 bits from its float one: ncnn quantizes weights as it loads them where the files hold scales; its own table makers are in no package.

Scales: of weights the largest magnitude of an output channel, of what a layer reads that of a few samples.  A convolution whose result only convolutions read hands it on in bytes."""
import numpy as np

TERM = {"Convolution": 2, "ConvolutionDepthWise": 1, "InnerProduct": 2}  # int8_scale_term
HANDS_ON = 100  # added to that: the result is bytes of a scale that the file has too


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

    @staticmethod
    def take(data, n):
        taken = bytes(data[:n])
        del data[:n]
        return taken

    def scales(self):
        """Of each output channel, or of each group."""
        if self.data[:4] != bytes(4):
            raise RuntimeError("%s: its weights are no floats" % self.name)
        most = np.abs(np.frombuffer(self.data, np.float32, self.weights, 4).reshape(self.group, -1)).max(1)
        return (127 / np.maximum(most, 1e-30)).astype(np.float32)

    def written(self, scale_of):
        """(its line, its bytes)"""
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
