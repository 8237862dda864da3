"""The section of docs/ACCURACY.md on weights of 4 bits and mixed precision, of the files NETWORK/TOOL.tsv and low_bit_cost.tsv alone."""
import statistics

import cases
import low_bit_tools as tools
import page
import scores

TITLES = ("MobileNetV2 1.0", "MobileNetV1 0.25", "SqueezeNet v1.0, Caffe", "ResNet-20", "ResNet-8, TFLite", "DS-CNN keywords, TFLite", "YOLOX-Nano", "UltraFace RFB-320")
HEADING, BEFORE = "\n## Weights of 4 bits\n", "\n## Every figure\n"
GOAL_PEER, GOAL_SECONDS, GOAL_FASTER = 1.0, 300, 10  # points; seconds; times
COST = "low_bit_cost.tsv"  # lines: what, network, seconds, processor seconds, runs
OURS, THEIRS = "Q21", "ppq LSQ"

HEAD = HEADING + """
Made by `make accuracy-low-bit`: `torch_calibrator.py` beside quantizers in PyTorch, on networks, pictures and scores of the tables above. W8A8: weights of 8 bits, what convolutions
read in bytes; W4A8: weights of 4 bits in every convolution and fully connected layer, first and last too (ours: `mixed_precisions: [4, 8]`, `mp_rate: 0.25`); 4/8: mixed, with
weights of 16 · `mp_rate` bits on the average. What lies between convolutions ours computes in 16 bits, the others in float but ppq, which rounds it to bytes.

**The last line.** {last}

| goal | measured | |
|---|---|---|
{goals}

### W8A8, and 8 and 16 bits as {free} and {level} choose

"""
FOUR = """
### W4A8

"""
MIXED = """
### Mixed 4 and 8 bits

No quantizer in PyTorch at hand chooses bits for layers by itself within a budget, so ours stand alone.

"""
TWINS = """
### Hard twins, W4A8

"""
MEANS = """
### Mean and worst, W4A8

| tool | networks | mean loss | worst | {top} on these |
|---|---:|---:|---|---:|
"""
TIMES = """
### What learning costs

Made by `make bench-low-bit`: calibration of 100 pictures, in turns on the same two cores, medians. Ours decode and preprocess the pictures within, with two workers, ppq gets
finished arrays and learns on one thread from batches of 4 (larger ones take it longer). Compared is the processor's time.

| calibration | network | s | processor s | runs |
|---|---|---:|---:|---:|
"""
EACH = """
### Every figure of these

| network | tool | figure | loss | agreement | SQNR dB |
|---|---|---:|---:|---:|---:|
"""
FOOT = """
### Who took part here

- **ppq** from the Python registry: its quantizer for PPL CUDA (a scale for each output channel, weights by their extremes, activations by percentiles), with a zero point for activations;
  `ppq LSQ` with its learning of weights and steps, `ppq AdaRound` with its learned rounding, as released:
  in 0.6.6 the term that presses roundings to 0 or 1 is told the number of an output for that of the iteration, and so never begins.
- `paper` **AdaRound**, **BRECQ**, **QDrop**: no package of the authors reads such networks; `tools/accuracy/in_torch/rounding.py` is our PyTorch rendering of the papers, with their
  hyper-parameters, and 16 steps and a zero point for each channel of weights. The network is the same ONNX file, of TFLite and Caffe made from our float model, and compared with it before.
- Iterations and batches are the published ones unless a line below says fewer; with fewer Adam's rates grow by the same factor, up to ten times. Fewer are an easier comparison for ours.

{versions}

{earlier}{failures}`not run`: not measured yet. `make accuracy-low-bit NETS=… TOOLS=… SHARE=…` measures a part, with a share of the published iterations.
"""
EARLIER = """**Of an earlier program of ours**, not measured again since it changed:

"""


def found_in(work):
    found = page.results(work, tools.names())
    return {t: of for t, of in found.items() if t.removesuffix(cases.TWINNED) in TITLES}


def peers_of(of):
    """{name: (loss, standard error)} of the W4A8 rows that are there."""
    pairs = {p.name: page.loss_of(of, p.name) for p in tools.PEERS if p.bits == 4}
    return {n: pair for n, pair in pairs.items() if pair}


def goal_each(found):
    """Within a point of the best peer, network by network."""
    missed, compared = [], 0
    for t in page.losses(found, TITLES, tools.TOP):
        theirs = peers_of(found[t])
        best = min(theirs, key=lambda n: theirs[n][0], default=None)
        compared += bool(best)
        if best:
            behind, se = page.loss_of(found[t], tools.TOP, best)
            missed += ["%s %s ± %.2f behind %s" % (t, page.signed(behind), se, best)] if behind > GOAL_PEER else []
    return page.listed(missed, compared)


def goal_mean(found):
    """Better than each peer, on the networks of both."""
    missed, compared = [], 0
    mine = page.losses(found, TITLES, tools.TOP)
    for p in tools.PEERS:
        theirs = page.losses(found, mine, p.name) if p.bits == 4 else {}
        compared += bool(theirs)
        own = {t: mine[t] for t in theirs}
        if theirs and statistics.mean(own.values()) >= statistics.mean(theirs.values()):
            missed.append("%s %s on %d, %s %s" % (p.name, page.mean(theirs), len(theirs), tools.TOP, page.mean(own)))
    return page.listed(missed, compared)


def goal_above(found, pairs):
    """The first of each pair no farther from float than the second, to what the table prints; twins too."""
    missed, compared = [], 0
    for t, of in found.items():
        for high, low in pairs:
            if all(n in of and of[n].rows for n in (high, low)):
                a, b = (round(scores.sqnr(of[n].rows), 1) for n in (high, low))
                compared += 1
                missed += ["%s, %s %.1f dB, %s %.1f" % (t, high, a, low, b)] if a < b else []
    return page.listed(missed, compared)


def costs(work):
    """[(what, network, seconds, processor seconds, runs)]"""
    path = work / COST
    rows = [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []
    return [(what, network, float(s), float(cpu), int(runs)) for what, network, s, cpu, runs in rows]


def speed_up(work):
    """(seconds of ours, times that ppq takes by processor time, whether that is the least, as ppq learned in fewer steps), or None"""
    by_name = {what: (s, cpu) for what, network, s, cpu, _ in costs(work) if network == TITLES[0]}
    theirs = THEIRS if THEIRS in by_name else max((n for n in by_name if n.startswith(THEIRS + ",")), key=lambda n: by_name[n][1], default=None)
    if OURS not in by_name or not theirs:
        return None
    return by_name[OURS][0], by_name[theirs][1] / by_name[OURS][1], theirs != THEIRS


def times(pair):
    return ("at least " if pair[2] else "") + "%.1f" % pair[1]


def goal_time(work):
    pair = speed_up(work)
    return ("%.1f s, %s times" % (pair[0], times(pair)), pair[0] <= GOAL_SECONDS and pair[1] >= GOAL_FASTER) if pair else ("not measured", False)


def goals(found, work):
    same_rate = [("Q23" + tools.W4, "Q13" + tools.W4)] + [(tools.mixed("Q23", r), tools.mixed("Q13", r)) for r in tools.RATES]
    for goal, (measured, held) in (
            ("%s is within %.0f point of the best peer on each network" % (tools.TOP, GOAL_PEER), goal_each(found)),
            ("%s loses less than each peer on the average" % tools.TOP, goal_mean(found)),
            ("%s is never below %s, by SQNR, twins too" % (tools.FREE, tools.LEVEL), goal_above(found, [(tools.FREE, tools.LEVEL)])),
            ("Q23 is never below Q13 at the same mp_rate, by SQNR, twins too", goal_above(found, same_rate)),
            ("%s of %s with 100 pictures takes at most %d s, and %s at least %d times as long" % (OURS, TITLES[0], GOAL_SECONDS, THEIRS, GOAL_FASTER), goal_time(work))):
        yield "| %s | %s | %s |" % (goal, measured, "held" if held else "" if measured == "not measured" else "**missed**")


def last_line(found, work):
    """The best peer is of those that ran on at least half of our networks."""
    mine = page.losses(found, TITLES, tools.TOP)
    if not mine:
        return "W4A8 against float: no network was measured"
    worst = max(mine, key=mine.get)
    text = "W4A8 against float: mean loss %s points, worst %s (%s)" % (page.signed(statistics.mean(mine.values())), page.signed(mine[worst]), worst)
    others = {p.name: page.losses(found, TITLES, p.name) for p in tools.PEERS if p.bits == 4}
    means = {n: statistics.mean(of.values()) for n, of in others.items() if of and 2 * len(of) >= len(mine)}
    best = min(means, key=means.get, default=None)
    text += "; best peer mean %s (%s%s)" % (page.signed(means[best]), best, "" if len(others[best]) == len(mine) else ", %d of %d networks" % (len(others[best]), len(mine))) if best else (
        "; no peer ran on half of the networks")
    pair = speed_up(work)
    return text + "; speed-up %s" % (times(pair) if pair else "not measured")


def means(found, names):
    for n in names:
        of = page.losses(found, TITLES, n)
        if of:
            worst = max(of, key=of.get)
            yield "| %s | %d | %s | %s (%s) | %s |" % (n, len(of), page.mean(of), page.signed(of[worst]), worst, page.mean(page.losses(found, of, tools.TOP)))


def settings(found):
    """What each peer ran as, and on which networks where that differs."""
    by = {}
    for t, of in found.items():
        for p in tools.PEERS:
            if p.name in of:
                by.setdefault((p.name, of[p.name].head["versions"]), []).append(t)
    several = {n for n, _ in by if sum(name == n for name, _ in by) > 1}
    return "\n".join("- %s: %s%s" % (n, v, " (%s)" % "; ".join(ts) if n in several else "") for (n, v), ts in sorted(by.items())) or "No quantizer in PyTorch was measured."


def earlier(found, programs):
    """Rows of ours that another program made than is here; where a run was narrowed, or stopped."""
    old = {n: [t for t, of in found.items() if n in of and of[n].head.get("program") != program] for n, program in programs.items()}
    listed = "\n".join("- %s: %s" % (n, "; ".join(ts)) for n, ts in old.items() if ts)
    return EARLIER + listed + "\n\n" if listed else ""


def made(work, programs):
    """(the section, its last line); programs: {name of ours: what decides its rows now}"""
    found, last = found_in(work), last_line(found_in(work), work)
    eight = [n for n in tools.names() if n.endswith(tools.W8)] + [tools.FREE, tools.LEVEL]
    four = [n for n in tools.names() if n.endswith(tools.W4)]
    twins = [t for t in found if t.endswith(cases.TWINNED)]
    mixed = [tools.mixed(mode, rate) for rate in tools.RATES for mode in ("Q13", "Q23")]
    text = HEAD.format(last=last, goals="\n".join(goals(found, work)), free=tools.FREE, level=tools.LEVEL) + "\n".join(page.matrix(found, TITLES, eight)) + "\n"
    text += FOUR + "\n".join(page.matrix(found, TITLES, four)) + "\n" + MIXED + "\n".join(page.matrix(found, TITLES, mixed)) + "\n"
    text += TWINS + "\n".join(page.matrix(found, twins, four)) + "\n" if twins else ""
    text += MEANS.format(top=tools.TOP) + "\n".join(means(found, four)) + "\n"
    rows = costs(work)
    text += TIMES + "\n".join("| %s | %s | %.1f | %.1f | %d |" % r for r in rows) + "\n" if rows else ""
    text += EACH + "\n".join(page.each(found, tools.names())) + "\n"
    return text + FOOT.format(versions=settings(found), earlier=earlier(found, programs), failures=page.failures(found, tools.names())), last


def placed(whole, section):
    """The page with this section in place of its own, or before the table of every figure."""
    if HEADING in whole:
        before, _, rest = whole.partition(HEADING)
        end = rest.find("\n## ")
        return before + section + (rest[end:] if end >= 0 else "")
    before, mark, rest = whole.partition(BEFORE)
    return before + section + mark + rest
