"""Sampler: from a canvas to tokens in a number of evaluations of the denoiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Process
from diffmidi_core.declaration import Options
from diffmidi_core.errors import DiffmidiError

Denoise = Callable[..., Any]
"""A denoiser with the signature of the process's own."""
OnStep = Callable[[int, int], object]
"""Told (done, steps) after each step."""


@dataclass(frozen=True)
class Sampled:
    """What a sampler made of a canvas.

    Attributes:
        ids: [B, L] int64.
        record: what the pieces' records are to tell of it: name to [B] whole numbers.
    """

    ids: Tensor
    record: Mapping[str, Tensor] = field(default_factory=dict)


class Sampler(ABC):
    """Draws tokens from a process of its family. Built as `Class(options)`; keeps no state on itself.

    A subclass gives `serves` and `draw`, which narrows the type of `process`; whoever samples calls `sample`.
    """

    serves: ClassVar[type[Process]]
    """The class of the processes that it samples: that of the family which its declaration names."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def sample(
        self,
        process: Process,
        canvas: Canvas,
        *,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None = None,
        on_step: OnStep | None = None,
    ) -> Sampled:
        """Fill the canvas, without gradients. Put the process in eval mode first.

        Args:
            process: of the family that the sampler serves.
            canvas: what stands, and what may be drawn.
            steps: how many, of at most one evaluation of the denoiser each.
            draws: a stream for each row of the canvas.
            denoise: replaces the process's own denoiser (same signature), which is where guidance goes.
            on_step: told of each step.

        Raises DiffmidiError for a process of another family, or where `steps` is out of range.
        """
        if not isinstance(process, self.serves):
            raise DiffmidiError(
                f"{type(self).__name__} samples {self.serves.__name__} processes, and {type(process).__name__} is not "
                "one: choose a sampler of its own family."
            )
        if steps < 1:
            raise DiffmidiError(f"sampling takes at least 1 step (given: {steps}).")
        with torch.no_grad():
            return self.draw(process, canvas, steps, draws, denoise, on_step or _tell_nobody)

    @abstractmethod
    def draw(
        self,
        process: Any,
        canvas: Canvas,
        steps: int,
        draws: RowDraws,
        denoise: Denoise | None,
        on_step: OnStep,
    ) -> Sampled:
        """`sample`, its arguments checked: `process` is of the family, `steps` 1 or more.

        Fixed tokens come back unchanged, and [PAD], [CLS], [SEP] and [MASK] stand only where the canvas fixed them.
        Everything random comes from `draws`. Raises DiffmidiError where `steps` is out of range; a sampler that needs
        a step for each free token says so in its declaration (`step_per_token`).
        """


def _tell_nobody(done: int, steps: int) -> None:
    pass
