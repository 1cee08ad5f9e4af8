"""Redrawing: a piece that stands gets passage after passage drawn anew, and what controls find better stays.

The mathematics is that of `diffusion.choosing`, point 2. What a passage is depends on the tokens: some whole notes of a
window, or the cells of a bar where tokens have a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from diffmidi_core.contracts.canvas import ANY, Canvas
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.diffusion.choosing import log_odds
from diffmidi_core.draw.bars import Fill, drawn_together
from diffmidi_core.draw.filled import cells_of
from diffmidi_core.draw.hole import Cell, Hole
from diffmidi_core.machine.seeds import generator_for

State = TypeVar("State")
SHARE = 0.25
"""Of a window, which is drawn anew at a time."""


def redrawn(
    state: State,
    loss: Callable[[State], float],
    propose: Callable[[State, int, np.random.Generator], Sequence[State]],
    *,
    rounds: int,
    tolerance: float,
    seed: int,
    piece: int,
) -> State:
    """The state after so many passages were drawn anew; fewer where nothing is left to be better.

    `propose(state, round, random)` gives the state with one passage, chosen by `random`, as it might be as well.
    """
    now = loss(state)
    for number in range(rounds):
        if tolerance == 0 and now <= 0:
            break
        generator = generator_for(seed, "redraw", piece, number)
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        candidates = [state, *propose(state, number, random)]
        losses = torch.tensor([now, *map(loss, candidates[1:])], dtype=torch.float64)
        kept = int(torch.multinomial(log_odds(losses, tolerance).softmax(-1), 1, generator=generator))
        state, now = candidates[kept], float(losses[kept])
    return state


@dataclass(frozen=True)
class Passage:
    """Tokens `first` to `last` of a piece, seen between `begin` and `end`."""

    begin: int
    first: int
    last: int
    end: int

    @classmethod
    def of(cls, ids: Ids, tokenizer: Tokenizer, length: int, random: np.random.Generator, *, to_end: bool) -> Passage:
        """Some whole notes, each as likely to be among them, within a window of `length` tokens about them.

        `to_end`: up to the end of the window, for models that hear only what stands before.
        """
        starts = np.append(tokenizer.starts(ids), len(ids))
        size = max(1, round(SHARE * min(length, len(ids))))
        at = int(random.integers(1 - size, len(ids)))
        first = int(starts[int(np.searchsorted(starts, max(at, 0), side="right")) - 1])
        last = int(starts[min(len(starts) - 1, int(np.searchsorted(starts, max(at + size, first + 1))))])
        about = max(0, min((first + last - length) // 2, len(ids) - length))
        begin = min(int(starts[np.searchsorted(starts, about)]), first)
        end = int(starts[np.searchsorted(starts, begin + length, side="right") - 1])
        return cls(begin, first, max(min(last, end), first) if not to_end else end, end)

    def canvas(self, ids: Ids, rows: int) -> Canvas:
        """So many rows of it, to be filled; no wider than it is."""
        canvas = Canvas.begun([ids[self.begin : self.end]] * rows, [self.end - self.begin] * rows)
        allowed = canvas.allowed.clone()
        allowed[:, 1 + self.first - self.begin : 1 + self.last - self.begin] = ANY
        return replace(canvas, allowed=allowed)


def bars_of(ids: Ids, tokenizer: Tokenizer) -> list[list[Cell]]:
    """The bars of a piece whose tokens have a plan, as cells that stand."""
    names = tokenizer.grammar.types
    bars: list[list[Cell]] = []
    for cell in cells_of(ids, tokenizer):
        if tokenizer.roles.get(names[tokenizer.types(cell)[0]]) == "bar" or not bars:
            bars.append([])
        bars[-1].append(Cell(cell))
    return bars


def opened(cell: Cell, tokenizer: Tokenizer) -> Cell:
    """The cell with its notes, and how many they are, to be drawn."""
    head = cell.ids[: tokenizer.group].copy()
    counts = np.array([tokenizer.roles.get(name) == "count" for name in tokenizer.grammar.types])
    head[counts[tokenizer.types(head)]] = tokenizer.mask_id
    return Cell(head, free=True)


def bars_anew(hole: Hole, texts: Sequence[Ids], bar: int, fill: Fill, rows: int) -> list[list[Ids]]:
    """The texts of a hole's free cells with those of one bar drawn anew, `rows` times."""
    at = dict(zip(hole.free, texts, strict=True))
    bars = [
        [
            cell if number == bar else replace(cell, ids=at.get((number, place), cell.ids), free=False)
            for place, cell in enumerate(cells)
        ]
        for number, cells in enumerate(hole.bars)
    ]
    one = replace(hole, bars=bars)
    if hole.notes is not None:
        one = replace(one, notes=sum(hole.tokenizer.count_notes(at[place]) for place in one.free))
    found = drawn_together([one.work() for _ in range(rows)], fill, one)
    return [[{**at, **dict(zip(one.free, each.done, strict=True))}[place] for place in at] for each in found]
