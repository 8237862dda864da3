# Measures the user's pictures and draws boxes on them, with OpenCV.  A request is a picture's path and a text, a line
# "LEFT TOP RIGHT BOTTOM CATEGORY WORDS" for each box, in pixels, what is to be on top last, and an empty one; the reply is height and width, s32 [2], both 0 where the
# file is no picture, and, where the text is not empty, the picture with the boxes as the bytes of a PNG file.
import os
import sys

FAR = 1 << 20  # where lines may end, outside of any picture


def library():
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    try:
        import cv2
        import numpy  # noqa: F401
    except ImportError as e:
        python = sys.executable or "python3"
        raise Fault(INTERPRETER, "pictures are measured and drawn on with OpenCV, but %s cannot import it (%s)" % (python, describe(e)), 0,
                    "install it with '%s -m pip install opencv-python', or set SGS_PYTHON to an interpreter that has it" % python)
    return cv2


def colour(category):
    """Far apart for classes side by side, bright, B,G,R."""
    import colorsys
    return [255 * v for v in colorsys.hsv_to_rgb(category * 0.381966 % 1, 1, 1)][::-1]


def draw(cv2, picture, line):
    left, top, right, bottom, category, words = line.split(" ", 5)
    a, b = (tuple(max(-FAR, min(FAR, int(round(float(v))))) for v in corner) for corner in ((left, top), (right, bottom)))
    thick = 1 + max(picture.shape) // 400
    size, font = 0.4 * thick, cv2.FONT_HERSHEY_SIMPLEX
    (width, height), below = cv2.getTextSize(words, font, size, thick)
    at = (max(a[0], 0), max(a[1], height + below))
    cv2.rectangle(picture, a, b, colour(int(category)), thick)
    cv2.rectangle(picture, (at[0], at[1] - height - below), (at[0] + width, at[1]), colour(int(category)), -1)
    cv2.putText(picture, words, (at[0], at[1] - below), font, size, (0, 0, 0), thick, cv2.LINE_AA)


def answer(cv2, path, boxes):
    import numpy as np
    try:
        picture = cv2.imread(path)
    except cv2.error:
        picture = None
    size = np.array(picture.shape[:2] if picture is not None else (0, 0), np.int32)
    for line in boxes.split("\n")[:-2] if picture is not None else []:
        draw(cv2, picture, line)
    drawn = cv2.imencode(".png", picture)[1].reshape(-1) if picture is not None and boxes else np.zeros(0, np.uint8)
    return [GOOD, *pack(size), *pack(drawn)]


def main():
    talk, cv2 = own_descriptors(), None
    sys.dont_write_bytecode = True
    if sys.path and sys.path[0] == "":
        sys.path.pop(0)
    while True:
        path, boxes = read_texts(talk, 2)
        try:
            cv2 = cv2 or library()
            parts = answer(cv2, path, boxes)
        except Fault as f:
            parts = [fault_reply(f, 0)]
        for part in parts:
            write_all(talk, part)


main()
