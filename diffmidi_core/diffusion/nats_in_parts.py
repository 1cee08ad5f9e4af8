"""What masked tokens cost in windows in parts: all parts of a window in one pass of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffmidi_core.diffusion.groups import grouped
from diffmidi_core.diffusion.parts import GIVEN, Laid, seen_twice
from diffmidi_core.diffusion.revealing import nats_of

if TYPE_CHECKING:
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion

GROUPS_AT_ONCE = 2048
"""In a pass over rows of like length: enough for a CPU to be busy."""


def nats_in_parts(process: MaskedDiffusion, ids: Tensor, hidden: Tensor, level: Tensor, laid: Laid) -> Tensor:
    """[B, P, g] −log p(w_l | z of its part, the parts before) where tokens [B, P, g] are hidden, 0 elsewhere.

    Rows are read a few at a time, those of like length together, where a padded position costs as much as another.
    """
    clean = grouped(ids, process.group)
    if ids.device.type != "cpu":
        return _nats_of_rows(process, clean, hidden, level, laid)
    order = laid.real.sum(-1).argsort()
    nats = [
        _nats_of_rows(process, clean[rows], hidden[rows], level[rows], laid.rows(rows))
        for rows in torch.split(order, max(1, GROUPS_AT_ONCE // clean.shape[1]))
    ]
    return torch.cat(nats)[order.argsort()]


def _nats_of_rows(process: MaskedDiffusion, clean: Tensor, hidden: Tensor, level: Tensor, laid: Laid) -> Tensor:
    noisy = clean.masked_fill(hidden, process.tokenizer.mask_id)
    seen, asked = seen_twice(laid, noisy, clean, level, process.backbone.length)
    there = (laid.real & (laid.part != GIVEN)).gather(1, asked)
    words, types = laid.pick(clean, asked), laid.pick(laid.types, asked)
    log_p = process.log_probabilities(process.network(seen).float(), types)
    nats = nats_of(log_p.flatten(1, 2), words.flatten(1), (laid.pick(hidden, asked) & there[..., None]).flatten(1))
    index = asked[..., None].expand(words.shape)
    return torch.zeros(clean.shape, device=nats.device).scatter_add(1, index, nats.view(words.shape))
