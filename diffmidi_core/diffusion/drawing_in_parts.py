"""Drawing masked tokens where there is a plan: each among the tokens of its type, times so that they fit into their bar.

Only masked places are looked at, and laid end to end: most of a window stands while a bar of it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.diffusion.categorical import nucleus
from diffmidi_core.diffusion.groups import ungrouped
from diffmidi_core.diffusion.masked_drawing import Drawing
from diffmidi_core.diffusion.parts import Laid
from diffmidi_core.diffusion.remembering import RowDenoiser

if TYPE_CHECKING:
    from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion


class LaidOut:
    """What is known of texts [B, L] before their tokens are, for drawing those that are `free` [B, L] bool."""

    def __init__(self, process: MaskedDiffusion, laid: Laid, free: Tensor) -> None:
        assert process.by_type is not None
        assert process.bar_time is not None
        self.by_type, self.bar_time = process.by_type, process.bar_time
        self.types = ungrouped(laid.types, process.group, free.shape[1]).flatten()  # [B · L]
        self.cells = self.bar_time.cells(laid, free)

    def draw(
        self,
        logits: Tensor,
        at: Tensor,
        z: Tensor,
        draws: RowDraws,
        *,
        wanted: Tensor,
        admitted: Tensor | None,
        temperature: float,
        top_p: float,
    ) -> tuple[Tensor, Tensor]:
        """As `MaskedDiffusion.draw`, from logits [K, V] of all masked places `at` [K], which rise, of some rows of z.

        `admitted` [K, V] bool is of these places.
        """
        types, flat = self.types[at], z.flatten()
        odds, tokens = self.by_type.within(logits.float() / temperature, types)
        if admitted is None:
            log_p = odds.log_softmax(-1)
        else:
            log_p = odds.masked_fill(~admitted.gather(-1, tokens), -torch.inf).log_softmax(-1)
            log_p = log_p.masked_fill(log_p.isnan(), -torch.inf)  # no token of the type is admitted
        drawn = draws.categorical(nucleus(log_p, top_p), row_of=at // z.shape[1])  # [K] places in their types
        if self.cells is not None:
            drawn = self._in_time(drawn, tokens, log_p, types, at, flat, draws, top_p)
        some = wanted.flatten()[at]
        found = tokens.gather(-1, drawn[:, None])[:, 0]
        chosen = log_p.gather(-1, drawn[:, None])[:, 0]
        log_p_of = torch.zeros(flat.shape, device=z.device).index_put((at,), chosen.masked_fill(~some, 0))
        return flat.index_put((at,), torch.where(some, found, flat[at])).view_as(z), log_p_of.view_as(z)

    def _in_time(
        self,
        drawn: Tensor,
        tokens: Tensor,
        log_p: Tensor,
        types: Tensor,
        at: Tensor,
        z: Tensor,
        draws: RowDraws,
        top_p: float,
    ) -> Tensor:
        """What was `drawn` [K] of each place by itself, times drawn anew where they do not fit together."""
        assert self.cells is not None
        ids = z.index_put((at,), tokens.gather(-1, drawn[:, None])[:, 0])
        late = self.bar_time.late(z, ids, self.cells)
        if not bool(late.any()):
            return drawn
        number, chosen = self.bar_time.draw(
            z, self.cells.some(late), draws, at=at, log_p=log_p, types=types, top_p=top_p
        )
        return drawn.index_put((number,), self.by_type.place[chosen])


class DrawingInParts(Drawing):
    """A canvas whose tokens have a plan."""

    def __init__(
        self, process: MaskedDiffusion, canvas: Canvas, denoise: Denoise, *, temperature: float, top_p: float
    ) -> None:
        super().__init__(process, canvas, denoise, temperature=temperature, top_p=top_p)
        self.laid_out = LaidOut(process, process.laid(canvas.ids, self.places), ~canvas.fixed)
        self.narrowed = bool((canvas.allowed >= 0).any())

    def revealed(self, z: Tensor, rows: Tensor, due: Tensor, draws: RowDraws) -> tuple[Tensor, Tensor]:
        """See Drawing."""
        masked = (z == self.process.tokenizer.mask_id) & rows[:, None]
        at = masked.flatten().nonzero()[:, 0]
        if isinstance(self.denoise, RowDenoiser):
            logits = self.denoise.of_masked(rows, masked, z, self.places)
        else:
            logits = self.denoise(z, self.process.hidden_now(z), self.places).flatten(0, 1)[at]
        return self.laid_out.draw(
            logits,
            at,
            z,
            draws,
            wanted=due,
            admitted=self.canvas.admitted(masked) if self.narrowed else None,
            temperature=self.temperature,
            top_p=self.top_p,
        )
