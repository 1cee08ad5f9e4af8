"""The suffixes of a long text in their order, sorted a part at a time (Larsson and Sadakane 2007), in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Column = NDArray[Any]

PACKED = 4
"""How many codes fit into one number, 15 bits each."""

AT_ONCE = 1 << 20
"""Suffixes that are sorted together, at most, but for those that are alike so far: some 60 bytes each."""

_PLACES = 40
"""Bits that the rank of a suffix takes beside the number of its group."""


def sort_suffixes(text: Column, order: Column, rank: Column) -> None:
    """Write where the suffixes of a text begin, in their order, into `order`. Where the text ends is least of all.

    First by their first 4 codes, then those that are alike so far by the next 4, 8, ... until all differ: the order of
    what follows is known by then. Arrays may be memory-mapped; beside them a bounded part of the text is held.

    Args:
        text: [N] codes from 0 to 2^15 − 2.
        order: [N] written.
        rank: [N] room for the place in the order at which the suffixes that begin like each one do.
    """
    groups = [_sorted_from_the_start(text, order, rank, low, high, at) for low, high, at in _parts(text)]
    tied, compared = _joined(groups), PACKED
    while len(tied):
        tied = _joined([_sorted_by_the_rest(order, rank, some, compared) for some in _together(tied)])
        compared *= 2


def _parts(text: Column) -> Iterator[tuple[int, int, int]]:
    """Ranges of first codes whose suffixes are sorted together, and where these stand in the order."""
    counts = np.zeros(1 << 15, dtype=np.int64)
    for begin in range(0, len(text), AT_ONCE):
        counts += np.bincount(text[begin : begin + AT_ONCE], minlength=len(counts))
    before = np.append(0, counts.cumsum())
    low = 0
    while before[low] < len(text):
        high = max(low + 1, int(np.searchsorted(before, before[low] + AT_ONCE, side="right")) - 1)
        if before[high] > before[low]:
            yield low, high, int(before[low])
        low = high


def _sorted_from_the_start(text: Column, order: Column, rank: Column, low: int, high: int, at: int) -> Numbers:
    """Sort the suffixes whose first code is in [low, high) by their first codes; [G, 2] the groups that are alike."""
    found = []
    for begin in range(0, len(text), AT_ONCE):
        block = text[begin : begin + AT_ONCE]
        found.append(begin + np.flatnonzero((block >= low) & (block < high)))
    suffixes = np.concatenate(found)
    key = np.zeros(len(suffixes), dtype=np.int64)
    for place in range(PACKED):
        inside = suffixes + place < len(text)
        code = text[np.minimum(suffixes + place, len(text) - 1)].astype(np.int64)
        key = (key << 15) | np.where(inside, code + 1, 0)  # where the text ends stands what is smaller than all codes
    places = np.arange(at, at + len(suffixes))
    return _put(order, rank, places, suffixes, key)


def _sorted_by_the_rest(order: Column, rank: Column, groups: Numbers, compared: int) -> Numbers:
    """Sort within groups that are alike in `compared` codes by what follows these; the groups that still are alike."""
    sizes = groups[:, 1]
    places = np.repeat(groups[:, 0] - np.append(0, sizes.cumsum()[:-1]), sizes) + np.arange(sizes.sum())
    suffixes = order[places].astype(np.int64)
    behind = suffixes + compared
    following = np.where(behind < len(order), rank[np.minimum(behind, len(order) - 1)].astype(np.int64) + 1, 0)
    key = (np.repeat(np.arange(len(groups)), sizes) << _PLACES) | following
    return _put(order, rank, places, suffixes, key)


def _put(order: Column, rank: Column, places: Numbers, suffixes: Numbers, key: Numbers) -> Numbers:
    """Put suffixes at ascending places by their key; [G, 2] where groups of equal keys begin, and their sizes."""
    by_key = np.argsort(key, kind="stable")
    suffixes, key = suffixes[by_key], key[by_key]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    sizes = np.diff(np.append(first, len(key)))
    order[places] = suffixes
    rank[suffixes] = np.repeat(places[first], sizes)
    groups: Numbers = np.stack([places[first], sizes], axis=1)[sizes > 1]
    return groups


def _together(groups: Numbers) -> Iterator[Numbers]:
    """Groups that are sorted together."""
    before = np.append(0, groups[:, 1].cumsum())
    begin = 0
    while begin < len(groups):
        end = max(begin + 1, int(np.searchsorted(before, before[begin] + AT_ONCE, side="right")) - 1)
        yield groups[begin:end]
        begin = end


def _joined(groups: list[Numbers]) -> Numbers:
    return np.concatenate(groups) if groups else np.zeros((0, 2), dtype=np.int64)
