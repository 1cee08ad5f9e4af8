"""Spans: stretches of time of a piece that are drawn anew where tokens have no plan of bars, and all else stands.

Where tokens tell the time since the note before, or their place in a bar, a note begins in the span, and what follows
when it did, only if tokens of time go together in certain ways: a canvas says so (`Canvas.bounds`), and all is drawn
jointly under it. So it holds whatever the network says. How many tokens there are is decided before. A span of more
than half a window is drawn in several, from left to right: the first sees what stands before it, the others what was
drawn, the last one also what follows.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.time_bounds import UNBOUNDED
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.portions import ANYWHERE, Portion, PortionTime
from diffmidi_core.draw.span_time import Added, SpanTime
from diffmidi_core.errors import DiffmidiError


@dataclass(frozen=True)
class Given:
    """What a stretch has of notes that stay as many as they are.

    Attributes:
        text: [MASK] where something is drawn, of the type that `stands` has there.
        stands: the text as it was.
        then: the step at which what follows begins.
    """

    text: Ids
    stands: Ids
    then: int


@dataclass(frozen=True)
class Stretch:
    """What is drawn in one window.

    Attributes:
        tokens: how many, whole groups.
        first, last: the steps at which its notes may begin.
        given: what stands of it; None: nothing.
    """

    tokens: int
    first: int
    last: int
    given: Given | None = None


@dataclass(frozen=True)
class Span:
    """How a stretch of time is drawn with one model.

    Attributes:
        before, after: the text on both sides; that behind without the tokens that add time up to its first note, where
            these are drawn.
        stretches: what is drawn, one after the other.
        now: the step at which the last note before begins.
        then: that at which the first note behind begins; nothing is behind where `after` is empty.
        length: tokens that the model sees at once.
        time: how steps go.
    """

    tokenizer: Tokenizer
    before: Ids
    after: Ids
    stretches: Sequence[Stretch]
    now: int
    then: int
    length: int
    time: SpanTime

    @cached_property
    def is_time(self) -> NDArray[np.bool_]:
        """[V] whether a token tells time and nothing of a note."""
        return tells(self.tokenizer, "time")

    @cached_property
    def closes(self) -> bool:
        """Whether the time up to the first note behind is drawn as well, as a token of its own."""
        return isinstance(self.time, Added) and bool(self.is_time.any())

    @cached_property
    def lasts(self) -> bool:
        """Whether a note begins where the one before it ends, so that the last one's end is that of the span."""
        return isinstance(self.time, Added) and not self.is_time.any()

    def work(self, window: int) -> Generator[Portion, Ids, list[Ids]]:
        """Yields what is to be filled, is sent it as it then is, and returns the text of each stretch. Windows are
        counted from `window` on.
        """
        texts: list[Ids] = []
        for number, stretch in enumerate(self.stretches):
            if stretch.given is not None and not (stretch.given.text == self.tokenizer.mask_id).any():
                texts.append(stretch.given.text)
                continue
            portion, at = self.portion(texts, number, window)
            filled = yield portion
            self._check(portion, filled, at, self.starts(texts)[number])
            texts.append(filled[at : at + self.stretches[number].tokens].astype(np.int32))
        return texts

    def _check(self, portion: Portion, filled: Ids, at: int, start: int) -> None:
        """Raise DiffmidiError where a sampler does not regard the bounds of a canvas."""
        assert portion.time is not None
        gone = self.time.gone(filled[at:], start) - start
        low, high = portion.time.steps[at:].T
        moves = np.append(self.tokenizer.moves_time()[filled[at:]], False)
        if (((gone < low) | (gone > high)) & ~moves).any():
            raise DiffmidiError(
                "this sampler does not let time add up, so that what follows would not stay where it is: choose "
                "another, such as confidence."
            )

    def portion(self, texts: Sequence[Ids], number: int, window: int) -> tuple[Portion, int]:
        """What is shown to the model for a stretch, given the `texts` of those before, and where it begins in that."""
        stretch = self.stretches[number]
        behind, then = self.behind(number)
        closing = int(self.closes and stretch.given is None and len(behind) > 0)
        room = self.length - stretch.tokens - closing
        right = self._head(behind, room // 2)
        if not len(right):
            closing = 0
        left = self._tail(np.concatenate([self.before, *texts[:number]]), room - len(right))
        mask = np.full(stretch.tokens + closing, self.tokenizer.mask_id, dtype=np.int32)
        opens = np.full(len(left) + len(mask) + len(right), ANYWHERE)
        if stretch.given is not None:
            mask[: stretch.tokens] = stretch.given.text
            free = np.flatnonzero(stretch.given.text == self.tokenizer.mask_id)
            opens[len(left) + free] = 1 + self.tokenizer.grammar.type_of[stretch.given.stands[free]]
        ids = np.concatenate([left, mask, right]).astype(np.int32)
        steps = np.tile(np.array([0, UNBOUNDED]), (len(ids) + 1, 1))
        start = self.starts(texts)[number]
        place = slice(len(left), len(left) + stretch.tokens)
        steps[place] = [stretch.first - start, stretch.last - start]
        if closing:
            opens[place.stop] = 0
        if self.lasts and stretch.given is not None:
            steps[:] = [0, UNBOUNDED]  # when notes begin is left to what they stand for
        elif self.lasts:
            steps[place.stop] = then - start
        elif len(right):
            # The first token behind that tells of a note.
            steps[place.stop + closing + int((~self.tokenizer.moves_time()[right]).argmax())] = then - start
        time = PortionTime(steps, len(left), self.time.moves(start, then if len(right) else stretch.last))
        windows = window + number
        return Portion(ids, opens, windows, 0, 1, windows, time), len(left)

    def behind(self, number: int) -> tuple[Ids, int]:
        """What stands behind a stretch, and when its first note begins; where notes last until the next, when the
        stretch ends. Of a stretch of which nothing stands, without the tokens that add time up to that note.
        """
        given, ends = self.stretches[number].given, number == len(self.stretches) - 1
        if given is None:
            end = self.stretches[number].last + 1 if self.lasts else self.then
            return (self.after if ends else self.after[:0]), end
        later = [each.given.stands for each in self.stretches[number + 1 :] if each.given is not None]
        return np.concatenate([*later, self.after]).astype(np.int32), given.then

    @property
    def sets(self) -> NDArray[np.bool_]:
        """[1 + K, V] what may stand between the last note of a span and the first one behind: a token of time; and
        the tokens of each type.
        """
        type_of = self.tokenizer.grammar.type_of
        closing = self.is_time if self.closes else np.ones_like(self.is_time)
        return np.concatenate([closing[None], type_of == np.arange(len(self.tokenizer.grammar.types))[:, None]])

    def nearest(self, steps: int) -> int:
        """The token of time that passes about so many steps."""
        assert isinstance(self.time, Added)
        tokens = np.flatnonzero(self.is_time)
        return int(tokens[np.abs(self.time.passed[tokens] - steps).argmin()])

    def starts(self, texts: Sequence[Ids]) -> list[int]:
        """When the note before each stretch begins, given the texts of those before it."""
        found = list[int]()
        for number, stretch in enumerate(self.stretches[: len(texts) + 1]):
            now = int(self.time.gone(texts[number - 1], found[-1])[-1]) if number else self.now
            found.append(now if stretch.given is not None else self.time.begun(now, stretch.first))
        return found

    def onsets(self, texts: Sequence[Ids]) -> list[tuple[int, Ids]]:
        """The notes of the stretches: when each begins, in steps, and a text of it alone."""
        whole = np.concatenate([self.before, *texts]).astype(np.int32)
        notes = self.tokenizer.note_of(whole)
        assert notes is not None
        pitched = tells(self.tokenizer, "pitch")
        steps = [self.time.gone(text, start)[:-1] for start, text in zip(self.starts(texts), texts, strict=False)]
        gone = np.concatenate([np.zeros(len(self.before), dtype=np.int64), *steps])
        found = list[tuple[int, Ids]]()
        told = np.where(self.is_time[whole], -1, notes)
        for place in np.flatnonzero(pitched[whole] & (notes >= 0)).tolist():
            if place >= len(self.before):
                step = int(gone[place])
                found.append((step, self.time.alone(whole[told == notes[place]], step)))
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
