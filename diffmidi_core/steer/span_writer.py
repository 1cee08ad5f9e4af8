"""Spans of a file in a model's tokens: what stands on both sides of a stretch of time, and how much is drawn in it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.span import Given, Span, Stretch
from diffmidi_core.draw.span_time import Added, Placed
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Column, Notes, score_of
from diffmidi_core.steer.rework import Masking
from diffmidi_core.steer.rulers import BarRuler, EvenRuler, Ruler
from diffmidi_core.steer.span_rework import ReworkedSpan, in_stretches, masked, rows_of
from diffmidi_core.steer.user_file import UserFile

LONGEST_REST = 8
"""Bars, where tokens name them: of a longer rest beside a span the model is shown so many."""


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
        group, grammar = self.tokenizer.group, self.tokenizer.grammar
        self.most = max(1, self.length // 2 // group) * group
        time = np.array([self.tokenizer.roles.get(name) == "time" for name in grammar.types])
        self.is_time = time[grammar.type_of]

    @abstractmethod
    def written(self, around: Around) -> tuple[Span, Ruler, Ids]:
        """A span of no stretches yet, its steps in ticks, and the notes that are there as its text."""

    def reworked(self, around: Around, masking: Masking, place: int) -> ReworkedSpan:
        """A span, the number `place`, whose notes stay as many as they are, with some of their tokens masked."""
        span, ruler, text = self.written(around)
        span = replace(span, stretches=[Stretch(len(text), 0, 0, Given(text, text, span.then))])
        rows = rows_of(span, text, around.gone, self.file, ruler)
        hidden = masked(span, text, rows, self.opens, masking, (place,))
        gone = span.time.gone(text, span.now)
        ends = self.ends(around, ruler)
        ends = min(ends[0], int(gone.min())), max(ends[1], int(gone.max()))
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


class AddingWriter(Writer):
    """Where tokens add steps: of each span they are counted from its beginning on."""

    def ends(self, around: Around, ruler: Ruler) -> tuple[int, int]:
        """From 0 on."""
        return 0, max(0, math.ceil(float(ruler.steps(np.array([around.end]))[0]) - 1e-6) - 1)

    def written(self, around: Around) -> tuple[Span, Ruler, Ids]:
        """See Writer."""
        ruler = EvenRuler(self.tokenizer, self.file, around.begin)
        time = Added(self.tokenizer)
        texts = [self.encoded(rows) for rows in (around.before, around.gone, around.after)]
        if not self.is_time.any():
            return Span(self.tokenizer, texts[0], texts[2], [], 0, 0, self.length, time), ruler, texts[1]
        first, stood, behind = (
            round(float(ruler.steps(self.file.notes.onset[rows])[place])) if len(rows) else 0
            for rows, place in ((around.gone, 0), (around.before, -1), (around.after, 0))
        )
        lead, text = self._lead(time, first - min(0, stood)), self.led(texts[1])
        now = first - int(time.passed[lead].sum())
        text = np.concatenate([lead, text]).astype(np.int32)
        then = int(time.gone(text, now)[-1])
        after = texts[2]
        if len(after):
            lead = self._lead(time, behind - then)
            after, then = np.concatenate([lead, self.led(after)]), then + int(time.passed[lead].sum())
        return Span(self.tokenizer, texts[0], after, [], now, then, self.length, time), ruler, text

    def _lead(self, time: Added, steps: int) -> Ids:
        """The token of time that passes about so many steps; none of no time, where notes need none."""
        tokens = np.flatnonzero(self.is_time)
        lead = tokens[np.abs(time.passed[tokens] - steps).argmin()]
        alone = steps <= 0 and self.tokenizer.group == 1
        return np.array([] if alone else [lead], dtype=np.int32)

    def span(self, around: Around, count: int | None) -> tuple[Span, Ruler]:
        """See Writer."""
        ruler = EvenRuler(self.tokenizer, self.file, around.begin)
        time = Added(self.tokenizer)
        longest = int(time.passed.max())
        texts = [self.encoded(around.before), self.encoded(around.after)]
        onset = self.file.notes.onset
        last = max(0, math.ceil(float(ruler.steps(np.array([around.end]))[0]) - 1e-6) - 1)
        now, then = 0, last + 1
        if self.is_time.any():
            now = min(0, round(float(ruler.steps(onset[around.before[-1:]])[0]))) if len(texts[0]) else 0
            then = last
            if len(texts[1]):
                then = min(max(last, round(float(ruler.steps(onset[around.after[:1]])[0]))), last + longest)
        stood = ruler.steps(onset[around.gone])
        known = [self.encoded(around.gone), *texts]
        if self.is_time.any():
            density = self.density(ruler, (around.before, around.after), ruler.quarters)
            begun = told(stood, count, 0, last, density)
        else:
            begun = np.linspace(0, last, count or self._one_by_one(known, last + 1), endpoint=False)
        stretches = self._stretches(begun, last, now, then if len(texts[1]) else last + 1, longest, self.each(known))
        if count is not None and self.tokenizer.group > 1:
            self._check(count, stretches, last + 1)
        return Span(self.tokenizer, texts[0], self.led(texts[1]), stretches, now, then, self.length, time), ruler

    def _one_by_one(self, known: Sequence[Ids], steps: int) -> int:
        """How many notes as long as those that are known fill so many steps, where none sound together."""
        passed = self.tokenizer.steps_passed()
        assert passed is not None
        lasting = passed[np.concatenate(known)]
        mean = float(lasting[lasting > 0].mean()) if (lasting > 0).any() else 1.0
        return max(1, round(steps / mean))

    def _check(self, count: int, stretches: Sequence[Stretch], steps: int) -> None:
        drawn = sum(each.tokens for each in stretches) // self.tokenizer.group
        if drawn == count and (self.is_time.any() or count <= steps):
            return
        told = f"{drawn} are needed at least" if drawn > count else f"{min(drawn, steps)} fit at most"
        raise DiffmidiError(f"--notes {count}: in the time that is drawn {told}, of tokens such as this model's.")

    def _stretches(
        self, begun: NDArray[np.float64], last: int, now: int, then: int, longest: int, each: float
    ) -> list[Stretch]:
        """What is drawn, a window each."""
        size = max(1, int(self.most / max(each, 1)))
        pieces = -(-len(begun) // size)
        cuts = np.unique([0, *(int(begun[number * len(begun) // pieces]) for number in range(1, pieces))]).tolist()
        found = []
        for number, (first, until) in enumerate(zip(cuts, [*cuts[1:], last + 1], strict=True)):
            count = int(np.count_nonzero((begun >= first) & (begun < until)))
            if not self.is_time.any():
                # One note after another, which all together last as long.
                most = until - first
                found.append(Stretch(self._tokens(min(count, most) * each, -(-most // longest)), first, until - 1))
                continue
            gap = (then if until == last + 1 else first) - (now if number == 0 else first - longest)
            found.append(Stretch(self._tokens(count * each, -(-gap // longest)), first, until - 1))
        return found

    def _tokens(self, wanted: float, times: int) -> int:
        """How many tokens are drawn: about so many, and enough for as many of time."""
        group = self.tokenizer.group
        if group == 1:
            shortest = self.tokenizer.grammar.shortest()
            return min(max(round(wanted), shortest + max(1, times)), max(self.most, shortest + max(1, times)))
        return group * max(1, times, min(round(wanted / group), self.length // group - 2))


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


def writer_of(file: UserFile, tokenizer: Tokenizer, length: int) -> Writer:
    """The writer for a tokenizer whose times add up in some way."""
    kind = AddingWriter if tokenizer.steps_in_bar() is None else PlacingWriter
    return kind(file, tokenizer, length)
