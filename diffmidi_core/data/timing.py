"""What a file says about beats that the music in it does not keep: found by `prepare`, and reported."""

from __future__ import annotations

from cmath import phase
from enum import IntFlag
from math import pi

import numpy as np

from diffmidi_core.music.metre import LATTICES, LEAST_CONCENTRATION, SHORTEST_BAR, resultants
from diffmidi_core.music.notes import Column, Notes, Score

_FROM_COARSE = (1, 2, 3, 4, 6, 8, 12, 24)
"""Points in a quarter note, the coarsest first; LATTICES are among them."""
_KEEPS = 0.8
"""Concentration of onsets on a lattice that they keep to."""


class Timing(IntFlag):
    """What of a piece's timing is not to be believed.

    OFF_GRID: the onsets fit no grid, as in a performance recorded against a clock: its quarter notes are not beats.
    LATE: all onsets lie beside the beats by the same amount, which is where the file begins and no rhythm.
    ONE_BEAT: most notes are in bars of a single beat, such as 1/4, which is no metre.
    """

    OFF_GRID = 1
    LATE = 2
    ONE_BEAT = 4


def timing_of(score: Score, notes: Notes) -> Timing:
    """The flags of a score with one note at least, as `notes_of` gives them."""
    flags = Timing.ONE_BEAT if _of_one_beat(score, notes.onset) else Timing(0)
    mean = resultants(notes.onset, score.ticks_per_quarter, _FROM_COARSE)
    means: dict[int, complex] = dict(zip(_FROM_COARSE, mean.tolist(), strict=True))
    if max(abs(means[lattice]) for lattice in LATTICES) < LEAST_CONCENTRATION:
        return flags | Timing.OFF_GRID
    coarsest = next((lattice for lattice, mean in means.items() if abs(mean) >= _KEEPS), None)
    if coarsest is not None:
        # On the coarsest lattice a shift of half a beat is a shift, on a finer one none at all.
        late = phase(means[coarsest]) / (2 * pi * coarsest) * _FROM_COARSE[-1]  # in points of the finest
        if abs(late - round(late)) / _FROM_COARSE[-1] > max(1 / 240, 1 / score.ticks_per_quarter):
            flags |= Timing.LATE
    return flags


def _of_one_beat(score: Score, onset: Column) -> bool:
    """Whether most onsets lie in bars of a single beat."""
    if all(4 * sign.numerator >= SHORTEST_BAR * sign.denominator for sign in score.time_signatures):
        return False
    signs = score.time_signatures.numpy()
    short = 4 * signs["numerator"].astype(np.int64) < SHORTEST_BAR * signs["denominator"]
    order = np.argsort(signs["time"], kind="stable")
    # Before the first signature, MIDI means 4/4.
    in_short = np.append(False, short[order])[np.searchsorted(signs["time"][order], onset, side="right")]
    return bool(2 * np.count_nonzero(in_short) > len(onset))
