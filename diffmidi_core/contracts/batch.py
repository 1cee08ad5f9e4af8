"""Batch: what goes into training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor

from diffmidi_core.contracts.places import Places

Over = Literal["rows", "positions", "tokens"]


@dataclass(frozen=True)
class Share:
    """Which part of an optimiser step a batch is; all of it is known on the host.

    Attributes:
        first: the row of the step that is the batch's first.
        parts: how many batches the step is cut into, over forward passes and processes.
        rows: rows of the whole step.
        positions: real positions in all of them.
        tokens: tokens of music in all of them.
    """

    first: int
    parts: int
    rows: int
    positions: int
    tokens: int


@dataclass(frozen=True)
class Batch:
    """Windows of tokens.

    Attributes:
        ids: [B, L] int64; [CLS] tokens [SEP], then [PAD] to the end.
        attention_mask: [B, L] bool, True at real positions ([CLS] and [SEP] among them), False at [PAD]; None says
            that every position is real, so that attention needs no mask.
        tokens: [B] int64, how many tokens of music each row holds: real positions without [CLS] and [SEP].
        share: the part of an optimiser step that this is; None: the whole of it.
        given, condition: as in Places.
    """

    ids: Tensor
    attention_mask: Tensor | None
    tokens: Tensor
    share: Share | None = None
    given: Tensor | None = None
    condition: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The same batch in page-locked memory, from where a GPU fetches it while it computes."""
        return self._mapped(torch.Tensor.pin_memory)

    def mask(self) -> Tensor:
        """`attention_mask` as a tensor [B, L], also where every position is real."""
        return torch.ones_like(self.ids, dtype=torch.bool) if self.attention_mask is None else self.attention_mask

    def places(self, types: Tensor | None = None) -> Places:
        """What is known of the positions before the tokens; `types` [B, L] as in Places, where they are known."""
        return Places(self.attention_mask, types, self.given, self.condition)

    def loss_mask(self) -> Tensor:
        """[B, L] bool: the tokens of music, neither [CLS], [SEP] nor [PAD]."""
        place = torch.arange(self.ids.shape[1], device=self.ids.device)
        return (place >= 1) & (place <= self.tokens[:, None])

    def rows_of(self, draw: Callable[[int], Tensor]) -> Tensor:
        """[B, ...] this batch's rows of `draw(n)`, which makes random rows [n, ...] for the whole step.

        So a row meets the same noise however the step is cut into batches and shared out over processes.
        """
        if self.share is None:
            return draw(len(self.ids))
        return draw(self.share.rows)[self.share.first : self.share.first + len(self.ids)].clone()

    def mean(self, values: Tensor, over: Over) -> Tensor:
        """The sum of `values` [B, ...], by how many rows, real positions or tokens of music the whole step has.

        It is scaled so that the plain mean over all batches of the step, which is what gradient accumulation and
        distributed training take, is the mean over the step: however it is cut, and whatever padding is where. `values`
        must be 0 where nothing counts.
        """
        if self.share is not None:
            count: int = getattr(self.share, over)
            return values.sum() * (self.share.parts / max(1, count))
        if over == "rows":
            return values.sum() / len(self.ids)
        return values.sum() / (self.mask() if over == "positions" else self.tokens).sum().clamp(min=1)

    def cut(self, sizes: Sequence[int]) -> list[Batch]:
        """The batch in parts of `sizes` rows, each with its share of the step.

        Where it is itself one of several parts of a step, the others must be cut into as many.
        """
        share = self.share or Share(0, 1, len(self.ids), int(self.mask().sum()), int(self.tokens.sum()))
        starts = accumulate(sizes[:-1], initial=0)
        return [
            self._rows(start, size, replace(share, first=share.first + start, parts=share.parts * len(sizes)))
            for start, size in zip(starts, sizes, strict=True)
        ]

    def _rows(self, start: int, size: int, share: Share) -> Batch:
        return replace(self._mapped(lambda tensor: tensor[start : start + size]), share=share)

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Every tensor of a row changed alike: so batches are cut, moved and pinned. A new one goes in here too."""
        attention_mask, given = (None if each is None else change(each) for each in (self.attention_mask, self.given))
        condition = {name: change(each) for name, each in self.condition.items()}
        return replace(
            self,
            ids=change(self.ids),
            attention_mask=attention_mask,
            tokens=change(self.tokens),
            given=given,
            condition=condition,
        )
