"""Notes on a grid of steps: rounding onto it, and what makes the result unambiguous. Vectorised, no loop over notes.

Columns are those of `Notes`, with steps in place of ticks where a function says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import Notes, Score, microseconds, onset_phase


def check_rhythm(score: Score) -> None:
    """Raises RefusedError where a quarter note of the score has no ticks."""
    if score.ticks_per_quarter <= 0:
        raise RefusedError("zero_division", "the score says that a quarter note has no ticks, so it has no rhythm.")


def on_grid(notes: Notes, ticks_per_quarter: int, grid: int) -> tuple[Notes, float]:
    """Notes in ticks -> notes in steps of 1/grid quarter, the first onset at step 0; every note at least a step long.
    And the tick that step 0 is.

    The grid is laid through the onsets' most common residue, so that a piece recorded a constant few ticks late is on
    it all the same: on 12 steps, that takes the mean error of an onset in POP909 from 15 ms (0.23 step) to 1.6 ms (0.02
    step), in the scores of asap from 3.2 ms to 2.7 ms, and merges no more notes (2.85 % for 2.83 % in POP909, which
    writes them twice).

    Onsets and ends are rounded, each to its nearest step, rather than durations: rounding in time keeps order, so notes
    that followed one another still do and none grows into the next.
    """
    # Times in units of 1/ticks_per_quarter step are whole numbers, whatever the grid.
    start = notes.onset * grid
    end = start + notes.duration * grid
    phase = onset_phase(start, ticks_per_quarter)
    to_nearest = ticks_per_quarter // 2 - phase
    onset = (start + to_nearest) // ticks_per_quarter
    duration = np.maximum((end + to_nearest) // ticks_per_quarter - onset, 1)
    first = int(onset.min())
    zero = max(first * ticks_per_quarter + phase, 0) / grid
    return Notes(onset - first, duration, notes.pitch, notes.velocity), zero


def on_clock(notes: Notes, score: Score, step: int) -> tuple[Notes, int]:
    """Notes in ticks of a score -> notes in steps of `step` milliseconds; else as `on_grid`, without its phase.
    And the tick of the first.
    """
    width = 1000 * step
    onset, end = (
        (microseconds(score, ticks) + width // 2) // width for ticks in (notes.onset, notes.onset + notes.duration)
    )
    placed = Notes(onset - onset.min(), np.maximum(end - onset, 1), notes.pitch, notes.velocity)
    return placed, int(notes.onset.min())


def gaps(onset: NDArray[np.int64]) -> NDArray[np.int64]:
    """[N] steps since the onset before, for the first note since step 0."""
    # What np.diff(onset, prepend=0) gives, which takes three times as long on a piece's few hundred notes.
    steps = np.empty_like(onset)
    steps[:1] = onset[:1]
    np.subtract(onset[1:], onset[:-1], out=steps[1:])
    return steps


def sort(notes: Notes) -> Notes:
    """By onset, then pitch."""
    key = notes.onset * 128 + notes.pitch
    return notes if (key[1:] >= key[:-1]).all() else notes[np.argsort(key, kind="stable")]


def clamp_gaps(notes: Notes, limit: int) -> tuple[Notes, int]:
    """Sorted notes with no two neighbouring onsets more than `limit` steps apart; and how many were."""
    before = gaps(notes.onset)
    far = int(np.count_nonzero(before > limit))
    if far:
        notes = Notes(np.minimum(before, limit).cumsum(), notes.duration, notes.pitch, notes.velocity)
    return notes, far


def part_overlaps(notes: Notes) -> tuple[Notes, int]:
    """Notes without twins, those of one pitch in order -> no note sounds into a later one of its own pitch; and how
    many did. Pitches may be any numbers below 2^16, such as those of several tracks.

    As on a piano, striking a sounding key again ends the first note and starts the second, and the key sounds until
    the later of the two ends: no attack is lost, and no sound. So end_i = min(max(end_1 .. end_i), onset_i+1) over the
    notes of one pitch, in order. (Fusing the two would lose an attack: of the notes in 400 pieces of POP909, on 12
    steps to the quarter, 3.6% are struck like this, seven in ten of them just 3, 6 or 12 steps after the first.)
    """
    if len(notes) == 0:
        return notes, 0
    order = np.argsort(notes.pitch.astype(np.uint16), kind="stable")
    # Pitches one after another on one long line, each past the end of the one before: one running maximum does for all.
    line = int((notes.onset + notes.duration).max()) + 1
    onset = notes.onset[order] + notes.pitch[order] * line
    end = np.maximum.accumulate(onset + notes.duration[order])
    parted = int(np.count_nonzero(end[:-1] > onset[1:]))
    if not parted:
        return notes, 0
    end[:-1] = np.minimum(end[:-1], onset[1:])
    duration = np.empty_like(end)
    duration[order] = end - onset
    return Notes(notes.onset, duration, notes.pitch, notes.velocity), parted


def until_struck_again(onset: NDArray[np.int64], pitch: NDArray[np.int64]) -> NDArray[np.int64]:
    """[N] onsets, sorted, and pitches -> steps to the next onset of each note's pitch, 2^31 where there is none."""
    order = np.argsort(pitch.astype(np.uint16), kind="stable")
    room = np.full(len(onset), 2**31)
    follows = np.flatnonzero(pitch[order[1:]] == pitch[order[:-1]])
    room[order[follows]] = onset[order[follows + 1]] - onset[order[follows]]
    return room


def nearest(allowed: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest of the allowed values (rising), the lower of two as near."""
    above = np.clip(np.searchsorted(allowed, values), 1, len(allowed) - 1)
    low, high = allowed[above - 1], allowed[above]
    return np.where(2 * values <= low + high, low, high)


def at_most(allowed: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The greatest of the allowed values (rising) that is not above; the first where all are."""
    return allowed[np.maximum(np.searchsorted(allowed, values, side="right") - 1, 0)]
