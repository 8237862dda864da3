"""Engines that take turns, each a process of its own on the same cores: ours, the other, ours, the other, the order changing.

A ratio is ours over the other's, of the medians of two neighbouring turns.  Of one thread processor time counts, of two the clock."""
import math
import os
import statistics
import subprocess
import tempfile
import time

TURN_MS, REST = 150, 0.01


class Engine:
    def __init__(self, command, cpus):
        self.clock = len(cpus) == 1  # processor time
        self.log = tempfile.TemporaryFile("w+")
        self.run = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                    preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.number, self.best = 1, math.inf

    def ready(self):
        """None, or why not."""
        for line in self.run.stdout:
            if line == "ready\n":
                self.number = max(3, min(300, math.ceil(TURN_MS / self.turn())))
                return None
        status = self.run.wait()
        self.log.seek(0)
        return (self.log.read().strip().splitlines() or ["its process ended with %d" % status])[-1][:200]

    def turn(self):
        """The median of its runs, ms; the shortest of all turns stays in `best`."""
        time.sleep(REST)  # the other's threads may spin for a while
        self.run.stdin.write("run %d\n" % self.number)
        self.run.stdin.flush()
        times = list(map(float, self.run.stdout.readline().split()))[self.clock::2]
        if len(times) != self.number:
            raise SystemExit("bench: an engine ended while it ran: %s" % " ".join(self.run.args))
        self.best = min(self.best, *times)
        return statistics.median(times)

    def stop(self):
        self.run.stdin.close()
        self.run.wait()
        self.run.stdout.close()
        self.log.close()


def in_turns(own, others, rounds):
    """{name: row}"""
    pairs = {name: [] for name in others}
    for k in range(rounds):
        for name, other in others.items():
            both = [e.turn() for e in ((own, other) if k % 2 == 0 else (other, own))]
            pairs[name].append(tuple(both if k % 2 == 0 else both[::-1]))
    rows = {}
    for name, times in pairs.items():
        ratios = sorted(a / b for a, b in times)
        rows[name] = {"ours": statistics.median(a for a, _ in times), "ms": statistics.median(b for _, b in times),
                      "ratio": statistics.median(ratios), "least": ratios[0], "most": ratios[-1], "best": own.best / others[name].best}
    return rows


def compare(own, others, threads, rounds):
    """({name: row}, {name: why not}) of one command against others, {name: command}, on so many cores; nothing where there are fewer."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    if len(cpus) < threads or not others:
        return {}, {}
    engines = {name: Engine(command, cpus) for name, command in (*others.items(), ("", own))}
    why = {name: e.ready() for name, e in engines.items()}
    try:
        if why[""]:
            raise SystemExit("bench: ours does not run: %s: %s" % (" ".join(map(str, own)), why[""]))
        ready = {name: e for name, e in engines.items() if name and not why[name]}
        return in_turns(engines[""], ready, rounds), {name: w for name, w in why.items() if w}
    finally:
        for e in engines.values():
            e.stop()
