"""The runtime core on other machines: freestanding, aarch64, Cortex-M with and without FPU.  The same bytes come out everywhere.

OPENIPU_BUILD is the build folder; what a machine lacks (a cross compiler, an emulator) is skipped by name."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OPENIPU_BUILD", ROOT / "build"))
CORE = sorted((ROOT / "runtime").glob("*.c")) + sorted((ROOT / "runtime/kernels").glob("*.c"))
INCLUDE = ["-I%s" % ROOT, "-I%s" % (ROOT / "include")]
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
MEM = {"memcpy", "memmove", "memset"}


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip("%s is not installed" % tool)


def run(*command, timeout=120):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    assert done.returncode == 0, "%s\n%s" % (" ".join(map(str, command)), done.stdout)
    return done.stdout


def hashes(text):
    return re.findall(r"^output .*$", text, re.M)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The hand-made image, its inputs, and what this machine makes of them with the C kernels."""
    folder = tmp_path_factory.mktemp("image")
    image, inputs = folder / "net.img", folder / "inputs.bin"
    run(BUILD / "tests/runtime/make_image", image, inputs)
    expected = hashes(run(BUILD / "tests/runtime/run_image", image, inputs, "c"))
    assert len(expected) == 3 and len(set(expected)) == 3
    return image, inputs, expected


def objects(folder, compiler, *flags):
    out = []
    for source in CORE:
        out.append(folder / (source.stem + ".o"))
        run(compiler, *FLAGS, *flags, *INCLUDE, "-c", source, "-o", out[-1])
    return out


# ---- here ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["0", "1", "3", "5", "7", "100", "300", "700", "ffffffff"])
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


@pytest.mark.parametrize("compiler", ["gcc", "clang", "clang-14", "aarch64-linux-gnu-gcc", "arm-none-eabi-gcc"])
def test_wants_only_memory_functions(tmp_path, compiler):
    need(compiler)
    parts = objects(tmp_path, compiler, "-ffreestanding", "-fno-stack-protector", "-fno-pic")
    run(compiler, "-nostdlib", "-r", "-o", tmp_path / "core.o", *parts)
    wanted = {line.split()[-1] for line in run("nm", "-u", tmp_path / "core.o").splitlines() if line.split()}
    assert {w for w in wanted if not w.startswith("__")} <= MEM
    kept = re.findall(r"^\S* [BbDdCGgSs] [^$].*$", run("nm", tmp_path / "core.o"), re.M)  # $d marks data for the assembler
    assert not kept, "mutable state: %s" % kept


# ---- aarch64 ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory):
    need("aarch64-linux-gnu-gcc", "qemu-aarch64", "meson")
    folder = tmp_path_factory.mktemp("aarch64")
    program = folder / "run_image"
    host = sorted((ROOT / "runtime/host").glob("*.c"))
    here = pathlib.Path(__file__).parent
    run("aarch64-linux-gnu-gcc", *FLAGS, *INCLUDE, "-D_GNU_SOURCE", "-static", "-pthread", here / "run_image.c",
        here.parent / "bare/harness.c", *CORE, *host, "-o", program)
    return program


@pytest.mark.parametrize("threads", [1, 2])
def test_aarch64_c(made, aarch64, threads):
    image, inputs, expected = made
    assert hashes(run("qemu-aarch64", aarch64, image, inputs, "c", threads)) == expected


# ---- Cortex-M -------------------------------------------------------------------------------------------------------------

BOARDS = {
    "cortex-m3": ("mps2-an385", ["-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"], "soft float"),
    "cortex-m4f": ("mps2-an386", ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"], "hard float"),
}


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


def cortex_program(folder, flags, image, inputs, kernels=None):
    """The program and the bytes of code and tables it needs of the core, the kernels and the compiler's helpers."""
    bare = ROOT / "tests/bare"
    common = flags + ["-ffreestanding", "-ffunction-sections", "-fdata-sections"]
    parts = objects(folder, "arm-none-eabi-gcc", *common)
    table = []
    if kernels:
        run("arm-none-eabi-gcc", *FLAGS, *common, *INCLUDE, "-c", kernels, "-o", folder / "image_kernels.o")
        parts = [p for p in parts if p.stem not in ("table", "dispatch")] + [folder / "image_kernels.o"]
        table = ["-DBARE_KERNELS=%s" % kernels.stem]
    run("arm-none-eabi-ar", "rcs", folder / "libcore.a", *parts)
    run("arm-none-eabi-gcc", *FLAGS, *common, *INCLUDE, *table, "-fno-tree-loop-distribute-patterns", "-nostdlib", "-Wl,--gc-sections",
        "-Wl,--no-warn-rwx-segments" if "no-warn-rwx" in run("arm-none-eabi-ld", "--help") else "-Wl,--gc-sections", "-T", bare / "mps2.ld",
        '-DIMAGE="%s"' % image, '-DINPUTS="%s"' % inputs, bare / "cortex_m.c", bare / "harness.c", bare / "blob.S", folder / "libcore.a",
        "-lgcc", "-o", folder / "program.elf")
    size = re.search(r"^\.core\s+(\d+)", run("arm-none-eabi-size", "-A", folder / "program.elf"), re.M)
    return folder / "program.elf", int(size.group(1))


def on_board(board, program, timeout=120):
    return run("qemu-system-arm", "-M", board, "-kernel", program, "-nographic", "-monitor", "none", "-serial", "none",
               "-semihosting-config", "enable=on,target=native", timeout=timeout)


@pytest.mark.parametrize("cpu", BOARDS)
def test_cortex_m(made, tmp_path, cpu):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    image, inputs, expected = made
    board, flags, floats = BOARDS[cpu]
    program, size = cortex_program(tmp_path, flags, image, inputs)
    text = on_board(board, program)
    print("%s: %d bytes of code and tables with every kernel" % (cpu, size))
    assert floats in text
    assert hashes(text) == expected
    assert size < 100 * 1024


@pytest.mark.parametrize("cpu", BOARDS)
def test_cortex_m_with_just_its_kernels(made, compiled, tmp_path, cpu):
    need("arm-none-eabi-gcc", "qemu-system-arm")
    board, flags, floats = BOARDS[cpu]
    program, size = cortex_program(tmp_path, flags, compiled[0], made[1], compiled[1])
    text = on_board(board, program)
    print("%s: %d bytes of code and tables with the image's own kernels" % (cpu, size))
    assert floats in text and hashes(text) == compiled[2]
