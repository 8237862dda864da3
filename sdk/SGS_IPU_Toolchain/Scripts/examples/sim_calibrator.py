#!/usr/bin/env python3
"""A float model and samples become a fixed-point model, by calibrator_custom.SIM_Calibrator: one model, any number of inputs."""
import argparse
import logging
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import sgs_launch  # noqa: E402
sgs_launch.provide_package()
import calibrator_custom  # noqa: E402


class Net(calibrator_custom.SIM_Calibrator):
    def __init__(self, model_path, input_config):
        super().__init__()
        self.model = calibrator_custom.calibrator(model_path, input_config)

    def forward(self, *inputs):
        for index, x in enumerate(inputs):
            self.model.set_input(index, x)
        self.model.invoke()
        return [self.model.get_output(index) for index, _ in enumerate(self.model.get_output_details())]


def list_samples(images):
    """A file, a folder's files in order of name, or the lines of a list: the paths of each sample's inputs."""
    if os.path.isdir(images):
        names = sorted(os.fsencode(n) for n in os.listdir(images) if not n.startswith("."))
        return [[p] for p in (os.path.join(images, os.fsdecode(n)) for n in names) if os.path.isfile(p)]
    if not images.lower().endswith((".txt", ".list", ".lst")):
        return [[images]]
    with open(images, encoding="utf-8") as f:
        lines = [[p.strip() for p in line.split(",")] for line in f if line.strip()]
    beside = os.path.dirname(images)
    return [[p if os.path.exists(p) else os.path.join(beside, p) for p in line] for line in lines]


def image_generator(samples, preprocess_funcs):
    for paths in samples:
        if len(paths) != len(preprocess_funcs):
            raise SystemExit("error: expected a path for each of the %d scripts, found %d: %s" % (len(preprocess_funcs), len(paths), ", ".join(paths)))
        yield [preprocess(path, norm=True) for preprocess, path in zip(preprocess_funcs, paths)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", "--image", required=True, help="a picture, a folder, or a list file (.txt .list .lst)")
    parser.add_argument("-m", "--model", "--model_file", required=True, help="the float model, X_float.sim")
    parser.add_argument("--input_config", required=True, help="input_config.ini")
    parser.add_argument("-n", "--preprocess", required=True, help="preprocessing script, or the name of one in preprocess_method, for each input, comma-separated")
    parser.add_argument("-o", "--output", "--output_file", help="the fixed model (X_fixed.sim beside the model)")
    parser.add_argument("--num_process", type=int, default=10, help="processes (10, at most the samples)")
    parser.add_argument("--quant_level", help="L1 to L5 (default: L5)")
    parser.add_argument("--quant_file", help="quantization parameters to take, JSON or pickle")
    parser.add_argument("--memory_saving", action="store_true", help="taken; what samples show is added as they run anyway")
    parser.add_argument("--soc_version", help="target")
    args = parser.parse_args(sgs_launch.arguments())
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.soc_version:
        calibrator_custom.set_soc_version(args.soc_version)
    if args.memory_saving:
        logging.info("--memory_saving changes nothing here: what samples show is added as they run anyway")
    samples = list_samples(args.image)
    stem = args.model[:-len("_float.sim")] if args.model.endswith("_float.sim") else os.path.splitext(args.model)[0]
    output = args.output or stem + "_fixed.sim"
    funcs = [calibrator_custom.utils.image_preprocess_func(name.strip()) for name in args.preprocess.split(",")]
    Net(args.model, args.input_config).convert(image_generator(samples, funcs), num_process=max(1, min(args.num_process, len(samples))),
                                               quant_level=args.quant_level, quant_param=args.quant_file, fix_model=[output])
    print("wrote %s" % output)


if __name__ == "__main__":
    main()
