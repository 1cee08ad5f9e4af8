"""The table of compared runs: a column for each group of them, what differs and what was measured in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from diffmidi_core.errors import UsageError
from diffmidi_core.numbers import better_text, count_text, figure_text, interval_text, spread_text
from diffmidi_core.show.compare import Record, caveats, differing, judged_by, same_music, same_share, same_tokens
from diffmidi_core.show.groups import Group, Spread, best, groups, spread
from diffmidi_core.wording import did_you_mean, printable

NOTHING = "-"
_MOST_VALUES = 4
"""Different values of a group's runs that are listed; of more, only how many there are."""
_PER_TOKEN = "per token"


@dataclass(frozen=True)
class Cell:
    """What stands in a place of the table; `below` is a second line. `best`: no other of its kind comes near."""

    text: str
    below: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A name, and a cell for each column. `short` is what heads its column where the table is transposed."""

    name: str
    cells: Sequence[Cell]
    short: str = ""


@dataclass(frozen=True)
class Part:
    """A heading and rows; "" of a table that needs none."""

    heading: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class SideBySide:
    """The whole table.

    Attributes:
        columns: what stands above each column of cells.
        notes: what must be known to read it, a sentence each; caveats apart.
        caveats: what must be known before figures are compared.
    """

    groups: Sequence[Group]
    columns: Sequence[str]
    parts: Sequence[Part]
    notes: Sequence[str]
    caveats: Sequence[str]

    @property
    def transposed(self) -> SideBySide:
        """A line for each group, and a column for each figure: nothing but the figures."""
        rows = [row for part in self.parts if part.heading == FIGURES for row in part.rows]
        lines = [Row(name, [row.cells[number] for row in rows]) for number, name in enumerate(self.columns)]
        return SideBySide(
            self.groups, [row.short or row.name for row in rows], [Part("", lines)], self.notes, self.caveats
        )


FIGURES = "figures"


def side_by_side(records: Sequence[Record], only: Sequence[str] = ()) -> SideBySide:
    """The table of these runs; of their figures `only` those, by the names of figures or of metrics.

    Raises UsageError for one that no run has.
    """
    found = groups(records)
    known = dict.fromkeys(name for record in records for name in record.figures)
    shown = [name for name in known if not only or name in only or name.partition("/")[0] in only]
    if missing := [name for name in only if name not in known and name not in {n.partition("/")[0] for n in known}]:
        raise UsageError(
            f"--figure {missing[0]}: no run has such a figure.{did_you_mean(missing[0], known)} "
            f"There are: {', '.join(map(printable, known)) or 'none'}."
        )
    parts = [
        Part("settings that differ", [_told_row(name, found, "settings") for name in differing(records)]),
        Part("training", [_measured_row(name, found) for name in records[0].training]),
        Part("judged", [_told_row(name, found, "judged") for name in judged_by(records)]),
        Part(FIGURES, [_figure_row(name, found, records) for name in shown]),
    ]
    filled = [Part(part.heading, [row for row in part.rows if any(map(_is_known, row.cells))]) for part in parts]
    return SideBySide(
        found,
        [group.heading for group in found],
        [part for part in filled if part.rows],
        _notes(found, filled),
        caveats(records),
    )


def _notes(found: Sequence[Group], parts: Sequence[Part]) -> list[str]:
    several = [group for group in found if len(group.runs) > 1]
    notes = [group.legend for group in several]
    if several:
        notes.append(
            "Runs that differ by their seed alone are one column: their mean ± one standard deviation over n runs. Of "
            "a run alone, ± is one standard error, and a range is a 95 % interval over what was measured."
        )
    if any(cell.best for part in parts for row in part.rows for cell in row.cells):
        notes.append("* is the best of its kind: its 95 % interval is apart from all others'.")
    return notes


def _is_known(cell: Cell) -> bool:
    return cell.text != NOTHING


def _told_row(name: str, found: Sequence[Group], of: str) -> Row:
    return Row(printable(name), [Cell(_listed([getattr(run, of).get(name) for run in each.runs])) for each in found])


def _measured_row(name: str, found: Sequence[Group]) -> Row:
    return Row(name, [Cell(_averaged([run.training[name] for run in group.runs])) for group in found])


def _listed(values: Sequence[Any]) -> str:
    """The different values of a group's runs."""
    texts = list(dict.fromkeys(map(_told, values)))
    return ", ".join(texts) if len(texts) <= _MOST_VALUES else f"{len(texts)} values"


def _averaged(values: Sequence[Any]) -> str:
    """What training took: the mean where the runs of a group differ, of text each."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if all(value == values[0] for value in values) or len(numbers) < 2:
        return _listed([figure_text(value) if isinstance(value, float) else value for value in values])
    count = "" if len(numbers) == len(values) else f" (n={len(numbers)})"
    return f"{figure_text(mean(numbers))} {spread_text(stdev(numbers))}{count}"


def _told(value: Any) -> str:
    """A setting as it was given."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return figure_text(value, 6)
    return count_text(value) if isinstance(value, int) else printable(value)


def _figure_row(name: str, found: Sequence[Group], records: Sequence[Record]) -> Row:
    spreads = [spread(group, name) for group in found]
    known = [each.figure for each in spreads if each is not None]
    comparable = same_music(records) and same_share(records)
    if any(_PER_TOKEN in figure.unit for figure in known):
        comparable = comparable and same_tokens(records)
    first = best(spreads) if comparable else None
    cells = [
        _figure(each, group, number == first) for number, (each, group) in enumerate(zip(spreads, found, strict=True))
    ]
    return Row(_row_name(name, known), cells, printable(name))


def _row_name(name: str, known: Sequence[Any]) -> str:
    """The id of a figure and what people call it: "bound_bpw: bits per token, at most (lower is better)"."""
    title = printable(next((figure.title for figure in known if figure.title), ""))
    units = printable(" / ".join(dict.fromkeys(figure.unit for figure in known if figure.unit)))
    name = printable(name)
    if not title or name.partition("/")[2]:
        return f"{name}, {units}" if units else name
    unit = "" if not units or units in title else f", {units}"
    return f"{name}: {title}{unit}{printable(better_text(known[0].better))}"


def _figure(found: Spread | None, group: Group, is_best: bool) -> Cell:
    """The value with its spread, and under it what the music has that it stands beside."""
    if found is None:
        return Cell(NOTHING)
    text = figure_text(found.value)
    if found.deviation is not None:
        text += f" {spread_text(found.deviation)} (n={found.count})"
    elif found.figure.interval:
        text += f" [{interval_text(found.figure.interval, ', ')}]"
    elif found.figure.error is not None:
        text += f" {spread_text(found.figure.error)}"
    if found.deviation is None and len(group.runs) > 1:
        text += " (n=1)"
    below = ""
    if found.reference is not None:
        below = f"{printable(found.figure.music) or 'reference'}: {figure_text(found.reference)}"
    return Cell(text, below, is_best)
