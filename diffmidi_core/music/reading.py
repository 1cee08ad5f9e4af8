"""The one door for MIDI: files in, scores out, or one plain sentence saying why not; and scores written as files.

symusic parses fast and does not crash, but it reads some files that no one can mean (no ticks in a quarter, times that
wrapped around) and refuses some that are legal (a long header, a RIFF wrapper). So the container is looked at here
first, symusic reads the events, and the score is looked at once more.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from symusic.core import ScoreTick

from diffmidi_core.errors import RefusedError
from diffmidi_core.files import whole_file
from diffmidi_core.music.notes import Score

MAX_BYTES = 64 * 2**20
"""Larger files are refused unread, and compressed ones are not unpacked further than this."""
MAX_CHORD = 16 * 128
"""Most notes that may start on one tick: every pitch on every MIDI channel."""

_FOREIGN = {
    b"PK\x03\x04": ("zip", "is a zip archive; unpack it first"),
    b"version https://git-lfs": ("git_lfs", "is a git-lfs pointer, not the file itself; run `git lfs pull`"),
    b"SMF2CLIP": ("midi_2", "is a MIDI 2.0 clip file, which is not supported; export it as a standard MIDI file"),
    b"RIFF": ("not_midi", "is a RIFF file without MIDI in it (a sound, perhaps); leave it out"),
}
_TEMPO_EVENT = b"\xff\x51\x03"


def read_midi(path: Path) -> Score:
    """Read a MIDI file, whatever it is called: standard MIDI of type 0 or 1, RIFF RMID, or either gzipped.

    Raises RefusedError with a reason for everything that is no such file, or that holds no note to be played.
    """
    name = printable(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
            raise RefusedError("not_a_file", f"{name} is {what}, not a file.")
        if status.st_size > MAX_BYTES:
            raise _too_large(name)
        data = path.read_bytes()
    except FileNotFoundError:
        what = "is a link that leads nowhere" if path.is_symlink() else "does not exist"
        raise RefusedError("missing", f"{name} {what}.") from None
    except PermissionError:
        raise RefusedError("unreadable", f"{name} may not be read: permission denied.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RefusedError("unreadable", f"{name} cannot be read: {why}.") from None
    return read_midi_bytes(data, name)


def read_midi_bytes(data: bytes, name: str) -> Score:
    """Read the bytes of a MIDI file; `name` is what error messages call it. Raises RefusedError, as `read_midi`."""
    data = _standard(_unwrapped(data, name), name)
    try:
        score = ScoreTick.from_midi(data)
    except Exception:
        # What symusic says names its own C++ code; the container was sound, so it is the events that are not.
        raise RefusedError(
            "corrupt", f"{name} is damaged: its tracks hold bytes that are not MIDI events; export it again."
        ) from None
    _check(score, data, name)
    return score


def write_midi(score: Score, path: Path) -> None:
    """Write a score as a standard MIDI file, whole or not at all. Raises DiffmidiError where that fails."""
    data = score.dumps_midi()
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def printable(name: Path | str) -> str:
    """A file name that is safe to print: control characters and undecodable bytes become backslash escapes."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _unwrapped(data: bytes, name: str) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        data = _gunzipped(data, name)
    if data.startswith(b"RIFF") and data[8:12] == b"RMID":
        data = next((body for kind, body in _riff_chunks(data) if kind == b"data"), b"")
    return data


def _gunzipped(data: bytes, name: str) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise RefusedError("corrupt", f"{name} is a damaged gzip file; copy it again.") from None
    if len(unpacked) > MAX_BYTES:
        raise _too_large(name)
    if not unpacker.eof:
        raise RefusedError("truncated", f"{name} is a gzip file that is cut short; copy it again.")
    return unpacked


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _standard(data: bytes, name: str) -> bytes:
    """Check the header and the chunks, and give back a file whose header has the usual six bytes."""
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
    if form > 1:
        raise RefusedError(
            "type_2", f"{name} is MIDI of type {form}; only types 0 and 1 hold one piece of music; export it as type 1."
        )
    if division == 0:
        raise RefusedError(
            "zero_division", f"{name} says that a quarter note has no ticks, so it has no rhythm; export it again."
        )
    if division & 0x8000:
        raise RefusedError("smpte", f"{name} counts time in film frames (SMPTE), not in beats; export it in beats.")
    _check_chunks(data, 8 + length, tracks, name)
    return data if length == 6 else b"MThd\0\0\0\6" + data[8:14] + data[8 + length :]


def _check_chunks(data: bytes, at: int, tracks: int, name: str) -> None:
    """Refuse a file that ends inside a chunk. Fewer tracks than announced do no harm, nor do bytes after the last."""
    while tracks and at < len(data):
        left = len(data) - at - 8
        kind, length = struct.unpack_from(">4sI", data, at) if left >= 0 else (b"", 0)
        if length > left:
            raise RefusedError(
                "truncated", f"{name} is cut short, or the length of a track in it is wrong; copy or export it again."
            )
        tracks -= kind == b"MTrk"
        at += 8 + length


def _check(score: Score, data: bytes, name: str) -> None:
    tracks = [track for track in score.tracks if len(track.notes)]
    if not tracks:
        raise RefusedError("no_notes", f"{name} holds no complete note; leave it out.")
    if all(track.is_drum for track in tracks):
        raise RefusedError("drums_only", f"{name} holds nothing but drums, which are not learned; leave it out.")
    columns = [track.notes.numpy() for track in tracks]
    onset, duration = (np.concatenate([column[what] for column in columns]) for what in ("time", "duration"))
    # Past 2^31 ticks int32 wraps around to negative times, in symusic and in this sum alike.
    if np.minimum(onset, onset + duration).min() < 0:
        raise RefusedError(
            "time_overflow", f"{name} is longer than MIDI software can count (2^31 ticks); export it again."
        )
    if len(onset) > MAX_CHORD and _starts_more_at_once(onset, MAX_CHORD):
        raise RefusedError(
            "too_dense",
            f"{name} starts more than {MAX_CHORD:,} notes at the same moment, which no one plays; leave it out.",
        )
    # symusic reads three bytes of tempo whatever length the event declares.
    tempos = score.tempos.numpy()["mspq"]
    if len(tempos) > data.count(_TEMPO_EVENT) or (tempos <= 0).any():
        raise RefusedError(
            "bad_tempo", f"{name} holds a tempo that is zero or damaged; set its tempo and export it again."
        )


def _starts_more_at_once(onset: NDArray[np.int32], limit: int) -> bool:
    ticks = np.sort(onset)
    return bool((ticks[limit:] == ticks[:-limit]).any())


def _too_large(name: str) -> RefusedError:
    return RefusedError("too_large", f"{name} is larger than {MAX_BYTES // 2**20} MiB, which no piece of music needs.")
