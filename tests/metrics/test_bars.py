"""Beats, bars, keys and endings: values known by hand, and none where music says no metre."""

import numpy as np
import pytest
import symusic

from diffmidi.api.metric import Sample, key_clarity, key_of
from diffmidi_core.music.toy import from_rows


@pytest.fixture
def barred():
    """A sample from rows of (onset, length, pitch) and metres of (onset, numerator, denominator), in quarter notes."""

    def make(rows, *metres):
        score = from_rows([(onset, length, pitch, 80) for onset, length, pitch in rows])
        signs = [
            symusic.TimeSignature(round(at * score.ticks_per_quarter), above, below, "tick")
            for at, above, below in metres
        ]
        score.time_signatures = type(score.time_signatures)(signs)
        return Sample.of_music(score, None)

    return make


def at(*onsets, pitch=60):
    return [(onset, 0.25, pitch) for onset in onsets]


@pytest.mark.parametrize(
    ("name", "rows", "metres", "value"),
    [
        ("onsets_on_beats", at(0, 1, 1.5, 2), [(0, 4, 4)], 3 / 4),
        ("onsets_on_beats", at(0, 0.5, 0.75, 1), [(0, 6, 8)], 3 / 4),  # eighths are counted
        ("onsets_on_beats", at(0, 1, 2), [(0, 2, 2)], 2 / 3),
        ("onsets_on_beats", at(0, 0.5, 1.5, 2), [(0, 1, 8), (0.5, 4, 4)], 3 / 4),  # from the upbeat's end on
        ("notes_per_bar", at(0, 1, 2, 4.5), [(0, 4, 4)], 2.0),
        ("notes_per_bar", at(0, 1, 2, 8), [(0, 4, 4)], 4 / 3),  # the empty bar between counts
        ("notes_per_bar", at(0, 1, 4, 5), [(0, 4, 4), (4, 3, 4)], 2.0),
        ("notes_per_bar", at(0, 1, 2), [(0, 1, 4), (1, 3, 4), (100, 4, 4)], 1.5),  # a metre after the end does not
    ],
)
def test_a_value_known_by_hand(figure, barred, name, rows, metres, value):
    assert figure(name, [barred(rows, *metres)]).value == pytest.approx(value)


@pytest.mark.parametrize("name", ["onsets_on_beats", "notes_per_bar"])
def test_music_without_metre_has_no_bars(figure, barred, name):
    assert figure(name, [barred(at(0, 1, 2))]) is None


def test_notes_before_the_first_metre_stand_nowhere(figure, barred):
    assert figure("onsets_on_beats", [barred(at(0, 5), (4, 4, 4))]) is None


def test_a_scale_is_clearer_than_a_chromatic_run(figure, barred):
    scale, run = (
        barred([(n, 1, 60 + step) for n, step in enumerate(steps)]) for steps in ((0, 2, 4, 5, 7, 9, 11, 12), range(11))
    )
    assert figure("key_clarity", [scale]).value > 0.8 > 0.4 > figure("key_clarity", [run]).value


def test_the_profile_of_a_key_is_perfectly_clear():
    major = np.array([635, 223, 348, 233, 438, 409, 252, 519, 239, 366, 229, 288])
    assert key_clarity(np.arange(12) + 2, major) == pytest.approx(1.0)
    assert key_of(np.arange(12) + 2, major) == "D major"
    assert key_clarity(np.arange(12), np.ones(12)) is None


@pytest.mark.parametrize(("last", "value"), [((48, 64), 1.0), ((55, 60), 0.0)])
def test_a_piece_in_c_ends_on_c_in_the_bass(figure, barred, last, value):
    tune = [(n, 1, 60 + step) for n, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0))]
    rows = [*tune, *((11, 2, pitch) for pitch in last)]
    assert figure("ends_on_tonic", [barred(rows)]).value == value
