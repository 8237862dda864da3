"""What the documents point at exists: links, files and folders in backticks, names of targets, tests and functions."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models/README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOPS = {p.name for p in ROOT.iterdir() if p.is_dir()}


def links(text):
    return [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if not target.startswith("http")]


def paths(text):
    """`src/ops/*.c` and the like: what begins with one of our folders."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w.*/+-]+/[\w.*/+-]*", quoted) and quoted.split("/")[0] in TOPS and "NAME" not in quoted:
            yield quoted


def functions(text):
    """`sgs_forward`, `ipu_prelu_check`: our prefixes, without what stands for a family."""
    return set(re.findall(r"`((?:sgs|ipu)_[a-z0-9_]+)(?:\([^`]*\))?`", text))


def main():
    source = "".join(p.read_text() for top in ("include", "runtime", "src", "tests") for p in (ROOT / top).rglob("*.[ch]"))
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    wrong = []
    for page in PAGES:
        text, name = page.read_text(), page.relative_to(ROOT)
        wrong += ["%s: the link to %s leads nowhere" % (name, t) for t in links(text) if not (page.parent / t).exists()]
        wrong += ["%s: there is no %s" % (name, p) for p in paths(text) if not list(ROOT.glob(p.rstrip("/")))]
        wrong += ["%s: the sources have no %s" % (name, f) for f in functions(text) if not re.search(r"\b%s" % f, source)]
        wrong += ["%s: the Makefile has no target %s" % (name, t) for t in re.findall(r"(?:`|    )make ([a-z-]+)", text) if t not in made]
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
