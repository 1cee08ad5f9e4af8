"""One process at a time prepares or trains a run; a lock says who holds it, and ends with its process."""

import json
import os
import signal
import subprocess
import sys

import pytest

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.saved.lock import HOLDER, hold

HOLDS = """
import sys
from pathlib import Path
from diffmidi_core.saved.lock import hold
sys.argv = ["/usr/bin/diffmidi", "train", "a run"]
with hold(Path(sys.stdin.readline().strip()), "train"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other():
    """Another process that holds the lock of a folder until it is let go."""
    started = []

    def begin(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_who_holds_it_is_told_in_one_sentence(tmp_path, other):
    process = other(tmp_path)
    with pytest.raises(DiffmidiError) as refused, hold(tmp_path):
        pass
    said = str(refused.value)
    for part in (f"{tmp_path} is in use: process {process.pid} on ", "since 20", "(train: `diffmidi train 'a run'`)"):
        assert part in said
    assert "\n" not in said


def test_it_ends_with_its_process_however_that_ends(tmp_path, other):
    process = other(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / HOLDER).exists(), "what it said of itself is left, and locks nothing"
    with hold(tmp_path):
        assert json.loads((tmp_path / HOLDER).read_text())["pid"] == os.getpid()
    assert not (tmp_path / HOLDER).exists()


def test_it_is_let_go_after_an_error_too(tmp_path, other):
    with pytest.raises(KeyError), hold(tmp_path):
        raise KeyError
    other(tmp_path)


def test_within_one_process_stages_may_be_nested(tmp_path, other):
    with hold(tmp_path, "run"):
        with hold(tmp_path, "train"):
            pass
        assert json.loads((tmp_path / HOLDER).read_text())["what"] == "run", "the inner one gives nothing away"
    other(tmp_path)


@pytest.mark.parametrize("harm", ["[]", "{", '{"pid": "x"}'])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, other, harm):
    other(tmp_path)
    (tmp_path / HOLDER).write_text(harm)
    with pytest.raises(DiffmidiError, match="is in use: another process is at it"), hold(tmp_path):
        pass
