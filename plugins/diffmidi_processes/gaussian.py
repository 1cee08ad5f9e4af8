"""Process `gaussian`: Diffusion-LM (Li et al. 2022), with the network's x0 parametrisation and a tied rounding head.

With its defaults it is the published model. Each option is one later finding, and none touches the bound's validity:
the levels stay those of the schedule, and the bound holds for any estimate of the embeddings, however it was learned.
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
    GaussianDiffusion,
    Labelled,
    Neighbours,
    NoiseSchedule,
    Places,
    TokenHead,
    Tokenizer,
    draw_noise,
    draw_uniform,
    places_of_groups,
    side_by_side,
    time_embedding,
    uniform_levels,
)
from diffmidi_processes.declarations import GaussianOptions
from diffmidi_processes.end_to_end import end_to_end_terms
from diffmidi_processes.loss_curve import LossCurve

TIME_SCALE = 1000
"""The network is told τ = 1000 t, whatever T is, so that T can change without changing what it learned."""


class Rounding(TokenHead):
    """The embeddings, and p(w | x) = softmax(E x + bias) over all tokens but [PAD] and [MASK]."""

    def __init__(self, options: GaussianOptions, tokenizer: Tokenizer) -> None:
        never = (tokenizer.pad_id, tokenizer.mask_id)
        super().__init__(len(tokenizer.vocab), options.dim, std=options.init_std, transform=False, never=never)
        self.length = math.sqrt(options.dim) if options.sphere else None
        self.noise_scale = options.noise_scale

    def table(self) -> Tensor:
        """E [V, D]; of length √D / noise_scale on the sphere.

        x_t = √ᾱ E[w] + √(1−ᾱ) F ε and x_t / F = √ᾱ E[w]/F + √(1−ᾱ) ε are the same chain in other units: so the noise
        is scaled by F (Gao et al. 2024, Difformer, arXiv:2212.09412) by dividing the embeddings, and the prior stays
        N(0, I).
        """
        table: Tensor = self.embedding
        if self.length is not None:
            table = self.length * F.normalize(table, dim=-1)
        return table / self.noise_scale

    def forward(self, x: Tensor) -> Tensor:
        """Logits [..., V] of points x [..., D].

        E and x are taken in the units in which noise has the scale it was given, so that it makes no token less sure.
        """
        return super().forward(x * self.noise_scale**2)


class Gaussian(Labelled, GaussianDiffusion):
    """Tokens as learned embeddings in R^D; the backbone sees up(x_t) + time, and down(its answer) estimates x_start.

    Rounding is p(w | x) = softmax(E x + bias), its matrix the embeddings themselves (stored once). [PAD] and [MASK]
    have no share in it, as they stand at no kept position.
    """

    options: GaussianOptions

    def __init__(
        self, options: GaussianOptions, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule
    ) -> None:
        super().__init__(
            options,
            tokenizer=tokenizer,
            backbone=backbone,
            schedule=schedule,
            steps=options.steps,
            start_std=options.start_std,
            typed=options.typed,
            group=tokenizer.group if options.notes else 1,
        )
        dim, width = options.dim, backbone.width
        self.self_conditioned = options.self_conditioning
        self.tokens = Rounding(options, tokenizer)
        seen = 2 * dim if options.self_conditioning else dim
        self.up = nn.Sequential(nn.Linear(self.group * seen, width), nn.Tanh(), nn.Linear(width, width))
        self.time = nn.Sequential(
            nn.Linear(options.time_width, 4 * options.time_width), nn.SiLU(), nn.Linear(4 * options.time_width, width)
        )
        self.down = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, self.group * dim))
        self.neighbours = Neighbours(width, options.neighbours) if options.neighbours else None
        self.loss_curve = None if options.times == "uniform" else LossCurve(options.times)

    @classmethod
    def positions(cls, options: GaussianOptions, tokenizer: Tokenizer, length: int, bars: int) -> int:
        """One for each group of tokens, or for each token."""
        return places_of_groups(tokenizer, length, bars, notes=options.notes)

    def embeddings(self) -> Tensor:
        """E [V, D]."""
        return self.tokens.table()

    def network(self, x_t: Tensor, t: Tensor, places: Places, previous: Tensor | None = None) -> Tensor:
        """What the network says, [B, L, D]: a point whose rounding is what it thinks of the tokens."""
        seen = x_t if self.options.seen == "noisy" else self.mean_under(self._told_alone(x_t, t, places))
        if self.self_conditioned:
            seen = torch.cat([seen, torch.zeros_like(x_t) if previous is None else previous], -1)
        time = self.time(time_embedding(TIME_SCALE * t, self.options.time_width))  # [B, H]
        mask = places.mask
        if self.group > 1:
            seen, mask = side_by_side(seen, self.group, mask)
        hidden = self.up(seen) + time[:, None]  # [B, P, H]
        if self.neighbours is not None:
            hidden = self.neighbours(hidden, mask)
        hidden = self.with_labels(hidden, places.condition)
        said: Tensor = self.down(self.backbone(hidden, mask)).to(x_t.dtype)
        return said if self.group == 1 else self._between_ends(said, x_t.shape[1], places)

    def _told_alone(self, x_t: Tensor, t: Tensor, places: Places) -> Tensor:
        """Logits [B, L, V] of each token by its own x_t alone, as likely as any that may stand there before it is seen.

        At the levels where tokens are decided x_t is mostly noise, in all its D dimensions; what it says of the token
        is in its products with the embeddings alone, and the network is spared to find them (Graves et al. 2023,
        Bayesian Flow Networks, arXiv:2308.07037, whose networks see such a posterior).
        """
        never = torch.zeros(len(self.tokens.embedding), dtype=torch.bool, device=x_t.device)
        never[[self.tokenizer.pad_id, self.tokenizer.mask_id]] = True
        logits = self.evidence(x_t, t).masked_fill(never, -torch.inf)
        if self.support is None:
            return logits
        return logits.masked_fill(~self._allowed(self.support, x_t.shape[-2], places.mask), -torch.inf)

    def _between_ends(self, said: Tensor, length: int, places: Places) -> Tensor:
        """[B, L, D] of groups [B, P, g · D], with the embeddings of [CLS] and [SEP] at the ends, which are known."""
        said = said.view(len(said), -1, self.options.dim)
        said = said[:, : length - 2]
        ends = torch.zeros(length, dtype=torch.int64, device=said.device).expand(len(said), -1).clone()
        last = length - 1 if places.mask is None else places.mask.sum(-1) - 1
        ends[:, 0] = self.tokenizer.cls_id
        ends[torch.arange(len(said), device=said.device), last] = self.tokenizer.sep_id
        return torch.where((ends > 0)[..., None], self.embed(ends).to(said.dtype), F.pad(said, (0, 0, 1, 1)))

    def denoise(self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE, previous: Tensor | None = None) -> Tensor:
        """x0_hat [B, L, D] from x_t [B, L, D] at t [B]: what the network says, or the mean embedding under it."""
        if self.options.objective == "cross_entropy":
            return self.denoise_words(x_t, t, places, previous)[0]
        return self.network(x_t, t, places, previous)

    def denoise_words(
        self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same, and the logits [B, L, V] of the tokens."""
        said = self.network(x_t, t, places, previous)
        logits = self.word_logits(said, x_t, t, places)
        return self.mean_under(logits) if self.options.objective == "cross_entropy" else said, logits

    def word_logits(self, said: Tensor, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of the tokens, from what the network `said`.

        With an output prior (Gulrajani & Hashimoto 2023, Plaid, arXiv:2305.18619) ln q(x_t | w) is added, which is
        known: by Bayes' rule p(w_l | x_t) ∝ q(x_t,l | w_l) p(w_l | the x_t of other positions), so that the network is
        left with what follows from the context.
        """
        logits = self.logits(said, places)
        return logits + self.evidence(x_t, t) if self.options.output_prior else logits

    def round(self, x: Tensor) -> Tensor:
        """Logits [..., V]: see `Rounding`."""
        logits: Tensor = self.tokens(x)
        return logits

    def predict(self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """What the bound judges: see the option `bound_prediction`."""
        more = {"previous": self.denoise(x_t, t, places)} if self.self_conditioned else {}
        which = self.options.bound_prediction
        if which == "raw" or self.options.output_prior:
            return self.denoise(x_t, t, places, **more)
        if self.options.objective == "cross_entropy":
            said = self.network(x_t, t, places, **more)
        else:
            said = self.denoise(x_t, t, places, **more)
        return self.mean_embedding(said, places) if which == "mean" else self.posterior_embedding(x_t, t, said, places)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The end-to-end loss at one t a row: "loss", and its parts.

        These are "prior", "rounding" and, by the objective, "mse", or "tokens", or both: then "tokens" takes the place
        of "rounding", being harder (Difformer's anchor loss).
        """
        length, dim, objective = batch.ids.shape[1], self.options.dim, self.options.objective
        places = batch.places()

        def draw(rows: int) -> Tensor:
            return draw_noise(generator, self.tokens.embedding.new_empty(rows, length, dim))

        t, weight = self._draw_levels(batch, generator)
        terms = end_to_end_terms(
            batch.ids,
            batch.attention_mask,
            t,
            batch.rows_of(draw),
            batch.rows_of(draw),
            embeddings=self.embeddings(),
            denoise=lambda x_t, time: self._trained(batch, x_t, time, places),
            round_=lambda x: self.logits(x, places),
            levels=self.levels,
            start_std=self.start_std,
            say=None if objective == "mse" else lambda said, x_t, time: self.word_logits(said, x_t, time, places),
        )
        denoising = {"mse": ("mse",), "anchor": ("mse", "tokens"), "cross_entropy": ("tokens",)}[objective]
        parts = {name: weight * getattr(terms, name) for name in denoising} | {"prior": terms.prior}
        if objective != "anchor":
            parts["rounding"] = terms.rounding
        means = {name: batch.mean(part, "rows") for name, part in parts.items()}
        loss = torch.stack(list(means.values())).sum()
        if self.loss_curve is not None:
            found = torch.stack([getattr(terms, name) for name in denoising]).sum(0)
            loss = loss + batch.mean(self.loss_curve.misfit(t / len(self.levels), found), "rows")
        return {"loss": loss, **{name: mean.detach() for name, mean in means.items()}}

    def _draw_levels(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """[B] int64 levels to train at, and the weight of each row's denoising loss."""
        device, count, curve = batch.ids.device, len(self.levels), self.loss_curve
        if curve is None:
            return uniform_levels(batch, generator, count), torch.ones(len(batch.ids), device=device)

        def learned(rows: int) -> Tensor:
            return torch.stack(curve.draw(draw_uniform(generator, (1,), device), rows), -1)

        times, weight = batch.rows_of(learned).unbind(-1)
        return (times * count).long(), weight

    def _trained(self, batch: Batch, x_t: Tensor, time: Tensor, places: Places) -> Tensor:
        """What the network says of x_t; every other row of the step is first shown what it says without (Analog Bits).

        So half of the rows are trained either way, and only they pay for a second pass, which has no gradient. Rows are
        drawn at random, hence their numbers may choose.
        """
        if not self.self_conditioned:
            return self.network(x_t, time, places)
        rows = slice(int(batch.rows_of(torch.arange)[0]) % 2, None, 2)
        previous = torch.zeros_like(x_t)
        if len(previous[rows]):
            with torch.no_grad():
                previous[rows] = self.denoise(x_t[rows], time[rows], places.rows(rows))
        return self.network(x_t, time, places, previous)
