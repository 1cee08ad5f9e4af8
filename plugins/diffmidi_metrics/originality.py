"""Is it new? The longest stretch of each sample that stands in the training set, in whatever key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffmidi.api.metric import (
    ABOVE,
    BELOW,
    FEWEST,
    Array,
    Figure,
    Row,
    Sample,
    SampleMetric,
    Summary,
    bootstrap,
    percentile_interval,
    ratio_figure,
)
from diffmidi_metrics.passages import Passages, events


class Originality(SampleMetric):
    """originality: the longest transposition-invariant match with the training set, beside that of music that is new.

    A match of n notes: n notes on end, by onset then pitch, whose n − 1 steps to the next, (interval in semitones,
    gap in twelfths of a quarter note), stand on end in a training piece too. Lengths and velocities do not matter.

    - `match`: its mean length; reference windows are as long as the samples, so that chance treats them alike.
    - `percentile`: the mean share of reference windows with a shorter match, those as long counting half. 50 for music
      that is as new as what people wrote, 100 for music copied further than any of theirs (the area under the ROC
      curve of telling the two apart by their matches, in %).
    - `copied`: the share of the samples with a longer match than any reference window.

    The reference is music that was not trained on. Rows also hold where: note `start` of the sample, note `note` of
    training piece `piece`.
    """

    def of(self, sample: Sample) -> Row:
        """The longest match; nothing for fewer than two notes, or without a training set."""
        query = events(sample.score)
        if not len(query) or sample.training is None or not len(sample.training):
            return {}
        passages = sample.training.derived(Passages)
        length, start, at = passages.longest(query)
        piece, note = passages.locate(at)
        return {"match": length + 1, "start": start, "piece": piece, "note": note}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The mean match, and where there is a reference, percentile and share copied."""
        mine, theirs = (np.sort([row["match"] for row in some if row]) for some in (rows, reference))
        if not len(mine):
            return None
        here, beside = ([{ABOVE: row["match"], BELOW: 1} if row else {} for row in some] for some in (rows, reference))
        match = ratio_figure(here, "notes", "samples", reference=beside)
        figures = {"match": match} if match is not None else {}
        if len(theirs):
            skipped = len(rows) - len(mine)
            drawn = zip(bootstrap(len(mine)), bootstrap(len(theirs), 1), strict=True)
            pairs = [(mine[some], theirs[others]) for some, others in drawn] if len(mine) >= FEWEST else []
            for name, judge, by_nature in (("percentile", _percentile, 50.0), ("copied", _copied, 0.0)):
                interval = percentile_interval(np.array([judge(*pair) for pair in pairs]), len(mine)) if pairs else None
                unit = {"percentile": "% of reference", "copied": "% of samples"}[name]
                figures[name] = Figure(
                    judge(mine, theirs),
                    unit,
                    len(mine),
                    "samples",
                    interval=interval,
                    reference=by_nature,
                    skipped=skipped,
                )
        return figures


def _percentile(mine: Array, theirs: Array) -> float:
    theirs = np.sort(theirs)
    shorter, not_longer = (np.searchsorted(theirs, mine, side=side) for side in ("left", "right"))
    return float(50 * (shorter + not_longer).mean() / len(theirs))


def _copied(mine: Array, theirs: Array) -> float:
    return float(100 * (mine > theirs.max()).mean())
