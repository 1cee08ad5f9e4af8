"""Asked: a user's file and what of it is to be new, before there is a model. Light: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import UsageError
from diffmidi_core.music.bar_lines import BarLines
from diffmidi_core.numbers import counted
from diffmidi_core.saved.takes import Asking
from diffmidi_core.steer.regions import HIGHEST, Region, Regions
from diffmidi_core.steer.regions import regions as parsed
from diffmidi_core.steer.rework import LOCKS, RANGE, Masking
from diffmidi_core.steer.selection import Box, Selection, select
from diffmidi_core.steer.user_file import UserFile

MOST_NEW_BARS = 10_000
MOST_NEW_NOTES = 100_000


@dataclass(frozen=True)
class Asked:
    """What is to be new.

    Attributes:
        file: the user's.
        bars: its bars, and those that come behind it.
        selection: where new notes may begin; the notes there are taken out.
        told: the same in words.
        masking: what of the notes there is drawn; by default they are taken out whole.
        asking: the words of it, by which `again` asks the same.
    """

    file: UserFile
    bars: BarLines
    selection: Selection
    told: str
    masking: Masking = field(default_factory=Masking)
    asking: Asking = field(default_factory=Asking)

    @classmethod
    def again(cls, file: UserFile, asking: Asking) -> Asked:
        """What was asked of the file before."""
        upbeat = None if asking.upbeat is None else Fraction(asking.upbeat)
        if asking.behind is not None:
            return cls.behind(file, asking.behind, upbeat, notes=asking.notes)
        regions = None if asking.regions is None else parsed(asking.regions, inverted=asking.inverted)
        kept, share = asking.locks, asking.strength
        return cls.region(file, regions, upbeat, locks=kept, strength=share, notes=asking.notes)

    @classmethod
    def region(
        cls,
        file: UserFile,
        regions: Regions | None,
        upbeat: Fraction | None = None,
        *,
        locks: Sequence[str] = (),
        strength: float = 1.0,
        notes: int | None = None,
    ) -> Asked:
        """Regions of a file, or with None all of it.

        Args:
            locks: what stays of the notes there: "rhythm", "pitches", "velocity", and "range".
            strength: with which probability the rest of them is masked.
            notes: how many there are to be; None: as many as the model says, or as stood there.

        Raises UsageError where the file does not have such regions, where nothing would be kept, or all of it.
        """
        bars = BarLines.of(file.score, int(file.notes.end.max()), upbeat)
        masking = Masking(frozenset(locks), strength)
        if strange := sorted(masking.locks - {*LOCKS, RANGE}):
            raise UsageError(f"--lock {strange[0]}: what can be locked is {', '.join([*LOCKS, RANGE])}.")
        if masking.locks >= {*LOCKS}:
            raise UsageError("--lock keeps rhythm, pitches and velocity, so nothing is left to be drawn: lock less.")
        if not 0 < strength <= 1:
            raise UsageError(f"--strength {strength:g}: it is a share, more than 0 and at most 1.")
        _check_notes(notes)
        if notes is not None and masking.reworks:
            raise UsageError(f"--notes {notes}: --lock and --strength keep as many notes as there are; leave out one.")
        whole = regions is None or masking.reworks
        told = str(regions) if regions is not None else "all of it"
        selection = select(regions or Regions((Region(),)), file, bars, whole=whole)
        kept = f", keeping {' and '.join(sorted(masking.locks))}" if masking.locks else ""
        share = f", {100 * strength:g} % of it" if strength < 1 else ""
        share += "" if notes is None else f", {counted(notes, 'note')}"
        asking = Asking(
            regions=None if regions is None else tuple(map(str, regions.any_of)),
            inverted=regions is not None and regions.inverted,
            locks=tuple(locks),
            strength=strength,
            upbeat=None if upbeat is None else str(upbeat),
            notes=notes,
        )
        return cls(file, bars, selection, f"{told}{kept}{share}", masking, asking)

    @classmethod
    def behind(cls, file: UserFile, count: int, upbeat: Fraction | None = None, *, notes: int | None = None) -> Asked:
        """So many bars behind the last one of a file, in its last metre and tempo, with so many `notes`, or None.

        Raises UsageError.
        """
        _check_notes(notes)
        if not 0 < count <= MOST_NEW_BARS:
            raise UsageError(f"--bars {count}: a piece is continued by 1 bar or more, up to {MOST_NEW_BARS:,}.")
        bars = BarLines.of(file.score, int(file.notes.end.max()), upbeat)
        longer = bars.longer(count)
        drums = frozenset(place for place, part in enumerate(file.parts) if part.is_drum)
        box = Box(int(bars.at[-1]), int(longer.at[-1]), frozenset(range(len(file.parts))), 0, HIGHEST)
        selection = Selection((box,), inverted=False, drums=drums, end=int(longer.at[-1]))
        asking = Asking(behind=count, upbeat=None if upbeat is None else str(upbeat), notes=notes)
        share = "" if notes is None else f", {counted(notes, 'note')}"
        return cls(file, longer, selection, f"{counted(count, 'bar')} more{share}", asking=asking)

    @property
    def notes(self) -> int | None:
        """How many notes are drawn, where that is asked for."""
        return self.asking.notes

    @cached_property
    def removed(self) -> NDArray[np.bool_]:
        """[N] the notes of the file that are taken out."""
        return self.selection.notes(self.file)

    @cached_property
    def touched(self) -> list[int]:
        """The numbers of the bars in which something is drawn."""
        parts = [place for place in range(len(self.file.parts)) if place not in self.selection.drums]
        at = self.bars.at.tolist()
        return [
            self.bars.number(bar)
            for bar, (begin, end) in enumerate(pairwise(at))
            if any(self.selection.cell(part, begin, end)[0].any() for part in parts)
        ]

    def describe(self) -> str:
        """What is kept and what is drawn, as text of some lines."""
        gone = int(np.count_nonzero(self.removed))
        kept = len(self.removed) - gone
        first = "an upbeat (bar 0) and " if self.bars.first == 0 else ""
        lines = [f"{self.file.name}: {first}bars up to {self.bars.last}, {counted(len(self.removed), 'note')}"]
        lines += [f"  track {part}: {counted(part.notes, 'note')}" for part in self.file.parts]
        lines += [
            f"Drawn: {self.told}; that is in bars {ranges(self.touched)}, which have {counted(gone, 'such note')} now",
            f"Kept: {counted(kept, 'note')}, and everything in the file that is no note",
        ]
        return "\n".join(lines)


def _check_notes(notes: int | None) -> None:
    if notes is not None and not 1 <= notes <= MOST_NEW_NOTES:
        raise UsageError(f"--notes {notes}: at least 1 note is drawn, and at most {MOST_NEW_NOTES:,}.")


def ranges(numbers: list[int]) -> str:
    """1, 2, 3, 5 -> "1-3, 5"."""
    told: list[list[int]] = []
    for number in numbers:
        if told and number == told[-1][1] + 1:
            told[-1][1] = number
        else:
            told.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in told)
