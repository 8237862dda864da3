"""The networks that `make results` takes through every stage: what their ini and script say, which samples they see, how they are scored."""
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
ARRAYS = "import numpy as np\n\n\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n"
CROP = "    top, left = (img.shape[0] - {h}) // 2, (img.shape[1] - {w}) // 2\n    img = img[top:top + {h}, left:left + {w}]"
CROP_TO = CROP.format(h=224, w=224) + "\n    img = cv2.resize(img, ({w}, {h}))"
STRETCH = "    img = cv2.resize(img, ({w}, {h}))"
LETTER = ("    ratio = min({h} / img.shape[0], {w} / img.shape[1])\n    small = cv2.resize(img, (int(img.shape[1] * ratio), int(img.shape[0] * ratio)))\n"
          "    img = np.full(({h}, {w}, 3), 114, np.uint8)\n    img[:small.shape[0], :small.shape[1]] = small")
INI = """[INPUT_CONFIG]
inputs={input};
training_input_formats={format};
input_formats={format};
quantizations=TRUE;
{normalize}
[OUTPUT_CONFIG]
outputs={outputs};
dequantizations={dequantize};
"""
RAW = "RAWDATA_F32_NHWC"


@dataclasses.dataclass
class Network:
    title: str
    file: str              # below ../shared/models
    input: str
    outputs: str           # comma-separated
    size: tuple            # height, width of a picture
    format: str            # RGB, BGR, GRAY; RAW: arrays, which have neither size nor mean nor fit
    mean: tuple            # R, G, B, or one number
    std: tuple
    fit: str               # CROP, STRETCH, LETTER
    pictures: str          # a set of data(): what calibrates, what scores
    score: str             # "top1", "boxes", "sounds", "none"
    decode: object = None
    shapes: str = None     # --input_shapes
    known: str = None      # what ../shared/models/MANIFEST.md says of its accuracy in float

    def ini(self):
        normalize = "" if self.format == RAW else "".join("%s=%s;\n" % (key, ":".join("%g" % v for v in values)) for key, values in (("mean", self.mean), ("std_value", self.std)))
        return INI.format(input=self.input, format=self.format, normalize=normalize, outputs=self.outputs,
                          dequantize=",".join("TRUE" for _ in self.outputs.split(",")))

    def script(self):
        if self.format == RAW:
            return ARRAYS
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


def array(title, file, given, result, samples, known, score="top1", shapes=None):
    return Network(title, file, given, result, None, RAW, (), (), None, samples, score, shapes=shapes, known=known)


def lite(title, file, given, result, size, mean, std, fit, pictures, known):
    return Network(title, "tflite/" + file, given, result, (size, size), "RGB", each(mean), each(std), fit, pictures, "top1", known=known)


def keywords(title, file, known, frames=49):
    return array(title, "tf_pb/armkws_%s.pb" % file, "Mfcc", "labels_softmax", "mfcc_%d" % frames, known, shapes="1,%d,10" % frames)


V1, KWS = "MobilenetV1/Predictions/Reshape_1", "mlperf_dscnn_kws/kws_"
NETWORKS = [
    Network("mnist_8", "onnx/mnist_8/mnist-8.onnx", "Input3", "Plus214_Output_0", (28, 28), "GRAY", (0,), (1,), STRETCH, "mnist", "top1"),
    Network("MobileNetV1 0.25", "onnx/mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.onnx", "input", "output", (224, 224), "RGB", each(127.5), each(127.5), CROP,
            "imagenet", "top1"),
    Network("MobileNetV2 1.0", "onnx/mobilenet_v2_1.0_224_fp32/mobilenet_v2_1.0_224_fp32.onnx", "input", "output", (224, 224), "RGB", each(128), each(128), CROP, "imagenet",
            "top1"),
    Network("ResNet-20", "onnx/resnet20_onnc/resnet20.onnx", "input.1", "208", (32, 32), "RGB", *CIFAR, STRETCH, "cifar", "top1"),
    Network("MobileNetV2 0.5, 2 classes", "onnx/mobilenet_v2_128_05_stm/mobilenet_v2_128_0.5.onnx", "input_1:0", "Identity:0", (128, 128), "RGB", each(127.5), each(127.5), STRETCH,
            "imagenet100", "none", shapes="1,3,128,128"),
    Network("PFLD landmarks", "onnx/pfld_landmark/pfld.onnx", "input", "output", (112, 112), "RGB", each(0), each(255), STRETCH, "faces", "none", shapes="1,3,112,112"),
    Network("super-resolution", "onnx/super_resolution_10/super-resolution-10.onnx", "input", "output", (224, 224), "GRAY", (0,), (255,), STRETCH, "few", "none",
            shapes="1,1,224,224"),
    Network("UltraFace RFB-320", "onnx/ultraface_rfb_320/version-RFB-320.onnx", "input", "scores,boxes", (240, 320), "RGB", each(127), each(128), STRETCH, "detection", "boxes",
            detect.ultraface),
    Network("UltraFace RFB-320, raw", "onnx/ultraface_rfb_320/version-RFB-320_without_postprocessing.onnx", "input", "scores,boxes", (240, 320), "RGB", each(127), each(128),
            STRETCH, "detection", "boxes", detect.ultraface_raw),
    Network("YuNet", "onnx/yunet/yunet_320x320.onnx", "input", "loc,conf,iou", (320, 320), "BGR", each(0), each(1), STRETCH, "detection", "boxes", detect.yunet),
    Network("YOLOX-Nano", "onnx/yolox_nano/yolox_nano.onnx", "images", "output", (416, 416), "BGR", each(0), each(1), LETTER, "detection", "boxes", detect.yolox),
    Network("NanoDet-m 320", "onnx/nanodet_m_320/nanodet_m_320.onnx", "input.1",
            "cls_pred_stride_8,cls_pred_stride_16,cls_pred_stride_32,dis_pred_stride_8,dis_pred_stride_16,dis_pred_stride_32", (320, 320), "BGR", *NANODET, STRETCH, "detection",
            "boxes", detect.nanodet),
    Network("FastestDet", "onnx/fastestdet/FastestDet.onnx", "input.1", "758", (352, 352), "BGR", each(0), each(255), STRETCH, "detection", "boxes", detect.fastestdet),
    Network("SqueezeNet v1.0, Caffe", "caffe/squeezenet_v1.0_dc/SqueezeNet_deploy.prototxt", "data", "pool_final", (227, 227), "BGR", (123, 117, 104), each(1), CROP,
            "imagenet from 0", "top1", known="62.5 %"),
    Network("LeNet, Caffe", "caffe/lenet_mnist/lenet_deploy.prototxt", "data", "prob", (28, 28), "GRAY", (0,), (256,), STRETCH, "mnist2000", "top1", known="98.6 %"),
    Network("cifar10_quick, Caffe", "caffe/cifar10_quick/cifar10_quick.prototxt", "data", "prob", (32, 32), "RGB", (125.3, 123, 113.9), each(1), STRETCH, "cifar", "top1",
            known="73.2 %, with a mean picture instead of a mean colour"),
    lite("MobileNetV1 0.25, TFLite", "mobilenet_v1_025_224_float/mobilenet_v1_0.25_224.tflite", "input", V1, 224, 127.5, 127.5, CROP, "imagenet", "55.0 %"),
    lite("MobileNetV1 0.25 of bytes, 128, TFLite", "mobilenet_v1_0_25_128_quant/mobilenet_v1_0_25_128_quant.tflite", "input", V1, 128, 128, 128, CROP_TO, "imagenet", "44.0 %"),
    lite("MobileNetV1 0.25 of bytes, TFLite", "mobilenet_v1_0_25_224_quant/mobilenet_v1_0_25_224_quant.tflite", "input", V1, 224, 128, 128, CROP, "imagenet", "53.5 %"),
    lite("MobileNetV1 0.5 of bytes, TFLite", "mobilenet_v1_0_5_224_quant/mobilenet_v1_0_5_224_quant.tflite", "input", V1, 224, 128, 128, CROP, "imagenet", "69.8 %"),
    lite("MobileNetV2 1.0 of bytes, TFLite", "mobilenet_v2_1_0_224_quant/mobilenet_v2_1_0_224_quant.tflite", "input", "output", 224, 128, 128, CROP, "imagenet", "88.3 %"),
    lite("ResNet-8, TFLite", "mlperf_resnet8_cifar10/resnet8_float.tflite", "input_1", "Identity", 32, 0, 1, STRETCH, "ic01", "87.0 %"),
    lite("ResNet-8 of bytes, TFLite", "mlperf_resnet8_cifar10/resnet8_int8.tflite", "input_1_int8", "Identity_int8", 32, 0, 1, STRETCH, "ic01", "88 % in integers"),
    lite("ResNet-8 of bytes, STM32, TFLite", "stm_resnetv1_8_cifar10_int8/resnet_v1_8_32_tfs_int8.tflite", "serving_default_input_1:0", "StatefulPartitionedCall:0", 32, 0, 255,
         STRETCH, "ic01", "89 %"),
    lite("MobileNetV1 0.25 person, TFLite", "mlperf_mobilenetv1_025_vww/vww_96_float.tflite", "input_1", "Identity", 96, 0, 255, STRETCH, "vww01", "86.0 %, of twice as many"),
    lite("MobileNetV1 0.25 person of bytes, TFLite", "mlperf_mobilenetv1_025_vww/vww_96_int8.tflite", "input_1_int8", "Identity_int8", 96, 0, 255, STRETCH, "vww01",
         "85.8 %, of twice as many"),
    array("DS-CNN keywords, TFLite", "tflite/" + KWS + "float.tflite", "input_1", "Identity", "kws01", "90.4 %"),
    array("DS-CNN keywords of bytes, TFLite", "tflite/" + KWS + "int8.tflite", "input_1", "Identity", "kws01", "90.2 %"),
    array("autoencoder of sounds, TFLite", "tflite/mlperf_ad_autoencoder/ad01_float.tflite", "input_1", "Identity", "ad01", "0.911, of twice as many", "sounds", "196,640"),
    array("autoencoder of sounds, of bytes, TFLite", "tflite/mlperf_ad_autoencoder/ad01_int8.tflite", "input_1", "Identity", "ad01", "0.851, of twice as many", "sounds", "196,640"),
    Network("MobileNetV1 0.25, GraphDef", "tf_pb/mobilenet_v1_0.25_224_fp32/mobilenet_v1_0.25_224_fp32.pb", "input", "Softmax", (224, 224), "RGB", each(127.5), each(127.5), CROP,
            "imagenet", "top1", shapes="1,224,224,3", known="55.0 %"),
    keywords("DS-CNN S keywords, GraphDef", "ds_cnn_s/DS_CNN_S", "88.0 %"),
    keywords("DS-CNN M keywords, GraphDef", "ds_cnn_m/DS_CNN_M", "89.2 %"),
    keywords("CNN S keywords, GraphDef", "cnn_s/CNN_S", "82.8 %"),
    keywords("DNN S keywords, GraphDef", "dnn_s/DNN_S", "77.8 %", 25),
    array("mnist, three products, GraphDef", "tf_pb/mnist_cnn/mnist.pb", "Placeholder", "softmax_linear/add", "digits", "87.1 %", shapes="100,784"),
]


def rows(path):
    return [line.split() for line in path.read_text().splitlines() if line.strip()]


def digits(data):
    """(pictures, labels): the idx files have big-endian heads of 16 and 8 bytes."""
    images = next(p for p in sorted(data.iterdir()) if "images" in p.name).read_bytes()[16:]
    labels = next(p for p in sorted(data.iterdir()) if "labels" in p.name).read_bytes()[8:]
    return np.frombuffer(images, np.uint8).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8)


def mnist(data, work, count):
    """Pictures of the first test digits."""
    folder = work / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for i, (picture, label) in enumerate(zip(*(v[:count] for v in digits(data)))):
        path = folder / ("%04d.png" % i)
        cv2.imwrite(str(path), picture)
        found[path] = int(label)
    return found


def arrays(kind, data, work):
    """{array of one sample: label}: features of words, digits by hundreds, spectra of machines: those with (machine, 1 if it is broken, the array)."""
    if kind == "kws01":
        x = (np.fromfile(data / "mlperf_kws01/inputs_int8_49x10.bin", np.int8).reshape(-1, 1, 49, 10, 1).astype(np.float32) - 83) * np.float32(0.584703)
        labels = [int(r[1]) for r in rows(data / "mlperf_kws01/labels.txt")]
    elif kind.startswith("mfcc"):
        frames = int(kind[5:])
        x = np.fromfile(data / ("speech_commands_mfcc/mfcc_%dx10_f32.bin" % frames), np.float32).reshape(-1, 1, frames, 10)
        labels = [int(r[1]) for r in rows(data / "speech_commands_mfcc/labels.txt")]
    elif kind == "ad01":  # every window of 5 frames
        found = rows(data / "mlperf_ad01/labels.txt")
        x = [np.lib.stride_tricks.sliding_window_view(np.fromfile(data / "mlperf_ad01" / r[0], np.float32), 640)[::128] for r in found]
        labels = [(r[0].split("_id_")[1][:2], int(r[1])) for r in found]
    else:
        x, labels = digits(data / "mnist_test")
        x, labels = (x.reshape(-1, 100, 784) / 255).astype(np.float32), labels.reshape(-1, 100)
    folder = work / kind
    folder.mkdir(parents=True, exist_ok=True)
    found = {folder / ("%04d.npy" % i): (*k, folder / ("%04d.npy" % i)) if kind == "ad01" else k for i, k in enumerate(labels)}
    for path, sample in zip(found, x):
        np.save(path, sample)
    return found


def pictures(kind, data, work, few):
    """(pictures to calibrate with, {picture to score: label or None}); few: a short run, for tests."""
    photos = sorted((data / "coco128/images").rglob("*.jpg"))
    demo = sorted((data / "demo").glob("*.jpg"))
    if kind == "mnist":
        found = mnist(data / "mnist_test", work, 60 if few else 1100)
        return list(found)[:10 if few else 100], dict(list(found.items())[10 if few else 100:])
    if kind == "mnist2000":
        found = mnist(data / "mnist_test", work, 60 if few else 2100)
        return list(found)[-10 if few else -100:], dict(list(found.items())[:-10 if few else -100])
    if kind in ("ic01", "vww01"):
        base = data / ("mlperf_" + kind)
        score = {base / "images" / f: int(k) for f, k in rows(base / "labels.txt")}
        calibrate = photos if kind == "vww01" else sorted((data / "cifar10_test/calib").rglob("*.jpg"))
        return calibrate[:10 if few else 100], dict(list(score.items())[:20 if few else None])
    if kind in ("kws01", "mfcc_49", "mfcc_25", "ad01", "digits"):
        found = arrays(kind, data, work)
        return list(found)[::max(len(found) // 50, 1)][:10 if few else None], dict(list(found.items())[::(3 if kind == "ad01" else 10) if few else 1])
    if kind in ("imagenet", "imagenet from 0", "imagenet100"):
        base = data / "imagenet_sample"
        calibrate = [base / "images" / r[0] for r in rows(base / "calib.txt")]
        score = {base / "images" / f: int(k) + (kind != "imagenet from 0") for f, k in rows(base / "val.txt")}
        return calibrate[:10] if few else calibrate, dict(list(score.items())[:20 if few else 100 if kind == "imagenet100" else None])
    if kind == "cifar":
        base = data / "cifar10_test"
        score = {base / "images" / f: int(k) for f, k in rows(base / "val.txt")}
        return sorted((base / "calib").rglob("*.jpg"))[:10 if few else 200], dict(list(score.items())[::100 if few else 1])
    calibrate, score = photos[:64], photos[64:] + demo
    if few or kind == "few":
        calibrate, score = calibrate[:10], demo[:12 if few else None]
    return calibrate, dict.fromkeys(score)
