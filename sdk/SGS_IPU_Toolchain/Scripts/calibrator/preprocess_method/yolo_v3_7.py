"""YOLOv3 of TensorFlow: the picture as large as fits into 299x299, gray around it.

training_input_formats=RGB; mean=0:0:0; std_value=255;
"""
import cv2
import numpy as np

SIZE, GRAY = 299, 128


def image_preprocess(img_path, norm=True):
    picture = cv2.imread(img_path)
    if picture is None:
        raise FileNotFoundError("no picture: %s" % img_path)
    height, width = picture.shape[:2]
    scale = SIZE / max(height, width)
    height, width = round(height * scale), round(width * scale)
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    data = np.full((1, SIZE, SIZE, 3), GRAY, np.uint8)
    data[0, top:top + height, left:left + width] = cv2.resize(picture, (width, height))[..., ::-1]
    return data.astype(np.float32) / 255 if norm else data
