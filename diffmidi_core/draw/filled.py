"""Windows of a hole that is filled: what the model saw beside what it drew, and which tokens are new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.hole import Cell, Hole


class Shown(NamedTuple):
    """A window: its tokens [N], and [N] bool which of them were drawn."""

    ids: Ids
    new: NDArray[np.bool_]


def windows_of(hole: Hole, texts: Sequence[Ids]) -> Iterator[Shown]:
    """The windows of a hole with the texts of its free cells, in order; each new token is new in one of them.

    A later window sees what was drawn in those before it, an earlier one nothing of those behind.
    """
    state = [list(bar) for bar in hole.bars]
    drawn = dict(zip(hole.free, texts, strict=True))
    waiting = sorted({bar for bar, _ in drawn})
    while waiting:
        chunk = hole.chunk(waiting)
        filled = {bar: _filled(state[bar], bar, drawn) for bar in chunk}
        sizes = np.cumsum([sum(len(cell.ids) for cell in filled[bar]) for bar in chunk])
        chunk = chunk[: max(1, int(np.count_nonzero(sizes <= hole.length)))]
        for bar in chunk:
            state[bar] = filled[bar]
        yield _shown(hole, state, chunk, drawn)
        waiting = [bar for bar in waiting if bar not in chunk]


def cells_of(ids: Ids, tokenizer: Tokenizer) -> list[Ids]:
    """A text of cells, cell by cell."""
    heads = np.array([name in tokenizer.plan for name in tokenizer.grammar.types])
    begins = np.flatnonzero(heads[tokenizer.types(ids)[:: tokenizer.group]]) * tokenizer.group
    return np.split(ids, begins[1:]) if len(begins) else []


def _filled(cells: Sequence[Cell], bar: int, drawn: dict[tuple[int, int], Ids]) -> list[Cell]:
    return [
        replace(cell, ids=drawn.get((bar, place), cell.ids), free=False) for place, cell in enumerate(cells)
    ]  # fmt: skip


def _shown(hole: Hole, state: list[list[Cell]], chunk: range, drawn: dict[tuple[int, int], Ids]) -> Shown:
    size = sum(len(cell.ids) for bar in chunk for cell in state[bar])
    before, after = hole.around(state, chunk, hole.length - size)
    ids, new = [], []
    for bar in (*before, *chunk, *after):
        for place, cell in enumerate(state[bar]):
            fresh = np.zeros(len(cell.ids), dtype=bool)
            if bar in chunk and (bar, place) in drawn:
                asked = hole.bars[bar][place].ids
                fresh[len(asked) :] = True
                fresh[: len(asked)] = asked == hole.tokenizer.mask_id
            ids.append(cell.ids)
            new.append(fresh)
    return Shown(np.concatenate(ids), np.concatenate(new))
