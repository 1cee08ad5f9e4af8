"""A user's file as cells of a model's tokens, some of them free, and drawn cells as notes of that file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.bar_shapes import FIRST_BAR, INNER_BAR, LAST_BAR, BarShape, CellNotes
from diffmidi_core.contracts.process import Order
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.draw.filled import Shown, cells_of, windows_of
from diffmidi_core.draw.hole import Cell, Hole
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.bar_lines import BarLines
from diffmidi_core.music.clock import MINUTE, clock_of
from diffmidi_core.music.notes import Column
from diffmidi_core.steer.patching import NewNotes
from diffmidi_core.steer.rework import NOTHING_LEFT, RANGE, Masking, Reworked
from diffmidi_core.steer.selection import PITCHES, Selection
from diffmidi_core.steer.user_file import UserFile

ALL_NEW = Masking()
"""Notes are taken out, and as many are put in as the model says."""


class Free(NamedTuple):
    """A cell that is drawn: which bar and which part, by place, and the head that makes its text one of its own."""

    bar: int
    part: int
    opening: Ids


@dataclass(frozen=True)
class Laid:
    """A file laid out in cells.

    Attributes:
        hole: what is drawn and what stands.
        free: the cells of `hole.free`.
        bars: the bars of the file.
        ticks: in a quarter note.
        reworked: the cells of `hole.free` where notes stay as many as they are; there are none of `free` then.
    """

    hole: Hole
    free: Sequence[Free]
    bars: BarLines
    ticks: int
    reworked: Sequence[Reworked] = ()

    def texts_of(self, ids: Ids) -> list[Ids]:
        """The texts of drawn cells, from all of them one after the other."""
        return cells_of(ids, self.hole.tokenizer)

    def windows(self, texts: Sequence[Ids]) -> Iterator[Shown]:
        """The windows of the hole with these texts, and what is new in them."""
        return windows_of(self.hole, texts)

    def notes(self, texts: Sequence[Ids], tokenizer: Tokenizer) -> NewNotes:
        """The notes of drawn cells, in ticks of the file. Those past the end of their bar are left out."""
        found: list[tuple[Column, ...]] = [tuple(np.zeros(0, dtype=np.int64) for _ in range(5))]
        for free, text in zip(self.free, texts, strict=True):
            score = tokenizer.decode(np.concatenate([free.opening, text[len(free.opening) :]]))
            begin, end = int(self.bars.at[free.bar]), int(self.bars.at[free.bar + 1])
            for track in score.tracks:
                columns = track.notes.numpy()
                times = [columns[name].astype(np.float64) for name in ("time", "duration")]
                onset, duration = (
                    np.rint(each * self.ticks / score.ticks_per_quarter).astype(np.int64) for each in times
                )
                inside = begin + onset < end
                rest = [columns[name][inside].astype(np.int64) for name in ("pitch", "velocity")]
                part = np.full(int(inside.sum()), free.part)
                found.append((part, begin + onset[inside], np.maximum(duration[inside], 1), *rest))
        return NewNotes(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def lay_out(
    file: UserFile,
    bars: BarLines,
    selection: Selection,
    tokenizer: Tokenizer,
    *,
    length: int,
    window: int,
    order: Order,
    masking: Masking = ALL_NEW,
    notes: int | None = None,
) -> Laid:
    """The bars of a file that are drawn anew, and those on both sides that the model sees beside them, as cells; where
    notes are taken out, `notes` are drawn in their place, or None: as many as the model says.

    A cell of which some notes are kept is two of one track: one that stands, and one that is drawn. Models are not
    trained on such bars. Raises DiffmidiError where the tokenizer cannot write a bar of the hole; bars beside it that
    it cannot write are not shown.
    """
    played = [place for place, part in enumerate(file.parts) if not part.is_drum]
    tokens = tokenizer.track_tokens([(file.parts[place].name, file.parts[place].program) for place in played])
    order_of = np.argsort([tokenizer.to_ids([token])[0] for token in tokens], kind="stable")
    tracks = [(played[place], tokens[place]) for place in order_of.tolist()]
    touched = [
        bar for bar in range(len(bars))
        if any(selection.cell(part, int(bars.at[bar]), int(bars.at[bar + 1]))[0].any() for part in played)
    ]  # fmt: skip
    shown = range(max(0, touched[0] - window), min(len(bars), touched[-1] + window + 1))
    writer = _Writer(file, bars, selection, tokenizer, tracks, masking)
    rows: list[list[Cell]] = []
    free: list[Free | Reworked] = []
    for bar in shown:
        try:
            cells, own = writer.bar(bar)
        except DiffmidiError:
            if bar in touched:
                raise
            if bar > touched[-1]:
                break
            rows, free = [], []
            continue
        rows.append(cells)
        free += own
    sets = np.array(writer.sets, dtype=bool).reshape(-1, len(tokenizer.vocab))
    hole = Hole(tokenizer, rows, length, window, order, sets, notes)
    if masking.reworks and not free:
        raise DiffmidiError(NOTHING_LEFT)
    new = [each for each in free if isinstance(each, Free)]
    return Laid(hole, new, bars, file.ticks, [each for each in free if isinstance(each, Reworked)])


class _Writer:
    """Writes bars of a file as cells."""

    def __init__(
        self,
        file: UserFile,
        bars: BarLines,
        selection: Selection,
        tokenizer: Tokenizer,
        tracks: Sequence[tuple[int, str]],
        masking: Masking,
    ) -> None:
        self.masking = masking
        self.file, self.bars, self.selection = file, bars, selection
        self.tokenizer, self.tracks = tokenizer, tracks
        self.sets: list[NDArray[np.bool_]] = []
        self._known: dict[bytes, int] = {}
        self._gone = selection.notes(file)
        self._clock = clock_of(file.score)
        self._pitches: Column | None = None

    def bar(self, bar: int) -> tuple[list[Cell], Sequence[Free | Reworked]]:
        """The cells of a bar, and which of them are drawn."""
        return (self._reworked if self.masking.reworks else self._new)(bar)

    def _reworked(self, bar: int) -> tuple[list[Cell], list[Reworked]]:
        """Cells with all their notes, of which some tokens are masked."""
        shape = self._shape(bar)
        begin, end = int(self.bars.at[bar]), int(self.bars.at[bar + 1])
        cells: list[Cell] = []
        found: list[Reworked] = []
        for part, track in self.tracks:
            rows = self._rows(part, begin, end)
            ids, told = self.tokenizer.cell(shape, track, self._told(rows, begin), first=not cells)
            rows = rows[told]
            inside = self._gone[rows]
            masked = self.masking.masked(ids, inside, self.tokenizer, (bar, part))
            free = bool((masked == self.tokenizer.mask_id).any())
            pitches = self.selection.cell(part, begin, end)[0] & self._range(part)
            cells.append(Cell(masked, free, self._set(pitches) if free and not pitches.all() else None))
            if free:
                opening, _ = self.tokenizer.cell(shape, track, _none(), first=True)
                found.append(Reworked(part, begin, rows, inside, ids, opening))
        return cells, found

    def _new(self, bar: int) -> tuple[list[Cell], list[Free]]:
        """Cells that are drawn from their heads on, and beside them what is kept of them."""
        shape = self._shape(bar)
        begin, end = int(self.bars.at[bar]), int(self.bars.at[bar + 1])
        cells: list[Cell] = []
        free: list[Free] = []
        for part, track in self.tracks:
            pitches, whole = self.selection.cell(part, begin, end)
            rows = self._rows(part, begin, end)
            notes = self._told(rows[~self._gone[rows]], begin)
            pitches = pitches & self._range(part)
            if not pitches.any() or (not whole and len(notes.onset)):
                cells.append(Cell(self.tokenizer.cell(shape, track, notes, first=not cells)[0]))
            if pitches.any():
                head, _ = self.tokenizer.cell(shape, track, None, first=not cells)
                cells.append(Cell(head, True, None if pitches.all() else self._set(pitches)))
                opening, _ = self.tokenizer.cell(shape, track, _none(), first=True)
                free.append(Free(bar, part, opening))
        return cells, free

    def _shape(self, bar: int) -> BarShape:
        quarters = self.bars.at[bar : bar + 2] / self.file.ticks
        lasting = float(np.diff(self._clock.elapsed(quarters))[0])
        length = float(quarters[1] - quarters[0])
        kind = INNER_BAR
        if bar == len(self.bars) - 1:
            kind = LAST_BAR
        elif self.bars.number(bar) == 0:
            kind = FIRST_BAR
        return BarShape(length, MINUTE * length / max(lasting, 1.0), kind)

    def _range(self, part: int) -> NDArray[np.bool_]:
        """[128] the pitches that new notes of a part may have by its lock."""
        pitch = self.file.notes.pitch[self._gone & (self.file.notes.part == part)]
        if RANGE not in self.masking.locks or not len(pitch):
            return np.ones(PITCHES, dtype=bool)
        every = np.arange(PITCHES)
        return np.asarray((every >= pitch.min()) & (every <= pitch.max()))

    def _rows(self, part: int, begin: int, end: int) -> Column:
        """The notes of a cell."""
        first, last = np.searchsorted(self.file.notes.onset, [begin, end])
        rows = np.arange(first, last)
        return np.asarray(rows[self.file.notes.part[rows] == part])

    def _told(self, rows: Column, begin: int) -> CellNotes:
        notes = self.file.notes
        return CellNotes(
            (notes.onset[rows] - begin) / self.file.ticks,
            notes.duration[rows] / self.file.ticks,
            notes.pitch[rows],
            notes.velocity[rows],
        )

    def _set(self, pitches: NDArray[np.bool_]) -> int:
        """The number of the set of tokens of these pitches [128]. Raises DiffmidiError where there is none."""
        key = pitches.tobytes()
        if key not in self._known:
            tokens = self._tokens_of_pitches()
            allowed = np.zeros(len(self.tokenizer.vocab), dtype=bool)
            allowed[tokens[np.flatnonzero(pitches)]] = True
            allowed[self.tokenizer.pad_id] = False
            if not allowed.any():
                raise DiffmidiError("the model has no tokens for any of these pitches: choose others.")
            self._known[key] = len(self.sets)
            self.sets.append(allowed)
        return self._known[key]

    def _tokens_of_pitches(self) -> Column:
        """[128] the token of each pitch, 0 where there is none."""
        if self._pitches is None:
            found, tokenizer = np.zeros(128, dtype=np.int64), self.tokenizer
            pitch = np.array([tokenizer.roles.get(name) == "pitch" for name in tokenizer.grammar.types])
            for number in range(128):
                one = CellNotes(np.zeros(1), np.ones(1), np.array([number]), np.array([64]))
                ids, _ = tokenizer.cell(BarShape(4, 120), self.tracks[0][1], one, first=True)
                told = ids[pitch[tokenizer.grammar.type_of[ids]]]
                found[number] = told[0] if len(told) else 0
            self._pitches = found
        return self._pitches


def _none() -> CellNotes:
    times, numbers = np.zeros(0), np.zeros(0, dtype=np.int64)
    return CellNotes(times, times, numbers, numbers)
