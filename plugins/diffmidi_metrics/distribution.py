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
from diffmidi_metrics.densities import Grid, distances
from diffmidi_metrics.pitch import pitch_classes

Indices = NDArray[np.int64]

MOST = 256
"""Pieces of either set that are compared, at most: there are as many distances as pairs of them. Of more pieces so many
are drawn, always the same, and figures say so."""

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
        all_ours, all_theirs = _vectors(rows), _vectors(reference)
        if not all_ours or not all_theirs or _count(all_theirs) < 4:
            return None
        ours, theirs = _some(all_ours), _some(all_theirs)
        found, spread = self._scores(ours, theirs, resample=True)
        beside, _ = self._scores(*_halves(theirs), resample=False)
        count, skipped = _count(ours), len(rows) - _count(all_ours)
        note = _drawn(("samples", ours, all_ours), ("pieces of the reference", theirs, all_theirs))
        figures = {}
        for name, value in found.items():
            figure = Figure(value, self.unit, count, "samples", note=note, reference=beside[name], skipped=skipped)
            if count > 1:
                error, interval = normal_interval(value, spread[name], 0, self.most, count)
                figure = replace(figure, error=error, interval=interval)
            figures[name] = figure
        return figures

    def _scores(
        self, ours: dict[str, Array], theirs: dict[str, Array], *, resample: bool
    ) -> tuple[dict[str, float], dict[str, Array]]:
        n, m = _count(ours), _count(theirs)
        rng = np.random.default_rng(0)
        draws = [(rng.integers(n, size=n), _several(rng, m)) for _ in range(RESAMPLES if resample else 0)]
        drawn = [(np.arange(n), np.arange(m)), *draws]
        scores = np.array([self._of_feature(ours[name], theirs[name], drawn) for name in ours])
        table = dict(zip(("mean", *ours), (scores.mean(0), *scores), strict=True))
        return {name: float(row[0]) for name, row in table.items()}, {name: row[1:] for name, row in table.items()}

    def _of_feature(self, ours: Array, theirs: Array, drawn: Sequence[tuple[Indices, Indices]]) -> list[float]:
        pairs = np.triu_indices(len(theirs), 1)
        within, across = distances(theirs, theirs)[pairs], distances(ours, theirs).ravel()
        grid = Grid(within, across)
        within_at, across_at = grid.places(within), grid.places(across)
        scores = []
        for mine, other in drawn:
            # How often each piece was drawn. A piece drawn twice is not two pieces that are alike.
            n, m = (np.bincount(some, minlength=len(of)).astype(float) for some, of in ((mine, ours), (other, theirs)))
            p = grid.weighed(within, within_at, m[pairs[0]] * m[pairs[1]])
            q = grid.weighed(across, across_at, np.outer(n, m).ravel())
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


def _count(vectors: dict[str, Array]) -> int:
    return len(next(iter(vectors.values())))


def _some(vectors: dict[str, Array]) -> dict[str, Array]:
    """The features of MOST pieces, where there are more; the same ones at every call."""
    if _count(vectors) <= MOST:
        return vectors
    drawn = np.sort(np.random.default_rng(0).choice(_count(vectors), MOST, replace=False))
    return {name: each[drawn] for name, each in vectors.items()}


def _drawn(*sets: tuple[str, dict[str, Array], dict[str, Array]]) -> str:
    """Of which sets not all pieces were compared, for the reader of a figure; "" where they were."""
    parts = [
        f"{_count(some):,} of the {_count(every):,} {what}"
        for what, some, every in sets
        if _count(some) < _count(every)
    ]
    return f"on {' and '.join(parts)}, drawn at random with seed 0" if parts else ""


def _halves(vectors: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    order = np.random.default_rng(0).permutation(_count(vectors))
    one, other = np.array_split(order, 2)
    return {name: each[other] for name, each in vectors.items()}, {name: each[one] for name, each in vectors.items()}


def _several(rng: np.random.Generator, count: int) -> Indices:
    """Indices drawn with replacement, three different ones among them at least, so that there are distances."""
    while True:
        drawn = rng.integers(count, size=count)
        if len(np.unique(drawn)) > 2:
            return drawn
