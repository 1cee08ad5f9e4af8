"""Events as columns: the same as mido reads them one by one, and what is no event is told."""

from __future__ import annotations

import io
from typing import Any

import mido
import numpy as np
import pytest

from diffmidi_core.music.notes import INT32_MAX
from diffmidi_core.music.scan import DamagedError, Scan

from .test_reading import END, LONG, NOTE, NOTE_ON, TEMPO, chunk, header, track

SYSEX = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"


def scanned(*chunks: bytes, announced: int = 1) -> Scan:
    return Scan(header(1, announced) + b"".join(chunks), 14, announced)


def told(scan: Scan) -> list[tuple[int, int, int, int, int]]:
    """Track, tick, status and data of every event of two data bytes."""
    events = scan.events
    rows = (events.track, scan.ticks()[0], events.status, events.first, events.second)
    return sorted(zip(*(row.tolist() for row in rows), strict=True))


def random_file(seed: int) -> mido.MidiFile:
    """All kinds of events, in any order, with delta times of one to four bytes."""
    random = np.random.default_rng(seed)
    file = mido.MidiFile(type=1)
    for _ in range(random.integers(1, 4)):
        track = mido.MidiTrack()
        for _ in range(random.integers(0, 60)):
            at = {"time": int(2 ** random.uniform(0, 24)) - 1}
            on = {"channel": int(random.integers(0, 3)), **at}
            one, two = random.integers(0, 128, 2).tolist()
            kinds: dict[str, dict[str, Any]] = {
                "note_on": {"note": one, "velocity": two, **on},
                "note_off": {"note": one, "velocity": two, **on},
                "control_change": {"control": one, "value": two, **on},
                "polytouch": {"note": one, "value": two, **on},
                "pitchwheel": {"pitch": 64 * one, **on},
                "program_change": {"program": one, **on},
                "aftertouch": {"value": one, **on},
                "text": {"text": "é" * one, **at},
                "sysex": {"data": [one, two], **at},
            }
            # Mostly notes, so that there are stretches of them.
            kind = str(random.choice([*kinds, *["note_on"] * 5, *["note_off"] * 5]))
            track.append((mido.MetaMessage if kind == "text" else mido.Message)(kind, **kinds[kind]))
        file.tracks.append(track)
    return file


@pytest.mark.parametrize("running", [False, True], ids=["each with its status", "running status"])
@pytest.mark.parametrize("seed", range(20))
def test_events_and_their_ticks_are_those_that_mido_reads(seed: int, running: bool) -> None:
    file = random_file(seed)
    buffer = io.BytesIO()
    file.save(file=buffer)
    data = buffer.getvalue()
    if running:
        data = header(1, len(file.tracks)) + b"".join(without_statuses(each) for each in file.tracks)
    expected = []
    for number, messages in enumerate(file.tracks):
        now = 0
        for message in messages:
            now += message.time
            raw = message.bytes()
            if not message.is_meta and 0x80 <= raw[0] < 0xF0 and len(raw) == 3:
                expected.append((number, now, *raw))
    assert told(Scan(data, 14, len(file.tracks))) == sorted(expected)


def without_statuses(messages: mido.MidiTrack) -> bytes:
    """A track whose statuses are left out where they are those of the event before."""
    body, last = b"", 0
    for message in messages:
        raw = bytes(message.bytes())
        if message.type == "sysex":
            raw = bytes([0xF0, len(raw) - 1]) + raw[1:]
        if raw[0] < 0xF0:
            raw, last = (raw[1:] if raw[0] == last else raw), raw[0]
        else:
            last = 0
        body += bytes(mido.midifiles.meta.encode_variable_int(message.time)) + raw
    return track(body)


def test_struck_keys_are_counted_whatever_stands_between_them() -> None:
    for between in (b"", TEMPO, SYSEX, b"\x00\xc0\x05", b"\x00\xff\x01\x03\x90\x40\x40"):
        scan = scanned(track(NOTE, between, b"\x00\x90\x3c\x50\x10\x3c\x00\x00\x3e\x01", between, NOTE))
        assert scan.events.struck == 4, between


def test_running_status_goes_on_after_a_system_exclusive_and_that_is_told() -> None:
    scan = scanned(track(NOTE_ON, SYSEX, b"\x00\x3e\x50"))
    assert (scan.events.struck, scan.after_sysex) == (2, True)
    assert not scanned(track(NOTE_ON, TEMPO, b"\x00\x3e\x50")).after_sysex
    assert not scanned(track(NOTE_ON, SYSEX, NOTE_ON)).after_sysex


def test_tracks_are_those_that_are_there() -> None:
    two = track(TEMPO), track(NOTE)
    for announced in (0, 1, 2, 9):
        assert len(scanned(*two, announced=announced).tracks) == 2
    assert len(scanned(two[0], chunk(b"XFIH", b"12345"), two[1]).tracks) == 2
    assert len(scanned(*two, header(), track(NOTE), announced=2).tracks) == 2
    assert len(scanned(*two, bytes(1000), announced=2).tracks) == 2
    assert scanned(*two, announced=2).whole
    assert not scanned(*two, announced=1).whole
    assert not scanned(*two, b"x", announced=2).whole


def test_what_follows_the_end_of_a_track_is_no_music() -> None:
    scan = scanned(chunk(b"MTrk", NOTE + END + NOTE))
    assert (scan.events.struck, scan.long) == (1, False)


@pytest.mark.parametrize(
    ("reason", "chunks"),
    [
        ("corrupt", [track(b"\xff\xff\xff\xff\x7f\x90\x3c\x50")]),
        ("corrupt", [track(b"\x00\x3c\x50")]),
        ("corrupt", [track(b"\x00\xf4\x00")]),
        ("corrupt", [track(NOTE, length=5)]),
        ("corrupt", [track(NOTE_ON, NOTE_ON, b"\x00\x90\xbc\x50")]),
        ("corrupt", [track(NOTE_ON, b"\x60\x80\xbc\x40")]),
        ("corrupt", [chunk(b"MTrk", NOTE + b"\x00\xff\x51\xff\xff\xff\xff\x03")]),
        ("truncated", [chunk(b"MTrk", NOTE, length=1000)]),
        ("truncated", [chunk(b"MTrk", NOTE + b"\x00\x90", length=1000)]),
    ],
)
def test_damage_is_told(reason: str, chunks: list[bytes]) -> None:
    with pytest.raises(DamagedError, match=reason):
        scanned(*chunks)


def test_time_past_the_end_is_told() -> None:
    assert scanned(track(LONG * 7, NOTE)).ticks()[0].max() <= INT32_MAX
    with pytest.raises(DamagedError, match="time_overflow"):
        scanned(track(LONG * 9, NOTE)).ticks()


def test_a_byte_over_127_costs_its_event_and_no_other() -> None:
    for event in (b"\xb0\x07\xc8", b"\xb0\xa8\x40", b"\xc0\xd0", b"\xe0\x90\x40", b"\xa0\x3c\xe0", b"\xd0\x80"):
        scan = scanned(track(NOTE, b"\x00" + event, NOTE, b"\x10" + event, b"\x10" + NOTE[1:]))
        assert (scan.left_out, scan.events.struck) == (2, 3)
        assert scan.ticks()[0].tolist() == [0, 480, 480, 960, 992, 1472]
