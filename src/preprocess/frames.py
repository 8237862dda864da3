# What worker.py and draw.py share: they are started as PYTHON -c SOURCE TALK LIFE ..., SOURCE being this file and one of them behind it.
# TALK is a socket.  A request is some texts, each a u32 length and its bytes; the reply is
#     "SGSA" u32 0, then arrays { u32 type, u32 rank, i64 dim[8], u64 bytes } data     or
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


def read_texts(talk, n):
    return [os.fsdecode(read_exactly(talk, struct.unpack("<I", read_exactly(talk, 4))[0])) for _ in range(n)]


def describe(error):
    """What the last line of a traceback says, on one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return ": ".join(p for p in (type(error).__name__, " ".join((text or "").split())) if p)


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


def fault_reply(fault, index):
    text, hint = (s.encode("utf-8", "replace")[:1000] for s in (fault.text, fault.hint))
    return b"SGSA" + struct.pack("<6I", 1, fault.kind, index, fault.line or 0, len(text), len(hint)) + text + hint


GOOD = b"SGSA" + struct.pack("<I", 0)
