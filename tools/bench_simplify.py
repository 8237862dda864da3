#!/usr/bin/env python3
"""Nodes that are left of a network, ours beside onnxsim's: `make bench-simplify`.  Ends with 1 where ours are more.

What counts.  Of an ONNX file, and of what onnxsim makes of it: every node of the graph and of the graphs inside its nodes, but for Constant.
Of ours: every node of the graph after all passes, which is the graph that NAME_float.sim holds.  Reshapes count, and so do transposes, those that
channel-last order costs us among them; an activation inside a convolution does not, as nothing is left of it but two numbers.  Constants are no
nodes on either side.  Our inputs and outputs are channel-last, as a board gives and takes them; both sides get the same static shapes."""
import argparse
import pathlib
import sys
import textwrap

import onnx
import onnxsim

import nodes
from toolchain import Failed

# Of what leaves sizes open: --input_shapes for all its inputs.
SHAPES = {
    "mobilenet_v2_128_0.5": "1,3,128,128",
    "mobilenet_v2_0.35_128_tfs_channel_first": "1,3,128,128",
    "pfld": "1,3,112,112",
    "scrfd_500m_bnkps": "1,3,320,320",
    "silero_vad_16k_op15": "1,576:2,1,128:",
    "super-resolution-10": "1,1,224,224",
    "text_detection_en_ppocrv3_2023may": "1,3,480,480",
}
HEAD = """# Nodes after simplification

Made by `make bench-simplify`, with onnxsim %s, its default passes. What counts: of an ONNX file, and of what onnxsim makes of it, every node of the graph and of the
graphs inside its nodes, but for Constant; of ours, every node of the graph after all passes, the graph that `NAME_float.sim` holds. Reshapes count, and so
do transposes, those that channel-last order costs us among them; an activation inside a convolution does not: nothing is left of it but two numbers.
Constants are no nodes on either side. Our inputs and outputs are channel-last, as a board gives and takes them; both sides get the same static shapes.
Bold: ours are more. –: refused, for the reason below.

| network | nodes in the file | onnxsim | ours |
|---|---:|---:|---:|
"""


def shapes_by_name(model, text):
    """--input_shapes as onnxsim takes them."""
    given = {t.name for t in model.graph.initializer}
    names = [i.name for i in model.graph.input if i.name not in given]
    return {n: [int(v) for v in s.split(",") if v] for n, s in zip(names, text.split(":"))} if text else None


def with_onnxsim(model, shapes):
    try:
        simple, _ = onnxsim.simplify(model, overwrite_input_shapes=shapes_by_name(model, shapes), include_subgraph=True)
    except Exception as e:  # of any kind: there is no list of what it raises
        raise Failed((str(e).strip().splitlines() or [type(e).__name__])[0])
    return nodes.of_onnx(simple)


def attempt(who, path, notes, f, *args):
    """{operator: how often}, or None and a note."""
    try:
        return f(*args)
    except Failed as e:
        notes.append("- %s, %s: %s" % (path.stem, who, textwrap.shorten(str(e).replace(str(path), path.name), 240)))
        return None


def detail(left):
    return ", ".join("%s %d" % item for item in left.most_common()) if left else "–"


def total(left):
    return "–" if left is None else "%d" % sum(left.values())


def compare(args, path, notes):
    """(row, whether ours is worse)"""
    model, shapes = onnx.load(path), SHAPES.get(path.stem)
    theirs = attempt("onnxsim", path, notes, with_onnxsim, model, shapes)
    ours = attempt("ours", path, notes, nodes.ours, args.build, path, shapes)
    if args.detail:
        print("    onnxsim: %s\n    ours: %s" % (detail(theirs), detail(ours)))
    worse = theirs is not None and (ours is None or sum(ours.values()) > sum(theirs.values()))
    mark = "**%s**" if worse else "%s"
    return "| %s | %s | %s | %s |" % (path.stem, total(nodes.of_onnx(model)), total(theirs), mark % total(ours)), worse


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", help="the page to write; without it the rows are only printed")
    parser.add_argument("--detail", action="store_true", help="operators, too")
    parser.add_argument("models", nargs="+", type=pathlib.Path, help="ONNX files, or folders of them; a folder that is not there is passed over")
    args = parser.parse_args()
    rows, notes, worse = [], [], []
    for path in [f for m in args.models for f in ([m] if m.is_file() else sorted(m.rglob("*.onnx")))]:
        row, bad = compare(args, path, notes)
        rows.append(row)
        worse += [path.stem] * bad
        print(row, flush=True)
    if not rows:
        sys.exit("bench-simplify: there is no network in %s" % ", ".join(str(m) for m in args.models))
    print("\n".join(notes + ["ours is larger, or refuses what onnxsim takes: %s" % (", ".join(worse) or "nowhere")]))
    if args.out:
        pathlib.Path(args.out).write_text(HEAD % onnxsim.__version__ + "\n".join(rows + [""] + notes).rstrip() + "\n")
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
