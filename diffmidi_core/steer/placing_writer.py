"""Writing spans of a file in tokens that open bars and name places in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.draw.span import Span, Stretch
from diffmidi_core.draw.span_time import Placed
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Column
from diffmidi_core.steer.rulers import BarRuler, Ruler
from diffmidi_core.steer.span_writer import Around, Writer, told

LONGEST_REST = 8
"""Bars: of a longer rest beside a span the model is shown so many."""


class PlacingWriter(Writer):
    """Where tokens open bars and name places in them: steps are counted through the whole file."""

    def __post_init__(self) -> None:
        """Before it is known how far bars are asked for."""
        super().__post_init__()
        self._ruler: BarRuler | None = None

    def ends(self, around: Around, ruler: Ruler) -> tuple[int, int]:
        """The places nearest to the time that is asked for."""
        return self._bars_to(around.end).between(around.begin, around.end)

    def _bars_to(self, end: int) -> BarRuler:
        if self._ruler is None or self._ruler.at[-1] <= end:
            self._ruler = BarRuler(self.tokenizer, self.file, end)
        return self._ruler

    def _time(self, around: Around, first: int, last: int) -> Placed:
        """From the last note before `first` to the first behind `last`, or these bars alone."""
        ruler, onset = self._bars_to(around.end), self.file.notes.onset
        bars = Placed(self.tokenizer, ruler.bars, 0, len(ruler.at) - 1)
        line = int(bars.lines[max(0, bars.bar_of(first) - LONGEST_REST)])
        now, then = int(bars.lines[bars.bar_of(first)]) - 1, last
        if len(around.before):
            now = max(line, min(first - 1, int(ruler.steps(onset[around.before[-1:]])[0])))
        if len(around.after):
            limit = int(bars.lines[min(len(ruler.bars), bars.bar_of(last) + LONGEST_REST + 1)]) - 1
            then = min(limit, max(self._behind(ruler, last), int(ruler.steps(onset[around.after[:1]])[0])))
        return Placed(self.tokenizer, ruler.bars, now, then)

    def written(self, around: Around) -> tuple[Span, Ruler, Ids]:
        """See Writer."""
        ruler = self._bars_to(around.end)
        texts = [self.encoded(rows) for rows in (around.before, around.gone, around.after)]
        steps = ruler.steps(self.file.notes.onset[around.gone]).astype(np.int64)
        low, high = int(steps.min(initial=int(ruler.places[-1]))), int(steps.max(initial=0))
        time = self._time(around, low, high)
        text = np.concatenate([replace(time, then=low).lead(time.now), self.led(texts[1])]).astype(np.int32)
        after = np.concatenate([time.lead(high), self.led(texts[2])]) if len(texts[2]) else texts[2]
        span = Span(self.tokenizer, texts[0], after, [], time.now, time.then, self.length, time)
        return span, ruler, text

    def span(self, around: Around, count: int | None) -> tuple[Span, Ruler]:
        """See Writer."""
        ruler = self._bars_to(around.end)
        onset = self.file.notes.onset
        first, last = ruler.between(around.begin, around.end)
        time = self._time(around, first, last)
        texts = [self.encoded(around.before), self.encoded(around.after)]
        closed = len(texts[1]) > 0
        after = np.concatenate([time.lead(last), self.led(texts[1])]) if closed else texts[1]
        begun = told(
            ruler.steps(onset[around.gone]),
            count,
            first,
            last,
            self.density(ruler, (around.before, around.after), ruler.bars[0].quarters / ruler.bars[0].places),
        )
        each = self.each([self.encoded(around.gone)] if len(around.gone) else texts)
        stretches = self._stretches(time, begun, first, last, each, closed=closed)
        return Span(self.tokenizer, texts[0], after, stretches, time.now, time.then, self.length, time), ruler

    def encoded(self, rows: Column) -> Ids:
        """In the bars of the whole file, whatever metre these notes alone would be in."""
        assert self._ruler is not None
        if not len(rows):
            return np.zeros(0, dtype=np.int32)
        return self.tokenizer.encode(self._ruler.straight(self.columns(rows)))

    def _behind(self, ruler: BarRuler, step: int) -> int:
        """The place behind one."""
        at = min(int(np.searchsorted(ruler.places, step)) + 1, len(ruler.places) - 1)
        return int(ruler.places[at])

    def _stretches(
        self, time: Placed, begun: NDArray[np.float64], first: int, last: int, each: float, *, closed: bool
    ) -> list[Stretch]:
        """What is drawn, a window each: whole bars, or a part of one that alone has too many notes."""
        pieces = list[tuple[int, int, float]]()
        for bar in range(time.bar_of(first), time.bar_of(last) + 1):
            low, high = max(first, int(time.lines[bar]) + 1), min(last, int(time.lines[bar + 1]) - 1)
            own = begun[(begun >= time.lines[bar]) & (begun <= high)]
            opening = len(time.bars[bar].tokens)
            parts = max(1, -(-int(len(own) * each) // max(1, self.most - opening)))
            cuts = np.unique([low, *(int(own[number * len(own) // parts]) for number in range(1, parts))]).tolist()
            for begin, until in zip(cuts, [*cuts[1:], high + 1], strict=True):
                cost = each * np.count_nonzero((own >= begin) & (own < until)) + opening * (begin == low)
                pieces.append((begin, until - 1, float(cost)))
        total = sum(cost for *_, cost in pieces)
        target = total / -(-total // self.most) if total else self.most
        found, spent = list[list[int]](), 0.0
        for begin, end, cost in pieces:
            if found and spent + cost / 2 <= target and spent + cost <= self.most:
                found[-1][1], spent = end, spent + cost
            else:
                found.append([begin, end])
                spent = cost
        lengths, stretches = self._lengths(), list[Stretch]()
        starts = [time.now]
        for number, (begin, end) in enumerate(found):
            bar, until = time.bar_of(begin), time.bar_of(end)
            ends = [until] if closed and number == len(found) - 1 else range(bar, until + 1)
            notes = int(np.count_nonzero((begun >= begin) & (begun <= end)))
            wanted = round(max(1, notes) * each)
            stretches.append(Stretch(self._fitting(time, wanted, starts, ends, lengths), begin, end))
            starts = [begin, *(int(line) for line in time.lines[bar + 1 : until + 1])]
        return stretches

    def _fitting(
        self, time: Placed, wanted: int, starts: Sequence[int], ends: Sequence[int], lengths: NDArray[np.bool_]
    ) -> int:
        """How many tokens are drawn: about `wanted` of notes, and those of bars, so that there is a text of so many
        from wherever the note before may be to one of the bars `ends`.
        """
        opened = np.cumsum([0, *(len(bar.tokens) for bar in time.bars)])
        ways = [[int(opened[end + 1] - opened[time.bar_of(start) + 1]) for end in ends] for start in starts]
        least = max(min(way) for way in ways)
        for more in range(len(lengths)):
            tokens = max(way[-1] for way in ways) + max(wanted, 0) + more
            if tokens > least and all(any(self._is(lengths, tokens - each) for each in way) for way in ways):
                return tokens
        raise DiffmidiError("the model sees too few tokens at once for the bars that are drawn: choose another.")

    @staticmethod
    def _is(lengths: NDArray[np.bool_], tokens: int) -> bool:
        return 0 < tokens < len(lengths) and bool(lengths[tokens])

    def _lengths(self) -> NDArray[np.bool_]:
        """[N] whether some notes have so many tokens, but for those that open bars."""
        grammar = self.tokenizer.grammar
        table = np.delete(grammar.next_state, np.unique(grammar.type_of[self.opens]), axis=1)
        states, found = np.array(grammar.start), np.zeros(2 * self.length + 2, dtype=bool)
        for tokens in range(1, len(found)):
            after = table[states]
            states = np.unique(after[after >= 0])
            found[tokens] = bool(np.isin(states, grammar.final).any())
        return found
