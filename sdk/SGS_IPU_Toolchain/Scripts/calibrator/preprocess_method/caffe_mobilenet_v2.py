"""MobileNetV2 of Caffe: the middle 224x224 of the picture whose shorter side became 256.

training_input_formats=BGR; mean=123.68:116.78:103.94; std_value=58.8235;
"""
import cv2
import numpy as np

SHORTER, SIZE = 256, 224
MEAN = np.array([103.94, 116.78, 123.68], np.float32)
STD = np.array([58.8235], np.float32)


def image_preprocess(img_path, norm=True):
    picture = cv2.imread(img_path)
    if picture is None:
        raise FileNotFoundError("no picture: %s" % img_path)
    height, width = picture.shape[:2]
    scale = SHORTER / min(height, width)
    picture = cv2.resize(picture, (max(SIZE, round(width * scale)), max(SIZE, round(height * scale))))
    top, left = (picture.shape[0] - SIZE) // 2, (picture.shape[1] - SIZE) // 2
    data = np.ascontiguousarray(picture[None, top:top + SIZE, left:left + SIZE])
    return (data - MEAN) / STD if norm else data
