"""`diffmidi compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.paths import UserPath

if TYPE_CHECKING:
    from diffmidi_core.show.side_by_side import SideBySide


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=UserPath(), metavar="RUN...")
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="Only this figure; may be repeated.")
@click.option("--transpose", is_flag=True, help="A line for each run and a column for each figure, and no settings.")
@click.option("--csv", "csv_file", type=UserPath(), help="Also write a CSV: a line a run, numbers as measured.")
@click.option("--md", "md_file", type=UserPath(), help="Also write the table in Markdown.")
@click.option("--latex", "latex_file", type=UserPath(), help="Also write the table in LaTeX (booktabs).")
@click.option("--html", "html_file", type=UserPath(), help="Also write one HTML page, with a piece of each to hear.")
def command(
    runs: tuple[Path, ...],
    figures: tuple[str, ...],
    transpose: bool,
    csv_file: Path | None,
    md_file: Path | None,
    latex_file: Path | None,
    html_file: Path | None,
) -> list[dict[str, Any]]:
    """Show runs side by side: the settings that differ, what training took, and every figure.

    Runs that differ by their seed alone are taken together, and the best figure of a row is marked where its interval
    is apart from all others.
    """
    from diffmidi_core.show.compare import read_runs
    from diffmidi_core.show.side_by_side import side_by_side
    from diffmidi_core.show.tabular import rows, write_csv, write_latex, write_markdown

    records = read_runs(runs)
    whole = side_by_side(records, figures)
    table = whole.transposed if transpose else whole
    _print(table)
    found = rows(table, records, figures)
    if csv_file:
        write_csv(csv_file, found)
    if md_file:
        write_markdown(md_file, table)
    if latex_file:
        write_latex(latex_file, table)
    if html_file:
        from diffmidi_core.show.compare_page import write_page

        write_page(html_file, table)
    for file in filter(None, (csv_file, md_file, latex_file, html_file)):
        click.echo(f"Wrote {file}.", err=True)
    return found


def _print(table: SideBySide) -> None:
    from rich.text import Text

    from diffmidi_core.cli.tables import new_console
    from diffmidi_core.show.in_blocks import blocks

    console = new_console()
    for number, block in enumerate(blocks(table, console.width)):
        if number:
            console.print()
        console.print(block)
    for note in table.notes:
        console.print(Text(note))
    for caveat in table.caveats:
        console.print(Text(caveat, "yellow"))
