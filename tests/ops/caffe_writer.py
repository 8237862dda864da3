"""caffemodels, written as the wire format has them."""
import struct

import numpy as np

V1_CONVOLUTION = 4


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 0x7f:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def number(field, v):
    return varint(field << 3) + varint(v)


def data(field, payload):
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def blob(x, packed=True, doubles=False, legacy=False):
    x = np.asarray(x)
    if legacy:
        shape = b"".join(number(1 + i, n) for i, n in enumerate((1,) * (4 - x.ndim) + x.shape))
    else:
        shape = data(7, data(1, b"".join(varint(n) for n in x.shape)))
    if doubles:
        return shape + data(8, x.astype("<f8").tobytes())
    if packed:
        return shape + data(5, x.astype("<f4").tobytes())
    return shape + b"".join(varint(5 << 3 | 5) + struct.pack("<f", v) for v in x.ravel())


def caffemodel(layers, kind="now", **how):
    """layers: name -> arrays; kind: now, v1 or v0."""
    out = data(1, b"net")
    for name, blobs in layers.items():
        arrays = [blob(b, **how) for b in blobs]
        if kind == "now":
            out += data(100, data(1, name.encode()) + data(2, b"Any") + b"".join(data(7, a) for a in arrays))
        elif kind == "v1":
            out += data(2, data(4, name.encode()) + number(5, V1_CONVOLUTION) + b"".join(data(6, a) for a in arrays))
        else:
            out += data(2, data(1, data(1, name.encode()) + data(2, b"conv") + b"".join(data(50, a) for a in arrays)))
    return out
