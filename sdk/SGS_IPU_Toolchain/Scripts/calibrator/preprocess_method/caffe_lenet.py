"""LeNet of Caffe: 28x28, one channel.

training_input_formats=GRAY; mean=33.318; std_value=1;
"""
import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    picture = cv2.imread(img_path, cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise FileNotFoundError("no picture: %s" % img_path)
    data = cv2.resize(picture, (28, 28))[None, ..., None]
    return (data - np.float32(33.318)).astype(np.float32) if norm else data
