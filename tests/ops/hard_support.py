"""What the tests of hard ONNX models share: nodes and graphs in few words, and what is expected of them."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper
from support import decibel, model, quantized, same_as_onnxruntime, save, tool

F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RNG = np.random.default_rng(11)


def real(*shape):
    return np.asarray(RNG.uniform(-2, 2, shape), np.float32)


def ints(*values):
    return np.array(values, np.int64)


def node(op, ins, outs="y", **attrs):
    """`_` stands for an absent name."""
    return helper.make_node(op, *[["" if n == "_" else n for n in names.split()] for names in (ins, outs)], **attrs)


def info(name, kind=F, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def body(nodes, ins, outs, inits=None):
    """Names of inputs and outputs; those of integers and truth values have their type behind a colon."""
    def end(text):
        name, _, kind = text.partition(":")
        return info(name, {"": F, "i": I, "b": B}[kind], [] if kind else None)
    return helper.make_graph(nodes, "body", [end(n) for n in ins.split()], [end(n) for n in outs.split()], [numpy_helper.from_array(v, n) for n, v in (inits or {}).items()])


def check(tmp_path, nodes, inits=None, opset=17, outputs=("y",), **feeds):
    same_as_onnxruntime(model(nodes if isinstance(nodes, list) else [nodes], feeds, list(outputs), inits, opset), feeds, tmp_path)


def says(m, tmp_path, layer, message, hint=""):
    done = tool(save(m, tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}/model.onnx: layer '{layer}': {message}\n" + (f"  {hint}\n" if hint else "")), done.stdout


def in_fixed(m, tmp_path, *feeds, above=30):
    """Fixed point, whose simulator and image the tool holds against each other, says what float says."""
    want, got = quantized(save(m, tmp_path), feeds, tmp_path)
    for w, g in zip(want, got):
        assert decibel(w, g) > above


# ---- functions of the model ----

def calling(nodes, functions, inputs=None, inits=None, outputs=("y",)):
    m = model(nodes, inputs or {"x": (F, [3, 4])}, list(outputs), inits)
    m.opset_import.append(helper.make_opsetid("my", 1))
    m.functions.extend(functions)
    return m


def function(name, ins, outs, nodes, attrs=(), opset=17, **defaults):
    """Attributes of nodes whose name begins with an @ take the caller's."""
    f = helper.make_function("my", name, ins.split(), outs.split(), nodes, [helper.make_opsetid("", opset), helper.make_opsetid("my", 1)], list(attrs),
                             [helper.make_attribute(k, v) for k, v in defaults.items()])
    return f


def takes(n, attr, kind, ref):
    a = n.attribute.add()
    a.name, a.ref_attr_name, a.type = attr, ref, kind
    return n


def call(op, ins, outs="y", **attrs):
    return helper.make_node(op, ["" if n == "_" else n for n in ins.split()], outs.split(), domain="my", **attrs)
