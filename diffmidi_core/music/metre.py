"""Metre: where a piece's bars begin, and what is done where its file says nothing that makes sense.

Many files carry a metre nobody meant: a bar of one beat (POP909), none at all, or the sequencer's 4/4 under a recorded
performance, whose onsets keep no beat. Tokens for bars and positions would then be nonsense, so such a metre is found
out, and 4/4 is read in its place.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.notes import Column, Score, distinct

Signature = tuple[int, int]
FOUR_FOUR: Signature = (4, 4)
SHORTEST_BAR = 1.5
"""Quarter notes: a shorter bar has one beat, which is no metre."""
LEAST_CONCENTRATION = 0.25
"""Measured on 546 files: recorded performances reach 0.15 at most, everything else 0.35 at least (`concentration`)."""
LATTICES = (3, 4, 8, 24)
"""Points in a quarter note that music is written on: triplet eighths, sixteenths, 32nds, and what holds them all."""


@dataclass(frozen=True)
class Stretch:
    """Bars of one metre, one after another, from a bar line at tick `start` on (before 0, where an upbeat precedes)."""

    start: int
    signature: Signature

    def bar(self, ticks_per_quarter: int) -> int:
        """Ticks in one of its bars."""
        return ticks_per_quarter * 4 * self.signature[0] // self.signature[1]


@dataclass(frozen=True)
class Metre:
    """The bars of a piece.

    Attributes:
        stretches: by time, no two neighbours alike; each starts on a bar line of the one before.
        replaced: why 4/4 stands in place of what the file says, or "": missing, one_beat (bars of a single beat),
            off_grid (the onsets fit no grid), unknown (a metre outside those that were asked for). Where its bars
            begin is then unknown too: see `downbeat`.
    """

    stretches: tuple[Stretch, ...]
    replaced: str = ""

    @classmethod
    def four_four(cls, replaced: str) -> Metre:
        """4/4 from tick 0 on, in place of what the file says."""
        return cls((Stretch(0, FOUR_FOUR),), replaced)

    def bars(self, onset: Column, ticks_per_quarter: int) -> tuple[Column, Column]:
        """[N] the stretch and the bar in which each onset lies; bars are counted through from the first stretch's."""
        starts, length, before = self._columns(ticks_per_quarter)
        stretch = np.maximum(np.searchsorted(starts, onset, side="right") - 1, 0)
        return stretch, before[stretch] + (onset - starts[stretch]) // length[stretch]

    def stretch_of_bar(self, bar: Column, ticks_per_quarter: int) -> Column:
        """[N] bars, counted as `bars` counts them -> [N] the stretch that each belongs to."""
        _, _, before = self._columns(ticks_per_quarter)
        stretch: Column = np.maximum(np.searchsorted(before, bar, side="right") - 1, 0)
        return stretch

    def bar_lines(self, bar: Column, ticks_per_quarter: int) -> Column:
        """[N] bars, counted as `bars` counts them -> [N] the tick at which each begins."""
        starts, length, before = self._columns(ticks_per_quarter)
        stretch = self.stretch_of_bar(bar, ticks_per_quarter)
        lines: Column = starts[stretch] + (bar - before[stretch]) * length[stretch]
        return lines

    def _columns(self, ticks_per_quarter: int) -> tuple[Column, Column, Column]:
        """[S] of each stretch its first tick, the ticks in a bar of it, and how many bars stand before it."""
        starts = np.array([stretch.start for stretch in self.stretches])
        length = np.array([stretch.bar(ticks_per_quarter) for stretch in self.stretches])
        return starts, length, np.concatenate([[0], np.cumsum(np.diff(starts) // length[:-1])])

    def is_of_one_beat(self, onset: Column, ticks_per_quarter: int) -> bool:
        """Whether most of the bars in which something begins have a single beat, which is no metre."""
        short = np.array(
            [stretch.bar(ticks_per_quarter) < SHORTEST_BAR * ticks_per_quarter for stretch in self.stretches]
        )
        stretch, bar = self.bars(onset, ticks_per_quarter)
        _, rows = np.unique(bar, return_index=True)
        return bool(2 * np.count_nonzero(short[stretch[rows]]) > len(rows))


def metre_of(
    score: Score, onset: Column, ticks_per_quarter: int, known: Collection[Signature], lattices: Collection[int] = ()
) -> Metre:
    """The metre of a score, in ticks of `ticks_per_quarter`.

    Args:
        score: with at least one tick in a quarter note.
        onset: [N] of the score's notes, in its own ticks.
        ticks_per_quarter: of the answer; bars of every `known` metre must be whole numbers of such ticks.
        known: the signatures that may be answered, 4/4 among them. Others are written as a known one with bars as
            long (2/2 as 4/4, 3/2 as 6/4, 4/8 as 2/4).
        lattices: further numbers of points in a quarter note that count as a grid.

    A stretch of some other metre (a cadenza's 65/4) is read in 4/4; where nothing but such metres is heard, the whole
    piece is. A bar that is cut short by the next signature is a bar of a known metre as short, or, where there is none,
    keeps that signature waiting until it ends. A first bar that is cut short is an upbeat: the end of a whole bar.

    Whether the bars have more than one beat is left to `Metre.is_of_one_beat`, once the onsets are rounded.
    """
    signs = [(sign.time, respelled((sign.numerator, sign.denominator), known)) for sign in score.time_signatures]
    if not signs:
        return Metre.four_four("missing")
    if concentration(onset, score.ticks_per_quarter, (*LATTICES, *lattices)) < LEAST_CONCENTRATION:
        return Metre.four_four("off_grid")
    signs.sort(key=lambda sign: sign[0])
    heard = np.unique(np.searchsorted([time for time, _ in signs], onset, side="right")) - 1
    if len(heard) and all(index >= 0 and signs[index][1] is None for index in heard.tolist()):
        return Metre.four_four("unknown")
    signatures = [(time, signature or FOUR_FOUR) for time, signature in signs]
    return Metre(_stretches(signatures, score.ticks_per_quarter, ticks_per_quarter, known))


def respelled(signature: Signature, known: Collection[Signature]) -> Signature | None:
    """The signature itself where it is known, or the known one nearest in spelling whose bar is as long, or None."""
    numerator, denominator = signature
    if signature in known or numerator < 1 or denominator < 1:
        return signature if signature in known else None
    alike = [other for other in known if other[0] * denominator == numerator * other[1]]
    return min(alike, key=lambda other: (abs(other[1] - denominator), other), default=None)


def concentration(onset: Column, ticks_per_quarter: int, lattices: Collection[int]) -> float:
    """How far onsets keep to a grid, wherever it begins: 1 on it, about 1/sqrt(N) where they fall anywhere.

    The mean resultant length |mean exp(2 pi i x)| of circular statistics (Mardia & Jupp, Directional Statistics, 2000),
    x the onset in units of the grid; the largest over grids of `lattices` points in a quarter note. Onsets that are
    the same count once.
    """
    return float(abs(resultants(onset, ticks_per_quarter, lattices)).max(initial=0.0)) if len(onset) else 1.0


def resultants(onset: Column, ticks_per_quarter: int, lattices: Collection[int]) -> NDArray[np.complex128]:
    """[K] mean exp(2 pi i x) of `concentration` for each of K lattices; of one onset at least.

    Its length says how far onsets keep to the grid, its angle how late they are against it. All of them are Fourier
    coefficients of how many onsets there are at each tick of a quarter note.
    """
    at = distinct(onset)
    counts = np.bincount(at % ticks_per_quarter, minlength=ticks_per_quarter)
    every = np.fft.ifft(counts, norm="forward")
    mean: NDArray[np.complex128] = every[np.array(list(lattices)) % ticks_per_quarter] / len(at)
    return mean


def onset_phase(onset: Column, step: int) -> int:
    """How late a piece is against a grid of `step`, in (-step/2, step/2]: the onsets' most common residue.

    Some transcriptions carry a constant offset; rounded as they are, their notes would fall to either side.
    """
    residue = int(np.bincount(onset % step).argmax()) if len(onset) else 0
    return residue if 2 * residue <= step else residue - step


def downbeat(onset: Column, bar: int) -> int:
    """A guess where bars begin, in [0, bar): where in a bar most notes begin. Ties go to the earliest."""
    return int(np.bincount(onset % bar).argmax()) if len(onset) else 0


def _stretches(
    signatures: list[tuple[int, Signature]], theirs: int, ours: int, known: Collection[Signature]
) -> tuple[Stretch, ...]:
    times = [(round(time * ours / theirs), signature) for time, signature in signatures]
    # Before the first one, MIDI means 4/4.
    if times[0][0] > 0:
        times.insert(0, (0, FOUR_FOUR))
    # Less than a 32nd beside a bar line is a bar line, inexactly written.
    slack = ours // 8
    start, signature = times[0]
    while len(times) > 1 and times[1][0] + slack < Stretch(0, times[0][1]).bar(ours):
        times.pop(0)
        time, signature = times[0]
        bar = Stretch(0, signature).bar(ours)
        start = time - bar * -(-time // bar)
    stretches = [Stretch(start, signature)]
    for time, signature in times[1:]:
        last = stretches.pop()
        bar = last.bar(ours)
        bars, rest = divmod(max(time - last.start, 0) + slack, bar)
        rest = rest - slack if rest >= 2 * slack else 0
        cut = last.start + bars * bar
        short = respelled((rest, 4 * ours), known)
        ends = [last] if cut > last.start or (rest and not short) else []
        if short:
            ends.append(Stretch(cut, short))
        begin = cut + (rest if short or not rest else bar)
        for stretch in (*ends, Stretch(begin, signature)):
            if not stretches or stretches[-1].signature != stretch.signature:
                stretches.append(stretch)
    return tuple(stretches)
