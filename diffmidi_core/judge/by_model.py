"""Metrics of music that ask a trained model: pieces are written as its own tokens, whoever made them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.metric import Sample
from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.errors import UsageError
from diffmidi_core.judge.rows import SampleMetric

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model
    from diffmidi_core.judge.score import PieceScore


class ModelMetric(SampleMetric):
    """A metric of music that asks a model, its option `model`: a run, an exported folder, or an installed model."""

    needs_model: ClassVar[bool] = True
    options: Any

    @cached_property
    def model(self) -> Model:
        """The model, opened once, where the machine computes fastest.

        Raises UsageError where none is named, DiffmidiError where there is none, or it is damaged.
        """
        if not self.options.model:
            raise UsageError("it asks a model, and none is named: add -o metric.NAME.model=RUN")
        import torch

        from diffmidi_core.draw.model import open_model
        from diffmidi_core.saved.installed import model_at

        model = open_model(model_at(self.options.model))
        model.process.to(torch.accelerator.current_accelerator(check_available=True) or "cpu")
        return model

    def ids(self, sample: Sample) -> Ids:
        """The sample as the model's tokens."""
        return self.model.tokenizer.encode(sample.score)

    def scored(self, sample: Sample, *, exact: bool = False, levels: int | None = None) -> PieceScore | None:
        """What the sample costs the model; None where it has no tokens for it, or a bar is longer than its windows."""
        from diffmidi_core.judge.score import CannotScoreError, score

        try:
            return score(self.model, sample.score, exact=exact, levels=levels)
        except CannotScoreError:
            return None

    def features(self, sample: Sample) -> NDArray[np.float64] | None:
        """[H] what the model's backbone makes of the sample, averaged over the positions of windows that tile it.

        None as for `scored`. Raises DiffmidiError where the model's process gives no features.
        """
        from diffmidi_core.judge.score import CannotScoreError, features

        try:
            return features(self.model, sample.score)
        except CannotScoreError:
            return None
