"""Augmentation: training windows in other keys, louder or softer, faster or slower, each time they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.config import AugmentConfig
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import UsageError
from diffmidi_core.sections import MANY_EPOCHS, SEMITONES

Size = TypeVar("Size", int, float)

SIZES = 4
"""Velocities and tempi have so many sizes of change either way, evenly spaced as ratios."""


def resolved(config: AugmentConfig, epochs: float) -> AugmentConfig:
    """The config with a number for an "auto": `epochs` is how often training hears its music."""
    if config.transpose != "auto":
        return config
    return config.model_copy(update={"transpose": SEMITONES if epochs >= MANY_EPOCHS else 0})


class Augmentation:
    """Varies windows by tables of tokens, which the tokenizer gives: one is drawn of those possible for a window.

    What is drawn is decided by numbers in [0, 1) that come with each window. So a row is varied in the same way
    wherever its batch is made, and whatever else is in it.

    Attributes:
        offset: windows begin at every so many-th note boundary of a piece.
        draws: how many numbers decide about a window: none where nothing is varied.

    Takes a config that is `resolved`. `warn` is told where tokens cannot be transposed, which leaves music as it
    is. Raises UsageError where velocities or times cannot be changed and that is asked.
    """

    def __init__(self, config: AugmentConfig, tokenizer: Tokenizer, warn: Callable[[str], None] | None = None) -> None:
        self.offset = config.offset
        assert config.transpose != "auto"
        transposed = _tables(tokenizer.transposition, range(-config.transpose, config.transpose + 1))
        if config.transpose and transposed is None and warn is not None:
            warn(
                "the tokens of this tokenizer cannot be transposed, so training hears the music as it is, untransposed "
                f"(augment.transpose is {config.transpose}; -o augment.transpose=0 turns this warning off)."
            )
        louder = _tables(tokenizer.velocity_scaling, _ratios(config.velocity))
        if config.velocity and louder is None:
            raise UsageError(
                f"augment.velocity={config.velocity:g}: the tokens of this tokenizer cannot be made louder or softer; "
                "leave it at 0, or choose another tokenizer."
            )
        stretched = _tables(tokenizer.time_stretch, _ratios(config.tempo))
        if config.tempo and stretched is None:
            raise UsageError(
                f"augment.tempo={config.tempo:g}: the tokens of this tokenizer count in beats and hold no "
                "tempo; leave it at 0, or choose one that counts in seconds, such as mmm with tokenizer.grid=10ms."
            )
        self._tables = [transposed, louder, stretched]
        self.draws = 0 if all(tables is None for tables in self._tables) else len(self._tables)

    def __call__(self, ids: NDArray[np.integer], draws: NDArray[np.float64]) -> Ids:
        """Varied rows.

        Args:
            ids: [B, L], specials among them or not.
            draws: [B, draws] numbers in [0, 1).

        Returns [B, L] int32.
        """
        varied: Ids = ids.astype(np.int32)
        for tables, drawn in zip(self._tables, draws.T, strict=True):
            if tables is not None:
                varied = _varied(tables, varied, drawn)
        return varied


def _tables(table_of: Callable[[Size], Ids | None], sizes: Sequence[Size]) -> Ids | None:
    """[K, V] a table for each size; None where there is but one size, or no tables."""
    tables = [table for size in sizes if (table := table_of(size)) is not None]
    return np.stack(tables) if len(sizes) > 1 and len(tables) == len(sizes) else None


def _ratios(most: float) -> list[float]:
    """From 1/(1 + most) to 1 + most; 1 alone where that is the same."""
    return [(1 + most) ** (step / SIZES) for step in range(-SIZES, SIZES + 1)] if most else [1.0]


def _varied(tables: Ids, ids: Ids, drawn: NDArray[np.float64]) -> Ids:
    """Each row of ids [B, L] by one of the tables [K, V] that know all of its tokens, which `drawn` [B] decides."""
    possible = (tables.take(ids, axis=1) >= 0).all(axis=-1)  # [K, B]
    number = (drawn * possible.sum(axis=0)).astype(np.int64)
    table = (possible.cumsum(axis=0) > number).argmax(axis=0)
    varied: Ids = tables[table[:, None], ids]
    return varied
