"""Networks of one or several models, run by a `forward` of the user's: SIM_Calibrator makes their fixed-point models, SIM_Simulator runs them."""
import hashlib
import operator
import os
import pickle

from . import _pool, _settings
from .models import _path, calibrator


def _processes(num_process):
    try:
        n = operator.index(num_process)
    except TypeError:
        raise TypeError("num_process: expected a whole number, found %s" % type(num_process).__name__) from None
    if not 1 <= n <= 1024:
        raise ValueError("num_process: expected 1 to 1024, found %d" % n)
    return n


class _Net:
    def forward(self, *inputs):
        """Runs the network on one item of img_gen: yours to write."""
        raise NotImplementedError("%s has no method forward" % type(self).__name__)

    def _forward(self, item):
        if not isinstance(item, (list, tuple)):
            raise TypeError("img_gen: expected items that are lists, an array for each parameter of forward, found %s" % type(item).__name__)
        return self.forward(*item)


class SIM_Simulator(_Net):
    """Derive from it; make simulators in __init__, write forward.

        class Net(calibrator_custom.SIM_Simulator):
            def __init__(self, path):
                super().__init__()
                self.model = calibrator_custom.fixed_simulator(path)
            def forward(self, x):
                self.model.set_input(0, x)
                self.model.invoke()
                return self.model.get_output(0)
        results = Net(path)(img_gen, num_process=2)
    """

    def __call__(self, img_gen, num_process=1):
        """forward for each item of img_gen (a list of arrays, one for each of its parameters): a list of the results, in order.  With several
        processes items and results travel between them, pickled.  What forward raises is raised; TypeError, ValueError: img_gen or
        num_process is none; RuntimeError: a process ended."""
        return list(_pool.run(self._forward, img_gen, _processes(num_process)))


def _calibrators(value, found, depth=0):
    """All of them in a network's attributes, also inside lists, tuples and dictionaries."""
    if isinstance(value, calibrator):
        found[value._number] = value
    elif isinstance(value, dict) and depth < 4:
        for v in value.values():
            _calibrators(v, found, depth + 1)
    elif isinstance(value, (list, tuple)) and depth < 4:
        for v in value:
            _calibrators(v, found, depth + 1)


class _Seen:
    """Which arrays went from an output of one model into an input of another, in one forward: by their bytes."""

    def __init__(self):
        self.outputs = {}  # what an array is: the (model, output) that gave it
        self.ties = {}  # (model, input): the (model, output) whose array it took every time

    @staticmethod
    def key(array):
        return array.shape, array.dtype.str, hashlib.blake2b(array.tobytes()).digest()

    def given(self, model, output, array):
        self.outputs.setdefault(self.key(array), set()).add((model._number, output))

    def taken(self, model, index, array):
        sources = {s for s in self.outputs.get(self.key(array), ()) if s[0] != model._number}
        self.ties[model._number, index] = sources & self.ties.get((model._number, index), sources)


def _agree(ties, more):
    """Those that held whenever forward set that input."""
    return {k: ties.get(k, v) & v for k, v in list(more.items()) + [(k, v) for k, v in ties.items() if k not in more]}


def _is_table(value):
    """A parsed list of quantization parameters."""
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(entry, dict) for entry in value)


def _parameters(value, count):
    """One of None, a path or a parsed list for each model."""
    one = value is None or isinstance(value, (str, bytes, os.PathLike)) or _is_table(value)
    each = [value] * count if value is None else [value] if one else list(value) if isinstance(value, (list, tuple)) else None
    if each is None or not all(v is None or isinstance(v, (str, bytes, os.PathLike)) or _is_table(v) for v in each):
        raise TypeError("quant_param: expected a path, a list of dictionaries, or one of these for each model, found %s" % type(value).__name__)
    if len(each) != count:
        raise ValueError("quant_param: expected one for each of the %d models that __init__ made, found %d" % (count, len(each)))
    return each


def _import(model, parameters):
    if _is_table(parameters):  # arrays go as numpy writes them; the extension reads without running anything
        model.import_parameters("quant_param", pickle.dumps(list(parameters), protocol=4))
    else:
        model.import_parameters(parameters)


class SIM_Calibrator(_Net):
    """Derive from it; make calibrators in __init__, write forward, call convert.

        class Net(calibrator_custom.SIM_Calibrator):
            def __init__(self, path, ini):
                super().__init__()
                self.model = calibrator_custom.calibrator(path, ini)
            def forward(self, x):
                self.model.set_input(0, x)
                self.model.invoke()
                return [self.model.get_output(0)]
        Net('net_float.sim', 'input_config.ini').convert(img_gen, fix_model=['net_fixed.sim'])
    """

    def _models(self):
        """In the order they were made."""
        found = {}
        _calibrators(self.__dict__, found)
        if not found:
            raise ValueError("%s made no calibrator in __init__" % type(self).__name__)
        return [found[k] for k in sorted(found)]

    def _observe(self, item):
        """forward once: the statistics that each model gathered, and the ties between them."""
        models, seen = self._models(), _Seen()
        for m in models:
            m._model.take()  # of runs that nobody counts
            m._seen = seen
        try:
            self._forward(item)
        finally:
            for m in models:
                m._seen = None
        return [m._model.take() for m in models], seen.ties

    @staticmethod
    def _tie(models, ties, quant_level):
        """One scale for both ends of every tie; a scale that grows can make others grow."""
        model = {m._number: m for m in models}
        pairs = [(model[a], output, model[b], index) for (b, index), sources in sorted(ties.items()) for a, output in sorted(sources)]
        changed = True
        while changed:
            changed = any([a._model.tie(output, b._model, index, quant_level) for a, output, b, index in pairs])

    def convert(self, img_gen, num_process=1, quant_level=None, quant_param=None, fix_model=()):
        """Runs forward for each item of img_gen (a list of arrays, one for each of its parameters) and writes the fixed-point model of each
        calibrator, in the order __init__ made them, to the paths fix_model.  The models are the same bytes whatever num_process is.  Where
        forward hands a get_output of one model to set_input of another as it is, and both are RAWDATA_S16, the two get one scale.
        quant_level: 'L1' to 'L5'; None: 'L5'.  quant_param: what save_quant_param.py wrote, or the like: a path, the list that such
        a file holds, or one of these (or None) for each model; what it says comes in the place of what calibration sees.  Arrays have the
        shape and dtype of get_input_details.  TypeError, ValueError: an argument does not fit, or there are no items; OSError: a model
        cannot be written; RuntimeError: a process ended."""
        models, n = self._models(), _processes(num_process)
        if isinstance(fix_model, (str, bytes)) or not hasattr(fix_model, "__len__"):
            raise TypeError("fix_model: expected a list of paths, found %s" % type(fix_model).__name__)
        if len(fix_model) != len(models):
            raise ValueError("fix_model: expected a path for each of the %d models that __init__ made, found %d" % (len(models), len(fix_model)))
        parameters = _parameters(quant_param, len(models))
        if quant_level is not None and not isinstance(quant_level, str):
            raise TypeError("quant_level: expected 'L1' to 'L5', found %s" % type(quant_level).__name__)
        paths, ties, items = [_path(p, "a fixed-point model") for p in fix_model], {}, 0
        for m, p in zip(models, parameters):
            _import(m._model, p)
        for part, more in _pool.run(self._observe, img_gen, n):
            items += 1
            ties = _agree(ties, more)
            for m, statistics in zip(models, part):
                m._model.take()  # of runs outside of forward
                if statistics:
                    m._model.add(statistics)
        if not items:
            raise ValueError("img_gen: expected items to calibrate with, found none")
        self._tie(models, ties, quant_level)
        for m, path in zip(models, paths):
            _settings.say(m._model.write(path, quant_level, n)[1])
