"""What is played: pitch classes, range, scale, and how many pitches at once.

Each is the mean over samples of one number each. Time is exact, in ticks: no grid is laid over it.
"""

from __future__ import annotations

import numpy as np

from diffmidi.api.metric import Array, MeanOfSamples, Notes, Sample, notes_of

MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
"""Which pitch classes are in C major. The natural minor scales are the same twelve sets."""


def pitch_classes(notes: Notes) -> Array:
    """[12] share of the notes in each pitch class, C first."""
    share: Array = np.bincount(notes.pitch % 12, minlength=12) / len(notes)
    return share


def sounding(notes: Notes) -> tuple[Array, Array]:
    """How many different pitches sound, from the first onset to the last end: [S] numbers, and [S] for how many ticks.

    Notes sound in [onset, onset + duration); one pitch struck again while it sounds counts once.
    """
    order = np.lexsort((notes.onset, notes.pitch))
    apart = notes.pitch[order] << 40  # each pitch on a time line of its own, further away than any piece is long
    start = notes.onset[order] + apart
    end = np.maximum.accumulate(start + notes.duration[order])
    first = np.concatenate([[True], start[1:] > end[:-1]])
    last = np.concatenate([first[1:], [True]])
    times = np.concatenate([(start - apart)[first], (end - apart)[last]])
    change = np.repeat([1, -1], [first.sum(), last.sum()])
    moments, index = np.unique(times, return_inverse=True)
    count = np.bincount(index, change, len(moments)).cumsum()[:-1]
    return count, np.diff(moments).astype(np.float64)


class PitchClassEntropy(MeanOfSamples):
    """pitch_class_entropy = −Σ p_i log₂ p_i over the shares p_i of the notes in the twelve pitch classes.

    0 for one pitch class, log₂ 12 = 3.585 for all alike (Wu and Yang 2020, The Jazz Transformer, with whole pieces for
    bars). Agrees with MusPy.
    """

    unit = "bits"

    def value(self, sample: Sample) -> float | None:
        """The entropy; None without notes."""
        notes = notes_of(sample.score)
        if not len(notes):
            return None
        share = pitch_classes(notes)
        share = share[share > 0]
        return abs(float((share * np.log2(share)).sum()))


class PitchRange(MeanOfSamples):
    """pitch_range = highest − lowest pitch. Agrees with MusPy."""

    unit = "semitones"

    def value(self, sample: Sample) -> float | None:
        """The range; None without notes."""
        pitch = notes_of(sample.score).pitch
        return float(pitch.max() - pitch.min()) if len(pitch) else None


class ScaleConsistency(MeanOfSamples):
    """scale_consistency = the largest share of the notes that one diatonic scale holds (Mogren 2016, C-RNN-GAN).

    7/12 = 0.583 for all pitch classes alike. Agrees with MusPy.
    """

    unit = "of the notes"

    def value(self, sample: Sample) -> float | None:
        """The share in the best of the twelve scales; None without notes."""
        notes = notes_of(sample.score)
        if not len(notes):
            return None
        share = pitch_classes(notes)
        return max(float(share[np.roll(MAJOR, root) > 0].sum()) for root in range(12))


class Polyphony(MeanOfSamples):
    """polyphony = mean number of pitches that sound, over the time in which any does.

    Agrees with MusPy where no pitch is struck again while it sounds.
    """

    unit = "pitches"

    def value(self, sample: Sample) -> float | None:
        """The mean; None where nothing sounds."""
        notes = notes_of(sample.score)
        count, ticks = sounding(notes) if len(notes) else (np.zeros(0), np.zeros(0))
        heard = ticks[count > 0].sum()
        return float((count * ticks).sum() / heard) if heard else None


class PolyphonyRate(MeanOfSamples):
    """polyphony_rate = share of the time, from the first onset to the last end, in which two pitches or more sound.

    MusPy's is the share with more than `threshold` pitches, three or more by default, of the time from tick 0.
    """

    unit = "of the time"

    def value(self, sample: Sample) -> float | None:
        """The share; None where nothing sounds."""
        notes = notes_of(sample.score)
        count, ticks = sounding(notes) if len(notes) else (np.zeros(0), np.zeros(0))
        return float(ticks[count >= 2].sum() / ticks.sum()) if ticks.sum() else None
