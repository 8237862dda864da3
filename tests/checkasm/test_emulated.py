"""checkasm on other machines: each table of kernels on a CPU that has no more than it, byte for byte as the C kernels."""
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from machines import CPUS, cross_build, emulated  # noqa: E402

PROGRAM = "tests/checkasm/checkasm"
CASES = [("aarch64", mask) for mask in CPUS] + [("aarch64-clang", "dotprod"), ("aarch64-clang", "i8mm")]  # NEON alone takes the longest


@pytest.mark.parametrize("machine, mask", CASES)
def test_aarch64(machine, mask):
    text = emulated(CPUS[mask], cross_build(machine, PROGRAM) / PROGRAM, "--mask", mask)
    tested = re.findall(r"^(\S+) +%s +(\d+) cases: ok$" % mask, text, re.M)
    print("%s, %s: %d kernels" % (machine, mask, len(tested)))
    assert "CONV_U8" in dict(tested) and all(int(n) > 100 for _, n in tested)


def test_a_cpu_runs_no_table_that_it_lacks():
    done = cross_build("aarch64", PROGRAM) / PROGRAM
    text = emulated(CPUS["neon"], done, "--kernel", "CLAMP")
    assert "this CPU cannot run dotprod" in text and "this CPU cannot run i8mm" in text and "this CPU cannot run neon" not in text
