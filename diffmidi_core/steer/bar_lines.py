"""Where the bars of a file begin, and their numbers: from 1 on as in notation programs, an upbeat being bar 0."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from diffmidi_core.errors import UsageError
from diffmidi_core.music.clock import Clock, Tempo
from diffmidi_core.music.notes import Column, Score
from diffmidi_core.music.timeline import SHORTEST_NOTE_VALUE

MOST_BARS = 100_000
"""Bars of a file at most: more are a metre that nobody means."""


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
        quarter = score.ticks_per_quarter
        changes = {0: (4, 4)}
        for sign in score.time_signatures:
            if sign.numerator > 0 and 1 <= sign.denominator <= SHORTEST_NOTE_VALUE:
                changes[max(sign.time, 0)] = (sign.numerator, sign.denominator)
        begin = 0
        first: list[int] = []
        starts = sorted(changes)
        lengths = [max(1, round(Fraction(4 * quarter * numerator, denominator))) for numerator, denominator in
                   (changes[start] for start in starts)]  # fmt: skip
        if upbeat is not None:
            begin = round(4 * quarter * upbeat)
            if not 0 < begin < lengths[0]:
                raise UsageError(f"--upbeat {upbeat}: an upbeat is shorter than the first bar, and not nothing.")
            first = [0]
        lines = first
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            start = max(start, begin)
            until = starts[number + 1] if number + 1 < len(starts) else end
            until = min(until, max(end, start + 1))
            if until > start and start < max(end, 1):
                if (until - start) // length > MOST_BARS:
                    raise UsageError(f"the piece has more than {MOST_BARS:,} bars: its metre is damaged.")
                lines += range(start, until, length)
        length = lengths[max(0, int(np.searchsorted(starts, lines[-1], side="right")) - 1)]
        at = np.array([*lines, lines[-1] + length], dtype=np.int64)
        short = len(at) > 2 and at[1] - at[0] < at[2] - at[1]
        return cls(at, 0 if short or upbeat is not None else 1, length)

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


def clock_of(score: Score) -> Clock:
    """From quarter notes to microseconds through the tempi of a score."""
    tempos = {0: 120.0, **{max(0, each.time): each.qpm for each in score.tempos if each.qpm > 0}}
    quarter = score.ticks_per_quarter
    return Clock([Tempo(tick / quarter, qpm) for tick, qpm in sorted(tempos.items())])
