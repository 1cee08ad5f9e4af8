"""Where windows are cut out of pieces: at note boundaries, or whole bars where the tokens have a plan of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.ragged import Column, Ragged

WIDTH = 8
"""Groups of tokens: rows are padded to a multiple, so that few widths occur."""


class Cutting(ABC):
    """How windows of at most `length` tokens are cut.

    Args:
        tokens, starts: of every piece, what it holds and its boundaries (`Encoded`).
        length: tokens in a window at most.
    """

    def __init__(self, tokens: Ragged, starts: Ragged, length: int) -> None:
        self.tokens, self.starts, self.length = tokens, starts, length

    @abstractmethod
    def choices(self, pieces: Column) -> Column:
        """[N] how many boundaries of each piece may begin a training window, the first ones; at least 1."""

    @abstractmethod
    def ends(self, pieces: Column, boundaries: Column) -> tuple[Column, Column]:
        """[N] the tokens at which windows begin and end that begin at a boundary of a piece, given by its number.

        They are as long as they may be. An end at the beginning says that there is none.
        """

    def tiles(self, pieces: Column) -> tuple[Column, Column, Column]:
        """Piece, start and end of the windows that tile these pieces, in their order."""
        at = np.zeros(len(pieces), dtype=np.int64)
        blocks = []
        while len(pieces):
            starts, ends = self.ends(pieces, at)
            there = ends > starts
            blocks.append((pieces[there], starts[there], ends[there]))
            # What begins no window is passed over.
            at = np.where(there, self.starts.count_up_to(pieces, ends - 1), at + 1)
            going = at < self.starts.lengths(pieces)
            pieces, at = pieces[going], at[going]
        if not blocks:
            return pieces, at, at
        columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
        order = np.argsort(columns[0], kind="stable")
        piece, start, end = (column[order] for column in columns)
        return piece, start, end


class AtNotes(Cutting):
    """The longest that begins and ends at note boundaries, with a whole window behind it where the piece is so long."""

    def choices(self, pieces: Column) -> Column:
        """Those with a whole window behind them, or a piece's first."""
        return np.maximum(self.starts.count_up_to(pieces, self.tokens.lengths(pieces) - self.length), 1)

    def ends(self, pieces: Column, boundaries: Column) -> tuple[Column, Column]:
        """A single note of more tokens than a window holds is cut where the window ends; its rest begins none."""
        starts = self.starts.at(pieces, boundaries)
        totals, reach = self.tokens.lengths(pieces), starts + self.length
        last = self.starts.at(pieces, self.starts.count_up_to(pieces, reach) - 1)
        return starts, np.where(reach >= totals, totals, np.where(last > starts, last, reach))


class WholeBars(Cutting):
    """The longest run of whole bars of at most `length` tokens and at most `bars` bars.

    A single bar of more than `length` tokens is in no window.
    """

    def __init__(self, tokens: Ragged, starts: Ragged, length: int, bars: int) -> None:
        super().__init__(tokens, starts, length)
        self.bars = bars

    def choices(self, pieces: Column) -> Column:
        """Those with `bars` bars behind them, or a piece's first."""
        return np.maximum(self.starts.lengths(pieces) - self.bars + 1, 1)

    def ends(self, pieces: Column, boundaries: Column) -> tuple[Column, Column]:
        """As far as length and bars reach."""
        starts = self.starts.at(pieces, boundaries)
        totals, count = self.tokens.lengths(pieces), self.starts.lengths(pieces)
        reach = starts + self.length
        after = np.where(reach >= totals, count, self.starts.count_up_to(pieces, reach) - 1)
        after = np.minimum(after, boundaries + self.bars)
        inside = self.starts.at(pieces, np.minimum(after, count - 1))
        return starts, np.where(after >= count, totals, inside)

    def too_long(self, pieces: Column) -> int:
        """How many bars of these pieces are in no window."""
        many = 0
        for piece in pieces.tolist():
            edges = np.append(self.starts[piece], self.tokens.lengths(np.array([piece])))
            many += int(np.count_nonzero(np.diff(edges) > self.length))
        return many


def cutting_for(tokenizer: Tokenizer, tokens: Ragged, starts: Ragged, *, length: int, bars: int) -> Cutting:
    """Whole bars where the tokenizer has a plan of them, else notes, in whole groups."""
    length -= length % tokenizer.group
    return WholeBars(tokens, starts, length, bars) if tokenizer.plan else AtNotes(tokens, starts, length)


def width_of(longest: int, *, group: int, length: int) -> int:
    """How many tokens rows are padded to whose longest has so many: whole groups, WIDTH of them, `length` at most."""
    step = WIDTH * group
    return min(-(-longest // step) * step, max(length, longest))
