"""The sustain pedal on scores whose sound is known, and against pretty_midi's piano roll."""

from __future__ import annotations

import numpy as np
import pretty_midi
import pytest
from symusic.core import ControlChangeTick, NoteTick, TrackTick

from diffmidi import Score
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, notes_of, score_of, sustained
from diffmidi_core.music.toy import toy_scores, with_drums

Note = tuple[int, int, int]
"""Onset, end, pitch; ticks are round numbers here."""


def played(notes: list[Note], pedal: list[tuple[int, int]]) -> Score:
    """A score of notes, and a pedal from (time, value)."""
    onset, end, pitch = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    score = score_of(Notes(onset, end - onset, pitch, np.full(len(notes), 80)))
    pressed(score.tracks[0], pedal)
    return score


def pressed(track: TrackTick, pedal: list[tuple[int, int]]) -> None:
    for time, value in pedal:
        track.controls.append(ControlChangeTick(time, 64, value))


def heard(score: Score) -> list[Note]:
    notes = notes_of(sustained(score))
    return list(zip(notes.onset.tolist(), (notes.onset + notes.duration).tolist(), notes.pitch.tolist(), strict=True))


@pytest.mark.parametrize(
    ("notes", "pedal", "expected"),
    [
        # let go while the pedal is down, and after it rose
        ([(0, 10, 60)], [(5, 127), (50, 0)], [(0, 50, 60)]),
        ([(0, 60, 60)], [(5, 127), (50, 0)], [(0, 60, 60)]),
        # let go before the pedal goes down, as it goes down, and as it rises
        ([(0, 10, 60)], [(11, 127), (50, 0)], [(0, 10, 60)]),
        ([(0, 10, 60)], [(10, 127), (50, 0)], [(0, 50, 60)]),
        ([(0, 50, 60)], [(5, 127), (50, 0)], [(0, 50, 60)]),
        # struck again: under the pedal, at once, and another pitch
        ([(0, 10, 60), (30, 35, 60)], [(5, 127), (50, 0)], [(0, 30, 60), (30, 50, 60)]),
        ([(0, 10, 60), (10, 20, 60)], [(5, 127), (50, 0)], [(0, 10, 60), (10, 50, 60)]),
        ([(0, 10, 60), (30, 35, 61)], [(5, 127), (50, 0)], [(0, 50, 60), (30, 50, 61)]),
        # struck again after the pedal rose
        ([(0, 10, 60), (60, 70, 60)], [(5, 127), (50, 0)], [(0, 50, 60), (60, 70, 60)]),
        # two strikes of one pitch at once are both struck again by the third, not by one another
        ([(0, 10, 60), (0, 20, 60), (30, 40, 60)], [(5, 127)], [(0, 30, 60), (0, 30, 60), (30, 40, 60)]),
        # let go on the tick it was struck
        ([(10, 10, 60)], [(5, 127), (50, 0)], [(10, 50, 60)]),
        # pressed again on the tick it rose: the dampers fall all the same
        ([(0, 10, 60)], [(5, 127), (50, 0), (50, 127), (90, 0)], [(0, 50, 60)]),
        # 63 is up and 64 is down; values above say nothing new
        ([(0, 10, 60)], [(5, 63), (50, 0)], [(0, 10, 60)]),
        ([(0, 10, 60)], [(5, 64), (20, 100), (30, 65), (50, 63)], [(0, 50, 60)]),
        # never raised: with the last key of the piece
        ([(0, 10, 60), (30, 80, 72)], [(5, 127)], [(0, 80, 60), (30, 80, 72)]),
        # raised after the last key was let go
        ([(0, 10, 60), (30, 80, 72)], [(5, 127), (100, 0)], [(0, 100, 60), (30, 100, 72)]),
        # written out of order
        ([(0, 10, 60)], [(50, 0), (5, 127)], [(0, 50, 60)]),
        # the highest and the lowest key
        ([(0, 10, 0), (0, 10, 127)], [(5, 127), (50, 0)], [(0, 50, 0), (0, 50, 127)]),
        ([(0, 10, 0)], [(5, 127), (50, 0)], [(0, 50, 0)]),
    ],
)
def test_notes_sound_until_the_pedal_rises_or_the_key_is_struck_again(notes, pedal, expected) -> None:
    assert heard(played(notes, pedal)) == expected


def test_reset_all_controllers_raises_the_pedal_and_all_sound_off_silences_it() -> None:
    for number, expected in ((121, [(0, 50, 60), (60, 70, 60)]), (120, [(0, 50, 60), (60, 90, 60)])):
        score = played([(0, 10, 60), (60, 70, 60)], [(5, 127), (90, 0)])
        score.tracks[0].controls.append(ControlChangeTick(50, number, 0))
        assert heard(score) == expected
    # on the tick on which the key is let go
    score = played([(0, 10, 60)], [(5, 127), (90, 0)])
    score.tracks[0].controls.append(ControlChangeTick(10, 120, 0))
    assert heard(score) == [(0, 10, 60)]


def test_tracks_of_one_pedal_are_one_instrument() -> None:
    """What one hand has struck another one strikes again, where the pedal is the same."""
    first, second = played([(0, 10, 60)], [(5, 127), (50, 0)]), played([(30, 35, 60)], [(5, 127), (50, 0)])
    first.tracks.append(second.tracks[0])
    assert heard(first) == [(0, 30, 60), (30, 50, 60)]
    first, second = played([(0, 10, 60)], [(5, 127), (50, 0)]), played([(30, 35, 60)], [(5, 127), (49, 0)])
    first.tracks.append(second.tracks[0])
    assert heard(first) == [(0, 50, 60), (30, 49, 60)]


def test_each_track_has_its_own_pedal_and_drums_have_none() -> None:
    score = played([(0, 10, 60)], [(5, 127), (50, 0)])
    other = TrackTick("other", 0, False)
    other.notes.append(NoteTick(0, 10, 64, 80))
    drums = TrackTick("drums", 0, True)
    drums.notes.append(NoteTick(0, 10, 36, 80))
    pressed(drums, [(5, 127), (50, 0)])
    score.tracks.extend([other, drums])
    assert heard(score) == [(0, 50, 60), (0, 10, 64)]
    assert sustained(score).tracks[2].notes == drums.notes


def test_without_a_pedal_nothing_changes() -> None:
    for score in toy_scores().values():
        assert sustained(score) is score
    score = with_drums()
    score.tracks[0].controls.append(ControlChangeTick(0, 66, 127))
    assert sustained(score) is score


def test_the_score_that_was_given_stays_as_it_was_and_twice_is_once() -> None:
    score = random_performance(0)
    before = score.copy()
    once = sustained(score)
    assert score == before
    assert once != before
    assert sustained(once) == once
    assert once.tracks[0].controls == before.tracks[0].controls


def test_a_pedal_at_the_end_of_time_does_no_harm() -> None:
    last = 2**31 - 1
    assert heard(played([(last - 20, last - 10, 60)], [(last - 15, 127), (last, 0)])) == [(last - 20, last, 60)]


@pytest.mark.parametrize("seed", range(10))
def test_pretty_midi_hears_the_same(seed: int, tmp_path) -> None:
    """Its piano roll holds notes under the pedal too; one frame a tick, so nothing is rounded."""
    score = random_performance(seed)
    write_midi(score, tmp_path / "played.mid")
    write_midi(sustained(score), tmp_path / "heard.mid")
    theirs = roll(tmp_path / "played.mid", pedal_threshold=64)
    ours = roll(tmp_path / "heard.mid", pedal_threshold=None)
    length = min(theirs.shape[1], ours.shape[1])
    assert np.array_equal(theirs[:, :length], ours[:, :length])
    assert not ours[:, length:].any()


def roll(path, pedal_threshold: int | None) -> np.ndarray:
    midi = pretty_midi.PrettyMIDI(str(path))
    # 480 ticks a quarter at 120 quarters a minute.
    return midi.instruments[0].get_piano_roll(fs=960, pedal_threshold=pedal_threshold) > 0


def random_performance(seed: int) -> Score:
    """Notes that never sound into the next of their pitch, under a pedal that goes up and down and is up at the end.

    Keys move on even ticks and the pedal on odd ones: what happens on one tick is a matter of convention.
    """
    random = np.random.default_rng(seed)
    notes = []
    for pitch in range(60, 66):
        edges = np.sort(2 * random.choice(1000, 20, replace=False))
        notes += [(int(a), int(b), pitch) for a, b in edges.reshape(-1, 2)]
    moments = np.sort(2 * random.choice(1000, 15, replace=False) + 1)
    values = random.integers(0, 128, len(moments))
    pedal = [(int(time), int(value)) for time, value in zip(moments, values, strict=True)]
    return played(notes, [*pedal, (2001, 0)])
