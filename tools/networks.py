"""The networks that `make results` takes through every stage: what their ini and script say, which pictures they see, how they are scored."""
import dataclasses
import pathlib

import cv2
import numpy as np

import detect

SCRIPT = """import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    img = cv2.imread(img_path, {flag})
    if img is None:
        raise FileNotFoundError('No such image: {{}}'.format(img_path))
{body}
    img = np.ascontiguousarray(img)[None]
    return ((img.astype(np.float32) - np.array({mean}, np.float32)) / np.array({std}, np.float32)).astype(np.float32) if norm else img
"""
CROP = "    top, left = (img.shape[0] - {h}) // 2, (img.shape[1] - {w}) // 2\n    img = img[top:top + {h}, left:left + {w}]"
STRETCH = "    img = cv2.resize(img, ({w}, {h}))"
LETTER = ("    ratio = min({h} / img.shape[0], {w} / img.shape[1])\n    small = cv2.resize(img, (int(img.shape[1] * ratio), int(img.shape[0] * ratio)))\n"
          "    img = np.full(({h}, {w}, 3), 114, np.uint8)\n    img[:small.shape[0], :small.shape[1]] = small")
INI = """[INPUT_CONFIG]
inputs={input};
training_input_formats={format};
input_formats={format};
quantizations=TRUE;
mean={mean};
std_value={std};

[OUTPUT_CONFIG]
outputs={outputs};
dequantizations={dequantize};
"""


@dataclasses.dataclass
class Network:
    title: str
    file: str              # below ../shared/models/onnx
    input: str
    outputs: str           # comma-separated
    size: tuple            # height, width
    format: str            # RGB, BGR, GRAY
    mean: tuple            # R, G, B, or one number
    std: tuple
    fit: str               # CROP, STRETCH, LETTER
    pictures: str          # a set of data(): what calibrates, what scores
    score: str             # "top1", "boxes", "none"
    decode: object = None
    shapes: str = None     # --input_shapes

    def ini(self):
        text = ":".join
        return INI.format(input=self.input, format=self.format, mean=text("%g" % v for v in self.mean), std=text("%g" % v for v in self.std), outputs=self.outputs,
                          dequantize=",".join("TRUE" for _ in self.outputs.split(",")))

    def script(self):
        order = slice(None, None, -1) if self.format == "BGR" else slice(None)
        body = self.fit.format(h=self.size[0], w=self.size[1])
        if self.format == "RGB":
            body += "\n    img = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)"
        elif self.format == "GRAY":
            body += "\n    img = img[:, :, None]"
        flag = "cv2.IMREAD_GRAYSCALE" if self.format == "GRAY" else "cv2.IMREAD_COLOR"
        return SCRIPT.format(flag=flag, body=body, mean=list(self.mean)[order], std=list(self.std)[order])


def each(v):
    return (v, v, v)


CIFAR = (tuple(255 * v for v in (0.4914, 0.4822, 0.4465)), tuple(255 * v for v in (0.2023, 0.1994, 0.2010)))
NANODET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
NETWORKS = [
    Network("mnist_8", "mnist_8/mnist-8.onnx", "Input3", "Plus214_Output_0", (28, 28), "GRAY", (0,), (1,), STRETCH, "mnist", "top1"),
    Network("MobileNetV1 0.25", "mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx", "input", "output", (224, 224), "RGB", each(127.5), each(127.5), CROP,
            "imagenet", "top1"),
    Network("MobileNetV2 1.0", "mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx", "input", "output", (224, 224), "RGB", each(128), each(128), CROP, "imagenet",
            "top1"),
    Network("ResNet-20", "resnet20_onnc/resnet20.onnx", "input.1", "208", (32, 32), "RGB", *CIFAR, STRETCH, "cifar", "top1"),
    Network("MobileNetV2 0.5, 2 classes", "mobilenet_v2_128_05_stm/mobilenet_v2_128_0.5.onnx", "input_1:0", "Identity:0", (128, 128), "RGB", each(127.5), each(127.5), STRETCH,
            "imagenet100", "none", shapes="1,3,128,128"),
    Network("PFLD landmarks", "pfld_landmark/pfld.onnx", "input", "output", (112, 112), "RGB", each(0), each(255), STRETCH, "faces", "none", shapes="1,3,112,112"),
    Network("super-resolution", "super_resolution_10/super-resolution-10.onnx", "input", "output", (224, 224), "GRAY", (0,), (255,), STRETCH, "few", "none",
            shapes="1,1,224,224"),
    Network("UltraFace RFB-320", "ultraface_rfb_320/version-RFB-320.onnx", "input", "scores,boxes", (240, 320), "RGB", each(127), each(128), STRETCH, "detection", "boxes",
            detect.ultraface),
    Network("UltraFace RFB-320, raw", "ultraface_rfb_320/version-RFB-320_without_postprocessing.onnx", "input", "scores,boxes", (240, 320), "RGB", each(127), each(128),
            STRETCH, "detection", "boxes", detect.ultraface_raw),
    Network("YuNet", "yunet/yunet_320x320.onnx", "input", "loc,conf,iou", (320, 320), "BGR", each(0), each(1), STRETCH, "detection", "boxes", detect.yunet),
    Network("YOLOX-Nano", "yolox_nano/yolox_nano.onnx", "images", "output", (416, 416), "BGR", each(0), each(1), LETTER, "detection", "boxes", detect.yolox),
    Network("NanoDet-m 320", "nanodet_m_320/nanodet_m_320.onnx", "input.1",
            "cls_pred_stride_8,cls_pred_stride_16,cls_pred_stride_32,dis_pred_stride_8,dis_pred_stride_16,dis_pred_stride_32", (320, 320), "BGR", *NANODET, STRETCH, "detection",
            "boxes", detect.nanodet),
    Network("FastestDet", "fastestdet/FastestDet.onnx", "input.1", "758", (352, 352), "BGR", each(0), each(255), STRETCH, "detection", "boxes", detect.fastestdet),
]


def rows(path):
    return [line.split() for line in path.read_text().splitlines() if line.strip()]


def mnist(data, work, count):
    """Pictures of the test digits: their idx files hold big-endian heads of 16 and 8 bytes."""
    images = next(p for p in sorted(data.iterdir()) if "images" in p.name).read_bytes()[16:]
    labels = next(p for p in sorted(data.iterdir()) if "labels" in p.name).read_bytes()[8:]
    folder = work / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for i in range(count):
        path = folder / ("%04d.png" % i)
        cv2.imwrite(str(path), np.frombuffer(images, np.uint8, 784, 784 * i).reshape(28, 28))
        found[path] = labels[i]
    return found


def pictures(kind, data, work, few):
    """(pictures to calibrate with, {picture to score: label or None}); few: a short run, for tests."""
    photos = sorted((data / "coco128/images").rglob("*.jpg"))
    demo = sorted((data / "demo").glob("*.jpg"))
    if kind == "mnist":
        found = mnist(data / "mnist_test", work, 60 if few else 1100)
        return list(found)[:10 if few else 100], dict(list(found.items())[10 if few else 100:])
    if kind in ("imagenet", "imagenet100"):
        base = data / "imagenet_sample"
        calibrate = [base / "images" / r[0] for r in rows(base / "calib.txt")]
        score = {base / "images" / f: int(k) + 1 for f, k in rows(base / "val.txt")}
        return calibrate[:10] if few else calibrate, dict(list(score.items())[:20 if few else 100 if kind == "imagenet100" else None])
    if kind == "cifar":
        base = data / "cifar10_test"
        score = {base / "images" / f: int(k) for f, k in rows(base / "val.txt")}
        return sorted((base / "calib").rglob("*.jpg"))[:10 if few else 200], dict(list(score.items())[::100 if few else 1])
    calibrate, score = photos[:64], photos[64:] + demo
    if few or kind == "few":
        calibrate, score = calibrate[:10], demo[:12 if few else None]
    return calibrate, dict.fromkeys(score)
