"""From a file's ticks to the steps of a tokenizer's time, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray
from symusic.core import TimeSignatureTick

from diffmidi_core.contracts.bar_shapes import BarPlaces
from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.draw.span_time import lines_of
from diffmidi_core.music.clock import clock_of
from diffmidi_core.music.notes import TICKS_PER_QUARTER, Column, Notes, Score, notes_of, score_of
from diffmidi_core.steer.user_file import UserFile

UNTOLD_QUARTER = 500_000
"""Microseconds in a quarter note of decoded tokens that count seconds."""


class Ruler(ABC):
    """Ticks of a file and steps of a tokenizer."""

    @abstractmethod
    def steps(self, ticks: Column) -> NDArray[np.float64]:
        """[N] steps, not rounded."""

    @abstractmethod
    def ticks(self, step: int) -> int:
        """The tick of a step."""

    @abstractmethod
    def lasting(self, step: int, quarters: float) -> int:
        """How many ticks something lasts from a step on that is so many quarter notes long, as decoded."""


class EvenRuler(Ruler):
    """Steps of one length, counted from a tick on.

    Attributes:
        quarters: how many quarter notes a step is; of tokens that count seconds, of those at 120 a minute.
    """

    def __init__(self, tokenizer: Tokenizer, file: UserFile, begin: int) -> None:
        self.quarters = quarters_of(tokenizer)
        self._in_seconds = tokenizer.time_stretch(2.0) is not None
        self._ticks, self._begin, self._clock = file.ticks, begin, clock_of(file.score)
        self._since = self._elapsed(np.array([begin]))

    def steps(self, ticks: Column) -> NDArray[np.float64]:
        """By the clock where tokens count seconds."""
        if self._in_seconds:
            return (self._elapsed(ticks) - self._since) / (self.quarters * UNTOLD_QUARTER)
        return np.asarray((ticks - self._begin) / (self._ticks * self.quarters))

    def ticks(self, step: float) -> int:
        """The nearest one."""
        if self._in_seconds:
            elapsed = self._since + step * self.quarters * UNTOLD_QUARTER
            return round(float(self._clock.quarters(elapsed)[0]) * self._ticks)
        return round(self._begin + step * self._ticks * self.quarters)

    def lasting(self, step: int, quarters: float) -> int:
        """From tick to tick, by the clock where tokens count seconds."""
        return self.ticks(step + quarters / self.quarters) - self.ticks(step)

    def _elapsed(self, ticks: Column) -> NDArray[np.float64]:
        return self._clock.elapsed(ticks / self._ticks)


def quarters_of(tokenizer: Tokenizer) -> float:
    """How many quarter notes a step of time is, as the tokenizer decodes it."""
    passed = tokenizer.steps_passed()
    assert passed is not None
    columns = ((0, 480), (480, 480), (60, 62), (64, 64))
    ids = tokenizer.encode(score_of(Notes(*(np.array(each) for each in columns)), 480))
    notes = tokenizer.note_of(ids)
    assert notes is not None
    places = np.flatnonzero(tells(tokenizer, "pitch")[ids])
    score = tokenizer.decode(ids)
    steps = int(passed[ids[places[0] : places[1]]].sum())
    return float(np.ptp(notes_of(score).onset)) / score.ticks_per_quarter / steps


class BarRuler(Ruler):
    """Bar lines and the places in bars, a step each, as `Placed` counts them; a bar line is where its first place is.

    Attributes:
        bars: as the tokenizer lays the file out.
        at: [S] the tick of each step, or a fraction of one.
        places: [P] the steps that are places.
    """

    def __init__(self, tokenizer: Tokenizer, file: UserFile, end: int) -> None:
        """All bars of a file, up to tick `end` at least."""
        notes = file.notes
        heard = ~np.isin(notes.part, [place for place, part in enumerate(file.parts) if part.is_drum])
        columns = (notes.onset, notes.duration, notes.pitch, notes.velocity)
        score = score_of(Notes(*(column[heard] for column in columns)), file.ticks)
        score.time_signatures = file.score.time_signatures
        until = max(end, int(notes.onset.max(initial=0))) + 1
        self.bars: Sequence[BarPlaces] = tokenizer.bars_of(score, 0, until)
        self._ticks = file.ticks
        width = [bar.quarters / bar.places for bar in self.bars]
        count = np.array([bar.places + 1 for bar in self.bars])
        self._within = np.concatenate([np.arange(each) - 1 for each in count.tolist()]).clip(min=0)
        self._bar = np.repeat(np.arange(len(count)), count)
        self._width = np.array(width)[self._bar]
        lines = np.array([bar.tick for bar in self.bars])
        self.at: NDArray[np.float64] = lines[self._bar] + self._within * self._width * file.ticks
        self.places = np.setdiff1d(np.arange(len(self.at)), lines_of(self.bars))

    def steps(self, ticks: Column) -> NDArray[np.float64]:
        """[N] the nearest place of each, as whole numbers."""
        at = self.at[self.places]
        after = np.searchsorted(at, ticks).clip(1, len(at) - 1)
        nearer = np.where(2 * np.asarray(ticks) < at[after - 1] + at[after], after - 1, after)
        return np.asarray(self.places[nearer], dtype=np.float64)

    def between(self, begin: int, end: int) -> tuple[int, int]:
        """The first and the last place that is nearer to what lies from tick `begin` to `end` than to anything else."""
        half = self._width[self.places] * self._ticks / 2
        first, after = (int(np.count_nonzero(self.at[self.places] + half <= tick)) for tick in (begin, end))
        first = min(first, len(self.places) - 1)
        return int(self.places[first]), int(self.places[max(first, after - 1)])

    def ticks(self, step: int) -> int:
        """The nearest one."""
        return round(float(self.at[step]))

    def lasting(self, step: int, quarters: float) -> int:
        """By the beat."""
        return round(quarters * self._ticks)

    @cached_property
    def _resolution(self) -> int:
        """Ticks in a quarter note of which every place and every bar line is a whole number."""
        return lcm(TICKS_PER_QUARTER, *{round(bar.places / bar.quarters * 2) for bar in self.bars})

    def straight(self, notes: Notes) -> Score:
        """Notes of the file, in its ticks, as a score of which each is where its place is, in the same bars."""
        steps = self.steps(notes.onset).astype(np.int64)
        first = int(self._bar[steps].min())
        last = int(self._bar[steps].max())
        lengths = np.array([bar.quarters for bar in self.bars[first : last + 1]]) * self._resolution
        lines = np.concatenate([[0.0], np.cumsum(lengths)])
        onset = lines[self._bar[steps] - first] + self._within[steps] * self._width[steps] * self._resolution
        duration = np.maximum(np.rint(notes.duration * self._resolution / self._ticks), 1)
        whole = Notes(np.rint(onset).astype(np.int64), duration.astype(np.int64), notes.pitch, notes.velocity)
        score = score_of(whole, self._resolution)
        score.time_signatures.clear()
        before = None
        for line, bar in zip(lines.tolist(), self.bars[first : last + 1], strict=False):
            if before != (metre := (bar.numerator, bar.denominator)):
                score.time_signatures.append(TimeSignatureTick(round(line), *metre))
            before = metre
        return score
