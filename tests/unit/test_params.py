"""Files of quantization parameters: what Python writes is read as Python means it, nothing of a pickle runs, damaged files are refused in little memory."""
import collections
import json
import os
import pickle
import random
import struct
import subprocess
import time

import numpy as np
import pytest

from param_seeds import seeds

TOOL = os.environ["PARAMS_TOOL"]
GIGABYTE = 1 << 30
SECONDS = 20
ARRAYS = [np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.asfortranarray(np.arange(24, dtype=">f8").reshape(2, 3, 4)), np.arange(-3, 3, dtype="<i2"),
          np.arange(6, dtype=np.uint8).reshape(3, 2).T, np.array([1.5, -2, 65504, 6e-8], np.float16), np.array(3.5), np.zeros((0, 3)), np.array([True, False]),
          np.array([2 ** 62, -1], ">i8"), np.arange(8, dtype=np.uint32)[::2]]
TABLE = [{"name": "a/b:0", "min": [-1.5, 2.0], "max": [3.0, 1e30], "bit": 8},
         collections.OrderedDict(name="tensor ü;\\\"#1", min=np.float32(-1.5), max=[np.float64(2)], bit=np.int64(16)),
         {"name": "c", "min": np.array([-1, 2], np.float32), "max": (3, 4.25), "bit": 16, "shape": np.array([1, 2], np.int32), "dtype": "INT16"},
         {"name": "d", "bit": 8}, {"name": "e", "min": [], "max": []}] + [{"name": "data%d" % i, "data": a} for i, a in enumerate(ARRAYS)]


def show(data, tmp_path, how="--json"):
    (tmp_path / "p").write_bytes(data)
    return subprocess.run([TOOL, how, "p"], capture_output=True, cwd=tmp_path, timeout=SECONDS)


def plain(table):
    """As the tool writes it: without ranges where there are none."""
    def numbers(v):
        return [float(x) for x in np.asarray(v, np.float64).ravel()]
    def ranges(t):
        return {k: numbers(t[k]) for k in ("min", "max")} if np.size(t.get("min", [])) else {}
    return [{"name": t["name"], **ranges(t), "bit": int(t.get("bit", 0)), **({"data": np.asarray(t["data"], np.float64).tolist()} if "data" in t else {})} for t in table]


def same(got, want):
    """But for data: JSON says nothing of the dimensions behind an empty one."""
    for g, w in zip(got, want):
        if np.size(w.get("data", 1)) == 0:
            g, w = dict(g, data=[]), dict(w, data=[])
        assert g == w
    return len(got) == len(want)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol, tmp_path):
    done = show(pickle.dumps(TABLE, protocol), tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert same(json.loads(done.stdout), plain(TABLE))
    written = show(pickle.dumps(TABLE, protocol), tmp_path, "--pickle").stdout
    again = pickle.loads(written)
    assert [t["data"].dtype for t in again if "data" in t] == [np.dtype("<f8")] * len(ARRAYS) and same(plain(again), plain(TABLE))


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_pickles(protocol, tmp_path):
    """Without arrays; protocol 1 writes the bytes of arrays as protocol 2 does."""
    table = [{"name": "a/b", "min": [-1.5, 2], "max": [3, 1e30], "bit": 8}, {"name": "c", "min": [], "max": [], "bit": 16}]
    done = show(pickle.dumps(table, protocol), tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout) == plain(table), done.stderr.decode()
    if protocol:
        assert same(json.loads(show(pickle.dumps(TABLE, protocol), tmp_path).stdout), plain(TABLE))


def test_names_of_numpy_1_and_2(tmp_path):
    data = pickle.dumps(TABLE, 4)
    both = [data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"), data.replace(b"\x8c\x15numpy.core.multiarray", b"\x8c\x16numpy._core.multiarray")]
    assert both[0] != both[1] and data in both
    for d in both:
        assert same(json.loads(show(d, tmp_path).stdout), plain(TABLE))


def test_json(tmp_path):
    table = [t for t in plain(TABLE) if t["bit"]]
    table[0]["data"] = ARRAYS[0].tolist()
    for text in (json.dumps(table), json.dumps(table, indent=1, ensure_ascii=False), "\ufeff" + json.dumps(table, separators=(",", ":")).replace("[", " [\r\n\t")):
        done = show(text.encode(), tmp_path)
        assert done.returncode == 0 and same(json.loads(done.stdout), table), done.stderr.decode()
    numbers = [0.1, 1 / 3, 5e-324, 1e-45, -3.4e38, 2.0 ** 63, 1e22, 123456789012345678]
    got = json.loads(show(json.dumps([{"name": "a", "min": numbers, "max": numbers}]).encode(), tmp_path).stdout)
    assert got[0]["min"] == [float(x) for x in numbers]
    assert json.loads(show(r'[{"name": "\u00e9\ud83d\ude00\n\/", "min": 1, "max": 2e0}]'.encode(), tmp_path).stdout)[0] == {"name": "é😀\n/", "min": [1.0], "max": [2.0], "bit": 0}


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


HINT = "\n  expected lists, dictionaries, texts, numbers and numpy arrays of numbers; nothing of a pickle is ever run"
ENTRY = {"name": "a"}


@pytest.mark.parametrize("value, message", [
    (Runs(), "p: the pickle holds an object of posix.system" + HINT),
    ([dict(ENTRY, data=Runs())], "p: the pickle holds an object of posix.system" + HINT),
    ([dict(ENTRY, bit=complex(1, 2))], "p: the pickle holds an object of builtins.complex" + HINT),
    ([{1, 2}], "p: the pickle makes an object, or is damaged: byte 0x8f at 13" + HINT),
    ([dict(ENTRY, data=np.array(["x"]))], "p: the pickle holds an array of dtype 'U1'\n  expected numbers: float16, float32, float64, bool, or integers of at most 64 bits"),
    ([dict(ENTRY, data=np.array([None]))], "p: the pickle holds an array of dtype 'O8'\n  expected numbers: float16, float32, float64, bool, or integers of at most 64 bits"),
    ([dict(ENTRY, bit=2 ** 70)], "p: damaged pickle: at byte 33 a whole number has more than 64 bits"),
    ({"a": 1}, "p: expected a list of tensors, found a dictionary"),
    ([3], "p: value of entry 1 of the list: expected a dictionary with name, min, max and bit, found a whole number"),
    ([ENTRY, {"bit": 8}], "p: entry 2 of the list has no name"),
    ([{"name": 3}], "p: name of entry 1 of the list: expected a tensor's name, found a whole number"),
    ([{3: 3}], "p: a key of entry 1 of the list: expected a text, found a whole number"),
    ([ENTRY, ENTRY], "p: 'a' is there twice"),
    ([dict(ENTRY, bit=7)], "p: bit of 'a': expected 4, 8 or 16, found 7"),
    ([dict(ENTRY, bit=8.0)], "p: bit of 'a': expected 4, 8 or 16, found a number"),
    ([dict(ENTRY, bit=None)], "p: bit of 'a': expected 4, 8 or 16, found nothing"),
    ([dict(ENTRY, bit=True)], "p: bit of 'a': expected 4, 8 or 16, found a truth value"),
    ([dict(ENTRY, bit=b"8")], "p: bit of 'a': expected 4, 8 or 16, found bytes"),
    ([dict(ENTRY, data=np.array([1, np.inf]))], "p: data of 'a': expected numbers of float32, found inf"),
    ([dict(ENTRY, data="x")], "p: data of 'a': expected numbers, in lists or a numpy array, found a text"),
    ([dict(ENTRY, min=[0])], "p: 'a' has min alone; expected min and max, or neither"),
    ([dict(ENTRY, max=[0])], "p: 'a' has max alone; expected min and max, or neither"),
    ([dict(ENTRY, min=[0], max=[1, 2])], "p: 'a': expected as many numbers in min as in max, found 1 and 2"),
    ([dict(ENTRY, min=[0, float("nan")], max=[1, 2])], "p: min of 'a': expected numbers of float32, found nan"),
    ([dict(ENTRY, min=[0], max=[1e39])], "p: max of 'a': expected numbers of float32, found 1e+39"),
    ([dict(ENTRY, min=[0, 3], max=[1, 2])], "p: 'a': min 3 is above max 2, number 2 of 2"),
    ([dict(ENTRY, min="0", max=[1])], "p: min of 'a': expected a list of numbers, found a text"),
    ([dict(ENTRY, min=[0], max=np.ones((1, 1)))], "p: max of 'a': expected a list of numbers, found an array"),
    ([dict(ENTRY, mim=[0])], "p: 'a' has the unknown field 'mim'\n  did you mean 'min'? the fields are name, min, max, bit and data"),
    ([dict(ENTRY, comment="x")], "p: 'a' has the unknown field 'comment'\n  the fields are name, min, max, bit and data"),
])
def test_refused_pickles(value, message, tmp_path):
    done = show(pickle.dumps(value, 4), tmp_path)
    assert (done.returncode, done.stderr.decode()) == (1, "error: %s\n" % message)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text, message", [
    (b"", "p: expected JSON or a pickle, found an empty file"),
    (b"name: a", "p: expected JSON or a pickle, found something else"),
    (b'{"name": "a"}', "p:1: expected a list of tensors, found a dictionary"),
    (b'[\n{"name": "a"},\n{"name": "a"}]', "p:3: 'a' is there twice"),
    (b'[\n{"name": "a", "bit": 3}]', "p:2: bit of 'a': expected 4, 8 or 16, found 3"),
    (b'[{"name": "a", "min": [NaN], "max": [Infinity]}]', "p:1: min of 'a': expected numbers of float32, found nan"),
    (b'[{"name": "a", "min": [-Infinity], "max": [1]}]', "p:1: min of 'a': expected numbers of float32, found -inf"),
    (b'[{"name": "a",}]', "p:1: no JSON: expected a key in quotes, found '}'"),
    (b'[{"name" "a"}]', "p:1: no JSON: expected ':' behind a key, found '\"'"),
    (b'[{"name": "a" "b"}]', "p:1: no JSON: expected ',' or '}', found '\"'"),
    (b'["a" "b"]', "p:1: no JSON: expected ',' or ']', found '\"'"),
    (b'[1 2]', "p:1: no JSON: expected ',' or ']', found '2'"),
    (b'[{"name": "a\n"}]', "p:1: no JSON: expected a text without line ends in it, found byte 0x0a"),
    (b'["\\q"]', "p:1: no JSON: expected one of JSON's escapes behind a backslash, found '\"'"),
    (b'["a', "p:1: no JSON: expected '\"' at the end of a text, found the end of the file"),
    (b'[{"name": 01}]', "p:1: no JSON: expected a value, found '0'"),
    (b'[] x', "p:1: no JSON: expected the end of the file, found 'x'"),
    (b'[{"name": "a", "data": [[1, 2], [3]]}]', "p:1: expected 2 in this list, as in the one before, found 1"),
    (b'[{"name": "a", "data": [1, [2]]}]', "p:1: no JSON: expected a number, as in the rows before, found '['"),
    (b'[{"name": "a", "data": [[1], 2]}]', "p:1: no JSON: expected a list of numbers, as before, found '2'"),
    (b'[{"name": "a", "data": [1, "2"]}]', "p:1: no JSON: expected a number, as before, found '\"'"),
    (b"[" * 9 + b"1", "p:1: expected lists of numbers at most 8 deep"),
    (b"[" * 100 + b'"', "p:1: lists and dictionaries are nested more than 64 deep"),
])
def test_refused_json(text, message, tmp_path):
    done = show(text, tmp_path)
    assert (done.returncode, done.stderr.decode()) == (1, "error: %s\n" % message)


SAID_OF_DAMAGE = {
    b"\x80\x04": "the pickle is cut off", b"\x80\x04.": "the pickle ends without one value", b"\x80\x04K": "a number is cut off", b"\x80\x04X\x05\0\0\0abc": "a text is cut off",
    b"\x80\x04h\x01.": "something is asked for that was never remembered", b"\x80\x04q\x01.": "nothing can be remembered", b"\x80\x042.": "nothing is there to take twice",
    b"\x80\x040.": "nothing is there to take away", b"\x80\x04t.": "a mark is missing", b"\x80\x04K\x01\x86.": "a tuple has too few elements",
    b"\x80\x04(K\x01d.": "a dictionary ends behind a key", b"\x80\x04K\x01a.": "elements belong to no list", b"\x80\x04K\x01K\x02K\x03s.": "keys and values belong to no dictionary",
    b"\x80\x04K\x01)R.": "something is called that is no function", b"\x80\x04]Nb.": "an object has no state", b"\x80\x04K\x01K\x02\x93.": "a name is no text",
    b"cnumpy": "a name is cut off", b"(Ix\n.": "something stands where a number should", b"(S'a\\x00'\n.": "a text has escapes; write the pickle with protocol 2 or later",
    b"\x80\x04cnumpy.core.multiarray\nscalar\n)R.": "a number of numpy's has no dtype or not its bytes", b"\x80\x04c_codecs\nencode\n)R.": "bytes are not written as latin1",
    b"\x80\x04cnumpy.core.numeric\n_frombuffer\n)R.": "an array has no shape, dtype or bytes, or more than 8 dimensions",
}


@pytest.mark.parametrize("data", SAID_OF_DAMAGE)
def test_damaged_pickles(data, tmp_path):
    done = show(b"(" * (data[:1] not in b"\x80(") + data, tmp_path)
    assert done.returncode == 1 and done.stderr.decode().startswith("error: p: damaged pickle: at byte ")
    assert done.stderr.decode().endswith(" %s\n" % SAID_OF_DAMAGE[data])


def test_arrays_that_lie(tmp_path):
    for old, new, message in ((struct.pack("<BB", 75, 24), struct.pack("<BB", 75, 25), "an array has more or fewer bytes than its shape"),
                              (struct.pack("<BB", 75, 24), b"N", "an array's shape is no list of whole numbers")):
        data = pickle.dumps([dict(ENTRY, data=np.arange(24, dtype=np.int8))], 2)
        assert data.count(old) == 1
        done = show(data.replace(old, new), tmp_path)
        assert done.returncode == 1 and done.stderr.decode().endswith(" %s\n" % message), done.stderr


# ---- damage: no signal, little time and memory ----

def each(files):
    start = time.monotonic()
    child = subprocess.Popen([TOOL, "--each", *map(str, files)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, errors = child.communicate(timeout=SECONDS * 6)
    assert child.returncode == 0, (child.returncode, errors)
    assert time.monotonic() - start < SECONDS
    return said.split()


@pytest.mark.parametrize("name", seeds())
@pytest.mark.parametrize("how", ["cut", "flip", "ff", "zero", "twice"])
def test_damage(name, how, tmp_path):
    data, files = seeds()[name], []
    for i in range(len(data)):
        new = {"cut": data[:i], "flip": data[:i] + bytes([data[i] ^ 1 << i % 8]) + data[i + 1:], "ff": data[:i] + b"\xff" + data[i + 1:], "zero": data[:i] + b"\0" + data[i + 1:],
               "twice": data[:i] + data[i // 2:]}[how]
        files.append(tmp_path / ("%04d" % i))
        files[-1].write_bytes(new)
    said = each(files)
    assert len(said) == len(files) and "refused" in said
    if how == "cut":
        assert set(said) == {"refused"}


def test_any_bytes(tmp_path):
    """Opcodes in any order."""
    opcodes = b"(.012FGIJKLMNRSTUVXabcdeghjlpqrstu])}\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x93\x94\x95\x96BC\x00\x01\n"
    r, files = random.Random(3), []
    for i in range(2000):
        files.append(tmp_path / ("%d" % i))
        files[-1].write_bytes(b"\x80\x04" + bytes(r.choice(opcodes) for _ in range(r.randrange(200))) + b".")
    assert set(each(files)) >= {"refused"}


@pytest.mark.parametrize("data", [
    b"\x80\x04r\xff\xff\xff\xff.", b"\x80\x04]r\xff\xff\xff\x7f.", b"\x80\x04\x8e" + b"\xff" * 8 + b".", b"\x80\x04X\xff\xff\xff\xff.", b"\x80\x04" + b"]" * 5000000 + b".",
    b"\x80\x04]q\x00" + b"h\x00h\x00e"[:4] * 1000000 + b".", b"\x80\x04]\x94" + b"h\x00a" * 1000000 + b".", b"\x80\x04" + b"U\x00" * 3000000 + b".",
    b"[" + b"[1]," * 3000000, b"[" + b'"",' * 3000000, b"[" + b"{}," * 3000000, b"[" + b"0," * 5000000,
    b"\x80\x04](}(X\x04\0\0\0nameX\x01\0\0\0aX\x04\0\0\0data]\x94" + b"h\x00a" * 100 + b"ue.",
], ids=range(13))
def test_memory(data, tmp_path):
    """No more than a gigabyte, whatever a file says."""
    (tmp_path / "p").write_bytes(data)
    child = subprocess.Popen([TOOL, "--json", "p"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    assert child.returncode == 1, errors
    assert usage.ru_maxrss * 1024 < GIGABYTE
