"""Parts: the order in which bars are drawn, when what is drawn first decides where what comes later stands.

A tokenizer with a plan writes a piece as cells, each a head (how many notes, which metre ...) and its notes. A window
is then cut into parts, and

    p(window) = Π_k p(part k | the parts before it, what is given, and where its positions stand)

by which the heads of a bar come before its notes (`bars`: heads of bar b are part 2b, its notes 2b + 1; block
diffusion: Arriola et al. 2025, BD3-LM, arXiv:2503.09573), or all heads before all notes (`none`: parts 0 and 1). What
is given is part −1. In a head its position says that it is there, and the notes' positions are known once it is.

One pass trains all parts: a noisy copy of the window beside a clean one. A clean position sees the clean ones of its
own part and those before; a noisy one the clean ones of the parts before, and the noisy ones of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.groups import Seen, Stand, grouped, music_mask, places_of

Order = Literal["bars", "none"]
GIVEN = -1


@dataclass(frozen=True)
class Laid:
    """A window laid out in parts, [B, P] over groups.

    Attributes:
        real: bool, the groups that are there.
        head: bool, the groups that are heads.
        stand: bar, cell and rank.
        cells: int64, the number of the cell in the window.
        part: int64, the part of each; GIVEN where it is given.
        types: [B, P, g] int64.
        drawn: [B, P, g] bool, the tokens that are masked and drawn, and cost something.
        condition: [B] int64 labels by name, as in Places.
    """

    real: Tensor
    head: Tensor
    stand: Stand
    cells: Tensor
    part: Tensor
    types: Tensor
    drawn: Tensor
    condition: Mapping[str, Tensor] = field(default_factory=dict)

    def given_at(self, groups: Tensor) -> Laid:
        """The same with more groups [B, P] bool given."""
        return replace(self, part=self.part.masked_fill(groups, GIVEN), drawn=self.drawn & ~groups[..., None])

    def rows(self, which: Tensor) -> Laid:
        """The rows [N] of a few, by number."""
        stand = Stand(self.stand.bar[which], self.stand.cell[which], self.stand.rank[which])
        real, head, cells, part = (each[which] for each in (self.real, self.head, self.cells, self.part))
        condition = {name: each[which] for name, each in self.condition.items()}
        return Laid(real, head, stand, cells, part, self.types[which], self.drawn[which], condition)

    def share(self, some: Tensor) -> Tensor:
        """[B, P] which share of the tokens drawn of each group's part are among some [B, P, g] bool of them."""
        part = self.part.clamp(min=0)
        found, all_ = (
            torch.zeros(len(part), int(part.max()) + 1, device=part.device).scatter_add(1, part, each.sum(-1).float())
            for each in (self.drawn & some, self.drawn)
        )
        return (found / all_.clamp(min=1)).gather(1, part)

    @staticmethod
    def pick(values: Tensor, index: Tensor) -> Tensor:
        """Values [B, P, ...] at positions [B, N]."""
        shape = (*index.shape, *values.shape[2:])
        return values.gather(1, index.view(*index.shape, *[1] * (values.dim() - 2)).expand(shape))


class Plan(nn.Module):
    """What a tokenizer's plan says of its types. Nothing in it is trained or saved."""

    def __init__(self, tokenizer: Tokenizer, order: Order) -> None:
        super().__init__()
        self.group, self.order = tokenizer.group, order
        self._types = tokenizer.types
        types, roles = tokenizer.grammar.types, tokenizer.roles
        sizes = np.bincount(tokenizer.grammar.type_of, minlength=len(types))
        tables = {
            "heads": [name in tokenizer.plan for name in types],
            "opens": [roles.get(name) == "bar" for name in types],
            "open": [n > 0 and sizes[n] > 1 and roles.get(name) != "track" for n, name in enumerate(types)],
        }
        self.heads: Tensor  # [K] bool, the types of heads
        self.opens: Tensor  # [K] bool, the types that open a bar
        self.open: Tensor  # [K] bool, the types that are drawn: of several tokens, and no track
        for name, table in tables.items():
            self.register_buffer(name, torch.tensor(table), persistent=False)

    def types(self, ids: Tensor) -> Tensor:
        """[B, L] the types of texts that are perhaps partly masked, as the tokenizer knows them."""
        rows = [torch.from_numpy(np.asarray(self._types(row))) for row in ids.cpu().numpy()]
        return torch.stack(rows).to(ids.device)

    def laid(self, types: Tensor, mask: Tensor | None, given: Tensor | None = None) -> Laid:
        """Windows laid out by their types [B, L], the padding mask [B, L], and what is given [B, L]."""
        mask = torch.ones_like(types, dtype=torch.bool) if mask is None else mask
        of = grouped(types, self.group)  # [B, P, g]
        real = grouped(music_mask(mask), self.group).all(-1)
        first = of[..., 0]
        head, place = self.heads[first] & real, torch.arange(of.shape[1], device=of.device).expand_as(first)
        opens = self.opens[first] & head
        cells = head.cumsum(-1)  # of the window, from 1
        before = torch.where(opens, cells - 1, 0).cummax(-1).values
        last = torch.where(head, place, 0).cummax(-1).values
        stand = Stand((opens.cumsum(-1) - 1).clamp(min=0), (cells - before - 1).clamp(min=0), place - last)
        later = (~head).long()
        part = later if self.order == "none" else 2 * stand.bar + later
        laid = Laid(real, head, stand, (cells - 1).clamp(min=0), part, of, self.open[of] & real[..., None])
        return laid if given is None else laid.given_at(grouped(given, self.group).all(-1) & real)

    def given_around(self, fixed: Tensor, types: Tensor, mask: Tensor | None) -> Tensor:
        """[B, L] bool: what of a canvas is given: of what is `fixed` [B, L], all that no part before a free one holds.

        So what stands on both sides of a hole is seen from within it, as in the rows that training is given bars.
        """
        laid = self.laid(types, mask)
        stands = grouped(fixed, self.group).all(-1) & laid.real
        free = laid.real & ~stands
        first = laid.part.masked_fill(~free, torch.iinfo(torch.int64).max).amin(-1, keepdim=True)
        given = (stands & (laid.part >= first)).repeat_interleave(self.group, 1)
        return torch.nn.functional.pad(given, (1, 1), value=False)[:, : fixed.shape[1]]


def chosen_bars(laid: Laid, draws: Tensor) -> Tensor:
    """[B, P] bool: what training gives of windows, from uniform numbers [B, 3]: a run of bars, or the cells of a track.

    Of one bar with one track nothing is; something is always left to be drawn.
    """
    stand = laid.stand
    bars, cells = ((each.masked_fill(~laid.real, 0).amax(-1) + 1)[:, None] for each in (stand.bar, stand.cell))
    which, where, size = (each[:, None] for each in draws.unbind(-1))
    first = (where * bars).long()
    run = (stand.bar >= first) & (stand.bar < first + 1 + (size * (bars - 1)).long()) & (bars > 1)
    track = stand.cell == (where * cells).long()
    return torch.where((cells > 1) & ((which < 0.5) | (bars == 1)), track, run) & laid.real


def seen_once(laid: Laid, ids: Tensor, level: Tensor, places: int) -> Seen:
    """One copy of windows [B, P, g] whose last part, or what is free of it, is masked; `places` are the backbone's."""
    part, real = laid.part, laid.real
    sees = (part[:, None, :] <= part[..., None]) & real[:, None, :]
    return Seen(
        ids,
        level,
        real,
        _with_itself(sees),
        places_of(laid.stand, places),
        laid.types,
        laid.stand,
        _runs(torch.stack([part, laid.cells])),
        condition=laid.condition,
    )


def those_of(laid: Laid, some: Tensor) -> tuple[Laid, Tensor]:
    """The groups of windows that `some` [B, P] bool says, by themselves, and [B, N] which groups they are."""
    index, real = _kept(some & laid.real, exactly=True)
    stand = Stand(*(each.gather(1, index) for each in (laid.stand.bar, laid.stand.cell, laid.stand.rank)))
    head, cells, part = (each.gather(1, index) for each in (laid.head, laid.cells, laid.part))
    types, drawn = laid.pick(laid.types, index), laid.pick(laid.drawn, index) & real[..., None]
    return Laid(real, head, stand, cells, part, types, drawn, laid.condition), index


def seen_twice(laid: Laid, noisy: Tensor, clean: Tensor, level: Tensor, places: int) -> tuple[Seen, Tensor]:
    """A noisy and a clean copy of windows [B, P, g], and [B, N] which groups the positions asked about are.

    The noisy copies come first, and are asked about; there is none of what is given. Of the last part of a row there is
    no clean copy: nobody would see it. `level` [B, P].
    """
    asked = laid.real & (laid.part != GIVEN)
    last = laid.part.masked_fill(~asked, GIVEN).amax(-1, keepdim=True)
    one, one_real = _kept(asked)
    two, two_real = _kept(laid.real & (laid.part < last))
    index, real = torch.cat([one, two], 1), torch.cat([one_real, two_real], 1)
    is_noisy = torch.arange(index.shape[1], device=index.device) < one.shape[1]  # [N]
    part = laid.part.gather(1, index)
    # A clean i sees clean j of part(j) <= part(i), a noisy one of part(j) < part(i).
    reach = (part - is_noisy.long())[..., None]
    sees_clean = ~is_noisy & (part[:, None, :] <= reach)
    sees_noisy = (is_noisy[:, None] & is_noisy) & (part[:, None, :] == part[..., None])
    ids = torch.where(is_noisy[:, None], laid.pick(noisy, index), laid.pick(clean, index))
    stand = Stand(*(each.gather(1, index) for each in (laid.stand.bar, laid.stand.cell, laid.stand.rank)))
    seen = Seen(
        ids,
        torch.where(is_noisy, level.gather(1, index), 0),
        real,
        _with_itself((sees_clean | sees_noisy) & real[:, None, :]),
        places_of(stand, places),
        laid.pick(laid.types, index),
        stand,
        _runs(torch.stack([part, laid.cells.gather(1, index), is_noisy.expand_as(part)])),
        one.shape[1],
        laid.condition,
    )
    return seen, one


def _with_itself(sees: Tensor) -> Tensor:
    """Every position sees itself: a softmax over nothing, where padding stands, would be no number."""
    return sees | torch.eye(sees.shape[-1], dtype=torch.bool, device=sees.device)


def _runs(same: Tensor) -> Tensor:
    """[B, N] numbers of the runs of positions that have the same of everything in [n, B, N].

    A run is within a cell: that the head of the next one is near would say that there are few notes between.
    """
    new = (same[..., 1:] != same[..., :-1]).any(0)
    return torch.nn.functional.pad(new.cumsum(-1), (1, 0))


def _kept(keep: Tensor, *, exactly: bool = False) -> tuple[Tensor, Tensor]:
    """[B, N] the places in a row where `keep` [B, P] is True, in order, and [B, N] which of them there are.

    N is the most that a row has; where asking would wait for the device, P, unless `exactly` says to wait.
    """
    known = keep.device.type == "cpu" or (exactly and keep.device.type != "meta")
    most = int(keep.sum(-1).max()) if known else keep.shape[1]
    index = (~keep).to(torch.uint8).argsort(dim=-1, stable=True)[:, :most]
    return index, keep.gather(1, index)
