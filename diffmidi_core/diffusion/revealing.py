"""Revealing: which tokens of a window are masked, for the bound at random, for an exact likelihood in a fixed order.

Where the order σ in which masked tokens are revealed is a rule that is known before them, the chain rule gives

    −log p(w) = Σ_j −log p(w_σ(j) | w_σ(1) … w_σ(j−1), all others masked)                    (DUEL, arXiv:2603.01367)

which is no bound but −log p itself, of the model that reveals one token an evaluation in this order. The bound of a
masked model is the mean of this over all orders, so that some order is at most as much. Of a window in parts each part
is revealed by itself, given the parts before it, and all parts at once.

An order is a few types of tokens: all tokens of the first type in a part come first, then those of the next one, and
what is of no named type last; within a type they come as they stand in the text. No type at all is that order alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.places import Places
from diffmidi_core.diffusion.bound import POSITIONS_AT_ONCE
from diffmidi_core.diffusion.categorical import draw_uniform

GOLDEN = (5**0.5 - 1) / 2
"""From a part of a row to the next one, which spreads what is drawn over the parts as over the rows."""

NOT_ASKED = -100

TRIED = 4
"""Tokens of a type that are revealed for the choice of an order, in each part of each window."""

Nats = Callable[[Tensor, Tensor, Tensor, Places], Tensor]
"""ids [B, L], hidden [B, L] bool, m [B, M] the share hidden of each part, places: [B, L] nats, 0 where not hidden."""


@dataclass(frozen=True)
class Windows:
    """Windows in parts, whose tokens can be masked.

    Attributes:
        ids: [B, L] int64.
        part: [B, L] int64, the part of each token that is masked at all; −1 elsewhere.
        counts: [B, M] how many such tokens each part has.
        places: of the windows.
        whole: [B, M] how many tokens each part has with those that are given; None: none is.
    """

    ids: Tensor
    part: Tensor
    counts: Tensor
    places: Places
    whole: Tensor | None = None

    @property
    def sizes(self) -> Tensor:
        """[B, M] of how many tokens of each part the hidden ones are a share."""
        return self.counts if self.whole is None else self.whole

    def giving(self, given: Tensor) -> Windows:
        """The same with tokens [B, L] bool that are never masked, whatever else of their part is."""
        part = self.part.masked_fill(given, -1)
        counts = counts_of(part)
        return replace(self, part=part, counts=counts, whole=self.sizes[:, : counts.shape[1]])

    def ranks(self, key: Tensor) -> Tensor:
        """[B, L] the place of each token in its part by rising key [B, L] below 2**32; of those without a part, any."""
        of = self.part.clamp(min=0)
        by = (key.double() + of.double() * 2.0**32).masked_fill(self.part < 0, torch.inf)
        before = (self.counts.cumsum(-1) - self.counts).gather(1, of)  # tokens of parts before
        return by.argsort(dim=-1, stable=True).argsort(-1) - before

    def turns(self, types: Tensor, order: Sequence[int]) -> Tensor:
        """[B, L] the place of each token in an order of its part by `types` [B, L]."""
        key = torch.full_like(types, len(order))
        for turn, kind in enumerate(order):
            key[types == kind] = turn
        return self.ranks(key)

    def rows(self, which: Tensor) -> Windows:
        """Those of some numbers [N]."""
        whole = None if self.whole is None else self.whole[which]
        return Windows(self.ids[which], self.part[which], self.counts[which], self.places.rows(which), whole)


def counts_of(part: Tensor) -> Tensor:
    """[B, M] how many tokens each part has; part [B, L] is -1 where none is."""
    counts = torch.zeros(len(part), int(part.max()) + 2, dtype=torch.int64, device=part.device)
    return counts.scatter_add(1, part + 1, torch.ones_like(part))[:, 1:]


def numbers_hidden(tokens: Tensor, levels: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """[K, B, M] how many of the tokens [B, M] of each part are hidden, 1 to N, and the weights of their −log p.

    They are drawn uniformly, one in each of `levels` equal shares, and weigh N / (levels · k); None, or N and more:
    each, and 1 / k.
    """
    if levels is None or levels >= int(tokens.max()):
        k = torch.arange(1, max(1, int(tokens.max())) + 1, device=tokens.device)[:, None, None]
        return torch.minimum(k, tokens).clamp(min=1), (k <= tokens) / k
    points = _spread(tokens, levels, generator)
    k = (1 + (points * tokens).long()).clamp(max=tokens).clamp(min=1)
    return k, tokens / (levels * k)


def _spread(tokens: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """[count, B, M] numbers in [0, 1), one in each of `count` equal shares of it."""
    (rows, parts), device = tokens.shape, tokens.device
    offset = draw_uniform(generator, (1,), device) + torch.arange(rows, device=device) / rows
    offset = offset[:, None] + GOLDEN * torch.arange(parts, device=device)
    return (torch.arange(count, device=device)[:, None, None] + offset % 1) / count


def nats_of(log_p: Tensor, ids: Tensor, hidden: Tensor) -> Tensor:
    """[B, L] −log p of ids [B, L] where they are hidden, 0 elsewhere; log_p [B, L, V]."""
    return F.nll_loss(log_p.mT, ids.masked_fill(~hidden, NOT_ASKED), reduction="none", ignore_index=NOT_ASKED)


def nats_in_order(windows: Windows, rank: Tensor, nats: Nats) -> Tensor:
    """[B, L] −log p of each token, given those of its part that come before it by `rank` [B, L], and the parts before.

    As many evaluations as the largest part has tokens, many of them in one call.
    """
    most = windows.counts.amax(-1)
    steps, rows = (torch.arange(int(most.max()), device=most.device)[:, None] < most).nonzero(as_tuple=True)
    found = torch.zeros(windows.ids.shape, device=windows.ids.device)
    size = max(1, POSITIONS_AT_ONCE // windows.ids.shape[1])
    for step, row in zip(torch.split(steps, size), torch.split(rows, size), strict=True):
        found.index_add_(
            0, row, _revealed(windows.rows(row), rank[row], step[:, None].expand_as(windows.counts[row]), nats)
        )
    return found


def _revealed(windows: Windows, rank: Tensor, steps: Tensor, nats: Nats) -> Tensor:
    """[B, L] −log p of the token of each part whose turn it is at the step [B, M] of that part, 0 elsewhere."""
    now = steps.gather(1, windows.part.clamp(min=0))
    share = (windows.counts - steps).clamp(min=0) / windows.sizes.clamp(min=1)
    found = nats(windows.ids, (windows.part >= 0) & (rank >= now), share, windows.places)
    return found.masked_fill(rank != now, 0)


class _Choice(NamedTuple):
    nats: float
    order: tuple[int, ...]


def cheapest_order(
    windows: Windows, types: Tensor, sorts: Sequence[Sequence[int]], nats: Nats, generator: torch.Generator
) -> list[int]:
    """The order of types in which windows cost the least.

    What a type costs hangs only on which types come before it, not on their order: so each is tried after every set of
    others, and the cheapest way through the sets is found (Held and Karp 1962). It is an estimate: of the tokens of a
    type TRIED are revealed in each part, drawn at random.

    Args:
        windows: of training music.
        types: [B, L] the type of each token.
        sorts: types that share parts; those of one are put in order by themselves.
        nats: as in `nats_in_order`.
        generator: draws which tokens are revealed.
    """
    found: list[int] = []
    for sort in sorts:
        best = {frozenset[int](): _Choice(0.0, ())}
        for size in range(1, len(sort) + 1):
            for some in combinations(sort, size):
                ways = (
                    _Choice(before.nats + cost, (*before.order, last))
                    for last, before, cost in _last_ones(windows, types, some, best, nats, generator)
                )
                best[frozenset(some)] = min(ways)
        found += best[frozenset(sort)].order
    return found


def _last_ones(
    windows: Windows,
    types: Tensor,
    some: Sequence[int],
    best: dict[frozenset[int], _Choice],
    nats: Nats,
    generator: torch.Generator,
) -> Iterator[tuple[int, _Choice, float]]:
    """Each of some types as the last of them: it, the best order of the others, and what it costs after them."""
    for last in some:
        before = best[frozenset(some) - {last}]
        yield last, before, _cost(windows, types, before.order, last, nats, generator)


def _cost(
    windows: Windows, types: Tensor, before: Sequence[int], kind: int, nats: Nats, generator: torch.Generator
) -> float:
    """An estimate of the nats of all tokens of a type, revealed after those of the types before it."""
    rank = windows.turns(types, (*before, kind))
    first, count = (
        counts_of(windows.part.masked_fill(~torch.isin(types, torch.tensor(of, device=types.device)), -1))
        for of in (list(before), [kind])
    )
    first, count = (_as_wide(each, windows.counts.shape[1]) for each in (first, count))
    total = 0.0
    for point in _spread(count, TRIED, generator):
        steps = torch.where(count > 0, first + (point * count).long().clamp(max=(count - 1).clamp(min=0)), -1)
        weight = (count / TRIED).gather(1, windows.part.clamp(min=0))
        total += float((_revealed(windows, rank, steps, nats) * weight).sum())
    return total


def _as_wide(counts: Tensor, width: int) -> Tensor:
    return F.pad(counts, (0, width - counts.shape[1]))
