"""How many bars a piece is to have, where tokens are laid out in bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from diffmidi_core.contracts.bar_shapes import FIRST_BAR
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.length import seconds
from diffmidi_core.draw.portions import Left
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.sections import parse_length

UNKNOWN = 2**31
"""Bars still missing, where no one knows how many."""
PATIENCE = 16
"""Bars that together must bring a piece one note or second further; else it would never end."""


def bar_goals(
    asked: str, count: int, *, tokenizer: Tokenizer, bars: int, lengths: DataLengths, seed: int
) -> list[Left]:
    """When each of `count` pieces is long enough.

    Args:
        asked: as `sample.length` has it; `windows` are pieces of `bars` bars.
        tokenizer: whose tokens they are made of.
        lengths: of the data.
        seed: decides with the number of a piece how many bars it has, where `pieces` are asked for.

    Notes and seconds are reached by whole bars, of which one that ends a piece is the last: when it comes is reckoned
    by the bars so far. Raises UsageError where lengths of pieces are asked for and not known.
    """
    unit, amount = parse_length(asked)
    if unit == "notes":
        return [_reckoned(amount, tokenizer.count_notes)] * count
    if unit == "seconds":
        return [_reckoned(amount, lambda ids: float(seconds(tokenizer.decode(ids)).max(initial=0)))] * count
    if unit == "pieces":
        if not lengths.bars:
            raise UsageError(
                "this model does not record how many bars the pieces had that it was trained on: ask for --bars, "
                "--notes or --seconds instead."
            )
        drawn = (torch.rand(1, generator=generator_for(seed, "length", piece)).item() for piece in range(count))
        return [_counted(tokenizer, lengths.bars[int(share * len(lengths.bars))]) for share in drawn]
    return [_counted(tokenizer, bars if unit == "windows" else int(amount))] * count


def _counted(tokenizer: Tokenizer, wanted: int) -> Left:
    kinds = tokenizer.bar_kinds()
    assert kinds is not None

    def left(bars: Sequence[Ids]) -> int:
        upbeat = len(bars) > 0 and int(kinds[bars[0][0]]) == FIRST_BAR
        return wanted - (len(bars) - upbeat)

    return left


def _reckoned(wanted: float, measure: Callable[[Ids], float]) -> Left:
    def left(bars: Sequence[Ids]) -> int:
        if not bars:
            return UNKNOWN
        reached = measure(np.concatenate(bars))
        stuck = len(bars) > PATIENCE and reached - measure(np.concatenate(bars[:-PATIENCE])) < 1
        if reached >= wanted or stuck:
            return 0
        return math.ceil((wanted - reached) * len(bars) / reached) if reached else UNKNOWN

    return left
