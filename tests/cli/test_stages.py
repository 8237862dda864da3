"""Every stage through the command line: the manual's own scripts, what lands where, what the simulator writes, what goes wrong."""
import re
import shutil
import sys
import textwrap

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from support import INI, PREPROCESS, ROOT, SHARED, Project, save_model, small_model

sys.path.insert(0, str(ROOT / "tests"))
import manual  # noqa: E402
from manual import MANUAL  # noqa: E402


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "p")


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """A project taken through every stage; read only."""
    p = Project(tmp_path_factory.mktemp("staged") / "p")
    r = p.convert("--export_models", out="out_offline.img")
    assert r.returncode == 0, r.stdout + r.stderr
    p.log = r.stdout
    return p


def onnx_session(path):
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])


def reference(project, image):
    """onnxruntime on the original model, for a picture's array as preprocess.py returns it."""
    session = onnx_session(project.folder / "model.onnx")
    return session.run(None, {"data": image.transpose(0, 3, 1, 2)})[0]


# ---- files ---------------------------------------------------------------------------------------------------------------------


def test_export_models_and_summary(staged):
    made = [f for f in staged.files() if f.startswith("out")]
    assert made == ["out_fixed.sim", "out_float.sim", "out_offline.img"]
    summary = staged.log[staged.log.index("done:\n"):]
    for f in made:
        assert re.search(r"%d bytes  %s\n" % ((staged.folder / f).stat().st_size, f), summary)
    arena, bound = map(int, re.search(r"arena +(\d+) bytes  \(lower bound (\d+)\)", summary).groups())
    assert arena >= bound > 0


def test_every_stages_options(project, staged):
    """SGS_converter takes them all."""
    out = project.good("convert", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "all.img",
                       "--input_shapes", "1,3,16,16", "--skip_simplify", "--verify", "--dump-after", "dead", "--quant_level", "L2", "--memory_saving",
                       "--num_process", "2", "--preprocess_timeout", "60", "-b", "1", "--batch_mode", "n_buf", "-c", "Classification", "--kernels_file", "all_kernels.c",
                       "--soc_version", "CHIP")
    assert ' = conv ' in out and re.search("--memory_saving: layers are weighed in [0-9.]+ MB of activations instead of [0-9.]+ MB, which takes longer\n", out)
    assert "IPU_C_OR_DSP(ipu_conv_u8)" in (project.folder / "all_kernels.c").read_text()
    assert project.bytes("all.img")[44:48] == b"\1\0\0\0" and staged.bytes("out_offline.img")[44:48] == bytes(4)  # the category
    assert len(project.bytes("all.img")) != len(staged.bytes("out_offline.img"))  # unsimplified it has more operations


def test_the_calibrators_ini_rules(project):
    """DECISIONS 10: what is not names, formats or layouts may change between the stages."""
    project.good("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "m_float.sim")
    project.write("other.ini", INI.replace("mean=10:20:30", "mean=12:20:30").replace("dequantizations=TRUE", "dequantizations=FALSE"))
    project.write("preprocess.py", PREPROCESS.replace("[10, 20, 30]", "[12, 20, 30]"))
    project.good("calibrate", "-m", "m_float.sim", "--input_config", "other.ini", "-i", "pics", "-n", "preprocess.py")
    for ini in ("other.ini", "input_config.ini"):
        log = project.good("simulate", "-m", "m_fixed.sim", "--input_config", ini, "-i", "pics", "-n", "preprocess.py")
    assert "  output 0: prob\n    dtype: int16 " in log and "    channel 0: scale: 0.0142857144  zero point: 30\n" in log and "zero point: 12\n" in log


def test_without_export_models_only_the_image_stays(project, tmp_path, staged):
    before = project.files()
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    r = project.convert(env={"TMPDIR": str(scratch)})
    assert r.returncode == 0, r.stderr
    assert sorted(set(project.files()) - set(before)) == ["model_offline.img"] and list(scratch.iterdir()) == []
    assert project.bytes("model_offline.img") == staged.bytes("out_offline.img")


def test_stage_by_stage_gives_the_same_bytes(project, staged):
    project.good("convert-tool", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "m_float.sim", "--verify")
    project.good("calibrate", "-m", "m_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--num_process", "3")
    project.good("compile", "-m", "m_fixed.sim")
    made = [f for f in project.files() if f.startswith("m_")]
    assert made == ["m_fixed.sim", "m_fixed.sim_sgsimg.img", "m_float.sim"]
    for ours, theirs in zip(made, ("out_fixed.sim", "out_offline.img", "out_float.sim")):
        assert project.bytes(ours) == staged.bytes(theirs), ours


def test_output_may_be_a_folder(project, staged):
    for name in ("out_float.sim", "out_fixed.sim"):
        shutil.copy(staged.folder / name, project.folder)
    (project.folder / "to").mkdir()
    project.good("calibrate", "-m", "out_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "to")
    project.good("compile", "-m", "out_fixed.sim", "-o", "to/")
    assert [f for f in project.files() if f.startswith("to/")] == ["to/out_fixed.sim", "to/out_fixed.sim_sgsimg.img"]


# ---- the manual's scripts (its command lines: tests/python/test_manual_commands.py) ---------------------------------------------------


@pytest.mark.skipif(not MANUAL.exists(), reason=manual.ABSENT)
@pytest.mark.parametrize("name, size, channels, ini", [
    ("resnet18", 224, 3, "input_formats=RGB;mean=123.675:116.28:103.53;std_value=58.395:57.12:57.375"), ("lenet", 28, 1, "input_formats=GRAY;mean=33.318;std_value=1.0")])
def test_the_manuals_scripts_through_every_stage(tmp_path, name, size, channels, ini):
    cv2 = pytest.importorskip("cv2")
    p = Project(tmp_path / "p", pictures=0)
    small_model(p.folder / "model.onnx", size, channels)
    manual.write(p.folder, "preprocess", manual.repaired(name))
    p.write("input_config.ini", "[INPUT_CONFIG]\ninputs=data\n%s\n[OUTPUT_CONFIG]\noutputs=prob\n" % ini.replace(";", "\n"))
    for i in range(10):
        smooth = cv2.resize(np.random.default_rng(i).integers(0, 256, (9, 12, 3)).astype(np.uint8), (330, 280))
        cv2.imwrite(str(p.folder / "pics" / ("%d.png" % i)), smooth)
    r = p.convert("--export_models")
    assert (r.returncode, r.stderr) == (0, "")
    assert float(re.search(r"^  prob: ([0-9.]+) dB$", r.stdout, re.M).group(1)) > 25
    for m in ("model_fixed.sim", "model_offline.img"):
        simulate(p, m, "--output_dir", m + ".out", "--save_input", "--dump_rawdata", "--dump_output")
    given = np.load(p.folder / "model_fixed.sim.out/3.png.input0.npy")
    assert given.dtype == np.uint8 and given.shape == (1, size, size, channels) and given.tobytes() == p.bytes("model_offline.img.out/3.png.bin")
    assert p.bytes("model_fixed.sim.out/3.png.output0.npy") == p.bytes("model_offline.img.out/3.png.output0.npy")


# ---- simulator ------------------------------------------------------------------------------------------------------------------------


def simulate(project, model, *more, **kw):
    return project.good("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", *more, **kw)


def parse_unknown(path):
    """As users' own readers do."""
    tensors = {}
    for name, shape, data in re.findall(r"^(.+) Tensor:\n\{\ntensor dim:\d+,  Original shape:\[(.*)\]\ntensor data:\n(.*?)\n\}\n\n", path.read_text(), re.M | re.S):
        assert all(len(line.split()) <= 16 for line in data.splitlines())
        tensors[name] = np.array(data.split(), np.float32).reshape([int(d) for d in shape.split()])
    return tensors


@pytest.mark.parametrize("model, kind", [("out_float.sim", "Float"), ("out_fixed.sim", "Fixed"), ("out_offline.img", "Offline")])
def test_three_kinds(staged, tmp_path, model, kind):
    log = simulate(staged, model, "-t", kind, "--output_dir", tmp_path / "o", "--dump_output", "--save_input")
    assert log.startswith("Start to evaluate on %s...\nNet:\n" % model) and log.endswith("Run evaluation OK.\n")
    assert re.search(r"^[0-9.]+ ms per inference \(median of 4\)$", log, re.M)
    for i in range(4):
        got = np.load(tmp_path / "o" / ("%d.npy.output0.npy" % i))
        went_in = np.load(tmp_path / "o" / ("%d.npy.input0.npy" % i))
        assert np.array_equal(parse_unknown(tmp_path / "o" / ("unknown_%s_%d.npy.txt" % (model, i)))["prob"], got)
        picture = np.load(staged.folder / "pics" / ("%d.npy" % i))
        normed = ((picture - np.array([10, 20, 30])) / np.array([50, 60, 70])).astype(np.float32)
        want = reference(staged, normed)
        if kind == "Float":
            assert np.array_equal(went_in, normed)
            assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()
        else:
            assert went_in.dtype == np.uint8 and np.array_equal(went_in, picture[..., ::-1])  # the board gives BGR
            assert np.abs(got - want).max() < 0.05


def test_fixed_equals_offline_with_every_cpu_mask_and_threads(staged, tmp_path):
    runs = {"fixed": ("out_fixed.sim",), "offline": ("out_offline.img",), "c": ("out_offline.img", "--cpu_mask", "c"),
            "avx2": ("out_offline.img", "--cpu_mask", "avx2"), "two": ("out_offline.img", "--threads", "2"),
            "fixed c": ("out_fixed.sim", "--cpu_mask=c", "--threads=2")}
    got = {}
    for name, args in runs.items():
        simulate(staged, *args, "--output_dir", tmp_path / name, "--dump_output", "--dump_rawdata")
        got[name] = [(tmp_path / name / ("%d.npy.output0.npy" % i)).read_bytes() for i in range(4)]
        raw = (tmp_path / name / "0.npy.bin").read_bytes()
        assert raw == np.load(staged.folder / "pics/0.npy")[..., ::-1].tobytes()
    assert all(g == got["fixed"] for g in got.values())


def test_classification(staged, tmp_path):
    (tmp_path / "labels").write_bytes(b"\xef\xbb\xbf" + b"".join(b"class %d\r\n" % i for i in range(10)))
    simulate(staged, "out_float.sim", "-c", "Classification", "-l", tmp_path / "labels", "--output_dir", tmp_path / "o", "--dump_output")
    lines = (tmp_path / "o/classification_out_float.sim_0.npy.txt").read_text().splitlines()
    scores = np.load(tmp_path / "o/0.npy.output0.npy").ravel()
    best = np.argsort(-scores, kind="stable")[:5]
    assert lines == ["0.npy"] + ["%d  %.6f  class %d" % (k, scores[k], k) for k in best]


def test_default_output_folder_and_same_names(project, staged):
    for f in ("a/x.npy", "b/x.npy"):
        (project.folder / f).parent.mkdir()
        shutil.copy(project.folder / "pics/0.npy", project.folder / f)
    project.write("l.txt", "a/x.npy\nb/x.npy\npics/1.npy\n")
    project.good("simulate", "-m", staged.folder / "out_float.sim", "-i", "l.txt", "-n", "preprocess.py")
    assert [f for f in project.files() if f.startswith("log")] == ["log/output/unknown_out_float.sim_%s.txt" % n for n in ("1.npy", "x.npy_0", "x.npy_1")]


def test_continue_run_and_show_log(staged, tmp_path):
    first = simulate(staged, "out_fixed.sim", "--output_dir", tmp_path / "o", "--show_log")
    assert re.findall(r"^pics/(\d)\.npy: [0-9.]+ ms$", first, re.M) == ["0", "1", "2", "3"]
    whole = {f.name: f.read_bytes() for f in (tmp_path / "o").iterdir()}
    for lost in (1, 2):
        (tmp_path / "o" / ("unknown_out_fixed.sim_%d.npy.txt" % lost)).unlink()
    (tmp_path / "o/unknown_out_fixed.sim_0.npy.txt").write_text("mine")
    again = simulate(staged, "out_fixed.sim", "--output_dir", tmp_path / "o", "--show_log", "--continue_run")
    assert "2 of 4 results are in %s already\n" % (tmp_path / "o") in again and "(median of 2)" in again
    assert re.findall(r"^pics/(\d)\.npy: [0-9.]+ ms$", again, re.M) == ["1", "2"]
    now = {f.name: f.read_bytes() for f in (tmp_path / "o").iterdir()}
    assert now == dict(whole, **{"unknown_out_fixed.sim_0.npy.txt": b"mine"})
    nothing = simulate(staged, "out_fixed.sim", "--output_dir", tmp_path / "o", "--continue_run")
    assert "4 of 4 results are in" in nothing and "median" not in nothing and nothing.endswith("Run evaluation OK.\n")


def test_two_inputs_in_the_inis_order(project):
    small_model(project.folder / "two.onnx", inputs=2)
    ini = """\
        [INPUT_CONFIG]
        inputs=data1,data0;
        training_input_formats=RGB,RAWDATA_F32_NHWC;
        input_formats=RGB,RAWDATA_F32_NHWC;
        mean=10:20:30;
        std_value=50:60:70;
        [OUTPUT_CONFIG]
        outputs=prob;
    """
    project.write("two.ini", ini)
    project.write("raw.py", """\
        import numpy as np
        def image_preprocess(path, norm=True):
            return np.load(path).astype(np.float32) / 64 - 2
    """)
    project.write("l.txt", "pics/0.npy,pics/1.npy\npics/2.npy,pics/3.npy\n")
    r = project.sgs("convert", "onnx", "-m", "two.onnx", "--input_config", "two.ini", "-i", "l.txt", "-n", "preprocess.py,raw.py", "-o", "two.img",
                    "--export_models")
    assert r.returncode == 0, r.stderr
    for model in ("two_float.sim", "two_fixed.sim", "two.img"):
        project.good("simulate", "-m", model, "-i", "l.txt", "-n", "preprocess.py,raw.py", "--dump_output", "--output_dir", model + ".out")
    session = onnx_session(project.folder / "two.onnx")
    picture = [np.load(project.folder / "pics" / ("%d.npy" % i)).astype(np.float64) for i in range(2)]
    want = session.run(None, {"data1": ((picture[0] - [10, 20, 30]) / [50, 60, 70]).astype(np.float32).transpose(0, 3, 1, 2),
                              "data0": (picture[1] / 64 - 2).astype(np.float32).transpose(0, 3, 1, 2)})[0]
    got = {m: np.load(project.folder / (m + ".out") / "0.npy.output0.npy") for m in ("two_float.sim", "two_fixed.sim", "two.img")}
    assert np.abs(got["two_float.sim"] - want).max() <= 1e-4 * np.abs(want).max()
    assert got["two_fixed.sim"].tobytes() == got["two.img"].tobytes() and np.abs(got["two.img"] - want).max() < 0.05
    assert project.sgs("simulate", "-m", "two.img", "-i", "pics", "-n", "preprocess.py,raw.py").stderr.startswith(
        "error: -i pics is a folder, but the model has 2 inputs\n  write a list file")


def test_nchw_inputs(project):
    project.write("input_config.ini", INI.replace("[OUTPUT", "input_layouts=NCHW;\n[OUTPUT"))
    project.write("preprocess.py", PREPROCESS.replace("return image\n", "return image.transpose(0, 3, 1, 2)\n").replace(
        ".astype(np.float32)\n", ".astype(np.float32).transpose(0, 3, 1, 2)\n"))
    assert project.convert("--export_models").returncode == 0
    simulate(project, "model_fixed.sim", "--dump_rawdata", "--dump_output", "--output_dir", "fixed")
    simulate(project, "model_offline.img", "--dump_output", "--output_dir", "offline")
    picture = np.load(project.folder / "pics/0.npy")
    assert project.bytes("fixed/0.npy.bin") == picture.transpose(0, 3, 1, 2)[:, ::-1].tobytes()
    assert project.bytes("fixed/0.npy.output0.npy") == project.bytes("offline/0.npy.output0.npy")


# ---- what goes wrong ----------------------------------------------------------------------------------------------------------------------


def fails(r, code=1):
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r.stderr[r.stderr.index("error: ") + 7:]


def test_wrong_kind(staged):
    for model, kind in (("out_float.sim", "Fixed"), ("out_fixed.sim", "Float"), ("out_offline.img", "Float"), ("model.onnx", "Float")):
        message = fails(staged.sgs("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", "-t", kind), 1 if model == "model.onnx" else 2)
        assert message.startswith(model + ": expected a")


def test_wrong_files_are_named(staged, tmp_path):
    (tmp_path / "junk").write_bytes(b"\x01junk" * 100)
    (tmp_path / "empty").write_bytes(b"")
    ini = ("--input_config", "input_config.ini")
    for f in (tmp_path / "junk", tmp_path / "empty", tmp_path / "none", tmp_path):
        for args in (("convert-tool", "onnx", "-m", f, *ini, "-o", tmp_path / "o.sim"), ("calibrate", "-m", f, *ini, "-i", "pics", "-n", "preprocess.py"),
                     ("compile", "-m", f, "-o", tmp_path / "o.img"), ("simulate", "-m", f, "-i", "pics", "-n", "preprocess.py")):
            assert fails(staged.sgs(*args)).startswith(str(f) + ":"), args
    assert not list(tmp_path.glob("o.*"))


def test_output_names(project):
    assert fails(project.sgs("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "x.img"), 2) == (
        "expected an output file that ends in .sim, found 'x.img'\n")
    assert fails(project.convert(out="pics"), 2) == "--output_file: expected a file, found the folder pics\n"
    assert fails(project.convert(out="no/such/x.img")) == "--output_file: cannot write to the folder of no/such/x.img: No such file or directory\n"


def test_soc_version(project):
    message = fails(project.convert("--soc_version", "pcupid"))
    assert message.startswith("--soc_version 'pcupid' is not a target") and "CHIP" in message
    assert project.convert("--soc_version", "CHIP").returncode == 0


def test_levels(project, staged):
    """The highest where none is named."""
    calibrate = ["calibrate", "-m", staged.folder / "out_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", project.folder / "l.sim"]
    found = []
    for more in ((), ("--quant_level", "L5"), ("--quant_level", "l4")):
        r = project.sgs(*calibrate, *more)
        assert r.returncode == 0 and ("no --quant_level: L5\n" in r.stdout) == (not more)
        found.append((project.folder / "l.sim").read_bytes())
    assert found[0] == found[1] != found[2]


def test_simulator_categories(project, staged):
    base = ["simulate", "-m", staged.folder / "out_float.sim", "-i", "pics", "-n", "preprocess.py"]
    assert "-c Detection: expected boxes" in fails(project.sgs(*base, "-c", "Detection"), 2)
    assert fails(project.sgs(*base, "-c", "Clasification"), 2) == "-c: expected Classification, Detection or Unknown, found 'Clasification'\n"
    assert fails(project.sgs(*base, "-l", "x"), 2) == "-l has no effect without -c Classification or --draw_result\n"
    project.write("labels", "one\ntwo\n")
    assert fails(project.sgs(*base, "-c", "Classification", "-l", "labels")) == "labels: expected a label for each of the 10 scores, found 2 lines\n"
    project.write("labels", "".join("%d\n" % i for i in range(10)))
    two = Project(project.folder / "two", pictures=1)
    save_model(two.folder / "m.onnx", {"data": (1, [1, 3, 4, 4])}, {"y": (1, [1, 3, 4, 4])}, [helper.make_node("Relu", ["data"], ["y"])], {})
    two.write("i.ini", INI.replace("prob", "y"))
    two.good("convert-tool", "onnx", "-m", "m.onnx", "--input_config", "i.ini", "-o", "m.sim")
    assert fails(two.sgs("simulate", "-m", "m.sim", "-i", "pics", "-n", "preprocess.py", "-c", "Classification"), 2) == (
        "m.sim: -c Classification: expected a model with one output that is a vector of scores, found 1 output of several dimensions\n")
    assert fails(project.sgs(*base, "--dump_rawdata"), 2) == "--dump_rawdata writes what a board is given: it needs a fixed or an offline model\n"
    assert fails(project.sgs(*base, "--draw_result", "o"), 2) == "--draw_result has no effect without -c Detection\n"
    assert fails(project.sgs(*base, "--tool=x")) == "--tool names another simulator program; this one is its own: leave the option out\n"


def test_script_errors_reach_the_user(project, staged):
    project.write("bad.py", textwrap.dedent("""\
        import numpy as np
        def image_preprocess(path, norm=True):
            return np.load(path)[:, :8]
    """))
    for tool, model, more in (("calibrate", "out_float.sim", ("--input_config", "input_config.ini")), ("simulate", "out_fixed.sim", ())):
        message = fails(project.sgs(tool, "-m", staged.folder / model, "-i", "pics", "-n", "bad.py", *more))
        assert message.startswith("bad.py: image_preprocess(norm=%s): expected shape (1, 16, 16, 3) for input 'data', found (1, 8, 16, 3) for picture 'pics/0.npy'" %
                                  (tool == "calibrate"))


# ---- the networks in ../shared -----------------------------------------------------------------------------------------------------------------


NETWORKS = {
    "mnist_8": "GRAY", "mobilenet_v1_0.25_224_fp32": "RGB", "mobilenet_v2_1.0_224_fp32": "RGB", "ultraface_rfb_320": "RGB",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_shared_network(tmp_path, name):
    folder = SHARED / "models/onnx" / name
    files = sorted(folder.glob("*.onnx")) if folder.exists() else []
    if not files:
        pytest.skip("needs ../shared/models/onnx/" + name)
    model = next((f for f in files if "without_post" in f.name), files[0])
    session = onnx_session(model)
    (i,), outs = session.get_inputs(), [o.name for o in session.get_outputs()]
    n, c, h, w = [d if isinstance(d, int) else 1 for d in i.shape]
    p = Project(tmp_path / "p", pictures=0)
    p.write("input_config.ini", """\
        [INPUT_CONFIG]
        inputs="%s"
        input_formats=%s
        mean=127
        std_value=128
        [OUTPUT_CONFIG]
        outputs=%s
    """ % (i.name, NETWORKS[name], ",".join('"%s"' % o for o in outs)))
    p.write("preprocess.py", PREPROCESS.replace("np.array([10, 20, 30])", "127.0").replace("np.array([50, 60, 70])", "128.0"))
    r = np.random.default_rng(5)
    for k in range(3):
        small = r.integers(0, 256, (1, h // 4, w // 4, c)).repeat(4, 1).repeat(4, 2)
        np.save(p.folder / "pics" / ("%d.npy" % k), small.astype(np.uint8))
    shapes = [] if all(isinstance(d, int) for d in i.shape) else ["--input_shapes", "%d,%d,%d,%d" % (n, c, h, w)]
    done = p.sgs("convert", "onnx", "-m", model, "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "net.img", "--export_models",
                 *shapes)
    assert done.returncode == 0, done.stderr
    for m in ("net_float.sim", "net_fixed.sim", "net.img"):
        simulate(p, m, "--dump_output", "--output_dir", m + ".out")
    for k in range(3):
        normed = ((np.load(p.folder / "pics" / ("%d.npy" % k)) - 127.0) / 128.0).astype(np.float32)
        want = session.run(None, {i.name: normed.transpose(0, 3, 1, 2)})
        for j, ref in enumerate(want):
            names = ["%s.out/%d.npy.output%d.npy" % (m, k, j) for m in ("net_float.sim", "net_fixed.sim", "net.img")]
            got = np.load(p.folder / names[0])
            ref = ref.transpose(0, 2, 3, 1) if ref.ndim == 4 else ref
            assert got.shape == ref.shape and np.abs(got - ref).max() <= 1e-4 * np.abs(ref).max()
            assert p.bytes(names[1]) == p.bytes(names[2])
