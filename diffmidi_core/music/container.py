"""What a MIDI file is wrapped in: gzip, RIFF, and the header that says how its time is counted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from diffmidi_core.errors import RefusedError

MAX_BYTES = 64 * 2**20
"""Larger files are refused unread, and compressed ones are not unpacked further than this."""
PLAIN = 14
"""Bytes of a header as it usually is."""

_FOREIGN = {
    b"PK\x03\x04": ("zip", "is a zip archive; unpack it first"),
    b"version https://git-lfs": ("git_lfs", "is a git-lfs pointer, not the file itself; run `git lfs pull`"),
    b"SMF2CLIP": ("midi_2", "is a MIDI 2.0 clip file, which is not supported; export it as a standard MIDI file"),
    b"RIFF": ("not_midi", "is a RIFF file without MIDI in it (a sound, perhaps); leave it out"),
}


@dataclass(frozen=True)
class Header:
    """What the header of a MIDI file says.

    Attributes:
        form: the type, 0 to 3 and beyond.
        tracks: how many tracks it counts.
        division: ticks in a quarter note.
        length: its bytes; the first chunk follows them.
    """

    form: int
    tracks: int
    division: int
    length: int


def unwrapped(data: bytes, name: str, limit: int) -> bytes:
    """The MIDI file inside of gzip and RIFF RMID, unpacked up to `limit` bytes. Raises RefusedError."""
    if data.startswith(b"\x1f\x8b"):
        data = _gunzipped(data, name, limit)
    if data.startswith(b"RIFF") and data[8:12] == b"RMID":
        data = next((body for kind, body in _riff_chunks(data) if kind == b"data"), b"")
    return data


def header_of(data: bytes, name: str) -> Header:
    """The header of a MIDI file. Raises RefusedError for what is no MIDI file, or counts no time in quarter notes."""
    if not data:
        raise RefusedError("empty", f"{name} is empty; copy it again, or leave it out.")
    for magic, (reason, what) in _FOREIGN.items():
        if data.startswith(magic):
            raise RefusedError(reason, f"{name} {what}.")
    if not data.startswith(b"MThd"):
        raise RefusedError(
            "not_midi", f"{name} is not a MIDI file: it does not begin with a MIDI header; leave it out."
        )
    if len(data) < 14:
        raise RefusedError("truncated", f"{name} is cut short: it ends inside its header; copy or export it again.")
    length, form, tracks, division = struct.unpack_from(">IHHH", data, 4)
    if not 6 <= length <= len(data) - 8:
        raise RefusedError("bad_header", f"{name} has a damaged MIDI header; export it again.")
    if division == 0:
        raise RefusedError(
            "zero_division", f"{name} says that a quarter note has no ticks, so it has no rhythm; export it again."
        )
    if division & 0x8000:
        raise RefusedError("smpte", f"{name} counts time in film frames (SMPTE), not in beats; export it in beats.")
    return Header(form, tracks, division, 8 + length)


def packed(bodies: list[bytes], division: int) -> bytes:
    """A standard MIDI file of tracks, each the bytes of its events."""
    head = b"MThd" + struct.pack(">IHHH", 6, int(len(bodies) > 1), len(bodies), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(body)) + body for body in bodies)


def too_large(name: str) -> RefusedError:
    """The message for a file larger than MAX_BYTES."""
    return RefusedError("too_large", f"{name} is larger than {MAX_BYTES // 2**20} MiB, which no piece of music needs.")


def _gunzipped(data: bytes, name: str, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise RefusedError("corrupt", f"{name} is a damaged gzip file; copy it again.") from None
    if len(unpacked) > limit:
        raise too_large(name)
    if not unpacker.eof:
        raise RefusedError("truncated", f"{name} is a gzip file that is cut short; copy it again.")
    return unpacked


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
