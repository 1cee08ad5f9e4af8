"""Spans of a file in a model's tokens: what stands on both sides of a stretch of time, and how much is drawn in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.span import Given, Span, Stretch
from diffmidi_core.music.notes import Column, Notes, score_of
from diffmidi_core.steer.rework import Masking
from diffmidi_core.steer.rulers import Ruler
from diffmidi_core.steer.span_rework import ReworkedSpan, in_stretches, masked, rows_of
from diffmidi_core.steer.user_file import UserFile


class Around(NamedTuple):
    """A stretch of time of a file, in ticks, and rows of notes: those kept on both sides, and those taken out."""

    begin: int
    end: int
    before: Column
    after: Column
    gone: Column


@dataclass
class Writer(ABC):
    """Writes spans of a file; the model sees `length` tokens at once.

    Attributes:
        most: tokens that are drawn at once, about.
        is_time: [V] as of `Span`.
    """

    file: UserFile
    tokenizer: Tokenizer
    length: int
    most: int = field(init=False)
    is_time: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        group = self.tokenizer.group
        self.most = max(1, self.length // 2 // group) * group
        self.is_time = tells(self.tokenizer, "time")

    @abstractmethod
    def written(self, around: Around) -> tuple[Span, Ruler, Ids]:
        """A span of no stretches yet, its steps in ticks, and the notes that are there as its text."""

    def reworked(self, around: Around, masking: Masking, place: int) -> ReworkedSpan:
        """A span, the number `place`, whose notes stay as many as they are, with some of their tokens masked."""
        span, ruler, text = self.written(around)
        span = replace(span, stretches=[Stretch(len(text), 0, 0, Given(text, text, span.then))])
        onsets = span.onsets([text])
        rows = rows_of(span, onsets, around.gone, self.file, ruler)
        hidden = masked(span, text, rows, self.opens, masking, (place,))
        # Notes that were rounded over an edge stay there.
        steps = [*self.ends(around, ruler), *(step for step, _ in onsets)]
        ends = min(steps), max(steps)
        stretches = in_stretches(span, text, hidden, self.most, ends)
        return ReworkedSpan(replace(span, stretches=stretches), ruler, rows, around.begin, around.end)

    @abstractmethod
    def ends(self, around: Around, ruler: Ruler) -> tuple[int, int]:
        """The first and the last step at which something may begin."""

    @abstractmethod
    def span(self, around: Around, count: int | None) -> tuple[Span, Ruler]:
        """A span, and its steps in ticks. `count` notes are drawn, or None: as many as stood there, or as there would
        be as densely as around.

        Raises DiffmidiError where so many cannot be.
        """

    def encoded(self, rows: Column) -> Ids:
        """Notes of the file as a text."""
        if not len(rows):
            return np.zeros(0, dtype=np.int32)
        score = score_of(self.columns(rows), self.file.ticks)
        score.tempos, score.time_signatures = self.file.score.tempos, self.file.score.time_signatures
        return self.tokenizer.encode(score)

    def columns(self, rows: Column) -> Notes:
        """Notes of the file."""
        notes = self.file.notes
        return Notes(notes.onset[rows], notes.duration[rows], notes.pitch[rows], notes.velocity[rows])

    def led(self, text: Ids) -> Ids:
        """A text without the tokens of time that it begins with."""
        rest = np.flatnonzero(~(self.tokenizer.moves_time()[text]))
        return text[rest[0] :] if len(rest) else text[:0]

    def density(self, ruler: Ruler, sides: Iterable[Column], least: float) -> float:
        """Notes a step around a span; `least` where nothing is there."""
        found, lasting = 0, 0.0
        for rows in sides:
            if len(rows) > 1:
                steps = ruler.steps(self.file.notes.onset[rows])
                found, lasting = found + len(rows) - 1, lasting + float(np.ptp(steps))
        return found / lasting if lasting else least

    def each(self, texts: Sequence[Ids]) -> float:
        """Tokens of a note, but for those that open bars, in some texts."""
        known = np.concatenate(texts)
        notes = self.tokenizer.count_notes(known)
        if not notes:
            return 4.0 if self.tokenizer.group == 1 else float(self.tokenizer.group)
        return float(np.count_nonzero(~self.opens[known])) / notes

    @cached_property
    def opens(self) -> NDArray[np.bool_]:
        """[V] the tokens that open bars, where others name places in them."""
        places = self.tokenizer.steps_in_bar()
        if places is None:
            return np.zeros(len(self.tokenizer.vocab), dtype=bool)
        return np.asarray(self.tokenizer.moves_time() & (places == 0))


def told(stood: NDArray[np.float64], count: int | None, first: int, last: int, density: float) -> NDArray[np.float64]:
    """About when notes begin, rising: as those that `stood` there, or as densely as said; `count` of them, if not None.

    They decide how much is drawn in which window, and nothing else.
    """
    stood = np.sort(stood.clip(first, last))
    if count is None and len(stood):
        return stood
    if count is None:
        count = max(1, round((last - first + 1) * density))
    if len(stood) < 2:
        return np.linspace(first, last, count, endpoint=False)
    return np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(stood)), stood)
