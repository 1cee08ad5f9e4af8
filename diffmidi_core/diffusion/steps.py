"""One step forward, one step back: the normal distributions of DDPM and DDIM, and the solvers of higher order.

x_start is what the chain starts from, x_t [B, L, D] what it has become at level t (an int for all rows, or [B] int64),
x0_hat the denoiser's estimate of x_start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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


def q_log_probability(x_t: Tensor, signal: Tensor, center: Tensor, variance: Tensor) -> Tensor:
    """[...] ln N(x_t; √signal center, variance I), summed over the D channels of x_t and `center` [..., D].

    `signal` and `variance` [...] are ᾱ_t and that of x_t given `center`: 1 − ᾱ_t where it is x_start.
    """
    error = ((x_t - signal.sqrt()[..., None] * center) ** 2).sum(-1)
    return -(error / variance + x_t.shape[-1] * (2 * math.pi * variance).log()) / 2


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
    """x_{t−1} = `x0` · x0_hat + `x_t` · x_t + `noise` · ε + `change` · (x0_hat − x0_hat at the level before).

    DDPM, DDIM and DPM-Solver++ are linear in these; `change` is 0 where a step looks at one estimate only.
    """

    x0: float
    x_t: float
    noise: float
    change: float = 0.0

    def __call__(
        self, x0_hat: Tensor, x_t: Tensor, noise: Tensor | None = None, before: Tensor | None = None
    ) -> Tensor:
        """x_{t−1}; `noise`, and the estimate `before`, may be left out where their coefficients are 0."""
        x = self.x0 * x0_hat + self.x_t * x_t
        if noise is not None:
            x = x + self.noise * noise
        return x if before is None else x + self.change * (x0_hat - before)


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


def dpmpp_steps(levels: GaussianLevels, eta: float = 0.0) -> list[ReverseStep]:
    """[N] the steps of DPM-Solver++(2M), data prediction: Lu et al. 2022 (arXiv:2211.01095), algorithm 2.

    A step from λ_t to λ_{t−1}, λ = ln √(ᾱ/(1−ᾱ)), is that of DDIM with x0_hat carried on to its middle, by
    (x0_hat − before) / 2r, where r = (λ_t − λ_{t+1}) / (λ_{t−1} − λ_t). With `eta` 1 it is one of DDPM so carried on,
    which is their SDE-DPM-Solver++(2M); between 0 and 1, that of DDIM with `eta` of the noise. The first step has no
    estimate before, and the last goes to λ = ∞, where nothing can be carried on: these are of first order.
    """
    first_order = ddim_steps(levels, eta)
    lam = (levels.sqrt_alpha_bar / levels.sqrt_one_minus_alpha_bar).log()
    steps = first_order[:1]
    for t in range(1, len(levels)):
        carried = 0.0 if t + 1 == len(levels) else float((lam[t - 1] - lam[t]) / (lam[t] - lam[t + 1])) / 2
        steps.append(replace(first_order[t], change=first_order[t].x0 * carried))
    return steps


def heun_corrections(levels: GaussianLevels) -> list[float]:
    """[N] the c_t of Heun's second-order steps: Karras et al. 2022, algorithm 1, without churn.

    Their ODE is dx̄/dσ = (x̄ − x0_hat)/σ in x̄ = x/√ᾱ and σ = √((1−ᾱ)/ᾱ). Euler's step in it is that of DDIM; to take
    the mean of the slopes at both ends instead is to add c_t (x0_hat' − x0_hat), where x0_hat' is the estimate at the
    end of Euler's step, and c_t = √ᾱ_{t−1} (σ_t/σ_{t−1} − 1) / 2. At t = 0 the step ends at σ = 0: c_0 = 0.
    """
    sigma = levels.sqrt_one_minus_alpha_bar / levels.sqrt_alpha_bar
    upper = levels.sqrt_alpha_bar[:-1] * (sigma[1:] / sigma[:-1] - 1) / 2
    return [0.0, *upper.tolist()]


def _steps(x0: Tensor, x_t: Tensor, noise: Tensor) -> list[ReverseStep]:
    return [ReverseStep(*of) for of in zip(x0.tolist(), x_t.tolist(), noise.tolist(), strict=True)]
