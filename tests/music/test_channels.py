"""The sustain pedal of a channel stands in each of its tracks, whatever the file writes where."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi import Score
from diffmidi.api.tokenizer import notes_of, sustained
from diffmidi_core.music.reading import read_midi_bytes

from .test_reading import TEMPO, header, track

PEDAL = b"\x00\xb0\x40\x7f", b"\x8f\x00\xb0\x40\x00"
"""Down at once, up 1,920 ticks later."""


def note(pitch: int, channel: int = 0) -> bytes:
    return bytes((0, 0x90 | channel, pitch, 80, 0x81, 0x70, 0x80 | channel, pitch, 0))


def read(*tracks: bytes) -> Score:
    return read_midi_bytes(header(1, len(tracks)) + b"".join(tracks), "piece")


def heard(*tracks: bytes) -> dict[int, int]:
    """Pitch to duration."""
    notes = notes_of(sustained(read(*tracks)))
    return dict(zip(notes.pitch.tolist(), notes.duration.tolist(), strict=True))


@pytest.mark.parametrize(
    "tracks",
    [
        (track(note(60), *PEDAL), track(note(48))),
        (track(note(60)), track(note(48), *PEDAL)),
        (track(note(60), PEDAL[0]), track(note(48), b"\x8d\x10\xb0\x40\x00")),
        (track(note(60)), track(note(48)), track(*PEDAL)),
        (track(TEMPO, *PEDAL), track(note(60)), track(note(48))),
        (track(b"\x00\xc0\x00", *PEDAL[:1], note(60), b"\x00\xc0\x05", note(48), PEDAL[1]),),
        (track(note(60)), track(note(48)), track(PEDAL[0], b"\x8f\x00\xb0\x79\x00")),
    ],
    ids=["right", "left", "half each", "alone", "conductor", "program", "reset"],
)
def test_the_pedal_holds_all_tracks_of_its_channel(tracks: tuple[bytes, ...]) -> None:
    durations = heard(*tracks)
    assert set(durations) == {60, 48}
    assert all(duration > 240 for duration in durations.values())


def test_it_holds_no_other_channel_whatever_track_writes_it() -> None:
    assert heard(track(note(60), *PEDAL), track(note(48, 1))) == {60: 2160, 48: 240}
    assert heard(track(PEDAL[0], note(60), note(48, 1), PEDAL[1])) == {60: 2400, 48: 240}
    assert heard(track(note(60)), track(note(48, 1)), track(*PEDAL)) == {60: 1920, 48: 240}
    assert heard(track(note(48, 1), *PEDAL), track(note(60))) == {60: 2160, 48: 240}
    assert heard(track(note(60, 2), *PEDAL), track(note(48, 1))) == {60: 240, 48: 240}


def test_a_pedal_that_is_where_it_belongs_is_left_as_it_is() -> None:
    one = read(track(note(60), *PEDAL))
    assert one.tracks[0].controls.numpy()["time"].tolist() == [240, 2160]
    two = read(track(note(60), *PEDAL), track(note(48, 1), b"\x00\xb1\x07\x40"))
    assert [each.controls.numpy()["number"].tolist() for each in two.tracks] == [[64, 64], [7]]


def test_other_controls_and_drums_are_left_alone() -> None:
    score = read(track(b"\x00\xb0\x07\x40", note(60), *PEDAL), track(b"\x00\xb0\x0a\x20", note(48)), track(note(36, 9)))
    numbers = [each.controls.numpy()["number"].tolist() for each in score.tracks]
    assert numbers == [[7, 64, 64], [10, 64, 64], []]
    assert [len(each.pedals) for each in score.tracks] == [1, 1, 0]
    assert score.tracks[2].is_drum


@pytest.mark.parametrize("seed", range(10))
def test_who_writes_the_pedal_does_not_matter(seed: int) -> None:
    """A performance with its events dealt out to three tracks sounds like the same in one."""
    random = np.random.default_rng(seed)
    events = []
    for pitch in range(60, 66):
        edges = np.sort(2 * random.choice(1000, 20, replace=False)).tolist()
        events += [(t, 1 + i % 2, pitch, 80) for i, t in enumerate(edges)]
    events += [(2 * int(t) + 1, 3, 64, int(random.integers(128))) for t in random.choice(1000, 15, replace=False)]
    dealt = [[], [], []]
    for event in events:
        # Keys by pitch, so that each has its note-offs; the pedal anywhere.
        dealt[event[2] % 3 if event[1] < 3 else int(random.integers(3))].append(event)
    one, three = (read(*(track(written(each)) for each in parts)) for parts in ([events], dealt))
    a, b = notes_of(sustained(one)), notes_of(sustained(three))
    assert (a.onset.tolist(), a.pitch.tolist(), a.duration.tolist()) == (
        b.onset.tolist(),
        b.pitch.tolist(),
        b.duration.tolist(),
    )
    assert a.duration.sum() > notes_of(one).duration.sum()


def written(events: list[tuple[int, int, int, int]]) -> bytes:
    out, now = b"", 0
    for time, kind, first, second in sorted(events):
        delta = time - now
        out += bytes((0x80 | delta >> 7, delta & 127, (0x90, 0x90, 0x80, 0xB0)[kind], first, second))
        now = time
    return out
