"""Do pieces have the labels that were asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from diffmidi.api.metric import ABOVE, BELOW, Array, Figure, Row, Sample, SampleMetric, Summary, ratio_figure

OBEYED, ASKED, OBTAINED = "obeyed_", "asked_", "obtained_"


class Obedience(SampleMetric):
    """Of each label that was asked for, over the pieces of a draw that it was asked of and can be measured on:

    - NAME: the share of pieces that have it, in %;
    - NAME_near: the share that have it or a bin next to it, where its values have an order;
    - NAME_correlation: Pearson's correlation of the bins asked and obtained, where more than one was asked for.

    A draw that asks for nothing has no figures, and neither have labels that cannot be measured on a piece.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """What the record tells of labels."""
        of_labels = (OBEYED, ASKED, OBTAINED)
        return {name: float(value) for name, value in sample.record.items() if name.startswith(of_labels)}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The figures of every label."""
        figures: dict[str, Figure | None] = {}
        for label in sorted({name.removeprefix(OBEYED) for row in rows for name in row if name.startswith(OBEYED)}):
            some = [row for row in rows if OBEYED + label in row]
            figures[label] = _share([row[OBEYED + label] for row in some])
            bins = [(row[ASKED + label], row[OBTAINED + label]) for row in some if ASKED + label in row]
            if bins:
                asked, found = np.array(bins).T
                figures[f"{label}_near"] = _share((np.abs(asked - found) <= 1).astype(float).tolist())
                figures[f"{label}_correlation"] = _correlation(asked, found)
        return {name: figure for name, figure in figures.items() if figure is not None} or None


def _share(values: Sequence[float]) -> Figure | None:
    return ratio_figure([{ABOVE: value, BELOW: 1.0} for value in values], "% of pieces", "samples", scale=100)


def _correlation(asked: Array, found: Array) -> Figure | None:
    if np.ptp(asked) == 0 or np.ptp(found) == 0:
        return None
    value = float(np.corrcoef(asked, found)[0, 1])
    return Figure(value=value, unit="correlation", count=len(asked), of="samples")
