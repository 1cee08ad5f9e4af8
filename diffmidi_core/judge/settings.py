"""How something is judged: by which metrics, on how many windows."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.sections import EvaluateConfig


@dataclass(frozen=True)
class Judging:
    """By what something is judged; nothing here is written to a run.

    Attributes:
        metrics: the chosen ones, built.
        evaluate: how many windows, at how many noise levels, how many at once.
    """

    metrics: Metrics
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
