"""Drawing hidden tokens from a masked process's logits, as `MaskedDiffusion.draw` promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.time_bounds import TimeBounds
from diffmidi_core.diffusion.categorical import nucleus, restricted
from diffmidi_core.diffusion.groups import ungrouped
from diffmidi_core.diffusion.parts import Laid
from diffmidi_core.diffusion.time_support import TimeSupport

if TYPE_CHECKING:
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion


def draw_together(
    process: MaskedDiffusion,
    logits: Tensor,
    z: Tensor,
    draws: RowDraws,
    *,
    wanted: Tensor,
    admitted: Tensor | None,
    temperature: float,
    top_p: float,
    bounds: TimeBounds | None,
) -> tuple[Tensor, Tensor]:
    """Jointly with a support or where time adds up, else each by itself. `wanted` [B, L] are hidden."""
    log_p = _to_draw_from(process, logits, admitted, temperature)
    fixed = z != process.tokenizer.mask_id
    if bounds is not None:
        time = TimeSupport(process.tokenizer)
        tokens = time.draw(log_p, z, fixed, draws, bounds=bounds, wanted=wanted, top_p=top_p)
    elif process.support is not None:
        tokens = process.support.draw(log_p, z, fixed, draws, wanted=wanted, top_p=top_p)
    else:
        at = wanted.to(log_p.device)
        drawn = draws.categorical(nucleus(log_p[at], top_p), row_of=at.nonzero()[:, 0])
        tokens = z.masked_scatter(wanted, drawn.to(z.device))
    chosen = log_p.gather(-1, tokens.to(log_p.device)[..., None]).squeeze(-1)
    return tokens, chosen.to(z.device, torch.float32).masked_fill(~wanted, 0)


def draw_in_parts(
    process: MaskedDiffusion,
    logits: Tensor,
    z: Tensor,
    laid: Laid,
    draws: RowDraws,
    *,
    wanted: Tensor,
    admitted: Tensor | None,
    temperature: float,
    top_p: float,
) -> tuple[Tensor, Tensor]:
    """Where there is a plan: times so that they add up to less than their bar.

    Only hidden places are looked at: most of a window stands while a bar of it is drawn.
    """
    assert process.bar_time is not None
    mask_id = process.tokenizer.mask_id
    where = (z == mask_id).nonzero(as_tuple=True)  # [K] each
    at = tuple(each.to(logits.device) for each in where)
    types = ungrouped(laid.types, process.group, z.shape[1])[where]
    log_p = _to_draw_from(process, logits[at], None if admitted is None else admitted[at], temperature, types)
    number = torch.zeros_like(z).index_put(where, torch.arange(len(where[0]), device=z.device))
    tokens = process.bar_time.draw(log_p, number, z, laid, draws, wanted=wanted, mask_id=mask_id, top_p=top_p)
    left = wanted & (tokens == mask_id)
    some = left[where].to(log_p.device)
    drawn = draws.categorical(nucleus(log_p[some], top_p), row_of=at[0][some])
    tokens = tokens.masked_scatter(left, drawn.to(z.device))
    chosen = log_p.gather(-1, tokens[where].to(log_p.device)[:, None]).squeeze(-1)
    found = torch.zeros(z.shape, device=z.device).index_put(where, chosen.to(z.device, torch.float32))
    return tokens, found.masked_fill(~wanted, 0)


def _to_draw_from(
    process: MaskedDiffusion, logits: Tensor, admitted: Tensor | None, temperature: float, types: Tensor | None = None
) -> Tensor:
    """Log-probabilities [..., V] of what may stand by canvas and types, at a temperature."""
    log_p = process.log_probabilities(restricted(logits.float(), admitted) / temperature, types)
    # Nothing may stand where the support leaves out all that the canvas allows.
    return log_p if admitted is None else log_p.masked_fill(log_p.isnan(), -torch.inf)
