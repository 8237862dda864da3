"""The platform caffe: the manual's command lines, a network in two segments, what sgs check says of a prototxt."""
import subprocess
import sys

import numpy as np
import pytest

from support import ENV, ROOT, SDK, Project

sys.path.insert(0, str(ROOT / "tests/ops"))
from caffe_writer import caffemodel  # noqa: E402

TOOL, CONVERTER = SDK / "Scripts/ConvertTool/ConvertTool.py", SDK / "Scripts/ConvertTool/SGS_converter.py"

HEAD = """name: "small"
input: "data"
input_shape { dim: 1 dim: 3 dim: 16 dim: 16 }
"""
BODY = """layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 2 bias_term: false } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { use_global_stats: true } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
SEGMENTS = HEAD + """layer { name: "conv5_3" type: "Convolution" bottom: "data" top: "conv5_3" convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu5_3" type: "ReLU" bottom: "conv5_3" top: "conv5_3" }
layer { name: "rpn" type: "Convolution" bottom: "conv5_3" top: "rpn_bbox_pred" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "proposal" type: "Python" bottom: "rpn_bbox_pred" top: "rois" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" } }
layer { name: "roi_pool5" type: "ROIPooling" bottom: "conv5_3" bottom: "rois" top: "pool5" roi_pooling_param { pooled_w: 2 pooled_h: 2 spatial_scale: 1 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool5" top: "fc6" inner_product_param { num_output: 6 } }
layer { name: "cls_prob" type: "Softmax" bottom: "fc6" top: "cls_prob" }
"""


def weights():
    r = np.random.default_rng(5)

    def normal(*shape):
        return (r.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    ones = np.ones(8, np.float32)
    small = {"conv1": [normal(8, 3, 3, 3)], "bn1": [normal(8), ones, np.float32([1])], "scale1": [ones, normal(8)], "fc": [normal(10, 8), normal(10)]}
    two = {"conv5_3": [normal(8, 3, 3, 3), normal(8)], "rpn": [normal(4, 8, 1, 1), normal(4)], "fc6": [normal(6, 32), normal(6)]}
    return small, two


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    p = Project(tmp_path_factory.mktemp("caffe"))
    small, two = weights()
    p.write("small.prototxt", HEAD + BODY)
    (p.folder / "small.caffemodel").write_bytes(caffemodel(small))
    p.write("two.prototxt", SEGMENTS)
    (p.folder / "two.caffemodel").write_bytes(caffemodel(two))
    return p


def script(path, *args, cwd, code=0):
    r = subprocess.run([sys.executable, str(path), *map(str, args)], cwd=cwd, env=ENV, capture_output=True, text=True, timeout=120)
    assert r.returncode == code, r.stdout + r.stderr
    return r.stderr if code else r.stdout


def test_the_manuals_converter(p):
    script(CONVERTER, "caffe", "--model_file", "small.prototxt", "--weight_file", "small.caffemodel", "--input_config", "input_config.ini", "-i", "pics", "-n", "preprocess.py",
           "--output_file", "./small.img", "--export_models", "--soc_version", "CHIP", cwd=p.folder)
    for name in ("small_float.sim", "small_fixed.sim", "small.img"):
        assert (p.folder / name).exists()
    for model, kind in (("small_fixed.sim", "fixed"), ("small.img", "image")):
        p.good("simulate", "-m", model, "-i", "pics", "-n", "preprocess.py", "--output_dir", kind, "--dump_output")
    for f in sorted((p.folder / "fixed").glob("*.npy")):
        assert f.read_bytes() == (p.folder / "image" / f.name).read_bytes()


def test_the_manuals_convert_tool(p):
    script(TOOL, "caffe", "--model_file", "small.prototxt", "--weight_file", "small.caffemodel", "--input_config", "input_config.ini", "--output_file", "./s_float.sim",
           "--soc_version", "CHIP", cwd=p.folder)
    again = "t_float.sim"
    p.good("convert-tool", "caffe", "-m", "small.prototxt", "--weight_file", "small.caffemodel", "--input_config", "input_config.ini", "--input_arrays", "data", "--output_arrays", "prob",
           "-o", again)
    assert (p.folder / "s_float.sim").read_bytes() == (p.folder / again).read_bytes()
    assert "--weight_file" in script(TOOL, "caffe", "\u2013h", cwd=p.folder)


def test_two_segments(p):
    """The manual's Faster-RCNN: the Python layer between them is cut away by the ini alone."""
    p.write("one.ini", "[INPUT_CONFIG]\ninputs=data;\ninput_formats=BGR;\nquantizations=TRUE;\nmean=10:20:30;\nstd_value=50:60:70;\n"
                       "[OUTPUT_CONFIG]\noutputs=rpn_bbox_pred,conv5_3;\ndequantizations=TRUE,FALSE;\n")
    p.write("stage2.ini", "[INPUT_CONFIG]\ninputs=conv5_3,rois;\ninput_formats=RAWDATA_S16_NHWC,RAWDATA_F32_NHWC;\nquantizations=TRUE,TRUE;\n"
                          "[OUTPUT_CONFIG]\noutputs=cls_prob;\ndequantizations=TRUE;\n")
    script(TOOL, "caffe", "--model_file", "two.prototxt", "--weight_file", "two.caffemodel", "--input_arrays", "data", "--output_arrays", "rpn_bbox_pred,conv5_3",
           "--input_config", "one.ini", "--output_file", "main_float.sim", cwd=p.folder)
    # What a Python layer makes has no shape: a network of the second segment alone says it.
    second = SEGMENTS.replace(HEAD, 'input: "conv5_3"\ninput: "rois"\ninput_shape { dim: [1, 8, 16, 16] }\ninput_shape { dim: [7, 5] }\n')
    lines = second.splitlines()
    p.write("second.prototxt", "\n".join(line for line in lines if not any(n in line for n in ('name: "conv5_3"', "relu5_3", '"rpn"', "proposal"))))
    script(TOOL, "caffe", "--model_file", "second.prototxt", "--weight_file", "two.caffemodel", "--input_arrays", "conv5_3,rois", "--output_arrays", "cls_prob",
           "--input_config", "stage2.ini", "--output_file", "stage2_float.sim", cwd=p.folder)
    # ... whose boxes go through fixed point and the image too.
    r, lines = np.random.default_rng(2), []
    for i in range(4):
        low = r.integers(0, 10, (7, 2))
        np.save(p.folder / f"map{i}.npy", r.random((1, 16, 16, 8), np.float32))
        np.save(p.folder / f"rois{i}.npy", np.concatenate([np.zeros((7, 1)), low, low + 5], 1).astype(np.float32))
        lines.append(f"map{i}.npy,rois{i}.npy\n")
    p.write("list.txt", "".join(lines))
    p.write("raw.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    return np.load(path)\n")
    p.write("map.py", "import numpy as np\ndef image_preprocess(path, norm=True):\n    x = np.load(path)\n    return x if norm else np.round(x * 32767).astype(np.int16)\n")
    given = ("-i", "list.txt", "-n", "map.py,raw.py")
    p.good("calibrate", "-m", "stage2_float.sim", "--input_config", "stage2.ini", *given, "-o", "stage2_fixed.sim")
    p.good("compile", "-m", "stage2_fixed.sim", "-o", "stage2.img")
    for model, kind in (("stage2_fixed.sim", "fixed2"), ("stage2.img", "image2"), ("stage2_float.sim", "float2")):
        p.good("simulate", "-m", model, *given, "--output_dir", kind, "--dump_output")
    found = {kind: [np.load(f) for f in sorted((p.folder / kind).glob("*.npy"))] for kind in ("float2", "fixed2", "image2")}
    assert len(found["fixed2"]) == 4 and all(np.array_equal(a, b) for a, b in zip(found["fixed2"], found["image2"]))
    assert max(np.abs(a - b).max() for a, b in zip(found["float2"], found["fixed2"])) < 0.02


def test_check(p):
    r = p.sgs("check", "small.prototxt", "--weight_file", "small.caffemodel")
    assert r.returncode == 0, r.stdout + r.stderr
    assert r.stdout.startswith("small.prototxt: Caffe, 7 nodes\n") and "every node can be taken, in float and in fixed point\n" in r.stdout
    assert "training_input_formats=BGR;" in r.stdout
    r = p.sgs("check", "small.prototxt")
    assert r.returncode == 0 and r.stdout.endswith("every node can be taken in float; what fixed point takes is known with the weights: --weight_file\n")
    r = p.sgs("check", "two.prototxt", "--weight_file", "two.caffemodel")
    assert r.returncode == 1 and "  Python 'proposal': no such operator\n" in r.stdout
    assert "largest part that can be taken: 3 of 7 nodes; its inputs and outputs in the ini cut the model there:\n" in r.stdout
    assert "sgs extract" not in r.stdout and "  outputs=rpn_bbox_pred,conv5_3;\n" in r.stdout


def test_without_weights(p):
    r = p.sgs("convert-tool", "caffe", "-m", "small.prototxt", "--input_config", "input_config.ini", "-o", "x.sim")
    assert (r.returncode, r.stderr) == (2, "error: small.prototxt: the network has weights, and the file that holds them is not given\n  --weight_file NAME.caffemodel\n")
    r = p.sgs("convert-tool", "caffe", "-m", "small.prototxt", "--weight_file", "none.caffemodel", "--input_config", "input_config.ini", "-o", "x.sim")
    assert (r.returncode, r.stderr) == (1, "error: none.caffemodel: cannot open: No such file or directory\n")
