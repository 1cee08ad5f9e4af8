"""The events of a MIDI file as columns, fast enough to look at every file beside the library that reads its notes.

Most events of a track have two data bytes, and stretches of them are found at once (`lows`). What is not of that kind
(meta events, system exclusives, programs, damage) is read byte by byte, and ends a stretch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from diffmidi_core.music.events import NOTE_OFF, NOTE_ON, Bytes, Events
from diffmidi_core.music.lows import DELTA, FIRST, LONGEST_DELTA, SECOND, Lows, Run
from diffmidi_core.music.notes import INT32_MAX, Column

END = b"\xff\x2f\x00"
_DATA_BYTES = {8: 2, 9: 2, 10: 2, 11: 2, 12: 1, 13: 1, 14: 2}
_SYSTEM = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, **dict.fromkeys(range(0xF8, 0xFF), 0)}
"""Data bytes of messages that have no place in a file; what they are followed by can still be read."""


class DamagedError(Exception):
    """The events of a track cannot be followed; `reason` is that of the refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Other(NamedTuple):
    """An event of another kind, by where its delta time begins and ends, and its bytes; `b""` where it is left out."""

    start: int
    delta: int
    event: bytes


@dataclass
class Track:
    """A track: where its events begin, where the last of them (its End-of-Track) ends, and what they are."""

    begin: int
    end: int
    runs: list[Run] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    ended: bool = False
    left_out: int = 0
    after_sysex: bool = False


class Scan:
    """All tracks of a file. Raises DamagedError where their events cannot be followed, or end too soon.

    Attributes:
        tracks: those that are there, however many the header counts.
        long: whether a track says that it is longer than it is: it has its End-of-Track nonetheless.
        whole: whether the file holds nothing else but what it says, so that any program reads the same.
    """

    def __init__(self, data: bytes, at: int, announced: int) -> None:
        self.data = data
        self.bytes = np.frombuffer(data, dtype=np.uint8)
        self.tracks: list[Track] = []
        self.long = False
        self.whole = True
        self._read(at, announced)

    @property
    def left_out(self) -> int:
        """How many events are left out, because they hold bytes that are not MIDI."""
        return sum(track.left_out for track in self.tracks)

    @property
    def after_sysex(self) -> bool:
        """Whether a running status goes on after a system exclusive, of which readers make different things."""
        return any(track.after_sysex for track in self.tracks)

    @property
    def count(self) -> int:
        """How many `events` there are."""
        return sum(run.length for track in self.tracks for run in track.runs)

    @cached_property
    def events(self) -> Events:
        """Those of two data bytes, of all tracks."""
        return Events(self.bytes, self._lows, [track.runs for track in self.tracks])

    def channels(self) -> list[set[int]]:
        """Of each track that has `events` their channels."""
        return [
            {status & 15 for run in track.runs for status in (run.status, *set(self._written(run).tolist()))}
            for track in self.tracks
            if track.runs
        ]

    def ticks(self) -> tuple[Column, list[list[int]]]:
        """[N] ticks of `events`, and of each track those of its `others`. Raises DamagedError past 2^31."""
        told, others = [np.empty(0, dtype=np.int64)], []
        for track in self.tracks:
            starts = [np.array([other.start for other in track.others], dtype=np.int64)]
            deltas = [np.array([other.delta for other in track.others], dtype=np.int64)]
            for run in track.runs:
                deltas.append(self._lows.places(run, DELTA))
                starts.append(np.append(run.start, self._lows.places(run, SECOND)[:-1] + 1))
            start, delta = (np.concatenate(part) for part in (starts, deltas))
            order = np.argsort(delta)
            ticks = np.empty(len(order), dtype=np.int64)
            ticks[order] = np.cumsum(self._delta_times(start[order], delta[order]))
            if len(ticks) and ticks.max() > INT32_MAX:
                raise DamagedError("time_overflow")
            others.append(ticks[: len(track.others)].tolist())
            told.append(ticks[len(track.others) :])
        return np.concatenate(told), others

    def _delta_times(self, start: Column, end: Column) -> Column:
        value = self.bytes[end].astype(np.int64)
        for back in range(1, LONGEST_DELTA):
            more = end - back >= start
            if not more.any():
                break
            value[more] |= (self.bytes[end[more] - back].astype(np.int64) & 127) << 7 * back
        return value

    def _read(self, at: int, announced: int) -> None:
        data, alien = self.data, False
        while at < len(data):
            missing = len(self.tracks) < announced
            left = len(data) - at - 8
            kind, length = struct.unpack_from(">4sI", data, at) if left >= 0 else (b"", 0)
            if kind == b"MTrk":
                at = self._chunk(at + 8, at + 8 + length)
            elif kind == b"MThd" or not (missing or (kind.isascii() and kind.decode("ascii").isprintable() and kind)):
                break  # another file, or what is no chunk
            elif length > left or left < 0:
                if missing:
                    raise DamagedError("truncated")
                break
            else:
                at, alien = at + 8 + length, True
        if alien and len(self.tracks) < announced:
            # Perhaps a track whose name is damaged.
            raise DamagedError("corrupt")
        self.whole &= at == len(data) and len(self.tracks) == announced

    def _chunk(self, begin: int, end: int) -> int:
        """Read a track that says that it goes from `begin` to `end`; where the next chunk begins."""
        cut = end > len(self.data)
        try:
            track = self._walked(begin, min(end, len(self.data)))
        except DamagedError:
            raise DamagedError("truncated" if cut else "corrupt") from None
        if cut and not track.ended:
            raise DamagedError("truncated")
        if track.left_out and not (track.ended and track.end == end):
            # What was left out may have been more than it seemed.
            raise DamagedError("truncated" if cut else "corrupt")
        self.tracks.append(track)
        if track.ended and track.end < end and (cut or self.data[track.end : track.end + 4] == b"MTrk"):
            self.long, self.whole = True, False
            return track.end
        return end

    def _walked(self, at: int, end: int) -> Track:
        data, track = self.data, Track(at, at)
        status, sysex = 0, False
        while at < end:
            start = at
            while at < end and data[at] >= 0x80:
                at += 1
            delta, at = at, at + 1
            if at >= end or at - start > LONGEST_DELTA:
                raise DamagedError("corrupt")
            first = data[at]
            if first >= 0xF0:
                begin, at = at, after_system(data, at, end)
                is_meta = first == 0xFF
                sysex |= not is_meta
                is_end = is_meta and data[begin + 1] == END[1]
                track.left_out += first in _SYSTEM
                track.others.append(Other(start, delta, data[begin:at] if is_meta and not is_end else b""))
                if is_end:
                    track.ended = True
                    break
                continue
            if first >= 0x80:
                status, sysex, at = first, False, at + 1
            elif not status and track.runs:
                status = self._last_status(track.runs[-1])
            elif not status:
                raise DamagedError("corrupt")
            track.after_sysex |= sysex
            size = _DATA_BYTES[status >> 4]
            told = data[at : at + size]
            if at + size > end:
                raise DamagedError("corrupt")
            if size == 2 and told.isascii():
                track.runs.append(self._lows.run(start, delta, end, status))
                at, status = self._lows.end(track.runs[-1]), 0
                continue
            at += size
            if told.isascii():
                track.others.append(Other(start, delta, bytes([status]) + told))
                continue
            track.left_out += 1
            if status >> 4 == NOTE_ON or (status >> 4 == NOTE_OFF and told[0] >= 0x80):
                raise DamagedError("corrupt")
            # How fast a key is let go is not kept; that it is let go is.
            kept = bytes([status, told[0], 64]) if status >> 4 == NOTE_OFF else b""
            track.others.append(Other(start, delta, kept))
        track.end = at
        return track

    def _last_status(self, run: Run) -> int:
        statuses = self._written(run)
        return int(statuses[-1]) if len(statuses) else run.status

    def _written(self, run: Run) -> Bytes:
        """The status bytes that stand in a run, but for its first."""
        delta, place = (self._lows.places(run, which)[1:] for which in (DELTA, FIRST))
        said: Bytes = self.bytes[place[place - delta == 2] - 1]
        return said

    @cached_property
    def _lows(self) -> Lows:
        return Lows(self.bytes)


def after_system(data: bytes, at: int, end: int) -> int:
    """Where a meta event, a system exclusive or another system message ends, which begins at `at`."""
    kind = data[at]
    if kind in _SYSTEM:
        at += 1 + _SYSTEM[kind]
    elif kind in (0xF0, 0xF7, 0xFF):
        at += 1 + (kind == 0xFF)
        length = 0
        for _ in range(LONGEST_DELTA):
            byte = data[at] if at < end else 0x80
            at, length = at + 1, length << 7 | byte & 127
            if byte < 0x80:
                break
        else:
            raise DamagedError("corrupt")
        at += length
    else:
        raise DamagedError("corrupt")
    if at > end:
        raise DamagedError("corrupt")
    return at
