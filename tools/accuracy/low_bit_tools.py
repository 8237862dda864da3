"""Who takes part in `make accuracy-low-bit`: modes of torch_calibrator.py, and quantizers in PyTorch."""
import dataclasses
import functools
import pathlib
import subprocess

import ours
import peer_torch

W8, W4 = " W8A8", " W4A8"
TOP, LEVEL, FREE = "Q23" + W4, "L5", "Q22"
RATES = ("0.30", "0.40")


def mixed(mode, rate):
    return "%s 4/8 %s" % (mode, rate)


def of_rate(rate):
    return {"mixed_precisions": "[4, 8]", "mp_rate": rate}


# name: (mode, settings); a share of 0.25 is 4 bits everywhere
MODES = {"Q11" + W8: ("Q11", {}), "Q21" + W8: ("Q21", {}), FREE: (FREE, {}), "Q13" + W4: ("Q13", of_rate("0.25")), TOP: ("Q23", of_rate("0.25")),
         **{mixed(mode, rate): (mode, of_rate(rate)) for rate in RATES for mode in ("Q13", "Q23")}}
RETRAIN = {"retrain_iter_num": "40"}  # of modes that retrain, as in the manual's example


def config(mode, settings):
    keys = dict(settings, **(RETRAIN if mode.startswith("Q2") else {}))
    return "QUANT_CONFIG:\n" + "".join("  %s: %s\n" % pair for pair in keys.items())


def command(mode, settings, t, case, folder, *more):
    """Arguments of torch_calibrator.py; writes its quant_config.yaml."""
    written = folder / "quant_config.yaml"
    written.write_text(config(mode, settings))
    return ["-m", t.path("Float"), "--input_config", case.ini, "-i", case.work / "calib.txt", "-n", case.script, "--quant_config", written, "-q", mode, "-o", t.path("Fixed"), *more]


def run_mode(build, name, case, folder):
    t = ours.stages(build, case)
    t.tool("calibrator/torch_calibrator.py", *command(*MODES[name], t, case, folder))
    yield from t.simulate("Fixed", case.work / "val.txt", case.script, out=folder / "output")[0].items()


@dataclasses.dataclass
class Peer:
    name: str
    method: str
    bits: int
    published: int  # iterations of each block; 0: it has none
    shrinks: bool   # whether a share of these is taken where one is asked for

    def iterations(self, args):
        return max(1, round(self.published * args.share)) if self.shrinks else self.published

    def versions(self, args):
        text = versions("ppq" if self.method.startswith("ppq") else "torch")
        return text if not self.published else "%s, %d of %d iterations a block" % (text, self.iterations(args), self.published) + ", batches of %d" % args.batch

    def run(self, args, case, folder):
        return peer_torch.run((self.method, self.bits, self.iterations(args), args.batch, args.threads), case, folder)


PEERS = [Peer("ppq" + W8, "ppq", 8, 0, False), Peer("ppq" + W4, "ppq", 4, 0, False), Peer("ppq LSQ" + W4, "ppq LSQ", 4, 500, False),
         Peer("ppq AdaRound" + W4, "ppq AdaRound", 4, 5000, True), Peer("paper AdaRound" + W4, "AdaRound", 4, 10000, True), Peer("paper BRECQ" + W4, "BRECQ", 4, 20000, True),
         Peer("paper QDrop" + W4, "QDrop", 4, 20000, True)]
IN_TORCH = sorted((pathlib.Path(__file__).parent / "in_torch").glob("*.py"))


@functools.lru_cache
def versions(tool):
    code = "import importlib.metadata as m, torch; print(%s'torch ' + torch.__version__.split('+')[0])" % ("'ppq ' + m.version('ppq') + ', ' + " if tool == "ppq" else "")
    return subprocess.run([peer_torch.PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def sources(peer):
    """The scripts that decide what a peer's rows are."""
    others = "rounding.py" if peer.method.startswith("ppq") else "with_ppq.py"
    return [p for p in IN_TORCH if p.name != others] + [pathlib.Path(peer_torch.__file__), pathlib.Path(peer_torch.as_onnx.__file__)]


def names():
    return [*MODES, LEVEL] + [p.name for p in PEERS]
