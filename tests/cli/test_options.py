"""Options: several names, prefixes, dashes of every kind, help, complaints.  No model is needed."""
import subprocess

import pytest

from support import ROOT, SDK, ENV, sgs


def says(*args, code=2):
    r = sgs(*args)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r.stderr


def test_commands_and_version():
    r = sgs("-h")
    assert r.returncode == 0 and "SGS_converter.py" in r.stdout
    assert sgs("--version").stdout == "OpenIPU 0.1.0\n"
    assert says().startswith("usage: sgs COMMAND")
    assert says("convrt").startswith("error: unknown command 'convrt'\n")


def test_the_page_of_operators_is_what_the_tool_says():
    r = sgs("info", "--operators")
    assert r.returncode == 0 and r.stdout == (ROOT / "docs/OPERATORS.md").read_text(), "sgs info --operators > docs/OPERATORS.md"


@pytest.mark.parametrize("command", ["convert", "convert-tool"])
def test_platforms(command):
    r = sgs(command, "-h")
    assert r.returncode == 0 and "onnx" in r.stdout and "caffe" in r.stdout
    assert "platforms:" in says(command)
    assert says(command, "onx").startswith("error: expected a platform, found 'onx'\n")
    assert says(command, "keras", "-h", code=1) == "error: the platform keras comes with a later version; today: onnx, caffe, tflite, tensorflow_graphdef\n"


@pytest.mark.parametrize("dash", ["-h", "--help", "\u2013h", "\u2014help", "\u2212h", "\u2013\u2013help"])
@pytest.mark.parametrize("command", [("convert", "onnx"), ("convert", "caffe"), ("convert-tool", "onnx"), ("convert-tool", "caffe"), ("convert", "tensorflow_graphdef"), ("calibrate",), ("compile",), ("simulate",)])
def test_help_with_any_dash(command, dash):
    r = sgs(*command, dash)
    assert r.returncode == 0, r.stderr
    required, optional = r.stdout.split("required:\n")[1].split("optional:\n")
    assert "--model_file" in required and "--soc_version" in optional and "(default: CHIP" in optional


def test_manuals_required_and_optional_options_are_listed():
    text = sgs("convert", "onnx", "-h").stdout
    required = text.split("required:\n")[1].split("\n\n")[0]
    for name in ("--model_file", "--input_config", "-i ", "-n ", "--output_file"):
        assert name in required
    for name in ("--export_models", "-q ", "--quant_config", "--input_shapes", "--skip_simplify", "--quant_level", "--num_process", "--memory_saving",
                 "-b ", "--batch_mode", "-c "):
        assert name in text.split("optional:\n")[1]


@pytest.mark.parametrize("tool", ["calibrate", "compile", "simulate"])
@pytest.mark.parametrize("name", ["-m", "--model", "--model_file", "--mod", "\u2014model", "\u2013m", "--model_f"])
def test_every_name_of_the_model(tool, name):
    for args in ([name, "x"], [name + "=x"]):
        assert says(tool, *args, "--nope").startswith("error: unknown option --nope\n")
        assert "--model_file" not in says(tool, *args, "--num_process").split("\n")[0]


def test_missing_and_unknown():
    assert says("compile").startswith("error: expected --model_file\n")
    assert says("convert", "onnx").startswith("error: expected --model_file, --input_config, --image, --preprocess, --output_file\n")
    assert says("compile", "--modell", "x").startswith("error: unknown option --modell\n  did you mean --model?\n")
    assert says("convert", "onnx", "--export_model_files").startswith("error: unknown option --export_model_files\n  did you mean --export_models?\n")
    assert says("convert", "onnx", "--input", "x").startswith("error: --input is not clear\n  it may be --input_config --input_shapes --input_arrays\n")
    assert says("compile", "-m").startswith("error: --model_file: expected a value behind it\n")
    assert says("simulate", "-m", "--input_config", "x").startswith("error: --model_file: expected a value behind it\n")
    assert says("compile", "-m", "a", "--model", "b").startswith("error: --model_file is given twice\n")
    assert says("compile", "x").startswith("error: expected an option, found 'x'\n")
    assert says("convert", "onnx", "--export_models=1").startswith("error: --export_models takes no value\n")
    assert says("compile", "--model=").startswith("error: --model_file: expected a value, found nothing\n")


def test_values():
    for bad in ("0", "-1", "x", "1.5", "9999999"):
        assert says("calibrate", "--num_process", bad) == "error: --num_process: expected a whole number from 1 to 1000000, found '%s'\n" % bad
    base = ["simulate", "-m", "m", "-i", "i", "-n", "n"]
    assert says(*base, "-t", "Floot") == "error: -t: expected Float, Fixed or Offline, found 'Floot'\n"
    assert says(*base, "--cpu_mask", "c,sse").startswith("error: --cpu_mask: expected some of c, avx2")


def test_known_but_later():
    base = ["convert", "onnx", "-m", "m.onnx", "--input_config", "i", "-i", "p", "-n", "n", "-o", "o.img"]
    assert says(*base, "-q", "Q2") == "error: -q and --quant_config belong together, found only -q\n"
    assert says(*base, "--quant_config", "y") == "error: -q and --quant_config belong together, found only --quant_config\n"
    assert says("convert", "onnx", "--weight_file", "w.caffemodel", code=1) == "error: --weight_file belongs to the platform caffe\n"
    assert "caffe" in says("convert-tool", "onnx", "-m", "m.prototxt", "--input_config", "i", "-o", "o.sim")


@pytest.mark.parametrize("tool, text", [
    ("Scripts/ConvertTool/SGS_converter.py", "SGS_converter.py PLATFORM"), ("Scripts/ConvertTool/ConvertTool.py", "ConvertTool.py PLATFORM"),
    ("Scripts/calibrator/calibrator.py", "calibrator.py"), ("Scripts/calibrator/torch_calibrator.py", "torch_calibrator.py"), ("Scripts/calibrator/compiler.py", "compiler.py"),
    ("Scripts/calibrator/simulator.py", "simulator.py"), ("DumpDebug/show_sdk_info.py", "show_sdk_info.py")])
def test_launchers(tool, text, tmp_path):
    r = subprocess.run(["python3", str(SDK / tool), "-h"], cwd=tmp_path, env=ENV, capture_output=True, text=True)
    assert r.returncode == 0 and text in r.stdout, r.stderr


def test_launcher_without_a_program(tmp_path):
    env = {k: v for k, v in ENV.items() if k != "SGS_BIN"}
    (tmp_path / "sdk").mkdir()
    (tmp_path / "sdk/tree").mkdir()
    for part in ("sgs_launch.py", "DumpDebug"):
        subprocess.run(["cp", "-r", str(SDK / part), str(tmp_path / "sdk/tree")], check=True)
    launcher = str(tmp_path / "sdk/tree/DumpDebug/show_sdk_info.py")
    r = subprocess.run(["python3", launcher], env=env, capture_output=True, text=True)
    assert (r.returncode, r.stderr) == (1, "error: cannot find the program sgs\n  build it with `make`, or set SGS_BIN to it\n")
    r = subprocess.run(["python3", launcher], env=dict(env, SGS_BIN="/no/sgs"), capture_output=True, text=True)
    assert (r.returncode, r.stderr) == (1, "error: cannot start /no/sgs: No such file or directory\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sgs").write_text("#!/bin/sh\necho installed $*\n")
    (tmp_path / "bin/sgs").chmod(0o755)
    assert subprocess.run(["python3", launcher, "-x"], env=env, capture_output=True, text=True).stdout == "installed info -x\n"


def test_show_sdk_info():
    out = subprocess.run(["python3", str(SDK / "DumpDebug/show_sdk_info.py")], env=ENV, capture_output=True, text=True).stdout
    assert "OpenIPU 0.1.0" in out and "CHIP" in out and "this machine:" in out
