#!/usr/bin/env python3
"""Weights of 4 bits and mixed precision, ours beside quantizers in PyTorch, into docs/ACCURACY.md: `make accuracy-low-bit`.

Networks, pictures, scores and files are those of main.py: every tool writes OUT/NETWORK/TOOL.tsv, and what did not change is not measured again.  The section of the
page is made of those files and of the table of times that `make bench-low-bit` leaves."""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import cv2  # noqa: E402

import cases  # noqa: E402
import low_bit_page as page  # noqa: E402
import low_bit_tools as tools  # noqa: E402
import main as accuracy  # noqa: E402
import ours  # noqa: E402
import peer_torch  # noqa: E402
import toolchain as tc  # noqa: E402


def programs(build):
    """{name of ours: what decides its rows}"""
    both = build / "cli/sgs", pathlib.Path(ours.__file__)
    return {**{name: accuracy.digest(*both, tools.config(*mode)) for name, mode in tools.MODES.items()}, tools.LEVEL: accuracy.digest(*both)}


def tools_of(args, case):
    """As main.tools_of()."""
    for name, program in programs(args.build).items():
        run = ours.run if name == tools.LEVEL else tools.run_mode
        yield name, "ours", program, lambda folder, r=run, n=name: r(args.build, n, case, folder)
    if peer_torch.PYTHON.exists():
        for peer in tools.PEERS:
            yield peer.name, peer.versions(args), accuracy.digest(*tools.sources(peer), peer.method, peer.bits), lambda folder, p=peer: p.run(args, case, folder)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True, help="the folder with models and data")
    parser.add_argument("--work", type=pathlib.Path, default=tc.ROOT / "out/accuracy", help="where the files go")
    parser.add_argument("--out", type=pathlib.Path, help="the page whose section to write")
    parser.add_argument("--nets", default="", help="networks whose title holds one of these, separated by commas")
    parser.add_argument("--tools", default="", help="tools whose name holds one of these, separated by commas")
    parser.add_argument("--share", type=float, default=1, help="of the iterations that the papers ask for")
    parser.add_argument("--batch", type=int, default=32, help="pictures an iteration sees")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--retry", action="store_true", help="what failed, once more")
    parser.add_argument("--page", action="store_true", help="measure nothing: the section again, from the files")
    args = parser.parse_args()
    if not 0 < args.share <= 1:
        parser.error("--share: expected more than 0, 1 at most, found %g" % args.share)
    if args.batch < 1 or args.threads < 1:
        parser.error("expected a --batch and --threads of 1 or more, found %d and %d" % (args.batch, args.threads))
    args.build, args.work, args.shared = args.build.resolve(), args.work.resolve(), args.shared.resolve()
    return args


def main():
    args = arguments()
    if not (args.shared / "data/imagenet_sample").is_dir():
        sys.exit("accuracy: the labelled pictures are not here (expected %s/data)" % args.shared)
    if not (args.page or peer_torch.PYTHON.exists()):
        print("the quantizers in PyTorch are left out: there is no .venv-torch (tools/setup low-bit)")
    cv2.setNumThreads(1)
    for title, make in cases.every(args.shared, args.work):
        if not args.page and title.removesuffix(cases.TWINNED) in page.TITLES and accuracy.chosen(args.nets, title):
            case = make()
            if case:
                accuracy.alone(args, case, tools_of)
    text, last = page.made(args.work, programs(args.build))
    args.work.mkdir(parents=True, exist_ok=True)
    (args.work / "low_bit.md").write_text(text)
    if args.out:
        args.out.write_text(page.placed(args.out.read_text(), text))
    print(last)


if __name__ == "__main__":
    main()
