"""What is kept beside a dataset: filled once, whole or not at all, by one of several processes."""

import os
import subprocess
import sys

import pytest

from diffmidi_core.data.kept import Kept
from diffmidi_core.errors import DiffmidiError

ASK = """
import sys, time
from pathlib import Path
from diffmidi_core.data.kept import Kept

def fill(folder):
    with open("filled", "a") as file:
        file.write("once\\n")
    time.sleep(0.5)
    (folder / "numbers").write_text("1 2 3")

print((Kept(Path("."), "abc")("index-1", fill) / "numbers").read_text())
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_folder_is_filled_once_and_another_for_other_data(tmp_path):
    asked = []

    def fill(folder):
        asked.append(folder)
        (folder / "numbers").write_text(str(len(asked)))

    for _ in range(2):
        assert (Kept(tmp_path, "abc")("index-1", fill) / "numbers").read_text() == "1"
    assert (Kept(tmp_path, "def")("index-1", fill) / "numbers").read_text() == "2"
    assert (Kept(tmp_path, "abc")("index-2", fill) / "numbers").read_text() == "3"
    assert names(tmp_path) == ["index-1-abc", "index-1-def", "index-2-abc"]


def test_what_fails_leaves_nothing_and_is_tried_again(tmp_path):
    def fail(folder):
        (folder / "numbers").write_text("1")
        raise OSError(28, "No space left on device")

    with pytest.raises(DiffmidiError, match="index-1-abc cannot be written: No space left on device"):
        Kept(tmp_path, "abc")("index-1", fail)
    assert names(tmp_path) == []
    folder = Kept(tmp_path, "abc")("index-1", lambda folder: (folder / "numbers").write_text("1"))
    assert (folder / "numbers").read_text() == "1"


def test_several_processes_fill_it_once(tmp_path):
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK], cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in asking] == ["1 2 3"] * 3
    assert (tmp_path / "filled").read_text() == "once\n"


def test_nothing_is_kept_where_nothing_may_be_written(tmp_path, monkeypatch):
    assert Kept.beside(tmp_path, "abc") == Kept(tmp_path, "abc")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert Kept.beside(tmp_path, "abc") is None
