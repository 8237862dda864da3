"""docs/PERFORMANCE.md from the results of bench.py."""
import math
import os
import pathlib
import re

# Ours / onnxruntime int8 with 1 and with 2 threads.
GOALS = {"mobilenet_v2": (0.60, 0.60), "mnasnet1_0": (0.50, 0.55), "efficientnet_b0": (0.35, 0.40), "shufflenet_v2_x1_0": (0.35, 0.35), "squeezenet1_1": (0.60, 0.60),
         "resnet18": (0.75, 0.75), "resnet50": (0.75, 0.75), "yolov8n_like": (0.42, 0.42), "yolov8s_like": (0.58, 0.58), "deit_tiny_like": (0.70, 0.70)}
BUSY = "\nThe machine had other work while this was measured, up to %.0f processes: with 2 threads the medians say little, the ratios in italics more; layers of milliseconds look longer than they are.\n"
FIRST, SLOWEST, QUIET = "onnxruntime int8", 6, 1.5
HEAD = """# Performance

Made by `make bench` (NETS and TOOLS narrow it): our offline runtime beside other engines on one machine, %s. Networks: seeded weights, `bench/make_models.py`; YOLOv8 with the
decoding of boxes. All engines get the same ONNX file and calibration inputs, weights and activations of 8 bits, one float picture a run; ours takes it as N,C,H,W and turns it
into bytes within the time. LiteRT gets our float model (`NAME_float.sim`, a TFLite file), its pictures as N,H,W,C and already as bytes where its quantizer made the input so. Pinned
to the same cores, in turns; **ratio: ours / theirs, below 1 ours is faster**, the median of neighbouring turns, the smallest and the largest, and in italics the ratio of the shortest runs of both. Of one
thread processor time counts, of two the clock.
"""
LAYERS = """
## Layers

The layers that lose most against the peak, `sgs profile` with one thread; all of them are in `out/bench/NAME/profile.txt`. Lost: the time beyond what the multiply-accumulates
would take at the peak. The peaks of one core, over registers alone (`bench/peak.c`):

```
%s```

| network | layer | kernel | us | lost | GOP/s | of peak |
|---|---|---|---:|---:|---:|---:|
"""


def cell(r):
    return "%.2f (%.2f–%.2f) *%.2f*" % (r["ratio"], r["least"], r["most"], r["best"]) if r else "–"


def first_table(known):
    lines = ["", "## Against onnxruntime's int8 (QDQ)", "", "| network | ours, ms | theirs, ms | ratio, 1 thread | goal | ours, ms | theirs, ms | ratio, 2 threads | goal |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for net, goals in GOALS.items():
        columns = []
        for threads, goal in zip("12", goals):
            r = known.get(net, {}).get(threads, {}).get(FIRST)
            columns += ["%.2f | %.2f" % (r["ours"], r["ms"]) if r else "– | –", cell(r), "%.2f" % goal]
        lines.append("| %s | %s |" % (net, " | ".join(columns)))
    return lines


def other_table(known):
    names = sorted({n for found in known.values() for t in "12" for n in found.get(t, {}) if n != FIRST})
    lines = ["", "## Against the others", "", "| network | %s |" % " | ".join("%s, %s" % (n, t) for n in names for t in ("1 thread", "2")), "|---|" + "---:|" * (2 * len(names))]
    lines += ["| %s | %s |" % (net, " | ".join(cell(known[net].get(t, {}).get(n)) for n in names for t in "12")) for net in GOALS if net in known]
    reasons = {}
    for net in GOALS:
        for name, why in known.get(net, {}).get("failed", {}).items():
            reasons.setdefault((name, why), []).append(net)
    if reasons:
        lines += ["", "Left out:"] + ["- %s on %s: %s" % (name, ", ".join(nets), why) for (name, why), nets in reasons.items()]
    return lines


def layers(said):
    """(us, MACs, GOP/s, share of the peak or None, kernel, name) of each layer that `sgs profile` lists."""
    for line in said.splitlines():
        m = re.match(r" +([\d.]+) +[\d.]+% +(\d+) +(?:([\d.]+) +([\d.]+)%)? +([A-Z]\w+) +\d+  (.*)", line)
        if m:
            yield float(m[1]), int(m[2]), float(m[3] or 0), float(m[4] or 0) / 100, m[5], m[6]


def layer_table(known, peaks):
    lines = [LAYERS.rstrip("\n") % peaks]
    for net in GOALS:
        rows = [(us * (1 - share), name, kernel, us, gops, share) for us, _, gops, share, kernel, name in layers(known.get(net, {}).get("profile", ""))]
        for lost, name, kernel, us, gops, share in sorted(rows, reverse=True)[:SLOWEST]:
            lines.append("| %s | %s | %s | %.0f | %.0f | %s |" % (net, name.replace("|", "\\|")[:60], kernel, us, lost, "%.0f | %.0f %%" % (gops, 100 * share) if gops else "– | –"))
    return lines


def machine():
    name = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return "%s, %d cores" % (name[1] if name else "unknown processor", os.cpu_count())


def text(known, peaks):
    load = max([found["load"] for found in known.values()], default=0)
    lines = [HEAD.rstrip("\n") % machine() + (BUSY.rstrip("\n") % load if load > QUIET else ""), *first_table(known), "", summary(known) + ".", *other_table(known), *layer_table(known, peaks)]
    return "\n".join(lines) + "\n"


def summary(known):
    ratios = {(net, t): found[t][FIRST]["ratio"] for net, found in known.items() for t in "12" if FIRST in found.get(t, {})}
    if not ratios:
        return "geomean vs onnxruntime int8: not measured"
    means = [[r for (_, at), r in ratios.items() if at == t] for t in "12"]
    one, two = ("%.2f" % math.exp(sum(map(math.log, m)) / len(m)) if m else "-" for m in means)
    worst = max(ratios, key=ratios.get)
    return "geomean vs onnxruntime int8: 1 thread %s, 2 threads %s, worst row %.2f (%s)" % (one, two, ratios[worst], worst[0])
