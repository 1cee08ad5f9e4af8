"""Timing that is not what a file says: performances off the grid, a constant offset, bars of one beat."""

from collections import Counter

import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.data.timing import Timing, timing_of
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

from .conftest import Scores

BEATS = np.repeat(np.arange(32) * 480, 3) + np.tile([0, 240, 360], 32)


def piece(onset, *metres, seed=0):
    pitch = np.random.default_rng(seed).integers(40, 90, len(onset))
    score = score_of(Notes(np.asarray(onset), np.full(len(onset), 100), pitch, np.full(len(onset), 80)))
    for time, numerator, denominator in metres:
        score.time_signatures.append(TimeSignatureTick(time, numerator, denominator))
    return score


def played(seed, notes=96):
    return np.cumsum(np.random.default_rng(seed).integers(60, 400, notes))


def flags(onset, *metres):
    score = piece(onset, *metres)
    return timing_of(score, notes_of(score))


@pytest.mark.parametrize("seed", range(10))
def test_performances_are_off_the_grid(seed):
    assert flags(played(seed), (0, 4, 4)) == Timing.OFF_GRID


@pytest.mark.parametrize("every", [480, 240, 160, 120, 60, 20])
@pytest.mark.parametrize("late", [57, 13, -11, 235])
def test_a_constant_offset_is_not_rhythm(every, late):
    onset = 4800 + np.arange(64) * every
    assert flags(onset) == Timing(0)
    expected = Timing.LATE if abs(late / 20 - round(late / 20)) * 20 > 2 else Timing(0)
    assert flags(onset + late) == expected


def test_written_music_is_as_the_file_says():
    assert flags(BEATS, (0, 4, 4)) == flags(BEATS + 240) == flags(BEATS, (0, 3, 8)) == Timing(0)
    humanised = BEATS + np.random.default_rng(0).integers(-12, 13, len(BEATS))
    assert flags(humanised) == Timing(0)
    assert flags([0]) == flags([960, 961]) == Timing(0)


def test_bars_of_a_single_beat_are_no_metre():
    assert flags(BEATS, (0, 1, 4)) == flags(BEATS, (0, 2, 8)) == Timing.ONE_BEAT
    assert flags(BEATS, (0, 1, 4), (480 * 8, 4, 4)) == flags(BEATS, (480 * 24, 1, 4)) == Timing(0)
    assert flags(BEATS, (0, 1, 4), (480 * 24, 4, 4)) == Timing.ONE_BEAT
    assert flags(BEATS + 57, (0, 1, 4)) == Timing.ONE_BEAT | Timing.LATE


def prepared(folder, grid, performances, scores=8):
    music = {f"played {seed}": piece(played(seed), seed=seed) for seed in range(performances)}
    music |= {f"written {seed}": piece(BEATS, (0, 1, 4), seed=100 + seed) for seed in range(scores)}
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned", "grid": grid})
    return prepare(Scores(music), tokenizer, folder, Choices(heldout=0.3), hooks=Hooks())


def test_prepare_counts_them_and_says_what_to_do_about_performances(tmp_path):
    report = prepared(tmp_path / "beats", 12, performances=4)
    assert report.timing == {"off_grid": 4, "late": 0, "one_beat": 8}
    (said,) = [remark for remark in report.warnings if "keep no beat" in remark]
    assert said.startswith("33 % of the pieces keep no beat")
    assert "-o tokenizer.grid=10ms" in said


def test_nothing_is_said_where_tokens_count_seconds_or_performances_are_rare(tmp_path):
    for name, grid, performances, scores in (("ms", "10ms", 4, 8), ("rare", 12, 1, 24)):
        report = prepared(tmp_path / name, grid, performances, scores)
        assert report.timing["off_grid"] == performances
        assert not any("keep no beat" in remark for remark in report.warnings)


def test_real_performances_are_told_from_scores(corpus):
    counts = {flag: Counter() for flag in Timing}
    of = Counter()
    for row, score in corpus:
        of[row["source"]] += 1
        for flag in timing_of(score, notes_of(score)):
            counts[flag][row["source"]] += 1
    # Measured: all 303, and 4 scores of 185; 566 and 580 of 758 pop songs, whose bars are mostly 1/4.
    off = counts[Timing.OFF_GRID]
    assert off["asap-perf"] == of["asap-perf"]
    assert off["asap-score"] <= 6
    assert off.total() - off["asap-perf"] - off["asap-score"] == 0
    assert counts[Timing.LATE]["pop909"] > 0.7 * of["pop909"]
    assert counts[Timing.LATE].total() - counts[Timing.LATE]["pop909"] <= 3
    assert counts[Timing.ONE_BEAT]["pop909"] > 0.7 * of["pop909"]
