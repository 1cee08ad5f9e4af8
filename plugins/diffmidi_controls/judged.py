"""Controls that judge music: candidates are chosen by their losses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.control import Control, Notes, Score, notes_of, ruling
from diffmidi_controls.declarations import ChordsOptions, DensityOptions, chords, numbers

PERFECT = (0, 7)
"""Unison or octave, and fifth, in semitones within an octave."""


class Chords(Control):
    """The share of a bar's sounding time, note by note, that is not of the bar's chord; of all bars together."""

    options: ChordsOptions

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """0 where every note is of its bar's chord; a note belongs to the bar that it begins in."""
        wanted = chords(self.options.progression)
        return [self._loss(piece, wanted) for piece in pieces]

    def _loss(self, piece: Score, wanted: Sequence[frozenset[int]]) -> float:
        notes = notes_of(piece)
        if not len(notes):
            return 0.0
        fits = np.array([[each in chord for each in range(12)] for chord in wanted])
        strange = ~fits[bars_of(piece, notes)[0] % len(wanted), notes.pitch % 12]
        return float((notes.duration * strange).sum() / max(1, notes.duration.sum()))


class Density(Control):
    """How far the number of notes that begin in each bar is from what was asked, as a share of that; 1 at most."""

    options: DensityOptions

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """Σ |n_b − asked_b| / Σ max(n_b, asked_b) over the bars b."""
        curve = np.array(numbers(self.options.curve))
        return [self._loss(piece, curve) for piece in pieces]

    def _loss(self, piece: Score, curve: NDArray[np.float64]) -> float:
        bar, count = bars_of(piece, notes_of(piece))
        found = np.bincount(bar, minlength=count)
        asked = np.interp(np.linspace(0, len(curve) - 1, len(found)), np.arange(len(curve)), curve)
        return float(np.abs(found - asked).sum() / max(1e-9, np.maximum(found, asked).sum()))


class Parallels(Control):
    """The share of moves from one onset to the next in which two voices keep a perfect fifth or octave and both move.

    Voices are what sounds, from below; where there are not as many after as before, the lowest and the highest alone.
    """

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """0 where there is none."""
        return [self._loss(notes_of(piece)) for piece in pieces]

    def _loss(self, notes: Notes) -> float:
        slices = [
            np.unique(notes.pitch[(notes.onset <= at) & (notes.onset + notes.duration > at)])
            for at in np.unique(notes.onset)
        ]
        moves = max(1, len(slices) - 1)
        return sum(parallel(*pair) for pair in pairwise(slices)) / moves


def parallel(before: NDArray[np.int64], after: NDArray[np.int64]) -> bool:
    """Whether some two voices move in parallel fifths or octaves; pitches rising."""
    if min(len(before), len(after)) < 2:
        return False
    if len(before) != len(after):
        before, after = before[[0, -1]], after[[0, -1]]
    apart, then = (each[None, :] - each[:, None] for each in (before, after))
    moved = after != before
    perfect = np.isin(apart % 12, PERFECT) & (apart > 0) & (apart % 12 == then % 12) & (then > 0)
    up = after > before
    return bool((perfect & moved[:, None] & moved[None, :] & (up[:, None] == up[None, :])).any())


def bars_of(piece: Score, notes: Notes) -> tuple[NDArray[np.int64], int]:
    """[N] in which bar each note begins, from 0 on, and how many bars there are up to the last one."""
    quarter = max(1, piece.ticks_per_quarter)
    beats = notes.onset / quarter
    lines = ruling(piece, float(beats.max(initial=0)) + 1e-6).beats
    bar = np.maximum(np.searchsorted(lines, beats + 1e-6, side="right") - 1, 0)
    return bar, max(1, int(bar.max(initial=0)) + 1)
