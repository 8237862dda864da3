import cv2
import numpy as np


def image_preprocess(img_path, norm=True):
    img = cv2.imread(img_path, cv2.IMREAD_GRAYSCALE)
    if img is None:
        raise FileNotFoundError('No such image: {}'.format(img_path))
    img = cv2.resize(img, (28, 28), interpolation=cv2.INTER_AREA).reshape(1, 28, 28, 1)
    if norm:
        return (img.astype(np.float32) - 127.5) / 127.5
    return img
