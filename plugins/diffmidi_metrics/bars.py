"""What only music with bars can be asked: where in its bars notes start, how many a bar has, and how a piece ends.

Music that says no metre has no bars, and no figure here.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import numpy as np

from diffmidi.api.metric import Array, MeanOfSamples, Sample, Score, key_clarity, key_of, notes_of

CLOSE = 1 / 24
"""Of a quarter note: an onset this near a beat is on it, whatever ticks its file has."""
TONICS = {name: pitch for pitch, name in enumerate(["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])}
TONICS |= {"C#": 1, "G#": 8}


def spans_of(score: Score) -> Array:
    """[N, 4] in quarter notes: from where to where a metre stands, its bar's length and its beat's. From 0, rising."""
    signs = {
        each.time: (4 * each.numerator / each.denominator, 4 / each.denominator)
        for each in score.time_signatures
        if each.numerator > 0 and each.denominator > 0
    }
    begin = [*sorted(signs), np.inf]
    spans = [(first, after, *signs[int(first)]) for first, after in pairwise(begin)]
    found = np.array(spans, dtype=np.float64).reshape(-1, 4)
    found[:, :2] /= score.ticks_per_quarter
    return found


class OnsetsOnBeats(MeanOfSamples):
    """onsets_on_beats = share of the notes that start on a beat, the unit that the metre counts (eighths in 6/8)."""

    unit = "of the notes"

    def value(self, sample: Sample) -> float | None:
        """The share; None without notes, or where the first comes before any metre."""
        spans, onset = spans_of(sample.score), notes_of(sample.score).onset / sample.score.ticks_per_quarter
        if not len(onset) or not len(spans) or onset[0] < spans[0, 0]:
            return None
        span = spans[np.searchsorted(spans[:, 0], onset, side="right") - 1]
        since = (onset - span[:, 0]) / span[:, 3]
        return float((np.abs(since - np.rint(since)) * span[:, 3] < CLOSE).mean())


class NotesPerBar(MeanOfSamples):
    """notes_per_bar = notes, over the bars up to that of the last onset."""

    unit = "notes"

    def value(self, sample: Sample) -> float | None:
        """The mean; None without notes, or without a metre."""
        spans, onset = spans_of(sample.score), notes_of(sample.score).onset / sample.score.ticks_per_quarter
        if not len(onset) or not len(spans):
            return None
        spans = spans[spans[:, 0] <= onset[-1]]
        bars = sum(ceil((end - begin) / length - CLOSE) for begin, end, length, _ in spans[:-1].tolist())
        begin, _, length, _ = spans[-1].tolist() if len(spans) else (0.0, 0.0, 1.0, 1.0)
        return float(len(onset) / (bars + int((onset[-1] - begin + CLOSE) // length) + 1))


class KeyClarity(MeanOfSamples):
    """key_clarity = correlation of how long each pitch class sounds with the profile of the nearest key.

    As key_of finds it, by Krumhansl and Schmuckler: 1 is the profile itself (Krumhansl 1990, chapter 4).
    """

    unit = "correlation"

    def value(self, sample: Sample) -> float | None:
        """The correlation; None where no key is nearer than another."""
        notes = notes_of(sample.score)
        return key_clarity(notes.pitch, notes.duration) if len(notes) else None


class EndsOnTonic(MeanOfSamples):
    """ends_on_tonic = share of the pieces whose lowest note at the end is the tonic of the piece's key.

    At the end is what is the last to sound: the notes that end within a quarter note of the last end.
    """

    unit = "of the pieces"

    def value(self, sample: Sample) -> float | None:
        """1 or 0; None where no key is nearer than another."""
        notes = notes_of(sample.score)
        key = key_of(notes.pitch, notes.duration) if len(notes) else None
        if key is None:
            return None
        end = notes.onset + notes.duration
        last = notes.pitch[end > end.max() - sample.score.ticks_per_quarter]
        return float(int(last.min()) % 12 == TONICS[key.split()[0]])
