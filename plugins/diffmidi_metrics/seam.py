"""Can one hear where windows were joined? How a piece changes at its seams, against how it changes elsewhere.

Pieces longer than a window are drawn window by window (`sample.overlap`). At each place between two notes, in order of
onset and pitch, five changes are measured from the 8 notes before it to the 8 after:

- register: |difference of the mean pitches|, in semitones;
- harmony: ½ Σ |difference of the shares of the 12 pitch classes|, 0 to 1;
- density: |log2 of the ratio of the times that the notes take|, a sixteenth note added to both;
- lengths: |difference of the mean log2 of the note lengths|;
- leap: semitones from the next note to the nearest of the 8 before.

A place is a seam, or lies within one window with all of its 16 notes; those between are not used. For each change the
figure is the probability that it is larger at a seam than at another place of the same piece, ties counting half (the
area under the ROC curve; Mann and Whitney 1947): 0.5 where seams are places like all others, 1 where they always stand
out. `all` takes the five together: the mean of their ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import BELOW, Array, Notes, Row, Sample, SampleMetric, Summary, notes_of, ratio_figure

AROUND = 8
"""Notes on either side."""

CHANGES = ("register", "harmony", "density", "lengths", "leap")


def changes(notes: Notes, ticks_per_quarter: int) -> dict[str, Array]:
    """[N − 15] each change at the places after AROUND, AROUND + 1, ... N − AROUND notes; notes by onset, then pitch."""

    def sides(values: Array) -> tuple[Array, Array]:
        runs = np.lib.stride_tricks.sliding_window_view(values, AROUND)
        return runs[:-AROUND], runs[AROUND:]

    onsets = [each[:, -1] - each[:, 0] for each in sides(notes.onset / ticks_per_quarter)]
    before, after = sides(notes.pitch.astype(np.float64))
    shares = [np.eye(12)[pitch.astype(np.int64) % 12].mean(1) for pitch in (before, after)]
    lengths = [each.mean(1) for each in sides(np.log2(np.maximum(notes.duration, 1) / ticks_per_quarter))]
    return {
        "register": np.abs(before.mean(1) - after.mean(1)),
        "harmony": np.abs(shares[0] - shares[1]).sum(1) / 2,
        "density": np.abs(np.log2((onsets[1] + 1 / 4) / (onsets[0] + 1 / 4))),
        "lengths": np.abs(lengths[0] - lengths[1]),
        "leap": np.abs(before - after[:, :1]).min(1),
    }


def larger(ours: Array, others: Array) -> Array:
    """[N] the share of `others` [M] that each of `ours` [N] is larger than, ties counting half."""
    ours, others = np.round(ours, 9), np.sort(np.round(others, 9))
    found: Array = (np.searchsorted(others, ours) + np.searchsorted(others, ours, side="right")) / (2 * len(others))
    return found


class Seam(SampleMetric):
    """seam = P(change at a seam > change elsewhere in the piece): 0.5 where joins cannot be told.

    Every seam counts the same. Pieces of one window have no seam, and are skipped; so are those too short for places
    that are none. The reference, of which nothing is joined, is measured as if it were in its middle.

    Measured on 97 Bach chorales with a seam after every 16 notes, `all` is 0.50 ± 0.01, wherever the first one lies;
    with these stretches in another order 0.55, and with each from another chorale 0.70.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """For each change and for all: the sum of the shares over the seams; and how many seams there are."""
        notes = notes_of(sample.score)
        places = np.arange(AROUND, len(notes) - AROUND + 1)
        seams = self._seams(sample, len(notes))
        if not len(places) or not len(seams):
            return {}
        is_seam = np.isin(places, seams)
        elsewhere = np.abs(places[:, None] - seams).min(1) >= AROUND
        if not is_seam.any() or not elsewhere.any():
            return {}
        found = changes(notes, sample.score.ticks_per_quarter)
        found["all"] = np.mean([larger(each, each[elsewhere]) for each in found.values()], axis=0)
        row = {name: float(larger(each[is_seam], each[elsewhere]).sum()) for name, each in found.items()}
        return {**row, BELOW: float(is_seam.sum())}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """Each change and all of them; no figures where there is no seam."""
        figures = {
            name: ratio_figure(rows, "probability", "samples", reference=reference, above=name)
            for name in ("all", *CHANGES)
        }
        return {name: figure for name, figure in figures.items() if figure is not None} or None

    def _seams(self, sample: Sample, notes: int) -> NDArray[np.int64]:
        """How many notes precede each seam."""
        if not sample.record:
            return np.array([notes // 2])
        tokens = [count for name, count in sample.record.items() if name.startswith("seam_")]
        before = [len(notes_of(sample.tokenizer.decode(sample.ids[:count]))) for count in tokens]
        return np.array(before, dtype=np.int64)
