"""Tables of what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WHOLE = ("kind", "name", "option", "state", "size", "opens")


def new_table(*headings: str) -> Table:
    """An empty one; names are not folded."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in _WHOLE)
    return table


def new_console() -> Console:
    """Where they are printed."""
    from rich.console import Console

    return Console(highlight=False)
