"""Digits rendered from installed system fonts, as a camera over a meter or a label might see them: turned, scaled, shifted, blurred,
with uneven light, noise, and either polarity.  28x28 gray, values 0..255."""
import pathlib

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = 28
FONT_ROOT = pathlib.Path("/usr/share/fonts")
# Families that no training picture uses.
TEST_FAMILIES = ("Carlito", "Inconsolata", "LinLibertine_R", "OpenSans", "Lato")
SYMBOLIC = ("emoji", "symbol", "dingbat", "d050000l", "math", "oblique", "italic", "thin", "hairline", "extralight", "black", "condensed", "biolinum_k", "outline", "initials", "_i.")


def fonts(test):
    """Paths of the usable fonts of one side, sorted."""
    found = []
    for p in sorted(FONT_ROOT.rglob("*")):
        if p.suffix.lower() not in (".ttf", ".otf") or any(s in p.name.lower() for s in SYMBOLIC):
            continue
        if any(f.lower() in p.name.lower() for f in TEST_FAMILIES) == test:
            found.append(str(p))
    return found


def glyph(digit, font_path, size):
    font = ImageFont.truetype(font_path, size)
    box = font.getbbox(str(digit))
    w, h = box[2] - box[0], box[3] - box[1]
    image = Image.new("L", (w + 8, h + 8), 0)
    ImageDraw.Draw(image).text((4 - box[0], 4 - box[1]), str(digit), fill=255, font=font)
    return np.asarray(image, np.float32) / 255


def picture(digit, font_path, rng):
    mask = glyph(digit, font_path, 64)
    h, w = mask.shape
    scale = SIZE * rng.uniform(0.6, 0.92) / max(h, w)
    angle = rng.uniform(-12, 12)
    m = cv2.getRotationMatrix2D((w / 2, h / 2), angle, scale)
    m[0, 1] += rng.uniform(-0.15, 0.15) * scale
    m[:, 2] += SIZE / 2 - np.array([w / 2, h / 2]) + rng.uniform(-2, 2, 2)
    mask = cv2.warpAffine(mask, m, (SIZE, SIZE), flags=cv2.INTER_AREA)
    if rng.random() < 0.5:
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.3, 0.9))
    paper, ink = rng.uniform(0.55, 1), rng.uniform(0, 0.35)
    if rng.random() < 0.5:
        paper, ink = ink, paper
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) - 0.5
    light = 1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.25, 0.25) * y
    image = (paper + (ink - paper) * mask) * light + rng.normal(0, rng.uniform(0, 0.05), mask.shape)
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def batch(n, font_paths, rng):
    labels = rng.integers(0, 10, n)
    images = np.stack([picture(d, font_paths[rng.integers(len(font_paths))], rng) for d in labels])
    return images, labels
