#!/usr/bin/env python3
"""The memory that another engine's planner gives the activations of a TFLite file of bytes: arena.py litert|tflm MODEL prints bytes, or says why not.

LiteRT has no question for it, but says where each tensor lies: from the first byte to behind the last of all that operators write, the input and the kernels' own scratch with
it (those that no file names), is its arena.  Its kernels without XNNPACK, which brings memory of its own.  TFLM's allocator reports what it took: `head`, what is planned; the smallest arena
that it runs in is some percent more."""
import os
import re
import sys
import tempfile


def litert(model):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    run = Interpreter(model_path=model, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    run.allocate_tensors()
    details, ops = run.get_tensor_details(), run._get_ops_details()
    read = {int(i) for o in ops for i in o["inputs"]}
    written = {int(i) for o in ops for i in o["outputs"]} | {d["index"] for d in run.get_input_details()}
    written |= {d["index"] for d in details if not d["name"] and d["index"] not in read}
    spans = []
    for i in sorted(written):
        array = run.tensor(i)()
        start = array.__array_interface__["data"][0]
        spans.append((start, start + array.nbytes))
        del array
    return max(end for _, end in spans) - min(start for start, _ in spans)


ROOM = 256 << 20


def tflm(model):
    """Its report goes to the process's stderr."""
    from tflite_micro.python.tflite_micro import runtime
    with tempfile.TemporaryFile("w+") as said:
        own = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            run = runtime.Interpreter.from_file(model, arena_size=ROOM)
            run.print_allocations()
        finally:
            os.dup2(own, 2)
            said.seek(0)
            text = said.read()
            sys.stderr.write(text)
    return int(re.search(r"allocation head (\d+) bytes", text)[1])


if __name__ == "__main__":
    print({"litert": litert, "tflm": tflm}[sys.argv[1]](sys.argv[2]))
