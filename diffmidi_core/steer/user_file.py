"""UserFile: a MIDI file of somebody's as its events and notes, each note knowing the events that it is made of.

A score is made of a file by leaving out what music does not need. What is to be written back keeps all of it, so here
the events themselves are the file, and notes point at them: by the place in the file where an event's delta time ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from symusic.core import NoteTickList, ScoreTick, TrackTick

from diffmidi_core.music.container import MAX_BYTES, Header, header_of, unwrapped
from diffmidi_core.music.notes import Column, Score
from diffmidi_core.music.pairing import Release, Stream, Strike, end_of, settle
from diffmidi_core.music.reading import bytes_of, printable, read_midi_bytes
from diffmidi_core.music.rewriting import last_ticks, silences_of, streams_of
from diffmidi_core.music.scan import END, Scan, Track, after_system

DRUMS = 9
NOWHERE = -1
"""In place of a note-off that is not there."""
_PROGRAM, _NAME = 0xC, b"\xff\x03"


class Event(NamedTuple):
    """An event: its tick, where in the file its delta time ends, and its bytes, the status among them."""

    tick: int
    place: int
    data: bytes


@dataclass(frozen=True)
class Part:
    """Notes of one channel in one track of the file.

    Attributes:
        number: as the user counts, from 1 on; 0 for drums, which have no number.
        track, channel: in the file, from 0 on.
        program: of its first note.
        notes: how many it has.
    """

    number: int
    name: str
    track: int
    channel: int
    program: int
    notes: int

    @property
    def is_drum(self) -> bool:
        """Whether it is General MIDI's channel of drums."""
        return self.channel == DRUMS

    def __str__(self) -> str:
        name = printable(self.name.strip()) or "(no name)"
        return f"{'drums' if self.is_drum else self.number} {name}"


@dataclass(frozen=True)
class FileNotes:
    """Notes as columns [N], by onset, then part and pitch, in ticks of the file.

    Attributes:
        part: places among `UserFile.parts`.
        on, off: the places of the events; `off` is NOWHERE where no note-off lets the key go.
    """

    part: Column
    onset: Column
    duration: Column
    pitch: Column
    velocity: Column
    on: Column
    off: Column

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def end(self) -> Column:
        """When keys are let go."""
        return self.onset + self.duration


class UserFile:
    """A file.

    Attributes:
        data: its bytes, unpacked.
        name: what messages call it.
        score: as `read_midi` reads it, for tempi and metres.
        ticks: in a quarter note.
        parts: in the order of the file; drums among them.
        notes: of all parts.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.data = unwrapped(data, name, MAX_BYTES)
        self.score = read_midi_bytes(data, name)
        self.header: Header = header_of(self.data, name)
        self.scan = Scan(self.data, self.header.length, self.header.tracks)
        self.ticks = self.header.division
        self.parts, self.notes = _read(self.scan, self.ticks, [self.events(track) for track in self.tracks])

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises RefusedError, as `read_midi`."""
        return cls(bytes_of(path), printable(path))

    @property
    def tracks(self) -> range:
        """Of the file, by number."""
        return range(len(self.scan.tracks))

    def events(self, track: int) -> list[Event]:
        """All events of a track but its End-of-Track, in order. Those that are not MIDI are left out."""
        return self._events[track]

    def chunk(self, track: int) -> tuple[int, int]:
        """Where in the file the events of a track begin and where its chunk ends."""
        found = self.scan.tracks[track]
        end = found.begin + int.from_bytes(self.data[found.begin - 4 : found.begin], "big")
        cut = end > len(self.data) or (track + 1 in self.tracks and end > self.scan.tracks[track + 1].begin - 8)
        return found.begin, found.end if cut or self.data[found.end : found.end + 4] == b"MTrk" else end

    def last_tick(self, track: int) -> int:
        """When a track ends."""
        return self._last[track]

    def as_score(self) -> Score:
        """A track for each part, with its notes, and the tempi and metres of the file."""
        score = ScoreTick(self.ticks)
        score.tempos, score.time_signatures = self.score.tempos, self.score.time_signatures
        for number, part in enumerate(self.parts):
            own = self.notes.part == number
            track = TrackTick(part.name, part.program, part.is_drum)
            columns = (self.notes.onset, self.notes.duration, self.notes.pitch, self.notes.velocity)
            kinds = (np.int32, np.int32, np.int8, np.int8)
            track.notes = NoteTickList.from_numpy(
                *(column[own].astype(kind) for column, kind in zip(columns, kinds, strict=True))
            )
            score.tracks.append(track)
        return score

    @cached_property
    def silences(self) -> Mapping[int, Sequence[int]]:
        """By channel the ticks at which every key of it is let go at once, rising."""
        return silences_of(self.scan, self._timed[0])

    @cached_property
    def _timed(self) -> tuple[Column, list[list[int]]]:
        return self.scan.ticks()

    @cached_property
    def _last(self) -> list[int]:
        return last_ticks(self.scan, *self._timed)

    @cached_property
    def _events(self) -> list[list[Event]]:
        ticks, others = self._timed
        found: list[list[Event]] = [[] for _ in self.tracks]
        events = self.scan.events
        rows = (events.track, ticks, events.delta, events.status, events.first, events.second)
        for number, tick, place, *data in zip(*(row.tolist() for row in rows), strict=True):
            found[number].append(Event(tick, place, bytes(data)))
        for number, (times, track) in enumerate(zip(others, self.scan.tracks, strict=True)):
            for tick, other in zip(times, track.others, strict=True):
                if event := self._of_other(track, other.delta, other.event):
                    found[number].append(Event(tick, other.delta, event))
        return [sorted(some, key=lambda event: event.place) for some in found]

    def _of_other(self, track: Track, place: int, event: bytes) -> bytes:
        if event or self.data[place + 1] < 0xF0:
            return event
        found = self.data[place + 1 : after_system(self.data, place + 1, track.end)]
        return b"" if found[:2] == END[:2] else found


def _read(scan: Scan, division: int, events: Sequence[Sequence[Event]]) -> tuple[tuple[Part, ...], FileNotes]:
    ticks, others = scan.ticks()
    last, silences = last_ticks(scan, ticks, others), silences_of(scan, ticks)
    rows: list[tuple[int, ...]] = []
    for (channel, pitch), streams in streams_of(scan, ticks, others).items():
        settle(streams, silences.get(channel, ()))
        releases = _Releases(streams)
        for track, stream in streams.items():
            for strike in stream:
                if isinstance(strike, Release):
                    continue
                end = end_of(strike, last[track], division)
                off = releases.of(track, strike) if strike.released else NOWHERE
                rows.append((track, channel, strike.tick, end, pitch, strike.velocity, strike.place, off))
    table = np.array(rows, dtype=np.int64).reshape(-1, 8)
    table = table[np.lexsort((table[:, 6], table[:, 4], table[:, 1], table[:, 0], table[:, 2]))]
    keys, part = np.unique(table[:, 0] * 16 + table[:, 1], return_inverse=True)
    parts, number = [], 0
    for place, key in enumerate(keys.tolist()):
        track, channel = divmod(key, 16)
        own = part == place
        number += channel != DRUMS
        parts.append(
            Part(
                0 if channel == DRUMS else number,
                _name(events[track]),
                track,
                channel,
                _program(events, track, channel, int(table[own, 6].min())),
                int(np.count_nonzero(own)),
            )
        )
    columns = (part.astype(np.int64), table[:, 2], table[:, 3] - table[:, 2], *table[:, 4:].T)
    return tuple(parts), FileNotes(*columns)


class _Releases:
    """Which note-off let go of which strike of a key: each of one, as long as there are enough."""

    def __init__(self, streams: dict[int, Stream]) -> None:
        self._at: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._tracks = list(streams)
        self._used: set[int] = set()
        for track, stream in streams.items():
            for event in stream:
                if isinstance(event, Release):
                    self._at[track, event.tick].append(event.place)

    def of(self, track: int, strike: Strike) -> int:
        """The place of the note-off; NOWHERE where none is found."""
        assert strike.end is not None
        own = [place for place in self._at[track, strike.end] if place > strike.place]
        elsewhere = [place for other in self._tracks if other != track for place in self._at[other, strike.end]]
        found = [*own, *elsewhere]
        place = next((place for place in found if place not in self._used), found[0] if found else NOWHERE)
        self._used.add(place)
        return place


def _name(events: Sequence[Event]) -> str:
    found = next((event.data for event in events if event.data[:2] == _NAME), b"")
    if not found:
        return ""
    size = next(place for place in range(2, len(found)) if found[place] < 0x80)
    text = found[size + 1 :]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _program(events: Sequence[Sequence[Event]], track: int, channel: int, first: int) -> int:
    """The program of a channel in a track, whose first note stands at `first`; that of another track otherwise."""

    def changes(number: int) -> list[Event]:
        return [event for event in events[number] if event.data[0] == _PROGRAM << 4 | channel]

    own = changes(track)
    before = [event for event in own if event.place < first] or own
    other = [event for number in range(len(events)) if number != track for event in changes(number)]
    found = before[-1:] or other[:1]
    return found[0].data[1] if found else 0
