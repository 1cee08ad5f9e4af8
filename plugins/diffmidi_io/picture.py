"""What the pictures share: ink, a figure without pyplot (so that threads do not meet), a heading, and the saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from diffmidi.api.renderer import whole_file
from diffmidi.api.source import printable

INK, QUIET, FAINT = "#1f2430", "#6b7280", "#d5d9e0"
"""For what is read first, for what is read second, and for lines."""
MARGINS = {"left": 0.72, "right": 0.3, "bottom": 0.6, "top": 0.75}
"""Around the axes, in inches."""
_TITLE = FontProperties(family="DejaVu Sans", weight="bold", size=12)
_NO_LETTER = "\N{REPLACEMENT CHARACTER}"
_LETTERS_PER_INCH = 10.5
_SECONDS_INCHES = 0.8
"""Room for a number of seconds."""
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def new_picture(width: float, height: float, dpi: int, **margins: float) -> tuple[Figure, Axes]:
    """A figure of that many inches with one pair of axes inside its margins."""
    room = {**MARGINS, **margins}
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    inner = (width - room["left"] - room["right"], height - room["bottom"] - room["top"])
    axes = figure.add_axes((room["left"] / width, room["bottom"] / height, inner[0] / width, inner[1] / height))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=QUIET)
    return figure, axes


def heading(figure: Figure, title: str, facts: Sequence[str]) -> None:
    """The title in the upper left corner, and facts in small print in the upper right one."""
    width, height = figure.get_size_inches()
    line = (height - 0.3) / height
    small = " · ".join(facts)
    room = max(8, int((width - MARGINS["left"] - MARGINS["right"]) * _LETTERS_PER_INCH - 0.75 * len(small)))
    title = _drawable(title)
    title = title if len(title) <= room else title[: room - 1] + "…"
    # A file name may hold a dollar, which would begin a formula.
    left, right = MARGINS["left"] / width, 1 - MARGINS["right"] / width
    figure.text(left, line, title, color=INK, va="baseline", fontproperties=_TITLE, parse_math=False)
    figure.text(right, line, small, size=8.5, color=QUIET, va="baseline", ha="right")


def _drawable(title: str) -> str:
    """The title with a mark for each letter that the one font which is always there does not have (Chinese, say)."""
    font = get_font(findfont(_TITLE))
    return "".join(each if font.get_char_index(ord(each)) else _NO_LETTER for each in printable(title))


def label_seconds(axis: XAxis, seconds: float, axes: Axes) -> None:
    """Round seconds, or minutes and seconds, as many as fit above or below the axes."""
    room = axes.bbox.width / axes.figure.dpi / _SECONDS_INCHES
    step = next((each for each in _SECONDS if seconds / each <= room), seconds / room)
    minutes = seconds >= 120
    at = np.arange(0, seconds * (1 + 1e-9), step)
    axis.set_ticks(at.tolist(), [_clock(each) if minutes else f"{each:g} s" for each in at.tolist()])


def said_length(seconds: float) -> str:
    """Seconds below two minutes, minutes and seconds above."""
    return _clock(seconds) + " min" if seconds >= 120 else f"{seconds:.3g} s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def save(figure: Figure, path: Path) -> None:
    """Write the picture as PNG, whole or not at all, the same bytes each time. Raises DiffmidiError."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
