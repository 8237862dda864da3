#!/usr/bin/env python3
"""Every message that the sources can give, and which of them no test reads: `make messages`, and the test `messages`.

A message is a piece of text in a call that ends in sgs_fail, sgs_hint or a Python exception.  A test reads it where the sources of the tests hold it
whole, whatever stands for its conversions.  That finds words, not runs: with --coverage BUILD, the folder of a build made with -Db_coverage=true whose
tests have run, a message must also stand on a line that was executed.

What cannot be brought about by a test is exempt by a rule in EXEMPT, with its reason; a rule that exempts nothing is an error.
"""
import argparse
import ast
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = [p for top in ("src", "runtime", "cli") for p in sorted((ROOT / top).rglob("*.c"))] + [ROOT / "python/module.c"]
SCRIPTS = sorted((ROOT / "python").rglob("*.py")) + sorted((ROOT / "src").rglob("*.py")) + sorted((ROOT / "sdk").rglob("*.py"))
TESTS = [p for p in sorted((ROOT / "tests").rglob("*")) if p.suffix in (".c", ".h", ".py", ".txt", ".ir", ".tsv")]

# (what the message matches, why no test can read it)
EXEMPT = [
]

Site = collections.namedtuple("Site", "path first line last text")

TOKEN = re.compile(r'(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>\'(?:\\.|[^\'\\])+\')|(?P<name>[A-Za-z_]\w*)|(?P<other>\d[\w.]*|\s+|.)', re.S)
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]")


# ---- C ----


def tokens(source):
    """(kind, text, line) without comments and blanks."""
    line, found = 1, []
    for m in TOKEN.finditer(source):
        if m.lastgroup != "comment" and not m.group().isspace():
            found.append((m.lastgroup, m.group(), line))
        line += m.group().count("\n")
    return found


def closing(tok, i):
    """Index of the bracket that closes the one at i."""
    depth = 0
    for k in range(i, len(tok)):
        depth += {"(": 1, ")": -1}.get(tok[k][1], 0) if tok[k][0] == "other" else 0
        if not depth:
            return k
    return len(tok) - 1


def functions(tok):
    """(name, parameters, body) of the definitions."""
    depth = 0
    for i, (kind, text, _) in enumerate(tok):
        if kind == "other" and text in "{}":
            depth += 1 if text == "{" else -1
        if depth == 0 and kind == "name" and i + 1 < len(tok) and tok[i + 1][1] == "(":
            end = closing(tok, i + 1)
            if end + 1 < len(tok) and tok[end + 1][1] == "{":
                level, k = 0, end + 1
                while k < len(tok):
                    level += {"{": 1, "}": -1}.get(tok[k][1], 0)
                    if not level:
                        break
                    k += 1
                yield text, tok[i + 2:end], tok[end + 2:k]


def text_parameters(params):
    """Names of the `const char *` parameters."""
    words = [t[1] for t in params]
    return {words[i + 3] for i in range(len(words) - 3) if words[i:i + 3] == ["const", "char", "*"] and re.match(r"[A-Za-z_]", words[i + 3])}


def calls(tok, names):
    """(index of the name, index of its closing bracket)"""
    for i in range(len(tok) - 1):
        if tok[i][0] == "name" and tok[i][1] in names and tok[i + 1][1] == "(":
            yield i, closing(tok, i + 1)


ROOTS = {"sgs_fail", "sgs_hint", "PyErr_SetString", "PyErr_Format"}


def makers(files):
    """{path: names of the functions there whose text parameters end up in a message}; those with our prefix are known everywhere."""
    shared, local = set(ROOTS), collections.defaultdict(set)
    while True:
        before = len(shared) + sum(map(len, local.values()))
        for path, tok in files.items():
            for name, params, body in functions(tok):
                texts = text_parameters(params)
                passed = {t[1] for i, end in calls(body, shared | local[path]) for t in body[i + 2:end] if t[0] == "name"}
                formatted = {t[1] for i, end in calls(body, {"vsnprintf"}) for t in body[i + 2:end] if t[0] == "name"}
                if texts & passed or (texts & formatted and passed):
                    (shared if name.startswith(("sgs_", "cli_")) else local[path]).add(name)
        if before == len(shared) + sum(map(len, local.values())):
            return shared, local


def literals(tok):
    """(line, text) of adjacent strings put together."""
    text, line = None, 0
    for i, (kind, word, at) in enumerate(tok):
        if kind == "string":
            text, line = (text or "") + ast.literal_eval(word), line if text is not None else at
        elif kind == "name" and word.startswith("PRI") and text is not None:
            text += "d"
        elif text is not None:
            yield line, text
            text = None
    if text is not None:
        yield line, text


def is_message(text):
    words = CONVERSION.sub(" ", text)
    return len(re.findall(r"[A-Za-z]{2,}", words)) >= 2 and " " in text.strip()


def c_sites():
    files = {p: tokens(p.read_text()) for p in SOURCES}
    shared, local = makers(files)
    for path, tok in files.items():
        seen = set()
        for i, end in calls(tok, shared | local[path]):
            for line, text in literals(tok[i + 2:end]):
                if is_message(text) and (line, text) not in seen:
                    seen.add((line, text))
                    yield Site(path.relative_to(ROOT), tok[i][2], line, tok[end][2], text)


# ---- Python ----


def script_sites():
    for path in SCRIPTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and node.exc:
                for leaf in ast.walk(node.exc):
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str) and is_message(leaf.value):
                        yield Site(path.relative_to(ROOT), node.lineno, leaf.lineno, node.end_lineno, leaf.value)


# ---- who reads them ----


def read_by_tests():
    """The lines of the tests, adjacent strings put together, escapes undone."""
    text = "\n".join(p.read_text(errors="replace") for p in TESTS)
    text = re.sub(r"""(?<!\\)(["'])\s*\n?\s*[rf]?\1""", "", text)
    return re.sub(r"\\([^\w\s])", r"\1", text).split("\n")


def is_read(text, tests):
    """The text stands in one line of the tests, each conversion filled with at most 200 characters."""
    fixed = CONVERSION.split(text.replace("\n", "\\n"))
    fixed = [f.replace("%%", "%") for f in fixed]
    whole, longest = re.compile("[^\n]{0,200}?".join(map(re.escape, fixed))), max(fixed, key=len)
    return any(whole.search(line) for line in tests if longest in line)


def executed(build):
    """{path: lines that ran}"""
    ran = collections.defaultdict(set)
    for data in sorted(build.rglob("*.gcda")):
        out = subprocess.run(["gcov", "--json-format", "--stdout", str(data)], capture_output=True, text=True, cwd=build).stdout
        for line in filter(None, out.splitlines()):
            for f in json.loads(line)["files"]:
                path = pathlib.Path(build / f["file"]).resolve()
                ran[path].update(x["line_number"] for x in f["lines"] if x["count"])
    return ran


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    a.add_argument("--coverage", type=pathlib.Path, metavar="BUILD", help="a build with -Db_coverage=true whose tests have run")
    a.add_argument("--all", action="store_true", help="list what is read too")
    a = a.parse_args()
    sites, tests, exempted, unread = list(c_sites()) + list(script_sites()), read_by_tests(), collections.Counter(), 0
    ran = executed(a.coverage.resolve()) if a.coverage else None
    for s in sites:
        rule = next((i for i, (what, _) in enumerate(EXEMPT) if re.search(what, s.text)), None)
        if rule is not None:
            exempted[rule] += 1
            continue
        state = "" if is_read(s.text, tests) else "unread"
        if ran is not None and s.path.suffix == ".c" and not ran[ROOT / s.path].intersection(range(s.first, s.last + 1)):
            state = (state + " not-run").strip()
        unread += bool(state)
        if state or a.all:
            print("%s:%d: %s%s" % (s.path, s.line, state + ": " if state else "", s.text.replace("\n", "\\n")))
    idle = [what for i, (what, _) in enumerate(EXEMPT) if not exempted[i]]
    for what in idle:
        print("the rule '%s' exempts nothing" % what)
    print("%d messages, %d exempt, %d that no test reads" % (len(sites), sum(exempted.values()), unread))
    return bool(unread or idle)


if __name__ == "__main__":
    sys.exit(main())
