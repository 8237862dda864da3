"""docs/PERFORMANCE.md from the results of bench.py: a section for each part."""
import math
import os
import pathlib
import re

# Ours / onnxruntime int8 with 1 and with 2 threads.
GOALS = {"mobilenet_v2": (0.60, 0.60), "mnasnet1_0": (0.50, 0.55), "efficientnet_b0": (0.35, 0.40), "shufflenet_v2_x1_0": (0.35, 0.35), "squeezenet1_1": (0.60, 0.60),
         "resnet18": (0.75, 0.75), "resnet50": (0.75, 0.75), "yolov8n_like": (0.42, 0.42), "yolov8s_like": (0.58, 0.58), "deit_tiny_like": (0.70, 0.70)}
WITHOUT_ADDS = ("squeezenet1_1", "shufflenet_v2_x1_0")  # no residual adds
FIRST, FLOAT, MACHINE, SLOWEST, QUIET = "onnxruntime int8", "onnxruntime f32", "this machine", 6, 1.5
HEAD = """# Performance

Made by `make bench` (NETS, TOOLS and PARTS narrow it): our runtime beside other engines on one machine, %s. Networks: seeded weights, `bench/make_models.py`; YOLOv8 with the
decoding of boxes. All engines get the same ONNX file and calibration inputs, one float picture a run; ours takes it as N,C,H,W and turns it
into bytes within the time. LiteRT gets our float model (`NAME_float.sim`, a TFLite file), its pictures as N,H,W,C and already as bytes where its quantizer made the input so. Pinned
to the same cores, in turns; **ratio: ours / theirs, below 1 ours is faster**, the median of neighbouring turns, the smallest and the largest, and in italics the ratio of the shortest runs of both. Of one
thread processor time counts, of two the clock.
"""
BUSY = "The machine had other work during some of it, up to %.0f processes: with 2 threads the medians say little, the ratios in italics more; layers of milliseconds look longer than they are."
WHY = """
## What stands in the way of goals that are missed

Read off `sgs profile` and samples of the processor's time; on the machine named above.

- **The ResNets.** Bytes multiply on one 512-bit port: with 75 % of onnxruntime's time ResNet-50 would be at the peak below itself. What is lost lies behind the sums of residual
  additions, which keeps 1x1 convolutions into 256 to 2048 channels at half to three quarters of the peak; 3x3 ones reach 95 %. Those sums rounded three times in the program that was
  measured; since then they have one scale and are added as words, once rounded: fewer than half as many instructions, whose time was not measured on such a machine yet.
- **EfficientNet, YOLOv8.** Where a SiLU is read by more than convolutions (squeeze-and-excite, splits, residual adds) it stays a function of 16 bits by a table of 2306 entries, which
  no instruction holds: a fifth of EfficientNet's time, a tenth of YOLOv8n's. A table of 1024 words, as bytes have one, is not built; by a count of instructions alone it would take a quarter of that.
- **MobileNetV2, MNASNet, first layers.** Results of 112x112 have more bytes than the second-level cache. A trial with a quarter less arithmetic behind their sums, not kept, took the same time; a
  convolution and the depthwise one behind it in bands of rows would stay in the cache, but the plan of the arena knows no bands.
- **Depthwise** takes 8 shuffles, 12 multiplications and about 20 instructions of requantization for 64 results, at 60 to 125 GOP/s by shape.
"""
WHY_AVX2 = """
## What stands in the way of goals that are missed

The goals were set for machines with VNNI. Without it onnxruntime multiplies with vpmaddubsw, which saturates: its numbers here are others than there, ours are the same (`conv_bytes_avx2.c`).

- **1x1 convolutions of MobileNetV2 and MNASNet** read tensors with a zero point in the middle, or activations that often reach their upper bound: there the exact use of that
  instruction would cut too much, and both sides are widened to words, which adds half as much again to the multiplications.
- **Residuals, tables**: results of 16 bits and bytes by a table, looked up one by one, take 5 to 15 % of the ResNets and YOLOv8.
- **YOLOv8** has room for four groups in one sum of words in nearly all layers, and yet these reach 150 to 170 GOP/s at best, the early ones, of few channels and with a table behind
  them, 36 to 106. Each multiplication has a broadcast load of its own there, the next thing to change.
- **The machine** of this page was not steady: vpmaddubsw over registers alone reached 202 GOP/s at one time and 127 at another, and runs beside each other differ by half. By the
  shortest of 25 alternating profiles of ResNet-50 trials of fetching weights and results ahead and of shorter steps over the products, not kept, gained less than 1 %.
"""
INT16 = """
## 16 bits throughout, against onnxruntime's float32

Every convolution S16 × S16 (`ALL_INT16`). Goals: 1.15 for the ResNets, 1.0 for the others.
"""
FIXED = """
## Fixed-point simulation, against onnxruntime's float32

`NAME_fixed.sim`, 8 bits, through the simulator, operator by operator as `sgs simulate` does: input set, run, output taken. Goal: below 1.
"""
START = """
## From the file to the first result

Ours: a process that begins anew, one thread: the image is mapped and loaded (`ipu_load`, which proves every bound) and runs once; the file is in the system's memory. Theirs: the
creation of a session alone, of a file read before, in a process that has created one. Processor time. Goals: 0.3 of a session of 8 bits; `ipu_load` of ResNet-50 below 1 ms; resident
memory at most 1.5 times image and arena. Resident memory is the most of the whole process, C library, code and the caller's input and output with it; *in italics* without what the process had before
it mapped the file, and without those buffers.
"""
MEMORY = """
## Memory of activations

Bytes of the arena that the caller gives; the bound is the most that is live at one record, which no plan goes without. LiteRT: from the first to the last byte of the tensors that its interpreter
allocates for operators' results, inputs and kernels' scratch, without XNNPACK; TFLM: what its allocator reports as planned (`bench/arena.py`); of the same model of bytes. Theirs hold
input and output too, which with ours are the caller's, floats here: the ratio with them in italics. Goals: 1 where there are no residual adds, 1.5 elsewhere; 1.05 of the bound.
"""
LAYERS = """
## Layers

The layers that lose most against the peak, `sgs profile` with one thread; all of them are in `out/bench/NAME/profile.txt`. Lost: the time beyond what the multiply-accumulates
would take at the peak. Processor time.%s

| network | layer | kernel | us | lost | GOP/s | of peak |
|---|---|---|---:|---:|---:|---:|
"""
PEAKS = """ The peaks of one core, over registers alone (`bench/peak.c`), the best of five:

```
%s```
"""


class Page:
    """Rows by part and key, each cell with the letter of its run where that is not the last one."""

    def __init__(self, results):
        self.results = results
        rows = [row for parts in results.nets.values() for rows in parts.values() for row in rows.values()]
        self.newest = max((row["run"] for row in rows), key=int, default=results.run)
        older = sorted({row["run"] for row in rows} - {self.newest}, key=int, reverse=True)
        self.letter = {run: self.name(k) for k, run in enumerate(older)}

    @staticmethod
    def name(k):
        return (chr(ord("a") + k // 26 - 1) if k >= 26 else "") + chr(ord("a") + k % 26)

    def row(self, net, part, key):
        return self.results.get(net, part, key)

    def text(self, row, said):
        """said % row's numbers, with its run's letter; a dash where there is none."""
        mark = self.letter.get(row["run"]) if row else None
        return (said(row) + (" [%s]" % mark if mark else "")) if row else "–"

    def run(self, number):
        r = self.results.runs.get(number, {"date": "?", "program": "?", "load": 0})
        return "%s, program %s" % (r["date"], r["program"])

    def runs(self):
        lines = ["", "The last run: %s." % self.run(self.newest)]
        if self.letter:
            lines[-1] += " Figures with a letter are of an earlier one:"
            lines += ["- [%s] %s" % (mark, self.run(run)) for run, mark in self.letter.items()]
        load = max((r["load"] for r in self.results.runs.values()), default=0)
        return lines + (["", BUSY % load] if load > QUIET else [])

    def times(self, part, key):
        """ours, theirs, ratio: three cells"""
        row = lambda net: self.row(net, part, key)
        return lambda net: "%s | %s" % ("%.2f | %.2f" % (row(net)["ours"], row(net)["ms"]) if row(net) else "– | –", self.text(row(net), ratio))

    def left_out(self, part):
        reasons = {}
        for net in GOALS:
            for key, row in self.results.nets.get(net, {}).get("failed", {}).items():
                where, name = key.split(": ", 1)
                if where == part:
                    reasons.setdefault((name, row["why"]), []).append(net)
        return ["", "Left out:"] + ["- %s on %s: %s" % (name, ", ".join(nets), why) for (name, why), nets in reasons.items()] if reasons else []


def ratio(r):
    return "%.2f (%.2f–%.2f) *%.2f*" % (r["ratio"], r["least"], r["most"], r["best"])


def first_table(page):
    lines = ["", "## 8 bits, against onnxruntime's (QDQ)", "", "| network | ours, ms | theirs, ms | ratio, 1 thread | goal | ours, ms | theirs, ms | ratio, 2 threads | goal |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for net, goals in GOALS.items():
        lines.append("| %s | %s |" % (net, " | ".join("%s | %.2f" % (page.times("int8", "%s, %d" % (FIRST, t))(net), goal) for t, goal in zip((1, 2), goals))))
    return lines + ["", summary(page.results) + "."]


OTHERS = """
## 8 bits, against the others

Where a peer cannot take a network as it is: DeiT for LiteRT has GELU as one operator, and the divisions of its normalizations stay in float, as a divisor that rounds to nothing ends its
run. For ncnn, whose table makers are in no package, convolutions have scales of the calibration inputs; matrix products and attention find those of what they read as they run (`bench/ncnn_int8.py`); the
axis of YOLOv8's sum, which pnnx loses, is given back, and what pnnx makes has to say what onnxruntime says in float.
"""


def other_table(page):
    names = sorted({key.rsplit(", ", 1)[0] for parts in page.results.nets.values() for key in parts.get("int8", {})} - {FIRST})
    keys = ["%s, %d" % (n, t) for n in names for t in (1, 2)]
    lines = [OTHERS.rstrip("\n"), "", "| network | %s |" % " | ".join("%s thread%s" % (k, "s" if k.endswith("2") else "") for k in keys), "|---|" + "---:|" * len(keys)]
    lines += ["| %s | %s |" % (net, " | ".join(page.text(page.row(net, "int8", k), ratio) for k in keys)) for net in GOALS]
    return lines + page.left_out("int8")


def float_table(page, part, head, goal):
    lines = [head.rstrip("\n"), "", "| network | ours, ms | theirs, ms | ratio, 1 thread | ours, ms | theirs, ms | ratio, 2 threads | goal |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    lines += ["| %s | %s | %.2f |" % (net, " | ".join(page.times(part, "%s, %d" % (FLOAT, t))(net) for t in (1, 2)), goal(net)) for net in GOALS]
    return lines + page.left_out(part)


def start_table(page):
    lines = [START.rstrip("\n"), "", "| network | `ipu_load`, ms | first result, ms | a session of 8 bits, ms | ratio | a float session, ms | ratio | resident, MB | of image and arena |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for net in GOALS:
        own, cells = page.row(net, "start", "ours"), []
        for key in (FIRST, FLOAT):
            r = page.row(net, "start", key) if own else None
            cells.append("%s | %s" % (page.text(r, lambda r: "%.1f" % r["ms"]), "%.2f" % (own["first"] / r["ms"]) if r else "–"))
        resident = (lambda r: "%.1f | %.2f *%.2f*" % (r["peak"] / 1e6, *((r["peak"] - less) / (r["image"] + r["arena"]) for less in (0, r["before"] + r["buffers"]))))
        lines.append("| %s | %s | %s | %s |" % (net, page.text(own, lambda r: "%.2f | %.2f" % (r["load"], r["first"])) if own else "– | –", " | ".join(cells),
                                              resident(own) if own else "– | –"))
    return lines + page.left_out("start")


def memory_table(page):
    lines = [MEMORY.rstrip("\n"), "", "| network | ours, KB | of the bound | LiteRT, KB | ratio | TFLM, KB | ratio | goal |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for net in GOALS:
        own, cells = page.row(net, "memory", "ours"), []
        for key in ("LiteRT", "TFLM"):
            r = page.row(net, "memory", key) if own else None
            cells.append("%s | %s" % (page.text(r, lambda r: "%.0f" % (r["arena"] / 1e3)), "%.2f *%.2f*" % (own["arena"] / r["arena"], (own["arena"] + own["buffers"]) / r["arena"]) if r else "–"))
        lines.append("| %s | %s | %s | %.1f |" % (net, page.text(own, lambda r: "%.0f | %.3f" % (r["arena"] / 1e3, r["arena"] / r["bound"])) if own else "– | –", " | ".join(cells),
                                                1 if net in WITHOUT_ADDS else 1.5))
    return lines + page.left_out("memory")


def layers(said):
    """(us, MACs, GOP/s, share of the peak or None, kernel, name) of each layer that `sgs profile` lists."""
    for line in said.splitlines():
        m = re.match(r" +([\d.]+) +[\d.]+% +(\d+) +(?:([\d.]+) +([\d.]+)%)? +([A-Z]\w+) +\d+  (.*)", line)
        if m:
            yield float(m[1]), int(m[2]), float(m[3] or 0), float(m[4] or 0) / 100, m[5], m[6]


def layer_table(page):
    peaks = page.row(MACHINE, "layers", "peaks")
    lines = [LAYERS.rstrip("\n") % (PEAKS.rstrip("\n") % "".join("%-42s %8.1f GOP/s\n" % p for p in peaks["gops"].items()) if peaks else "")]
    for net in GOALS:
        found = page.row(net, "layers", "profile")
        rows = [(us * (1 - share), name, kernel, us, gops, share) for us, _, gops, share, kernel, name in layers(found["text"] if found else "")]
        for lost, name, kernel, us, gops, share in sorted(rows, reverse=True)[:SLOWEST]:
            lines.append("| %s | %s | %s | %.0f | %.0f | %s |" % (page.text(found, lambda _: net), name.replace("|", "\\|")[:60], kernel, us, lost,
                                                                 "%.0f | %.0f %%" % (gops, 100 * share) if gops else "– | –"))
    return lines


def has_vnni():
    return " avx512_vnni" in pathlib.Path("/proc/cpuinfo").read_text()


def machine():
    name = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return "%s, %d cores, %s" % (name[1] if name else "unknown processor", os.cpu_count(), "AVX-512 VNNI" if has_vnni() else "without VNNI")


def text(results):
    page = Page(results)
    later = {"int16": lambda: float_table(page, "int16", INT16, lambda net: 1.15 if net.startswith("resnet") else 1),
             "fixed": lambda: float_table(page, "fixed", FIXED, lambda net: 1), "start": lambda: start_table(page), "memory": lambda: memory_table(page),
             "layers": lambda: layer_table(page)}
    lines = [HEAD.rstrip("\n") % machine(), *page.runs(), *first_table(page), *other_table(page), (WHY if has_vnni() else WHY_AVX2).rstrip("\n")]
    for part, table in later.items():
        if any(part in parts or any(k.startswith(part) for k in parts.get("failed", {})) for parts in results.nets.values()):
            lines += table()
    return "\n".join(lines) + "\n"


def summary(results):
    ratios = {(net, t): row["ratio"] for net in GOALS for t in "12" for row in [results.get(net, "int8", "%s, %s" % (FIRST, t))] if row}
    if not ratios:
        return "geomean vs onnxruntime int8: not measured"
    means = [[r for (_, at), r in ratios.items() if at == t] for t in "12"]
    one, two = ("%.2f" % math.exp(sum(map(math.log, m)) / len(m)) if m else "-" for m in means)
    worst = max(ratios, key=ratios.get)
    return "geomean vs onnxruntime int8: 1 thread %s, 2 threads %s, worst row %.2f (%s)" % (one, two, ratios[worst], worst[0])
