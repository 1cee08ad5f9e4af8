"""The second reader: a file that programs read differently, written anew so that all read every note that stands in it.

It is asked where the notes that were read are not as many as the note-ons in the file, and where events have to be left
out. What it writes has a note-off for each note-on, in its own track, no running status, and none but legal events.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from diffmidi_core.music.container import packed
from diffmidi_core.music.events import NOTE_OFF, NOTE_ON
from diffmidi_core.music.notes import Column
from diffmidi_core.music.pairing import Release, Stream, Strike, end_of, settle
from diffmidi_core.music.scan import END, Scan

_OFF_FIRST, _AS_WRITTEN, _OFF_LAST = range(3)
"""Events of one tick: a key is let go before it is struck again, unless it is struck and let go at once."""
FAR = 0x0FFFFFFF
NOTHING = b"\xff\x01\x00"

Written = tuple[int, int, int, bytes]
"""An event: tick, which goes first on a tick, where in the file, and its bytes."""
Streams = dict[tuple[int, int], dict[int, Stream]]
"""By channel and pitch, and then by track."""


@dataclass(frozen=True)
class Rewritten:
    """A file written anew.

    Attributes:
        data: its bytes.
        unreleased: how many keys no note-off let go.
        spare: how many note-offs let nothing go.
    """

    data: bytes
    unreleased: int
    spare: int


def rewritten(scan: Scan, division: int) -> Rewritten:
    """Write a scanned file anew. Raises DamagedError where it lasts longer than 2^31 ticks.

    A key that nothing lets go sounds to the end of its track, or a quarter note where the track ends as it is struck.
    """
    ticks, others = scan.ticks()
    last = last_ticks(scan, ticks, others)
    silences, unreleased, spare = silences_of(scan, ticks), 0, 0
    tracks = _unchanged(scan, ticks, others)
    for (channel, pitch), streams in streams_of(scan, ticks, others).items():
        spare += settle(streams, silences.get(channel, ()))
        for track, stream in streams.items():
            for strike in stream:
                if isinstance(strike, Release):
                    continue
                end = end_of(strike, last[track], division)
                unreleased += not strike.released
                on = bytes((NOTE_ON << 4 | channel, pitch, strike.velocity))
                off = bytes((NOTE_OFF << 4 | channel, pitch, 64))
                tracks[track].append((strike.tick, _AS_WRITTEN, strike.place, on))
                tracks[track].append((end, _OFF_FIRST if end > strike.tick else _OFF_LAST, strike.place, off))
    bodies = [_body(sorted(track), end) for track, end in zip(tracks, last, strict=True)]
    return Rewritten(packed(bodies, division), unreleased, spare)


def silences_of(scan: Scan, ticks: Column) -> dict[int, list[int]]:
    """By channel, when every key of it is let go at once, whatever track says so; `ticks` are those of its events."""
    events = scan.events
    told: dict[int, set[int]] = defaultdict(set)
    for tick, channel in zip(ticks[events.silences].tolist(), events.channel[events.silences].tolist(), strict=True):
        told[channel].add(tick)
    return {channel: sorted(found) for channel, found in told.items()}


def last_ticks(scan: Scan, ticks: Column, others: list[list[int]]) -> list[int]:
    """Of each track, when it ends."""
    last = np.array([max(found, default=0) for found in others], dtype=np.int64)
    np.maximum.at(last, scan.events.track, ticks)
    return [int(tick) for tick in last]


def streams_of(scan: Scan, ticks: Column, others: list[list[int]]) -> Streams:
    """What happens to each key, in the order of each track."""
    events = scan.events
    streams: Streams = defaultdict(lambda: defaultdict(list))
    notes = events.status >> 4 <= NOTE_ON
    rows = (events.track, ticks, events.delta, events.status, events.first, events.second)
    for track, tick, place, status, pitch, velocity in zip(*(row[notes].tolist() for row in rows), strict=True):
        strikes = status >> 4 == NOTE_ON and velocity > 0
        event = Strike(tick, place, velocity) if strikes else Release(tick, place)
        streams[status & 15, pitch][track].append(event)
    for track, times in enumerate(others):
        for tick, other in zip(times, scan.tracks[track].others, strict=True):
            if other.event and other.event[0] >> 4 == NOTE_OFF:
                stream = streams[other.event[0] & 15, other.event[1]][track]
                stream.append(Release(tick, other.delta))
                stream.sort(key=lambda event: event.place)
    return streams


def _unchanged(scan: Scan, ticks: Column, others: list[list[int]]) -> list[list[Written]]:
    """Of each track, all events that are no note's."""
    events = scan.events
    tracks: list[list[Written]] = [
        [
            (tick, _AS_WRITTEN, other.delta, other.event)
            for tick, other in zip(times, track.others, strict=True)
            if other.event and other.event[0] >> 4 != NOTE_OFF
        ]
        for track, times in zip(scan.tracks, others, strict=True)
    ]
    rest = events.status >> 4 > NOTE_ON
    rows = (events.track, ticks, events.delta, events.status, events.first, events.second)
    for track, tick, place, *event in zip(*(row[rest].tolist() for row in rows), strict=True):
        tracks[track].append((tick, _AS_WRITTEN, place, bytes(event)))
    return tracks


def _body(events: list[Written], end: int) -> bytes:
    out, now = [], 0
    for tick, _, _, event in [*events, (max(end, events[-1][0] if events else 0), _OFF_LAST, 0, END)]:
        while tick - now > FAR:
            out.append(delta_time(FAR) + NOTHING)
            now += FAR
        out.append(delta_time(tick - now) + event)
        now = tick
    return b"".join(out)


def delta_time(ticks: int) -> bytes:
    """As a file writes it: seven bits a byte, those of all but the last with their high bit set."""
    told = [ticks & 127]
    while ticks := ticks >> 7:
        told.append(ticks & 127 | 128)
    return bytes(reversed(told))
