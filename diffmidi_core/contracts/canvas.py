"""Canvas: what a sampler fills. It says for every position which tokens may stand there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.time_bounds import TimeBounds
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.errors import DiffmidiError

GIVEN, ANY = -1, -2
"""What stands in `Canvas.allowed` in place of a set: the token in `ids` alone; any token of music, of the place's
type where `Canvas.types` says it."""


class NothingAllowedError(DiffmidiError):
    """No token is left that could be drawn somewhere."""


@dataclass(frozen=True)
class Canvas:
    """Tokens that stand, and which ones may be drawn where none does yet.

    What is drawn is drawn jointly under the tokenizer's grammar and what is allowed: no position is filled so that
    another one cannot be.

    Attributes:
        ids: [B, L] int64; what stands at fixed positions ([CLS], [SEP], [PAD], and tokens that the user keeps).
        allowed: [B, L] int64, the row of `sets` that holds the tokens that may stand there; or GIVEN, or ANY.
        attention_mask: [B, L] bool or None, as in Batch.
        sets: [S, V] bool; None where `allowed` names none. Specials are in no set; a position whose set has one token
            is given that token.
        types, condition: as in Places.
        bounds: when notes may begin, where tokens have no plan. None: at any time.

    Raises DiffmidiError where no token of music is in a set that is named.
    """

    ids: Tensor
    allowed: Tensor
    attention_mask: Tensor | None
    sets: Tensor | None = None
    types: Tensor | None = None
    condition: Mapping[str, Tensor] = field(default_factory=dict)
    bounds: TimeBounds | None = None

    def __post_init__(self) -> None:
        if self.sets is None:
            return
        sets = self.sets.clone()
        sets[:, : len(SPECIALS)] = False
        sizes = sets.sum(-1)
        named = self.allowed[self.allowed >= 0]
        if len(named) and int(sizes[named].min()) == 0:
            raise NothingAllowedError("a set of allowed tokens is empty: nothing can be drawn at its positions.")
        index = self.allowed.clamp(min=0)
        alone = (self.allowed >= 0) & (sizes[index] == 1)
        object.__setattr__(self, "sets", sets)
        object.__setattr__(self, "ids", torch.where(alone, sets.int().argmax(-1)[index], self.ids))
        object.__setattr__(self, "allowed", self.allowed.masked_fill(alone, GIVEN))

    @property
    def fixed(self) -> Tensor:
        """[B, L] bool, True where one token is allowed: that in `ids`, which a sampler returns unchanged."""
        return self.allowed == GIVEN

    def places(self) -> Places:
        """What is known of the positions before the tokens."""
        return Places(self.attention_mask, self.types, None, self.condition)

    def admitted(self, where: Tensor | None = None) -> Tensor | None:
        """[B, L, V] bool: the tokens that may stand; all of them at fixed positions. None where no sets are named.

        Or [N, L, V] of some rows, or [N, V] of some positions, `where` [B] or [B, L] bool.
        """
        if self.sets is None:
            return None
        music = torch.arange(self.sets.shape[1], device=self.sets.device) >= len(SPECIALS)
        # ANY and GIVEN count from the end.
        every = torch.cat([self.sets, music[None], torch.ones_like(music)[None]])
        return every[self.allowed if where is None else self.allowed[where]]

    def narrowed(self, tokens: Tensor, where: Tensor | None = None) -> Canvas:
        """The same canvas, on which only these `tokens` [V] bool may be drawn: at all positions, or those [B, L] bool.

        What is fixed stays, and what was not allowed before is not now. Raises DiffmidiError where nothing is left.
        """
        device = self.ids.device
        music = (torch.arange(len(tokens), device=device) >= len(SPECIALS))[None]
        named = music[:0] if self.sets is None else self.sets
        sets = torch.cat([named, torch.cat([named, music]) & tokens.to(device)])
        narrower = torch.where(self.allowed == ANY, len(sets) - 1, self.allowed + len(named))
        at = ~self.fixed if where is None else ~self.fixed & where.to(device)
        return replace(self, allowed=torch.where(at, narrower, self.allowed), sets=sets)

    @classmethod
    def of(cls, ids: Tensor, fixed: Tensor, attention_mask: Tensor | None = None) -> Canvas:
        """Where `fixed` [B, L] bool, what stands in `ids` [B, L]; any token of music elsewhere."""
        return cls(ids, torch.where(fixed, GIVEN, ANY), attention_mask)

    @classmethod
    def blank(cls, count: int, length: int, *, cls_id: int = 1, sep_id: int = 2, device: str = "cpu") -> Canvas:
        """An empty canvas of `length` tokens between [CLS] and [SEP]: nothing but those two is fixed."""
        return cls.begun([()] * count, [length] * count, cls_id=cls_id, sep_id=sep_id, device=device)

    @classmethod
    def begun(
        cls,
        beginnings: Sequence[Sequence[int] | NDArray[np.integer]],
        lengths: Sequence[int],
        *,
        width: int | None = None,
        cls_id: int = 1,
        sep_id: int = 2,
        device: str = "cpu",
    ) -> Canvas:
        """Rows that begin with given tokens, which are fixed, and are to have `lengths` tokens in all.

        [SEP] follows the last token of a row; [PAD] fills what is then left of `width` tokens, and no more of the
        music. By default the longest row is as wide.
        """
        width = max(lengths) if width is None else width
        place = torch.arange(width + 2)
        end = torch.tensor(lengths)[:, None] + 1
        ids = torch.where(place == end, sep_id, torch.zeros(len(lengths), width + 2, dtype=torch.int64))
        ids[:, 0] = cls_id
        fixed = (place == 0) | (place >= end)
        for row, tokens in enumerate(beginnings):
            ids[row, 1 : 1 + len(tokens)] = torch.as_tensor(tokens, dtype=torch.int64)
            fixed[row, 1 : 1 + len(tokens)] = True
        attention_mask = None if min(lengths) == width else place <= end
        return cls.of(ids, fixed, attention_mask).to(device)

    def rows(self, which: Tensor) -> Canvas:
        """The rows that `which` says, [B] bool or their numbers."""
        return self._mapped(lambda tensor: tensor[which], self.sets)

    def to(self, device: torch.device | str) -> Canvas:
        """The same canvas on a device."""
        if self.ids.device == torch.device(device):
            return self
        sets = None if self.sets is None else self.sets.to(device)
        return self._mapped(lambda tensor: tensor.to(device), sets)

    def _mapped(self, change: Callable[[Tensor], Tensor], sets: Tensor | None) -> Canvas:
        mask, types = (None if each is None else change(each) for each in (self.attention_mask, self.types))
        condition = {name: change(each) for name, each in self.condition.items()}
        return replace(
            self,
            ids=change(self.ids),
            allowed=change(self.allowed),
            attention_mask=mask,
            sets=sets,
            types=types,
            condition=condition,
            bounds=None if self.bounds is None else self.bounds.mapped(change),
        )
