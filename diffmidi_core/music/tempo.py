"""From ticks to time, through every change of tempo in a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import RefusedError
from diffmidi_core.music.notes import Column, Score

UNTOLD = 500_000
"""Microseconds in a quarter note where no tempo is written: 120 quarter notes a minute."""


def microseconds(score: Score, ticks: Column) -> Column:
    """[N] ticks of a score -> [N] microseconds since its beginning, rounded once, by whole numbers throughout.

    symusic's `to("second")` says the same as float32, which cannot tell times closer than 0.06 ms apart after 17
    minutes, 0.24 ms after an hour, and further and further apart from then on.

    Raises RefusedError for a tempo of zero, and where a quarter note has no ticks.
    """
    rounded: Column = (_elapsed(score, ticks) + score.ticks_per_quarter // 2) // score.ticks_per_quarter
    return rounded


def seconds(score: Score, ticks: Column) -> NDArray[np.float64]:
    """[N] ticks of a score -> [N] seconds since its beginning. Raises RefusedError as `microseconds` does."""
    told: NDArray[np.float64] = _elapsed(score, ticks) / (1e6 * score.ticks_per_quarter)
    return told


def _elapsed(score: Score, ticks: Column) -> Column:
    """[N] time in units of 1/ticks_per_quarter microsecond: 2^31 ticks of 2^31 of them still count in 64 bits."""
    tempos = score.tempos.numpy()
    at, tempo = tempos["time"].astype(np.int64), tempos["mspq"].astype(np.int64)
    if score.ticks_per_quarter <= 0:
        raise RefusedError("zero_division", "the score says that a quarter note has no ticks, so it has no rhythm.")
    if (tempo <= 0).any():
        raise RefusedError("bad_tempo", "the score has a tempo of zero, at which no time passes.")
    if len(at) == 1 and at[0] <= 0:
        steady: Column = ticks * tempo[0]
        return steady
    order = np.argsort(at, kind="stable")
    at = np.maximum(np.concatenate(([0], at[order])), 0)
    tempo = np.concatenate(([UNTOLD], tempo[order]))
    before = np.concatenate(([0], ((at[1:] - at[:-1]) * tempo[:-1]).cumsum()))
    last = np.maximum(np.searchsorted(at, ticks, side="right") - 1, 0)
    elapsed: Column = before[last] + (ticks - at[last]) * tempo[last]
    return elapsed
