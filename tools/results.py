#!/usr/bin/env python3
"""Accuracy of float, fixed and offline on labelled pictures, into docs/RESULTS.md: `make results`.

Every network of tools/networks.py goes through every stage; the float model is compared with who else runs the original file (tools/references.py), fixed
with float, offline with fixed bit for bit.  With --only, the page's other rows stay."""
import argparse
import pathlib
import platform
import re
import sys

import numpy as np

import detect
import references
import toolchain as tc
from networks import NETWORKS, RAW, pictures

LEVELS = ("L1", "L2")
TOLERANCE = 1e-4
SLOW = 40  # samples that a slow reference sees


def outputs_of(other, network, model, paths):
    """{sample: outputs} of who else runs the model."""
    scope = {}
    exec(network.script(), scope)  # the same preprocessing, in this process
    order = (0, 3, 1, 2) if references.channel_first(model) and network.format != RAW else None
    found = {}
    for p in list(paths)[:SLOW if other.slow else None]:
        x = scope["image_preprocess"](str(p))
        found[p.name] = other([x.transpose(order).copy() if order else x])
    return found


def float_error(original, ours):
    """Largest difference, in parts of the largest value of its output and picture."""
    return max(np.abs(a.ravel() - b.ravel()).max() / np.abs(a).max() for n in original for a, b in zip(original[n], ours[n]))


def compared(network, model, reference, paths, labels):
    """What the float model is beside the original, and the original's outputs where those are of integers."""
    try:
        other = references.of(model, [network.input], network.outputs.split(","))
    except references.Nobody as e:
        return str(e), None
    original = outputs_of(other, network, model, paths)
    if not other.real:
        return "%s in integers: %s" % (other.name, task(network, original, original, labels)), original
    on = "" if len(original) == len(reference) else " on %d samples" % len(original)
    error, more = float_error(original, reference), ""
    if error > TOLERANCE and other.name == "LiteRT":  # what is rounding here
        more = " (its plain kernels and its fast ones: %.1e)" % float_error(original, outputs_of(other.again(), network, model, paths))
    return "float against %s%s: largest difference %.1e of the largest value%s" % (other.name, on, error, more), None


def paired(got, original, labels):
    """How decisions differ from the original's, and by how much accuracy does: with the standard error of a paired difference."""
    choice = {n: (tc.decisions(got[n], k), tc.decisions(original[n], k), k) for n, k in labels.items()}
    a, b, k = (np.concatenate([np.atleast_1d(c[i]) for c in choice.values()]) for i in range(3))
    gain = (a == k).astype(float) - (b == k)
    return "another decision on %d of %d, right on %+.2f %% (standard error %.2f %%)" % ((a != b).sum(), k.size, 100 * gain.mean(), 100 * gain.std() / np.sqrt(k.size))


def area(score, label):
    """Under the curve: how often one of label 1 scores above one of label 0."""
    ones, zeros = (np.array([s for s, k in zip(score, label) if k == which]) for which in (1, 0))
    return float(np.mean(ones[:, None] > zeros[None]) + np.mean(ones[:, None] == zeros[None]) / 2)


def sounds(got, labels):
    """The mean over machines of the area, of the mean squared error of reconstruction."""
    errors = {n: float(np.mean((np.load(labels[n][2]) - outs[0]) ** 2)) for n, outs in got.items()}
    of_machine = {m: [n for n in got if labels[n][0] == m] for m in sorted({labels[n][0] for n in got})}
    return float(np.mean([area([errors[n] for n in names], [labels[n][1] for n in names]) for names in of_machine.values()]))


def task(network, reference, got, labels):
    if network.score == "top1":
        return "%.2f %%" % (100 * tc.top1(got, labels))
    if network.score == "sounds":
        return "%.3f" % sounds(got, labels)
    if network.score == "boxes":
        total, hits, others = detect.refound(reference, got, network.decode)
        return "%d boxes" % total if got is reference else "%.1f %% of %d boxes, %d found" % (100 * hits / max(total, 1), total, others)
    return "–"


def row(network, stage, reference, got, labels, ms, size):
    return "| %s | %s | %s | %.5f | %.1f | %.2f | %d |" % (network.title, stage, task(network, reference, got, labels), tc.cosine(reference, got), tc.sqnr_db(reference, got), ms,
                                                          size)


def shapes_of(network):
    return ["--input_shapes", network.shapes] if network.shapes else []


def kept(args, network, model, original, labels):
    """The row of the model that keeps its own scales, beside the original in integers; LiteRT's outputs are the reference of it."""
    t = tc.Toolchain(args.build, pathlib.Path(args.work) / "kept" / model.stem, model.stem)
    plain = tc.Toolchain(args.build, pathlib.Path(args.work) / "tflite" / model.stem, model.stem).work
    ini, script = plain / "input_config.ini", plain / "preprocess.py"
    t.convert(model, ini, "--keep_quant", *shapes_of(network))
    t.calibrate(ini, plain / "calib.txt", script, LEVELS[0])
    t.compile()
    fixed, ms = t.simulate("Fixed", plain / "val.txt", script)
    offline, _ = t.simulate("Offline", plain / "val.txt", script)
    line = row(network, "fixed, kept", original, fixed, labels, ms, t.path("Fixed").stat().st_size)
    note = "scales kept: fixed and offline agree bit for bit on %d of %d samples" % (len(fixed) - tc.different(fixed, offline), len(fixed))
    return line, note + (", beside LiteRT " + paired(fixed, original, labels) if network.score == "top1" else "")


def measure(args, network):
    data, model = pathlib.Path(args.shared) / "data", pathlib.Path(args.shared) / "models" / network.file
    work = pathlib.Path(args.work)
    t = tc.Toolchain(args.build, work / network.file.partition("/")[0] / model.stem, model.stem)
    ini, script = t.work / "input_config.ini", t.work / "preprocess.py"
    ini.write_text(network.ini())
    script.write_text(network.script())
    calibrate, score = pictures(network.pictures, data, work.resolve(), args.few)
    labels = {p.name: k for p, k in score.items()}
    for name, files in (("calib.txt", calibrate), ("val.txt", score)):
        (t.work / name).write_text("".join("%s\n" % f for f in files))
    log = t.convert(model, ini, *shapes_of(network))
    quantized = "the model is quantized" in log
    reference, ms = t.simulate("Float", t.work / "val.txt", script)
    lines = [row(network, "float", reference, reference, labels, ms, t.path("Float").stat().st_size)]
    notes = ["the manifest says %s" % network.known] if network.known else []
    note, original = compared(network, model, reference, score, labels)
    notes.append(note)
    for level in LEVELS:
        t.calibrate(ini, t.work / "calib.txt", script, level)
        log = t.compile()
        fixed, ms = t.simulate("Fixed", t.work / "val.txt", script)
        lines.append(row(network, "fixed " + level, reference, fixed, labels, ms, t.path("Fixed").stat().st_size))
        offline, ms = t.simulate("Offline", t.work / "val.txt", script)
        same = len(score) - tc.different(fixed, offline)
        notes.append("%s: fixed and offline agree bit for bit on %d of %d samples" % (level, same, len(score)))
    lines.append(row(network, "offline " + level, reference, offline, labels, ms, t.path("Offline").stat().st_size))
    notes += re.findall(r"arena[^\n]*", log)
    if quantized and original:
        line, note = kept(args, network, model, original, labels)
        lines.append(line)
        notes.append(note)
    return lines, ["- %s: %s." % (network.title, "; ".join(n.strip() for n in notes))]


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return "%s, one thread" % (cpu.group(1).strip() if cpu else platform.machine())


HEAD = """# Results

Made by `make results`. Machine: %s. ms: median of one inference, preprocessing not included.

Pictures that calibrate are not scored; of the arrays (words, sounds, digits by hundreds) 50 do both, as there are no others. ImageNet sample: 400
pictures to score, one a class; it flatters every model (its pictures are largely training pictures): compare float with fixed, not with papers.
CIFAR-10: 2000 pictures, recompressed; ResNet-8: 100 that are not. Detectors: the share of the boxes that the float model finds which the fixed one finds
too (IoU 0.5, same class, same threshold), on half of coco128 and the demo photos; the other half calibrates. Sounds: area under the curve, the mean over
four machines. "The manifest": `../shared/models/MANIFEST.md`, accuracies in float that others measured.

TFLite models "of bytes" are read as real numbers: their float row does not round, and is cut where a range may be an activation (from 0, to 0, -1 to 1).
LiteRT runs them in integers and cuts logits too, where two that leave their range tie; its own plain and fast kernels round differently, and decide
differently on some pictures. "Fixed, kept" is the model with its own scales (`--keep_quant`); cosine and SQNR of that row are against LiteRT, and its note says on
how many samples both decide differently and what the difference in accuracy is worth.

| network | stage | task | cosine | SQNR dB | ms | file bytes |
|---|---|---:|---:|---:|---:|---:|
"""


def title_of(line):
    """Of a row or a note; None of anything else."""
    for start, end in (("| ", " |"), ("- ", ": ")):
        if line.startswith(start):
            return line[len(start):].partition(end)[0]
    return None


def merged(old, lines, notes):
    """Rows and notes of the page before, those of the networks measured now replaced; networks that are no more go."""
    measured = {title_of(n) for n in notes}
    for network in NETWORKS:
        kept = [line for line in old if title_of(line) == network.title and network.title not in measured]
        new = [line for line in lines + notes if title_of(line) == network.title]
        yield from kept + new


def page(old, lines, notes):
    every = list(merged(old, lines, notes))
    return HEAD % machine() + "\n".join([r for r in every if r[0] == "|"] + [""] + [n for n in every if n[0] == "-"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--shared", required=True, help="the folder with models and data")
    parser.add_argument("--work", default=str(tc.ROOT / "out/results"))
    parser.add_argument("--out", help="the page to write; without it the rows are only printed")
    parser.add_argument("--only", default="", help="networks whose title holds this text")
    parser.add_argument("--few", action="store_true", help="few pictures: a quick look")
    args = parser.parse_args()
    args.shared = str(pathlib.Path(args.shared or "-").resolve())
    if not (pathlib.Path(args.shared) / "data/imagenet_sample").is_dir():
        sys.exit("results: the labelled pictures are not here (expected %s/data)" % args.shared)
    lines, notes, failed = [], [], False
    for network in NETWORKS:
        if args.only.lower() not in network.title.lower():
            continue
        try:
            new, more = measure(args, network)
        except tc.Failed as e:
            print("%s: %s" % (network.title, e), file=sys.stderr)
            failed = True
            continue
        lines += new
        notes += more
        print("\n".join(new + more), flush=True)
    if args.out and not failed:
        out = pathlib.Path(args.out)
        out.write_text(page(out.read_text().splitlines() if args.only and out.exists() else [], lines, notes))
    return failed


if __name__ == "__main__":
    sys.exit(main())
