"""Holes in songs for `infilling.py`: where they are, and how they are filled without a model."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.excerpt import excerpt
from diffmidi_core.steer.patching import NewNotes, patched
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.user_file import UserFile

AROUND_HOLE = 4
"""Bars on either side of a hole at least."""

EXCERPT, HALF = 16, 8


class Hole:
    """Bars of a file, by their first and last number."""

    def __init__(self, file: UserFile, first: int, last: int) -> None:
        self.file, self.told = file, f"bars {first}-{last}"
        self.asked = Asked.region(file, regions([self.told]))
        bars = self.asked.bars
        self.begin, self.end = bars.ticks(first, last)
        place = first - bars.first
        self.lines = bars.at[place : place + last - first + 2]
        self.before = (int(bars.at[place - 1]), int(bars.at[place]))

    @property
    def lengths(self) -> list[Fraction]:
        """Of the bars, in quarter notes."""
        return [Fraction(int(each), self.file.ticks) for each in np.diff(self.lines)]

    def copied(self) -> bytes:
        """Filled by the bar before."""
        return self._filled([(self.file, *self.before)] * len(self.lengths))

    def other(self, file: UserFile, lines: Sequence[int]) -> bytes:
        """Filled by bars of another file, which begin and end at `lines`."""
        return self._filled([(file, first, last) for first, last in pairwise(lines)])

    def _filled(self, sources: Sequence[tuple[UserFile, int, int]]) -> bytes:
        found = [np.zeros((0, 5), dtype=np.int64)]
        for place, (source, first, last) in enumerate(sources):
            notes, scale = source.notes, self.file.ticks / source.ticks
            inside = (notes.onset >= first) & (notes.onset < last) & np.isin(notes.part, played(source))
            onset = np.rint((notes.onset[inside] - first) * scale).astype(np.int64)
            duration = np.maximum(1, np.rint(notes.duration[inside] * scale)).astype(np.int64)
            part = np.array([*played(self.file), 0])[np.searchsorted(played(source), notes.part[inside])]
            rows = np.stack([part, onset, duration, notes.pitch[inside], notes.velocity[inside]], 1)
            rows = rows[onset < self.lines[place + 1] - self.lines[place]]
            rows[:, 1] += self.lines[place]
            found.append(rows)
        return patched(self.file, self.asked.removed, NewNotes(*np.concatenate(found).T)).data


def played(file: UserFile) -> list[int]:
    """The places of the parts that are no drums."""
    return [place for place, part in enumerate(file.parts) if not part.is_drum]


def hole_in(file: UserFile, count: int, random: np.random.Generator) -> Hole | None:
    """So many bars of a file; None where it is too short."""
    whole = Asked.behind(file, 1)
    last = whole.bars.last - 1 - AROUND_HOLE - count + 1
    if last <= AROUND_HOLE:
        return None
    first = int(random.integers(1 + AROUND_HOLE, last + 1))
    return Hole(file, first, first + count - 1)


def half_of(file: UserFile, random: np.random.Generator) -> Hole | None:
    """The middle half of an excerpt of 16 bars, which is a file of its own."""
    whole = Asked.behind(file, 1)
    last = whole.bars.last - EXCERPT
    if last < 2:
        return None
    first = int(random.integers(1, last + 1))
    score = excerpt(file.as_score(), Asked.region(file, regions([f"bars {first}-{first + EXCERPT - 1}"])))
    if not len(notes_of(score)):
        return None
    cut = UserFile(score.dumps_midi(), file.name)
    begin = 1 + (EXCERPT - HALF) // 2
    return Hole(cut, begin, begin + HALF - 1)


def random_span(hole: Hole, files: Sequence[UserFile], random: np.random.Generator) -> bytes:
    """Filled by a place in one of the files, of as many parts, whose bars are as long if one of 300 is."""
    found: tuple[UserFile, list[int]] | None = None
    for _ in range(300):
        file = files[int(random.integers(len(files)))]
        at = Asked.behind(file, 1).bars.at[:-1]
        count = len(hole.lengths)
        if file.name == hole.file.name or len(played(file)) != len(played(hole.file)) or len(at) <= count:
            continue
        first = int(random.integers(len(at) - count))
        lines = at[first : first + count + 1].tolist()
        same = [Fraction(each, file.ticks) for each in np.diff(lines).tolist()] == hole.lengths
        found = (file, lines) if same or found is None else found
        if same:
            break
    if found is None:
        raise DiffmidiError("no other piece has as many parts.")
    return hole.other(*found)
