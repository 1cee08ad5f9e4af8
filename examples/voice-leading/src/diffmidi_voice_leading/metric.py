"""Metric `voice_leading`: the faults of voice leading, by rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffmidi.api.metric import Row, Sample, SampleMetric, Summary, ratio_figure
from diffmidi_voice_leading.rules import RULES, unresolved
from diffmidi_voice_leading.voices import chords_of

CHANGES, MOMENTS, ENDINGS = "changes", "moments", "endings"
ALL, FOUR, LEADING = "all", "four_voices", "leading_tone"


class VoiceLeading(SampleMetric):
    """Σ faults / Σ chord changes for each rule and for all of them; unresolved leading tones by endings.

    `four_voices` is the share of moments in which four sound: the others are not judged.
    """

    def of(self, sample: Sample) -> Row:
        """How often each rule was broken; `crossing` only where the score says who sings what."""
        chords = chords_of(sample.score)
        if not len(chords.whole):
            return {}
        before, after = chords.changes
        row = {MOMENTS: float(len(chords.whole)), FOUR: float(np.count_nonzero(chords.whole))}
        if len(before):
            broken = {name: float(rule(before, after).sum()) for name, rule in RULES.items()}
            row |= broken | {ALL: sum(broken.values()), CHANGES: float(len(before))}
            if not chords.voiced:
                del row["crossing"]
        end = unresolved(sample.score, chords)
        return row if end is None else row | {LEADING: float(end), ENDINGS: 1.0}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure a rule."""
        changes = int(sum(row.get(CHANGES, 0) for row in rows))
        told = dict.fromkeys((ALL, *RULES), ("per 100 chord changes", CHANGES, f"over {changes} changes"))
        told[LEADING] = ("% of endings", ENDINGS, "in soprano and bass")
        told[FOUR] = ("% of moments", MOMENTS, "the others are not judged")
        figures = {
            name: ratio_figure(
                rows, unit, "samples", reference=reference, scale=100, above=name, below=below, note=note
            )
            for name, (unit, below, note) in told.items()
        }
        return {name: figure for name, figure in figures.items() if figure is not None} or None
