#!/usr/bin/env python3
"""One quantizer in PyTorch on one network, by the Python of .venv-torch.

    run.py METHOD --folder F --bits 4 ...

F holds network.onnx, calibrate.npy and score.npy, a picture a row; leaves N.npy for each output of the network, a picture a row."""
import argparse
import pathlib
import sys

import numpy as np
import torch

import graph
import rounding

PUBLISHED = {**rounding.PUBLISHED, "ppq LSQ": 500, "ppq AdaRound": 5000}  # ppq's own


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=["float", *rounding.METHODS, "ppq", "ppq LSQ", "ppq AdaRound"])
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--bits", type=int, default=4, help="of weights")
    parser.add_argument("--iterations", type=int, default=0, help="of each block; 0: as published")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-score", action="store_true", help="calibrate only, to time that")
    return parser.parse_args()


def floats(args, network, calibrate, score):
    for x in (score[i:i + 1] for i in range(len(score))):
        values = {network.input: x}
        for n in network.nodes:
            network.compute(n, values)
        yield [values[o].numpy() for o in network.outputs]


def main():
    args = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    network = graph.Graph(args.folder / "network.onnx")
    calibrate, score = (torch.from_numpy(np.load(args.folder / name)) for name in ("calibrate.npy", "score.npy"))
    if args.method.startswith("ppq"):
        import with_ppq as tool
        make = tool.run
    else:
        make = floats if args.method == "float" else rounding.run
    args.iterations = args.iterations or PUBLISHED.get(args.method, 0)
    rows = list(make(args, network, calibrate, score[:0] if args.no_score else score))
    for k in range(len(network.outputs)):
        if rows:
            np.save(args.folder / ("%d.npy" % k), np.concatenate([r[k] for r in rows]))


if __name__ == "__main__":
    sys.exit(main())
