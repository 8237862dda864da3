# Runs the user's preprocess.py for the toolchain.  Started as: PYTHON -c SOURCE TALK LIFE NORM SCRIPT...
# TALK is a socket.  NORM is 0 or 1; an f behind it asks for the files' own colours.  A request is, for each script, a u32 length and a path;
# the reply is
#     "SGSA" u32 0, then for each script { u32 type, u32 rank, i64 dim[8], u64 bytes } data, and with f once more for each file     or
#     "SGSA" u32 1, then { u32 kind, u32 input, u32 line, u32 length of text, u32 length of hint } text hint
# all little-endian.  LIFE is a pipe nobody writes to: when the toolchain dies it closes and the kernel ends this process.
import fcntl
import os
import signal
import struct
import sys

LOADING, CALLING, RESULT, INTERPRETER = range(4)
TYPES = {"f4": 0, "f8": 1, "i8": 2, "i4": 3, "i2": 4, "i1": 5, "u1": 6, "b1": 7, "u2": 8, "f2": 9}  # sgs_type


class Fault(Exception):
    def __init__(self, kind, text, line=0, hint=""):
        self.kind, self.text, self.line, self.hint = kind, text, line, hint


def own_descriptors():
    """What the script prints goes to stderr; what it starts inherits nothing of ours."""
    talk, life = int(sys.argv[1]), int(sys.argv[2])
    fcntl.fcntl(life, getattr(fcntl, "F_SETSIG", 10), signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    for fd in (talk, life):
        os.set_inheritable(fd, False)
    os.dup2(2, 1)
    return talk


def read_exactly(talk, n):
    data = b""
    while len(data) < n:
        try:
            more = os.read(talk, n - len(data))
        except ConnectionError:
            more = b""  # the toolchain left without reading our last answer
        if not more:
            sys.exit(0)  # no more samples
        data += more
    return data


def write_all(talk, data):
    data = memoryview(data)
    while data:
        try:
            data = data[os.write(talk, data):]
        except ConnectionError:
            sys.exit(0)  # nobody reads any more


def line_in(error, script):
    """The innermost line of the script itself that the error passed through."""
    line, tb = 0, error.__traceback__
    while tb:
        if os.path.abspath(tb.tb_frame.f_code.co_filename) == script:
            line = tb.tb_lineno
        tb = tb.tb_next
    return line


def describe(error):
    """What the last line of a traceback says, on one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return ": ".join(p for p in (type(error).__name__, " ".join((text or "").split())) if p)


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


def pack(result):
    """Native element order, contiguous, one of TYPES."""
    import numpy as np
    if not isinstance(result, np.ndarray):
        raise Fault(RESULT, "image_preprocess returned %s, expected a numpy.ndarray" % type(result).__name__)
    kind = result.dtype.str[1:]
    if kind in ("u4", "u8") and (kind == "u4" or not result.size or int(result.max()) < 2 ** 63):
        result, kind = result.astype("<i8"), "i8"
    if kind not in TYPES or result.dtype.fields:
        raise Fault(RESULT, "image_preprocess returned an array of %s, expected numbers (uint8, int16, float32, ...)" % result.dtype)
    if result.ndim > 8:
        raise Fault(RESULT, "image_preprocess returned an array of %d dimensions, expected at most 8" % result.ndim)
    shape = result.shape
    result = np.ascontiguousarray(result, dtype=result.dtype.newbyteorder("<"))
    head = struct.pack("<II8qQ", TYPES[kind], len(shape), *shape + (0,) * (8 - len(shape)) + (result.nbytes,))
    return head, result.reshape(-1).view("u1").data if result.size else b""


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


def fault_reply(fault, index):
    text, hint = (s.encode("utf-8", "replace")[:1000] for s in (fault.text, fault.hint))
    return b"SGSA" + struct.pack("<6I", 1, fault.kind, index, fault.line or 0, len(text), len(hint)) + text + hint


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
    parts = [b"SGSA" + struct.pack("<I", 0)]
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
        paths = [os.fsdecode(read_exactly(talk, struct.unpack("<I", read_exactly(talk, 4))[0])) for _ in scripts]
        if functions is None and fault is None:
            try:
                functions = prepare(scripts)
            except Fault as f:
                fault = fault_reply(f, getattr(f, "index", 0))
        for part in [fault] if fault else answer(functions, scripts, paths, norm, files):
            write_all(talk, part)


main()
