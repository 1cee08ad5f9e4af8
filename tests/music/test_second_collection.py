"""The second collection of odd files, as far as it concerns reading: every note where it is, and the pedal's too."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diffmidi import Score
from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import notes_of, sustained
from diffmidi_core.music.reading import read_midi_counted

from .test_reading import TOLD

pytestmark = pytest.mark.skipif(TOLD not in os.environ, reason=f"the collection of bad files is found through {TOLD}")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """The folder of odd files, and what is expected of each."""
    path = tmp_path_factory.mktemp("bad2")
    script = Path(os.environ[TOLD]) / "bad2" / "make_bad2.py"
    subprocess.run([sys.executable, str(script), str(path)], check=True, capture_output=True)
    with (path / "expectations.csv").open(newline="", encoding="utf-8") as table:
        return path, [row for row in csv.DictReader(table) if row["file"].startswith("single/")]


def test_every_file_is_read_as_expected(collection: tuple[Path, list[dict[str, str]]]) -> None:
    path, rows = collection
    assert len(rows) == 93
    wrong = {row["file"]: seen for row in rows if (seen := _wrong(path / row["file"], row))}
    assert not wrong


def _wrong(file: Path, row: dict[str, str]) -> str:
    expected: dict[str, Any] = json.loads(row["expect_detail"])
    try:
        score, counts = read_midi_counted(file)
    except RefusedError as error:
        right = row["expect"] == "reject" and error.reason in expected["reasons"]
        return "" if right else f"refused: {error.reason}"
    if row["expect"] == "reject":
        return "read"
    free = {tuple(each) for each in expected.get("free_durations", ())}
    if _without(free, _rows(score)) != _without(free, [tuple(each) for each in expected["notes"]]):
        return f"notes: {_rows(score)}"
    if not all(duration > 0 for _, duration, *_ in _rows(score)):
        return "a note of no length"
    if counts["note_ons"] != counts["notes_read"] or counts.get("unreleased_keys", 0) != expected.get("without_off", 0):
        return f"counted: {counts}"
    if "sustained" in expected:
        heard = sorted(each[:3] for each in _rows(sustained(score)))
        if heard != sorted(tuple(each) for each in expected["sustained"]):
            return f"sustained: {heard}"
    return ""


def _rows(score: Score) -> list[tuple[int, ...]]:
    notes = notes_of(score)
    return list(zip(*(row.tolist() for row in (notes.onset, notes.duration, notes.pitch, notes.velocity)), strict=True))


def _without(free: set[tuple[int, ...]], rows: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The notes in order, without the lengths of those that may have any."""
    return sorted((t, 0 if (t, p) in free else d, p, v) for t, d, p, v in rows)
