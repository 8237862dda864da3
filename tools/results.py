#!/usr/bin/env python3
"""Accuracy of float, fixed and offline on labelled pictures, into docs/RESULTS.md: `make results`.

ImageNet: calibrates on calib.txt, scores val.txt of ../shared/data/imagenet_sample.  The float model is scored beside onnxruntime
on the original file."""
import argparse
import pathlib
import platform
import re
import sys

import numpy as np

import toolchain as tc

INI = """[INPUT_CONFIG]
inputs=input;
training_input_formats=RGB;
input_formats=RGB;
quantizations=TRUE;
mean={mean}:{mean}:{mean};
std_value={std};

[OUTPUT_CONFIG]
outputs=output;
dequantizations=TRUE;
"""
SCRIPT = """import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    img = cv2.imread(img_path)
    if img is None:
        raise FileNotFoundError('No such image: {{}}'.format(img_path))
    img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)
    top, left = (img.shape[0] - 224) // 2, (img.shape[1] - 224) // 2
    img = np.ascontiguousarray(img[top:top + 224, left:left + 224])[None]
    return (img.astype(np.float32) - {mean}) / {std} if norm else img
"""
# name, file below ../shared/models/onnx, mean, std
NETWORKS = [("MobileNetV1 0.25", "mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx", 127.5, 127.5),
            ("MobileNetV2 1.0", "mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx", 128.0, 128.0)]


def read_list(path):
    return [line.split() for line in path.read_text().splitlines() if line.strip()]


def onnxruntime_outputs(model, script, pictures):
    import onnxruntime
    scope = {}
    exec(script, scope)  # the same preprocessing, in this process
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return {p.name: session.run(None, {name: scope["image_preprocess"](str(p)).transpose(0, 3, 1, 2).copy()}) for p in pictures}


def network(args, data, title, file, mean, std):
    model = pathlib.Path(args.shared) / "models/onnx" / file
    t = tc.Toolchain(args.build, pathlib.Path(args.work) / model.stem, model.stem)
    ini, script = t.work / "input_config.ini", t.work / "preprocess.py"
    ini.write_text(INI.format(mean=mean, std=std))
    text = SCRIPT.format(mean=mean, std=std)
    script.write_text(text)
    labels = {pathlib.Path(f).name: int(k) + 1 for f, k in read_list(data / "val.txt")}
    pictures = [data / "images" / f for f in labels]
    for name, files in (("calib.txt", [data / "images" / r[0] for r in read_list(data / "calib.txt")]), ("val.txt", pictures)):
        (t.work / name).write_text("".join("%s\n" % f for f in files))
    t.convert(model, ini)
    rows, runs = [], {}
    original = onnxruntime_outputs(model, text, pictures)
    rows.append((title, "onnxruntime", tc.top1(original, labels), float("nan"), float("nan"), float("nan"), model.stat().st_size))
    runs["Float"] = t.simulate("Float", t.work / "val.txt", script)
    reference = runs["Float"][0]
    worst = max(np.abs(a[0].ravel() - b[0].ravel()).max() / np.abs(a[0]).max() for a, b in ((original[n], reference[n]) for n in original))
    for level in ("L1", "L2"):
        t.calibrate(ini, t.work / "calib.txt", script, level)
        log = t.compile()
        for stage in ("Fixed", "Offline"):
            runs[level, stage] = t.simulate(stage, t.work / "val.txt", script)
        runs[level, "log"] = log
    for key, label in (("Float", "float"), (("L1", "Fixed"), "fixed L1"), (("L2", "Fixed"), "fixed L2"), (("L2", "Offline"), "offline L2")):
        got, ms = runs[key]
        stage = key if key == "Float" else key[1]
        rows.append((title, label, tc.top1(got, labels), tc.cosine(reference, got), tc.sqnr_db(reference, got), ms, t.path(stage).stat().st_size))
    notes = ["float against onnxruntime: largest difference %.1e of the largest value of its picture" % worst]
    for level in ("L1", "L2"):
        bad = tc.different(runs[level, "Fixed"][0], runs[level, "Offline"][0])
        notes.append("%s: fixed and offline agree bit for bit on %d of %d pictures" % (level, len(labels) - bad, len(labels)))
    arena = re.search(r"arena[^\n]*", runs["L2", "log"])
    if arena:
        notes.append(arena.group(0).strip())
    return rows, notes


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return "%s, one thread" % (cpu.group(1).strip() if cpu else platform.machine())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--shared", required=True, help="the folder with models and data")
    parser.add_argument("--work", default=str(tc.ROOT / "out/results"))
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    args.shared = str(pathlib.Path(args.shared or "-").resolve())
    data = pathlib.Path(args.shared) / "data/imagenet_sample"
    if not data.is_dir():
        sys.exit("results: the labelled pictures are not here (expected %s)" % data)
    lines = ["# Results", "", "Made by `make results`. Machine: %s. ms: median of one inference, preprocessing not included." % machine(), "",
             "ImageNet sample: 400 pictures to score, one a class; 100 others to calibrate. The sample flatters every model (its pictures are largely "
             "training pictures): compare float with fixed, not with papers.", "",
             "| network | stage | top-1 % | cosine | SQNR dB | ms | file bytes |", "|---|---|---:|---:|---:|---:|---:|"]
    notes = []
    for title, file, mean, std in NETWORKS:
        rows, more = network(args, data, title, file, mean, std)
        lines += ["| %s | %s | %.2f | %.5f | %.1f | %.2f | %d |" % (r[0], r[1], 100 * r[2], *r[3:]) for r in rows]
        notes += ["- %s: %s." % (title, m) for m in more]
        print("\n".join(lines[-len(rows):] + notes[-len(more):]), flush=True)
    text = "\n".join(lines + [""] + notes) + "\n"
    pathlib.Path(args.out).write_text(re.sub(r"\bnan\b", "–", text))


if __name__ == "__main__":
    try:
        main()
    except tc.Failed as e:
        sys.exit(str(e))
