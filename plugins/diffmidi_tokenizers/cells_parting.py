"""Cells in two, the notes that are kept and those that are to be drawn beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import Ids
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.cells_reading import GROUP
from diffmidi_tokenizers.cells_words import COUNT, HELD, JOINT, TIME, TRACK, CellWords


def parted(ids: Ids, kept: NDArray[np.bool_], words: CellWords) -> tuple[Ids, NDArray[np.bool_]]:
    """See `Tokenizer.parted`; `ids` are whole heads and notes, `kept` [notes]."""
    groups = np.asarray(ids, dtype=np.int32).reshape(-1, GROUP)
    head = words.type_of[groups[:, 2]] == TRACK
    cell = head.cumsum() - 1
    kept_here = np.zeros(len(groups), dtype=bool)
    kept_here[~head] = kept
    two = np.bincount(cell[kept_here], minlength=int(head.sum())) > 0
    passed = np.where(head, 0, words.number_of[groups[:, 0]]).astype(np.int64).cumsum()
    since = passed - passed[head][cell]
    # Of each cell in turn: the head of what is kept, that, the head of the rest, the rest.
    again = np.flatnonzero(head)[two]
    row = np.concatenate([np.arange(len(groups)), again])
    kept_row = np.concatenate([kept_here, np.ones(len(again), dtype=bool)])
    order = np.argsort(4 * cell[row] + 2 * ~kept_row + ~head[row], kind="stable")
    row, kept_row = row[order], kept_row[order]
    table, head, since = groups[row].copy(), head[row], since[row]
    behind = head & ~kept_row & two[cell[row]]
    table[behind, 0], table[behind, 1] = words.first[JOINT], words.first[HELD]
    own = head.cumsum() - 1
    table[head, 3] = words.of(COUNT, np.bincount(own) - 1)
    table[~head, 0] = words.first[TIME] + steps.gaps(since)[~head]  # a head is at the bar line
    return table.ravel(), kept_row.repeat(GROUP)
