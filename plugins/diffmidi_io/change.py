"""Before and after as one roll: kept notes in one colour, new ones in another, removed ones faint, bars numbered."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from diffmidi.api.renderer import Change, Notes
from diffmidi_io.declarations import PianoRollOptions
from diffmidi_io.picture import FAINT, MARGINS, QUIET, heading, new_picture

KEPT, NEW, REMOVED = "#3b6fb6", "#d1495b", "#c9cdd6"
BESIDE = 4
"""Bars shown before the first new note and behind the last."""
_INCHES_PER_BEAT = 0.35
_LEAST_WIDTH = 8.0
_LABEL_INCHES = 0.4


def draw(change: Change, options: PianoRollOptions, title: str) -> Figure:
    """The picture of the bars in which something changes, and some on both sides."""
    first, last = _shown(change)
    begin, end = int(change.bars[first]), int(change.bars[last])
    beats = (end - begin) / change.ticks
    around = MARGINS["left"] + MARGINS["right"]
    width = float(np.clip(around + _INCHES_PER_BEAT * beats, _LEAST_WIDTH, options.max_width))
    figure, axes = new_picture(width, options.height, options.dpi)
    axes.set_xlim(begin, end)
    _rows(axes, [change.kept, change.removed, change.new], begin, end)
    room = max(1, int((width - around) / _LABEL_INCHES))
    every = -(-(last - first) // room)
    axes.vlines(change.bars[first : last + 1], *axes.get_ylim(), color=FAINT, linewidth=0.9, zorder=1)
    numbered = range(first, last, every)
    axes.set_xticks([int(change.bars[bar]) for bar in numbered], [str(change.first + bar) for bar in numbered])
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("left")
    axes.set_xlabel("bars", size=8.5, color=QUIET, labelpad=6)
    for notes, colour, height, layer in ((change.removed, REMOVED, 0.46, 2), (change.kept, KEPT, 0.42, 3),
                                         (change.new, NEW, 0.42, 4)):  # fmt: skip
        _notes(axes, notes, colour, height, layer)
    told = (("kept", KEPT, change.kept), ("new", NEW, change.new), ("removed", REMOVED, change.removed))
    axes.legend(
        handles=[Patch(color=colour, label=f"{name} ({len(notes):,})") for name, colour, notes in told],
        loc="upper right", fontsize=8, ncols=3, frameon=False, bbox_to_anchor=(1, 1.08),
    )  # fmt: skip
    heading(figure, title, [])
    return figure


def _shown(change: Change) -> tuple[int, int]:
    """The first bar that is shown, and the one behind the last."""
    changed = np.concatenate([change.removed.onset, change.new.onset])
    most = len(change.bars) - 1
    if not len(changed):
        return 0, most
    bars = np.searchsorted(change.bars, changed, side="right") - 1
    return max(0, int(bars.min()) - BESIDE), min(most, int(bars.max()) + 1 + BESIDE)


def _rows(axes: Axes, parts: list[Notes], begin: int, end: int) -> None:
    pitch = np.concatenate([notes.pitch[(notes.onset < end) & (notes.onset >= begin)] for notes in parts])
    low, high = (int(pitch.min()) - 2, int(pitch.max()) + 2) if len(pitch) else (50, 70)
    axes.set_ylim(low - 0.5, high + 0.5)
    octaves = [row for row in range(low, high + 1) if row % 12 == 0]
    axes.hlines([row - 0.5 for row in octaves], begin, end, color=FAINT, linewidth=0.8, zorder=1)
    axes.set_yticks(octaves, [f"C{row // 12 - 1}" for row in octaves])


def _notes(axes: Axes, notes: Notes, colour: str, height: float, layer: int) -> None:
    left, right = notes.onset, notes.onset + np.maximum(notes.duration, 1)
    low, high = notes.pitch - height, notes.pitch + height
    corners = np.stack([np.stack(pair, -1) for pair in ((left, low), (right, low), (right, high), (left, high))], 1)
    bars = PolyCollection(list(corners.astype(np.float64)), facecolors=colour, edgecolors="white", linewidths=0.5,
                          zorder=layer)  # fmt: skip
    axes.add_collection(bars, autolim=False)
