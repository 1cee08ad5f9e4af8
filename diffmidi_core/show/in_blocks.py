"""A table of many columns on a narrow screen: as many columns at a time as fit, in blocks below each other."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from diffmidi_core.show.side_by_side import NOTHING, Cell, SideBySide

_GAP = 2
_LEAST_NAME, _LEAST_COLUMN = 24, 12
"""Characters of the rows' names and of a column, where there is no room for all."""
_INDENT, _FOLDED = "  ", "    "
BEST = " *"


def blocks(table: SideBySide, width: int) -> Iterator[Table]:
    """The table in tables that are at most `width` wide; one where it fits."""
    names = [_INDENT + row.name for part in table.parts for row in part.rows]
    longest = max(map(cell_len, names), default=0)
    widths = [_width(table, number) for number in range(len(table.columns))]
    whole = longest + sum(each + _GAP for each in widths) <= width
    name_width = longest if whole else min(longest, max(_LEAST_NAME, width // 3))
    room = max(_LEAST_COLUMN, width - name_width - _GAP)
    some: list[int] = []
    taken = 0
    for number, each in enumerate(widths):
        needed = min(each, room) + _GAP
        if some and taken + needed > width - name_width:
            yield _block(table, some, name_width, room)
            some, taken = [], 0
        some.append(number)
        taken += needed
    yield _block(table, some, name_width, room)


def _width(table: SideBySide, number: int) -> int:
    """What a column needs: a heading can be folded, a figure is not."""
    cells = [line for part in table.parts for row in part.rows for line in _lines(row.cells[number])]
    heading = min(cell_len(table.columns[number]), _LEAST_COLUMN)
    return max(heading, *map(cell_len, cells)) if cells else heading


def _lines(cell: Cell) -> list[str]:
    return [cell.text + (BEST if cell.best else ""), *([cell.below] if cell.below else [])]


def _block(table: SideBySide, numbers: Sequence[int], name_width: int, room: int) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown.add_column("", width=name_width, overflow="fold")
    for number in numbers:
        width = _width(table, number)
        shown.add_column(
            Text(table.columns[number]),
            justify="right",
            overflow="fold",
            min_width=min(width, room),
            max_width=room if len(numbers) == 1 else None,
        )
    for part in table.parts:
        rows = [row for row in part.rows if any(row.cells[number].text != NOTHING for number in numbers)]
        if rows and part.heading:
            shown.add_row(Text(part.heading, "bold"))
        for row in rows:
            name = textwrap.fill(row.name, name_width, initial_indent=_INDENT, subsequent_indent=_FOLDED)
            cells = [row.cells[number] for number in numbers]
            shown.add_row(Text(name), *(Text("\n".join(_lines(cell)), "bold" if cell.best else "") for cell in cells))
        shown.add_section()
    return shown
