"""Bar lines and their numbers, and when they come: what pictures of music are ruled by."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.metre import FOUR_FOUR
from diffmidi_core.music.notes import Score

Floats = NDArray[np.float64]
MOST = 2000
_SLACK = 1e-6


@dataclass(frozen=True)
class BarLines:
    """Where bars start, rising.

    Attributes:
        beats: [N] in quarter notes.
        numbers: [N] which bar begins there: the first one is 1, or 0 where it is an upbeat.
    """

    beats: Floats
    numbers: NDArray[np.int64]


def bar_lines(score: Score, beats: float) -> BarLines:
    """The bar lines of a score below `beats`; where there are thousands, every n-th of them. 4/4 unless it says.

    An upbeat is a first bar, alone in its metre, that is shorter than those after it.
    """
    signs = {0: FOUR_FOUR}
    for each in score.time_signatures:
        if each.numerator > 0 and each.denominator > 0:
            signs[max(0, each.time)] = (each.numerator, each.denominator)
    starts = [tick / max(score.ticks_per_quarter, 1) for tick in sorted(signs)]
    lengths = [4 * numerator / denominator for _, (numerator, denominator) in sorted(signs.items())]
    ends = [min(end, beats) for end in (*starts[1:], np.inf)]
    spans = [span for span in zip(starts, ends, lengths, strict=True) if span[1] > span[0]]
    counts = [ceil((end - start) / length - _SLACK) for start, end, length in spans]
    number = 0 if len(spans) > 1 and counts[0] == 1 and spans[0][1] - spans[0][0] < spans[1][2] - _SLACK else 1
    thin = max(1, sum(counts) // MOST)
    lines: list[Floats] = [np.zeros(0)]
    numbers = [np.zeros(0, dtype=np.int64)]
    for (start, _, length), count in zip(spans, counts, strict=True):
        every = np.arange(0, count, thin)
        lines.append(start + every.astype(np.float64) * length)
        numbers.append(number + every)
        number += count
    return BarLines(np.concatenate(lines), np.concatenate(numbers))


def tempo_map(score: Score) -> tuple[Floats, Floats]:
    """Quarter notes and the seconds at which they come, both rising, to interpolate between. 120 bpm unless said."""
    tempos = {0: 120.0, **{max(0, each.time): each.qpm for each in score.tempos if each.qpm > 0}}
    ticks = np.array(sorted(tempos))
    pace = 60 / np.array([tempos[tick] for tick in ticks.tolist()])
    last = float(2**32)
    beats = np.append(ticks / max(score.ticks_per_quarter, 1), last)
    return beats, np.concatenate([[0.0], np.cumsum(np.diff(beats) * pace)])


def named_tracks(score: Score) -> list[tuple[str, Score]]:
    """Each track with notes that is no drums', by its name, as a score of it alone; a nameless one where none is."""
    found = []
    for index, track in enumerate(score.tracks):
        if not track.is_drum and len(track.notes):
            alone = score.copy()
            alone.tracks = type(alone.tracks)([alone.tracks[index]])
            found.append((track.name, alone))
    return found or [("", score)]
