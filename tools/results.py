#!/usr/bin/env python3
"""Accuracy of float, fixed and offline on labelled pictures, into docs/RESULTS.md: `make results`.

Every network of tools/networks.py goes through every stage; the float model is compared with onnxruntime on the original file, fixed with
float, offline with fixed bit for bit."""
import argparse
import pathlib
import platform
import re
import sys

import numpy as np

import detect
import toolchain as tc
from networks import NETWORKS, pictures

LEVELS = ("L1", "L2")


def onnxruntime_outputs(network, model, paths):
    import onnxruntime
    scope = {}
    exec(network.script(), scope)  # the same preprocessing, in this process
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), quiet, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return {p.name: session.run(network.outputs.split(","), {name: scope["image_preprocess"](str(p)).transpose(0, 3, 1, 2).copy()}) for p in paths}


def channel_last(outs):
    return [np.moveaxis(o, 1, -1) if o.ndim == 4 else o for o in outs]


def float_error(original, ours):
    """Largest difference, in parts of the largest value of its output and picture."""
    return max(np.abs(a.ravel() - b.ravel()).max() / np.abs(a).max() for n in original for a, b in zip(channel_last(original[n]), ours[n]))


def task(network, reference, got, labels):
    if network.score == "top1":
        return "%.2f %%" % (100 * tc.top1(got, labels))
    if network.score == "boxes":
        total, hits, others = detect.refound(reference, got, network.decode)
        return "%d boxes" % total if got is reference else "%.1f %% of %d boxes, %d found" % (100 * hits / max(total, 1), total, others)
    return "–"


def row(network, stage, reference, got, labels, ms, size):
    return "| %s | %s | %s | %.5f | %.1f | %.2f | %d |" % (network.title, stage, task(network, reference, got, labels), tc.cosine(reference, got), tc.sqnr_db(reference, got), ms,
                                                          size)


def measure(args, network):
    data, model = pathlib.Path(args.shared) / "data", pathlib.Path(args.shared) / "models/onnx" / network.file
    work = pathlib.Path(args.work)
    t = tc.Toolchain(args.build, work / model.stem, model.stem)
    ini, script = t.work / "input_config.ini", t.work / "preprocess.py"
    ini.write_text(network.ini())
    script.write_text(network.script())
    calibrate, score = pictures(network.pictures, data, work.resolve(), args.few)
    labels = {p.name: k for p, k in score.items()}
    for name, files in (("calib.txt", calibrate), ("val.txt", score)):
        (t.work / name).write_text("".join("%s\n" % f for f in files))
    t.convert(model, ini, *(["--input_shapes", network.shapes] if network.shapes else []))
    reference, ms = t.simulate("Float", t.work / "val.txt", script)
    lines = [row(network, "float", reference, reference, labels, ms, t.path("Float").stat().st_size)]
    notes = ["float against onnxruntime: largest difference %.1e of the largest value" % float_error(onnxruntime_outputs(network, model, score), reference)]
    for level in LEVELS:
        t.calibrate(ini, t.work / "calib.txt", script, level)
        log = t.compile()
        fixed, ms = t.simulate("Fixed", t.work / "val.txt", script)
        lines.append(row(network, "fixed " + level, reference, fixed, labels, ms, t.path("Fixed").stat().st_size))
        offline, ms = t.simulate("Offline", t.work / "val.txt", script)
        same = len(score) - tc.different(fixed, offline)
        notes.append("%s: fixed and offline agree bit for bit on %d of %d pictures" % (level, same, len(score)))
    lines.append(row(network, "offline " + level, reference, offline, labels, ms, t.path("Offline").stat().st_size))
    notes += re.findall(r"arena[^\n]*", log)
    return lines, ["- %s: %s." % (network.title, "; ".join(n.strip() for n in notes))]


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return "%s, one thread" % (cpu.group(1).strip() if cpu else platform.machine())


HEAD = """# Results

Made by `make results`. Machine: %s. ms: median of one inference, preprocessing not included.

Pictures that calibrate are not scored. ImageNet sample: 400 pictures to score, one a class; it flatters every model (its pictures are largely training
pictures): compare float with fixed, not with papers. CIFAR-10: 2000 pictures, recompressed. Detectors: the share of the boxes that the float model finds
which the fixed one finds too (IoU 0.5, same class, same threshold), on half of coco128 and the demo photos; the other half calibrates.

| network | stage | task | cosine | SQNR dB | ms | file bytes |
|---|---|---:|---:|---:|---:|---:|
"""


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
        pathlib.Path(args.out).write_text(HEAD % machine() + "\n".join(lines + [""] + notes) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
