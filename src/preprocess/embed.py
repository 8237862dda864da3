#!/usr/bin/env python3
"""embed.py OUTPUT NAME INPUT...: text files, one behind the other, as a C string."""
import sys

output, name, *inputs = sys.argv[1:]
lines = [line for path in inputs for line in open(path, encoding="ascii").read().splitlines()]
with open(output, "w", encoding="ascii") as f:
    f.write("extern const char %s[];\nconst char %s[] =\n" % (name, name))
    for line in lines:
        f.write('    "%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?"))
    f.write("    ;\n")
