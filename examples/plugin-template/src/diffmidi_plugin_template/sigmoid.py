"""The sigmoid schedule."""

from __future__ import annotations

from torch import Tensor

from diffmidi.api.schedule import NoiseSchedule
from diffmidi_plugin_template.declarations import SigmoidOptions


class Sigmoid(NoiseSchedule):
    """alpha_bar(t) = (σ(k/2 − kt) − σ(−k/2)) / (σ(k/2) − σ(−k/2)), σ logistic, k the steepness.

    The logistic curve round t = 1/2, stretched to run from 1 to 0: Chen 2023 (On the Importance of Noise Scheduling for
    Diffusion Models), algorithm 1, with start −k/2, end k/2 and τ = 1.
    """

    options: SigmoidOptions

    def alpha_bar(self, t: Tensor) -> Tensor:
        """Signal power left at t."""
        k = self.options.steepness
        first, last = (t.new_tensor(end).sigmoid() for end in (k / 2, -k / 2))
        return ((k / 2 - k * t).sigmoid() - last) / (first - last)
