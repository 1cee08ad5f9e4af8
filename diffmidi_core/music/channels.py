"""The sustain pedal acts on a MIDI channel: what any track writes of it is given to every track of the channel.

A score says of its tracks which program they have, not which channel, and a change of program divides a track. So what
belongs to the pedal of a channel is collected from the file, and stands in each of its tracks once a file is read.
"""

from __future__ import annotations

import numpy as np
from symusic.core import ControlChangeTickList, PedalTickList, ScoreTick, TrackTick

from diffmidi_core.music.events import Bytes, Events
from diffmidi_core.music.notes import Column, Score
from diffmidi_core.music.pedal import ACTS, DOWN, SUSTAIN, presses
from diffmidi_core.music.scan import Scan

_ACTS = np.isin(np.arange(256), ACTS)


def with_pedals(score: Score, data: bytes, scan: Scan) -> Score:
    """The score of a file whose tracks have the pedal of their channel, the score itself where they have it already.

    Args:
        data: the file as symusic read it; `scan` is of the same bytes.
    """
    events = scan.events
    pressed = events.controls[events.number == SUSTAIN]
    if not (events.second[pressed] >= DOWN).any():
        return score
    acts = events.controls[_ACTS[events.number]]
    if _own_pedals(score, events, acts):
        return score
    ticks = scan.ticks()[0][acts]
    order = np.argsort(ticks, kind="stable")
    acts, ticks = acts[order], ticks[order]
    # symusic divides a file into tracks by channel among others: velocities that name the channel say into which.
    heard = np.flatnonzero(np.bincount(events.channel[events.is_on]))
    named = ScoreTick.from_midi(_naming_channels(data, events)) if len(heard) > 1 else score
    for track, other in zip(score.tracks, named.tracks, strict=True):
        if not track.is_drum and len(track.notes):
            channel = int(other.notes[0].velocity) - 1 if len(heard) > 1 else int(heard[0])
            own = events.channel[acts] == channel
            _give(track, ticks[own], events.first[acts[own]], events.second[acts[own]])
    return score


def _own_pedals(score: Score, events: Events, acts: Column) -> bool:
    """Whether each channel is in one track, its pedal with it, and no change of program divides it."""
    status = events.status & 15
    if len(score.tracks) == 1 and status.min() == status.max():
        return True
    parts = events.track * 16 + status
    heard = np.flatnonzero(np.bincount(parts[events.is_on]))
    channels = np.bincount(heard % 16, minlength=16)
    acting = np.flatnonzero(np.bincount(parts[acts]))
    acting = acting[channels[acting % 16] > 0]
    return len(score.tracks) == len(heard) and channels.max() == 1 and bool(np.isin(acting, heard).all())


def _naming_channels(data: bytes, events: Events) -> bytes:
    named = np.frombuffer(data, dtype=np.uint8).copy()
    named[events.place[events.is_on] + 1] = events.channel[events.is_on] + 1
    return named.tobytes()


def _give(track: TrackTick, ticks: Column, number: Bytes, value: Bytes) -> None:
    """Put controllers in place of those of the track that belong to its pedal."""
    own = track.controls.numpy()
    kept = ~_ACTS[own["number"]]
    time = np.concatenate([own["time"][kept], ticks]).astype(np.int32)
    order = np.argsort(time, kind="stable")
    track.controls = ControlChangeTickList.from_numpy(
        time[order],
        np.concatenate([own["number"][kept], number])[order],
        np.concatenate([own["value"][kept], value])[order],
    )
    down, up = presses(track, int(track.end()))
    track.pedals = PedalTickList.from_numpy(down.astype(np.int32), np.maximum(up - down, 0).astype(np.int32))
