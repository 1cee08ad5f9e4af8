"""NoiseSchedule: how much signal is left at time t."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from diffmidi_core.declaration import Options

MAX_BETA = 0.999


class NoiseSchedule(ABC):
    """The share of signal left, as a function of t in [0, 1]: 1 at 0, falling. Built as `Class(options)`; no state."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t, elementwise, float64 in and out: alpha_bar(0) = 1, falling, in [0, 1]."""

    def betas(self, steps: int) -> Tensor:
        """[steps] float64: beta_i = min(1 - alpha_bar((i+1)/T) / alpha_bar(i/T), 0.999), i = 0..T-1.

        Nichol & Dhariwal 2021, and Diffusion-LM's `betas_for_alpha_bar`; once no signal is left, the largest. A
        schedule that is defined by its betas (linear) overrides this.
        """
        left = self.alpha_bar(torch.linspace(0, 1, steps + 1, dtype=torch.float64))
        return (1 - left[1:] / left[:-1]).nan_to_num(nan=MAX_BETA).clamp(max=MAX_BETA)
