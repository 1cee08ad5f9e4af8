"""`diffmidi render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import RENDER, collect, settings
from diffmidi_core.cli.paths import UserPath


@click.command("render")
@click.argument("where", type=UserPath(), metavar="RUN|DRAW")
@settings(RENDER)
@click.option("--draw", metavar="NAME", help="Which draw of the run (default: the newest).")
@click.option("--first", type=click.IntRange(1), metavar="N", help="Only the first N pieces.")
def command(where: Path, draw: str | None, first: int | None, assignments: tuple[str, ...], **given: Any) -> None:
    """Make the pieces of a draw audible and visible."""
    from diffmidi_core.cli.drawing import chosen, find_draw, wrote

    flags = collect(given, assignments, RENDER)
    found, run = find_draw(where, draw)
    renderers, hooks = chosen(run, "renderer", flags, assignments), chosen(run, "hook", flags, assignments)

    from diffmidi_core.machine.build import check_parts
    from diffmidi_core.machine.session import Surroundings
    from diffmidi_core.show.render import render

    check_parts(("renderer", part) for part in renderers)
    render(Surroundings(hooks), found, renderers, most=first)
    wrote(found, [], run)
