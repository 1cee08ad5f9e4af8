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
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import Bound
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.bound import POSITIONS_AT_ONCE
from diffmidi_core.diffusion.categorical import draw_uniform, exact, nucleus, restricted
from diffmidi_core.diffusion.corruption import Corruption
from diffmidi_core.diffusion.token_diffusion import TokenDiffusion

LN2 = math.log(2)
SPAN = 1e-6
"""Of t, over which the schedule's slope is taken."""
NOT_ASKED = -100


class MaskedDiffusion(TokenDiffusion):
    """Tokens hidden one by one behind [MASK]. The family "masked". A subclass gives `denoise`.

    Args:
        typed: leave out of the softmax the tokens whose type cannot stand at their position (`Support`).
    """

    def __init__(
        self, options: Options, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule, typed: bool
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=typed)
        at_mask = torch.arange(len(tokenizer.vocab)) == tokenizer.mask_id
        self.corruption = Corruption(at_mask.float())

    least_time = 1e-3
    """As the authors of MDLM have it: nearer 0 hardly a token is hidden, at a huge weight."""

    def hidden_now(self, z: Tensor) -> Tensor:
        """[B] the share of the tokens of z [B, L] that are hidden."""
        hidden = (z == self.tokenizer.mask_id).sum(-1)
        return hidden / (hidden + (z >= len(SPECIALS)).sum(-1)).clamp(min=1)

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
    ) -> tuple[Tensor, Tensor]:
        """z [B, L] with tokens drawn where `wanted` [B, L] bool hidden ones are, and log p of each, 0 elsewhere.

        `logits` as from `denoise`. With a support the tokens are drawn jointly: what stands, what is drawn now and what
        is left to be drawn can make one legal text. `admitted` [B, L, V] bool leaves out what a canvas does not allow;
        `top_p` as in `Support.draw`.
        """
        hidden = z == self.tokenizer.mask_id
        wanted = wanted & hidden
        log_p = self.log_probabilities(restricted(logits.float(), admitted) / temperature)
        if admitted is not None:  # nothing may stand where the support leaves out all that the canvas allows
            log_p = log_p.masked_fill(log_p.isnan(), -torch.inf)
        if self.support is not None:
            tokens = self.support.draw(log_p, z, ~hidden, draws, wanted=wanted, top_p=top_p)
        else:
            at = wanted.to(log_p.device)
            drawn = draws.categorical(nucleus(log_p[at], top_p), row_of=at.nonzero()[:, 0])
            tokens = z.masked_scatter(wanted, drawn.to(z.device))
        chosen = log_p.gather(-1, tokens.to(log_p.device)[..., None]).squeeze(-1)
        return tokens, chosen.to(z.device, torch.float32).masked_fill(~wanted, 0)

    def hidden_share(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """m = 1 − α_t and the weight −α'_t / (1 − α_t), at times t [B] float64 in (0, 1]."""
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

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """The bound above, in the one term "diffusion"; with `levels` numbers k of hidden tokens for each window.

        They are drawn stratified; None, or as many as there are tokens, takes each k once. Which tokens are hidden is
        drawn either way. Raises DiffmidiError where tokens stand that the support leaves out.
        """
        is_word = batch.loss_mask()
        if self.support is not None:
            self.support.check(batch)
        k, weight = _numbers_hidden(batch.tokens, levels, generator)
        bits = torch.zeros(batch.ids.shape, device=batch.ids.device)
        at_once = max(1, POSITIONS_AT_ONCE // batch.ids.numel())
        for some, weights in zip(torch.split(k, at_once), torch.split(weight, at_once), strict=True):  # [n, B]
            order = draw_uniform(generator, (len(some), *batch.ids.shape), batch.ids.device).masked_fill(~is_word, 2)
            hidden = order.argsort(-1).argsort(-1) < some[..., None]  # [n, B, L]
            ids, places = batch.ids.repeat(len(some), 1), batch.places().repeated(len(some))
            nats = self._nats(ids, hidden.flatten(0, 1), (some / batch.tokens.clamp(min=1)).flatten(), places)
            bits += (weights[..., None] * nats.view(hidden.shape)).sum(0) / LN2
        return Bound(terms={"diffusion": bits}, tokens=batch.tokens)

    def _nats(self, ids: Tensor, hidden: Tensor, m: Tensor, places: Places) -> Tensor:
        """[B, L] −log p(w_l | z) where the tokens are hidden, 0 elsewhere."""
        logits = self.denoise(ids.masked_fill(hidden, self.tokenizer.mask_id), m, places)
        return F.nll_loss(
            self.log_probabilities(logits.float()).mT,
            ids.masked_fill(~hidden, NOT_ASKED),
            reduction="none",
            ignore_index=NOT_ASKED,
        )


def _numbers_hidden(tokens: Tensor, levels: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """[K, B] how many of the tokens [B] are hidden, 1 to N, and the weights with which the tokens' −log p add up.

    They are drawn uniformly, one in each of `levels` equal shares, and weigh N / (levels · k); None, or N and more:
    each, and 1 / k.
    """
    rows, device = len(tokens), tokens.device
    if levels is None or levels >= int(tokens.max()):
        k = torch.arange(1, max(1, int(tokens.max())) + 1, device=device)[:, None]
        return torch.minimum(k, tokens), (k <= tokens) / k
    offset = draw_uniform(generator, (1,), device) + torch.arange(rows, device=device) / rows
    points = (torch.arange(levels, device=device)[:, None] + offset % 1) / levels  # [K, B] in [0, 1)
    k = (1 + (points * tokens).long()).clamp(max=tokens).clamp(min=1)
    return k, tokens / (levels * k)
