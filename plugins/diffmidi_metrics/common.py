"""What the metrics share: figures of means and of ratios with their intervals, and the notes of a sample in quarters.

Intervals are 95 % percentile bootstrap intervals (Efron 1979) over the items, from one fixed seed. Items are put in
order first, so that the order in which ranks gather them changes nothing.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.api import Figure, Metric, Row, Sample, Summary, WindowBits

Array = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 2000
"""How many bootstrap samples an interval is read from; its ends are then known to a few hundredths of its width."""

ABOVE, BELOW = "above", "below"


def resampled(count: int, stream: int = 0) -> NDArray[np.int64]:
    """[RESAMPLES, count] indices drawn with replacement, the same at every call; another stream draws others."""
    return np.random.default_rng(stream).integers(count, size=(RESAMPLES, count))


def between(values: Array) -> Interval:
    """The middle 95 % of bootstrapped values."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def around(value: float, values: Array, least: float, most: float) -> tuple[float, Interval]:
    """The standard deviation of bootstrapped values, and value ± 1.96 of it, cut to what the value can be.

    For figures at the edge of what they can be, such as an overlap near 1: drawing anew can only lower them, so that
    the middle of what was drawn may miss the value itself (Efron and Tibshirani 1993, chapter 13).
    """
    error = float(values.std(ddof=1))
    return error, (max(least, value - 1.96 * error), min(most, value + 1.96 * error))


def ratio(rows: Sequence[Row], above: str = ABOVE, below: str = BELOW) -> tuple[float, float | None, Interval | None]:
    """sum(above) / sum(below), its standard error and its interval over the rows (None for fewer than two).

    The error is that of a ratio estimator (Cochran 1977, Sampling Techniques, eq. 2.39), s over √n:
    √(n/(n−1) Σ (above − ratio·below)²) / Σ below.
    """
    pairs = np.array(sorted((row[above], row[below]) for row in rows), dtype=np.float64)
    n, (numerator, total) = len(pairs), pairs.sum(0)
    value = float(numerator / total)
    if n < 2:
        return value, None, None
    error = math.sqrt(n / (n - 1) * ((pairs[:, 0] - value * pairs[:, 1]) ** 2).sum()) / total
    sums = pairs[resampled(n)].sum(1)
    some = sums[sums[:, 1] > 0]
    return value, float(error), between(some[:, 0] / some[:, 1])


class OfSamples(Metric):
    """A metric of generated music."""

    subject: ClassVar[Literal["samples"]] = "samples"

    def measure(self, item: WindowBits | Sample) -> Row:
        """What `of` says of the sample."""
        if not isinstance(item, Sample):
            raise TypeError(f"{type(self).__name__} measures Samples, not {type(item).__name__}.")
        return self.of(item)

    @abstractmethod
    def of(self, sample: Sample) -> Row:
        """The sample's row; empty where it cannot be measured."""


def ratio_figure(
    rows: Sequence[Row], unit: str, of: str, *, reference: Sequence[Row] = (), note: str = "", scale: float = 1.0
) -> Figure | None:
    """scale · Σ above / Σ below over the rows that hold something, beside the same of the reference."""
    found = [row for row in rows if row]
    if not sum(row[BELOW] for row in found):
        return None
    value, error, interval = ratio([{**row, ABOVE: scale * row[ABOVE]} for row in found])
    figure = Figure(value, unit, len(found), of, error, note, interval, skipped=len(rows) - len(found))
    beside = ratio_figure(reference, unit, of, scale=scale) if reference else None
    if beside is None:
        return figure
    return replace(figure, reference=beside.value, reference_interval=beside.interval)


class MeanOfSamples(OfSamples):
    """The mean over samples of one number each, every sample counting the same; those without one are skipped."""

    unit: ClassVar[str]

    def of(self, sample: Sample) -> Row:
        """The sample's value, where it has one."""
        value = self.value(sample)
        return {} if value is None else {ABOVE: float(value), BELOW: 1.0}

    @abstractmethod
    def value(self, sample: Sample) -> float | None:
        """The number; None where there is too little music to say."""

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The mean, its standard error s/√n and its interval; the same of held-out music."""
        return ratio_figure(rows, self.unit, "samples", reference=reference)
