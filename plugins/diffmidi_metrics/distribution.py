"""Is generated music spread as the music is that it is compared with, the reference?

After Yang and Lerch (2020), On the evaluation of generative models in music. For each feature of a piece: p is the
density of its distances within the reference, q that of its distances from generated to reference pieces (Euclidean;
Gaussian kernels, Scott's bandwidth). Music made as the reference is makes p and q alike.

Both densities stand on one grid that holds them both. (A Kullback-Leibler divergence of two densities that were
sampled on a grid each, as some published code does, compares numbers that belong to different places.)
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import Array, Figure, Row, Sample, SampleMetric, Summary, normal_interval, notes_of
from diffmidi_metrics.pitch import pitch_classes

Indices = NDArray[np.int64]

GRID = 512
"""Points that densities are compared at."""

FLOOR = 1e-6
"""The share of either density that is spread evenly over the grid, so that no logarithm is infinite."""

RESAMPLES = 200
"""Bootstrap samples of pieces; distances make each of them dear."""

LENGTHS = (1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4)
"""Where note lengths are told apart, in quarter notes."""


def features(sample: Sample) -> dict[str, Array]:
    """What is compared, name to vector; nothing for fewer than two notes.

    - pitch_count: how many different pitches; pitch_range: highest − lowest; pitch_interval: mean |step| to the next
      note by onset, then pitch.
    - note_density: notes per quarter note; inter_onset: mean quarter notes between onsets (0 for a single onset).
    - pitch_classes: [12] and note_lengths: [11] shares of the notes.
    """
    notes = notes_of(sample.score)
    if len(notes) < 2:
        return {}
    onset, duration = notes.onset / sample.score.ticks_per_quarter, notes.duration / sample.score.ticks_per_quarter
    length = (onset + duration).max() - onset[0]
    lengths = np.bincount(np.searchsorted(LENGTHS, duration), minlength=len(LENGTHS) + 1) / len(notes)
    onsets = np.unique(onset)
    return {
        "pitch_count": np.array([len(np.unique(notes.pitch))], dtype=np.float64),
        "pitch_range": np.array([np.ptp(notes.pitch)], dtype=np.float64),
        "pitch_interval": np.array([np.abs(np.diff(notes.pitch)).mean()]),
        "note_density": np.array([len(notes) / length if length else 0.0]),
        "inter_onset": np.array([np.ptp(onsets) / max(1, len(onsets) - 1)]),
        "pitch_classes": pitch_classes(notes),
        "note_lengths": lengths,
    }


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
        place = (values - self.low) / self.step if self.step else np.zeros(len(values))
        histogram = np.bincount(np.rint(place).astype(np.int64), minlength=GRID).astype(np.float64)
        width = bandwidth(values) / self.step if self.step else 0.0
        if width > 0:
            reach = np.arange(-GRID + 1, GRID)
            histogram = np.convolve(histogram, np.exp(-((reach / width) ** 2) / 2), mode="full")[
                GRID - 1 : 2 * GRID - 1
            ]
        share: Array = (1 - FLOOR) * histogram / histogram.sum() + FLOOR / GRID
        return share


def bandwidth(values: Array) -> float:
    """Scott's rule in one dimension: s n^(−1/5)."""
    return float(values.std(ddof=1)) * len(values) ** -0.2 if len(values) > 1 else 0.0


class _Compared(SampleMetric):
    """The mean over the features, and each of them; intervals from pieces drawn anew in both sets.

    A figure's own reference is what that music scores against itself, cut into two halves at random.
    """

    unit: str
    most: float

    @abstractmethod
    def compare(self, p: Array, q: Array) -> float:
        """A figure from both densities."""

    def of(self, sample: Sample) -> Row:
        """Every number of every feature."""
        found = features(sample)
        return {f"{name} {i}": float(value) for name, vector in found.items() for i, value in enumerate(vector)}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """None without at least one sample and four pieces of reference."""
        ours, theirs = _vectors(rows), _vectors(reference)
        if not ours or not theirs or len(next(iter(theirs.values()))) < 4:
            return None
        found, spread = self._scores(ours, theirs, resample=True)
        beside, _ = self._scores(*_halves(theirs), resample=False)
        count = len(next(iter(ours.values())))
        figures = {}
        for name, value in found.items():
            figure = Figure(value, self.unit, count, "samples", reference=beside[name], skipped=len(rows) - count)
            if count > 1:
                error, interval = normal_interval(value, spread[name], 0, self.most, count)
                figure = replace(figure, error=error, interval=interval)
            figures[name] = figure
        return figures

    def _scores(
        self, ours: dict[str, Array], theirs: dict[str, Array], *, resample: bool
    ) -> tuple[dict[str, float], dict[str, Array]]:
        n, m = (len(next(iter(each.values()))) for each in (ours, theirs))
        rng = np.random.default_rng(0)
        draws = [(rng.integers(n, size=n), _several(rng, m)) for _ in range(RESAMPLES if resample else 0)]
        drawn = [(np.arange(n), np.arange(m)), *draws]
        scores = np.array([self._of_feature(ours[name], theirs[name], drawn) for name in ours])
        table = dict(zip(("mean", *ours), (scores.mean(0), *scores), strict=True))
        return {name: float(row[0]) for name, row in table.items()}, {name: row[1:] for name, row in table.items()}

    def _of_feature(self, ours: Array, theirs: Array, drawn: Sequence[tuple[Indices, Indices]]) -> list[float]:
        within, across = distances(theirs, theirs), distances(ours, theirs)
        pairs = np.triu_indices(len(theirs), 1)
        grid = Grid(within[pairs], across.ravel())
        scores = []
        for mine, other in drawn:
            first, second = other[pairs[0]], other[pairs[1]]
            apart = first != second  # a piece drawn twice is not two pieces that are alike
            p = grid.density(within[first[apart], second[apart]])
            q = grid.density(across[np.ix_(mine, other)].ravel())
            scores.append(self.compare(p, q))
        return scores


class OverlapArea(_Compared):
    """overlap_area = ∫ min(p, q): 1 where both densities are the same, 0 where they share nothing."""

    unit = "of the area"
    most = 1.0

    def compare(self, p: Array, q: Array) -> float:
        """The area under both."""
        return float(np.minimum(p, q).sum())


class KlDivergence(_Compared):
    """kl_divergence = ∫ p ln(p/q), reference to generated, in nats: what is missing costs more than what is new."""

    unit = "nats"
    most = math.inf

    def compare(self, p: Array, q: Array) -> float:
        """The divergence of q from p."""
        return max(0.0, float((p * np.log(p / q)).sum()))


def _vectors(rows: Sequence[Row]) -> dict[str, Array]:
    """Each feature as [N, F], rows in an order of their own."""
    found = sorted((list(row.items()) for row in rows if row), key=lambda items: [value for _, value in items])
    if not found:
        return {}
    names = [key.rpartition(" ")[0] for key, _ in found[0]]
    table = np.array([[value for _, value in items] for items in found], dtype=np.float64)
    return {name: table[:, [each == name for each in names]] for name in dict.fromkeys(names)}


def _halves(vectors: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    order = np.random.default_rng(0).permutation(len(next(iter(vectors.values()))))
    one, other = np.array_split(order, 2)
    return {name: each[other] for name, each in vectors.items()}, {name: each[one] for name, each in vectors.items()}


def _several(rng: np.random.Generator, count: int) -> Indices:
    """Indices drawn with replacement, three different ones among them at least, so that there are distances."""
    while True:
        drawn = rng.integers(count, size=count)
        if len(np.unique(drawn)) > 2:
            return drawn
