"""Backbone: features to features. It knows nothing of noise, time or tokens, so any encoder fits in thirty lines."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from diffmidi_core.declaration import Options
from diffmidi_core.errors import UsageError


class Backbone(nn.Module, ABC):
    """A network over positions.

    Built as `Class(options, length=L)`, L the most positions it will see. Position information is the backbone's own
    business. Every parameter must get a gradient (else distributed training stalls), and padding (`attention_mask`
    False) must change nothing at real positions.
    """

    width: int
    """H, the size of the features that go in and come out."""

    def __init__(self, options: Options, *, length: int) -> None:
        super().__init__()
        self.options = options
        self.length = length

    def checkpointing(self, on: bool) -> None:
        """Whether training recomputes activations in the backward pass instead of keeping them (Chen et al. 2016).

        It changes memory and time, and no gradient. A backbone that has no such thing leaves this out, which refuses.
        """
        if on:
            raise UsageError("this backbone cannot recompute its activations: leave out --checkpointing.")

    @abstractmethod
    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Features [B, L, H] to features [B, L, H].

        `attention_mask` is bool: [B, L], True at real positions; or [B, L, L], True where row may see column (causal,
        blocks); or None, where every position is real and sees all others.
        """
