"""Randomness by rows: what is drawn for a row of a batch does not depend on which other rows there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor


class RowGenerators(torch.Generator):
    """A generator for each row of a batch.

    Samplers are given one in place of a plain generator, so that piece i of a run is the same whatever is drawn beside
    it. `draw_noise`, `draw_uniform` and `draw_categorical` draw each row from its own; a sampler that asks about some
    rows only says which, by `some_rows`. For all other draws it is a plain generator, seeded as the first row's.
    """

    def __new__(cls, rows: Sequence[torch.Generator]) -> Self:
        """On the device of the rows."""
        return super().__new__(cls, rows[0].device)  # type: ignore[call-arg]

    def __init__(self, rows: Sequence[torch.Generator]) -> None:
        self.rows = tuple(rows)
        self.manual_seed(rows[0].initial_seed())


def some_rows(generator: torch.Generator, rows: Tensor) -> torch.Generator:
    """What to draw from for the rows [B] bool of a batch alone: a plain generator is that itself."""
    if not isinstance(generator, RowGenerators):
        return generator
    return RowGenerators([each for each, wanted in zip(generator.rows, rows.tolist(), strict=True) if wanted])


def drawn(
    make: Callable[[tuple[int, ...], torch.Generator], Tensor],
    generator: torch.Generator,
    shape: Sequence[int],
    row_of: Tensor | None = None,
) -> Tensor:
    """`make(shape, generator)`: row by row where the generator has rows and `shape` begins with as many.

    `row_of` [M], rising, says of which row each is where `shape` is [M, ...] instead.
    """
    if isinstance(generator, RowGenerators):
        if row_of is not None:
            counts = torch.bincount(row_of.cpu(), minlength=len(generator.rows)).tolist()
            drawn_by = zip(counts, generator.rows, strict=True)
            return torch.cat([make((count, *shape[1:]), each) for count, each in drawn_by])
        if len(shape) and shape[0] == len(generator.rows):
            return torch.stack([make(tuple(shape[1:]), each) for each in generator.rows])
    return make(tuple(shape), generator)
