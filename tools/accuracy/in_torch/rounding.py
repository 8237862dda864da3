"""AdaRound, BRECQ and QDrop: our PyTorch rendering of the papers.

    AdaRound   Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020: layer by layer, behind its activation
    BRECQ      Li et al., "BRECQ: Pushing the Limit of Post-Training Quantization by Block Reconstruction", ICLR 2021: weights block by block, then steps of activations
    QDrop      Wei et al., "QDrop: Randomly Dropping Quantization for Extremely Low-bit Post-Training Quantization", ICLR 2022: both together, half of what is rounded left out

Common to them, as published: a scale and a zero point for each output channel, the best of 80 clips by |error|^2.4; rounding learned by a rectified sigmoid of
stretch 1.1 and -0.1, pressed to 0 or 1 with weight 0.01 and an exponent from 20 to 2 after the first fifth; Adam, batches of 32; the target is what the float model
makes of the float input, the input is what the rounded layers before make.  Activations that layers read have a scale and a zero point a tensor.  Sums, outputs
and all other operators stay in float."""
import dataclasses
import math

import torch

from graph import axis_of

STRETCH, WEIGHT, BEGIN, END, WARM = (-0.1, 1.1), 0.01, 20.0, 2.0, 0.2
POWER, CLIPS = 2.4, 80
RATE, STEP_RATE = 1e-3, 4e-5   # of Adam: roundings, steps of activations
MOST = 8                       # layers of a block; more are taken by themselves
SEEN = 1 << 18                 # numbers of an activation that choose its range
PUBLISHED = {"AdaRound": 10000, "BRECQ": 20000, "QDrop": 20000}
STEPS = 5000                   # BRECQ's iterations for steps of activations
FASTEST = 10                   # with fewer iterations than published the rates grow as these shrink, up to so much


@dataclasses.dataclass
class Method:
    name: str
    blocks: bool      # or single layers
    together: bool    # roundings and steps of activations at once
    later: bool       # steps of activations in a second pass
    drop: float


METHODS = {"AdaRound": Method("AdaRound", False, False, False, 0), "BRECQ": Method("BRECQ", True, False, True, 0), "QDrop": Method("QDrop", True, True, False, 0.5)}


def nearest(x):
    """Rounded, with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


def best_range(x, steps):
    """(scale, zero point) of each row of x."""
    low, high = x.min(1).values.clamp(max=0), x.max(1).values.clamp(min=0)
    best, scale, zero = torch.full_like(low, math.inf), torch.ones_like(low), torch.zeros_like(low)
    for i in range(CLIPS):
        a, b = low * (1 - 0.01 * i), high * (1 - 0.01 * i)
        s = ((b - a) / steps).clamp(min=1e-12)
        z = torch.round(-a / s)
        q = torch.clamp(torch.round(x / s[:, None]) + z[:, None], 0, steps)
        error = ((q - z[:, None]) * s[:, None] - x).abs().pow(POWER).mean(1)
        better = error < best
        best, scale, zero = torch.where(better, error, best), torch.where(better, s, scale), torch.where(better, z, zero)
    return scale, zero


class Weight:
    def __init__(self, w, axis, bits):
        self.steps, self.hard = 2 ** bits - 1, False
        rows = w.transpose(0, axis)
        scale, zero = best_range(rows.reshape(rows.shape[0], -1), self.steps)
        shape = [1] * w.ndim
        shape[axis] = -1
        self.scale, self.zero = scale.reshape(shape), zero.reshape(shape)
        self.floor = torch.floor(w / self.scale)
        low, high = STRETCH
        rest = w / self.scale - self.floor
        self.alpha = -torch.log((high - low) / (rest - low) - 1)

    def share(self):
        low, high = STRETCH
        return torch.clamp(torch.sigmoid(self.alpha) * (high - low) + low, 0, 1)

    def value(self):
        up = (self.alpha >= 0).float() if self.hard else self.share()
        return (torch.clamp(self.floor + up + self.zero, 0, self.steps) - self.zero) * self.scale

    def pressure(self, power):
        return (1 - (2 * self.share() - 1).abs().pow(power)).sum()


class Activation:
    def __init__(self, x, bits):
        self.steps = 2 ** bits - 1
        flat = x.reshape(-1)
        scale, zero = best_range(flat[::max(1, flat.numel() // SEEN)][None], self.steps)
        self.scale, self.zero = scale[0], zero[0]

    def value(self, x):
        q = torch.clamp(nearest(x / self.scale) + self.zero, 0, self.steps)
        return (q - self.zero) * self.scale


@dataclasses.dataclass
class Part:
    nodes: list
    inputs: list = None
    outputs: list = None


def with_activation(graph, nodes):
    """A layer and the function that alone reads it belong together: lists of nodes, in an order that can be run."""
    readers, taken, found = graph.readers(), set(), []
    for n in nodes:
        if id(n) in taken:
            continue
        part, after = [n], readers.get(n.outputs[0], [])
        if graph.is_layer(n) and len(after) == 1 and after[0].op in ("Relu", "Clip", "LeakyRelu") and n.outputs[0] not in graph.outputs and any(after[0] is m for m in nodes):
            part.append(after[0])
            taken.add(id(after[0]))
        found.append(part)
    return found


def between_cuts(graph):
    """Lists of nodes between tensors that everything passes; one depthwise layer alone goes with what follows."""
    last = {name: i for i, n in enumerate(graph.nodes) for name in n.inputs}
    found, part, live = [], [], {graph.input}
    for i, n in enumerate(graph.nodes):
        part.append(n)
        live = {name for name in live | set(n.outputs) if last.get(name, -1) > i or name in graph.outputs}
        following = graph.nodes[i + 1] if i + 1 < len(graph.nodes) else None
        activation = following is not None and graph.is_layer(n) and not graph.is_layer(following)
        alone = [m for m in part if graph.is_layer(m)]
        depthwise = len(alone) == 1 and alone[0].get("group", 1) > 1
        if len(live) == 1 and alone and not activation and not depthwise:
            found.append(part)
            part = []
    return found + [part] if part else found


def parts_of(graph, blocks):
    lists = with_activation(graph, graph.nodes)
    if blocks:
        lists = [more for part in between_cuts(graph) for more in ([part] if sum(map(graph.is_layer, part)) <= MOST else with_activation(graph, part))]
    made = {name: k for k, part in enumerate(lists) for n in part for name in n.outputs}
    parts = []
    for k, nodes in enumerate(lists):
        needed = dict.fromkeys(i for n in nodes for i in n.inputs if i and i not in graph.constants and made.get(i) != k)
        used = {i for j, other in enumerate(lists) if j != k for n in other for i in n.inputs} | set(graph.outputs)
        parts.append(Part(nodes, list(needed), [o for n in nodes for o in n.outputs if o in used]))
    return parts


class Quantizer:
    def __init__(self, graph, method, args):
        self.graph, self.method, self.args = graph, method, args
        self.parts = parts_of(graph, method.blocks)
        self.weights, self.activations = {}, {}
        for n in graph.nodes:
            if graph.is_layer(n):
                w = graph.constants[n.inputs[1]]
                self.weights[id(n)] = Weight(w, axis_of(n) % w.ndim, args.bits)
        self.round_weights = self.round_activations = True

    # ---- running ----

    def run(self, part, values, quantized, drop=0.0):
        """The part's nodes on `values`, which get what they make."""
        for n in part.nodes:
            weight, given = None, values
            if quantized and id(n) in self.weights:
                weight = self.weights[id(n)].value() if self.round_weights else None
                if self.round_activations:
                    given = dict(values)
                    x = values[n.inputs[0]]
                    q = self.activations[n.inputs[0]].value(x)
                    given[n.inputs[0]] = torch.where(torch.rand_like(x) < drop, x, q) if drop else q
            self.graph.compute(n, given, weight)
            if given is not values:
                values.update((o, given[o]) for o in n.outputs)
        return {o: values[o] for o in part.outputs}

    def over(self, part, stream, quantized):
        """What the part makes of all pictures of a stream."""
        with torch.no_grad():
            pieces = [self.run(part, {i: stream[i][a:a + self.args.batch] for i in part.inputs}, quantized) for a in range(0, len(stream[part.inputs[0]]), self.args.batch)]
        return {o: torch.cat([p[o] for p in pieces]) for o in part.outputs}

    def whole(self, x, quantized=True):
        values = {self.graph.input: x}
        with torch.no_grad():
            for part in self.parts:
                values.update(self.run(part, dict(values), quantized))
        return [values[o] for o in self.graph.outputs]

    # ---- learning ----

    def calibrate(self, x):
        if self.method.later:
            self.round_activations = False
        self.each(x, roundings=True, steps=self.method.together, count=self.args.iterations)
        if self.method.later:
            self.round_activations = True
            self.each(x, roundings=False, steps=True, count=max(1, round(STEPS * self.args.iterations / PUBLISHED[self.method.name])))

    def each(self, x, roundings, steps, count):
        real, rounded = {self.graph.input: x}, {self.graph.input: x}
        last = {i: k for k, p in enumerate(self.parts) for i in p.inputs}
        for k, part in enumerate(self.parts):
            target = self.over(part, real, False)
            layers = [n for n in part.nodes if id(n) in self.weights]
            if layers:
                self.observe(part, real)
                self.learn(part, layers, real, rounded, target, roundings, steps, count)
            rounded.update(self.over(part, rounded, True))
            real.update(target)
            for name in [i for i, end in last.items() if end == k]:
                real.pop(name), rounded.pop(name)

    def observe(self, part, real):
        """Ranges of what its layers read, first from the float model."""
        some = max(1, min(len(real[part.inputs[0]]), self.args.batch))
        values = {i: real[i][:some] for i in part.inputs}
        with torch.no_grad():
            self.run(part, values, False)
        for n in part.nodes:
            if id(n) in self.weights and n.inputs[0] not in self.activations:
                self.activations[n.inputs[0]] = Activation(values[n.inputs[0]], 8)

    def learn(self, part, layers, real, rounded, target, roundings, steps, count):
        weights = [self.weights[id(n)] for n in layers] if roundings else []
        read = [self.activations[name] for name in dict.fromkeys(n.inputs[0] for n in layers)] if steps else []
        faster = min(FASTEST, PUBLISHED[self.method.name] / self.args.iterations)
        groups = [g for g in ({"params": [w.alpha for w in weights], "lr": RATE * faster}, {"params": [a.scale for a in read], "lr": STEP_RATE * faster}) if g["params"]]
        for g in groups:
            for p in g["params"]:
                p.requires_grad_(True)
        first = [[p.detach().clone() for p in g["params"]] for g in groups]
        adam, drop = torch.optim.Adam(groups), self.method.drop
        for i in range(count):
            pick = torch.randperm(len(real[part.inputs[0]]))[:self.args.batch]
            values = {name: rounded[name][pick] for name in part.inputs}
            if drop:
                values = {name: torch.where(torch.rand_like(v) < drop, real[name][pick], v) for name, v in values.items()}
            got = self.run(part, values, True, drop)
            loss = sum((got[o] - target[o][pick]).pow(2).sum(1).mean() for o in part.outputs)
            after = (i / count - WARM) / (1 - WARM)
            if after >= 0 and weights:
                loss = loss + WEIGHT * sum(w.pressure(END + (BEGIN - END) * (1 - after)) for w in weights)
            adam.zero_grad()
            loss.backward()
            adam.step()
        for g, begun in zip(groups, first):
            for p, before in zip(g["params"], begun):
                p.requires_grad_(False)
                if not torch.isfinite(p).all() or (p.ndim == 0 and p <= 0):  # no step is left
                    p.copy_(before)
        for w in weights:
            w.hard = True
        print("%s: %d layers, loss %.6g" % (part.nodes[0].outputs[0], len(layers), float(loss)), flush=True)


def run(args, graph, calibrate, score):
    """The outputs of each picture of `score`."""
    quantizer = Quantizer(graph, METHODS[args.method], args)
    quantizer.calibrate(calibrate)
    for a in range(0, len(score), args.batch):
        found = quantizer.whole(score[a:a + args.batch])
        for i in range(len(found[0])):
            yield [o[i:i + 1].numpy() for o in found]
