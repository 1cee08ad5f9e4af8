"""`diffmidi infill`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.steering import NOTES, in_regions, region_of, steered, steering


@click.command("infill")
@click.argument("file", type=UserPath(), metavar="FILE")
@in_regions
@NOTES
@steering
def command(file: Path, notes: int | None, **given: Any) -> None:
    """Draw notes of a MIDI FILE anew; everything else in it stays as it is, event by event.

    The conditions --bars, --seconds, --pitch, --track and --hand hold together: what they say is one region. The takes
    go into a folder of their own, draws/1 and so on, with a picture of before and after.
    """
    from diffmidi_core.steer.regions import regions

    texts, inverted, locks, conditions = region_of(given)
    asked = None if given["resume"] else regions(texts, inverted=inverted, **conditions)

    def ask(user_file: Any, upbeat: Any) -> Any:
        from diffmidi_core.steer.asked import Asked

        return Asked.region(user_file, asked, upbeat, locks=locks, notes=notes)

    steered("infill", file, ask, given)
