#!/usr/bin/env python3
"""Runs both segments of Faster-RCNN: what it finds in pictures, a line an object."""
import argparse
import json
import os

import faster_rcnn
import numpy as np
import rpn

import calibrator_custom  # behind faster_rcnn, which finds it

LEAST_SCORE, OVERLAP, MOST = 0.5, 0.3, 100


class Net(calibrator_custom.SIM_Simulator):
    def __init__(self, main_model_path, second_model_path, phase):
        super().__init__()
        kind = {"Float": calibrator_custom.float_simulator, "Fixed": calibrator_custom.fixed_simulator,
                "Offline": calibrator_custom.offline_simulator}[phase]
        self.main_model, self.second_model = kind(main_model_path), kind(second_model_path)
        self.norm = phase == "Float"
        self.rpn = rpn.ProposalLayer(regions=int(self.second_model.get_input_details()[1]["shape"][0]))

    def forward(self, x):
        cls_prob, bbox_pred, roi, scale = faster_rcnn.run_segments(self.main_model, self.second_model, self.rpn, x, norm=self.norm)
        boxes = rpn.clipped(rpn.shifted(roi[:, 1:], bbox_pred) / np.float32(scale), *x.shape[:2])
        return [(c, float(cls_prob[k, c]), [float(v) for v in boxes[k, 4 * c:4 * c + 4]])
                for c in range(1, cls_prob.shape[1]) for k in self.best(boxes[:, 4 * c:4 * c + 4], cls_prob[:, c])]

    @staticmethod
    def best(boxes, scores):
        likely = np.flatnonzero(scores >= LEAST_SCORE)
        return likely[rpn.keep_best(boxes[likely], scores[likely], OVERLAP, MOST)] if len(likely) else likely


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-i", "--image", required=True, help="a picture or a folder")
    parser.add_argument("-m0", "--model0", required=True, help="main model")
    parser.add_argument("-m1", "--model1", required=True, help="second model")
    parser.add_argument("-t", "--type", required=True, choices=["Float", "Fixed", "Offline"])
    parser.add_argument("--num_process", type=int, default=1)
    parser.add_argument("--soc_version", help="target")
    args = parser.parse_args(faster_rcnn.sgs_launch.arguments())
    if args.soc_version:
        calibrator_custom.set_soc_version(args.soc_version)
    paths = faster_rcnn.list_images(args.image)
    results = Net(args.model0, args.model1, args.type)(faster_rcnn.image_generator(paths), num_process=max(1, min(args.num_process, len(paths))))
    for path, found in zip(paths, results):
        print("%s: %d found" % (os.path.basename(path), len(found)))
        for category, score, (x1, y1, x2, y2) in found:
            print(json.dumps({"category_id": category, "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)], "score": round(score, 6)}))


if __name__ == "__main__":
    main()
