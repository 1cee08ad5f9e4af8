"""A piece as the page shows it: notes, bars and beats in seconds, and how a take differs from its piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.bar_lines import BarLines
from diffmidi_core.music.clock import SECOND, Clock, clock_of
from diffmidi_core.music.metre import FOUR_FOUR
from diffmidi_core.music.notes import Column
from diffmidi_core.music.timeline import SHORTEST_NOTE_VALUE
from diffmidi_core.steer.user_file import Part, UserFile

Row = tuple[int, ...]
"""Where a note is in the list of tracks, and its pitch, onset, duration and velocity; times in ticks."""
MOST_BEATS = 100_000
_DIGITS = 4
"""Behind the point of seconds: a tenth of a millisecond."""


def shown(file: UserFile, before: UserFile | None = None) -> dict[str, Any]:
    """A piece, or a take beside the piece that it was drawn into, whose tracks come first and in their order."""
    parts = _parts(file, before)
    bars = BarLines.of(file.score, int(file.notes.end.max(initial=1)))
    clock = clock_of(file.score)
    counts = np.bincount(_places(file, parts), minlength=len(parts)).tolist()
    told: dict[str, Any] = {
        "seconds": float(_seconds(clock, bars.at[-1:], file.ticks)[0]),
        "bars": _bars(file, bars, clock),
        "beats": _beats(file, bars, clock),
        "tracks": [
            {
                "number": part.number,
                "name": part.name,
                "program": part.program,
                "drums": part.is_drum,
                "notes": count,
            }
            for part, count in zip(parts, counts, strict=True)
        ],
        "notes": _notes(file, parts, bars, clock),
    }
    if before is not None:
        now, then = _rows(file, parts), _rows(before, parts)
        gone = _unmatched(then, now)
        told["new"] = _unmatched(now, then)
        told["removed"] = _notes(before, parts, bars, clock_of(before.score), gone)
    return told


def _parts(file: UserFile, before: UserFile | None) -> list[Part]:
    first = list(before.parts) if before is not None else []
    known = {(part.track, part.channel) for part in first}
    return [*first, *(part for part in file.parts if (part.track, part.channel) not in known)]


def _places(file: UserFile, parts: Sequence[Part]) -> Column:
    """[N] where the track of each note is in the list of tracks."""
    known = {(part.track, part.channel): place for place, part in enumerate(parts)}
    own = np.array([known[part.track, part.channel] for part in file.parts], dtype=np.int64)
    return own[file.notes.part]


def _rows(file: UserFile, parts: Sequence[Part]) -> list[Row]:
    notes = file.notes
    columns = (_places(file, parts), notes.pitch, notes.onset, notes.duration, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _unmatched(rows: Sequence[Row], others: Sequence[Row]) -> list[int]:
    """The places of rows that are not among the others, each of which matches one."""
    left, found = Counter(others), []
    for place, row in enumerate(rows):
        if left[row] > 0:
            left[row] -= 1
        else:
            found.append(place)
    return found


def _notes(
    file: UserFile, parts: Sequence[Part], bars: BarLines, clock: Clock, only: Sequence[int] | None = None
) -> list[list[float]]:
    notes = file.notes
    own = np.arange(len(notes)) if only is None else np.array(only, dtype=np.int64)
    bar = np.clip(np.searchsorted(bars.at, notes.onset, side="right") - 1, 0, len(bars) - 1) + bars.first
    columns = (
        _places(file, parts),
        notes.pitch,
        _seconds(clock, notes.onset, file.ticks),
        _seconds(clock, notes.end, file.ticks),
        notes.velocity,
        bar,
    )
    return [list(row) for row in zip(*(column[own].tolist() for column in columns), strict=True)]


def _bars(file: UserFile, bars: BarLines, clock: Clock) -> list[list[float]]:
    seconds = _seconds(clock, bars.at, file.ticks).tolist()
    return [
        [bars.number(place), begin, end, *metre]
        for place, ((begin, end), metre) in enumerate(zip(pairwise(seconds), _metres(file, bars).tolist(), strict=True))
    ]


def _beats(file: UserFile, bars: BarLines, clock: Clock) -> list[float]:
    """Where beats begin; where there are too many to be drawn, where bars do."""
    lengths = np.maximum(1, 4 * file.ticks // _metres(file, bars)[:, 1])
    if int((np.diff(bars.at) // lengths).sum()) > MOST_BEATS:
        ticks = bars.at[:-1]
    else:
        each = zip(bars.at[:-1].tolist(), bars.at[1:].tolist(), lengths.tolist(), strict=True)
        ticks = np.array([tick for begin, end, length in each for tick in range(begin, end, length)], dtype=np.int64)
    found: list[float] = _seconds(clock, ticks, file.ticks).tolist()
    return found


def _metres(file: UserFile, bars: BarLines) -> NDArray[np.int64]:
    """[B, 2] numerator and denominator of each bar, 4/4 until one is named."""
    told = {0: FOUR_FOUR}
    for sign in file.score.time_signatures:
        if sign.numerator > 0 and 1 <= sign.denominator <= SHORTEST_NOTE_VALUE:
            told[max(sign.time, 0)] = (sign.numerator, sign.denominator)
    at = sorted(told)
    metres = np.array([told[tick] for tick in at], dtype=np.int64)
    found: NDArray[np.int64] = metres[np.searchsorted(np.array(at), bars.at[:-1], side="right") - 1]
    return found


def _seconds(clock: Clock, ticks: Column, quarter: int) -> NDArray[np.float64]:
    told: NDArray[np.float64] = np.round(clock.elapsed(ticks / quarter) / SECOND, _DIGITS)
    return told
