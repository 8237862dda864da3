"""Boxes from the raw outputs of the detectors that `make results` scores: [x0, y0, x1, y1, score, class], in pixels of the network's input.

Each decoder takes the outputs of one picture in the order of its ini.  Formulas are those of the networks' papers and repositories."""
import numpy as np


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def corners(cx, cy, w, h):
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)


def iou(a, b):
    """[len(a), len(b)]"""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    both = np.clip(high - low, 0, None).prod(-1)
    area = [np.clip(x[:, 2:4] - x[:, :2], 0, None).prod(-1) for x in (a, b)]
    return both / np.maximum(area[0][:, None] + area[1][None] - both, 1e-9)


def suppress(boxes, score, kind, threshold, overlap=0.45):
    """What is above the threshold, best first, without those that overlap a better one of their class."""
    keep = score > threshold
    found = np.concatenate([boxes[keep], score[keep, None], kind[keep, None].astype(float)], 1)
    found = found[np.argsort(-found[:, 4], kind="stable")]
    best = []
    while len(found):
        best.append(found[0])
        found = found[1:][(iou(found[:1], found[1:])[0] < overlap) | (found[1:, 5] != found[0, 5])]
    return np.array(best).reshape(-1, 6)


def priors(width, height, steps, sizes, rounded_up=True):
    """Centre and size of the anchors of SSD-like heads, 0..1."""
    rows = []
    for step, mins in zip(steps, sizes):
        w, h = (-(-width // step), -(-height // step)) if rounded_up else (width // step, height // step)
        for y in range(h):
            for x in range(w):
                rows += [[(x + 0.5) * step / width, (y + 0.5) * step / height, m / width, m / height] for m in mins]
    return np.clip(np.array(rows), 0, 1)


FACE_SIZES = [[10, 16, 24], [32, 48], [64, 96], [128, 192, 256]]
FACE_STEPS = [8, 16, 32, 64]


def ultraface(outputs, threshold=0.7):
    scores, boxes = (o.reshape(-1, o.shape[-1]) for o in outputs)
    return suppress(boxes * [320, 240, 320, 240], scores[:, 1], np.zeros(len(scores)), threshold, 0.3)


def ultraface_raw(outputs, threshold=0.7):
    """Without post-processing: offsets from anchors, variances 0.1 and 0.2."""
    scores, loc = (o.reshape(-1, o.shape[-1]) for o in outputs)
    p = priors(320, 240, FACE_STEPS, FACE_SIZES)
    centre, size = loc[:, :2] * 0.1 * p[:, 2:] + p[:, :2], np.exp(loc[:, 2:] * 0.2) * p[:, 2:]
    boxes = corners(centre[:, 0], centre[:, 1], size[:, 0], size[:, 1]) * [320, 240, 320, 240]
    return suppress(boxes, scores[:, 1], np.zeros(len(scores)), threshold, 0.3)


def yunet(outputs, threshold=0.6):
    loc, conf, quality = (o.reshape(-1, o.shape[-1]) for o in outputs)
    p = priors(320, 320, FACE_STEPS, FACE_SIZES, rounded_up=False)
    centre, size = loc[:, :2] * 0.1 * p[:, 2:] + p[:, :2], np.exp(loc[:, 2:4] * 0.2) * p[:, 2:]
    score = np.sqrt(np.clip(conf[:, 1], 0, 1) * np.clip(quality[:, 0], 0, 1))
    return suppress(corners(centre[:, 0], centre[:, 1], size[:, 0], size[:, 1]) * 320, score, np.zeros(len(score)), threshold, 0.3)


def yolox(outputs, threshold=0.3, side=416):
    o = outputs[0].reshape(-1, 85)
    grid = np.concatenate([np.stack([np.tile(np.arange(side // s), side // s), np.repeat(np.arange(side // s), side // s),
                                     np.full((side // s) ** 2, s)], 1) for s in (8, 16, 32)])
    centre, size = (o[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(o[:, 2:4]) * grid[:, 2:]
    score = o[:, 4:5] * o[:, 5:]
    return suppress(corners(centre[:, 0], centre[:, 1], size[:, 0], size[:, 1]), score.max(1), score.argmax(1), threshold)


def nanodet(outputs, threshold=0.35, side=320):
    boxes, scores = [], []
    for k, s in enumerate((8, 16, 32)):
        cls, dis = outputs[k].reshape(-1, 80), outputs[3 + k].reshape(-1, 4, 8)
        n = side // s
        x, y = (np.tile(np.arange(n), n) + 0.5) * s, (np.repeat(np.arange(n), n) + 0.5) * s
        d = (softmax(dis) * np.arange(8)).sum(-1) * s
        boxes.append(np.stack([x - d[:, 0], y - d[:, 1], x + d[:, 2], y + d[:, 3]], 1))
        scores.append(cls)
    score = np.concatenate(scores)
    return suppress(np.concatenate(boxes), score.max(1), score.argmax(1), threshold)


def fastestdet(outputs, threshold=0.5, cells=22, side=352):
    o = outputs[0].reshape(cells, cells, 85) if outputs[0].shape[-1] == 85 else outputs[0].reshape(85, cells, cells).transpose(1, 2, 0)
    x, y = np.meshgrid(np.arange(cells), np.arange(cells))
    cx, cy = (np.tanh(o[..., 1]) + x) / cells, (np.tanh(o[..., 2]) + y) / cells
    w, h = sigmoid(o[..., 3]), sigmoid(o[..., 4])
    score = (o[..., 0] ** 0.6) * (o[..., 5:].max(-1) ** 0.4)
    return suppress((corners(cx, cy, w, h) * side).reshape(-1, 4), score.ravel(), o[..., 5:].argmax(-1).ravel(), threshold)


def refound(reference, got, decode):
    """(boxes that the reference finds, how many of them the other finds too: IoU 0.5, same class, each once; boxes of the other in all)."""
    total = hits = others = 0
    for name, outs in reference.items():
        a, b = decode(outs), decode(got[name])
        total += len(a)
        others += len(b)
        free = np.ones(len(b), bool)
        match = (iou(a, b) >= 0.5) & (a[:, 5:6] == b[None, :, 5]) if len(a) and len(b) else np.zeros((len(a), len(b)), bool)
        for row, i in zip(match, range(len(a))):
            ok = np.flatnonzero(row & free)
            if len(ok):
                best = ok[iou(a[i:i + 1], b[ok])[0].argmax()]
                free[best] = False
                hits += 1
    return total, hits, others
