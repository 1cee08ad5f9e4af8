"""Noise schedules: sqrt, linear, cosine, loglinear."""

import math

import torch
from torch import Tensor

from diffmidi.api.schedule import MAX_BETA, NoiseSchedule


class Sqrt(NoiseSchedule):
    """alpha_bar(t) = 1 − √(t + s), s = 0.0001, over its value at 0: Li et al. 2022 (Diffusion-LM), appendix A.

    It reaches 0 just before t = 1, so the last beta is the largest allowed.
    """

    s = 1e-4

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t."""
        return ((1 - (t + self.s).sqrt()) / (1 - math.sqrt(self.s))).clamp(min=0)


class Cosine(NoiseSchedule):
    """alpha_bar(t) = cos²(π/2 · (t + s)/(1 + s)), s = 0.008, over its value at 0: Nichol & Dhariwal 2021, eq. 17."""

    s = 0.008

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t."""
        return self._power(t) / self._power(torch.zeros_like(t))

    def _power(self, t: Tensor) -> Tensor:
        return ((t + self.s) / (1 + self.s) * (math.pi / 2)).cos() ** 2


class Linear(NoiseSchedule):
    """beta_i evenly spaced from 0.1/T to 20/T: Ho et al. 2020, section 4, whose T is 1000, scaled to any T.

    Defined by its betas; alpha_bar is their limit for large T, exp(−∫₀ᵗ (0.1 + 19.9 u) du).
    """

    first, last = 0.1, 20.0

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t, in the limit."""
        return (-(self.first * t + (self.last - self.first) / 2 * t**2)).exp()

    def betas(self, steps: int) -> Tensor:
        """[steps] float64; below 21 steps the largest are cut to what a beta may be."""
        return torch.linspace(self.first / steps, self.last / steps, steps, dtype=torch.float64).clamp(max=MAX_BETA)


class LogLinear(NoiseSchedule):
    """alpha_bar(t) = 1 − (1 − ε) t, ε = 0.001: Sahoo et al. 2024 (MDLM), there in terms of −log alpha_bar.

    Of a masked process it hides each word at a time that is uniform; a little signal, ε, is left at t = 1.
    """

    epsilon = 1e-3

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t."""
        return 1 - (1 - self.epsilon) * t
