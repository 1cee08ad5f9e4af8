"""Samplers of masked processes: one loop, and which tokens are said, or hidden again, at each step.

The chain of a masked process hangs on α alone, so the steps are evenly spaced in α, whatever schedule it was trained
with. The network is asked only about rows in which a token is due: with many steps, most are free.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from diffmidi.api.sampler import (
    Canvas,
    Denoise,
    MaskedDiffusion,
    OnStep,
    RowDraws,
    Sampled,
    Sampler,
    TimeSupport,
    Tokenizer,
)
from diffmidi_samplers.declarations import ConfidenceOptions, MaskedOptions, RemaskOptions


@dataclass(frozen=True)
class _Step:
    """Where a sampler stands: α goes from `alpha` to `alpha_next`.

    Attributes:
        z: [B, L] the tokens said so far, [MASK] where one is hidden.
        hidden: [B, L] bool, where that is.
        free: [B, L] bool, where the canvas fixes nothing.
        say: positions [B, L] bool to z with tokens drawn there, and their log-probabilities, 0 elsewhere.
    """

    alpha: float
    alpha_next: float
    z: Tensor
    hidden: Tensor
    free: Tensor
    say: Callable[[Tensor], tuple[Tensor, Tensor]]
    draws: RowDraws

    def uniform(self) -> Tensor:
        """[B, L] random numbers in [0, 1)."""
        return self.draws.uniform(self.z)


class MaskedSampler(Sampler):
    """From all tokens hidden to none; fixed tokens are never hidden.

    Tokens are drawn jointly under the tokenizer's grammar and what the canvas allows, given those that stand
    (`MaskedDiffusion.draw`): so a legal text remains within reach at every step, and is there at the last.
    """

    serves = MaskedDiffusion
    options: MaskedOptions

    @abstractmethod
    def advance(self, step: _Step) -> Tensor:
        """z [B, L] after the step."""

    def draw(
        self,
        process: MaskedDiffusion,
        canvas: Canvas,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None,
        on_step: OnStep,
    ) -> Sampled:
        """The canvas, from all masked to none. See Sampler."""
        if canvas.bounds is not None:
            TimeSupport(process.tokenizer).check_canvas(canvas)
        elif process.support is not None and canvas.types is None:
            # No step finds it out on a device, which it would have to wait for.
            process.support.check_canvas(canvas)
        drawing = process.drawing(canvas, denoise, temperature=self.options.temperature, top_p=self.options.top_p)
        free = ~canvas.fixed
        z = canvas.ids.masked_fill(free, Tokenizer.mask_id)

        def guess(z: Tensor) -> Tensor:
            return drawing.reveal(z, z == Tokenizer.mask_id, draws)[0]

        for done in range(steps):

            def propose(draws: RowDraws, z: Tensor = z, done: int = done) -> Tensor:
                say = partial(drawing.reveal, z, draws=draws)
                return self.advance(
                    _Step(done / steps, (done + 1) / steps, z, z == Tokenizer.mask_id, free, say, draws)
                )

            z = draws.chosen(propose, guess)
            on_step(done + 1, steps)
        return Sampled(z)


class Ancestral(MaskedSampler):
    """Sahoo et al. 2024 (MDLM): a hidden token is said with probability (α_s − α_t) / (1 − α_t), and stays."""

    def advance(self, step: _Step) -> Tensor:
        """Says the tokens that are due."""
        chance = (step.alpha_next - step.alpha) / (1 - step.alpha)
        return step.say(step.hidden & (step.uniform() < chance))[0]


class Confidence(MaskedSampler):
    """Chang et al. 2022 (MaskGIT), section 3.2, evenly many tokens a step: those first of which the network is surest.

    Sureness is the log-probability of the token drawn, with Gumbel noise that falls to 0 at the end, as in their code.
    """

    options: ConfidenceOptions

    def advance(self, step: _Step) -> Tensor:
        """Draws every hidden token, and keeps the surest."""
        left = (step.free.sum(-1) * (1 - step.alpha_next) + 1e-6).floor()
        due = step.hidden.sum(-1) - left  # [B]
        said, log_p = step.say(step.hidden & (due > 0)[:, None])
        uniform = step.uniform()
        if said is step.z:  # nothing is due
            return said
        noise = -(-uniform.log()).log()
        order = log_p + self.options.order_noise * (1 - step.alpha_next) * noise
        rank = order.masked_fill(~step.hidden, -torch.inf).argsort(-1, descending=True).argsort(-1)
        return torch.where(step.hidden & (rank < due[:, None]), said, step.z)


class Remask(MaskedSampler):
    """Wang et al. 2025 (ReMDM, arXiv:2503.00307), σ capped or rescaled: tokens that stand are hidden again with
    probability σ, and hidden ones are said so much more often that the share that stands is what it would be without.
    """

    options: RemaskOptions

    def advance(self, step: _Step) -> Tensor:
        """Says the tokens that are due, and hides some that stood."""
        most = min(1.0, (1 - step.alpha_next) / step.alpha) if step.alpha else 1.0
        sigma = min(self.options.eta, most) if self.options.strategy == "cap" else self.options.eta * most
        chance = (step.alpha_next - (1 - sigma) * step.alpha) / (1 - step.alpha)
        draws = step.uniform()
        said = step.say(step.hidden & (draws < chance))[0]
        return said.masked_fill(step.free & ~step.hidden & (draws < sigma), Tokenizer.mask_id)
