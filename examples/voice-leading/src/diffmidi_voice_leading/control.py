"""Controls `voice_leading` and `leading_tone`: music is judged, while it is drawn, by the functions of the metric."""

from __future__ import annotations

from collections.abc import Sequence

from diffmidi.api.control import Control, Score
from diffmidi_voice_leading.declarations import VoiceLeadingOptions
from diffmidi_voice_leading.rules import RULES, unresolved
from diffmidi_voice_leading.voices import chords_of


class VoiceLeading(Control):
    """x / (1 + x) of the faults at a chord change, x, to which the share of moments without four voices is added.

    Without that share the cheapest way to make no faults would be to have no chords.
    """

    options: VoiceLeadingOptions

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """The loss of each piece."""
        return [self._loss(piece) for piece in pieces]

    def _loss(self, piece: Score) -> float:
        chords = chords_of(piece)
        if not len(chords.whole):
            return 0.0
        before, after = chords.changes
        faults = sum(int(RULES[name](before, after).sum()) for name in self.options.rules)
        x = faults / max(len(before), 1) + self.options.four * float(1 - chords.whole.mean())
        return x / (1 + x)


class LeadingTone(Control):
    """1/2 for each outer voice that leaves the leading tone, at the end, for anything but the tonic."""

    def score(self, pieces: Sequence[Score]) -> Sequence[float]:
        """The loss of each piece; 0 of those that do not end with two chords of four voices."""
        return [(unresolved(piece, chords_of(piece)) or 0) / 2 for piece in pieces]
