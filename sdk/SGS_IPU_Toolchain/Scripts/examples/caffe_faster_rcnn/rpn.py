"""The layer between the two segments of Faster-RCNN: scores and shifts of anchors become regions of the picture."""
import numpy as np


def anchors(size=16, ratios=(0.5, 1, 2), scales=(8, 16, 32)):
    """x1, y1, x2, y2 of every ratio and scale round the middle of a cell of `size` pixels."""
    boxes = []
    for ratio in ratios:
        w = np.round(np.sqrt(size * size / ratio))
        h = np.round(w * ratio)
        for scale in scales:
            half = np.array([w * scale - 1, h * scale - 1]) / 2
            boxes.append(np.concatenate([(size - 1) / 2 - half, (size - 1) / 2 + half]))
    return np.array(boxes, np.float32)


def shifted(boxes, deltas):
    """Boxes moved and stretched by deltas: of the middle in widths and heights, of the sizes in logarithms.  deltas: [n, 4 k]."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    middle = (boxes[:, :2] + size / 2)[:, None]
    d = deltas.reshape(len(boxes), -1, 4)
    middle = middle + d[..., :2] * size[:, None]
    half = np.exp(np.minimum(d[..., 2:], 4)) * size[:, None] / 2
    return np.concatenate([middle - half, middle + half], 2).reshape(deltas.shape)


def clipped(boxes, height, width):
    most = np.array([width - 1, height - 1] * 2, np.float32)
    return np.clip(boxes.reshape(-1, 4), 0, most).reshape(boxes.shape)


def keep_best(boxes, scores, overlap, most):
    """Indices, best first, of boxes that cover no better one by more than `overlap` of both."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, 1)
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(best)
        common = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2]) + 1
        common = np.prod(np.maximum(common, 0), 1)
        left = left[common <= overlap * (area[best] + area[left] - common)]
    return np.array(kept, int)


class ProposalLayer:
    def __init__(self, regions=300, before=6000, overlap=0.7, smallest=16, stride=16):
        self.regions, self.before, self.overlap, self.smallest, self.stride = regions, before, overlap, smallest, stride
        self.anchors = anchors(stride)

    def forward(self, bottom):
        """bottom: scores [1, h, w, 2 a], the second a of them of objects; shifts [1, h, w, 4 a]; height, width and scale of the picture [1, 3].
        Returns [regions, 5]: 0 and a box; rows that are left over are zero."""
        scores, deltas, (height, width, scale) = bottom[0], bottom[1], bottom[2][0]
        _, h, w, _ = scores.shape
        y, x = np.mgrid[:h, :w] * self.stride
        corner = np.stack([x, y, x, y], 2)[:, :, None].astype(np.float32)
        boxes = shifted((corner + self.anchors).reshape(-1, 4), deltas.reshape(-1, 4))
        boxes = clipped(boxes, height * scale, width * scale)
        scores = scores[..., len(self.anchors):].reshape(-1)
        large = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] + 1 >= self.smallest * scale).all(1))
        large = large[np.argsort(-scores[large], kind="stable")[:self.before]]
        kept = large[keep_best(boxes[large], scores[large], self.overlap, self.regions)] if len(large) else large
        rois = np.zeros((self.regions, 5), np.float32)
        rois[:len(kept), 1:] = boxes[kept]
        return rois
