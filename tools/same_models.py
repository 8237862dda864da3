#!/usr/bin/env python3
"""Whether two compilers' tools write the same files: `make same-models`.

The networks of tools/networks.py, each converted, calibrated and compiled by both builds; float model, fixed-point model and image are to be equal byte for byte.  Exit
status 1 where one is not."""
import argparse
import hashlib
import pathlib
import sys
import time

import toolchain as tc
from networks import NETWORKS, pictures


def made(build, work, network, model, calibrate, level):
    """{stage: digest}"""
    t = tc.Toolchain(build, work, model.stem)
    ini, script, names = t.work / "input_config.ini", t.work / "preprocess.py", t.work / "calib.txt"
    ini.write_text(network.ini())
    script.write_text(network.script())
    names.write_text("".join("%s\n" % p for p in calibrate))
    t.convert(model, ini, *(["--input_shapes", network.shapes] if network.shapes else []))
    t.calibrate(ini, names, script, level)
    t.compile()
    return {stage: hashlib.sha256(t.path(stage).read_bytes()).hexdigest() for stage in tc.STAGES}


def compare(args, network):
    """The stages whose files differ."""
    model, work = args.shared / "models" / network.file, args.work / network.file.partition("/")[0] / pathlib.Path(network.file).stem
    work.mkdir(parents=True, exist_ok=True)
    calibrate = pictures(network.pictures, args.shared / "data", work.resolve(), True)[0]
    both = [made(build, work / name, network, model, calibrate, args.level) for name, build in (("one", args.build), ("other", args.other))]
    return [stage for stage in tc.STAGES if both[0][stage] != both[1][stage]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--other", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default="out/same")
    parser.add_argument("--nets", default="", help="pieces of networks' titles or files, separated by commas")
    parser.add_argument("--level", default="L5")
    args = parser.parse_args()
    chosen = [n for n in NETWORKS if any(w.strip().lower() in (n.title + " " + n.file).lower() for w in args.nets.split(","))]
    bad = 0
    for network in chosen:
        begin = time.monotonic()
        differ = compare(args, network)
        bad += bool(differ)
        print("%-44s %5.0f s  %s" % (network.title, time.monotonic() - begin, "differ: %s" % ", ".join(differ) if differ else "equal"), flush=True)
    print("%s: float, fixed and offline files of %d of %d networks are equal byte for byte" % (args.level, len(chosen) - bad, len(chosen)))
    return int(bad > 0 or not chosen)


if __name__ == "__main__":
    sys.exit(main())
