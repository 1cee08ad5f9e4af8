"""Which pieces are trained on, which validate, which test: decided once, by hash, when the data are prepared."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.data.duplicates import mixed

Keys = NDArray[np.int64]
Sides = NDArray[np.int8]

SIDES = ("train", "heldout", "test")
TRAIN, HELDOUT, TEST = range(3)

TOLERANCE = 0.1
"""A share may be so much smaller or larger, as a part of itself, before groups change sides for it."""


def split_key(group: str, notes_hash: bytes) -> int:
    """63 bits that stand for the piece: of its group's name, or of its notes where it has none."""
    name = group.encode("utf-8", "surrogateescape") if group else notes_hash
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1


def split(keys: Keys, heldout: float, test: float) -> Sides:
    """[N] the side of each piece, as its place in SIDES. Pieces of one key, a group, are on one side.

    A group has a place in [0, 1), a hash of its key. Those below the share `heldout` are held out and those above
    1 - `test` are tested on, each side as long as it stays within TOLERANCE of its share of the pieces: what would make
    it larger is passed over, and where it is smaller, the groups next in order join it. So each share is about what was
    asked for also where groups are few or large, if their sizes allow that at all.

    What is stable: a group's place is its own, whatever else there is. Where there are thousands of groups, the places
    alone give the shares, and added files move no piece that was there. Where there are fewer, added files may move
    some groups next to a border between training and another side; none goes from held-out to test, unless there are
    only a handful. Versions of one piece are a group with the lowest key among theirs, so that a further version moves
    a group of n once in n + 1 times.

    Where there is one group it is trained on; the second is held out, and the third tests, if `test` is not 0.
    """
    named, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    place = mixed(named.astype(np.uint64)) / 2.0**64
    sides = np.full(len(named), TRAIN, dtype=np.int8)
    for side, share, order in ((HELDOUT, heldout, place), (TEST, test, 1 - place)):
        spared = 1 + int(side == HELDOUT and test > 0 and len(named) > 2)
        free = np.flatnonzero(sides == TRAIN)
        free = free[np.argsort(order[free], kind="stable")]
        taken = _taken(sizes[free], int((order[free] < share).sum()), share * len(keys), len(free) - spared)
        sides[free[taken]] = side
    return sides[group]


def _taken(sizes: Keys, sure: int, wanted: float, most: int) -> list[int]:
    """Which groups of these sizes make up about `wanted` pieces: the first `sure` of them, fewer or more.

    At least one, and not more than `most` groups, where these are not none.
    """
    taken: list[int] = []
    pieces = 0
    if most <= 0 or wanted <= 0:
        return taken
    for row, size in enumerate(sizes.tolist()):
        if len(taken) == most or (row >= sure and pieces >= (1 - TOLERANCE) * wanted):
            break
        if pieces + size <= (1 + TOLERANCE) * wanted:
            taken.append(row)
            pieces += size
    if len(taken) < most and pieces < (1 - TOLERANCE) * wanted:
        # All that are left are too large: the smallest, where it brings the share nearer, or there would be none.
        left = np.setdiff1d(np.arange(len(sizes)), taken)
        smallest = int(left[sizes[left].argmin()])
        if not taken or pieces + int(sizes[smallest]) - wanted < wanted - pieces:
            taken.append(smallest)
    return taken
