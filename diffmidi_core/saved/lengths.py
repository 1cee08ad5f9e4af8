"""DataLengths: how long the training music is. A model keeps it, so that drawing needs no data. Light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataLengths:
    """How long the training music is, in tokens.

    Attributes:
        windows: quantiles of the lengths of training windows, rising.
        pieces: of the training pieces; empty where it is not known.
        tokens_per_note: tokens to a note; None where it is not known.
        bars: of the training pieces, how many bars they have; empty where their tokens are not laid out in bars.
    """

    windows: tuple[int, ...]
    pieces: tuple[int, ...] = ()
    tokens_per_note: float | None = None
    bars: tuple[int, ...] = ()
