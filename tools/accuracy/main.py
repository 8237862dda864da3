#!/usr/bin/env python3
"""Task accuracy of float, of each level and of other quantizers on the same pictures, into docs/ACCURACY.md: `make accuracy`.

Every tool writes OUT/NETWORK/TOOL.tsv, a line a picture (scores.py says what they mean); the page is made of those files alone.  A file that was made from
the same model, pictures, script, program and versions is not made again, so a run that was stopped goes on, and a changed quantizer measures its own rows only.
Two runs at a time share the networks."""
import argparse
import fcntl
import hashlib
import importlib
import multiprocessing
import os
import pathlib
import shutil
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import cv2  # noqa: E402

import cases  # noqa: E402
import ours  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402
import scores  # noqa: E402
import toolchain as tc  # noqa: E402


def digest(*parts):
    h = hashlib.sha256()
    for p in parts:
        data = p if isinstance(p, bytes) else p.read_bytes() if isinstance(p, pathlib.Path) else str(p).encode()
        h.update(b"%d:" % len(data) + data)
    return h.hexdigest()


def digest_of(case):
    weights = [tc.weights_of(case.model)] if case.model.suffix == ".prototxt" else []
    return digest(case.model, *weights, case.ini, case.script, len(case.calibrate), *case.calibrate, *case.score)


def digest_of_outputs(found):
    return digest(*(part for name in sorted(found) for part in (name, *(o.tobytes() for o in found[name]))))


def chosen(wanted, name):
    return any(w.strip().lower() in name.lower() for w in wanted.split(","))


def head(path):
    """{key: text} of a file's first lines; empty where there is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))


def write(path, said, rows=()):
    half = path.with_suffix(".half")
    half.write_text("".join("# %s: %s\n" % (k, " ".join(str(v).split())) for k, v in said.items()) + "".join(r.text() + "\n" for r in rows))
    os.replace(half, path)


def work_on(make, case, reference, path, said):
    """In a process of its own: what other projects' tools do to it ends with it."""
    folder, start = case.work / "tool", time.time()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        by_name = {p.name: p for p in case.score}
        rows = [scores.row(case, by_name[name], reference[name], got) for name, got in make(folder)]
        if len(rows) != len(by_name):
            raise ValueError("outputs of %d pictures, expected %d" % (len(rows), len(by_name)))
        write(path, dict(said, seconds="%.0f" % (time.time() - start)), rows)
    except Exception as e:  # whatever it was, the page says it
        print(traceback.format_exc(limit=-3), file=sys.stderr)
        write(path, dict(said, failed="%s: %s" % (type(e).__name__, str(e)[:300])))


def measure(make, case, reference, path, said):
    job = multiprocessing.get_context("fork").Process(target=work_on, args=(make, case, reference, path, said))
    path.unlink(missing_ok=True)
    job.start()
    job.join()
    if not path.exists():
        write(path, dict(said, failed="its process ended with %s" % job.exitcode))
    shutil.rmtree(case.work / "tool", ignore_errors=True)
    found = head(path)
    print("%s, %s: %s" % (said["network"], said["tool"], found.get("failed") or found["seconds"] + " s"), flush=True)


def tools_of(args, case):
    """(name, what decides its rows, folder -> rows)"""
    program = digest(args.build / "cli/sgs", (pathlib.Path(ours.__file__)))
    for name in ours.names(args.build):
        yield name, "ours", program, lambda folder, n=name: ours.run(args.build, n, case, folder)
    for peer in peers.PEERS:
        if case.model.suffix in peer.reads and peer.here():
            yield peer.name, peer.versions(), digest(peer.source(), peer.option), lambda folder, p=peer: importlib.import_module(p.module).run(p.option, case, folder)


def network(args, case, tools):
    reference, content = None, digest_of(case)
    float_file, float_key = case.work / "float.tsv", digest(content, args.build / "cli/sgs", pathlib.Path(scores.__file__))
    said = {"network": case.network.title, "kind": case.kind, "file": case.network.file, "calibrate": len(case.calibrate)}
    if head(float_file).get("key") != float_key:
        reference = ours.converted(args.build, case)
        write(float_file, dict(said, tool="float", key=float_key, outputs=digest_of_outputs(reference)),
              [scores.row(case, p, reference[p.name], reference[p.name]) for p in case.score])
    outputs = head(float_file)["outputs"]
    for name, versions, program, make in tools(args, case):
        path = case.work / (cases.slug(name) + ".tsv")
        key = digest(content, outputs, program, versions, pathlib.Path(scores.__file__))
        known = head(path)
        if not chosen(args.tools, name) or known.get("key") == key and not (args.retry and "failed" in known):
            continue
        case.reference = reference = reference or ours.converted(args.build, case)
        measure(make, case, reference, path, dict(said, tool=name, versions=versions, program=program, key=key))


def alone(args, case, tools=tools_of):
    """Several runs share the networks: what one is at, the others leave to it."""
    with open(case.work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("%s: left to another run, which is at it" % case.network.title, flush=True)
            return
        network(args, case, tools)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True, help="the folder with models and data")
    parser.add_argument("--work", type=pathlib.Path, default=tc.ROOT / "out/accuracy", help="where the files go")
    parser.add_argument("--out", type=pathlib.Path, help="the page to write")
    parser.add_argument("--nets", default="", help="networks whose title holds one of these, separated by commas")
    parser.add_argument("--tools", default="", help="tools whose name holds one of these, separated by commas")
    parser.add_argument("--retry", action="store_true", help="what failed, once more")
    parser.add_argument("--page", action="store_true", help="measure nothing: the page again, from the files")
    args = parser.parse_args()
    args.build, args.work, args.shared = args.build.resolve(), args.work.resolve(), args.shared.resolve()
    if not (args.shared / "data/imagenet_sample").is_dir():
        sys.exit("accuracy: the labelled pictures are not here (expected %s/data)" % args.shared)
    for peer in peers.PEERS:
        if not (args.page or peer.here()):
            print("%s: left out, %s is not set" % (peer.name, peer.needs))
    cv2.setNumThreads(1)  # what is forked does not share threads
    for title, make in cases.every(args.shared, args.work):
        if not args.page and chosen(args.nets, title):
            case = make()
            if case:
                alone(args, case)
    text, last = page.made(args.work, ours.levels(args.build))
    if args.out:
        args.out.write_text(text)
    print(last)


if __name__ == "__main__":
    main()
