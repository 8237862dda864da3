#!/usr/bin/env python3
"""Our runtime and simulators beside other engines on the networks of make_models.py: `make bench`.

A part of docs/PERFORMANCE.md each (parts.py): int8, int16, fixed, start, memory, layers; --nets, --tools and --parts narrow a run.  What it measures goes into
out/bench/results.json (results.py) beside what earlier runs left there, and the page is made of all of it."""
import argparse
import pathlib
import subprocess

import page
import parts
from results import Results


def chosen(names, wanted, what):
    found = [n for n in names if parts.selected(wanted, n)]
    if not found:
        raise SystemExit("bench: no %s is called '%s': %s" % (what, wanted, ", ".join(names)))
    return found


def peaks(build):
    """What this machine can do at most, the best of five: other work makes it less."""
    def once():
        lines = subprocess.run([build / "bench/bench_peak"], capture_output=True, text=True, check=True).stdout.splitlines()
        return {line.rsplit(None, 2)[0]: float(line.rsplit(None, 2)[1]) for line in lines}
    best = once()
    for _ in range(4):
        more = once()
        best = {k: max(v, more[k]) for k, v in best.items()}
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where make_models.py has put the networks")
    parser.add_argument("--out", type=pathlib.Path, help="the page to write")
    parser.add_argument("--nets", default="", help="networks whose name holds one of these, separated by commas")
    parser.add_argument("--tools", default="", help="engines whose name holds one of these")
    parser.add_argument("--parts", default="", help="of the page: %s" % ", ".join(parts.PARTS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    args.build, args.work = args.build.resolve(), args.work.resolve()
    nets, names = chosen(page.GOALS, args.nets, "network"), chosen(parts.PARTS, args.parts, "part")
    results = Results(args.work / "results.json")
    results.begin()
    for net in nets:
        parts.measure(args, args.work / (net + ".onnx"), names, results)
        results.save()
    if "layers" in names:
        results.put(page.MACHINE, "layers", "peaks", {"gops": peaks(args.build)})
        results.save()
    if args.out:
        args.out.write_text(page.text(results))
    print(page.summary(results))


if __name__ == "__main__":
    main()
