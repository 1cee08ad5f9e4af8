"""Spans whose notes stay as many as they are: some tokens of a text are masked and drawn back, in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.span import Given, Span, Stretch
from diffmidi_core.music.notes import Column, notes_of
from diffmidi_core.steer.patching import NewNotes
from diffmidi_core.steer.rework import LOCKS, Masking
from diffmidi_core.steer.rulers import Ruler
from diffmidi_core.steer.user_file import UserFile

SLACK = 1.5
"""Steps by which a note's token may be from where the file has it."""


@dataclass(frozen=True)
class ReworkedSpan:
    """A span whose notes are reworked.

    Attributes:
        rows: [M] which notes of the file its text tells, -1 for none.
        begin, end: the ticks between which they begin.
    """

    span: Span
    ruler: Ruler
    rows: Column
    begin: int
    end: int

    def notes(self, texts: Sequence[Ids], file: UserFile, reader: Reader) -> tuple[list[tuple[int, ...]], list[int]]:
        """The notes that came out otherwise than they were, and which of the file each stands for. What of a note
        stayed, stays as the file has it.
        """
        stood = [stretch.given.stands for stretch in self.span.stretches if stretch.given is not None]
        found, rows, notes = list[tuple[int, ...]](), list[int](), file.notes
        for row, old, new in zip(self.rows.tolist(), self.span.onsets(stood), self.span.onsets(texts), strict=True):
            moved = old[0] != new[0] and not self.span.lasts
            (was, now) = (reader.read(ids) for ids in (old[1], new[1]))
            if row < 0 or (was == now and not moved):
                continue
            onset, duration, pitch, velocity = (
                int(each[row]) for each in (notes.onset, notes.duration, notes.pitch, notes.velocity)
            )
            if moved:
                onset = min(max(self.ruler.ticks(new[0]), self.begin), self.end - 1)
            if was[2] != now[2]:
                duration = max(1, self.ruler.lasting(new[0], now[2]))
            pitch = now[0] if was[0] != now[0] else pitch
            velocity = now[1] if was[1] != now[1] else velocity
            rows.append(row)
            found.append((int(notes.part[row]), onset, duration, pitch, velocity))
        return found, rows


class Reader:
    """Reads texts of one note: pitch, velocity, and how many quarter notes it lasts."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[bytes, tuple[int, int, float]] = {}

    def read(self, ids: Ids) -> tuple[int, int, float]:
        """Of one text."""
        key = ids.tobytes()
        if key not in self._known:
            score = self._tokenizer.decode(ids)
            note = notes_of(score)
            lasting = int(note.duration[0]) / score.ticks_per_quarter
            self._known[key] = int(note.pitch[0]), int(note.velocity[0]), lasting
        return self._known[key]


def reworked_notes(
    spans: Sequence[ReworkedSpan], texts: Sequence[Sequence[Ids]], file: UserFile, tokenizer: Tokenizer
) -> tuple[NewNotes, Column]:
    """The notes of all spans that came out otherwise than they were, and [N] which of the file each stands for."""
    reader, found, rows = Reader(tokenizer), list[tuple[int, ...]](), list[int]()
    for span, own in zip(spans, texts, strict=True):
        more, which = span.notes(own, file, reader)
        found += more
        rows += which
    return NewNotes(*np.array(found, dtype=np.int64).reshape(-1, 5).T), np.array(rows, dtype=np.int64)


def rows_of(span: Span, onsets: Sequence[tuple[int, Ids]], rows: Column, file: UserFile, ruler: Ruler) -> Column:
    """[M] which of some rows of a file each note of a text is, -1 for none, from when it begins and its tokens."""
    reader = Reader(span.tokenizer)
    told = [(step, reader.read(ids)[0]) for step, ids in onsets]
    steps = np.array([step for step, _ in told], dtype=np.float64)
    pitches = np.array([pitch for _, pitch in told], dtype=np.int64)
    at = ruler.steps(file.notes.onset[rows])
    found = np.full(len(told), -1)
    for pitch in np.unique(pitches).tolist():
        mine, theirs = np.flatnonzero(pitches == pitch), np.flatnonzero(file.notes.pitch[rows] == pitch)
        if len(mine) == len(theirs):
            found[mine] = rows[theirs]
            continue
        if span.lasts:
            continue
        for place in mine.tolist():
            near = theirs[np.abs(at[theirs] - steps[place]) <= SLACK]
            free = near[~np.isin(rows[near], found)]
            if len(free):
                found[place] = rows[free[np.abs(at[free] - steps[place]).argmin()]]
    return found


def masked(
    span: Span, text: Ids, rows: Column, opens: NDArray[np.bool_], masking: Masking, key: Sequence[int]
) -> NDArray[np.bool_]:
    """[N] which tokens of a text are masked; `rows` as `rows_of` gives them, `opens` [V] the tokens of bars."""
    tokenizer = span.tokenizer
    kept = {role for lock in masking.locks for role in LOCKS.get(lock, ())}
    roles = {"pitch", "velocity", "duration", "time"} - kept
    free = np.array([tokenizer.roles.get(name) in roles for name in tokenizer.grammar.types])
    pitched = tells(tokenizer, "pitch")[text]
    whole = np.concatenate([span.before, text]).astype(np.int32)
    notes = tokenizer.note_of(whole)
    assert notes is not None
    own = notes[len(span.before) :]
    number = own - own[own >= 0].min(initial=notes.max(initial=0) + 1)
    # A token of time is of the first note behind it.
    behind = np.cumsum(pitched, dtype=np.int64)
    behind -= pitched
    number = np.where(span.is_time[text], behind, np.where(own >= 0, number, -1))
    told = np.append(rows >= 0, False)[number.clip(-1, len(rows))]
    draws = np.random.default_rng([masking.seed, *key]).random(len(text))
    return np.asarray(free[tokenizer.grammar.type_of[text]] & ~opens[text] & told & (draws < masking.strength))


def in_stretches(span: Span, text: Ids, hidden: NDArray[np.bool_], most: int, ends: tuple[int, int]) -> list[Stretch]:
    """A text in stretches of about `most` tokens, whose notes may begin from `ends[0]` to `ends[1]`."""
    tokenizer = span.tokenizer
    starts = tokenizer.starts(text)
    cuts = [0]
    for start, after in zip(starts.tolist(), [*starts[1:].tolist(), len(text)], strict=True):
        if after - cuts[-1] > most and start > cuts[-1]:
            cuts.append(start)
    gone = span.time.gone(text, span.now)
    found = list[Stretch]()
    for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        then = span.then
        if end < len(text):
            first = end + int((~tokenizer.moves_time()[text[end:]]).argmax())
            then = int(gone[first])
        part = np.where(hidden[begin:end], tokenizer.mask_id, text[begin:end]).astype(np.int32)
        found.append(Stretch(end - begin, *ends, Given(part, text[begin:end], then)))
    return found
