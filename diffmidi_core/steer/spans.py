"""A user's file as spans of a model's tokens without a plan, and what is drawn in them as notes of that file.

Such tokens tell the notes of all tracks one after another, so whole stretches of time are drawn anew: bars, seconds.
A new note goes to the track that has the nearest pitches there. When notes begin is counted from the beginning of the
span, so that what is kept is rounded nowhere but in the model's view of it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.filled import Shown
from diffmidi_core.draw.portions import Portion
from diffmidi_core.draw.span import Span, Stretch
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.clock import clock_of
from diffmidi_core.music.notes import Column, Notes, Score, notes_of, score_of
from diffmidi_core.steer.patching import NewNotes
from diffmidi_core.steer.rework import Masking, Reworked
from diffmidi_core.steer.selection import Selection
from diffmidi_core.steer.user_file import UserFile

UNTOLD_QUARTER = 500_000
"""Microseconds in a quarter note of decoded tokens that count seconds."""
NO_PLAN = "this model has no plan of bars in its tokens"
ANOTHER = "train one with `--tokenizer mmm -o tokenizer.layout=cells`"


@dataclass(frozen=True)
class Spans:
    """Several spans, in order; the works of `drawn_together`."""

    tokenizer: Tokenizer
    spans: Sequence[Span]

    @property
    def sets(self) -> NDArray[np.bool_]:
        """As `Span.sets`."""
        return self.spans[0].sets

    @property
    def free(self) -> list[tuple[int, int]]:
        """The stretches that are drawn: the number of each, and of its span."""
        every = [number for number, span in enumerate(self.spans) for _ in span.stretches]
        return list(enumerate(every))

    def work(self) -> Generator[Portion, Ids, list[Ids]]:
        """Yields what is to be filled, is sent it as it then is, and returns the text of each stretch."""
        texts: list[Ids] = []
        for span in self.spans:
            texts += yield from span.work(len(texts))
        return texts

    def by_span(self, texts: Sequence[Ids]) -> Iterator[tuple[Span, Sequence[Ids]]]:
        """Each span with its texts."""
        at = 0
        for span in self.spans:
            yield span, texts[at : at + len(span.stretches)]
            at += len(span.stretches)


@dataclass(frozen=True)
class LaidSpans:
    """A file laid out in spans; the same face as `Laid`.

    Attributes:
        hole: what is drawn and what stands.
        begins: the tick at which each span begins; `ends` at which it ends.
        parts: [S, 128] of each span to which part a new note of each pitch goes.
    """

    hole: Spans
    file: UserFile
    begins: Sequence[int]
    ends: Sequence[int]
    parts: Sequence[Column]
    reworked: Sequence[Reworked] = field(default=())

    def texts_of(self, ids: Ids) -> list[Ids]:
        """The texts of stretches, from all of them one after the other."""
        sizes = [stretch.tokens for span in self.hole.spans for stretch in span.stretches]
        return np.split(ids, np.cumsum(sizes)[:-1])

    def notes(self, texts: Sequence[Ids], tokenizer: Tokenizer) -> NewNotes:
        """The notes of drawn stretches, in ticks of the file."""
        told: dict[bytes, tuple[int, int, float]] = {}

        def read(ids: Ids) -> tuple[int, int, float]:
            key = ids.tobytes()
            if key not in told:
                score = tokenizer.decode(ids)
                note = notes_of(score)
                told[key] = int(note.pitch[0]), int(note.velocity[0]), int(note.duration[0]) / score.ticks_per_quarter
            return told[key]

        rows: list[tuple[int, int, int, int, int]] = []
        for place, (span, own) in enumerate(self.hole.by_span(texts)):
            ruler = Ruler(tokenizer, self.file, self.begins[place])
            for steps, ids in span.onsets(own):
                pitch, velocity, quarters = read(ids)
                onset = min(max(ruler.ticks(steps), self.begins[place]), self.ends[place] - 1)
                duration = ruler.ticks(steps + quarters / ruler.quarters) - ruler.ticks(steps)
                rows.append((int(self.parts[place][pitch]), onset, max(1, duration), pitch, velocity))
        return NewNotes(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)

    def windows(self, texts: Sequence[Ids]) -> Iterator[Shown]:
        """The windows of the spans with these texts, and what is new in them."""
        for span, own in self.hole.by_span(texts):
            for number, text in enumerate(own):
                portion, at = span.portion(own, number, 0)
                ids, new = portion.ids.copy(), portion.ids == self.hole.tokenizer.mask_id
                ids[at : at + len(text)] = text
                closing = new.copy()
                closing[at : at + len(text)] = False
                gone = span.starts(own)[number] + int(span.passed[text].sum())
                ids[closing] = span.nearest(span.then - gone)
                yield Shown(ids, new)


class Ruler:
    """From a file's ticks to a tokenizer's steps since a tick, and back.

    Attributes:
        quarters: how many quarter notes a step is; of tokens that count seconds, of those at 120 a minute.
    """

    def __init__(self, tokenizer: Tokenizer, file: UserFile, begin: int) -> None:
        self.quarters = quarters_of(tokenizer)
        self._in_seconds = tokenizer.time_stretch(2.0) is not None
        self._ticks, self._begin, self._clock = file.ticks, begin, clock_of(file.score)
        self._since = self._elapsed(np.array([begin]))

    def steps(self, ticks: Column) -> NDArray[np.float64]:
        """[N] steps, not rounded."""
        if self._in_seconds:
            return (self._elapsed(ticks) - self._since) / (self.quarters * UNTOLD_QUARTER)
        return np.asarray((ticks - self._begin) / (self._ticks * self.quarters))

    def ticks(self, steps: float) -> int:
        """The nearest tick."""
        if self._in_seconds:
            elapsed = self._since + steps * self.quarters * UNTOLD_QUARTER
            return round(float(self._clock.quarters(elapsed)[0]) * self._ticks)
        return round(self._begin + steps * self._ticks * self.quarters)

    def _elapsed(self, ticks: Column) -> NDArray[np.float64]:
        return self._clock.elapsed(ticks / self._ticks)


def quarters_of(tokenizer: Tokenizer) -> float:
    """How many quarter notes a step of time is, as the tokenizer decodes it."""
    passed, types = tokenizer.steps_passed(), tokenizer.grammar
    assert passed is not None
    note = tokenizer.encode(score_of(Notes(*(np.array([each]) for each in (0, 480, 60, 64)))))
    note = note[np.array([tokenizer.roles.get(name) != "time" for name in types.types])[types.type_of[note]]]
    token = int(passed.argmax())
    score = tokenizer.decode(np.concatenate([note, [token], note]).astype(np.int32))
    return float(np.ptp(notes_of(score).onset)) / score.ticks_per_quarter / int(passed[token])


def lay_out_spans(
    file: UserFile, selection: Selection, tokenizer: Tokenizer, *, length: int, masking: Masking
) -> LaidSpans:
    """The times of a file that are drawn anew, and what stands on both sides.

    Raises DiffmidiError where the tokens' time does not add up, or where not all notes of some time are drawn anew.
    """
    if tokenizer.steps_passed() is None:
        raise DiffmidiError(
            f"{NO_PLAN}, and what they tell of time does not add up, so that what follows a hole could not stay where "
            f"it is: {ANOTHER}, or with layout aligned or run."
        )
    if masking.reworks or masking.locks:
        raise DiffmidiError(f"{NO_PLAN}, and locks and --strength need one: leave them out, or {ANOTHER}.")
    times = times_of(file, selection)
    if max(1, length // 2 // tokenizer.group) * tokenizer.group + 2 * tokenizer.group > length:
        raise DiffmidiError("the model sees too few tokens at once for a hole and what is beside it: choose another.")
    kept = ~selection.notes(file) & ~np.isin(file.notes.part, [*selection.drums])
    spans, ends = [], [0, *(end for _, end in times), int(np.iinfo(np.int64).max)]
    begins = [*(begin for begin, _ in times), int(np.iinfo(np.int64).max)]
    for place, (begin, end) in enumerate(times):
        writer = _Writer(file, tokenizer, Ruler(tokenizer, file, begin), length)
        onset = file.notes.onset
        before = np.flatnonzero(kept & (onset >= ends[place]) & (onset < begin))[-length:]
        after = np.flatnonzero(kept & (onset >= end) & (onset < begins[place + 1]))[:length]
        spans.append(writer.span(end, before, after, selection.notes(file)))
    parts = [_parts(file, selection, begin, end) for begin, end in times]
    return LaidSpans(Spans(tokenizer, spans), file, begins[:-1], ends[1:-1], parts)


def times_of(file: UserFile, selection: Selection) -> list[tuple[int, int]]:
    """The ticks from and up to which everything is drawn anew. Raises DiffmidiError where that is not so of all parts
    and pitches alike.
    """
    played = [place for place in range(len(file.parts)) if place not in selection.drums]
    cuts = {0, selection.end, *(min(tick, selection.end) for box in selection.boxes for tick in (box.begin, box.end))}
    found: list[tuple[int, int]] = []
    edges = sorted(cuts)
    for begin, end in pairwise(edges):
        cells = [selection.cell(part, begin, end) for part in played]
        if not any(some.any() for some, _ in cells):
            continue
        if not all(every for _, every in cells):
            raise DiffmidiError(
                f"{NO_PLAN}, so only whole bars or seconds, of all tracks and pitches, can be drawn anew: name bars or "
                f"seconds alone, or {ANOTHER}."
            )
        joined = bool(found) and found[-1][1] == begin
        found[-1:] = [(found[-1][0], end)] if joined else [*found[-1:], (begin, end)]
    return found


class _Writer:
    """Writes what is around a span, which begins at the ruler's tick, and decides how much is drawn."""

    def __init__(self, file: UserFile, tokenizer: Tokenizer, ruler: Ruler, length: int) -> None:
        self.file, self.tokenizer, self.ruler = file, tokenizer, ruler
        self.most = max(1, length // 2 // tokenizer.group) * tokenizer.group
        self.length = length
        passed = tokenizer.steps_passed()
        assert passed is not None
        self.longest = int(passed.max())

    def span(self, end: int, before: Column, after: Column, gone: NDArray[np.bool_]) -> Span:
        """The span up to tick `end`, from the rows of notes on both sides, and [N] bool which notes are taken out."""
        texts = [self.encoded(before), self.encoded(after)]
        onset = self.file.notes.onset
        last = max(0, math.ceil(float(self.ruler.steps(np.array([end]))[0]) - 1e-6) - 1)
        now = min(0, round(float(self.ruler.steps(onset[before[-1:]])[0]))) if len(texts[0]) else 0
        then = last
        if len(texts[1]):
            then = min(max(last, round(float(self.ruler.steps(onset[after[:1]])[0]))), last + self.longest)
        inside = np.flatnonzero(gone & (onset >= self.ruler.ticks(0)) & (onset < end))
        stretches = self._stretches(inside, last, now, then, texts, self._density(before, after))
        return Span(self.tokenizer, texts[0], self._led(texts[1]), stretches, now, then, self.length)

    def encoded(self, rows: Column) -> Ids:
        """Notes of the file as a text."""
        notes = self.file.notes
        if not len(rows):
            return np.zeros(0, dtype=np.int32)
        columns = (notes.onset, notes.duration, notes.pitch, notes.velocity)
        score: Score = score_of(Notes(*(column[rows] for column in columns)), self.file.ticks)
        score.tempos, score.time_signatures = self.file.score.tempos, self.file.score.time_signatures
        return self.tokenizer.encode(score)

    def _led(self, text: Ids) -> Ids:
        """A text without the tokens of time that it begins with."""
        types = self.tokenizer.grammar.types
        time = np.array([self.tokenizer.roles.get(name) == "time" for name in types])
        rest = np.flatnonzero(~time[self.tokenizer.grammar.type_of[text]])
        return text[rest[0] :] if len(rest) else text[:0]

    def _density(self, *sides: Column) -> float:
        """Notes a step around a span; as many as quarter notes where nothing is there."""
        found, lasting = 0, 0.0
        for rows in sides:
            if len(rows) > 1:
                steps = self.ruler.steps(self.file.notes.onset[rows])
                found, lasting = found + len(rows) - 1, lasting + float(np.ptp(steps))
        return found / lasting if lasting else self.ruler.quarters

    def _stretches(
        self, inside: Column, last: int, now: int, then: int, texts: Sequence[Ids], density: float
    ) -> list[Stretch]:
        """What is drawn, a window each: as many notes as stood there, or as there would be at such a density."""
        tokenizer = self.tokenizer
        told = np.sort(self.ruler.steps(self.file.notes.onset[inside]).clip(0, last))
        if not len(inside):
            told = np.linspace(0, last, max(1, round((last + 1) * density)), endpoint=False)
        known = np.concatenate([self.encoded(inside), *texts])
        each = len(known) / max(1, tokenizer.count_notes(known)) if len(known) else 4 * tokenizer.group
        size = max(1, int(self.most / max(each, 1)))
        pieces = -(-len(told) // size)
        cuts = np.unique([0, *(int(told[number * len(told) // pieces]) for number in range(1, pieces))]).tolist()
        found = []
        for number, (first, until) in enumerate(zip(cuts, [*cuts[1:], last + 1], strict=True)):
            count = int(np.count_nonzero((told >= first) & (told < until)))
            ends = until == last + 1 and len(texts[1]) > 0
            gap = (then if ends else first) - (now if number == 0 else first - self.longest)
            found.append(Stretch(self._tokens(count * each, -(-gap // self.longest)), first, until - 1))
        return found

    def _tokens(self, wanted: float, times: int) -> int:
        """How many tokens are drawn: about so many, and enough for as many of time."""
        group = self.tokenizer.group
        if group == 1:
            shortest = self.tokenizer.grammar.shortest()
            return min(max(round(wanted), shortest + max(1, times)), max(self.most, shortest + max(1, times)))
        least = group * max(1, times)
        return max(min(round(wanted / group) * group, self.most), least)


def _parts(file: UserFile, selection: Selection, begin: int, end: int) -> Column:
    """[128] the part that has the nearest of a pitch among notes in some time, or where there are none in all."""
    notes = file.notes
    played = [place for place in range(len(file.parts)) if place not in selection.drums]
    inside = (notes.onset >= begin) & (notes.onset < end) & np.isin(notes.part, played)
    inside = inside if inside.any() else np.isin(notes.part, played)
    every = np.abs(np.arange(128)[:, None] - notes.pitch[inside])
    found: Column = notes.part[inside][every.argmin(1)]
    return found
