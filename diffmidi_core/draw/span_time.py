"""How time goes in a span: tokens add steps to it, or name places in bars that are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.bar_shapes import BarPlaces
from diffmidi_core.contracts.time_bounds import NEVER
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer

Steps = NDArray[np.int64]


class SpanTime(ABC):
    """Steps gone, by the tokens of a text."""

    @abstractmethod
    def gone(self, text: Ids, start: int) -> Steps:
        """[N + 1] steps gone before each token and at the end, `start` at the beginning."""

    @abstractmethod
    def begun(self, now: int, first: int) -> int:
        """When the note before something begins that begins at `first`, if that was at `now`, as tokens can tell it."""

    def moves(self, start: int, end: int) -> NDArray[np.int32] | None:
        """As `TimeBounds.moves`, steps being counted from `start` on; all behind `end` are too late."""
        return None

    def alone(self, note: Ids, step: int) -> Ids:
        """A text of one note, from its tokens but for those of time, that begins at a step."""
        return note


@dataclass(frozen=True)
class Added(SpanTime):
    """Every token adds what it passes (`Tokenizer.steps_passed`)."""

    tokenizer: Tokenizer

    @cached_property
    def passed(self) -> Steps:
        """[V]."""
        passed = self.tokenizer.steps_passed()
        assert passed is not None
        return passed.astype(np.int64)

    def gone(self, text: Ids, start: int) -> Steps:
        """The sum of all before."""
        return start + np.concatenate([[0], self.passed[text].cumsum()])

    def begun(self, now: int, first: int) -> int:
        """A rest that no token can tell is shorter."""
        return max(now, first - int(self.passed.max()))


@dataclass(frozen=True)
class Placed(SpanTime):
    """Tokens open bars and name places in them (`Tokenizer.steps_in_bar`).

    A bar line and every place of its bar are a step each, one after another.

    Attributes:
        bars: every bar from the first step on.
        now, then: the first and the last step that texts lead from and to.
    """

    tokenizer: Tokenizer
    bars: Sequence[BarPlaces]
    now: int
    then: int

    @cached_property
    def places(self) -> Steps:
        """[V] the place that a token names, from 1 on; 0 of others."""
        places = self.tokenizer.steps_in_bar()
        assert places is not None
        return places.astype(np.int64)

    @cached_property
    def lines(self) -> Steps:
        """[B + 1] the steps of bar lines, and that of the next behind the last bar."""
        return lines_of(self.bars)

    def bar_of(self, step: int) -> int:
        """The bar of a step, -1 in front of the first."""
        return int(np.searchsorted(self.lines[:-1], step, side="right")) - 1

    def moves(self, start: int, end: int) -> NDArray[np.int32]:
        """A bar token leads to the next bar line, a place to its step, if that is later; the other tokens of a bar may
        stand at its line.
        """
        late, moving = end - start + 1, self.tokenizer.moves_time()
        table = np.full((late, len(moving)), NEVER, dtype=np.int32)
        table[:, ~moving] = np.arange(late)[:, None]
        named = np.flatnonzero(self.places)
        for bar in range(self.bar_of(start), self.bar_of(end) + 1):
            line, after = self.lines[bar : bar + 2].tolist() if bar >= 0 else (start, 0)
            steps = np.arange(max(line, start), min(after, end))
            rows = steps - start
            if bar + 1 < len(self.bars):
                table[rows, self.bars[bar + 1].tokens[0]] = min(after - start, late)
            if bar < 0:
                continue
            leads = line + self.places[named]
            possible = (leads > steps[:, None]) & (leads < after)
            table[rows[:, None], named] = np.where(possible, np.minimum(leads - start, late), NEVER)
            if line >= start and len(rows):
                table[rows[0], list(self.bars[bar].tokens[1:])] = rows[0]
        # What follows the last step is later than all that is asked for.
        table[-1, moving] = late
        return table

    def gone(self, text: Ids, start: int) -> Steps:
        """Token by token; what may not stand somewhere moves nothing."""
        found, at, bar = [start], start, self.bar_of(start)
        for token in text.tolist():
            after = int(self.lines[bar + 1])
            if bar + 1 < len(self.bars) and token == self.bars[bar + 1].tokens[0]:
                at, bar = after, bar + 1
            elif bar >= 0 and self.places[token] and at < (step := int(self.lines[bar] + self.places[token])) < after:
                at = step
            found.append(at)
        return np.array(found)

    def begun(self, now: int, first: int) -> int:
        """As it was."""
        return now

    def alone(self, note: Ids, step: int) -> Ids:
        """At the beginning of a bar like its own, in whose metre its duration is told."""
        opening = self.bars[max(0, self.bar_of(step))].tokens
        return np.array([*opening, int(np.flatnonzero(self.places == 1)[0]), *note.tolist()], dtype=np.int32)

    def lead(self, step: int) -> Ids:
        """The tokens that lead from a step to `then`: those of the bars between, and the place."""
        bar = self.bar_of(self.then)
        opened = [token for each in self.bars[self.bar_of(step) + 1 : bar + 1] for token in each.tokens]
        place = np.flatnonzero(self.places == self.then - self.lines[bar])
        return np.array([*opened, *place[:1].tolist()], dtype=np.int32)


def lines_of(bars: Sequence[BarPlaces]) -> Steps:
    """[B + 1] the steps of bar lines: a bar has one more than places."""
    return np.concatenate([[0], np.cumsum([bar.places + 1 for bar in bars])]).astype(np.int64)
