#!/usr/bin/env python3
"""Both segments of Faster-RCNN become fixed-point models."""
import argparse
import logging
import os

import faster_rcnn
import rpn

import calibrator_custom  # behind faster_rcnn, which finds it


class Net(calibrator_custom.SIM_Calibrator):
    def __init__(self, main_model_path, main_input_config, second_model_path, second_input_config):
        super().__init__()
        self.main_model = calibrator_custom.calibrator(main_model_path, main_input_config)
        self.second_model = calibrator_custom.calibrator(second_model_path, second_input_config)
        self.rpn = rpn.ProposalLayer(regions=int(self.second_model.get_input_details()[1]["shape"][0]))

    def forward(self, x):
        return faster_rcnn.run_segments(self.main_model, self.second_model, self.rpn, x)


def fixed_name(path):
    return (path[:-len("_float.sim")] if path.endswith("_float.sim") else os.path.splitext(path)[0]) + "_fixed.sim"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", "--image", required=True, help="a picture or a folder")
    parser.add_argument("-m0", "--model0", required=True, help="main float model")
    parser.add_argument("-m1", "--model1", required=True, help="second float model")
    parser.add_argument("--input_config0", required=True)
    parser.add_argument("--input_config1", required=True)
    parser.add_argument("-o0", "--output0", help="main fixed model")
    parser.add_argument("-o1", "--output1", help="second fixed model")
    parser.add_argument("--num_process", type=int, default=10)
    parser.add_argument("--quant_level", help="L1 to L5 (default: L5)")
    parser.add_argument("--soc_version", help="target")
    args = parser.parse_args(faster_rcnn.sgs_launch.arguments())
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.soc_version:
        calibrator_custom.set_soc_version(args.soc_version)
    paths = faster_rcnn.list_images(args.image)
    fix_model = [args.output0 or fixed_name(args.model0), args.output1 or fixed_name(args.model1)]
    net = Net(args.model0, args.input_config0, args.model1, args.input_config1)
    net.convert(faster_rcnn.image_generator(paths), num_process=max(1, min(args.num_process, len(paths))), quant_level=args.quant_level,
                fix_model=fix_model)
    for path in fix_model:
        print("wrote %s" % path)


if __name__ == "__main__":
    main()
