"""The package as a whole: stubs, docstrings, the page in docs, an installed copy."""
import ast
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli")]
import calibrator_custom as cc  # noqa: E402
from support import ENV, SDK, Project  # noqa: E402

PACKAGE = pathlib.Path(cc.__file__).parent


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
