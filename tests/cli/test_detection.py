"""simulate -c Detection and --draw_result: the boxes in the text files and on the pictures are those of the model's outputs."""
import json
import os
import sys

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper

flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
from support import INI, PREPROCESS, ROOT, Project, save_model  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/ops"))
from tflite_models import Model  # noqa: E402

READ = PREPROCESS.replace("import numpy as np", "import cv2\nimport numpy as np").replace("np.load(path)", "cv2.resize(cv2.imread(path), (16, 16))[None, :, :, ::-1]")
TAIL = INI.replace("outputs=prob;\ndequantizations=TRUE;", "outputs=boxes,classes,scores,count;\ndequantizations=TRUE,TRUE,TRUE,TRUE;")
CLASSES = 3


def detector():
    """Convolution to 16 anchors, TFLite_Detection_PostProcess."""
    m, r = Model(), np.random.default_rng(3)
    x = m.tensor("data", [1, 16, 16, 3])
    c = m.op("CONV_2D", [x, m.const("w", r.normal(0, 0.12, (4 + CLASSES + 1, 4, 4, 3)).astype(np.float32)), m.const("b", np.float32([0] * 5 + [-1, 0, 1]))], "c",
             [1, 4, 4, 8], options={"stride_w": 4, "stride_h": 4})

    def part(name, begin, n):
        s = m.op("SLICE", [c, m.const(name + "b", np.array([0, 0, 0, begin]), 2), m.const(name + "n", np.array([1, 4, 4, n]), 2)], name, [1, 4, 4, n])
        return m.op("RESHAPE", [s, m.const(name + "s", np.array([1, 16, n]), 2)], name + "r", [1, 16, n])
    scores = m.op("LOGISTIC", [part("s", 4, CLASSES + 1)], "p", [1, 16, CLASSES + 1])
    middle = (np.arange(4) + 0.5) / 4
    anchors = np.stack([np.repeat(middle, 4), np.tile(middle, 4), np.full(16, 0.4), np.full(16, 0.3)], 1).astype(np.float32)
    options = {"max_detections": 6, "max_classes_per_detection": 1, "num_classes": CLASSES, "nms_score_threshold": 0.2, "nms_iou_threshold": 0.5,
               "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
    y = m.op("CUSTOM", [part("b", 0, 4), scores, m.const("a", anchors)], ["boxes", "classes", "scores", "count"], [[1, 6, 4], [1, 6], [1, 6], [1]],
             custom=("TFLite_Detection_PostProcess", flexbuffers.Dumps(options)))
    return m.bytes([x], y)


def write_pictures(p, names):
    for f in (p.folder / "pics").iterdir():
        f.unlink()
    r = np.random.default_rng(11)
    for i, name in enumerate(names):
        cv2.imwrite(str(p.folder / "pics" / name), cv2.resize(r.integers(0, 120, (5, 5, 3)).astype(np.uint8), (120 + 60 * i, 90), interpolation=cv2.INTER_CUBIC))


PICTURES = ["000000000139.png", 'quo"te.png', "000.png"]
IDS = {"000000000139.png": 139, 'quo"te.png': 'quo"te.png', "000.png": 0}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("detection") / "p", pictures=0)
    (p.folder / "m.tflite").write_bytes(detector())
    p.write("input_config.ini", TAIL)
    p.write("preprocess.py", READ)
    p.write("labels", "cat\nlong dog\n")
    write_pictures(p, PICTURES)
    p.good("convert", "tflite", "-m", "m.tflite", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py", "-o", "m_offline.img", "--export_models", "-c", "Detection")
    for name in ("m_float.sim", "m_fixed.sim", "m_offline.img"):
        p.good("simulate", "-m", name, "-i", "pics", "-n", "preprocess.py", "-c", "Detection", "--draw_result", "drawn/here", "-l", "labels", "--dump_output", "--output_dir", name + ".out")
    return p


def outputs(p, model, picture):
    return [np.load(p.folder / (model + ".out") / ("%s.output%d.npy" % (picture, i))) for i in range(4)]


def boxes_of(p, model, picture, shape):
    """[(class, score, x, y, w, h)] from the outputs, in pixels."""
    places, classes, scores, count = outputs(p, model, picture)
    found = []
    for (top, left, bottom, right), c, s in list(zip(places[0].astype(float), classes[0], scores[0]))[:int(count[0])]:
        found.append((int(c) + 1, float(s), left * shape[1], top * shape[0], (right - left) * shape[1], (bottom - top) * shape[0]))
    return found


@pytest.mark.parametrize("model", ["m_float.sim", "m_fixed.sim", "m_offline.img"])
def test_the_text(project, model):
    seen = 0
    for picture in PICTURES:
        want = boxes_of(project, model, picture, cv2.imread(str(project.folder / "pics" / picture)).shape)
        text = (project.folder / (model + ".out") / ("detection_%s_%s.txt" % (model, picture))).read_text()
        assert text == "".join('{"image_id":%s, "category_id":%d, "bbox":[%.3f,%.3f,%.3f,%.3f], "score":%.6f},\n' % (json.dumps(IDS[picture]), c, *box, s)
                               for c, s, *box in want)
        rows = json.loads("[%s]" % text.rstrip(",\n"))
        assert all(row["image_id"] == IDS[picture] for row in rows)
        seen += len(rows)
    assert seen >= 6 and not list((project.folder / (model + ".out")).glob("unknown*"))


def test_fixed_and_offline_agree(project):
    for picture in PICTURES:
        fixed, offline = ((project.folder / (m + ".out") / ("detection_%s_%s.txt" % (m, picture))).read_text() for m in ("m_fixed.sim", "m_offline.img"))
        assert fixed == offline


def test_the_drawings(project):
    """Where the frames run the picture has changed, most of it has not; the label's first line is the first class's name."""
    for picture in PICTURES:
        before = cv2.imread(str(project.folder / "pics" / picture))
        after = cv2.imread(str(project.folder / "drawn/here" / ("detection_m_float.sim_%s.png" % picture)))
        assert after.shape == before.shape
        changed = (before != after).any(2)
        drawn = [b for b in boxes_of(project, "m_float.sim", picture, before.shape) if b[1] >= 0.3]
        assert drawn
        allowed = np.zeros_like(changed)
        for c, s, x, y, w, h in drawn:
            left, top, right, bottom = (int(round(v)) for v in (x, y, x + w, y + h))
            frame = np.zeros(changed.shape, np.uint8)
            cv2.rectangle(frame, (left, top), (right, bottom), 255, 1)
            assert (changed & (frame > 0)).sum() > 0.95 * (frame > 0).sum()
            words = "%s %.2f" % (["cat", "long dog", "3"][c - 1], s)
            (wide, high), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
            y1 = max(top, high + below)
            allowed |= frame > 0
            allowed[max(0, y1 - high - below):y1 + 1, max(left, 0):max(left, 0) + wide + 1] = True
        assert not (changed & ~allowed).any()


def test_the_same_bytes_again_and_what_is_there_already(project):
    args = ["simulate", "-m", "m_float.sim", "-i", "pics", "-n", "preprocess.py", "-c", "Detection", "-l", "labels", "--output_dir", "again"]
    project.good(*args, "--draw_result", "again", "--num_process", "3")
    for picture in PICTURES:
        for name in ("detection_m_float.sim_%s.txt", "detection_m_float.sim_%s.png"):
            first = project.folder / ("m_float.sim.out" if name.endswith("txt") else "drawn/here") / (name % picture)
            assert (project.folder / "again" / (name % picture)).read_bytes() == first.read_bytes()
    (project.folder / "again/detection_m_float.sim_000.png.txt").unlink()
    log = project.good(*args, "--draw_result", "again", "--continue_run", "--show_log")
    assert "2 of 3 results are in again already\n" in log and "pics/000.png: " in log and "pics/000000000139.png: " not in log


def fails(r, code):
    assert r.returncode == code, r.stdout + r.stderr
    assert r.stderr.startswith("error: ")
    return r.stderr[7:]


def test_files_that_are_no_pictures(project):
    """Boxes are in the network's own picture then."""
    p, base = project, ["simulate", "-m", "m_float.sim", "-i", "a.npy", "-n", "npy.py", "-c", "Detection"]
    p.write("npy.py", PREPROCESS)
    np.save(p.folder / "a.npy", cv2.resize(cv2.imread(str(p.folder / "pics/000.png")), (16, 16))[None, :, :, ::-1])
    p.good(*base, "--dump_output", "--output_dir", "m_float.sim.out")
    rows = json.loads("[%s]" % (p.folder / "m_float.sim.out/detection_m_float.sim_a.npy.txt").read_text().rstrip(",\n"))
    want = boxes_of(p, "m_float.sim", "a.npy", (16, 16))
    np.testing.assert_allclose([r["bbox"] for r in rows], [w[2:] for w in want], atol=6e-4)
    assert fails(p.sgs(*base, "--draw_result", "d"), 1) == "a.npy: --draw_result: OpenCV reads no picture from it\n"


def test_without_c_it_is_the_category_of_the_image(project):
    """The image was compiled with -c Detection; a model says none."""
    base = ["-i", "pics", "-n", "preprocess.py", "--output_dir"]
    log = project.good("simulate", "-m", "m_offline.img", *base, "own", "--draw_result", "own", "-l", "labels")
    assert "no -c: Detection, as the image was compiled for\n" in log
    for picture in PICTURES:
        name = "detection_m_offline.img_%s.txt" % picture
        assert project.bytes("own/" + name) == project.bytes("m_offline.img.out/" + name)
        assert (project.folder / "own" / (name[:-3] + "png")).is_file()
    log = project.good("simulate", "-m", "m_offline.img", *base, "other", "-c", "Unknown") + project.good("simulate", "-m", "m_fixed.sim", *base, "other")
    assert "no -c" not in log and [f.name.split("_")[0] for f in (project.folder / "other").iterdir()] == 2 * len(PICTURES) * ["unknown"]


def test_options_that_do_not_fit(project):
    base = ["simulate", "-m", "m_float.sim", "-i", "pics", "-n", "preprocess.py"]
    assert fails(project.sgs(*base, "--draw_result", "d"), 2) == "--draw_result has no effect without -c Detection\n"
    assert fails(project.sgs(*base, "-c", "Detection", "-l", "labels"), 2) == "-l has no effect without -c Classification or --draw_result\n"
    assert fails(project.sgs(*base, "-c", "Detection", "-l", "none", "--draw_result", "d"), 1) == "none: cannot open: No such file or directory\n"


def test_without_opencv(project, tmp_path):
    """The script needs none here, and no model of the other categories asks for it."""
    (tmp_path / "cv2.py").write_text("raise ImportError('not here')\n")
    env = {"PYTHONPATH": str(tmp_path)}
    project.write("npy.py", PREPROCESS)
    np.save(project.folder / "b.npy", np.zeros((1, 16, 16, 3), np.uint8))
    base = ["simulate", "-m", "m_float.sim", "-i", "b.npy", "-n", "npy.py", "--output_dir", "o"]
    project.good(*base, env=env)
    text = fails(project.sgs(*base, "-c", "Detection", env=env), 1)
    python = sys.executable
    assert text == ("pictures are measured and drawn on with OpenCV, but %s cannot import it (ImportError: not here)\n"
                    "  install it with '%s -m pip install opencv-python', or set SGS_PYTHON to an interpreter that has it\n" % (python, python))


def rows_model(p, ini, inputs):
    """data [1,3,4,4] to rows [1,1,3,7]."""
    w = np.random.default_rng(2).normal(0, 0.5, (48, 21)).astype(np.float32)
    save_model(p.folder / "rows.onnx", {"data": (TensorProto.FLOAT, inputs)}, {"rows": (TensorProto.FLOAT, [1, 1, 3, 7])},
               [helper.make_node("Reshape", ["data", "flat"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["s"]),
                helper.make_node("Reshape", ["s", "shape"], ["rows"])],
               {"w": w * np.float32([[0, 0, 1, 1, 1, 1, 1] * 3]), "b": np.float32([0, 2, 0, 0, 0, 0, 0] + [-1] * 7 + [0, 1, 0, 0, 0, 0, 0]),
                "flat": np.array([1, 48]), "shape": np.array([1, 1, 3, 7])})
    p.write("rows.ini", ini)
    p.good("convert-tool", "onnx", "-m", "rows.onnx", "--input_config", "rows.ini", "-o", "rows_float.sim")


def test_rows(tmp_path):
    """As Caffe's DetectionOutput gives them: class from 1, left, top, right, bottom; what is -1 is none."""
    p = Project(tmp_path / "p", pictures=0)
    rows_model(p, INI.replace("prob", "rows"), [1, 3, 4, 4])
    p.write("preprocess.py", READ.replace("(16, 16)", "(4, 4)"))
    write_pictures(p, ["1.2.png"])
    p.good("simulate", "-m", "rows_float.sim", "-i", "pics/1.2.png", "-n", "preprocess.py", "-c", "Detection", "--dump_output", "--output_dir", "o")
    rows = np.load(p.folder / "o/1.2.png.output0.npy").reshape(3, 7).astype(float)
    text = (p.folder / "o/detection_rows_float.sim_1.2.png.txt").read_text()
    want = [(c, x0 * 120, y0 * 90, (x1 - x0) * 120, (y1 - y0) * 90, s) for _, c, s, x0, y0, x1, y1 in rows[[0, 2]]]
    assert text == "".join('{"image_id":"1.2.png", "category_id":%d, "bbox":[%.3f,%.3f,%.3f,%.3f], "score":%.6f},\n' % w for w in want)
    assert [w[0] for w in want] == [2, 1]


def test_no_size_at_all(tmp_path):
    p = Project(tmp_path / "p", pictures=1, size=4)
    raw = INI.replace("prob", "rows").replace("training_input_formats=RGB;\ninput_formats=BGR", "training_input_formats=RAWDATA_F32_NHWC;\ninput_formats=RAWDATA_F32_NHWC")
    rows_model(p, raw.replace("mean=10:20:30;\nstd_value=50:60:70;\n", ""), [1, 48])
    p.write("preprocess.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path).reshape(1, 48).astype(np.float32)\n")
    base = ["simulate", "-m", "rows_float.sim", "-i", "pics/0.npy", "-n", "preprocess.py", "-c", "Detection"]
    assert fails(p.sgs(*base), 1) == ("pics/0.npy: -c Detection: OpenCV reads no picture from it, nor has the model one among its inputs: there is no size to give boxes in\n")
    assert not list(p.folder.glob("log/output/*"))


def test_models_that_are_no_detectors(tmp_path):
    p = Project(tmp_path / "p", pictures=1)
    p.good("convert-tool", "onnx", "-m", "model.onnx", "--input_config", "input_config.ini", "-o", "m_float.sim")
    assert fails(p.sgs("simulate", "-m", "m_float.sim", "-i", "pics", "-n", "preprocess.py", "-c", "Detection"), 2) == (
        "m_float.sim: -c Detection: expected boxes [1,N,4], classes [1,N], scores [1,N] and their number [1], or rows [1,1,N,7], found [1,10]\n"
        "  models that end in a detection tail give these; -c Unknown writes any output\n")
    assert not os.path.exists(p.folder / "log")
