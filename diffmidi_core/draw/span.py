"""Spans: stretches of time of a piece that are drawn anew where tokens have no plan of bars, and all else stands.

Where tokens tell the time since the note before, a note begins in the span, and what follows when it did, only if times
have certain sums: a canvas says so (`Canvas.bounds`), and all is drawn jointly under it. So it holds whatever the
network says. How many tokens there are is decided before. A span of more than half a window is drawn in several, from
left to right: the first sees what stands before it, the others what was drawn, the last one also what follows.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.canvas import UNBOUNDED
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.portions import ANYWHERE, Portion
from diffmidi_core.errors import DiffmidiError


@dataclass(frozen=True)
class Stretch:
    """What is drawn in one window.

    Attributes:
        tokens: how many, whole groups.
        first, last: steps since the span began at which its notes may begin.
    """

    tokens: int
    first: int
    last: int


@dataclass(frozen=True)
class Span:
    """How a stretch of time is drawn with one model.

    Attributes:
        before, after: the text on both sides; that behind without the tokens of time that lead to its first note.
        stretches: what is drawn, one after the other.
        now: when the last note before begins, in steps since the span began: 0 or less.
        then: when the first note behind begins, in the same way; nothing is behind where `after` is empty.
        length: tokens that the model sees at once.
    """

    tokenizer: Tokenizer
    before: Ids
    after: Ids
    stretches: Sequence[Stretch]
    now: int
    then: int
    length: int

    @cached_property
    def is_time(self) -> NDArray[np.bool_]:
        """[V] whether a token passes time."""
        types = self.tokenizer.grammar.types
        return np.array([self.tokenizer.roles.get(name) == "time" for name in types])[self.tokenizer.grammar.type_of]

    @cached_property
    def passed(self) -> NDArray[np.int64]:
        """[V] the steps that a token passes."""
        passed = self.tokenizer.steps_passed()
        assert passed is not None
        return passed.astype(np.int64)

    def work(self, window: int) -> Generator[Portion, Ids, list[Ids]]:
        """Yields what is to be filled, is sent it as it then is, and returns the text of each stretch. Windows are
        counted from `window` on.
        """
        texts: list[Ids] = []
        for number in range(len(self.stretches)):
            portion, at = self.portion(texts, number, window)
            filled = yield portion
            self._check(portion, filled, at, number)
            texts.append(filled[at : at + self.stretches[number].tokens].astype(np.int32))
        return texts

    def _check(self, portion: Portion, filled: Ids, at: int, number: int) -> None:
        """Raise DiffmidiError where a sampler does not regard the bounds of a canvas."""
        assert portion.bounds is not None
        stop = at + self.stretches[number].tokens + 2
        gone = self.passed[filled].cumsum()[at:stop]
        low, high = portion.bounds[at:stop].T
        if (((gone < low) | (gone > high)) & ~self.is_time[filled[at:stop]]).any():
            raise DiffmidiError(
                "this sampler does not let time add up, so that what follows would not stay where it is: choose "
                "another, such as confidence."
            )

    def portion(self, texts: Sequence[Ids], number: int, window: int) -> tuple[Portion, int]:
        """What is shown to the model for a stretch, given the `texts` of those before, and where it begins in that."""
        stretch, ends = self.stretches[number], number == len(self.stretches) - 1
        closing = int(ends and len(self.after) > 0)
        room = self.length - stretch.tokens - closing
        right = self._head(self.after, room // 2) if ends else self.after[:0]
        if not len(right):
            closing = 0
        left = self._tail(np.concatenate([self.before, *texts[:number]]), room - len(right))
        mask = np.full(stretch.tokens + closing, self.tokenizer.mask_id, dtype=np.int32)
        ids = np.concatenate([left, mask, right]).astype(np.int32)
        opens = np.full(len(ids), ANYWHERE)
        bounds = np.tile(np.array([0, UNBOUNDED]), (len(ids), 1))
        gone = int(self.passed[left].sum()) - self.starts(texts)[number]
        place = slice(len(left), len(left) + stretch.tokens)
        bounds[place] = [gone + stretch.first, gone + stretch.last]
        if closing:
            opens[place.stop] = 0
            bounds[place.stop + 1] = gone + self.then
        windows = window + number
        return Portion(ids, opens, windows, 0, 1, windows, bounds), len(left)

    @property
    def sets(self) -> NDArray[np.bool_]:
        """[1, V] what may stand between the last note of a span and the first one behind: a token of time."""
        return self.is_time[None]

    def nearest(self, steps: int) -> int:
        """The token of time that passes about so many steps."""
        tokens = np.flatnonzero(self.is_time)
        return int(tokens[np.abs(self.passed[tokens] - steps).argmin()])

    def starts(self, texts: Sequence[Ids]) -> list[int]:
        """When the note before each stretch begins, given the texts of those before it; a rest that no token can tell
        is shorter.
        """
        longest, found = int(self.passed.max()), list[int]()
        for number, stretch in enumerate(self.stretches[: len(texts) + 1]):
            now = found[-1] + int(self.passed[texts[number - 1]].sum()) if number else self.now
            found.append(max(now, stretch.first - longest))
        return found

    def onsets(self, texts: Sequence[Ids]) -> list[tuple[int, Ids]]:
        """The notes of the stretches: when each begins, in steps, and its tokens but for those of time."""
        found = list[tuple[int, Ids]]()
        for start, text in zip(self.starts(texts), texts, strict=False):
            gone, notes = start + self.passed[text].cumsum(), self.tokenizer.note_of(text)
            assert notes is not None
            rest = np.where(self.is_time[text], -1, notes)
            for note in range(int(rest.max(initial=-1)) + 1):
                own = np.flatnonzero(rest == note)
                found.append((int(gone[own[0]]), text[own]))
        return found

    def _tail(self, text: Ids, room: int) -> Ids:
        """The end of a text, from the beginning of a note on, that fits."""
        starts = np.append(self.tokenizer.starts(text), len(text))
        return text[starts[np.searchsorted(starts, len(text) - max(0, room))] :]

    def _head(self, text: Ids, room: int) -> Ids:
        """The beginning of a text, up to that of a note, that fits. It may lack the time of its first note."""
        starts = np.append(self.tokenizer.starts(text), len(text))
        fitting = starts[starts <= max(0, room)]
        return text[: fitting[-1]] if len(fitting) else text[:0]
