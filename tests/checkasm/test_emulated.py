"""checkasm on other machines: each table of kernels on a CPU that has no more than it, byte for byte as the C kernels."""
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from machines import ARMV7, CPUS, VECTORS, cross_build, emulated  # noqa: E402

PROGRAM = "tests/checkasm/checkasm"
CASES = [("aarch64", mask) for mask in CPUS] + [("aarch64-clang", "dotprod"), ("aarch64-clang", "i8mm")]  # NEON alone takes the longest


def all_equal(machine, cpu, mask):
    text = emulated(cpu, cross_build(machine, PROGRAM) / PROGRAM, "--mask", mask)
    tested = re.findall(r"^(\S+) +%s +(\d+) cases: ok$" % mask, text, re.M)
    print("%s, %s: %d kernels" % (machine, mask, len(tested)))
    assert "CONV_U8" in dict(tested) and all(int(n) > 100 for _, n in tested)


@pytest.mark.parametrize("machine, mask", CASES)
def test_aarch64(machine, mask):
    all_equal(machine, CPUS[mask], mask)


@pytest.mark.parametrize("mask", ARMV7)
def test_armv7(mask):
    """The instructions of microcontrollers."""
    all_equal("armv7", ARMV7[mask], mask)


@pytest.mark.parametrize("bits", VECTORS)
def test_riscv64(bits):
    all_equal("riscv64-clang", VECTORS[bits], "rvv")


def test_a_cpu_runs_no_table_that_it_lacks():
    done = cross_build("aarch64", PROGRAM) / PROGRAM
    text = emulated(CPUS["neon"], done, "--kernel", "CLAMP")
    assert "this CPU cannot run dotprod" in text and "this CPU cannot run i8mm" in text and "this CPU cannot run neon" not in text
    done = cross_build("riscv64-clang", PROGRAM) / PROGRAM
    assert "this CPU cannot run rvv" in emulated("rv64", done, "--kernel", "CLAMP")
    assert "this CPU cannot run rvv" not in emulated(VECTORS[128], done, "--kernel", "CLAMP")
