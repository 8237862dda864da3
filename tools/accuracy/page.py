"""docs/ACCURACY.md, of the files NETWORK/TOOL.tsv alone."""
import dataclasses
import statistics

import cases
import ours
import peers
import scores

HEAD = """# Accuracy

Made by `make accuracy`: what a quantizer leaves of a network, ours and others', on the same pictures through the same script. Nothing that calibrates is
scored, and nothing is chosen by what is scored.

**The last line.** {last}

## Loss against float

In points; `±`: the paired standard error, √(b+c)/n, b and c the pictures (of detectors, the boxes) that only float, only the other gets right. **Bold**: a loss beyond it.
For the area under the curve the error is that of leaving one sound out at a time, for super-resolution that of the mean. `–`: the tool does not read the format,
or failed (below). Other projects' tools run as their documentation recommends; all of them keep in float what they do not quantize, ncnn everything but
convolutions and products. Ours computes in integers throughout: `{top}{all_8}` gives every convolution 8 bits, what lies between them 16; the levels by themselves choose 8 or 16 bits.

"""

MEANS = """
Mean and worst, the twins not counted; beside it {top} on the very networks that the tool takes.

| tool | networks | mean loss | worst | {top} on these |
|---|---:|---:|---|---:|
"""

TWINS = """
## Hard twins

The same networks, in float to the last bit, with channels scaled by 2^u, u in ±4, and scaled back by the next convolution (`tools/twin.py`); those of ONNX in which a channel can be scaled.

"""

EACH = """
## Every figure

Of top-1 networks the share of pictures got right; of YOLOX-Nano, NanoDet and FastestDet the share of COCO's labelled boxes found (IoU 0.5, same class) at the decoder's threshold, and
beside it the false ones; of the detectors of faces the share of float's own boxes. Agreement: top-1 the same as float's; of boxes, found by both, in 2 · both / (one's + the other's).
SQNR: of all outputs over all pictures, against float.

| network | tool | figure | loss | agreement | SQNR dB |
|---|---|---:|---:|---:|---:|
"""

FOOT = """
## Who took part

Peers: {versions}. Executed by their own runtimes: QDQ models by onnxruntime, NNCF's by OpenVINO (layers in float stay float32), ncnn's by ncnn, LiteRT's by LiteRT. A file is given only to those who
read its format by themselves: onnxruntime ONNX, OpenVINO ONNX, TFLite and GraphDef, ncnn ONNX (by pnnx) and Caffe (by caffe2ncnn), LiteRT TFLite. {ncnn}

{failures}## Recompute it

`out/accuracy/NETWORK/TOOL.tsv` has a line a picture: its name, the outcome, agreement with float, signal and noise of the outputs; `tools/accuracy/scores.py` says how they add up.
`make accuracy` measures what changed; `tools/accuracy/main.py --page` makes this page again from the files. `ONLY=` and `TOOLS=` narrow a run to networks and tools.
"""

NCNN = """ncnn's table makers are in no Python package: they come from a build of its repository, whose folder is the variable `NCNN_TOOLS`."""


@dataclasses.dataclass
class Result:
    head: dict
    rows: list

    @property
    def kind(self):
        return self.head["kind"]


def read(path):
    lines = path.read_text().splitlines() if path.exists() else []
    head = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return Result(head, [scores.parse(line) for line in lines if not line.startswith("# ")]) if head else None


def results(work, names):
    """{network: {tool: Result}}, as far as there are files."""
    found = {}
    for title in (t + more for t in cases.TITLES for more in ("", cases.TWINNED)):
        of = {n: read(work / cases.slug(title) / (cases.slug(n) + ".tsv")) for n in ["float"] + names}
        if of["float"]:
            found[title] = {n: r for n, r in of.items() if r}
    return found


def loss_of(of, name):
    """(points, standard error), or None"""
    r = of.get(name)
    return scores.loss(r.kind, of["float"].rows, r.rows) if r and r.rows else None


def signed(points):
    return "%.2f" % (points + 0.0 if abs(points) >= 0.005 else 0)


def cell(pair):
    if not pair:
        return "–"
    text = "%s ± %.2f" % (signed(pair[0]), pair[1])
    return "**%s**" % text if pair[0] > pair[1] and pair[0] >= 0.005 else text


def figure(r):
    text = scores.UNITS[r.kind] % scores.figure(r.kind, r.rows)
    return text + ", %d false" % scores.false_boxes(r.rows) if r.kind in ("boxes", "faces") else text


def matrix(found, titles, names):
    yield "| network | float | " + " | ".join(names) + " |"
    yield "|---|---:|" + "---:|" * len(names)
    for t in titles:
        yield "| %s | %s | %s |" % (t, figure(found[t]["float"]), " | ".join(cell(loss_of(found[t], n)) for n in names))


def losses(found, titles, name):
    return {t: pair[0] for t in titles for pair in [loss_of(found[t], name)] if pair}


def means(found, titles, names, top):
    for n in names:
        of = losses(found, titles, n)
        if of:
            worst, mine = max(of, key=of.get), losses(found, of, top)
            yield "| %s | %d | %s | %s (%s) | %s |" % (n, len(of), signed(statistics.mean(of.values())), signed(of[worst]), worst, signed(statistics.mean(mine.values())) if mine else "–")


def each(found, names):
    for t, of in found.items():
        for n in ["float"] + names:
            r = of.get(n)
            if r and r.rows:
                agree, ratio = scores.agreement(r.rows), scores.sqnr(r.rows)
                yield "| %s | %s | %s | %s | %s | %s |" % (t, n, figure(r), "" if n == "float" else cell(loss_of(of, n)), "–" if agree is None else "%.2f %%" % agree,
                                                           "" if n == "float" else "%.1f" % ratio)


def failures(found, names):
    lines = ["- %s, %s: %s" % (t, n, of[n].head["failed"]) for t, of in found.items() for n in names if n in of and "failed" in of[n].head]
    return "Failed:\n\n" + "\n".join(lines) + "\n\n" if lines else ""


def last_line(found, titles, top):
    """Of the other tools those that take at least half of the networks."""
    mine = losses(found, titles, top)
    if not mine:
        return "no network was measured"
    others = {p.name: losses(found, titles, p.name) for p in peers.PEERS}
    means_of = {n: statistics.mean(of.values()) for n, of in others.items() if 2 * len(of) >= len(titles)}
    worst = max(mine, key=mine.get)
    text = "%s against float: mean loss %s points, worst %s (%s)" % (top, signed(statistics.mean(mine.values())), signed(mine[worst]), worst)
    best = min(means_of, key=means_of.get, default=None)
    return text + ("; best peer mean %s (%s)" % (signed(means_of[best]), best) if best else "; no peer ran on half of them")


def made(work, levels):
    """(the page, its last line)"""
    top = levels[-1]
    names = levels + [top + ours.ALL_8] + [p.name for p in peers.PEERS]
    found = results(work, names)
    plain, twins = ([t for t in found if t.endswith(cases.TWINNED) == is_twin] for is_twin in (False, True))
    last = last_line(found, plain, top)
    text = HEAD.format(last=last, top=top, all_8=ours.ALL_8) + "\n".join(matrix(found, plain, names)) + "\n"
    text += MEANS.format(top=top) + "\n".join(means(found, plain, names, top)) + "\n"
    if twins:
        text += TWINS + "\n".join(matrix(found, twins, names)) + "\n"
    text += EACH + "\n".join(each(found, names)) + "\n"
    text += FOOT.format(versions="; ".join(sorted({p.versions() for p in peers.PEERS})), ncnn=NCNN, failures=failures(found, names))
    return text, last
