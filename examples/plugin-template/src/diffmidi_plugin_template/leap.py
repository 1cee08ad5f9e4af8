"""How far the notes of a sample leap."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from diffmidi.api.metric import Figure, Metric, Row, Sample, WindowBits, notes_of


class Leap(Metric):
    """Mean |pitch − pitch of the note before|: the mean over samples with two notes, and its standard error s/√n."""

    subject: ClassVar[Literal["samples"]] = "samples"

    def measure(self, item: WindowBits | Sample) -> Row:
        """{"semitones": the sample's mean leap}, or {} where there are fewer than two notes."""
        if not isinstance(item, Sample):
            raise TypeError(f"Leap measures Samples, not {type(item).__name__}.")
        pitch = notes_of(item.score).pitch
        return {"semitones": float(np.abs(np.diff(pitch)).mean())} if len(pitch) > 1 else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Figure | None:
        """The mean over the samples that have notes, beside that of held-out music."""
        leaps, heldout = ([row["semitones"] for row in some if row] for some in (rows, reference))
        if not leaps:
            return None
        return Figure(
            value=statistics.fmean(leaps),
            unit="semitones",
            count=len(leaps),
            of="samples",
            error=statistics.stdev(leaps) / math.sqrt(len(leaps)) if len(leaps) > 1 else None,
            reference=statistics.fmean(heldout) if heldout else None,
            skipped=len(rows) - len(leaps),
        )
