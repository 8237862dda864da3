"""The runtime core compiled for other machines, and the emulators that run it.

OPENIPU_BUILD is the build folder; what a machine lacks (a cross compiler, an emulator) is skipped by name.  With OPENIPU_THIS_MACHINE_ALONE all are: what they are given
is the same with every build of the toolchain, so `make check` runs them with one."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("OPENIPU_BUILD", ROOT / "build"))
CORE = sorted((ROOT / "runtime").glob("*.c")) + sorted((ROOT / "runtime/kernels").glob("*.c"))
INCLUDE = ["-I%s" % ROOT, "-I%s" % (ROOT / "include")]
PLAIN = {k: v for k, v in os.environ.items() if k not in ("CC", "CFLAGS", "LDFLAGS", "DESTDIR")}  # a build of its own
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
# cpu: QEMU's board, compiler flags, what the program says of its floats
BOARDS = {
    "cortex-m3": ("mps2-an385", ["-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft"], "soft float"),
    "cortex-m4f": ("mps2-an386", ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"], "hard float"),
}


def need(*tools):
    if os.environ.get("OPENIPU_THIS_MACHINE_ALONE"):
        pytest.skip("other machines run beside another build")
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip("%s is not installed" % tool)


def run(*command, timeout=120, env=None):
    done = subprocess.run([str(c) for c in command], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    assert done.returncode == 0, "%s\n%s" % (" ".join(map(str, command)), done.stdout)
    return done.stdout


def hashes(text):
    """The lines `output NAME SHA-256` of tests/bare/harness.c."""
    return re.findall(r"^output .*$", text, re.M)


def objects(folder, compiler, *flags):
    """The core compiled file by file."""
    out = []
    for source in CORE:
        out.append(folder / (source.stem + ".o"))
        run(compiler, *FLAGS, *flags, *INCLUDE, "-c", source, "-o", out[-1])
    return out


# machine, its compiler: what its file in tools/cross needs, and how QEMU runs its programs as which CPU, by the best features that one has
CROSS = {
    "aarch64": ["aarch64-linux-gnu-gcc", "qemu-aarch64"],
    "aarch64-clang": ["clang", "aarch64-linux-gnu-gcc", "qemu-aarch64"],
    "riscv64": ["riscv64-linux-gnu-gcc", "qemu-riscv64"],  # C kernels alone: gcc 12 has no vector intrinsics
    "riscv64-clang": ["clang", "riscv64-linux-gnu-gcc", "qemu-riscv64"],
    "armv7": ["arm-linux-gnueabihf-gcc", "qemu-arm"],
}
CPUS = {"neon": "cortex-a53", "dotprod": "neoverse-n1", "i8mm": "max"}
VECTORS = {bits: "rv64,v=true,vext_spec=v1.0,vlen=%d" % bits for bits in (128, 256)}  # RISC-V's, by the length of their registers
ARMV7 = {"dsp": "cortex-a9"}


def cross_build(machine, *targets):
    """The folder in which Meson built these targets of the runtime and its tests for another machine; made once, then kept."""
    need("meson", "ninja", *CROSS[machine])
    folder = BUILD / "cross" / machine
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / (machine + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "build.ninja").exists():
            run("meson", "setup", "--cross-file", ROOT / "tools/cross" / (machine + ".ini"), "-Dtoolchain=false", "-Dwerror=true", folder, ROOT, env=PLAIN)
        run("ninja", "-C", folder, *targets, timeout=600, env=PLAIN)
    return folder


def emulated(cpu, program, *arguments, timeout=600):
    """What a program for AArch64, RISC-V, where the CPU's name begins with rv64, or 32-bit ARM prints on that CPU."""
    machine, libraries = ("riscv64", "riscv64-linux-gnu") if cpu.startswith("rv64") else ("arm", "arm-linux-gnueabihf") if cpu in ARMV7.values() else ("aarch64", "aarch64-linux-gnu")
    return run("qemu-" + machine, "-cpu", cpu, "-L", "/usr/" + libraries, program, *arguments, timeout=timeout)


def cortex_program(folder, cpu, image, inputs, kernels=None, table=None):
    """The program with image and inputs linked in, and the bytes of code and tables it needs of the core, the kernels and the
    compiler's helpers.  kernels: the compiler's list of what the image needs; None: every kernel, and those of table instead of the best ones."""
    need("arm-none-eabi-gcc", "qemu-system-arm")
    bare = ROOT / "tests/bare"
    common = BOARDS[cpu][1] + ["-ffreestanding", "-ffunction-sections", "-fdata-sections"]
    parts = objects(folder, "arm-none-eabi-gcc", *common)
    defines = ["-DBARE_KERNELS=%s" % table] if table else []
    if kernels:
        run("arm-none-eabi-gcc", *FLAGS, *common, *INCLUDE, "-c", kernels, "-o", folder / "image_kernels.o")
        parts = [p for p in parts if p.stem not in ("table", "dispatch")] + [folder / "image_kernels.o"]
        defines = ["-DBARE_KERNELS=%s" % kernels.stem]
    run("arm-none-eabi-ar", "rcs", folder / "libcore.a", *parts)
    run("arm-none-eabi-gcc", *FLAGS, *common, *INCLUDE, *defines, "-fno-tree-loop-distribute-patterns", "-nostdlib", "-Wl,--gc-sections",
        "-Wl,--no-warn-rwx-segments" if "no-warn-rwx" in run("arm-none-eabi-ld", "--help") else "-Wl,--gc-sections", "-T", bare / "mps2.ld",
        '-DIMAGE="%s"' % image, '-DINPUTS="%s"' % inputs, bare / "cortex_m.c", bare / "harness.c", bare / "blob.S", folder / "libcore.a",
        "-lgcc", "-o", folder / "program.elf")
    size = re.search(r"^\.core\s+(\d+)", run("arm-none-eabi-size", "-A", folder / "program.elf"), re.M)
    return folder / "program.elf", int(size.group(1))


def on_board(cpu, program, *options, timeout=120):
    """What the program prints on that CPU."""
    board, _, floats = BOARDS[cpu]
    text = run("qemu-system-arm", "-M", board, "-kernel", program, "-nographic", "-monitor", "none", "-serial", "none",
               "-semihosting-config", "enable=on,target=native", *options, timeout=timeout)
    assert floats in text
    return text
