"""Figures as the table and the bars show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Mapping[str, Any] | None]

BY_TYPE = "bits_by_type"
"""The metric whose figures, one a word type, have a section of their own."""


@dataclass(frozen=True)
class Line:
    """One figure, ready to be printed; empty where there is nothing to print."""

    name: str
    unit: str
    value: str
    spread: str
    reference: str
    reference_spread: str
    over: str
    mark: int | None


@dataclass(frozen=True)
class Bar:
    """One word type: its bits, and how long its bar is (percent of the longest)."""

    name: str
    value: str
    spread: str
    share: float


def groups(figures: Figures) -> dict[str, list[Line]]:
    """Figures by what they were measured on ("held-out windows", "samples"), in the order of the config."""
    found: dict[str, list[Line]] = {}
    marks = {note: number for number, note in enumerate(notes(figures), 1)}
    for name, figure in _shown(figures):
        found.setdefault(figure["of"], []).append(_line(name, figure, marks.get(figure.get("note") or "")))
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
    over = f"{figure['count']:,}"
    if figure.get("skipped"):
        over += f", {figure['skipped']:,} more could not be measured"
    return Line(
        name=name,
        unit=figure["unit"],
        value=_number(figure["value"]),
        spread=_spread(figure),
        reference="" if reference is None else _number(reference),
        reference_spread=_interval(figure.get("reference_interval")),
        over=over,
        mark=mark,
    )


def _spread(figure: Mapping[str, Any]) -> str:
    if figure.get("interval"):
        return _interval(figure["interval"])
    return "" if figure.get("error") is None else f"± {figure['error']:.2g}"


def _interval(ends: Sequence[float] | None) -> str:
    return "" if not ends else f"{_number(ends[0])} to {_number(ends[1])}"


def _number(value: float) -> str:
    small = value != 0 and abs(value) < 1e-3
    return (f"{value:.1e}" if small else f"{value:.4g}").replace("-", "\N{MINUS SIGN}")
