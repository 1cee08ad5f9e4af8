"""Pieces of whole bars, from a model whose tokens have a plan: heads are drawn, then the notes that they announce.

What is drawn together follows from `Process.order`; before it stand the last finished bars. The number of bars is
exact, an upbeat not counted, and the last bar is one that ends a piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.canvas import ANY, Canvas
from diffmidi_core.contracts.time_bounds import UNBOUNDED, TimeBounds
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.long import Drawn
from diffmidi_core.draw.portions import Bars, Left, Portion, PortionTime

Filled = tuple[NDArray[np.integer], Mapping[str, Sequence[int]]]
Work = Generator[Portion, Ids, list[Ids]]
"""Yields what is to be filled, is sent it as it then is, and returns the texts that came of it."""
Fill = Callable[[Canvas, Sequence[tuple[int, int, int]], int], Filled]
"""A canvas, (piece, window, part) of each row, and how many portions a window has, to tokens [B, L] and what to record.
"""


def grow_bars(
    goals: Sequence[Left], fill: Fill, bars: Bars, tell: Callable[[int], object] = lambda done: None
) -> list[Drawn]:
    """A piece for each goal, portion by portion, all pieces together that are not done yet.

    `tell` is told how many bars the shortest of them has. A piece's record holds what the sampler records of its
    portions, and `bars`: how many there are, an upbeat counted.
    """
    works = [bars.piece(goal) for goal in goals]
    return [piece.drawn() for piece in drawn_together(works, fill, bars, tell)]


def drawn_together(
    works: Sequence[Work], fill: Fill, where: WithSets, tell: Callable[[int], object] = lambda done: None
) -> list[Piece]:
    """Works done portion by portion, all together that are not done yet."""
    pieces = [Piece(number, work) for number, work in enumerate(works)]
    while waiting := [piece for piece in pieces if piece.portion is not None]:
        portions = [piece.portion for piece in waiting if piece.portion is not None]
        canvas = canvas_of(portions, where)
        keys = [(piece.number, each.window, each.part) for piece, each in zip(waiting, portions, strict=True)]
        tokens, record = fill(canvas, keys, portions[0].parts)
        tell(min(portion.done for portion in portions))
        for row, (piece, portion) in enumerate(zip(waiting, portions, strict=True)):
            own = {name: int(values[row]) for name, values in record.items()}
            piece.take(tokens[row, 1 : 1 + len(portion.ids)].astype(np.int32), own)
    return pieces


def canvas_of(portions: Sequence[Portion], where: WithSets) -> Canvas:
    """Rows of these texts, what is masked being free where its set allows."""
    tokenizer = where.tokenizer
    lengths = [len(portion.ids) for portion in portions]
    canvas = Canvas.begun([portion.ids for portion in portions], lengths)
    types, allowed = torch.zeros_like(canvas.ids), canvas.allowed.clone()
    for row, portion in enumerate(portions):
        place = slice(1, 1 + len(portion.ids))
        types[row, place] = torch.from_numpy(tokenizer.types(portion.ids))
        opens = torch.from_numpy(portion.opens)
        free = torch.from_numpy(portion.ids == tokenizer.mask_id)
        allowed[row, place] = torch.where(free, torch.where(opens >= 0, opens, ANY), allowed[row, place])
    return replace(
        canvas,
        allowed=allowed,
        sets=torch.from_numpy(where.sets),
        types=types if tokenizer.plan else None,
        bounds=None if tokenizer.plan else _bounds([portion.time for portion in portions], canvas.ids.shape[1]),
    )


def _bounds(times: Sequence[PortionTime | None], width: int) -> TimeBounds | None:
    """Of rows so many tokens wide, [CLS] and [SEP] among them."""
    told = [time for time in times if time is not None]
    if not told:
        return None
    steps = torch.tensor([0, UNBOUNDED]).expand(len(told), width, 2).clone()
    for row, time in enumerate(told):
        steps[row, 1 : 1 + len(time.steps)] = torch.from_numpy(time.steps)
    start = torch.tensor([1 + time.start for time in told])
    tables = [torch.from_numpy(time.moves) for time in told if time.moves is not None]
    if not tables:
        return TimeBounds(steps, start)
    longest = max(map(len, tables))
    moves = tables[0].new_full((len(tables), longest, tables[0].shape[1]), longest)
    for row, table in enumerate(tables):
        # What is later than all that a row asks for, is so of the longest row as well.
        moves[row, : len(table)] = torch.where(table >= len(table), longest, table)
    return TimeBounds(steps, start, moves)


class WithSets(Protocol):
    """What portions are of: whose tokens, and [S, V] the sets that `Portion.opens` names."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Of the model."""

    @property
    def sets(self) -> NDArray[np.bool_]:
        """See above."""


@dataclass
class Piece:
    """One piece as it grows; what its work returns is `done`."""

    number: int
    work: Work
    portion: Portion | None = None
    record: Counter[str] = field(default_factory=Counter)
    done: list[Ids] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._advance(None)

    def take(self, ids: Ids, record: Mapping[str, int]) -> None:
        """A portion, filled."""
        self.record.update(record)
        self._advance(ids)

    def _advance(self, ids: Ids | None) -> None:
        try:
            self.portion = next(self.work) if ids is None else self.work.send(ids)
        except StopIteration as finished:
            self.portion, self.done = None, finished.value

    def drawn(self) -> Drawn:
        """The piece."""
        ids = np.concatenate([*self.done, np.zeros(0, dtype=np.int32)]).astype(np.int32)
        return Drawn(ids, {**self.record, "bars": len(self.done)})
