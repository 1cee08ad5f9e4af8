"""Remembering: a masked process's own denoiser, which computes what stands behind the part it draws but once.

What is drawn now sees what was drawn before it, and never the other way (`parts.py`). So while a bar is filled, keys
and values of finished bars stay as they are: a backbone with a cached forward is asked about the bar alone, and about
what stands but at the first step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Past
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.diffusion.groups import Seen, grouped
from diffmidi_core.diffusion.parts import Laid, seen_once, those_of

if TYPE_CHECKING:
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion


class RowDenoiser:
    """`process.denoise`, of all rows of a canvas or of some."""

    def __init__(self, process: MaskedDiffusion) -> None:
        self.process = process

    def __call__(self, z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] as `MaskedDiffusion.denoise` answers."""
        return self.of_rows(torch.ones(len(z), dtype=torch.bool, device=z.device), z, m, places)

    def of_rows(self, rows: Tensor, z: Tensor, m: Tensor, places: Places) -> Tensor:
        """Logits [n, L, V] of the n rows that `rows` [B] bool says; z [B, L], m [B] and places are of all."""
        return self.process.denoise(z[rows], m[rows], places.rows(rows))

    def of_masked(self, rows: Tensor, masked: Tensor, z: Tensor, places: Places) -> Tensor:
        """Logits [K, V] of the K masked tokens of these rows, which stand where `masked` [B, L] bool."""
        return self.of_rows(rows, z, self.process.hidden_now(z), places)[masked[rows]]


class _Kept(NamedTuple):
    """What is kept of a canvas, or of some of its rows.

    Attributes:
        rows: [B] bool, which rows.
        now: what is drawn and all that is of the same parts or later ones, N groups.
        groups: [n, N] which groups of the window these are.
        at: [n, N, g] where their tokens stand in the texts of all rows laid end to end, [B · L].
        seen: the same as the network reads it, but for tokens and noise.
        past: what the backbone keeps of the parts before; None where there are none.
        past_real: [n, M] bool, the positions of `past` that are no padding.
    """

    rows: Tensor
    now: Laid
    groups: Tensor
    at: Tensor
    seen: Seen
    past: Past | None
    past_real: Tensor


class Remembering(RowDenoiser):
    """The same for one canvas after another.

    As long as `places` are of the tensors they were, what stands is taken to be as it was, and what is masked to be of
    the parts in which something was at first.
    """

    def __init__(self, process: MaskedDiffusion) -> None:
        super().__init__(process)
        self._places = EVERYWHERE
        self._all: _Kept | None = None
        self._some: _Kept | None = None

    def of_rows(self, rows: Tensor, z: Tensor, m: Tensor, places: Places) -> Tensor:
        """As RowDenoiser has it; in the parts behind, where nothing is asked, the logits are 0."""
        if places.types is None:
            return super().of_rows(rows, z, m, places)
        kept, _, features = self._asked(rows, z, places)
        logits = self.process.leave(features) * kept.now.real[..., None, None]
        return _spread(logits, kept.groups, z.shape[1] // self.process.group, z.shape[1])

    def of_masked(self, rows: Tensor, masked: Tensor, z: Tensor, places: Places) -> Tensor:
        """See RowDenoiser."""
        if places.types is None:
            return super().of_masked(rows, masked, z, places)
        kept, text, features = self._asked(rows, z, places)
        at = (text == self.process.tokenizer.mask_id) & kept.now.real[..., None]
        return self.process.leave_at(features, at)

    def _asked(self, rows: Tensor, z: Tensor, places: Places) -> tuple[_Kept, Tensor, Tensor]:
        """What is kept of these rows, their tokens [n, N, g] now, and the features [n, N, H] of these."""
        process, kept = self.process, self._of(rows, z, places)
        text = z.flatten()[kept.at]
        level = kept.now.share(text == process.tokenizer.mask_id) if process.sees_level else kept.seen.level
        now = replace(kept.seen, ids=text, level=level)
        features, _ = process.backbone.cached(process.enter(now), kept.past, now.sees, now.positions)
        return kept, text, features

    def _of(self, rows: Tensor, z: Tensor, places: Places) -> _Kept:
        """What is kept of these rows, learned where it is another canvas."""
        if self._all is None or not _same(places, self._places):
            self._all = self._some = self._learned(z, places)
            self._places = places
        if self._some is None or not torch.equal(self._some.rows, rows):
            self._some = self._all if bool(rows.all()) else self._chosen(self._all, rows)
        return self._some

    def _learned(self, z: Tensor, places: Places) -> _Kept:
        process = self.process
        laid, text = process.laid(z, places), grouped(z, process.group)
        masked = (text == process.tokenizer.mask_id).any(-1) & laid.real
        first = laid.part.masked_fill(~masked, torch.iinfo(laid.part.dtype).max).amin(-1, keepdim=True)
        behind, index = those_of(laid, laid.part < first)
        past = None
        if index.shape[1]:
            seen = self._seen(behind, laid.pick(text, index))
            past = process.backbone.cached(process.enter(seen), None, seen.sees, seen.positions)[1]
        now, index = those_of(laid, laid.part >= first)
        at = laid.pick(grouped(torch.arange(z.numel(), device=z.device).view_as(z), process.group), index)
        rows = torch.ones(len(z), dtype=torch.bool, device=z.device)
        return self._made(rows, now, index, at, laid.pick(text, index), past, behind.real)

    def _chosen(self, kept: _Kept, rows: Tensor) -> _Kept:
        some = rows.nonzero()[:, 0]
        past = None if kept.past is None else tuple(each.index_select(0, some) for each in kept.past)
        index, at, text, past_real = (each[some] for each in (kept.groups, kept.at, kept.seen.ids, kept.past_real))
        return self._made(rows, kept.now.rows(some), index, at, text, past, past_real)

    def _made(
        self, rows: Tensor, now: Laid, index: Tensor, at: Tensor, text: Tensor, past: Past | None, past_real: Tensor
    ) -> _Kept:
        seen = self._seen(now, text)
        assert seen.sees is not None
        if past is not None:
            behind = past_real[:, None].expand(-1, seen.sees.shape[1], -1)
            seen = replace(seen, sees=torch.cat([behind, seen.sees], -1))
        return _Kept(rows, now, index, at, seen, past, past_real)

    def _seen(self, laid: Laid, text: Tensor) -> Seen:
        """As the network reads what stands."""
        return seen_once(laid, text, torch.zeros(laid.part.shape, device=text.device), self.process.backbone.length)


def _same(one: Places, other: Places) -> bool:
    """Whether these are the same rows of the same canvas."""
    ours, theirs = ([each.mask, each.types, each.given, *each.condition.values()] for each in (one, other))
    return len(ours) == len(theirs) and all(a is b for a, b in zip(ours, theirs, strict=True))


def _spread(logits: Tensor, index: Tensor, groups: int, length: int) -> Tensor:
    """[n, L, V] with logits [n, N, g, V] where their groups `index` [n, N] of so many stand, 0 elsewhere.

    As `ungrouped` lays them out. All of it is written but once: most of a window stands, and it is long.
    """
    group, rows = logits.shape[2], torch.arange(len(index), device=index.device)[:, None]
    ends = int(group > 1)  # [CLS] and [SEP] are in no group
    found = logits.new_zeros(len(index), groups * group + 2 * ends, logits.shape[-1])
    inner = found.narrow(1, ends, groups * group)
    inner.view(len(index), groups, group, -1)[rows, index] = logits
    if ends:
        found[:, length - 1] = 0
    return found[:, :length]
