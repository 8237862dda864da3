"""What a picture's outputs are worth, and what a set of them says: the only place that judges.

A row (of a file NETWORK/TOOL.tsv) is text: picture, outcome, agreement with float, signal and noise of the outputs.  The files say all that the page needs.

    kind     outcome of a picture                                          a network's figure
    top1     label:class, several joined by blanks                         % right
    boxes    a letter for each labelled box, 1 found 0 not : false ones    % of labelled boxes found
    faces    the same, of the boxes that float finds                       % found
    sounds   machine:broken or not:error of reconstruction                 area under the curve in %, mean over machines
    high     PSNR against the picture itself, dB                           mean; a loss is in % of the float model's
"""
import dataclasses
import math

import numpy as np

import detect

UNITS = {"top1": "%.2f %%", "boxes": "%.2f %% of boxes", "faces": "%.2f %% of float's boxes", "sounds": "AUC %.2f %%", "high": "%.2f dB"}


@dataclasses.dataclass
class Row:
    picture: str
    outcome: str
    agree: tuple    # (how much agrees with float, of how much)
    signal: float
    noise: float

    def text(self):
        return "\t".join([self.picture, self.outcome, "%d/%d" % self.agree, "%.9e" % self.signal, "%.9e" % self.noise])


def parse(line):
    picture, outcome, agree, signal, noise = line.split("\t")
    return Row(picture, outcome, tuple(map(int, agree.split("/"))), float(signal), float(noise))


def classes(outputs, count):
    return outputs[0].reshape(count, -1).argmax(1)


def matched(wanted, found):
    """Which of the wanted boxes are found: IoU 0.5, same class, each box once, the best first."""
    free, hits = np.ones(len(found), bool), []
    overlap = detect.iou(wanted, found) if len(wanted) and len(found) else np.zeros((len(wanted), len(found)))
    for row, box in zip(overlap, wanted):
        fit = np.flatnonzero((row >= 0.5) & free & (found[:, 5] == box[-1])) if len(found) else []
        hits.append(len(fit) > 0)
        if len(fit):
            free[fit[row[fit].argmax()]] = False
    return hits


def boxes_row(decode, wanted, reference, got):
    """wanted: labelled boxes, or None: those of float"""
    theirs, ours = decode(reference), decode(got)
    wanted = theirs[:, [0, 1, 2, 3, 5]] if wanted is None else wanted
    hits, both = matched(wanted, ours), matched(theirs[:, [0, 1, 2, 3, 5]], ours)
    return "%s:%d" % ("".join("01"[h] for h in hits), len(ours) - sum(hits)), (2 * sum(both), len(theirs) + len(ours))


def outcome(case, picture, reference, got):
    """(outcome, agreement)"""
    label, kind = case.score[picture], case.kind
    if kind == "top1":
        count = np.size(label)
        mine, theirs = classes(got, count), classes(reference, count)
        return " ".join("%d:%d" % pair for pair in zip(np.ravel(label), mine)), (int((mine == theirs).sum()), count)
    if kind in ("boxes", "faces"):
        return boxes_row(case.network.decode, label, reference, got)
    if kind == "sounds":
        return "%s:%d:%.9e" % (label[0], label[1], np.mean((case.array(picture).reshape(got[0].shape) - got[0]) ** 2)), (0, 0)
    picked = np.clip(got[0].reshape(label.shape) * 255, 0, 255)
    return "%.6f" % (10 * math.log10(255 ** 2 / max(np.mean((picked - label) ** 2), 1e-9))), (0, 0)


def row(case, picture, reference, got):
    energy = sum(float((r.astype(np.float64) ** 2).sum()) for r in reference)
    noise = sum(float(((r.astype(np.float64).ravel() - g.astype(np.float64).ravel()) ** 2).sum()) for r, g in zip(reference, got))
    if not math.isfinite(noise):
        raise ValueError("%s: an output holds no numbers" % picture.name)
    return Row(picture.name, *outcome(case, picture, reference, got), energy, noise)


# ---- sets of rows ------------------------------------------------------------------------------------------------------

def answers(kind, rows):
    """Right or not, of every picture or box."""
    if kind == "top1":
        return np.array([label == got for r in rows for label, got in (w.split(":") for w in r.outcome.split())])
    return np.array([letter == "1" for r in rows for letter in r.outcome.partition(":")[0]])


def area(errors, broken):
    ones, zeros = errors[broken], errors[~broken]
    return float(np.mean(ones[:, None] > zeros[None]) + np.mean(ones[:, None] == zeros[None]) / 2)


def areas(rows):
    split = [r.outcome.split(":") for r in rows]
    machine, broken, errors = np.array([s[0] for s in split]), np.array([s[1] == "1" for s in split]), np.array([float(s[2]) for s in split])
    return 100 * float(np.mean([area(errors[machine == m], broken[machine == m]) for m in sorted(set(machine))]))


def decibels(rows):
    return np.array([float(r.outcome) for r in rows])


def figure(kind, rows):
    if kind == "sounds":
        return areas(rows)
    return float(decibels(rows).mean()) if kind == "high" else 100 * float(answers(kind, rows).mean())


def false_boxes(rows):
    return sum(int(r.outcome.partition(":")[2]) for r in rows)


def loss(kind, reference, rows):
    """(points lost against float, standard error of that): paired, picture by picture."""
    lost = figure(kind, reference) - figure(kind, rows)
    if kind == "sounds":  # leave one out
        each = [areas(reference[:i] + reference[i + 1:]) - areas(rows[:i] + rows[i + 1:]) for i in range(len(rows))]
        return lost, math.sqrt((len(rows) - 1) * np.var(each))
    if kind == "high":
        scale = 100 / figure(kind, reference)
        return lost * scale, scale * float(np.std(decibels(reference) - decibels(rows), ddof=1)) / math.sqrt(len(rows))
    a, b = answers(kind, reference), answers(kind, rows)
    return lost, 100 * math.sqrt(int((a != b).sum())) / len(a)


def agreement(rows):
    """In %; None where there is nothing to agree on."""
    same, of = (sum(r.agree[i] for r in rows) for i in (0, 1))
    return 100 * same / of if of else None


def sqnr(rows):
    signal, noise = sum(r.signal for r in rows), sum(r.noise for r in rows)
    return 10 * math.log10(signal / noise) if noise else math.inf
