"""When it is played: grooves, empty beats, density, note lengths and the time between onsets.

Beats are quarter notes and bars are four of them, counted from the first onset: samples begin anywhere in a piece, so
that no other bar line is known.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import BELOW, MeanOfSamples, Row, Sample, SampleMetric, Summary, notes_of, ratio_figure

STEPS = 16
"""Steps of a bar."""

VALUES = ("1/32", "1/16", "1/8", "1/4", "1/2", "1/1", "longer")
"""Note values; the outermost hold what is shorter, or longer, too."""


class GrooveConsistency(MeanOfSamples):
    """groove_consistency = 1 − mean over neighbouring bars of |g_i ⊕ g_{i+1}| / 16.

    g_i says at which of its 16 steps a note of bar i starts (Wu and Yang 2020, The Jazz Transformer, section 4.3, on
    neighbours alone). MusPy divides by the ticks of a bar, so that its figure tends to 1 as the resolution grows; at
    four ticks a quarter note it agrees. Sparse music scores high whatever it plays: look at its reference.
    """

    unit = "of the steps"

    def value(self, sample: Sample) -> float | None:
        """The consistency; None where there are fewer than two bars."""
        onset = notes_of(sample.score).onset
        if not len(onset):
            return None
        ticks = sample.score.ticks_per_quarter
        step = np.rint((onset - onset[0]) * STEPS / (4 * ticks)).astype(np.int64)
        # Only the steps that hold an onset are looked at: a piece may be all rests, for hours.
        there = np.unique(step)
        bars = int(there[-1]) // STEPS + 1
        if bars < 2:
            return None
        kept = np.intersect1d(there, there + STEPS, assume_unique=True)
        alone_in_end_bars = int(((there < STEPS) | (there >= (bars - 1) * STEPS)).sum())
        changes = 2 * len(there) - alone_in_end_bars - 2 * len(kept)
        return 1 - changes / (STEPS * (bars - 1))


class EmptyBeatRate(MeanOfSamples):
    """empty_beat_rate = share of the beats, from the first onset to the last end, in which no note sounds.

    A note sounds in [onset, end): MusPy lets one that ends on a beat fill the beat that follows, too.
    """

    unit = "of the beats"

    def value(self, sample: Sample) -> float | None:
        """The share; None where nothing sounds."""
        notes = notes_of(sample.score)
        notes = notes[notes.duration > 0]
        if not len(notes):
            return None
        ticks = sample.score.ticks_per_quarter
        onset = notes.onset - notes.onset[0]
        first, end = onset // ticks, -(-(onset + notes.duration) // ticks)
        covered = np.concatenate([[0], np.maximum.accumulate(end)[:-1]])  # beats filled by the notes before
        filled = np.maximum(end - np.maximum(first, covered), 0).sum()
        return 1 - float(filled / end.max())


class NoteDensity(MeanOfSamples):
    """note_density = notes per quarter note of music, from the first onset to the last end."""

    unit = "notes per beat"

    def value(self, sample: Sample) -> float | None:
        """The density; None where no time passes."""
        notes = notes_of(sample.score)
        if not len(notes):
            return None
        length = int((notes.onset + notes.duration).max() - notes.onset[0])
        return len(notes) * sample.score.ticks_per_quarter / length if length else None


class _Histogram(SampleMetric):
    """Shares of note values, in % of all that there are in all samples; one figure a value that occurs anywhere.

    Each length counts for the nearest value on a logarithmic scale: an eighth is from 0.35 to 0.71 quarter notes.
    """

    unit: str

    def of(self, sample: Sample) -> Row:
        """How many of each value."""
        quarters = self.lengths(sample) / sample.score.ticks_per_quarter
        if not len(quarters):
            return {}
        value = np.clip(np.rint(np.log2(quarters / 4)).astype(int) + 5, 0, len(VALUES) - 1)
        counts = np.bincount(value, minlength=len(VALUES))
        return {**dict(zip(VALUES, counts.tolist(), strict=True)), BELOW: len(quarters)}

    @abstractmethod
    def lengths(self, sample: Sample) -> NDArray[np.int64]:
        """[N] lengths in ticks, all of them positive."""

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure a value, shortest first, beside the reference."""
        figures = {}
        for name in VALUES:
            if any(row.get(name) for row in (*rows, *reference)):
                figures[name] = ratio_figure(rows, self.unit, "samples", reference=reference, scale=100, above=name)
        return {name: figure for name, figure in figures.items() if figure is not None} or None


class NoteLengths(_Histogram):
    """note_lengths: the shares of the notes that are nearest to a 1/32, 1/16, ... in length."""

    unit = "% of notes"

    def lengths(self, sample: Sample) -> NDArray[np.int64]:
        """Durations."""
        duration = notes_of(sample.score).duration
        return duration[duration > 0]


class InterOnsets(_Histogram):
    """inter_onsets: the same of the times between one onset and the next; notes that start together are one onset."""

    unit = "% of onsets"

    def lengths(self, sample: Sample) -> NDArray[np.int64]:
        """Gaps between different onsets."""
        gaps: NDArray[np.int64] = np.diff(np.unique(notes_of(sample.score).onset)).astype(np.int64)
        return gaps
