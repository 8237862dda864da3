"""What pip calls to make a wheel of this tree (PEP 517): the package calibrator_custom with its extension, the program sgs, the SDK tree.

`--config-settings build=FOLDER` takes the programs of a finished Meson build; otherwise the folder build is made, or brought up to date.
The extension keeps to the limited API, so one wheel serves every CPython from 3.8; the same tree and programs give the same bytes.
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sysconfig
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
EXTENSION, PROGRAM = "python/_sgs.abi3.so", "cli/sgs"
NEEDS = "a build needs what tools/packages-user.txt lists; tools/setup user installs it on Debian"
VERSION = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
METADATA = """\
Metadata-Version: 2.1
Name: openipu
Version: %s
Summary: A trained neural network becomes an integer image for small boards
License: Apache-2.0
Requires-Python: >=3.8
Requires-Dist: numpy>=1.20
""" % VERSION


class UnsupportedOperation(Exception):
    pass


def run(*command):
    """Without what pip puts into the environment to keep Python's packages from the backend: Meson is Python too."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    if not shutil.which(command[0]):
        raise RuntimeError("cannot find %s: %s" % (command[0], NEEDS))
    if subprocess.run(command, cwd=str(ROOT), env=env).returncode:
        raise RuntimeError("%s failed, as it says above: %s" % (" ".join(command), NEEDS))


def programs(settings):
    """The folder that holds them."""
    given = (settings or {}).get("build")
    build = pathlib.Path(given or ROOT / "build")
    if not given:
        if not (build / "build.ninja").is_file():
            run("meson", "setup", str(build))
        run("ninja", "-C", str(build), PROGRAM, EXTENSION)
    for name in (PROGRAM, EXTENSION):
        if not (build / name).is_file():
            raise RuntimeError("there is no %s: build=%s is no finished build of the toolchain with Python's headers" % (build / name, build))
    return build


def below(folder):
    """The files in it that belong to the tree."""
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".pyc", ".so") and "__pycache__" not in p.parts]


def contents(build):
    """{place in the wheel: file}"""
    data, package, sdk = "openipu-%s.data" % VERSION, ROOT / "python/calibrator_custom", ROOT / "sdk/SGS_IPU_Toolchain"
    files = {"calibrator_custom/%s" % p.relative_to(package).as_posix(): p for p in below(package)}
    files.update({"%s/data/share/openipu/SGS_IPU_Toolchain/%s" % (data, p.relative_to(sdk).as_posix()): p for p in below(sdk)})
    files["calibrator_custom/" + pathlib.Path(EXTENSION).name] = build / EXTENSION
    files[data + "/scripts/sgs"] = build / PROGRAM
    return files


def add(wheel, name, data, executable=False):
    """Writes a file without the time of day; its line of RECORD."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    wheel.writestr(info, data)
    return "%s,sha256=%s,%d\n" % (name, base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode(), len(data))


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info = "openipu-%s.dist-info" % VERSION
    os.mkdir(os.path.join(metadata_directory, info))
    pathlib.Path(metadata_directory, info, "METADATA").write_text(METADATA)
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    tag, info = "cp38-abi3-" + re.sub("[-.]", "_", sysconfig.get_platform()), "openipu-%s.dist-info" % VERSION
    files = contents(programs(config_settings))
    name = "openipu-%s-%s.whl" % (VERSION, tag)
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        record = [add(wheel, place, files[place].read_bytes(), os.access(str(files[place]), os.X_OK)) for place in sorted(files)]
        record.append(add(wheel, info + "/LICENSE", (ROOT / "LICENSE").read_bytes()))
        record.append(add(wheel, info + "/METADATA", METADATA.encode()))
        record.append(add(wheel, info + "/WHEEL", ("Wheel-Version: 1.0\nGenerator: openipu\nRoot-Is-Purelib: false\nTag: %s\n" % tag).encode()))
        add(wheel, info + "/RECORD", ("".join(record) + "%s/RECORD,,\n" % info).encode())
    return name


def build_sdist(sdist_directory, config_settings=None):
    raise UnsupportedOperation("the repository is the source; there is no other archive of it")
