"""Rework: notes that stay as many as they are, with some of what they are drawn anew.

A lock keeps rhythm, pitches or velocities, and all else of the notes is drawn; or every token is masked with a
probability (`strength`), as masked diffusion does at a level of noise, and drawn back. What of a note is not masked, or
comes back as it was, stays as the file has it, to the tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.roles import tells
from diffmidi_core.contracts.tokenizer import Ids, Role, Tokenizer
from diffmidi_core.music.notes import Column
from diffmidi_core.steer.patching import NewNotes
from diffmidi_core.steer.user_file import UserFile

LOCKS: Mapping[str, tuple[Role, ...]] = {
    "rhythm": ("time", "duration"),
    "pitches": ("pitch",),
    "velocity": ("velocity",),
}
"""What each lock keeps of a note, by the roles of tokens."""
NOTHING_LEFT = (
    "nothing of the notes there is left to be drawn: name a region with notes, lock less, or raise --strength."
)
RANGE = "range"
"""The lock by which new pitches stay between the lowest and the highest that stood in the region."""


class Reworked(NamedTuple):
    """A cell whose notes are reworked.

    Attributes:
        part, begin: whose notes, by place, and the tick of the bar line.
        rows: [M] which notes of the file its tokens are.
        inside: [M] which of them are in the region.
        ids: its text as the file has it; `opening` is the head of a first cell in such a bar.
    """

    part: int
    begin: int
    rows: Column
    inside: NDArray[np.bool_]
    ids: Ids
    opening: Ids


@dataclass(frozen=True)
class Masking:
    """Which tokens of reworked notes are masked.

    Attributes:
        locks: names of LOCKS, and RANGE; what they keep is never masked.
        strength: the probability with which every other token is.
        seed: of the draw by which that is decided.
    """

    locks: frozenset[str] = frozenset()
    strength: float = 1.0
    seed: int = 0

    @property
    def reworks(self) -> bool:
        """Whether notes stay as many as they are."""
        return self.strength < 1 or bool(self.locks - {RANGE})

    def masked(self, ids: Ids, inside: NDArray[np.bool_], tokenizer: Tokenizer, key: Sequence[int]) -> Ids:
        """A cell's text with [MASK]; `inside` [M] are the notes that may change, `key` names the cell."""
        kept = {role for lock in self.locks for role in LOCKS.get(lock, ())}
        free = np.array([tokenizer.roles.get(name) not in {*kept, None} for name in tokenizer.grammar.types])
        notes = tokenizer.note_of(ids)
        assert notes is not None
        draws = np.random.default_rng([self.seed, *key]).random(len(ids))
        masked = (notes >= 0) & free[tokenizer.types(ids)] & (draws < self.strength)
        masked &= np.append(inside, False)[notes]
        return np.where(masked, tokenizer.mask_id, ids).astype(np.int32)


def notes_of(
    cells: Sequence[Reworked], texts: Sequence[Ids], file: UserFile, tokenizer: Tokenizer
) -> tuple[NewNotes, Column]:
    """The notes that came out otherwise than they were, and [N] which notes of the file each stands for."""
    reader = _Reader(tokenizer, file.ticks)
    rows: list[int] = []
    found: list[tuple[int, ...]] = []
    for cell, text in zip(cells, texts, strict=True):
        before, after = reader.read(cell, cell.ids), reader.read(cell, text)
        for row, inside, old, new in zip(cell.rows.tolist(), cell.inside.tolist(), before, after, strict=True):
            if not inside or old == new:
                continue
            notes = file.notes
            there = (notes.onset[row], notes.duration[row], notes.pitch[row], notes.velocity[row])
            onset, duration, pitch, velocity = (
                int(stood) if was == now else now for stood, was, now in zip(there, old, new, strict=True)
            )
            if new[0] != old[0]:
                onset += cell.begin
            rows.append(row)
            found.append((cell.part, onset, max(duration, 1), pitch, velocity))
    table = np.array(found, dtype=np.int64).reshape(-1, 5)
    return NewNotes(*table.T), np.array(rows, dtype=np.int64)


class _Reader:
    """Reads cells note by note."""

    def __init__(self, tokenizer: Tokenizer, ticks: int) -> None:
        self.tokenizer, self.ticks = tokenizer, ticks
        passed = tokenizer.steps_passed()
        assert passed is not None
        time = tells(tokenizer, "time")
        self._passed, self._is_time = passed, time
        self._token_of = {int(passed[token]): int(token) for token in np.flatnonzero(time)}
        self._known: dict[bytes, tuple[int, int, int, int]] = {}

    def read(self, cell: Reworked, text: Ids) -> list[tuple[int, int, int, int]]:
        """Onset since the bar line and duration in ticks, pitch and velocity of each note."""
        group, steps, told = self.tokenizer.group, 0, []
        for note in text[len(cell.opening) :].reshape(-1, group):
            alone = note.copy()
            steps += int(self._passed[note].sum())
            alone[self._is_time[note]] = self._token_of.get(steps, max(self._token_of.values()))
            told.append(self._one(np.concatenate([cell.opening, alone]).astype(np.int32)))
        return told

    def _one(self, ids: Ids) -> tuple[int, int, int, int]:
        key = ids.tobytes()
        if key not in self._known:
            score = self.tokenizer.decode(ids)
            note = next(note for track in score.tracks for note in track.notes)
            scale = self.ticks / score.ticks_per_quarter
            self._known[key] = round(note.time * scale), round(note.duration * scale), note.pitch, note.velocity
        return self._known[key]
