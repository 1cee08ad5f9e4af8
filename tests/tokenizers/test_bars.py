"""Notes laid out in bars: a second time changes nothing."""

import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi.api.tokenizer import Score, score_of
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_tokenizers import bars
from diffmidi_tokenizers.bars import LONGEST_REST, Lattice, lay_out, playable

EIGHTHS = np.array([*range(1, 33), *range(34, 98, 2)])
LATTICE = Lattice(16, 8, {4: 2 * EIGHTHS, 8: EIGHTHS}, ((2, 4), (3, 4), (4, 4), (3, 8), (6, 8)))


def laid(score: Score, lattice: Lattice = LATTICE):
    counts: dict[str, int] = {}
    found = lay_out(score, playable(score, 21, 108, counts), lattice, counts)
    return found, {what: count for what, count in counts.items() if count}


def signed(score: Score, *signs: tuple[int, int, int]) -> Score:
    score.time_signatures.clear()
    for time, numerator, denominator in signs:
        score.time_signatures.append(TimeSignatureTick(time, numerator, denominator))
    return score


def written(found: bars.LaidOut) -> Score:
    return signed(score_of(found.notes, 16), *((tick, *signature) for tick, signature in found.changes))


@pytest.mark.parametrize("name", toy_scores())
def test_laid_out_again_nothing_changes(name):
    once, _ = laid(toy_scores()[name])
    again, counts = laid(written(once))
    for column in ("onset", "duration", "pitch", "velocity"):
        assert np.array_equal(getattr(once.notes, column), getattr(again.notes, column)), column
    assert once.changes == again.changes
    assert not counts


def test_a_constant_offset_goes_even_beyond_half_a_position():
    # 57 of 480 ticks is three short of a position (60): rounded, each note would stand a 32nd late.
    found, _ = laid(toy_scores()["off_grid"])
    assert (found.notes.onset % 4 == 0).all()
    assert found.notes.onset.tolist() == [4 * i for i in range(16)]


def test_bars_without_onsets_before_the_first_go_and_the_upbeat_stays():
    found, _ = laid(from_rows([(11, 1, 60, 80), (12, 1, 62, 80)]))
    assert found.notes.onset.tolist() == [3 * 16, 4 * 16]


def test_long_rests_are_cut_by_whole_bars():
    found, counts = laid(from_rows([(0, 1, 60, 80), (4 * 100 + 1, 1, 62, 80)]))
    assert found.notes.onset.tolist() == [0, ((LONGEST_REST + 1) * 4 + 1) * 16]
    assert counts == {"clamped_rest": 1}


@pytest.mark.parametrize(
    ("signs", "beats"),
    [
        ([(0, 4, 4), (4, 2, 4), (6, 4, 4)], [0, 1, 2, 3, 6, 7, 8]),
        ([(0, 3, 4), (3, 2, 4), (7, 3, 4)], [0, 1, 2, 7, 8, 9]),
        ([(0, 3, 4), (3, 6, 8), (6, 2, 4), (8, 4, 4)], [0, 1, 2, 8, 10]),
    ],
)
def test_an_empty_bar_lasts_as_long_as_its_own_metre_says(signs, beats):
    score = signed(from_rows([(beat, 0.5, 60, 80) for beat in beats]), *((480 * at, *metre) for at, *metre in signs))
    found, counts = laid(score)
    assert found.notes.onset.tolist() == [16 * beat for beat in beats]
    assert found.changes == tuple((16 * at, tuple(metre)) for at, *metre in signs)
    assert not counts


def test_of_a_long_rest_the_first_bars_stay_with_their_metres():
    score = signed(from_rows([(0, 1, 60, 80), (100, 1, 62, 80)]), (0, 4, 4), (4 * 480, 2, 4), (8 * 480, 4, 4))
    found, counts = laid(score)
    # Two bars of 2/4 and fourteen of 4/4.
    assert found.notes.onset.tolist() == [0, (4 + 2 * 2 + (LONGEST_REST - 2) * 4) * 16]
    assert counts == {"clamped_rest": 1}


def test_where_no_metre_is_said_the_downbeat_is_where_most_notes_begin():
    rows = [(1 + 4 * bar, 1, pitch, 80) for bar in range(8) for pitch in (48, 55, 64)]
    rows += [(beat, 1, 72, 80) for beat in range(0, 32, 2)]
    found, counts = laid(signed(from_rows(rows)))
    assert counts["metre_replaced"] == 1
    chords = found.notes.onset[found.notes.pitch == 48]
    assert (chords % 64 == 0).all()


def test_positions_are_those_of_the_beat_of_the_metre():
    # A 32nd on from the beat is a position in 4/4; a 64th is one in 3/8 only.
    rows = [(i / 2 + 1 / 16, 0.5, 60 + i % 5, 80) for i in range(1, 24)] + [(i / 2, 0.5, 72, 80) for i in range(24)]
    assert (laid(signed(from_rows(rows), (0, 3, 8)))[0].notes.onset % 2 == 1).any()
    assert (laid(signed(from_rows(rows), (0, 4, 4)))[0].notes.onset % 2 == 0).all()


def test_no_note_sounds_into_the_next_of_its_pitch_and_all_lengths_can_be_said():
    # 4 1/8 quarters cannot be said, beyond four there are whole eighths only: 4 is the next shorter.
    found, counts = laid(from_rows([(0, 9, 60, 80), (4.125, 1, 60, 90), (6, 5.95, 62, 80)]))
    assert found.notes.duration.tolist() == [64, 76, 96]
    assert counts == {"overlaps": 1}


def test_nothing_playable_is_no_bar():
    found, counts = laid(from_rows([(0, 0, 60, 80), (1, 1, 20, 80)]))
    assert len(found.notes) == 0
    assert counts == {"zero_length": 1, "dropped_pitch": 1}
