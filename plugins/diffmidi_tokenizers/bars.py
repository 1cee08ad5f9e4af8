"""Notes laid out in bars: rounded onto the positions of each bar's metre, without what words of bars could not say.

Times are ticks of a resolution in which every position of every metre is a whole number. A piece that was laid out
stays as it is when it is laid out again, which is why words made from it survive decoding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import Metre, Moved, Notes, Score, deduplicated, downbeat, metre_of, notes_of, onset_phase
from diffmidi_tokenizers import steps

LONGEST_REST = 16
"""Bars: where no note begins for longer, the rest is cut by whole bars to this."""

Column = NDArray[np.int64]
Signature = tuple[int, int]


@dataclass(frozen=True)
class Lattice:
    """Where notes may begin, and how long they may be.

    Attributes:
        ticks_per_quarter: of what comes out.
        positions: in a beat, whatever note value the metre's beat has.
        lengths: for each denominator of a metre, the lengths in ticks that notes may have, rising.
        signatures: the metres there are.
        gaps: the ticks there may be between onsets, 0 first, rising, where one word says each; None: any.
        shifts: how many ticks an onset may be from its position, rising, 0 among them; None: none.
    """

    ticks_per_quarter: int
    positions: int
    lengths: Mapping[int, Column]
    signatures: tuple[Signature, ...]
    gaps: Column | None = None
    shifts: Column | None = None

    def step(self, denominator: int) -> int:
        """Ticks between two positions."""
        return self.ticks_per_quarter * 4 // denominator // self.positions


@dataclass(frozen=True)
class LaidOut:
    """Notes by onset, then pitch, in ticks of the lattice, the first in the first bar; and where metres change.

    Attributes:
        zero: the tick of the score that tick 0 is, or a fraction of one.
        moved: [N] onsets in ticks before and after rests were cut; None where none was.
    """

    notes: Notes
    changes: tuple[tuple[int, Signature], ...]
    zero: float = 0.0
    moved: Moved | None = None


def playable(score: Score, lowest: int, highest: int, counts: dict[str, int]) -> Notes:
    """The score's notes without drums, notes of no length and pitches outside lowest..highest; counts what goes."""
    counts["drums"] = sum(len(track.notes) for track in score.tracks if track.is_drum)
    notes = notes_of(score)
    outside = (notes.pitch < lowest) | (notes.pitch > highest)
    counts["dropped_pitch"] = int(np.count_nonzero(outside))
    empty = (notes.duration <= 0) & ~outside
    counts["zero_length"] = int(np.count_nonzero(empty))
    notes = notes[~(outside | empty)]
    return Notes(notes.onset, notes.duration, notes.pitch, np.clip(notes.velocity, 1, 127))


def lay_out(score: Score, notes: Notes, lattice: Lattice, counts: dict[str, int]) -> LaidOut:
    """Notes of a score (in its ticks) onto the bars of its metre, or of 4/4 where that makes no sense.

    Counts metre_replaced (the piece: 1), clamped_rest (rests), clamped_duration, merged, overlaps (notes).
    """
    if not len(notes):
        return LaidOut(notes, ((0, (4, 4)),))
    resolution = lattice.ticks_per_quarter
    played, (placed, metre) = notes.onset, _placed(score, notes, lattice)
    counts["metre_replaced"] = int(bool(metre.replaced))
    notes, changes, denominator, counts["clamped_rest"] = _close_up(placed, metre, resolution)
    if lattice.gaps is not None:
        onset = steps.at_most(lattice.gaps, steps.gaps(notes.onset - notes.onset[0])).cumsum()
        notes = Notes(onset, notes.duration, notes.pitch, notes.velocity)
    zero, moved = _moved(played * resolution / score.ticks_per_quarter, placed.onset, notes.onset)

    longest = np.array([lattice.lengths[each][-1] for each in denominator.tolist()])
    counts["clamped_duration"] = int(np.count_nonzero(notes.duration > longest))
    duration = _snapped(notes.duration, denominator, lattice, steps.nearest)
    notes = steps.sort(Notes(notes.onset, duration, notes.pitch, notes.velocity))
    merged = deduplicated(notes)
    counts["merged"] = len(notes) - len(merged)
    parted, counts["overlaps"] = steps.part_overlaps(merged)
    # Parted notes may have any length; the next shorter one that there is leaves them parted.
    starts = np.array([tick for tick, _ in changes])
    signatures = np.array([signature for _, signature in changes])
    denominator = signatures[np.searchsorted(starts, parted.onset, side="right") - 1, 1]
    duration = _snapped(parted.duration, denominator, lattice, steps.at_most)
    notes = Notes(parted.onset, duration, parted.pitch, parted.velocity)
    return LaidOut(notes, changes, zero * score.ticks_per_quarter / resolution, moved)


def lines_of(score: Score, notes: Notes, lattice: Lattice, begin: int, end: int) -> list[tuple[float, Signature]]:
    """The bars of a piece by its notes (in the score's ticks), rests uncut, of which something lies from tick `begin`
    to `end`: the tick of each bar line, or a fraction of one, and its metre.
    """
    resolution = lattice.ticks_per_quarter
    placed, metre = _placed(score, notes, lattice)
    scale, late = resolution / score.ticks_per_quarter, 0.0
    if len(notes):
        late = float(np.median(np.sort(notes.onset * scale) - placed.onset))
    first, after = (math.floor(tick * scale - late) for tick in (begin, max(end - 1, begin)))
    _, (low, high) = metre.bars(np.array([first, after]), resolution)
    numbers = np.arange(low, high + 1)
    ticks = (metre.bar_lines(numbers, resolution) + late) / scale
    stretches = [metre.stretches[each] for each in metre.stretch_of_bar(numbers, resolution).tolist()]
    return [(tick, stretch.signature) for tick, stretch in zip(ticks.tolist(), stretches, strict=True)]


def _placed(score: Score, notes: Notes, lattice: Lattice) -> tuple[Notes, Metre]:
    """Notes on the positions of the score's metre, in ticks of the lattice; and the metre, 4/4 where that makes no
    sense.
    """
    resolution = lattice.ticks_per_quarter
    metre = metre_of(score, notes.onset, resolution, lattice.signatures, (resolution,))
    placed = _onto_positions(notes, score.ticks_per_quarter, metre, lattice)
    if metre.is_of_one_beat(placed.onset, resolution):
        metre = Metre.four_four("one_beat")
        placed = _onto_positions(notes, score.ticks_per_quarter, metre, lattice)
    return placed, metre


def _moved(played: NDArray[np.float64], placed: Column, onset: Column) -> tuple[float, Moved | None]:
    """Which tick of what was played is tick 0; and [N] onsets before and after rests were cut, counted from it.

    All in ticks of the lattice. How late the piece was, or its downbeat, is the median of what onsets were moved by.
    """
    first = int(placed[0] - onset[0])
    late = float(np.median(np.sort(played) - placed))
    before = placed - first
    return first + late, None if np.array_equal(before, onset) else (before, onset)


def _onto_positions(notes: Notes, ticks_per_quarter: int, metre: Metre, lattice: Lattice) -> Notes:
    """Onsets and ends to the nearest position of their stretch of bars, the piece's constant offset taken off first."""
    starts = np.array([each.start for each in metre.stretches])
    step = np.array([lattice.step(each.signature[1]) for each in metre.stretches])
    # Times in units of 1/ticks_per_quarter tick of the lattice are whole numbers.
    exact = notes.onset * lattice.ticks_per_quarter
    at = np.maximum(np.searchsorted(starts * ticks_per_quarter, exact, side="right") - 1, 0)
    starts, step = starts[at], step[at]
    width = step * ticks_per_quarter
    begin = exact - starts * ticks_per_quarter
    if lattice.shifts is None:
        begin -= onset_phase(begin, int(width.min()))
    else:
        # Words say every tick; whether it lies near a position is for `_shifted`.
        step, width = np.ones_like(step), np.full_like(width, ticks_per_quarter)
    position = (begin + width // 2) // width
    end = (begin + notes.duration * lattice.ticks_per_quarter + width // 2) // width
    duration = np.maximum(end - position, 1) * step
    since = position * step
    if metre.replaced:
        since -= downbeat(since, metre.stretches[0].bar(lattice.ticks_per_quarter))
    if lattice.shifts is None:
        since -= sixteenths_late(starts + since, since, int(step.max()), lattice.ticks_per_quarter // 4)
    else:
        since = _shifted(since, lattice.shifts, lattice.step(4))
    # Only the first stretch has bars before it, and none may begin before the one after it ends.
    onset = starts + np.where(at > 0, np.maximum(since, 0), since)
    following = np.array([*(each.start for each in metre.stretches[1:]), np.iinfo(np.int64).max])
    onset = np.minimum(onset, following[at])
    return steps.sort(Notes(onset, duration, notes.pitch, notes.velocity))


def _shifted(since: Column, shifts: Column, step: int) -> Column:
    """Each onset at the nearest shift from its nearest position; where three in four are alike late, none is late.

    How late they are is read off what words can say, so that reading it a second time finds the same.
    """

    def near(ticks: Column) -> Column:
        position = (ticks + step // 2) // step * step
        return position + steps.nearest(shifts, ticks - position)

    since = near(since)
    late = onset_phase(since, step)
    alike = int(np.count_nonzero((since - late) % step == 0))
    return near(since - late) if 4 * alike > 3 * len(since) else since


def sixteenths_late(onset: Column, since: Column, step: int, sixteenth: int) -> int:
    """By how many ticks a piece is late against the sixteenths of its bars, where three onsets in four are so alike.

    An offset of more than half a position is no rounding error of a player's. Given is a whole number of the widest
    position, `step`, so that every note stays on one.
    """
    if sixteenth <= step:
        return 0
    _, rows = np.unique(onset, return_index=True)
    late = onset_phase(since[rows], sixteenth)
    alike = int(np.count_nonzero((since[rows] - late) % sixteenth == 0))
    return int(late / step) * step if 4 * alike > 3 * len(rows) else 0


def _close_up(
    notes: Notes, metre: Metre, resolution: int
) -> tuple[Notes, tuple[tuple[int, Signature], ...], Column, int]:
    """Begin with the first bar that holds an onset, and cut long rests by whole bars.

    Of a rest that is cut, the first bars stay. Gives the notes, the metre's changes, each note's denominator, and how
    many rests were cut.
    """
    starts = np.array([each.start for each in metre.stretches])
    signatures = np.array([each.signature for each in metre.stretches])
    bar = np.array([each.bar(resolution) for each in metre.stretches])
    at, number = metre.bars(notes.onset, resolution)
    inside = (notes.onset - starts[at]) % bar[at]
    numbers, which = np.unique(number, return_inverse=True)
    gap = np.diff(numbers)
    # Bars with an onset and, behind each, those without one that stay: as long as their own metres say.
    many = np.append(np.minimum(gap, LONGEST_REST + 1), 1)
    first = np.cumsum(many) - many
    every = np.repeat(numbers - first, many) + np.arange(many.sum())
    stretch = metre.stretch_of_bar(every, resolution)
    length = bar[stretch]
    begins = np.cumsum(length) - length
    signature = signatures[stretch]
    new = np.append(True, (signature[1:] != signature[:-1]).any(1))
    changes = tuple(
        (int(tick), (int(each[0]), int(each[1]))) for tick, each in zip(begins[new], signature[new], strict=True)
    )
    notes = Notes(begins[first][which] + inside, notes.duration, notes.pitch, notes.velocity)
    return notes, changes, signatures[at][:, 1], int(np.count_nonzero(gap > LONGEST_REST + 1))


def _snapped(
    duration: Column, denominator: Column, lattice: Lattice, snap: Callable[[Column, Column], Column]
) -> Column:
    snapped = duration.copy()
    for each in np.unique(denominator).tolist():
        rows = denominator == each
        snapped[rows] = snap(lattice.lengths[each], duration[rows])
    return snapped
