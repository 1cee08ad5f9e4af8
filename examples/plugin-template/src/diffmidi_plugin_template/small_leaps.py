"""A rule in ten lines: no large leaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffmidi.api.control import Control, Score, notes_of
from diffmidi_plugin_template.declarations import SmallLeapsOptions


class SmallLeaps(Control):
    """The share of steps from one note to the next that are larger than `most` semitones."""

    options: SmallLeapsOptions

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """0 where there is none; candidates are chosen by it, so that drawing comes near to that."""
        leaps = (np.abs(np.diff(notes_of(piece).pitch)) for piece in pieces)
        return [float((leap > self.options.most).mean()) if len(leap) else 0.0 for leap in leaps]
