"""Models as objects: the simulators of a float model, a fixed-point model and an image."""
import itertools
import operator
import os

import numpy as np

from . import _settings
from ._load import sgs

FLOAT, FIXED, OFFLINE = 1, 2, 3


def _path(path, what="a model"):
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError("expected the path of %s, found %s" % (what, type(path).__name__))
    return os.fspath(path)


def _dtype(name):
    return getattr(np, "bool_" if name == "bool" else name)


_BOARD = ("extern_shape", "bytes")  # what a board's program hands over


def _io(details, *leave_out):
    """numpy's types in the place of the extension's."""
    for d in details:
        for key in ("shape", "extern_shape"):
            d[key] = np.array(d[key], np.int32)
        d["dtype"] = _dtype(d["dtype"])
        for key in leave_out:
            del d[key]
    return details


def _tuple(shape):
    return tuple(int(n) for n in shape)


class _Model:
    """What all models have in common.  One thread at a time may use a model."""

    def __init__(self, model):
        self._model = model
        self._lent = {}  # arrays that the model reads where they lie
        self._describe()

    def _describe(self):
        self._in = _io(self._model.inputs())
        self._out = _io(self._model.outputs())

    @staticmethod
    def _pick(what, details, index):
        try:
            i = operator.index(index)
        except TypeError:
            raise TypeError("expected the index of an %s, found %s" % (what, type(index).__name__)) from None
        if not 0 <= i < len(details):
            raise IndexError("expected the index of an %s, 0 to %d, found %d" % (what, len(details) - 1, i))
        return i, details[i]

    def get_input_details(self):
        """A list with a dictionary for each input, in the order of the ini:

        index; shape (numpy.ndarray of int32); name; dtype (a numpy type); layouts ('NHWC', 'NCHW'); training_input_formats,
        input_formats; input_width_alignment, input_height_alignment (0 where the input is no image); quantization, a list of
        (scale, zero point), one for all or one a channel, empty where the input is not quantized."""
        return _io(self._model.inputs(), *_BOARD)

    def get_output_details(self):
        """A list with a dictionary for each output, in the order of the ini: index, shape, name, dtype, layouts, quantization as
        those of the inputs; output_formats."""
        details = self._model.outputs()
        for d in details:
            d["output_formats"] = d.pop("input_formats")
        return _io(details, "training_input_formats", "input_width_alignment", "input_height_alignment", *_BOARD)

    def set_input(self, index, data):
        """Lends input `index` an array: invoke() reads it where it lies, until that input is set again; of one that is not contiguous it reads
        a copy made now.  It must have the input's dtype and shape, a picture of a fixed-point model or an image the shape that
        utils.convert_to_input_formats gives it: TypeError, ValueError or IndexError say what was expected and what was found."""
        i, want = self._pick("input", self._in, index)
        what = "input %d '%s'" % (i, want["name"])
        if not isinstance(data, np.ndarray):
            raise TypeError("%s: expected a numpy.ndarray, found %s" % (what, type(data).__name__))
        if data.dtype != np.dtype(want["dtype"]):
            raise TypeError("%s: expected dtype %s, found %s" % (what, np.dtype(want["dtype"]), data.dtype))
        self._fit(what, i, data.shape)
        dense = np.require(data, requirements=("C", "A"))
        self._model.set_input(i, dense.__array_interface__["data"][0], dense.nbytes)
        self._lent[i] = dense

    def _fit(self, what, i, shape):
        want = _tuple(self._in[i]["extern_shape"])
        if shape != want:
            raise ValueError("%s: expected shape %s, found %s" % (what, want, shape))

    def invoke(self):
        """Runs the model once on the inputs that were set.  ValueError: one was not set, or holds numbers that the model cannot take."""
        self._model.invoke()

    def get_output(self, index):
        """Output `index` of the last invoke(), as an array of the caller's own, with the shape and dtype of get_output_details.  IndexError: there
        is no such output; ValueError: the model has not run."""
        i, want = self._pick("output", self._out, index)
        result = np.empty(self._output_shape(want), want["dtype"])
        self._model.get_output(i, result.__array_interface__["data"][0], result.nbytes)
        return result

    def _output_shape(self, want):
        return tuple(want["shape"])

    def get_tensor_details(self):
        """A list with a dictionary for each tensor, in order of name."""
        raise NotImplementedError

    def get_op_details(self):
        """A list with a dictionary for each operator, in the order they run: index, name, op_name, and the names of the tensors it
        reads and makes, inputs (None: an optional one that is absent) and outputs.  An image keeps no operators: its list is empty."""
        return self._model.operators()

    def _tensors(self, *keys):
        return [{k: np.array(t[k], np.int32) if k == "shape" else t[k] for k in keys} for t in self._model.tensors()]


class float_simulator(_Model):
    """Runs NAME_float.sim, in float32."""

    def __init__(self, model_path):
        super().__init__(sgs.Model(_path(model_path), FLOAT, 1))

    def get_tensor_details(self):
        """A list with a dictionary for each tensor, in order of name: dtype ('FLOAT32', ...); name; shape; qtype, the type that the
        model's ini gives it in fixed point ('UINT8', 'INT8', 'INT16', ...; '' where it has none)."""
        return self._tensors("dtype", "name", "qtype", "shape")


class _Quantized(_Model):
    def get_tensor_details(self):
        """A list with a dictionary for each tensor, in order of name: name; shape; dtype ('UINT8', 'INT16', ...); min and max, lists of
        what calibration saw, empty where that is not kept; quantization, a list of (scale, zero point), one for all or one a channel.
        Of an image, which keeps no others by name: of its inputs and outputs."""
        return self._tensors("name", "shape", "min", "max", "quantization", "dtype")


class fixed_simulator(_Quantized):
    """Runs NAME_fixed.sim, in integers: the bytes that a board gives."""

    def __init__(self, model_path):
        super().__init__(sgs.Model(_path(model_path), FIXED, 1))


class offline_simulator(_Quantized):
    """Runs NAME.img with the runtime that boards run it with.

    An image of several elements (compiler.py -b) takes them stacked along the first dimension, as many as it runs, and gives as many: n_buf any
    number up to the largest, one_buf one of its sizes.  All inputs of a run have the same number; the details tell shapes of the last one,
    at first one element, of one_buf its first size."""

    def __init__(self, model_path):
        super().__init__(sgs.Model(_path(model_path), OFFLINE, 1))
        self._one_buf, self._sizes = self._model.batches()
        self._batch = self._sizes[0] if self._one_buf else 1

    def _runs(self, n):
        return n in self._sizes if self._one_buf else 1 <= n <= self._sizes[0]

    def _element(self, i):
        shape = _tuple(self._in[i]["extern_shape"])
        return (shape[0] // self._batch,) + shape[1:] if shape else ()

    def _fit(self, what, i, shape):
        """A batch of as many elements as an array of that shape has."""
        if self._sizes == (1,):
            super()._fit(what, i, shape)
            return
        one = self._element(i)
        n, rest = (1, 0) if shape == one else divmod(shape[0], one[0] if one else 1) if shape and shape[1:] == one[1:] else (0, 0)
        if rest or not self._runs(n):
            sizes = " or ".join(map(str, self._sizes)) if self._one_buf else "1 to %d" % self._sizes[0]
            raise ValueError("%s: expected %s elements of shape %s, one behind the other, found shape %s" % (what, sizes, one, shape))
        if n != self._batch:
            self._model.set_batch(n)
            self._batch = n
            self._describe()

    def _output_shape(self, want):
        shape = tuple(want["shape"])
        return shape if shape or self._batch == 1 else (self._batch,)


class calibrator(_Model):
    """A float model that keeps statistics while it runs, for SIM_Calibrator.convert to make its fixed-point model from."""

    _made = itertools.count()

    def __init__(self, model_path, input_config):
        """model_path: NAME_float.sim; input_config: the ini, whose names, formats and layouts must be those of the model: else ValueError."""
        super().__init__(sgs.Model(_path(model_path), FLOAT, 1, _path(input_config, "an input_config.ini"), _settings.soc_version))
        self._number = next(self._made)
        self._seen = None  # SIM_Calibrator's, while it runs forward

    def set_input(self, index, data):
        super().set_input(index, data)
        if self._seen:
            self._seen.taken(self, operator.index(index), data)

    def get_output(self, index):
        result = super().get_output(index)
        if self._seen:
            self._seen.given(self, operator.index(index), result)
        return result

    set_input.__doc__, get_output.__doc__ = _Model.set_input.__doc__, _Model.get_output.__doc__

    get_tensor_details = float_simulator.get_tensor_details

    def get_input_details(self):
        """As of float_simulator, of the float model: what set_input takes."""
        return super().get_input_details()


class compiler:
    """Makes an image from a fixed-point model."""

    def __init__(self, model_path):
        """model_path: NAME_fixed.sim."""
        self._path = _path(model_path)
        self._model = fixed_simulator(self._path)

    def get_input_details(self):
        """As of fixed_simulator."""
        return self._model.get_input_details()

    def get_output_details(self):
        """As of fixed_simulator."""
        return self._model.get_output_details()

    def get_input_extern_details(self):
        """As get_input_details, and of what a board's program hands over for one element: extern_shape, the array that set_input takes, and
        bytes, its size."""
        return _io(self._model._model.inputs())

    def compile(self, output=None, batch="1", batch_mode="n_buf", category="Unknown"):
        """Writes the image; its path.  output: a file or an existing folder; None: NAME_fixed.sim_sgsimg.img beside the model.  The others
        are compiler.py's options.  TypeError, ValueError: an option is none; OSError: the image cannot be written; NotImplementedError: an
        operator, or a batch, that no image holds."""
        for name, value in (("batch", batch), ("batch_mode", batch_mode), ("category", category)):
            if not isinstance(value, str) and not (name == "batch" and type(value) is int):
                raise TypeError("%s: expected a str, found %s" % (name, type(value).__name__))
        where = () if output is None else (_path(output, "an image"),)
        path, lines = sgs.compile(self._path, str(batch), batch_mode, category, _settings.soc_version, *where)
        _settings.say(lines)
        return path
