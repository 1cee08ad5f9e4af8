"""Drawing: a canvas while a sampler fills it: who is asked about its masked tokens, and what is drawn of the answers.

What hangs on the canvas alone is made once, and what is asked and drawn at a step is only of rows in which a token is
due. In a window without a plan tokens are drawn jointly, in one with a plan they are drawn by `drawing_in_parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.contracts.time_bounds import TimeBounds
from diffmidi_core.diffusion.categorical import nucleus, restricted
from diffmidi_core.diffusion.remembering import RowDenoiser
from diffmidi_core.diffusion.time_support import TimeSupport

if TYPE_CHECKING:
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion


class Drawing:
    """See above. `temperature` and `top_p` as in `MaskedDiffusion.draw`."""

    def __init__(
        self, process: MaskedDiffusion, canvas: Canvas, denoise: Denoise, *, temperature: float, top_p: float
    ) -> None:
        self.process, self.canvas, self.denoise = process, canvas, denoise
        self.temperature, self.top_p = temperature, top_p
        self.places = process.placed(canvas)

    def reveal(self, z: Tensor, due: Tensor, draws: RowDraws) -> tuple[Tensor, Tensor]:
        """z [B, L] with tokens drawn where masked ones are `due` [B, L] bool, and log p of each, 0 elsewhere.

        The denoiser is asked about the rows in which one is, and not at all where none is.
        """
        rows = due.any(-1)
        if not bool(rows.any()):
            return z, torch.zeros(z.shape, device=z.device)
        return self.revealed(z, rows, due, draws)

    def revealed(self, z: Tensor, rows: Tensor, due: Tensor, draws: RowDraws) -> tuple[Tensor, Tensor]:
        """`reveal` where some tokens are due, all of them in `rows` [B] bool."""
        m = self.process.hidden_now(z)
        if isinstance(self.denoise, RowDenoiser):
            logits = self.denoise.of_rows(rows, z, m, self.places)
        else:  # what replaces the process's own may know each row for itself
            logits = self.denoise(z, m, self.places)[rows]
        bounds = self.canvas.bounds
        found, log_p = z.clone(), torch.zeros(z.shape, device=z.device)
        found[rows], log_p[rows] = self.process.draw(
            logits,
            z[rows],
            draws.some(rows),
            wanted=due[rows],
            admitted=self.canvas.admitted(rows),
            temperature=self.temperature,
            top_p=self.top_p,
            places=self.places.rows(rows),
            bounds=None if bounds is None else bounds.rows(rows),
        )
        return found, log_p


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
    """Jointly with a support or where time adds up, else each by itself. `wanted` [B, L] are masked."""
    log_p = process.log_probabilities(restricted(logits.float(), admitted) / temperature)
    if admitted is not None:  # nothing may stand where the support leaves out all that the canvas allows
        log_p = log_p.masked_fill(log_p.isnan(), -torch.inf)
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
