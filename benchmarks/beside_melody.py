"""What `accompanying.py` measures of an accompaniment; its head says what the figures are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from lead_sheets import BAR, BARS, END, GRID, PIANISTS, Rows, Segment, besides, score_from
from numpy.typing import NDArray

from diffmidi.api.metric import Sample, key_clarity
from diffmidi_metrics.distribution import features

Row = dict[str, Any]


def sounding(rows: Rows, begin: int, end: int) -> NDArray[np.float64]:
    """[12] for how long each pitch class sounds from when until when."""
    time = np.minimum(rows[:, 0] + rows[:, 1], end) - np.maximum(rows[:, 0], begin)
    return np.bincount(rows[:, 2] % 12, np.maximum(time, 0), minlength=12)


def in_common(rows: Rows, truth: Rows) -> float | None:
    """`pitch classes`; None where the truth is silent."""
    found = []
    for begin in range(0, END, BAR // 2):
        ours, theirs = (sounding(each, begin, begin + BAR // 2) for each in (rows, truth))
        if theirs.sum():
            found.append(float(np.minimum(ours / max(1.0, ours.sum()), theirs / theirs.sum()).sum()))
    return float(np.mean(found)) if found else None


def chord_tones(rows: Rows, segment: Segment) -> float | None:
    """The share of sounding time; None where nothing sounds."""
    times = [(sounding(rows, each.begin, each.end), [*each.classes]) for each in segment.chords]
    whole = sum(float(time.sum()) for time, _ in times)
    return sum(float(time[classes].sum()) for time, classes in times) / whole if whole else None


def clashes(rows: Rows, melody: Rows) -> float | None:
    """The share of the notes; None where there is none."""
    begin, end = rows[:, :1], rows[:, :1] + rows[:, 1:2]
    together = (begin < melody[:, 0] + melody[:, 1]) & (melody[:, 0] < end)
    near = np.isin((rows[:, 2:] - melody[:, 2]) % 12, (1, 11))
    return float((together & near).any(1).mean()) if len(rows) else None


def above(rows: Rows, melody: Rows) -> float | None:
    """The share of the notes that are above a melody note that sounds with them; None where there is none."""
    begin, end = rows[:, :1], rows[:, :1] + rows[:, 1:2]
    together = (begin < melody[:, 0] + melody[:, 1]) & (melody[:, 0] < end)
    return float((together & (rows[:, 2:] > melody[:, 2])).any(1).mean()) if len(rows) else None


def alike(rows: Rows) -> float | None:
    """How many pitch classes neighbouring bars share of those that either has; None where no two bars have notes."""
    bars = [{*(rows[rows[:, 0] // BAR == bar, 2] % 12).tolist()} for bar in range(BARS)]
    found = [len(one & two) / len(one | two) for one, two in pairwise(bars) if one and two]
    return float(np.mean(found)) if found else None


def grid_of(rows: Rows) -> NDArray[np.bool_]:
    """[128] which sixteenths have an onset."""
    step = GRID // 4
    found: NDArray[np.bool_] = np.bincount(np.rint(rows[:, 0] / step).astype(int), minlength=END // step) > 0
    return found[: END // step]


def measured(rows: Rows, segment: Segment) -> Row:
    """A way to accompany a segment, measured."""
    rows = besides(rows, segment.melody)
    truth, whole = segment.played[PIANISTS], np.concatenate([rows, segment.melody])
    heard = bool(len(rows))
    return {
        "notes": len(rows),
        "chord tones": chord_tones(rows, segment),
        "pitch classes": in_common(rows, truth),
        "groove": float((grid_of(rows) == grid_of(truth)).mean()),
        "clashes": clashes(rows, segment.melody),
        "above": above(rows, segment.melody),
        "bars alike": alike(rows),
        "key clarity": key_clarity(whole[:, 2], whole[:, 1]),
        "notes a bar": len(rows) / BARS,
        "on beats": float((rows[:, 0] % GRID == 0).mean()) if heard else None,
        "lowest": float(rows[:, 2].min()) if heard else None,
        "highest": float(rows[:, 2].max()) if heard else None,
        "features": {
            name: vector.tolist() for name, vector in features(Sample.of_music(score_from(rows))).items()
        },
    }  # fmt: skip
