"""The SDK tree's own examples and the manual's: run as users run them, on seeded stand-ins."""
import json
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "tests"), str(ROOT / "sdk/SGS_IPU_Toolchain/Scripts/examples/caffe_faster_rcnn")]
import calibrator_custom as cc  # noqa: E402
import manual  # noqa: E402
import rpn  # noqa: E402
import stand_ins  # noqa: E402
from support import SDK, Project  # noqa: E402

BARE = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # the tools find the package themselves


def script(name, *args, cwd, fails=False, env=BARE, says=""):
    done = subprocess.run([sys.executable, str(SDK / name), *map(str, args)], cwd=cwd, env=env, capture_output=True, text=True)
    assert (done.returncode != 0) == fails and says in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("examples") / "p")
    p.good("convert-tool", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "net_float.sim")
    p.good("calibrate", "-m", "net_float.sim", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--quant_level", "L1",
           "-o", "tool_fixed.sim")
    return p


def test_sim_calibrator(project):
    """A folder, one process or several: calibrator.py's own bytes."""
    want = project.bytes("tool_fixed.sim")
    for n in (1, 3):
        said = script("Scripts/examples/sim_calibrator.py", "-i", "pics", "-m", "net_float.sim", "--input_config", "input_config.ini", "-n", "preprocess.py",
                      "--quant_level", "L1", "--num_process", n, cwd=project.folder)
        assert "wrote net_fixed.sim" in said and project.bytes("net_fixed.sim") == want
        (project.folder / "net_fixed.sim").unlink()
    table = json.loads(script("Scripts/examples/save_quant_param.py", "-m", "tool_fixed.sim", "--output_mode", "JSON", "-o", "given.json", cwd=project.folder) and
                       project.bytes("given.json"))
    next(t for t in table if t["name"] == "r1").update(min=[0.0], max=[9.0])
    project.write("given.json", json.dumps(table))
    options = ("--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "--quant_level", "L1", "--quant_file", "given.json", "--memory_saving")
    project.good("calibrate", "-m", "net_float.sim", *options, "-o", "given_fixed.sim")
    script("Scripts/examples/sim_calibrator.py", "\u2013m", "net_float.sim", "\u2014output=by_hand.sim", "\u2013" + options[0][1:], *options[1:], cwd=project.folder,
           says="--memory_saving changes nothing here: what samples show is added as they run anyway\n")
    assert project.bytes("by_hand.sim") == project.bytes("given_fixed.sim") != want
    assert "No such file" in script("Scripts/examples/sim_calibrator.py", "-i", "absent", "-m", "net_float.sim", "--input_config", "input_config.ini",
                                    "-n", "preprocess.py", cwd=project.folder, fails=True)


def test_sim_calibrator_of_two_inputs(tmp_path):
    """A list file; its paths count from its own folder too."""
    p = Project(tmp_path / "two")
    from support import INI, small_model
    small_model(p.folder / "model.onnx", inputs=2)
    p.write("input_config.ini", INI.replace("inputs=data", "inputs=data0,data1").replace("=RGB;", "=RGB,RGB;").replace("=BGR;", "=BGR,BGR;")
            .replace("quantizations=TRUE", "quantizations=TRUE,TRUE", 1).replace("=10:20:30", "=10:20:30,10:20:30").replace("=50:60:70", "=50:60:70,50:60:70"))
    p.write("pics/list.txt", "0.npy, 1.npy\n\n2.npy,3.npy\n")
    p.good("convert-tool", "onnx", "--model_file", "model.onnx", "--input_config", "input_config.ini", "--output_file", "net.sim")
    options = ("-m", "net.sim", "--input_config", "input_config.ini", "-i", "pics/list.txt", "-n", "preprocess.py,preprocess.py", "--quant_level", "L1")
    p.good("calibrate", *options, "-o", "tool.sim")
    script("Scripts/examples/sim_calibrator.py", *options, cwd=p.folder)
    assert p.bytes("net_fixed.sim") == p.bytes("tool.sim")
    p.write("pics/list.txt", "0.npy\n")
    assert "error: expected a path for each of the 2 scripts, found 1: " in script("Scripts/examples/sim_calibrator.py", *options, cwd=p.folder, fails=True)


def test_save_quant_param(project):
    """Both forms hold the same; the numbers give the model's scales again."""
    for mode in ("JSON", "Pickle"):
        script("Scripts/examples/save_quant_param.py", "-m", "tool_fixed.sim", "--output_mode", mode, cwd=project.folder)
    table = json.loads(project.bytes("tool_fixed.json"))
    assert table == pickle.loads(project.bytes("tool_fixed.pkl"))
    saved = {t["name"]: t for t in table}
    tensors = {t["name"]: t for t in cc.fixed_simulator(project.folder / "tool_fixed.sim").get_tensor_details()}
    assert all(sorted(t) == ["bit", "max", "min", "name"] for t in table) and {"w0_0", "w1", "w2", "r1", "prob"} <= set(saved)
    assert "b2" not in saved and not [n for n in saved if n.startswith("%")], "a bias follows from the others; names are the user's"
    assert saved.pop("prob")["bit"] == 16
    for name, t in saved.items():
        assert t["bit"] == (16 if tensors[name]["dtype"] == "INT16" else 8) and len(t["min"]) == len(t["max"]) >= 1
    for name in ("w0_0", "w1", "w2"):
        got = [max(-a, b) / 127 for a, b in zip(saved[name]["min"], saved[name]["max"])]
        assert got == pytest.approx([s for s, _ in tensors[name]["quantization"]])
    for name in ("data", "r1"):
        (scale, _), a, b = tensors[name]["quantization"][0], saved[name]["min"], saved[name]["max"]
        width = b[0] - a[0] if name == "data" else max(b) - min(a)  # an image has a scale a channel
        assert width / 255 == pytest.approx(scale, rel=1e-5)
    assert "--output_mode" in script("Scripts/examples/save_quant_param.py", "-m", "tool_fixed.sim", cwd=project.folder, fails=True)


METHODS = sorted((SDK / "Scripts/calibrator/preprocess_method").glob("*.py"))
SIZES = {"caffe_lenet": (28, 28, 1), "caffe_mobilenet_v2": (224, 224, 3), "caffe_resnet50_conv": (224, 224, 3), "onnx_yolov8s": (640, 640, 3), "resnet18": (224, 224, 3),
         "resnet_v2_50": (299, 299, 3), "yolo_v3_7": (299, 299, 3)}


@pytest.mark.parametrize("path", METHODS, ids=lambda p: p.stem)
def test_preprocess_methods(path, tmp_path):
    """Scripts for the manual's networks, by name: what an ini with the numbers that they state makes of norm=False is norm=True; of pictures of any size."""
    assert [p.stem for p in METHODS] == sorted(SIZES)
    settings = dict(s.split("=") for s in path.read_text().split('"""')[1].split("\n\n")[1].replace(" ", "").strip().strip(";").split(";"))
    assert list(settings) == ["training_input_formats", "mean", "std_value"]
    mean, std = ([float(v) for v in settings[k].split(":")] for k in ("mean", "std_value"))
    if settings["training_input_formats"] == "BGR":
        mean, std = mean[::-1], std[::-1]
    function = cc.utils.image_preprocess_func(path.stem)
    for size in ((300, 410), (97, 31), (224, 224)):
        stand_ins.picture(tmp_path / "p.png", 3, size)
        real, raw = function(str(tmp_path / "p.png")), function(str(tmp_path / "p.png"), norm=False)
        assert raw.dtype == np.uint8 and real.dtype == np.float32 and raw.shape == real.shape == (1,) + SIZES[path.stem]
        assert raw.flags.c_contiguous and len(np.unique(raw)) > 20
        np.testing.assert_allclose(real, (raw - np.array(mean)) / np.array(std), rtol=1e-5, atol=1e-5)
    blue = np.zeros((240, 240, 3), np.uint8)
    blue[..., 0] = 200
    stand_ins.cv2.imwrite(str(tmp_path / "blue.png"), blue)
    if len(mean) == 3:
        middle = function(str(tmp_path / "blue.png"), norm=False)[0, SIZES[path.stem][0] // 2, SIZES[path.stem][1] // 2].tolist()
        assert middle == ([200, 0, 0] if settings["training_input_formats"] == "BGR" else [0, 0, 200])
    with pytest.raises(FileNotFoundError, match="^no picture: absent.png$"):
        function("absent.png")


def test_a_script_by_name(tmp_path):
    """-n of every tool: a file of that name, else the one of the SDK tree, through a launcher or where SGS_IPU_DIR says so."""
    stand_ins.onnx_classifier(tmp_path / "m.onnx", 224, ["image"])
    stand_ins.image_ini(tmp_path / "i.ini", ["image"], "prob", mean="123.675:116.28:103.53", std="58.395:57.12:57.375")
    stand_ins.picture(tmp_path / "p.png", 1)
    args = ("onnx", "--model_file", "m.onnx", "--input_config", "i.ini", "-i", "p.png", "--output_file", "m.img")
    made = []
    for name in ("resnet18", "resnet18.py", METHODS[0].parent / "resnet18.py"):
        script("Scripts/ConvertTool/SGS_converter.py", *args, "-n", name, cwd=tmp_path)
        made.append((tmp_path / "m.img").read_bytes())
    assert made[0] == made[1] == made[2]
    script("Scripts/calibrator/simulator.py", "-m", "m.img", "-i", "p.png", "-n", "resnet18", cwd=tmp_path)
    assert "resnet19: cannot read the preprocessing script: No such file" in script("Scripts/ConvertTool/SGS_converter.py", *args, "-n", "resnet19", cwd=tmp_path, fails=True)
    (tmp_path / "resnet18").write_text("def image_preprocess(path, norm=True):\n    raise ValueError('mine')\n")
    assert "ValueError: mine" in script("Scripts/ConvertTool/SGS_converter.py", *args, "-n", "resnet18", cwd=tmp_path, fails=True)
    (tmp_path / "resnet18").unlink()
    for env, code in ((dict(BARE, SGS_IPU_DIR=str(SDK)), 0), ({k: v for k, v in BARE.items() if k != "SGS_IPU_DIR"}, 1)):
        done = subprocess.run([os.environ["SGS_BIN"], "convert", *args, "-n", "resnet18"], cwd=tmp_path, env=dict(env, SGS_PYTHON=sys.executable), capture_output=True, text=True)
        assert done.returncode == code, done.stderr


def test_cfg_env(tmp_path):
    """After it, `import calibrator_custom` works anywhere, in sh too where it is read from its own folder."""
    code = "import calibrator_custom as c, os; print(c.__version__, os.environ['SGS_IPU_DIR'])"
    for shell in (["bash", "-c", ". %s/cfg_env.sh && %s -c \"%s\"" % (SDK, sys.executable, code)],
                  ["bash", "-euc", "PYTHONPATH=/elsewhere; . %s/cfg_env.sh && cd / && %s -c \"%s\"" % (SDK, sys.executable, code)]):
        done = subprocess.run(shell, cwd=tmp_path, env=BARE, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.split() == [cc.__version__, str(SDK)], done.stderr


# ---- Faster-RCNN -------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rcnn(tmp_path_factory):
    """Both segments, converted with the manual's own two commands but for conv5_3: S16 there, so that integers go straight over."""
    p = Project(tmp_path_factory.mktemp("rcnn") / "p")
    stand_ins.faster_rcnn(p.folder)
    p.write("input_config.ini", """\
        [INPUT_CONFIG]
        inputs=data;
        input_formats=BGR;
        quantizations=TRUE;
        mean=122.7717:115.9465:102.9801;
        std_value=1;
        [OUTPUT_CONFIG]
        outputs=rpn_cls_prob_reshape,rpn_bbox_pred,conv5_3;
        dequantizations=TRUE,TRUE,FALSE;
        """)
    p.write("input_config_stage2.ini", """\
        [INPUT_CONFIG]
        inputs=conv5_3,rois;
        input_formats=RAWDATA_S16_NHWC,RAWDATA_F32_NHWC;
        quantizations=TRUE,TRUE;
        [OUTPUT_CONFIG]
        outputs=cls_prob,bbox_pred;
        dequantizations=TRUE,TRUE;
        """)
    for model, ini, out, given, results in (("test_stageone", "input_config.ini", "faster_rcnn_main", "data", "rpn_cls_prob_reshape,rpn_bbox_pred,conv5_3"),
                                            ("second_stage", "input_config_stage2.ini", "faster_rcnn_stage2", "conv5_3,rois", "cls_prob,bbox_pred")):
        script("Scripts/ConvertTool/ConvertTool.py", "caffe", "--model_file", model + ".prototxt", "--weight_file", "VGG16_faster_rcnn_final.caffemodel",
               "--input_arrays", given, "--output_arrays", results, "--input_config", ini, "--output_file", out + "_float.sim", cwd=p.folder)
    for i in range(4):
        stand_ins.picture(p.folder / "photos" / ("%d.png" % i), 20 + i, (150, 200 + 20 * i))
    return p


FASTER = "Scripts/examples/caffe_faster_rcnn/"
MODELS = ("-m0", "faster_rcnn_main_float.sim", "-m1", "faster_rcnn_stage2_float.sim")


def calibrate(rcnn, *more):
    return script(FASTER + "faster_rcnn_calibrator.py", "-i", "photos/", *MODELS, "--input_config0", "input_config.ini", "--input_config1",
                  "input_config_stage2.ini", *more, cwd=rcnn.folder)


def found(text):
    """{picture: [(category, box, score)]}."""
    result = {}
    for line in text.splitlines():
        if line.startswith("{"):
            d = json.loads(line)
            result[picture].append((d["category_id"], d["bbox"], d["score"]))
        else:
            picture = line.split(":")[0]
            result[picture] = []
    return result


def overlap(a, b):
    """Of two boxes x, y, width, height: what both cover, of what either covers."""
    common = [max(0, min(a[k] + a[k + 2], b[k] + b[k + 2]) - max(a[k], b[k])) for k in (0, 1)]
    both = common[0] * common[1]
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-9)


def found_again(want, got):
    """The share of the surer objects that are there too: of the same class, more than half of the box in common."""
    hits = [any(c == k and overlap(box, other) > 0.5 for k, other, _ in got[p]) for p in want for c, box, score in want[p] if score > 0.7]
    assert len(hits) > 10
    return sum(hits) / len(hits)


def test_faster_rcnn(rcnn):
    """The manual's two commands: both segments become fixed, whoever runs which picture; float, fixed and the images agree on what they see."""
    calibrate(rcnn)
    names = ("faster_rcnn_main_fixed.sim", "faster_rcnn_stage2_fixed.sim")
    made = [rcnn.bytes(n) for n in names]
    calibrate(rcnn, "--num_process", 1, "-o0", "a.sim", "-o1", "b.sim")
    assert [rcnn.bytes("a.sim"), rcnn.bytes("b.sim")] == made
    main, second = (cc.fixed_simulator(rcnn.folder / n) for n in names)
    assert main.get_output_details()[2]["quantization"] == second.get_input_details()[0]["quantization"] != []
    for n, image in zip(names, ("main.img", "second.img")):
        rcnn.good("compile", "-m", n, "-o", image)
    models = {"Float": MODELS[1::2], "Fixed": names, "Offline": ("main.img", "second.img")}
    said = {kind: script(FASTER + "faster_rcnn_simulator.py", "-i", "photos", "-m0", a, "-m1", b, "-t", kind, "--num_process", 2, cwd=rcnn.folder)
            for kind, (a, b) in models.items()}
    assert said["Fixed"] == said["Offline"]
    want, got = found(said["Float"]), found(said["Fixed"])
    assert sorted(want) == ["%d.png" % i for i in range(4)] and all(want.values())
    best = [{p: max(seen[p], key=lambda d: d[2])[0] for p in seen} for seen in (want, got)]
    assert best[0] == best[1] and found_again(want, got) > 0.8, found_again(want, got)
    (rcnn.folder / "no_picture.png").write_bytes(b"nothing")
    said = script(FASTER + "faster_rcnn_simulator.py", "-i", "no_picture.png", *MODELS, "-t", "Float", cwd=rcnn.folder, fails=True)
    assert said.endswith("error: cannot read the picture no_picture.png\n")
    one = script(FASTER + "faster_rcnn_simulator.py", "\u2013i", "photos/2.png", "\u2013m0", MODELS[1], "\u2013m1", MODELS[3], "\u2014t", "Float", cwd=rcnn.folder)
    assert found(one) == {"2.png": want["2.png"]}


def test_rpn():
    assert rpn.anchors()[0].tolist() == [-84, -40, 99, 55] and rpn.anchors().shape == (9, 4)
    boxes = np.array([[0, 0, 9, 19], [10, 10, 29, 29]], np.float32)
    assert np.allclose(rpn.shifted(boxes, np.zeros((2, 8), np.float32)), np.hstack([boxes, boxes]) + [0, 0, 1, 1] * 2)
    moved = rpn.shifted(boxes, np.array([[1, 0.5, np.log(2), 0]] * 2, np.float32))
    assert np.allclose(moved, [[5, 10, 25, 30], [20, 20, 60, 40]], atol=1e-4)
    near = np.array([[0, 0, 9, 9], [1, 0, 10, 9], [30, 30, 39, 39]], np.float32)
    assert rpn.keep_best(near, np.float32([0.5, 0.9, 0.1]), 0.7, 9).tolist() == [1, 2]
    assert rpn.keep_best(near, np.float32([0.5, 0.9, 0.1]), 0.9, 9).tolist() == [1, 0, 2]
    assert rpn.keep_best(near, np.float32([0.5, 0.9, 0.1]), 0.9, 2).tolist() == [1, 0]
    layer = rpn.ProposalLayer(regions=50)
    scores = np.zeros((1, 6, 8, 18), np.float32)
    scores[0, 3, 4, 9] = 1
    rois = layer.forward([scores, np.zeros((1, 6, 8, 36), np.float32), np.array([[96, 128, 1]])])
    assert rois.shape == (50, 5) and rois.dtype == np.float32 and not rois[:, 0].any()
    assert rois[0, 1:].tolist() == [0, 8, 127, 95], "the anchor of the cell, clipped to the picture"


# ---- the manual's own text ---------------------------------------------------------------------------------------------------

needs_manual = pytest.mark.skipif(not manual.MANUAL.exists(), reason=manual.ABSENT)


@needs_manual
def test_manuals_sim_calibrator(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").symlink_to(project.folder / "pics")
    names = dict(os=os, model_path=project.folder / "net_float.sim", input_config=project.folder / "input_config.ini",
                 model_name=str(project.folder / "preprocess.py"), out_model_path="fixed.sim")
    exec(manual.sim_calibrator(), names)
    assert cc.fixed_simulator("fixed.sim").get_output_details()[0]["name"] == "prob"


@needs_manual
def test_manuals_faster_rcnn(rcnn, tmp_path):
    """Its class, with the layer and the picture function that it leaves to the reader: the example's own models."""
    import faster_rcnn
    details = cc.float_simulator(rcnn.folder / MODELS[1]).get_input_details()[0]
    names = dict(calibrator_custom=cc, rpn=rpn, np=np, fill_inputImg2main=lambda x: faster_rcnn.fill_inputImg2main(x, details))
    exec(manual.example("faster_rcnn"), names)
    net = names["Net"](*[str(rcnn.folder / n) for n in (MODELS[1], "input_config.ini", MODELS[3], "input_config_stage2.ini")])
    pictures = faster_rcnn.list_images(str(rcnn.folder / "photos"))
    net.convert(faster_rcnn.image_generator(pictures), num_process=2, fix_model=[tmp_path / "a.sim", tmp_path / "b.sim"])
    calibrate(rcnn, "-o0", "c.sim", "-o1", "d.sim")
    assert [(tmp_path / n).read_bytes() for n in ("a.sim", "b.sim")] == [rcnn.bytes("c.sim"), rcnn.bytes("d.sim")]


@needs_manual
def test_manuals_faster_rcnn_simulator(rcnn):
    """Its class for running: as printed (with both its `forward`) on the float models; told what norm is, on the fixed ones too."""
    import faster_rcnn
    calibrate(rcnn)
    files = {"Float": MODELS[1::2], "Fixed": ("faster_rcnn_main_fixed.sim", "faster_rcnn_stage2_fixed.sim")}
    printed = manual.example("faster_rcnn_simulator")
    pictures = list(faster_rcnn.image_generator(faster_rcnn.list_images(str(rcnn.folder / "photos"))))
    results = {}
    for phase, (a, b) in files.items():
        main, second = ({"Float": cc.float_simulator, "Fixed": cc.fixed_simulator}[phase](rcnn.folder / n) for n in (a, b))
        details = main.get_input_details()[0]
        names = dict(calibrator_custom=cc, rpn=rpn, np=np, fill_inputImg2main=lambda x, norm=True: faster_rcnn.fill_inputImg2main(x, details, norm))
        exec(printed if phase == "Float" else printed.replace("fill_inputImg2main(x)", "fill_inputImg2main(x, norm=self.norm)"), names)
        results[phase] = names["Net"](str(rcnn.folder / a), str(rcnn.folder / b), phase)(pictures, num_process=2)
        for (x,), (cls_prob, bbox_pred) in zip(pictures, results[phase]):
            want = faster_rcnn.run_segments(main, second, rpn.ProposalLayer(), x, norm=phase == "Float")
            assert cls_prob.tobytes() == want[0].tobytes() and bbox_pred.tobytes() == want[1].tobytes()
    surest = [[cls_prob.max(0).argmax() for cls_prob, _ in results[phase]] for phase in files]
    assert surest[0] == surest[1], "the class; the regions may stand in another order"
