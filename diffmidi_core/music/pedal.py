"""The sustain pedal: notes as long as they are heard, not as long as their keys are held."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from symusic.core import NoteTickList, TrackTick

from diffmidi_core.music.events import ALL_NOTES_OFF, ALL_SOUND_OFF
from diffmidi_core.music.notes import INT32_MAX, Column, Score, notes_of

SUSTAIN, RESET = 64, 121
"""The controllers of the damper pedal and of Reset All Controllers."""
ACTS = (SUSTAIN, ALL_SOUND_OFF, RESET)
"""Controllers that say how long strings ring on."""
DOWN = 64
"""From this value on the pedal is down, as the MIDI 1.0 specification has it. Half a pedal counts as one or the other:
how far strings ring on under half a damper differs between pianos, and no file says."""


def sustained(score: Score) -> Score:
    """The score with every note as long as its strings sound; the score itself where there is no pedal.

    A note whose key is let go while the pedal is down sounds on until the pedal rises (Reset All Controllers raises it,
    too), until its pitch is struck again, or until All Sound Off, whichever is first. No note gets shorter, no onset
    moves. A pedal that never rises is let go with the last key of the piece. Drums are left alone.

    Each track has the pedal that is written in it, and reading a file writes the pedal of a MIDI channel into all of
    its tracks. Tracks of one and the same pedal are one instrument: what one of them holds, another one may strike
    again. Controls are kept.
    """
    if not has_pedal(score):
        return score
    score, notes = score.copy(), notes_of(score)
    last_key = int((notes.onset + notes.duration).max(initial=0))
    instruments: dict[bytes, list[TrackTick]] = defaultdict(list)
    for track in score.tracks:
        if not track.is_drum and len(track.notes):
            down, up = presses(track, last_key)
            if len(down):
                instruments[b"|".join(part.tobytes() for part in (down, up, _silences(track)))].append(track)
    for tracks in instruments.values():
        _sustain(tracks, last_key)
    return score


def has_pedal(score: Score) -> bool:
    """Whether the pedal goes down in a track with notes that are not drums'."""
    return any(_is_pressed(track) for track in score.tracks if len(track.notes) and not track.is_drum)


def is_pressed(score: Score) -> bool:
    """Whether the pedal goes down in any track."""
    return any(map(_is_pressed, score.tracks))


def is_silenced(score: Score) -> bool:
    """Whether a controller in any track lets go of every key of its channel."""
    numbers = [track.controls.numpy()["number"] for track in score.tracks if len(track.controls)]
    return any(((number == ALL_SOUND_OFF) | (number == ALL_NOTES_OFF)).any() for number in numbers)


def _is_pressed(track: TrackTick) -> bool:
    if not len(track.controls):
        return False
    columns = track.controls.numpy()
    return bool((columns["value"][columns["number"] == SUSTAIN] >= DOWN).any())


def presses(track: TrackTick, never: int) -> tuple[Column, Column]:
    """When the pedal goes down, and when it rises after each: `never` where it does not."""
    columns = track.controls.numpy()
    number = columns["number"]
    pedal = (number == SUSTAIN) | (number == RESET)
    time = columns["time"][pedal].astype(np.int64)
    is_down = (columns["value"][pedal] >= DOWN) & (number[pedal] == SUSTAIN)
    order = np.argsort(time, kind="stable")
    time, is_down = time[order], is_down[order]
    turns = np.flatnonzero(np.diff(is_down, prepend=False))
    down, up = time[turns[0::2]], time[turns[1::2]]
    return down, np.append(up, never) if len(up) < len(down) else up


def _silences(track: TrackTick) -> Column:
    columns = track.controls.numpy()
    return np.sort(columns["time"][columns["number"] == ALL_SOUND_OFF].astype(np.int64))


def _sustain(tracks: list[TrackTick], last_key: int) -> None:
    """Lengthen the notes of the tracks of one instrument, which have one pedal."""
    down, up = presses(tracks[0], last_key)
    silences = np.append(_silences(tracks[0]), INT32_MAX)
    columns = [track.notes.numpy() for track in tracks]
    onset, duration, pitch = (
        np.concatenate([column[name] for column in columns]).astype(np.int64) for name in ("time", "duration", "pitch")
    )
    let_go = onset + duration
    press = np.searchsorted(down, let_go, side="right") - 1
    rises = np.where(press >= 0, up[press], let_go)
    silent = silences[np.searchsorted(silences[:-1], let_go)]
    end = np.maximum(let_go, np.minimum(np.minimum(rises, silent), _struck_again(onset, let_go, pitch)))
    parts = np.split((end - onset).astype(np.int32), np.cumsum([len(column["time"]) for column in columns])[:-1])
    for track, column, length in zip(tracks, columns, parts, strict=True):
        track.notes = NoteTickList.from_numpy(column["time"], length, column["pitch"], column["velocity"])


def _struck_again(onset: Column, let_go: Column, pitch: Column) -> Column:
    """[N] the next onset of each note's pitch once its key is let go, or the end of time."""
    # Pitches one after another on one long line, further apart than a piece can be long.
    line = 2 * (INT32_MAX + 1)
    struck = np.sort(pitch * line + onset)
    # A note that was let go on the tick it started is not struck again by itself.
    place = np.searchsorted(struck, pitch * line + np.maximum(let_go, onset + 1))
    following = np.append(struck, 128 * line)[place]
    return np.where(following // line == pitch, following % line, INT32_MAX)
