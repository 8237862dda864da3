"""The package as a whole: stubs, docstrings, the page in docs, an installed copy."""
import ast
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli")]
import calibrator_custom as cc  # noqa: E402
from support import ENV, SDK, Project  # noqa: E402

PACKAGE = pathlib.Path(cc.__file__).parent
PLAIN = {k: v for k, v in ENV.items() if k not in ("PYTHONPATH", "SGS_BIN", "SGS_PYTHON")}  # of somebody who has none of our folders


def parameters(function):
    return [p for p in inspect.signature(function).parameters]


def stub_parameters(node):
    a = node.args
    return [x.arg for x in a.args] + ([a.vararg.arg] if a.vararg else [])


def check_functions(stub, real, where):
    """Every function of the stub is there, with those parameters and a docstring; returns their names."""
    names = set()
    for node in stub:
        if isinstance(node, ast.FunctionDef):
            function = getattr(real, node.name)
            assert parameters(function) == stub_parameters(node), "%s.%s" % (where, node.name)
            inherited = node.name == "__init__"
            assert inherited or inspect.getdoc(function), "%s.%s has no docstring" % (where, node.name)
            names.add(node.name)
    return names


def public(real):
    return {n for n in dir(real) if not n.startswith("_") and callable(getattr(real, n))}


def test_stubs():
    """They name what there is, all of it and nothing else."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    assert check_functions(tree.body, cc, "calibrator_custom") == {"set_soc_version"}
    for name, node in classes.items():
        if name == "_Model":
            continue
        real, told = getattr(cc, name), check_functions(node.body, getattr(cc, name), name)
        assert inspect.getdoc(real)
        if node.bases:
            told |= check_functions(classes["_Model"].body, real, name)
        assert public(real) == {n for n in told if not n.startswith("_")}, name
    assert set(cc.__all__) == (set(classes) - {"_Model"}) | {"set_soc_version", "cmodel_float_simulator", "utils", "__version__"}
    utils = ast.parse((PACKAGE / "utils.pyi").read_text())
    told = check_functions(utils.body, cc.utils, "utils")
    assert told == {n for n in public(cc.utils) if getattr(cc.utils, n).__module__ == cc.utils.__name__}


def told_of(function):
    return inspect.getdoc(function) or ""


def test_docstrings_say_what_goes_wrong():
    """Whatever takes an argument names the exceptions that wrong ones bring; what takes or gives arrays their shape and dtype."""
    errors = re.compile(r"\b(Type|Value|Index|OS|FileNotFound|Runtime|NotImplemented)Error\b")
    functions = {"set_soc_version": cc.set_soc_version, "compiler.compile": cc.compiler.compile, "SIM_Calibrator.convert": cc.SIM_Calibrator.convert,
                 "SIM_Simulator.__call__": cc.SIM_Simulator.__call__, "image_preprocess_func": cc.utils.image_preprocess_func,
                 "convert_to_input_formats": cc.utils.convert_to_input_formats}
    for cls in (cc.float_simulator, cc.fixed_simulator, cc.offline_simulator, cc.calibrator):
        functions.update(("%s.%s" % (cls.__name__, n), getattr(cls, n)) for n in ("set_input", "get_output", "invoke"))
    assert not [n for n, f in functions.items() if not errors.search(told_of(f))]
    arrays = [n for n in functions if n.split(".")[-1] in ("set_input", "get_output", "convert", "convert_to_input_formats")]
    assert len(arrays) == 10 and not [n for n in arrays if "shape" not in told_of(functions[n]) or "dtype" not in told_of(functions[n]) and "uint8" not in told_of(functions[n])]
    for cls in (cc.float_simulator, cc.fixed_simulator, cc.offline_simulator, cc.calibrator, cc.compiler):
        for n in ("get_input_details", "get_output_details"):
            assert told_of(getattr(cls, n)), "%s.%s" % (cls.__name__, n)


def test_names():
    """Every name that users of the manual's calibrator_custom know; three that are not there say so and what to do."""
    for name in ("__version__", "set_soc_version", "calibrator", "compiler", "float_simulator", "cmodel_float_simulator", "fixed_simulator", "offline_simulator",
                 "SIM_Calibrator", "SIM_Simulator", "utils.image_preprocess_func", "utils.get_sdk_version", "utils.convert_to_input_formats", "versions.VERSION"):
        thing = cc
        for part in name.split("."):
            thing = getattr(thing, part)
    assert cc.versions.VERSION == cc.__version__ == cc.utils.get_sdk_version() and cc.cmodel_float_simulator is cc.float_simulator
    model = {"get_input_details", "get_output_details", "set_input", "invoke", "get_output", "get_tensor_details", "get_op_details"}
    for cls in (cc.calibrator, cc.float_simulator, cc.fixed_simulator, cc.offline_simulator):
        assert public(cls) == model
    assert public(cc.SIM_Calibrator) == {"forward", "convert"} and public(cc.SIM_Simulator) == {"forward"}
    assert public(cc.compiler) == {"compile", "get_input_details", "get_output_details", "get_input_extern_details"}
    for name, said in (("RPC_Simulator", "calibrator_custom.RPC_Simulator comes with a later version; offline_simulator gives here the bytes that a board gives"),
                       ("sgs_chalk", "calibrator_custom.sgs_chalk comes with a later version; detection tails of TFLite and Caffe models are taken as they are"),
                       ("py_wrapper", "calibrator_custom.py_wrapper is another toolchain's inner layer; its classes are those of calibrator_custom here")):
        for form in ("calibrator_custom.%s", "__import__('calibrator_custom', fromlist=['%s'])"):
            with pytest.raises(NotImplementedError, match=re.escape(said)):
                eval(form % name, {"calibrator_custom": cc})
    with pytest.raises(AttributeError, match="^module 'calibrator_custom' has no attribute 'other'$"):
        cc.other


# What another interpreter runs: each kind of model, what details hold, an exception.
ELSEWHERE = """
import sys
import numpy as np
import calibrator_custom as cc
for kind, path in ((cc.float_simulator, "net_float.sim"), (cc.fixed_simulator, "net_fixed.sim"), (cc.offline_simulator, "net.img")):
    model = kind(path)
    details = model.get_input_details()[0]
    x = np.load("pics/0.npy")
    model.set_input(0, x if details["dtype"] is np.uint8 else (x / np.float32(64)).astype(np.float32))
    model.invoke()
    assert type(details["shape"]) is np.ndarray and details["shape"].dtype == np.int32 and details["dtype"] in (np.uint8, np.float32)
    print(kind.__name__, model.get_output(0).tobytes().hex(), [(t["name"], t["dtype"]) for t in model.get_tensor_details()])
    try:
        model.set_input(0, x.astype(np.int64))
    except TypeError as e:
        print(e)
print(sys.version_info[:2], np.__version__, file=sys.stderr)
"""


def test_other_pythons(tmp_path):
    """One binary: Debian's interpreter with its numpy 1 beside ours with numpy 2, where there are both."""
    import numpy
    p = Project(tmp_path / "p")
    assert p.convert("--export_models", out="net.img").returncode == 0
    p.write("elsewhere.py", ELSEWHERE)
    said, versions = [], []
    for python in (sys.executable, "/usr/bin/python3"):
        has = subprocess.run([python, "-c", "import numpy"], env=PLAIN, capture_output=True)
        if has.returncode == 0:
            done = subprocess.run([python, "elsewhere.py"], cwd=p.folder, env=ENV, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
            versions.append(done.stderr.split()[-1])
    assert said[0].count("expected dtype") == 3 and set(said) == {said[0]}
    if len({v.split(".")[0] for v in versions}) < 2:
        pytest.skip("/usr/bin/python3 has no other numpy than %s" % numpy.__version__)


def test_grammar_of_3_8():
    """What users import and start is read by Python 3.8."""
    files = [*(ROOT / "python").rglob("*.py"), *SDK.rglob("*.py"), *(ROOT / "src/preprocess").glob("*.py")]
    assert len(files) > 20
    for f in files:
        ast.parse(f.read_text(), str(f), feature_version=(3, 8))


def test_page(tmp_path):
    """The examples of docs/PYTHON.md run, one after the other; its table of details is complete."""
    page = (ROOT / "docs/PYTHON.md").read_text()
    p = Project(tmp_path / "p")
    made = p.convert("--export_models", out="net.img")
    assert made.returncode == 0, made.stderr
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    setup = "import numpy as np, preprocess, glob\nimg_gen = ([preprocess.image_preprocess(f)] for f in sorted(glob.glob('pics/*')))\n"
    p.write("run.py", setup + "".join(blocks) + "print(result.shape, calibrator_custom.fixed_simulator('net_fixed.sim').get_input_details()[0]['dtype'])\n")
    done = subprocess.run([sys.executable, "run.py"], cwd=p.folder, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "(1, 10) <class 'numpy.uint8'>\n", done.stderr
    models = {"float": cc.float_simulator(p.folder / "net_float.sim"), "fixed": cc.fixed_simulator(p.folder / "net_fixed.sim")}
    rows = re.findall(r"^\| `(get_\w+)`(?:, (\w+))? \| (.*) \|$", page, re.M)
    assert len(rows) == 5
    for method, only, keys in rows:
        for kind in [only] if only else models:
            assert sorted(re.sub(r" \([^)]*\)", "", keys).split(", ")) == sorted(getattr(models[kind], method)()[0]), method


def test_installed(tmp_path):
    """In an installation the extension lies in the package, and the tools find it, and the program."""
    share = tmp_path / "share/openipu"
    (tmp_path / "bin").mkdir()
    shutil.copy(os.environ["SGS_BIN"], tmp_path / "bin/sgs")
    shutil.copytree(PACKAGE, share / "python/calibrator_custom", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(cc._load.sgs.__file__, share / "python/calibrator_custom")
    shutil.copytree(SDK, share / "SGS_IPU_Toolchain", ignore=shutil.ignore_patterns("__pycache__"))
    p = Project(tmp_path / "p")
    assert p.convert("--export_models", out="net.img").returncode == 0
    env = {k: v for k, v in ENV.items() if k not in ("PYTHONPATH", "SGS_BIN")}
    for name, *args in (("save_quant_param", "-m", "net_fixed.sim", "--output_mode", "JSON"), ("sim_calibrator", "-h")):
        done = subprocess.run([sys.executable, str(share / "SGS_IPU_Toolchain/Scripts/examples" / (name + ".py")), *args],
                              cwd=p.folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    code = ". %s/SGS_IPU_Toolchain/cfg_env.sh && exec %s -c 'import calibrator_custom as c; print(c.__file__)'" % (share, sys.executable)
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(share / "python/calibrator_custom/__init__.py"), done.stderr


def pip(venv, *args):
    command = [sys.executable, "-m", "pip", "--python", str(venv), "install", "--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", *args]
    return subprocess.run(command, cwd=venv.parent, env=PLAIN, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A fresh environment into which pip has installed a wheel of this tree with this build's programs; numpy and Pillow are ours."""
    venv = tmp_path_factory.mktemp("wheel") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    done = pip(venv, str(ROOT), "--config-settings", "build=%s" % pathlib.Path(os.environ["SGS_BIN"]).parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def in_venv(venv, *args, **kw):
    return subprocess.run([str(a) for a in args], env=dict(PLAIN, VIRTUAL_ENV=str(venv), PATH="%s:%s" % (venv / "bin", PLAIN["PATH"])), capture_output=True, text=True, **kw)


def test_a_wheel_converts_and_simulates(wheel, tmp_path):
    """`pip install .`: the SDK tree's tools find the installed program and the package; the demo's network comes out as it does here."""
    line = ROOT / "models/textline"
    (tmp_path / "few.txt").write_text("".join("%s\n" % p for p in sorted((line / "calib").iterdir())[:6]))
    options = ["onnx", "--model_file", line / "textline.onnx", "--input_config", line / "input_config.ini", "-i", "few.txt", "-n", line / "preprocess.py"]
    scripts = wheel / "share/openipu/SGS_IPU_Toolchain/Scripts"
    done = in_venv(wheel, wheel / "bin/python", scripts / "ConvertTool/SGS_converter.py", *options, "--output_file", "theirs.img", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([os.environ["SGS_BIN"], "convert", *map(str, options), "--output_file", "ours.img"], cwd=tmp_path, env=ENV, check=True, capture_output=True)
    assert (tmp_path / "theirs.img").read_bytes() == (tmp_path / "ours.img").read_bytes()
    picture = line / "test/000.png"
    done = in_venv(wheel, wheel / "bin/python", scripts / "calibrator/simulator.py", "-m", "theirs.img", "-i", picture, "-n", line / "preprocess.py", "--dump_output", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    code = ("import numpy, calibrator_custom as c; f = c.utils.image_preprocess_func(%r); m = c.offline_simulator('theirs.img'); m.set_input(0, f(%r, norm=False));"
            "m.invoke(); numpy.save('python.npy', m.get_output(0)); print(c.__file__, c.__version__)" % (str(line / "preprocess.py"), str(picture)))
    done = in_venv(wheel, wheel / "bin/python", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, version = done.stdout.split()
    assert pathlib.Path(place).parents[1] == next(wheel.glob("lib/python*/site-packages")) and in_venv(wheel, "sgs", "--version").stdout == "OpenIPU %s\n" % version
    assert (tmp_path / "python.npy").read_bytes()[128:] == (tmp_path / "log/output/000.png.output0.npy").read_bytes()[128:]


def test_a_wheel_holds_the_tree(wheel, tmp_path):
    """Every file of the SDK tree and the package that git knows, and the same bytes again for the same programs."""
    names = subprocess.run(["git", "ls-files", "-z", "sdk", "python/calibrator_custom"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")[:-1]
    site, share = next(wheel.glob("lib/python*/site-packages")), wheel / "share/openipu"
    assert len(names) > 20
    for name in names:
        there = share / name[len("sdk/"):] if name.startswith("sdk/") else site / name[len("python/"):]
        assert there.read_bytes().split(b"\n", 1)[-1] == (ROOT / name).read_bytes().split(b"\n", 1)[-1], name  # pip may change the first line of a script
        assert os.access(there, os.X_OK) == os.access(ROOT / name, os.X_OK), name
    sys.path.insert(0, str(ROOT / "tools"))
    import wheel_backend
    build = {"build": pathlib.Path(os.environ["SGS_BIN"]).parents[1]}
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        made.append((folder / wheel_backend.build_wheel(str(folder), build)))
    assert made[0].name == made[1].name and "-cp38-abi3-linux_" in made[0].name and made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as z:
        assert len(z.namelist()) == len(set(z.namelist())) and not [n for n in z.namelist() if "__pycache__" in n]


def test_a_wheel_of_no_build(wheel, tmp_path):
    (tmp_path / "empty").mkdir()
    done = pip(wheel, str(ROOT), "--config-settings", "build=%s" % (tmp_path / "empty"))
    assert done.returncode != 0
    said = "RuntimeError: there is no %s/cli/sgs: build=%s is no finished build of the toolchain with Python's headers" % (tmp_path / "empty", tmp_path / "empty")
    assert said in done.stdout + done.stderr


def test_binary_is_for_any_python():
    """The limited API of 3.8 (the compiler refuses all else): no name of it that came later, nothing of numpy."""
    names = subprocess.run(["nm", "-D", "--undefined-only", cc._load.sgs.__file__], capture_output=True, text=True).stdout
    python = set(re.findall(r" U (_?Py\w+)", names))
    assert "PyType_FromSpec" in python
    assert not python & {"PyType_GetModule", "PyType_GetModuleState", "PyModule_AddObjectRef", "PyObject_GetBuffer", "Py_NewRef", "PyType_FromModuleAndSpec"}
    assert cc._load.sgs.__file__.endswith(".abi3.so")
    assert "numpy" not in names


def test_a_package_that_was_not_built(tmp_path):
    shutil.copytree(pathlib.Path(cc.__file__).parent, tmp_path / "calibrator_custom", ignore=shutil.ignore_patterns("_sgs*", "__pycache__"))
    env = {k: v for k, v in os.environ.items() if k != "SGS_BIN"}
    done = subprocess.run([sys.executable, "-c", "import calibrator_custom"], env=dict(env, PYTHONPATH=str(tmp_path)), capture_output=True, text=True)
    said = "ImportError: calibrator_custom is not built: no %s in %s, %s\n  run `make`; it needs Python's headers (Debian: libpython3-dev)\n" % (
        cc._load.NAME, tmp_path / "calibrator_custom", tmp_path.parent / "build/python")
    assert done.returncode == 1 and done.stderr.endswith(said), done.stderr
