#!/usr/bin/env python3
"""`make demo`: our line reader and pictures through every stage, and what came out."""
import argparse
import pathlib
import sys

import numpy as np
from PIL import Image

import ctc
import preprocess

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import toolchain as tc  # noqa: E402

ALOUD = 12    # lines read aloud
SHOWN = 3     # of which drawn


def labels(name):
    """{picture: its text} of test.tsv or calib.tsv."""
    rows = (line.split("\t") for line in (HERE / (name + ".tsv")).read_text().splitlines())
    return {pathlib.Path(path).name: text for path, text in rows}


def texts(outputs):
    """{picture: what the columns say}."""
    return {name: ctc.decode(outs[0][0, 0].argmax(-1)) for name, outs in outputs.items()}


def doubt(columns):
    """The probability of the least certain character."""
    best = columns.max(-1)[columns.argmax(-1) != ctc.BLANK]
    return float(best.min()) if best.size else 0.0


def braille(picture):
    """A line's ink in characters of 2x4 dots: what the network sees, 32 dots high."""
    line = preprocess.fit(Image.open(picture).convert("L")).astype(int)
    far = np.abs(line - np.median(line))
    ink = far > far.max() / 2
    ink = ink[:, :2 * (ink.any(0).nonzero()[0].max() // 2 + 1)]
    weight = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])
    cells = (ink.reshape(8, 4, -1, 2) * weight[:, None]).sum((1, 3))
    return ["".join(chr(0x2800 + c) for c in row) for row in cells]


def build(t):
    """Model to image; what the tools said of it."""
    ini, script, log = HERE / "input_config.ini", HERE / "preprocess.py", ""
    for what, step in (("model      -> textline_float.sim", lambda: t.convert(HERE / "textline.onnx", ini)),
                       ("calibrate  -> textline_fixed.sim (L2)", lambda: t.calibrate(ini, HERE / "calib", script, "L2")),
                       ("compile    -> textline.img", lambda: t.compile())):
        print(what, flush=True)
        log = step()
    return ["             " + line.replace(str(t.work) + "/", "") for line in log.splitlines() if " bytes" in line]


def table(t, runs, want):
    print("\nstage    characters   lines    cosine   SQNR dB    ms   file bytes")
    reference = runs["Float"][0]
    for stage in tc.STAGES:
        got, ms = runs[stage]
        characters, lines = ctc.score(want.values(), [texts(got)[name] for name in want])
        print("%-8s %8.2f %% %6.1f %% %9.5f %8.1f %6.2f %11d" % (stage.lower(), 100 * characters, 100 * lines, tc.cosine(reference, got),
                                                                  tc.sqnr_db(reference, got), ms, t.path(stage).stat().st_size))


def read_aloud(outputs, want):
    """A few lines as the image reads them, evenly over the set, the first ones with their picture."""
    print("\nThe image reads, and how sure it is of the least certain character:\n")
    read, names = texts(outputs), list(want)
    drawable = (sys.stdout.encoding or "").lower().startswith("utf")
    for i, name in enumerate(names[::max(1, len(names) // ALOUD)][:ALOUD]):
        if drawable and i < SHOWN:
            print("\n".join(braille(HERE / "test" / name)))
        right = "" if read[name] == want[name] else "   (it says %s)" % want[name]
        print("test/%s  %3.0f %%  %s%s%s" % (name, 100 * doubt(outputs[name][0][0, 0]), read[name], right, "\n" if drawable and i < SHOWN else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build folder with cli/sgs")
    parser.add_argument("--work", default=str(HERE.parent.parent / "out/demo"), help="where the files go")
    args = parser.parse_args()
    t, want = tc.Toolchain(args.build, args.work, "textline"), labels("test")

    print("textline.onnx reads a line of text: meters, type plates, labels. %d lines to calibrate, %d to test, in fonts and words that\n"
          "training has not seen.\n" % (len(labels("calib")), len(want)))
    print("\n".join(build(t)))
    runs = {stage: t.simulate(stage, HERE / "test", HERE / "preprocess.py") for stage in tc.STAGES}
    table(t, runs, want)
    wrong = tc.different(runs["Fixed"][0], runs["Offline"][0])
    print("\nfixed and offline agree bit for bit on %d of %d pictures" % (len(want) - wrong, len(want)))
    read_aloud(runs["Offline"][0], want)
    try:
        shown = t.work.relative_to(pathlib.Path.cwd())
    except ValueError:
        shown = t.work
    print("\nfiles are in %s" % shown)
    return wrong != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tc.Failed as e:
        sys.exit(str(e))
