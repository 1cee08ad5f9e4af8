"""Sampler: from a canvas to words in a number of evaluations of the denoiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from diffmidi_core.contracts.batch import Canvas
from diffmidi_core.contracts.process import Process
from diffmidi_core.declaration import Options


class Sampler(ABC):
    """Draws words from a process of its family. Built as `Class(options)`; keeps no state on itself."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def sample(
        self,
        process: Process,
        canvas: Canvas,
        *,
        steps: int,
        generator: torch.Generator,
        denoise: Callable[..., Any] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Words [B, L] int64 for the canvas, in `steps` steps of at most one evaluation of the denoiser.

        Fixed words come back unchanged, and [PAD], [CLS], [SEP] and [MASK] stand only where the canvas fixed them.
        `denoise` replaces the process's own denoiser (same signature), which is where guidance goes;
        `on_step(done, steps)` is told after each step. Raises DiffmidiError where `steps` is out of range; a sampler
        that needs a step for each free word says so in its declaration (`step_per_word`).
        """

    def sample_with_record(
        self,
        process: Process,
        canvas: Canvas,
        *,
        steps: int,
        generator: torch.Generator,
        denoise: Callable[..., Any] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What `sample` returns, and what the samples' records should say of it: name to [B] whole numbers.

        A sampler that has something to say overrides it.
        """
        words = self.sample(process, canvas, steps=steps, generator=generator, denoise=denoise, on_step=on_step)
        return words, {}
