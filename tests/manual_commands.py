"""The manual's command lines, cut out of its text; none of it is kept here.  The text has lost backslashes and ends of lines: each repair is told.

A command begins at `python3` and goes on while its line ends in a backslash or the next one begins with an option."""
import collections
import itertools
import re

from manual import MANUAL

Command = collections.namedtuple("Command", "line text repairs")  # line: number in the manual; text: for a shell; repairs: what was mended
OPTION = re.compile(r"--?\w")
PROSE = {  # what follows a command that shares its line with other text: that it ends there, and what is said of it
    r" to view ": "prose behind it",
    r"Usage$": "the next heading behind it",
    r" -$": "a list's dash behind it",
    r"(?<=\.sim)The dequantization": "prose and an ini behind it",
    r"(?<=\.sim)\[INPUT_CONFIG\]": "an ini behind it",
}


def lines():
    return MANUAL.read_text(encoding="utf-8").splitlines()


def _cut(text, repairs):
    for pattern, what in PROSE.items():
        found = re.search(pattern, text)
        if found:
            text = text[:found.start()]
            repairs.append(what)
    return text


def _command(text, at):
    repairs, first = [], text[at].index("python3 ")
    if first and text[at][:first] not in ("- Execute ", "Execute "):
        repairs.append("a heading before it")
    parts = [_cut(text[at][first:], repairs)]
    while parts[-1] == text[at][first if len(parts) == 1 else 0:] and OPTION.match(text[at + 1]):
        at += 1
        if not parts[-1].endswith("\\"):
            repairs.append("no backslash before line %d" % (at + 1))
        parts.append(text[at])
    whole = " ".join(part.rstrip("\\ ") for part in parts)
    if "\\ " in whole:
        repairs.append("lines run together")
        whole = re.sub(r" ?\\ ", " ", whole)
    return whole, repairs


def commands():
    """All of them in order, repeated ones too."""
    text = lines()
    return [Command(at + 1, *_command(text, at)) for at, line in enumerate(text) if "python3 " in line]


def alternatives(text):
    """{platform} and {JSON,Pickle} stand for one of what the manual names."""
    choices = {"{platform}": ["onnx", "caffe", "tflite", "tensorflow_graphdef"]}
    parts = [choices.get(part, part[1:-1].split(",")) if part.startswith("{") else [part] for part in re.split(r"(\{[\w,]+\})", text)]
    return ["".join(some) for some in itertools.product(*parts)]


def ini_behind(text):
    """The ini that stands, run together, behind a command on its line: a setting a line again.  A setting without its semicolon ends too."""
    (line,) = [row for row in lines() if row.startswith("python3 ") and text in row]
    settings = re.search(r"\[INPUT_CONFIG\].*", line).group().split(" - ")[0]
    return re.sub(r"\s+(?=\[|\w+=)", "\n", settings) + "\n"


def quant_config():
    """The example of quant_config.yaml, which the text has without its indentation."""
    text = lines()
    start = text.index("QUANT_CONFIG:")
    shown = text[start:text.index("]", start) + 1]
    return "\n".join(("" if row == "QUANT_CONFIG:" else "    " if row[0] in "[{]" else "  ") + row for row in shown) + "\n"


def lists():
    """The list files that it shows, (for one input, for two), each once."""
    found = {tuple(re.findall(r"/path/to/image_test/\S+", line)) for line in lines()} - {()}
    return sorted(found, key=lambda rows: rows[0].count(","))


def scripts():
    """The two ways in which it names a script for each input."""
    (line,) = {line for line in lines() if line.startswith("-n /path/to/")}
    return line.split(" or ")


def tool_paths():
    """Files of the SDK tree that it names anywhere."""
    return sorted(set(re.findall(r"SGS_IPU_Toolchain/[\w/]+\.\w+", "\n".join(lines()))))


def printed_details():
    """What get_input_details, get_output_details and get_tensor_details print in its examples: as Python objects."""
    import numpy as np
    text = "\n".join(lines())
    found = re.findall(r"(input|output|tensor)_details = calibrator\.get_\1_details\(\)\s+>>> print\(\1_details\)\s+(\[\{.*\}\])", text)
    names = {"array": np.array, "int32": np.int32, "float32": np.float32}
    return {name: eval(re.sub(r"<class 'numpy\.(\w+)'>", r"\1", value), names) for name, value in found}


def api_example():
    """The lines that make a calibrator, then its calls one by one, as the manual has them."""
    text = lines()
    start = text.index("import calibrator_custom")
    end = next(at for at in range(start, len(text)) if text[at].startswith("calibrator = "))
    calls = re.findall(r"(?:\w+ = )?calibrator\.\w+\([^)]*\)", "\n".join(text[end + 1:]))
    return "\n".join(text[start:end + 1] + calls) + "\n"


def extract_call():
    (call,) = [line for line in lines() if line.startswith("onnx.utils.extract_model(")]
    return call
