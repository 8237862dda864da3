"""How many nodes a network has: in an ONNX file, and in the graph that our passes leave."""
import collections
import re
import subprocess

from toolchain import Failed


def graphs(graph):
    """A graph and all that its nodes hold."""
    yield graph
    for node in graph.node:
        for a in node.attribute:
            for inner in [a.g] * a.HasField("g") + list(a.graphs):
                yield from graphs(inner)


def of_onnx(model):
    """{operator: how often}; what says a constant is no node."""
    return collections.Counter(node.op_type for g in graphs(model.graph) for node in g.node if node.op_type != "Constant")


def ours(build, path, shapes=None, inputs=(), outputs=()):
    """{operator: how often} after all passes: the graph that NAME_float.sim holds.  shapes: as --input_shapes takes them; inputs, outputs: where it is cut."""
    tool = "%s/tests/ops/onnx_tool" % build
    cut = [word for option, names in (("--input", inputs), ("--output", outputs)) for n in names for word in (option, n)]
    done = subprocess.run([tool, *(["--shapes", shapes] if shapes else []), *cut, "--passes", "--text", str(path)], capture_output=True, text=True)
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["onnx_tool ended with %d" % done.returncode])[0])
    return collections.Counter(re.findall(r"^%\d+.* = ([a-z0-9_]+)", done.stdout, re.M))
