#!/usr/bin/env python3
"""Runs a suite of conformance cases through the float simulator and judges it: `make conformance DIR=<suite folder> [STAGE=fixed]`.

A suite is a folder with index.tsv, a case a line, and cases.tar.gz; ../shared/conformance/README.md says how a case is judged.  Inputs that the index
calls const_shape or const_param become initializers.  Integers wider than the model's (8-bit ones aside) and float32 for float16 are taken for the
same type where they hold the same numbers.

STAGE=fixed calibrates each case on its own inputs and compares the fixed-point model with the float one: a case passes with a signal-to-noise ratio of
30 dB or more, integers and truth values with equal results; fixed simulator and image must agree in every byte.  What stays below 50 dB with
convolutions of 8 bits runs with those of 16 too, and the better one counts.  A quantized TFLite case keeps its scales and is held against what the suite
expects, one step of its outputs more or less.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

TYPES = {"f32": np.float32, "f64": np.float64, "s64": np.int64, "s32": np.int32, "s16": np.int16, "s8": np.int8, "u8": np.uint8, "bool": np.bool_, "u16": np.uint16,
         "f16": np.float16}
# What stands for a type in our graphs: at its inputs, and at its outputs besides the type itself.
INPUT = {"int64": np.int32, "int16": np.int32, "uint16": np.int32, "uint32": np.int32, "float16": np.float32, "float64": np.float32}
STANDS_FOR = {"int64": {"s32"}, "int16": {"s32"}, "uint16": {"s32"}, "uint32": {"s32", "s64"}, "float16": {"f32"}, "float64": {"f32"}}
NAMES = {"f32": "float32", "f64": "float64", "s64": "int64", "s32": "int32", "s16": "int16", "s8": "int8", "u8": "uint8", "bool": "bool", "u16": "uint16", "f16": "float16"}


class Shape(tuple):
    """All that is wanted of a tensor."""


class Skip(Exception):
    """A case that cannot be fed or judged here."""


# ---- cases ----

def read_index(suite):
    lines = (suite / "index.tsv").read_text(encoding="utf-8").splitlines()
    keys = lines[0].split("\t")
    return [dict(zip(keys, line.split("\t"))) for line in lines[1:] if line]


def tensor(path):
    try:
        message = onnx.TensorProto.FromString(path.read_bytes())
        x = numpy_helper.to_array(message)
    except Exception as e:
        raise Skip(f"{path.name} is no tensor") from e
    if x.dtype.kind not in "fiubV" and x.dtype.name != "bfloat16":
        raise Skip(f"{path.name} holds {x.dtype.name}")
    return x


def numbered(folder, stem):
    """{number: array} of the files stem_N.pb or stem_N.npy."""
    found = {}
    for f in folder.glob(f"{stem}_*"):
        m = re.fullmatch(stem + r"_(\d+)\.(pb|npy)", f.name)
        if m:
            found[int(m[1])] = tensor(f) if m[2] == "pb" else np.load(f)
    return found


def data_sets(folder):
    """[(inputs, outputs)] of a case, each {name: array}; for protobuf files the number stands for the name."""
    table = folder / "case.tsv"
    if (folder / "shapes.tsv").exists():
        rows = [line.split("\t") for line in (folder / "shapes.tsv").read_text(encoding="utf-8").splitlines() if line]
        return [({}, {name: Shape(int(n) for n in dims.split(",")) for name, dims in rows})]
    if table.exists():
        rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
        return [tuple({r[1]: np.load(folder / r[2]) for r in rows if r[0] == kind} for kind in ("input", "output"))]
    sets = sorted(folder.glob("test_data_set_*"))
    return [(numbered(s, "input"), numbered(s, "output")) for s in sets]


def numbers(text):
    return {int(n) for n in re.findall(r"\d+", text or "")}


def only_a_size(case, free, inputs):
    """Whether all that could be a run-time input is one size that a generator makes a shape of: then the graph may fold to a constant."""
    x = inputs.get(free[0].name, inputs.get(0)) if len(free) == 1 else None
    return x is not None and x.dtype.kind == "i" and x.ndim < 2 and bool({"Range", "ConstantOfShape"} & set(case["operators"].split(",")))


def bind(model, inputs, case):
    """The model with static input shapes and the case's constant inputs as initializers; returns the names of the inputs that are left."""
    fixed = {i.name for i in model.graph.initializer}
    free = [i for i in model.graph.input if i.name not in fixed]
    constants = numbers(case["const_shape"]) | numbers(case["const_param"]) | ({0} if only_a_size(case, free, inputs) else set())
    left = []
    for k, info in enumerate(free):
        x = inputs.get(info.name, inputs.get(k))
        if x is None:
            raise Skip(f"no data for input '{info.name}'")
        if not info.type.HasField("tensor_type"):
            raise Skip(f"input '{info.name}' is no tensor")
        if k in constants:
            kind = info.type.tensor_type.elem_type
            model.graph.initializer.append(onnx.helper.make_tensor(info.name, kind, x.shape, x.tobytes(), raw=True) if x.dtype.itemsize and kind not in (21, 22, 23, 25, 26)
                                           else numpy_helper.from_array(x, info.name))
            model.graph.input.remove(info)
            continue
        shape = info.type.tensor_type.shape
        shape.Clear()
        for n in x.shape:
            shape.dim.add().dim_value = n
        left.append((info.name, x))
    return left


def ours(x):
    """As our graphs take it."""
    if x.dtype.name in ("bfloat16",) or x.dtype.kind == "V":
        return x.astype(np.float32)
    to = INPUT.get(x.dtype.name, x.dtype)
    if np.issubdtype(to, np.integer) and x.size and x.dtype.kind in "iu" and (int(x.max()) > np.iinfo(to).max or int(x.min()) < np.iinfo(to).min):
        raise Skip("an integer input does not fit 32 bits")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(x.astype(to))


class Job:
    """One data set of a case, made ready to run."""

    def __init__(self, case, folder, number, data, work):
        self.case, self.prefix = case, work / f"{number}"
        inputs, self.want = data
        model = onnx.load(folder / "model.onnx")
        left = bind(model, inputs, case)
        self.outputs = [o.name for o in model.graph.output]
        fields = [f"{self.prefix}.onnx", str(self.prefix), str(len(left))]
        for k, (name, x) in enumerate(left):
            path = f"{self.prefix}.in{k}"
            ours(x).tofile(path)
            fields += [name, path]
        self.inputs = [ours(x) for _, x in left]
        self.want = {self.outputs[k] if isinstance(k, int) else k: v for k, v in self.want.items()}
        self.outputs = [o for o in self.outputs if o in self.want]
        if not self.outputs:
            raise Skip("no expected outputs")
        external = [t for t in model.graph.initializer if t.external_data]
        if external:
            raise Skip("external data")
        pathlib.Path(fields[0]).write_bytes(model.SerializeToString())
        self.line = "\t".join(fields + self.outputs)
        self.model, self.kept = [fields[0]], False

    def last(self, x):
        """As the tools take an input: channels last."""
        return np.moveaxis(x, 1, -1) if x.ndim == 4 else x

    def read(self, k, kind, x):
        return kind, x

    def reshaped(self, want, got):
        return want


class CaffeJob(Job):
    """A Caffe network on the case's data; without data its blobs' shapes alone are judged."""

    def __init__(self, case, folder, number, data, work):
        self.case, self.prefix = case, work / f"{number}"
        inputs, self.want = data
        self.model, self.kept = [f"{self.prefix}.prototxt"], False
        shutil.copy(folder / "net.prototxt", self.model[0])
        if (folder / "net.caffemodel").exists():
            shutil.copy(folder / "net.caffemodel", f"{self.prefix}.caffemodel")
        fields = [self.model[0], str(self.prefix), str(len(inputs))]
        for k, (name, x) in enumerate(inputs.items()):
            path = f"{self.prefix}.in{k}"
            ours(x).tofile(path)
            fields += [name, path]
        self.inputs = [ours(x) for x in inputs.values()]
        given = set(re.findall(r'^input: *"([^"]*)"', (folder / "net.prototxt").read_text(), re.M)) | set(re.findall(r'type: *"Input"\s*top: *"([^"]*)"', (folder / "net.prototxt").read_text()))
        self.outputs = [o for o in self.want if o not in given]
        self.line = "\t".join(fields + self.outputs)

    def reshaped(self, want, got):
        """Dimensions of 1 at the ends do not count; older Caffe gives what is left of an inner product as rows of one matrix."""
        return want.reshape(got.shape) if want.size == got.size and squeezed(want.shape) in (squeezed(got.shape), (got.size // got.shape[-1], got.shape[-1])) else want


class LiteJob(Job):
    """A TFLite case, whose inputs and outputs stand in the model's order.  Quantized ones are real numbers for us."""

    def __init__(self, case, folder, number, data, work, keep):
        from ai_edge_litert.interpreter import Interpreter
        self.case, self.prefix = case, work / f"{number}"
        model = folder / "model.tflite"
        inputs, outputs = data
        reference = Interpreter(model_path=str(model))
        self.steps = [step_of(t) for t in reference.get_output_details()]
        steps = [step_of(t) for t in reference.get_input_details()]
        self.inputs = [ours(x) if not s else ((x.astype(np.float64) - s[1]) * s[0]).astype(np.float32) for x, s in zip(inputs.values(), steps)]
        self.outputs, self.want = list(range(len(outputs))), list(outputs.values())
        fields = [f"{'keep:' if keep else ''}{model}", str(self.prefix), str(len(self.inputs))]
        for k, x in enumerate(self.inputs):
            path = f"{self.prefix}.in{k}"
            x.tofile(path)
            fields += [str(k), path]
        self.line = "\t".join(fields)
        self.model, self.kept = (["--keep"] if keep else []) + [str(model)], keep

    def last(self, x):
        return x

    def read(self, k, kind, x):
        """Our output k as the model itself has it."""
        if not self.steps[k] or kind != "f32":
            return kind, x
        scale, zero = self.steps[k]
        steps = x.astype(np.float64) / scale + zero
        whole = np.round(steps)  # but for the rounding of float32
        return {v: n for n, v in NAMES.items()}[self.want[k].dtype.name], np.where(np.abs(steps - whole) < 0.02, whole, steps)


def step_of(t):
    """Scale and zero point of a tensor, or None."""
    q = t["quantization_parameters"]
    return (float(q["scales"][0]), int(q["zero_points"][0])) if len(q["scales"]) == 1 and np.dtype(t["dtype"]).kind in "iu" else None


class GraphJob(Job):
    """A TensorFlow graph on the case's data, each input with its shape."""

    def __init__(self, case, folder, number, data, work):
        self.case, self.prefix = case, work / f"{number}"
        inputs, self.want = data
        model = pathlib.Path(f"{self.prefix}.pb")
        self.model, self.kept = ["--shapes", ":".join(",".join(map(str, x.shape)) for x in inputs.values()), str(model)], False
        model.write_bytes((folder / "model.pb").read_bytes())
        self.inputs, self.outputs = [ours(x) for x in inputs.values()], list(self.want)
        fields = [str(model), str(self.prefix), str(len(inputs))]
        for k, (name, x) in enumerate(zip(inputs, self.inputs)):
            x.tofile(f"{self.prefix}.in{k}")
            fields += [f"{name}={','.join(map(str, x.shape))}", f"{self.prefix}.in{k}"]
        self.line = "\t".join(fields + self.outputs)

    def last(self, x):
        return x


# ---- judging ----


def squeezed(shape):
    """Without dimensions of 1 at either end."""
    shape = list(shape)
    while shape and shape[0] == 1:
        shape.pop(0)
    while shape and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def differs(got, want, case):
    """Why an output is not what is wanted; "" when it is.  Also whether it needed the wider tolerance."""
    kind, got = got
    name = want.dtype.name
    if NAMES[kind] != name and kind not in STANDS_FOR.get(name, ()):
        return f"wrong type: {NAMES[kind]} for {name}"
    if got.shape != want.shape:
        return f"wrong shape: {list(got.shape)} for {list(want.shape)}"
    if want.dtype.kind in "iub":
        far = np.abs(got.astype(np.float64) - want.astype(np.float64)) > float(case["atol"] if float(case["atol"]) >= 1 else 0)
    else:
        g, w = got.astype(np.float64), want.astype(np.float64)
        with np.errstate(invalid="ignore"):
            near = np.abs(g - w) <= float(case["atol"]) + float(case["rtol"]) * np.abs(w)
        far = ~(near | (np.isnan(g) & np.isnan(w)) | (g == w))
    if not far.any():
        return ""
    at = np.unravel_index(np.argmax(far), far.shape)
    return f"wrong numbers: {int(far.sum())} of {far.size}, first {got[at]!r} for {want[at]!r} at {[int(i) for i in at]}"


def judge(job, ended):
    if ended != "done":
        return f"crash: {ended}" if ended.startswith("signal") else ended
    text = pathlib.Path(f"{job.prefix}.txt").read_text(encoding="utf-8", errors="replace")
    if text.startswith("error"):
        head, _, rest = text.partition("\n")
        words = head.split()
        rest = re.sub(r"(/\S+/)?\d+\.(onnx|prototxt|pb): ", "", rest.removeprefix("error: ")).strip().replace("\n", " | ")
        return f"{words[-1] if len(words) > 2 else 'error'} ({words[1]}): {rest}"
    for k, line in enumerate(text.splitlines()):
        kind, dims = line.split(" ")
        want = job.want[job.outputs[k]]
        if isinstance(want, Shape):
            if list(want) != [int(n) for n in re.findall(r"\d+", dims)]:
                return f"wrong shape: {dims} for {list(want)} ('{job.outputs[k]}')"
            continue
        x = np.fromfile(f"{job.prefix}.{k}.bin", TYPES[kind]).reshape([int(n) for n in re.findall(r"\d+", dims)])
        kind, x = job.read(k, kind, x)
        why = differs((kind, x), job.reshaped(want, x), job.case)
        if why:
            return f"{why} ('{job.outputs[k]}')"
    return ""


# ---- a suite ----

def run_jobs(tool, jobs, seconds):
    """{prefix: how it ended}"""
    done = subprocess.run([tool, str(seconds)], input="".join(j.line + "\n" for j in jobs), capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(f"conformance: {done.stderr.strip()}")
    return dict(line.split("\t") for line in done.stdout.splitlines())


def is_quantized(case):
    """Whether its numbers are those of its scales: then it keeps them, and one step is what arithmetic of our own may differ by."""
    return case["format"] == "tflite/int" or (case["format"] == "tflite" and case["atol"] == "0") or "QUANTIZE" in case["operators"].split(",")


def prepare(case, folder, work, jobs):
    """Adds the case's jobs; returns why it is skipped, or ""."""
    try:
        sets = data_sets(folder)
        if not sets:
            return "no data"
        if case["format"].startswith("tflite"):
            keep = is_quantized(case)
            case = dict(case, atol="1") if case["format"] == "tflite" else case
            jobs += [LiteJob(case, folder, len(jobs) + i, data, work, keep) for i, data in enumerate(sets)]
        else:
            kind = {"caffe": CaffeJob, "tf": GraphJob}.get(case["format"], Job)
            jobs += [kind(case, folder, len(jobs) + i, data, work) for i, data in enumerate(sets)]
    except Skip as e:
        return str(e)
    return ""


def unpack(archive, folder):
    """Its plain files, each inside the folder."""
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.isfile() and not m.name.startswith("/") and ".." not in pathlib.PurePosixPath(m.name).parts]
        tar.extractall(folder, members)


# ---- fixed point ----

def message(text):
    return re.sub(r"(/\S+/)?\d+\.(onnx|prototxt|pb): ", "", text.strip().removeprefix("error: ")).replace("\n", " | ")


def loudness(want, got):
    """Signal to quantization noise in dB, or None where the signal is zero throughout."""
    want, noise = want.astype(np.float64), got.astype(np.float64) - want
    signal = (want ** 2).sum()
    return 10 * np.log10(signal / max((noise ** 2).sum(), signal * 1e-16)) if signal else None


LOUD = 50  # decibel that 16 bits must reach


def is_loud(why):
    return why == "equal" or (why.endswith(" dB") and float(why.split()[-2]) >= LOUD)


def judge_fixed(job, tool, seconds):
    """(passed, reason): the lowest ratio of the case's outputs, or why there is none."""
    narrow = judge_bits(job, tool, seconds)
    if is_loud(narrow[1]) or not (narrow[1].endswith(" dB") or narrow[1] == OTHER):
        return narrow
    wide = judge_bits(job, tool, seconds, "--wide")
    if wide[1] == narrow[1] or (narrow[0] and not wide[0]):
        return narrow
    return wide[0], f"in 8 bits {narrow[1]}, in 16 {wide[1]}"


OTHER = "other integers than the float model's"


def judge_bits(job, tool, seconds, *options):
    files = []
    for k, x in enumerate(job.inputs):
        files.append(f"{job.prefix}.last{k}")
        np.ascontiguousarray(job.last(x)).tofile(files[-1])
    try:
        done = subprocess.run([tool, *options, *job.model, f"{job.prefix}.q", *files], capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        return False, "timeout"
    if done.returncode:
        return False, f"crash: signal {-done.returncode}" if done.returncode < 0 else message(done.stderr)
    if job.kept:
        return in_steps(job, done.stdout.splitlines())
    worst = None
    for k, line in enumerate(done.stdout.splitlines()):
        got = np.fromfile(f"{job.prefix}.q.fixed.{k}.bin", TYPES[line.split()[-2]])
        want = np.fromfile(f"{job.prefix}.q.float.{k}.bin", np.float32 if got.dtype.kind == "f" else got.dtype)
        if got.dtype.kind != "f":
            if not np.array_equal(want, got):
                return False, OTHER
            continue
        ratio = loudness(want, got)
        worst = ratio if worst is None or (ratio is not None and ratio < worst) else worst
    return worst is None or worst >= 30, "equal" if worst is None else f"{worst:.1f} dB"


def in_steps(job, lines):
    """A model that keeps its scales is held against what is wanted, not against its float model."""
    for k, line in enumerate(lines):
        kind, dims = line.split(" ")[-2:]
        x = np.fromfile(f"{job.prefix}.q.fixed.{k}.bin", TYPES[kind]).reshape([int(n) for n in re.findall(r"\d+", dims)])
        if kind != "f32" and job.want[k].dtype.kind in "iub":  # integers are of 16 bits there
            kind, x = {v: n for n, v in NAMES.items()}[job.want[k].dtype.name], x.astype(job.want[k].dtype)
        why = differs(job.read(k, kind, x), job.want[k], job.case)
        if why:
            return False, why
    return True, "equal"


def fixed_results(jobs, tool, seconds, processes):
    """{case: (passed, reason)}: of several data sets the worst."""
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        each = list(pool.map(lambda j: judge_fixed(j, tool, seconds), jobs))
    results = {}
    for job, (passed, why) in zip(jobs, each):
        if results.get(job.case["case"], (True, ""))[0]:
            results[job.case["case"]] = passed, why
    return results


# ---- the whole ----

def run_suite(suite, tool, seconds=10, processes=2, only="", fixed=None, wanted=lambda case: True):
    """[(case, "passed"|"failed"|"skipped", reason)]; fixed: the tool for that stage."""
    index = [c for c in read_index(suite) if c["format"].split("/")[0] in ("onnx", "caffe", "tflite", "tf") and re.search(only, c["case"]) and wanted(c)]
    with tempfile.TemporaryDirectory(prefix="conformance.") as tmp:
        work = pathlib.Path(tmp)
        unpack(suite / "cases.tar.gz", work / "cases")
        jobs, skipped = [], {}
        for case in index:
            skipped[case["case"]] = prepare(case, work / "cases" / suite.name / case["case"], work, jobs)
        if fixed:
            results = fixed_results(jobs, fixed, seconds, processes)
            return [(c, "skipped", skipped[c["case"]]) if skipped[c["case"]] else (c, "passed" if results[c["case"]][0] else "failed", results[c["case"]][1])
                    for c in index]
        with concurrent.futures.ThreadPoolExecutor(processes) as pool:
            parts = list(pool.map(lambda k: run_jobs(tool, jobs[k::processes], seconds), range(processes)))
        ended = {prefix: how for part in parts for prefix, how in part.items()}
        reason = {}
        for job in jobs:
            name = job.case["case"]
            reason[name] = reason.get(name) or judge(job, ended[str(job.prefix)])
    return [(c, "skipped" if skipped[c["case"]] else "failed" if reason[c["case"]] else "passed", skipped[c["case"]] or reason[c["case"]]) for c in index]


def summary(results):
    lines = []
    for kind in ("core", "extended"):
        count = {how: sum(h == how for c, h, _ in results if c["class"] == kind) for how in ("passed", "failed", "skipped")}
        lines.append(f"{kind}: {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("suite", type=pathlib.Path)
    p.add_argument("--tool", required=True, help="conformance_tool of a build")
    p.add_argument("--stage", choices=["float", "fixed"], default="float")
    p.add_argument("--fixed-tool", help="fixed_tool of a build, for --stage fixed")
    p.add_argument("--out", type=pathlib.Path, help="a line a case: case, class, passed|failed|skipped, reason")
    p.add_argument("--seconds", type=int, default=10, help="a case may take")
    p.add_argument("--only", default="", help="cases whose name holds this pattern")
    o = p.parse_args()
    if not (o.suite / "index.tsv").exists():
        p.error(f"{o.suite} holds no index.tsv: it is no suite")
    results = run_suite(o.suite.resolve(), o.tool, o.seconds, only=o.only, fixed=o.fixed_tool if o.stage == "fixed" else None)
    out = o.out or pathlib.Path(f"conformance-{o.suite.resolve().name}{'-fixed' if o.stage == 'fixed' else ''}.tsv")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(f"{c['case']}\t{c['class']}\t{how}\t{why}\n" for c, how, why in results), encoding="utf-8")
    print("\n".join(summary(results)))
    if o.stage == "fixed":
        print(f"core: {sum(c['class'] == 'core' and is_loud(why) for c, _, why in results)} with {LOUD} dB or more, or equal integers")
    print(f"a line for each case: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
