"""`diffmidi compare`: runs side by side."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.numbers import better_text, count_text, figure_text, interval_text, spread_text
from diffmidi_core.wording import cell, printable

if TYPE_CHECKING:
    from diffmidi_core.judge.judged import StoredFigure
    from diffmidi_core.show.compare import Record

Section = tuple[str, list[tuple[str, list[str]]]]
"""A heading, and rows of a name and one cell a run."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b1b1b; background: #fff; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .8rem; text-align: right; white-space: pre; font-variant-numeric: tabular-nums; }}
th:first-child {{ text-align: left; font-weight: normal; position: sticky; left: 0; background: inherit; }}
thead th, tr.section th {{ font-weight: 600; border-bottom: 1px solid #999; }}
tr {{ background: #fff; }}
tbody tr:hover {{ background: #f2f5f9; }}
</style>
</head>
<body>
<div><table>
{rows}
</table></div>
{notes}
</body>
</html>
"""


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=UserPath(), metavar="RUN...")
@click.option("--csv", "csv_file", type=UserPath(), help="Also write a CSV: a line a run.")
@click.option("--html", "html_file", type=UserPath(), help="Also write the table as one HTML page.")
def command(runs: tuple[Path, ...], csv_file: Path | None, html_file: Path | None) -> None:
    """Show runs side by side: the settings that differ, what training took, and every figure."""
    from diffmidi_core.show.compare import caveats, read_runs

    records = read_runs(runs)
    sections, notes = _sections(records), caveats(records)
    _print(records, sections, notes)
    if csv_file:
        _write_csv(csv_file, records)
    if html_file:
        _write_html(html_file, records, sections, notes)
    for file in filter(None, (csv_file, html_file)):
        click.echo(f"Wrote {file}.", err=True)


def _sections(records: Sequence[Record]) -> list[Section]:
    from diffmidi_core.show.compare import differing, judged_by

    figures = dict.fromkeys(name for record in records for name in record.figures)
    tables = [
        (
            "settings that differ",
            [(printable(name), [_told(r.settings.get(name)) for r in records]) for name in differing(records)],
        ),
        ("training", [(name, [_measured(r.training[name]) for r in records]) for name in records[0].training]),
        ("judged", [(printable(name), [_told(r.judged.get(name)) for r in records]) for name in judged_by(records)]),
        ("figures", [(_row_name(name, records), [_figure(r.figures.get(name)) for r in records]) for name in figures]),
    ]
    known = [(heading, [row for row in rows if any(cell != "-" for cell in row[1])]) for heading, rows in tables]
    return [(heading, rows) for heading, rows in known if rows]


def _told(value: Any) -> str:
    """A setting as it was given."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return figure_text(value, 6)
    return count_text(value) if isinstance(value, int) else printable(value)


def _measured(value: Any) -> str:
    return figure_text(value) if isinstance(value, float) else _told(value)


def _row_name(name: str, records: Sequence[Record]) -> str:
    """The id of a figure and what people call it: "bound_bpw: bits per token, at most (lower is better)"."""
    known = [figure for record in records if (figure := record.figures.get(name))]
    title = printable(next((figure.title for figure in known if figure.title), ""))
    units = printable(" / ".join(dict.fromkeys(figure.unit for figure in known if figure.unit)))
    name = printable(name)
    if not title or name.partition("/")[2]:
        return f"{name}, {units}" if units else name
    unit = "" if not units or units in title else f", {units}"
    return f"{name}: {title}{unit}{printable(better_text(known[0].better))}"


def _figure(figure: StoredFigure | None) -> str:
    """The value with its interval or its standard error, and under it what the music has that it stands beside."""
    if figure is None:
        return "-"
    text = figure_text(figure.value)
    if figure.interval:
        text += f" [{interval_text(figure.interval, ', ')}]"
    elif figure.error is not None:
        text += f" {spread_text(figure.error)}"
    if figure.reference is not None:
        text += f"\n{printable(figure.music) or 'reference'}: {figure_text(figure.reference)}"
    return text


def _print(records: Sequence[Record], sections: Sequence[Section], notes: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", overflow="fold")
    for record in records:
        table.add_column(Text(record.name), justify="right", overflow="fold")
    for heading, rows in sections:
        table.add_row(Text(heading, "bold"))
        for name, cells in rows:
            table.add_row(Text(f"  {name}"), *map(Text, cells))
        table.add_section()
    console = Console(highlight=False)
    console.print(table)
    for note in notes:
        console.print(Text(note, "yellow"))


def _write_csv(path: Path, records: Sequence[Record]) -> None:
    """A line a run, numbers as they were measured, and text that no spreadsheet takes for a formula.

    `NAME.low` and `NAME.high` bound the 95 % interval.
    """
    from diffmidi_core.files import whole_file
    from diffmidi_core.show.compare import differing

    settings = differing(records)
    lines = [{cell(name): cell(value) for name, value in _values(record, settings)} for record in records]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _values(record: Record, settings: Sequence[str]) -> Iterator[tuple[str, Any]]:
    yield "run", record.name
    yield from ((name, record.settings.get(name)) for name in settings)
    yield from record.training.items()
    yield from record.judged.items()
    for name, figure in record.figures.items():
        if figure is None:
            continue
        yield name, figure.value
        if figure.error is not None:
            yield f"{name}.error", figure.error
        if figure.interval:
            yield f"{name}.low", figure.interval[0]
            yield f"{name}.high", figure.interval[1]
        if figure.reference is not None:
            yield f"{name}.reference", figure.reference


def _write_html(path: Path, records: Sequence[Record], sections: Sequence[Section], notes: Sequence[str]) -> None:
    from diffmidi_core.files import whole_file

    def row(name: str, cells: Sequence[str], tag: str, extra: str = "") -> str:
        inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr{extra}><th>{html.escape(name)}</th>{inner}</tr>"

    names = [record.name for record in records]
    lines = [f"<thead>{row('', names, 'th')}</thead>", "<tbody>"]
    for heading, rows in sections:
        lines.append(row(heading, [""] * len(records), "th", ' class="section"'))
        lines += [row(name, cells, "td") for name, cells in rows]
    lines.append("</tbody>")
    paragraphs = "\n".join(f"<p>{html.escape(note)}</p>" for note in notes)
    page = _PAGE.format(title=html.escape(" and ".join(names)), rows="\n".join(lines), notes=paragraphs)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
