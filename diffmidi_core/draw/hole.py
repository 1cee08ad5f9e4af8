"""Hole: cells of a piece that are drawn anew, where the tokens have a plan, and all others stand.

A free cell's head is drawn (how many notes it has), then its notes, in the process's order (`Process.order`), with as
many bars on both sides as the model sees at once: those before and those after are given. Bars and their tempi are the
piece's, so what follows begins when it did. A hole longer than a window is drawn window by window, from left to right.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.process import Order
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.portions import ANYWHERE, SETS, Portion
from diffmidi_core.draw.shares import shared_out
from diffmidi_core.errors import DiffmidiError


@dataclass(frozen=True)
class Cell:
    """A cell of a piece.

    Attributes:
        ids: its head and notes; of a free one the head, whose count is [MASK].
        free: whether it is drawn.
        pitches: which of `Hole.pitches` its notes may have; None: any.
    """

    ids: Ids
    free: bool = False
    pitches: int | None = None


CellBar = Sequence[Cell]
Place = tuple[int, int]
"""A bar, and a cell in it."""


@dataclass(frozen=True)
class Hole:
    """How cells of a piece are drawn with one model.

    Attributes:
        bars: the piece.
        length, window: tokens and bars that the model sees at once.
        order: of the process.
        pitches: [S, V] sets of pitch tokens that cells name.
        notes: how many all free cells have together, shared out as their heads are drawn; None: as drawn.
    """

    tokenizer: Tokenizer
    bars: Sequence[CellBar]
    length: int
    window: int
    order: Order
    pitches: NDArray[np.bool_]
    notes: int | None = None
    sets: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        # Rows before SETS are those of bars that are drawn, of which there is none here.
        music = np.ones((SETS, self.pitches.shape[1]), dtype=bool)
        object.__setattr__(self, "sets", np.concatenate([music, self.pitches]))

    @property
    def free(self) -> list[Place]:
        """The cells that are drawn, in order."""
        return [(bar, place) for bar, cells in enumerate(self.bars) for place, cell in enumerate(cells) if cell.free]

    @property
    def tokens(self) -> int:
        """How many tokens of heads are masked before anything is drawn."""
        return sum(int(np.count_nonzero(cell.ids == self.tokenizer.mask_id)) for bar in self.bars for cell in bar)

    def work(self) -> Generator[Portion, Ids, list[Ids]]:
        """Yields what is to be filled, is sent it as it then is, and returns the texts of the free cells, in order."""
        state = [list(bar) for bar in self.bars]
        waiting = sorted({bar for bar, _ in self.free})
        window, count = 0, len(waiting)
        while waiting:
            chunk = self.chunk(waiting)
            done = yield from self._drawn(state, chunk, window, count - len(waiting))
            waiting = [bar for bar in waiting if bar not in done]
            window += 1
        return [state[bar][place].ids for bar, place in self.free]

    def chunk(self, waiting: Sequence[int]) -> range:
        """The next bars of the hole that are drawn in one window: such as stand together, shared out evenly."""
        run = 1
        while run < len(waiting) and waiting[run] == waiting[0] + run:
            run += 1
        most = max(1, self.window - 2)
        size = math.ceil(run / math.ceil(run / most))
        return range(waiting[0], waiting[0] + size)

    def _drawn(
        self, state: list[list[Cell]], chunk: range, window: int, before: int
    ) -> Generator[Portion, Ids, set[int]]:
        """Draw bars of the hole in `state`, of which so many are done before; which of them are done."""
        parts = 2 * len(chunk) if self.order != "window" else 2
        part, done = 0, set[int]()
        for places in self._steps(state, chunk):
            for notes in (False, True):
                if notes:
                    places = self._unfolded(state, places, chunk)
                masked = any((state[bar][place].ids == self.tokenizer.mask_id).any() for bar, place in places)
                if masked:
                    portion, slices = self._portion(state, chunk, places, window, part, parts)
                    filled = yield replace(portion, done=before + portion.done)
                    for bar, place in places:
                        ids = filled[slices[bar, place]].astype(np.int32)
                        state[bar][place] = replace(state[bar][place], ids=ids)
                part += 1
            done |= {bar for bar, _ in places}
        for bar in done:
            state[bar] = [replace(cell, free=False) for cell in state[bar]]
        return done

    def _steps(self, state: list[list[Cell]], chunk: range) -> Iterator[list[Place]]:
        """Which cells are laid out together: all of the chunk, those of a bar, or one."""
        places = [(bar, place) for bar in chunk for place, cell in enumerate(state[bar]) if cell.free]
        if self.order == "window":
            yield places
        elif self.order == "bars":
            for bar in chunk:
                yield [each for each in places if each[0] == bar]
        else:
            for each in places:
                yield [each]

    def _unfolded(self, state: list[list[Cell]], places: list[Place], chunk: range) -> list[Place]:
        """Room for the notes of cells whose heads are drawn; only of as many bars as fit into a window.

        Of one bar that alone holds more, the counts become smaller.
        """
        if self.notes is not None:
            self._count(state, places, self.notes)
        fitting, room = list[Place](), self.length
        if self.order == "bars":  # heads of the bars behind stand there as well
            room -= sum(len(cell.ids) for bar in range(places[0][0] + 1, chunk.stop) for cell in state[bar])
        for bar in sorted({bar for bar, _ in places}):
            own = [each for each in places if each[0] == bar]
            standing = sum(len(cell.ids) for place, cell in enumerate(state[bar]) if (bar, place) not in own)
            texts = [self.tokenizer.unfold(state[bar][place].ids) for _, place in own]
            size = standing + sum(map(len, texts))
            if size > room and fitting:
                # Their heads are drawn anew with the notes before them.
                for later, place in [each for each in places if each[0] >= bar]:
                    state[later][place] = self.bars[later][place]
                break
            if size > room and self.notes is not None:
                raise DiffmidiError(
                    f"--notes {self.notes}: a bar would have more notes than the model sees at once: ask for fewer, or "
                    "name a longer stretch."
                )
            if size > room:
                texts = self._thinned([state[bar][place].ids for _, place in own], room - standing)
            for (_, place), text in zip(own, texts, strict=True):
                state[bar][place] = replace(state[bar][place], ids=text)
            fitting += own
            room -= size
        return fitting

    def _count(self, state: list[list[Cell]], places: list[Place], notes: int) -> None:
        """Give heads that were drawn other counts, so that all free cells together come to so many notes.

        These get their share of what is left, cell by cell as many as were drawn in proportion.
        """
        others = [each for each in self.free if each not in places]
        known = [state[bar][place].ids for bar, place in others]
        known = [ids for ids in known if not (ids == self.tokenizer.mask_id).any()]
        heads = [state[bar][place].ids for bar, place in places]
        at, sizes = self._sizes(heads[0])
        count_of = {token: (size - len(heads[0])) // self.tokenizer.group for token, size in sizes.items()}
        token_of = {count: token for token, count in count_of.items()}
        most, waiting = max(token_of), len(others) - len(known)
        left = notes - sum(count_of[int(ids[at])] for ids in known)
        cells = len(places) + waiting
        if left > most * cells:
            raise DiffmidiError(
                f"--notes {notes}: at most {most * len(self.free)} can be told in what is drawn; ask for fewer."
            )
        share = left - sum(shared_out(left, [1.0] * cells, most=most)[len(places) :])
        drawn = [count_of[int(head[at])] for head in heads]
        for (bar, place), head, count in zip(places, heads, shared_out(share, drawn, most=most), strict=True):
            text = head.copy()
            text[at] = token_of[count]
            state[bar][place] = replace(state[bar][place], ids=text)

    def _sizes(self, head: Ids) -> tuple[int, dict[int, int]]:
        """Where in a head its count stands, and how many tokens the cell has with each token of counts there."""
        tokenizer = self.tokenizer
        counting = np.array([tokenizer.roles.get(name) == "count" for name in tokenizer.grammar.types])
        place = int(np.flatnonzero(counting[tokenizer.types(head)])[0])
        sizes = {}
        for token in np.flatnonzero(counting[tokenizer.grammar.type_of]).tolist():
            told = head.copy()
            told[place] = token
            sizes[token] = len(tokenizer.unfold(told))
        return place, sizes

    def _thinned(self, heads: list[Ids], room: int) -> list[Ids]:
        """Unfolded cells with smaller counts, the largest of them first, that fit into `room` tokens."""
        tokenizer = self.tokenizer
        place, sizes = self._sizes(heads[0])
        rising = sorted(sizes, key=lambda token: sizes[token])
        rank = [rising.index(int(head[place])) for head in heads]
        while sum(sizes[rising[each]] for each in rank) > room:
            if not any(rank):
                raise DiffmidiError(
                    "what is kept in a bar is already more than the model sees at once: choose a model with a larger "
                    "--length, or keep less of this bar."
                )
            rank[int(np.argmax(rank))] -= 1
        texts = []
        for head, each in zip(heads, rank, strict=True):
            text = head.copy()
            text[place] = rising[each]
            texts.append(tokenizer.unfold(text))
        return texts

    def _portion(
        self,
        state: list[list[Cell]],
        chunk: range,
        places: list[Place],
        window: int,
        part: int,
        parts: int,
    ) -> tuple[Portion, dict[Place, slice]]:
        """What is shown to the model, and where in it the cells that are drawn stand.

        Heads of the chunk's later bars stand there as well, masked, so that what comes behind is as far away as it is;
        what is drawn of them is not used. From left to right nothing stands there that is to the right.
        """
        now = places[0][0]
        last = {"cells": now, "window": places[-1][0], "bars": chunk[-1]}[self.order]
        inner = [*range(now, last + 1)]
        texts: dict[Place, Ids] = {}
        for bar in inner:
            for place, cell in enumerate(state[bar]):
                if self.order == "cells" and (bar, place) > places[0]:
                    break
                texts[bar, place] = cell.ids
        room = self.length - sum(map(len, texts.values()))
        before, after = self.around(state, inner, room)
        for bar in (*before, *after):
            texts |= {(bar, place): cell.ids for place, cell in enumerate(state[bar])}
        ids, opens, slices, at = [], [], {}, 0
        for bar, place in sorted(texts):
            text = texts[bar, place]
            slices[bar, place] = slice(at, at + len(text))
            at += len(text)
            ids.append(text)
            opens.append(self._sets(text, self.bars[bar][place]))
        return Portion(np.concatenate(ids), np.concatenate(opens), window, part, parts, now - chunk[0]), slices

    def _sets(self, text: Ids, cell: Cell) -> NDArray[np.int64]:
        opens = np.full(len(text), ANYWHERE)
        if cell.pitches is not None:
            pitch = np.array([self.tokenizer.roles.get(name) == "pitch" for name in self.tokenizer.grammar.types])
            opens[pitch[self.tokenizer.types(text)] & (text == self.tokenizer.mask_id)] = SETS + cell.pitches
        return opens

    def around(self, state: list[list[Cell]], inner: Sequence[int], room: int) -> tuple[list[int], list[int]]:
        """Bars before and after that are shown as well, those next to the hole first, as far as there is room."""
        before, after = list[int](), list[int]()
        left, right = inner[0] - 1, inner[-1] + 1
        open_right = self.order != "cells"
        open_left = True
        while len(inner) + len(before) + len(after) < self.window and (open_left or open_right):
            if open_left:
                size = sum(len(cell.ids) for cell in state[left]) if left >= 0 else room + 1
                if open_left := size <= room:
                    before.insert(0, left)
                    left, room = left - 1, room - size
            if len(inner) + len(before) + len(after) >= self.window:
                break
            if open_right:
                there = right < len(state) and not any(cell.free for cell in state[right])
                size = sum(len(cell.ids) for cell in state[right]) if there else room + 1
                if open_right := size <= room:
                    after.append(right)
                    right, room = right + 1, room - size
        return before, after
