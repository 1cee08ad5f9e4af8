"""What a tokenizer loses: its round trip, decode(encode(score)), compared with the score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.notes import Notes, Score, deduplicated, notes_of
from diffmidi_core.music.tempo import UNTOLD, seconds

Float = NDArray[np.float64]
Rows = NDArray[np.int64]

NEAR = 0.5
"""Quarter notes: a note that was moved further is lost."""
LONG_REST = 4.0
"""Quarter notes without an onset: tokenizers may shorten such a rest, and what follows is compared from there on."""
_EDGES = np.concatenate([[0.0], np.geomspace(0.01, 1e5, 701)])
"""Of the histograms that percentiles are read from: a bin is 2.3 % wide."""
_MEASURES = ("onset_ms", "duration_ms", "velocity")


@dataclass
class Loss:
    """Errors of many notes, summed and counted in bins, so that losses of shards add up to those of the whole."""

    pieces: int = 0
    notes: int = 0
    lost: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_MEASURES, 0.0))
    bins: dict[str, dict[int, int]] = field(default_factory=lambda: {name: {} for name in _MEASURES})

    def add(self, score: Score, back: Score) -> None:
        """Compare a score with what its round trip gives.

        Tokens count beats or seconds, and what comes back has its own tempo: the clock that loses less is theirs.
        """
        notes, returned = deduplicated(notes_of(score)), notes_of(back)
        self.pieces += 1
        self.notes += len(notes)
        clocks = [(_in_quarters(score, notes), _in_quarters(back, returned))]
        if not _plain(score):
            clocks.append((_in_seconds(score, notes), _in_seconds(back, returned)))
        lost, errors = min((_compared(notes, returned, *times) for times in clocks), key=_how_bad)
        self.lost += lost
        for name, error in zip(_MEASURES, errors, strict=True):
            self.sums[name] += float(error.sum())
            count = np.bincount(np.searchsorted(_EDGES, error))
            for place in np.flatnonzero(count).tolist():
                self.bins[name][place] = self.bins[name].get(place, 0) + int(count[place])

    def merge(self, saved: Mapping[str, Any]) -> None:
        """Add what `vars` of another one hold, through JSON or not."""
        self.pieces += saved["pieces"]
        self.notes += saved["notes"]
        self.lost += saved["lost"]
        for name in _MEASURES:
            self.sums[name] += saved["sums"][name]
            for place, many in saved["bins"][name].items():
                self.bins[name][int(place)] = self.bins[name].get(int(place), 0) + many

    def summary(self) -> dict[str, Any]:
        """Mean and 99th percentile of the absolute errors, and how many notes were lost of how many."""
        kept = self.notes - self.lost
        figures: dict[str, Any] = {"pieces": self.pieces, "notes": self.notes, "lost": self.lost}
        for name in _MEASURES if kept else ():
            places = sorted(self.bins[name])
            reached = np.cumsum([self.bins[name][place] for place in places])
            at = places[int(np.searchsorted(reached, 0.99 * kept))]
            upper = float(_EDGES[min(at, len(_EDGES) - 1)])
            figures[name] = {"mean": float(f"{self.sums[name] / kept:.3g}"), "p99": float(f"{upper:.2g}")}
        return figures


@dataclass(frozen=True)
class _Times:
    """When notes begin, and how long they last, in quarter notes; and how many ms a quarter note is at each onset."""

    onset: Float
    duration: Float
    quarter: Float


def _in_quarters(score: Score, notes: Notes) -> _Times:
    """As they are written."""
    tempos = score.tempos.numpy()
    order = np.argsort(tempos["time"], kind="stable")
    at = np.searchsorted(tempos["time"][order], notes.onset, side="right")
    quarter = np.append(UNTOLD, tempos["mspq"][order])[at] / 1000
    return _Times(notes.onset / score.ticks_per_quarter, notes.duration / score.ticks_per_quarter, quarter)


def _in_seconds(score: Score, notes: Notes) -> _Times:
    """As they are heard: a quarter note is half a second throughout."""
    onset, end = 2 * seconds(score, notes.onset), 2 * seconds(score, notes.onset + notes.duration)
    return _Times(onset, end - onset, np.full(len(notes), 500.0))


def _plain(score: Score) -> bool:
    """Whether quarter notes are half a second, so that both clocks say the same."""
    return bool((score.tempos.numpy()["mspq"] == UNTOLD).all())


def _compared(notes: Notes, returned: Notes, ours: _Times, theirs: _Times) -> tuple[int, tuple[Float, Float, Float]]:
    """How many notes did not come back; and of the others the errors of onset and duration in ms, and of velocity."""
    mine, its = _pairs(notes.pitch, ours.onset, returned.pitch, theirs.onset)
    quarter = ours.quarter[mine]
    return len(notes) - len(mine), (
        abs(_moved(ours.onset[mine], theirs.onset[its])) * quarter,
        abs(theirs.duration[its] - ours.duration[mine]) * quarter,
        abs(returned.velocity[its] - notes.velocity[mine]).astype(np.float64),
    )


def _how_bad(compared: tuple[int, tuple[Float, ...]]) -> tuple[int, float]:
    lost, (onset, *_) = compared
    return lost, float(onset.sum())


def _pairs(pitch: Rows, onset: Float, other_pitch: Rows, other: Float) -> tuple[Rows, Rows]:
    """Rows of notes that are the same note; onsets in quarter notes, rising on each side.

    Of pitches that have as many notes on both sides, the k-th is the k-th. They tell where the time of the one lies in
    that of the other; for all other pitches the nearest note there is the same note.
    """
    mine, its = np.argsort(pitch, kind="stable"), np.argsort(other_pitch, kind="stable")
    same = np.bincount(pitch, minlength=128) == np.bincount(other_pitch, minlength=128)
    sure_mine, sure_its = mine[same[pitch[mine]]], its[same[other_pitch[its]]]
    mine, its = mine[~same[pitch[mine]]], its[~same[other_pitch[its]]]
    if not (len(mine) and len(its)):
        return sure_mine, sure_its
    if len(sure_mine):
        order = np.argsort(onset[sure_mine], kind="stable")
        anchors = onset[sure_mine][order]
        expected = onset[mine] + np.interp(onset[mine], anchors, other[sure_its][order] - anchors)
    else:
        expected = onset[mine] - onset[0] + other[0]
    line = 4 * (max(float(expected.max()), float(other.max())) + abs(float(expected.min())) + 1)
    wanted, there = expected + pitch[mine] * line, other[its] + other_pitch[its] * line
    right = np.clip(np.searchsorted(there, wanted), 0, len(there) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(abs(there[left] - wanted) <= abs(there[right] - wanted), left, right)
    distance = abs(there[nearest] - wanted)
    order = np.lexsort((distance, nearest))
    first = np.append(True, np.diff(nearest[order]) != 0)
    taken = order[first & (distance[order] <= NEAR)]
    return np.concatenate([sure_mine, mine[taken]]), np.concatenate([sure_its, its[nearest[taken]]])


def _moved(onset: Float, other: Float) -> Float:
    """How far each note was moved, in quarter notes, but for what all notes since the last shortened rest were."""
    order = np.argsort(onset, kind="stable")
    moved = (other - onset)[order]
    rest = np.append(False, (np.diff(onset[order]) >= LONG_REST) & (abs(np.diff(moved)) > NEAR))
    for part in np.split(moved, np.flatnonzero(rest)):
        part -= np.median(part)  # a view
    back = np.empty_like(moved)
    back[order] = moved
    return back
