"""pianoroll: the notes as a picture, pitch over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from diffmidi.api.renderer import (
    SECOND,
    TRACKS,
    VELOCITIES,
    Change,
    Notes,
    Renderer,
    Ruling,
    Score,
    clock_of,
    named_tracks,
    notes_of,
    ruling,
)
from diffmidi.api.source import printable
from diffmidi_io import change as changed
from diffmidi_io.declarations import PianoRollOptions
from diffmidi_io.picture import FAINT, INK, MARGINS, QUIET, heading, label_seconds, new_picture, said_length, save

Floats = NDArray[np.float64]

VELOCITY_COLOURS = colors.LinearSegmentedColormap.from_list("velocity", VELOCITIES)
_PALEST = 0.35
_TRACK_NAMES = 12
"""Names of tracks that have room beside the picture, and letters of each."""

_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_BLACK = (1, 3, 6, 8, 10)
_NAMED = ((11, range(12)), (8.5, (0, 2, 4, 5, 7, 9, 11)), (3.3, (0, 4, 7)), (0, (0,)))
"""Rows higher than so many points, and which of the twelve are named."""
_KEYBOARD = 128
_LEAST_ROWS = 19
_LEAST_BEATS = 4.0
_INCHES_PER_BEAT = 0.25
_LEAST_WIDTH = 8.0
_LABEL_INCHES = 0.55
"""Room for a number below a bar line."""
_COLOUR_BAR = 0.75
"""Inches at the right."""
_LABEL: Mapping[str, Any] = {"size": 8.5, "color": QUIET, "labelpad": 6}


class PianoRoll(Renderer):
    """A .roll.png: a rectangle for each note, drums left out, over bars and seconds, with bar lines and key names.

    Bars are numbered where the score has a metre, an upbeat as 0; elsewhere quarter notes are counted. Colours tell the
    velocities of one track, or several tracks apart.
    """

    options: PianoRollOptions
    suffix = ".roll.png"

    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the picture, whole or not at all. Raises DiffmidiError where it cannot be written."""
        save(draw(score, self.options, title), path)

    def render_change(self, change: Change, path: Path, *, title: str = "") -> bool:
        """The bars round what is new, in three colours."""
        save(changed.draw(change, self.options, title), path)
        return True


def draw(score: Score, options: PianoRollOptions, title: str = "") -> Figure:
    """The picture as a figure; its notes are the collection labelled "notes", or one for each of several tracks."""
    notes = notes_of(score)
    beat = max(score.ticks_per_quarter, 1)
    beats = max(_LEAST_BEATS, _end(notes) / beat)
    around = MARGINS["left"] + MARGINS["right"] + _COLOUR_BAR
    width = float(np.clip(around + _INCHES_PER_BEAT * beats, _LEAST_WIDTH, options.max_width))
    figure, axes = new_picture(width, options.height, options.dpi, right=MARGINS["right"] + _COLOUR_BAR)
    axes.set_xlim(0, beats)
    _draw_keys(axes, notes, beats)
    _draw_bars(axes, ruling(score, beats), width - around, numbered=len(score.time_signatures) > 0)
    tracks = named_tracks(score)
    if len(tracks) == 1:
        _draw_notes(axes, notes, beat, array=notes.velocity, cmap=VELOCITY_COLOURS, norm=_velocities(), label="notes")
        _draw_colours(figure, axes)
    else:
        for number, (name, track) in enumerate(tracks):
            own = notes_of(track)
            _draw_notes(axes, own, beat, facecolors=track_colours(number, own.velocity), label=f"notes of {name}")
        _draw_names(figure, axes, [name for name, _ in tracks])
    _draw_seconds(axes, score, beats)
    heading(figure, title, _facts(score, notes))
    if not len(notes):
        axes.text(0.5, 0.5, "no notes", transform=axes.transAxes, ha="center", va="center", color=QUIET, size=11)
    return figure


def _end(notes: Notes) -> int:
    return int((notes.onset + notes.duration).max(initial=0))


def _facts(score: Score, notes: Notes) -> list[str]:
    if not len(notes):
        return []
    beats = _end(notes) / max(score.ticks_per_quarter, 1)
    counts = [(len(notes), "note"), (round(beats, 1), "beat")]
    said = [f"{number:,.10g} {name}{'' if number == 1 else 's'}" for number, name in counts]
    return [*said, said_length(float(clock_of(score).elapsed(np.array(beats))) / SECOND)]


def rectangles(left: Any, right: Any, bottom: Any, top: Any) -> Floats:
    """[N, 4, 2] the corners of N rectangles."""
    left, right, bottom, top = np.broadcast_arrays(left, right, bottom, top)
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1).astype(np.float64)


def _draw_keys(axes: Axes, notes: Notes, beats: float) -> None:
    """Rows, black keys shaded as on a keyboard, a line below each C, and names as far as there is room."""
    low, high = _pitch_range(notes)
    axes.set_ylim(low - 0.5, high + 0.5)
    rows = np.arange(low, high + 1)
    black = rows[np.isin(rows % 12, _BLACK)]
    shade = PolyCollection(list(rectangles(0, beats, black - 0.5, black + 0.5)), facecolors="#f1f3f6", zorder=0)
    axes.add_collection(shade, autolim=False)
    octaves = rows[rows % 12 == 0] - 0.5
    axes.hlines(octaves[octaves > low], 0, beats, color=FAINT, linewidth=0.8, zorder=1)
    height = axes.bbox.height / axes.figure.dpi * 72 / len(rows)
    named = next(names for least, names in _NAMED if height > least)
    shown = [int(row) for row in rows if row % 12 in named]
    axes.set_yticks(shown, [f"{_NAMES[row % 12]}{row // 12 - 1}" for row in shown])
    for label, row in zip(axes.get_yticklabels(), shown, strict=True):
        if row % 12 == 0:
            label.set(color=INK, weight="bold")


def _pitch_range(notes: Notes) -> tuple[int, int]:
    """The rows shown: those of the notes and two more on both sides, at least an octave and a half."""
    low, high = (int(notes.pitch.min()) - 2, int(notes.pitch.max()) + 2) if len(notes) else (60, 60)
    missing = max(0, _LEAST_ROWS - (high - low + 1))
    low, high = low - missing // 2, high + (missing + 1) // 2
    return max(0, low), min(_KEYBOARD - 1, high)


def _draw_bars(axes: Axes, bars: Ruling, inches: float, *, numbered: bool) -> None:
    """A line at each bar, as long as lines keep apart, and below as many numbers as there is room for: the bars' where
    they are `numbered`, else of quarter notes.
    """
    beats = axes.get_xlim()[1]
    room = max(1, int(inches / _LABEL_INCHES))
    every = _every(len(bars.beats), room)
    lines = bars.beats[:: _every(len(bars.beats), int(inches * 12))]
    if inches / beats > 0.15:
        counted = np.arange(1, beats)
        axes.vlines(counted, *axes.get_ylim(), color=FAINT, linewidth=0.5, alpha=0.6, zorder=1)
    axes.vlines(lines, *axes.get_ylim(), color="#c3c8d2" if len(lines) > room else "#9aa2b1", linewidth=0.9, zorder=1)
    if numbered:
        # Every n-th, counted from bar 1: an upbeat has a number only where all have.
        shown = (bars.numbers - 1) % every == 0
        axes.set_xticks(bars.beats[shown], [f"{number:,}" for number in bars.numbers[shown].tolist()])
        axes.set_xlabel("bars" if bars.numbers[:1].any() else "bars, the first an upbeat", **_LABEL)
        return
    at = np.arange(beats) if beats <= room else bars.beats[::every]
    axes.set_xticks(at, [f"{beat:,.6g}" if beat < 1e6 else f"{beat:,.0f}" for beat in at.tolist()])
    axes.set_xlabel("beats (quarter notes)", **_LABEL)


def _every(count: int, room: int) -> int:
    """The least of 1, 2, 4, 8, ... with which `count` things fit into `room`."""
    return 1 << max(0, int(np.ceil(np.log2(max(count, 1) / max(room, 1)))))


def track_colours(number: int, velocity: NDArray[np.int64]) -> Floats:
    """[N, 3] the colour of each note of a track: its own hue, the paler the softer."""
    share = _PALEST + (1 - _PALEST) * np.clip(velocity, 0, 127)[:, None] / 127
    hue = np.array(colors.to_rgb(TRACKS[number % len(TRACKS)]))
    coloured: Floats = 1 - share * (1 - hue)
    return coloured


def _draw_notes(axes: Axes, notes: Notes, beat: int, *, label: str, **coloured: Any) -> None:
    pixel = axes.get_xlim()[1] / axes.bbox.width
    left = notes.onset / beat
    right = np.maximum(left + notes.duration / beat, left + 2 * pixel)  # a note without length is seen, too
    fine = len(notes) > 0 and float(np.median(right - left)) < 6 * pixel
    axes.add_collection(
        PolyCollection(
            list(rectangles(left, right, notes.pitch - 0.42, notes.pitch + 0.42)),
            edgecolors="face" if fine else "white",
            linewidths=0 if fine else 0.6,
            zorder=2,
            label=label,
            **coloured,
        ),
        autolim=False,
    )


def _draw_seconds(axes: Axes, score: Score, beats: float) -> None:
    clock = clock_of(score)
    above = axes.secondary_xaxis(
        "top",
        functions=(lambda x: clock.elapsed(np.asarray(x)) / SECOND, lambda x: clock.quarters(np.asarray(x) * SECOND)),
    )
    above.spines["top"].set_visible(False)
    above.tick_params(length=2, labelsize=8, labelcolor=QUIET, color=FAINT, pad=2)
    label_seconds(above.xaxis, float(clock.elapsed(np.array(beats))) / SECOND, axes)


def _draw_names(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """The tracks' names in their colours at the right, as many as have room, the first one on top."""
    width, height = figure.get_size_inches()
    where = axes.get_position()
    for number, name in enumerate(names[:_TRACK_NAMES]):
        name = printable(name) or f"track {number + 1}"
        name = name if len(name) <= _TRACK_NAMES else name.rpartition(", ")[2]  # "Piano, left hand"
        axes.figure.text(
            where.x1 + 0.12 / width,
            where.y1 - (0.1 + 0.2 * number) / height,
            name if len(name) <= _TRACK_NAMES else name[: _TRACK_NAMES - 1] + "…",
            size=8.5,
            weight="bold",
            color=TRACKS[number % len(TRACKS)],
            va="center",
            parse_math=False,
        )


def _draw_colours(figure: Figure, axes: Axes) -> None:
    width = figure.get_size_inches()[0]
    where = axes.get_position()
    place = figure.add_axes((where.x1 + 0.2 / width, where.y0, 0.11 / width, where.height))
    bar = figure.colorbar(ScalarMappable(_velocities(), VELOCITY_COLOURS), cax=place, ticks=[1, 32, 64, 96, 127])
    bar.outline.set_visible(False)
    place.tick_params(length=0, labelsize=8, labelcolor=QUIET)
    place.set_ylabel("velocity", size=8.5, color=QUIET)


def _velocities() -> colors.Normalize:
    return colors.Normalize(1, 127)
