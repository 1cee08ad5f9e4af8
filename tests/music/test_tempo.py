"""From ticks to time: against sums done by hand, and against symusic where its floats suffice."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from symusic.core import TempoTick

from diffmidi import Score
from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import microseconds, notes_of
from diffmidi_core.music.toy import from_rows, tune


def paced(*tempos: tuple[int, int], resolution: int = 480) -> Score:
    """A score with tempos of (tick, microseconds in a quarter)."""
    score = from_rows([(0, 1, 60, 80)], resolution)
    score.tempos.clear()
    for time, tempo in tempos:
        score.tempos.append(TempoTick(time, mspq=tempo))
    return score


def at(score: Score, *ticks: int) -> list[int]:
    return microseconds(score, np.array(ticks, dtype=np.int64)).tolist()


def test_without_a_tempo_a_quarter_is_half_a_second() -> None:
    assert at(paced(), 0, 240, 480, 4800) == [0, 250_000, 500_000, 5_000_000]


def test_every_change_of_tempo_counts_from_where_it_stands() -> None:
    score = paced((480, 1_000_000), (960, 250_000))
    assert at(score, 480, 720, 960, 1440, 480 * 102) == [500_000, 1_000_000, 1_500_000, 1_750_000, 26_500_000]


def test_of_tempos_on_one_tick_the_last_counts_and_their_order_in_time_does_not_matter() -> None:
    assert at(paced((960, 250_000), (0, 100_000), (0, 1_000_000)), 960, 1440) == [2_000_000, 2_250_000]


def test_times_are_rounded_once_however_many_tempos_there_are() -> None:
    tempos = [(tick, 400_000 + 333 * (tick % 7)) for tick in range(1000)]
    exact = sum(Fraction(tempo, 480) for _, tempo in tempos)
    assert at(paced(*tempos), 1000) == [round(exact)]


def test_symusic_agrees_as_far_as_it_can_count() -> None:
    score = tune()
    score.tempos.clear()
    for tick in range(0, 15_000, 700):
        score.tempos.append(TempoTick(tick, mspq=300_000 + 37 * tick))
    notes = notes_of(score)
    theirs = np.sort(np.concatenate([track.notes.numpy()["time"] for track in score.to("second").tracks]))
    assert np.abs(microseconds(score, notes.onset) / 1e6 - theirs).max() < 1e-5


def test_it_counts_exactly_where_float32_does_not() -> None:
    score = paced((0, 60_000_000), resolution=1)
    assert at(score, 2**31 - 1) == [60_000_000 * (2**31 - 1)]


@pytest.mark.parametrize(
    ("score", "reason"), [(paced((0, 0)), "bad_tempo"), (paced((0, -5)), "bad_tempo"), (Score(0), "zero_division")]
)
def test_what_has_no_time_is_refused(score: Score, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        at(score, 0)
    assert refused.value.reason == reason


def test_a_tempo_that_never_changes_counts_as_one_that_is_written_again() -> None:
    once, again = paced((0, 600_007)), paced((0, 600_007), (100, 600_007))
    ticks = (0, 1, 99, 100, 101, 10**9)
    assert at(once, *ticks) == at(again, *ticks)
    assert at(paced((100, 600_007)), *ticks) != at(once, *ticks)
