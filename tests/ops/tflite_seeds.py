"""tflite_seeds.py FOLDER: small TFLite models of every kind that the tests have, for the fuzz target to begin with."""
import pathlib
import sys

from test_tflite_flow import branches, counter, variables
from test_tflite_ops import ACT, CASES, detector, lstm, numbers, quantized, two_signatures


def models():
    for name, case in CASES.items():
        yield name, case.build()
    x = numbers(3, 2, 4)
    for i, more in enumerate(({}, {"coupled": True, "peepholes": True}, {"projection": 3, "norms": True})):
        yield f"lstm {i}", lstm("UNIDIRECTIONAL_SEQUENCE_LSTM", x, 5, {ACT: 4}, **more)
    yield "detection", detector(boxes=12, max_detections=3)
    yield "detection, regular", detector(boxes=12, max_detections=3, use_regular_nms=True)
    yield "quantized", quantized()
    yield "signatures", two_signatures()
    yield "branches", branches(True)
    yield "loop", counter(3)
    yield "variables", variables("after")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in models():
        (folder / (name.replace(" ", "_").replace(",", "") + ".tflite")).write_bytes(data)


if __name__ == "__main__":
    main()
