#!/usr/bin/env python3
"""embed.py INPUT OUTPUT NAME: a text file as a C string."""
import sys

with open(sys.argv[1], encoding="ascii") as f:
    lines = f.read().splitlines()
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write("extern const char %s[];\nconst char %s[] =\n" % (sys.argv[3], sys.argv[3]))
    for line in lines:
        f.write('    "%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?"))
    f.write("    ;\n")
