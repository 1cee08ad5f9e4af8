"""Files made up or damaged at random, from bytes to words and back: refused in a sentence, or music like any other.

`DIFFMIDI_TEST_MUTATIONS=10000 pytest tests/tokenizers/test_mutated_files.py` tries more of them than a few hundred.
"""

from __future__ import annotations

import os
import struct
from collections import Counter

import numpy as np
import pytest
from symusic.core import ControlChangeTick, TempoTick, TimeSignatureTick

from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import Notes, Score, Tokenizer, notes_of, score_of, sustained
from diffmidi_core.music.reading import read_midi_bytes
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find

MUTATIONS = int(os.environ.get("DIFFMIDI_TEST_MUTATIONS", "300"))
BATCHES = 10
CHOICES = {
    "mmm": {"layout": "aligned"},
    "mmm 10ms": {"layout": "aligned", "grid": "10ms"},
    "mmm run": {"layout": "run", "grid": "25ms", "zero_length": "step"},
    "mmm paper": {"layout": "paper"},
    "remi": {},
    "miditok MIDILike": {"type": "MIDILike"},
    "miditok Structured": {"type": "Structured"},
}
INTERESTING = (0x00, 0x01, 0x3F, 0x40, 0x7F, 0x80, 0x90, 0x99, 0xB0, 0xC0, 0xF0, 0xF7, 0xFF)
HEADER = (6, 8, 10, 12, 12, 12, 12)
"""Where its length, type, number of tracks and ticks in a quarter stand; the last more often."""
SNIPPETS = (
    b"\xff\xff\xff\x7f",  # the longest wait
    b"\x00\xff\x51\x03\x00\x00\x01",  # a quarter of a microsecond
    b"\x00\xff\x51\x03\xff\xff\xff",  # of 17 seconds
    b"\x00\xff\x58\x04\x01\x02\x18\x08",  # 1/4
    b"\x00\xff\x58\x04\xff\x07\x18\x08",  # 255/128
    b"\x00\xff\x58\x04\x00\xff\x18\x08",  # 0/2^255
    b"\x00\xb0\x40\x7f",  # the pedal down
    b"\x00\x90\x00\x01",  # the lowest key, and the highest
    b"\x00\x90\x7f\x7f\x00\x80\x7f\x00",
    b"\x00\xff\x2f\x00",  # an end before the end
    b"MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
)


def seeds() -> list[bytes]:
    """Small files in which there is something of everything."""
    scores = [score for name, score in toy_scores().items() if name not in ("silence", "late_in_time")]
    random = np.random.default_rng(0)
    onset = np.sort(random.integers(0, 20_000, 40))
    played = score_of(
        Notes(onset, random.integers(0, 900, 40), random.integers(0, 128, 40), random.integers(1, 128, 40)), 384
    )
    for tick in range(0, 20_000, 700):
        played.tempos.append(TempoTick(tick, mspq=int(random.integers(100_000, 2_000_000))))
        played.tracks[0].controls.append(ControlChangeTick(tick, 64, int(random.integers(0, 128))))
    for tick, *signature in [(384 * 3, 3, 4), (384 * 9, 7, 8), (384 * 20, 1, 4)]:
        played.time_signatures.append(TimeSignatureTick(tick, *signature))
    return [score.dumps_midi() for score in (*scores, played, played, played)]


def made_up(random: np.random.Generator) -> bytes:
    """A file of events in any order with any values that MIDI can write, most of which no one would mean."""
    waits = (0, 0, 0, 1, 7, 48, 96, 480, 1000) * 3 + (2**14, 2**21, 2**28 - 1)
    tracks = []
    for _ in range(int(random.integers(1, 4))):
        sounding: list[bytes] = []
        events = bytearray()
        for _ in range(int(random.integers(1, 120))):
            kind, number, value = (int(each) for each in random.integers(0, (12, 128, 128)))
            channel = 9 if random.integers(0, 20) == 0 else int(random.integers(0, 2))
            if kind < 5:
                event = bytes([0x90 | channel, number, max(value, 1)])
                sounding.append(bytes([0x80 | channel, number, value]))
            elif kind < 9 and sounding:
                event = sounding.pop(int(random.integers(0, len(sounding))))
            elif kind == 9:
                event = bytes([0xB0 | channel, int(random.choice([64, 64, number])), value])
            elif kind == 10:
                event = bytes([0xC0 | channel, number])
            else:
                event = SNIPPETS[int(random.integers(1, 6))][1:]
            events += variable_length(int(random.choice(waits))) + event
        tracks.append(b"MTrk" + struct.pack(">I", len(events) + 4) + events + b"\x00\xff\x2f\x00")
    division = int(random.choice([1, 2, 24, 96, 120, 480, 960, 0x7FFF]))
    return b"MThd" + struct.pack(">IHHH", 6, min(len(tracks) - 1, 1), len(tracks), division) + b"".join(tracks)


def variable_length(number: int) -> bytes:
    said = [number & 0x7F]
    while number := number >> 7:
        said.append(number & 0x7F | 0x80)
    return bytes(reversed(said))


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, put in, said twice, moved; or a header that says something else."""
    new = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(0, len(new)))
        length = int(random.integers(1, 20))
        match int(random.integers(0, 9)):
            case 0:
                new[at] = int(random.integers(0, 256))
            case 1:
                new[at] ^= 1 << int(random.integers(0, 8))
            case 2:
                new[at] = int(random.choice(INTERESTING))
            case 3:
                new[at:at] = random.bytes(length)
            case 4:
                del new[at : at + length]
            case 5:
                new[at:at] = new[at : at + length]
            case 6:
                new[at:at] = SNIPPETS[int(random.integers(0, len(SNIPPETS)))] * (1 + length // 4)
            case 7:
                del new[max(at, len(new) - length) :]
            case _:
                field, value = int(random.choice(HEADER)), int(random.choice([0, 1, 2, 7, 96, 0x7FFF, 0xE728, 0xFFFF]))
                new[field : field + 2] = struct.pack(">H", value)
        new = new or bytearray(data)
    return lengths_mended(bytes(new)) if random.integers(0, 2) else bytes(new)


def lengths_mended(data: bytes) -> bytes:
    """The same with track lengths that reach to the next track, so that damage inside them is not refused for these."""
    header, *tracks = data.split(b"MTrk")
    bodies = [track[4:] for track in tracks]
    return header + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {name: find("tokenizer", name.split()[0]).build(options) for name, options in CHOICES.items()}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_damaged_files_are_refused_or_become_words(batch: int, tokenizers: dict[str, Tokenizer]) -> None:
    files, seen = seeds(), Counter()
    for number in range(batch, MUTATIONS, BATCHES):
        random = np.random.default_rng(number)
        data = made_up(random) if random.integers(0, 2) else files[int(random.integers(0, len(files)))]
        data = mutated(data, random) if random.integers(0, 3) else data
        try:
            score = read_midi_bytes(data, f"mutation {number}")
        except RefusedError as error:
            seen[error.reason] += 1
            continue
        seen["read"] += 1
        for name, tokenizer in tokenizers.items():
            for each in (score, sustained(score)):
                expect_music(tokenizer, each, f"{name}, mutation {number}")
    assert seen["read"] > 0.2 * seen.total(), seen
    assert len(seen) > 2, seen


def expect_music(tokenizer: Tokenizer, score: Score, which: str) -> None:
    try:
        ids = tokenizer.encode(score)
        decoded = tokenizer.decode(ids)
    except RefusedError:
        return
    except Exception as error:
        raise AssertionError(f"{which}: {type(error).__name__}: {error}") from error
    assert len(notes_of(decoded)) == tokenizer.count_notes(ids) <= len(notes_of(score)), which
    assert np.array_equal(tokenizer.encode(decoded), ids), which
