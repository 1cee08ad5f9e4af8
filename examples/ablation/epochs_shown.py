"""What `epochs.py` found, as a picture and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

COLOURS = dict(zip("012345", ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f"), strict=True))
Found = Sequence[dict[str, Any]]
"""The curves of epochs.json."""


def by_method(found: Found) -> dict[str, list[dict[str, Any]]]:
    """The curves of each method, one a seed."""
    methods: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        methods.setdefault(each["method"], []).append(each)
    return methods


def band(curves: Found, column: int) -> tuple[NDArray[np.float64], ...]:
    """Where all curves go, over epochs (column 0) or core seconds (column 3), as x, mean, low and high.

    Low and high are the seeds' own, and of one seed a standard error of its windows apart from the mean.
    """
    lines = [np.array(each["lines"], dtype=np.float64) for each in curves]
    x = lines[0][:, column]
    x = x[x <= min(line[-1, column] for line in lines)]
    values = np.stack([np.interp(x, line[:, column], line[:, 1]) for line in lines])
    middle = values.mean(0)
    if len(lines) > 1:
        return x, middle, values.min(0), values.max(0)
    error = np.interp(x, lines[0][:, column], lines[0][:, 2])
    return x, middle, middle - error, middle + error


def picture(found: Found, path: Path) -> None:
    """Held-out curves at a constant rate with their bands, over epochs and over core seconds; points are test music."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
    lows = []
    for (method, curves), colour in zip(by_method(found).items(), COLOURS.values(), strict=False):
        for axis, column, key in zip(axes, (0, 3), ("epochs", "seconds"), strict=True):
            x, middle, low, high = band(curves, column)
            axis.plot(x, middle, color=colour, label=method)
            axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            points = [point for each in curves for point in each["points"]]
            ends = [abs(np.array(point["interval"] or [point["bits"]] * 2) - point["bits"]) for point in points]
            if points:
                axis.errorbar(
                    [point[key] for point in points],
                    [point["bits"] for point in points],
                    np.array(ends).T,
                    fmt="o",
                    color=colour,
                    markersize=4,
                    elinewidth=0.8,
                )
            lows += [middle.min(), *(point["bits"] for point in points)]
    for axis, label in zip(axes, ("epochs", "core seconds of training"), strict=True):
        axis.set(xlabel=label, xscale="log")
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="bits per note", ylim=(0.95 * min(lows), 1.6 * min(lows)))
    axes[0].legend(fontsize="small", title="line: held-out, constant rate\npoint: test, rate lowered", frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def table(told: dict[str, Any]) -> str:
    """In Markdown, a row for each method: test figures at each point, those of the seeds side by side."""
    methods = by_method(told["curves"])
    points = sorted({point["epochs"] for each in told["curves"] for point in each["points"]})
    heads = ["", "dropout, decay", *(f"{point} epochs" for point in points), "lowest held-out at", "core s an epoch"]
    lines = [f"| {' | '.join(heads)} | parameters |", f"| --- | --- |{' ---: |' * (len(heads) - 1)}"]
    for method, curves in methods.items():
        chosen = told["tuned"][method]
        lowest = [min(each["lines"], key=lambda line: line[1]) for each in curves]
        cells = [
            method,
            f"{chosen['dropout']:g}, {chosen['weight_decay']:g}",
            *(_bits(curves, point) for point in points),
            " / ".join(f"{line[0]:.0f}" for line in lowest),
            f"{mean(each['lines'][-1][3] / each['lines'][-1][0] for each in curves):.0f}",
            f"{curves[0]['parameters']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _bits(curves: Found, epochs: int) -> str:
    found = [point for each in curves for point in each["points"] if point["epochs"] == epochs]
    if not found:
        return "-"
    halves = [(point["interval"][1] - point["interval"][0]) / 2 for point in found if point["interval"]]
    return " / ".join(f"{point['bits']:.2f}" for point in found) + (f" ± {mean(halves):.2f}" if halves else "")
