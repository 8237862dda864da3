"""Finds the extension: beside this package where it is installed, else in the build of the source tree."""
import importlib.machinery
import importlib.util
import os
import pathlib
import sys

NAME = "_sgs.abi3.so"


def places():
    """Beside us; the build that $SGS_BIN, the program, belongs to; the source tree's own build."""
    here = pathlib.Path(__file__).resolve().parent
    yield here / NAME
    program = os.environ.get("SGS_BIN")
    if program:
        yield pathlib.Path(program).resolve().parents[1] / "python" / NAME
    yield here.parents[1] / "build/python" / NAME


def load():
    for place in places():
        if place.is_file():
            name = __package__ + "._sgs"
            loader = importlib.machinery.ExtensionFileLoader(name, str(place))
            module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, str(place), loader=loader))
            loader.exec_module(module)
            sys.modules[name] = module
            return module
    raise ImportError("calibrator_custom is not built: no %s in %s\n  run `make`; it needs Python's headers (Debian: libpython3-dev)"
                      % (NAME, ", ".join(str(p.parent) for p in places())))


sgs = load()
