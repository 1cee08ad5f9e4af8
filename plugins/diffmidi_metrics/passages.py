"""Every passage of the training music in order, kept beside it: which is the longest that a query shares with it?"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffmidi.api import DiffmidiError
from diffmidi.api.metric import Notes, Score, TrainingMusic, notes_of
from diffmidi_metrics.suffixes import sort_suffixes

Codes = NDArray[np.int64]

STEPS = 12
"""Steps of a quarter note: onsets are compared on this grid."""

LONGEST_GAP = 8 * STEPS
"""Gaps from here on are all alike."""

AT_ONCE = 1 << 20
"""How many events are compared in one go, at most."""

KEPT = "passages-1"
"""The name that the index is kept under; another form of it, or of `events`, needs another number."""

TEXT, STARTS, ORDER = "text.u2", "starts.i8", "order"
"""Its files, plain little-endian numbers: events, where each piece begins among them, and the suffix array."""


def events(score: Score) -> Codes:
    """[notes − 1] what leads from each note to the next, by onset then pitch: its interval and gap, as one number ≥ 1.

    Transposing changes no event. All are below 2^15.
    """
    notes: Notes = notes_of(score)
    onset = np.rint(notes.onset * STEPS / score.ticks_per_quarter).astype(np.int64)
    interval = np.clip(np.diff(notes.pitch), -127, 127)
    codes: Codes = 1 + (interval + 127) * (LONGEST_GAP + 1) + np.minimum(np.diff(onset), LONGEST_GAP)
    return codes


class Passages:
    """Every passage of the training set, in order: a suffix array (Manber and Myers 1993), memory-mapped.

    It takes 6 bytes a note on the disk, beside the music, where the first who asks writes it: some 5 seconds for a
    million notes, most of them spent on decoding these. A sample then takes milliseconds.
    """

    def __init__(self, training: TrainingMusic) -> None:
        folder = training.kept(KEPT, write)
        self.starts = np.fromfile(folder / STARTS, dtype="<i8")
        size = int(self.starts[-1]) if len(self.starts) else 0
        order = next(iter(folder.glob(f"{ORDER}.i[48]")), folder / f"{ORDER}.i4")
        lengths = [path.stat().st_size if path.is_file() else 0 for path in (folder / TEXT, order)]
        if not size or lengths != [2 * size, int(order.suffix[-1]) * size]:
            raise DiffmidiError(f"the index in {folder} is damaged: remove that folder, and it is made anew.")
        self.text = np.memmap(folder / TEXT, dtype="<u2", mode="r")
        self.order = np.memmap(order, dtype=f"<{order.suffix[1:]}", mode="r")

    def longest(self, query: Codes) -> tuple[int, int, int]:
        """The longest run of events that query and text share: its length, where in the query, where in the text."""
        best = (0, 0, 0)
        rows = max(1, AT_ONCE // max(1, len(query)))
        for begin in range(0, len(query), rows):
            heads = np.arange(begin, min(begin + rows, len(query)))
            # Suffixes of the query, ended by what is smaller than all events.
            width = np.arange(len(query) - begin)
            patterns = np.append(query, -1)[np.minimum(heads[:, None] + width, len(query))]
            below = self._below(patterns)
            for neighbour in (below - 1, below):
                at = self.order[np.clip(neighbour, 0, len(self.order) - 1)].astype(np.int64)
                differs = self._at(at, width) != patterns
                common = np.where(differs.any(1), differs.argmax(1), len(width))
                row = int(common.argmax())
                best = max(best, (int(common[row]), int(-heads[row]), int(-at[row])))
        return best[0], -best[1], -best[2]

    def locate(self, at: int) -> tuple[int, int]:
        """The piece that holds a place of the text, and which of its notes stands there."""
        piece = int(np.searchsorted(self.starts, at, side="right")) - 1
        return piece, at - int(self.starts[piece])

    def _at(self, places: Codes, width: Codes) -> Codes:
        found: Codes = self.text[np.minimum(places[:, None] + width, len(self.text) - 1)].astype(np.int64)
        return found

    def _below(self, patterns: Codes) -> Codes:
        """[Q] how many passages come before each pattern: a binary search for all of them together."""
        low = np.zeros(len(patterns), dtype=np.int64)
        high = np.full(len(patterns), len(self.order))
        width, rows = np.arange(patterns.shape[1]), np.arange(len(patterns))
        while (low < high).any():
            middle = (low + high) // 2
            found = self._at(self.order[np.minimum(middle, len(self.order) - 1)].astype(np.int64), width)
            first = (found != patterns).argmax(1)
            less = (found[rows, first] < patterns[rows, first]) & (low < high)
            low, high = np.where(less, middle + 1, low), np.where(less | (low >= high), high, middle)
        return low


def write(training: TrainingMusic, folder: Path) -> None:
    """Write the index of all training music into a folder. One piece of it is in memory at a time."""
    starts = array("q", [0])
    with (folder / TEXT).open("wb") as file:
        for piece in _texts(training):
            file.write(piece.tobytes())
            starts.append(starts[-1] + len(piece))
    np.array(starts, dtype="<i8").tofile(folder / STARTS)
    text = np.memmap(folder / TEXT, dtype="<u2", mode="r")
    kind = "i4" if len(text) < 2**31 else "i8"
    order = np.memmap(folder / f"{ORDER}.{kind}", dtype=f"<{kind}", mode="w+", shape=text.shape)
    rank = np.memmap(folder / "rank", dtype=f"<{kind}", mode="w+", shape=text.shape)
    sort_suffixes(text, order, rank)
    order.flush()
    del rank
    (folder / "rank").unlink()


def _texts(training: TrainingMusic) -> Iterator[NDArray[np.uint16]]:
    """The events of each piece, ended by a 0, which no sample has."""
    for number in range(len(training)):
        yield np.append(events(training.read(number)), 0).astype("<u2")
