# Runs the user's preprocess.py for the toolchain.  Its arguments behind frames.py's: NORM SCRIPT...
# NORM is 0 or 1; an f behind it asks for the files' own colours.  A request is a path for each script, the reply an array for each, and with f once
# more for each file.
import os
import sys


def line_in(error, script):
    """The innermost line of the script itself that the error passed through."""
    line, tb = 0, error.__traceback__
    while tb:
        if os.path.abspath(tb.tb_frame.f_code.co_filename) == script:
            line = tb.tb_lineno
        tb = tb.tb_next
    return line


def load(index, script):
    import importlib.machinery
    import importlib.util
    name = os.path.splitext(os.path.basename(script))[0]
    if name in sys.modules or not name.isidentifier():
        name = "sgs_preprocess_%d" % index
    sys.path.insert(0, os.path.dirname(script))
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, script))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as e:
        mine = e.filename and os.path.abspath(e.filename) == script
        raise Fault(LOADING, describe(e), e.lineno if mine else line_in(e, script))
    except ImportError as e:
        hint = "install it for %s, or set SGS_PYTHON to an interpreter that has it" % sys.executable
        raise Fault(LOADING, describe(e), line_in(e, script), hint)
    except BaseException as e:
        raise Fault(LOADING, describe(e), line_in(e, script))
    function = getattr(module, "image_preprocess", None)
    if not callable(function):
        raise Fault(LOADING, "expected a function image_preprocess(img_path, norm=True), found %s"
                    % ("none" if function is None else type(function).__name__))
    return function


def call(function, script, path, norm):
    try:
        return function(path, norm=norm)
    except BaseException as e:
        line = line_in(e, script)
        hint = ""
        if not line and isinstance(e, TypeError):
            line = getattr(getattr(function, "__code__", None), "co_firstlineno", 0)
            hint = "it is called as image_preprocess(path, norm=%s)" % norm
        raise Fault(CALLING, describe(e), line, hint)


def colours(path):
    """Mean colours of 4 x 4 parts of a picture file, in the order R, G, B; nothing of what no library here can read."""
    import numpy as np
    try:
        from PIL import Image
        with Image.open(path) as f:
            parts = f.convert("RGB").resize((4, 4), Image.BOX)
            return np.asarray(parts, np.float32)
    except Exception:
        pass
    try:
        import cv2
        return cv2.resize(cv2.imread(path), (4, 4), interpolation=cv2.INTER_AREA)[..., ::-1].astype(np.float32)
    except Exception:
        return np.zeros(0, np.float32)


def prepare(scripts):
    try:
        import numpy  # noqa: F401
    except ImportError as e:
        raise Fault(INTERPRETER, "%s cannot import numpy (%s)" % (sys.executable or "the interpreter", describe(e)), 0,
                    "install it with '%s -m pip install numpy', or set SGS_PYTHON to an interpreter that has it" % (sys.executable or "python3"))
    loaded = {}
    for i, script in enumerate(scripts):
        if script not in loaded:
            try:
                loaded[script] = load(i, script)
            except Fault as f:
                f.index = i
                raise
    return [loaded[s] for s in scripts]


def answer(functions, scripts, paths, norm, files):
    parts = [GOOD]
    for i, path in enumerate(paths):
        try:
            parts += pack(call(functions[i], scripts[i], path, norm))
        except Fault as f:
            return [fault_reply(f, i)]
    for path in paths if files else []:
        parts += pack(colours(path))
    return parts


def main():
    talk = own_descriptors()
    norm, files, scripts = sys.argv[3][0] == "1", sys.argv[3].endswith("f"), [os.path.abspath(s) for s in sys.argv[4:]]
    sys.argv = [scripts[0]]
    sys.dont_write_bytecode = True
    if sys.path and sys.path[0] == "":
        sys.path.pop(0)
    functions = fault = None
    while True:
        paths = read_texts(talk, len(scripts))
        if functions is None and fault is None:
            try:
                functions = prepare(scripts)
            except Fault as f:
                fault = fault_reply(f, getattr(f, "index", 0))
        for part in [fault] if fault else answer(functions, scripts, paths, norm, files):
            write_all(talk, part)


main()
