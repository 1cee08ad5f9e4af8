"""Remembering: a masked process's own denoiser, which computes what stands behind the part it draws but once.

What is drawn now sees what was drawn before it, and never the other way (`parts.py`). So while a bar is filled, keys
and values of finished bars stay as they are: a backbone with a cached forward is asked about the bar alone, and about
what stands but at the first step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Past
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.diffusion.groups import grouped
from diffmidi_core.diffusion.parts import seen_of

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


class _Behind(NamedTuple):
    """What is kept of a canvas.

    Attributes:
        places: whose it is.
        first: [B, 1] the first part in which anything was masked.
        real: [B, M] bool, the positions of the parts before it that are no padding.
        past: what the backbone keeps of these; None where there are none.
    """

    places: Places
    first: Tensor
    real: Tensor
    past: Past | None

    def serves(self, places: Places) -> bool:
        """Whether these are the same rows of the same canvas."""
        ours, theirs = ([each.mask, each.types, each.given, *each.condition.values()] for each in (self.places, places))
        return len(ours) == len(theirs) and all(one is other for one, other in zip(ours, theirs, strict=True))


class Remembering(RowDenoiser):
    """The same for one canvas after another.

    As long as `places` are of the tensors they were, what stands is taken to be as it was, and what is masked to be of
    the parts in which something was at first.
    """

    def __init__(self, process: MaskedDiffusion) -> None:
        super().__init__(process)
        self._behind: _Behind | None = None

    def of_rows(self, rows: Tensor, z: Tensor, m: Tensor, places: Places) -> Tensor:
        """As RowDenoiser has it; in the parts behind, where nothing is asked, the logits are 0."""
        if places.types is None:
            return super().of_rows(rows, z, m, places)
        if self._behind is None or not self._behind.serves(places):
            self._behind = self._learned(z, places)
        behind, process = self._behind, self.process
        laid, text = process.laid(z[rows], places.rows(rows)), grouped(z[rows], process.group)
        now, index = seen_of(
            laid,
            text,
            laid.share(text == process.tokenizer.mask_id),
            laid.part >= behind.first[rows],
            process.backbone.length,
        )
        past, sees, real = None, now.sees, now.real
        assert sees is not None
        assert real is not None
        if behind.past is not None:
            past = behind.past if bool(rows.all()) else tuple(each[rows] for each in behind.past)
            sees = torch.cat([behind.real[rows][:, None].expand(-1, sees.shape[1], -1), sees], -1)
        features, _ = process.backbone.cached(process.enter(now), past, sees, now.positions)
        logits = process.leave(features) * real[..., None, None]
        return _spread(logits, index, text.shape[1], z.shape[1])

    def _learned(self, z: Tensor, places: Places) -> _Behind:
        process = self.process
        laid, text = process.laid(z, places), grouped(z, process.group)
        masked = (text == process.tokenizer.mask_id).any(-1) & laid.real
        first = laid.part.masked_fill(~masked, torch.iinfo(laid.part.dtype).max).amin(-1, keepdim=True)
        level = torch.zeros(laid.part.shape, device=z.device)
        seen, _ = seen_of(laid, text, level, laid.part < first, process.backbone.length)
        real = seen.real
        assert real is not None
        past = None
        if real.shape[1]:
            past = process.backbone.cached(process.enter(seen), None, seen.sees, seen.positions)[1]
        return _Behind(places, first, real, past)


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
