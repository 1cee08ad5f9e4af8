"""Labels of a row in a network, and guidance by them.

A label's value is a learned vector that is added to every feature that enters the backbone; a label that is not
given adds nothing. Training leaves labels out at random, so that one network answers with any of them, and without
(Ho & Salimans 2022, classifier-free diffusion guidance, arXiv:2207.12598).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi_core.contracts.places import Places
from diffmidi_core.contracts.process import Process


class LabelEmbedding(nn.Module):
    """A vector for each value of each label, 0 before training.

    Args:
        values: how many values each label has, by name.
        width: of the vectors.
    """

    def __init__(self, values: Mapping[str, int], width: int) -> None:
        super().__init__()
        before = accumulate(values.values(), initial=0)
        self.before = dict(zip(values, before, strict=False))
        self.table = nn.Parameter(torch.zeros(sum(values.values()), width))

    def forward(self, condition: Mapping[str, Tensor]) -> Tensor:
        """[B, width] the sum over the labels in `condition`, [B] int64 each: 1 the first value, 0 none is given."""
        numbers = [
            torch.where(number > 0, number + self.before[name], 0)
            for name, number in condition.items()
            if name in self.before
        ]
        # A row of zeros for labels that are not given.
        table = F.pad(self.table, (0, 0, 1, 0))
        return F.embedding(torch.stack(numbers, -1), table).sum(-2)


class Labelled(Process):
    """A process that can be told labels. Its network passes what enters the backbone through `with_labels`."""

    conditions = True

    def __init__(self, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self.labels: LabelEmbedding | None = None

    def learn_labels(self, values: Mapping[str, int]) -> None:
        """Make room for labels of so many values each, before training or before weights are loaded."""
        self.labels = LabelEmbedding(values, self.backbone.width) if values else None

    def with_labels(self, hidden: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Features [B, N, H] with the vectors of the rows' labels added; as they are where there are none."""
        if self.labels is None or not condition:
            return hidden
        added: Tensor = self.labels(condition)
        return hidden + added[:, None].to(hidden.dtype)


class Guided:
    """A denoiser that follows labels more closely than a process's own: (1 + w) conditional − w unconditional.

    The conditional prediction is that with the labels of `places`, the unconditional one that without them: logits, or
    an estimate of x0. At w = 0 it is the process's own.

    Args:
        process: whose denoiser is asked, twice each time.
        weight: w.
    """

    def __init__(self, process: Process, weight: float) -> None:
        self._with, self._without, self.weight = process.denoiser(), process.denoiser(), weight

    def __call__(self, *seen: Any, **more: Any) -> Tensor:
        """What the process's own denoiser is given and answers; `places` is the last that has no name."""
        *first, places = seen
        conditional: Tensor = self._with(*first, places, **more)
        if not places.condition:
            return conditional
        return guided(conditional, self._without(*first, _unlabelled(places), **more), self.weight)


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """(1 + w) conditional − w unconditional; where either is −∞, nothing is drawn, and the conditional one stands."""
    together = torch.lerp(unconditional, conditional, 1 + weight)
    return torch.where(conditional.isfinite() & unconditional.isfinite(), together, conditional)


def _unlabelled(places: Places) -> Places:
    return replace(places, condition={})
