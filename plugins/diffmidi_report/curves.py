"""Curves as SVG that stands in the page itself, in its colours, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

from diffmidi_report.run import Points

_COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--quiet)",
    "#030303": "var(--line)",
    "#040404": "var(--accent)",
    "#050505": "var(--second)",
}
"""What matplotlib is told, and what the page's style makes of it."""
INK, QUIET, LINE, FIRST, SECOND = _COLOURS
_LEGIBLE: Any = {"svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9}
_WIDTH, _HEIGHT = 4.3, 2.8
"""Inches: small, so that letters are still read where a phone squeezes the picture to its width."""


def chart(
    curves: Mapping[str, Points], unit: str, alt: str, *, marks: Sequence[tuple[float, str]] = (), log: bool = False
) -> Markup:
    """Curves over iterations, each named at a legend, with vertical lines at `marks` and what each says."""
    # The salt keeps the ids of one page's charts apart, and the same in each writing.
    with matplotlib.rc_context({**_LEGIBLE, "svg.hashsalt": alt}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="none", layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        for (name, (steps, values)), colour in zip(curves.items(), (FIRST, SECOND), strict=False):
            dots = "o" if len(steps) < 40 else None
            axes.plot(steps, values, color=colour, linewidth=1.8, marker=dots, markersize=3.5, label=name)
        _dress(axes, unit)
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            axes.yaxis.set_minor_locator(NullLocator())
        for step, said in marks:
            axes.axvline(step, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            right = step > sum(axes.get_xlim()) / 2
            axes.annotate(
                said,
                (step, 1),
                xycoords=("data", "axes fraction"),
                xytext=(-5 if right else 5, -4),
                textcoords="offset points",
                ha="right" if right else "left",
                va="top",
                color=INK,
            )
        if len(curves) > 1:
            figure.legend(loc="outside upper left", frameon=False, ncols=2, labelcolor=INK, borderaxespad=0.2)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(written.getvalue(), alt)


def _dress(axes: Axes, unit: str) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=QUIET, pad=5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("iteration", color=QUIET)
    axes.set_ylabel(unit, color=QUIET)


def _inline(svg: str, alt: str) -> Markup:
    """From a file of its own to an element of the page: no prologue, no ids that clash, the page's colours and font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    for told, meant in _COLOURS.items():
        svg = svg.replace(told, meant)
    begin = f'<svg role="img" aria-label="{escape(alt)}"'
    return Markup(re.sub(r'<svg\b(?=.*?(viewBox="[^"]*"))[^>]*>', rf"{begin} \1>", svg, count=1, flags=re.DOTALL))
