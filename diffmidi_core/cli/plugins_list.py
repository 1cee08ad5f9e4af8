"""The list of `diffmidi plugins`: a heading for each kind, a line for each part, as wide as the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from diffmidi_core.cli.tables import new_console
from diffmidi_core.sections import BUILTIN_PACKAGE

Row = Mapping[str, str | None]
"""What `diffmidi plugins --json` says of a part."""
INDENT, GAP = "  ", "  "


def print_list(rows: Iterable[Row]) -> None:
    """Print them; why a part is broken stands in full below."""
    from rich.text import Text

    console, reasons = new_console(), []
    for kind, group in groupby(rows, key=lambda row: row["kind"]):
        parts = list(group)
        console.print(Text(str(kind), "bold"))
        for row, line in zip(parts, lines(parts, console.width), strict=True):
            console.print(Text(line, "red" if row["why"] else ""))
            if row["why"]:
                reasons.append(row["why"])
        console.print()
    for reason in reasons:
        console.print(Text(reason, "red"))
        console.print()
    console.print("To know all of a part:     diffmidi plugins show KIND NAME")
    console.print("To write one of your own:  diffmidi plugins new NAME --kind KIND")


def lines(parts: Sequence[Row], width: int) -> list[str]:
    """The lines of one kind's parts, of at most `width` characters unless a name alone is longer.

    A name is what people type: with its package where two parts are called alike.
    """
    bare = [_bare(row) for row in parts]
    often = Counter(bare)
    names = [name if often[name] == 1 else str(row["name"]) for name, row in zip(bare, parts, strict=True)]
    column = max(map(len, names), default=0)
    left = width - len(INDENT) - column - len(GAP)
    return [
        f"{INDENT}{name:{column}}{GAP}{shortened(_told(row), left)}".rstrip()
        for name, row in zip(names, parts, strict=True)
    ]


def _bare(row: Row) -> str:
    return str(row["name"]).rpartition(":")[2]


def _told(row: Row) -> str:
    """What stands beside a name: whose it is where it is not ours, its state where that is not plain, its summary."""
    whose = "" if row["package"] == BUILTIN_PACKAGE else f"({row['package']} {row['version']}) "
    return whose + (f"{row['state']}, see below" if row["why"] else str(row["summary"]))


def shortened(text: str, most: int) -> str:
    """A text in at most so many cells of a terminal, cut behind a word with …; nothing where not one word fits."""
    from rich.cells import cell_len

    if cell_len(text) <= most:
        return text
    kept = ""
    for word in text.split():
        longer = f"{kept} {word}".lstrip()
        if cell_len(longer) >= most:
            break
        kept = longer
    return f"{kept.rstrip(' ,;:.(')}…" if kept else ""
