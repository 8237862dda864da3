"""Small files of quantization parameters of every kind; as a program: into a folder, for fuzzing."""
import json
import pathlib
import pickle
import sys

import numpy as np

TABLE = [{"name": "a/b:0", "min": [-1.5, 2.0], "max": [3.0, 1e30], "bit": 8}, {"name": "c", "min": np.float32(-1), "max": np.array([3], np.float32), "bit": np.int64(16)},
         {"name": "d", "bit": 8, "data": np.arange(6, dtype=np.float32).reshape(2, 3)}, {"name": "e", "data": np.asfortranarray(np.arange(6, dtype=">i2").reshape(3, 2))}]
PLAIN = [dict(name="a", min=[1.5], max=[2], bit=8), {"name": "x", "bit": 16, "data": [[1, 2], [3, 4]]}]


def seeds():
    """{name: bytes}"""
    return {"0": pickle.dumps(PLAIN, 0), "json": json.dumps(PLAIN, indent=1).encode(), **{str(p): pickle.dumps(TABLE, p) for p in range(1, 6)}}


if __name__ == "__main__":
    for name, data in seeds().items():
        (pathlib.Path(sys.argv[1]) / name).write_bytes(data)
