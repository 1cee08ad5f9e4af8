"""Process `gaussian`: Diffusion-LM (Li et al. 2022), with the network's x0 parametrisation and a tied rounding head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi_core.api import Backbone, Batch, GaussianProcess, NoiseSchedule, Tokenizer, draw_noise, time_embedding
from diffmidi_processes.declarations import GaussianOptions
from diffmidi_processes.end_to_end import end_to_end_terms

TIME_SCALE = 1000
"""The network is told τ = 1000 t, whatever T is, so that T can change without changing what it learned."""


class Gaussian(GaussianProcess):
    """Words as learned embeddings in R^D; the backbone sees up(x_t) + time, and down(its answer) estimates x_start.

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
        )
        words, dim, width = len(tokenizer.vocab), options.dim, backbone.width
        self.embedding = nn.Parameter(torch.randn(words, dim) * options.init_std)
        self.rounding_bias = nn.Parameter(torch.zeros(words))
        self.up = nn.Sequential(nn.Linear(dim, width), nn.Tanh(), nn.Linear(width, width))
        self.time = nn.Sequential(
            nn.Linear(options.time_width, 4 * options.time_width), nn.SiLU(), nn.Linear(4 * options.time_width, width)
        )
        self.down = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, dim))
        never = torch.zeros(words)
        never[[tokenizer.pad_id, tokenizer.mask_id]] = -torch.inf
        self.never: Tensor
        self.register_buffer("never", never, persistent=False)

    def embeddings(self) -> Tensor:
        """E [V, D]."""
        return self.embedding

    def denoise(self, x_t: Tensor, t: Tensor, keep: Tensor | None = None) -> Tensor:
        """x0_hat [B, L, D] from x_t [B, L, D] at t [B]."""
        time = self.time(time_embedding(TIME_SCALE * t, self.options.time_width))  # [B, H]
        hidden = self.backbone(self.up(x_t) + time[:, None], keep)  # [B, L, H]
        x0_hat: Tensor = self.down(hidden)
        return x0_hat.to(x_t.dtype)

    def round(self, x: Tensor) -> Tensor:
        """E x + bias in full precision also under autocast: it is cheap, and the bound's bits hang on it."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x, self.embedding, self.rounding_bias + self.never)

    def predict(self, x_t: Tensor, t: Tensor, keep: Tensor | None = None) -> Tensor:
        """What the bound judges: see the option `bound_prediction`."""
        x0_hat = self.denoise(x_t, t, keep)
        if self.options.bound_prediction == "raw":
            return x0_hat
        if self.options.bound_prediction == "mean":
            return self.mean_embedding(x0_hat)
        return self.posterior_embedding(x_t, t, x0_hat)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The end-to-end loss at one t a row, uniform over the levels: "loss", and its parts mse, prior, rounding."""
        length, dim = batch.ids.shape[1], self.options.dim

        def draw_t(rows: int) -> Tensor:
            return torch.randint(len(self.levels), (rows,), generator=generator, device=generator.device)

        def draw(rows: int) -> Tensor:
            return draw_noise(generator, self.embedding.new_empty(rows, length, dim))

        terms = end_to_end_terms(
            batch.ids,
            batch.keep,
            batch.rows_of(draw_t).to(batch.ids.device, non_blocking=True),
            batch.rows_of(draw),
            batch.rows_of(draw),
            embeddings=self.embedding,
            denoise=self.denoise,
            round_=self.round,
            levels=self.levels,
            start_std=self.start_std,
        )
        parts = {"mse": terms.mse, "prior": terms.prior, "rounding": terms.rounding}
        means = {name: batch.mean(part, "rows") for name, part in parts.items()}
        loss = torch.stack(list(means.values())).sum()
        return {"loss": loss, **{name: mean.detach() for name, mean in means.items()}}
