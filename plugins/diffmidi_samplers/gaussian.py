"""Samplers of Gaussian processes: one loop, and the steps that ddpm and ddim put into it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from diffmidi_core.api import (
    Canvas,
    DiffmidiError,
    GaussianLevels,
    GaussianProcess,
    Process,
    ReverseStep,
    Sampler,
    ddim_steps,
    ddpm_steps,
    draw_noise,
    q_sample,
)
from diffmidi_samplers.declarations import DdimOptions, DdpmOptions


class GaussianSampler(Sampler):
    """From x_T ~ N(0, I) down evenly spaced noise levels, one evaluation of the denoiser each.

    At fixed positions x_start is known, so it takes the place of the estimate there, and the same reverse steps bring
    those positions down by the forward process's own law: at every level the denoiser sees them as noisy as in
    training, not clean among the noisy.
    """

    options: DdpmOptions

    @abstractmethod
    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """[N] the step down from each level."""

    @torch.no_grad()
    def sample(
        self,
        process: Process,
        canvas: Canvas,
        *,
        steps: int,
        generator: torch.Generator,
        denoise: Callable[..., Tensor] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Words [B, L] for the canvas; put the process in eval mode first. See Sampler."""
        if not isinstance(process, GaussianProcess):
            raise DiffmidiError(
                f"{type(self).__name__.lower()} samples processes of the family 'gaussian', and "
                f"{type(process).__name__} is not one: choose a sampler of its own family."
            )
        denoise = denoise or process.denoise
        levels = process.levels.respace(steps)
        reverse = self.reverse_steps(levels)
        clean = process.embed(canvas.ids)
        fixed = canvas.fixed[..., None]
        known = clean + process.start_std * draw_noise(generator, clean)  # x_start where the word is given
        x = draw_noise(generator, clean)
        x = torch.where(fixed, q_sample(levels, known, steps - 1, x), x)
        times = levels.on(x).times
        x0_hat: Tensor | None = None
        for t in reversed(range(steps)):
            last = {"previous": x0_hat} if process.self_conditioned else {}
            x0_hat = denoise(x, times[t].expand(len(x)), canvas.keep, **last)
            if self.options.clamp:
                x0_hat = process.clamp(x0_hat, canvas.keep)
            noise = draw_noise(generator, x) if reverse[t].noise else None
            x = reverse[t](torch.where(fixed, known, x0_hat), x, noise)
            if on_step is not None:
                on_step(steps - t, steps)
        return torch.where(canvas.fixed, canvas.ids, process.words(x, canvas.keep))


class Ddpm(GaussianSampler):
    """Ho et al. 2020, algorithm 2, on any number of levels."""

    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """Draws from the posterior of the estimate."""
        return ddpm_steps(levels)


class Ddim(GaussianSampler):
    """Song et al. 2021."""

    options: DdimOptions

    def reverse_steps(self, levels: GaussianLevels) -> list[ReverseStep]:
        """As the posterior, with `eta` of its noise and the rest along the noise that the estimate implies."""
        return ddim_steps(levels, self.options.eta)
