"""The suite of damaged files, of any framework: refused with a message or taken, never a crash; in little time and memory."""
import os
import subprocess
import tarfile
import time

import pytest

from support import SECONDS, SHARED, TOOL

SUITE = SHARED / "conformance" / "malformed"
GIGABYTE = 1 << 30
needs_suite = pytest.mark.skipif(not (SUITE / "index.tsv").exists(), reason=f"{SUITE} is absent")


def cases(kind):
    """(name, what is expected) of one format."""
    index = SUITE / "index.tsv"
    if not index.exists():
        return []
    lines = [line.split("\t") for line in index.read_text().splitlines()]
    column = {name: i for i, name in enumerate(lines[0])}
    return [(row[column["case"]], row[column["class"]]) for row in lines[1:] if row[column["format"]] == kind]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    to = tmp_path_factory.mktemp("malformed")
    with tarfile.open(SUITE / "cases.tar.gz") as archive:
        archive.extractall(to)
    return to / "malformed"


def attempt(path, tmp_path):
    """Exit status, message, seconds, bytes: import, passes, first run."""
    out = tmp_path / "message"
    start = time.monotonic()
    with open(out, "wb") as f:
        child = subprocess.Popen([TOOL, "--passes", "--try", path], stdout=f, stderr=f, start_new_session=True)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, out.read_text(errors="replace"), time.monotonic() - start, usage.ru_maxrss * 1024


def check(path, expected, tmp_path, begins=None):
    """begins: what a refusal names, the file as it stands unless given."""
    status, message, seconds, memory = attempt(path, tmp_path)
    assert status in (0, 1), message
    assert status == 1 or expected != "reject"
    if status == 1:
        assert message.startswith(f"error: {begins or f'{path}: '}") and "Internal" not in message, message
    assert seconds < SECONDS and memory < GIGABYTE
