#!/usr/bin/python3
"""Trains the line reader of `make demo` and writes textline.onnx and the demo's pictures (calib/, test/, test.tsv).

    apt-get install python3-torch python3-pil python3-numpy $(python3 models/textline/render.py)
    OMP_NUM_THREADS=1 /usr/bin/python3 models/textline/train.py

One process trains, others render; every line is new.  One thread and a seed for each group of batches: the same libraries on the same
kind of CPU give the same weights.

The network halves the width once, so that a column of the result is two pixels: at each, a distribution over "nothing" and the
characters of the alphabet.  The best of each column, repetitions and "nothing" left out, is the text (CTC)."""
import argparse
import collections
import copy
import pathlib

import numpy as np
import torch
from torch import nn

import ctc
import preprocess
import render

HERE = pathlib.Path(__file__).resolve().parent
BATCH = 32
SEED = {"train": 1, "validation": 2, "test": 3, "calib": 4}


# ---- network ----------------------------------------------------------------------------------------------------------------------


def conv(ci, co, k, stride=1, pad=None, groups=1, act=True):
    k = (k, k) if isinstance(k, int) else k
    pad = (k[0] // 2, k[1] // 2) if pad is None else pad
    layers = [nn.Conv2d(ci, co, k, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(co)]
    return nn.Sequential(*layers, nn.ReLU6()) if act else nn.Sequential(*layers)


class Residual(nn.Module):
    """relu6(x + body(x)): what is added stays in a known range, which fixed point likes."""

    def __init__(self, *body):
        super().__init__()
        self.body, self.act = nn.Sequential(*body), nn.ReLU6()

    def forward(self, x):
        return self.act(x + self.body(x))


def separable(c, inner, k):
    return Residual(conv(c, inner, 1), conv(inner, inner, k, groups=inner), conv(inner, c, 1, act=False))


def reader():
    """Trained without the softmax that export() puts behind it."""
    return nn.Sequential(collections.OrderedDict(                      # height x width x channels of a 32x256 picture
        stem=conv(1, 16, 3, stride=2), pool=nn.MaxPool2d((2, 1)),      # 8x128x16
        strokes=conv(16, 32, 3), parts=conv(32, 48, 3, stride=(2, 1)),            # 4x128x48
        shape1=Residual(conv(48, 48, 3, act=False)), shape2=Residual(conv(48, 48, 3, act=False)),
        column=conv(48, 96, (4, 3), pad=(0, 1)),                       # 1x128x96
        context1=separable(96, 192, (1, 15)), context2=separable(96, 192, (1, 15)),
        character=nn.Conv2d(96, 1 + len(ctc.ALPHABET), 1)))


# ---- lines ------------------------------------------------------------------------------------------------------------------------


def normalized(lines):
    return torch.from_numpy((np.stack(lines).astype(np.float32) - 127.5) / 127.5)[:, None]


class Batches(torch.utils.data.Dataset):
    """Item i: eight batches of lines of similar width each, made from seed i."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        rng = np.random.default_rng((SEED["train"], i))
        samples = sorted((render.sample(rng, "train") for _ in range(8 * BATCH)), key=lambda s: s[0].width / s[0].height)
        return [self.batch(rng, samples[at:at + BATCH]) for at in rng.permutation(8) * BATCH]

    def batch(self, rng, samples):
        """Cut behind the longest line: most of a short line's columns would only be padding."""
        longest = max(s[0].width * preprocess.HEIGHT / s[0].height for s in samples)
        width = min(preprocess.WIDTH, 16 * int(np.ceil((longest + rng.integers(0, 48)) / 16)))
        codes = [[1 + ctc.ALPHABET.index(c) for c in text] for _, text in samples]
        return (normalized([preprocess.fit(p)[:, :width] for p, _ in samples]), torch.tensor(sum(codes, [])), torch.tensor([len(c) for c in codes]))


def fixed_set(side, count, seed):
    rng = np.random.default_rng(seed)
    return [render.sample(rng, side) for _ in range(count)]


# ---- scoring ----------------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def read(net, samples):
    net.eval()
    best = torch.cat([net(normalized([preprocess.fit(p) for p, _ in samples[i:i + BATCH]])).argmax(1)[:, 0] for i in range(0, len(samples), BATCH)])
    return [ctc.decode(b) for b in best.tolist()]


def accuracy(net, samples, show=0):
    texts, got = [t for _, t in samples], read(net, samples)
    for t, g in [(t, g) for t, g in zip(texts, got) if t != g][:show]:
        print("    %-22s read as %s" % (t, g))
    return ctc.score(texts, got)


# ---- training -----------------------------------------------------------------------------------------------------------------------


def average(mean, net, keep):
    """Weights averaged over the last steps read better than the last ones."""
    with torch.no_grad():
        for m, v in zip(mean.state_dict().values(), net.state_dict().values()):
            m.copy_(m * keep + v * (1 - keep) if m.is_floating_point() else v)


def train(args, validation):
    net = reader().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=args.steps, pct_start=0.1)
    loss_of, loss_sum = nn.CTCLoss(blank=ctc.BLANK, zero_infinity=True), 0.0
    batches = torch.utils.data.DataLoader(Batches((args.until + 7) // 8), batch_size=None, num_workers=args.workers, prefetch_factor=4)
    for step, (x, codes, lengths) in enumerate(batch for eight in batches for batch in eight):
        if step == args.until:
            break
        net.train()
        scores = net(x.to(memory_format=torch.channels_last))[:, :, 0].permute(2, 0, 1).log_softmax(2)
        loss = loss_of(scores, codes, torch.full((len(x),), scores.shape[0]), lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        average(mean, net, min(0.999, step / (step + 10)))
        loss_sum += loss.item()
        if (step + 1) % args.every == 0:
            seen = (step + 1, loss_sum / args.every, *accuracy(mean, validation))
            print("step %d: loss %.4f; validation fonts: characters %.4f, lines %.4f" % seen, flush=True)
            torch.save(mean.state_dict(), args.keep)
            loss_sum = 0.0
    return mean


# ---- files ----------------------------------------------------------------------------------------------------------------------------


def export(net, path):
    """With a softmax at the end; PyTorch folds the normalizations."""
    whole = nn.Sequential(collections.OrderedDict([*net.named_children(), ("softmax", nn.Softmax(1))])).to(memory_format=torch.contiguous_format)
    picture = torch.zeros(1, 1, preprocess.HEIGHT, preprocess.WIDTH)
    torch.onnx.export(whole.eval(), picture, str(path), opset_version=13, input_names=["line"], output_names=["characters"])


def save_pictures(folder, samples):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for i, (picture, _) in enumerate(samples):
        picture.save(folder / ("%03d.png" % i), optimize=True)
    rows = ["%s/%03d.png\t%s\n" % (folder.name, i, text) for i, (_, text) in enumerate(samples)]
    folder.with_suffix(".tsv").write_text("".join(rows))


def write_files(net, out):
    test = fixed_set("test", 200, SEED["test"])
    print("test: characters %.4f, lines %.4f" % accuracy(net, test))
    out.mkdir(parents=True, exist_ok=True)
    export(net, out / "textline.onnx")
    save_pictures(out / "calib", fixed_set("train", 100, SEED["calib"]))
    save_pictures(out / "test", test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8000, help="batches of %d lines over which the rate falls to nothing" % BATCH)
    parser.add_argument("--until", type=int, default=2600, help="where to stop: the averaged weights need no low rate")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--every", type=int, default=200, help="steps between two looks at the validation fonts")
    parser.add_argument("--keep", default="/tmp/textline.pt", help="where the weights of the last look lie")
    parser.add_argument("--from", dest="start", help="no training: weights from this file")
    parser.add_argument("--out", default=str(HERE), help="folder for the results")
    args = parser.parse_args()
    torch.manual_seed(SEED["train"])
    torch.set_num_threads(1)
    for side in render.FONTS:
        render.families(side)                                          # says now which fonts are missing
    validation = fixed_set("validation", 400, SEED["validation"])
    net = reader()
    if args.start:
        net.load_state_dict(torch.load(args.start))
    else:
        net = train(args, validation)
    print("validation: characters %.4f, lines %.4f" % accuracy(net, validation, show=40))
    write_files(net, pathlib.Path(args.out))


if __name__ == "__main__":
    main()
