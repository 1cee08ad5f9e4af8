"""`diffmidi infill`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.steering import steered, steering


@click.command("infill")
@click.argument("file", type=UserPath(), metavar="FILE")
@click.option("--bars", metavar="5-8", help="Draw these bars anew. They count from 1; an upbeat is bar 0.")
@click.option("--seconds", metavar="3.5-7", help="Draw what begins in this time.")
@click.option("--pitch", metavar="C4-C6", help="Draw notes of these pitches (C4 is 60).")
@click.option("--track", metavar="2", help="Draw this track, by its number or name; --dry-run lists them.")
@click.option("--hand", metavar="right|left", help="Draw this staff of a piano.")
@click.option(
    "--region", "texts", multiple=True, metavar="TEXT", help="One region more: 'bars 5-8, pitch C4-C6'. Repeatable."
)
@click.option("--except", "inverted", is_flag=True, help="Draw everything but that.")
@steering
def command(file: Path, texts: tuple[str, ...], inverted: bool, **given: Any) -> None:
    """Draw notes of a MIDI FILE anew; everything else in it stays as it is, event by event.

    The conditions --bars, --seconds, --pitch, --track and --hand hold together: what they say is one region. The takes
    go into a folder of their own, draws/1 and so on, with a picture of before and after.
    """
    from diffmidi_core.steer.regions import regions

    conditions = {name: given.pop(name) for name in ("bars", "seconds", "pitch", "track", "hand")}
    asked = regions(texts, inverted=inverted, **conditions)

    def ask(user_file: Any, upbeat: Any) -> Any:
        from diffmidi_core.steer.asked import Asked

        return Asked.region(user_file, asked, upbeat)

    steered("infill", file, ask, given)
