#!/usr/bin/env python3
"""Dependencies run one way: proves it from the #include lines (docs/ARCHITECTURE.md)."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What each layer may include, by the folder the included header lies in.
PUBLIC = "include/openipu"
MAY = {
    "include/openipu": {"include/openipu"},
    "runtime": {PUBLIC, "runtime"},
    "runtime/kernels": {PUBLIC, "runtime", "runtime/kernels"},
    "runtime/host": {PUBLIC, "runtime/host"},
    "src/base": {PUBLIC, "src/base", "runtime"},
    "src/ir": {PUBLIC, "src/base", "src/ir", "src/ops"},  # ir reads the op table's rows: op.h only
    "src/ops": {PUBLIC, "src/base", "src/ir", "src/ops", "runtime", "src/quant", "src/compile"},  # hooks: quantize.h, lower.h
    "src/import": {PUBLIC, "src/base", "src/ir", "src/ops", "src/import", "src/config"},
    "src/pass": {PUBLIC, "src/base", "src/ir", "src/ops", "src/pass"},
    "src/config": {PUBLIC, "src/base", "src/config"},
    "src/preprocess": {PUBLIC, "src/base", "src/ir", "src/config", "src/preprocess"},
    "src/sim": {PUBLIC, "src/base", "src/ir", "src/ops", "src/sim", "src/import", "src/config", "src/preprocess", "src/compile", "src/pass", "runtime"},
    "src/quant": {PUBLIC, "src/base", "src/ir", "src/ops", "src/pass", "src/quant", "src/import", "src/sim", "src/config", "src/preprocess", "runtime"},
    "src/compile": {PUBLIC, "src/base", "src/ir", "src/ops", "src/compile", "src/import", "runtime", "runtime/kernels"},
    "src": None,  # the stages of sgs.h, one file each: they may use every module below
    "cli": {PUBLIC, "cli"},
    "python": {PUBLIC, "python"},
}
HOOK_HEADERS = {("src/ir", "src/ops"): {"op.h"}, ("src/ops", "src/quant"): {"quantize.h"}, ("src/ops", "src/compile"): {"lower.h"}}
SEARCH = ["include", ".", "src"]


def layer(path):
    rel = path.relative_to(ROOT).as_posix()
    return max((k for k in MAY if rel.startswith(k + "/")), key=len, default=None)


def resolve(source, name):
    for base in [source.parent] + [ROOT / s for s in SEARCH]:
        p = (base / name).resolve()
        if p.is_file() and ROOT in p.parents:
            return p
    return None


def main():
    bad, seen = [], 0
    for source in sorted(p for k in ("include", "runtime", "src", "cli", "python") for p in (ROOT / k).rglob("*.[ch]")):
        mine = layer(source)
        for number, line in enumerate(source.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m:
                continue
            target = resolve(source, m.group(1))
            where = "%s:%d" % (source.relative_to(ROOT), number)
            if target is None:
                bad.append("%s: %s is not a file of the project" % (where, m.group(1)))
                continue
            theirs = layer(target)
            seen += 1
            hook = HOOK_HEADERS.get((mine, theirs))
            if MAY[mine] is None:
                continue
            if theirs not in MAY[mine] or (hook and target.name not in hook):
                bad.append("%s: %s may not include %s" % (where, mine, target.relative_to(ROOT)))
    if not seen:
        bad.append("no include lines found: this test looked in the wrong place")
    print("\n".join(bad) or "%d includes, all downwards" % seen)
    return bool(bad)


sys.exit(main())
