"""Does a piece stay like itself, as its reference does? Framewise self-similarity, beside what fools it.

Mittal et al. (2021), Symbolic music generation with diffusion models, section 4.3. Frames of four bars, two bars apart;
the pitches of each frame are taken for a normal distribution, and so are its durations. OA is the area that the normals
of neighbouring frames share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from diffmidi.api.metric import Array, Figure, Row, Sample, SampleMetric, Summary, bootstrap, normal_interval, notes_of

FRAME, HOP = 4 * 4, 2 * 4
"""Length of a frame, and from one to the next, in quarter notes."""

LEAST_STD = 1e-3
"""A frame of one pitch has a normal distribution all the same, if a narrow one."""


def normal_overlap(mean: float, std: float, other_mean: float, other_std: float) -> float:
    """The area under both N(mean, std²) and N(other_mean, other_std²); 1 where they are one, 0 where far apart."""
    if std > other_std:
        mean, std, other_mean, other_std = other_mean, other_std, mean, std
    if math.isclose(std, other_std, rel_tol=1e-9):
        return math.erfc(abs(mean - other_mean) / (2 * math.sqrt(2) * std))
    # The narrower one is above the other between the two roots of ln(density) = ln(other density).
    a = 1 / std**2 - 1 / other_std**2
    b = mean / std**2 - other_mean / other_std**2
    c = mean**2 / std**2 - other_mean**2 / other_std**2 - 2 * math.log(other_std / std)
    half = math.sqrt(max(0.0, b * b - a * c))
    low, high = (b - half) / a, (b + half) / a

    def below(x: float, m: float, s: float) -> float:
        return math.erfc((m - x) / (math.sqrt(2) * s)) / 2

    outside = 1 - below(high, mean, std) + below(low, mean, std)
    return outside + below(high, other_mean, other_std) - below(low, other_mean, other_std)


def overlaps(onset: Array, values: Array) -> Array:
    """[P] OA of each frame with the next where both hold notes; onsets in quarter notes from the first one."""
    bars = int(onset[-1] // 4) + 1
    last = (4 * bars - FRAME) // HOP
    hop = (onset // HOP).astype(np.int64)
    moments: dict[int, tuple[float, float]] = {}
    for frame in np.unique([hop, hop - 1]).tolist():  # the frames that hold a note: a piece may rest for hours
        if 0 <= frame <= last:
            inside = values[np.searchsorted(onset, frame * HOP) : np.searchsorted(onset, frame * HOP + FRAME)]
            moments[frame] = float(inside.mean()), max(LEAST_STD, float(inside.std()))
    pairs = [(moments[frame], moments[frame + 1]) for frame in moments if frame + 1 in moments]
    return np.array([normal_overlap(*one, *other) for one, other in pairs])


class SelfSimilarity(SampleMetric):
    """self_similarity: consistency C = max(0, 1 − |μ − μ'|/μ') and variance Var = max(0, 1 − |σ² − σ'²|/σ'²).

    μ and σ² are mean and variance of all OA of the samples, μ' and σ'² those of the reference; 1 is the best. C and
    Var know two moments of two histograms, and no music. So they are printed beside the scores of the reference with
    its notes shuffled (each onset with another note's pitch and duration), and of one pattern repeated for ever
    (OA = 1): what does not score well above both shows nothing. Samples of fewer than six bars have no two frames, and
    are skipped. A bar is four quarter notes, from the first onset.
    """

    def of(self, sample: Sample) -> Row:
        """Number, sum and sum of squares of the OA of pitch and of duration, and the same of the shuffled piece."""
        notes = notes_of(sample.score)
        if len(notes) < 2:
            return {}
        quarter = sample.score.ticks_per_quarter
        onset = (notes.onset - notes.onset[0]) / quarter
        shuffled = np.random.default_rng(0).permutation(len(notes))
        row: dict[str, float] = {}
        for name, values in (("pitch", notes.pitch / 1.0), ("duration", notes.duration / quarter)):
            for how, found in (("", values), ("_shuffled", values[shuffled])):
                area = overlaps(onset, found)
                row[f"{name}{how} 0"] = len(area)
                row[f"{name}{how} 1"], row[f"{name}{how} 2"] = float(area.sum()), float((area**2).sum())
        return row if row["pitch 0"] else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """C and Var of pitch and of duration, each with those of the two cheats; None without a reference."""
        mine, theirs = ([row for row in some if row] for some in (rows, reference))
        if not mine or not theirs:
            return None
        figures: dict[str, Figure] = {}
        for name in ("pitch", "duration"):
            ours, held, shuffled = _sums(mine, name), _sums(theirs, name), _sums(theirs, f"{name}_shuffled")
            several = min(len(ours), len(held)) > 1
            drawn = zip(bootstrap(len(ours)), bootstrap(len(held), 1), strict=True) if several else ()
            spread = np.array([_scores(ours[some], held[others]) for some, others in drawn])
            constant = np.array([[1.0, 1.0, 1.0]])
            for index, what in enumerate(("consistency", "variance")):
                value, by_shuffling, by_repeating = (
                    float(_scores(each, held)[index]) for each in (ours, shuffled, constant)
                )
                if math.isnan(value):
                    continue
                judged = Figure(value, "score", len(mine), "samples", skipped=len(rows) - len(mine), reference=1.0)
                known = spread[~np.isnan(spread[:, index]), index] if several else np.zeros(0)
                if len(known) > 1:
                    error, interval = normal_interval(value, known, 0, 1, min(len(ours), len(held)))
                    judged = replace(judged, error=error, interval=interval)
                figures |= {
                    f"{name}_{what}": judged,
                    f"{name}_{what}_shuffled": Figure(by_shuffling, "score", len(mine), "samples"),
                    f"{name}_{what}_constant": Figure(by_repeating, "score", len(mine), "samples"),
                }
        return figures or None


def _sums(rows: Sequence[Row], name: str) -> Array:
    """[N, 3] number, sum and sum of squares of OA; rows in an order of their own."""
    return np.array(sorted([row[f"{name} {power}"] for power in range(3)] for row in rows))


def _scores(ours: Array, held: Array) -> tuple[float, float]:
    """C and Var; not a number where the reference has nothing to divide by."""
    (mean, variance), (true_mean, true_variance) = _moments(ours), _moments(held)
    return _nearness(mean, true_mean), _nearness(variance, true_variance)


def _moments(sums: Array) -> tuple[float, float]:
    count, total, squares = sums.sum(0)
    mean = total / count
    return float(mean), float(max(0.0, squares / count - mean**2))


def _nearness(value: float, truth: float) -> float:
    return max(0.0, 1 - abs(value - truth) / truth) if truth > 1e-12 else math.nan
