"""The manual's own preprocessing examples, cut out of its text where that lies beside the project; none of it is kept here.  The text
has lost its indentation: the table gives each line's depth, and so says too where an example ends."""
import importlib.util
import pathlib

HAVE_TORCHVISION = importlib.util.find_spec("torchvision") is not None
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "shared/spec/model_conversion.txt"
ABSENT = "needs the manual, ../shared/spec/model_conversion.txt"
EXAMPLES = {  # name: (what the heading above starts with, what the first line starts with, depth of each line)
    "yolov8s": ("2.1 Preprocessing File", "import cv2", "000" + "11121112111112122211121111" + "0" + "111111212"),
    "resnet18": ("① Image Input", "from PIL", "0000" + "11212111233332222122" + "1" + "011"),
    "lenet": ("Using the preprocessing script example for a GRAY", "import cv2", "000" + "112111222121" + "01"),
    "F32": ("1) Applicable", "import numpy", "0011101"),
    "S16": ("2) Applicable", "import numpy", "0011212101"),
    "U16": ("3) Applicable", "import numpy", "0011212101"),
    "faster_rcnn": ("- First, define the two segments", "class Net(calibrator_custom.SIM_Calibrator)",
                    "012222" + "12222223322222222233" + "2"),
    "faster_rcnn_simulator": ("(2) The method to run both segments", "class Net(calibrator_custom.SIM_Simulator)",
                              "0122" + "33323332333" + "2" + "122222" + "122222" + "2332222223" + "23222332"),
    "U8": ("4) Applicable", "import numpy", "0011212101"),
}
TORCHVISION = '''
import types
import numpy as np
class Tensor(np.ndarray):
    def numpy(self):
        return np.asarray(self)
def resize(size):
    def to(image):
        w, h = image.size
        return image.resize((size, round(size * h / w)) if w < h else (round(size * w / h), size), 2)
    return to
def crop(size):
    def to(image):
        left, top = (image.size[0] - size) // 2, (image.size[1] - size) // 2
        return image.crop((left, top, left + size, top + size))
    return to
def compose(steps):
    def to(image):
        for step in steps:
            image = step(image)
        return image
    return to
def normalize(mean, std):
    return lambda x: (x - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
transforms = types.SimpleNamespace(Resize=resize, CenterCrop=crop, Compose=compose, Normalize=normalize,
                                   ToTensor=lambda: lambda image: (np.asarray(image).transpose(2, 0, 1) / 255).view(Tensor))
'''


def example(name):
    """As printed, but for the indentation."""
    heading, first, depths = EXAMPLES[name]
    lines = MANUAL.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(heading))
    start = next(i for i in range(start, len(lines)) if lines[i].startswith(first))
    return "".join("    " * int(d) + line + "\n" for d, line in zip(depths, lines[start:]))


FLAT = ("import", "class Net", "def __init__", "super()", "self.model =", "def forward", "out_details =", "self.model.set_input", "self.model.invoke",
        "result_list = []", "for idx", "result =", "result_list.append", "return")  # where its lines began
FLAT_DEPTH = "00122122222332"


def sim_calibrator():
    """The example of SIM_Calibrator, which the text holds as one line; then the lines that use it."""
    lines = MANUAL.read_text(encoding="utf-8").splitlines()
    text = next(line for line in lines if line.startswith("import calibrator_custom class Net"))
    at, cut = 0, []
    for begin in FLAT:
        at = text.index(begin, at)
        cut.append(at)
    cut.append(text.index("Usage"))
    net = "".join("    " * int(d) + text[a:b].strip() + "\n" for d, a, b in zip(FLAT_DEPTH, cut, cut[1:]))
    use = next(line for line in lines if line.startswith("preprocess_func = calibrator_custom.utils"))
    for word, depth in (("def image_generator", 0), ("images =", 1), ("for image in images:", 1), ("img = preprocess_func(", 2), ("yield [img]", 2), ("img_gen =", 0)):
        use = use.replace(" " + word, "\n" + "    " * depth + word)
    convert = next(line for line in lines if line.startswith("net.convert(img_gen, fix_model=[out_model_path])"))
    return net + "net = Net()\n" + use.rstrip(" -") + "\n" + convert[:convert.index("Usage")] + "\n"


def repaired(name):
    """What the printed one means, where it cannot run: resnet18 calls .numpy() of a picture, the npy ones a function that is not there."""
    text = example(name)
    if name == "resnet18":
        before, after = text.rsplit("image = image.numpy()", 1)
        return before + "image = np.asarray(image)" + after
    return text[:text.rindex("def image_preprocess")] if name in ("F32", "S16", "U16", "U8") else text


def write(folder, name, text):
    """NAME.py in folder; beside it, where torchvision is wanted and not installed, the five of its functions that resnet18 uses."""
    (folder / (name + ".py")).write_text(text, encoding="utf-8")
    if "torchvision" in text and not HAVE_TORCHVISION:
        (folder / "torchvision").mkdir(exist_ok=True)
        (folder / "torchvision/__init__.py").write_text("")
        (folder / "torchvision/transforms.py").write_text(TORCHVISION)
