"""Every message that a user can read is quoted whole by a test.

A message is a text that goes into sgs_fail, sgs_hint or a Python exception, be it through other functions.  It is quoted where one line of the
tests' sources holds it with its conversions filled.  What no test can bring about stands in EXEMPT with the reason; a rule that exempts nothing
is wrong.  This finds texts, not runs: that they come from the right place is what the quoting tests are for.
"""
import ast
import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = [p for top in ("src", "runtime", "cli") for p in sorted((ROOT / top).rglob("*.c"))] + [ROOT / "python/module.c"]
SCRIPTS = [p for top in ("python", "src", "sdk") for p in sorted((ROOT / top).rglob("*.py"))]
TESTS = [p for p in sorted((ROOT / "tests").rglob("*")) if p.suffix in (".c", ".h", ".py", ".txt", ".ir", ".tsv") and p != pathlib.Path(__file__).resolve()]

EXEMPT = [  # what the text matches, why no test reads it
    # memory and machines: a test would have to take them away
    ("^no memory (for|to) ", "malloc fails"),
    ("^the constants need more memory than a graph may take$", "malloc fails"),
    ("^the (file|pickle) needs more memory than one of its size may take$", "what a reader takes is a few times its file: a file of gigabytes, or malloc fails"),
    ("^the image needs %lld bytes; the format ends at 4 GiB$", "4 GiB of constants"),
    ("^attribute %s has too many numbers$", "a file of 2 GiB"),
    ("^cannot (make a (pipe|socket)|start %d threads)", "no descriptors or threads are left"),
    ("^too many preprocessing processes$", "512 of them run"),
    ("^cannot read the folder: ", "tests run as root too, who reads every folder"),
    # what other checks keep away: a defect of ours, or a caller of the functions below the tools, would show it
    ("^the kernel does not take the record made for this layer$", "lowering checks its layers"),
    ("^no kernel takes this layer: a shape or a scale is out of range$", "lowering asked the kernel before"),
    ("^the runtime( refuses the image just made)?: %s$", "images are made right"),
    ("^%s has no shape rule$", "every operator has one: test_operators"),
    ("^output %d has another type or shape than %s gives$", "passes make what operators give"),
    ("^the output would have rank %d; at most %d is supported$", "shape rules with a rank of their own check it first"),
    ("^the rewriting does not settle ", "rules do not undo each other"),
    ("^the result is too large$", "arrays have at most 2^40 elements: millions of parts"),
    ("^%s cannot be evaluated in a float model$", "sessions and folding ask first"),
    ("^an output is NaN or infinity$", "the layer that gave it was found before"),
    ("^float evaluation failed in %s: oneDNN status %d$", "oneDNN takes every shape that the shape rules let through"),
    ("^(choosing an implementation|making a primitive|reordering weights)$", "part of the message above"),
    ("^output '%s' goes into input '%s' as it is, but the two cannot have one scale", "a scale that rounding splits whatever is tried"),
    # graphs as text, which no user writes
    ("^(a value may have at most %d names|more than %d inputs)$", "thousands of them on a line"),
]

Site = collections.namedtuple("Site", "path line text")
TOKEN = re.compile(r'(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>\'(?:\\.|[^\'\\])+\')|(?P<name>[A-Za-z_]\w*)|(?P<other>\d[\w.]*|\s+|.)', re.S)
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")
ROOTS = {"sgs_fail", "sgs_hint", "PyErr_SetString", "PyErr_Format"}


# ---- what C says ----


def tokens(source):
    """(kind, text, line) without comments and blanks."""
    line, found = 1, []
    for m in TOKEN.finditer(source):
        if m.lastgroup != "comment" and not m.group().isspace():
            found.append((m.lastgroup, m.group(), line))
        line += m.group().count("\n")
    return found


def closing(tok, i, pair="()"):
    """Index of the bracket that closes the one at i."""
    depth = 0
    for k in range(i, len(tok)):
        depth += (tok[k][1] == pair[0]) - (tok[k][1] == pair[1])
        if not depth:
            return k
    return len(tok) - 1


def functions(tok):
    """(name, parameters, body) of the definitions."""
    i = 0
    while i < len(tok) - 1:
        if tok[i][1] == "{":
            i = closing(tok, i, "{}")
        elif tok[i][0] == "name" and tok[i + 1][1] == "(":
            end = closing(tok, i + 1)
            if end + 1 < len(tok) and tok[end + 1][1] == "{":
                yield tok[i][1], tok[i + 2:end], tok[end + 2:closing(tok, end + 1, "{}")]
        i += 1


def calls(tok, names):
    """The arguments of each call of one of these."""
    for i in range(len(tok) - 1):
        if tok[i][0] == "name" and tok[i][1] in names and tok[i + 1][1] == "(":
            yield tok[i + 2:closing(tok, i + 1)]


def texts_of(params):
    """Names of the parameters that are texts."""
    words = [t[1] for t in params]
    return {words[i + 3] for i in range(len(words) - 3) if words[i:i + 3] == ["const", "char", "*"]}


def hands_on(params, body, sayers):
    """Whether a text among the parameters ends up in a message, itself or formatted."""
    said, formatted = ({t[1] for args in calls(body, names) for t in args if t[0] == "name"} for names in (sayers, {"vsnprintf"}))
    return texts_of(params) & said or (texts_of(params) & formatted and said)


def sayers(files):
    """The functions whose texts become messages: those of all files, those of each."""
    shared, local, grew = set(ROOTS), collections.defaultdict(set), True
    while grew:
        before = len(shared) + sum(map(len, local.values()))
        for path, tok in files.items():
            for name, params, body in functions(tok):
                if hands_on(params, body, shared | local[path]):
                    (shared if name.startswith(("sgs_", "cli_")) else local[path]).add(name)
        grew = before < len(shared) + sum(map(len, local.values()))
    return shared, local


def literals(tok):
    """(line, text) of strings, those side by side put together."""
    text, line = None, 0
    for kind, word, at in tok + [("end", "", 0)]:
        if kind == "string":
            text, line = (text or "") + ast.literal_eval(word), line if text is not None else at
        elif text is not None:
            yield line, text
            text = None


def is_message(text):
    return len(re.findall(r"[A-Za-z]{2,}", CONVERSION.sub(" ", text))) >= 2 and " " in text.strip()


def c_sites():
    files = {p: tokens(p.read_text()) for p in SOURCES}
    shared, local = sayers(files)
    for path, tok in files.items():
        for line, text in dict.fromkeys(x for args in calls(tok, shared | local[path]) for x in literals(args)):
            yield Site(path.relative_to(ROOT), line, text)


# ---- what Python says ----


def script_sites():
    for path in SCRIPTS:
        for node in ast.walk(ast.parse(path.read_text())):
            for leaf in ast.walk(node.exc) if isinstance(node, ast.Raise) and node.exc else ():
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield Site(path.relative_to(ROOT), leaf.lineno, leaf.value)


# ---- what tests quote ----


def quoted_lines():
    """The lines of the tests, strings side by side put together, escapes undone."""
    text = "\n".join(p.read_text(errors="replace") for p in TESTS)
    text = re.sub(r"""(?<!\\)(["'])\s*\\?\n?\s*[rf]?\1""", "", text)
    return re.sub(r"\\([^\w\s])", r"\1", text).split("\n")


def is_quoted(text, lines):
    """Each conversion is filled with at most 200 characters."""
    fixed = [f.replace("%%", "%") for f in CONVERSION.split(text.replace("\n", "\\n"))]
    whole, longest = re.compile("[^\n]{0,200}?".join(map(re.escape, fixed))), max(fixed, key=len)
    return any(whole.search(line) for line in lines if longest in line)


def main():
    sites, lines = [s for s in [*c_sites(), *script_sites()] if is_message(s.text)], quoted_lines()
    used = {what for what, _ in EXEMPT for s in sites if re.search(what, s.text)}
    unread = [s for s in sites if not any(re.search(what, s.text) for what in used) and not is_quoted(s.text, lines)]
    for s in unread:
        print("%s:%d: no test quotes '%s'" % (s.path, s.line, s.text))
    idle = [what for what, _ in EXEMPT if what not in used]
    for what in idle:
        print("the rule '%s' exempts nothing" % what)
    print("%d messages, %d of them not quoted" % (len(sites), len(unread)))
    return bool(unread or idle) or len(sites) < 500


if __name__ == "__main__":
    raise SystemExit(main())
