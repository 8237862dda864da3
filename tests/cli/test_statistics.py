"""--stats-out and --stats-merge: parts calibrated apart are the whole, byte for byte; files that are not whole, or not of this model, are refused."""
import hashlib
import re
import struct

import pytest

from support import Project, small_model

CALIBRATE = ("calibrate", "--input_config", "input_config.ini", "-m")
LEVELS = ("L1", "L2", "L3", "L4", "L5")
HEAD = 184
HASH = 32


def gather(p, model, lines, out, *more):
    p.write("part.txt", "".join("pics/%d.npy\n" % i for i in lines))
    return p.good(*CALIBRATE, model, "-i", "part.txt", "-n", "preprocess.py", "--stats-out", out, *more)


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("stats"), pictures=24)
    p.good("convert-tool", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "m_float.sim")
    small_model(p.folder / "other.onnx", seed=2)
    p.good("convert-tool", "onnx", "--model_file", "other.onnx", "--input_config", "input_config.ini", "--output_file", "other_float.sim")
    gather(p, "m_float.sim", range(3, 13), "a.stats")
    gather(p, "m_float.sim", [23, 22, 21, *range(13, 21)], "b.stats", "--num_process", "3")
    gather(p, "m_float.sim", [0, 2, 1], "c.stats")
    return p


def merged(p, files, *more, out="merged.sim"):
    text = p.good(*CALIBRATE, "m_float.sim", "--stats-merge", *files, "-o", out, *more)
    return text, p.bytes(out)


@pytest.mark.parametrize("level", LEVELS)
def test_parts_are_the_whole(p, level):
    p.good(*CALIBRATE, "m_float.sim", "-i", "pics", "-n", "preprocess.py", "-o", "whole.sim", "--quant_level", level)
    whole = p.bytes("whole.sim")
    text, found = merged(p, ["a.stats", "b.stats", "c.stats"], "--quant_level", level)
    assert found == whole and "b.stats: 11 samples\n" in text and "wrote merged.sim\n" in text
    assert merged(p, ["c.stats", "b.stats", "a.stats"], "--quant_level", level)[1] == whole
    assert merged(p, ["a.stats", "b.stats"], "--quant_level", level)[1] != whole


@pytest.mark.parametrize("level", LEVELS)
def test_less_memory_is_the_same_model(p, level):
    plain = merged(p, ["a.stats", "b.stats"], "--quant_level", level)[1]
    text, found = merged(p, ["a.stats", "b.stats"], "--quant_level", level, "--memory_saving")
    assert found == plain
    assert ("--memory_saving: no layers are weighed here; there is nothing to save\n" in text) == (level == "L1")


@pytest.mark.parametrize("level", LEVELS[1:])
def test_any_number_of_threads_makes_the_same_model(p, level):
    """Of the same statistics: what a level weighs, tries and rounds is shared between so many."""
    logs, found = zip(*(merged(p, ["a.stats", "b.stats"], "--quant_level", level, "--num_process", n) for n in ("1", "2", "3", "16")))
    assert len(set(found)) == 1
    assert len({re.sub(r" in [0-9.]+ s", "", log) for log in logs}) == 1


def test_the_file_itself(p):
    """Merged to a file, in any order, by any number of processes: the bytes of one run."""
    gather(p, "m_float.sim", range(24), "whole.stats", "--num_process", "1")
    text = p.good(*CALIBRATE, "m_float.sim", "--stats-merge", "b.stats", "c.stats", "a.stats", "--stats-out", "sum.stats")
    assert "Gather statistics OK.\nwrote sum.stats\n" in text
    assert p.bytes("sum.stats") == p.bytes("whole.stats")
    gather(p, "m_float.sim", reversed(range(24)), "backwards.stats", "--num_process", "4")
    assert p.bytes("backwards.stats") == p.bytes("whole.stats")


def test_a_file_twice(p):
    r = p.sgs(*CALIBRATE, "m_float.sim", "--stats-merge", "a.stats", "a.stats", "-o", "twice.sim")
    assert r.returncode == 0 and "warning: 10 of the 20 samples were there before: is a file given twice?\n" in r.stderr
    r = p.sgs(*CALIBRATE, "m_float.sim", "--stats-merge", "c.stats", "-o", "few.sim")
    assert "warning: 3 pictures to calibrate with; about 100 give better ranges\n" in r.stderr


@pytest.mark.parametrize("args, message", [
    (("--stats-merge", "a.stats", "-i", "pics", "-n", "preprocess.py"), "--stats-merge takes the place of -i and -n: expected one of the two\n"),
    (("-i", "pics"), "expected pictures and scripts, -i and -n, or statistics of them, --stats-merge\n"),
    (("--stats-merge", "a.stats", "--stats-out", "x.stats", "-o", "x.sim"), "--stats-out writes statistics and makes no model: expected no -o\n"),
    (("--stats-merge", "a.stats", "--quant_file", "q.json"), "--quant_file does not go with statistics in files: expected pictures and a model\n"),
    (("--stats-merge",), "--stats-merge: expected a value behind it\n  sgs calibrate -h lists the options\n"),
    (("--stats-merge", "a.stats", ""), "--stats-merge: expected a value, found nothing\n  sgs calibrate -h lists the options\n"),
])
def test_options_that_do_not_go_together(p, args, message):
    before = p.files()
    r = p.sgs(*CALIBRATE, "m_float.sim", *args)
    assert (r.returncode, r.stderr) == (2, "error: " + message) and p.files() == before


def sealed(data):
    """With the hash that belongs there."""
    return data[:-HASH] + hashlib.sha256(data[:-HASH]).digest()


def refused(p, data, message, code=1, model="m_float.sim"):
    (p.folder / "bad.stats").write_bytes(data)
    before = p.files()
    r = p.sgs(*CALIBRATE, model, "--stats-merge", "bad.stats", "-o", "bad.sim")
    assert (r.returncode, r.stderr[:len(message) + 18]) == (code, "error: bad.stats: " + message) and p.files() == before
    return r.stderr[len(message) + 18:]


def test_damaged_files(p):
    good = p.bytes("a.stats")
    refused(p, b"", "expected statistics as --stats-out writes them, found another kind of file\n")
    refused(p, p.bytes("m_float.sim"), "expected statistics as --stats-out writes them, found another kind of file\n")
    refused(p, good[:-1], "expected %d bytes, found %d: the file is not whole\n" % (len(good), len(good) - 1))
    refused(p, good[:8] + struct.pack("<I", 7) + good[12:], "expected statistics of version 2, found version 7\n")
    for at in (HEAD, len(good) // 2, len(good) - 1):
        flipped = bytearray(good)
        flipped[at] ^= 16
        refused(p, bytes(flipped), "the file is damaged: its bytes do not have the hash that stands at its end\n")


def test_statistics_of_others(p):
    good = p.bytes("a.stats")
    rest = refused(p, good, "these are statistics of another model: expected SHA-256 %s..., found %s...\n" % tuple(
        hashlib.sha256(p.bytes(f)).hexdigest()[:16] for f in ("other_float.sim", "m_float.sim")), model="other_float.sim")
    assert rest == "  the same float model, byte for byte, calibrates on every machine: other_float.sim\n"
    ours = good[48:176].rstrip(b"\0").decode()
    rest = refused(p, sealed(good[:48] + b"another library".ljust(128, b"\0") + good[176:]),
                   "these statistics come from another evaluator: expected '%s', found 'another library'\n" % ours)
    assert rest == "  float numbers differ between libraries and processors: calibrate on machines of one kind\n"


def test_wrong_bytes_with_the_right_hash(p):
    """Any word of the statistics put out of place: refused, or a model of numbers that could be."""
    good = p.bytes("c.stats")
    body = HEAD + 8 + 3 * HASH + 3 * 4 * 16 * 16 * 3  # behind the samples
    for at in [HEAD, HEAD + 8, *range(body, min(len(good) - HASH - 8, body + 1200), 8)]:
        for word in (0, (1 << 64) - 1, 1 << 62, 0x7ff0000000000000):
            data = sealed(good[:at] + struct.pack("<Q", word) + good[at + 8:])
            (p.folder / "odd.stats").write_bytes(data)
            r = p.sgs(*CALIBRATE, "m_float.sim", "--stats-merge", "odd.stats", "-o", "odd.sim", "--quant_level", "L1")
            assert r.returncode == 0 or "error: odd.stats: these are not the statistics of this model\n" in r.stderr, (at, word, r.stderr)
            assert r.returncode in (0, 1)
