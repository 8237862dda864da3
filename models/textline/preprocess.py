import numpy as np
from PIL import Image

HEIGHT, WIDTH = 32, 256


def fit(picture):
    """A gray picture of one line: 32 pixels high, as wide as it is then, padded on the right with its paper; too long a line is squeezed."""
    width = min(WIDTH, max(1, round(picture.width * HEIGHT / picture.height)))
    line = np.asarray(picture.resize((width, HEIGHT), Image.BILINEAR))
    return np.pad(line, ((0, 0), (0, WIDTH - width)), constant_values=int(np.median(line)))


def image_preprocess(img_path, norm=True):
    with Image.open(img_path) as picture:
        img = fit(picture.convert('L')).reshape(1, HEIGHT, WIDTH, 1)
    if norm:
        return (img.astype(np.float32) - 127.5) / 127.5
    return img
