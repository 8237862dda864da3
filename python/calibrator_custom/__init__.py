"""The toolchain from Python: calibrate, compile and run models of one's own scripts.

    import calibrator_custom
    model = calibrator_custom.float_simulator('net_float.sim')
    model.set_input(0, array)
    model.invoke()
    result = model.get_output(0)

What goes wrong is a Python exception that says what was expected and what was found: TypeError for a wrong type or dtype, ValueError for a
wrong shape or content, IndexError, OSError for a file that cannot be read or written, NotImplementedError for what cannot be done yet.
"""
from .models import fixed_simulator, float_simulator, offline_simulator
from .versions import VERSION as __version__

cmodel_float_simulator = float_simulator

__all__ = ["__version__", "cmodel_float_simulator", "fixed_simulator", "float_simulator", "offline_simulator"]
