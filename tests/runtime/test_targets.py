"""The runtime core on other machines: freestanding, AArch64, RISC-V, Cortex-M with and without FPU.  The same bytes come out everywhere."""
import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from machines import ARMV7, BOARDS, BUILD, CPUS, VECTORS, cortex_program, cross_build, emulated, hashes, need, objects, on_board, run  # noqa: E402

MEM = {"memcpy", "memmove", "memset"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The hand-made image, its inputs, and what this machine makes of them with the C kernels."""
    folder = tmp_path_factory.mktemp("image")
    image, inputs = folder / "net.img", folder / "inputs.bin"
    run(BUILD / "tests/runtime/make_image", image, inputs)
    expected = hashes(run(BUILD / "tests/runtime/run_image", image, inputs, "c"))
    assert len(expected) == 3 and len(set(expected)) == 3
    return image, inputs, expected


# ---- here ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["0", "1", "3", "5", "7", "100", "300", "700", "10000", "ffffffff"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_mask_and_thread_count(made, mask, threads):
    image, inputs, expected = made
    assert hashes(run(BUILD / "tests/runtime/run_image", image, inputs, mask, threads)) == expected


def test_an_input_changes_the_output(made, tmp_path):
    image, inputs, expected = made
    other = bytearray(inputs.read_bytes())
    other[17 * 13 * 3 // 2] ^= 0x80
    (tmp_path / "other.bin").write_bytes(other)
    assert hashes(run(BUILD / "tests/runtime/run_image", image, tmp_path / "other.bin", "c")) != expected


# ---- freestanding ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["gcc", "clang", "clang-14", "aarch64-linux-gnu-gcc", "riscv64-linux-gnu-gcc", "arm-none-eabi-gcc", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb"])
def test_wants_only_memory_functions(tmp_path, command):
    compiler, *flags = command.split()
    need(compiler)
    parts = objects(tmp_path, compiler, *flags, "-ffreestanding", "-fno-stack-protector", "-fno-pic")
    run(compiler, *flags, "-nostdlib", "-r", "-o", tmp_path / "core.o", *parts)
    wanted = {line.split()[-1] for line in run("nm", "-u", tmp_path / "core.o").splitlines() if line.split()}
    assert {w for w in wanted if not w.startswith("__")} <= MEM
    kept = re.findall(r"^\S* [BbDdCGgSs] [^$].*$", run("nm", tmp_path / "core.o"), re.M)  # $d marks data for the assembler
    assert not kept, "mutable state: %s" % kept


# ---- AArch64, RISC-V, 32-bit ARM ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine, kernel", [("aarch64", "ipu_conv_u8_i8mm"), ("aarch64-clang", "ipu_conv_u8_i8mm"), ("riscv64-clang", "ipu_conv_u8_rvv"), ("armv7", "ipu_conv_u8_dsp")])
def test_their_kernels_want_only_memory_functions(machine, kernel):
    core = cross_build(machine, "runtime/libipu.a") / "runtime/libipu.a"
    text = run("nm", core)
    wanted = set(re.findall(r"^ +U (\S+)$", text, re.M)) - set(re.findall(r"^\S+ [A-TV-Za-z] (\S+)$", text, re.M)) - {"_GLOBAL_OFFSET_TABLE_"}
    assert kernel in text and {w for w in wanted if not w.startswith("__")} == MEM
    assert not re.findall(r"^\S* [BbC] [^$].*$", text, re.M)  # D: tables of pointers, constant once loaded


@pytest.mark.parametrize("mask", ["c", "ffffffff"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cpu", CPUS.values())
def test_aarch64(made, cpu, threads, mask):
    image, inputs, expected = made
    program = cross_build("aarch64", "tests/runtime/run_image") / "tests/runtime/run_image"
    assert hashes(emulated(cpu, program, image, inputs, mask, threads)) == expected


@pytest.mark.parametrize("machine, mask", [("riscv64", "c"), ("riscv64-clang", "c"), ("riscv64-clang", "ffffffff")])
@pytest.mark.parametrize("bits", VECTORS)
def test_riscv64(made, bits, machine, mask):
    image, inputs, expected = made
    program = cross_build(machine, "tests/runtime/run_image") / "tests/runtime/run_image"
    assert hashes(emulated(VECTORS[bits], program, image, inputs, mask, 2)) == expected


@pytest.mark.parametrize("mask", ["c", "ffffffff"])
def test_armv7(made, mask):
    image, inputs, expected = made
    program = cross_build("armv7", "tests/runtime/run_image") / "tests/runtime/run_image"
    assert hashes(emulated(ARMV7["dsp"], program, image, inputs, mask, 2)) == expected


# ---- Cortex-M -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled(made, tmp_path_factory):
    """The same network through the compiler's last steps: fused, planned, with the list of its kernels."""
    program = BUILD / "tests/unit/make_program"
    if not program.exists():
        pytest.skip("built without the toolchain")
    folder = tmp_path_factory.mktemp("compiled")
    run(program, folder / "net.img", folder / "net_kernels.c")
    expected = hashes(run(BUILD / "tests/runtime/run_image", folder / "net.img", made[1], "c"))
    return folder / "net.img", folder / "net_kernels.c", expected


@pytest.mark.parametrize("mask", ["0", "1", "ffffffff"])
def test_compiled_image_on_every_mask(made, compiled, mask):
    assert hashes(run(BUILD / "tests/runtime/run_image", compiled[0], made[1], mask, 2)) == compiled[2]


def test_other_compiler_writes_the_same_image(compiled, tmp_path):
    other = os.environ.get("OPENIPU_OTHER_BUILD")
    if not other:
        pytest.skip("OPENIPU_OTHER_BUILD names no second build folder")
    run(pathlib.Path(other) / "tests/unit/make_program", tmp_path / "net.img", tmp_path / "net_kernels.c")
    for mine in compiled[:2]:
        assert mine.read_bytes() == (tmp_path / mine.name).read_bytes()


@pytest.mark.parametrize("cpu", BOARDS)
def test_cortex_m(made, tmp_path, cpu):
    image, inputs, expected = made
    program, size = cortex_program(tmp_path, cpu, image, inputs)
    print("%s: %d bytes of code and tables with every kernel" % (cpu, size))
    assert hashes(on_board(cpu, program)) == expected
    assert size < 100 * 1024


@pytest.mark.parametrize("cpu", BOARDS)
def test_cortex_m_with_just_its_kernels(made, compiled, tmp_path, cpu):
    program, size = cortex_program(tmp_path, cpu, compiled[0], made[1], compiled[1])
    print("%s: %d bytes of code and tables with the image's own kernels" % (cpu, size))
    assert hashes(on_board(cpu, program)) == compiled[2]
    linked = run("arm-none-eabi-nm", program)
    assert ("ipu_conv_u8_dsp" in linked, "ipu_conv_u8_c" in linked) == ((False, True) if cpu == "cortex-m3" else (True, False))


def test_dsp_instructions_pay(made, tmp_path):
    """Thousands of instructions of a run on Cortex-M4, as SysTick counts them when each takes a nanosecond."""
    image, inputs, expected = made
    took = {}
    for table in (None, "ipu_kernels_c"):
        program, _ = cortex_program(tmp_path, "cortex-m4f", image, inputs, table=table)
        text = on_board("cortex-m4f", program, "-icount", "shift=0")
        assert hashes(text) == expected
        took[table] = int(re.search(r"^clock (\d+)$", text, re.M).group(1))
    print("cortex-m4f: %d thousand instructions, %d with the C kernels" % tuple(took.values()))
    assert 0 < took[None] * 2 < took["ipu_kernels_c"]
