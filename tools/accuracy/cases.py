"""The networks of `make accuracy`, which pictures calibrate and which are scored, and their hard twins.

No picture does both.  All tools get the same pictures through the same script."""
import dataclasses
import pathlib
import subprocess
import sys

import cv2
import numpy as np

import networks
import toolchain as tc

TITLES = ("MobileNetV1 0.25", "MobileNetV2 1.0", "SqueezeNet v1.0, Caffe", "MobileNetV1 0.25, TFLite", "ResNet-20", "ResNet-8, TFLite", "cifar10_quick, Caffe",
          "DS-CNN S keywords, GraphDef", "DS-CNN M keywords, GraphDef", "DS-CNN keywords, TFLite", "MobileNetV1 0.25 person, TFLite", "autoencoder of sounds, TFLite",
          "YOLOX-Nano", "NanoDet-m 320", "FastestDet", "UltraFace RFB-320", "YuNet", "super-resolution")
LABELLED = ("YOLOX-Nano", "NanoDet-m 320", "FastestDet")  # detectors of COCO's 80 classes
TWIN, TWINNED = tc.ROOT / "tools/twin.py", ", twin"
WORDS = 5  # of arrays that come in no two sets, one of so many calibrates
SOUNDS = 6
HIGH = 672  # side of a picture that super-resolution is to find, three times its input's


@dataclasses.dataclass
class Case:
    network: networks.Network
    model: pathlib.Path
    work: pathlib.Path       # a folder of its own
    calibrate: list          # pictures
    score: dict              # {picture: what `kind` needs to know of it}
    kind: str                # how it is scored: a row of scores.KINDS

    reference: dict = None   # {name of a picture: what the float model says}, once it is known

    def __post_init__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        self.outputs = self.network.outputs.split(",")
        self.script, self.ini = self.work / "preprocess.py", self.work / "input_config.ini"
        self.script.write_text(self.network.script())
        self.ini.write_text(self.network.ini())
        for name, files in (("calib.txt", self.calibrate), ("val.txt", self.score)):
            (self.work / name).write_text("".join("%s\n" % f for f in files))
        scope = {}
        exec(self.network.script(), scope)
        self.preprocess = scope["image_preprocess"]

    def array(self, picture, channel_first=False):
        """What the float model takes for this picture: the script's own result, in the order of channels that the file wants."""
        x = self.preprocess(str(picture))
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channel_first and x.ndim == 4 and self.network.format != networks.RAW else x


def halves(found, one_of):
    """({every so-manyth}, {the others})"""
    return list(found)[::one_of], {p: k for i, (p, k) in enumerate(found.items()) if i % one_of}


def boxes(picture, network):
    """The labelled boxes of a photo, [x0, y0, x1, y1, class] in pixels of the network's input."""
    label = picture.parents[1] / "labels" / (picture.stem + ".txt")
    rows = [list(map(float, line.split())) for line in label.read_text().splitlines()] if label.exists() else []
    h, w = network.size
    if network.fit == networks.LETTER:  # scaled alike, from the corner
        ph, pw = cv2.imread(str(picture)).shape[:2]
        ratio = min(h / ph, w / pw)
        h, w = int(ph * ratio), int(pw * ratio)
    return np.array([[(cx - bw / 2) * w, (cy - bh / 2) * h, (cx + bw / 2) * w, (cy + bh / 2) * h, k] for k, cx, cy, bw, bh in rows]).reshape(-1, 5)


def high_and_low(photos, work):
    """{picture of a third of the side: the picture}: gray squares from the photos, mirrored on where these are smaller."""
    work.mkdir(parents=True, exist_ok=True)
    found = {}
    for photo in photos:
        x = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
        more = [max(HIGH - side, 0) for side in x.shape]
        x = cv2.copyMakeBorder(x, 0, more[0], 0, more[1], cv2.BORDER_REFLECT_101)[:HIGH, :HIGH]
        low = work / (photo.stem + ".png")
        cv2.imwrite(str(low), cv2.resize(x, (HIGH // 3, HIGH // 3), interpolation=cv2.INTER_CUBIC))
        found[low] = x
    return found


def samples(network, data, work):
    """(kind of score, pictures that calibrate, {picture to score: label}), a twin's as the network's"""
    title = network.title.removesuffix(TWINNED)
    photos, demo = sorted((data / "coco128/images").rglob("*.jpg")), sorted((data / "demo").glob("*.jpg"))
    if title in LABELLED:
        return "boxes", photos[:64], {p: boxes(p, network) for p in photos[64:]}
    if network.score == "boxes":
        return "faces", photos[:64], dict.fromkeys(photos[64:] + demo)
    if title == "super-resolution":
        return "high", photos[:64], high_and_low(photos[-16:] + demo, work / "high")
    if network.pictures in ("kws01", "mfcc_49", "mfcc_25"):
        return "top1", *halves(networks.arrays(network.pictures, data, work), WORDS)
    if network.pictures == "ad01":
        return "sounds", *halves(networks.arrays(network.pictures, data, work), SOUNDS)
    return network.score, *networks.pictures(network.pictures, data, work, False)


def twin_of(network, shared, work):
    """The hard twin's file; None where no channels can be scaled, which a mark remembers."""
    model, mark = shared / "models" / network.file, mark_of(network, work)
    made = work / "twins" / (model.stem + "_twin.onnx")
    made.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run([sys.executable, TWIN, model, made], capture_output=True, text=True)
    if run.returncode and not run.stderr.startswith("twin: no channels"):
        raise RuntimeError("twin.py on %s: %s" % (model, run.stderr))
    (mark.touch if run.returncode else lambda: mark.unlink(missing_ok=True))()
    return None if run.returncode else made


def mark_of(network, work):
    return work / "twins" / (slug(network.title) + ".none")


def with_twin(work):
    """(titles of ONNX networks that have a twin, as far as known; those that have none)"""
    known = {n.title: n for n in networks.NETWORKS}
    of_onnx = [t for t in TITLES if known[t].file.endswith(".onnx")]
    none = [t for t in of_onnx if mark_of(known[t], work).exists()]
    return [t for t in of_onnx if t not in none], none


def every(shared, work):
    """(title, () -> Case or None): networks and twins."""
    data, known = shared / "data", {n.title: n for n in networks.NETWORKS}

    def case(network, model):
        kind, calibrate, score = samples(network, data, work / "samples")
        return Case(network, model, work / slug(network.title), calibrate, score, kind)

    def twin(network):
        made = twin_of(network, shared, work)
        return made and case(dataclasses.replace(network, title=network.title + TWINNED), made)

    for title in TITLES:
        network = known[title]
        yield title, lambda n=network: case(n, shared / "models" / n.file)
    for title in TITLES:
        network = known[title]
        if network.file.endswith(".onnx"):
            yield title + TWINNED, lambda n=network: twin(n)


def slug(title):
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in title)
