"""Our own levels: what `sgs calibrate -h` offers, each from the same float model."""
import re
import subprocess

import toolchain as tc

ALL_8 = " ALL_UINT8"


def levels(build):
    text = subprocess.run([build / "cli/sgs", "calibrate", "-h"], capture_output=True, text=True, check=True).stdout
    return re.search(r"--quant_level (L[L0-9|]+)", text).group(1).split("|")


def names(build):
    """Every level with its own choice of 8 and 16 bits, and the highest with 8 bits for every convolution."""
    found = levels(build)
    return found + [found[-1] + ALL_8]


def stages(build, case):
    return tc.Toolchain(build, case.work / "ours", "m")


def converted(build, case):
    """{picture: outputs} of the float model."""
    t = stages(build, case)
    t.convert(case.model, case.ini, *(["--input_shapes", case.network.shapes] if case.network.shapes else []))
    return t.simulate("Float", case.work / "val.txt", case.script)[0]


def run(build, name, case, folder):
    t, ini = stages(build, case), folder / "input_config.ini"
    level, _, form = name.partition(" ")
    ini.write_text(case.ini.read_text() + ("[CONV_CONFIG]\ninput_format=%s;\n" % form if form else ""))
    t.calibrate(ini, case.work / "calib.txt", case.script, level)
    yield from t.simulate("Fixed", case.work / "val.txt", case.script, out=folder / "output")[0].items()
