"""Where bars begin, and which metres are nobody's."""

import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi_core.music.metre import (
    FOUR_FOUR,
    Stretch,
    concentration,
    downbeat,
    metre_of,
    onset_phase,
    respelled,
)
from diffmidi_core.music.toy import from_rows

KNOWN = ((1, 4), (2, 4), (3, 4), (4, 4), (6, 4), (3, 8), (6, 8))
BEATS = np.arange(16) * 480


def metre(signs, onset=BEATS, resolution=16):
    score = from_rows([(0, 1, 60, 80)])
    score.time_signatures.clear()
    for time, numerator, denominator in signs:
        score.time_signatures.append(TimeSignatureTick(time, numerator, denominator))
    return metre_of(score, np.asarray(onset), resolution, KNOWN)


def stretches(*signs):
    return [(each.start, each.signature) for each in metre(signs).stretches]


def test_a_sane_metre_is_taken_as_it_is():
    found = metre([(0, 3, 4), (3 * 1440, 6, 8)])
    assert found.replaced == ""
    assert found.stretches == (Stretch(0, (3, 4)), Stretch(3 * 48, (6, 8)))
    assert [each.bar(16) for each in found.stretches] == [48, 48]


@pytest.mark.parametrize(
    ("signs", "onset", "why"),
    [
        ([], BEATS, "missing"),
        ([(0, 7, 16)], BEATS, "unknown"),
        ([(0, 3, 4), (1440, 0, 4), (2880, 7, 16)], BEATS[4:], "unknown"),
        ([(0, 3, 4)], np.sort(np.random.default_rng(0).integers(0, 480 * 400, 800)), "off_grid"),
    ],
)
def test_a_metre_that_makes_no_sense_gives_way_to_four_four(signs, onset, why):
    found = metre(signs, onset)
    assert (found.replaced, found.stretches) == (why, (Stretch(0, FOUR_FOUR),))


def test_bars_of_one_beat_are_believed_where_they_are_few():
    few = metre([(0, 3, 4), (1440, 1, 4), (1920, 3, 4)])
    assert not few.is_of_one_beat(BEATS // 30, 16)
    most = metre([(0, 3, 4), (1440, 1, 4)])
    assert most.is_of_one_beat(BEATS // 30, 16)
    assert not most.is_of_one_beat(BEATS[:4] // 30, 16), "one bar of each"
    assert not metre([(0, 3, 8)]).is_of_one_beat(BEATS // 30, 16)


def test_a_stretch_of_an_unknown_metre_is_read_in_four_four():
    assert stretches((0, 3, 4), (1440, 65, 4), (1440 + 65 * 480, 3, 4)) == [
        (0, (3, 4)),
        (48, (4, 4)),
        (48 + 64 * 16, (1, 4)),
        (48 + 65 * 16, (3, 4)),
    ]


def test_a_bar_cut_short_is_a_bar_of_its_own_where_one_is_as_short():
    assert stretches((0, 4, 4), (1920 + 720, 3, 4)) == [(0, (4, 4)), (64, (3, 8)), (88, (3, 4))]


def test_a_signature_inside_a_bar_otherwise_waits_for_the_bar_line():
    assert stretches((0, 4, 4), (1920 + 360, 3, 4)) == [(0, (4, 4)), (128, (3, 4))]


@pytest.mark.parametrize("ticks", [-30, -1, 1, 30])
def test_a_few_ticks_beside_a_bar_line_is_a_bar_line(ticks):
    assert stretches((0, 4, 4), (1920 + ticks, 3, 4)) == [(0, (4, 4)), (64, (3, 4))]


def test_a_first_bar_that_is_cut_short_is_an_upbeat():
    assert stretches((0, 4, 4), (480, 3, 4)) == [(16 - 48, (3, 4))]
    assert stretches((480, 3, 4)) == [(16 - 48, (3, 4))]


def test_the_same_signature_again_changes_nothing():
    assert stretches((0, 3, 4), (2000, 3, 4), (2880, 3, 4)) == [(0, (3, 4))]
    assert stretches((0, 3, 4), (1440, 4, 4), (1440, 3, 4)) == [(0, (3, 4))]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        *[((4, 4), (4, 4)), ((2, 2), (4, 4)), ((3, 2), (6, 4)), ((12, 16), (6, 8)), ((4, 8), (2, 4))],
        *[((5, 4), None), ((0, 4), None), ((4, 0), None), ((-4, 4), None)],
    ],
)
def test_other_spellings_of_known_metres(said, written):
    assert respelled(said, KNOWN) == written


def test_concentration_is_one_on_a_grid_wherever_it_begins_and_small_off_it():
    assert concentration(BEATS // 4 + 57, 480, (4,)) == pytest.approx(1)
    assert concentration(np.arange(90) * 160 + 3, 480, (3, 4)) == pytest.approx(1)
    anywhere = np.random.default_rng(0).integers(0, 10**6, 2000)
    assert concentration(anywhere, 480, (3, 4, 8)) < 0.1
    # Played to a click, 10 ticks off at one standard deviation: exp(-(2 pi 10/120)^2 / 2) = 0.87 against sixteenths.
    played = np.arange(2000) * 120 + np.rint(np.random.default_rng(0).normal(0, 10, 2000)).astype(int)
    assert concentration(played, 480, (4,)) == pytest.approx(0.87, abs=0.02)


@pytest.mark.parametrize(("late", "phase"), [(0, 0), (57, 57), (60, 60), (61, -59), (119, -1)])
def test_the_phase_is_the_constant_offset(late, phase):
    onset = np.arange(32) * 120 + late
    onset[::5] += 7
    assert onset_phase(onset, 120) == phase


def test_the_downbeat_is_where_most_begin():
    assert downbeat(np.array([3, 5, 16 + 5, 32 + 5, 33]), 16) == 5
    assert downbeat(np.array([1, 2]), 16) == 1
    assert downbeat(np.array([], dtype=np.int64), 16) == 0
