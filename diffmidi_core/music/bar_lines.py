"""Where bars begin, and their numbers: from 1 on as in notation programs, an upbeat being bar 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import UsageError
from diffmidi_core.music.metre import FOUR_FOUR
from diffmidi_core.music.notes import Column, Score
from diffmidi_core.music.timeline import SHORTEST_NOTE_VALUE

MOST_BARS = 100_000
"""Bars of a file at most: more are a metre that nobody means."""
MOST_RULED = 2000
"""Lines of a picture, about: of more bars only some are ruled."""


class _Stretch(NamedTuple):
    """Bars of one metre, in ticks: from where to where, and how long a bar is; the last may be cut short."""

    start: int
    until: int
    length: int

    @property
    def bars(self) -> int:
        return -(-(self.until - self.start) // self.length)


def _stretches(score: Score, end: int, begin: int = 0) -> list[_Stretch]:
    """The metres of a score from tick `begin` up to `end`, 4/4 until one is named; a metre begins a new bar."""
    changes = {0: FOUR_FOUR}
    for sign in score.time_signatures:
        if sign.numerator > 0 and 1 <= sign.denominator <= SHORTEST_NOTE_VALUE:
            changes[max(sign.time, 0)] = (sign.numerator, sign.denominator)
    starts, whole = sorted(changes), 4 * max(score.ticks_per_quarter, 1)
    found = []
    for start, after in zip(starts, [*starts[1:], end], strict=True):
        numerator, denominator = changes[start]
        length = max(1, round(Fraction(whole * numerator, denominator)))
        start = max(start, begin)
        until = min(after, max(end, start + 1))
        if start < max(end, 1) and until > start:
            found.append(_Stretch(start, until, length))
    return found


@dataclass(frozen=True)
class BarLines:
    """The bars of a piece.

    Attributes:
        at: [B + 1] ticks at which bars begin, and at which the last one ends.
        first: the number of the first bar: 0 where it is an upbeat, else 1.
        usual: ticks in a bar of the last metre.
    """

    at: Column
    first: int
    usual: int

    @classmethod
    def of(cls, score: Score, end: int, upbeat: Fraction | None = None) -> BarLines:
        """The bars of a score up to tick `end`, by its metres, 4/4 until one is named; a metre begins a new bar.

        A first bar that is shorter than the second is an upbeat. `upbeat` says how long it is, in whole notes; None
        leaves it to the metres. Raises UsageError where it is not shorter than a bar.
        """
        begin = 0 if upbeat is None else round(4 * score.ticks_per_quarter * upbeat)
        if upbeat is not None and not 0 < begin < _stretches(score, 1)[0].length:
            raise UsageError(f"--upbeat {upbeat}: an upbeat is shorter than the first bar, and not nothing.")
        lines, usual = [0] * (upbeat is not None), _stretches(score, 1)[0].length
        for start, until, length in _stretches(score, end, begin):
            if (until - start) // length > MOST_BARS:
                raise UsageError(f"the piece has more than {MOST_BARS:,} bars: its metre is damaged.")
            lines += range(start, until, length)
            usual = length
        at = np.array([*lines, lines[-1] + usual], dtype=np.int64)
        short = len(at) > 2 and at[1] - at[0] < at[2] - at[1]
        return cls(at, 0 if short or upbeat is not None else 1, usual)

    def __len__(self) -> int:
        return len(self.at) - 1

    @property
    def last(self) -> int:
        """The number of the last bar."""
        return self.first + len(self) - 1

    def number(self, place: int) -> int:
        """The number of a bar, from its place."""
        return self.first + place

    def ticks(self, first: int, last: int) -> tuple[int, int]:
        """When bars begin and end, by their numbers."""
        return int(self.at[first - self.first]), int(self.at[last - self.first + 1])

    def longer(self, bars: int) -> BarLines:
        """The same with so many bars more, as long as the last metre has them."""
        more = self.at[-1] + self.usual * np.arange(1, bars + 1)
        return BarLines(np.concatenate([self.at, more]), self.first, self.usual)


@dataclass(frozen=True)
class Ruling:
    """Lines of a picture where bars begin, rising.

    Attributes:
        beats: [N] in quarter notes.
        numbers: [N] which bar begins there: the first one is 1, or 0 where it is an upbeat.
    """

    beats: NDArray[np.float64]
    numbers: NDArray[np.int64]


def ruling(score: Score, beats: float) -> Ruling:
    """The bars of a score that begin below `beats` quarter notes; where there are thousands, every n-th of them."""
    quarter = max(score.ticks_per_quarter, 1)
    stretches = _stretches(score, round(beats * quarter))
    thin = max(1, sum(each.bars for each in stretches) // MOST_RULED)
    upbeat = len(stretches) > 1 and stretches[0].until - stretches[0].start < stretches[1].length
    number = 0 if upbeat and stretches[0].bars == 1 else 1
    lines: list[NDArray[np.float64]] = [np.zeros(0)]
    numbers = [np.zeros(0, dtype=np.int64)]
    for each in stretches:
        every = np.arange(0, each.bars, thin)
        lines.append((each.start + every * each.length) / quarter)
        numbers.append(number + every)
        number += each.bars
    return Ruling(np.concatenate(lines), np.concatenate(numbers))


def named_tracks(score: Score) -> list[tuple[str, Score]]:
    """Each track with notes that is no drums', by its name, as a score of it alone; a nameless one where none is."""
    found = []
    for index, track in enumerate(score.tracks):
        if not track.is_drum and len(track.notes):
            alone = score.copy()
            alone.tracks = type(alone.tracks)([alone.tracks[index]])
            found.append((track.name, alone))
    return found or [("", score)]
