"""Metre: where a piece's bars begin, and what is done where its file says nothing that makes sense.

Many files carry a metre nobody meant: a bar of one beat (POP909), none at all, or the sequencer's 4/4 under a recorded
performance, whose onsets keep no beat. Words for bars and positions would then be nonsense, so such a metre is found
out, and 4/4 is read in its place.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from diffmidi_core.music.notes import Column, Score

Signature = tuple[int, int]
FOUR_FOUR: Signature = (4, 4)
SHORTEST_BAR = 1.5
"""Quarter notes: a shorter bar has one beat, which is no metre."""
LEAST_CONCENTRATION = 0.4
"""Of 767 files, the recorded performances reach 0.1 and hardly more, the others 0.6 and more (see `concentration`)."""
_LATTICES = (3, 4, 8, 24)
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

    A signature that comes in the middle of a bar waits for the next bar line. A first bar that is cut short by the
    next signature is an upbeat: it becomes the end of a whole bar.
    """
    said = [(sign.time, respelled((sign.numerator, sign.denominator), known)) for sign in score.time_signatures]
    if not said:
        return _four_four("missing")
    if concentration(onset, score.ticks_per_quarter, (*_LATTICES, *lattices)) < LEAST_CONCENTRATION:
        return _four_four("off_grid")
    signatures = [(time, signature) for time, signature in said if signature]
    if len(signatures) < len(said):
        return _four_four("unknown")
    stretches = _stretches(signatures, score.ticks_per_quarter, ticks_per_quarter)
    starts = [each.start * score.ticks_per_quarter for each in stretches]
    heard = np.unique(np.searchsorted(starts, onset * ticks_per_quarter, side="right"))
    if all(stretches[max(index - 1, 0)].bar(2) < SHORTEST_BAR * 2 for index in heard.tolist()):
        return _four_four("one_beat")
    return Metre(stretches)


def respelled(signature: Signature, known: Collection[Signature]) -> Signature | None:
    """The signature itself where it is known, or the known one nearest in spelling whose bar is as long, or None."""
    numerator, denominator = signature
    if signature in known or numerator < 1 or denominator < 1:
        return signature if signature in known else None
    alike = [each for each in known if each[0] * denominator == numerator * each[1]]
    return min(alike, key=lambda each: (abs(each[1] - denominator), each), default=None)


def concentration(onset: Column, ticks_per_quarter: int, lattices: Collection[int]) -> float:
    """How far onsets keep to a grid, wherever it begins: 1 on it, about 1/sqrt(N) where they fall anywhere.

    The mean resultant length |mean exp(2 pi i x)| of circular statistics (Mardia & Jupp, Directional Statistics, 2000),
    x the onset in units of the grid; the largest over grids of `lattices` points in a quarter note. Onsets that are
    the same count once.
    """
    turns = 2j * np.pi * np.unique(onset) / ticks_per_quarter
    return max((float(abs(np.exp(turns * points).mean())) for points in lattices if len(turns)), default=1.0)


def onset_phase(onset: Column, step: int) -> int:
    """How late a piece is against a grid of `step`, in (-step/2, step/2]: the onsets' most common residue.

    Some transcriptions carry a constant offset; rounded as they are, their notes would fall to either side.
    """
    residue = int(np.bincount(onset % step).argmax()) if len(onset) else 0
    return residue if 2 * residue <= step else residue - step


def downbeat(onset: Column, bar: int) -> int:
    """A guess where bars begin, in [0, bar): where in a bar most notes begin. Ties go to the earliest."""
    return int(np.bincount(onset % bar).argmax()) if len(onset) else 0


def _four_four(why: str) -> Metre:
    return Metre((Stretch(0, FOUR_FOUR),), why)


def _stretches(said: list[tuple[int, Signature]], theirs: int, ours: int) -> tuple[Stretch, ...]:
    said = sorted(said, key=lambda each: each[0])
    # Before the first one, MIDI means 4/4.
    times = [(time * ours / theirs, signature) for time, signature in said]
    if times[0][0] > 0:
        times.insert(0, (0.0, FOUR_FOUR))
    start, origin = 0, times[0][1]
    while len(times) > 1 and times[1][0] < Stretch(0, times[0][1]).bar(ours):
        time, origin = times[1]
        bar = Stretch(0, origin).bar(ours)
        start = round(time) - bar * -(-round(time) // bar)
        times.pop(0)
    found = [Stretch(start, origin)]
    for time, signature in times[1:]:
        last = found[-1]
        bar = last.bar(ours)
        # A tick or two of rounding must not cost a bar.
        bars = -(-(round(time) - last.start) // bar)
        start = last.start + bars * bar
        if start == last.start:
            found.pop()
        if not found or found[-1].signature != signature:
            found.append(Stretch(start, signature))
    return tuple(found)
