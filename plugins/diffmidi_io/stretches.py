"""Music of any length as sound in memory that does not grow with it: stretch by stretch, added up on the disk.

What a synthesiser gives is the sum of what it gives for each note. So the notes that begin within a stretch are
rendered by themselves, with all that was set before them, and what still rings at its end is added to the next one.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from symusic import ControlChange, Note, PitchBend, Tempo

from diffmidi.api import DiffmidiError
from diffmidi.api.renderer import Score

STRETCH = 240.0
"""Seconds of music that are rendered at once; 11 MiB of sound a minute."""
AT_ONCE = 2**22
"""Frames of a block: a minute and a half."""
Mixed = NDArray[Any]


def on_disk(frames: int, kind: DTypeLike) -> Mixed:
    """[frames, 2] zeros in a file without a name, which goes when the array does. Raises DiffmidiError."""
    try:
        with tempfile.TemporaryFile() as file:
            file.truncate(frames * 2 * np.dtype(kind).itemsize)
            return np.memmap(file, kind, "r+", shape=(frames, 2))
    except OSError as error:
        raise DiffmidiError(
            f"{tempfile.gettempdir()} has no room for long sound: {error.strerror or error}. Name another folder by "
            "the environment variable TMPDIR."
        ) from error


def blocks(sound: Mixed) -> Iterator[Mixed]:
    """What lies in memory whole, and what lies on the disk block by block, so that memory holds one block of it."""
    if not isinstance(sound, np.memmap):
        yield sound
        return
    for begin in range(0, len(sound), AT_ONCE):
        yield sound[begin : begin + AT_ONCE]
        _forget(sound)


def _forget(sound: Mixed) -> None:
    """Let go of the pages of a file, which stay in it."""
    if isinstance(sound, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        sound._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def added_up(score: Score, frames: int, rate: int, render: Callable[[Score, int], NDArray[np.int16]]) -> Mixed:
    """[frames, 2] int32: the score from its tick 0 on.

    `render` gives the sound of a score up to a tick, at `rate`, with what rings after it.
    """
    mixed = on_disk(frames, np.int32)
    for part, begin, end in stretches(score):
        at = round(begin * rate)
        sound = render(part, end)[: frames - at]
        mixed[at : at + len(sound)] += sound
        _forget(mixed)
    return mixed


def stretches(score: Score) -> Iterator[tuple[Score, float, int]]:
    """The notes of about STRETCH seconds each, as a score that begins with the first of them.

    Beside it the second at which it begins, and its tick at which its last note ends or is let go by the pedal.
    """
    timed: Any = score.to("second")
    onsets = [track.notes.numpy()["time"] for track in score.tracks]
    seconds = [track.notes.numpy()["time"] for track in timed.tracks]
    order = np.argsort(np.concatenate(onsets), kind="stable")
    ticks, at = np.concatenate(onsets)[order], np.concatenate(seconds)[order]
    first = np.flatnonzero(np.diff(np.floor(at / STRETCH), prepend=-1.0))
    # Notes that begin together stay together.
    begins = np.unique(ticks[first])
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), int(ticks[-1]) + 1], strict=True):
        part = _part(score, begin, end)
        yield part, float(at[np.searchsorted(ticks, begin)]), _let_go(part)


def _part(score: Score, begin: int, end: int) -> Score:
    """The notes that begin in [begin, end), from `begin` on; what is set before it is set at its beginning."""
    part: Any = score.copy()
    for track in part.tracks:
        notes = track.notes.numpy()
        within = (notes["time"] >= begin) & (notes["time"] < end)
        track.notes = Note.from_numpy(**{name: values[within] for name, values in notes.items()}, ttype="tick")
        for name, kind in (("controls", ControlChange), ("pitch_bends", PitchBend)):
            events = getattr(track, name).numpy()
            standing = _standing(events["time"], events.get("number"), begin)
            events = {key: values[standing] for key, values in events.items()}
            events["time"] = np.maximum(events["time"], begin)
            setattr(track, name, kind.from_numpy(**events, ttype="tick"))
        track.pedals.clear()  # they are among the controls
    tempos = part.tempos.numpy()
    standing = _standing(tempos["time"], None, begin)
    times, lengths = np.maximum(tempos["time"][standing], begin), tempos["mspq"][standing]
    part.tempos = Tempo.from_numpy(time=times, mspq=lengths, ttype="tick")
    part.time_signatures.clear()
    part.key_signatures.clear()
    part.markers.clear()
    shifted: Score = part.shift_time(-begin)
    return shifted


def _standing(times: Mixed, kinds: Mixed | None, begin: int) -> NDArray[np.intp]:
    """Which of the events are left at a beginning: the last of each kind before it, and all after it."""
    before = np.flatnonzero(times <= begin)
    last = {int(kinds[at]) if kinds is not None else 0: at for at in before.tolist()}
    return np.concatenate([np.sort([*last.values()]), np.flatnonzero(times > begin)]).astype(np.intp)


def _let_go(part: Score) -> int:
    ends = []
    for track in part.tracks:
        notes, controls = track.notes.numpy(), track.controls.numpy()
        if not len(notes["time"]):
            continue
        end = int((notes["time"].astype(np.int64) + notes["duration"]).max())
        pedal = controls["number"] == 64
        times, down = controls["time"][pedal], controls["value"][pedal] >= 64
        held = np.flatnonzero(times <= end)
        if len(held) and down[held[-1]]:
            up = np.flatnonzero((times > end) & ~down)
            end = int(times[up[0]]) if len(up) else end
        ends.append(end)
    return max(ends)
