"""Samplers of Gaussian processes: where they start, what they take for x0 on the way, and how they end in tokens.

How x goes down from level to level is in linear.py and heun.py.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import (
    Canvas,
    Denoise,
    GaussianDiffusion,
    GaussianGuide,
    GaussianLevels,
    OnStep,
    RowDraws,
    Sampled,
    Sampler,
    Support,
    TimeSupport,
    nucleus,
    q_sample,
    restricted,
)
from diffmidi_samplers.declarations import GaussianOptions


@dataclass
class Estimates:
    """Asks for x0_hat, and makes of it what the steps are given.

    At fixed positions x_start is known, so it takes the place of the estimate there, and the same reverse steps bring
    those positions down by the forward process's own law: at every level the denoiser sees them as noisy as in
    training, not clean among the noisy.

    Attributes:
        known: [B, L, D] x_start at the fixed positions.
        evaluations: how many there will be.
        admitted: [B, L, V] bool, as the canvas gives it.
        below: at each level t, the variance of p(x_{t−1} | x_t) and the time of t − 1.
        guide: what leads x after each step, if anything does.
        previous: [B, L, D] the last answer, for processes that want to see it.
    """

    process: GaussianDiffusion
    canvas: Canvas
    known: Tensor
    times: Tensor
    options: GaussianOptions
    denoise: Denoise | None
    evaluations: int
    on_step: OnStep
    admitted: Tensor | None
    below: list[tuple[float, float]]
    guide: GaussianGuide | None = None
    previous: Tensor | None = None
    done: int = 0

    def __call__(self, x: Tensor, t: int) -> Tensor:
        """[B, L, D] at level t, by one evaluation of the denoiser."""
        x0_hat = self._predicted(x, self.times[t].expand(len(x)))
        self.done += 1
        self.on_step(self.done, self.evaluations)
        return torch.where(self.canvas.fixed[..., None], self.known, x0_hat)

    def guess(self, x: Tensor, t: int) -> Tensor:
        """[B, L] the tokens that x at level t is likeliest to become, by an evaluation that no step counts."""
        before = self.previous
        x0_hat = self._predicted(x, self.times[t].expand(len(x)))
        self.previous = before
        found = self.process.rounded(x0_hat, self.canvas.places(), self.admitted)
        return torch.where(self.canvas.fixed, self.canvas.ids, found)

    def led(self, x: Tensor, mean: Tensor, t: int) -> Tensor:
        """x [B, L, D] after the step down from level t, whose mean is `mean`, as the guide would have it."""
        if self.guide is None or t == 0:
            return x
        moved = self.guide.moved(x, mean, *self.below[t], self.canvas.places())
        return torch.where(self.canvas.fixed[..., None], x, moved)

    def _predicted(self, x: Tensor, time: Tensor) -> Tensor:
        process, places, options = self.process, self.canvas.places(), self.options
        more = {"previous": self.previous} if process.self_conditioned else {}
        x0_hat: Tensor
        logits: Tensor | None = None
        if self.denoise is not None:
            x0_hat = self.denoise(x, time, places, **more)
        elif options.prediction == "mean":
            x0_hat, logits = process.denoise_words(x, time, places, **more)
        else:
            x0_hat = process.denoise(x, time, places, **more)
        self.previous = x0_hat
        if options.prediction == "raw":
            return x0_hat
        if options.prediction == "clamp":
            return process.clamp(x0_hat, places, self.admitted)
        logits = process.logits(x0_hat, places) if logits is None else logits
        logits = restricted(logits, self.admitted)
        return process.mean_under(nucleus(logits / options.temperature, options.top_p)).to(x.dtype)


class GaussianSampler(Sampler):
    """From x_T ~ N(0, I) down the noise levels to x_start, and from there to the most probable legal text."""

    serves = GaussianDiffusion
    options: GaussianOptions

    def grid(self, levels: GaussianLevels, evaluations: int) -> GaussianLevels:
        """The levels to go down; as many as evaluations, unless a step takes more than one."""
        return levels.respace(evaluations, self.options.spacing)

    @abstractmethod
    def descend(self, levels: GaussianLevels, x: Tensor, estimate: Estimates, draws: RowDraws) -> Tensor:
        """x_start [B, L, D] from x at the noisiest level."""

    def draw(
        self,
        process: GaussianDiffusion,
        canvas: Canvas,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None,
        on_step: OnStep,
    ) -> Sampled:
        """The canvas, and "grammar_changes": tokens that are not the likeliest ones, for the text to be legal."""
        levels, admitted = self.grid(process.levels, steps), canvas.admitted()
        support = process.support or Support(process.tokenizer.grammar, canvas.ids.shape[1])
        if canvas.bounds is not None:
            TimeSupport(process.tokenizer).check_canvas(canvas)
        elif self.options.legal:  # else it would be found out after the last step
            support.check_canvas(canvas)
        clean = process.embed(canvas.ids)
        known = clean + process.start_std * draws.normal(clean)
        x = draws.normal(clean)
        x = torch.where(canvas.fixed[..., None], q_sample(levels, known, len(levels) - 1, x), x)
        times = levels.on(x).times
        below = list(zip(levels.posterior_variance.tolist(), [0.0, *levels.times.tolist()[:-1]], strict=True))
        guide: GaussianGuide | None = None
        if isinstance(denoise, GaussianGuide):
            guide, denoise = denoise, denoise.inner
        estimate = Estimates(
            process, canvas, known, times, self.options, denoise, steps, on_step, admitted, below, guide
        )
        return self._rounded(process, canvas, admitted, support, self.descend(levels, x, estimate, draws))

    def _rounded(
        self, process: GaussianDiffusion, canvas: Canvas, admitted: Tensor | None, support: Support, x: Tensor
    ) -> Sampled:
        """Tokens [B, L] of x [B, L, D], and what to record of them."""
        if not x.isfinite().all():
            raise DiffmidiError(
                "the model answers with numbers that are not finite, so that nothing can be drawn from it: "
                "take an earlier --checkpoint, or train again with a lower --lr."
            )
        likeliest = torch.where(canvas.fixed, canvas.ids, process.rounded(x, canvas.places(), admitted))
        if not self.options.legal and canvas.bounds is None:
            return Sampled(likeliest)
        known = restricted(process.round(x), admitted), canvas.ids, canvas.fixed
        if canvas.bounds is None:
            tokens = support.legal_argmax(*known)
        else:
            tokens = TimeSupport(process.tokenizer).legal_argmax(*known, bounds=canvas.bounds)
        return Sampled(tokens, {"grammar_changes": (tokens != likeliest).sum(-1)})
