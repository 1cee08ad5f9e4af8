"""AdamW, its learning rate over time, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from diffmidi_core.config import TrainConfig
from diffmidi_core.machine.sharding import part_like

FUSED = ("cpu", "cuda", "mps", "xpu")
"""Kinds of device that torch has a fused AdamW for."""


def make_optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all parameters (Loshchilov & Hutter 2019); fused, so that a step is one kernel, where torch can."""
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=next(model.parameters()).device.type in FUSED,
    )


def learning_rate(step: int, config: TrainConfig, *, before: int = 0) -> float:
    """Rate of the update that follows `step` updates of this run and `before` of those that it began from:

        lr * min(1, (before+step+1)/(warmup+1)) * min(1, (iterations-step)/decay)

    With a decay of 0 it is taken to be of all iterations, and without warm-up this is Diffusion-LM's linear anneal.
    Without anneal the last factor is 1.
    """
    rising = min(1.0, (before + step + 1) / (config.warmup + 1))
    falling = min(1.0, (config.iterations - step) / (config.decay or config.iterations)) if config.anneal else 1.0
    return config.lr * rising * falling


def falls_from(config: TrainConfig) -> float:
    """The number of updates after which the rate begins to fall; infinite where it does not."""
    if not config.anneal:
        return math.inf
    return config.iterations - (config.decay or config.iterations)


def ema_decay(step: int, decay: float) -> float:
    """Decay after `step` updates: min(decay, (1 + step) / (10 + step)).

    The ramp lets a short run's average forget its random start; with 0.9999 from the first step, as in Diffusion-LM, a
    thousand iterations would leave nine tenths of it.
    """
    return min(decay, (1 + step) / (10 + step))


class Ema:
    """The moving average of a model's parameters: average <- d * average + (1 - d) * parameter.

    Sharded as the parameters are, where they are.
    """

    def __init__(self, model: nn.Module) -> None:
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float) -> None:
        """One update, for all tensors in one call."""
        current = dict(model.named_parameters())
        torch._foreach_lerp_(list(self.average.values()), [current[name].detach() for name in self.average], 1 - decay)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take saved averages."""
        for name, value in self.average.items():
            value.copy_(part_like(tensors[name], value))

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights, in evaluation mode, while the block runs."""
        training, kept = model.training, {name: value.detach().clone() for name, value in model.named_parameters()}
        try:
            _assign(model, self.average)
            model.eval()
            yield
        finally:
            _assign(model, kept)
            model.train(training)


@torch.no_grad()
def _assign(model: nn.Module, values: dict[str, Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(values[name])
