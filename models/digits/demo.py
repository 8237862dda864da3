#!/usr/bin/env python3
"""`make demo`: our digit network and pictures through every stage, and what came out."""
import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import toolchain as tc  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build folder with cli/sgs")
    parser.add_argument("--work", default=str(HERE.parent.parent / "out/demo"), help="where the files go")
    args = parser.parse_args()
    t = tc.Toolchain(args.build, args.work, "digits")
    ini, script, test = HERE / "input_config.ini", HERE / "preprocess.py", HERE / "test"
    labels = {p.name: int(p.stem[-1]) for p in sorted(test.glob("*.png"))}

    print("digits.onnx: 28x28 gray pictures of digits, %d to calibrate, %d to test\n" % (len(list((HERE / "calib").glob("*.png"))), len(labels)))
    steps = [("model      -> digits_float.sim", lambda: t.convert(HERE / "digits.onnx", ini)),
             ("calibrate  -> digits_fixed.sim (L2)", lambda: t.calibrate(ini, HERE / "calib", script, "L2")),
             ("compile    -> digits.img", lambda: t.compile())]
    log = ""
    for what, step in steps:
        print(what, flush=True)
        log = step()
    print("".join("             %s\n" % line for line in log.splitlines() if "arena" in line or "image" in line.lower()))

    runs = {stage: t.simulate(stage, test, script) for stage in tc.STAGES}
    reference = runs["Float"][0]
    print("stage     accuracy    cosine   SQNR dB    ms   file bytes")
    for stage in tc.STAGES:
        got, ms = runs[stage]
        print("%-8s %8.1f %% %9.5f %9.1f %5.2f %12d" % (stage.lower(), 100 * tc.top1(got, labels), tc.cosine(reference, got),
                                                        tc.sqnr_db(reference, got), ms, t.path(stage).stat().st_size))
    wrong = tc.different(runs["Fixed"][0], runs["Offline"][0])
    print("\nfixed and offline agree bit for bit on %d of %d pictures" % (len(labels) - wrong, len(labels)))
    try:
        shown = t.work.relative_to(pathlib.Path.cwd())
    except ValueError:
        shown = t.work
    print("files are in %s" % shown)
    return wrong != 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tc.Failed as e:
        sys.exit(str(e))
