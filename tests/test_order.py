#!/usr/bin/env python3
"""Two operators that are spelled out in one expression come in the order that the compiler likes: C leaves it open, and with it the numbers of tensors and
the bytes of .sim.  So no call takes two arguments, and no list two entries, that both emit (src/ops/spell.h)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SILENT = {"sgs_sp_in"}  # gives what is there


def emitters(text):
    """What gives a value and has the spelling, or what holds it, as its first argument."""
    return set(re.findall(r"sgs_value \*+(\w+)\((?:sgs_spell|tail|layer|model) \*\w+", text)) - SILENT


def arguments(text, at):
    """The texts between the commas of the list that opens just before `at`; None when it does not close."""
    depth, start, found = 1, at, []
    for m in re.finditer(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[(\[{,)\]};]', text[at:]):
        c, place = m.group(0), at + m.start()
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if not depth:
                return found + [text[start:place]]
        elif c == "," and depth == 1:
            found.append(text[start:place])
            start = place + 1
        elif c == ";" and depth == 1:
            return None
    return None


def problems(path, text, names):
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    emits = re.compile(r"\b(?:%s)\(" % "|".join(sorted(names)))
    for m in re.finditer(r"\b(?!if|for|while|switch)\w+\(|= \{|\) ?\{", text):
        parts = arguments(text, m.end())
        if parts and sum(bool(emits.search(p)) for p in parts) > 1:
            yield "%s:%d: two emissions in one list: %s" % (path.relative_to(ROOT), text.count("\n", 0, m.start()) + 1, " ".join(text[m.start():m.end() + 90].split()))


def main():
    files = sorted((ROOT / "src").rglob("*.[ch]"))
    texts = [p.read_text() for p in files]
    names = emitters("\n".join(t for p, t in zip(files, texts) if p.suffix == ".h"))
    assert {"sgs_sp_two", "sgs_sp_number"} <= names, names
    sample = "static void f(void)\n{\n    sgs_sp_two(p, op, sgs_sp_number(p, 1), sgs_sp_number(p, 0));\n}\n"
    assert len(list(problems(ROOT / "sample.c", sample, names))) == 1
    found = [line for path, text in zip(files, texts) for line in problems(path, text, names | emitters(text))]
    print("\n".join(found) or "order: never two emissions in one list")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
