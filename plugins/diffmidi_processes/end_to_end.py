"""The end-to-end objective of Diffusion-LM: embeddings, denoiser and rounding head trained as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi.api.process import GaussianLevels, q_sample

IGNORED = -100


@dataclass(frozen=True)
class EndToEndTerms:
    """The terms of the loss, [B] each: a mean over kept positions (and channels) of each row.

    Attributes:
        mse: ‖x_start − x0_hat‖², at t = 0 ‖E[w] − x0_hat‖².
        tokens: −ln p(w | x0_hat, x_t), nats: of the tokens under what the network says; 0 where it was not asked for.
        prior: ‖√ᾱ_{T−1} x_start‖², what is left of the tokens at the noisiest level.
        rounding: −ln p(w | x_start), nats.
    """

    mse: Tensor
    tokens: Tensor
    prior: Tensor
    rounding: Tensor


def end_to_end_terms(
    ids: Tensor,
    mask: Tensor | None,
    t: Tensor,
    start_noise: Tensor,
    noise: Tensor,
    *,
    embeddings: Tensor,
    denoise: Callable[[Tensor, Tensor], Tensor],
    round_: Callable[[Tensor], Tensor],
    levels: GaussianLevels,
    start_std: float,
    say: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
) -> EndToEndTerms:
    """Li et al. 2022 (Diffusion-LM), eq. 2 and section 4.2; their code sums mse, prior and rounding, 1 for each.

    Nothing is detached: the embeddings learn as target, as input, and through the rounding head.

    Args:
        ids: [B, L] tokens.
        mask: [B, L] bool, True at real positions; None: all are.
        t: [B] int64 noise levels.
        start_noise: [B, L, D] standard normal, makes x_start from the embeddings.
        noise: [B, L, D] standard normal, makes x_t from x_start.
        embeddings: E [V, D].
        denoise: (x_t [B, L, D], time [B] in [0, 1)) to x0_hat [B, L, D].
        round_: x [B, L, D] to logits [B, L, V].
        levels: the noise levels.
        start_std: the standard deviation of x_start round E[w].
        say: (x0_hat, x_t, time) to logits [B, L, V] of the tokens, for the term `tokens`.
    """
    clean = F.embedding(ids, embeddings)
    x_start = clean + start_std * start_noise
    x_t = q_sample(levels, x_start, t, noise)
    time = levels.on(x_t).times[t]
    x0_hat = denoise(x_t, time)
    target = torch.where((t == 0)[:, None, None], clean, x_start)
    left = levels.on(x_start).sqrt_alpha_bar[-1] * x_start
    tokens = ids if mask is None else ids.masked_fill(~mask, IGNORED)

    def nats(logits: Tensor) -> Tensor:
        return _mean(F.cross_entropy(logits.mT, tokens, reduction="none", ignore_index=IGNORED), mask)

    return EndToEndTerms(
        mse=_mean(((target - x0_hat) ** 2).mean(-1), mask),
        tokens=x_t.new_zeros(len(ids)) if say is None else nats(say(x0_hat, x_t, time)),
        prior=_mean((left**2).mean(-1), mask),
        rounding=nats(round_(x_start)),
    )


def _mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """[B, L] to [B], the mean over kept positions."""
    return values.mean(-1) if mask is None else (values * mask).sum(-1) / mask.sum(-1).clamp(min=1)
