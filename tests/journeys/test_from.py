"""A run that begins from another's weights, and a run that is held by another process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import TRAINED, UNHEARD

DRAWS = ("--steps", "3", "--samples", "1")


def test_a_run_begins_from_another_and_says_so(diffmidi, mine, music):
    said = diffmidi(
        "run", "--from", f"{mine}@4", "--out", "next", "--iterations", "2", "--data", music, *DRAWS, *UNHEARD
    )
    assert said.code == 0, said.err
    facts = json.loads(Path("next/run.json").read_text())
    assert (facts["began"]["step"], facts["began"]["iterations"]) == (4, 4)
    manifest = json.loads((mine / "checkpoints/step-000004/manifest.json").read_text())
    assert facts["began"]["weights"] == manifest["weights"]
    assert "Began from the weights of mine at iteration 4" in Path("next/report.html").read_text()
    config = json.loads(Path("next/config.json").read_text())
    assert config["backbone"] == json.loads((mine / "config.json").read_text())["backbone"]
    assert diffmidi("run", "--resume", "next", "--iterations", "3").code == 0
    assert json.loads(Path("next/run.json").read_text())["began"] == facts["began"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--from", "nowhere"), "there is no run in nowhere"),
        (("--from", "mine@5"), "there is no checkpoint of step 5 in"),
        (("--from", "mine", "-o", "tokenizer.grid=6"), "with another vocabulary"),
    ],
)
def test_what_a_run_cannot_begin_from_is_told_before_anything_is_prepared(diffmidi, mine, words, text):
    said = diffmidi("run", *words, "--out", "next")
    assert said.code in (1, 2), said.err
    assert text in said.err
    assert not Path("next/data").exists()


HOLDS = """
import sys
from pathlib import Path
from diffmidi_core.saved.lock import hold
with hold(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_run_that_another_process_works_on_is_left_alone_and_can_be_drawn_from(diffmidi, mine, music):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, mine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        before = {path: path.read_bytes() for path in sorted(mine.rglob("*.json"))}
        for words in (
            ("run", "--data", music, "--out", mine, *TRAINED),
            ("prepare", music, "--out", mine),
            ("prepare", "--resume", mine),
            ("train", mine, "--resume", "--iterations", "8"),
            ("run", "--resume", mine, "--iterations", "8"),
        ):
            said = diffmidi(*words)
            assert said.code == 1, words
            assert f"mine is in use: process {other.pid} on " in said.err
        assert {path: path.read_bytes() for path in sorted(mine.rglob("*.json"))} == before
        assert diffmidi("sample", mine, *DRAWS, "--render", "none").code == 0
        other.stdin.write("\n")
    assert diffmidi("train", mine, "--resume", "--iterations", "8").code == 0
