#!/usr/bin/python3
"""Exports families of networks as ONNX, for `make families` and `make bench-simplify`: torchvision's own and those of definitions.py.

    apt-get install python3-torch python3-torchvision
    OMP_NUM_THREADS=1 /usr/bin/python3 models/families/export.py --out out/families

Weights are random, from a seed that the name gives; nothing is downloaded.  Batch normalizations take their statistics from made pictures, so
that activations neither vanish nor explode.  Shapes are static; constants stay unfolded and normalizations stand alone (--fold lets the exporter
fold both): simplifying is what the networks are for."""
import argparse
import dataclasses
import pathlib
import sys
import typing
import warnings
import zlib

import torch
import torchvision
from torch import nn

import definitions

LARGE = (224, 224)


@dataclasses.dataclass
class Family:
    name: str
    make: typing.Callable
    opset: int
    size: tuple = LARGE
    channels: int = 3


class Out(nn.Module):
    """The first of a dictionary's outputs."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["out"]


def vision(name, **options):
    return lambda: torchvision.models.get_model(name, weights=None, **options)


def segmentation(name):
    return lambda: Out(torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=21))


# Debian 12's exporter refuses torchvision's Swin V2 (aten::zero) and has no newer opset than 17.
FAMILIES = [
    Family("resnet18", vision("resnet18"), 13),
    Family("resnet50", vision("resnet50"), 14),
    Family("resnext50", vision("resnext50_32x4d"), 15),
    Family("mobilenet_v2", vision("mobilenet_v2"), 13),
    Family("mobilenet_v3_small", vision("mobilenet_v3_small"), 14),
    Family("mobilenet_v3_large", vision("mobilenet_v3_large"), 13),
    Family("squeezenet1_1", vision("squeezenet1_1"), 16),
    Family("shufflenet_v2", vision("shufflenet_v2_x1_0"), 15),
    Family("efficientnet_b0", vision("efficientnet_b0"), 16),
    Family("efficientnet_v2_s", vision("efficientnet_v2_s"), 17),
    Family("mnasnet1_0", vision("mnasnet1_0"), 14),
    Family("densenet121", vision("densenet121"), 13),
    Family("googlenet", vision("googlenet", aux_logits=False, init_weights=False), 15),
    Family("inception_v3", vision("inception_v3", aux_logits=False, init_weights=False), 16, (299, 299)),
    Family("vgg16", vision("vgg16"), 17),
    Family("regnet_x_400mf", vision("regnet_x_400mf"), 14),
    Family("regnet_y_400mf", vision("regnet_y_400mf"), 17),
    Family("convnext_tiny", vision("convnext_tiny"), 13),
    Family("vit_b_16", vision("vit_b_16"), 14),
    Family("vit_b_16_opset17", vision("vit_b_16"), 17),
    Family("swin_t", vision("swin_t"), 16),
    Family("maxvit_t", vision("maxvit_t"), 15),
    Family("deeplabv3_mobilenet", segmentation("deeplabv3_mobilenet_v3_large"), 13),
    Family("lraspp_mobilenet", segmentation("lraspp_mobilenet_v3_large"), 15),
    Family("detector", lambda: definitions.Detector(256), 13, (256, 256)),
    Family("segmenter", definitions.Segmenter, 15),
    Family("segmenter_opset17", definitions.Segmenter, 17),
    Family("text_reader", definitions.TextReader, 14, (32, 128), 1),
    Family("speech_encoder", definitions.SpeechEncoder, 16, (96, 80), 1),
    Family("encoder_decoder", definitions.EncoderDecoder, 14, (128, 128)),
    Family("enlarger", definitions.Enlarger, 13, (96, 96), 1),
    Family("keyword_spotter", definitions.KeywordSpotter, 13, (49, 10), 1),
]


def batch(f, n=4):
    """Made pictures, normalized: coarse shapes and finer ones over them."""
    parts = [nn.functional.interpolate(torch.randn(n, f.channels, s, s), f.size, mode="bilinear", align_corners=False) for s in (3, 8, 24)]
    return (sum(parts) / len(parts)).clamp(-2, 2)


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def fill(net):
    """What initializers leave at zero or next to it (last layers, scales of branches, biases) would hide mistakes."""
    for m in net.modules():
        if isinstance(m, NORMS + (nn.LayerNorm,)):
            m.weight.uniform_(0.6, 1.4)
            m.bias.uniform_(-0.3, 0.3)
        elif isinstance(m, nn.Linear):
            m.weight.normal_(0, m.in_features ** -0.5)
        elif isinstance(m, nn.LSTM):
            for p in m.parameters():
                p.uniform_(-0.3, 0.3)
        if isinstance(m, (nn.Linear, nn.Conv2d, nn.Conv1d)) and m.bias is not None:
            m.bias.uniform_(-0.1, 0.1)
        if isinstance(getattr(m, "layer_scale", None), nn.Parameter):
            m.layer_scale.uniform_(0.2, 0.6)


@torch.no_grad()
def measure(net, f):
    """Statistics of batch normalizations: the plain mean over two batches."""
    net.eval()
    norms = [m for m in net.modules() if isinstance(m, NORMS)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
        m.train()
    for _ in range(2 if norms else 0):
        net(batch(f))
    return net.eval()


def spread(y):
    return "%.2g to %.2g, deviation %.2g" % (y.min(), y.max(), y.std())


def export(f, out, fold):
    torch.manual_seed(zlib.crc32(f.name.encode()))
    net = f.make()
    fill(net)
    measure(net, f)
    x = batch(f, 1)
    y = net(x).detach()
    if not torch.isfinite(y).all() or y.std() < 1e-4:
        sys.exit("%s: the outputs say nothing: %s" % (f.name, spread(y)))
    path = out / (f.name + ".onnx")
    part = path.with_suffix(".part")  # what is there is whole
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE  # EVAL folds normalizations; the network is in eval mode either way
    torch.onnx.export(net, x, str(part), training=mode, opset_version=f.opset, do_constant_folding=fold, input_names=["input"], output_names=["output"])
    part.rename(path)
    print("%s: opset %d, input %s, output %s: %s" % (f.name, f.opset, list(x.shape), list(y.shape), spread(y)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="", help="families whose name holds this text")
    parser.add_argument("--fold", action="store_true", help="the exporter folds constants and normalizations")
    parser.add_argument("--missing", action="store_true", help="only files that are not there yet")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the tracer's, about shapes that become constants: static shapes are what we want
    for f in FAMILIES:
        if args.only in f.name and not (args.missing and (args.out / (f.name + ".onnx")).exists()):
            export(f, args.out, args.fold)


if __name__ == "__main__":
    main()
