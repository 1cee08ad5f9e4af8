"""Columns from scores and scores from columns, on the toy scores."""

from __future__ import annotations

import numpy as np

from diffmidi_core.music.notes import INT32_MAX, Notes, notes_of, score_of
from diffmidi_core.music.toy import toy_scores, tune, with_drums


def test_notes_come_by_onset_then_pitch_and_without_drums() -> None:
    notes = notes_of(with_drums())
    assert len(notes) == 54
    assert (np.diff(notes.onset * 256 + notes.pitch) > 0).all()


def test_a_score_of_notes_holds_those_notes() -> None:
    notes = notes_of(tune())
    back = notes_of(score_of(notes))
    assert all(
        (getattr(back, name) == getattr(notes, name)).all() for name in ("onset", "duration", "pitch", "velocity")
    )


def test_times_past_what_midi_can_hold_are_cut_off() -> None:
    huge = Notes(*(np.array([value]) for value in (2**40, 2**40, 60, 80)))
    notes = notes_of(score_of(huge))
    assert notes.onset.tolist() == [INT32_MAX]
    assert notes.duration.tolist() == [0]


def test_a_score_without_notes_gives_empty_columns() -> None:
    assert len(notes_of(toy_scores()["silence"])) == 0


def test_toy_scores_are_the_same_every_time_and_no_two_calls_share_one() -> None:
    first, second = toy_scores(), toy_scores()
    assert {name: score.dumps_midi() for name, score in first.items()} == {
        name: score.dumps_midi() for name, score in second.items()
    }
    first["tune"].tracks.clear()
    assert len(notes_of(second["tune"])) == 54
