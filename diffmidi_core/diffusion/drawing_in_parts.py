"""Drawing masked tokens where there is a plan: each among those of its type, times so that they fit into their bar.

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
from diffmidi_core.diffusion.plan_next import refuse
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

        `admitted` [K, V] bool is of these places. Raises DiffmidiError where it leaves a place no token, or a cell no
        times that fit.
        """
        types, flat = self.types[at], z.flatten()
        odds, tokens = self.by_type.within(logits, types)
        if admitted is not None:
            odds = odds.masked_fill(~admitted.gather(-1, tokens), -torch.inf)
        log_p = (odds.float() / temperature).log_softmax(-1)  # [K, M]
        if admitted is not None:
            refuse(log_p.isnan())
        found = _among(tokens, draws.categorical(nucleus(log_p, top_p), row_of=at // z.shape[1]))
        if self.cells is not None:
            late = self.bar_time.late(flat, at, found, self.cells)
            if bool(late.any()):
                cells = self.cells.some(late)
                found = self.bar_time.drawn(flat, at, found, cells, draws, types=types, log_p=log_p, top_p=top_p)
        chosen = _among(log_p, self.by_type.place[found])
        some = wanted.flatten()[at]
        log_p_of = torch.zeros(flat.shape, device=z.device).index_put((at,), torch.where(some, chosen, 0.0))
        tokens = flat.index_put((at,), torch.where(some, found, self.bar_time.mask_id))
        return tokens.view_as(z), log_p_of.view_as(z)


def _among(tokens: Tensor, index: Tensor) -> Tensor:
    """[K] those of tokens [K, M] at places [K]."""
    return tokens.gather(-1, index[:, None])[:, 0]


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
