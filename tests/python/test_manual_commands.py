"""Every command line of the manual, cut out of its text, runs: bare names of scripts get their folder, models are stand-ins under its names."""
import os
import pathlib
import re
import subprocess
import sys
import types

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "tests")]
import calibrator_custom as cc  # noqa: E402
import manual  # noqa: E402
import manual_commands  # noqa: E402
import stand_ins  # noqa: E402
from support import SDK  # noqa: E402

pytestmark = pytest.mark.skipif(not manual.MANUAL.exists(), reason=manual.ABSENT)
HAVE = manual.MANUAL.exists()
SCRIPTS = {p.name: p.relative_to(SDK) for p in SDK.rglob("*.py")}
YOLO, PICTURE = "SGS_Models/onnx/onnx_yolov8s/", "SGS_Models/resource/classify/ILSVRC2012_test_00000002.bmp"


class Home:
    """A user's home: the SDK tree, SGS_Models; a folder of its own for each command."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "SGS_IPU_Toolchain").symlink_to(SDK)
        stand_ins.picture(folder / PICTURE, 1)
        self.yolo()
        for name in ("caffe_mobilenet_v2", "caffe_resnet50_conv"):
            place = self.place("SGS_Models/caffe/" + name)
            stand_ins.caffe_classifier(place / name, 64)
            stand_ins.image_ini(place / "input_config.ini", ["data"], "prob")
            stand_ins.preprocess(place / (name + ".py"), 64)
        place = self.place("SGS_Models/tensorflow/resnet_v2_50")
        stand_ins.graphdef_classifier(place / "resnet_v2_50.pb")
        stand_ins.image_ini(place / "input_config.ini", ["input"], "prob")

    def yolo(self):
        """The manual's own preprocessing script belongs to it."""
        place = self.place(YOLO)
        stand_ins.onnx_classifier(place / "onnx_yolov8s.onnx", 640)
        stand_ins.image_ini(place / "input_config.ini", ["images"], "prob", mean="0:0:0", std="255")
        (place / "onnx_yolov8s.py").write_text(manual.example("yolov8s"))

    def place(self, name):
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def run(self, command, cwd):
        env = dict(os.environ, HOME=str(self.folder), PATH="%s:%s" % (pathlib.Path(sys.executable).parent, os.environ["PATH"]))
        env.pop("PYTHONPATH", None)  # the tools find the package themselves
        return subprocess.run(["bash", "-c", command], cwd=cwd, env=env, capture_output=True, text=True)

    def good(self, command, cwd):
        done = self.run(command, cwd)
        assert done.returncode == 0, command + "\n" + done.stdout + done.stderr
        return done.stdout

    def models(self):
        """The stages of the manual's detector that commands begin from, made once."""
        if not (self.folder / YOLO / "onnx_yolov8s_fixed.sim").exists():
            self.good(placed("python3 SGS_converter.py onnx --model_file onnx_yolov8s.onnx --input_config input_config.ini -i ~/%s -n onnx_yolov8s.py "
                             "--output_file onnx_yolov8s_offline.img --export_models" % PICTURE), self.folder / YOLO)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"))


def placed(command):
    """A script without a folder is that of the SDK tree; the tree stands in the home."""
    def place(m):
        path = m.group(1)
        path = path[len("SGS_IPU_Toolchain/"):] if path.startswith("SGS_IPU_Toolchain/") else SCRIPTS[path]
        return "python3 ~/SGS_IPU_Toolchain/%s" % path
    return re.sub(r"^python3 (?!~)(\S+)", place, command)


# ---- what each command needs, and makes --------------------------------------------------------------------------------------


def pictures(cwd, names):
    for k, name in enumerate(names):
        stand_ins.picture(cwd / name, k)


def list_file(cwd):
    pictures(cwd, ["a.png", "b.png"])
    (cwd / "file.list").write_text("a.png\nb.png\n")


def tflite(home, cwd):
    list_file(cwd)
    stand_ins.tflite_classifier(cwd / "Debug_save_model_float.tflite", 64)
    stand_ins.image_ini(cwd / "input_config.ini", ["input"], "prob")
    stand_ins.preprocess(cwd / "preprocess.py", 64)


def yolo_v3(home, cwd):
    list_file(cwd)
    (cwd / "yolo_v3_7").mkdir(exist_ok=True)
    stand_ins.graphdef_classifier(cwd / "yolo_v3_7/yolo_v3_7.pb")
    stand_ins.image_ini(cwd / "input_config.ini", ["input"], "prob")
    stand_ins.preprocess(cwd / "yolo_v3_7.py", 299)


def fixed_model(home, cwd):
    home.models()
    (cwd / "fixed.sim").write_bytes((home.folder / YOLO / "onnx_yolov8s_fixed.sim").read_bytes())


def segments(home, cwd):
    """The inis are the manual's, from behind the two commands."""
    stand_ins.faster_rcnn(cwd)
    (cwd / "input_config.ini").write_text(manual_commands.ini_behind("test_stageone.prototxt"))
    (cwd / "input_config_stage2.ini").write_text(manual_commands.ini_behind("second_stage.prototxt"))


def float_segments(home, cwd):
    segments(home, cwd)
    pictures(home.folder / "SGS_Models/resource/detection", ["004545.jpg"])
    pictures(home.folder / "SGS_Models/resource/detection/voc_calibration_set32", ["1.jpg", "2.jpg", "3.jpg"])
    for command in COMMANDS:
        if "ConvertTool.py caffe" in command and "faster_rcnn" in command:
            home.good(placed(command), cwd)


def float_mobilenet(home, cwd):
    """Its quant_config.yaml is the manual's, but for the GPU."""
    place = home.folder / "SGS_Models/caffe/caffe_mobilenet_v2"
    home.good(placed("python3 ConvertTool.py caffe --model_file %s/caffe_mobilenet_v2.prototxt --weight_file %s/caffe_mobilenet_v2.caffemodel --input_config "
                     "%s/input_config.ini --output_file caffe_mobilenet_v2_float.sim" % (place, place, place)), cwd)
    for name in ("input_config.ini", "caffe_mobilenet_v2.py"):
        (cwd / name).write_bytes((place / name).read_bytes())
    pictures(cwd, ["ilsvrc2012_calibration_set100/%d.jpg" % k for k in range(12)])
    (cwd / "quant_config.yaml").write_text(manual_commands.quant_config().replace("'cuda:0'", "'cpu'"))


def models(home, cwd):
    home.models()


def nothing(home, cwd):
    pass


def case(match, needs=nothing, makes=(), fails=None, says=None, mended=None):
    """makes: files, ~ for the home; fails: what the message says; says: what is printed; mended: the command that is meant, run after the printed one."""
    return types.SimpleNamespace(match=match, needs=needs, makes=makes, fails=fails, says=says, mended=mended)


CASES = [
    case(r"show_sdk_info\.py$", says=r"OpenIPU \d.*\n(.*\n)*.*CHIP"),
    case(r"\.py \w+ –h$", says=r"--model_file|--graph_def_file"),
    case(r"SGS_converter\.py onnx .*onnx_yolov8s_offline.img --soc_version CHIP$", makes=["onnx_yolov8s_offline.img"]),
    case(r"SGS_converter\.py onnx .*onnx_yolov8s_offline.img --export_models", makes=["onnx_yolov8s_offline.img", "onnx_yolov8s_float.sim", "onnx_yolov8s_fixed.sim"]),
    case(r"SGS_converter\.py onnx .*\.prototxt", fails=r"^error: --weight_file belongs to the platform caffe$", mended=("onnx", "caffe"),
         makes=["caffe_mobilenet_v2.img", "caffe_mobilenet_v2_float.sim", "caffe_mobilenet_v2_fixed.sim"]),
    case(r"SGS_converter\.py tflite --.* -i file.list", tflite, ["save_model.img"]),
    case(r"SGS_converter\.py tflite --(?!.* -i )", tflite, ["save_model.sim"], fails="^error: expected --image, --preprocess\n",
         mended=("SGS_converter.py(.*)save_model.img", r"ConvertTool.py\1save_model.sim")),
    case(r"SGS_converter\.py tensorflow_graphdef --", yolo_v3, ["yolo_v3_7.img"]),
    case(r"ConvertTool\.py onnx --", makes=["onnx_yolov8s_float.sim"]),
    case(r"ConvertTool\.py caffe .*resnet50", makes=["resnet50_float.sim"]),
    case(r"ConvertTool\.py caffe .*test_stageone", segments, ["faster_rcnn_main_float.sim"]),
    case(r"ConvertTool\.py caffe .*second_stage", segments, ["faster_rcnn_stage2_float.sim"]),
    case(r"ConvertTool\.py tensorflow_graphdef --", makes=["resnet_v2_float.sim"]),
    case(r"/calibrator\.py ", models, ["~/%sonnx_yolov8s_fixed.sim" % YOLO]),
    case(r"save_quant_param\.py .*JSON", fixed_model, ["fixed.json"]),
    case(r"save_quant_param\.py .*Pickle", fixed_model, ["fixed.pkl"]),
    case(r"faster_rcnn_calibrator\.py", float_segments, ["faster_rcnn_main_fixed.sim", "faster_rcnn_stage2_fixed.sim"]),
    case(r"faster_rcnn_simulator\.py", float_segments, says=r"^004545\.jpg: \d+ found\n"),
    case(r"torch_calibrator\.py", float_mobilenet, ["caffe_mobilenet_v2_fixed.sim"], says=r"^-q Q2: Q22\n(.*\n)*  prob: \d\d\.\d dB\n"),
    case(r"compiler\.py ", models, ["~/%sonnx_yolov8s_fixed.sim_sgsimg.img" % YOLO]),
]
FOUND = manual_commands.commands() if HAVE else []
COMMANDS = list(dict.fromkeys(text for c in FOUND for text in manual_commands.alternatives(c.text)))


def name_of(text):
    """The script, and where it stands first in the manual."""
    return "%s-%d" % (re.search(r"(\w+)\.py", text).group(1), next(c.line for c in FOUND if text in manual_commands.alternatives(c.text)))


def opens(path):
    """What a tool made is what its name says."""
    if path.suffix == ".img":
        cc.offline_simulator(path)
    elif path.suffix == ".sim":
        (cc.fixed_simulator if path.stem.endswith("fixed") else cc.float_simulator)(path)
    else:
        assert path.stat().st_size > 0


@pytest.mark.parametrize("text", COMMANDS, ids=name_of)
def test_command(home, text, tmp_path):
    (c,) = [c for c in CASES if re.search(c.match, text)]
    c.needs(home, tmp_path)
    made = [home.folder / name[2:] if name.startswith("~/") else tmp_path / name for name in c.makes]
    for path in made:
        path.unlink(missing_ok=True)
    done = home.run(placed(text), tmp_path)
    if c.fails:
        assert done.returncode != 0 and re.search(c.fails, done.stderr), done.stdout + done.stderr
        assert "Traceback" not in done.stderr and not any(path.exists() for path in made)
    else:
        assert done.returncode == 0, done.stdout + done.stderr
    if c.mended:
        home.good(placed(re.sub(*c.mended, text, count=1)), tmp_path)
    for path in made:
        opens(path)
    assert re.search(c.says or "", done.stdout, re.M), done.stdout


def test_no_command_is_left_out():
    """Wherever the text says python3 there is a command, each has one case, each case has a command; what was mended is told."""
    assert len(FOUND) == manual.MANUAL.read_text(encoding="utf-8").count("python3 ") > 30
    assert all(sum(bool(re.search(c.match, text)) for c in CASES) == 1 for text in COMMANDS)
    assert all(any(re.search(c.match, text) for text in COMMANDS) for c in CASES)
    mended = {c.line: c.repairs for c in FOUND if c.repairs and c.repairs != ["prose behind it"]}
    missing, joined = "no backslash before line %d", "lines run together"
    assert mended == {
        402: [missing % 403], 418: [missing % 419, missing % 422], 469: [missing % 470], 630: [missing % 631], 640: [joined],
        709: ["a heading before it", "a list's dash behind it", joined], 732: [missing % 733], 847: ["the next heading behind it", joined],
        924: ["prose and an ini behind it", joined], 926: ["an ini behind it", joined], 1129: [missing % 1130, missing % 1131]}


def test_one_command_or_three(home, tmp_path):
    """The converter's image is what the stages give one after the other."""
    home.models()
    (command,) = [text for text in COMMANDS if "compiler.py" in text]
    home.good(command, tmp_path)
    place = home.folder / YOLO
    assert (place / "onnx_yolov8s_fixed.sim_sgsimg.img").read_bytes() == (place / "onnx_yolov8s_offline.img").read_bytes()


def test_every_path_exists():
    paths = manual_commands.tool_paths()
    assert len(paths) == 10 and [p for p in paths if not (SDK.parent / p).is_file()] == []


def test_modes(home, tmp_path):
    """torch_calibrator's command with each mode of its table; its quant_config.yaml as printed wants a GPU, and its mp_rate goes with [8, 16]."""
    (command,) = [text for text in COMMANDS if "torch_calibrator.py" in text]
    float_mobilenet(home, tmp_path)
    table = sorted({name for row in manual_commands.lines() if row.startswith("| Q") for name in re.findall(r"\bQ\d+", row)})
    assert table == ["Q1", "Q10", "Q11", "Q12", "Q13", "Q2", "Q20", "Q21", "Q22", "Q23"]
    printed = (tmp_path / "quant_config.yaml").read_text()
    for mode in table:
        run = placed(command.replace("-q Q2 ", "-q %s " % mode))
        done = home.run(run, tmp_path)
        mixes = mode in ("Q13", "Q23")
        assert (done.returncode != 0) == mixes, done.stdout + done.stderr
        if mixes:
            assert done.stderr == "error: quant_config.yaml:6: mp_rate: expected a number in [0.25, 0.5) for [4, 8], found 0.6\n"
            for old, new in (("[4, 8]", "[8, 16]"), ("0.6", "0.3")):
                (tmp_path / "quant_config.yaml").write_text(printed.replace(old, new))
                home.good(run, tmp_path)
            (tmp_path / "quant_config.yaml").write_text(printed)
        opens(tmp_path / "caffe_mobilenet_v2_fixed.sim")
    (tmp_path / "quant_config.yaml").write_text(manual_commands.quant_config())
    done = home.run(placed(command), tmp_path)
    assert done.stderr == "error: quant_config.yaml:3: device: this build has no CUDA, found 'cuda:0'\n  write 'cpu' or leave device out\n"


def test_converter_with_a_mode(home, tmp_path):
    """-q and --quant_config, which the text about SGS_converter names."""
    (command,) = [text for text in COMMANDS if re.search(r"SGS_converter\.py onnx .*onnx_yolov8s_offline.img --soc_version CHIP$", text)]
    (tmp_path / "quant_config.yaml").write_text("QUANT_CONFIG:\n  mp_rate: 0.6\n")
    for mode in ("Q11", "Q13"):
        home.good(placed(command) + " -q %s --quant_config quant_config.yaml" % mode, tmp_path)
        opens(tmp_path / "onnx_yolov8s_offline.img")


# ---- what it shows besides commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [1, 2])
def test_list_files(home, tmp_path, inputs):
    """Its two lists; for two inputs its two ways to name a script for each."""
    rows = manual_commands.lists()[inputs - 1]
    (tmp_path / "input_list.txt").write_text("\n".join(rows).replace("/path/to", str(tmp_path)) + "\n")
    pictures(tmp_path, ["image_test/" + name for name in sorted(set(re.findall(r"[^/,]+\.\w+", ",".join(rows))))])
    names = ["image%d" % k for k in range(inputs)]
    stand_ins.onnx_classifier(tmp_path / "m.onnx", 64, names)
    stand_ins.image_ini(tmp_path / "i.ini", names, "prob")
    for name in ("preprocess1.py", "preprocess2.py"):
        stand_ins.preprocess(tmp_path / name, 64)
    ways = manual_commands.scripts() if inputs == 2 else ["-n /path/to/preprocess1.py"]
    assert len(rows) == 3 and len(ways) == inputs
    made = []
    for way in ways:
        said = home.good(placed("python3 SGS_converter.py onnx --model_file m.onnx --input_config i.ini -i %s/input_list.txt %s --output_file m.img"
                                % (tmp_path, way.replace("/path/to", str(tmp_path)))), tmp_path)
        assert "calibrate: 3 of 3 in " in said, said
        made.append((tmp_path / "m.img").read_bytes())
    assert made[0] == made[-1]


def test_clipping(home, tmp_path):
    """onnx's own function, as the manual calls it: what it cuts off converts."""
    import onnx
    names = dict(onnx=onnx, input_path=str(home.folder / YOLO / "onnx_yolov8s.onnx"), output_path=str(tmp_path / "part.onnx"), input_names=["images"], output_names=["r1"])
    exec(manual_commands.extract_call(), names)
    stand_ins.image_ini(tmp_path / "i.ini", ["images"], "r1", mean="0:0:0", std="255")
    home.good(placed("python3 ConvertTool.py onnx --model_file part.onnx --input_config i.ini --output_file part_float.sim"), tmp_path)
    assert cc.float_simulator(tmp_path / "part_float.sim").get_output_details()[0]["name"] == "r1"


def test_api(home, tmp_path):
    """calibrator_custom.calibrator as its examples call it; what they print has the same keys and types here."""
    home.models()
    for name in ("onnx_yolov8s_float.sim", "input_config.ini"):
        (tmp_path / name).write_bytes((home.folder / YOLO / name).read_bytes())
    program = manual_commands.api_example()
    assert program.count("calibrator.") == 6
    show = "print(repr({'input': input_details, 'output': output_details, 'tensor': tensor_details}), type(result), result.dtype, result.shape)\n"
    (tmp_path / "api.py").write_text("import numpy as np\nimg_data = np.zeros((1, 640, 640, 3), np.float32)\n" + program + show)
    ours = home.good(". ~/SGS_IPU_Toolchain/cfg_env.sh && python3 api.py", tmp_path)
    assert ours.endswith(" <class 'numpy.ndarray'> float32 (1, 10)\n")
    assert "{'input': [{'index': 0, 'shape': array([  1, 640, 640,   3], dtype=int32), 'name': 'images', 'dtype': <class 'numpy.float32'>" in ours
    model = cc.calibrator(tmp_path / "onnx_yolov8s_float.sim", tmp_path / "input_config.ini")
    printed = manual_commands.printed_details()
    assert sorted(printed) == ["input", "output", "tensor"]
    for kind, entries in printed.items():
        for theirs in entries:
            for mine in getattr(model, "get_%s_details" % kind)():
                assert kind != "tensor" or sorted(mine) == sorted(theirs)
                for key, value in theirs.items():
                    assert type(mine[key]) is type(value), (kind, key)
                    assert not isinstance(value, np.ndarray) or mine[key].dtype == value.dtype and mine[key].ndim == 1
    names = [t["name"] for t in printed["tensor"]]
    assert names == sorted(names), "so does the manual"
    assert {t["qtype"] for t in printed["tensor"]} <= {"UINT8", "INT8", "INT16"}
