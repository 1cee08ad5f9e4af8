"""Bars that a tokenizer writes, and what of a cell in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INNER_BAR, FIRST_BAR, LAST_BAR = 1, 2, 3
"""Where in a piece a bar may stand (`Tokenizer.bar_kinds`): anywhere, only first (an upbeat), only last."""


@dataclass(frozen=True)
class BarShape:
    """A bar whose place in a piece is known.

    Attributes:
        quarters: how long it is, in quarter notes.
        qpm: its tempo, quarter notes a minute.
        kind: INNER_BAR, FIRST_BAR or LAST_BAR.
    """

    quarters: float
    qpm: float
    kind: int = INNER_BAR


@dataclass(frozen=True)
class CellNotes:
    """The notes of one track that begin in one bar, as columns [N]: onsets since the bar line and durations in quarter
    notes.
    """

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]


@dataclass(frozen=True)
class BarPlaces:
    """A bar as tokens have it that name places in bars.

    Attributes:
        tick: of the score, at which its bar line is, or a fraction of one.
        numerator, denominator: its metre.
        places: how many there are at which notes may begin, evenly, the first at the bar line.
        tokens: those that open it.
    """

    tick: float
    numerator: int
    denominator: int
    places: int
    tokens: tuple[int, ...]

    @property
    def quarters(self) -> float:
        """How long it is, in quarter notes."""
        return 4 * self.numerator / self.denominator
