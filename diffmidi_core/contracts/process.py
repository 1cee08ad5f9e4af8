"""Process: how tokens become noise and back. Owns what goes into the backbone and what comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.errors import DiffmidiError

Order = Literal["window", "bars", "cells"]
"""What is drawn together: "window": all heads, then all notes; "bars": the heads of a bar, then its notes; "cells": the
head of a cell, then its notes."""


LEVEL_BINS = 20
"""Equal ranges of the noise level, from 0 (clean) to 1, that a bound may be told by."""


@dataclass(frozen=True)
class Bound:
    """An upper bound on -log2 p(tokens | their number), window by window.

    Attributes:
        terms: name to [B, L] bits, what each position costs, 0 where it is not kept; the bound is the sum of all terms
            over all positions. "rounding" is the reconstruction term -log2 p(w | x0), the paper's metric, where the
            process has one.
        tokens: [B] how many tokens of music each window holds; what "per token" divides by.
        by_level: [B, LEVEL_BINS] the bits of term "diffusion" by the noise level at which they are charged: a share of
            all levels, or of the tokens that are masked; None where the process does not say. Of an estimate, what the
            levels that were drawn give.
    """

    terms: Mapping[str, Tensor]
    tokens: Tensor
    by_level: Tensor | None = None

    @property
    def bits(self) -> Tensor:
        """[B] the whole bound in bits."""
        return torch.stack([term.sum(-1) for term in self.terms.values()]).sum(0)


class Process(nn.Module, ABC):
    """A diffusion process around a backbone.

    Built as `Class(options, tokenizer=..., backbone=..., schedule=...)`. It holds the backbone as a submodule, so that
    its parameters are all there is to train and to save. Called as a module it is `loss`, which is what distributed
    training wraps.
    """

    exact: ClassVar[bool] = False
    """Whether `bound` is -log2 p itself: then nothing is drawn, for it or for the loss, and `levels` means nothing."""
    plans: ClassVar[bool] = False
    """Whether it reads tokenizers that have a plan (`Tokenizer.plan`), drawing that before the notes."""
    conditions: ClassVar[bool] = False
    """Whether it can be told labels of a row (`Places.condition`), once `learn_labels` has made room for them."""
    order: Order = "window"
    """In which portions a canvas is laid out where the tokenizer has a plan."""

    def __init__(self, options: Options, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule) -> None:
        super().__init__()
        self.options = options
        self.tokenizer = tokenizer
        self.backbone = backbone
        self.schedule = schedule

    @classmethod
    def positions(cls, options: Any, tokenizer: Tokenizer, length: int, bars: int) -> int:
        """How many places its backbone is to number, for windows of `length` tokens and so many bars.

        By default one for each token, [CLS] and [SEP].
        """
        return length + 2

    def learn_labels(self, values: Mapping[str, int]) -> None:
        """Make room for labels, by name of so many values each, before training or before weights are loaded.

        Raises DiffmidiError where it cannot be told any, as by default (`conditions`).
        """
        if values:
            raise DiffmidiError(
                f"{type(self).__name__} cannot be told labels: leave out --condition, or choose --process masked, "
                "gaussian or autoregressive."
            )

    def denoiser(self) -> Callable[..., Any]:
        """Its own denoiser, which a sampler asks and guidance wraps; perhaps one that remembers the canvas it fills."""
        own: Any = self.denoise
        return own  # type: ignore[no-any-return]

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Scalars: "loss" to go down, and its parts to be logged (detached). [PAD] contributes to none of them.

        The batch may be a part of an optimiser step. Draw what is random for each row through `batch.rows_of`, and
        average through `batch.mean`: then a step is the same on any number of processes and in passes of any size.
        """

    @abstractmethod
    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """An estimate of the bound with `levels` noise levels drawn for each window.

        None, or as many as there are: all of them, exact in t.
        """

    def likelihood(self, batch: Batch, order: Sequence[str] = ()) -> Bound:
        """−log2 p itself, of the model that reveals a token an evaluation in an order that is known before the tokens.

        In the order of the text, or where `order` names types of tokens all of the first one before those of the next.
        Raises DiffmidiError for a process that has no such likelihood; one whose `bound` is exact has that alone.
        """
        if not self.exact:
            raise DiffmidiError("this model's process has a bound on its likelihood only: leave out --exact.")
        return self.bound(batch, torch.Generator(batch.ids.device))

    def order_of_types(self, batch: Batch, generator: torch.Generator) -> tuple[str, ...]:
        """An order of types in which `likelihood` charges little for `batch`, windows of training music.

        () where it has one order only.
        """
        return ()

    def features(self, batch: Batch) -> Tensor:
        """[B, H] what the backbone makes of the tokens, nothing hidden, averaged over positions.

        Rows are of one length. Raises DiffmidiError for a process that does not say.
        """
        raise DiffmidiError(
            "this model's process gives no features of music: name a run of process masked or autoregressive."
        )

    @abstractmethod
    def oracle(self, ids: Tensor) -> Callable[..., Any]:
        """A denoiser, called as the process's own, that always knows the tokens [B, L]. Samplers are tested with it."""

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """`loss`."""
        return self.loss(batch, generator)
