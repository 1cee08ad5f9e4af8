"""heun: second-order steps that look at both of their ends."""

from __future__ import annotations

from torch import Tensor

from diffmidi.api.sampler import GaussianLevels, RowDraws, ddim_steps, heun_corrections
from diffmidi_samplers.gaussian import Estimates, GaussianSampler


class Heun(GaussianSampler):
    """Karras et al. 2022, algorithm 1: two evaluations a step, one for the last, which goes to no noise.

    N evaluations are N // 2 + 1 levels. Where N is even one evaluation is lacking: then the first step, out of almost
    pure noise, is Euler's alone.
    """

    def grid(self, levels: GaussianLevels, evaluations: int) -> GaussianLevels:
        """Half as many levels as evaluations, and one."""
        levels.check(evaluations)
        return levels.respace(evaluations // 2 + 1, self.options.spacing)

    def descend(self, levels: GaussianLevels, x: Tensor, estimate: Estimates, draws: RowDraws) -> Tensor:
        """x_start [B, L, D] from x at the noisiest level."""
        euler, corrections = ddim_steps(levels, 0.0), heun_corrections(levels)
        alone = len(levels) - 1 if estimate.evaluations % 2 == 0 else 0
        for t in reversed(range(len(levels))):
            x0_hat = estimate(x, t)
            x = euler[t](x0_hat, x)
            if t not in (0, alone):
                x = x + corrections[t] * (estimate(x, t - 1) - x0_hat)
            x = estimate.led(x, x, t)
        return x
