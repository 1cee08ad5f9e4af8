"""Which bytes of a MIDI file can be events of two data bytes, all of them at once.

Of such an event only the first bytes of its delta time and its status byte have their high bit set. So the *low* bytes
of a stretch of them come in threes: the end of the delta time, the first and the second data byte.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.notes import Column

LONGEST_DELTA = 4
"""Bytes of a delta time, and of the length of a meta event, at most."""
DELTA, FIRST, SECOND = range(3)
"""The low bytes of an event of two data bytes."""


class Run(NamedTuple):
    """Events of two data bytes, `length` of them one after another.

    Attributes:
        first: which low byte of the file ends the delta time of the first; that of the next is the third after it.
        start: where the first begins.
        status: of the first.
    """

    first: int
    length: int
    start: int
    status: int


class Lows:
    """The low bytes of a file, and for each whether an event of two data bytes may have its delta time end there."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        # Of every byte of the file, and three after its end; bytes take an eighth of the time that places do.
        low, regular = np.zeros((2, len(data) + 3), dtype=bool)
        np.less(data, 0x80, out=low[: len(data)])
        np.logical_or(data >> 6 == 0x80 >> 6, data >> 4 == 0xE0 >> 4, out=regular[: len(data)])
        begun = low[2:-1] & (low[1:-2] | (regular[1:-2] & low[3:]))
        longer = LONGEST_DELTA + 3
        begun[LONGEST_DELTA:] &= np.logical_or.reduce([low[at : at - longer] for at in range(LONGEST_DELTA)])
        self._low = np.flatnonzero(low)
        self._broken = ~begun[self._low]
        self._breaks: dict[int, Column] = {}

    def run(self, start: int, delta: int, end: int, status: int) -> Run:
        """All regular events from one on, which begins at `start` with its delta time up to `delta`; before `end`."""
        first, most = self._low.searchsorted((delta, end)).tolist()
        count = (most - first) // 3
        row, which = divmod(first, 3)
        breaks = self._breaks.get(which)
        if breaks is None:
            breaks = self._breaks[which] = np.flatnonzero(self._broken[which::3])
        place = int(breaks.searchsorted(row, side="right"))
        if place < len(breaks):
            count = min(count, int(breaks[place]) - row)
        return Run(first, count, start, status)

    def places(self, run: Run, which: int) -> Column:
        """[length] where in the file one of the low bytes of each event of a run stands: DELTA, FIRST or SECOND."""
        return self._low[run.first + which : run.first + which + 3 * run.length : 3]

    def end(self, run: Run) -> int:
        """Where the event after a run begins."""
        return int(self._low[run.first + 3 * run.length - 1]) + 1
