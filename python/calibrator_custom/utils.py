"""What scripts around models need: preprocess scripts, the version, the board's formats."""
import importlib.machinery
import importlib.util
import os
import pathlib
import sys

import numpy as np

from ._load import sgs
from .versions import VERSION

_METHODS = "Scripts/calibrator/preprocess_method"


def get_sdk_version():
    """The version of the tools, as a str."""
    return VERSION


def _method_folders():
    """In the SDK tree: $SGS_IPU_DIR's, the one of this installation or source tree, the one that pip installed."""
    here = pathlib.Path(__file__).resolve().parents[2]
    roots = [here / "SGS_IPU_Toolchain", here / "sdk/SGS_IPU_Toolchain", pathlib.Path(sys.prefix) / "share/openipu/SGS_IPU_Toolchain"]
    if os.environ.get("SGS_IPU_DIR"):
        roots.insert(0, pathlib.Path(os.environ["SGS_IPU_DIR"]))
    return [r / _METHODS for r in roots]


def _script(name):
    path = pathlib.Path(name)
    if path.is_file():
        return path.resolve()
    for folder in _method_folders():
        if path.name == str(path) and (folder / (path.name + ("" if path.suffix == ".py" else ".py"))).is_file():
            return folder / (path.name + ("" if path.suffix == ".py" else ".py"))
    raise FileNotFoundError("expected a preprocess script or the name of one in %s, found '%s'" % (_METHODS, name))


def image_preprocess_func(model_name):
    """The function image_preprocess(img_path, norm=True) of a script: a path, or a name in Scripts/calibrator/preprocess_method.
    FileNotFoundError: there is no such script; ValueError: it has no such function."""
    if not isinstance(model_name, (str, os.PathLike)):
        raise TypeError("expected a preprocess script, found %s" % type(model_name).__name__)
    path = _script(os.fspath(model_name))
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # the tools do so too: a script may import what lies beside it
    loader = importlib.machinery.SourceFileLoader("calibrator_custom_preprocess_" + path.stem, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    function = getattr(module, "image_preprocess", None)
    if not callable(function):
        raise ValueError("%s: expected a function image_preprocess(img_path, norm=True), found %s"
                         % (path, "none" if function is None else type(function).__name__))
    return function


_FORMATS = {"training_input_formats", "input_formats", "layouts", "shape", "input_width_alignment", "input_height_alignment"}


def convert_to_input_formats(image, details):
    """An array as image_preprocess(norm=False) returns it, in training_input_formats, to what set_input of fixed_simulator and
    offline_simulator take, in input_formats, with what the alignments add.  details: the dictionary of that input, of get_input_details.

    image: uint8, of the shape in details.  The result, uint8: [n,h,w,c], or [n,c,h,w] with layouts NCHW, of RGB, BGR and GRAY; [n,h,w,4] of
    RGBA and BGRA; [n,h*3/2,w,1] of YUV_NV12, h and w aligned.  RAWDATA of any dtype comes back as it is.  TypeError, ValueError: image or
    details are something else."""
    if not isinstance(image, np.ndarray):
        raise TypeError("expected a numpy.ndarray, found %s" % type(image).__name__)
    if not isinstance(details, dict) or not _FORMATS <= set(details):
        raise TypeError("details: expected a dictionary of get_input_details")
    if image.shape != tuple(details["shape"]):
        raise ValueError("input '%s': expected shape %s, found %s" % (details.get("name"), tuple(int(n) for n in details["shape"]), image.shape))
    if details["input_formats"].startswith("RAWDATA"):
        return image
    if image.dtype != np.uint8:
        raise TypeError("input '%s': expected dtype uint8, found %s" % (details.get("name"), image.dtype))
    what = (str(details.get("name")), image.shape) + tuple(details[k] for k in ("training_input_formats", "input_formats", "layouts")) + tuple(
        int(details[k]) for k in ("input_width_alignment", "input_height_alignment"))
    shape = sgs.to_input_format(*what, 0, 0)
    if shape == image.shape and details["training_input_formats"] == details["input_formats"]:
        return image
    dense, result = np.ascontiguousarray(image), np.empty(shape, np.uint8)
    sgs.to_input_format(*what, dense.__array_interface__["data"][0], result.__array_interface__["data"][0])
    return result
