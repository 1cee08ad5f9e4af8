"""Tempi, and from quarter notes to microseconds and back through their changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.notes import Score
from diffmidi_core.music.tempo import UNTOLD

Float = NDArray[np.float64]
SECOND = 1_000_000
MINUTE = 60 * SECOND
"""Microseconds."""


class Tempo(NamedTuple):
    """From `at` on there are `qpm` quarter notes a minute."""

    at: float
    qpm: float

    @property
    def mspq(self) -> int:
        """The same as MIDI files say it: microseconds in a quarter note."""
        return min(max(round(MINUTE / self.qpm), 1), 2**24 - 1)


class Clock:
    """From quarter notes to microseconds and back, through every change of tempo; 120 a minute where none is named."""

    def __init__(self, tempos: Sequence[Tempo]) -> None:
        tempos = tempos or (Tempo(0.0, MINUTE / UNTOLD),)
        self._at = np.array([tempo.at for tempo in tempos])
        self._mspq = np.array([tempo.mspq for tempo in tempos])
        self._elapsed = np.concatenate(([0.0], (np.diff(self._at) * self._mspq[:-1]).cumsum()))
        self.slowest = int(self._mspq.max())

    def elapsed(self, quarters: Float) -> Float:
        """[N] quarter notes since 0 -> [N] microseconds since 0."""
        last = np.maximum(np.searchsorted(self._at, quarters, side="right") - 1, 0)
        told: Float = self._elapsed[last] + (quarters - self._at[last]) * self._mspq[last]
        return told

    def quarters(self, elapsed: Float) -> Float:
        """[N] microseconds since 0 -> [N] quarter notes since 0."""
        last = np.maximum(np.searchsorted(self._elapsed, elapsed, side="right") - 1, 0)
        told: Float = self._at[last] + (elapsed - self._elapsed[last]) / self._mspq[last]
        return told


def clock_of(score: Score) -> Clock:
    """From quarter notes to microseconds through the tempi of a score."""
    tempos = {0: 120.0, **{max(0, each.time): each.qpm for each in score.tempos if each.qpm > 0}}
    quarter = max(score.ticks_per_quarter, 1)
    return Clock([Tempo(tick / quarter, qpm) for tick, qpm in sorted(tempos.items())])
