"""Columns from scores and scores from columns, on the toy scores."""

from __future__ import annotations

import numpy as np

from diffmidi_core.music.notes import INT32_MAX, Notes, notes_of, score_of, tracks_of
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


def test_several_tracks_of_notes_are_tracks_of_a_score_and_silent_ones_and_drums_are_none() -> None:
    upper = Notes(*np.array([[0, 480], [480, 480], [72, 74], [80, 80]]))
    lower, silent = Notes(*np.array([[240], [480], [48], [80]])), upper[:0]
    score = score_of([upper, silent, lower])
    score.tracks.append(score_of(upper).tracks[0])
    score.tracks[-1].is_drum = True
    assert len(score.tracks) == 4
    assert [notes.pitch.tolist() for notes in tracks_of(score)] == [[72, 74], [48]]
    assert [notes.onset.tolist() for notes in tracks_of(score)] == [[0, 480], [240]]
    assert notes_of(score).pitch.tolist() == [72, 48, 74]


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
