"""Sampler `uniform_ancestral`: from noise through the reverse steps of `uniform` to a legal text."""

from __future__ import annotations

from itertools import pairwise

import torch

from diffmidi.api.sampler import Canvas, Denoise, OnStep, RowDraws, Sampled, Sampler, exact, restricted
from diffmidi_uniform_noise.declarations import AncestralOptions
from diffmidi_uniform_noise.process import Uniform


class UniformAncestral(Sampler):
    """Every step draws all tokens anew from p(z_s | z_t), which keeps most of them; the last one draws a legal text.

    What is fixed is shown to the network as noisy as everything else, as it was in training.
    """

    serves = Uniform
    options: AncestralOptions

    def draw(
        self,
        process: Uniform,
        canvas: Canvas,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None,
        on_step: OnStep,
    ) -> Sampled:
        """The canvas, from noise. See Sampler."""
        predict, ids, fixed, admitted = denoise or process.denoise, canvas.ids, canvas.fixed, canvas.admitted()
        process.legal.check_canvas(canvas)
        times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        levels = (1 - process.schedule.alpha_bar(times)).float().to(ids.device)
        specials = fixed & (ids < 4)
        noise = process.corruption.noise[: ids.shape[1]].log().expand(len(ids), -1, -1)
        z = draws.categorical(restricted(exact(noise), admitted)).to(ids.device)
        for done, (level, next_level) in enumerate(pairwise(levels)):
            m, before = level.expand(len(ids)), next_level.expand(len(ids))
            noisy = process.corruption.draw(ids, m, lambda: draws.uniform(ids))
            z = torch.where(specials, ids, torch.where(fixed, noisy, z))
            logits = restricted(exact(predict(z, m, canvas.places())), admitted) / self.options.temperature
            log_p = process.log_probabilities(logits)
            if done + 1 < steps:
                odds = process.corruption.posterior(z, m, before, log_p.exp().float().to(ids.device))
                z = draws.categorical(restricted(exact(odds).log(), admitted)).to(ids.device)
            else:
                z = process.legal.draw(log_p, ids, fixed, draws)
            on_step(done + 1, steps)
        return Sampled(z)
