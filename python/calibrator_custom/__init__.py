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

__all__ = ["SIM_Calibrator", "SIM_Simulator", "__version__", "calibrator", "cmodel_float_simulator", "compiler", "fixed_simulator",
           "float_simulator", "offline_simulator", "set_soc_version", "utils"]
