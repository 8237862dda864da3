"""Finds the program `sgs` and becomes it."""
import os
import pathlib
import shutil
import sys


def find():
    """$SGS_BIN; the build of the source tree this folder stands in; the installation it stands in; PATH."""
    chosen = os.environ.get("SGS_BIN")
    if chosen:
        return chosen
    for folder in pathlib.Path(__file__).resolve().parents:
        for place in ("build/cli/sgs", "bin/sgs"):
            if os.access(str(folder / place), os.X_OK) and (folder / place).is_file():
                return str(folder / place)
    return shutil.which("sgs")


def provide_package():
    """`import calibrator_custom` finds the package that belongs to this folder, installed or in the source tree; where there is none, Python's own."""
    here = pathlib.Path(__file__).resolve().parent
    for place in (here.parent / "python", here.parents[1] / "python"):
        if (place / "calibrator_custom").is_dir():
            sys.path.insert(0, str(place))
            return


def arguments():
    """The command line for argparse; as for the other tools, a typographic dash before an option's name is read as what was meant."""
    def plain(argument):
        name = argument.lstrip("-\u2013\u2014")
        return argument if argument[:1] not in ("\u2013", "\u2014") else ("--" if len(name.split("=")[0]) > 2 else "-") + name
    return [plain(argument) for argument in sys.argv[1:]]


def run(command):
    program = find()
    if not program:
        sys.exit("error: cannot find the program sgs\n  build it with `make`, or set SGS_BIN to it")
    # Preprocessing runs in the interpreter this was started with, unless another environment is active.
    if sys.executable and (sys.prefix != sys.base_prefix or not os.environ.get("VIRTUAL_ENV")):
        os.environ.setdefault("SGS_PYTHON", sys.executable)
    os.environ.setdefault("SGS_IPU_DIR", str(pathlib.Path(__file__).resolve().parent))  # where -n finds scripts by name
    try:
        os.execv(program, [program, command] + sys.argv[1:])
    except OSError as e:
        sys.exit("error: cannot start %s: %s" % (program, e.strerror))
