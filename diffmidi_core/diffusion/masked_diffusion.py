"""MaskedDiffusion: absorbing-state diffusion with the SUBS parametrisation, its loss and its bound.

Each token is hidden behind [MASK] with probability m = 1 − α_t, independently, and a network predicts the hidden
ones (Sahoo et al. 2024, MDLM, arXiv:2406.07524; Shi et al. 2024, MD4, arXiv:2406.04329). SUBS: it never predicts
[MASK], and tokens that are not hidden stay as they are. Then

    −log p(w) ≤ ∫₀¹ −α'_t / (1 − α_t) E Σ_{l hidden} −log p(w_l | z_t) dt             (MDLM, MD4)
              = Σ_{k=1}^{N} 1/k E Σ_{l hidden} −log p(w_l | z), k of the N tokens hidden   (Hoogeboom et al. 2022, ARDM)

The second line is the first with the integral over t done: m^{k−1}(1 − m)^{N−k} over m gives 1/k for each number k of
hidden tokens. So no schedule is in the bound, and no smallest t has to be cut off. Training draws t, as the papers do:
there the schedule says where the effort goes.

[CLS], [SEP] and [PAD] follow from the number of tokens: they are never hidden, and cost nothing.

Where the tokenizer has a plan, a window is a row of parts (`parts.py`), and all of this holds for each part given those
before it: each has a t, and numbers k of hidden tokens, of its own, and the bound is the sum over the parts.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import LEVEL_BINS, Bound
from diffmidi_core.contracts.sampler import Denoise
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.time_bounds import TimeBounds
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.bar_time import BarTime
from diffmidi_core.diffusion.bound import POSITIONS_AT_ONCE, by_bin
from diffmidi_core.diffusion.by_type import ByType
from diffmidi_core.diffusion.categorical import draw_uniform, exact
from diffmidi_core.diffusion.corruption import Corruption
from diffmidi_core.diffusion.drawing_in_parts import DrawingInParts, LaidOut
from diffmidi_core.diffusion.groups import Seen, grouped, music_mask, ungrouped
from diffmidi_core.diffusion.masked_drawing import Drawing, draw_together
from diffmidi_core.diffusion.nats_in_parts import nats_in_parts
from diffmidi_core.diffusion.parts import Laid, Plan, chosen_bars, seen_once
from diffmidi_core.diffusion.parts import Order as PartOrder
from diffmidi_core.diffusion.remembering import Remembering, RowDenoiser
from diffmidi_core.diffusion.revealed import Revealed
from diffmidi_core.diffusion.revealing import GOLDEN, Windows, counts_of, nats_of, numbers_hidden
from diffmidi_core.diffusion.times import spread_times

LN2 = math.log(2)
SPAN = 1e-6
"""Of t, over which the schedule's slope is taken."""


class MaskedDiffusion(Revealed):
    """Tokens hidden one by one behind [MASK]. The family "masked". A subclass gives `network`.

    Args:
        typed: leave out of the softmax the tokens whose type cannot stand at their position (`Support`).
        notes: as many tokens as `Tokenizer.group` says make one position of the backbone; always so with a plan.
        order: the order of parts, where the tokenizer has a plan.
        given: the share of rows in training of which some bars, or the cells of a track, are given.
    """

    plans = True
    sees_level = True
    """Whether `enter` reads `Seen.level`, or the network sees how many tokens are masked from these alone."""

    def __init__(
        self,
        options: Options,
        *,
        tokenizer: Tokenizer,
        backbone: Backbone,
        schedule: NoiseSchedule,
        typed: bool,
        notes: bool = False,
        order: PartOrder = "bars",
        given: float = 0.0,
    ) -> None:
        group = tokenizer.group if notes or tokenizer.plan else 1
        parts: dict[str, Any] = {"tokenizer": tokenizer, "backbone": backbone, "schedule": schedule}
        super().__init__(options, **parts, typed=typed, group=group)
        self.group, self.given = group, given
        self.plan = Plan(tokenizer, order) if tokenizer.plan else None
        self.bar_time = BarTime(tokenizer) if tokenizer.plan else None
        self.by_type = ByType(tokenizer.grammar) if tokenizer.plan else None
        self.order = "bars" if self.plan is not None and order == "bars" else "window"
        at_mask = torch.arange(len(tokenizer.vocab)) == tokenizer.mask_id
        self.corruption = Corruption(at_mask.float())
        self.type_of: Tensor
        self.register_buffer("type_of", torch.from_numpy(tokenizer.grammar.type_of.astype("int64")), persistent=False)

    least_time = 1e-3
    """As the authors of MDLM have it: nearer 0 hardly a token is hidden, at a huge weight."""

    @abstractmethod
    def enter(self, seen: Seen) -> Tensor:
        """Features [B, N, H] for the backbone."""

    @abstractmethod
    def leave(self, features: Tensor) -> Tensor:
        """Logits [B, N, g, V] of the tokens, from the backbone's features [B, N, H]."""

    def leave_at(self, features: Tensor, at: Tensor) -> Tensor:
        """Logits [K, V] of the K tokens that `at` [B, N, g] bool says. A subclass may compute no others."""
        return self.leave(features)[at]

    def network(self, seen: Seen) -> Tensor:
        """Logits [B, N, g, V] of the tokens at the N positions that are asked about."""
        return self.leave(self.backbone(self.enter(seen), seen.mask, seen.positions)[:, : seen.asked])

    def denoiser(self) -> RowDenoiser:
        """One that remembers what does not change while a canvas is filled bar by bar, where the backbone can."""
        return Remembering(self) if self.plan is not None and self.backbone.caches else RowDenoiser(self)

    def denoise(self, z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of the hidden tokens of z [B, L], m [B] of which are hidden.

        With a plan, what is hidden is of the last part that stands, or each sees too little (`places.types` says where
        what stands; what the tokenizer makes of z by default).
        """
        length = z.shape[1]
        if self.plan is not None:
            laid = self.laid(z, places)
            text = grouped(z, self.group)
            seen = seen_once(laid, text, laid.share(text == self.tokenizer.mask_id), self.backbone.length)
            return ungrouped(self.network(seen), self.group, length)
        if self.group == 1:
            seen = Seen(z[..., None], m, places.mask, condition=places.condition)
            return ungrouped(self.network(seen), 1, length)
        real = None
        if places.mask is not None:
            real = music_mask(places.mask)
            z = z.masked_fill(~real, self.tokenizer.pad_id)  # else [SEP] is seen where the last group is not whole
            real = grouped(real, self.group)[..., 0]
        seen = Seen(grouped(z, self.group), m, real, condition=places.condition)
        return ungrouped(self.network(seen), self.group, length)

    def placed(self, canvas: Canvas) -> Places:
        """`canvas.places()`, and with a plan the types and what is given round a hole, where the canvas leaves them."""
        places = canvas.places()
        if self.plan is None:
            return places
        types = self.plan.types(canvas.ids) if places.types is None else places.types
        return replace(places, types=types, given=self.plan.given_around(canvas.fixed, types, places.mask))

    def hidden_now(self, z: Tensor) -> Tensor:
        """[B] the share of the tokens of z [B, L] that are hidden."""
        hidden = (z == self.tokenizer.mask_id).sum(-1)
        return hidden / (hidden + (z >= len(SPECIALS)).sum(-1)).clamp(min=1)

    def log_probabilities(self, logits: Tensor, types: Tensor | None = None) -> Tensor:
        """As TokenDiffusion has it; with `types` [...] of logits [..., V], only tokens of these can stand."""
        if types is None:
            return super().log_probabilities(logits)
        types = types[..., None].to(logits.device)
        # Where no token of music stands nothing is asked, and nothing must go wrong.
        never = (self.type_of.to(logits.device) != types) & (types > 0)
        return logits.masked_fill(never, -torch.inf).log_softmax(-1)

    def drawing(
        self, canvas: Canvas, denoise: Denoise | None = None, *, temperature: float = 1.0, top_p: float = 1.0
    ) -> Drawing:
        """What a sampler draws a canvas by; `denoise` replaces the process's own, and the rest is as in `draw`."""
        kind = Drawing if self.plan is None else DrawingInParts
        return kind(self, canvas, denoise or self.denoiser(), temperature=temperature, top_p=top_p)

    def draw(
        self,
        logits: Tensor,
        z: Tensor,
        draws: RowDraws,
        *,
        wanted: Tensor,
        admitted: Tensor | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        places: Places = EVERYWHERE,
        bounds: TimeBounds | None = None,
    ) -> tuple[Tensor, Tensor]:
        """z [B, L] with tokens drawn where `wanted` [B, L] bool hidden ones are, and log p of each, 0 elsewhere.

        `logits` and `places` as from and for `denoise`. With a support the tokens are drawn jointly: what stands, what
        is drawn now and what is left to be drawn can make one legal text; with a plan, so that times add up to less
        than their bar. `admitted` [B, L, V] bool leaves out what a canvas does not allow; `top_p` as in `Support.draw`;
        `bounds` as in Canvas, for tokens without a plan.
        """
        wanted = wanted & (z == self.tokenizer.mask_id)
        how: dict[str, Any] = {"wanted": wanted, "admitted": admitted, "temperature": temperature, "top_p": top_p}
        if self.plan is not None:
            masked = z == self.tokenizer.mask_id
            how["admitted"] = None if admitted is None else admitted[masked]
            at = masked.flatten().nonzero()[:, 0]
            return LaidOut(self, self.laid(z, places), masked).draw(logits[masked], at, z, draws, **how)
        return draw_together(self, logits, z, draws, bounds=bounds, **how)

    def hidden_share(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """m = 1 − α_t and the weight −α'_t / (1 − α_t), at times t [...] float64 in (0, 1]."""
        late, early = (t + SPAN).clamp(max=1), t - SPAN
        slope = (self.schedule.alpha_bar(late) - self.schedule.alpha_bar(early)) / (late - early)
        m = 1 - self.schedule.alpha_bar(t)
        return m, -slope / m.clamp(min=SPAN)

    def level(self, t: Tensor) -> Tensor:
        """The share hidden, m = 1 − α_t, float32."""
        return self.hidden_share(exact(t))[0].float().to(t.device)

    def objective(self, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
        """[B, L] the integrand of the bound in nats."""
        m, weight = (each.float().to(t.device) for each in self.hidden_share(exact(t)))
        hidden = z == self.tokenizer.mask_id
        return weight[:, None] * self._nats(batch.ids, hidden, m, batch.places())

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """ "loss": the objective in nats per token, at one t a row; with a plan, at one for each part of a row.

        "loss_given" is that of the rows of which something is given, as far as the step has as many as it should.
        """
        if self.plan is None:
            return super().loss(batch, generator)
        base = spread_times(batch, generator)
        length, device = batch.ids.shape[1], batch.ids.device
        uniform = batch.rows_of(lambda rows: draw_uniform(generator, (rows, length), device))
        places = batch.places(self.type_of[batch.ids])
        laid = self.laid(batch.ids, places)
        shown = torch.zeros_like(base, dtype=torch.bool)
        if self.given:
            choice = batch.rows_of(lambda rows: draw_uniform(generator, (rows, 4), device))
            shown = choice[:, 0] < self.given
            laid = laid.given_at(chosen_bars(laid, choice[:, 1:]) & shown[:, None])
        t = self.least_time + (1 - self.least_time) * ((base[:, None] + laid.part.clamp(min=0) * GOLDEN) % 1)  # [B, P]
        m, weight = (each.float().to(device) for each in self.hidden_share(exact(t)))
        hidden = laid.drawn & (grouped(uniform, self.group) < m[..., None])
        nats = (weight[..., None] * nats_in_parts(self, batch.ids, hidden, m, laid)).flatten(1)
        losses = {"loss": batch.mean(nats, "tokens")}
        if self.given:
            losses["loss_given"] = batch.mean((nats * shown[:, None]).detach(), "tokens") / self.given
        return losses

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """The bound above, in the one term "diffusion"; with `levels` numbers k of hidden tokens for each part.

        They are drawn stratified; None, or as many as there are tokens, takes each k once. Which tokens are hidden is
        drawn either way. Raises DiffmidiError where tokens stand that the support leaves out.
        """
        if self.support is not None:
            self.support.check(batch)
        windows = self.windows(batch)
        part, counts, places = windows.part, windows.counts, windows.places
        k, weight = numbers_hidden(counts, levels, generator)  # [K, B, M]
        before = counts.cumsum(-1) - counts  # tokens of parts before
        bits = torch.zeros(batch.ids.shape, device=batch.ids.device)
        by_level = bits.new_zeros(len(bits), LEVEL_BINS)
        at_once = max(1, POSITIONS_AT_ONCE // batch.ids.numel())
        of = part.clamp(min=0)
        for some, weights in zip(torch.split(k, at_once), torch.split(weight, at_once), strict=True):  # [n, B, M]
            n = len(some)
            order = draw_uniform(generator, (n, *part.shape), part.device).double() + of
            rank = order.masked_fill(part < 0, torch.inf).argsort(-1).argsort(-1)
            several = of.expand(n, -1, -1)
            hidden = (part >= 0) & (rank - before.expand(n, -1, -1).gather(-1, several) < some.gather(-1, several))
            ids, again = batch.ids.repeat(n, 1), places.repeated(n)
            share = some / windows.sizes.clamp(min=1)
            nats = self.nats_at(ids, hidden.flatten(0, 1), share.flatten(0, 1), again)
            charged = weights.gather(-1, several) * nats.view(hidden.shape)
            bits += charged.sum(0) / LN2
            # (0, 1 / LEVEL_BINS] of a part is the first: of whole numbers, so that no share falls beside an edge.
            level = ((some * LEVEL_BINS - 1) // windows.sizes.clamp(min=1)).clamp(min=0, max=LEVEL_BINS - 1)
            by_level += by_bin(charged, level.gather(-1, several)) / LN2
        return Bound({"diffusion": bits}, batch.tokens, by_level)

    def windows(self, batch: Batch) -> Windows:
        """The batch in parts."""
        places = batch.places(None if self.plan is None else self.type_of[batch.ids])
        if self.plan is None:
            part = batch.loss_mask().long() - 1
        else:
            laid = self.laid(batch.ids, places)
            part = torch.where(laid.drawn, laid.part[..., None], -1)
            part = ungrouped(part + 1, self.group, batch.ids.shape[1]) - 1
        windows = Windows(batch.ids, part, counts_of(part), places)
        return windows if batch.given is None else windows.giving(batch.given)

    def laid(self, z: Tensor, places: Places) -> Laid:
        """Texts z [B, L] laid out in parts; there is a plan."""
        assert self.plan is not None
        types = self.plan.types(z) if places.types is None else places.types
        return replace(self.plan.laid(types, places.mask, places.given), condition=places.condition)

    def nats_at(self, ids: Tensor, hidden: Tensor, m: Tensor, places: Places) -> Tensor:
        """[B, L] −log p where hidden, else 0, as `Nats` (`revealing.py`); m [B, M] by part."""
        if self.plan is None:
            return self._nats(ids, hidden, m[:, 0], places)
        laid = self.laid(ids, places)
        level = m.gather(1, laid.part.clamp(min=0, max=m.shape[1] - 1))  # parts without hidden tokens have no m
        nats = nats_in_parts(self, ids, grouped(hidden, self.group), level, laid)
        return ungrouped(nats, self.group, ids.shape[1])

    def _nats(self, ids: Tensor, hidden: Tensor, m: Tensor, places: Places) -> Tensor:
        """[B, L] −log p(w_l | z) where the tokens are hidden, 0 elsewhere."""
        logits = self.denoise(ids.masked_fill(hidden, self.tokenizer.mask_id), m, places)
        return nats_of(self.log_probabilities(logits.float()), ids, hidden)
