"""Patching: notes of a user's file taken out and new ones put in, everything else event by event as it was.

Tracks in which nothing changes stay byte for byte. In the others every event that belongs to no such note keeps its
tick, its bytes and its place among the others; running status is written out. A new note never cuts one that is kept:
it is left out where its key is down already, and is let go where its key is struck again.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.events import NOTE_OFF, NOTE_ON
from diffmidi_core.music.notes import INT32_MAX, Column
from diffmidi_core.music.rewriting import FAR, NOTHING, delta_time
from diffmidi_core.music.scan import END
from diffmidi_core.steer.user_file import NOWHERE, Event, FileNotes, UserFile

_OFF, _KEPT, _ON = range(3)
"""What of one tick comes first: new note-offs, what stood there, new note-ons."""
Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class NewNotes:
    """Notes to be put in, as columns [N] like those of `FileNotes`."""

    part: Column
    onset: Column
    duration: Column
    pitch: Column
    velocity: Column

    def __len__(self) -> int:
        return len(self.onset)

    def __getitem__(self, rows: Rows | Column) -> NewNotes:
        return NewNotes(self.part[rows], self.onset[rows], self.duration[rows], self.pitch[rows], self.velocity[rows])

    @classmethod
    def none(cls) -> NewNotes:
        """No notes."""
        return cls(*(np.zeros(0, dtype=np.int64) for _ in range(5)))


@dataclass(frozen=True)
class Patched:
    """A file with new notes.

    Attributes:
        data: its bytes.
        new: the notes that were put in.
        left_out: how many were not, because their key was down.
        shortened: how many are let go earlier, because their key is struck again.
    """

    data: bytes
    new: NewNotes
    left_out: int
    shortened: int


def patched(file: UserFile, removed: Rows, new: NewNotes) -> Patched:
    """The file without the notes `removed` [N], and with `new` ones.

    Raises DiffmidiError where that cannot be, as the file's note-ons and note-offs do not fit together.
    """
    fitting, left_out, shortened = _beside_kept(file, removed, new)
    data = _written(file, removed, fitting)
    _check(file, removed, fitting, data)
    return Patched(data, fitting, left_out, shortened)


def _beside_kept(file: UserFile, removed: Rows, new: NewNotes) -> tuple[NewNotes, int, int]:
    """New notes that leave the kept ones alone; how many are left out, and how many are shorter."""
    notes, kept = file.notes, ~removed
    channels = np.array([part.channel for part in file.parts])
    tracks = np.array([part.track for part in file.parts])
    down: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    columns = (channels[notes.part] * 128 + notes.pitch, notes.onset, notes.end, tracks[notes.part])
    for key, onset, end, track in zip(*(column[kept].tolist() for column in columns), strict=True):
        down[key].append((onset, end, track))
    order = np.lexsort((-new.duration, new.onset))
    duration, taken, shortened = np.maximum(new.duration, 1), np.zeros(len(new), dtype=bool), 0
    sounding: dict[int, int] = {}
    for row in order.tolist():
        key = int(channels[new.part[row]] * 128 + new.pitch[row])
        onset, track = int(new.onset[row]), int(tracks[new.part[row]])
        if any(begin <= onset < max(end, begin + 1) for begin, end, _ in down[key]):
            continue
        before = sounding.get(key)
        if before is not None and new.onset[before] == onset:
            continue
        # In another track the order of one tick is nobody's, so the key is let go a tick before.
        limit = min((begin - (other != track) for begin, _, other in down[key] if begin > onset), default=INT32_MAX)
        silences = file.silences.get(key // 128, ())
        limit = min([limit, *silences[bisect_right(silences, onset) :][:1]])
        if limit <= onset:
            continue
        if before is not None and new.onset[before] + duration[before] > onset:
            duration[before] = onset - new.onset[before]
            shortened += 1
        if onset + duration[row] > limit:
            duration[row] = limit - onset
            shortened += 1
        sounding[key], taken[row] = row, True
    rows = np.flatnonzero(taken)
    fitting = NewNotes(new.part[rows], new.onset[rows], duration[rows], new.pitch[rows], new.velocity[rows])
    return fitting, len(new) - len(rows), shortened


def _written(file: UserFile, removed: Rows, new: NewNotes) -> bytes:
    gone = _gone(file.notes, removed)
    added = _added(file, removed, new, gone)
    changed = {track for track in file.tracks if any(event.place in gone for event in file.events(track))}
    changed |= set(added)
    out, at = [], 0
    for track in sorted(changed):
        begin, end = file.chunk(track)
        body = _body(file, track, gone, added.get(track, []))
        out += [file.data[at : begin - 4], struct.pack(">I", len(body)), body]
        at = end
    return b"".join([*out, file.data[at:]])


def _gone(notes: FileNotes, removed: Rows) -> set[int]:
    """The places of events that only notes are made of that are removed."""
    still = set(notes.off[~removed].tolist()) | {NOWHERE}
    return set(notes.on[removed].tolist()) | (set(notes.off[removed].tolist()) - still)


Added = tuple[int, int, bytes]
"""An event that is written anew: tick, which goes first on a tick, bytes."""


def _added(file: UserFile, removed: Rows, new: NewNotes, gone: set[int]) -> Mapping[int, list[Added]]:
    """By track: the new notes, and note-offs for kept keys that nothing in the file would let go any more."""
    found: dict[int, list[Added]] = defaultdict(list)

    def add(part: int, tick: int, order: int, status: int, pitch: int, velocity: int) -> None:
        where = file.parts[part]
        found[where.track].append((tick, order, bytes((status << 4 | where.channel, pitch, velocity))))

    columns = (new.part, new.onset, new.duration, new.pitch, new.velocity)
    for part, onset, duration, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        add(part, onset, _ON, NOTE_ON, pitch, velocity)
        add(part, onset + duration, _OFF, NOTE_OFF, pitch, 64)
    notes = file.notes
    channels = np.array([part.channel for part in file.parts])
    touched = set((channels[notes.part[removed]] * 128 + notes.pitch[removed]).tolist())
    touched |= set((channels[new.part] * 128 + new.pitch).tolist())
    last = {track: max((tick for tick, *_ in some), default=0) for track, some in found.items()}
    for row in np.flatnonzero(~removed & (notes.off == NOWHERE)).tolist():
        part = int(notes.part[row])
        track, end = file.parts[part].track, int(notes.end[row])
        moved = end >= file.last_tick(track) and last.get(track, 0) > file.last_tick(track)
        if int(channels[part]) * 128 + int(notes.pitch[row]) in touched or moved:
            add(part, end, _OFF, NOTE_OFF, int(notes.pitch[row]), 64)
    return found


def _body(file: UserFile, track: int, gone: set[int], added: list[Added]) -> bytes:
    """The events of a track, and what stood in its chunk behind them."""
    kept = [event for event in file.events(track) if event.place not in gone]
    rows = [(event.tick, _KEPT, place, event.data) for place, event in enumerate(kept)]
    rows += [(tick, order, place, data) for place, (tick, order, data) in enumerate(sorted(added))]
    rows.sort(key=lambda row: row[:3])
    if file.scan.tracks[track].ended:
        rows.append((max(file.last_tick(track), rows[-1][0] if rows else 0), _ON, 0, END))
    out, now = [], 0
    for tick, _, _, data in rows:
        while tick - now > FAR:
            out.append(delta_time(FAR) + NOTHING)
            now += FAR
        out.append(delta_time(tick - now) + data)
        now = tick
    end = file.chunk(track)[1]
    return b"".join([*out, file.data[file.scan.tracks[track].end : end]])


def _check(file: UserFile, removed: Rows, new: NewNotes, data: bytes) -> None:
    """Raise DiffmidiError unless what was written is read as meant. Without a note nothing can be read."""
    if removed.all() and not len(new):
        return
    parts = [(part.track, part.channel) for part in file.parts]
    meant = _told(parts, file.notes, ~removed) + _told(parts, new, np.ones(len(new), dtype=bool))
    again = UserFile(data, file.name)
    found = _told([(part.track, part.channel) for part in again.parts], again.notes, np.ones(len(again.notes), bool))
    if sorted(meant) != sorted(found):
        raise DiffmidiError(
            f"the note-ons and note-offs of {file.name} do not fit together, so that other notes would change as well: "
            "export it again, or choose another region."
        )


def _told(parts: list[tuple[int, int]], notes: FileNotes | NewNotes, rows: Rows) -> list[tuple[int, ...]]:
    columns = (notes.onset, notes.duration, notes.pitch, notes.velocity)
    told = zip(*(column[rows].tolist() for column in columns), strict=True)
    return [(*parts[part], *note) for part, note in zip(notes.part[rows].tolist(), told, strict=True)]


def others(file: UserFile) -> list[list[Event]]:
    """Of each track the events that are no note's, as ticks and bytes."""
    return [[event for event in file.events(track) if event.data[0] >> 4 > NOTE_ON] for track in file.tracks]
