"""Notes as a small piano roll: SVG paths, whose colours the page decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.bar_lines import ruling
from diffmidi_core.music.clock import SECOND, clock_of
from diffmidi_core.music.notes import Score
from diffmidi_core.show.palette import TRACKS

WIDTH, WIDE, HEIGHT, LEFT = 400.0, 880.0, 160.0, 26.0
"""Of the drawing, of that of a long piece, and where its time begins: names of octaves stand left of it."""
LONG = 12.0
"""Seconds from which on a piece is long."""
LEVELS = 4
"""Shades of velocity."""
MOST_BARS, MOST_NUMBERS = 64, 16
"""Bar lines that keep apart, and numbers below them."""
_LEAST_ROWS = 16
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_FIELDS = ("time", "duration", "pitch", "velocity")

Columns = Mapping[str, NDArray[Any]]
"""Notes as columns, by onset, then pitch: time and duration in seconds, pitch, velocity, and the track's number."""
Ticks = Sequence[tuple[float, str]]
"""Seconds, and what is written below them."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Roll:
    """What the template draws.

    Attributes:
        shades: a track's colour, a velocity level, from soft to loud, and an SVG path of the notes of both.
        marked: one of the notes that stand out.
        octaves: height and name of each C.
        ticks: place and name of each bar or second that is marked; of some bars no name.
        summary: the music in words.
        width: of the drawing.
        tracks: how many there are.
    """

    shades: list[tuple[int, int, str]]
    marked: str
    octaves: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    summary: str
    width: float = WIDTH
    tracks: int = 1


def columns(score: Score) -> Columns:
    """The score's notes, drums left out."""
    timed: Any = score.to("second")
    found = [track.notes.numpy() for track in timed.tracks if not track.is_drum and len(track.notes)]
    joined = {name: np.concatenate([each[name] for each in found]) if found else np.zeros(0) for name in _FIELDS}
    joined["track"] = np.repeat(np.arange(len(found)), [len(each["time"]) for each in found])
    order = np.lexsort((joined["pitch"], joined["time"]))
    return {name: column[order] for name, column in joined.items()}


def bars(score: Score, seconds: float) -> Ticks:
    """When the bars of a score begin, and their numbers, of many only some; nothing where it has no metre.

    Bar 0 is an upbeat.
    """
    if not len(score.time_signatures):
        return []
    clock = clock_of(score)
    lines = ruling(score, float(clock.quarters(np.array(seconds * SECOND))))
    count = len(lines.beats)
    thin, every = (max(1, -(-count // most)) for most in (MOST_BARS, MOST_NUMBERS))
    every = -(-every // thin) * thin
    begins = clock.elapsed(lines.beats) / SECOND
    marked = zip(begins.tolist(), lines.numbers.tolist(), strict=True)
    return [
        (when, f"{number:,}" if (number - 1) % every == 0 else "")
        for when, number in marked
        if (number - 1) % thin == 0
    ]


def around(notes: Columns, number: int, at: float, seconds: float) -> tuple[Columns, int]:
    """The stretch of `seconds` in which note `number` is struck at second `at`; and that note's number in it."""
    begin = float(notes["time"][number]) - at
    heard = (notes["time"] + notes["duration"] > begin) & (notes["time"] < begin + seconds)
    left = np.maximum(notes["time"] - begin, 0)
    right = np.minimum(notes["time"] + notes["duration"] - begin, seconds)
    cut = {**notes, "time": left, "duration": right - left}
    return {name: column[heard] for name, column in cut.items()}, int(heard[:number].sum())


def ends(notes: Columns) -> float:
    """When the last note ends, in seconds."""
    return float((notes["time"] + notes["duration"]).max(initial=0))


def draw(
    notes: Columns,
    seconds: float,
    *,
    marked: tuple[int, int] = (0, 0),
    height: float = HEIGHT,
    bars: Ticks = (),
    across: float = WIDTH,
) -> Roll:
    """Notes over `seconds`; `marked` says from which one on how many stand out. Below stand `bars`, or else seconds.

    `across` is the width of the drawing.
    """
    low, high = _range(notes["pitch"])
    scale = (across - LEFT) / max(seconds, 1e-9)
    row = height / (high - low + 1)
    left = LEFT + notes["time"] * scale
    width = np.maximum(notes["duration"] * scale - 0.7, 1)  # a gap between notes that are struck again
    top = (high - notes["pitch"].astype(int)) * row

    def path(some: Flags) -> str:
        each = zip(left[some], top[some], width[some], strict=True)
        return "".join(f"M{x:.1f} {y:.1f}h{w:.1f}v{row * 0.86:.1f}h-{w:.1f}z" for x, y, w in each)

    number = np.arange(len(left))
    stands_out: Flags = (number >= marked[0]) & (number < sum(marked))
    level = np.clip(notes["velocity"].astype(int) * LEVELS // 128, 0, LEVELS - 1)
    track = notes["track"] % len(TRACKS)
    step = next((each for each in _STEPS if seconds / each <= across / 50), 50 * seconds / across)
    ticks = bars or [(at, f"{at:g}") for at in np.arange(0, seconds, step).tolist()]
    return Roll(
        shades=[
            (colour, shade, path((track == colour) & (level == shade) & ~stands_out))
            for colour in range(len(TRACKS))
            for shade in range(LEVELS)
        ],
        marked=path(stands_out),
        octaves=[((high - pitch + 1) * row, f"C{pitch // 12 - 1}") for pitch in range(low, high) if pitch % 12 == 0],
        ticks=[(LEFT + at * scale, name) for at, name in ticks],
        summary=_summary(notes),
        width=across,
        tracks=len(set(track.tolist())),
    )


def _range(pitch: NDArray[Any]) -> tuple[int, int]:
    low, high = (int(pitch.min()) - 1, int(pitch.max()) + 1) if len(pitch) else (60, 60)
    missing = max(0, _LEAST_ROWS - (high - low + 1))
    return low - missing // 2, high + (missing + 1) // 2


def _summary(notes: Columns) -> str:
    count = len(notes["pitch"])
    if not count:
        return "no notes"
    lowest, highest = (f"{_NAMES[int(p) % 12]}{int(p) // 12 - 1}" for p in (notes["pitch"].min(), notes["pitch"].max()))
    return f"{count} note{'' if count == 1 else 's'}, {lowest} to {highest}, {ends(notes):.1f} s"
