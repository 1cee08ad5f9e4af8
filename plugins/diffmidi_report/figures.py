"""Figures as the tables and the bars show them; each table is of one checkpoint or of one draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diffmidi.api.hook import Judged, StoredFigure, better_text, counted
from diffmidi_report.levels import BY_LEVEL
from diffmidi_report.run import Draw
from diffmidi_report.words import number

BY_TYPE = "bits_by_type"
"""The metric whose figures, one a token type, have a section of their own."""
PICTURED = (f"{BY_TYPE}/", f"{BY_LEVEL}/")
PIECES = "samples"
"""What metrics call the pieces of a draw."""
_SPLITS = {
    "test": "Test music was kept out of training and out of the choice of the checkpoint.",
    "heldout": "No piece was kept for the test: held-out music is what the checkpoint was chosen by.",
}


@dataclass(frozen=True)
class Line:
    """One figure, ready to be printed, of a metric or of a part of it; empty where there is nothing to print.

    Attributes:
        metric, part: as files and `-o` call them.
        title: what people call the metric.
        unit: "" where the title of a figure without parts holds it.
        better: which figures are the better ones, to stand behind the title.
    """

    metric: str
    part: str
    title: str
    unit: str
    better: str
    value: str
    spread: str
    reference: str
    reference_spread: str
    skipped: int
    mark: int | None


@dataclass(frozen=True)
class Bar:
    """One token type: its bits, and how long its bar is (percent of the longest)."""

    name: str
    value: str
    spread: str
    share: float


@dataclass(frozen=True)
class Group:
    """Lines that were measured on the same things.

    Attributes:
        title: what they were measured on.
        beside: what the reference is of; empty where no line has one.
    """

    title: str
    beside: str
    lines: list[Line]


@dataclass(frozen=True)
class Found:
    """All tables of one checkpoint, or of one draw.

    Attributes:
        title: which it is.
        about: how it was measured, a sentence each.
        notes: what a reader must know before quoting figures; lines refer to them by number.
    """

    title: str
    about: list[str]
    groups: list[Group]
    notes: list[str]


def of_checkpoint(judged: Judged) -> Found:
    """What a checkpoint is worth, on the run's music or on other."""
    on = f" on {judged.other}" if judged.other else ""
    drawn = f" Samples are those of draw {judged.drawn}." if judged.drawn else ""
    return _found(judged, f"Checkpoint of iteration {judged.checkpoint:,}{on}", judged.drawn, drawn)


def of_draw(draw: Draw, judged: Judged) -> Found:
    """What a draw is worth."""
    return _found(judged, f"{draw.title}: {draw.about}", draw.name, "")


def bars(judged: Judged) -> list[Bar]:
    """Bits by token type, the dearest first."""
    found = {name.partition("/")[2]: each for name, each in judged.known.items() if name.startswith(BY_TYPE + "/")}
    longest = max((each.value for each in found.values()), default=0) or 1
    return [
        Bar(name, number(each.value), _spread(each), 100 * max(0.0, each.value) / longest)
        for name, each in sorted(found.items(), key=lambda item: -item[1].value)
    ]


def _found(judged: Judged, title: str, draw: str, more: str) -> Found:
    shown = list(_shown(judged))
    notes = list(dict.fromkeys(figure.note for _, figure in shown if figure.note))
    marks = {note: place for place, note in enumerate(notes, 1)}
    by_title: dict[str, list[tuple[str, StoredFigure]]] = {}
    for name, figure in shown:
        by_title.setdefault(_title(judged, figure, draw), []).append((name, figure))
    groups = [
        Group(
            of,
            judged.music if any(figure.reference is not None for _, figure in some) else "",
            [_line(name, figure, marks.get(figure.note)) for name, figure in some],
        )
        for of, some in by_title.items()
    ]
    ranges = "Ranges are 95 % confidence intervals; ± is one standard error."
    split = "" if judged.other else _SPLITS.get(judged.split or "", "")
    return Found(title, [each for each in (ranges, split, more.strip()) if each], groups, notes)


def _title(judged: Judged, figure: StoredFigure, draw: str) -> str:
    count = figure.count + figure.skipped
    if figure.of == PIECES:
        return f"{counted(count, 'piece')} of draw {draw}"
    if figure.of.endswith("windows"):
        return f"{counted(count, 'window')} of {judged.music}"
    return f"{count:,} {figure.of}"


def _shown(judged: Judged) -> Iterator[tuple[str, StoredFigure]]:
    return ((name, each) for name, each in judged.known.items() if not name.startswith(PICTURED))


def _line(name: str, figure: StoredFigure, mark: int | None) -> Line:
    metric, _, part = name.partition("/")
    return Line(
        metric=metric,
        part=part,
        title=figure.title or metric.replace("_", " "),
        unit="" if not part and figure.unit in figure.title else figure.unit,
        better=better_text(figure.better),
        value=number(figure.value),
        spread=_spread(figure),
        reference="" if figure.reference is None else number(figure.reference),
        reference_spread=_interval(figure.reference_interval),
        skipped=figure.skipped,
        mark=mark,
    )


def _spread(figure: StoredFigure) -> str:
    if figure.interval:
        return _interval(figure.interval)
    return "" if figure.error is None else f"± {number(figure.error, 2)}"


def _interval(ends: Sequence[float] | None) -> str:
    return "" if not ends else f"{number(ends[0])} to {number(ends[1])}"
