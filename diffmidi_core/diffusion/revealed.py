"""Revealed: a process whose masked tokens can be revealed in a fixed order has an exact likelihood beside its bound."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import Bound
from diffmidi_core.diffusion.features import pooled
from diffmidi_core.diffusion.revealing import Windows, cheapest_order, nats_in_order
from diffmidi_core.diffusion.support import open_types
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion
from diffmidi_core.errors import DiffmidiError, UsageError

LN2 = math.log(2)


class Revealed(TokenDiffusion):
    """A subclass gives `windows` and `nats_at`, and knows `type_of` [V], the type of each token."""

    type_of: Tensor

    @abstractmethod
    def windows(self, batch: Batch) -> Windows:
        """The batch in parts."""

    @abstractmethod
    def nats_at(self, ids: Tensor, hidden: Tensor, m: Tensor, places: Places) -> Tensor:
        """As `Nats` (`revealing.py`)."""

    def likelihood(self, batch: Batch, order: Sequence[str] = ()) -> Bound:
        """−log2 p itself, the tokens of each part revealed in this order of their types (`revealing.py`).

        Raises UsageError for types that there are not, DiffmidiError where an order is asked for and types are not
        known before the tokens, or as `bound` does.
        """
        if self.support is not None:
            self.support.check(batch)
        if order and not self._types_known(batch):
            raise DiffmidiError(
                f"with tokenizer {type(self.tokenizer).__name__} the type of a token is not known before the token, so "
                "that tokens cannot be revealed by type: take the order of the text (evaluate.order=time)."
            )
        windows, names = self.windows(batch), self.tokenizer.grammar.types
        if unknown := set(order) - set(names):
            raise UsageError(f"there is no type {min(unknown)!r} of tokens here. There are: {', '.join(names[1:])}.")
        rank = windows.turns(self.type_of[batch.ids], [names.index(name) for name in order])
        return Bound({"tokens": nats_in_order(windows, rank, self.nats_at) / LN2}, batch.tokens)

    def order_of_types(self, batch: Batch, generator: torch.Generator) -> tuple[str, ...]:
        """The order of types in which `batch`, windows of training music, costs the least, by an estimate.

        () where types are not known before the tokens.
        """
        if not self._types_known(batch):
            return ()
        windows, types, names = self.windows(batch), self.type_of[batch.ids], self.tokenizer.grammar.types
        sizes = torch.bincount(self.type_of, minlength=len(names)).tolist()
        there = [kind for kind in sorted(set(types[windows.part >= 0].tolist())) if sizes[kind] > 1]
        sorts = [[kind for kind in there if (names[kind] in self.tokenizer.plan) is head] for head in (True, False)]
        return tuple(names[kind] for kind in cheapest_order(windows, types, sorts, self.nats_at, generator))

    def features(self, batch: Batch) -> Tensor:
        """[B, H] what the backbone makes of the tokens, nothing hidden, averaged over positions; rows of one length."""
        shown = torch.zeros(len(batch.ids), device=batch.ids.device)
        return pooled(self.backbone, lambda: self.denoise(batch.ids, shown, self.windows(batch).places))

    def _types_known(self, batch: Batch) -> bool:
        """Whether the type of each token follows from its place, whatever the tokens are."""
        if self.tokenizer.plan:
            return True
        return bool((open_types(self.tokenizer.grammar, batch.ids.shape[1])[1:].sum(-1) == 1).all())
