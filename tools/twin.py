#!/usr/bin/env python3
"""A hard twin of an ONNX network: the same function, bit for bit in float, with channels that 8 bits cannot hold.

    twin.py model.onnx twin.onnx [--seed 1] [--most 4]

Channels between two convolutions are scaled by 2^u, u a whole number in -most ... most drawn for each, and the next convolutions undo it.  That passes through
what is positively homogeneous and keeps channels apart: normalizations, ReLU, LeakyReLU, PReLU, pools, concatenations.  Powers of two round nothing (short of
numbers too small or large for a float32), so whoever computes the twin in float gets the network's own numbers.  Quantizers that give a tensor one range lose up to 2*most bits there."""
import argparse
import sys

import numpy as np
import onnx
from onnx import numpy_helper

KEEPS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool", "Identity", "Dropout")


class Unfit(Exception):
    """These channels go somewhere that does not undo a scale."""


class Network:
    def __init__(self, model):
        self.graph = model.graph
        self.constant = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        for n in self.graph.node:
            if n.op_type == "Constant" and n.attribute[0].name == "value":
                self.constant[n.output[0]] = numpy_helper.to_array(n.attribute[0].t)
        self.readers = {}
        for n in self.graph.node:
            for i, name in enumerate(n.input):
                self.readers.setdefault(name, []).append((n, i))
        self.outputs = {o.name for o in self.graph.output}
        self.changed = {}  # (node's first output, slot): its new constant

    def value(self, node, slot):
        return self.changed.get((node.output[0], slot), self.constant.get(node.input[slot]))

    def scale(self, node, slot, factor):
        """Multiplies a constant; factor has its rank or less."""
        self.changed[node.output[0], slot] = (self.value(node, slot) * factor).astype(np.float32)

    def write(self):
        """Each changed constant becomes one of its own: others may read the old one."""
        for node in self.graph.node:
            for slot in range(len(node.input)):
                new = self.changed.get((node.output[0], slot)) if node.output else None
                if new is not None:
                    node.input[slot] = "twin/%s/%d" % (node.output[0], slot)
                    self.graph.initializer.append(numpy_helper.from_array(new, node.input[slot]))
        used = {name for n in self.graph.node for name in n.input} | self.outputs
        kept = [t for t in self.graph.initializer if t.name in used]
        gone = {t.name for t in self.graph.initializer} - used
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        inputs = [i for i in self.graph.input if i.name not in gone]
        del self.graph.input[:]
        self.graph.input.extend(inputs)


def attribute(node, name, default):
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def is_conv(net, node):
    return node.op_type == "Conv" and net.value(node, 1) is not None and net.value(node, 1).dtype == np.float32 and all(
        net.value(node, i) is not None for i in range(2, len(node.input)))


def widths(net):
    """Channels of the tensors that convolutions and what keeps channels make."""
    found = {}
    for n in net.graph.node:
        if is_conv(net, n):
            found[n.output[0]] = net.value(n, 1).shape[0]
        elif n.op_type in KEEPS + ("BatchNormalization", "PRelu") and n.input[0] in found:
            found[n.output[0]] = found[n.input[0]]
        elif n.op_type == "Concat" and attribute(n, "axis", 0) == 1 and all(i in found for i in n.input):
            found[n.output[0]] = sum(found[i] for i in n.input)
    return found


def readers_of(net, width, name, first, count):
    """The convolutions that read channels first ... of the tensor, (node, first channel there), and the normalizations on the way."""
    ends, norms = [], []
    if name in net.outputs or name not in width:
        raise Unfit
    for n, slot in net.readers.get(name, []):
        start, more = first, None
        if is_conv(net, n) and slot == 0:
            ends.append((n, first))
            continue
        if n.op_type == "BatchNormalization" and slot == 0 and len(n.output) == 1:
            norms.append((n, first))
            continue
        if n.op_type == "Concat" and n.output[0] in width:
            start += sum(width[i] for i in n.input[:slot])
            if list(n.input).count(name) > 1:
                raise Unfit
        elif not (slot == 0 and (n.op_type in KEEPS or n.op_type == "PRelu")):
            raise Unfit
        more = readers_of(net, width, n.output[0], start, count)
        ends, norms = ends + more[0], norms + more[1]
    return ends, norms


def undo(net, conv, first, factor):
    """Input channels first ... of a convolution, divided."""
    w, groups = net.value(conv, 1), attribute(conv, "group", 1)
    outputs, each = w.shape[0] // groups, w.shape[1]
    all_inputs = np.ones(groups * each, np.float32)
    all_inputs[first:first + len(factor)] = 1 / factor
    by_output = np.repeat(all_inputs.reshape(groups, each), outputs, axis=0)  # [output, input of its group]
    net.scale(conv, 1, by_output.reshape(by_output.shape + (1,) * (w.ndim - 2)))


def twist(net, rng, most):
    """Returns how many channels were scaled."""
    width, scaled = widths(net), 0
    for n in net.graph.node:
        norm = n.op_type == "BatchNormalization" and n.output[0] in width and all(net.value(n, i) is not None for i in range(1, 5))
        if not norm and not is_conv(net, n):
            continue
        try:
            ends, norms = readers_of(net, width, n.output[0], 0, width[n.output[0]])
        except Unfit:
            continue
        if norms or not ends:  # the normalization will be scaled itself
            continue
        factor = np.exp2(rng.integers(-most, most + 1, width[n.output[0]])).astype(np.float32)
        for slot in (1, 2) if norm else range(1, len(n.input)):
            w = net.value(n, slot)
            net.scale(n, slot, factor.reshape((-1,) + (1,) * (w.ndim - 1)))
        for conv, first in ends:
            undo(net, conv, first, factor)
        scaled += len(factor)
    return scaled


def make(source, target, seed, most):
    model = onnx.load(source)
    net = Network(model)
    scaled = twist(net, np.random.default_rng(seed), most)
    net.write()
    onnx.save(model, target)
    return scaled


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=4)
    args = parser.parse_args()
    scaled = make(args.source, args.target, args.seed, args.most)
    if not scaled:
        sys.exit("twin: no channels of %s can be scaled: expected convolutions behind one another with ReLU or the like between" % args.source)
    print("%d channels scaled by 2^-%d ... 2^%d" % (scaled, args.most, args.most))


if __name__ == "__main__":
    main()
