"""What `diffmidi prepare --check-leaks A B` shows: which pieces of B are in A too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from diffmidi_core.numbers import counted

if TYPE_CHECKING:
    from diffmidi_core.data.leaks import Leak, PieceSet

FINDS = (
    "Of excerpts of 24 notes two in three are found, of 32 nine in ten, of 64 and more nearly all; fewer where they "
    "are of another performance."
)
"""What can be found, as measured (benchmarks/README.md)."""
SHOWN = 20
"""Pairs that are named."""


def check_leaks(one: Path, two: Path) -> None:
    """Print the overlap as a table, the plainest pairs, and what to do in a sentence."""
    from diffmidi_core.data.leaks import find_leaks

    sets = _read(one), _read(two)
    leaks = find_leaks(*sets)
    _print((one, two), sets, leaks)


def _read(path: Path) -> PieceSet:
    from rich.progress import Progress

    from diffmidi_core.data.leaks import read_set

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        return read_set(path, lambda done, total: progress.update(task, completed=done, total=total))


def _print(paths: tuple[Path, Path], sets: tuple[PieceSet, PieceSet], leaks: list[Leak]) -> None:
    from diffmidi_core.data.leaks import KINDS, SAME_FILE
    from diffmidi_core.music.reading import printable

    (one, two), (before, after) = map(printable, paths), sets
    pieces, counts = len(after.names), Counter(leak.kind for leak in leaks)
    console = Console()

    table = _table(f"{two} has of {one}", "pieces", "share", right=(1, 2))
    for kind in KINDS:
        # Prepared data keeps the notes, not the files.
        known = kind != SAME_FILE or (before.files and after.files)
        table.add_row(kind, *((f"{counts[kind]:,}", f"{counts[kind] / pieces:.1%}") if known else "--"))
    console.print(table)
    if leaks:
        pairs = _table("alike", f"in {two}", f"in {one}", right=(0,))
        for leak in leaks[:SHOWN]:
            pairs.add_row(f"{leak.similarity:.0%}", Text(leak.piece), Text(leak.other))
        console.print()
        console.print(pairs)
        if len(leaks) > SHOWN:
            click.echo(f"... and {len(leaks) - SHOWN:,} more.")
    click.echo()
    for name, read in ((one, before), (two, after)):
        if read.refused:
            were = "was" if read.refused == 1 else "were"
            click.echo(f"{counted(read.refused, 'file')} in {name} could not be read and {were} left out.")
    if leaks:
        click.echo(
            f"{len(leaks):,} of the {pieces:,} pieces of {two} ({len(leaks) / pieces:.1%}) are in {one} too: "
            "leave them out of one of the two before you train on the first and measure on the second."
        )
    else:
        click.echo(f"No piece of {two} ({pieces:,}) was found among those of {one} ({len(before.names):,}).")
    click.echo(FINDS)


def _table(*headings: str, right: Collection[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if place in right else "left", overflow="fold")
    return table
