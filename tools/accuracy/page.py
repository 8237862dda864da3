"""docs/ACCURACY.md, of the files NETWORK/TOOL.tsv alone."""
import dataclasses
import pathlib
import re
import statistics

import cases
import ours
import peers
import scores

HEAD = """# Accuracy

Made by `make accuracy`: what a quantizer leaves of a network, ours and others', on the same pictures through the same script. Nothing that calibrates is
scored, and nothing is chosen by what is scored.

**The last line.** {last}

## Goals

Twins do not count but in their own row. A peer is compared with on the networks that it takes.

| goal | measured | |
|---|---|---|
{goals}

## Loss against float

In points; `±`: the paired standard error SE = √(b+c)/n, b and c the pictures (of detectors, the boxes) that only float, only the other gets right. **Bold**: a loss beyond it.
For the area under the curve the error is that of leaving one sound out at a time, for super-resolution, where a point is a hundredth of the float model's PSNR, that of the mean.
`calib.`, `n`: how many pictures (files of keywords or sounds) calibrate and are scored. `–`: the tool does not read the format; `failed`: below; `not run`: no result is there.
Other projects' tools run as their documentation recommends; all of them keep in float what they do not quantize, ncnn everything but
convolutions and products. Ours computes in integers throughout: `{top}{all_8}` gives every convolution 8 bits, what lies between them 16; the levels by themselves choose 8 or 16 bits.

"""

MEANS = """
Mean and worst, the twins not counted; beside it {top} and {top}{all_8} on the very networks that the tool takes.

| tool | networks | mean loss | worst | {top} on these | {top}{all_8} on these |
|---|---:|---:|---|---:|---:|
"""

TWINS = """
## Hard twins

The same networks, in float to the last bit, with channels scaled by 2^u, u in ±4, and scaled back by the next convolution (`tools/twin.py`); those of ONNX in which a channel can be scaled{without}.

"""

COST = """
## What a calibration costs

Made by `make bench-calibrate`: MobileNetV2, 100 pictures of 224x224, two cores; medians of runs in turns. Ours decode and preprocess the pictures within, the others
get finished arrays. MB: the largest sum over the tool's processes.

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

Peers: {versions}. Executed by their own runtimes: QDQ models by onnxruntime, NNCF's by OpenVINO (layers in float stay float32), ncnn's by ncnn, LiteRT's by LiteRT, whose ranges by default are moving averages of
each sample's extremes; `LiteRT extremes` takes the extremes of all. A file is given only to those who
read its format by themselves: onnxruntime ONNX, OpenVINO ONNX, TFLite and GraphDef, ncnn ONNX (by pnnx) and Caffe (by caffe2ncnn), LiteRT TFLite. ncnn's table makers are in no
Python package: they come from a build of its repository ([CONTRIBUTING.md](../CONTRIBUTING.md)).

{ours}{failures}## Recompute it

`NETWORK/TOOL.tsv` in the folder out/accuracy has a line a picture: its name, the outcome, agreement with float, signal and noise of the outputs; `tools/accuracy/scores.py` says how they add up.
`make accuracy` measures what changed; `tools/accuracy/main.py --page` makes this page again from the files. `NETS=` and `TOOLS=` narrow a run to networks and tools.
"""

MIXED = """**Our own rows are of %d programs**: a run was stopped, or narrowed, after the program had changed.

"""

GOAL_MEAN, GOAL_EACH, GOAL_PEER, GOAL_TWIN = 0.3, 0.8, 0.3, 0.3  # points


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
    rows = sorted((scores.parse(line) for line in lines if not line.startswith("# ")), key=lambda r: r.picture)  # tools take them in orders of their own
    return Result(head, rows) if head else None


def results(work, names):
    """{network: {tool: Result}}, as far as there are files."""
    found = {}
    for title in (t + more for t in cases.TITLES for more in ("", cases.TWINNED)):
        of = {n: read(work / cases.slug(title) / (cases.slug(n) + ".tsv")) for n in ["float"] + names}
        if of["float"]:
            found[title] = {n: r for n, r in of.items() if r}
    return found


def loss_of(of, name, against="float"):
    """(points, standard error), or None"""
    r = of.get(name)
    return scores.loss(r.kind, of[against].rows, r.rows) if r and r.rows else None


def signed(points):
    return "%.2f" % (points + 0.0 if abs(points) >= 0.005 else 0)


def absent(of, name):
    """Why there is no figure."""
    if name in of:
        return "failed"
    reads = [p.reads for p in peers.PEERS if p.name == name]
    return "–" if reads and pathlib.Path(of["float"].head["file"]).suffix not in reads[0] else "not run"


def cell(of, name):
    pair = loss_of(of, name)
    if not pair:
        return absent(of, name)
    text = "%s ± %.2f" % (signed(pair[0]), pair[1])
    return "**%s**" % text if pair[0] > pair[1] and pair[0] >= 0.005 else text


def figure(r):
    text = scores.UNITS[r.kind] % scores.figure(r.kind, r.rows)
    return text + ", %d false" % scores.false_boxes(r.rows) if r.kind in ("boxes", "faces") else text


def matrix(found, titles, names):
    yield "| network | calib. | n | float | " + " | ".join(names) + " |"
    yield "|---|---:|---:|---:|" + "---:|" * len(names)
    for t in titles:
        of = found.get(t)
        if not of:
            yield "| %s | | | not run |" % t + " |" * len(names)
            continue
        r = of["float"]
        yield "| %s | %s | %d | %s | %s |" % (t, r.head["calibrate"], len(r.rows), figure(r), " | ".join(cell(of, n) for n in names))


def losses(found, titles, name):
    return {t: pair[0] for t in titles if t in found for pair in [loss_of(found[t], name)] if pair}


def mean(of):
    return signed(statistics.mean(of.values())) if of else "–"


def means(found, titles, names, top):
    for n in names:
        of = losses(found, titles, n)
        if of:
            worst, mine = max(of, key=of.get), [mean(losses(found, of, name)) for name in (top, top + ours.ALL_8)]
            yield "| %s | %d | %s | %s (%s) | %s | %s |" % (n, len(of), mean(of), signed(of[worst]), worst, *mine)


def each(found, names):
    for t, of in found.items():
        for n in ["float"] + names:
            r = of.get(n)
            if r and r.rows:
                agree, ratio = scores.agreement(r.rows), scores.sqnr(r.rows)
                yield "| %s | %s | %s | %s | %s | %s |" % (t, n, figure(r), "" if n == "float" else cell(of, n), "–" if agree is None else "%.2f %%" % agree,
                                                           "" if n == "float" else "%.1f" % ratio)


def failures(found, names):
    lines = ["- %s, %s: %s" % (t, n, re.sub(r"/\S*/", "", of[n].head["failed"])) for t, of in found.items() for n in names if n in of and "failed" in of[n].head]
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
    return text + ("; best peer mean %s (%s)" % (signed(means_of[best]), best) if best else "; no peer ran on half of the networks")


# ---- goals -------------------------------------------------------------------------------------------------------------

def listed(missed, of):
    """(measured, held or not) of a goal that each network is to hold"""
    if not of:
        return "not measured", False
    return "missed on %d of %d: %s" % (len(missed), of, "; ".join(missed)) if missed else "all %d" % of, not missed


def goal_each(found, titles, top):
    pairs = {t: loss_of(found[t], top) for t in losses(found, titles, top)}
    return listed(["%s %s ± %.2f" % (t, signed(lost), se) for t, (lost, se) in pairs.items() if lost > max(GOAL_EACH, 2 * se)], len(pairs))


def agreements(of, names):
    """Whether a lead is more than luck: how far float itself is behind the other, how far both agree with float."""
    behind, se = loss_of(of, "float", names[0])
    shares = [scores.agreement(of[n].rows) for n in names]
    text = ", float itself %s ± %.2f" % (signed(behind), se)
    return text if None in shares else text + " (the peer agrees with float on %.2f %%, ours on %.2f %%)" % tuple(shares)


def goal_best(found, titles, top):
    """On each network; the standard error is that of the two compared, picture by picture."""
    missed, compared = [], 0
    for t in losses(found, titles, top):
        theirs = {p.name: loss_of(found[t], p.name) for p in peers.PEERS if loss_of(found[t], p.name)}
        compared += bool(theirs)
        best = min(theirs, key=lambda n: theirs[n][0], default=None)
        if best:
            behind, se = loss_of(found[t], top, best)
            text = "%s %s ± %.2f behind %s%s" % (t, signed(behind), se, best, agreements(found[t], (best, top)))
            missed += [text] if behind > max(GOAL_PEER, se) else []
    return listed(missed, compared)


def goal_means(found, titles, name):
    """On the average no worse than each peer, on the networks of both"""
    missed, compared = [], 0
    for p in peers.PEERS:
        both = [t for t in losses(found, titles, p.name) if t in losses(found, titles, name)]
        theirs, mine = losses(found, both, p.name), losses(found, both, name)
        compared += bool(both)
        if both and statistics.mean(mine.values()) > statistics.mean(theirs.values()):
            missed.append("%s %s on %d, %s %s" % (p.name, mean(theirs), len(both), name, mean(mine)))
    return listed(missed, compared)


def goal_twins(found, twins, top):
    """The figure, not the loss: a twin's float model is the network's own."""
    missed, compared = [], 0
    for t in losses(found, twins, top):
        own = found.get(t.removesuffix(cases.TWINNED), {}).get(top)
        if own and own.rows:
            compared += 1
            gap = loss_of(found[t], top)[0] - loss_of(found[t.removesuffix(cases.TWINNED)], top)[0]
            if gap > GOAL_TWIN:
                missed.append("%s %s" % (t.removesuffix(cases.TWINNED), signed(gap)))
    return listed(missed, compared)


def goal_order(found, titles, levels):
    """Each level's outputs no farther from float than those of the one below, to what the table prints"""
    missed, compared = [], 0
    for t, of in found.items():
        ratios = [(n, round(scores.sqnr(of[n].rows), 1)) for n in levels if n in of and of[n].rows] if t in titles else []
        compared += len(ratios) > 1
        worse = ["%s %.1f dB, %s %.1f" % (*high, *low) for low, high in zip(ratios, ratios[1:]) if high[1] < low[1]]
        missed += ["%s %s" % (t, ", ".join(worse))] if worse else []
    return listed(missed, compared)


def goals(found, plain, twins, levels):
    top = levels[-1]
    mine = losses(found, plain, top)
    average = statistics.mean(mine.values()) if mine else float("inf")
    for goal, (measured, held) in (
            ("%s loses at most %.1f point on the average" % (top, GOAL_MEAN), ("%.2f of %d networks" % (average, len(mine)), average <= GOAL_MEAN)),
            ("%s loses at most max(%.1f, 2 SE) on each network" % (top, GOAL_EACH), goal_each(found, plain, top)),
            ("%s is no worse than any peer on the average" % top, goal_means(found, plain, top)),
            ("%s is within max(%.1f, SE) of the best peer on each network" % (top, GOAL_PEER), goal_best(found, plain, top)),
            ("%s loses at most %.1f point more on a hard twin" % (top, GOAL_TWIN), goal_twins(found, twins, top)),
            ("%s is no worse than any peer on the average" % (top + ours.ALL_8), goal_means(found, plain, top + ours.ALL_8)),
            ("each level is no worse than the one below by SQNR, twins too", goal_order(found, plain + twins, levels))):
        yield "| %s | %s | %s |" % (goal, measured, "held" if held else "" if measured == "not measured" else "**missed**")


def made(work, levels):
    """(the page, its last line)"""
    top = levels[-1]
    names = levels + [top + ours.ALL_8] + [p.name for p in peers.PEERS]
    found, plain, cost = results(work, names), list(cases.TITLES), work / "cost.md"
    low_bit = work / "low_bit.md"
    twins, none = cases.with_twin(work)
    twins = [t + cases.TWINNED for t in twins]
    last = last_line(found, plain, top)
    text = HEAD.format(last=last, top=top, all_8=ours.ALL_8, goals="\n".join(goals(found, plain, twins, levels))) + "\n".join(matrix(found, plain, names)) + "\n"
    text += MEANS.format(top=top, all_8=ours.ALL_8) + "\n".join(means(found, plain, names, top)) + "\n"
    text += TWINS.format(without=": not " + ", ".join(none) if none else "") + "\n".join(matrix(found, twins, names)) + "\n"
    text += COST + cost.read_text() if cost.exists() else ""
    text += low_bit.read_text() if low_bit.exists() else ""
    text += EACH + "\n".join(each(found, names)) + "\n"
    programs = {of[n].head.get("program") for of in found.values() for n in names[:len(levels) + 1] if n in of}
    versions = {of[p.name].head["versions"] for of in found.values() for p in peers.PEERS if p.name in of}
    text += FOOT.format(versions="; ".join(sorted(versions)), ours="" if len(programs) < 2 else MIXED % len(programs), failures=failures(found, names))
    return text, last
