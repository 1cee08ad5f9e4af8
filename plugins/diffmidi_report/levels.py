"""Where along the noise the bound is charged, as one picture, of a checkpoint that was judged by `bound_by_level`."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from diffmidi.api.hook import Judged, Picture, Section, StoredFigure

BY_LEVEL = "bound_by_level"
COLOUR, QUIET = "#3b7dd8", "#808080"
"""Seen on light and on dark: a picture of its own has not the page's colours."""


def by_level(judged: Judged) -> dict[str, StoredFigure]:
    """The figures of the ranges of levels and of the terms beside them, by name; none where it was not asked for."""
    return {name.partition("/")[2]: each for name, each in judged.known.items() if name.startswith(f"{BY_LEVEL}/")}


def section(judged: Judged) -> Section | None:
    """The picture and a sentence; None where it was not asked for."""
    found = by_level(judged)
    levels = {name: each for name, each in found.items() if name.endswith("%")}
    if not levels:
        return None
    total = sum(each.value for each in found.values())
    dearest = max(levels, key=lambda name: levels[name].value)
    alt = (
        f"Bits per token by noise level on {judged.music}: {total:.3g} in all, most of them "
        f"({levels[dearest].value:.3g}) at {dearest} of the noise."
    )
    said = "From 0 %, clean, to 100 %, noise; lines are 95 % confidence intervals."
    rest = ", ".join(f"{name} {each.value:.2g}" for name, each in found.items() if name not in levels)
    more = f" Beside the levels: {rest}." if rest else ""
    return Section("Bits by noise level", [alt, Picture(_drawn(levels, alt), alt, said + more)])


def _drawn(levels: Mapping[str, StoredFigure], alt: str) -> bytes:
    with matplotlib.rc_context({"svg.fonttype": "none", "font.size": 9, "svg.hashsalt": alt}):
        figure = Figure(figsize=(6, 2.6), facecolor="none", layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        width = 100 / len(levels)
        for number, each in enumerate(levels.values()):
            middle = (number + 0.5) * width
            axes.bar(middle, each.value, 0.85 * width, color=COLOUR)
            if each.interval:
                axes.plot([middle, middle], each.interval, color=QUIET, linewidth=1.2)
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(QUIET)
        axes.tick_params(length=0, labelcolor=QUIET)
        axes.set_xlim(0, 100)
        axes.set_xlabel("noise, %", color=QUIET)
        axes.set_ylabel("bits per token", color=QUIET)
        written = io.BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return written.getvalue()
