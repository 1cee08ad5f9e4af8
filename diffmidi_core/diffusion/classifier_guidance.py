"""Drawing led by classifiers, without a change to the model: p(x | c) ∝ p(x) p(c | x)^γ at every step.

Masked tokens: log p(w_l | z) + γ (log p(c | z with w at l) − log p(c | z)), for each position by itself (Schiff et al.
2024, D-CBG, arXiv:2412.10193, eq. 8), or the second term to first order in the embedding of w (their section 3.3).
Embeddings: after a reverse step, a few steps of Adagrad up γ log p(c | x_{t−1}) + λ log p(x_{t−1} | x_t) (Li et al.
2022, Diffusion-LM, section 5.1). Several classifiers add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import Process
from diffmidi_core.diffusion.classifier import Classifier, GaussianClassifier, MaskedClassifier
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion

EXACT = 64
"""Alternatives of a row, over its masked positions, that are tried out; others are judged to first order."""
ROWS_AT_ONCE = 256
UPDATES, RATE, FLUENCY, CLEANEST = 3, 0.1, 0.01, 0.05
"""Steps of Adagrad after a reverse step, their size in standard deviations of the embeddings, λ, and the time below
which there are none: all as in Diffusion-LM's code, but that Adagrad keeps its sum over the steps."""


@dataclass(frozen=True)
class Aim:
    """A classifier and the number of the value [B] that each row is to have; 0: any."""

    classifier: Classifier
    number: Tensor

    def chosen(self, log_p: Tensor) -> Tensor:
        """log p(c) of the rows' own values from [n · B, C], row by row of each copy; 0 where any will do."""
        number = self.number.to(log_p.device).repeat(len(log_p) // len(self.number))
        return log_p.gather(-1, (number - 1).clamp(min=0)[:, None])[:, 0] * (number > 0)

    def rows(self, which: Tensor) -> Aim:
        """The same of some rows, by number."""
        return Aim(self.classifier, self.number.to(which.device)[which])


class MaskedGuide:
    """A denoiser of masked tokens that is led by classifiers.

    Args:
        process: the model.
        inner: the denoiser to lead.
        aims: where to.
        weight: γ.
        exact: alternatives of a row that are tried out one by one, those of the positions with the fewest first.
    """

    def __init__(
        self,
        process: MaskedDiffusion,
        inner: Callable[..., Tensor],
        aims: Sequence[Aim],
        weight: float,
        exact: int = EXACT,
    ) -> None:
        self.process, self.inner, self.aims, self.weight, self.exact = process, inner, aims, weight, exact

    def __call__(self, z: Tensor, m: Tensor, places: Places) -> Tensor:
        """Logits [B, L, V] as the process's own `denoise`; what cannot stand at a position stays as it is."""
        logits = self.inner(z, m, places)
        log_p = self.process.log_probabilities(logits.float(), places.types)
        free = log_p.isfinite() & (z == self.process.tokenizer.mask_id)[..., None]
        gain = torch.stack([self.gain(aim, z, places, free) for aim in self.aims]).sum(0)
        return torch.where(free, logits + self.weight * gain.to(logits.dtype), logits)

    def gain(self, aim: Aim, z: Tensor, places: Places, free: Tensor) -> Tensor:
        """[B, L, V] log p(c | z with v at l) − log p(c | z), but for what is the same for all v, where `free`."""
        classifier = aim.classifier
        assert isinstance(classifier, MaskedClassifier)
        features = F.embedding(z, classifier.table).detach().requires_grad_()
        with torch.enable_grad():
            told = aim.chosen(classifier.of_features(features, z, places))
            (slope,) = torch.autograd.grad(told.sum(), features)
        table = classifier.table.detach()
        # What [MASK] itself would gain is the same for all v.
        gain = slope.float() @ (table - table[classifier.tokenizer.mask_id]).T.float()
        counts = free.sum(-1).masked_fill(~free.any(-1), self.exact + 1)  # [B, L] alternatives
        few, order = counts.sort(dim=-1, stable=True)
        tried = torch.zeros_like(free[..., 0]).scatter(-1, order, few.cumsum(-1) <= self.exact)
        row, place, token = (free & tried[..., None]).nonzero().unbind(-1)
        if not len(row):
            return gain
        found = []
        for some in range(0, len(row), ROWS_AT_ONCE):
            at, where, what = (each[some : some + ROWS_AT_ONCE] for each in (row, place, token))
            trial = z[at].scatter(1, where[:, None], what[:, None])
            found.append(aim.rows(at).chosen(classifier.log_p(trial, places.rows(at))))
        gain[row, place, token] = torch.cat(found).to(gain.dtype) - told.detach()[row].to(gain.dtype)
        return gain


class GaussianGuide:
    """What leads embeddings: a sampler gives it each x_{t−1}, and goes on from what it answers.

    Args:
        process: the model.
        inner: the denoiser to ask, or None for the process's own.
        aims: where to.
        weight: γ.
    """

    def __init__(
        self, process: GaussianDiffusion, inner: Callable[..., Any] | None, aims: Sequence[Aim], weight: float
    ) -> None:
        self.process, self.inner, self.aims, self.weight = process, inner, aims, weight
        self.rate = RATE * process.embeddings().detach().std()

    def __call__(self, *seen: Any, **more: Any) -> Any:
        """What the denoiser that it leads answers: a sampler that knows nothing of `moved` is not led."""
        return (self.inner or self.process.denoiser())(*seen, **more)

    def moved(self, x: Tensor, mean: Tensor, variance: float, time: float, places: Places) -> Tensor:
        """x_{t−1} [B, L, D] after a few steps up, where p(x_{t−1} | x_t) = N(`mean`, `variance`), at its `time`."""
        if variance <= 0 or time < CLEANEST:
            return x
        t = x.new_full((len(x),), time)
        total = torch.zeros_like(x)
        for _ in range(UPDATES):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                told = torch.stack([aim.chosen(self._log_p(aim, x, t, places)) for aim in self.aims]).sum()
                fluent = -((x - mean) ** 2).sum() / (2 * variance)
                (slope,) = torch.autograd.grad(self.weight * told + FLUENCY * fluent, x)
            total = total + slope**2
            x = x.detach() + self.rate.to(x.dtype) * slope / (total.sqrt() + 1e-10)
        return x

    @staticmethod
    def _log_p(aim: Aim, x: Tensor, t: Tensor, places: Places) -> Tensor:
        assert isinstance(aim.classifier, GaussianClassifier)
        return aim.classifier.log_p(x, t, places)


def guide(
    process: Process, inner: Callable[..., Any] | None, aims: Sequence[Aim], weight: float
) -> MaskedGuide | GaussianGuide:
    """What leads a process; its denoiser is `inner`, or its own."""
    if isinstance(process, GaussianDiffusion):
        return GaussianGuide(process, inner, aims, weight)
    assert isinstance(process, MaskedDiffusion)
    return MaskedGuide(process, inner or process.denoiser(), aims, weight)
