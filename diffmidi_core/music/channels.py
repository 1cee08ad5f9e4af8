"""The sustain pedal acts on a MIDI channel: what any track writes of it is given to every track of the channel.

A score says of its tracks which program they have, not which channel, and a change of program divides a track. So what
belongs to the pedal of a channel is collected from the file, and stands in each of its tracks once a file is read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from symusic.core import ControlChangeTickList, PedalTickList, ScoreTick, TrackTick

from diffmidi_core.music.notes import Column, Score
from diffmidi_core.music.pedal import ACTS, DOWN, SUSTAIN, presses
from diffmidi_core.music.scan import Events, Scan

_ACTS = np.isin(np.arange(256), ACTS)


def with_pedals(score: Score, data: bytes, scan: Scan) -> Score:
    """The score of a file whose tracks have the pedal of their channel, the score itself where they have it already.

    Args:
        data: the file as symusic read it; `scan` is of the same bytes.
    """
    events = scan.events
    acts = events.is_control & _ACTS[events.data[0]]
    if not (acts & (events.data[0] == SUSTAIN) & (events.data[1] >= DOWN)).any():
        return score
    if _own_pedals(score, events, acts):
        return score
    heard = np.flatnonzero(np.bincount(events.channel[events.is_on]))
    ticks = scan.ticks()[0][acts]
    order = np.argsort(ticks, kind="stable")
    acting, ticks = events[np.flatnonzero(acts)[order]], ticks[order]
    # symusic divides a file into tracks by channel among others: velocities that name the channel say into which.
    named = ScoreTick.from_midi(_naming_channels(data, events)) if len(heard) > 1 else score
    for track, other in zip(score.tracks, named.tracks, strict=True):
        if not track.is_drum and len(track.notes):
            channel = int(other.notes[0].velocity) - 1 if len(heard) > 1 else int(heard[0])
            rows = acting.channel == channel
            _give(track, ticks[rows], acting.data[:, rows])
    return score


def _own_pedals(score: Score, events: Events, acts: NDArray[np.bool_]) -> bool:
    """Whether each channel is in one track, its pedal with it, and no change of program divides it."""
    parts = events.track * 16 + events.channel
    heard = np.flatnonzero(np.bincount(parts[events.is_on]))
    channels = np.bincount(heard % 16, minlength=16)
    acting = np.flatnonzero(np.bincount(parts[acts]))
    acting = acting[channels[acting % 16] > 0]
    return len(score.tracks) == len(heard) and channels.max() == 1 and bool(np.isin(acting, heard).all())


def _naming_channels(data: bytes, events: Events) -> bytes:
    named = np.frombuffer(data, dtype=np.uint8).copy()
    named[events.place[events.is_on] + 1] = events.channel[events.is_on] + 1
    return named.tobytes()


def _give(track: TrackTick, ticks: Column, data: NDArray[np.uint8]) -> None:
    """Put controllers [2, N] in place of those of the track that belong to its pedal."""
    own = track.controls.numpy()
    kept = ~_ACTS[own["number"]]
    time = np.concatenate([own["time"][kept], ticks]).astype(np.int32)
    number, value = (
        np.concatenate([own[name][kept], row.astype(own[name].dtype)])
        for name, row in zip(("number", "value"), data, strict=True)
    )
    order = np.argsort(time, kind="stable")
    track.controls = ControlChangeTickList.from_numpy(time[order], number[order], value[order])
    down, up = presses(track, int(track.end()))
    track.pedals = PedalTickList.from_numpy(down.astype(np.int32), np.maximum(up - down, 0).astype(np.int32))
