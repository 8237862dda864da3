"""What runs of `make bench` have measured: out/bench/results.json.  A run puts its rows in the place of older ones and leaves the others; each row says which run it is of."""
import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def commit():
    r = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return r.stdout.strip() or "unknown"


class Results:
    """nets: {network: {part: {key: row}}}; runs: {number: when, of which program, the most processes that waited}."""

    def __init__(self, path):
        self.path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self.nets, self.runs = known.get("nets", {}), known.get("runs", {})
        self.run = str(1 + max(map(int, self.runs), default=0))

    def begin(self):
        self.runs[self.run] = {"date": time.strftime("%Y-%m-%d %H:%M"), "program": commit(), "load": 0}

    def put(self, net, part, key, row):
        self.nets.setdefault(net, {}).setdefault(part, {})[key] = dict(row, run=self.run)
        self.runs[self.run]["load"] = max(self.runs[self.run]["load"], os.getloadavg()[0])

    def drop(self, net, part, key):
        self.nets.get(net, {}).get(part, {}).pop(key, None)

    def get(self, net, part, key):
        return self.nets.get(net, {}).get(part, {}).get(key)

    def save(self):
        used = {row["run"] for parts in self.nets.values() for rows in parts.values() for row in rows.values()} | {self.run}
        self.runs = {k: v for k, v in self.runs.items() if k in used}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"runs": self.runs, "nets": self.nets}, indent=1))
        new.replace(self.path)
