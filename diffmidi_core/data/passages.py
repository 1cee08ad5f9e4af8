"""Which pieces have a passage in common: excerpts, and long pieces of which a part is the same.

Whole pieces are compared by signatures (`duplicates`), which an excerpt of a tenth does not sway. Here a piece is the
row of its elements, short runs of chords, and a passage is a window of that row most of whose elements are in one other
piece: the containment of windows (Broder 1997), so that the length of the rest does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.data.duplicates import mixed
from diffmidi_core.music.notes import Notes

Elements = NDArray[np.uint32]
"""[M] distinct hashes, in the order in which they first come."""
Rows = NDArray[np.int64]

WINDOW, SHARE, FEWEST = 32, 0.6, 5
"""Of so many elements in a row such a share is in the other piece, or as many of all where one of the two has fewer."""

_INTERVALS = 6
"""Of the highest and of the lowest voice in a row, as one element. With fewer, unrelated folk tunes have passages in
common; with more, an excerpt must be longer to be found."""
_CHORD_GAP = 0.7
"""Notes closer than this share of the mean gap around them are one chord, played or written."""
_AROUND = 16
"""Gaps either side that the mean is of: an excerpt must be cut into the same chords as the whole."""
_LONG_GAP = 4
"""So many mean gaps: a longer one is a pause, and counts as so much."""
_COMMONEST = 256
"""An element of more pieces (a figure of accompaniment) tells none of them apart, and is not looked up."""
_PIECES_AT_ONCE = 50_000
"""Among which a passage is looked for together, so that the index stays small."""


def elements(notes: Notes) -> Elements:
    """The runs of six intervals in the outer voices of the notes of a score, with the interval between the voices.

    Invariant under transposition, tempo, resolution, velocity and note lengths; the same for an excerpt as for that
    part of the whole, but for a few at its ends. Runs without three different intervals in a voice (repeated notes,
    trills, scales) are left out: they are in many pieces.
    """
    begins = _chords(notes.onset)
    count = len(begins) - _INTERVALS
    if count < 1:
        return np.zeros(0, dtype=np.uint32)
    pitch = notes.pitch.astype(np.uint8)
    voices = np.empty((2, len(begins)), dtype=np.uint8)
    np.maximum.reduceat(pitch, begins, out=voices[0])
    np.minimum.reduceat(pitch, begins, out=voices[1])
    line = len(begins) + 8 - _INTERVALS
    intervals = np.zeros((2, line), dtype=np.uint8)  # with room for 8 bytes from each place on
    intervals[:, : len(begins) - 1] = voices[:, 1:] - voices[:, :-1] + np.uint8(128)  # modulo 256
    runs: NDArray[np.uint64] = np.ndarray((2, count), "<u8", intervals, strides=(line, 1)) & np.uint64((1 << 48) - 1)
    across = (voices[0] - voices[1])[:count].astype(np.uint64)
    told = np.flatnonzero(_told_apart(intervals, count))
    return _first_of_each(mixed(mixed(runs[0, told] | across[told] << np.uint64(48)) + runs[1, told]))


def common_passages(asked: Sequence[Elements], among: Sequence[Elements]) -> tuple[Rows, NDArray[np.float64]]:
    """For each row of `asked` the row of `among` with the plainest passage in common, -1 where there is none.

    A passage is WINDOW elements in a row of which SHARE are in the other piece; where one of the two has fewer elements
    than WINDOW, the same share of those, and FEWEST at least.

    Returns [N] rows, and [N] which share of the elements of each in `asked` the other has.
    """
    rows, shares, plainest = np.full(len(asked), -1), np.zeros(len(asked)), np.zeros(len(asked))
    for begin in range(0, len(among), _PIECES_AT_ONCE):
        index = _Index(among[begin : begin + _PIECES_AT_ONCE])
        for row, wanted in enumerate(asked):
            piece, plain, share = index.plainest(wanted)
            if plain >= 1 and plain > plainest[row]:
                rows[row], shares[row], plainest[row] = begin + piece, share, plain
    return rows, shares


class _Index:
    """From an element to the pieces that have it."""

    def __init__(self, pieces: Sequence[Elements]) -> None:
        self.lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        every = np.concatenate([np.zeros(0, dtype=np.uint32), *pieces])
        order = np.argsort(every, kind="stable")
        self.elements = every[order]
        self.pieces = np.repeat(np.arange(len(pieces), dtype=np.int32), self.lengths)[order]

    def plainest(self, wanted: Elements) -> tuple[int, float, float]:
        """The piece with most of a window of the wanted elements: how many times those needed, and its share of all."""
        begin = np.searchsorted(self.elements, wanted, side="left")
        counts = np.searchsorted(self.elements, wanted, side="right") - begin
        counts[counts > _COMMONEST] = 0
        total = int(counts.sum())
        if total < FEWEST:
            return -1, 0.0, 0.0
        place = np.repeat(np.arange(len(wanted)), counts)
        piece = self.pieces[np.arange(total) + np.repeat(begin - counts.cumsum() + counts, counts)].astype(np.int64)
        order = np.lexsort((place, piece))
        place, piece = place[order], piece[order]
        # Of each find: how many more of its piece lie in the window that begins there.
        number = piece * (len(wanted) + WINDOW) + place
        found = np.searchsorted(number, number + WINDOW) - np.arange(total)
        needed = np.maximum(np.ceil(SHARE * np.minimum(self.lengths[piece], min(WINDOW, len(wanted)))), FEWEST)
        best = int((found / needed).argmax())
        return int(piece[best]), float(found[best] / needed[best]), np.count_nonzero(piece == piece[best]) / len(wanted)


def _chords(onset: Rows) -> Rows:
    """Which notes begin a chord; of none and of one, none."""
    gaps = (onset[1:] - onset[:-1]).astype(np.float64)
    if not len(gaps):
        return np.zeros(0, dtype=np.int64)
    place = np.arange(len(gaps))
    around = np.minimum(place, _AROUND) + np.minimum(place[::-1], _AROUND) + 1
    usual = _sum_around(np.minimum(gaps, _LONG_GAP * (_sum_around(gaps) / around))) / around
    return np.concatenate(([0], np.flatnonzero(gaps > _CHORD_GAP * usual) + 1))


def _sum_around(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] of each gap and of _AROUND either side, as many as there are."""
    before = np.zeros(len(gaps) + 2 * _AROUND + 1)
    gaps.cumsum(out=before[_AROUND + 1 : len(gaps) + _AROUND + 1])
    before[len(gaps) + _AROUND + 1 :] = before[len(gaps) + _AROUND]
    total: NDArray[np.float64] = before[2 * _AROUND + 1 :] - before[: len(gaps)]
    return total


def _told_apart(intervals: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    """[count] whether the run from each place on has three different intervals, in one voice at least."""
    low = high = intervals[:, : count + _INTERVALS - 1]
    for step in (1, 2, 2):  # the least and the greatest of 2, 4 and 6 intervals
        low = np.minimum(low[:, :-step], low[:, step:])
        high = np.maximum(high[:, :-step], high[:, step:])
    places = np.ndarray((_INTERVALS, 2, count), np.uint8, intervals, strides=(1, intervals.shape[1], 1))
    told: NDArray[np.bool_] = np.logical_or.reduce(((places != low) & (places != high)).reshape(-1, count))
    return told


def _first_of_each(hashes: NDArray[np.uint64]) -> Elements:
    """The distinct ones of their upper halves, in the order in which they first come."""
    # With their places in the lower halves they are sorted many times as fast as by their order.
    half = np.uint64(32)
    ordered: NDArray[np.uint64] = np.sort((hashes >> half << half) + np.arange(len(hashes), dtype=np.uint64))
    value, place = (ordered >> half).astype(np.uint32), ordered.astype(np.uint32)
    new = np.ones(len(value), dtype=bool)
    np.not_equal(value[1:], value[:-1], out=new[1:])
    return (hashes[np.sort(place[new])] >> half).astype(np.uint32)
