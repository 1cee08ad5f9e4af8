"""Which pieces are the same music: by a hash of the notes, and, for versions of one piece, by MinHash signatures.

A signature is a MinHash (Broder 1997, "On the resemblance and containment of documents") of what survives
transposition, another tempo, another instrument and a pianist: the intervals of the outer voices. The share of columns
in which two signatures agree estimates the Jaccard similarity of their sets, with a standard error of 0.02 at the
default threshold.

The MinHash is written out here because signatures are stored with the data and must mean the same in ten years, and
libraries change their hashing between versions.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.data.signature_file import SignatureFile
from diffmidi_core.music.notes import Notes, distinct

Signature = NDArray[np.uint32]
Signatures = NDArray[np.uint32] | SignatureFile
"""[N, P], a row for each piece."""
Rows = NDArray[np.int64]

SIGNATURE_LENGTH = 128
THRESHOLD = 0.08
"""Unrelated pieces of the kinds measured stay below 0.03, performances of one score lie between 0.05 and 0.5."""
NO_SIGNATURE = np.uint32(0xFFFFFFFF)
"""Fills the signature of a piece with too little in it to be told apart, and is in no other; it is like none."""

_STEPS_PER_QUARTER = 960
"""In which music is compared: copies at other resolutions are still the same music."""
_CHORD_GAP = 0.7
"""Notes closer than this share of the piece's mean gap between notes are one chord, played or written."""
_LONG_GAP = 8
"""A gap of so many mean ones is a pause, or a mistake, and says nothing of the piece's pace."""
_INTERVALS = 8
"""In a row, as one element of the set: fewer are common to many pieces, more break at a pianist's every slip."""
_FEWEST_ELEMENTS = 8
_NEIGHBOURS = 4
"""Each row of a bucket is compared with so many that follow: copies are joined, and no bucket is too large."""
_DISTANCES = (1, 5, 19)
"""From each column to those it is paired with."""
_PAIRS_AT_ONCE = 1 << 10


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output step of splitmix64 (Steele, Lea and Flood 2014): every bit sways every other."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ numbers >> np.uint64(shift)) * np.uint64(factor)
    return numbers ^ numbers >> np.uint64(31)


# Never to change: signatures are stored.
_BIN = np.uint32(2**32 // SIGNATURE_LENGTH)
"""The width of a bin of the hashes."""
_LENDERS = np.argsort(mixed(np.arange(SIGNATURE_LENGTH**2, dtype=np.uint64).reshape(SIGNATURE_LENGTH, -1)), axis=1)
"""[128, 128] for each column the order in which it looks for one that holds something."""


def notes_hash(notes: Notes, ticks_per_quarter: int) -> bytes:
    """16 bytes that name the music (which pitch begins when, in quarters from the first note) of the notes of a score.

    The same whatever the file's name, tempo, resolution, lead-in, tracks, velocities and note lengths; a note that two
    tracks double counts once.
    """
    onset = notes.onset - notes.onset[:1]
    # Whole numbers of steps are sorted as the notes are; only finer ticks can fall out of order.
    codes = onset * _STEPS_PER_QUARTER // max(ticks_per_quarter, 1) * 128 + notes.pitch
    return hashlib.blake2b(distinct(codes).astype("<i8", copy=False).tobytes(), digest_size=16).digest()


def signature(notes: Notes) -> Signature:
    """[128] MinHash of the runs of eight intervals in the highest and in the lowest voice of the notes of a score.

    Invariant under transposition, tempo, resolution, velocity and note lengths. A piece of fewer than some 16 chords is
    too short for one and gets `NO_SIGNATURE` throughout.

    One permutation makes all columns: the hashes' range is cut into 128 bins, and a column holds the least hash in its
    bin (Li, Owen and Zhang 2012, "One permutation hashing"), or, where a bin is empty, what another column holds, the
    first that does in an order of the column's own (Shrivastava 2017, "Optimal densification for fast and accurate
    minwise hashing").
    """
    least: Signature = np.full(SIGNATURE_LENGTH, NO_SIGNATURE)
    elements = np.minimum(_elements(notes), NO_SIGNATURE - np.uint32(1))
    np.minimum.at(least, elements // _BIN, elements)
    filled = least != NO_SIGNATURE
    empty = np.flatnonzero(~filled)
    if SIGNATURE_LENGTH - len(empty) < _FEWEST_ELEMENTS:
        return np.full(SIGNATURE_LENGTH, NO_SIGNATURE)
    lender = filled[_LENDERS[empty]].argmax(axis=1)
    least[empty] = least[_LENDERS[empty, lender]]
    return least


def near_duplicates(signatures: Signatures, threshold: float = THRESHOLD) -> Rows:
    """[N] the lowest row of each row's group, from signatures [N, P]: rows alike, or linked by rows that are.

    Two rows are alike where they agree in at least `threshold` of their P columns. Candidates agree in two columns (LSH
    in 3 P bands of two columns), which a pair that is exactly at the default threshold does 9 times in 10. Memory is
    under 100 bytes a row, and that of the signatures where they are not in a file.

    Raises ValueError where `threshold` does not leave two columns to agree in, or is above 1.
    """
    needed = agreements_needed(threshold, signatures.shape[1])
    group = np.arange(len(signatures))
    present = _present(signatures)
    for pair in _bands(signatures.shape[1]):
        band = _band(signatures, present, pair)
        order = np.argsort(band, kind="stable")
        band, ordered = band[order], present[order]
        for step in range(1, _NEIGHBOURS + 1):
            first = np.flatnonzero(band[step:] == band[:-step])
            if not len(first):
                break  # equal ones stand together
            one, two = ordered[first], ordered[first + step]
            apart = group[one] != group[two]
            one, two = one[apart], two[apart]
            alike = _agreements(signatures, one, signatures, two) >= needed
            _unite(group, one[alike], two[alike])
    return group


def nearest(signatures: NDArray[np.uint32], among: NDArray[np.uint32]) -> tuple[Rows, NDArray[np.float64]]:
    """For each row of signatures [N, P] the row of `among` [M, P] that is most like it, and their similarity.

    Returns [N] rows and [N] shares of columns that agree; -1 and 0 where no row agrees in two columns of a band.
    """
    rows, agreements = np.full(len(signatures), -1), np.zeros(len(signatures), dtype=np.int64)
    asked, present = _present(signatures), _present(among)
    for pair in _bands(signatures.shape[1]):
        band, wanted = _band(among, present, pair), _band(signatures, asked, pair)
        order = np.argsort(band, kind="stable")
        band, ordered = band[order], present[order]
        begin = np.searchsorted(band, wanted)
        for step in range(_NEIGHBOURS):
            inside = np.flatnonzero(begin + step < len(band))
            inside = inside[band[begin[inside] + step] == wanted[inside]]
            one, two = asked[inside], ordered[begin[inside] + step]
            new = rows[one] != two
            one, two = one[new], two[new]
            found = _agreements(signatures, one, among, two)
            better = found > agreements[one]
            rows[one[better]], agreements[one[better]] = two[better], found[better]
    return rows, agreements / signatures.shape[1]


def agreements_needed(threshold: float, columns: int) -> int:
    """In how many columns two signatures must agree; see `near_duplicates`, and what it raises."""
    needed = int(np.ceil(threshold * columns))
    if not 2 <= needed <= columns:
        raise ValueError(f"threshold must lie above {1 / columns:.3f} and be 1 at most (given: {threshold}).")
    return needed


def _elements(notes: Notes) -> NDArray[np.uint32]:
    """[M] hashes of the runs of intervals in the outer voices."""
    if len(notes) <= _INTERVALS:
        return np.zeros(0, dtype=np.uint32)
    gaps = notes.onset[1:] - notes.onset[:-1]
    total, count = int(notes.onset[-1] - notes.onset[0]), len(gaps)
    # Without the longest: one stray note ten minutes after the end must not turn the piece into one chord.
    long = gaps[gaps > _LONG_GAP * (total / count)]
    usual = (total - int(long.sum())) / (count - len(long))
    begins = np.concatenate(([0], np.flatnonzero(gaps > _CHORD_GAP * usual) + 1))
    return (mixed(_runs(notes.pitch.astype(np.uint8), begins)) >> np.uint64(32)).astype(np.uint32)


def _runs(pitch: NDArray[np.uint8], begins: Rows) -> NDArray[np.uint64]:
    """Each run of eight intervals in an outer voice as one number, a byte an interval; those of scales left out.

    A run of one or two different intervals is a repeated note, a trill, an octave bass or a scale: it is in many pieces
    and tells none of them apart.

    Args:
        pitch: [N] the notes' pitches, by onset.
        begins: [C] which of them begin a chord.
    """
    count = len(begins) - _INTERVALS
    if count < 1:
        return np.zeros(0, dtype=np.uint64)
    voices = np.empty((2, len(begins)), dtype=np.uint8)
    np.maximum.reduceat(pitch, begins, out=voices[0])
    np.minimum.reduceat(pitch, begins, out=voices[1])
    intervals = voices[:, 1:] - voices[:, :-1] + np.uint8(128)  # [2, C - 1], modulo 256
    np.invert(intervals[1], out=intervals[1])  # or the same run in both voices would be one element
    low = high = intervals
    for step in (1, 2, 4):  # the least and the greatest of 2, 4 and 8 intervals
        low = np.minimum(low[:, :-step], low[:, step:])
        high = np.maximum(high[:, :-step], high[:, step:])
    line = intervals.shape[1]
    places = np.ndarray((_INTERVALS, 2, count), np.uint8, intervals, strides=(1, line, 1))
    told_apart = ((places != low) & (places != high)).any(axis=0)
    numbers: NDArray[np.uint64] = np.ndarray((2, count), "<u8", intervals, strides=(line, 1))[told_apart]
    return numbers


def _present(signatures: Signatures) -> Rows:
    """The rows that have a signature."""
    return np.flatnonzero(signatures[:, 0] != NO_SIGNATURE)


def _bands(columns: int) -> list[tuple[int, int]]:
    return [(column, (column + distance) % columns) for distance in _DISTANCES for column in range(columns)]


def _band(signatures: Signatures, rows: Rows, pair: tuple[int, int]) -> NDArray[np.uint64]:
    """[len(rows)] two columns as one number."""
    high, low = (signatures[:, column][rows].astype(np.uint64) for column in pair)
    number: NDArray[np.uint64] = high << np.uint64(32) | low
    return number


def _agreements(ones: Signatures, one: Rows, twos: Signatures, two: Rows) -> Rows:
    """[C] in how many columns the rows `one` and `two` of two matrices agree, some thousand pairs at a time."""
    counts = np.zeros(len(one), dtype=np.int64)
    for begin in range(0, len(one), _PAIRS_AT_ONCE):
        part = slice(begin, begin + _PAIRS_AT_ONCE)
        counts[part] = np.count_nonzero(ones[one[part]] == twos[two[part]], axis=1)
    return counts


def _unite(group: Rows, one: Rows, two: Rows) -> None:
    """Union-find in place: the groups of each pair become one, named after its lowest row; every row names its root."""
    if not len(one):
        return
    for a, b in zip(one.tolist(), two.tolist(), strict=True):
        root_a, root_b = _root(group, a), _root(group, b)
        group[max(root_a, root_b)] = min(root_a, root_b)
    while (group != (up := group[group])).any():
        group[:] = up


def _root(group: Rows, row: int) -> int:
    while group[row] != row:
        row = int(group[row])
    return row
