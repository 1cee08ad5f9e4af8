"""The pitch range of samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import ClassVar, Literal

from diffmidi_core.api import Figure, Metric, Row, Sample, WindowBits, notes_of


class PitchRange(Metric):
    """Highest pitch − lowest pitch: the mean over samples that have notes, and its standard error s/√n."""

    subject: ClassVar[Literal["samples"]] = "samples"

    def measure(self, item: WindowBits | Sample) -> Row:
        """{"semitones": highest − lowest}, or {} where there are no notes."""
        if not isinstance(item, Sample):
            raise TypeError(f"PitchRange measures Samples, not {type(item).__name__}.")
        pitch = notes_of(item.score).pitch
        return {"semitones": int(pitch.max() - pitch.min())} if len(pitch) else {}

    def summarise(self, rows: Sequence[Row]) -> Figure | None:
        """The mean over the samples that have notes."""
        ranges = [row["semitones"] for row in rows if row]
        if not ranges:
            return None
        error = statistics.stdev(ranges) / math.sqrt(len(ranges)) if len(ranges) > 1 else None
        return Figure(statistics.fmean(ranges), "semitones", len(ranges), "samples with notes", error)
