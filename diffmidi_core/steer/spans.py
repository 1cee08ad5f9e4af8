"""A user's file as spans of a model's tokens without a plan, and what is drawn in them as notes of that file.

Such tokens tell the notes of all tracks one after another, so whole stretches of time are drawn anew: bars, seconds.
A new note goes to the track that has the nearest pitches there. When notes begin is counted from the beginning of the
span, so that what is kept is rounded nowhere but in the model's view of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.filled import Shown
from diffmidi_core.draw.portions import Portion
from diffmidi_core.draw.shares import shared_out
from diffmidi_core.draw.span import Span
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Column
from diffmidi_core.steer.adding_writer import AddingWriter
from diffmidi_core.steer.patching import NewNotes
from diffmidi_core.steer.placing_writer import PlacingWriter
from diffmidi_core.steer.rework import NOTHING_LEFT, RANGE, Masking
from diffmidi_core.steer.rulers import Ruler
from diffmidi_core.steer.selection import Selection
from diffmidi_core.steer.span_rework import Reader, ReworkedSpan, reworked_notes
from diffmidi_core.steer.span_writer import Around
from diffmidi_core.steer.user_file import UserFile

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
        rulers: of each span.
        reworked: the spans again, where notes stay as many as they are.
    """

    hole: Spans
    file: UserFile
    begins: Sequence[int]
    ends: Sequence[int]
    parts: Sequence[Column]
    rulers: Sequence[Ruler]
    reworked: Sequence[ReworkedSpan] = field(default=())

    def texts_of(self, ids: Ids) -> list[Ids]:
        """The texts of stretches, from all of them one after the other."""
        sizes = [stretch.tokens for span in self.hole.spans for stretch in span.stretches]
        return np.split(ids, np.cumsum(sizes)[:-1])

    def notes(self, texts: Sequence[Ids], tokenizer: Tokenizer) -> NewNotes:
        """The notes of drawn stretches, in ticks of the file."""
        reader = Reader(tokenizer)
        rows: list[tuple[int, int, int, int, int]] = []
        for place, (span, own) in enumerate(self.hole.by_span(texts)):
            ruler = self.rulers[place]
            for steps, ids in span.onsets(own):
                pitch, velocity, quarters = reader.read(ids)
                onset = min(max(ruler.ticks(steps), self.begins[place]), self.ends[place] - 1)
                duration = max(1, ruler.lasting(steps, quarters))
                rows.append((int(self.parts[place][pitch]), onset, duration, pitch, velocity))
        return NewNotes(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)

    def changed(self, texts: Sequence[Ids], tokenizer: Tokenizer) -> tuple[NewNotes, Column]:
        """As `reworked_notes`, of all drawn stretches."""
        own = [texts for _, texts in self.hole.by_span(texts)]
        return reworked_notes(self.reworked, own, self.file, tokenizer)

    def windows(self, texts: Sequence[Ids]) -> Iterator[Shown]:
        """The windows of the spans with these texts, and what is new in them."""
        for span, own in self.hole.by_span(texts):
            for number, text in enumerate(own):
                portion, at = span.portion(own, number, 0)
                ids, new = portion.ids.copy(), portion.ids == self.hole.tokenizer.mask_id
                ids[at : at + len(text)] = text
                closing = new.copy()
                closing[at : at + len(text)] = False
                if closing.any():
                    gone = int(span.time.gone(text, span.starts(own)[number])[-1])
                    ids[closing] = span.nearest(span.behind(number)[1] - gone)
                yield Shown(ids, new)


def lay_out_spans(
    file: UserFile,
    selection: Selection,
    tokenizer: Tokenizer,
    *,
    length: int,
    masking: Masking,
    notes: int | None = None,
) -> LaidSpans:
    """The times of a file that are drawn anew, and what stands on both sides; `notes` of them in all, or None.

    Raises DiffmidiError where the tokens' time does not add up, or where not all notes of some time are drawn anew.
    """
    if tokenizer.steps_passed() is None and tokenizer.steps_in_bar() is None:
        raise DiffmidiError(
            f"{NO_PLAN}, and what they tell of time does not add up, so that what follows a hole could not stay where "
            f"it is: {ANOTHER}, or with layout aligned or run."
        )
    if RANGE in masking.locks:
        raise DiffmidiError(f"{NO_PLAN}, and --lock range needs one: leave it out, or {ANOTHER}.")
    times = times_of(file, selection)
    if max(1, length // 2 // tokenizer.group) * tokenizer.group + 2 * tokenizer.group > length:
        raise DiffmidiError("the model sees too few tokens at once for a hole and what is beside it: choose another.")
    gone = selection.notes(file)
    kept = ~gone & ~np.isin(file.notes.part, [*selection.drums])
    onset, far = file.notes.onset, int(np.iinfo(np.int64).max)
    until, since = [0, *(end for _, end in times)], [*(begin for begin, _ in times[1:]), far]
    writer_of = AddingWriter if tokenizer.steps_in_bar() is None else PlacingWriter
    writer = writer_of(file, tokenizer, length)
    inside = [np.flatnonzero(gone & (onset >= begin) & (onset < end)) for begin, end in times]
    counts = _shared(notes, [len(rows) for rows in inside], [end - begin for begin, end in times])
    spans, rulers = list[Span](), list[Ruler]()
    reworked = list[ReworkedSpan]()
    for place, (begin, end) in enumerate(times):
        before = np.flatnonzero(kept & (onset >= until[place]) & (onset < begin))[-length:]
        after = np.flatnonzero(kept & (onset >= end) & (onset < since[place]))[:length]
        around = Around(begin, end, before, after, inside[place])
        if masking.reworks and len(inside[place]):
            reworked.append(writer.reworked(around, masking, place))
        elif not masking.reworks:
            span, ruler = writer.span(around, counts[place])
            spans.append(span)
            rulers.append(ruler)
    if masking.reworks:
        return _reworked(reworked, file)
    parts = [_parts(file, selection, begin, end) for begin, end in times]
    begins, ends = zip(*times, strict=True)
    return LaidSpans(Spans(tokenizer, spans), file, begins, ends, parts, rulers)


def _reworked(spans: Sequence[ReworkedSpan], file: UserFile) -> LaidSpans:
    """Raises DiffmidiError where nothing is left to be drawn."""
    given = [stretch.given for each in spans for stretch in each.span.stretches if stretch.given is not None]
    if not any((each.text != each.stands).any() for each in given):
        raise DiffmidiError(NOTHING_LEFT)
    hole = Spans(spans[0].span.tokenizer, [each.span for each in spans])
    begins, ends = ([getattr(each, name) for each in spans] for name in ("begin", "end"))
    return LaidSpans(hole, file, begins, ends, [], [each.ruler for each in spans], spans)


def _shared(notes: int | None, stood: Sequence[int], lasting: Sequence[int]) -> list[int | None]:
    """How many notes each of several times gets: as many as stood there, or as it is long; at least one."""
    if notes is None:
        return [None] * len(stood)
    if notes < len(stood):
        raise DiffmidiError(f"--notes {notes}: each of {len(stood)} stretches of time that are drawn gets 1 or more.")
    return [*shared_out(notes, stood if any(stood) else lasting, least=1)]


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


def _parts(file: UserFile, selection: Selection, begin: int, end: int) -> Column:
    """[128] the part that has the nearest of a pitch among notes in some time, or where there are none in all."""
    notes = file.notes
    played = [place for place in range(len(file.parts)) if place not in selection.drums]
    inside = (notes.onset >= begin) & (notes.onset < end) & np.isin(notes.part, played)
    inside = inside if inside.any() else np.isin(notes.part, played)
    every = np.abs(np.arange(128)[:, None] - notes.pitch[inside])
    found: Column = notes.part[inside][every.argmin(1)]
    return found
