"""Selection: regions on a file, as which of its notes are taken out and where new ones may begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import UsageError
from diffmidi_core.music.bar_lines import BarLines
from diffmidi_core.music.clock import clock_of
from diffmidi_core.music.notes import INT32_MAX, Column
from diffmidi_core.numbers import counted
from diffmidi_core.steer.regions import HIGHEST, Region, Regions
from diffmidi_core.steer.user_file import Part, UserFile

PITCHES = HIGHEST + 1
_PIANOS = range(8)
_HANDS = {
    "right": re.compile(r"\bupper\b|\bright\b|\br\.?h\b|treble|rechte|droite", re.IGNORECASE),
    "left": re.compile(r"\blower\b|\bleft\b|\bl\.?h\b|bass staff|linke|gauche", re.IGNORECASE),
}


@dataclass(frozen=True)
class Box:
    """Ticks from `begin` up to but not `end`, some parts (by place), and pitches from `low` to `high`."""

    begin: int
    end: int
    parts: frozenset[int]
    low: int
    high: int


@dataclass(frozen=True)
class Selection:
    """What is drawn anew: where one of the boxes is, or with `inverted` where none is; never of `drums`, and never
    from tick `end` on.
    """

    boxes: tuple[Box, ...]
    inverted: bool
    drums: frozenset[int]
    end: int

    def holds(self, part: Column, onset: Column, pitch: Column) -> NDArray[np.bool_]:
        """[N] whether notes begin in it, from places of parts, ticks and pitches."""
        inside = np.zeros(len(onset), dtype=bool)
        for box in self.boxes:
            inside |= (
                (onset >= box.begin)
                & (onset < box.end)
                & (pitch >= box.low)
                & (pitch <= box.high)
                & np.isin(part, [*box.parts])
            )
        return (inside ^ self.inverted) & ~np.isin(part, [*self.drums]) & (onset < self.end)

    def notes(self, file: UserFile) -> NDArray[np.bool_]:
        """[N] which notes of a file are taken out."""
        return self.holds(file.notes.part, file.notes.onset, file.notes.pitch)

    def cell(self, part: int, begin: int, end: int) -> tuple[NDArray[np.bool_], bool]:
        """[128] which pitches are free at some time from `begin` up to `end` in a part; whether all always are."""
        cuts = {begin, *(tick for box in self.boxes for tick in (box.begin, box.end) if begin < tick < end)}
        at, pitch = np.repeat(sorted(cuts), PITCHES), np.tile(np.arange(PITCHES), len(cuts))
        free = self.holds(np.full(len(at), part), at, pitch).reshape(-1, PITCHES)
        some: NDArray[np.bool_] = np.asarray(free.any(0))
        return some, bool(free.all())


def select(regions: Regions, file: UserFile, bars: BarLines, *, whole: bool = False) -> Selection:
    """Regions on a file, which may be all of it where `whole`.

    Raises UsageError where they name what the piece does not have, or leave nothing to stand.
    """
    drums = frozenset(place for place, part in enumerate(file.parts) if part.is_drum)
    boxes = tuple(_box(region, file, bars) for region in regions.any_of)
    found = Selection(boxes, regions.inverted, drums, int(bars.at[-1]))
    played = [place for place in range(len(file.parts)) if place not in drums]
    cells = [
        found.cell(part, int(begin), int(end))
        for begin, end in zip(bars.at[:-1], bars.at[1:], strict=True)
        for part in played
    ]
    if not any(free.any() for free, _ in cells):
        alone = (
            " New notes come into tracks that have notes already: for an accompaniment give it two more, named 'Piano, "
            "right hand' and 'Piano, left hand', with a note in the last bar of each."
            if len(played) == 1
            else ""
        )
        raise UsageError(
            f"'{regions}' leaves nothing of {file.name} to be drawn anew: it has {listed(file.parts)}.{alone}"
        )
    if not whole and not drums and all(every for _, every in cells):
        raise UsageError(
            f"'{regions}' is all of {file.name}, so nothing would be kept: name fewer bars, or write new music with "
            "`diffmidi sample`."
        )
    return found


def _box(region: Region, file: UserFile, bars: BarLines) -> Box:
    begin, end = 0, INT32_MAX
    if region.bars is not None:
        begin, end = _of_bars(region.bars[0], region.bars[1], file, bars)
    if region.seconds is not None:
        since, until = _of_seconds(region.seconds[0], region.seconds[1], file, bars)
        if max(begin, since) >= min(end, until):
            raise UsageError(f"'{region}' holds no time: these bars and seconds do not meet in {file.name}.")
        begin, end = max(begin, since), min(end, until)
    low, high = region.pitch or (0, HIGHEST)
    parts = set(_of_track(region.track, file)) if region.track is not None else set(range(len(file.parts)))
    if region.hand is not None:
        parts &= {_of_hand(region.hand, file)}
    return Box(begin, end, frozenset(parts), low, high)


def _of_bars(first: int, last: int | None, file: UserFile, bars: BarLines) -> tuple[int, int]:
    if first < bars.first:
        raise UsageError(
            f"{file.name} has no upbeat, so its first bar is bar 1 (asked: {first}): `--upbeat 1/4` says that it "
            "begins with one of a quarter note."
        )
    last = bars.last if last is None else last
    if first > bars.last or last > bars.last:
        raise UsageError(f"{file.name} has bars up to {bars.last} (asked: {max(first, last)}).")
    return bars.ticks(first, last)


def _of_seconds(first: float, last: float | None, file: UserFile, bars: BarLines) -> tuple[int, int]:
    clock = clock_of(file.score)
    whole = float(clock.elapsed(bars.at[-1:] / file.ticks)[0]) / 1e6
    if first >= whole:
        raise UsageError(f"{file.name} is {whole:.1f} seconds long (asked: from {first:g} on).")
    ends = np.array([first, whole if last is None else last]) * 1e6
    begin, end = np.ceil(clock.quarters(ends) * file.ticks - 1e-6).astype(np.int64).tolist()
    if begin >= end:
        raise UsageError(
            f"seconds {first:g}-{last:g}: no tick of {file.name} is in this range, so nothing can be drawn."
        )
    return begin, end


def _of_track(track: str, file: UserFile) -> list[int]:
    """The places of the parts of a number or a name."""
    numbers = [place for place, part in enumerate(file.parts) if not part.is_drum and str(part.number) == track]
    named = [place for place, part in enumerate(file.parts) if part.name.strip().casefold() == track.strip().casefold()]
    found = numbers or named
    if not found:
        raise UsageError(f"{file.name} has no track '{track}'. It has {listed(file.parts)}.")
    if all(file.parts[place].is_drum for place in found):
        raise UsageError(f"track '{track}' of {file.name} is drums, which are never drawn anew.")
    return found


def _of_hand(hand: str, file: UserFile) -> int:
    """The place of the part that is a hand's: by name, or the first and second of two piano tracks."""
    pianos = [place for place, part in enumerate(file.parts) if not part.is_drum and part.program in _PIANOS]
    named = {
        side: [place for place in pianos if pattern.search(file.parts[place].name)] for side, pattern in _HANDS.items()
    }
    if len(named["right"]) == len(named["left"]) == 1:
        return named[hand][0]
    if len(pianos) == 2 and not any(named.values()):
        return pianos[hand == "left"]
    raise UsageError(
        f"--hand {hand}: {file.name} does not have two staves of one piano. It has {listed(file.parts)}: name one by "
        "--track, or say which notes by --pitch."
    )


def listed(parts: Sequence[Part]) -> str:
    """The parts as text."""
    return ", ".join(f"{part} ({counted(part.notes, 'note')})" for part in parts)
