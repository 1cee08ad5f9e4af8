"""ddpm, ddim, dpmpp: samplers whose steps are linear in x, in the estimates of x0, and in fresh noise."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial

from torch import Tensor

from diffmidi.api.sampler import GaussianLevels, ReverseStep, RowDraws, ddim_steps, ddpm_steps, dpmpp_steps
from diffmidi_samplers.declarations import EtaOptions
from diffmidi_samplers.gaussian import Estimates, GaussianSampler


class LinearSampler(GaussianSampler):
    """One evaluation a level; a step looks at this level's estimate, and may look at the one of the level before."""

    @abstractmethod
    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """[N] the step down from each level."""

    def descend(self, levels: GaussianLevels, x: Tensor, estimate: Estimates, draws: RowDraws) -> Tensor:
        """x_start [B, L, D] from x at the noisiest level."""
        before: Tensor | None = None
        for t, step in reversed(list(enumerate(self.reverse_steps(levels)))):
            x0_hat = estimate(x, t)
            if step.noise and t > 0 and estimate.guide is None:
                x = draws.chosen(_down(step, x0_hat, x, before), partial(estimate.guess, t=t - 1))
            else:
                noise = draws.normal(x) if step.noise else None
                x = step(x0_hat, x, noise, before if step.change else None)
                x = estimate.led(x, x if noise is None else x - step.noise * noise, t)
            before = x0_hat
        return x


def _down(step: ReverseStep, x0_hat: Tensor, x: Tensor, before: Tensor | None) -> Callable[[RowDraws], Tensor]:
    return lambda draws: step(x0_hat, x, draws.normal(x), before if step.change else None)


class Ddpm(LinearSampler):
    """Ho et al. 2020, algorithm 2, on any number of levels."""

    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """Draws from the posterior of the estimate."""
        return ddpm_steps(levels)


class Ddim(LinearSampler):
    """Song et al. 2021."""

    options: EtaOptions

    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """As the posterior, with `eta` of its noise and the rest along the noise that the estimate implies."""
        return ddim_steps(levels, self.options.eta)


class DpmPp(LinearSampler):
    """Lu et al. 2022, DPM-Solver++(2M), and with `eta` 1 its SDE form."""

    options: EtaOptions

    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """As DDIM's, with the estimate carried on to the middle of the step."""
        return dpmpp_steps(levels, self.options.eta)
