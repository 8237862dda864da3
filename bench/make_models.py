#!/usr/bin/python3
"""Makes the networks of `make bench` as ONNX: torchvision's architectures, YOLOv8's n and s with the decoding of boxes, and DeiT-tiny.

    OMP_NUM_THREADS=1 /usr/bin/python3 bench/make_models.py --out out/bench

Seeded weights, normalizations settled on made pictures and folded (models/families/export.py): right for speed, and for engine against engine."""
import argparse
import pathlib
import sys
import warnings

import torch
from torchvision.models.vision_transformer import VisionTransformer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "models/families"))
import definitions  # noqa: E402
from export import Family, export, vision  # noqa: E402

OPSET, LARGE = 13, (640, 640)


def deit_tiny():
    return VisionTransformer(image_size=224, patch_size=16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768)


NETWORKS = [Family(name, vision(name), OPSET) for name in ("mobilenet_v2", "mnasnet1_0", "efficientnet_b0", "shufflenet_v2_x1_0", "squeezenet1_1", "resnet18", "resnet50")] + [
    Family("yolov8n_like", lambda: definitions.Detector(LARGE[0], classes=80), OPSET, LARGE),
    Family("yolov8s_like", lambda: definitions.Detector(LARGE[0], (32, 64, 128, 256, 512), 80), OPSET, LARGE),
    Family("deit_tiny_like", deit_tiny, OPSET),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for f in NETWORKS:
        if not (args.out / (f.name + ".onnx")).exists():
            export(f, args.out, fold=True)


if __name__ == "__main__":
    main()
