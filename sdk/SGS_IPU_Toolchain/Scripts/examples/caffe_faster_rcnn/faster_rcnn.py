"""What faster_rcnn_calibrator and faster_rcnn_simulator share: pictures, and the run through both segments."""
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
import sgs_launch  # noqa: E402
sgs_launch.provide_package()

MEAN = np.array([102.9801, 115.9465, 122.7717], np.float32)  # blue, green, red


def fill_inputImg2main(x, details, norm=True):
    """The picture, as large as fits, in the upper left of the main model's input; and its scale."""
    import cv2
    _, height, width, _ = details["shape"]
    scale = min(height / x.shape[0], width / x.shape[1])
    small = cv2.resize(x, (int(x.shape[1] * scale), int(x.shape[0] * scale)))
    data = np.zeros((1, height, width, 3), np.float32)
    data[:] = MEAN
    data[0, :small.shape[0], :small.shape[1]] = small
    return (data - MEAN if norm else np.rint(data)).astype(np.float32 if norm else np.uint8), scale


def run_segments(main_model, second_model, rpn, x, norm=True):
    """The outputs of the second segment, the regions, and the picture's scale."""
    input_data, im_scale = fill_inputImg2main(x, main_model.get_input_details()[0], norm=norm)
    main_model.set_input(0, input_data)
    main_model.invoke()
    result_list = [main_model.get_output(idx) for idx, _ in enumerate(main_model.get_output_details())]
    im_info = np.array([x.shape[0], x.shape[1], im_scale]).reshape(1, 3)
    roi = rpn.forward([result_list[0], result_list[1], im_info])
    second_model.set_input(0, result_list[2])
    second_model.set_input(1, roi)
    second_model.invoke()
    return [second_model.get_output(idx) for idx, _ in enumerate(second_model.get_output_details())] + [roi, im_scale]


def list_images(images):
    if os.path.isdir(images):
        return [os.path.join(images, n) for n in sorted(os.listdir(images)) if not n.startswith(".")]
    return [images]


def image_generator(paths):
    import cv2
    for path in paths:
        image = cv2.imread(path)
        if image is None:
            raise SystemExit("error: cannot read the picture %s" % path)
        yield [image]
