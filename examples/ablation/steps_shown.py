"""What steps.py measured, as tables and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

Row = dict[str, Any]
Cell = tuple[str, int]
FIGURES = {
    "bits": "bits a note under the judge",
    "entropy": "entropy of tokens in their type, bits",
    "overlap": "overlap area with held-out music",
    "frechet": "Fréchet distance from held-out music",
}
AIMS = {"bits": 0.6, "entropy": 0.1, "overlap": 0.02}
"""How far from those of held-out music figures are to be, at most, all three at once; an overlap may be above it."""
MORE = {"notes": ("notes", "%.0f"), "faults": ("faults, %", "%.2f"), "changes": ("changed, %", "%.2f")}
DIGITS = {"bits": 2, "entropy": 2, "overlap": 3, "frechet": 3}
COLOURS = matplotlib.colormaps["tab20"].colors[::2] + matplotlib.colormaps["tab20"].colors[1::2]


class Figure(NamedTuple):
    """A mean over seeds, half of its 95 % interval, and the values of the seeds."""

    value: float
    half: float
    seeds: list[float]

    def text(self, digits: int) -> str:
        """With its interval where there is one."""
        value = f"{self.value:.{digits}f}"
        return value if math.isnan(self.half) else f"{value} ± {self.half:.{digits}f}"


def cells(rows: Sequence[Row], key: str) -> dict[Cell, Figure]:
    """By sampler and steps; what was not measured has none. Seeds count as draws of their own."""
    found: dict[Cell, list[Row]] = {}
    for row in rows:
        if row.get(key):
            found.setdefault((row["sampler"], int(row["steps"])), []).append(row)
    told = {}
    for at, some in found.items():
        halves = [(float(row[f"{key} high"]) - float(row[f"{key} low"])) / 2 for row in some if row.get(f"{key} low")]
        half = math.hypot(*halves) / len(some) if len(halves) == len(some) else float("nan")
        values = [float(row[key]) for row in some]
        told[at] = Figure(mean(values), half, values)
    return told


def heldout(rows: Sequence[Row], key: str) -> float | None:
    """The figure of held-out music itself."""
    return next((float(row[f"{key} heldout"]) for row in rows if row.get(f"{key} heldout")), None)


def within(rows: Sequence[Row], at: Cell) -> str:
    """How many of the aims a cell meets, of those that can be told."""
    met = []
    for key, aim in AIMS.items():
        figure, beside = cells(rows, key).get(at), heldout(rows, key)
        if figure is not None and beside is not None:
            far = beside - figure.value
            met.append((far if key == "overlap" else abs(far)) <= aim)
    return f"{sum(met)} of {len(met)}"


def table(rows: Sequence[Row]) -> str:
    """A line for each cell, means over seeds, and one of the held-out music that all are beside."""
    found = {key: told for key in FIGURES if (told := cells(rows, key))}
    more = {key: told for key in MORE if (told := cells(rows, key))}
    more = {key: told for key, told in more.items() if key == "notes" or any(each.value for each in told.values())}
    names = [*found, *(MORE[key][0] for key in more)]
    lines = [
        f"| sampler | steps | seeds | {' | '.join(names)} | aims |",
        f"| --- | ---: | ---: |{' ---: |' * len(names)} ---: |",
    ]
    beside = [_text(heldout(rows, key), DIGITS[key]) for key in found]
    lines.append(f"| held-out music | | | {' | '.join([*beside, *('' for _ in more)])} | |")
    for at in dict.fromkeys((row["sampler"], int(row["steps"])) for row in rows):
        values = [found[key][at].text(DIGITS[key]) if at in found[key] else "" for key in found]
        values += [MORE[key][1] % more[key][at].value if at in more[key] else "" for key in more]
        seeds = len({row["seed"] for row in rows if (row["sampler"], int(row["steps"])) == at})
        lines.append(f"| {at[0]} | {at[1] or ''} | {seeds} | {' | '.join(values)} | {within(rows, at)} |")
    return "\n".join(lines)


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Each figure over the steps, a line for each sampler with several, bars for 95 %; the aims are shaded."""
    found = {key: told for key in FIGURES if (told := cells(rows, key))}
    samplers = [
        name
        for name in dict.fromkeys(row["sampler"] for row in rows)
        if len({row["steps"] for row in rows if row["sampler"] == name}) > 1
    ]
    if not samplers:
        return
    width = 2 if len(found) > 1 else 1
    height = -(-len(found) // width)
    size = (4.2 * width, 2.9 * height + 0.4)
    figure, axes = plt.subplots(height, width, figsize=size, sharex=True, squeeze=False, layout="constrained")
    for axis, (key, told) in zip(axes.flat, found.items(), strict=False):
        for number, sampler in enumerate(samplers):
            x = sorted(steps for name, steps in told if name == sampler)
            some = [told[sampler, steps] for steps in x]
            means, halves = (np.array([getattr(each, name) for each in some]) for name in ("value", "half"))
            style: dict[str, Any] = {"color": COLOURS[number % 20], "marker": "os^vD*Px"[number % 8], "markersize": 4}
            axis.errorbar(x, means, np.nan_to_num(halves), capsize=2, linewidth=1.2, label=sampler, **style)
        if (beside := heldout(rows, key)) is not None:
            axis.axhline(beside, color="black", linestyle="--", linewidth=1, label="held-out music")
            if key in AIMS:
                axis.axhspan(beside - AIMS[key], beside + AIMS[key], color="black", alpha=0.07, linewidth=0)
        axis.set_title(FIGURES[key], fontsize="medium")
        axis.set_xscale("log")
        steps = sorted({steps for name, steps in told if name in samplers})
        axis.set_xticks(steps, labels=steps)
        axis.minorticks_off()
    for axis in axes[-1]:
        axis.set_xlabel("steps")
    axes[0, 0].legend(fontsize="x-small")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def shown(rows: Sequence[Row], head: str, out: Path) -> None:
    """Write `steps.md` and `steps.png`."""
    (out / "steps.md").write_text(f"{head}\n\n{table(rows)}\n", encoding="utf-8")
    draw(rows, out / "steps.png")
