"""Process `uniform`: D3PM with a uniform transition matrix (Austin et al. 2021, arXiv:2107.03006).

At level m_i a token is with probability m_i another one, any that the grammar lets stand in its place. The bound is the
sum of the chain's T steps,

    −log p(w) ≤ KL(q(z_T | w) ‖ π) + Σ_{i=1}^{T} E KL(q(z_{i−1} | z_i, w) ‖ p(z_{i−1} | z_i))         (their eq. 1)

where p(z_{i−1} | z_i) = Σ_w q(z_{i−1} | z_i, w) p(w | z_i) of the network's p(w | z_i) (their eq. 4). z_0 is the music
itself, so the step i = 1 costs −log p(w | z_1).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi.api.process import (
    EVERYWHERE,
    Backbone,
    Batch,
    Bound,
    Corruption,
    Neighbours,
    NoiseSchedule,
    Places,
    Support,
    TokenDiffusion,
    TokenHead,
    Tokenizer,
    draw_uniform,
    time_embedding,
)
from diffmidi_uniform_noise.declarations import UniformOptions

HEAD_STD = 0.02


class Uniform(TokenDiffusion):
    """Token embeddings and the level into the backbone, a head over the tokens out of it. The family "uniform"."""

    options: UniformOptions

    def __init__(
        self, options: UniformOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule, typed=True)
        self.legal = Support(tokenizer.grammar, backbone.length)
        allowed = self.legal.allowed(backbone.length).double()  # [L, V]
        self.corruption = Corruption(allowed / allowed.sum(-1, keepdim=True))
        width = backbone.width
        self.tokens = TokenHead(len(tokenizer.vocab), width, std=options.init_std, head_std=HEAD_STD)
        self.time = nn.Sequential(nn.Linear(options.time_width, width), nn.SiLU(), nn.Linear(width, width))
        self.neighbours = Neighbours(width, options.neighbours)
        self.levels: Tensor  # [T + 1] m_0 = 0 to m_T
        times = torch.linspace(0, 1, options.steps + 1, dtype=torch.float64)
        self.register_buffer("levels", (1 - schedule.alpha_bar(times)).float(), persistent=False)

    def denoise(self, z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of the music, from z [B, L] at the level m [B]."""
        waves = time_embedding(1000 * m.float(), self.options.time_width)
        hidden = self.neighbours(self.tokens.embed(z) + self.time(waves)[:, None], places.mask)  # [B, L, H]
        logits: Tensor = self.tokens(self.backbone(hidden, places.mask))
        return logits

    def level(self, t: Tensor) -> Tensor:
        """m_i, each i of 1 to T as likely."""
        return self.levels[self._step(t)]

    def objective(self, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
        """[B, L] T times the divergence of one step, in nats."""
        return self.options.steps * self.divergence(batch, z, self._step(t))

    def divergence(self, batch: Batch, z: Tensor, i: Tensor) -> Tensor:
        """[B, L] KL(q(z_{i−1} | z_i, w) ‖ p(z_{i−1} | z_i)) in nats at music, z [B, L] being at the steps i [B]."""
        m, before = self.levels[i], self.levels[i - 1]
        p = self.log_probabilities(self.denoise(z, m, batch.places()).float()).exp()
        # Where no music stands neither says anything, and nothing must go wrong.
        known = F.one_hot(batch.ids, p.shape[-1]).to(p.dtype)
        q = self.corruption.posterior(z, m, before, known)
        ours = self.corruption.posterior(z, m, before, p)
        music = batch.loss_mask()[..., None] & (q > 0)
        least = torch.finfo(p.dtype).tiny
        return torch.where(music, q * (q.clamp(min=least).log() - ours.clamp(min=least).log()), 0).sum(-1)

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """The bound in terms "prior" and "diffusion"; with `levels` steps drawn for each window, stratified."""
        self.legal.check(batch)
        steps, rows, device = self.options.steps, len(batch.ids), batch.ids.device
        if levels is None or levels >= steps:
            chosen = torch.arange(1, steps + 1, device=device)[:, None].expand(-1, rows)  # [K, B]
        else:
            offset = draw_uniform(generator, (1, rows), device)
            chosen = self._step((torch.arange(levels, device=device)[:, None] + offset) / levels)
        nats = torch.zeros(batch.ids.shape, device=device)
        for i in chosen:
            z = self.corrupted(batch, self.levels[i], generator)
            nats += self.divergence(batch, z, i) * (steps / len(chosen))
        return Bound({"prior": self._prior(batch) / math.log(2), "diffusion": nats / math.log(2)}, batch.tokens)

    def _prior(self, batch: Batch) -> Tensor:
        """[B, L] KL(q(z_T | w) ‖ π) in nats at music: the token itself is likelier than π has it, all others less."""
        last = self.levels[-1].expand(len(batch.ids))
        stays = self.corruption.log_probability(batch.ids, batch.ids, last)
        alone = self.corruption.log_probability(batch.ids, batch.ids, torch.ones_like(last))  # ln π(w)
        others = self.levels[-1] * -alone.expm1()
        return torch.where(batch.loss_mask(), stays.exp() * (stays - alone) + others * self.levels[-1].log(), 0)

    def _step(self, t: Tensor) -> Tensor:
        """Which of the steps 1 to T a time in [0, 1) is in."""
        return (t * self.options.steps).long().clamp(max=self.options.steps - 1) + 1
