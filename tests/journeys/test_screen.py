"""What users see most, as text: a change of wording shows in the diff of `screen/`.

After a change that is meant: `DIFFMIDI_WRITE_SCREENS=1 python -m pytest tests/journeys/test_screen.py`, and read the
diff. But for help, numbers are N, columns are two blanks apart, and bars and rules are left out: only words are
compared.
"""

import os
import re
from pathlib import Path

import pytest

from .conftest import SMALL

SCREENS = Path(__file__).with_name("screen")
WRITE = "DIFFMIDI_WRITE_SCREENS"

MEASURED = (
    *("--no-metric", "all", "--metric", "bound_bpw", "--metric", "baselines", "--metric", "bits_by_type"),
    *("--metric", "grammar_faults", "--metric", "pitch_range", "--metric", "rounding_bpw"),
)
"""Figures that there are whatever little a model has learned, and one that there is not."""

MISTAKES = {
    "option": ("run", "--out", "new", "-o", "backbone.sizes=tiny"),
    "part": ("run", "--out", "new", "--tokenizer", "mnm"),
    "value": ("run", "--out", "new", "--batch-size", "0"),
    "no music": ("prepare", "nothing", "--out", "new"),
    "no run": ("sample", "runs/new"),
}


def words_of(text: str, *places: object) -> str:
    """A screen without what differs between machines and runs: numbers, places, blanks, bars."""
    for place in places:
        text = text.replace(str(place), "PLACE")
    text = re.sub(r"[\u2500-\u257f]+", "  ", text)
    text = re.sub(r"\d[\d,.:]*\d(e-?\d+)?|\d(e-?\d+)?", "N", text)
    text = re.sub(r", about N left", "", text)
    text = re.sub(r"N ± N|N to N", "N", text)
    text = re.sub(r"(?m)^  [a-z ]+: N( of N)?(, loss.*)?$", "", text)  # how far it is, where a machine takes long
    lines = [re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line.strip()) + "\n"


@pytest.fixture
def screen(diffmidi, monkeypatch, music, tmp_path):
    def compare(name, *commands, columns=160, exact=False):
        monkeypatch.setenv("COLUMNS", str(columns))
        shown = []
        for command in commands:
            told = diffmidi(*command)
            shown += [f"$ diffmidi {' '.join(map(str, command))}\n{told.err}{told.out}"]
        text, file = "\n".join(shown), SCREENS / f"{name}.txt"
        found = text if exact else words_of(text, music, tmp_path)
        if os.environ.get(WRITE):
            file.parent.mkdir(exist_ok=True)
            file.write_text(found, encoding="utf-8")
        assert found == file.read_text(encoding="utf-8"), f"if this is meant, set {WRITE}=1 and look at the diff"

    return compare


def test_a_whole_run(screen, music):
    screen("run", ("run", "--data", music, "--out", "mine", *SMALL, "-o", "train.draw=2", *MEASURED))


def test_preparing(screen, music):
    screen("prepare", ("prepare", music, "--out", "mine"))


def test_drawing_and_judging(screen, mine):
    screen(
        "sample and evaluate",
        ("sample", "mine", "--steps", "3", "--samples", "1", "--bars", "1", "--render", "none"),
        ("evaluate", "mine", "--draw", "1", "-o", "evaluate.windows=6", "-o", "evaluate.levels=2", *MEASURED),
    )


def test_mistakes(screen):
    Path("nothing").mkdir()
    screen("mistakes", *MISTAKES.values())


@pytest.mark.parametrize("command", ["run", "sample"])
def test_help(screen, command):
    screen(f"{command} --help", (command, "--help"), columns=80, exact=True)
