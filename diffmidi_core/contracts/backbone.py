"""Backbone: features to features. It knows nothing of noise, time or tokens, so any encoder fits in thirty lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from diffmidi_core.declaration import Options
from diffmidi_core.errors import DiffmidiError, UsageError

Past = tuple[Tensor, ...]
"""What a backbone keeps of positions that it has seen: tensors [B, ...]; their rows may be picked as a batch's are."""


class Backbone(nn.Module, ABC):
    """A network over positions.

    Built as `Class(options, length=L)`: places are numbered 0 to L − 1. How a place is told to the network is the
    backbone's own business, and the place is all that it knows of where features stand: it does not matter in which
    order they come. Every parameter must get a gradient (else distributed training stalls), and padding
    (`attention_mask` False) must change nothing at real positions.
    """

    width: int
    """H, the size of the features that go in and come out."""
    caches: ClassVar[bool] = False
    """Whether there is a `cached` forward; who draws from left to right computes all anew where there is none."""

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

    def as_transformers(self) -> Any:
        """The module of this backbone that is a model of transformers (PreTrainedModel); None: there is none.

        An exported model says then how transformers opens it.
        """
        return None

    @abstractmethod
    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """Features [B, L, H] to features [B, L, H].

        `attention_mask` is bool: [B, L], True at real positions; or [B, L, L], True where row may see column (causal,
        blocks); or None, where every position is real and sees all others.

        `positions` [B, L] int64 says at which place each stands, 0 to `length` − 1: several may stand at one place, and
        places may be empty, so L may be more than `length`. None: at 0 to L − 1, one after the other.
        """

    def cached(
        self,
        hidden: Tensor,
        past: Past | None,
        attention_mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Past]:
        """Features of N new positions that see P earlier ones, as `forward` over all P + N would give them.

        For that, no earlier position may have seen a new one.

        Args:
            hidden: [B, N, H], of the new positions alone.
            past: what the call before returned, which had P positions in the end; None: there were none.
            attention_mask: [B, N, P + N] bool, whom each new position may see; None: all.
            positions: [B, N] as in `forward`; None: P to P + N − 1.

        Returns features [B, N, H], and the past with the new positions in it. What `past` holds stays as it is.
        Raises DiffmidiError where `caches` is False.
        """
        raise DiffmidiError("this backbone has no cached forward (`caches` is False): call it over all positions.")
