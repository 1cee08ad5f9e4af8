"""The second reader: what it writes is read by everybody alike, and the rest of the file is as it was."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from symusic.core import ScoreTick

from diffmidi_core.music.reading import read_midi_bytes, read_midi_bytes_counted
from diffmidi_core.music.rewriting import rewritten
from diffmidi_core.music.scan import Scan
from diffmidi_core.music.toy import toy_scores

from .test_reading import LONG, NOTE, NOTE_OFF, NOTE_ON, TEMPO, header, track

NAME = b"\x00\xff\x03\x05right"


def rewritten_of(data: bytes, announced: int = 1) -> bytes:
    return rewritten(Scan(data, 14, announced), 480).data


@pytest.mark.parametrize("name", ["tune", "scale", "chords", "triplets", "drums", "long_gaps", "long_notes"])
def test_a_sound_file_stays_the_same_music(name: str) -> None:
    score = toy_scores()[name]
    data = score.dumps_midi()
    again = rewritten(Scan(data, 14, int.from_bytes(data[10:12], "big")), score.ticks_per_quarter)
    assert ScoreTick.from_midi(again.data) == ScoreTick.from_midi(data)
    assert (again.unreleased, again.spare) == (0, 0)


def test_all_that_is_no_note_stays() -> None:
    events = b"".join(
        (TEMPO, NAME, b"\x00\xc0\x05", b"\x00\xb0\x40\x7f", b"\x10\xe0\x00\x50", b"\x00\xff\x58\x04\x03\x02\x18\x08")
    )
    data = header() + track(events, NOTE)
    before, after = ScoreTick.from_midi(data), ScoreTick.from_midi(rewritten_of(data))
    assert after == before
    assert (after.tracks[0].name, after.tracks[0].program) == ("right", 5)


def test_mido_and_symusic_read_the_same_notes_of_what_is_written() -> None:
    """mido reads by the letter of the standard, and stops at what it does not allow."""
    between = b"\x00\xf0\x02\x01\xf7\x10\x3e\x50\x00\xb0\xa8\x01\x10\x80\x3e\x00"
    data = header() + track(NOTE_ON, between, NOTE_OFF)
    again = mido.MidiFile(file=io.BytesIO(rewritten_of(data)))
    struck = [each.note for each in again.tracks[0] if each.type == "note_on" and each.velocity]
    let_go = [each.note for each in again.tracks[0] if each.type == "note_off"]
    assert (struck, let_go) == ([60, 62], [62, 60])
    assert ScoreTick.from_midi(rewritten_of(data)).note_num() == 2


def test_a_pause_longer_than_a_delta_time_is_written() -> None:
    # What is left out may have stood in the middle of it.
    data = header() + track(b"\xff\xff\xff\x7f\xb0\xa8\x01", b"\xff\xff\xff\x7f" + NOTE[1:])
    score, counts = read_midi_bytes_counted(data, "piece")
    assert [(note.time, note.duration) for note in score.tracks[0].notes] == [(2 * 0x0FFFFFFF, 480)]
    assert counts["illegal_events"] == 1
    assert LONG not in data


def test_what_lets_all_keys_go_ends_notes_that_have_a_note_off_too() -> None:
    data = header() + track(NOTE_ON, b"\x10\xb0\x7b\x00", NOTE_OFF, NOTE)
    notes = read_midi_bytes(data, "piece").tracks[0].notes
    assert [(note.time, note.duration) for note in notes] == [(0, 16), (496, 480)]


@pytest.mark.parametrize("seed", range(30))
def test_any_keys_in_any_order_are_notes_that_end(seed: int) -> None:
    """Of every key that is struck there is a note, and none ends before it begins."""
    random = np.random.default_rng(seed)
    tracks = []
    for _ in range(3):
        events = b""
        for _ in range(60):
            kind, key = random.choice([0x90, 0x90, 0x80, 0xB0], p=[0.4, 0.1, 0.45, 0.05]), random.integers(60, 63)
            data = [123, 0] if kind == 0xB0 else [key, random.integers(0, 90)]
            events += bytes([random.integers(0, 3), kind | random.integers(0, 2), *data])
        tracks.append(track(events))
    data = header(1, 3) + b"".join(tracks)
    struck = Scan(data, 14, 3).events.struck
    score, counts = read_midi_bytes_counted(data, "piece")
    assert counts["note_ons"] == counts["notes_read"] == struck == score.note_num()
    assert all((each.notes.numpy()["duration"] >= 0).all() for each in score.tracks)
    once = rewritten(Scan(data, 14, 3), 480).data
    twice = rewritten(Scan(once, 14, 3), 480)
    assert (twice.data, twice.unreleased, twice.spare) == (once, 0, 0)
