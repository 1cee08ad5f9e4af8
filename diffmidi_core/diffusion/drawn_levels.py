"""Which noise levels a bound of few of them is estimated at: where a denoiser without context is charged.

The diffusion term Σ_t f_t, f_t = ½ (SNR_{t−1} − SNR_t) E ‖e − ê(x_t, t)‖², is estimated by importance sampling: levels
are drawn with probabilities p_t, and each counts f_t/p_t. That is unbiased for any p > 0, and the less noisy the more p
is like f. Tokens are settled within a narrow band of levels (Dieleman et al. 2022, CDCD, arXiv:2211.15089, section 5,
warp time for that in training), and where it lies can be computed: most of p follows what is charged to the best
denoiser that knows the embeddings, the type of each token and how often each token stands, but not what stands around
it. Its error at SNR γ is

    M(γ) = E ‖e − E[e | y]‖²,  y = e + n / √γ,  e = E[w],  w ~ p(w | its type),

and ½ ∫ M dγ = the entropy of such tokens in nats (Guo, Shamai & Verdú 2005), of which nothing is paid at other levels.
A good model knows more, and is charged less than it at each level: then no level counts for more than the sum of that,
over the share of the draws. What a bad model may be charged elsewhere is seen to by the shares of p that are uniform
and that follow the weights SNR_{t−1} − SNR_t (defensive importance sampling, Hesterberg 1995).
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffmidi_core.contracts.tokenizer import SPECIALS

UNIFORM = 0.4
"""The share of level draws that is uniform over the levels.

At a fourth of that a trained model's bound is hardly known better, and one that was never trained, which is charged at
less noise than a denoiser that knows how frequent tokens are, is known worse (benchmarks/levels.py).
"""

DEFENSIVE = 0.05
"""The share that follows the weights: no level counts for more than 1/DEFENSIVE of its own, however bad the model."""

GRID = 48
"""At how many SNR, evenly spaced in their logarithm, M is computed; between them it is interpolated."""

SAMPLES = 256
"""Of how many tokens M is the mean."""

MOST = 1024
"""How many tokens the denoiser without context chooses among, at most: the most frequent."""


def level_probabilities(drops: Tensor, errors: Tensor) -> Tensor:
    """[N] the probabilities that levels are drawn with, of the weights SNR_{t−1} − SNR_t and errors M [N], float64."""
    charged = drops * errors
    total = charged.sum()
    # Where nothing is charged without context (one token a type), the levels are as good as each other.
    followed = charged / total if total > 0 else torch.full_like(drops, 1 / len(drops))
    return (1 - UNIFORM - DEFENSIVE) * followed + UNIFORM / len(drops) + DEFENSIVE * drops / drops.sum()


@torch.no_grad()
def errors_without_context(snr: Tensor, table: Tensor, ids: Tensor, type_of: Tensor) -> Tensor:
    """[N] M at each SNR [N], falling, of tokens that stand as often as in `ids`; float64 on the CPU.

    Args:
        snr: [N] float64, above 0.
        table: E [V, D], on any device.
        ids: [M] int64, the tokens of some windows; others of their types count for half of one. Specials do not count.
        type_of: [V] int64 the type of each token.

    Noise is of a fixed generator: the same arguments give the same errors.
    """
    counts = torch.bincount(ids.cpu(), minlength=len(table)).double()
    type_of = type_of.cpu()
    stands = torch.zeros(int(type_of.max()) + 1, dtype=torch.bool)
    stands[type_of[counts > 0]] = True
    prior = (counts + 0.5) * stands[type_of]
    prior[: len(SPECIALS)] = 0
    if not prior.any():
        return torch.zeros_like(snr)
    kept = prior.argsort(descending=True, stable=True)[: min(MOST, int((prior > 0).sum()))]
    return _on_grid(snr, table[kept.to(table.device)].cpu().float(), prior[kept], type_of[kept])


def _on_grid(snr: Tensor, table: Tensor, prior: Tensor, types: Tensor) -> Tensor:
    """[N] M of tokens with embeddings [U, D], as frequent as `prior` [U] says, among those of the same of `types`."""
    points = (torch.arange(SAMPLES, dtype=prior.dtype) + 0.5) / SAMPLES * prior.sum()
    drawn = torch.searchsorted(prior.cumsum(0), points).clamp(max=len(prior) - 1)  # [S], each as often as it stands
    clean, generator = table[drawn], torch.Generator().manual_seed(0)
    before = prior.log().float().masked_fill(types != types[drawn, None], -torch.inf)  # [S, U]
    lengths = (table**2).sum(-1)
    grid = torch.linspace(float(snr[-1].log()), float(snr[0].log()), GRID, dtype=torch.float64)
    found = []
    with torch.autocast("cpu", enabled=False):
        for gamma in grid.exp().tolist():
            # ln p(w | y) of y = e + n / √γ: γ (y · E[w] − ½ ‖E[w]‖²) but for what is the same for all w
            noise = torch.randn(clean.shape, generator=generator)
            logits = (gamma * clean + gamma**0.5 * noise) @ table.T - gamma / 2 * lengths + before
            found.append(((clean - logits.softmax(-1) @ table) ** 2).sum(-1).mean())
    return interpolated(snr.log(), grid, torch.stack(found).double())


def interpolated(x: Tensor, grid: Tensor, values: Tensor) -> Tensor:
    """[N] a function at x [N], linear between its `values` [G] on an even, rising grid [G]."""
    place = ((x - grid[0]) / (grid[1] - grid[0])).clamp(0, len(grid) - 1)
    left = place.long().clamp(max=len(grid) - 2)
    return torch.lerp(values[left], values[left + 1], place - left)
