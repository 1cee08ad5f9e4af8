"""The tables of figures: a row a figure, by the name for people and by the id that `-o` and files have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from diffmidi.api.hook import StoredFigure, figure_text, interval_text, spread_text

Figures = Mapping[str, StoredFigure]
WIDTH = 36
"""Columns of the terminal that titles take at most; longer ones are wrapped."""
WITH_IDS = 100
"""Columns of a terminal that has room for ids."""


def tables(figures: Figures, width: int) -> Iterator[Table | Text]:
    """A table for each thing that was measured, and below them the caveats, by their marks.

    Ids stand in a column of their own where the terminal is `width` = 100 columns wide or more.
    """
    caveats: list[str] = []
    for things in dict.fromkeys((each.of, each.measured_on) for each in figures.values()):
        here = {name: each for name, each in figures.items() if (each.of, each.measured_on) == things}
        yield _table(here, caveats, ids=width >= WITH_IDS)
    for number, caveat in enumerate(caveats, 1):
        yield Text(f"  {_mark(number)} {caveat}")


def _table(figures: Figures, caveats: list[str], *, ids: bool) -> Table:
    """Figures of one kind of thing; adds to `caveats` what its marks refer to."""
    rows = list(_rows(figures, caveats))
    some = next(iter(figures.values()))
    compared = any(row["reference"] for row in rows)
    title = some.measured_on
    if compared:
        title += f"; the reference is {some.music or 'music that was not trained on'}"
    table = Table(title=Text(title, "italic"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    # No column that is empty, and no id where names would have to be cut for it.
    shown = [name for name in rows[0] if any(row[name] for row in rows) and (ids or name != "id")]
    for name in shown:
        if name == "title":
            table.add_column("", max_width=WIDTH, overflow="fold")
        else:
            table.add_column(name, justify="left" if name in ("better", "id") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in shown))
    return table


def _rows(figures: Figures, caveats: list[str]) -> Iterator[dict[str, str]]:
    """Heading to cell, a row a figure; above the parts of one metric a row for all of them."""
    above = ""
    for name, each in figures.items():
        metric, _, part = name.partition("/")
        units = {other.unit for key, other in figures.items() if key.startswith(f"{metric}/")}
        title = each.title or metric.replace("_", " ")
        if part and metric != above:
            unit = each.unit if len(units) == 1 else ""
            yield _row(_with_unit(title, unit), better=each.better, id=metric)
        above = metric
        label = _with_unit(f"  {part}", each.unit if len(units) > 1 else "") if part else _with_unit(title, each.unit)
        yield _row(
            label,
            value=_value(each, caveats),
            interval="" if each.interval is None else interval_text(each.interval),
            reference="" if each.reference is None else figure_text(each.reference),
            better="" if part else each.better,
            id="" if part else metric,
        )


def _row(
    title: str, *, value: str = "", interval: str = "", reference: str = "", better: str = "", id: str = ""
) -> dict[str, str]:
    return {
        "title": title,
        "value": value,
        "95 % interval": interval,
        "reference": reference,
        "better": better,
        "id": id,
    }


def _with_unit(title: str, unit: str) -> str:
    return title if not unit or unit in title else f"{title}, {unit}"


def _value(figure: StoredFigure, caveats: list[str]) -> str:
    """The number, with its standard error where no interval tells it better, and marks of its caveats."""
    own = [figure.note] if figure.note else []
    if figure.skipped:
        own.append(f"{figure.skipped} of the {figure.of} hold too little music to be measured; left out.")
    caveats += [each for each in own if each not in caveats]
    spread = f" {spread_text(figure.error)}" if figure.error is not None and figure.interval is None else ""
    return figure_text(figure.value) + spread + "".join(f" {_mark(caveats.index(each) + 1)}" for each in own)


def _mark(number: int) -> str:
    return "*" * number if number <= 3 else f"*{number}"
