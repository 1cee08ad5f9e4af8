"""Pieces longer than a window, from a model that knows windows only.

The first window is drawn from nothing. Each later one begins with the last tokens of the piece so far, from a boundary
between notes on, and draws what follows them. In training, too, windows begin and end anywhere between two notes; so to
the model no window is a special one, and what joins two is the infilling that every sampler does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.length import UNKNOWN, Goal

Filled = tuple[NDArray[np.integer], Mapping[str, Sequence[int]]]
Fill = Callable[[Canvas, Sequence[int], int], Filled]
"""A canvas, the pieces that its rows are of, and the number of the window, to tokens [B, L] and what to record of each.
"""

PATIENCE = 8
"""Windows that together must bring a piece one note, bar or second further; else it would never end."""


@dataclass(frozen=True)
class Drawn:
    """One piece: its tokens, without specials, whole numbers that tell how they came about, and losses of controls."""

    ids: Ids
    record: Mapping[str, int]
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """How windows lie.

    Attributes:
        window: tokens that the model sees at once, of whole notes.
        stride: tokens that a later window adds; before them stand at most `window` − `stride` of the piece so far.
    """

    tokenizer: Tokenizer
    window: int
    stride: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, length: int, overlap: float) -> Frame:
        """Windows of up to `length` tokens, of which later ones hear the share `overlap` of the piece so far."""
        window = tokenizer.grammar.longest(length)
        return cls(tokenizer, window, tokenizer.grammar.longest(max(1, round(window * (1 - overlap)))))

    def windows(self, goal: Goal) -> int | None:
        """How many a piece probably takes; None where no one knows."""
        tokens = goal.left(np.zeros(0, dtype=np.int32))
        return None if tokens >= UNKNOWN else 1 + max(0, math.ceil((tokens - self.window) / self.stride))


def grow(goals: Sequence[Goal], fill: Fill, frame: Frame, *, first: int | None = None) -> list[Drawn]:
    """A piece for each goal, window by window, all pieces together that are not done yet.

    Args:
        goals: what the pieces are to be.
        fill: draws one window of some of them.
        frame: how windows lie.
        first: tokens of the first window, where that is the same for all pieces of a run. Otherwise every canvas is as
            wide as a window: how wide it is must not depend on which pieces are drawn together.

    A piece's record holds what the sampler records of its windows (in proportion, where the last ones were cut),
    `seam_1`, `seam_2`, ...: the number of tokens before each join, and `short`: 1 where the music did not get as far as
    was asked in any number of windows.
    """
    pieces = [_Piece(goal, frame) for goal in goals]
    number = 0
    while open_ := [row for row, piece in enumerate(pieces) if piece.goes_on()]:
        planned = [pieces[row].plan() for row in open_]
        width = frame.window if first is None or number else min(frame.window, first)
        beginnings, lengths = [beginning for beginning, _ in planned], [length for _, length in planned]
        tokens, record = fill(Canvas.begun(beginnings, lengths, width=max(width, *lengths)), open_, number)
        for place, row in enumerate(open_):
            new = tokens[place, 1 + len(beginnings[place]) : 1 + lengths[place]]
            pieces[row].add(new, {name: int(values[place]) for name, values in record.items()})
        number += 1
    return [piece.drawn() for piece in pieces]


@dataclass
class _Piece:
    """One piece as it grows."""

    goal: Goal
    frame: Frame
    ids: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    seams: list[int] = field(default_factory=list)
    record: Counter[str] = field(default_factory=Counter)
    reached: list[float] = field(default_factory=lambda: [0.0])

    def goes_on(self) -> bool:
        """Whether it takes another window, and one may help."""
        stuck = len(self.reached) > PATIENCE and self.reached[-1] - self.reached[-1 - PATIENCE] < 1
        return self.goal.left(self.ids) > 0 and not stuck

    def plan(self) -> tuple[Ids, int]:
        """The tokens that the next window begins with, and how many it has in all.

        What is left is shared out evenly, so that no window is left with half a note.
        """
        left = self.goal.left(self.ids)
        even = math.ceil(left / math.ceil(left / self.frame.stride)) if len(self.ids) else min(left, self.frame.window)
        new = self.frame.tokenizer.grammar.longest(even)
        starts = self.frame.tokenizer.starts(self.ids)
        late = np.flatnonzero(starts >= len(self.ids) - (self.frame.window - new))
        heard = self.ids[starts[late[0]] :] if len(late) else self.ids[:0]
        return heard, len(heard) + new

    def add(self, tokens: NDArray[np.integer], record: Mapping[str, int]) -> None:
        """The new tokens of a window."""
        if len(self.ids):
            self.seams.append(len(self.ids))
        self.ids = np.concatenate([self.ids, tokens.astype(np.int32)])
        self.record.update(record)
        self.reached.append(self.goal.done(self.ids))

    def drawn(self) -> Drawn:
        """The piece, cut to what was asked."""
        short = self.goal.left(self.ids) > 0
        ids = self.ids if short else self.goal.cut(self.ids)
        kept = len(ids) / max(1, len(self.ids))
        record = {name: round(value * kept) for name, value in self.record.items()}
        seams = [seam for seam in self.seams if seam < len(ids)]
        record |= {f"seam_{number}": seam for number, seam in enumerate(seams, start=1)}
        return Drawn(ids, {**record, **({"short": 1} if short else {})})
