#!/usr/bin/env python3
"""Saves how a fixed-point model is quantized: a list with name, min, max and bit of each tensor."""
import argparse
import json
import os
import pathlib
import pickle
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
__import__("sgs_launch").provide_package()
import calibrator_custom  # noqa: E402

MOST = {"UINT8": 255, "INT8": 127, "INT16": 32767}
BIT = {"UINT8": 8, "INT8": 8, "INT16": 16}


def float_names(operators):
    """Integers that have no name of their own, because they become or were a float tensor at the model's ends: by that one's name."""
    names = {}
    for op in operators:
        if op["op_name"] == "dequantize":
            names[op["inputs"][0]] = op["outputs"][0]
        elif op["op_name"] == "quantize":
            names[op["outputs"][0]] = op["inputs"][0]
    return {integers: real for integers, real in names.items() if integers.startswith("%") and not real.startswith("%")}


def parameters(tensor, name):
    """Of one tensor: what calibration saw; of weights, where that is their own numbers, what their scales stand for."""
    least = 0 if tensor["dtype"] == "UINT8" else -MOST[tensor["dtype"]]
    scales = tensor["quantization"]
    return {"name": name,
            "min": tensor["min"] or [(least - zero) * scale for scale, zero in scales],
            "max": tensor["max"] or [(MOST[tensor["dtype"]] - zero) * scale for scale, zero in scales],
            "bit": BIT[tensor["dtype"]]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", "--model_file", required=True, help="the fixed model, X_fixed.sim")
    parser.add_argument("--output_mode", choices=["JSON", "Pickle"], required=True)
    parser.add_argument("-o", "--output", "--output_file", help="X_fixed.json or X_fixed.pkl beside the model")
    args = parser.parse_args()
    model = calibrator_custom.fixed_simulator(args.model)
    tensors = {t["name"]: t for t in model.get_tensor_details() if t["dtype"] in BIT and t["quantization"]}
    ends = {integers: real for integers, real in float_names(model.get_op_details()).items() if real not in tensors}
    table = [parameters(t, ends.get(name, name)) for name, t in tensors.items() if name in ends or not name.startswith("%")]
    output = args.output or os.path.splitext(args.model)[0] + (".json" if args.output_mode == "JSON" else ".pkl")
    with open(output, "wb") as f:
        f.write(json.dumps(table, indent=2).encode() if args.output_mode == "JSON" else pickle.dumps(table, protocol=4))
    print("wrote %s" % output)


if __name__ == "__main__":
    main()
