"""One step forward, one step back: the normal distributions of DDPM and DDIM.

x_start is what the chain starts from, x_t [B, L, D] what it has become at level t (an int for all rows, or [B] int64),
x0_hat the denoiser's estimate of x_start.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffmidi_core.diffusion.levels import GaussianLevels, at


def draw_noise(generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal noise in the shape, dtype and device of `like`, drawn where the generator lives."""
    noise = torch.randn(like.shape, generator=generator, device=generator.device, dtype=like.dtype)
    return noise.to(like.device, non_blocking=True)


def q_sample(levels: GaussianLevels, x_start: Tensor, t: int | Tensor, noise: Tensor) -> Tensor:
    """x_t ~ q(x_t | x_start) = N(√ᾱ_t x_start, (1−ᾱ_t) I): Ho et al. 2020, eq. 4."""
    levels = levels.on(x_start)
    return at(levels.sqrt_alpha_bar, t) * x_start + at(levels.sqrt_one_minus_alpha_bar, t) * noise


def posterior_mean(levels: GaussianLevels, x_start: Tensor, x_t: Tensor, t: int | Tensor) -> Tensor:
    """The mean of q(x_{t−1} | x_t, x_start), c1_t x_start + c2_t x_t: Ho et al. 2020, eq. 7.

    Its variance is `levels.posterior_variance[t]`.
    """
    levels = levels.on(x_t)
    return at(levels.posterior_x0, t) * x_start + at(levels.posterior_x_t, t) * x_t


def predicted_noise(levels: GaussianLevels, x_t: Tensor, x0_hat: Tensor, t: int | Tensor) -> Tensor:
    """The noise that an estimate of x_start implies: ε̂ = (x_t − √ᾱ_t x0_hat) / √(1−ᾱ_t)."""
    levels = levels.on(x_t)
    return (x_t - at(levels.sqrt_alpha_bar, t) * x0_hat) / at(levels.sqrt_one_minus_alpha_bar, t)


@dataclass(frozen=True)
class ReverseStep:
    """x_{t−1} = `x0` · x0_hat + `x_t` · x_t + `noise` · ε: both DDPM and DDIM are linear in the three."""

    x0: float
    x_t: float
    noise: float

    def __call__(self, x0_hat: Tensor, x_t: Tensor, noise: Tensor | None = None) -> Tensor:
        """x_{t−1}; `noise` may be left out where its coefficient is 0."""
        mean = self.x0 * x0_hat + self.x_t * x_t
        return mean if noise is None else mean + self.noise * noise


def ddpm_steps(levels: GaussianLevels) -> list[ReverseStep]:
    """[N] the ancestral steps of Ho et al. 2020, algorithm 2, with the posterior variance β̃_t.

    A draw from q(x_{t−1} | x_t, x0_hat); at t = 0 it is x0_hat itself.
    """
    return _steps(levels.posterior_x0, levels.posterior_x_t, levels.posterior_variance.sqrt())


def ddim_steps(levels: GaussianLevels, eta: float) -> list[ReverseStep]:
    """[N] the steps of Song et al. 2021 (DDIM), eq. 12 and 16; `eta` 0 is deterministic, 1 has DDPM's variance.

    x_{t−1} = √ᾱ_{t−1} x0_hat + √(1−ᾱ_{t−1}−σ²) ε̂ + σ ε, with σ = η √((1−ᾱ_{t−1})/(1−ᾱ_t)) √(1−ᾱ_t/ᾱ_{t−1}) and ε̂ the
    noise that x0_hat implies; gathered here by x0_hat and x_t, in float64, as the root cancels badly in float32.
    """
    before = levels.alpha_bar_prev
    sigma = eta * levels.posterior_variance.sqrt()
    x_t = (1 - before - sigma**2).clamp(min=0).sqrt() / levels.sqrt_one_minus_alpha_bar
    return _steps(before.sqrt() - x_t * levels.sqrt_alpha_bar, x_t, sigma)


def _steps(x0: Tensor, x_t: Tensor, noise: Tensor) -> list[ReverseStep]:
    return [ReverseStep(*of) for of in zip(x0.tolist(), x_t.tolist(), noise.tolist(), strict=True)]
