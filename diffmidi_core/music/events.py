"""The events of two data bytes of a MIDI file as columns: notes, controllers, aftertouch of keys and pitch bends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.lows import DELTA, FIRST, Lows, Run
from diffmidi_core.music.notes import Column

NOTE_OFF, NOTE_ON, CONTROL = 8, 9, 11
ALL_SOUND_OFF, ALL_NOTES_OFF = 120, 123
"""Controllers that let go of every key of their channel."""

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Events:
    """The events of runs, in the order of the file; columns are [N].

    Attributes:
        delta, place: where in the file their delta time ends, and where their first data byte stands.
        status: as MIDI has it, also where the file leaves it out.
        second: their second data byte: velocity, a controller's value.
        is_on: whether a key is struck: note-ons but for those of velocity 0. `struck` counts them.
        controls: the rows of those that are a controller's, and `number` the controllers, as many.
    """

    def __init__(self, data: Bytes, lows: Lows, tracks: Sequence[Sequence[Run]]) -> None:
        self._data, self._tracks = data, tracks
        runs = [run for track_runs in tracks for run in track_runs]
        nothing = [np.empty(0, dtype=np.int64)]
        self.delta, self.place = (
            np.concatenate([lows.places(run, which) for run in runs] or nothing) for which in (DELTA, FIRST)
        )
        self.status, self.second = self._statuses(runs), data[self.place + 1]
        kind = self.status >> 4
        self.is_on: Mask = (kind == NOTE_ON) & (self.second > 0)
        self.struck = int(np.count_nonzero(self.is_on))
        self.controls: Column = np.flatnonzero(kind == CONTROL)
        self.number: Bytes = data[self.place[self.controls]]

    @cached_property
    def track(self) -> Column:
        """The number of its track."""
        counts = [sum(run.length for run in runs) for runs in self._tracks]
        return np.repeat(np.arange(len(counts)), counts)

    @cached_property
    def first(self) -> Bytes:
        """Their first data byte: pitch, or the number of a controller."""
        first: Bytes = self._data[self.place]
        return first

    @cached_property
    def channel(self) -> Column:
        """From 0 to 15."""
        return (self.status & 15).astype(np.int64)

    @cached_property
    def silences(self) -> Column:
        """The rows of those that let go of every key of their channel."""
        found: Column = self.controls[(self.number == ALL_SOUND_OFF) | (self.number == ALL_NOTES_OFF)]
        return found

    def _statuses(self, runs: Sequence[Run]) -> Bytes:
        if not runs:
            return np.empty(0, dtype=np.uint8)
        begins = np.cumsum([0, *(run.length for run in runs[:-1])])
        # A status byte, which stands between the delta time and the data, holds until the next one.
        said = self.place - self.delta == 2
        said[begins] = True
        rows = np.flatnonzero(said)
        written = self._data[self.place[rows] - 1]
        written[np.searchsorted(rows, begins)] = [run.status for run in runs]
        return written if len(rows) == len(said) else np.repeat(written, np.diff(rows, append=len(said)))
