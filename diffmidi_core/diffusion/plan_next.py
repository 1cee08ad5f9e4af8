"""PlanNext: what may stand next in a text whose plan is laid out: tokens of the place's type, and times within the bar.

The counterpart of `NextWord` for tokenizers with a plan, where heads say how many notes follow: which type stands at a
place is known before the token is, and no automaton is needed. What remains to be watched from left to right is time:
the notes of a cell all begin within its bar.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.diffusion.parts import Plan
from diffmidi_core.errors import DiffmidiError


class PlanNext(nn.Module):
    """The types of a laid-out text, and how much time its notes may let pass. Nothing in it is trained or saved.

    Attributes:
        plan: what the tokenizer's plan says of its types.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.plan = Plan(tokenizer, "bars")
        passed, bars, roles = tokenizer.steps_passed(), tokenizer.bar_steps(), tokenizer.roles
        nothing = torch.zeros(len(tokenizer.vocab), dtype=torch.int64)
        self.adds_up = passed is not None and bars is not None
        types, type_of = tokenizer.grammar.types, torch.as_tensor(tokenizer.grammar.type_of).long()
        music = torch.arange(len(type_of)) >= len(SPECIALS)
        tables = {
            "type_of": type_of.masked_fill(~music, -1),
            "is_time": torch.tensor([roles.get(name) == "time" for name in types]),
            "steps": nothing if passed is None else torch.as_tensor(passed).long(),
            "bars": nothing if bars is None else torch.as_tensor(bars).long(),
        }
        self.type_of: Tensor  # [V], -1 for specials
        self.is_time: Tensor  # [K] bool
        self.steps: Tensor  # [V] that a token passes
        self.bars: Tensor  # [V] how long the bar is that a token opens
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def allowed(self, ids: Tensor, types: Tensor) -> Tensor:
        """[B, L, V] bool: what may stand at each position of ids [B, L], given the tokens before it and all types."""
        return self._within(types, self.left(ids, types))

    def allowed_last(self, ids: Tensor, types: Tensor, later: Tensor) -> Tensor:
        """[B, V] bool: what may stand at the last position of ids [B, L], `later` [B] steps being left for others.

        They are those of `PlanNext.later`, for the canvas that begins with `ids`.
        """
        return self._within(types[:, -1], self.left(ids, types)[:, -1] - later)

    def _within(self, types: Tensor, left: Tensor) -> Tensor:
        """[..., V] bool: tokens of the types [...], of times those of at most `left` [...] steps."""
        allowed = self.type_of == types[..., None]
        if self.adds_up:
            allowed &= ~((self.steps > left[..., None]) & self.is_time[types][..., None])
        return allowed

    def left(self, ids: Tensor, types: Tensor) -> Tensor:
        """[B, L] steps that may pass at each position, so that it is still within its bar, given the tokens before."""
        passed = (self.steps[ids] * self.is_time[types]).cumsum(-1)
        # No time passes in a head, so that the sum at any of its tokens is that before its first note.
        since = passed - self._at_last(passed, self.plan.heads[types])
        length = self._at_last(self.bars[ids], self.plan.opens[types])
        return length - 1 - (since - self.steps[ids] * self.is_time[types])

    def later(self, ids: Tensor, types: Tensor, fixed: Tensor, admitted: Tensor | None) -> Tensor:
        """[B, L] the fewest steps that pass after each position in its cell, given what a canvas keeps and admits.

        What is `fixed` [B, L] bool stands in `ids`; elsewhere one of `admitted` [B, L, V] bool will, or any token.
        """
        least = torch.zeros_like(ids)
        if admitted is not None:
            most = int(self.steps.max()) + 1
            possible = admitted & (self.type_of == types[..., None])
            least = torch.where(possible, self.steps, most).amin(-1)
        least = torch.where(fixed, self.steps[ids], least) * self.is_time[types]
        after = least.flip(-1).cumsum(-1).flip(-1)
        # The sum from the next head on, none being in the head, is left out.
        return after - least - self._at_last(after.flip(-1), self.plan.heads[types].flip(-1), none=0).flip(-1)

    @staticmethod
    def _at_last(values: Tensor, marks: Tensor, none: int | None = None) -> Tensor:
        """[B, L] of `values` [B, L] that at the last position so far where `marks` [B, L] is set.

        Before the first mark: the first value, or `none`.
        """
        place = torch.arange(marks.shape[1], device=marks.device).expand_as(marks)
        last = torch.where(marks, place, 0).cummax(-1).values
        found = values.gather(-1, last)
        return found if none is None else torch.where(marks.cumsum(-1) > 0, found, none)


def refuse(impossible: Tensor) -> None:
    """Raises DiffmidiError where any is True: nothing may stand there."""
    if bool(impossible.any()):
        raise DiffmidiError(
            "what is kept or allowed leaves no token that can stand there, such as a time within the bar for every "
            "note of a cell: keep fewer tokens, or allow more."
        )
