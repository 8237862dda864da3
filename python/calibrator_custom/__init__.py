"""The toolchain from Python: calibrate, compile and run models of one's own scripts.

    import calibrator_custom
    model = calibrator_custom.float_simulator('net_float.sim')
    model.set_input(0, array)
    model.invoke()
    result = model.get_output(0)

What goes wrong is a Python exception that says what was expected and what was found: TypeError for a wrong type or dtype, ValueError for a
wrong shape or content, IndexError, OSError for a file that cannot be read or written, NotImplementedError for what cannot be done yet.
"""
from . import utils
from ._settings import set_soc_version
from .models import calibrator, compiler, fixed_simulator, float_simulator, offline_simulator
from .sim import SIM_Calibrator, SIM_Simulator
from .versions import VERSION as __version__

cmodel_float_simulator = float_simulator

_NOT_THERE = {
    "RPC_Simulator": "calibrator_custom.RPC_Simulator comes with a later version; offline_simulator gives here the bytes that a board gives",
    "sgs_chalk": "calibrator_custom.sgs_chalk comes with a later version; detection tails of TFLite and Caffe models are taken as they are",
    "py_wrapper": "calibrator_custom.py_wrapper is another toolchain's inner layer; its classes are those of calibrator_custom here",
}


def __getattr__(name):
    if name in _NOT_THERE:
        raise NotImplementedError(_NOT_THERE[name])
    raise AttributeError("module 'calibrator_custom' has no attribute '%s'" % name)


__all__ = ["SIM_Calibrator", "SIM_Simulator", "__version__", "calibrator", "cmodel_float_simulator", "compiler", "fixed_simulator",
           "float_simulator", "offline_simulator", "set_soc_version", "utils"]
