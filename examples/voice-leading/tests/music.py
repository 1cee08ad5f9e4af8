"""Chords to judge: a chord is (soprano, alto, tenor, bass), and lasts a quarter note."""

import numpy as np

from diffmidi.api.metric import Notes
from diffmidi.api.tokenizer import score_of

QUARTER = 480


def voice(pitch):
    at = QUARTER * np.arange(len(pitch))
    return Notes(at, np.full_like(at, QUARTER), np.array(pitch), np.full_like(at, 80))


def chorale(*chords):
    """A score of four tracks."""
    return score_of([voice(pitch) for pitch in zip(*chords, strict=True)])


def keyboard(*chords):
    """The same in one track, as most models write it."""
    pitch = np.array([note for chord in chords for note in sorted(chord)])
    at = np.repeat(QUARTER * np.arange(len(chords)), [len(chord) for chord in chords])
    return score_of(Notes(at, np.full_like(at, QUARTER), pitch, np.full_like(at, 80)))
