"""A variational bound on −log₂ p(tokens) for a Gaussian chain that starts at an embedding.

Take the embedding e = E[w] as the data and fold the noise put on it (x_start = e + s₀ n) into the chain. Every level
is then normal given the tokens: q(x_t | w) = N(√ᾱ_t e, v_t), v_t = ᾱ_t s₀² + 1 − ᾱ_t, and x_start is a level more,
below all others, with ᾱ = 1 and v = s₀². These levels are a Gaussian chain with falling SNR = ᾱ/v, so with variances
taken from its own posterior (Kingma et al. 2021, Variational Diffusion Models, eq. 11–15)

    −log p(w) ≤ KL(q(x_{T−1} | w) ‖ N(0, I))                                        "prior"
              + Σ_t ½ (SNR_{t−1} − SNR_t) E ‖e − ê(x_t, t)‖²                          "diffusion"; SNR_{−1} = 1/s₀²
              + E_{q(x_start | w)} [−log p(w | x_start)]                              "rounding"

for any map ê of x_t to an estimate of e. A model that knows the tokens pays for prior and rounding alone: the bound
Diffusion-LM reports charges even that model, for a variance it fixes too small at t = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import LEVEL_BINS
from diffmidi_core.diffusion.drawn_levels import level_probabilities
from diffmidi_core.diffusion.kl import normal_kl
from diffmidi_core.diffusion.levels import GaussianLevels
from diffmidi_core.diffusion.steps import draw_noise

LN2 = math.log(2)

POSITIONS_AT_ONCE = 16_384
"""How many positions the denoiser is given in one call, at most (but one level of one batch at least)."""

Predict = Callable[[Tensor, Tensor, Places], Tensor]
"""x_t [B, L, D], t [B] in [0, 1), places: the estimate of the embeddings [B, L, D]."""


def marginal_variance(levels: GaussianLevels, start_std: float) -> Tensor:
    """[N] v_t = ᾱ_t s₀² + 1 − ᾱ_t, the variance of x_t given the tokens."""
    return levels.alpha_bar * start_std**2 + 1 - levels.alpha_bar


def signal_to_noise(levels: GaussianLevels, start_std: float) -> Tensor:
    """[N] SNR_t = ᾱ_t / v_t, falling."""
    return levels.alpha_bar / marginal_variance(levels, start_std)


def snr_drops(levels: GaussianLevels, start_std: float) -> Tensor:
    """[N] SNR_{t−1} − SNR_t: twice what a squared error of 1 costs at level t, in nats."""
    first = levels.alpha_bar.new_tensor([start_std**-2])
    return -torch.cat([first, signal_to_noise(levels, start_std)]).diff()


def prior_bits(levels: GaussianLevels, start_std: float, clean: Tensor, mask: Tensor) -> Tensor:
    """[B, L] KL(q(x_{T−1} | w) ‖ N(0, I)) in bits, over all channels, 0 where not kept; `clean` [B, L, D] is E[w]."""
    mean = levels.on(clean).sqrt_alpha_bar[-1] * clean
    log_variance = clean.new_tensor(math.log(float(marginal_variance(levels, start_std)[-1])))
    nats = normal_kl(mean, log_variance, torch.zeros_like(mean), torch.zeros_like(log_variance))
    return nats.sum(-1) * mask / LN2


def diffusion_bits(
    levels: GaussianLevels,
    start_std: float,
    clean: Tensor,
    places: Places,
    predict: Predict,
    generator: torch.Generator,
    count: int | None,
    errors: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """[B, L] the sum over all levels in bits, summed over channels, 0 at positions that are not kept; and by level.

    The second is [B, LEVEL_BINS], each window's bits by where among all levels they are charged.

    `count` None, or not below the number of levels, takes every level once. Else `count` levels are drawn for each row,
    stratified, with the probabilities p_t that `level_probabilities` makes of `errors` [N] (those of a denoiser without
    context; None: nothing is known of them), and each counts 1/(count p_t): unbiased, whatever the errors.

    The draws depend on the shapes, the generator and the errors: two models with the same embeddings, on the same
    windows, see the same levels and noise, and their difference is known better than either. Of models with embeddings
    of their own the levels differ as far as their errors do, and are stratified alike.
    """
    drops = snr_drops(levels, start_std)
    rows = len(clean)
    if count is None or count >= len(drops):
        index = torch.arange(len(levels))[:, None].expand(-1, rows)  # [K, B]
        weights = drops
    else:
        p = level_probabilities(drops, torch.zeros_like(drops) if errors is None else errors)
        offsets = torch.rand(1, generator=generator, device=generator.device, dtype=clean.dtype).cpu().double()
        index = stratified(p, count, (offsets + torch.arange(rows) / rows) % 1)
        weights = drops / (count * p)
    mean_of, std_of = levels.alpha_bar.sqrt(), marginal_variance(levels, start_std).sqrt()
    real = torch.ones(clean.shape[:2], dtype=torch.bool, device=clean.device) if places.mask is None else places.mask
    bits = torch.zeros(clean.shape[:2], dtype=clean.dtype, device=clean.device)
    by_level = bits.new_zeros(rows, LEVEL_BINS)
    for some in torch.split(index, max(1, POSITIONS_AT_ONCE // real.numel())):  # [k, B]
        mean, std, weight, times = (
            table[some].to(clean.dtype).to(clean.device) for table in (mean_of, std_of, weights, levels.times)
        )
        noise = torch.stack([draw_noise(generator, clean) for _ in some])  # [k, B, L, D]
        x_t = mean[..., None, None] * clean + std[..., None, None] * noise
        guess = predict(x_t.flatten(0, 1), times.flatten(), places.repeated(len(some))).view(x_t.shape)
        error = ((clean - guess) ** 2).sum(-1)  # [k, B, L]
        charged = weight[..., None] * error * real
        bits += charged.sum(0) / (2 * LN2)
        level = (some * LEVEL_BINS // len(drops)).to(bits.device)  # [k, B]
        by_level += by_bin(charged.sum(-1, keepdim=True), level[..., None]) / (2 * LN2)
    return bits, by_level


def by_bin(charged: Tensor, level: Tensor) -> Tensor:
    """[B, LEVEL_BINS] the sums of what is charged [K, B, M] by its bin [K, B, M] int64."""
    sums = charged.new_zeros(charged.shape[1], LEVEL_BINS)
    return sums.scatter_add(1, level.transpose(0, 1).flatten(1), charged.transpose(0, 1).flatten(1))


def stratified(p: Tensor, count: int, offsets: Tensor) -> Tensor:
    """[count, B] indices drawn from the probabilities `p` [K], one in each of `count` equal shares of them.

    `offsets` [B] in [0, 1) say where in its shares each row draws. Over uniform offsets, index k is drawn count·p_k
    times on average.
    """
    edges = p.cumsum(0) / p.sum()
    points = (torch.arange(count, dtype=p.dtype)[:, None] + offsets) / count
    return torch.searchsorted(edges, points, right=True).clamp(max=len(p) - 1)
