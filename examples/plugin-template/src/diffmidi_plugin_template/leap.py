"""How far the notes of a sample leap."""

from __future__ import annotations

import numpy as np

from diffmidi.api.metric import MeanOfSamples, Sample, notes_of


class Leap(MeanOfSamples):
    """Mean |pitch − pitch of the note before| of a sample; the mean of samples, beside that of held-out music."""

    unit = "semitones"

    def value(self, sample: Sample) -> float | None:
        """The sample's mean leap; None where there are fewer than two notes."""
        pitch = notes_of(sample.score).pitch
        return float(np.abs(np.diff(pitch)).mean()) if len(pitch) > 1 else None
