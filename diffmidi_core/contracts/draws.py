"""RowDraws: all that is random in drawing a canvas, row by row, so that no row depends on the rows beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from diffmidi_core.errors import DiffmidiError


class RowDraws:
    """Random numbers for the rows of a canvas. Each row has a stream of its own.

    A sampler is given one, and no generator: every shape begins with the number of rows, and row i of what is drawn
    comes from stream i alone. So piece i of a seed is the same whatever is drawn beside it. Where only some rows are
    worked on, `some` gives their draws. Numbers are drawn where the streams live and moved to where they are wanted.

    Args:
        streams: a generator for each row, all on one device; they are nobody else's from now on.
    """

    def __init__(self, streams: Sequence[torch.Generator]) -> None:
        self._streams = tuple(streams)

    @classmethod
    def seeded(cls, seed: int, rows: int, device: torch.device | str = "cpu") -> Self:
        """Streams of `rows` rows that follow from one seed and the number of the row."""
        first = torch.Generator().manual_seed(seed)
        seeds = torch.randint(2**62, (rows,), generator=first).tolist()
        return cls([torch.Generator(device).manual_seed(each) for each in seeds])

    def __len__(self) -> int:
        return len(self._streams)

    def some(self, rows: Tensor) -> RowDraws:
        """The draws of the rows [B] bool alone; they go on where these are."""
        return RowDraws([each for each, wanted in zip(self._streams, rows.tolist(), strict=True) if wanted])

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers in the shape [B, ...], dtype and device of `like`."""
        numbers = self._by_row(
            like.shape, lambda shape, of: torch.randn(shape, generator=of, device=of.device, dtype=like.dtype)
        )
        return numbers.to(like.device, non_blocking=True)

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1), float32, in the shape [B, ...] and on the device of `like`."""
        numbers = self._by_row(like.shape, lambda shape, of: torch.rand(shape, generator=of, device=of.device))
        return numbers.to(like.device, non_blocking=True)

    def categorical(self, logits: Tensor, *, row_of: Tensor | None = None) -> Tensor:
        """Indices [B, ...] drawn from softmax(logits [B, ..., N]); −inf is never drawn where anything else can be.

        `row_of` [M], rising, says to which row each belongs where the logits are [M, N], of some positions.

        An exponential race: of clocks that ring at rates p_n, the n-th rings first with probability p_n. Give float64
        (`exact`): in float32 a draw is colder than it says (Zheng et al. 2024, Masked Diffusion Models are Secretly
        Time-Agnostic Masked Models, arXiv:2409.02908).
        """

        def clocks(shape: tuple[int, ...], of: torch.Generator) -> Tensor:
            return torch.empty(shape, dtype=logits.dtype, device=of.device).exponential_(generator=of)

        if row_of is None:
            rings = self._by_row(logits.shape, clocks)
        else:
            counts = torch.bincount(row_of.cpu(), minlength=len(self)).tolist()
            several = zip(counts, self._streams, strict=True)
            rings = torch.cat([clocks((count, *logits.shape[1:]), each) for count, each in several])
        return (logits.softmax(-1) / rings.to(logits.device)).argmax(-1)

    def _by_row(self, shape: Sequence[int], make: Callable[[tuple[int, ...], torch.Generator], Tensor]) -> Tensor:
        if not shape or shape[0] != len(self):
            raise DiffmidiError(
                f"numbers of shape {list(shape)} were asked for, and there are draws for {len(self)} rows: the first "
                "dimension counts rows; for some of them, draw from `some(rows)`."
            )
        return torch.stack([make(tuple(shape[1:]), each) for each in self._streams])
