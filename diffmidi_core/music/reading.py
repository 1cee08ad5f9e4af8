"""The one door for MIDI: files in, scores out, or one plain sentence why not; and scores written as files.

symusic parses fast and does not crash, but it reads some files that no one can mean (no ticks in a quarter, times that
wrapped around), refuses some that are legal (a long header, a RIFF wrapper), and leaves notes out in silence: those
that no note-off in their track lets go, and tracks that the header does not count. So the container is looked at first,
all events of two data bytes are counted (`scan`), and symusic reads them. Where they are more than two for each of its
notes and one for each of its controllers, the note-ons are told apart and counted (`events`); where it read another
number of notes, the file is written anew for it (`rewriting`). What is repaired is counted, and the score is looked at
once more.
"""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from symusic.core import ScoreTick

from diffmidi_core.errors import RefusedError
from diffmidi_core.files import whole_file
from diffmidi_core.music.channels import with_pedals
from diffmidi_core.music.container import MAX_BYTES, PLAIN, Header, header_of, packed, too_large, unwrapped
from diffmidi_core.music.notes import Score
from diffmidi_core.music.pedal import is_pressed, is_silenced
from diffmidi_core.music.repairs import Counts
from diffmidi_core.music.rewriting import rewritten, silences_of
from diffmidi_core.music.scan import DamagedError, Scan
from diffmidi_core.wording import printable as printable

MAX_CHORD = 16 * 128
"""Most notes that may start on one tick: every pitch on every MIDI channel."""

_DAMAGES = {
    "truncated": "is cut short, or the length of a track in it is wrong; copy or export it again",
    "corrupt": "is damaged: its tracks hold bytes that are not MIDI events; export it again",
    "time_overflow": "is longer than MIDI software can count (2^31 ticks); export it again",
}
_TEMPO_EVENT = b"\xff\x51\x03"


def read_midi(path: Path | str) -> Score:
    """Read a MIDI file, whatever it is called: standard MIDI of type 0 or 1, RIFF RMID, or either gzipped.

    Every track of the score has the sustain pedal of its MIDI channel, whatever track of the file it is written in.
    Raises RefusedError with a reason for everything that is no such file, or that holds no note to be played.
    """
    return read_midi_counted(Path(path))[0]


def read_midi_counted(path: Path) -> tuple[Score, Counts]:
    """As `read_midi`, and what was counted and repaired; what does not occur is not named, see `Counts`."""
    return read_midi_bytes_counted(bytes_of(path), printable(path))


def bytes_of(path: Path) -> bytes:
    """What a file holds that may be MIDI. Raises RefusedError where it cannot be read, or is too large."""
    name = printable(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
            raise RefusedError("not_a_file", f"{name} is {what}, not a file.")
        if status.st_size > MAX_BYTES:
            raise too_large(name)
        return path.read_bytes()
    except FileNotFoundError:
        what = "is a link that leads nowhere" if path.is_symlink() else "does not exist"
        raise RefusedError("missing", f"{name} {what}.") from None
    except PermissionError:
        raise RefusedError("unreadable", f"{name} may not be read: permission denied.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RefusedError("unreadable", f"{name} cannot be read: {why}.") from None


def read_midi_bytes(data: bytes, name: str) -> Score:
    """Read the bytes of a MIDI file; `name` is what error messages call it. Raises RefusedError, as `read_midi`."""
    return read_midi_bytes_counted(data, name)[0]


def read_midi_bytes_counted(data: bytes, name: str) -> tuple[Score, Counts]:
    """As `read_midi_counted`, of the bytes of a file; `name` is what error messages call it."""
    data = unwrapped(data, name, MAX_BYTES)
    header = header_of(data, name)
    try:
        scan = Scan(data, header.length, header.tracks)
        if header.form > 1 and len(scan.tracks) > 1:
            raise RefusedError(
                "type_2",
                f"{name} is MIDI of type {header.form}; only types 0 and 1 hold one piece of music of several tracks; "
                "export it as type 1.",
            )
        score, data, counts = _repaired(data, header, scan)
    except DamagedError as error:
        raise RefusedError(error.reason, f"{name} {_DAMAGES[error.reason]}.") from None
    _check(score, data, name)
    return score, counts


def write_midi(score: Score, path: Path) -> None:
    """Write a score as a standard MIDI file, whole or not at all. Raises DiffmidiError where that fails."""
    data = score.dumps_midi()
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def _repaired(data: bytes, header: Header, scan: Scan) -> tuple[Score, bytes, Counts]:
    """The score of a file, the bytes that symusic read it from, and what was counted and repaired."""
    score = _parsed(data)
    if score is not None and header.form <= 1 and header.length == PLAIN and _plainly_read(score, scan):
        if is_pressed(score) and not _is_channel_each(score, scan):
            score = with_pedals(score, data, scan)
        return score, data, {"note_ons": score.note_num(), "notes_read": score.note_num()}
    repairs = {
        "note_ons": scan.events.struck,
        "wrong_type": int(header.form > 1),
        "uncounted_tracks": max(len(scan.tracks) - header.tracks, 0),
        "missing_tracks": max(header.tracks - len(scan.tracks), 0),
        "long_tracks": int(scan.long),
        "illegal_events": scan.left_out,
        "unreleased_keys": 0,
    }
    if not scan.whole or header.form > 1 or header.length != PLAIN:
        data = packed([data[track.begin : track.end] for track in scan.tracks], header.division)
        scan, score = Scan(data, PLAIN, len(scan.tracks)), _parsed(data)
    doubtful = scan.left_out or repairs["long_tracks"]
    if score is None or repairs["long_tracks"] or not _all_read(score, scan):
        again = rewritten(scan, header.division)
        if doubtful and (again.unreleased or again.spare):
            # Such a file may have lost or gained a byte elsewhere; that its notes fit together says that it has not.
            raise DamagedError("truncated" if repairs["long_tracks"] else "corrupt")
        data, repairs["unreleased_keys"] = again.data, again.unreleased
        scan, score = Scan(data, PLAIN, len(scan.tracks)), _parsed(data)
        if score is None:
            raise DamagedError("corrupt")
    score = with_pedals(score, data, scan)
    kept = {what: many for what, many in repairs.items() if many}
    return score, data, {**kept, "notes_read": score.note_num()}


def _parsed(data: bytes) -> Score | None:
    try:
        return ScoreTick.from_midi(data)
    except Exception:  # whose words name symusic's own C++ code
        return None


def _plainly_read(score: Score, scan: Scan) -> bool:
    """Whether a file holds nothing to be repaired, and its score all of its note-ons and controllers, by counting.

    A note has a note-on and a note-off. So where the file has two events of two data bytes for each note of the score,
    and one for each controller and pitch bend, it has no other note-ons, and all controllers are in the score.
    """
    if not scan.whole or scan.left_out or scan.after_sysex:
        return False
    left = scan.count - 2 * score.note_num()
    if left:
        left -= sum(len(track.controls) + len(track.pitch_bends) for track in score.tracks)
        return not left and not is_silenced(score)
    return True


def _is_channel_each(score: Score, scan: Scan) -> bool:
    """Whether the tracks of a score that was plainly read are its file's channels: each has its pedal then."""
    if len(score.tracks) == 1:
        return True
    channels = scan.channels()
    return len(score.tracks) == len(channels) == sum(map(len, channels)) == len(set().union(*channels))


def _all_read(score: Score, scan: Scan) -> bool:
    """Whether every key that is struck in the file is a note, and as long as the file says."""
    if score.note_num() != scan.events.struck or scan.after_sysex:
        return False
    if not len(scan.events.silences):
        return True
    silences = np.array(sorted({tick for ticks in silences_of(scan, scan.ticks()[0]).values() for tick in ticks}))
    for track in score.tracks:
        notes = track.notes.numpy()
        following = np.searchsorted(silences, notes["time"], side="right")
        if (following < np.searchsorted(silences, notes["time"] + notes["duration"])).any():
            return False
    return True


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
        raise RefusedError("time_overflow", f"{name} {_DAMAGES['time_overflow']}.")
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
