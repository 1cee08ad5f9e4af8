"""A score as a small piano roll, drawn as SVG paths that take their colours from the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.api import Score

WIDTH, HEIGHT, LEFT = 400.0, 160.0, 24.0
"""Of the drawing, and where its time begins: names of octaves stand left of it."""
_LEVELS = 4
"""Shades of velocity."""
_LEAST_ROWS = 19
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Roll:
    """What the template draws.

    Attributes:
        shades: an SVG path of the notes of each velocity level, from soft to loud.
        octaves: height and name of each C.
        ticks: place and name of each second that is marked.
        said: the music in words.
    """

    shades: list[str]
    octaves: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    said: str


def seconds_of(score: Score) -> float:
    """When the last note ends."""
    notes = _columns(score)
    return float((notes["time"] + notes["duration"]).max(initial=0))


def draw(score: Score, seconds: float) -> Roll:
    """The score's notes, drums left out, over `seconds`."""
    notes = _columns(score)
    low, high = _range(notes["pitch"])
    scale = (WIDTH - LEFT) / max(seconds, 1e-9)
    row = HEIGHT / (high - low + 1)
    left = LEFT + notes["time"] * scale
    width = np.maximum(notes["duration"] * scale - 0.5, 1)  # a gap between notes that are struck again
    top = (high - notes["pitch"]) * row
    level = np.clip((notes["velocity"].astype(int) * _LEVELS) // 128, 0, _LEVELS - 1)
    shades = [
        "".join(
            f"M{x:.1f} {y:.1f}h{w:.1f}v{row * 0.86:.1f}h-{w:.1f}z"
            for x, y, w in zip(left[level == shade], top[level == shade], width[level == shade], strict=True)
        )
        for shade in range(_LEVELS)
    ]
    octaves = [((high - pitch + 1) * row, f"C{pitch // 12 - 1}") for pitch in range(low, high + 1) if pitch % 12 == 0]
    step = next((each for each in _STEPS if seconds / each <= 8), seconds / 8)
    ticks = [(LEFT + at * scale, f"{at:g}") for at in np.arange(0, seconds, step).tolist()]
    return Roll(shades, octaves, ticks, _said(notes, seconds_of(score)))


def _columns(score: Score) -> dict[str, NDArray[Any]]:
    timed: Any = score.to("second")
    columns = [track.notes.numpy() for track in timed.tracks if not track.is_drum and len(track.notes)]
    return {
        name: np.concatenate([column[name] for column in columns]) if columns else np.zeros(0)
        for name in ("time", "duration", "pitch", "velocity")
    }


def _range(pitch: NDArray[Any]) -> tuple[int, int]:
    low, high = (int(pitch.min()) - 1, int(pitch.max()) + 1) if len(pitch) else (60, 60)
    missing = max(0, _LEAST_ROWS - (high - low + 1))
    return low - missing // 2, high + (missing + 1) // 2


def _said(notes: dict[str, NDArray[Any]], seconds: float) -> str:
    count = len(notes["pitch"])
    if not count:
        return "no notes"
    lowest, highest = (f"{_NAMES[int(p) % 12]}{int(p) // 12 - 1}" for p in (notes["pitch"].min(), notes["pitch"].max()))
    return f"{count} note{'' if count == 1 else 's'}, {lowest} to {highest}, {seconds:.1f} s"
