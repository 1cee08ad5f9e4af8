"""Excerpt: the bars of a piece in which something was drawn, with all that sounds in them."""

from __future__ import annotations

import numpy as np
from symusic.core import NoteTickList

from diffmidi_core.music.notes import Score
from diffmidi_core.steer.asked import Asked


def excerpt(score: Score, asked: Asked) -> Score:
    """The notes that begin from the first to the last bar in which something is drawn, and the metres and tempi there.

    Time counts from the first of these bars.
    """
    begin, end = asked.bars.ticks(asked.touched[0], asked.touched[-1])
    part = score.copy()
    for track in part.tracks:
        columns = track.notes.numpy()
        inside = (columns["time"] >= begin) & (columns["time"] < end)
        time, *rest = (columns[name][inside] for name in ("time", "duration", "pitch", "velocity"))
        track.notes = NoteTickList.from_numpy(time - np.int32(begin), *rest)
    for name in ("time_signatures", "tempos"):
        events = sorted((each for each in getattr(part, name) if each.time < end), key=lambda each: each.time)
        first = max((number for number, each in enumerate(events) if each.time <= begin), default=0)
        kept_events = [each.copy() for each in events[first:]]
        for each in kept_events:
            each.time = max(0, each.time - begin)
        setattr(part, name, type(getattr(part, name))(kept_events))
    return part
