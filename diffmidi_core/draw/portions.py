"""Portions: what of a piece is drawn at a time where its tokens have a plan: heads, then the notes they announce."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.bar_shapes import FIRST_BAR, INNER_BAR, LAST_BAR
from diffmidi_core.contracts.process import Order
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer

ANYWHERE, FIRST, INNER, LAST, SETS = -1, 0, 1, 2, 3
"""Which bar tokens may stand at a masked place: that of a piece's first bar, of one inside, of its last."""
Left = Callable[[Sequence[Ids]], int]
"""The bars so far to how many more there are to be, where the next of them is not an upbeat; 0: it is done."""


@dataclass(frozen=True)
class PortionTime:
    """When notes of a portion may begin: what `TimeBounds` says of a row.

    Attributes:
        steps: [N + 1, 2] of its tokens and of its end.
        start: the place from which on steps are counted.
        moves: [U, V] or None.
    """

    steps: NDArray[np.int64]
    start: int = 0
    moves: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Portion:
    """A text with [MASK] where something is drawn.

    Attributes:
        ids: [N] of whole bars, or of bars and the first cells of the next.
        opens: [N] where only some tokens may be drawn, which set of them it is: FIRST, INNER or LAST where the token of
            a bar is, sets of the caller's own from SETS on. ANYWHERE elsewhere.
        window, part: which of the piece's windows it is of, and which portion of that.
        parts: how many portions a window probably has.
        done: finished bars of the piece.
        time: of texts without a plan.
    """

    ids: Ids
    opens: NDArray[np.int64]
    window: int
    part: int
    parts: int
    done: int
    time: PortionTime | None = None


@dataclass(frozen=True)
class Bars:
    """How pieces of whole bars are drawn with one model.

    Attributes:
        tracks: the track token of each cell in a bar.
        length: tokens that the model sees at once.
        window: bars that it sees at once.
        stride: bars that are laid out together, unless `order` says one.
        order: of the process.
    """

    tokenizer: Tokenizer
    tracks: Sequence[str]
    length: int
    window: int
    stride: int
    order: Order

    @cached_property
    def sets(self) -> NDArray[np.bool_]:
        """[3, V] the bar tokens that may stand FIRST, INNER and LAST."""
        kinds = self.tokenizer.bar_kinds()
        assert kinds is not None
        sets = np.stack([(kinds == INNER_BAR) | (kinds == FIRST_BAR), kinds == INNER_BAR, kinds == LAST_BAR])
        # A tokenizer may have no bars of a sort.
        return np.where(sets.any(axis=1, keepdims=True), sets, kinds > 0)

    def is_upbeat(self, bar: Ids) -> bool:
        """Whether a bar is an upbeat, which is not counted."""
        kinds = self.tokenizer.bar_kinds()
        return kinds is not None and len(bar) > 0 and int(kinds[bar[0]]) == FIRST_BAR

    def piece(self, left: Left) -> Generator[Portion, Ids, list[Ids]]:
        """The bars of one piece. Yields what is to be filled, and is sent it as it then is."""
        bars: list[Ids] = []
        window = 0
        while (missing := left(bars)) > 0:
            count = min(missing, self.stride if bars else self.window) if self.order == "window" else 1
            ends = count == missing
            new = yield from self._stretch(bars, count, window, ends=ends)
            bars += new
            window += 1
            if ends and len(new) == count and not (len(bars) == count and self.is_upbeat(bars[0])):
                break
        return bars

    def _stretch(
        self, bars: Sequence[Ids], count: int, window: int, *, ends: bool
    ) -> Generator[Portion, Ids, list[Ids]]:
        """The next bars: `count`, or fewer where they hold more notes than the model sees at once."""
        heads = self.tokenizer.blank(count, self.tracks, last=ends).reshape(-1, self.tokenizer.group)
        if self.order == "cells":
            cells = yield from self._cell_by_cell(bars, heads, window, ends=ends)
            return [cells]
        drawn = yield from self._filled(bars, heads.ravel(), window, 0, ends=ends)
        if ends and not bars and self.is_upbeat(drawn):
            # An upbeat is not counted, so the last of these bars is not the piece's last.
            heads = self.tokenizer.blank(count, self.tracks).reshape(-1, self.tokenizer.group)
            first = drawn[: self.tokenizer.group * len(self.tracks)]
            again = np.concatenate([first, heads[len(self.tracks) :].ravel()])
            drawn = yield from self._filled(bars, again, window, 1, ends=False)
        text = self._fitting(drawn)
        filled = yield from self._filled(bars, text, window, 2, ends=ends)
        return self._split(filled)

    def _cell_by_cell(
        self, bars: Sequence[Ids], heads: NDArray[np.int32], window: int, *, ends: bool
    ) -> Generator[Portion, Ids, Ids]:
        """A bar whose cells are drawn one after another, each head before its notes."""
        bar = np.zeros(0, dtype=np.int32)
        for number, head in enumerate(heads):
            drawn = yield from self._filled(bars, np.concatenate([bar, head]), window, 2 * number, ends=ends)
            text = self._fitting(drawn)
            bar = yield from self._filled(bars, text, window, 2 * number + 1, ends=ends)
        return bar

    def _filled(
        self, bars: Sequence[Ids], text: Ids, window: int, part: int, *, ends: bool
    ) -> Generator[Portion, Ids, Ids]:
        """The text of new bars, filled; before it stand as many of the bars so far as the model sees beside it."""
        if not (text == self.tokenizer.mask_id).any():
            return text
        places = self._bar_places(text)
        before = self._before(bars, text, max(1, len(places)))
        ids = np.concatenate([*before, text]).astype(np.int32)
        opens = np.full(len(ids), ANYWHERE)
        begin = len(ids) - len(text)
        places = begin + places
        opens[places] = INNER
        if not bars:
            opens[places[:1]] = FIRST
        if ends:
            opens[places[-1:]] = LAST
        opens[ids != self.tokenizer.mask_id] = ANYWHERE
        filled = yield Portion(ids, opens, window, part, 2 * self.window if self.order == "bars" else 2, len(bars))
        return filled[begin:]

    def _before(self, bars: Sequence[Ids], text: Ids, new: int) -> list[Ids]:
        """The last of the bars so far, as many as there is room for beside the new text, of `new` bars."""
        room = self.length - len(text)
        before: list[Ids] = []
        for bar in reversed(bars[-(self.window - new) :] if self.window > new else []):
            room -= len(bar)
            if room < 0:
                break
            before.insert(0, bar)
        return before

    def _bar_places(self, text: Ids) -> NDArray[np.int64]:
        """Where bars begin, their tokens known or not."""
        return np.flatnonzero(self._opens_bar[self.tokenizer.types(text)])

    @cached_property
    def _opens_bar(self) -> NDArray[np.bool_]:
        """[K] the types of tokens that open bars."""
        roles = self.tokenizer.roles
        return np.array([roles.get(name) == "bar" for name in self.tokenizer.grammar.types])

    def _split(self, text: Ids) -> list[Ids]:
        return np.split(text, self._bar_places(text)[1:])

    def _fitting(self, text: Ids) -> Ids:
        """Heads that were drawn, with room for their notes: as many bars as the model sees at once.

        Of one bar that alone holds more, the counts become smaller.
        """
        whole = self.tokenizer.unfold(text)
        if len(whole) <= self.length:
            return whole
        bars = self._split(whole)
        sizes = np.cumsum([len(bar) for bar in bars])
        fitting = int(np.searchsorted(sizes, self.length, side="right"))
        if fitting:
            return np.concatenate(bars[:fitting])
        return self.tokenizer.unfold(self._thinned(self._split(text)[0]))

    def _thinned(self, heads: Ids) -> Ids:
        """Heads of one bar with smaller counts, the largest of them first."""
        tokenizer = self.tokenizer
        counting = np.array([tokenizer.roles.get(name) == "count" for name in tokenizer.grammar.types])
        places = np.flatnonzero(counting[tokenizer.types(heads)])
        alone = heads[: tokenizer.group].copy()
        place = int(np.flatnonzero(counting[tokenizer.types(alone)])[0])
        sizes = {}
        for token in np.flatnonzero(counting[tokenizer.grammar.type_of]).tolist():
            alone[place] = token
            sizes[token] = len(tokenizer.unfold(alone))
        rising = sorted(sizes, key=lambda token: sizes[token])
        rank = np.array([rising.index(token) for token in heads[places].tolist()])
        thinned = heads.copy()
        while len(tokenizer.unfold(thinned)) > self.length and rank.any():
            rank[rank.argmax()] -= 1
            thinned[places] = np.array(rising)[rank]
        return thinned
