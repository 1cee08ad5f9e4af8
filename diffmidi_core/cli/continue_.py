"""`diffmidi continue`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.steering import NOTES, steered, steering


@click.command("continue")
@click.argument("file", type=UserPath(), metavar="FILE")
@click.option("--bars", type=click.IntRange(1), default=8, show_default=True, help="How many bars more.")
@NOTES
@steering
def command(file: Path, bars: int, notes: int | None, **given: Any) -> None:
    """Write more bars behind the last one of a MIDI FILE, which stays as it is, event by event.

    The new bars have the metre and tempo that the file ends with. The takes go into a folder of their own, draws/1 and
    so on, with a picture.
    """

    def ask(user_file: Any, upbeat: Any) -> Any:
        from diffmidi_core.steer.asked import Asked

        return Asked.behind(user_file, bars, upbeat, notes=notes)

    steered("continue", file, ask, given)
