"""What judging is given: where it computes and whom it tells, the metrics, and how many windows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from diffmidi_core.hooks import Hooks
from diffmidi_core.judge.metrics import Metrics
from diffmidi_core.sections import EvaluateConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


class Machine(Protocol):
    """Where a model is judged, and whom it tells: a Session is one."""

    @property
    def accelerator(self) -> Accelerator:
        """Device and ranks."""

    @property
    def hooks(self) -> Hooks:
        """Told of the progress, and of what the user should know."""

    def autocast(self) -> AbstractContextManager[None]:
        """Within it the model computes in the precision that was chosen."""


@dataclass(frozen=True)
class Judging:
    """How something is judged; nothing here is written to a run.

    Attributes:
        metrics: the chosen ones, built.
        evaluate: how many windows, at how many noise levels, how many at once.
    """

    metrics: Metrics
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
