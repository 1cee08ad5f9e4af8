"""Every rule at changes that break it, and at others that are nearly the same and do not."""

import sys
from pathlib import Path

import pytest

from diffmidi_voice_leading.rules import RULES, unresolved
from diffmidi_voice_leading.voices import chords_of

sys.path.insert(0, str(Path(__file__).parent))
from music import chorale, keyboard

C = (72, 67, 64, 48)
KEPT = [
    (C, (71, 67, 62, 55)),  # I V
    (C, (74, 71, 67, 43)),  # all upwards, the bass downwards
    ((67, 64, 60, 48), (67, 64, 60, 60)),  # the bass by an octave
    ((72, 64, 60, 45), (74, 65, 57, 50)),  # into an octave, to which the soprano steps
]
BROKEN = [
    ("parallel_fifths", (72, 67, 60, 48), (74, 69, 60, 50 - 3), 0),  # fourths
    ("parallel_fifths", (67, 64, 60, 45), (69, 65, 62, 41), 1),
    ("parallel_fifths", (79, 64, 60, 48), (69, 65, 60, 50), 0),  # in contrary motion
    ("parallel_octaves", (72, 67, 64, 48), (74, 67, 62, 50), 1),
    ("parallel_octaves", (60, 60, 55, 48), (62, 62, 55, 47), 1),  # a unison
    ("hidden", (67, 64, 60, 52), (72, 65, 60, 53), 1),
    ("hidden", (67, 64, 60, 57), (72, 65, 60, 53), 0),
    ("hidden", (67, 65, 60, 46), (69, 65, 60, 50), 0),  # the soprano steps
    ("crossing", C, (64, 67, 60, 48), 1),
    ("crossing", C, (60, 62, 64, 48), 2),
    ("spacing", C, (79, 66, 64, 48), 1),
    ("spacing", C, (79, 67, 67, 40), 0),  # tenor and bass may be as far apart as they like
    ("range", C, (81, 72, 64, 48), 1),
    ("range", C, (72, 54, 47, 39), 3),
    ("leaps", C, (78, 67, 64, 48), 1),
    ("leaps", C, (72, 67, 64, 48 - 8), 0),
    ("leaps", (60, 60, 60, 60), (60, 60, 60, 47), 1),
]


def faults(before, after):
    old, new = chords_of(chorale(before, after)).changes
    return {name: int(rule(old, new).sum()) for name, rule in RULES.items()}


@pytest.mark.parametrize(("before", "after"), KEPT)
def test_good_writing_has_no_fault(before, after):
    assert not any(faults(before, after).values())


@pytest.mark.parametrize(("rule", "before", "after", "count"), BROKEN)
def test_a_rule_counts(rule, before, after, count):
    assert faults(before, after)[rule] == count


def test_one_track_is_read_from_the_highest_pitch_downwards():
    chords = chords_of(keyboard(C, (60, 62, 64, 48), (60, 62, 64)))
    assert chords.pitch[chords.whole].tolist() == [list(C), [64, 62, 60, 48]]
    assert (chords.whole.tolist(), chords.voiced) == ([True, True, False], False)


def test_repeated_chords_and_moments_without_four_voices_are_no_changes():
    before, after = chords_of(keyboard(C, C, (60, 62, 64), C, (71, 67, 62, 55))).changes
    assert (before.tolist(), after.tolist()) == ([list(C)], [[71, 67, 62, 55]])


SCALE = [(60, 64, 67, 72)[::-1], (71, 67, 62, 55), (69, 65, 60, 53), (72, 67, 64, 48)]
"""Enough for C major to be the key."""


@pytest.mark.parametrize(
    ("ending", "count"),
    [
        (((71, 67, 62, 55), (72, 67, 64, 48)), 0),
        (((71, 67, 62, 55), (67, 64, 60, 48)), 1),
        (((74, 71, 67, 55), (72, 67, 64, 48)), 0),  # the alto may fall
        (((74, 67, 65, 59), (72, 67, 64, 55)), 1),  # the bass may not
    ],
)
def test_the_leading_tone_at_the_end(ending, count):
    score = chorale(*SCALE, *ending)
    assert unresolved(score, chords_of(score)) == count


def test_an_ending_of_three_notes_is_not_judged():
    score = keyboard(*SCALE, (71, 67, 55), (72, 64, 48))
    assert unresolved(score, chords_of(score)) is None
