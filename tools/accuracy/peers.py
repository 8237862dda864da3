"""Whom `make accuracy` compares with: a row each.  A module's `run(option, case, folder)` yields (picture's name, outputs as ours)."""
import dataclasses
import importlib.metadata
import os
import pathlib


@dataclasses.dataclass
class Peer:
    name: str
    module: str
    option: str
    reads: tuple      # files that it reads by itself
    packages: tuple   # whose versions decide what comes out
    needs: str = None  # an environment variable that says where the rest of it is

    def versions(self):
        return ", ".join("%s %s" % (p, importlib.metadata.version(p)) for p in self.packages)

    def here(self):
        return not self.needs or bool(os.environ.get(self.needs))

    def source(self):
        return (pathlib.Path(__file__).parent / (self.module + ".py")).read_text()


def rows(module, reads, packages, *named, needs=None):
    return [Peer(name, module, option, reads, packages, needs) for name, option in named]


PEERS = [
    *rows("peer_ort", (".onnx",), ("onnxruntime", "onnx"), ("onnxruntime MinMax", "MinMax"), ("onnxruntime Entropy", "Entropy"), ("onnxruntime Percentile", "Percentile")),
    *rows("peer_openvino", (".onnx", ".tflite", ".pb"), ("nncf", "openvino"), ("NNCF", "default"), ("NNCF mixed, full bias correction", "mixed")),
    *rows("peer_ncnn", (".onnx", ".prototxt"), ("ncnn", "pnnx"), ("ncnn KL", "kl"), ("ncnn ACIQ", "aciq"), needs="NCNN_TOOLS"),
    *rows("peer_litert", (".tflite",), ("ai-edge-quantizer", "ai-edge-litert"), ("LiteRT", "default"), ("LiteRT extremes", "extremes"), ("LiteRT OCTAV", "octav")),
]
