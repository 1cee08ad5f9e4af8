"""Tables of what is installed and of what is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from diffmidi_core.config import RunConfig

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


def explain(config: RunConfig) -> None:
    """Print every setting, its value and the layer it comes from."""
    from rich.text import Text

    from diffmidi_core.layers import flat

    table = new_table("setting", "value", "from")
    for name, value in flat(config.model_dump(mode="json")).items():
        layer = config.origin.get(name, "default")
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        table.add_row(Text(name), Text(shown), Text(layer, "" if layer == "default" else "bold"))
    new_console().print(table)
