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
        width: numbers are drawn for at least so many positions, the second dimension, and those past its end dropped:
            then a row is the same however wide the rows beside it make it.
    """

    def __init__(self, streams: Sequence[torch.Generator], width: int = 0) -> None:
        self._streams, self._width = tuple(streams), width

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
        streams = [each for each, wanted in zip(self._streams, rows.tolist(), strict=True) if wanted]
        return RowDraws(streams, self._width)

    def chosen(self, propose: Callable[[RowDraws], Tensor], guess: Callable[[Tensor], Tensor]) -> Tensor:
        """A random step of a sampler, [B, ...]: `propose(draws)`, or the best of several where something chooses.

        `guess` says of such a state which tokens [B, L] the piece will probably have; it is only asked where something
        chooses by them. A sampler whose steps go through here can be guided by any loss of a piece, without knowing it.
        """
        return propose(self)

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

        `row_of` [M], rising, says to which row each belongs where the logits are [M, N], of some positions; that waits
        for the device, to count them.

        By the inverse of the distribution function, at one uniform number for each: sums and numbers are float64
        whatever the logits are. (A race of N clocks in float32 is colder than it says: Zheng et al. 2024, Masked
        Diffusion Models are Secretly Time-Agnostic Masked Models, arXiv:2409.02908.)
        """

        return inverse(logits, self._by_row(logits.shape[:-1], _exact) if row_of is None else self.numbers(row_of))

    def numbers(self, row_of: Tensor) -> Tensor:
        """[M] uniform numbers in [0, 1), float64, for `inverse`; `row_of` [M], rising, as in `categorical`."""
        counts = torch.bincount(row_of.cpu(), minlength=len(self)).tolist()
        return torch.cat([_exact((count,), each) for count, each in zip(counts, self._streams, strict=True)])

    def _by_row(self, shape: Sequence[int], make: Callable[[tuple[int, ...], torch.Generator], Tensor]) -> Tensor:
        if not shape or shape[0] != len(self):
            raise DiffmidiError(
                f"numbers of shape {list(shape)} were asked for, and there are draws for {len(self)} rows: the first "
                "dimension counts rows; for some of them, draw from `some(rows)`."
            )
        own = tuple(shape[1:])
        if not own or own[0] >= self._width:
            return torch.stack([make(own, each) for each in self._streams])
        return torch.stack([make((self._width, *own[1:]), each)[: own[0]] for each in self._streams])


def _exact(shape: tuple[int, ...], of: torch.Generator) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=of, device=of.device)


def inverse(logits: Tensor, u: Tensor) -> Tensor:
    """[...] the first index up to which softmax(logits [..., N]) sums up to more than u [...], in [0, 1)."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    p = (logits - logits.amax(-1, keepdim=True)).exp()
    p = p.cpu() if p.device.type == "mps" else p  # it has no float64
    sums = p.cumsum(-1, dtype=torch.float64)
    # The largest number below 1 would round up to all of the sum.
    u = u.to(p.device, non_blocking=True).clamp(max=1 - 2**-52)
    found = torch.searchsorted(sums, u[..., None] * sums[..., -1:], right=True).clamp(max=p.shape[-1] - 1)
    if p.device.type != "cpu":
        # A GPU sums in an order that rounds a sum of nothing more up, or the last one down, once in 2^50 draws.
        found = torch.where(p.gather(-1, found) > 0, found, p.argmax(-1, keepdim=True))
    return found[..., 0].to(logits.device)
