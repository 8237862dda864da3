"""The user's script in worker processes: what it may do, and what is said when it fails."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time

import cv2
import numpy as np
import pytest

TOOL = os.environ["SAMPLE_TOOL"]
GOOD = """
    import numpy as np
    def image_preprocess(path, norm=True):
        data = np.frombuffer(open(path, "rb").read()[:4].ljust(4, b"."), np.uint8).reshape(1, 2, 2, 1)
        return data.astype(np.float32) / 2 if norm else data
"""


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.script("good.py", GOOD)

    def file(self, name, data=b"abcd"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    def script(self, name, text):
        return self.file(name, textwrap.dedent(text))

    def run(self, images, script="good.py", norm=True, inputs=1, dtype=None, dims="1x2x2x1", jobs=2, timeout=60, env=None,
            extra=()):
        command = [TOOL, str(int(norm)), str(inputs), dtype or ("f32" if norm else "u8"), dims, "-i", images, "-n", script, "-j", str(jobs), "-t",
                   str(timeout), *extra]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "SGS_PYTHON": sys.executable, **(env or {})})

    def good(self, *args, **kw):
        r = self.run(*args, **kw)
        assert r.returncode == 0, r.stderr
        return r.stdout.splitlines()

    def fails(self, *args, **kw):
        r = self.run(*args, **kw)
        assert r.returncode == 1, (r.returncode, r.stdout, r.stderr)
        message = r.stderr[r.stderr.rindex("error: ") + 7:]
        return message.replace(str(self.folder) + "/", "")

    def fails_with(self, body, **kw):
        """The message for a script whose image_preprocess has this body."""
        self.file("p.bmp")
        self.script("bad.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n" + textwrap.indent(textwrap.dedent(body), "    "))
        return self.fails("p.bmp", "bad.py", **kw)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


# ---- what -i names ----------------------------------------------------------------------------------------------------


def names(lines):
    return [w for line in lines for w in line.split()[1::2]]


def test_one_file(bench):
    bench.file("p.bmp")
    assert names(bench.good("p.bmp")) == ["p.bmp"]


def test_folder_in_byte_order_without_hidden_files_and_subfolders(bench):
    for n in ("b.bmp", "a.bmp", "B.bmp", ".hidden", "sub/c.bmp", "a10.bmp", "a2.bmp"):
        bench.file("pics/" + n)
    assert names(bench.good("pics")) == ["pics/B.bmp", "pics/a.bmp", "pics/a10.bmp", "pics/a2.bmp", "pics/b.bmp"]
    assert bench.good("pics") == bench.good("pics", jobs=1) == bench.good("pics", jobs=4)


@pytest.mark.parametrize("suffix", [".txt", ".list", ".LST"])
def test_list_counts_from_here_then_from_its_folder(bench, suffix):
    bench.file("here.bmp")
    bench.file("lists/there.bmp")
    bench.file("lists/a,b.bmp")
    bench.file("lists/l" + suffix, "\ufeffhere.bmp\r\n\r\n  there.bmp \r\na,b.bmp")
    assert names(bench.good("lists/l" + suffix)) == ["here.bmp", "lists/there.bmp", "lists/a,b.bmp"]


def test_list_for_two_inputs(bench):
    for n in "abcd":
        bench.file(n, n * 4)
    bench.file("l.txt", "a , b\nc,d\n")
    bench.script("second.py", GOOD.replace("/ 2", "/ 4"))
    lines = bench.good("l.txt", "good.py, second.py", inputs=2)
    assert names(lines) == ["a", "b", "c", "d"]
    assert lines != bench.good("l.txt", "second.py,good.py", inputs=2)


def test_pictures_that_are_not_there(bench):
    assert bench.fails("no.bmp") == "-i no.bmp: No such file or directory\n"
    bench.file("l.txt", "good.py\nno.bmp\n")
    assert bench.fails("l.txt") == ("l.txt:2: picture 'no.bmp': No such file or directory\n"
                                    "  paths count from the working directory, then from the list's folder\n")
    bench.file("l.txt", " \n\n")
    assert bench.fails("l.txt") == "l.txt: expected a list of paths, found no line with one\n"
    bench.file("l.txt", b"\0\1\2")
    assert bench.fails("l.txt") == ("l.txt: expected a list of paths, found a zero byte\n"
                                    "  names that end in .txt, .list and .lst are taken for lists of samples\n")
    bench.file("l.txt", "l.txt\n.\n")
    assert bench.fails("l.txt") == "l.txt:2: picture '.': expected a file, found a folder\n"
    (bench.folder / "empty").mkdir()
    assert bench.fails("empty") == "empty: expected pictures, found no file in the folder\n"


def test_several_inputs_need_a_list(bench):
    bench.file("a")
    bench.file("dir/a")
    form = "  write a list file, input_list.txt, with a line for each sample: /path/to/input1,/path/to/input2\n"
    assert bench.fails("a", "good.py,good.py", inputs=2) == "-i a is a single file, but the model has 2 inputs\n" + form
    assert bench.fails("dir", "good.py,good.py", inputs=2) == "-i dir is a folder, but the model has 2 inputs\n" + form
    bench.file("l.txt", "a,a\na\n")
    assert bench.fails("l.txt", "good.py,good.py", inputs=2) == "l.txt:2: expected 2 paths, one for each input of the model, found 1\n" + form


def test_as_many_scripts_as_inputs(bench):
    bench.file("a")
    bench.file("l.txt", "a,a\n")
    assert bench.fails("l.txt", inputs=2) == ("-n: expected 2 preprocessing scripts, one for each input of the model, found 1\n"
                                              "  separate them with commas, in the order of inputs in input_config.ini\n")
    assert bench.fails("a", "good.py,good.py").startswith("-n: expected 1 preprocessing script, one for each input of the model, found 2\n")


# ---- what scripts may do -------------------------------------------------------------------------------------------------


def test_norm_by_keyword_though_it_stands_third(bench):
    bench.file("p.bmp")
    bench.script("third.py", GOOD.replace("path, norm=True", "path, size=224, norm=True"))
    assert bench.good("p.bmp", "third.py") == bench.good("p.bmp")


def test_prints_and_children_do_not_disturb(bench):
    bench.file("p.bmp")
    bench.script("loud.py", "import os, subprocess, sys\nprint('module')\n" + textwrap.dedent(GOOD).replace("    data =", "    print('call'); sys.stdout.flush(); os.write(1, b'raw'); subprocess.run(['echo', 'child'])\n    data ="))
    assert bench.good("p.bmp", "loud.py") == bench.good("p.bmp")


def test_own_folder_comes_first_on_the_path(bench):
    bench.file("p.bmp")
    bench.script("deep/helper.py", "HALF = 2\n")
    bench.script("deep/pre.py", "from helper import HALF\nassert __name__ == 'pre'\n" + textwrap.dedent(GOOD).replace("/ 2", "/ HALF"))
    assert bench.good("p.bmp", "deep/pre.py") == bench.good("p.bmp")
    assert not (bench.folder / "deep/__pycache__").exists()


@pytest.mark.parametrize("convert", ["[:, :, :, ::-1]", ".astype(np.int64)", ".astype('>f4')", ".astype(np.uint32)", ".astype(np.float16)",
                                     ".transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3)", ".astype(np.uint64)", ".astype(np.float64)"])
def test_arrays_are_converted_where_no_value_changes(bench, convert):
    bench.file("p.bmp")
    bench.script("odd.py", GOOD.replace("else data", "else data" + convert))
    assert bench.good("p.bmp", "odd.py", norm=False) == bench.good("p.bmp", norm=False)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_in_any_script_and_with_blanks(bench, locale):
    bench.file("bilder/\u00fcber alles/\u56fe\u7247 1.bmp")
    bench.script("\u811a\u672c/vor verarbeitung-\u00e4.py", GOOD)
    env = {"LC_ALL": locale, "LANG": locale}
    lines = bench.good("bilder/\u00fcber alles", "\u811a\u672c/vor verarbeitung-\u00e4.py", env=env)
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["sample bilder/\u00fcber alles/\u56fe\u7247 1.bmp"]
    bench.script("\u811a\u672c/\u00e4.py", "def image_preprocess(p, norm=True):\n    raise ValueError('\u00fc ' + p)\n")
    assert bench.fails("bilder/\u00fcber alles/\u56fe\u7247 1.bmp", "\u811a\u672c/\u00e4.py", env=env) == (
        "\u811a\u672c/\u00e4.py:2: image_preprocess failed on picture 'bilder/\u00fcber alles/\u56fe\u7247 1.bmp': ValueError: \u00fc bilder/\u00fcber alles/\u56fe\u7247 1.bmp\n")


def test_a_script_may_read_options_standard_input_and_its_own_name(bench):
    bench.file("p.bmp")
    bench.script("odd.py", "import argparse, sys\nargparse.ArgumentParser().parse_args()\nassert sys.stdin.read() == ''\nif __name__ == '__main__':\n    sys.exit(1)\n"
                 + textwrap.dedent(GOOD))
    assert bench.good("p.bmp", "odd.py") == bench.good("p.bmp")


def test_empty_and_scalar_arrays(bench):
    bench.file("p.bmp")
    bench.script("empty.py", "import numpy as np\ndef image_preprocess(p, norm=True):\n    return np.zeros((1, 0, 2), np.float32)\n")
    assert len(bench.good("p.bmp", "empty.py", dims="1x0x2")) == 1
    assert "expected shape (1, 2, 2, 1) for input 'data', found (1, 0, 2)" in bench.fails("p.bmp", "empty.py")


def test_big_arrays_in_order_from_slow_and_fast_workers(bench):
    for i in range(9):
        bench.file("pics/%d.bmp" % i, b"%d" % i)
    bench.script("big.py", """
        import time, numpy as np
        def image_preprocess(path, norm=True):
            i = int(open(path).read())
            time.sleep(0.05 * (i % 3))
            return np.full((1, 1000, 1000), i, np.float32)
    """)
    lines = bench.good("pics", "big.py", dims="1x1000x1000", jobs=3)
    assert lines == bench.good("pics", "big.py", dims="1x1000x1000", jobs=1)
    assert len({line.split()[2] for line in lines}) == 9


# ---- what goes wrong ------------------------------------------------------------------------------------------------------


def test_script_missing(bench):
    bench.file("p.bmp")
    assert bench.fails("p.bmp", "no.py") == "no.py: cannot read the preprocessing script: No such file or directory\n"
    assert bench.fails("p.bmp", "/dev/null") == "/dev/null: expected a preprocessing script, found no regular file\n"
    assert bench.fails("p.bmp", ".") == ".: expected a preprocessing script, found a folder\n"


def test_script_does_not_load(bench):
    bench.file("p.bmp")
    bench.script("syntax.py", "def image_preprocess(path, norm=True):\n    return (\n")
    assert bench.fails("p.bmp", "syntax.py") == "syntax.py:2: SyntaxError: '(' was never closed\n"
    bench.script("throws.py", "import sys\n\nraise ValueError('no\\nway')\n")
    assert bench.fails("p.bmp", "throws.py") == "throws.py:3: ValueError: no way\n"
    bench.script("leaves.py", "import sys\nsys.exit(3)\n")
    assert bench.fails("p.bmp", "leaves.py") == "leaves.py:2: SystemExit: 3\n"
    bench.script("imports.py", "import no_such_module\n")
    assert bench.fails("p.bmp", "imports.py") == ("imports.py:1: ModuleNotFoundError: No module named 'no_such_module'\n"
                                                  "  install it for %s, or set SGS_PYTHON to an interpreter that has it\n" % sys.executable)
    bench.script("none.py", "preprocess = 1\n")
    assert bench.fails("p.bmp", "none.py") == "none.py: expected a function image_preprocess(img_path, norm=True), found none\n"
    bench.script("value.py", "image_preprocess = 1\n")
    assert bench.fails("p.bmp", "value.py") == "value.py: expected a function image_preprocess(img_path, norm=True), found int\n"


def test_the_second_script_is_named(bench):
    bench.file("p.bmp")
    bench.file("l.txt", "p.bmp,p.bmp\n")
    bench.script("bad.py", "import numpy as np\ndef image_preprocess(p, norm=True):\n    return np.zeros(1)[2]\n")
    assert bench.fails("l.txt", "good.py,bad.py", inputs=2) == (
        "bad.py:3: image_preprocess failed on picture 'p.bmp': IndexError: index 2 is out of bounds for axis 0 with size 1\n")


def test_script_throws(bench):
    assert bench.fails_with("return np.zeros(2) + np.zeros(3)") == (
        "bad.py:3: image_preprocess failed on picture 'p.bmp': ValueError: operands could not be broadcast together with shapes (2,) (3,)\n")


@pytest.mark.parametrize("body, said", [
    ("import sys; sys.exit(3)", "SystemExit: 3"), ("exit()", "NameError: name 'exit' is not defined"), ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("input()", "EOFError: EOF when reading a line"), ("bytearray(1 << 60)", "MemoryError"), ("return path.upper", None),
])
def test_script_ends_in_its_own_ways(bench, body, said):
    message = bench.fails_with(body)
    if said is None:
        assert message == "bad.py: image_preprocess returned builtin_function_or_method, expected a numpy.ndarray, for picture 'p.bmp'\n"
    elif "exit()" == body:  # there where the site module made it
        assert message.startswith("bad.py:3: image_preprocess failed on picture 'p.bmp': ")
    else:
        assert message == "bad.py:3: image_preprocess failed on picture 'p.bmp': %s\n" % said


def test_function_without_norm(bench):
    bench.file("p.bmp")
    bench.script("bad.py", "\ndef image_preprocess(path):\n    return None\n")
    assert bench.fails("p.bmp", "bad.py") == (
        "bad.py:2: image_preprocess failed on picture 'p.bmp': TypeError: image_preprocess() got an unexpected keyword argument 'norm'\n"
        "  it is called as image_preprocess(path, norm=True)\n")


@pytest.mark.parametrize("value, found", [
    ("None", "image_preprocess returned NoneType, expected a numpy.ndarray"),
    ("[[1]]", "image_preprocess returned list, expected a numpy.ndarray"),
    ("np.array([None])", "image_preprocess returned an array of object, expected numbers (uint8, int16, float32, ...)"),
    ("np.array(['a'])", "image_preprocess returned an array of <U1, expected numbers (uint8, int16, float32, ...)"),
    ("np.zeros(2, complex)", "image_preprocess returned an array of complex128, expected numbers (uint8, int16, float32, ...)"),
    ("np.zeros((1,) * 9)", "image_preprocess returned an array of 9 dimensions, expected at most 8"),
])
def test_script_returns_something_else(bench, value, found):
    assert bench.fails_with("return " + value) == "bad.py: %s, for picture 'p.bmp'\n" % found


@pytest.mark.parametrize("shape, hint", [
    ("(2, 4, 3)", "the first dimension is missing: return np.expand_dims(image, 0)"),
    ("(1, 3, 2, 4)", "the script returns NCHW, the model takes NHWC: return np.transpose(image, (0, 2, 3, 1)), or set input_layouts = NCHW in the ini"),
    ("(1, 4, 2, 3)", "height and width are swapped; a numpy picture is (height, width, channels), cv2.resize takes (width, height)"),
    ("(1, 2, 4, 1)", None),
])
def test_wrong_shape(bench, shape, hint):
    message = bench.fails_with("return np.zeros(%s, np.float32)" % shape, dims="1x2x4x3")
    assert message == ("bad.py: image_preprocess(norm=True): expected shape (1, 2, 4, 3) for input 'data', found %s for picture 'p.bmp'\n" % shape
                       + ("  %s\n" % hint if hint else ""))


def test_channels_last_for_a_model_of_channels_first(bench):
    assert bench.fails_with("return np.zeros((1, 2, 4, 3), np.float32)", dims="1x3x2x4") == (
        "bad.py: image_preprocess(norm=True): expected shape (1, 3, 2, 4) for input 'data', found (1, 2, 4, 3) for picture 'p.bmp'\n"
        "  the script returns NHWC, the model takes NCHW: return np.transpose(image, (0, 3, 1, 2)), or set input_layouts = NHWC in the ini\n")


def test_far_too_large(bench):
    assert bench.fails_with("return np.zeros((1 << 29) + 1)") == (
        "bad.py: image_preprocess returned 4294967304 bytes for picture 'p.bmp': too many for this machine\n")


def test_values_that_would_change(bench):
    what = "bad.py: image_preprocess(norm=%s): expected %s for input 'data', found %s with values from %s to %s, of which %s is no %s, for picture 'p.bmp'\n"
    integers = "  an array is converted only where no value changes\n"
    picture = "  with norm=False the script returns the picture as it is, uint8 from 0 to 255; the model normalizes it\n"
    assert bench.fails_with("return np.array([0, 0.5], np.float32)", dims="2", norm=False) == what % (False, "u8", "f32", 0, 0.5, 0.5, "u8") + picture
    assert bench.fails_with("return np.array([0, 256])", dims="2", norm=False) == what % (False, "u8", "s64", 0, 256, 256, "u8") + picture
    assert bench.fails_with("return np.array([-1, 7])", dims="2", norm=False) == what % (False, "u8", "s64", -1, 7, -1, "u8") + picture
    assert bench.fails_with("return np.array([0, 40000])", dims="2", norm=False, dtype="s16") == what % (False, "s16", "s64", 0, 40000, 40000, "s16") + integers
    assert bench.fails_with("return np.array([1e300, 0])", dims="2") == (
        what % (True, "f32", "f64", 0, "1e+300", "1.0000000000000001e+300", "f32") + "  return the array as float32: image.astype(np.float32)\n")
    assert bench.fails_with("return np.array([0.1, 2])", dims="2") == (
        what % (True, "f32", "f64", 0.1, 2, "0.10000000000000001", "f32") + "  return the array as float32: image.astype(np.float32)\n")
    assert bench.fails_with("return np.array([3, 0])", dims="2", norm=False, dtype="bool") == what % (False, "bool", "s64", 0, 3, 3, "bool") + integers
    assert bench.fails_with("return np.array([16777217, 0])", dims="2").startswith("bad.py: image_preprocess(norm=True): expected f32 for input 'data', found s64")
    assert bench.fails_with("return np.array([1, np.nan], np.float32)", dims="2") == (
        "bad.py: image_preprocess(norm=True): expected numbers for input 'data', found NaN for picture 'p.bmp'\n")
    assert bench.fails_with("return np.array([1, -np.inf])", dims="2").endswith("found infinity for picture 'p.bmp'\n")


# ---- processes --------------------------------------------------------------------------------------------------------------


def test_hang(bench):
    start = time.time()
    assert bench.fails_with("while True: pass", timeout=1) == (
        "bad.py: nothing came back from image_preprocess within 1 s for picture 'p.bmp'\n  a longer time: --preprocess_timeout SECONDS\n")
    assert time.time() - start < 10


@pytest.mark.parametrize("how, said, hint", [
    ("import os; os.kill(os.getpid(), 9)", "the preprocessing process was killed by signal 9 (Killed) at picture 'p.bmp'", "  often the system is out of memory: try a smaller --num_process\n"),
    ("import os; os.kill(os.getpid(), 11)", "the preprocessing process was killed by signal 11 (Segmentation fault) at picture 'p.bmp'", ""),
    ("import os; os._exit(7)", "the preprocessing process ended with exit status 7 at picture 'p.bmp'", "  the interpreter is '%s'; set SGS_PYTHON to use another\n" % sys.executable),
])
def test_worker_dies(bench, how, said, hint):
    assert bench.fails_with(how) == "bad.py: %s\n" % said + hint


def test_script_that_writes_everywhere(bench):
    message = bench.fails_with("""
        import os
        for fd in range(3, 64):
            try:
                os.write(fd, b"x" * 64)
            except OSError:
                pass
        return np.zeros((1, 2, 2, 1), np.float32)
    """)
    assert message == ("bad.py: the preprocessing process sent something else than an array for picture 'p.bmp'\n"
                       "  does the script write to file descriptors it has not opened?\n")


def test_interpreter_missing(bench):
    bench.file("p.bmp")
    assert bench.fails("p.bmp", env={"SGS_PYTHON": "/no/python"}) == (
        "cannot start the Python interpreter '/no/python': No such file or directory\n"
        "  set SGS_PYTHON to the interpreter that your preprocessing script runs with\n")
    assert bench.fails("p.bmp", env={"SGS_PYTHON": "true"}) == (
        "good.py: the preprocessing process ended with exit status 0 at picture 'p.bmp'\n  the interpreter is 'true'; set SGS_PYTHON to use another\n")


def test_interpreter_without_numpy(bench):
    bench.file("p.bmp")
    bench.script("path/numpy.py", "raise ImportError('gone')\n")
    message = bench.fails("p.bmp", env={"PYTHONPATH": str(bench.folder / "path")})
    assert message == ("%s cannot import numpy (ImportError: gone)\n  install it with '%s -m pip install numpy', or set SGS_PYTHON to an interpreter that "
                       "has it\n" % (sys.executable, sys.executable))


def test_virtual_environment_is_taken(bench):
    bench.file("p.bmp")
    bench.script("venv/bin/python3", '#!/bin/sh\necho mine >&2\nexec "%s" "$@"\n' % sys.executable)
    os.chmod(bench.folder / "venv/bin/python3", 0o755)
    r = bench.run("p.bmp", env={"SGS_PYTHON": "", "VIRTUAL_ENV": str(bench.folder / "venv")})
    assert r.returncode == 0 and "mine" in r.stderr


# ---- the preflight: does the script normalize as the ini says? ---------------------------------------------------------------


def preflight(bench, ini, script, dims="1x6x5x3", images="p.npy"):
    bench.script("picture.py", """
        import numpy as np
        def raw(dims):
            return np.random.default_rng(1).integers(0, 256, dims).astype(np.uint8)
        def line(image, mean, std):
            return ((image - np.array(mean)) / np.array(std)).astype(np.float32)
    """)
    bench.script("s.py", "import numpy as np\nfrom picture import raw, line\n" + textwrap.dedent(script))
    bench.file("p.npy")
    inputs = "a,b" if "," in ini else "a"
    bench.file("i.ini", "[INPUT_CONFIG]\ninputs=%s\n%s\n[OUTPUT_CONFIG]\noutputs=p\n" % (inputs, ini.replace(";", "\n")))
    return [line.replace("warning: ", "", 1) for line in bench.good(images, "s.py,s.py" if "," in ini else "s.py", dims=dims, extra=["-p", "i.ini"])]


LINE = "def image_preprocess(p, norm=True):\n    x = raw((1, 6, 5, 3))\n    return line(x, %s, %s) if norm else x\n"
SEES = "; a fixed-point model will see other pictures than the float model"


@pytest.mark.parametrize("ini, script", [
    ("input_formats=RGB;mean=10:20:30;std_value=50:60:70", LINE % ([10, 20, 30], [50, 60, 70])),
    ("input_formats=BGR;mean=10:20:30;std_value=50:60:70", LINE % ([30, 20, 10], [70, 60, 50])),
    ("training_input_formats=RGB;input_formats=BGR;mean=127.5;std_value=127.5", LINE % (127.4, 127.6)),
    ("input_formats=GRAY;mean=33.318;std_value=1", "def image_preprocess(p, norm=True):\n    x = raw((1, 6, 5, 1))\n    return line(x, 33.318, 1) if norm else x\n"),
    ("input_formats=RGB;mean=10:20:30;std_value=50:60:70;input_layouts=NCHW", (LINE % ([10, 20, 30], [50, 60, 70])).replace("return line(x", "return (line(x").replace(
        " if norm else x", " if norm else x).transpose(0, 3, 1, 2)")),
    ("input_formats=RAWDATA_F32_NHWC", "def image_preprocess(p, norm=True):\n    return None\n"),
    ("input_formats=RGB;mean=10;std_value=50", "def image_preprocess(p, norm=True):\n    return np.full((1, 6, 5, 3), 7 if norm else 8, np.uint8)\n"),
])
def test_preflight_has_nothing_to_say(bench, ini, script):
    dims = "1x6x5x1" if "GRAY" in ini else "1x3x6x5" if "NCHW" in ini else "1x6x5x3"
    assert preflight(bench, ini, script, dims) == []


@pytest.mark.parametrize("ini, script, numbers", [
    ("input_formats=RGB;mean=0;std_value=1", LINE % ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]), "mean=123.675:116.28:103.53; std_value=58.395:57.12:57.375"),
    ("input_formats=BGR;mean=30:20:10;std_value=1", LINE % ([30, 20, 10], 1), "mean=10:20:30; std_value=1:1:1"),
    ("input_formats=RGB;mean=127.5;std_value=255", LINE % (0, 255), "mean=0:0:0; std_value=255:255:255"),
    ("input_formats=RGB;mean=10;std_value=2", LINE % (0, 1), "mean=0:0:0; std_value=1:1:1"),
    ("input_formats=RGB;mean=0;std_value=1", LINE % (0, 255), "mean=0:0:0; std_value=255:255:255"),  # numbers from 0 to 1
])
def test_preflight_finds_other_numbers(bench, ini, script, numbers):
    assert preflight(bench, ini, script) == ["s.py normalizes input 'a' with other numbers than the ini: they look like %s%s" % (numbers, SEES)]


def test_preflight_finds_what_no_numbers_explain(bench):
    for change in ("[:, :, :, ::-1]", "[:, ::-1]", "** 2"):
        assert preflight(bench, "input_formats=RGB;mean=0;std_value=1", (LINE % (0, 1)).replace("if norm", change + " if norm")) == [
            "s.py: with norm=True the picture for input 'a' is not (norm=False - mean) / std_value with any mean and std_value" + SEES]


def test_preflight_needs_norm_false_but_goes_on(bench):
    said = preflight(bench, "input_formats=RGB;mean=0;std_value=1", (LINE % (0, 1)).replace("else x", "else x.numpy()"))
    assert said == ["fixed and offline models need norm=False, which fails: s.py: image_preprocess failed on picture 'p.npy': "
                    "AttributeError: 'numpy.ndarray' object has no attribute 'numpy'"]


def test_preflight_numbers_from_0_to_1_with_norm_false(bench):
    (said,) = preflight(bench, "input_formats=RGB;mean=0;std_value=255", (LINE % (0, 255)).replace("else x", "else (x / 255).astype(np.float32)"))
    assert said.startswith("fixed and offline models need norm=False, which fails: s.py: image_preprocess(norm=False): expected u8 for input 'data', found f32 with "
                           "values from 0")


# ---- the preflight: colours and axes beside the picture files -----------------------------------------------------------------

READ = """
    import cv2
    import numpy as np
    def image_preprocess(p, norm=True):
        x = %s
        return ((x - 127.5) / 127.5).astype(np.float32) if norm else x
"""
IMAGE = "cv2.imread(p)[None]"  # B, G, R
INI = "training_input_formats=%s;input_formats=%s;mean=127.5;std_value=127.5;input_layouts=%s"


def photographs(bench, seed=3, grey=False, name="%d.png"):
    """Smooth, with regions of different colours; a little noise."""
    (bench.folder / "photos").mkdir(exist_ok=True)
    for i in range(6):
        r = np.random.default_rng(seed + i)
        image = cv2.resize(r.integers(0, 256, (5, 6, 3), np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
        image = np.clip(image + r.integers(-3, 4, image.shape), 0, 255).astype(np.uint8)
        image = np.repeat(image[..., :1], 3, 2) if grey else image
        if name.endswith("npy"):
            np.save(bench.folder / "photos" / (name % i), image)
        else:
            cv2.imwrite(str(bench.folder / "photos" / (name % i)), image)


def looks(bench, formats, layout, image, dims=None):
    return preflight(bench, INI % (formats, formats, layout), READ % image, dims or ("1x48x64x3" if layout == "NHWC" else "1x3x48x64"), "photos")


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("formats, layout, image", [
    ("RGB", "NHWC", IMAGE + "[..., ::-1]"), ("BGR", "NHWC", IMAGE), ("RGB", "NCHW", IMAGE + "[..., ::-1].transpose(0, 3, 1, 2)"),
    ("BGR", "NCHW", IMAGE + ".transpose(0, 3, 1, 2)"),
    ("RGB", "NHWC", "cv2.resize(cv2.imread(p)[6:42, 8:56], (64, 48))[None, ..., ::-1]"),  # as scripts crop
])
def test_pictures_as_their_files_are_silent(bench, formats, layout, image, grey):
    photographs(bench, grey=grey)
    assert looks(bench, formats, layout, image) == []


@pytest.mark.parametrize("formats, layout, image", [("RGB", "NHWC", IMAGE), ("BGR", "NHWC", IMAGE + "[..., ::-1]"), ("RGB", "NCHW", IMAGE + ".transpose(0, 3, 1, 2)")])
def test_red_and_blue_exchanged(bench, formats, layout, image):
    photographs(bench)
    other = {"RGB": "BGR", "BGR": "RGB"}[formats]
    assert looks(bench, formats, layout, image) == [
        "s.py: in the picture for input 'a' red and blue are exchanged against the files, as training_input_formats=%s is not what the script returns; "
        "if the network was trained so, set it to %s" % (formats, other)]


def test_colours_of_files_that_say_nothing(bench):
    """Grey pictures have no colours to exchange; of arrays in files nobody knows the order."""
    photographs(bench, grey=True)
    assert looks(bench, "RGB", "NHWC", IMAGE) == []
    for f in (bench.folder / "photos").iterdir():
        f.unlink()
    photographs(bench, name="%d.npy")
    assert looks(bench, "RGB", "NHWC", "np.load(p)[None]") == []


@pytest.mark.parametrize("layout, image", [("NCHW", IMAGE + "[..., ::-1].reshape(1, 3, 48, 64)"), ("NHWC", IMAGE + "[..., ::-1].transpose(0, 3, 1, 2).reshape(1, 48, 64, 3)")])
def test_axes_reshaped_instead_of_transposed(bench, layout, image):
    photographs(bench)
    assert looks(bench, "RGB", layout, image) == [
        "s.py: the picture for input 'a' looks like N,H,W,C and N,C,H,W taken for each other: np.reshape keeps the order of the elements, np.transpose moves the axes"]


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=10):
    until = time.time() + seconds
    while not condition() and time.time() < until:
        time.sleep(0.02)
    return condition()


def test_workers_die_with_a_killed_tool(bench):
    """Not even SIGKILL leaves a worker behind, though it never returns to us."""
    bench.file("p.bmp")
    bench.script("stuck.py", "import os\ndef image_preprocess(p, norm=True):\n    open('pid', 'w').write('%d\\n' % os.getpid())\n    while True: pass\n")
    tool = subprocess.Popen([TOOL, "1", "1", "f32", "1", "-i", "p.bmp", "-n", "stuck.py"], cwd=bench.folder, env={**os.environ, "SGS_PYTHON": sys.executable})
    pidfile = bench.folder / "pid"
    assert wait_for(lambda: pidfile.exists() and pidfile.read_text().endswith("\n"))
    worker = int(pidfile.read_text())
    assert alive(worker)
    tool.send_signal(signal.SIGKILL)
    tool.wait()
    assert wait_for(lambda: not alive(worker))


def test_nothing_of_the_script_stays_behind(bench):
    bench.file("p.bmp")
    bench.script("child.py", "import subprocess\n" + textwrap.dedent(GOOD).replace(
        "    data =", "    open('pid', 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n    data ="))
    bench.good("p.bmp", "child.py")
    assert wait_for(lambda: not alive(int((bench.folder / "pid").read_text())))


@pytest.mark.parametrize("answered", [False, True])
def test_a_worker_whose_toolchain_leaves_says_nothing(bench, answered):
    """The socket is closed before an answer is written, or with an answer in it that nobody read: an ordinary end, no traceback."""
    source = "".join((pathlib.Path(__file__).parents[2] / "src/preprocess" / part).read_text() for part in ("frames.py", "worker.py"))
    bench.script("slow.py", GOOD + "\n    import time\n    time.sleep(%s)\n" % ("0" if answered else "0.5"))
    picture = bench.file("p.bmp").encode()
    ours, its = socket.socketpair()
    life = os.pipe()
    worker = subprocess.Popen([sys.executable, "-c", source, str(its.fileno()), str(life[0]), "1", "slow.py"], cwd=bench.folder, stderr=subprocess.PIPE,
                              pass_fds=(its.fileno(), life[0]))
    its.close()
    ours.sendall(struct.pack("<I", len(picture)) + picture)
    if answered:
        assert ours.recv(1, socket.MSG_PEEK) == b"S"
    ours.close()
    assert worker.communicate(timeout=30)[1] == b"" and worker.returncode == 0
    for end in life:
        os.close(end)
