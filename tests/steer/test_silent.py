"""A take in which the model leaves everything empty is drawn again, and one that stays so is told."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from diffmidi import Pipeline
from diffmidi_core.draw.filling import Computing, Filling
from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.registry import find
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.infill import SILENT, takes
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.from_pretrained(find("model", "starter").folder(), device="cpu")


@pytest.fixture
def asked() -> Asked:
    onset = 480 * np.arange(16)
    hand = Notes(onset, np.full(16, 400), 60 + np.arange(16) % 12, np.full(16, 70))
    file = UserFile(score_of([hand, hand]).dumps_midi(), "song")
    return Asked.region(file, regions(track="1", inverted=True))


def quiet(monkeypatch: pytest.MonkeyPatch, tokenizer, first: int, piece: int = 0) -> None:
    """The model says that there are no notes, the first times that it draws a piece."""
    filled, none = Filling.filled, int(tokenizer.to_ids(["c0"])[0])

    def silenced(self, canvas, rows, *rest, **more):
        ids, record = filled(self, canvas, rows, *rest, **more)
        counts = (canvas.ids == tokenizer.mask_id).numpy() & np.isin(
            ids, tokenizer.to_ids([f"c{n}" for n in range(49)])
        )
        for row, (number, _, _, *marks) in enumerate(rows):
            if number == piece and (marks[-1] if marks else 0) < first:
                ids[row][counts[row]] = none
        return ids, record

    monkeypatch.setattr(Filling, "filled", silenced)


def drawn(pipeline: Pipeline, asked: Asked, count: int):
    warned: list[str] = []
    request = pipeline.request(count, seed=3, steps=8)
    computing = Computing(nullcontext, warn=warned.append)
    return [take for some in takes(pipeline.model, asked, request, computing) for take in some], warned


def test_what_is_drawn_again_has_notes_and_the_other_takes_are_as_they_were(pipeline, asked, monkeypatch) -> None:
    before, _ = drawn(pipeline, asked, 2)
    quiet(monkeypatch, pipeline.tokenizer, 2)
    (again, other), warned = drawn(pipeline, asked, 2)
    assert again.record["silent"] >= 2
    assert len(again.patched.new)
    assert not warned
    assert other.midi() == before[1].midi()
    (alone,), _ = drawn(pipeline, asked, 1)
    assert alone.midi() == again.midi()


def test_what_stays_silent_is_told(pipeline, asked, monkeypatch) -> None:
    quiet(monkeypatch, pipeline.tokenizer, SILENT + 1)
    (take,), (warned,) = drawn(pipeline, asked, 1)
    assert take.record["silent"] == SILENT
    assert not len(take.patched.new)
    assert "take 1 is silent" in warned
