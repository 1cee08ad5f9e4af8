"""The tables of figures: a row a figure, by the name for people and by the id that `-o` and files have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from diffmidi.api.hook import StoredFigure, figure_text, interval_text, spread_text

Figures = Mapping[str, StoredFigure]


def tables(figures: Figures) -> Iterator[Table | Text]:
    """A table for each thing that was measured, for 100 columns, and below them the caveats, by their marks."""
    caveats: list[str] = []
    for of in dict.fromkeys((each.of, each.measured_on) for each in figures.values()):
        yield _table({name: each for name, each in figures.items() if (each.of, each.measured_on) == of}, caveats)
    for number, caveat in enumerate(caveats, 1):
        yield Text(f"  {_mark(number)} {caveat}")


def _table(figures: Figures, caveats: list[str]) -> Table:
    """Figures of one kind of thing; adds to `caveats` what its marks refer to."""
    any_figure = next(iter(figures.values()))
    beside = any(each.reference is not None for each in figures.values())
    title = any_figure.measured_on
    if beside:
        title += f"; the reference is {any_figure.music or 'music that was not trained on'}"
    better = any(each.better for each in figures.values())
    table = Table(title=Text(title, "italic"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ["", "value", "95 % interval", *(["reference"] if beside else []), *(["better"] if better else []), "id"]
    for heading in columns:
        number = heading in ("value", "95 % interval", "reference")
        table.add_column(heading, justify="right" if number else "left", no_wrap=heading == "id")
    above = ""
    for name, each in figures.items():
        metric, _, part = name.partition("/")
        if part and metric != above:
            group: list[Text | str] = [
                Text(each.title or metric.replace("_", " ")),
                *[""] * (len(columns) - 2 - better),
            ]
            table.add_row(*group, *([each.better] if better else []), Text(metric))
        above = metric
        cells = [Text(f"  {each.label(name)}" if part else each.label(name)), _value(each, caveats)]
        cells.append(Text("" if each.interval is None else interval_text(each.interval)))
        if beside:
            cells.append(Text("" if each.reference is None else figure_text(each.reference)))
        if better:
            cells.append(Text("" if part else each.better))
        table.add_row(*cells, Text("" if part else metric))
    return table


def _value(figure: StoredFigure, caveats: list[str]) -> Text:
    """The number, with its standard error where no interval tells it better, and marks of its caveats."""
    own = [figure.note] if figure.note else []
    if figure.skipped:
        own.append(f"{figure.skipped} of the {figure.of} hold too little music to be measured; left out.")
    caveats += [each for each in own if each not in caveats]
    spread = f" {spread_text(figure.error)}" if figure.error is not None and figure.interval is None else ""
    return Text(figure_text(figure.value) + spread + "".join(f" {_mark(caveats.index(each) + 1)}" for each in own))


def _mark(number: int) -> str:
    return "*" * number if number <= 3 else f"*{number}"
