"""The sustain pedal: notes as long as they are heard, not as long as their keys are held."""

from __future__ import annotations

import numpy as np
from symusic.core import NoteTickList, TrackTick

from diffmidi_core.music.notes import INT32_MAX, Column, Score, notes_of

SUSTAIN = 64
"""The controller of the damper pedal."""
DOWN = 64
"""From this value on the pedal is down, as the MIDI 1.0 specification has it. Half a pedal counts as one or the other:
how far strings ring on under half a damper differs between pianos, and no file says."""


def sustained(score: Score) -> Score:
    """The score with every note as long as its strings sound; the score itself where there is no pedal.

    A note whose key is let go while the pedal is down sounds on until the pedal rises or its pitch is struck again,
    whichever is first. No note gets shorter, no onset moves. A pedal that never rises is let go with the last key of
    the piece. Drums are left alone.

    Each track has the pedal that is written in it: a score does not say which MIDI channel a track was on, so a pedal
    in one track does not act on another of the same channel. Controls are kept.
    """
    if not any(len(_presses(track, 0)[0]) for track in score.tracks if not track.is_drum):
        return score
    score, notes = score.copy(), notes_of(score)
    last_key = int((notes.onset + notes.duration).max(initial=0))
    for track in score.tracks:
        down, up = _presses(track, last_key)
        if track.is_drum or not len(track.notes) or not len(down):
            continue
        columns = track.notes.numpy()
        onset, duration, pitch = (columns[name].astype(np.int64) for name in ("time", "duration", "pitch"))
        let_go = onset + duration
        press = np.searchsorted(down, let_go, side="right") - 1
        rises = np.where(press >= 0, up[press], let_go)
        end = np.maximum(let_go, np.minimum(rises, _struck_again(onset, let_go, pitch)))
        track.notes = NoteTickList.from_numpy(
            columns["time"], (end - onset).astype(np.int32), columns["pitch"], columns["velocity"]
        )
    return score


def _presses(track: TrackTick, never: int) -> tuple[Column, Column]:
    """When the pedal goes down, and when it rises after each: `never` where it does not."""
    columns = track.controls.numpy()
    pedal = columns["number"] == SUSTAIN
    time, is_down = columns["time"][pedal].astype(np.int64), columns["value"][pedal] >= DOWN
    order = np.argsort(time, kind="stable")
    time, is_down = time[order], is_down[order]
    turns = np.flatnonzero(np.diff(is_down, prepend=False))
    down, up = time[turns[0::2]], time[turns[1::2]]
    return down, np.append(up, never) if len(up) < len(down) else up


def _struck_again(onset: Column, let_go: Column, pitch: Column) -> Column:
    """[N] the next onset of each note's pitch once its key is let go, or the end of time."""
    # Pitches one after another on one long line, further apart than a piece can be long.
    line = 2 * (INT32_MAX + 1)
    struck = np.sort(pitch * line + onset)
    # A note that was let go on the tick it started is not struck again by itself.
    place = np.searchsorted(struck, pitch * line + np.maximum(let_go, onset + 1))
    following = np.append(struck, 128 * line)[place]
    return np.where(following // line == pitch, following % line, INT32_MAX)
