"""Batch and Canvas: what goes into training, and what a sampler fills."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Windows of words.

    Attributes:
        ids: [B, L] int64; [CLS] words [SEP], then [PAD] to the end.
        keep: [B, L] bool, True at real positions ([CLS] and [SEP] among them), False at [PAD]; None says that every
            position is real, so that attention needs no mask.
        words: [B] int64, how many words of music each row holds: kept positions without [CLS] and [SEP].
    """

    ids: Tensor
    keep: Tensor | None
    words: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        keep = None if self.keep is None else self.keep.to(device, non_blocking=True)
        return Batch(self.ids.to(device, non_blocking=True), keep, self.words.to(device, non_blocking=True))

    def mask(self) -> Tensor:
        """`keep` as a tensor [B, L], also where every position is real."""
        return torch.ones_like(self.ids, dtype=torch.bool) if self.keep is None else self.keep


@dataclass(frozen=True)
class Canvas:
    """What a sampler fills: the words that are already there, and which of them stay.

    Attributes:
        ids: [B, L] int64; what stands at fixed positions ([CLS], [SEP], [PAD], and words the user keeps).
        fixed: [B, L] bool, True where the word is given; a sampler returns it unchanged.
        keep: [B, L] bool or None, as in Batch.
    """

    ids: Tensor
    fixed: Tensor
    keep: Tensor | None

    @classmethod
    def blank(cls, count: int, length: int, *, cls_id: int = 1, sep_id: int = 2, device: str = "cpu") -> Canvas:
        """An empty canvas of `length` words between [CLS] and [SEP]: nothing but those two is fixed."""
        ids = torch.zeros(count, length + 2, dtype=torch.int64, device=device)
        fixed = torch.zeros_like(ids, dtype=torch.bool)
        ids[:, 0], ids[:, -1] = cls_id, sep_id
        fixed[:, 0] = fixed[:, -1] = True
        return cls(ids, fixed, None)

    def to(self, device: torch.device | str) -> Canvas:
        """The same canvas on a device."""
        keep = None if self.keep is None else self.keep.to(device)
        return Canvas(self.ids.to(device), self.fixed.to(device), keep)
