"""Densities of distances between pieces: Gaussian kernels on one grid, of pieces that count any number of times."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import Array

Places = NDArray[np.int64]

GRID = 512
"""Points that densities are compared at."""

FLOOR = 1e-6
"""The share of either density that is spread evenly over the grid, so that no logarithm is infinite."""


def distances(ours: Array, theirs: Array) -> Array:
    """[N, M] Euclidean distances of the rows of [N, F] and [M, F]."""
    found: Array = np.sqrt(((ours[:, None] - theirs[None]) ** 2).sum(-1))
    return found


class Grid:
    """One grid for the densities of several sets of distances, with room for the tails of all of them.

    Distances are rounded to its points first, so that a density is a histogram under a kernel.
    """

    def __init__(self, *sets: Array) -> None:
        room = 4 * max(bandwidth(each) for each in sets)
        self.low = min(float(each.min()) for each in sets) - room
        self.step = (max(float(each.max()) for each in sets) + room - self.low) / (GRID - 1)

    def density(self, values: Array) -> Array:
        """[GRID] probabilities that sum to 1: a kernel density estimate; where all values are one, a single spike."""
        return self.weighed(values, self.places(values), np.ones(len(values)))

    def places(self, values: Array) -> Places:
        """[N] the points of the grid that are nearest to the values."""
        place = (values - self.low) / self.step if self.step else np.zeros(len(values))
        return np.rint(place).astype(np.int64)

    def weighed(self, values: Array, places: Places, weights: Array) -> Array:
        """The density of values at their places [N], each as often as its weight says."""
        histogram = np.bincount(places, weights, minlength=GRID)
        width = bandwidth(values, weights) / self.step if self.step else 0.0
        if width > 0:
            reach = np.arange(-GRID + 1, GRID)
            histogram = np.convolve(histogram, np.exp(-((reach / width) ** 2) / 2), mode="full")[
                GRID - 1 : 2 * GRID - 1
            ]
        share: Array = (1 - FLOOR) * histogram / histogram.sum() + FLOOR / GRID
        return share


def bandwidth(values: Array, weights: Array | None = None) -> float:
    """Scott's rule in one dimension: s n^(−1/5), of values [N] that are there as often as weights say."""
    if weights is None:
        return float(values.std(ddof=1)) * len(values) ** -0.2 if len(values) > 1 else 0.0
    count = float(weights.sum())
    if count <= 1:
        return 0.0
    # Not by @: on cores that others use, BLAS's threads wait for each other ten times as long as this takes.
    middle = float((weights * values).sum()) / count
    variance = float((weights * (values - middle) ** 2).sum()) / (count - 1)
    return math.sqrt(variance) * math.pow(count, -0.2)
