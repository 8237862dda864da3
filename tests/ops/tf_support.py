"""Small TensorFlow graphs through our import and float evaluation."""
import pathlib
import re
import subprocess
import sys

import numpy as np
from support import SECONDS, TOOL, TYPES

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from graphdef import *  # noqa: E402, F403


def run(tmp_path, graph, feeds, *args, outputs=()):
    """Our outputs of a graph (bytes), or the message.  feeds: name -> array."""
    model = tmp_path / "m.pb"
    model.write_bytes(b"".join(graph) if isinstance(graph, (list, tuple)) else graph)
    files, names = [], []
    for i, (name, x) in enumerate(feeds.items()):
        files.append(tmp_path / f"in.{i}.bin")
        x = np.asarray(x)
        x.astype({"int64": np.int32, "int16": np.int32}.get(x.dtype.name, x.dtype)).tofile(files[-1])
        names += ["--input", name]
    for o in outputs:
        names += ["--output", o]
    shapes = ":".join(",".join(map(str, np.shape(x))) for x in feeds.values())
    done = subprocess.run([TOOL, *args, "--shapes", shapes, *names, "--passes", "--run", *map(str, files), "--out", str(tmp_path / "out"), str(model)],
                          capture_output=True, text=True, errors="replace", timeout=SECONDS)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode:
        return done.stderr
    results = []
    for i, line in enumerate(done.stdout.splitlines()):
        kind, dims = line.rsplit(" ", 2)[-2:]
        results.append(np.fromfile(tmp_path / f"out.{i}.bin", TYPES[kind]).reshape([int(n) for n in re.findall(r"\d+", dims)]))
    return results


def message(tmp_path, graph, *args):
    """What is said of a graph that is refused."""
    model = tmp_path / "m.pb"
    model.write_bytes(b"".join(graph))
    done = subprocess.run([TOOL, *args, "--passes", "--try", str(model)], capture_output=True, text=True, errors="replace", timeout=SECONDS)
    assert done.returncode == 1, done.stderr
    return done.stderr.replace(f"error: {model}: ", "")
