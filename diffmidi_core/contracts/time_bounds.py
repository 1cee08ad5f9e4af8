"""TimeBounds: when notes of a canvas may begin, and how tokens move time where its bars tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

UNBOUNDED = 2**62
"""In `TimeBounds.steps` in place of the most steps."""
NEVER = -1
"""In `TimeBounds.moves`: the token may not stand there."""


@dataclass(frozen=True)
class TimeBounds:
    """Of a canvas of tokens without a plan.

    Attributes:
        steps: [B, L, 2] int64: where a token stands that moves no time, the least and the most steps gone, UNBOUNDED
            where there is no most. At a special behind the last token: when the text ends.
        start: [B] int64: the position from which on steps are counted; what stands before it moves no time.
        moves: [B, U, V] int32: from so many steps gone, to how many a token leads, or NEVER; U or more are all later
            than anything asked for. None: every token adds its `Tokenizer.steps_passed`.
    """

    steps: Tensor
    start: Tensor
    moves: Tensor | None = None

    @classmethod
    def counted(cls, steps: Tensor) -> TimeBounds:
        """Steps counted from the beginning of each row, by `Tokenizer.steps_passed`."""
        return cls(steps, torch.zeros_like(steps[:, 0, 0]))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> TimeBounds:
        """With every tensor changed: other rows, another device."""
        moves = None if self.moves is None else change(self.moves)
        return TimeBounds(change(self.steps), change(self.start), moves)

    def rows(self, which: Tensor) -> TimeBounds:
        """The rows that `which` says, [B] bool or their numbers."""
        return self.mapped(lambda tensor: tensor[which])

    def to(self, device: torch.device | str) -> TimeBounds:
        """The same on a device."""
        return self.mapped(lambda tensor: tensor.to(device))
