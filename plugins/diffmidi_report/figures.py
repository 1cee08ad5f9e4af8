"""Figures as the table and the bars show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Figures = Mapping[str, Mapping[str, Any] | None]

BY_TYPE = "bits_by_type"
"""The metric whose figures, one a word type, have a section of their own."""


@dataclass(frozen=True)
class Line:
    """One figure, ready to be printed, of a metric or of a part of it; empty where there is nothing to print."""

    metric: str
    part: str
    unit: str
    value: str
    spread: str
    reference: str
    reference_spread: str
    skipped: int
    mark: int | None


@dataclass(frozen=True)
class Bar:
    """One word type: its bits, and how long its bar is (percent of the longest)."""

    name: str
    value: str
    spread: str
    share: float


def groups(figures: Figures) -> dict[str, list[Line]]:
    """Figures by what they were measured on ("64 held-out windows", "8 samples"), in the order of the config."""
    found: dict[str, list[Line]] = {}
    marks = {note: number for number, note in enumerate(notes(figures), 1)}
    for name, figure in _shown(figures):
        of = f"{figure['count'] + int(figure.get('skipped') or 0):,} {figure['of']}"
        found.setdefault(of, []).append(_line(name, figure, marks.get(figure.get("note") or "")))
    return found


def notes(figures: Figures) -> list[str]:
    """What a reader must know before quoting figures, each said once."""
    return list(dict.fromkeys(figure["note"] for _, figure in _shown(figures) if figure.get("note")))


def bars(figures: Figures) -> list[Bar]:
    """Bits by word type, the dearest first."""
    found = {name.partition("/")[2]: each for name, each in figures.items() if each and name.startswith(BY_TYPE + "/")}
    longest = max((each["value"] for each in found.values()), default=0) or 1
    return [
        Bar(name, _number(each["value"]), _spread(each), 100 * max(0.0, each["value"]) / longest)
        for name, each in sorted(found.items(), key=lambda item: -item[1]["value"])
    ]


def _shown(figures: Figures) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, each) for name, each in figures.items() if each and not name.startswith(BY_TYPE + "/"))


def _line(name: str, figure: Mapping[str, Any], mark: int | None) -> Line:
    reference = figure.get("reference")
    metric, _, part = name.partition("/")
    return Line(
        metric=metric,
        part=part,
        unit=figure["unit"],
        value=_number(figure["value"]),
        spread=_spread(figure),
        reference="" if reference is None else _number(reference),
        reference_spread=_interval(figure.get("reference_interval")),
        skipped=int(figure.get("skipped") or 0),
        mark=mark,
    )


def _spread(figure: Mapping[str, Any]) -> str:
    if figure.get("interval"):
        return _interval(figure["interval"])
    return "" if figure.get("error") is None else f"± {_number(figure['error'], 2)}"


def _interval(ends: Sequence[float] | None) -> str:
    return "" if not ends else f"{_number(ends[0], 3)} to {_number(ends[1], 3)}"


def _number(value: float, digits: int = 4) -> str:
    # Never 5.9e-05, which few read at a glance.
    said = np.format_float_positional(value, precision=digits, fractional=False, unique=True, trim="-")
    return said.replace("-", "\N{MINUS SIGN}")
