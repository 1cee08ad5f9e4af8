"""How far are pieces and held-out music apart, as a model hears them?

The Fréchet distance between two normal distributions that have the means and covariances of both sets' features (Dowson
and Landau 1982; Heusel et al. 2017, FID), the features being what the backbone of a model makes of a piece.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from diffmidi.api.metric import Array, Figure, ModelMetric, Row, Sample, Summary, normal_interval
from diffmidi_metrics.declarations import FrechetOptions

RESAMPLES = 200
"""Bootstrap samples of pieces; each takes a singular value decomposition."""


class Frechet(ModelMetric):
    """frechet = |μ − ν|² + tr(Σ + Τ − 2 (ΣΤ)^½) of features of samples and of held-out music.

    It is too large for few pieces, by what their own scatter is worth; so its reference is what as many pieces of the
    held-out music score against others of it.
    """

    options: FrechetOptions

    def of(self, sample: Sample) -> Row:
        """The sample's features; nothing for what the model has no windows for."""
        found = self.features(sample)
        return {} if found is None else {f"{place:04d}": float(f"{value:.6g}") for place, value in enumerate(found)}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The distance; None without two samples and four pieces of the reference."""
        ours, theirs = _table(rows), _table(reference)
        n, m = len(ours), len(theirs)
        if n < 2 or m < 4:
            return None
        value, rng = distance(ours, theirs), np.random.default_rng(0)
        again = [distance(ours[rng.integers(n, size=n)], theirs[rng.integers(m, size=m)]) for _ in range(RESAMPLES)]
        error, interval = normal_interval(value, np.array(again), 0.0, math.inf, n)
        few = min(n, m // 2)
        order = np.random.default_rng(0).permutation(m)
        note = (
            f"of features of {self.options.model}; {n} samples of {ours.shape[1]} features make it too large: the "
            f"reference is {few} pieces of that music against {m - few} others, and figures over other numbers of "
            "pieces cannot be compared"
        )
        figure = Figure(value, "squared distance", n, "samples", error, note, interval, skipped=len(rows) - n)
        return replace(figure, reference=distance(theirs[order[:few]], theirs[order[few:]]))


def distance(x: Array, y: Array) -> float:
    """The distance between normal distributions fitted to x [N, F] and y [M, F], two of each at least.

    With X and Y centred and divided by √(N − 1), √(M − 1): Σ = XᵀX, Τ = YᵀY, and tr (ΣΤ)^½ is the sum of the singular
    values of XYᵀ. So it holds for fewer pieces than features, where covariances have no inverse.
    """
    means = x.mean(0) - y.mean(0)
    x, y = ((each - each.mean(0)) / math.sqrt(len(each) - 1) for each in (x, y))
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return max(0.0, float(means @ means + (x**2).sum() + (y**2).sum() - 2 * shared))


def _table(rows: Sequence[Row]) -> Array:
    """[N, F] of the rows that hold something, in an order of their own."""
    found = np.array(sorted(list(row.values()) for row in rows if row), dtype=np.float64)
    return found if len(found) else found.reshape(0, 0)
