"""ResNet V2 50 of TensorFlow: the middle 299x299 of the picture whose shorter side became 342.

training_input_formats=RGB; mean=127.5:127.5:127.5; std_value=127.5;
"""
import cv2
import numpy as np

SHORTER, SIZE = 342, 299
MEAN = np.array([127.5, 127.5, 127.5], np.float32)
STD = np.array([127.5], np.float32)


def image_preprocess(img_path, norm=True):
    picture = cv2.imread(img_path)
    if picture is None:
        raise FileNotFoundError("no picture: %s" % img_path)
    height, width = picture.shape[:2]
    scale = SHORTER / min(height, width)
    picture = cv2.resize(picture, (max(SIZE, round(width * scale)), max(SIZE, round(height * scale))))
    top, left = (picture.shape[0] - SIZE) // 2, (picture.shape[1] - SIZE) // 2
    data = np.ascontiguousarray(picture[None, top:top + SIZE, left:left + SIZE, ::-1])
    return (data - MEAN) / STD if norm else data
