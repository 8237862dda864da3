"""GELU as one node of an ONNX file, where exporters spell it out with Erf: TFLite has the operator GELU and no Erf."""
import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    def __init__(self, graph):
        self.graph, self.maker = graph, {name: n for n in graph.node for name in n.output}
        self.weights = {t.name: t for t in graph.initializer}
        self.readers = {}
        for n in graph.node:
            for name in n.input:
                self.readers.setdefault(name, []).append(n)

    def number(self, name):
        """A constant of one element, or None."""
        made = self.maker.get(name)
        tensor = self.weights.get(name) or (made.attribute[0].t if made is not None and made.op_type == "Constant" else None)
        array = None if tensor is None else numpy_helper.to_array(tensor)
        return float(array.ravel()[0]) if array is not None and array.size == 1 else None

    def only_reader(self, node, kind):
        found = self.readers.get(node.output[0], [])
        return found[0] if len(found) == 1 and found[0].op_type == kind else None

    def other(self, node, name):
        return next((i for i in node.input if i != name), None)

    def spelled(self, erf):
        """(x, the nodes) of x / sqrt(2) -> erf -> + 1 -> * x -> * 0.5, or None."""
        div = self.maker.get(erf.input[0])
        if div is None or div.op_type != "Div" or not np.isclose(self.number(div.input[1]) or 0, 2 ** 0.5):
            return None
        nodes = [div, erf]
        for kind, beside in (("Add", 1.0), ("Mul", None), ("Mul", 0.5)):
            last = nodes[-1]
            nodes.append(self.only_reader(last, kind))
            if nodes[-1] is None:
                return None
            other = self.other(nodes[-1], last.output[0])
            if other != div.input[0] if beside is None else self.number(other) != beside:
                return None
        return div.input[0], nodes


def merged(source, path):
    """source with every such chain as com.microsoft.Gelu, into path; how many there were."""
    model = onnx.load(source)
    graph, count = Graph(model.graph), 0
    for erf in [n for n in model.graph.node if n.op_type == "Erf"]:
        found = graph.spelled(erf)
        if not found:
            continue
        x, nodes = found
        at = list(model.graph.node).index(nodes[-1])
        model.graph.node.insert(at, helper.make_node("Gelu", [x], [nodes[-1].output[0]], name=nodes[-1].name, domain="com.microsoft"))
        for n in nodes:
            model.graph.node.remove(n)
        count += 1
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    return count
