"""docs/WALKTHROUGH.md, block by block, as a reader would; then what came of it."""
import os
import pathlib
import re
import shutil
import subprocess

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OPENIPU_BUILD", ROOT / "build"))
TOOLS = ("aarch64-linux-gnu-gcc", "qemu-aarch64", "arm-none-eabi-gcc")
TORCH_PYTHON = "/usr/bin/python3"
HAVE_TORCH = subprocess.run([TORCH_PYTHON, "-c", "import torch"], capture_output=True).returncode == 0 if shutil.which(TORCH_PYTHON) else False

FENCES = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", (ROOT / "docs/WALKTHROUGH.md").read_text(), re.M | re.S)
FILES = {name: text for _, name, text in FENCES if name}
START, *COMMANDS = [text for kind, name, text in FENCES if kind == "sh"]


# What the reader did before: a checkpoint of a network that knows four kinds of pictures, by where they are bright.
TRAIN = """
import numpy as np
import torch
from net import Net
torch.manual_seed(4)
torch.set_num_threads(1)
x = torch.from_numpy(np.load("samples.npy")).permute(0, 3, 1, 2)
y = torch.arange(12) % 4
net = Net()
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for _ in range(60):
    optimizer.zero_grad()
    torch.nn.functional.nll_loss(torch.log(net(x + 0.1 * torch.randn_like(x)) + 1e-9), y).backward()
    optimizer.step()
torch.save(net.state_dict(), "net.pth")
"""


def stand_in(path, given="image", result="scores"):
    """What export.py makes, for machines without PyTorch: normalization is in the weights then."""
    rng, init, nodes = np.random.default_rng(4), [], []

    def weight(*shape):
        name = "w%d" % len(init)
        init.append(numpy_helper.from_array((rng.standard_normal(shape) * 2 / np.sqrt(np.prod(shape[1:]))).astype(np.float32), name))
        return name

    def put(op, *inputs, **attrs):
        nodes.append(helper.make_node(op, list(inputs), ["%s_%d" % (op.lower(), len(nodes))], **attrs))
        return nodes[-1].output[0]

    init += [numpy_helper.from_array(np.float32(0), "zero"), numpy_helper.from_array(np.float32(6), "six")]
    x = given
    for i, o, stride, kernel, groups in ((3, 16, 2, 3, 1), (16, 16, 1, 3, 16), (16, 32, 1, 1, 1), (32, 32, 2, 3, 32), (32, 64, 1, 1, 1)):
        x = put("Conv", x, weight(o, i // groups, kernel, kernel), weight(o), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups)
        x = put("Clip", x, "zero", "six")
    x = put("Gemm", put("Flatten", put("GlobalAveragePool", x)), weight(4, 64), weight(4), transB=1)
    nodes.append(helper.make_node("Softmax", [x], [result], axis=1))
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info(given, TensorProto.FLOAT, [1, 3, 64, 64])],
                              [helper.make_tensor_value_info(result, TensorProto.FLOAT, [1, 4])], init)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def bash(folder, text):
    env = dict(os.environ, HOME=str(folder / "home"), SGS_BIN=str(BUILD / "cli/sgs"))
    return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", START + text], cwd=folder / "mine", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader's folder with OpenIPU in her home, the files of the page, pictures and a network."""
    folder = tmp_path_factory.mktemp("walk")
    mine = folder / "mine"
    (folder / "home").mkdir()
    (folder / "home/OpenIPU").symlink_to(ROOT)
    (mine / "pictures").mkdir(parents=True)
    for name, text in FILES.items():
        (mine / name).write_text(text)
    rng = np.random.default_rng(5)
    for i in range(12):
        coarse = rng.integers(0, 160, (4, 6, 3), np.uint8)
        coarse[i % 4] += 95  # the class: which quarter is bright
        cv2.imwrite(str(mine / "pictures" / ("%02d.png" % i)), cv2.resize(coarse, (96, 80), interpolation=cv2.INTER_CUBIC))
    if HAVE_TORCH:
        script = {}
        exec(FILES["preprocess.py"], script)
        np.save(mine / "samples.npy", np.concatenate([script["image_preprocess"](str(p)) for p in sorted((mine / "pictures").iterdir())]))
        (mine / "train.py").write_text(TRAIN)
        done = bash(folder, TORCH_PYTHON + " train.py")
        assert done.returncode == 0, done.stdout
    else:
        stand_in(mine / "net.onnx")
    return folder


def title(text):
    return re.sub(r"\W+", "_", text)[:30]


def test_ten_commands():
    """One a section, each a single one: nothing stands behind its end but what it is tied to."""
    sections = re.split(r"^## (\d+)\. .*$", (ROOT / "docs/WALKTHROUGH.md").read_text(), flags=re.M)[1:]
    assert sections[::2] == [str(n) for n in range(1, 11)] and [s.count("```sh\n") for s in sections[1::2]] == [1] * 10
    for text in COMMANDS:
        assert len(re.sub(r"^for .*?^done", "for", re.sub(r"(\\|&&)\n", " ", text), flags=re.M | re.S).splitlines()) == 1, text


@pytest.mark.parametrize("text", COMMANDS, ids=title)
def test_block(reader, text):
    for tool in TOOLS:
        if tool in text and not shutil.which(tool):
            pytest.skip("%s is not installed" % tool)
    if "export.py" in text and not HAVE_TORCH:
        pytest.skip("%s has no PyTorch (tools/setup families installs it); a network of our own goes on" % TORCH_PYTHON)
    done = bash(reader, text)
    assert done.returncode == 0, text + done.stdout
    print(done.stdout)


def test_comparison_is_good(reader):
    said = bash(reader, "python3 compare.py").stdout
    pictures, agree, same = map(int, re.findall(r"\d+", said))
    assert pictures == same == 12 and agree >= 11
    if HAVE_TORCH:
        kinds = [np.load(f).argmax() for f in sorted((reader / "mine/out/net.img").glob("*.output0.npy"))]
        assert kinds == [k % 4 for k in range(12)], "the image knows what the checkpoint was taught"


def test_the_program_says_what_the_simulator_says(reader):
    got = [np.float32(line.split()[1]) for line in (reader / "mine/desk.txt").read_text().splitlines()]
    first = (reader / "mine/frame.bin").read_bytes()
    name = next(p.name[:-len(".bin")] for p in sorted((reader / "mine/raw").glob("*.bin")) if p.read_bytes() == first)
    want = np.load(reader / "mine/out/net.img" / (name + ".output0.npy")).ravel()
    assert np.array_equal(np.array(got, np.float32), want) and abs(want.sum() - 1) < 1e-3


def test_the_microcontroller_needs_memory_functions_alone(reader):
    if not (reader / "mine/net.o").exists():
        pytest.skip("arm-none-eabi-gcc is not installed")
    wanted = bash(reader, "arm-none-eabi-nm -u net.o").stdout.split()[1::2]
    assert {w for w in wanted if not w.startswith("__")} <= {"memcpy", "memmove", "memset"}
    arena = int(re.search(r"arena: (\d+) bytes", bash(reader, "python3 $S/calibrator/compiler.py -m net_fixed.sim -o again.img").stdout).group(1))
    assert arena <= int(re.search(r"-DARENA=(\d+)", "".join(COMMANDS)).group(1))


# ---- the README's own commands ------------------------------------------------------------------------------------------------------


def test_readme(tmp_path):
    """Its ini and its command lines, on a small network under the names it uses."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", (ROOT / "README.md").read_text(), re.M)
    commands = ["\n".join(line[4:] for line in b.splitlines()) for b in blocks if "python3 " in b or "build/" in b]
    (ini,) = ["\n".join(line[4:] for line in b.splitlines()) for b in blocks if "[INPUT_CONFIG]" in b]
    assert len(commands) == 3
    mine = tmp_path / "mine"
    (mine / "pictures").mkdir(parents=True)
    for shared in ("sdk", ".venv"):
        (mine / shared).symlink_to(ROOT / shared)
    (mine / "build").symlink_to(BUILD)
    stand_in(mine / "mobilenet_v2.onnx", "input", "output")
    shutil.copy(mine / "mobilenet_v2.onnx", mine / "m.onnx")
    (mine / "input_config.ini").write_text(ini)
    (mine / "preprocess.py").write_text(FILES["preprocess.py"])
    cv2.imwrite(str(mine / "pictures/one.png"), np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    env = dict(os.environ, SGS_BIN=str(BUILD / "cli/sgs"))
    for text in commands:
        done = subprocess.run(["bash", "-e", "-c", ". .venv/bin/activate\n" + text], cwd=mine, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, text + done.stdout
    assert (mine / "m.img").read_bytes() == (mine / "mobilenet_v2.img").read_bytes()


# ---- make install ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    (prefix,) = {p.parents[1] for p in folder.rglob("bin/sgs")}
    return prefix


def test_installed_runtime(reader, installed):
    """The library with its SIMD kernels gives what the C kernels gave."""
    text = (reader / "mine/board.c").read_text().replace("&ipu_kernels_c", "ipu_kernels_for(ipu_host_cpu())").replace("openipu/ipu.h", "openipu/ipu_host.h")
    (reader / "mine/fast.c").write_text(text)
    (pc,) = installed.rglob("openipu.pc")
    if b"__asan_init" in (pc.parents[1] / "libipu.a").read_bytes():
        pytest.skip("the library is built for the sanitizers")
    done = bash(reader, "cc fast.c $(PKG_CONFIG_PATH=%s pkg-config --define-variable=prefix=%s --cflags --libs openipu) -o fast && "
                "./fast net.img frame.bin | cmp - desk.txt" % (pc.parent, installed))
    assert done.returncode == 0, done.stdout


def test_installed_tools(reader, installed):
    """They find their program, from any folder."""
    line = next(text for text in COMMANDS if "SGS_converter" in text).replace("net.img", "installed.img").replace("$S", "%s/share/openipu/SGS_IPU_Toolchain/Scripts" % installed)
    done = bash(reader, "unset SGS_BIN\n" + line)
    assert done.returncode == 0, done.stdout
    for ours, theirs in (("installed.img", "net.img"), ("installed_fixed.sim", "net_fixed.sim")):
        assert (reader / "mine" / ours).read_bytes() == (reader / "mine" / theirs).read_bytes()
